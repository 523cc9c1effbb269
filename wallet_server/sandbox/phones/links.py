"""Owns where a link leads that somebody taps on a phone: to a pass, to several in one file, or to a page that has a
button to add them."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from wallet_server.sandbox.passes import Trust, open_bundle, open_pass
from wallet_server.sandbox.phones.webservice import Answer, WebClient

PASS = "application/vnd.apple.pkpass"  # noqa: S105 - a media type
BUNDLE = "application/vnd.apple.pkpasses"
PAGE = "text/html"
_ENDINGS = {PASS: ".pkpass", BUNDLE: ".pkpasses"}
MAX_PAGE_BYTES = 1024 * 1024


class LinkRefused(Exception):
    """There was no pass behind the link; `came` says what came instead."""

    def __init__(self, came: str) -> None:
        super().__init__(f"The link did not answer with a pass but with: {came}.")
        self.came = came


async def fetch_pass(web: WebClient, url: str, language: str) -> bytes:
    """The pass behind a link. On a page, the first link to a pass is tapped, once. Raises LinkRefused."""
    return (await _fetch(web, url, language, (PASS,))).body


async def fetch_passes(web: WebClient, url: str, language: str, trust: Trust) -> list[bytes]:
    """The same for a phone that takes several passes in one file too. Raises LinkRefused, and PassRefused for a bundle
    that is none, or of which one pass is refused: nothing says that iOS adds the others."""
    answer = await _fetch(web, url, language, (PASS, BUNDLE))
    files = [answer.body] if _kind(answer) == PASS else open_bundle(answer.body)
    for raw in files[1:]:
        open_pass(raw, trust)
    return files


async def _fetch(web: WebClient, url: str, language: str, kinds: tuple[str, ...]) -> Answer:
    answer = await web.open(url, language)
    if answer.status == 200 and _kind(answer) == PAGE:
        answer = await web.open(_offered(answer, kinds), language)
    if answer.status != 200 or _kind(answer) not in kinds:
        raise LinkRefused(answer.reason if not answer.status else f"{answer.status} {_kind(answer)}".strip())
    return answer


def _kind(answer: Answer) -> str:
    return answer.headers.get("Content-Type", "").split(";")[0].strip()


def _offered(page: Answer, kinds: tuple[str, ...]) -> str:
    found = _Links(kinds)
    found.feed(page.body[:MAX_PAGE_BYTES].decode("utf-8", "replace"))
    if not found.passes:
        raise LinkRefused("200 text/html, a page that offers none")
    try:
        address = urljoin(page.url, found.passes[0])
        if urlsplit(address).scheme not in ("http", "https"):
            raise ValueError
    except ValueError as fault:
        raise LinkRefused("200 text/html, a page whose link to it is none") from fault
    return address


class _Links(HTMLParser):
    """The links of a page that say, by type or by name, that a pass is behind them."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        super().__init__()
        self._kinds = kinds
        self._endings = tuple(_ENDINGS[kind] for kind in kinds)
        self.passes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        target = given.get("href") or ""
        named = target.partition("#")[0].partition("?")[0].endswith(self._endings)
        if tag == "a" and target and (named or given.get("type") in self._kinds):
            self.passes.append(target)
