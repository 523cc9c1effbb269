"""Owns passwords: argon2id, what is too weak, and an equal time for those who do not exist."""

from __future__ import annotations

import functools
import hashlib
import threading
import unicodedata
from importlib import resources

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHash

from wallet_server.errors import Invalid, Unavailable

FEWEST_CHARACTERS, MOST_CHARACTERS = 10, 200
FEWEST_DIFFERENT = 4
WAIT_SECONDS = 5
_AT_ONCE = threading.BoundedSemaphore(4)
"""Each check takes 64 MiB for a moment; more at once would let strangers fill the memory."""
_hasher = PasswordHasher()
# Of a password that nobody knows: whoever does not exist is refused in the same time as who mistypes.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$HkyEXA+nrDTUdquwDt4TTg$izp3zPQTwXtCkk/qzRz9mmFwDEEjUj3ZD/w9orjAMks"


def hashed(password: str) -> str:
    """For storage. Raises `Unavailable`, as does `matches`, when too many wait."""
    with _Turn():
        return _hasher.hash(_normal(password))


def matches(stored: str | None, password: str) -> bool:
    """Whether this is the password; takes as long when there is none stored."""
    with _Turn():
        try:
            _hasher.verify(stored or _NOBODY, _normal(password)[:MOST_CHARACTERS])
        except (Argon2Error, InvalidHash):
            return False
    return stored is not None


class _Turn:
    def __enter__(self) -> None:
        if not _AT_ONCE.acquire(timeout=WAIT_SECONDS):
            raise Unavailable("Many people are signing in; please try again in a moment.")

    def __exit__(self, *_: object) -> None:
        _AT_ONCE.release()


def outdated(stored: str) -> bool:
    """Whether it was made with parameters that are no longer ours."""
    return _hasher.check_needs_rehash(stored)


def check(password: str, email: str) -> None:
    """Raises `Invalid` (`short-password`, `common-password`, `own-password`) for what others would guess."""
    plain = _normal(password)
    if not FEWEST_CHARACTERS <= len(plain) <= MOST_CHARACTERS:
        raise Invalid(
            f"A password has from {FEWEST_CHARACTERS} to {MOST_CHARACTERS} characters; three words make a good one.",
            code="short-password",
            field="password",
        )
    folded = plain.casefold()
    core = folded.strip("0123456789!?.,;:-_*#@+ ")
    if len(set(folded)) < FEWEST_DIFFERENT or not core or _is_common(folded) or _is_common(core):
        raise Invalid("Many people use this password; choose another.", code="common-password", field="password")
    name = email.casefold().partition("@")[0]
    if email.casefold() in folded or (len(name) >= 4 and name in folded):
        raise Invalid("The password contains your address; choose another.", code="own-password", field="password")


def _is_common(text: str) -> bool:
    return hashlib.sha256(text.encode()).hexdigest()[:16] in _common()


@functools.cache
def _common() -> frozenset[str]:
    """The passwords that are used most, and what they are made of: the beginnings of their SHA-256, as many of them are
    nothing to read. Those of digits alone need no list."""
    file = resources.files("wallet_server.actions.staff").joinpath("common_passwords.sha256")
    return frozenset(file.read_text("ascii").split())


def _normal(password: str) -> str:
    # A phone and a desktop may send the same é as one character or as two.
    return unicodedata.normalize("NFC", password)
