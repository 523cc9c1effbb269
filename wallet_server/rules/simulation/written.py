"""Owns the report of a simulation as a document for other programs: money in minor units, shares as decimal texts."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from wallet_server.rules.programme.program import Programme
from wallet_server.rules.simulation.advice import Warned, complexity
from wallet_server.rules.simulation.customers import Portrait, Trait
from wallet_server.rules.simulation.report import Month, Report
from wallet_server.rules.simulation.words import HABIT_WORDS, trait_sentence, warning_sentence

LANGUAGES = ("fr", "en")
PLACES = 6


def document(found: Report, warned: Sequence[Warned], programme: Programme) -> dict[str, Any]:
    """The whole report. Fractions are texts of six decimals, rounded half up, so that nothing is a float."""
    counted = complexity(programme)
    return {
        "money": {"iso": programme.money.iso, "exponent": programme.money.exponent},
        "assumption": {"redeem": found.habit, **HABIT_WORDS[found.habit]},
        "period": {
            "first": None if found.first is None else found.first.isoformat(),
            "last": None if found.last is None else found.last.isoformat(),
            "days": found.days,
        },
        "purchases": {
            "count": found.baskets.count,
            "lines": found.baskets.lines,
            "returns": found.baskets.returns,
            "mean_minor": exact(found.baskets.mean_minor),
            "median_minor": exact(found.baskets.median_minor),
            "median_interval_days": exact(found.interval_days),
        },
        "turnover_minor": found.turnover_minor,
        "unknown": {"purchases": found.unknown_purchases, "turnover_minor": found.unknown_minor},
        "members": {
            "count": found.members,
            "returning": found.returning,
            "turnover_minor": found.member_minor,
            "spend_p50_minor": found.spend_p50_minor,
            "spend_p90_minor": found.spend_p90_minor,
            "median_reward_year_minor": exact(found.median_year_minor),
        },
        "cost": {
            "by_kind_minor": dict(found.costs),
            "held_minor": found.held_minor,
            "given_minor": found.given_minor,
            "give_back_rate": exact(found.rate),
            "rewards": dict(found.rewards),
            "vouchers": dict(zip(("made", "used", "lost"), found.vouchers, strict=True)),
        },
        "tiers": [vars(one) for one in found.tiers],
        "months": [_month(one) for one in found.months],
        "never_rewarded": {
            "members": found.never.members,
            "turnover_minor": found.never.turnover_minor,
            "came_once": found.never.once,
            "first": [{"customer": name, "turnover_minor": minor} for name, minor in found.never.named],
        },
        "top_fifth": {**vars(found.top), "share": exact(found.top.share)},
        "portrait": None if found.portrait is None else _portrait(found.portrait, programme),
        "complexity": vars(counted),
        "warnings": [
            {"code": one.code, "params": {name: _plain(value) for name, value in one.params.items()}}
            | {language: warning_sentence(one, programme, language) for language in LANGUAGES}
            for one in warned
        ],
    }


def exact(value: Fraction | None) -> str | None:
    """A fraction as a decimal text."""
    if value is None:
        return None
    scaled = (abs(value) * 10**PLACES + Fraction(1, 2)).__floor__()
    whole, rest = divmod(scaled, 10**PLACES)
    return f"{'-' if value < 0 and scaled else ''}{whole}.{rest:0{PLACES}d}"


def _plain(value: int | str | Fraction) -> int | str | None:
    return exact(value) if isinstance(value, Fraction) else value


def _month(one: Month) -> dict[str, Any]:
    return {
        "month": f"{one.year:04d}-{one.month:02d}",
        "turnover_minor": one.turnover_minor,
        "given_minor": one.given_minor,
        "earned": dict(one.earned),
        "spent": dict(one.spent),
        "expired": dict(one.expired),
        "outstanding": dict(one.outstanding),
        "owed_minor": one.owed_minor,
    }


def _portrait(found: Portrait, programme: Programme) -> dict[str, Any]:
    return {
        "customers": found.customers,
        "best": found.best,
        "traits": [_trait(one, programme) for one in found.traits],
    }


def _trait(one: Trait, programme: Programme) -> dict[str, Any]:
    said = {language: trait_sentence(one, programme.money, language) for language in LANGUAGES}
    figures = {"likelihood": exact(one.likelihood), "best": exact(one.best), "rest": exact(one.rest)}
    return {"name": one.name, **figures, **said}
