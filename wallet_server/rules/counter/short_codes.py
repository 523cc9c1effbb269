"""Owns the short ways to write a card's code: digits for laser scanners, ten characters to type, and the numbers of old
cards of plastic.

A short code is 40 random bits, drawn for each issue of a card beside its reference; nothing signs it, so it says who
somebody is only to whoever can look it up. Digits name the account too, in 24 of them, which Code 128 packs in pairs:

    000123456789012345678942
    |                     |
    |                     check, ISO/IEC 7064 MOD 97-10
    mark of the account (30 bits) and number (40 bits), 22 digits; the first is 0 or 1, others are for later forms

What is typed is good at the account that types it: eight characters of Crockford base32 and two that check them,
written `4MJ8-K2V9-Q7`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wallet_server.rules.counter.codes import BASE32

DIGITS = 24
BITS = 40
_MARK_BITS = 30
_TYPED = 8
# The check is the number read as a polynomial at _BASE modulo the largest prime below 32**2: a wrong character differs
# by less than the modulus times a power of the base, a swap of neighbours by that times base minus 1, or, across the
# border to the check, by weight plus 32: none of these is a multiple of the prime. The tests prove it.
_PRIME, _BASE = 1021, 37
_CONFUSED = str.maketrans("OIL", "011")
_SEPARATORS = str.maketrans("", "", " -\t\r\n")
_MANUAL = re.compile(rf"[0-9A-HJKMNP-TV-Z]{{{_TYPED + 2}}}")
_PLASTIC = re.compile(r"[0-9A-Z]{4,40}")
_PLAIN_MARK = re.compile(r"[0-9A-HJKMNP-TV-Z]{6}")


@dataclass(frozen=True)
class Short:
    """What a short code says: the account's mark and the number."""

    mark: str
    number: int


def number_from_random(random: bytes) -> int:
    """The number of a new issue, from exactly 40 random bits (5 bytes)."""
    if len(random) != BITS // 8:
        raise ValueError("a short code needs exactly 5 random bytes")
    return int.from_bytes(random, "big")


def digits(short: Short) -> str:
    """The short code in digits. Raises ValueError for a mark or a number outside its form."""
    if not _PLAIN_MARK.fullmatch(short.mark) or not 0 <= short.number < 1 << BITS:
        raise ValueError("not a short code")
    mark = 0
    for character in short.mark:
        mark = mark << 5 | BASE32.index(character)
    whole = (mark << BITS | short.number) * 100
    return f"{whole + 98 - whole % 97:0{DIGITS}d}"


def read_digits(text: str) -> Short | None:
    """What digits say, blanks forgiven; None where they are no short code, or one of them is wrong."""
    plain = text.translate(_SEPARATORS)
    if len(plain) != DIGITS or not (plain.isascii() and plain.isdigit()) or int(plain) % 97 != 1:
        return None
    whole = int(plain[:-2])
    # The check digits go from 02 to 98: what is equal to one of them modulo 97 is none.
    if whole >> (_MARK_BITS + BITS) or not 2 <= int(plain[-2:]) <= 98:
        return None
    mark = whole >> BITS
    return Short("".join(BASE32[mark >> (5 * place) & 31] for place in reversed(range(6))), whole & (1 << BITS) - 1)


def manual(number: int) -> str:
    """The code to type, grouped for the eye. Raises ValueError for more than 40 bits."""
    if not 0 <= number < 1 << BITS:
        raise ValueError("not the number of a short code")
    plain = "".join(BASE32[number >> (5 * place) & 31] for place in reversed(range(_TYPED)))
    check = _check(plain)
    return f"{plain[:4]}-{plain[4:]}-{BASE32[check >> 5]}{BASE32[check & 31]}"


def read_manual(text: str) -> int | None:
    """The number that was typed. Lower case, blanks and hyphens, and O for 0, I or L for 1 are forgiven; None where it
    is no such code, or a character of it is wrong."""
    if not text.isascii():
        return None
    plain = text.upper().translate(_SEPARATORS).translate(_CONFUSED)
    if not _MANUAL.fullmatch(plain):
        return None
    check = BASE32.index(plain[-2]) << 5 | BASE32.index(plain[-1])
    if check != _check(plain[:_TYPED]):
        return None
    number = 0
    for character in plain[:_TYPED]:
        number = number << 5 | BASE32.index(character)
    return number


def looks_manual(text: str) -> bool:
    """Whether this is written as a code to type is, in three groups, whatever its check says."""
    parts = text.strip().upper().translate(_CONFUSED).replace(" ", "-").split("-")
    return [len(part) for part in parts] == [4, 4, 2] and bool(_MANUAL.fullmatch("".join(parts)))


def _check(plain: str) -> int:
    total = 0
    for character in plain:
        total = (total * _BASE + BASE32.index(character) + 1) % _PRIME
    return total * _BASE % _PRIME


def short_key(short: Short) -> str:
    """What is hashed to find the row of a short code, in whichever way it was written."""
    return f"{short.mark}#{short.number}"


def plastic_number(text: str) -> str | None:
    """The number of a card of plastic as it is kept: capital letters and digits, 4 to 40, without what is printed
    between them; None for what is no such number."""
    plain = text.upper().translate(_SEPARATORS).replace(".", "").replace("/", "") if text.isascii() else ""
    return plain if _PLASTIC.fullmatch(plain) else None


def plastic_key(mark: str, number: str) -> str:
    """What is hashed to find the row of a card of plastic (`codes.kind` `plastic`) within the account of this mark;
    `number` as `plastic_number` gives it."""
    return f"{mark.upper()}!{number}"
