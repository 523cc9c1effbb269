"""Owns the check of what a design makes for Google Wallet: every fault and every warning at once, before a phone does.

Classes and objects of specimen cards are composed as they are for members, and judged by the one list of limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from wallet_server.rules.passes.card import Alert, Card
from wallet_server.wallets.banner import MEASURING
from wallet_server.wallets.designs import Design
from wallet_server.wallets.google import classes, limits, objects
from wallet_server.wallets.google.limits import Broken, Kind
from wallet_server.wallets.google.objects import Pictures
from wallet_server.wallets.google.texts import Body
from wallet_server.wallets.port import Copy
from wallet_server.wallets.specimens import NOBODY, specimens

_ISSUER, _PROGRAMME, _SHOP, _FIRST_NAME = "3388000000000000000", "prog_specimen", "Boulangerie Martin", "Léa"
_PICTURE = "https://cards.example.com/asset/specimen.png"
_AT = datetime(2027, 1, 6, tzinfo=UTC)
_NEWS_DAYS = 30


@dataclass(frozen=True)
class Told:
    """One fault or warning; its path begins with the kind of body (`loyaltyObject.`). `states`: those of the specimens
    in which it was met."""

    fault: Broken
    states: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """With `faults` the cards of a design are put to Google by nobody; `warnings` forbid nothing."""

    faults: tuple[Told, ...]
    warnings: tuple[Told, ...]


def check(design: Design) -> Checked:
    """Everything that Google would refuse of this design's classes and objects, and what small phones cut of the texts
    that are the design's own."""
    faults: dict[Broken, list[str]] = {}
    warnings: dict[Broken, list[str]] = {}
    worded = {text for texts in design.labels.values() for text in texts.values()}
    for specimen in specimens(design):
        for kind, body in _bodies(specimen.card, specimen.alert, design):
            found = limits.faults(body, kind, _ISSUER)
            long = [] if found else [one for one in limits.warnings(body) if _text(body, one.path) in worded]
            for into, said in ((faults, found), (warnings, long)):
                for one in said:
                    states = into.setdefault(replace(one, path=f"{kind}.{one.path}"), [])
                    if specimen.state not in states:
                        states.append(specimen.state)
    return Checked(*(tuple(Told(one, tuple(states)) for one, states in told.items()) for told in (faults, warnings)))


def judge(card: Card, design: Design, issuer_name: str) -> tuple[list[Broken], list[Broken]]:
    """What Google would refuse of this card and of its class, and what small phones cut of their texts; the paths begin
    with the kind of body."""
    faults: dict[Broken, None] = {}
    warnings: dict[Broken, None] = {}
    for kind, body in _bodies(card, None, design, issuer_name):
        found = limits.faults(body, kind, _ISSUER)
        faults |= dict.fromkeys(replace(one, path=f"{kind}.{one.path}") for one in found)
        long = [] if found else limits.warnings(body)
        warnings |= dict.fromkeys(replace(one, path=f"{kind}.{one.path}") for one in long)
    return [*faults], [*warnings]


def _bodies(card: Card, alert: Alert | None, design: Design, issuer_name: str = _SHOP) -> Iterator[tuple[Kind, Body]]:
    vertical, drawing = objects.vertical_of(card, design), design.google.banner
    own = drawing == "stamps" or drawing in MEASURING
    pictures = Pictures(
        _PICTURE,
        _PICTURE if drawing is not None and not own else None,
        _PICTURE if design.google.picture is not None else None,
    )
    identifier = objects.class_id(_ISSUER, _PROGRAMME, card, design)
    yield (
        limits.kind(f"{vertical}Class"),
        classes.compose(
            card, design, identifier, issuer_name, pictures, callback_url="https://cards.example.com/google"
        ),
    )
    copy = Copy(card, alert, replace(NOBODY, pass_type=_ISSUER), _PROGRAMME, (), _FIRST_NAME)
    message = objects.news(card, design, _AT + timedelta(days=_NEWS_DAYS), notify=False)
    yield (
        limits.kind(f"{vertical}Object"),
        objects.compose(copy, design, _ISSUER, _AT, banner=_PICTURE if own else None, message=message),
    )


def _text(body: Any, path: str) -> str:
    """The text at the path of a warning, which ends in a language where it is a translation."""
    for part in path.split("."):
        if isinstance(body, list):
            body = body[int(part)]
        elif part in body:
            body = body[part]
        else:
            body = next(one["value"] for one in body["translatedValues"] if one["language"] == part)
    return str(body)
