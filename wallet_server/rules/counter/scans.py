"""Owns what a till makes of what was scanned or typed: in which of the ways to write a card's code it is written, whose
it is by its own mark, and how it would be found. Nothing is looked up here: a stranger's card is known by its mark.
"""

from __future__ import annotations

from dataclasses import dataclass

from wallet_server.errors import Invalid, NotFound
from wallet_server.rules.counter import codes, short_codes
from wallet_server.rules.counter.codes import MAX_TEXT, TEST_MARK, Code
from wallet_server.rules.counter.short_codes import Short


@dataclass(frozen=True)
class Key:
    """How the row of a code is found: by its `text`, hashed; `short` where that is of the short form."""

    text: str
    short: bool = False


@dataclass(frozen=True)
class Scan:
    """What was scanned: where it may be found, the likeliest first. `code` is there for the full form. Whoever types at
    random may hit what is `guessable`. `unknown` and `said` are the refusal where nothing is found. `counts`: if it is
    not found, it was a guess; a product that was scanned in the place of a card was none."""

    keys: tuple[Key, ...]
    code: Code | None = None
    guessable: bool = False
    counts: bool = False
    unknown: bool = True
    said: str = "This card is not known here."


def read(text: str, mark: str, *, live: bool = True) -> Scan:
    """What this is at a till of the account of this mark, which trades (`live`) or tries things out.

    Raises `Invalid` (`unreadable-code`) and `NotFound` (`other-merchant`, `test-card`).
    """
    if len(text) > MAX_TEXT or not text.isascii():
        raise codes.unreadable("This is not the code of a loyalty card. Scan the code on the card.")
    try:
        code = codes.read(text)
    except Invalid as refusal:
        return _of_another_form(text, mark, refusal, live=live)
    demand_own(code.issuer, mark, live=live)
    return Scan((Key(codes.lookup_key(code)),), code)


def _of_another_form(text: str, mark: str, refusal: Invalid, *, live: bool) -> Scan:
    """What is no full code, for the reason that `refusal` gives."""
    short = short_codes.read_digits(text)
    if short is not None:
        demand_own(short.mark, mark, live=live)
        return Scan((Key(short_codes.short_key(short), short=True),), guessable=True, counts=True)
    found: list[Key] = []
    number = short_codes.read_manual(text)
    if number is not None:
        found.append(Key(short_codes.short_key(Short(mark.upper(), number)), short=True))
    plastic = short_codes.plastic_number(text)
    # Old cards bear numbers of any kind, those of articles too: which of them are cards is for the books to say.
    if number is None and (plastic is None or "." in text):
        raise refusal
    if plastic is not None:
        found.append(Key(short_codes.plastic_key(mark, plastic)))
    counts = not codes.is_product(plastic or "")
    return Scan(tuple(found), None, True, counts, number is not None, _said(refusal, text, number))


def guessable(text: str) -> bool:
    """Whether this is no full code: what is looked up of it may be somebody's guess, and is counted."""
    return "." not in text


def demand_own(issuer: str, mark: str, *, live: bool = True) -> None:
    """Raises `NotFound`: `test-card` for the mark of a test account at a till that trades, `other-merchant` for any
    other but the caller's own."""
    if issuer == mark.upper():
        return
    if live and issuer.startswith(TEST_MARK):
        raise NotFound(
            "This is a test card; it is good for nothing at a till that trades.", code="test-card", field="code"
        )
    raise NotFound("This card belongs to another merchant.", code="other-merchant", field="code")


def _said(refusal: Invalid, text: str, number: int | None) -> str:
    if number is not None:
        return "No card of yours has this number; check what you typed."
    if short_codes.looks_manual(text):
        return "A character of the number is wrong; check what you typed."
    return refusal.sentence
