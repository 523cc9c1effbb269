"""Owns where a link leads that is tapped on an Android phone: to a save link, at once or by way of a page with one."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import aiohttp

SAVE = "/gp/v/save/"
MAX_STEPS = 6
MAX_PAGE_BYTES = 1024 * 1024
AGENT = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile "
    "Safari/537.36"
)


class NoSaveLink(Exception):
    """There was no save link behind the address; the text says what came instead."""


def jwt_in(url: str) -> str:
    """The JWT of a save link; "" for any other address."""
    path = urlsplit(url).path
    return path.partition(SAVE)[2] if SAVE in path else ""


async def follow(session: aiohttp.ClientSession, url: str, language: str) -> str:
    """The JWT behind an address: redirects are followed, and on a page its button. Raises NoSaveLink."""
    pages = 0
    for _ in range(MAX_STEPS):
        jwt = jwt_in(url)
        if jwt:
            return jwt
        if urlsplit(url).scheme not in ("http", "https"):
            raise NoSaveLink("The link is no web address.")
        status, location, page = await _get(session, url, language)
        if location:
            url = urljoin(url, location)
            continue
        target = _button(page) if status == 200 else ""
        if not target or pages:
            raise NoSaveLink(f"The link did not lead to Google Wallet but to: {status}.")
        pages += 1
        url = urljoin(url, target)
    raise NoSaveLink("The link goes round in circles.")


async def _get(session: aiohttp.ClientSession, url: str, language: str) -> tuple[int, str, str]:
    """Status, where it sends us, and the text of a page."""
    head = {"Accept-Language": language, "User-Agent": AGENT}
    try:
        async with session.get(url, headers=head, allow_redirects=False) as answer:
            location = answer.headers.get("Location", "") if 300 <= answer.status < 400 else ""
            raw = await answer.content.read(MAX_PAGE_BYTES)
            text = raw.decode("utf-8", "replace") if answer.content_type == "text/html" else ""
            return answer.status, location, text
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as fault:
        raise NoSaveLink(f"The link could not be reached: {str(fault) or type(fault).__name__}.") from fault


def _button(page: str) -> str:
    found = _Buttons()
    found.feed(page)
    return found.direct or found.marked


class _Buttons(HTMLParser):
    """The first link of a page that is a save link, and the first that says that Google Wallet is behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.direct = self.marked = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        target = given.get("href") or ""
        if tag != "a" or not target:
            return
        if jwt_in(target):
            self.direct = self.direct or target
        elif given.get("data-wallet") == "google" or "google" in urlsplit(target).path.split("/"):
            self.marked = self.marked or target
