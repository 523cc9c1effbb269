"""Owns how the value of a setting is read: each reader takes a text and raises `ValueError` with what it must be."""

from __future__ import annotations

import base64
from collections.abc import Callable
from string import hexdigits
from urllib.parse import urlsplit

MOST_PAPERS = 256 * 1024
LEAST_SECRET = 20
SHA256_DIGITS = 64


def whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"must be from {low} to {high}")
        return value

    return read


def seconds(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError(f"must be from {low} to {high} seconds")
        return value

    return read


def one_of(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return text

    return read


def papers(given: str | bytes) -> bytes:
    """A certificate or a key: PEM as it is, DER out of a file as it is, anything else in base64."""
    raw = given.encode() if isinstance(given, str) else given
    if len(raw) > MOST_PAPERS:
        raise ValueError(f"must be at most {MOST_PAPERS // 1024} KiB")
    if b"-----BEGIN" in raw or (isinstance(given, bytes) and raw[:1] == b"\x30"):
        return raw
    try:
        return base64.b64decode(b"".join(raw.split()), validate=True)
    except ValueError as fault:
        raise ValueError("must be PEM, DER in a file, or base64") from fault


def fingerprints(text: str) -> tuple[str, ...]:
    found = [one.replace(":", "").lower() for one in text.replace(",", " ").split()]
    if not all(len(one) == SHA256_DIGITS and set(one) <= set(hexdigits) for one in found):
        raise ValueError(
            f"must be SHA-256 fingerprints, of {SHA256_DIGITS} hexadecimal digits each, such as "
            "`openssl x509 -noout -fingerprint -sha256` prints behind the equals sign"
        )
    return tuple(dict.fromkeys(found))


def long_secret(text: str) -> str:
    if len(text) < LEAST_SECRET:
        raise ValueError(f"must have at least {LEAST_SECRET} characters, such as `openssl rand -hex 32` prints")
    return text


def address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an address such as https://cards.example.com")
    return text.rstrip("/")


def mailbox(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if not local or "." not in domain or any(one.isspace() or one in '<>",' for one in text):
        raise ValueError("must be an address such as cards@example.com, without a name")
    return text


def short_sender(text: str) -> str:
    number = text.removeprefix("+")
    if not (text.isascii() and ((text.isalnum() and len(text) <= 11) or (number.isdigit() and len(number) <= 15))):
        raise ValueError("must be up to 11 letters and digits, or a number")
    return text


def region(text: str) -> str:
    if len(text) != 2 or not (text.isascii() and text.isupper()):
        raise ValueError("must be two capital letters, such as FR")
    return text


def database_address(text: str) -> str:
    if text.startswith(("postgres://", "postgresql://")):
        return "postgresql+psycopg://" + text.split("://", 1)[1]
    if not text.startswith(("postgresql+psycopg://", "sqlite:///")):
        raise ValueError("must start with postgresql:// or sqlite:///")
    return text
