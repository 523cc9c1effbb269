"""Owns what is known about the console's door in a real browser: a passkey is made and used, the pages are reached by
keyboard and are accessible."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM, tab_to
from tests.pages.console import PASSWORD, hire
from tests.pages.house import House

pytestmark = NEEDS_CHROMIUM
PHONE = {"width": 390, "height": 844}
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}


def test_an_owner_makes_a_passkey_and_signs_in_with_it(browser: Browser, house: House, axe: str) -> None:
    context = browser.new_context(
        base_url=house.base.replace("127.0.0.1", "localhost"), locale="en-GB", viewport=PHONE, reduced_motion="reduce"
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))

    def sound() -> None:
        check(page, axe)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{page.url} is too wide"

    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    page.goto("/console/account")
    sound()
    page.get_by_label("Email").fill(hire(house))
    tab_to(page, "Password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("My account")
    sound()
    page.get_by_label("Name of the passkey").fill("My laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("The passkey is added.")).to_be_visible()
    expect(page.get_by_role("button", name="Remove My laptop")).to_be_visible()
    page.get_by_role("link", name="More").click()
    sound()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/console/today")
    page.goto("/console/team")
    page.get_by_text("Change", exact=False).first.click()
    sound()
    page.get_by_role("button", name="Make the invitation").click()
    expect(page.get_by_label("Link", exact=True)).to_be_visible()
    sound()
    page.goto("/console/keys")
    page.get_by_label("What it is for").fill("Web shop")
    tab_to(page, "Make the key")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("It is shown this once")
    page.get_by_text("Change", exact=False).first.click()
    sound()
    page.goto("/console/watch")
    page.get_by_label("Sales of one customer in a day").fill("3")
    page.get_by_role("button", name="Keep the thresholds").click()
    expect(page.get_by_role("status")).to_contain_text("The thresholds are kept.")
    sound()
    page.goto("/console/account")
    page.get_by_label("New PIN").fill("8164")
    page.get_by_role("button", name="Choose this PIN").click()
    expect(page.get_by_role("status").first).to_contain_text("Your PIN is changed.")
    sound()
    page.get_by_role("button", name="Add an app").click()
    expect(page.get_by_role("img", name="Symbol to scan with the app")).to_be_visible()
    sound()
    assert not faults
    context.close()
