"""Owns what is known about a locked page of a till without a network: it goes on with nobody and earns alone, and asks
for a PIN before anything that needs the network; and about what was left without an answer."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, Request, Route, expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM, Open, answer, present
from tests.pages.house import House, Shop
from tests.pages.test_till_offline import LOST, PENDING, UNKNOWING, balance, burn, counter, cut, lose, pair, sell
from tests.pages.test_till_people import PIN, hired

pytestmark = NEEDS_CHROMIUM
SPEND = """units => {
  document.getElementById("units").value = units;
  document.getElementById("spend").requestSubmit();
}"""
HOLD = """() => new Promise((held) => {
  const name = `till-${JSON.parse(localStorage.getItem("till-key")).split(".")[0]}-numbers`;
  navigator.locks.request(name, () => new Promise((done) => { window.free = done; held(); }));
})"""
GO_ON = "Go on without a network"


def shift(page: Page) -> Locator:
    return page.locator("#shift")


def take_over(page: Page) -> None:
    shift(page).get_by_role("button", name="Cashier").click()
    page.get_by_label("PIN of Cashier").fill(PIN)
    page.get_by_role("button", name="Take over the till").click()


def opened_by_cashier(page: Page, house: House, shop: Shop) -> None:
    pair(page, house, shop)
    page.get_by_role("button", name="Who serves?").click()
    take_over(page)
    answer(page, "Cashier serves. Scan a card.")


def asked_of(page: Page) -> list[str]:
    """What of a cashier's work is asked of the service from now on."""
    found: list[str] = []

    def note(request: Request) -> None:
        if re.search(r"/v1/(?!offline/|cashiers$)", request.url):
            found.append(request.url)

    page.on("request", note)
    return found


def test_a_till_that_locks_without_a_network_goes_on_with_nobody_and_earns_alone(
    opened: Open, house: House, axe: str
) -> None:
    shop = counter(house)
    known, new = house.member(shop), house.member(shop)
    known.buy(f"before-{known.pass_id}", 2000, shop)
    hired(house, shop, "cashier")
    with opened(service_workers="allow", expected=LOST) as page:
        page.clock.install()
        opened_by_cashier(page, house, shop)
        expect(page.locator('[data-shell="kept"]')).to_be_attached()
        present(page, known.card.code)
        answer(page, "20 points")
        page.get_by_label("Amount in EUR").fill("3")
        page.keyboard.press("Enter")
        answer(page, "+3 points")
        with cut(page.context, page):
            present(page, known.card.code)
            expect(page.locator("#may-spend")).to_have_text("It may spend at most 10 points here now.")
            page.clock.fast_forward("06:00")
            expect(shift(page)).to_contain_text("no PIN can be checked now")
            expect(page.locator("#card")).to_be_hidden()
            expect(shift(page).get_by_role("button", name="Cashier")).to_be_hidden()
            check(page, axe)
            page.reload()
            expect(shift(page).get_by_role("button", name=GO_ON)).to_be_visible()
            present(page, known.card.code)
            expect(page.locator("#card")).to_be_hidden()
            for _ in range(3):
                page.keyboard.press("Escape")
            shift(page).get_by_role("button", name=GO_ON).click()
            answer(page, "Nobody stands at the till")
            for _ in range(2):
                present(page, known.card.code)
                answer(page, "Genuine card")
                expect(page.locator("#may-earn")).to_contain_text("It earns")
                expect(page.locator("#may-spend")).to_have_text("It may spend nothing here now.")
                expect(page.locator("#spend")).to_be_hidden()
                expect(page.locator("#rewards")).to_be_hidden()
                page.evaluate(SPEND, "4")
                page.get_by_role("dialog").get_by_role("button", name="Yes").click()
                answer(page, "It may spend nothing here now.")
                page.locator("#refund").click()
                page.get_by_role("dialog").get_by_role("button", name="Yes").click()
                answer(page, "This needs the network.")
                expect(page.locator("#waits")).to_have_text("Kept on this device: 0")
                page.reload()
                answer(page, "Nobody stands at the till")
                expect(shift(page)).to_be_hidden()
            sell(page, new, "7", "Sale of €7.00 · counted when the network is back")
            present(page, known.card.code)
            answer(page, "Genuine card")
            asked = asked_of(page)
        expect(shift(page).get_by_role("button", name="Cashier")).to_be_visible()
        expect(page.locator("#card")).to_be_hidden()
        expect(page.locator("#waits")).to_be_hidden()
        assert balance(house, shop, new) == 7, "what was kept is brought while the till is locked"
        present(page, known.card.code)
        expect(page.locator("#card")).to_be_hidden()
        assert asked == []
        page.reload()
        take_over(page)
        answer(page, "Cashier serves")
        present(page, known.card.code)
        answer(page, "23 points")
        assert [url for url in asked if url.endswith("/v1/lookups")], "what is asked for is heard of"


