"""The widget in a real browser, framed by a page of another site: as high as it is, light and dark, live."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from uuid import uuid4

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect

from tests import axe as checks
from tests.pages.browsing import NEEDS_CHROMIUM
from tests.pages.house import House, Member
from tests.site import Site, served

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served() as made:
        yield made


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def member(house: House) -> Member:
    found = house.member(language="fr")
    found.buy(f"W-{uuid4()}", 88_400)
    return found


def minted(house: House, member: Member, site: str) -> str:
    """The line for a page, made by the merchant's own server."""
    name = known_as(house, member)
    made = house.call(f"/v1/members/{name}/widget-token", {"sites": [site]}, house.shop.merchant_key)
    return str(made["snippet"])


def known_as(house: House, member: Member) -> str:
    """The member's id, as the merchant's server knows it from joining."""
    facts = house.call("/v1/lookups", {"code": member.card.code})
    return str(facts["member"])


def framed(page: Page) -> Frame:
    page.locator("iframe").wait_for(state="attached")
    frame = page.frames[-1]
    frame.locator("main").wait_for()
    return frame


def test_the_line_shows_the_progress_in_a_foreign_page_as_high_as_it_is(
    house: House, site: Site, visitor: BrowserContext, member: Member, axe: str
) -> None:
    site.body = minted(house, member, site.origin)
    page = visitor.new_page()
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(site.origin)
    frame = framed(page)
    bar = frame.get_by_role("progressbar")
    expect(bar).to_have_attribute("value", "88")
    expect(bar).to_have_attribute("max", "100")
    expect(frame.locator(".sentence")).to_have_text("Allez, plus que 116 points et vous vous hisserez au statut d’Or")
    around = page.locator("iframe")
    expect(around).to_have_attribute("title", "Où vous en êtes chez Boulangerie & Fils")
    expect(around).to_have_css("visibility", "visible")
    inside = frame.evaluate("document.documentElement.scrollHeight")
    expect(around).to_have_css("height", f"{inside}px")
    narrow = inside
    page.set_viewport_size({"width": 260, "height": 740})
    page.wait_for_function(f"document.querySelector('iframe').offsetHeight > {narrow}")
    assert visitor.cookies() == []
    assert checks.violations(page, axe) == []
    alone = visitor.new_page()
    alone.goto(frame.url)
    for scheme, ground in (("light", "rgb(255, 253, 249)"), ("dark", "rgb(29, 32, 28)")):
        alone.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect(alone.locator("main")).to_have_css("background-color", ground)
        found = checks.violations(alone, axe)
        # Within a page a frame needs neither a heading nor a landmark of the first rank.
        assert [one for one in found if not one.startswith("page-has-heading-one")] == []


def test_a_frame_without_our_script_that_is_lower_than_what_is_in_it_can_be_scrolled(
    house: House, site: Site, visitor: BrowserContext, member: Member
) -> None:
    made = house.call(
        f"/v1/members/{known_as(house, member)}/widget-token", {"sites": [site.origin]}, house.shop.merchant_key
    )
    site.body = f'<iframe src="{made["url"]}" title="Progress" height="120"></iframe>'
    page = visitor.new_page()
    page.goto(site.origin)
    frame = framed(page)
    assert frame.evaluate("document.documentElement.scrollHeight > innerHeight")
    page.mouse.move(*centre(page))
    for _ in range(100):  # a browser takes a moment to know that the wheel is over a frame of another process
        page.mouse.wheel(0, 2_000)
        page.wait_for_timeout(100)
        if frame.evaluate("scrollY > 0 && scrollY + innerHeight >= document.documentElement.scrollHeight - 1"):
            break
    else:
        pytest.fail("what is below cannot be reached")


def centre(page: Page) -> tuple[float, float]:
    """The middle of the frame in the page around."""
    box = page.locator("iframe").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_it_follows_the_device_or_the_theme_that_the_site_says(
    house: House, site: Site, visitor: BrowserContext, member: Member
) -> None:
    line = minted(house, member, site.origin)
    light, dark = "rgb(255, 253, 249)", "rgb(29, 32, 28)"
    for scheme, theme, ground in (
        ("light", "", light), ("dark", "", dark), ("dark", "light", light), ("light", "dark", dark),
    ):  # fmt: skip
        site.body = line.replace(" data-token", f' data-theme="{theme}" data-token') if theme else line
        page = visitor.new_page()
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(site.origin)
        expect(framed(page).locator("main")).to_have_css("background-color", ground)
        page.close()


@pytest.mark.parametrize("forced", ["none", "active"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_bar_is_drawn_as_far_as_it_is_and_an_empty_one_is_seen_to_be_empty(
    house: House, site: Site, visitor: BrowserContext, member: Member, scheme: str, forced: str
) -> None:
    empty = house.member(language="fr")
    page = visitor.new_page()
    page.emulate_media(color_scheme=scheme, forced_colors=forced)  # type: ignore[arg-type]
    drawn = []
    for whose in (empty, member):
        site.body = minted(house, whose, site.origin)
        page.goto(site.origin)
        bar = framed(page).get_by_role("progressbar")
        expect(bar).to_have_attribute("value", "0" if whose is empty else "88")
        with Image.open(BytesIO(bar.screenshot())) as picture:
            row = picture.convert("RGB")
            drawn.append([row.getpixel((x, row.height // 2)) for x in range(6, row.width - 6)])
    nothing, much = drawn
    assert len(set(nothing)) == 1
    if forced == "none":
        assert nothing[0] == {"light": (255, 253, 249), "dark": (29, 32, 28)}[scheme], "all of it is the frame's ground"
    needle = [x for x in range(len(much) - 1) if much[x] != much[x + 1]]
    assert needle, "where it ends is seen"
    assert min(needle) / len(much) > 0.8
    assert much[-1] == nothing[-1]


def test_what_changes_at_the_till_follows_while_it_is_looked_at(
    house: House, site: Site, visitor: BrowserContext, member: Member
) -> None:
    site.body = minted(house, member, site.origin)
    page = visitor.new_page()
    page.clock.install()
    page.goto(site.origin)
    frame = framed(page)
    member.buy(f"W-{uuid4()}", 11_500)
    page.clock.run_for(16_000)
    expect(frame.locator(".sentence")).to_have_text("Allez, plus qu’un point et vous vous hisserez au statut d’Or")
    member.buy(f"W-{uuid4()}", 100)
    page.clock.run_for(16_000)
    expect(frame.locator(".tier")).to_contain_text("Or")
    expect(frame.get_by_role("progressbar")).to_have_count(0)


def test_a_site_that_was_not_named_frames_nothing_and_a_bad_token_is_not_seen(
    house: House, site: Site, visitor: BrowserContext, member: Member
) -> None:
    refused: list[str] = []
    for line in (
        minted(house, member, "https://shop.example"),
        minted(house, member, site.origin).replace("v1.", "v2."),
    ):
        site.body = line
        page = visitor.new_page()
        page.on("console", lambda said: refused.append(said.text))
        with page.expect_event("response", lambda got: "/widget/" in got.url):
            page.goto(site.origin)
        page.wait_for_load_state("load")
        assert page.locator("iframe").bounding_box()["height"] == 0  # type: ignore[index]
        expect(page.locator("iframe")).to_have_css("visibility", "hidden")  # nor read out, nor stopped at with the keys
        page.close()
    assert any("frame-ancestors" in text for text in refused), refused
