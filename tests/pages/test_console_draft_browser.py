"""Owns what is known about the report of a draft in a real browser: accessible in light and dark, small and large."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser, expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM, Open, tab_to
from tests.pages.console import PASSWORD, hire, sign_in
from tests.pages.house import House, Shop
from tests.pages.test_console_card import Form, shop
from tests.pages.test_console_draft import POINTS

__all__ = ["shop"]
pytestmark = NEEDS_CHROMIUM


def test_the_report_of_a_draft_is_read_before_it_is_published(
    browser: Browser, house: House, client: FlaskClient, shop: Shop, axe: str
) -> None:
    form = Form(client, sign_in(client, house, merchant_key=shop.merchant_key))
    form.live(**POINTS)
    form.send("publish")
    form.confirm()
    member = house.member(shop)
    member.buy("draft-1", 35_000, shop)
    form.open()
    form.live(tier2_at="700")
    context = browser.new_context(base_url=house.base, locale="fr-FR", viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto("/console/sign-in?next=/console/what-if")
    page.fill("[name=email]", hire(house, merchant_key=shop.merchant_key))
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.locator("a[href*='/what-if/draft']").click()
    expect(page.locator("#tiers")).to_be_visible()
    for lang in ("fr", "en"):
        page.goto(f"/console/what-if/draft?lang={lang}")
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width
            check(page, axe)
    context.close()


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_a_ready_programme_is_chosen_on_a_page_for_everybody(
    opened: Open, house: House, axe: str, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, sign_up="open"))
    with opened(viewport={"width": 360, "height": 740}) as page:
        page.goto(f"/start?lang={lang}")
        choice = page.locator("#preset")
        expect(choice).to_be_hidden()
        tab_to(page, page.locator("details:has(#preset) summary").inner_text())
        page.keyboard.press("Enter")
        expect(choice).to_be_visible()
        page.keyboard.press("Tab")
        expect(choice).to_be_focused()
        page.keyboard.type("Superm")
        expect(choice).to_have_value("voucher_400")
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width
            check(page, axe)
