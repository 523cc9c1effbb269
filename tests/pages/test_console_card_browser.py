"""Owns what is known about the live form in a real browser, on a phone: the card follows, by keyboard, accessibly."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, Route, expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM, tab_to
from tests.pages.console import PASSWORD, hire
from tests.pages.house import House, Shop
from tests.pages.test_console_card import second_programme, shop

__all__ = ["shop"]

pytestmark = NEEDS_CHROMIUM
PHONE = {"width": 390, "height": 844}


def sound(page: Page, axe: str, *, both_schemes: bool = False) -> None:
    """Accessible, and not wider than the phone."""
    check(page, axe, both_schemes=both_schemes)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{page.url} is too wide"


def test_a_baker_makes_and_publishes_her_card_on_a_phone(
    browser: Browser, house: House, shop: Shop, axe: str, tmp_path: Path
) -> None:
    context = browser.new_context(base_url=house.base, locale="en-GB", viewport=PHONE, reduced_motion="reduce")
    context.set_default_timeout(10_000)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto("/console/card")
    page.get_by_label("Email").fill(hire(house, merchant_key=shop.merchant_key))
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your card")

    tab_to(page, "What they get")
    page.keyboard.type("a coffee")
    expect(page.get_by_text("Draft saved")).to_be_visible()
    expect(page.locator("#says")).to_have_text("1 stamp for each visit. 10 stamps = a free coffee.")
    front = page.locator(".in-half .as-iphone")
    expect(front).to_contain_text("Only 5 stamps to go")
    expect(page.locator("#mini")).to_be_in_viewport()
    strip = front.locator(".strip img")
    assert strip.evaluate("one => one.complete && one.naturalWidth") == 750, "the picture that phones get"

    page.get_by_label("Number of stamps").fill("30")
    expect(page.locator("#note-stamps")).to_have_text("Write a whole number from 2 to 20.")
    expect(page.get_by_label("Number of stamps")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Number of stamps").fill("8")
    expect(page.locator("#note-stamps")).to_be_empty()

    logo = Image.new("RGBA", (300, 120))
    ImageDraw.Draw(logo).ellipse((10, 10, 290, 110), fill="#14382b")
    logo.save(tmp_path / "logo.png")
    page.get_by_label("Logo, or a photo of your sign").set_input_files(tmp_path / "logo.png")
    expect(page.locator("#note-logo")).to_contain_text("hardly shows")
    sound(page, axe, both_schemes=True)
    page.get_by_role("button", name="Put a light plate behind it").click()
    expect(page.locator("#note-logo")).to_be_empty()
    page.get_by_role("radio", name="Wine").check()
    expect(front).to_have_css("background-color", "rgb(107, 31, 51)")
    page.get_by_role("radio", name="Android").check()
    expect(front).to_be_hidden()
    page.get_by_role("radio", name="Back").check()
    page.get_by_role("radio", name="Points").check()
    expect(page.locator("#says")).to_contain_text("100 points = a free coffee")
    sound(page, axe)
    page.get_by_label("Name of tier 2, in English").fill("Maître maniaque du propre et de la vapeu")
    offer = page.get_by_role("button", name="Take “Maître maniaque” as the short form")
    expect(offer).to_be_visible()
    sound(page, axe, both_schemes=True)
    offer.press("Enter")
    expect(page.get_by_label("Short form of tier 2, in English")).to_be_focused()
    expect(offer).to_have_count(0)
    page.get_by_role("radio", name="Stamps").check()
    expect(page.locator("#says")).to_contain_text("8 stamps = a free coffee")

    other = context.new_page()
    other.goto("/console/card")
    other.get_by_label("Number of stamps").fill("9")
    expect(other.get_by_text("Draft saved")).to_be_visible()
    page.get_by_label("Number of stamps").fill("7")
    expect(page.get_by_role("alert")).to_contain_text("This card was changed elsewhere meanwhile.")
    page.get_by_role("button", name="Keep mine").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert [fault for fault in faults if "409" not in fault] == []
    faults.clear()
    other.close()

    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Publish your card")
    sound(page, axe)
    page.get_by_role("button", name="Yes, publish").dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your card is ready to be taken")
    sound(page, axe)
    page.goto("/console/card")
    expect(page.locator("#standing")).to_have_text("Published")
    assert page.get_by_label("Number of stamps").input_value() == "7"

    second_programme(house, shop, "Le midi à la boulangerie, avec une soupe du jour")
    page.reload()
    page.get_by_role("navigation", name="Which card?").get_by_role("link", name="Le midi").click()
    expect(page.locator("#standing")).to_have_text("Not published yet")
    sound(page, axe, both_schemes=True)
    page.get_by_label("Number of stamps").fill("12")
    expect(page.locator("#kept")).not_to_be_empty()
    page.get_by_role("navigation", name="Which card?").get_by_role("link").first.click()
    expect(page.get_by_label("Number of stamps")).to_have_value("7")
    assert not faults
    context.close()


def test_on_a_laptop_both_sentences_stand_in_sight_beside_the_form(browser: Browser, house: House, shop: Shop) -> None:
    laptop = {"width": 1280, "height": 850}
    context = browser.new_context(base_url=house.base, locale="fr-FR", viewport=laptop, reduced_motion="reduce")
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto("/console/card")
    page.locator("input[type=email]").fill(hire(house, merchant_key=shop.merchant_key))
    page.locator("input[type=password]").fill(PASSWORD)
    scripts: list[Route] = []

    def hold(route: Route) -> None:
        scripts.append(route)

    context.route("**/static/designer.js*", hold)
    page.keyboard.press("Enter")
    page.locator("[name=reward_fr]").fill("un café offert")
    while not scripts:
        page.wait_for_timeout(20)
    scripts[0].continue_()  # who types before the script is there is heard all the same
    english = page.locator(".promises [lang=en]")
    expect(english).to_contain_text("10 stamps = un café offert")
    for sentence in (page.locator(".promises [lang=fr]"), english):
        expect(sentence).to_be_in_viewport(ratio=1)
    context.close()
