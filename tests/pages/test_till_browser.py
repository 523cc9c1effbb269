"""Owns what is known about the till's page in a real browser: by keyboard and by scanner, with answers lost on the way.

A console error (a broken policy, a failed file, a fault of a script) fails the test in which it appears.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.pages.browsing import NEEDS_CHROMIUM, Open, answer, present, scan, strike, tab_to
from tests.pages.house import House, Shop
from wallet_server.actions import overview
from wallet_server.actions.keys import authenticate
from wallet_server.actions.once import asked
from wallet_server.actions.people import recovery
from wallet_server.actions.programme import programs
from wallet_server.rules.passes.card import Palette
from wallet_server.rules.programme.program_default import default_document
from wallet_server.rules.programme.program_simple import stamp_document

pytestmark = NEEDS_CHROMIUM


def open_till(page: Page, key: str) -> None:
    page.goto(f"/till#key={key}")
    answer(page, "Scan a card")
    assert key not in page.url


def test_a_cashier_sells_spends_and_takes_back_by_keyboard_alone(opened: Open, house: House) -> None:
    member, other = house.member(), house.member()
    with opened() as page:
        page.goto("/till")
        tab_to(page, "I have a key")
        page.keyboard.press("Enter")
        tab_to(page, "Key")
        scan(page, house.shop.till_key)
        expect(page.get_by_role("heading", level=1)).to_have_text("Boulangerie & Fils · Centre")
        assert not [seen for seen in house.requests if house.shop.till_key in seen], "no address ever holds the key"
        strike(page, [*member.card.code, "Tab", "Enter"], stalls=20)  # typed by hand: the button takes all of it
        answer(page, "Card found")
        scan(page, "nonsense")
        answer(page, "Write an amount such as 12.50.")
        page.keyboard.press("ControlOrMeta+a")
        receipt = page.locator("#receipt").input_value()
        scan(page, "1 250,50")
        expect(page.get_by_role("dialog")).to_contain_text("This is €1,250.50. Count it?")
        page.keyboard.press("Enter")
        answer(page, "+1,250 points, new balance 1,250")
        expect(page.locator("#tier")).to_have_text("Gold")
        expect(page.locator("#code")).to_be_focused()
        tab_to(page, "More")
        page.keyboard.press("Enter")
        page.locator("#receipt").fill(receipt)  # a number of this page's own series, typed again, is that number
        page.get_by_label("Amount in EUR").fill("1250.50")
        page.keyboard.press("Enter")
        answer(page, "Already counted at")
        answer(page, "Not counted again")
        expect(page.locator("#answer")).to_have_class(re.compile(r"\bagain\b"))
        assert member.balance() == 1250
        page.get_by_label("Points to spend").focus()
        scan(page, "50")
        expect(page.get_by_role("dialog")).to_contain_text("Spend 50 points from this card?")
        scan(page, member.card.code)  # a scanner answers no question
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Enter")
        answer(page, "-50 points, new balance 1,200")
        expect(page.locator("#undo")).to_contain_text(re.compile(r"\d+ s left"))
        present(page, other.card.code)
        answer(page, "Card found")
        expect(page.locator("#undo")).to_be_hidden()  # it is another customer's
        present(page, member.card.code)
        answer(page, "Card found")
        tab_to(page, "Undo")
        page.keyboard.press("Enter")
        answer(page, "Reversed: +50 points, new balance 1,250")
        expect(page.locator("#undo")).to_be_hidden()
        tab_to(page, "Refund the last sale")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("Take this sale back: +1,250 points, new balance 1,250?")
        page.keyboard.press("Enter")
        answer(page, "Give back €1,250.50 · Reversed: -1,250 points, new balance 0")
        expect(page.locator("#refund")).to_be_hidden()
        assert member.balance() == 0
        page.get_by_label("Number of the old card").fill("Old 7000123")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("Link the old card Old 7000123 to this card?")
        page.keyboard.press("Enter")
        answer(page, "The old card belongs to this card now.")
        page.locator("#code").fill("Old 7000123")
        page.keyboard.press("Enter")
        answer(page, "Card found")
        page.locator("#code").press("?")
        page.locator("#code").blur()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="How it works")).to_be_visible()


AZERTY = dict(zip("0123456789.AQWZ", "à&é\"'(-è_ç:QAZW", strict=True))
STRIKE = """(strokes) => {
  for (const [key, code, shiftKey] of strokes)
    document.body.dispatchEvent(new KeyboardEvent("keydown", {key, code, shiftKey, bubbles: true, cancelable: true}));
}"""


def strokes_of(text: str) -> list[tuple[str, str, bool]]:
    """What a scanner set to an American keyboard strikes on a computer with a French one."""
    struck = []
    for sign in text:
        place = f"Digit{sign}" if sign.isdigit() else "Period" if sign == "." else f"Key{sign}"
        struck.append((AZERTY.get(sign, sign), place, sign.isalpha()))
    return [*struck, ("Enter", "Enter", False)]


def test_a_scanner_is_understood_wherever_the_focus_is_and_whatever_the_keyboard(opened: Open, house: House) -> None:
    first, second = house.member(), house.member()
    second.buy(f"wedge-{second.pass_id}", 300)
    with opened() as page:
        open_till(page, house.shop.till_key)
        page.get_by_role("button", name="How it works").focus()
        scan(page, first.card.code)
        answer(page, "Card found")
        expect(page.get_by_role("dialog")).to_be_hidden()
        answer(page, "0 points")
        page.get_by_label("Amount in EUR").fill("12")
        scan(page, second.card.code)  # into the amount: it is a card all the same, and the amount stays as it was
        answer(page, "3 points")
        page.get_by_role("button", name="Next card").click()
        page.evaluate(STRIKE, strokes_of(first.card.code))
        answer(page, "0 points")
        expect(page.locator("#holder-code")).to_have_text(first.card.code)
    assert (first.balance(), second.balance()) == (0, 3)


def test_a_replaced_card_is_known_but_spends_nothing(opened: Open, house: House) -> None:
    member = house.member()
    member.buy(f"old-{member.pass_id}", 900)
    old = member.card.code
    recovery.by_link(house.ctx, house.ctx.link("recover", member.pass_id).rsplit("/", 1)[1], "form")
    with opened(expected="status of 409") as page:
        open_till(page, house.shop.till_key)
        present(page, old)
        answer(page, "9 points")
        expect(page.get_by_text("This is an older card: it still collects, but cannot spend.")).to_be_visible()
        page.get_by_text("More", exact=True).click()
        expect(page.locator("#units")).to_be_hidden()


def test_an_old_card_with_an_article_s_number_is_the_next_customer_s_once_a_sale_was_counted(
    opened: Open, house: House
) -> None:
    first, second = house.member(), house.member()
    number = "4006381333931"
    headers = {"Authorization": f"Bearer {house.shop.till_key}", "Idempotency-Key": "plastic-ean"}
    both = {"code": second.card.code, "number": number}
    linked = house.app.test_client().post("/v1/plastic-cards", json=both, headers=headers)
    assert linked.status_code == 200, linked.json
    assert (linked.json or {})["sentence"] == "The old card belongs to this card now."
    with opened() as page:
        open_till(page, house.shop.till_key)
        present(page, first.card.code)
        answer(page, "0 points")
        page.get_by_label("Amount in EUR").fill("12")
        page.keyboard.press("Enter")
        answer(page, "+12 points")
        scan(page, number)
        answer(page, "0 points")
        expect(page.locator("#holder-code")).to_have_text(number)
        scan(page, number)
        expect(page.locator("#lines input.article")).to_have_value(number)  # before a sale: an article of the basket


def test_an_answer_lost_on_the_way_counts_once(opened: Open, house: House) -> None:
    member = house.member()
    keys: list[str | None] = []

    def lose_first(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) == 1:
            route.fetch()  # the service counted it; its answer never arrives
            route.abort("connectionreset")
        else:
            route.continue_()

    with opened(expected="ERR_CONNECTION_RESET") as page:
        open_till(page, house.shop.till_key)
        page.route("**/v1/sales", lose_first)
        present(page, member.card.code)
        answer(page, "Card found")
        scan(page, "7")
        expect(page.locator("#answer")).to_contain_text(
            re.compile(r"Already counted at \d\d:\d\d: \+7 points, balance 7")
        )
    assert len(keys) == 2
    assert keys[0]
    assert keys[0] == keys[1]
    assert member.balance() == 7


def test_a_sale_that_nobody_answered_survives_a_reload(opened: Open, house: House) -> None:
    member = house.member()
    with opened(expected="ERR_FAILED") as page:
        open_till(page, house.shop.till_key)
        page.route("**/v1/sales", lambda route: route.abort())
        present(page, member.card.code)
        answer(page, "Card found")
        scan(page, "9")
        answer(page, "Trying again, nothing will be counted twice")
        page.unroute("**/v1/sales")
        page.reload()
        answer(page, "+9 points, new balance 9")
    assert member.balance() == 9


def test_refusals_are_told_in_the_cashiers_words(opened: Open, house: House) -> None:
    ours, foreign = house.member(), house.member(house.stranger)
    with opened(locale="fr-FR", expected="the server responded with a status of 4") as page:
        page.goto(f"/till#key={house.shop.merchant_key}")
        answer(page, "Cette clé n’est pas celle d’une caisse.")
        page.get_by_text("J’ai une clé").click()
        page.get_by_label("Clé", exact=True).fill(house.shop.till_key)
        page.keyboard.press("Enter")
        answer(page, "La caisse est ouverte.")
        for how, code, sentence in (
            (present, foreign.card.code, "Cette carte appartient à un autre commerçant."),
            (scan, "PAS.UN.CODE", "Ce code est illisible."),
            (scan, "3017620422004", "Ce code est illisible."),  # one digit beside a product's
        ):
            how(page, code)
            answer(page, sentence)
            expect(page.locator("#answer")).to_contain_text("Refusé")
            expect(page.locator("#holder")).to_be_hidden()
        scan(page, "3017620422003")
        answer(page, "C’est le code-barres d’un produit.")
        expect(page.locator("#answer")).to_contain_text("Pas une carte")
        present(page, ours.card.code)
        answer(page, "Carte trouvée")
        page.get_by_text("Plus", exact=True).click()
        page.set_viewport_size({"width": 390, "height": 844})
        page.get_by_label("Points à utiliser").fill("5")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Oui").click()
        answer(page, "Il n’y a pas assez sur cette carte.")
        expect(page.locator("#answer")).to_be_in_viewport(ratio=1)
        page.get_by_label("Points à utiliser").fill("x")
        page.keyboard.press("Enter")
        answer(page, "Écrivez un nombre entier")
        expect(page.locator("#answer")).to_be_in_viewport(ratio=1)
        page.get_by_label("Montant en EUR").focus()
        scan(page, foreign.card.code)
        answer(page, "autre commerçant")
    assert ours.balance() == 0


def test_a_till_without_scripts_says_so(opened: Open) -> None:
    with opened(java_script_enabled=False) as page:
        page.goto("/till")
        expect(page.get_by_text("The till needs JavaScript.")).to_be_visible()


def test_a_second_touch_hides_no_first_stamp_and_both_can_be_taken_back(opened: Open, house: House) -> None:
    made = programs.found(house.ctx, "Au bon pain", programs.NewStore("Rue Haute"))
    document = stamp_document(
        "Au bon pain",
        palette=Palette("#5b2333", "#fff6ef", "#f0c4b0"),
        reward_names={"fr": "un café", "en": "a coffee"},
        interval_minutes=10,
    )
    programme = programs.create_programme(house.ctx, made.account_id, made.merchant_id, document, 1)
    shop = Shop(programme["join_code"], made.merchant_key, made.till_key)
    member = house.member(shop)
    with opened() as page:
        open_till(page, shop.till_key)
        present(page, member.card.code)
        answer(page, "Card found")
        stamp, refund, sure = page.locator("#one"), page.locator("#refund"), page.locator("#sure")
        stamp.click()
        answer(page, "+1 stamp, new balance 1")
        stamp.click()
        answer(page, "This visit was counted already, balance 1")
        refund.click()
        expect(sure).to_contain_text("+1 stamp, new balance 1")
        sure.locator("button[value=yes]").click()
        answer(page, "Reversed: -1 stamp, new balance 0")
        refund.click()
        sure.locator("button[value=yes]").click()
        answer(page, "Reversed: nothing was given, balance 0")
        expect(refund).to_be_hidden()
    found = overview.today(house.ctx, authenticate(house.ctx, made.merchant_key))
    assert (found.came, found.sales.sales) == (0, 0)


def test_a_reward_is_given_with_what_to_do_until_there_is_none_left(opened: Open, house: House) -> None:
    document = default_document("Au bon pain")
    cost = {"currency": "points", "amount": 5}
    lane = {"fr": "la file rapide", "en": "the fast lane"}
    told = {"fr": "Faites passer ce client.", "en": "Let this customer pass."}
    document["rewards"] = [
        {"code": "lane", "names": lane, "cost": cost, "kind": "privilege", "instruction": told, "stock": 1},
        {"code": "tenth", "names": {"fr": "10 %", "en": "10% off"}, "cost": cost, "kind": "percent", "percent": 10},
    ]
    made = programs.found(house.ctx, "Au bon pain", programs.NewStore("Rue Haute"))
    programme = programs.create_programme(house.ctx, made.account_id, made.merchant_id, document, 1)
    shop = Shop(programme["join_code"], made.merchant_key, made.till_key)
    member = house.member(shop)
    with opened() as page:
        open_till(page, shop.till_key)
        present(page, member.card.code)
        answer(page, "Card found")
        page.get_by_label("Amount in EUR").fill("20")
        page.keyboard.press("Enter")
        answer(page, "+20 points")
        rewards, sure = page.locator("#rewards"), page.locator("#sure button[value=yes]")
        for said in ("Let this customer pass.", "Take 10% off the bill."):
            rewards.get_by_role("button").first.click()
            sure.click()
            answer(page, said)
        expect(rewards).to_contain_text("All given: the fast lane")
        expect(rewards.get_by_role("button")).to_have_count(1)


def basket_shop(house: House) -> tuple[Shop, Callable[[], None]]:
    """A shop that will have everything that a basket can use, a deal, a reward off the bill and a pot, once its second
    version is published."""
    document = default_document("Au bon pain")
    noun = {"one": "euro", "other": "euros"}
    document["currencies"].append({"code": "pot", "kind": "money", "names": {"fr": noun, "en": noun}})
    document["earn"].append({"id": "back", "currency": "pot", "per": {"amount_minor": 100, "points": 10}})
    document["deals"] = [
        {
            "id": "trio",
            "names": {"fr": "3 pour le prix de 2", "en": "3 for 2"},
            "buy_get": {"buy": 2, "get": 1},
            "skus": ["3017620422003"],
        }
    ]
    document["rewards"] = [
        {
            "code": "euro",
            "names": {"fr": "un euro", "en": "one euro off"},
            "cost": {"currency": "points", "amount": 5},
            "kind": "amount",
            "value_minor": 100,
        }
    ]
    made = programs.found(house.ctx, "Au bon pain", programs.NewStore("Rue Haute"))
    first = default_document("Au bon pain")
    programme = programs.create_programme(house.ctx, made.account_id, made.merchant_id, first, 1)

    def publish() -> None:
        merchant = authenticate(house.ctx, made.merchant_key)
        wish = asked(merchant, "publish", {}, None)
        programs.publish_version(house.ctx, merchant, programme["programme"], document, wish)

    return Shop(programme["join_code"], made.merchant_key, made.till_key), publish


def test_a_basket_is_priced_uses_what_there_is_and_a_piece_comes_back(opened: Open, house: House) -> None:
    shop, publish = basket_shop(house)
    member = house.member(shop)
    with opened(expected="status of 409") as page:
        page.set_viewport_size({"width": 820, "height": 1180})
        open_till(page, shop.till_key)
        code = page.locator("#code")
        wide = code.evaluate("(one) => one.clientWidth / Number.parseFloat(getComputedStyle(one).fontSize) / 0.62")
        assert wide > 18, "room for 16 characters and the edges of the field"
        page.set_viewport_size({"width": 390, "height": 844})
        publish()
        member.buy(f"first-{member.pass_id}", 5000, shop)
        with page.expect_response("**/till/counter"):  # somebody comes back to the page
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        present(page, member.card.code)
        answer(page, "50 points")
        page.get_by_role("button", name="Next card").focus()
        scan(page, "3017620422003")  # a product's barcode, while a card is served, goes into its basket
        page.get_by_label("Price of one, line 1").fill("2")
        page.get_by_label("How many, line 1").fill("1")
        page.get_by_label("Price of one, line 1").focus()
        scan(page, "3017620422003")  # into the price: it is a piece more all the same
        expect(page.get_by_label("Amount in EUR")).to_have_value("4.00")
        page.get_by_role("button", name="What can be used with it?").click()
        bill = page.locator("#bill")
        expect(bill).to_contain_text("One more and it is free: 3017620422003 (3 for 2).")
        page.get_by_role("button", name="Next card").focus()
        scan(page, "3017620422003")
        expect(bill).to_be_hidden()
        page.get_by_role("button", name="What can be used with it?").click()
        expect(bill.locator("#discounts")).to_contain_text("3 for 2, line 1")
        expect(page.locator("#to-pay")).to_have_text("€4.00")
        bill.get_by_label("one euro off").check()
        expect(page.locator("#to-pay")).to_have_text("€3.00")
        page.get_by_label("From the pot: €5.00 is there").fill("9")
        page.get_by_role("button", name="Use this part").click()
        answer(page, "That is more than there is to pay.")
        expect(page.locator("#to-pay")).to_have_text("€3.00")
        page.get_by_label("From the pot").fill("1.20")
        page.get_by_role("button", name="Use this part").click()
        expect(page.locator("#to-pay")).to_have_text("€1.80")
        for seen in ("#answer", "#to-pay"):
            expect(page.locator(seen)).to_be_in_viewport(ratio=1)
        expect(page.get_by_role("button", name="Count it: €1.80 to pay")).to_be_visible()
        expect(page.get_by_role("button", name="Count the sale")).to_be_hidden()  # there is one way to count
        page.get_by_label("Amount in EUR").press("Enter")
        answer(page, "To pay: €1.80")
        balances = house.call("/v1/lookups", {"code": member.card.code}, shop.till_key)["balances"]
        assert balances["pot"] == 500 - 120 + 30
        page.get_by_role("button", name="Take goods back").click()
        back = page.get_by_role("dialog", name="Take goods back")
        back.get_by_label("How many come back").fill("2")
        back.get_by_role("button", name="Take back").click()
        answer(page, "Give back €1.80; €0.20 goes back to the pot · Returned")
        balances = house.call("/v1/lookups", {"code": member.card.code}, shop.till_key)["balances"]
        assert balances["points"] < 50 - 5 + 3


def test_the_page_opens_without_a_network_and_a_newer_one_takes_over(opened: Open, house: House) -> None:
    with opened(service_workers="allow", locale="fr-FR", expected="ERR_INTERNET_DISCONNECTED") as page:
        page.goto("/till")
        expect(page.locator('[data-shell="kept"]')).to_be_attached()
        kept = page.evaluate("async () => (await (await caches.open((await caches.keys())[0])).keys()).map(r => r.url)")
        assert not [address for address in kept if "/v1/" in address or "/till/counter" in address]
        assert any("zxing.wasm" in address for address in kept), "the reader of the camera is at hand too"
        asked = len(house.requests)
        page.context.set_offline(True)
        page.reload()
        expect(page.get_by_role("heading", name="Quelle caisse est-ce")).to_be_visible()
        expect(page.get_by_text("seul un appareil associé continue sans réseau")).to_be_visible()
        expect(page.get_by_role("link", name="Associer un appareil")).to_be_visible()
        page.goto("/till?lang=en")
        expect(page.get_by_role("heading", name="Which till is this?")).to_be_visible()
        # The browser looks for a newer worker when it likes.
        assert [seen for seen in house.requests[asked:] if seen != "GET /till/worker.js"] == []
        page.context.set_offline(False)
        press, name = house.app.extensions["wallet-pages"], "till-alive.js"
        before = press.versions[name]
        press.versions[name] = "another"
        try:
            page.evaluate("() => { window.old = true; }")
            page.evaluate("async () => (await navigator.serviceWorker.getRegistration('/till')).update()")
            page.wait_for_function("() => !window.old")  # it began anew by itself, as nobody was using it
            names = page.evaluate("() => caches.keys()")
            assert len(names) == 1, "of the older version nothing stays"
        finally:
            press.versions[name] = before
