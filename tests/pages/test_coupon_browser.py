"""The welcome coupon on the pages: promised before joining, shown beside the card, taken at the till and given back."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM, Open, answer, present
from tests.pages.house import House, Member, Shop
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.rules.programme.program_default import default_document

pytestmark = NEEDS_CHROMIUM
COUPON = {
    "title": {"fr": "Un café offert", "en": "A free coffee"},
    "terms": {"fr": "Une fois, dans notre boutique.", "en": "Once, in our shop."},
    "valid_days": 30,
}


@dataclass(frozen=True)
class Guest:
    """A shop that promises a coupon, and somebody who joined it."""

    shop: Shop
    card: Member
    coupon: Member


@pytest.fixture
def guest(house: House) -> Guest:
    made = programs.found(house.ctx, "Chez Ada", programs.NewStore("Quai", latitude=48.8, longitude=2.3))
    document = default_document("Chez Ada") | {"welcome": {"coupon": COUPON}}
    programme = programs.create_programme(house.ctx, made.account_id, made.merchant_id, document, 1)
    shop = Shop(programme["join_code"], made.merchant_key, made.till_key)
    facts = enrol.join(house.ctx, shop.join_code, enrol.Joining())
    return Guest(shop, Member(house, facts["pass"]), Member(house, facts["coupons"][0]))


def test_the_coupon_is_taken_given_back_and_taken_again(opened: Open, guest: Guest, axe: str) -> None:
    with opened() as page:
        page.goto(f"/till#key={guest.shop.till_key}")
        answer(page, "Scan a card")
        present(page, guest.coupon.card.code)
        answer(page, "A free coffee")
        slip, use, sure = page.locator("#slip"), page.locator("#use"), page.get_by_role("dialog")
        expect(slip).to_contain_text(re.compile(r"Once, in our shop\.\s+Good until \d+ \w+ \d{4}"))
        expect(page.locator("#card")).to_be_hidden()
        expect(use).to_be_focused()
        check(page, axe)
        page.keyboard.press("Enter")
        expect(sure).to_contain_text("Use this coupon: A free coffee?")
        page.keyboard.press("Escape")
        expect(use).to_be_focused()
        for last in (False, True):
            use.click()
            sure.get_by_role("button", name="Yes").click()
            answer(page, "Coupon used: A free coffee")
            expect(use).to_be_hidden()
            expect(slip).to_contain_text("This coupon was used already.")
            if not last:
                page.locator("#undo-it").click()
                answer(page, "Coupon given back: A free coffee")
                expect(page.locator("#undo")).to_be_hidden()
        page.get_by_role("button", name="Next card").click()
        expect(slip).to_be_hidden()
    assert guest.coupon.card.card.voided


def test_a_used_coupon_and_a_card_in_its_place_are_told_in_red(opened: Open, guest: Guest) -> None:
    code = guest.coupon.card.code
    guest.card.house.call("/v1/coupon-uses", {"code": code, "reference": "R-1"}, guest.shop.till_key)
    with opened(locale="fr-FR") as page:
        page.goto(f"/till#key={guest.shop.till_key}")
        answer(page, "La caisse est ouverte.")
        present(page, code)
        answer(page, "Déjà utilisé\u00a0: Un café offert")
        expect(page.locator("#answer.refused")).to_contain_text("Ne pas accepter")
        expect(page.locator("#use")).to_be_hidden()
        page.get_by_role("button", name="Carte suivante").click()
        present(page, guest.card.card.code)
        answer(page, "Carte trouvée")
        expect(page.locator("#slip")).to_be_hidden()
        expect(page.locator("#card")).to_be_visible()


def test_it_is_promised_before_joining_and_shown_beside_the_card_until_it_is_used(
    opened: Open, guest: Guest, axe: str
) -> None:
    with opened() as page:
        page.goto(f"/join/{guest.shop.join_code}")
        expect(page.get_by_text("Welcome coupon: A free coffee. Once, in our shop. Valid for 30 days.")).to_be_visible()
        page.goto(guest.card.path)
        expect(page.locator("#coupons .card")).to_contain_text(guest.coupon.card.typed or guest.coupon.card.code)
        check(page, axe)
        body = {"code": guest.coupon.card.code, "reference": "R-1"}
        guest.card.house.call("/v1/coupon-uses", body, guest.shop.till_key)
        expect(page.locator("#coupons .card")).to_have_count(0)
        expect(page.locator("#front .card")).to_be_visible()
        page.goto(guest.coupon.path)
        expect(page.locator("#front .card.void")).to_be_visible()
