"""A tier's name of forty letters: the designer says where each wallet cuts it and offers a short form, at a tap."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.chromium import ARGUMENTS, CHROMIUM
from tests.conftest import mostly_on
from tests.stories.stage import Stage, shown
from tests.stories.test_tiers import module, on_row
from tests.stories.visiting import PASSWORD
from wallet_server.actions import keys
from wallet_server.actions.books import accounting
from wallet_server.actions.staff import OWNER, team

WITH_GOOGLE = True
FORTY = "Maître maniaque du propre et de la vapeu"
pytestmark = [
    mostly_on("sqlite", stage=True),
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="the story needs Chromium"),
]


@pytest.fixture
def page(stage: Stage) -> Iterator[Page]:
    """The owner's browser, in the console."""
    (merchant,) = accounting.merchants(stage.ctx, keys.authenticate(stage.ctx, stage.facts["merchant_key"]))
    secret = team.invite_by_operator(stage.ctx, merchant, OWNER).rsplit("/", 1)[1]
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(locale="en-GB", base_url=stage.base)
        page.set_default_timeout(30_000)
        expect.set_options(timeout=30_000)
        page.goto(f"/invite/{secret}")
        page.locator("[name=name]").fill("Claire")
        page.locator("[name=email]").fill("claire@example.com")
        page.locator("[name=password]").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/console**")
        yield page
        browser.close()


def test_the_designer_says_where_each_wallet_cuts_and_the_short_form_is_taken_at_a_tap(
    stage: Stage, page: Page
) -> None:
    assert len(FORTY) == 40
    programme = f"/v1/programmes/{stage.facts['programme']}"
    member = stage.enrol(language="fr")
    iphone, pixel = stage.phone(member, "fr"), stage.android(member, "fr")
    assert stage.sell(stage.code(iphone), 30_000).body["tier"] == "silver"

    page.goto("/console/card")
    for tag, tongue in (("fr", "in French"), ("en", "in English")):
        short = page.get_by_label(f"Short form of tier 2, {tongue}")
        expect(short).to_be_hidden()
        page.locator(f"#tier2_{tag}").fill(FORTY)
        note = page.locator(f"#note-tier2_{tag}")
        expect(note).to_contain_text("An iPhone cuts this status at the top of the card: Maître maniaque du pr")
        expect(note).to_contain_text("An Android phone cuts this status beside the points: Maître maniaque du…")
        expect(short).to_be_visible()
        note.get_by_role("button", name="Take “Maître maniaque” as the short form").click()
        expect(short).to_have_value("Maître maniaque")
        expect(short).to_be_focused()
        expect(note.get_by_text("cuts this status")).to_have_count(0)
        expect(note.get_by_role("button")).to_have_count(0)
    expect(page.get_by_text("Draft saved")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("does not fit")).to_have_count(0)
    page.get_by_role("button", name="Yes, publish").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("It is published")

    published = stage.merchant("GET", programme).body["document"]["tiers"]["levels"][1]
    assert published["names"] == {"fr": FORTY, "en": FORTY}
    assert published["short_names"] == {"fr": "Maître maniaque", "en": "Maître maniaque"}
    stage.until(lambda: shown(iphone, "tier") == "Maître maniaque", "the iPhone has the short form")
    stage.until(lambda: on_row(pixel) == "Maître maniaque", "and the Android")
    assert shown(iphone, "detail.tier") == module(pixel, "detail-tier")[1] == FORTY, "whole behind"
    page.goto("/console/card")
    expect(page.get_by_label("Short form of tier 2, in French")).to_have_value("Maître maniaque")
    assert stage.book_faults() == []
