"""Owns what is known about the page of the books in a real browser: accessible in light and dark on a phone and a desk,
and printed on paper without its buttons."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM
from tests.pages.console import PASSWORD, hire
from tests.pages.house import House

pytestmark = NEEDS_CHROMIUM


def test_an_accountant_reads_prints_and_keeps_the_books(browser: Browser, house: House, axe: str) -> None:
    house.member().buy("books-browser", 5200)
    email = hire(house, "accountant")
    context = browser.new_context(
        base_url=house.base, locale="fr-FR", viewport={"width": 360, "height": 740}, reduced_motion="reduce"
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto("/console/sign-in?next=/console/books")
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#owed")).to_be_visible()
    page.goto("/console/books?lang=fr")
    expect(page.locator("h1")).to_have_text("Livres de comptes")
    page.get_by_text("Voir les chiffres").first.click()
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width
        check(page, axe)
    with page.expect_download() as kept:
        page.get_by_role("link", name="Balance (CSV)").click()
    assert kept.value.suggested_filename.startswith("trial-balance-")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("form.asked")).to_be_hidden()
    expect(page.locator("#keep")).to_be_hidden()
    expect(page.locator("#balance")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(page.pdf(format="A4")) > 5_000
    page.emulate_media()
    context.close()
    assert not faults
