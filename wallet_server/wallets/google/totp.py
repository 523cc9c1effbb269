"""Owns the rotating barcode: a code that changes every thirty seconds, made by the phone and checked at the till.

RFC 6238 with SHA-1 (Google Wallet knows no other): the phone replaces `{totp_value_0}` in the pattern. The secret comes
from the token of the pass, which is kept sealed, and is never stored by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime

from wallet_server.wallets.port import Identity

PERIOD_SECONDS = 30
DIGITS = 8
WINDOW = 1
"""Periods before and after the present one that are still taken: clocks differ, and hands are slow."""

_PURPOSE = b"rotating barcode"
_MARK = "*"
_ROTATED = re.compile(rf"(?s)(.+)\*([0-9]{{{DIGITS}}})")


def secret(identity: Identity) -> bytes:
    """The 20 bytes that a pass shares with its till, the same for all its life."""
    said = _PURPOSE + b"\0" + identity.serial.encode()
    return hmac.new(identity.token.encode(), said, hashlib.sha256).digest()[:20]


def pattern(code: str) -> str:
    """What the phone shows: the code of the card, and a number. Stays within the alphanumeric mode of QR codes."""
    return f"{code}{_MARK}{{totp_value_0}}"


def split(scanned: str) -> tuple[str, str | None]:
    """The code of the card and the number of the moment; None for one without."""
    found = _ROTATED.fullmatch(scanned.strip())
    return (found[1], found[2]) if found else (scanned, None)


def value(secret: bytes, counter: int, digits: int = DIGITS) -> str:
    """RFC 4226, 5.3."""
    made = hmac.new(secret, counter.to_bytes(8, "big"), hashlib.sha1).digest()
    start = made[-1] & 15
    number = int.from_bytes(made[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def verify(code: str, secret: bytes, at: datetime, last_counter: int | None) -> int | None:
    """The counter of the period whose number this is, to be kept as the next `last_counter`; None for a number that is
    wrong, too old or too new, or not after `last_counter`: no number is good for anybody once it was used."""
    if len(code) != DIGITS or not code.isascii() or not code.isdigit():
        return None
    present = int(at.timestamp()) // PERIOD_SECONDS
    for counter in range(present - WINDOW, present + WINDOW + 1):
        if counter >= 0 and hmac.compare_digest(value(secret, counter), code):
            return counter if last_counter is None or counter > last_counter else None
    return None
