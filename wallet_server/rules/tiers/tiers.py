"""Owns which tier a member's figures reach, and the gauge towards the next one."""

from __future__ import annotations

from collections.abc import Sequence

from wallet_server.rules.passes.card import Gauge
from wallet_server.rules.programme.program import Ladder, Level, Programme
from wallet_server.rules.programme.program_parts import AtLeast, Need
from wallet_server.rules.sentences import spoken
from wallet_server.rules.tiers.metrics import BALANCE, EVER, Measures, met, missing, need_of, progress
from wallet_server.rules.tiers.progress_spoken import money_of, towards


def of_balance(ladder: Ladder, value: int) -> Measures:
    """All that a ladder without needs asks for: what stands on the account that it counts in."""
    return {(f"{BALANCE}{ladder.currency}", EVER): value}


def level_for(ladder: Ladder, found: Measures | int) -> Level:
    """The highest level whose need is met by these figures, or by this balance where it has no needs; the first one is
    everyone's, and one by invitation is never reached."""
    figures = of_balance(ladder, found) if isinstance(found, int) else found
    reached = (x for x in reversed(ladder.levels[1:]) if not x.invitation and met(need_of(ladder, x), figures))
    return next(reached, ladder.levels[0])


def rank(ladder: Ladder | None, code: str | None) -> int:
    """The place of a level, from 0; -1 for none, and for one that is gone."""
    levels = ladder.levels if ladder else ()
    return next((n for n, level in enumerate(levels) if level.code == code), -1)


def level_after(ladder: Ladder, shown: Level) -> Level | None:
    """The next level above this one that can be reached; None at the top."""
    above = ladder.levels[rank(ladder, shown.code) + 1 :]
    return next((level for level in above if not level.invitation), None)


def gauge(programme: Programme, found: Measures | int, shown: Level, languages: Sequence[str]) -> Gauge | None:
    """Progress to the level after the one the card shows, counted from 0: 884 of 1000 is 88 percent.

    None without a ladder and at its top. When the value has already passed the goal, because the new tier waits for a
    version of the card of its own, the gauge is full and its sentence says so rather than counting below zero.
    """
    ladder = programme.ladder
    goal = None if ladder is None else level_after(ladder, shown)
    if ladder is None or goal is None:
        return None
    need, figures = need_of(ladder, goal), of_balance(ladder, found) if isinstance(found, int) else found
    percent, lacks = int(progress(need, figures) * 100), missing(need, figures)
    value, wanted = _counted(need, figures, percent, programme)
    return Gauge(
        percent=percent,
        value=value,
        goal=wanted,
        label={language: _label(goal, language) for language in languages},
        sentence={language: towards(goal.names[language], lacks, programme, language) for language in languages},
    )


def _counted(need: Need, found: Measures, percent: int, programme: Programme) -> tuple[int, int]:
    """So much of how much: money in its major unit, what mixes several figures in percent."""
    if not isinstance(need, AtLeast):
        return percent, 100
    value, money = found.get((need.metric, need.reach), 0), money_of(need.metric, programme)
    major = 10**money.exponent if money else 1
    return value // major, -(-need.value // major)


def _label(goal: Level, language: str) -> str:
    """What waits there, or where it goes."""
    french = spoken(language) == "fr"
    if goal.reward is not None:
        return f"À la clé\u00a0: {goal.reward[language]}" if french else f"Next: {goal.reward[language]}"
    name = goal.names[language]
    return f"Vers le statut {name}" if french else f"Towards {name}"
