"""Owns the recovery code on the back of a card: its form, how forgivingly it is read, and where a card shows it.

Twelve characters of an alphabet without look-alikes (of 0 O Q, 1 I L, 2 Z, 5 S, 8 B and U V there is one at most),
written in three groups: 4KTA-9RCW-X6EH. That is 55 bits: with the limits on guesses nobody finds one, and people can
copy it from paper.
"""

from __future__ import annotations

from dataclasses import replace

from wallet_server.rules.passes.card import Card, altered

ALPHABET = "234679ACDEFGHJKMNPRTVWXY"
LENGTH = 12
GROUP = 4
MAX_TEXT = 60
"""Longest text looked at, in characters."""

DETAIL = "recover_code"
"""Key of the entry on the back of a card that shows the code. The card that is stored holds `HIDDEN` there: a code is
no part of a card's fingerprint, and no table holds it in the clear."""
HIDDEN = "····-····-····"


def from_random(random: bytes) -> str:
    """A new code from at least 16 random bytes, in the form in which it is shown."""
    if len(random) < 16:
        raise ValueError("a recovery code needs 16 random bytes")
    number = int.from_bytes(random, "big")
    plain = ""
    for _ in range(LENGTH):
        number, place = divmod(number, len(ALPHABET))
        plain += ALPHABET[place]
    return shown(plain)


def shown(plain: str) -> str:
    """The twelve characters in groups, as people copy them."""
    return "-".join(plain[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def read(text: str) -> str | None:
    """The code that somebody typed, in the form in which it is shown; None when it cannot be one.

    Small letters, blanks, dots and dashes of any kind are forgiven.
    """
    if len(text) > MAX_TEXT:
        return None
    plain = "".join(character for character in text.upper() if character.isalnum())
    sound = len(plain) == LENGTH and all(character in ALPHABET for character in plain)
    return shown(plain) if sound else None


def lookup_key(code: str) -> str:
    """What is hashed to find the row of a code; never what a till's code is looked up by."""
    return f"recovery:{code}"


def revealed(card: Card, code: str | None) -> Card:
    """The card with its recovery code where the stored one hides it; without that entry when there is no code."""
    if all(detail.key != DETAIL for detail in card.details):
        return card
    details = (
        replace(detail, text=dict.fromkeys(detail.text, code)) if code and detail.key == DETAIL else detail
        for detail in card.details
        if code or detail.key != DETAIL
    )
    return altered(card, details=tuple(details))
