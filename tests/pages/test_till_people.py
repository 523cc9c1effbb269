"""Owns what is known about people at the till's page: who serves, the lock, practice, what they may say yes to."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM, Open, answer, scan
from tests.pages.console import hire
from tests.pages.house import House, Shop
from wallet_server.actions import cashiers, programs
from wallet_server.actions.staff.person import person_of
from wallet_server.records import staff
from wallet_server.rules.program_default import default_document

pytestmark = NEEDS_CHROMIUM
PIN = "4826"


def counter(house: House, **more: object) -> Shop:
    """A shop of its own, so that nobody else stands at its tills."""
    made = programs.found(house.ctx, "Chez Ada", programs.NewStore("Quai"))
    document = default_document("Chez Ada") | more
    programme = programs.create_programme(house.ctx, made.account_id, made.merchant_id, document, 1)
    return Shop(programme["join_code"], made.merchant_key, made.till_key)


def hired(house: House, shop: Shop, role: str, pin: str | None = PIN) -> None:
    """Somebody of this shop, with a PIN of their own."""
    email = hire(house, role, shop.merchant_key)
    with house.ctx.look() as tx:
        row = staff.by_email(tx, email)
    assert row
    if pin is not None:
        cashiers.choose_own(house.ctx, person_of(row, "session"), pin)


def test_a_pin_takes_the_till_over_and_a_till_left_alone_asks_again(opened: Open, house: House, axe: str) -> None:
    shop = counter(house)
    member = house.member(shop)
    hired(house, shop, "cashier")
    hired(house, shop, "owner", None)
    with opened(expected="status of 400") as page:
        page.clock.install()
        page.goto(f"/till#key={shop.till_key}")
        answer(page, "Scan a card")
        page.get_by_role("button", name="Who serves?").click()
        shift = page.get_by_role("dialog", name="Who serves?")
        expect(shift.get_by_role("button", name="Owner has no PIN yet")).to_be_disabled()
        check(page, axe)
        shift.get_by_role("button", name="Cashier").click()
        check(page, axe, both_schemes=False)
        shift.get_by_label("PIN of Cashier").fill("1111")
        page.keyboard.press("Enter")
        expect(shift).to_contain_text("This is not the PIN of this person.")
        shift.get_by_label("PIN of Cashier").fill(PIN)
        shift.get_by_role("button", name="Take over the till").click()
        answer(page, "Cashier serves. Scan a card.")
        scan(page, member.card.code)
        answer(page, "Card found")
        page.clock.fast_forward("06:00")
        expect(shift).to_be_visible()
        expect(page.locator("#card")).to_be_hidden()
        page.keyboard.press("Escape")
        expect(shift).to_be_visible()
        page.reload()
        expect(shift).to_be_visible()
        scan(page, member.card.code)
        expect(page.locator("#card")).to_be_hidden()
        shift.get_by_role("button", name="Cashier").click()
        shift.get_by_label("PIN of Cashier").fill(PIN)
        page.keyboard.press("Enter")
        answer(page, "Cashier serves")
        scan(page, member.card.code)
        answer(page, "Card found")


def test_practice_cannot_be_taken_for_the_real_thing_and_counts_nothing(opened: Open, house: House, axe: str) -> None:
    shop = counter(house)
    member = house.member(shop)
    with opened() as page:
        page.goto(f"/till#key={shop.till_key}")
        answer(page, "Scan a card")
        page.get_by_role("button", name="Practice").click()
        expect(page.get_by_text("PRACTICE", exact=True)).to_be_visible()
        scan(page, member.card.code)
        answer(page, "Card found")
        check(page, axe)
        page.get_by_label("Amount in EUR").fill("20")
        page.keyboard.press("Enter")
        answer(page, "Practice: nothing was counted")
        answer(page, "+20 points")
        expect(page.locator("#refund")).to_be_hidden()
        page.reload()
        expect(page.get_by_text("PRACTICE", exact=True)).to_be_visible()
        page.get_by_role("button", name="Practice").click()
        expect(page.get_by_text("PRACTICE", exact=True)).to_be_hidden()
        scan(page, member.card.code)
        answer(page, "0 points")
    assert house.call("/v1/lookups", {"code": member.card.code}, shop.till_key)["balances"]["points"] == 0
