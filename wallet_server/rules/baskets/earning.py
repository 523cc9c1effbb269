"""Owns until when what was earned counts, and the sentence that says why it was."""

from __future__ import annotations

from datetime import datetime

from wallet_server.rules.baskets.baskets import Award
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.programme.rules_spoken import multiplier_sentence, rule_sentence
from wallet_server.rules.sentences import counted, noun_of, reason_sentence, spoken


def expiry(programme: Programme, currency: str, at: datetime) -> datetime | None:
    """Until when units given at `at` count; None for ever."""
    months = programme.currency(currency).expires_after_months
    return None if months is None else add_months(at, months)


def explain(award: Award, language: str, programme: Programme) -> str:
    """One sentence for the member: what was earned, for what, by which rule, under which factors."""
    tongue = spoken(language)
    noun = noun_of(programme, award.currency, tongue)
    reason = reason_sentence(award.reason, award.params, tongue, programme).rstrip(".")
    why = [rule_sentence(rule, programme, tongue) for rule in programme.earn if rule.id == award.rule_id]
    why += [multiplier_sentence(one, programme, tongue) for one in programme.multipliers if one.id in award.multipliers]
    if award.cut:
        cut = counted(award.cut, noun, tongue)
        why.append(f"{cut} au-delà de la limite" if tongue == "fr" else f"{cut} beyond the limit")
    said = ("\u00a0; " if tongue == "fr" else "; ").join(f"{part[:1].lower()}{part[1:]}".rstrip(".") for part in why)
    colon = "\u00a0:" if tongue == "fr" else ":"
    return f"{reason}{colon} {counted(award.amount, noun, tongue)}{f' ({said})' if said else ''}."


def add_months(at: datetime, months: int) -> datetime:
    """The same day and time so many calendar months later, or the last day of a month that has no such day."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    month, day = month + 1, at.day
    return at.replace(year, month, day if day <= 28 else min(day, _days_in(year, month)))


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31
