"""Owns what is known about the pages in a real browser: with and without scripts, by keyboard, at any size and colour.

A console error (a broken policy, a failed file, a fault of a script) fails the test in which it appears.
"""

from __future__ import annotations

import io
from urllib.parse import urlsplit

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM, Open, answer, present, tab_to
from tests.pages.house import House, Member

SIZES = ({"width": 320, "height": 640}, {"width": 1280, "height": 900})

pytestmark = NEEDS_CHROMIUM


# ---------------------------------------------------------------------- members


def test_joining_works_without_scripts(opened: Open, house: House) -> None:
    with opened(java_script_enabled=False, locale="fr-FR") as page:
        page.goto(f"/join/{house.shop.join_code}")
        page.get_by_role("button", name="Obtenir ma carte").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Votre carte est prête")
        expect(page.get_by_role("progressbar", name="Vers le statut Argent")).to_be_visible()
        page.get_by_role("link", name="Voir le dernier solde").click()
        page.get_by_role("button", name="Recevoir les nouveautés").click()
        expect(page.get_by_text("C’est fait : vous recevrez les nouveautés.")).to_be_visible()


def test_joining_by_keyboard_then_the_card_follows_a_sale(opened: Open, house: House) -> None:
    with opened() as page:
        page.goto(f"/join/{house.shop.join_code}")
        tab_to(page, "Yes, send me news from Boulangerie & Fils on my card")
        page.keyboard.press("Space")
        tab_to(page, "Get my card")
        page.keyboard.press("Enter")
        page.wait_for_url("**/card/**")
        expect(page.get_by_text("Up to date")).to_be_visible()
        member = Member(house, page.url.split("/card/")[1].split(".")[0])
        assert member.card.promotions
        link = page.get_by_role("link", name="Add to Apple Wallet")
        link.focus()
        member.buy("live-1", 1234)
        expect(page.locator(".card .balance strong")).to_have_text("12")
        expect(page.locator("#says")).to_have_text("Your card has changed. Points: 12. Status: Bronze. "
                                                   "Only 288 points to go to reach Silver")  # fmt: skip
        expect(link).to_be_focused()
        before = page.locator(".card").evaluate("one => getComputedStyle(one).backgroundColor")
        member.buy("live-2", 50000)
        house.deliver()  # the new status waits for a version of the card of its own
        expect(page.locator(".card .tier strong")).to_have_text("Silver")
        after = page.locator(".card").evaluate("one => getComputedStyle(one).backgroundColor")
        assert (before, after) == ("rgb(90, 56, 35)", "rgb(223, 228, 234)"), "the colours of the tier come along"
        expect(page.locator("#held")).to_be_hidden()
        member.add_to_phone()
        expect(page.locator("#held")).to_be_visible()
        expect(page.locator("#says")).to_have_text("In your phone")


def test_the_card_says_when_it_may_be_old(opened: Open, house: House) -> None:
    with opened(expected="ERR_INTERNET_DISCONNECTED") as page:
        page.goto(house.member().path)
        expect(page.get_by_text("Up to date")).to_be_visible()
        page.context.set_offline(True)
        expect(page.get_by_text("No connection. The card shown may be older.")).to_be_visible()
        page.context.set_offline(False)
        expect(page.get_by_text("Up to date")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_scanners_read_the_codes_on_any_ground(opened: Open, house: House, scheme: str) -> None:
    member = house.member()
    with opened(color_scheme=scheme) as page:
        page.goto(member.path)
        read = zxingcpp.read_barcode(Image.open(io.BytesIO(page.locator(".card .code svg").screenshot())))
        assert read
        assert read.text == member.card.code


def test_stopping_and_its_undo(opened: Open, house: House) -> None:
    member = house.member(promotions=True)
    with opened(locale="fr-FR") as page:
        page.goto(member.stop_path)
        page.get_by_role("button", name="Arrêter les messages").click()
        expect(page.get_by_role("status")).to_contain_text("C’est fait.")
        assert not member.card.promotions
        page.get_by_role("button", name="Annuler").click()
        expect(page.get_by_role("status")).to_contain_text("Vous recevrez à nouveau")
        assert member.card.promotions


# ---------------------------------------------------------------------- first page, every page


def test_the_first_page_hands_the_key_to_the_till_and_the_api_can_be_tried(opened: Open, house: House) -> None:
    with opened() as page:
        page.goto(f"/?join={house.shop.join_code}#key={house.shop.till_key}")
        page.get_by_role("link", name="Join Boulangerie & Fils").click()
        page.wait_for_url("**/join/**")
        page.go_back()
        assert house.shop.till_key not in page.url
        page.get_by_role("link", name="Open the till").click()
        answer(page, "Scan a card")
        page.goto("/openapi/swagger")
        expect(page.get_by_text("/v1/sales", exact=True)).to_be_visible()


def every_page(house: House) -> list[str]:
    member = house.member(promotions=True)
    member.buy(f"pages-{member.pass_id}", 15000)
    paths = [f"/?join={house.shop.join_code}", f"/join/{house.shop.join_code}", f"{member.path}?new=1"]
    own = [urlsplit(house.ctx.link(kind, member.pass_id)).path for kind in ("recover", "rate")]
    return [*paths, member.stop_path, *own, "/recover", f"/till#key={house.shop.till_key}", "/look", "/nothing/here"]


def settle(page: Page, path: str) -> None:
    page.goto(path)
    if path.startswith("/till"):
        page.locator("#desk").wait_for()


def test_no_page_scrolls_sideways(opened: Open, house: House) -> None:
    with opened(locale="fr-FR", expected="404") as page:
        for path in every_page(house):
            settle(page, path)
            for size in SIZES:
                page.set_viewport_size(size)
                assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path


def test_every_page_is_accessible_in_light_and_dark(opened: Open, house: House, axe: str) -> None:
    with opened(locale="fr-FR", expected="404", reduced_motion="reduce") as page:
        for path in every_page(house):
            settle(page, path)
            check(page, axe)
        settle(page, f"/till#key={house.shop.till_key}")
        present(page, house.member().card.code)
        page.locator("#holder").wait_for()
        check(page, axe)