def test_what_nobody_may_do_is_refused_though_the_network_comes_back_meanwhile(opened: Open, house: House) -> None:
    shop = counter(house)
    member = house.member(shop)
    member.buy(f"before-{member.pass_id}", 2000, shop)
    hired(house, shop, "cashier")
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        held.append(route)
        if len(held) > 1:
            route.continue_()

    with opened(service_workers="allow", expected=LOST) as page:
        opened_by_cashier(page, house, shop)
        present(page, member.card.code)
        answer(page, "20 points")
        with page.expect_request("**/v1/offline/events", timeout=60_000), cut(page.context, page):
            page.get_by_role("button", name="Who serves?").click()
            shift(page).get_by_role("button", name="Leave the till").click()
            shift(page).get_by_role("button", name=GO_ON).click()
            present(page, member.card.code)
            answer(page, "Genuine card")
            page.context.route("**/v1/offline/events", hold_first)
        page.evaluate(HOLD)
        page.evaluate(SPEND, "4")
        page.get_by_role("dialog").get_by_role("button", name="Yes").click()
        expect(page.locator("#sure")).to_be_hidden()
        held[0].continue_()
        expect(shift(page).get_by_role("button", name="Cashier")).to_be_visible()
        page.evaluate("free()")
        answer(page, "It may spend nothing here now.")
        expect(page.locator("#waits")).to_be_hidden()
    assert balance(house, shop, member) == 20


def test_a_pin_that_is_being_typed_stays_when_the_network_goes(opened: Open, house: House) -> None:
    shop = counter(house)
    hired(house, shop, "cashier")
    with opened(service_workers="allow", expected=LOST) as page:
        opened_by_cashier(page, house, shop)
        page.get_by_role("button", name="Who serves?").click()
        shift(page).get_by_role("button", name="Leave the till").click()
        shift(page).get_by_role("button", name="Cashier").click()
        typed = page.get_by_label("PIN of Cashier")
        typed.fill(PIN[:2])
        with cut(page.context, page):
            expect(shift(page).get_by_role("button", name=GO_ON)).to_be_visible()
            expect(typed).to_have_value(PIN[:2])
            typed.fill(PIN)
            page.get_by_role("button", name="Take over the till").click()
            expect(shift(page)).to_contain_text("nobody can take the till over")
            expect(typed).to_be_hidden()
        take_over(page)
        answer(page, "Cashier serves")


def test_what_waits_for_its_answer_at_a_locked_till_is_sent_in_the_name_of_whoever_enters_a_pin(
    opened: Open, house: House
) -> None:
    shop = counter(house)
    member = house.member(shop)
    member.buy(f"before-{member.pass_id}", 5000, shop)
    hired(house, shop, "cashier")

    def cut_off(route: Route) -> None:
        route.abort("connectionreset")

    with opened(expected="Failed to load resource") as page:
        opened_by_cashier(page, house, shop)
        sent = lose(page, "redemptions")
        burn(page, member, "20")  # more than may be promised without a network
        answer(page, "Nothing will be counted twice")
        tries = len(sent)
        page.unroute("**/v1/offline/*")
        page.evaluate("localStorage.removeItem('till-shift')")
        page.evaluate(UNKNOWING, {"locked": "true"})
        page.reload()
        shift(page).get_by_role("button", name="Cashier").click()
        for path in ("cashiers/**", "offline/*"):
            page.route(f"**/v1/{path}", cut_off)
        page.get_by_label("PIN of Cashier").fill(PIN)
        page.get_by_role("button", name="Take over the till").click()
        shift(page).get_by_role("button", name=GO_ON).click()
        answer(page, "Nothing will be counted twice")
        page.get_by_role("button", name="Try again").click()
        answer(page, "Nothing will be counted twice")
        assert page.evaluate(PENDING)["key"] == sent[0][0]
        for path in ("cashiers/**", "offline/*"):
            page.unroute(f"**/v1/{path}")
        page.locator("#sync").evaluate("button => button.click()")
        expect(shift(page).get_by_role("button", name="Cashier")).to_be_visible()
        assert len(sent) == tries, "it is not asked for in nobody's name"
        page.unroute("**/v1/redemptions")
        take_over(page)
        answer(page, "-20 points, new balance 30")
        assert page.evaluate(PENDING) is None
    assert balance(house, shop, member) == 30


def test_what_comes_after_a_deed_that_was_left_has_a_number_of_its_own(opened: Open, house: House) -> None:
    shop = counter(house)
    member = house.member(shop)
    member.buy(f"before-{member.pass_id}", 5000, shop)
    with opened(expected="Failed to load resource") as page:
        pair(page, house, shop)
        lose(page, "redemptions")
        burn(page, member, "20")
        answer(page, "Nothing will be counted twice")
        page.get_by_role("button", name="Leave it").click()
        answer(page, "Left.")
        page.unroute_all()
        page.locator("#sync").evaluate("button => button.click()")
        expect(page.locator('[data-network="up"]')).to_be_attached()
        expect(page.locator("#sync")).to_be_enabled()
        burn(page, member, "15")
        answer(page, "-15 points, new balance 15")
    assert balance(house, shop, member) == 15
