"""Owns the measurement of joining on a poor network: from the poster's address to the pass on the phone.

Chromium's own network conditions play 400 kbit/s and a round trip of 400 ms; beside each figure stands what that
network alone needs for the bytes that were carried and one round trip for each request in turn, and the same way
without a brake.
Prints a table; asserts nothing about time.

    python -m benchmarks.joining --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page
from rich.console import Console
from rich.table import Table

from tests.chromium import CHROMIUM
from tests.stories.bakery import Bakery
from tests.stories.counter import Room, Watch
from tests.stories.hands import Pointer
from tests.stories.test_first_hour import IPHONE, context, daytime, found_the_shop, make_the_card

BITS_PER_SECOND, ROUND_TRIP_SECONDS = 400_000, 0.4


class _Unchecked(Room):
    """The same shop; nobody looks at its pages here."""

    def check(self, page: Page) -> None:
        return


@dataclass(frozen=True)
class Joined:
    """Seconds until the page could be read, until the card was there, until the pass was; bytes and requests."""

    read: float
    card: float
    saved: float
    carried: int
    requests: int


def join(browser: Browser, link: str, braked: bool) -> Joined:
    """One new visitor, with an empty cache."""
    with _visitor(browser, braked) as (page, carried):
        begun = time.monotonic()
        page.goto(link, wait_until="commit")
        page.locator("form button.primary").wait_for()
        read = time.monotonic() - begun
        page.locator("form button.primary").click()
        page.locator("a.wallet").wait_for()
        card = time.monotonic() - begun
        length = page.evaluate(
            "async address => (await (await fetch(address)).arrayBuffer()).byteLength",
            page.locator("a.wallet").get_attribute("href"),
        )
        saved = time.monotonic() - begun
        assert length > 1_000
        return Joined(read, card, saved, sum(carried), len(carried))


@contextmanager
def _visitor(browser: Browser, braked: bool) -> Iterator[tuple[Page, list[int]]]:
    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    visitor = context(browser, locale="fr-FR", user_agent=IPHONE, **phone)
    page, carried = visitor.new_page(), list[int]()
    wire = visitor.new_cdp_session(page)
    wire.send("Network.enable")
    wire.on("Network.loadingFinished", lambda event: carried.append(int(event["encodedDataLength"])))
    if braked:
        speed = BITS_PER_SECOND / 8
        limits = {"offline": False, "latency": ROUND_TRIP_SECONDS * 1000}
        wire.send(
            "Network.emulateNetworkConditions", {**limits, "downloadThroughput": speed, "uploadThroughput": speed}
        )
    try:
        yield page, carried
    finally:
        visitor.close()


def shop(bakery: Bakery, browser: Browser) -> str:
    """A published card of ten stamps; the link by which people join."""
    desk = context(browser, locale="fr-FR", timezone_id=daytime(), viewport={"width": 1280, "height": 860})
    room = _Unchecked(bakery, browser, "", "fr", Pointer(bakery.base), desk, desk, desk, desk)
    page, watch = desk.new_page(), Watch(room.hands)
    found_the_shop(room, page, watch)
    link = make_the_card(room, page, watch)
    desk.close()
    return link


def main() -> int:
    parser = argparse.ArgumentParser(description="Joining at 400 kbit/s and 400 ms.")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    console = Console()
    if CHROMIUM is None:
        console.print("No Chromium here (apt install chromium).")
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="wallet-joining-") as name,
        Bakery(Path(name), f"sqlite:///{name}/wallet.db") as bakery,
        bakery.browser() as browser,
    ):
        link = shop(bakery, browser)
        runs = {braked: [join(browser, link, braked) for _ in range(options.rounds)] for braked in (True, False)}
    table = Table("", "page read", "card shown", "pass saved", "of the network", "bytes", "requests", box=None)
    for braked, found in runs.items():
        middle = sorted(found, key=lambda one: one.saved)[len(found) // 2]
        limit = middle.carried * 8 / BITS_PER_SECOND + ROUND_TRIP_SECONDS * middle.requests if braked else 0.0
        table.add_row(
            "400 kbit/s, 400 ms" if braked else "loopback",
            *(f"{statistics.median(getattr(one, name) for one in found):.2f} s" for name in ("read", "card", "saved")),
            f"{limit:.2f} s" if braked else "",
            f"{middle.carried:,}",
            str(middle.requests),
        )
    console.print(table)
    console.print(
        f"median of {options.rounds}; “of the network”: the bytes, and one round trip for each request in turn"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
