"""Owns which tier a value reaches, and the gauge towards the next one."""

from __future__ import annotations

from collections.abc import Sequence

from wallet_server.rules.card import Gauge
from wallet_server.rules.program import Ladder, Level, Plural, Programme
from wallet_server.rules.sentences import counted, noun_of, of, plus_que, spoken


def level_for(ladder: Ladder, value: int) -> Level:
    """The highest level whose threshold the value reaches; the first one for a value below zero."""
    reached = ladder.levels[0]
    for level in ladder.levels:
        if level.threshold <= value:
            reached = level
    return reached


def next_level(ladder: Ladder, value: int) -> Level | None:
    """The next level above a value, None at the top."""
    return next((level for level in ladder.levels if level.threshold > max(value, 0)), None)


def gauge(programme: Programme, value: int, shown: Level, languages: Sequence[str]) -> Gauge | None:
    """Progress to the level after the one the card shows, counted from 0: 884 of 1000 is 88 percent.

    None without a ladder and at its top. When the value has already passed the goal, because the new tier waits for a
    version of the card of its own, the gauge is full and its sentence says so rather than counting below zero.
    """
    ladder = programme.ladder
    goal = None if ladder is None else next_level(ladder, shown.threshold)
    if ladder is None or goal is None:
        return None
    missing = goal.threshold - value
    percent = 100 if missing <= 0 else max(0, value) * 100 // goal.threshold
    return Gauge(
        percent=percent,
        value=value,
        goal=goal.threshold,
        label={language: _label(goal.names[language], language) for language in languages},
        sentence={
            language: _sentence(missing, goal.names[language], noun_of(programme, ladder.currency, language), language)
            for language in languages
        },
    )


def _label(name: str, language: str) -> str:
    return f"Vers le statut {name}" if spoken(language) == "fr" else f"Towards {name}"


def _sentence(missing: int, name: str, noun: Plural, language: str) -> str:
    if spoken(language) == "fr":
        if missing <= 0:
            return f"Le seuil {of(name)} est atteint, votre nouveau statut arrive"
        return f"{plus_que(missing, noun)} et vous passez au statut {name}"
    if missing <= 0:
        return f"You have reached {name}, your new status is on its way"
    return f"Only {counted(missing, noun, language)} to go to reach {name}"
