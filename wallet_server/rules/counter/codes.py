"""Owns the code on the card: its written form, its check characters, its signature, and reading what a scanner or a
cashier gives.

Form 1, in characters of QR's alphanumeric mode (ISO/IEC 18004), so that a symbol stays small:

    L1.7K3QZD.0.4MJ8K2V9QH0TXW3E.1..CCCC
    |  |      | |                | ||
    |  |      | |                | |check, 4 characters
    |  |      | |                | signature, 103 characters, empty while key id is 0
    |  |      | |                issue number of the card, from 1
    |  |      | reference of the card, 80 random bits
    |  |      id of the signing key, 1 or 2 characters, 0 = unsigned
    |  public mark of the account that issued it
    format version

All parts after the first are Crockford base32 (no I, L, O, U). A form that was ever printed is read for ever:
`_READERS` only grows.

The signature is Ed25519 (RFC 8032) over the ASCII text of the first five parts, with the dots between them: of the
common schemes it has the shortest signature for its strength, and whoever verifies needs the public key alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import mul

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wallet_server.errors import Invalid

MAX_TEXT = 200
"""Longest text looked at, in characters; more is not a code of ours, whatever it is."""

UNSIGNED = "0"
"""The key id of a code without signature."""

BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_CONFUSED = str.maketrans("OIL", "011")
_CHECK_LENGTH = 4
_SIGNATURE_BYTES, _SIGNATURE_LENGTH = 64, 103
# Python reads base 32 with the digits of RFC 4648, 7; the order of the two alphabets is the same.
_TO_DIGITS = str.maketrans(BASE32, "0123456789abcdefghijklmnopqrstuv")
MOST_KEYS_KEPT = 256
MOST_CODES_KEPT = 64
"""One request reads its code several times."""

# The check is the text read as a polynomial at _CHECK_BASE, modulo the largest prime below 32**4. A prime modulus
# catches every single wrong character (difference times a power of the base) and every swap of neighbours
# (difference times base minus 1). The base was chosen so that none of its first 200 powers is, up to sign, a quotient
# of two numbers below 46: thus any two wrong characters are caught as well. The tests prove all three.
_CHECK_PRIME = 1_048_573
_CHECK_BASE = 1_009
_POWERS = tuple(pow(_CHECK_BASE, place, _CHECK_PRIME) for place in range(256, 0, -1))
"""Of the base, down to the first: the last character of a text counts once."""
_DIGITS = bytes(_ALPHANUMERIC.find(chr(byte)) + 1 for byte in range(256))

_ISSUER = re.compile(r"[0-9A-HJKMNP-TV-Z]{6}")
_KEY_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{1,2}")
_REFERENCE = re.compile(r"[0-9A-HJKMNP-TV-Z]{16}")
_ISSUE = re.compile(r"[1-9][0-9]{0,8}")
_SIGNATURE = re.compile(r"[0-9A-HJKMNP-TV-Z]{0,150}")
_ARTICLE_LENGTHS = (8, 12, 13, 14)
_FIRST = re.compile(r"1([1-9][0-9]{0,2})")
"""The letter L and the version, after L was taken for 1."""


@dataclass(frozen=True)
class Code:
    """What a code says. `issuer` is public; `reference` is known to the card's owner and to tills alone."""

    version: str
    issuer: str
    key_id: str
    reference: str
    issue: int
    signature: str


def first(issuer_mark: str, reference: str) -> Code:
    """The first issue of a card's code, not signed yet."""
    return Code("1", issuer_mark, UNSIGNED, reference, 1, "")


def write(code: Code) -> str:
    """The canonical text of a code. Raises ValueError for a field outside its form or a version we do not write."""
    parts = (code.issuer, code.key_id, code.reference, str(code.issue), code.signature)
    if code.version != "1" or not _well_formed(parts):
        raise ValueError("not a code of format 1")
    body = ".".join(("L1", *parts))
    return f"{body}.{_check(body)}"


@lru_cache(MOST_CODES_KEPT)
def read(text: str) -> Code:
    """Reads a scanned or typed code of any format ever issued.

    Lower case, blanks anywhere, and O for 0, I or L for 1 are forgiven. Raises Invalid with code `unreadable-code`.
    """
    if len(text) > MAX_TEXT or not text.isascii():
        raise unreadable("This is not the code of a loyalty card. Scan the code on the card.")
    plain = "".join(text.split()).upper().translate(_CONFUSED)
    first, _, rest = plain.partition(".")
    version = _FIRST.fullmatch(first)
    if is_product(plain):
        raise unreadable("This is the barcode of a product, not a card. Scan the code on the card.")
    if version is None or not rest:
        raise unreadable("This is not the code of a loyalty card. Scan the code on the card.")
    reader = _READERS.get(version[1])
    if reader is None:
        raise unreadable("This code is of a newer format than this server reads. Update the server.")
    return reader(rest)


def signed_bytes(code: Code) -> bytes:
    """What the signature of a code is made over."""
    return f"L1.{code.issuer}.{code.key_id}.{code.reference}.{code.issue}".encode()


