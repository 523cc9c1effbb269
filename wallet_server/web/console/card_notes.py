"""Owns what is said of a card in the making: under the field that it is about, and in a list where there is no form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from wallet_server.actions.programme.designing import Preview, Wrong
from wallet_server.rules.passes.card_form import DEFAULTS
from wallet_server.rules.passes.fitting import short_form
from wallet_server.web.rendering import press

LATE = ("name_missing", "reward_missing", "tier_missing", "coupon_missing")
"""Faults of a form that is not filled in yet: told once somebody wanted to publish it, not from the first letter."""
HINTS = ("no_reward", "short_offer")
FIELDS = tuple(name for name in DEFAULTS if name not in ("bare", "interval", "tab"))
OFFER = "short_offer"
CUTS = ("apple_tier", "google_tier_cut", OFFER)
"""What is said of a tier's name that a wallet cuts, and the shorter one that is offered."""
TAKE = re.compile(r"short-(tier[123])_(fr|en)")
"""The button that takes such an offer, by the field of the whole name."""


def notes(drawn: Preview, tongue: str, checked: bool, refused: Wrong | None) -> dict[str, list[dict[str, Any]]]:
    """What is to be said under each field: faults first, in the words of the page. An offer `fills` another field with
    a `text`, at a tap (`do`)."""
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in FIELDS}
    faults = [one for one in drawn.reading.faults if checked or one.code not in LATE]
    found = [(one, True) for one in ([refused] if refused else []) + faults] + [(one, False) for one in drawn.warnings]
    for one, bad in found:
        kind = "fault" if bad else "hint" if one.code in HINTS else "warn"
        note = {"kind": kind, "bad": bad, "text": _text(one, tongue)}
        if one.code == OFFER:
            note |= {"do": f"short-{one.field}", "fills": _short(one.field), "with": one.values[0]}
        told.setdefault(one.field, []).append(note)
    return told


def _text(one: Wrong, tongue: str) -> str:
    said = press().words[tongue].designer
    text: str = said.of(f"faults.{one.code}", one.values[0] if one.values else one.code)
    return text.format(*one.values)


def _short(field: str) -> str:
    """The field of the short form of a tier's name: `tier2_short_fr` of `tier2_fr`."""
    tier, _, tag = field.partition("_")
    return f"{tier}_short_{tag}"


def taken(typed: dict[str, str], do: str) -> dict[str, str]:
    """The form with the short form that was offered, where that is what the button says."""
    found = TAKE.fullmatch(do)
    if found is None:
        return typed
    field = f"{found[1]}_{found[2]}"
    return {**typed, _short(field): short_form(typed[field])}


def cut(drawn: Preview, tongue: str) -> Iterator[tuple[str, list[str]]]:
    """The names of tiers that a wallet cuts, each with where that is and what would be short enough."""
    ladder = drawn.reading.programme.ladder
    for number, level in enumerate(ladder.levels if ladder else (), 1):
        for tag, name in level.names.items():
            field = f"tier{number}_{tag}"
            said = [_text(one, tongue) for one in drawn.warnings if one.field == field and one.code in CUTS]
            if said:
                yield name, said
