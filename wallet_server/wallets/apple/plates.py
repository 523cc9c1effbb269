"""Owns the plates: cards that differ in a few values alone are printed from one that was composed and checked whole.

After a sale, or in a mass change, thousands of passes differ in who holds them, a balance, a sentence and some links.
The first such card goes the whole way (`fields`, `rules`, `strings`); the second too, and leaves a plate: its files
with gaps where those values stand. Whatever follows is printed from it, as long as each value has a form that every
rule allows and that no escape would change; any other card goes the whole way. A test holds both ways equal, byte for
byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import NamedTuple

import orjson

from wallet_server.rules.passes.card import Alert, Card, Texts
from wallet_server.rules.people import recovering
from wallet_server.wallets.apple.features import formats_of
from wallet_server.wallets.apple.fields import progress, shows_progress
from wallet_server.wallets.apple.strings import Phrases
from wallet_server.wallets.designs import Design
from wallet_server.wallets.drawing import Kept
from wallet_server.wallets.port import Identity

Files = list[tuple[str, bytes]]

_MOST_INTEGER = 2**53 - 1
# What `rules` allows for a serial number, a token and what a reader without contact is told; and for a code in any
# two-dimensional format, and what is written under it.
_SECRET = re.compile(r"[A-Za-z0-9._~-]{16,64}")
_CODE = re.compile(r"[A-Za-z0-9._~-]{10,200}")
_LINK = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.:/_~?=-]{0,400}")
# No control, quote, backslash or half of a pair, which are escaped or refused; no per cent sign, which a message about
# a change cannot hold; no zero-width space, by which `strings` tells like texts apart.
_TEXT = re.compile('[^\x00-\x1f"\\\\%\x7f\u200b\ud800-\udfff\ufffe\uffff]{1,300}')
_ANY_TEXT = frozenset(("qr", "aztec", "pdf417"))
"""Formats that hold every code: which of the others a card offers depends on the code."""
_BALANCE = 5
"""Where the balance stands among the values, behind serial number, token, and the code in three ways: alone it is a
number."""
_MARK, _MARKED = "zqx{:03}xqz", re.compile("zqx([0-9]{3})xqz")
_NUMBER, _SMALL = 8_070_605_040_302_010, 987
"""Stand where a number will: one that no card holds, within what JSON carries exactly, and a small one."""


class Outline(NamedTuple):
    """A card without the values that differ from member to member, as a key; and those values, in a fixed order."""

    key: bytes
    values: list[str]


def outline(card: Card, alert: Alert | None, identity: Identity, design: Design, *others: object) -> Outline | None:
    """None where one of the values is not of a plain form, or the design shows more of them than can be told. `others`
    is what else makes two passes different."""
    languages = card.languages or design.languages
    texts, links = _texts(card, design, languages), [detail.link for detail in card.details if detail.link is not None]
    named = [identity.serial, identity.token, identity.brief, identity.code, identity.said]
    values = [*named, str(card.balance.value), *links]
    said = [one.get(language, "") for one in texts for language in languages]
    if not (
        all(map(_SECRET.fullmatch, named[:3]))
        and all(map(_CODE.fullmatch, named[3:]))
        and all(map(_LINK.fullmatch, links))
        and all(map(_TEXT.fullmatch, said))
        and -_MOST_INTEGER <= card.balance.value <= _MOST_INTEGER
        # Two texts that read alike share a line, or are told apart: another pass than the plate's.
        and len({*links, *said[:: len(languages)]}) == len(links) + len(texts)
        and _ANY_TEXT.issuperset(formats_of(card, design))
    ):
        return None
    values += said
    told = _rest(card), [_alike(one, languages) for one in texts], design.name, design.version, alert, *others
    try:
        return Outline(orjson.dumps(told, default=dict), values)
    except (TypeError, ValueError):  # a text that is none, a number beyond 64 bits: the rules name it
        return None


def _texts(card: Card, design: Design, languages: tuple[str, ...]) -> list[Texts]:
    """The texts that differ from member to member."""
    found = [] if card.gauge is None else [card.gauge.sentence]
    if card.gauge is not None and shows_progress(design):
        found.append(progress(card.gauge, languages))
    if card.stamps is not None:
        found.append(card.stamps.sentence)
    return found + [one.text for one in card.details if one.key == recovering.DETAIL and one.link is None]


def _alike(texts: Texts, languages: Sequence[str]) -> bool:
    """A text that is the same in every language has no line in the strings files."""
    return len({texts.get(language) for language in languages}) == 1


def _rest(card: Card) -> dict[str, object]:
    rest: dict[str, object] = dict(vars(card))
    balance, gauge, stamps = card.balance, card.gauge, card.stamps
    # An amount of money is written in two ways: it stays a part of what is told apart.
    amount = None if balance.iso is None else balance.value
    rest["balance"] = balance.key, balance.label, balance.iso, balance.exponent, amount
    if gauge is not None:
        rest["gauge"] = gauge.label, gauge.goal
    if stamps is not None:
        rest["stamps"] = stamps.filled, stamps.total, stamps.label
    rest["details"] = [
        (one.key, one.label, None if one.key == recovering.DETAIL and one.link is None else one.text, one.link is None)
        for one in card.details
    ]
    return rest


def _marked(card: Card, identity: Identity, design: Design) -> tuple[Card, Identity, list[tuple[str, str]]]:
    """The same card with a mark in the place of each value, numbered in the order of `outline`; and what stands for the
    values that can hold no mark, with the mark of each."""
    languages = card.languages or design.languages
    marks = map(_MARK.format, range(1000))
    serial, token, digits, code, typed, balance = (next(marks) for _ in range(_BALANCE + 1))
    details = [one if one.link is None else replace(one, link=next(marks)) for one in card.details]
    stands = [(str(_NUMBER), balance)]

    def mark(texts: Texts) -> Mapping[str, str]:
        said = {language: next(marks) for language in languages}
        return dict.fromkeys(languages, said[languages[0]]) if _alike(texts, languages) else said

    marked = card if card.balance.iso else replace(card, balance=replace(card.balance, value=_NUMBER))
    if card.gauge is not None:
        # Below a thousand there is nothing to group, and all languages write it alike.
        value = _SMALL if _alike(progress(card.gauge, languages), languages) else _NUMBER
        gauge = replace(card.gauge, value=value, sentence=mark(card.gauge.sentence))
        marked = replace(marked, gauge=gauge)
        if shows_progress(design):
            said = progress(gauge, languages)
            stands += {text: marked for marked, text in zip(mark(said).values(), said.values(), strict=True)}.items()
    if card.stamps is not None:
        marked = replace(marked, stamps=replace(card.stamps, sentence=mark(card.stamps.sentence)))
    details = [
        replace(one, text=mark(one.text)) if one.key == recovering.DETAIL and one.link is None else one
        for one in details
    ]
    holder = replace(identity, serial=serial, token=token, code=code, typed=typed, digits=digits)
    return replace(marked, details=tuple(details)), holder, stands


_ENCODINGS = "utf-8", "utf-16-be"


class _Cut(NamedTuple):
    """One file with gaps, as `%` fills them, and what picks its values."""

    name: str
    encoding: str
    form: bytes
    picked: Callable[[Sequence[bytes]], tuple[bytes, ...]]


class Plate:
    """The files of a pass, with gaps for the values of an outline."""

    def __init__(self, files: Files, phrases: Phrases, stands: Sequence[tuple[str, str]]) -> None:
        """`stands` are values that can hold no mark, and the mark of each."""
        self._cuts = [_cut(name, content, stands) for name, content in files]
        # A value that reads like a text of the card would share its line.
        marked = {text for text, _ in stands}
        self._taken = frozenset(one for one in phrases.shown("") if not _MARKED.search(one) and one not in marked)
        self._linked = any(key.startswith("<a ") for key in self._taken)  # so would a link

    def printed(self, values: Sequence[str]) -> Files | None:
        """The files of the pass with these values; None where one of them reads like something else on the card."""
        if self._linked or not self._taken.isdisjoint(values):
            return None
        written = {encoding: [value.encode(encoding) for value in values] for encoding in _ENCODINGS}
        return [(name, form % picked(written[encoding])) for name, encoding, form, picked in self._cuts]


def _cut(name: str, content: bytes, stands: Sequence[tuple[str, str]]) -> _Cut:
    encoding = _ENCODINGS[name != "pass.json"]
    text = content.decode(encoding)
    for stand, mark in stands:
        text = text.replace(stand, mark)
    pieces = _MARKED.split(text)  # every second one is the number of a mark
    form = b"%b".join(piece.encode(encoding).replace(b"%", b"%%") for piece in pieces[::2])
    return _Cut(name, encoding, form, _picker([int(number) for number in pieces[1::2]]))


def _picker(numbers: Sequence[int]) -> Callable[[Sequence[bytes]], tuple[bytes, ...]]:
    """What picks these of the values, in compiled code; that gives a tuple only where they are several."""
    if len(numbers) > 1:
        return itemgetter(*numbers)
    return lambda values: tuple(values[number] for number in numbers)


class _Seen:
    """How often a kind of card came, and its plate once there is one."""

    def __init__(self) -> None:
        self.times = 0
        self.plate: Plate | None = None


Compose = Callable[[Card, Identity], tuple[Files, Phrases]]
"""Composes and writes a pass without checking it."""


class Plates:
    """The plates of the last `limit` kinds of card, some 20 KB each; shared by all threads."""

    def __init__(self, limit: int) -> None:
        self._seen: Kept[bytes, _Seen] = Kept(limit)

    def printed(self, found: Outline) -> Files | None:
        """The files of this pass, if there is a plate for it."""
        seen = self._seen.get(found.key, _Seen)
        return None if seen.plate is None else seen.plate.printed(found.values)

    def learn(
        self, found: Outline, card: Card, identity: Identity, design: Design, files: Files, compose: Compose
    ) -> None:
        """A pass that was made the whole way and has no fault. A plate is made when its kind comes a second time: a
        card with a word for its holder alone never does. One that does not print this very pass is not kept."""
        seen = self._seen.get(found.key, _Seen)
        seen.times += 1
        if seen.times == 2:
            marked, holder, stands = _marked(card, identity, design)
            plate = Plate(*compose(marked, holder), stands)
            if plate.printed(found.values) == files:
                seen.plate = plate