def under(code: Code, key: str) -> Code:
    """The code as the key of this id is to sign it."""
    return replace(code, key_id=key, signature="")


def with_signature(code: Code, signature: bytes) -> Code:
    """The code with the 64 bytes that its key made over `signed_bytes`."""
    if len(signature) != _SIGNATURE_BYTES or code.key_id == UNSIGNED:
        raise ValueError("a signed code names its key and has an Ed25519 signature, of 64 bytes")
    return replace(code, signature=_base32(int.from_bytes(signature, "big"), _SIGNATURE_LENGTH))


def verify(code: Code, public_key: bytes) -> bool:
    """Whether the owner of this key (32 bytes, RFC 8032) signed the code. Which key that is, the code says: `key_id` of
    `issuer`. An unsigned code is signed by nobody."""
    if len(code.signature) != _SIGNATURE_LENGTH or code.signature[0] > "7":
        return False
    signature = int(code.signature.translate(_TO_DIGITS), 32).to_bytes(_SIGNATURE_BYTES, "big")
    try:
        _loaded(public_key).verify(signature, signed_bytes(code))
    except InvalidSignature:
        return False
    return True


@lru_cache(MOST_KEYS_KEPT)
def _loaded(public_key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public_key)


def key_id(number: int) -> str:
    """What the signing key of this number, counted from 1 for each account, is called in a code."""
    if not 1 <= number < 1024:
        raise ValueError("an account has at most 1023 keys")
    return _base32(number, 1 if number < 32 else 2)


def is_product(text: str) -> bool:
    """Whether this is the number of an article, as EAN-8, UPC-A, EAN-13 and GTIN-14 write it: its check digit fits
    (GS1 General Specifications, 7.9)."""
    if len(text) not in _ARTICLE_LENGTHS or not (text.isascii() and text.isdigit()):
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(text))) % 10 == 0


def lookup_key(code: Code) -> str:
    """What is hashed to find the row of a code; the same whatever key signed it and in whichever format it is written.

    So a code that was printed unsigned and its signed successor of the same issue are one row.
    """
    return f"{code.issuer}.{code.reference}.{code.issue}"


def same_issuer(code: Code, mark: str) -> bool:
    """Whether the code was issued under this account's mark; needs no look-up and so tells nothing about the card."""
    return code.issuer == mark.upper()


TEST_MARK = "T"
"""What the mark of an account that tries things out begins with, and that of none that trades: whoever reads a code
knows a test card by itself. Of accounts founded before there was this difference, nothing is said by it."""


def mark_from_random(random: bytes, *, test: bool = False) -> str:
    """A new account's public mark, 6 characters, from the first 30 of at least 32 random bits (4 bytes)."""
    if len(random) < 4:
        raise ValueError("a mark needs 4 random bytes")
    drawn = _base32(int.from_bytes(random[:4], "big") >> 2, 6)
    if test:
        return TEST_MARK + drawn[1:]
    return "S" + drawn[1:] if drawn.startswith(TEST_MARK) else drawn


def stem(text: str) -> str:
    """What stays the same of a card's code whichever issue is scanned: that of its first, unsigned. Of any other text,
    the text."""
    try:
        code = read(text)
    except Invalid:
        return text.strip().upper()
    return write(first(code.issuer, code.reference))


def reference_from_random(random: bytes) -> str:
    """A new card's reference, 16 characters, from exactly 80 random bits (10 bytes)."""
    if len(random) != 10:
        raise ValueError("a reference needs exactly 10 random bytes")
    return _base32(int.from_bytes(random, "big"), 16)


def _read_1(rest: str) -> Code:
    parts = rest.split(".")
    if len(parts) != 6 or not _well_formed(tuple(parts[:5])):
        raise unreadable("The code is incomplete or damaged. Scan it again, or type all of it.")
    body = ".".join(("L1", *parts[:5]))
    if parts[5] != _check(body):
        raise unreadable("A character of the code is wrong. Scan it again, or check what you typed.")
    issuer, key_id, reference, issue, signature = parts[:5]
    return Code("1", issuer, key_id, reference, int(issue), signature)


_READERS: dict[str, Callable[[str], Code]] = {"1": _read_1}
"""By format version, every one ever issued."""


def _well_formed(parts: tuple[str, ...]) -> bool:
    """Whether issuer, key id, reference, issue and signature have their form, and a signature exactly if a key."""
    forms = (_ISSUER, _KEY_ID, _REFERENCE, _ISSUE, _SIGNATURE)
    if not all(form.fullmatch(part) for form, part in zip(forms, parts, strict=True)):
        return False
    return (parts[1] == UNSIGNED) == (parts[4] == "")


def _check(body: str) -> str:
    digits = body.encode().translate(_DIGITS)
    return _base32(sum(map(mul, digits, _POWERS[-len(digits) :])) % _CHECK_PRIME, _CHECK_LENGTH)


def _base32(number: int, length: int) -> str:
    return "".join(BASE32[(number >> (5 * place)) & 31] for place in reversed(range(length)))


def unreadable(sentence: str) -> Invalid:
    """The refusal of what is no code, or a damaged one."""
    return Invalid(sentence, code="unreadable-code", field="code")
