"""Owns what is known about the till's page without a network: what it knows by itself, what it promises, what it keeps,
and that it counts once whatever happens on the way back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM, Open, answer, present, scan
from tests.pages.house import House, Member, Shop
from tests.pages.test_till_people import PIN, hired
from wallet_server.actions import keys
from wallet_server.actions.counter import pairing
from wallet_server.actions.programme import programs
from wallet_server.records.schema import counter_deeds, offline_allowances, offline_devices
from wallet_server.rules.programme.program_default import default_document

pytestmark = NEEDS_CHROMIUM
OFFLINE = {"earn": True, "burn_units_per_card": 10, "allowance_units": 100, "window_minutes": 60}
LOST = "ERR_"
FULL = """() => {
  const own = IDBObjectStore.prototype.add;
  window.room = () => { IDBObjectStore.prototype.add = own; };
  IDBObjectStore.prototype.add = () => { throw new DOMException("full", "QuotaExceededError"); };
}"""
UNKNOWING = "(facts) => Object.entries(facts).forEach(([name, value]) => localStorage.setItem(`till-${name}`, value))"
PENDING = "JSON.parse(localStorage.getItem('till-pending'))"
LONG_AGO = """async () => {
  const name = (await indexedDB.databases()).map((one) => one.name).find((one) => one.startsWith("till-"));
  const opening = indexedDB.open(name, 1);
  const base = await new Promise((done) => { opening.onsuccess = () => done(opening.result); });
  const change = base.transaction("events", "readwrite"), events = change.objectStore("events"), all = events.getAll();
  all.onsuccess = () => all.result.forEach((one) => events.put({ ...one, at: "2001-01-01T00:00:00.000Z" }));
  await new Promise((done) => { change.oncomplete = done; });
  base.close();
}"""
NO_ED25519 = """() => {
  const own = crypto.subtle.importKey.bind(crypto.subtle);
  crypto.subtle.importKey = async (form, key, how, ...rest) => {
    if (how.name === "Ed25519") throw new DOMException("not here", "NotSupportedError");
    return own(form, key, how, ...rest);
  };
}"""


def counter(house: House, **policy: Any) -> Shop:
    """A shop whose tills may burn a little without a network."""
    made = programs.found(house.ctx, "Chez Ada", programs.NewStore("Quai"))
    coffee = {"code": "coffee", "names": {"fr": "un café", "en": "a coffee"}, "kind": "product"}
    coffee["cost"] = {"currency": "points", "amount": 2}
    document = default_document("Chez Ada") | {"offline": OFFLINE | policy, "rewards": [coffee]}
    programme = programs.create_programme(house.ctx, made.account_id, made.merchant_id, document, 1)
    return Shop(programme["join_code"], made.merchant_key, made.till_key)


def pair(page: Page, house: House, shop: Shop, name: str = "Tablet") -> None:
    """As a cashier does it: a paired device keeps its key."""
    owner = replace(
        keys.authenticate(house.ctx, shop.merchant_key), principal="staff:one", scopes=frozenset({"read", "manage"})
    )
    store = pairing.stores(house.ctx, owner)[0][0]
    link = pairing.invite(house.ctx, owner, pairing.make_till(house.ctx, owner, store, name)).link
    page.goto(link)
    page.get_by_label("What is this device called").fill(name)
    page.get_by_role("button", name="Yes, make it a till").click()
    page.get_by_role("link", name="Open the till").click()
    expect(page.locator('[data-network="up"]')).to_be_attached()


def balance(house: House, shop: Shop, member: Member) -> int:
    facts = house.call("/v1/lookups", {"code": member.card.code}, shop.till_key)
    return int(facts["balances"]["points"])


def sell(page: Page, member: Member, amount: str, said: str) -> None:
    present(page, member.card.code)
    answer(page, "Genuine card")
    page.get_by_label("Amount in EUR").fill(amount)
    page.keyboard.press("Enter")
    answer(page, said)


@contextmanager
def cut(context: BrowserContext, *pages: Page) -> Iterator[None]:
    """No network, on every one of these pages."""
    context.set_offline(True)
    for page in pages:
        expect(page.locator('[data-network="down"]')).to_be_attached()
    yield
    context.set_offline(False)


def test_a_day_without_a_network_is_counted_once(opened: Open, house: House, axe: str) -> None:
    shop = counter(house)
    known, new, foreign = house.member(shop), house.member(shop), house.member(house.stranger)
    known.buy(f"before-{known.pass_id}", 2000, shop)
    hired(house, shop, "cashier")
    with opened(service_workers="allow", expected=LOST) as page:
        pair(page, house, shop)
        expect(page.locator('[data-shell="kept"]')).to_be_attached()
        present(page, known.card.code)
        answer(page, "20 points")
        other = page.context.new_page()
        other.goto("/till")
        expect(other.locator('[data-network="up"]')).to_be_attached()
        with cut(page.context, page, other):
            page.reload()
            answer(page, "Scan a card")
            expect(page.get_by_text("The till goes on")).to_be_visible()
            present(page, known.card.code)
            answer(page, "Genuine card")
            answer(page, "20 points (at")
            expect(page.locator("#may-spend")).to_have_text("It may spend at most 10 points here now.")
            expect(page.locator("#not-known")).to_contain_text("replaced, cancelled or used elsewhere")
            check(page, axe)
            page.get_by_text("More", exact=True).click()
            expect(page.locator("#rewards").get_by_role("button")).to_have_text("Give: a coffee × 5")
            page.get_by_label("Points to spend").fill("12")
            page.keyboard.press("Enter")
            page.get_by_role("dialog").get_by_role("button", name="Yes").click()
            answer(page, "It may spend at most 10 points here now.")
            page.get_by_label("Points to spend").fill("8")
            page.keyboard.press("Enter")
            page.get_by_role("dialog").get_by_role("button", name="Yes").click()
            answer(page, "Spent: 8 points · taken off when the network is back")
            present(page, known.card.code)
            expect(page.locator("#may-spend")).to_have_text("It may spend at most 2 points here now.")
            page.get_by_role("button", name="Give: a coffee").click()
            page.get_by_role("dialog").get_by_role("button", name="Yes").click()
            answer(page, "Reward given: a coffee · taken off when the network is back")
            sell(page, new, "7", "Sale of €7.00 · counted when the network is back")
            expect(page.locator("#spend")).to_be_hidden()
            sell(other, new, "5", "Sale of €5.00 · counted when the network is back")
            for how, code, said in (
                (present, foreign.card.code, "This card belongs to another merchant."),
                (scan, "L1.NOTHING", "This code cannot be read."),
            ):
                how(page, code)
                answer(page, said)
            page.get_by_role("button", name="Kept on this device: 4").click()
            waiting = page.get_by_role("dialog", name="What was done without a network")
            expect(waiting).to_contain_text("Sale of €7.00")
            expect(waiting).to_contain_text("Reserved for this till: 50 points")
            page.keyboard.press("Escape")
            page.get_by_role("button", name="Close the till").click()
            answer(page, "Send it first")
            page.get_by_role("button", name="Kept on this device: 4").click()
            check(page, axe)
            assert (balance(house, shop, known), balance(house, shop, new)) == (20, 0)
            expect(page.locator("#who")).to_be_hidden()
            sent = lose_first(page.context)
        counted = page.locator("#waiting-list .badge.on")
        page.get_by_role("button", name="Send now").click()
        expect(page.get_by_role("button", name="Send now")).to_be_enabled()
        page.get_by_role("button", name="Send now").click()
        expect(counted).to_have_count(4)
        page.keyboard.press("Escape")
        expect(page.locator("#waits")).to_be_hidden()
        expect(page.locator("#who")).to_be_visible()  # what only the service knows comes again without a reload
        assert sent[0] == [1, 2, 3, 4], "one device has one queue, whichever window it was done in"
        assert [1, 2, 3, 4] in sent[1:], "whose answer was lost is brought again"
        assert (balance(house, shop, known), balance(house, shop, new)) == (10, 12)


def lose_first(context: BrowserContext) -> list[list[int]]:
    """The first answer is lost on the way; the numbers of what is brought each time."""
    sent: list[list[int]] = []

    def bring(route: Route) -> None:
        texts = [json.loads(one["text"]) for one in (route.request.post_data_json or {})["events"]]
        sent.append([one["sequence"] for one in texts])
        if len(sent) == 1:
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    context.route("**/v1/offline/events", bring)
    return sent


def set_back(house: House, shop: Shop) -> None:
    """As by a backup of before any till of this shop had registered."""
    account = keys.authenticate(house.ctx, shop.till_key).account_id
    mine = sa.select(offline_devices.c.id).where(offline_devices.c.account_id == account).scalar_subquery()
    with house.ctx.change() as tx:
        tx.execute(sa.delete(offline_allowances).where(offline_allowances.c.device_id.in_(mine)))
        tx.execute(sa.delete(offline_devices).where(offline_devices.c.account_id == account))


def test_a_sale_whose_answer_was_lost_counts_once_though_the_till_goes_on_and_the_service_is_set_back(
    opened: Open, house: House
) -> None:
    shop = counter(house)
    member = house.member(shop)
    hired(house, shop, "cashier")

    def lose(route: Route) -> None:
        route.fetch()  # it is counted; the till never learns of it
        route.abort("connectionreset")

    with opened(expected="Failed to load resource") as page:
        pair(page, house, shop)
        page.get_by_role("button", name="Who serves?").click()
        page.get_by_role("dialog", name="Who serves?").get_by_role("button", name="Cashier").click()
        page.get_by_label("PIN of Cashier").fill(PIN)
        page.get_by_role("button", name="Take over the till").click()
        answer(page, "Cashier serves. Scan a card.")
        page.route("**/v1/sales", lose)
        page.route("**/v1/offline/*", lambda route: route.abort("connectionreset"))
        present(page, member.card.code)
        answer(page, "Card found")
        page.get_by_label("Amount in EUR").fill("9")
        page.keyboard.press("Enter")
        answer(page, "Sale of €9.00 · counted when the network is back")
        sell(page, member, "4", "Sale of €4.00")
        set_back(house, shop)
        page.unroute("**/v1/offline/*")
        page.get_by_role("button", name="Kept on this device: 2").click()
        page.get_by_role("button", name="Send now").click()
        expect(page.locator("#waiting-list .badge.on")).to_have_count(2)
    assert balance(house, shop, member) == 13
    merchant = keys.authenticate(house.ctx, shop.merchant_key).merchant_id
    with house.ctx.look() as tx:
        done = sa.select(counter_deeds.c.what).where(counter_deeds.c.merchant_id == merchant)
        assert tx.execute(done).scalars().all() == ["sell", "sell"], "each of them is the cashier's, once"


def lose(page: Page, path: str) -> list[tuple[str, str]]:
    """Whatever goes there is counted and its answer lost, and nothing that was done without a network is brought. The
    keys and numbers under which it was sent."""
    sent: list[tuple[str, str]] = []

    def count(route: Route) -> None:
        body = route.request.post_data_json or {}
        sent.append((route.request.headers["idempotency-key"], body.get("receipt") or body["reference"]))
        route.fetch()
        route.abort("connectionreset")

    page.route(f"**/v1/{path}", count)
    page.route("**/v1/offline/*", lambda route: route.abort("connectionreset"))
    return sent


def burn(page: Page, member: Member, units: str) -> None:
    present(page, member.card.code)
    expect(page.locator("#holder-code")).to_have_text(member.card.code)
    page.locator("details:has(#units)").evaluate("more => { more.open = true; }")
    page.get_by_label("Points to spend").fill(units)
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()


def test_a_deed_whose_answer_was_lost_and_that_cannot_be_kept_is_sent_again_and_never_refused(
    opened: Open, house: House
) -> None:
    shop = counter(house)
    member = house.member(shop)
    member.buy(f"before-{member.pass_id}", 5000, shop)

    def unclear(page: Page, sent: list[tuple[str, str]], left: int) -> None:
        answer(page, "Nothing will be counted twice")
        expect(page.locator("#answer")).to_have_class(re.compile("unclear"))
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        assert page.evaluate(PENDING)["key"] == sent[-1][0]
        assert balance(house, shop, member) == left, "it was counted"

    def ended(page: Page, sent: list[tuple[str, str]], left: int) -> None:
        expect(page.get_by_role("button", name="Try again")).to_be_hidden()
        page.locator("[data-till]:not(.working)").wait_for(state="attached")
        assert page.evaluate(PENDING) is None
        assert len(set(sent)) == 1, "one deed, one key and one number"
        assert balance(house, shop, member) == left

    def back(page: Page) -> None:
        page.unroute_all()
        page.locator("#sync").evaluate("button => button.click()")
        expect(page.locator('[data-network="up"]')).to_be_attached()
        expect(page.locator("#sync")).to_be_enabled()

    with opened(expected="Failed to load resource") as page:
        pair(page, house, shop)
        sent = lose(page, "redemptions")
        burn(page, member, "20")  # more than may be promised without a network
        unclear(page, sent, 30)
        page.reload()
        unclear(page, sent, 30)
        page.unroute("**/v1/redemptions")
        page.get_by_role("button", name="Try again").click()
        answer(page, "-20 points, new balance 30")
        ended(page, sent, 30)
        back(page)
        sent = lose(page, "sales")
        present(page, member.card.code)
        answer(page, "Card found")
        page.get_by_label("Amount in EUR").fill("9")
        page.locator("#quote").click()
        page.locator("#usable input").first.check()  # a reward, which only the service knows to be there
        expect(page.locator("#count")).to_be_enabled()
        page.locator("#count").click()
        answer(page, "Nothing will be counted twice")
        left = balance(house, shop, member)
        unclear(page, sent, left)
        back(page)
        ended(page, sent, left)
        sent = lose(page, "sales")
        page.evaluate(FULL)
        present(page, member.card.code)
        answer(page, "Card found")
        page.get_by_label("Amount in EUR").fill("4")
        page.keyboard.press("Enter")
        unclear(page, sent, left + 4)
        page.evaluate("room()")
        deed = json.dumps(page.evaluate(PENDING))
        page.get_by_role("button", name="Try again").click()
        answer(page, "Sale of €4.00 · counted when the network is back")
        number = sent[-1][1].split("-")[1]
        # as if the page had been closed before it knew that it is on the disk
        page.evaluate(UNKNOWING, {"pending": deed, "receipt": number})
        page.reload()
        answer(page, "Sale of €4.00 · counted when the network is back")
        expect(page.get_by_role("button", name="Kept on this device: 1")).to_be_visible()
        assert page.evaluate("localStorage.getItem('till-receipt')") == str(int(number) + 1)
        back(page)
        ended(page, sent, left + 4)


def test_what_was_burned_long_ago_is_not_promised_again(opened: Open, house: House) -> None:
    shop = counter(house, allowance_units=10)
    members = [house.member(shop) for _ in range(3)]
    for one in members:
        one.buy(f"before-{one.pass_id}", 2000, shop)
    with opened(service_workers="allow", expected=LOST) as page:
        pair(page, house, shop)
        for one in members:
            present(page, one.card.code)
            answer(page, "20 points")
        with cut(page.context, page):
            burn(page, members[0], "10")
            answer(page, "Spent: 10 points")
        page.locator("#waits").evaluate("button => button.click()")
        page.get_by_role("button", name="Send now").click()
        expect(page.locator("#waiting-list .badge.on")).to_have_count(1)
        expect(page.get_by_role("button", name="Send now")).to_be_enabled()
        page.evaluate(LONG_AGO)
        key = page.evaluate("JSON.parse(localStorage.getItem('till-key'))")
        programme = house.call("/v1/lookups", {"code": members[0].card.code}, shop.till_key)["programme"]
        renewed = house.call("/v1/offline/allowances", {"programme": programme, "units": 10}, key)
        assert (renewed["amount"], renewed["left"]) == (20, 10)
        page.get_by_role("button", name="Send now").click()
        expect(page.locator("#waiting-list li")).to_have_count(0)
        expect(page.get_by_role("button", name="Send now")).to_be_enabled()
        page.keyboard.press("Escape")
        with cut(page.context, page):
            burn(page, members[1], "10")
            answer(page, "Spent: 10 points")
            present(page, members[2].card.code)
            answer(page, "Genuine card")
            expect(page.locator("#may-spend")).to_have_text("It may spend nothing here now.")


def test_a_browser_without_ed25519_verifies_cards_all_the_same(opened: Open, house: House) -> None:
    shop = counter(house)
    member = house.member(shop)
    code = member.card.code
    assert len(code.rsplit(".", 2)[1]) == 103
    with opened() as page:
        pair(page, house, shop)
        pack = (
            house.app.test_client().get("/v1/offline/pack", headers={"Authorization": f"Bearer {shop.till_key}"}).json
        )
        took: dict[str, dict[str, Any]] = {}
        for name, breaking in (("the browser's own", "() => {}"), ("the one of the page", NO_ED25519)):
            page.evaluate(breaking)
            took[name] = page.evaluate(
                """async ([code, pack, way]) => {
                  const { read, prove } = await import(`/static/till-code.js?way=${way}`);
                  const found = read(code, pack.issuer);
                  const states = [];
                  for (let n = 0; n < 50; n += 1) states.push(await prove(found, pack.keys));
                  const swapped = found.signature.slice(0, -1) + (found.signature.endsWith("0") ? "1" : "0");
                  states.push(await prove({ ...found, signature: swapped }, pack.keys));
                  states.push(await prove({ ...found, signed: found.signed + "1" }, pack.keys));
                  const times = performance.getEntriesByName("till-verify").slice(-52).map((one) => one.duration);
                  performance.clearMeasures();
                  return { states, times: times.sort((a, b) => a - b) };
                }""",
                [code, pack, str(len(took))],
            )
        for name, found in took.items():
            assert found["states"] == ["genuine"] * 50 + ["forged"] * 2, name
            median, slowest = found["times"][26], found["times"][-1]
            print(f"a card is verified on the page with {name} in {median:.2f} ms (slowest {slowest:.2f} ms)")


def test_an_old_card_earns_without_a_network_even_where_its_number_might_be_a_product_s(
    opened: Open, house: House
) -> None:
    shop = counter(house)
    member, other = house.member(shop), house.member(shop)
    for number, one in (("4006381333931", member), ("K123", other)):
        headers = {"Authorization": f"Bearer {shop.till_key}", "Idempotency-Key": f"old-{number}"}
        both = {"code": one.card.code, "number": number}
        linked = house.app.test_client().post("/v1/plastic-cards", json=both, headers=headers)
        assert linked.status_code == 200, linked.json
    with opened(service_workers="allow", expected=LOST) as page:
        pair(page, house, shop)
        expect(page.locator('[data-shell="kept"]')).to_be_attached()
        with cut(page.context, page):
            for number, amount in (("4006381333931", "7"), ("K123", "5")):
                scan(page, number)
                answer(page, "Not checked")
                expect(page.locator("#spend")).to_be_hidden()
                page.get_by_label("Amount in EUR").fill(amount)
                page.keyboard.press("Enter")
                answer(page, "Kept")
        expect(page.locator("#waits")).to_be_hidden(timeout=30_000)
        assert (balance(house, shop, member), balance(house, shop, other)) == (7, 5)
