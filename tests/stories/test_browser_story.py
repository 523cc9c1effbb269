"""One story in a real browser: join, card, sale, change, promotion, plug pulled, and nothing lost.

Its pictures are those of the README: `WRITE_PICTURES=1` writes them to docs/pictures, else to a temporary folder.
"""

from __future__ import annotations

import io
import json
import os
import re
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, expect, sync_playwright

from tests.chromium import ARGUMENTS, CHROMIUM
from tests.stories.running import Running, sandbox

VIEW = {"width": 1100, "height": 760}
WHOLE_TILL = {"width": 1180, "height": 820}
WHOLE_PHONES = {"width": 1100, "height": 1240}
PATIENCE_MS = 40_000
LARGEST_PICTURE = 250_000
PROMOTION = {"en": "Saturday: double points on everything made of rye", "fr": "Samedi : points doublés sur le seigle"}

pytestmark = [
    pytest.mark.story,
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="THE STORY IN THE BROWSER DID NOT RUN: no Chromium here (apt install chromium)"
    ),
]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with sandbox(tmp_path, "--coalesce", "1") as started:
        yield started


@pytest.fixture
def visitor(running: Running) -> Iterator[BrowserContext]:
    """A person with a browser; a fault of a script, or a page that asks elsewhere, fails the story."""
    ours = (running.links["base_url"], running.links["phones_url"])
    faults: list[str] = []
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(locale="en-GB", viewport=VIEW)
        context.set_default_timeout(PATIENCE_MS)
        context.on("weberror", lambda one: faults.append(str(one.error)))
        context.on("request", lambda sent: None if sent.url.startswith(ours) else faults.append(f"asked {sent.url}"))
        yield context
        browser.close()
    assert faults == []


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    if not os.environ.get("WRITE_PICTURES"):
        return tmp_path
    return Path(__file__).resolve().parents[2] / "docs" / "pictures"


def test_from_joining_to_the_pulled_plug(running: Running, visitor: BrowserContext, pictures: Path) -> None:
    links = running.links
    card = join(visitor, links, pictures)
    phone = put_on_the_phone(visitor, links, card)
    till = open_the_till(visitor, links)
    code = card.locator(".card .code figcaption").inner_text()

    sell(till, code, "128.40", "+128 points, new balance 128")
    expect(card.locator(".card .balance strong")).to_have_text("128", timeout=PATIENCE_MS)
    expect(shown(phone, "points")).to_have_text("128", timeout=PATIENCE_MS)
    expect(alerts(phone).first).to_contain_text("128", timeout=PATIENCE_MS)
    neighbour = a_french_neighbour(links, phone.page)
    till.set_viewport_size(WHOLE_TILL)
    expect(till.locator("#news.yes")).to_have_css("border-top-style", "none")  # a note, no button
    take(till, pictures / "till.png")
    take(card, pictures / "card.png")

    announce(links)
    expect(alerts(phone).first).to_contain_text(PROMOTION["en"], timeout=PATIENCE_MS)
    expect(card.locator(".card .news")).to_contain_text(PROMOTION["en"], timeout=PATIENCE_MS)
    expect(alerts(phone)).to_have_count(2, timeout=PATIENCE_MS)
    expect(alerts(neighbour).first).to_contain_text(PROMOTION["fr"], timeout=PATIENCE_MS)
    expect(phone.page.locator("#toast")).to_be_empty(timeout=PATIENCE_MS)
    take(phone.locator(".device"), pictures / "lockscreen.png")
    phone.page.set_viewport_size(WHOLE_PHONES)
    phone.page.evaluate("scrollTo(0, 0)")
    take(phone.page, pictures / "sandbox.png")

    sell(till, code, "41.70", "+41 points, new balance 169")
    pull_the_plug(phone.page)
    expect(shown(phone, "points")).to_have_text("169", timeout=PATIENCE_MS)

    sell(till, code, "200", "+200 points, new balance 369")
    expect(shown(phone, "points")).to_have_text("369", timeout=PATIENCE_MS)
    expect(shown(phone, "tier")).to_have_text("Silver", timeout=PATIENCE_MS)
    expect(card.locator(".card .balance strong")).to_have_text("369", timeout=PATIENCE_MS)
    expect(alerts(phone).filter(has_text="369")).to_have_count(1, timeout=PATIENCE_MS)

    holder = ask(links, "till_key", "/v1/lookups", {"code": code})
    assert holder["balances"] == {"points": 369, "status": 369}
    audit = running.command("audit")
    assert (audit.returncode, audit.stdout.splitlines()[-1]) == (0, "The books are true."), audit


