"""Owns what is known about people at the till's page: who serves, the lock, practice, what they may say yes to."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace

from playwright.sync_api import expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM, Open, answer, present
from tests.pages.console import hire
from tests.pages.house import House, Shop
from wallet_server.actions import keys
from wallet_server.actions.counter import cashiers, pairing
from wallet_server.actions.programme import programs
from wallet_server.actions.staff.person import person_of
from wallet_server.records.staff import staff
from wallet_server.rules.programme.program_default import default_document

pytestmark = NEEDS_CHROMIUM
PIN = "4826"


def counter(house: House, **more: object) -> Shop:
    """A shop of its own, so that nobody else stands at its tills."""
    made = programs.found(house.ctx, "Chez Ada", programs.NewStore("Quai"))
    document = default_document("Chez Ada") | more
    programme = programs.create_programme(house.ctx, made.account_id, made.merchant_id, document, 1)
    return Shop(programme["join_code"], made.merchant_key, made.till_key)


def another_till(house: House, shop: Shop) -> str:
    """The key of one more till of this shop."""
    asked = house.app.test_client()
    headers = {"Authorization": f"Bearer {shop.merchant_key}", "Idempotency-Key": "another-till"}
    (store,) = (asked.get("/v1/stores", headers=headers).json or {})["stores"]
    made = asked.post("/v1/tills", json={"store": store["id"], "name": "Terrace"}, headers=headers)
    return str((made.json or {})["key"])


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
    with opened(expected="status of 4") as page:
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
        present(page, member.card.code)
        answer(page, "Card found")
        page.clock.fast_forward("06:00")
        expect(shift).to_be_visible()
        expect(page.locator("#card")).to_be_hidden()
        page.keyboard.press("Escape")
        expect(shift).to_be_visible()
        page.reload()
        expect(shift).to_be_visible()
        present(page, member.card.code)
        expect(page.locator("#card")).to_be_hidden()
        shift.get_by_role("button", name="Cashier").click()
        shift.get_by_label("PIN of Cashier").fill(PIN)
        page.keyboard.press("Enter")
        answer(page, "Cashier serves")
        present(page, member.card.code)
        answer(page, "Card found")
        rest_of(house, shop)
        page.get_by_role("button", name="Who serves?").click()
        shift.get_by_role("button", name="Cashier").click()
        shift.get_by_label("PIN of Cashier").fill(PIN)
        page.keyboard.press("Enter")
        expect(shift).to_contain_text(re.compile(r"Too many wrong PINs. Try again at \d\d:\d\d:\d\d, or"))


def rest_of(house: House, shop: Shop) -> None:
    """Somebody guesses until nobody is listened to for a while."""
    asked, headers = house.app.test_client(), {"Authorization": f"Bearer {shop.till_key}"}
    listed = (asked.get("/v1/cashiers", headers=headers).json or {})["cashiers"]
    (cashier,) = [one["id"] for one in listed if one["has_pin"]]
    for _ in range(8):
        asked.post(f"/v1/cashiers/{cashier}/shift", json={"pin": "1111"}, headers=headers)


def test_practice_cannot_be_taken_for_the_real_thing_and_counts_nothing(opened: Open, house: House, axe: str) -> None:
    shop = counter(house)
    member = house.member(shop)
    with opened() as page:
        page.goto(f"/till#key={shop.till_key}")
        answer(page, "Scan a card")
        page.get_by_role("button", name="Practice").click()
        expect(page.get_by_text("PRACTICE", exact=True)).to_be_visible()
        present(page, member.card.code)
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
        present(page, member.card.code)
        answer(page, "0 points")
    assert house.call("/v1/lookups", {"code": member.card.code}, shop.till_key)["balances"]["points"] == 0


def test_saying_yes_is_one_touch_within_a_budget_and_privileges_are_seen(opened: Open, house: House, axe: str) -> None:
    both = {"fr": "un café", "en": "a coffee"}
    why = [{"id": "late", "names": {"fr": "livraison en retard", "en": "the delivery was late"}}]
    priority = {"code": "priority", "names": {"fr": "PRIORITAIRE", "en": "PRIORITY"}, "colour": "#B3261E"}
    tiers = default_document("Chez Ada")["tiers"]
    for level in tiers["levels"]:
        level["privileges"] = [priority]
    shop = counter(
        house,
        tiers=tiers,
        gestures=[
            {
                "id": "points",
                "kind": "points",
                "names": {"fr": "50 points", "en": "50 points"},
                "units": 50,
                "reasons": why,
            },
            {"id": "coffee", "kind": "gift", "names": both, "reasons": why, "when": "member.visits == 0"},
        ],
        gesture_budgets=[{"whose": "cashier", "window": "day", "count": 2}],
    )
    member = house.member(shop)
    hired(house, shop, "cashier")
    with opened(expected="status of 4") as page:
        page.goto(f"/till#key={shop.till_key}")
        answer(page, "Scan a card")
        present(page, member.card.code)
        expect(page.locator("#privileges")).to_have_text("PRIORITY")
        expect(page.locator("#gestures")).to_be_hidden()
        page.get_by_role("button", name="Who serves?").click()
        shift = page.get_by_role("dialog", name="Who serves?")
        shift.get_by_role("button", name="Cashier").click()
        shift.get_by_label("PIN of Cashier").fill(PIN)
        page.keyboard.press("Enter")
        answer(page, "Cashier serves")
        gestures = page.locator("#gestures")
        expect(gestures).to_contain_text("2 left for you.")
        expect(page.locator("#prompt")).to_have_text("Give: a coffee.")
        check(page, axe)
        gestures.get_by_role("button", name="Say yes: 50 points").click()
        answer(page, "50 points")
        expect(page.locator("#balance")).to_contain_text("50")
        page.get_by_role("button", name="Undo").click()
        expect(page.locator("#balance")).to_contain_text("0 points")
        expect(gestures).to_contain_text("2 left for you.")
        for left in (1, 0):
            gestures.get_by_role("button", name="Say yes: a coffee").click()
            answer(page, "a coffee")
            if left:
                expect(gestures).to_contain_text("1 left for you.")
        expect(gestures).to_be_hidden()


def test_an_older_card_collects_and_spends_on_the_word_of_a_cashier(opened: Open, house: House, axe: str) -> None:
    shop = counter(house)
    member = house.member(shop)
    member.buy(f"first-{member.pass_id}", 2000, shop)
    older = member.card.code
    far = replace(shop, till_key=another_till(house, shop))  # the till that it was spent at has the card in hand
    house.call("/v1/redemptions", {"code": older, "amount": 5, "reference": f"r-{member.pass_id}"}, far.till_key)
    member.buy(f"newer-{member.pass_id}", 100, far)  # a till saw the newer issue: the older one may be a copy
    hired(house, shop, "cashier")

    def spend() -> None:
        page.get_by_label("Points to spend").fill("4")
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_role("button", name="Yes").click()

    with opened(expected="status of 409") as page:
        page.goto(f"/till#key={shop.till_key}")
        answer(page, "Scan a card")
        present(page, older)
        answer(page, "16 points")
        page.get_by_text("More", exact=True).click()
        spend()
        proof = page.get_by_role("dialog", name="One thing more to spend")
        expect(proof).to_contain_text("it collects all the same")
        expect(proof.get_by_role("button", name="I know this customer")).to_be_hidden()
        check(page, axe)
        proof.get_by_role("button", name="Leave it").click()
        page.get_by_role("button", name="Who serves?").click()
        page.get_by_role("dialog").get_by_role("button", name="Cashier").click()
        page.get_by_label("PIN of Cashier").fill(PIN)
        page.keyboard.press("Enter")
        answer(page, "Cashier serves")
        spend()
        proof.get_by_role("button", name="I know this customer").click()
        answer(page, "-4 points, new balance 12")


def test_a_card_shows_what_can_be_used_now_and_one_thing_to_say(opened: Open, house: House, axe: str) -> None:
    both = {"fr": "Bon de 10 €", "en": "€10 voucher"}
    voucher = {"title": both, "terms": both, "valid_days": 5, "value_minor": 1000, "minimum_minor": 2000}
    shop = counter(
        house,
        conversions=[{"id": "bon", "currency": "points", "units": 500, "voucher": voucher}],
        deals=[{"id": "ten", "names": {"fr": "−10 % ici", "en": "10% off here"}, "percent": {"percent": 10}}],
    )
    member = house.member(shop)
    with opened() as page:
        page.goto(f"/till#key={shop.till_key}")
        present(page, member.card.code)
        answer(page, "Card found")
        expect(page.locator("#prompt")).to_have_text("On offer now: 10% off here.")
        expect(page.get_by_role("list", name="Offers on now")).to_have_text("10% off here")
        expect(page.locator("#vouchers")).to_be_hidden()
        sold = {"code": member.card.code, "receipt": "big", "currency": "EUR", "amount_minor": 350_000}
        house.call("/v1/sales", sold, shop.till_key)
        page.locator("#next").click()
        present(page, member.card.code)
        answer(page, "Card found")
        expect(page.locator("#prompt")).to_contain_text("A voucher to use by")
        vouchers = page.get_by_role("list", name="Vouchers that can be used now")
        expect(vouchers.get_by_role("listitem")).to_have_count(1)
        expect(vouchers).to_contain_text("7 × €10 voucher")
        expect(vouchers).to_contain_text("From €20.00.")
        check(page, axe)


def test_on_a_paired_device_a_refund_waits_for_a_pin_and_is_then_done(opened: Open, house: House) -> None:
    shop = counter(house)
    member = house.member(shop)
    scope = keys.authenticate(house.ctx, shop.merchant_key)
    owner = replace(scope, principal="staff:one", scopes=frozenset({"read", "manage"}))
    (place,) = [one.row.public_id for one in pairing.tills(house.ctx, owner)]
    secret = pairing.invite(house.ctx, owner, place).link.partition("#")[2]
    paired = pairing.pair(house.ctx, secret, secrets.token_urlsafe(32), "Tablet").key
    hired(house, shop, "cashier")
    with opened(expected="status of 4") as page:
        page.goto(f"/till#key={paired}")
        present(page, member.card.code)
        answer(page, "Card found")
        page.get_by_label("Amount in EUR").fill("20")
        page.keyboard.press("Enter")
        answer(page, "+20 points")
        page.locator("#refund").click()
        page.locator("#sure button[value=yes]").click()
        shift = page.get_by_role("dialog", name="Who serves?")
        shift.get_by_role("button", name="Cashier").click()
        shift.get_by_label("PIN of Cashier").fill(PIN)
        page.keyboard.press("Enter")
        answer(page, "Reversed")
    assert house.call("/v1/lookups", {"code": member.card.code}, shop.till_key)["balances"]["points"] == 0
