"""Owns passwords: argon2id, what is too weak, and an equal time for those who do not exist."""

from __future__ import annotations

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHash

from wallet_server.errors import Invalid

FEWEST_CHARACTERS, MOST_CHARACTERS = 10, 200
_AT_ONCE = threading.BoundedSemaphore(4)
"""Each check takes 64 MiB for a moment; more at once would let strangers fill the memory."""
_hasher = PasswordHasher()
# Of a password that nobody knows: whoever does not exist is refused in the same time as who mistypes.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$bm9ib2R5bm9ib2R5bm9ib2R5$vQ8Oc0Ik4ZC4mcm0Ty0hKmYcG4Oe5nX0WvZkWc7bLQE"


def hashed(password: str) -> str:
    """For storage."""
    with _AT_ONCE:
        return _hasher.hash(_normal(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether this is the password; takes as long when there is none stored."""
    known = stored is not None
    with _AT_ONCE:
        try:
            return _hasher.verify(stored or _NOBODY, _normal(password)[:MOST_CHARACTERS]) and known
        except (Argon2Error, InvalidHash):
            return False


def outdated(stored: str) -> bool:
    """Whether it was made with parameters that are no longer ours."""
    return _hasher.check_needs_rehash(stored)


def check(password: str, email: str) -> None:
    """Raises `Invalid` (`weak-password`) with the reason."""
    plain = _normal(password)
    if not FEWEST_CHARACTERS <= len(plain) <= MOST_CHARACTERS:
        raise Invalid(f"A password has at least {FEWEST_CHARACTERS} characters.", code="short-password")


def _normal(password: str) -> str:
    # A phone and a desktop may send the same é as one character or as two.
    return unicodedata.normalize("NFC", password)
