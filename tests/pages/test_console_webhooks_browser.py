"""Owns what is known about the console's pages of webhooks in a real browser: accessible in light and
dark on a phone and a desk."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM
from tests.pages.console import PASSWORD, hire
from tests.pages.house import House
from tests.pages.test_console_webhooks import PATH, deliver
from tests.receiver import receiving

pytestmark = NEEDS_CHROMIUM


def test_the_pages_are_accessible_on_a_phone_and_a_desk(browser: Browser, house: House, axe: str) -> None:
    email = hire(house)
    context = browser.new_context(base_url=house.base, locale="fr-FR", viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(f"/console/sign-in?next={PATH}")
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{PATH}*")
    with receiving() as system:
        page.fill("[name=url]", system.url)
        page.locator("form button.primary").click()
        expect(page.locator("code.secret")).to_contain_text("whsec_")
        look(page, axe)
        page.locator(".notice a").click()
        page.locator("form[action$='/test'] button").click()
        deliver(house)
        page.reload()
        expect(page.locator("article.tile")).to_have_count(1)
        look(page, axe)
    context.close()


def look(page: Page, axe: str) -> None:
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width
        check(page, axe)
