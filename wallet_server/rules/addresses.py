"""Owns web addresses as merchants write them, and the letters in which they travel."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from pydantic_core import Url

_TRAVELS = re.compile(r"https://[!#-;=?-~]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?|\[[0-9A-Fa-f:.]+\]")


@lru_cache(maxsize=1024)
def encoded(text: str) -> str | None:
    """A web address in letters that every vendor takes: its host in Punycode (RFC 5891), what is no ASCII
    percent-encoded (RFC 3986); unchanged where it is so already. None for what cannot be sent so."""
    if not is_web_address(text):
        return None
    try:
        url = Url(text)
    except ValueError:
        return None
    written = text if _TRAVELS.fullmatch(text) else str(url)
    return written if _NAME.fullmatch(url.host or "") and _TRAVELS.fullmatch(written) else None


def is_web_address(text: str) -> bool:
    """Whether this is a whole https address without a user's name."""
    try:
        parts = urlsplit(text)
        return parts.scheme == "https" and bool(parts.hostname) and parts.username is None and " " not in text
    except ValueError:
        return False