def join(visitor: BrowserContext, links: Mapping[str, str], pictures: Path) -> Page:
    """From the first page to a card in the browser, with consent to announcements."""
    page = visitor.new_page()
    page.goto(links["first_page"])
    page.get_by_role("link", name="Join Boulangerie Claire").click()
    page.get_by_label("Yes, send me news").check()
    page.evaluate("scrollTo(0, 0)")
    take(page, pictures / "join.png")
    page.get_by_role("button", name="Get my card").click()
    page.wait_for_url("**/card/**")
    expect(page.get_by_text("Up to date")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".card .balance strong")).to_have_text("0", timeout=PATIENCE_MS)
    return page


def put_on_the_phone(visitor: BrowserContext, links: Mapping[str, str], card: Page) -> Locator:
    """The simulated iPhone opens the card's download link and draws the card."""
    download = card.get_by_role("link", name="Add to Apple Wallet").get_attribute("href")
    page = visitor.new_page()
    page.goto(links["phones_url"])
    phone = page.get_by_role("article", name="iPhone 1")
    phone.get_by_label("Link of a pass").fill(f"{links['base_url']}{download}")
    phone.get_by_role("button", name="Open").click()
    expect(shown(phone, "points")).to_have_text("0", timeout=PATIENCE_MS)
    expect(page.get_by_text("The card is in the wallet.")).to_be_visible(timeout=PATIENCE_MS)
    return phone


def a_french_neighbour(links: Mapping[str, str], page: Page) -> Locator:
    """A second member with a phone of their own, both speaking French; enrolled as an app would do it."""
    member = ask(
        links, "merchant_key", f"/v1/programmes/{links['programme']}/members", {"language": "fr", "promotions": True}
    )
    phones = page.get_by_role("region", name="Phones", exact=True)
    phones.get_by_label("Whose phone is it?").fill("Inès")
    phones.get_by_label("Language of the phone").select_option("fr")
    phones.get_by_role("button", name="Add a phone").click()
    phone = page.get_by_role("article", name="Inès")
    phone.get_by_label("Link of a pass").fill(member["download_url"])
    phone.get_by_role("button", name="Open").click()
    expect(phone.get_by_text("Plus que 300 points")).to_be_visible(timeout=PATIENCE_MS)
    return phone


def open_the_till(visitor: BrowserContext, links: Mapping[str, str]) -> Page:
    page = visitor.new_page()
    page.goto(links["till_url"])
    expect(page.locator("#answer")).to_contain_text("Scan a card", timeout=PATIENCE_MS)
    assert links["till_key"] not in page.url
    return page


def sell(till: Page, code: str, amount: str, answer: str) -> None:
    """As a cashier does it: scan, type, Enter."""
    till.get_by_label("Card code").fill(code)
    till.keyboard.press("Enter")
    expect(till.locator("#answer")).to_contain_text("Card found", timeout=PATIENCE_MS)
    till.get_by_label("Amount in EUR").fill(amount)
    till.keyboard.press("Enter")
    expect(till.locator("#answer")).to_contain_text(answer, timeout=PATIENCE_MS)


def announce(links: Mapping[str, str]) -> None:
    """A promotion for everybody, now: the demonstration's quiet hours are taken out of the programme first."""
    programme = f"/v1/programmes/{links['programme']}"
    document = ask(links, "merchant_key", programme)["document"]
    document["announce"] = {"per_day": 3, "per_week": 9, "quiet": None}
    ask(links, "merchant_key", f"{programme}/versions", {"document": document})
    ends_at = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    wanted = {"programme": links["programme"], "texts": PROMOTION, "ends_at": ends_at}
    path = f"/v1/announcements/{ask(links, 'merchant_key', '/v1/announcements', wanted)['announcement']}"
    assert ask(links, "merchant_key", f"{path}/count")["members"] == {"shown": 2}
    ask(links, "merchant_key", f"{path}/confirmation", {})


def pull_the_plug(page: Page) -> None:
    page.get_by_role("button", name="Pull the plug").click()
    expect(page.get_by_text("The server was killed and is back.")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#server-state")).to_have_text("running", timeout=PATIENCE_MS)
    expect(page.locator("#server-starts")).to_contain_text(re.compile(r"plug pulled: 1"), timeout=PATIENCE_MS)


def shown(phone: Locator, field: str) -> Locator:
    return phone.locator(f'.front [data-key="{field}"] .value')


def alerts(phone: Locator) -> Locator:
    """The newest first."""
    return phone.locator(".alerts li")


def take(what: Page | Locator, file: Path) -> None:
    """All its colours where they fit into a README, else the best 256."""
    picture = Image.open(io.BytesIO(what.screenshot(animations="disabled"))).convert("RGB")
    picture.save(file, optimize=True)
    if file.stat().st_size >= LARGEST_PICTURE:
        picture.quantize(256, kmeans=1, dither=Image.Dither.NONE).save(file, optimize=True)
    assert file.stat().st_size < LARGEST_PICTURE, f"{file.name} is too large for a README"


def ask(links: Mapping[str, str], key: str, path: str, body: object = None) -> Any:
    """One request of the JSON interface with the till's or the merchant's key."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        links["base_url"] + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {links[key]}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid4()),
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read())
