"""Owns the one thing that a cashier is told to say or do for whoever stands there: nobody reads a list with a queue
waiting.

What a person of the shop may give comes first where the shop wrote it for this very moment, or for members like this
one; what it lets its people give at any time is theirs to think of. Then comes what would be lost soon; then what can
be had now; then what is only worth mentioning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from wallet_server.rules import sentences
from wallet_server.rules.counter import gestures
from wallet_server.rules.days import day_text
from wallet_server.rules.passes.card import Texts
from wallet_server.rules.passes.stamps import Chance
from wallet_server.rules.programme.gesture_parts import Gesture
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.programme.program_parts import Deal

Kind = Literal["gesture", "voucher", "reward", "deal", "near"]

SOON = timedelta(days=7)
"""A voucher that ends within this is spoken of before a reward, which waits."""
NEAR = 5
"""A reward is near when no more than one part in so many of its price is missing."""

_SAID: Mapping[str, Texts] = {
    "ends": {"fr": "Bon à utiliser jusqu’au {day}\u00a0: {name}.", "en": "A voucher to use by {day}: {name}."},
    "voucher": {"fr": "Bon à utiliser\u00a0: {name}.", "en": "A voucher to use: {name}."},
    "reward": {"fr": "Peut déjà recevoir\u00a0: {name}.", "en": "Can have now: {name}."},
    "near": {"fr": "À dire\u00a0: {name}.", "en": "Say: {name}."},
    "deal": {"fr": "Offre en cours\u00a0: {name}.", "en": "On offer now: {name}."},
}


@dataclass(frozen=True)
class Ticket:
    """A voucher as far as a prompt tells of it: its title, and its last day by the store's calendar, if it has one."""

    id: str
    title: Texts
    last_day: date | None


@dataclass(frozen=True)
class Open:
    """All that is open to a member now, each in the order in which it is to be named."""

    gestures: Sequence[Gesture] = ()
    vouchers: Sequence[Ticket] = ()
    rewards: Sequence[Chance] = ()
    deals: Sequence[Deal] = ()


@dataclass(frozen=True)
class Said:
    """What to say: of which kind, about which gesture, voucher, reward or deal."""

    kind: Kind
    id: str
    sentence: str


def first(open_: Open, programme: Programme, today: date, language: str) -> Said | None:
    """The one prompt; None where there is nothing to say. `today` is the store's."""
    return next(_all(open_, programme, today, sentences.spoken(language)), None)


def _all(open_: Open, programme: Programme, today: date, tongue: str) -> Iterator[Said]:
    meant = [one for one in open_.gestures if one.when or one.after]
    meant += [one for one in open_.gestures if one.tiers and one not in meant]
    for gesture in meant:
        yield Said("gesture", gesture.id, gestures.sentence(gesture, programme, tongue))
    dated = [(one.last_day, one) for one in open_.vouchers if one.last_day is not None]
    ending = sorted((one for one in dated if one[0] <= today + SOON), key=lambda one: one[0])
    for day, one in ending:
        yield Said("voucher", one.id, _said("ends", _named(one.title, tongue), tongue, day))
    ready = [one.reward for one in open_.rewards if one.ready]
    # The dearest is what they saved for.
    for reward in sorted(ready, key=lambda one: -one.cost.units):
        yield Said("reward", reward.code, _said("reward", sentences.reward_name(reward, programme, tongue), tongue))
    for one in open_.vouchers:
        yield Said("voucher", one.id, _said("voucher", _named(one.title, tongue), tongue))
    near = [one for one in open_.rewards if 0 < one.missing * NEAR <= one.reward.cost.units]
    for chance in sorted(near, key=lambda one: one.missing):
        said = sentences.progress_sentence(chance.reward, chance.missing, programme, tongue)
        yield Said("near", chance.reward.code, _said("near", said, tongue))
    for deal in open_.deals:
        yield Said("deal", deal.id, _said("deal", _named(deal.names, tongue), tongue))


def _said(what: str, name: str, tongue: str, day: date | None = None) -> str:
    return _SAID[what][tongue].format(name=name, day="" if day is None else day_text(day, tongue))


def _named(texts: Texts, tongue: str) -> str:
    return texts.get(tongue) or next(iter(texts.values()))
