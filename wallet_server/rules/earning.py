"""Owns what a sale earns: lines in, awards out, in integers and exact fractions.

Amounts are what the member pays for a line, tax included, after discounts, in minor units of the programme's money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from wallet_server.errors import Fault, Invalid
from wallet_server.rules.program import EarnRule, Event, Item, Per, Programme, Rounding, Visit
from wallet_server.rules.sentences import counted, noun_of, reason_sentence, rule_sentence, spoken

MAX_AMOUNT = 2**53 - 1
"""The largest amount at the door: beyond it a JSON number is no longer exact in every language (RFC 8259, 6)."""

MAX_LINES = 1_000
"""The longest basket rated."""


@dataclass(frozen=True)
class Line:
    """One line of a sale as sold. `amount_minor` is the whole line, negative for goods taken back in the same sale;
    `quantity_milli` is in thousandths (weighed goods); `excluded` lines earn nothing (gift cards, deposits)."""

    sku: str | None
    category: str | None
    quantity_milli: int
    amount_minor: int
    tax_minor: int
    excluded: bool


@dataclass(frozen=True)
class Award:
    """So many units of one currency, why, and until when they count. `params` holds what the reason sentence needs:
    `basis_minor` (the money that counted) and `lines` (how many lines it came from)."""

    currency: str
    amount: int
    rule_id: str
    reason: str
    params: Mapping[str, int | str]
    expires_at: datetime | None


def rate(
    programme: Programme, lines: Sequence[Line], at: datetime, visits: Mapping[str, datetime] | None = None
) -> tuple[Award, ...]:
    """What a sale at `at` earns, at most one award a rule, in the order of the rules; awards of nothing are left out.

    `visits` is what a visit rule needs to know of the past: rule id to the time, nearest to `at`, at which that rule
    counted a sale of this member (sales may arrive out of order). A rule that is missing there never counted one.
    Goods taken back count against the rest of the sale, never below zero for a rule. A line taken back is rounded as
    its purchase was, so that the two cancel exactly. Raises Invalid beyond MAX_AMOUNT or MAX_LINES, listing every
    fault, and ValueError when `at` carries no zone.
    """
    if at.utcoffset() is None:
        raise ValueError("times must carry a zone")
    _refuse_excess(lines)
    awards = []
    for rule in programme.earn:
        counted_lines = [line for line in lines if _counts(line, rule)]
        units = max(0, _units(rule, counted_lines, at, (visits or {}).get(rule.id)))
        if units > MAX_AMOUNT:
            raise Invalid("This sale would earn more than an account can hold.", field="lines")
        if units:
            basis = sum(line.amount_minor for line in counted_lines)
            params: dict[str, int | str] = {"basis_minor": basis, "lines": len(counted_lines)}
            expires_at = expiry(programme, rule.currency, at)
            awards.append(Award(rule.currency, units, rule.id, "earn.sale", params, expires_at))
    return tuple(awards)


def expiry(programme: Programme, currency: str, at: datetime) -> datetime | None:
    """Until when units given at `at` count; None for ever."""
    months = programme.currency(currency).expires_after_months
    return None if months is None else add_months(at, months)


def visit_span(programme: Programme) -> timedelta:
    """How far from a sale another one may lie and still keep it from counting as a visit; zero without such a rule."""
    ways = [rule.way for rule in programme.earn]
    return max((way.interval for way in ways if isinstance(way, Visit)), default=timedelta(0))


def explain(award: Award, language: str, programme: Programme) -> str:
    """One sentence for the member: what was earned, for what, by which rule."""
    tongue = spoken(language)
    earned = counted(award.amount, noun_of(programme, award.currency, tongue), tongue)
    reason = reason_sentence(award.reason, award.params, tongue, programme).rstrip(".")
    rule = next((rule for rule in programme.earn if rule.id == award.rule_id), None)
    colon = "\u00a0:" if tongue == "fr" else ":"
    if rule is None:
        return f"{reason}{colon} {earned}."
    return f"{reason}{colon} {earned} ({rule_sentence(rule, programme, tongue).rstrip('.')})."


def add_months(at: datetime, months: int) -> datetime:
    """The same day and time so many calendar months later, or the last day of a month that has no such day."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    month += 1
    return at.replace(year=year, month=month, day=min(at.day, _days_in(year, month)))


def round_units(exact: Fraction, rounding: Rounding) -> int:
    """Rounds the magnitude and keeps the sign: what an amount earns and what its return takes back are opposites."""
    whole, rest = divmod(abs(exact), 1)
    half = Fraction(1, 2)
    upward = {
        "down": False,
        "up": rest > 0,
        "half_up": rest >= half,
        "half_even": rest > half or (rest == half and whole % 2 == 1),
    }[rounding]
    units = int(whole) + int(upward)
    return units if exact >= 0 else -units


def _counts(line: Line, rule: EarnRule) -> bool:
    if line.excluded or (line.category is not None and line.category in rule.excluded_categories):
        return False
    way = rule.way
    if not isinstance(way, Item) or not (way.categories or way.skus):
        return True
    return line.category in way.categories or line.sku in way.skus


def _units(rule: EarnRule, lines: Sequence[Line], at: datetime, nearest: datetime | None) -> int:
    way = rule.way
    if isinstance(way, Per):
        amounts = [line.amount_minor for line in lines]
        if way.scope == "basket":
            return round_units(sum(amounts) * way.rate, way.rounding)
        return sum(round_units(amount * way.rate, way.rounding) for amount in amounts)
    if isinstance(way, Item):
        return way.units * (max(0, sum(map(_pieces, lines))) // 1000)
    if isinstance(way, Event):
        return 0  # earned by what is reported, not by sales
    enough = bool(lines) and sum(line.amount_minor for line in lines) >= way.minimum_minor
    apart = nearest is None or abs(at - nearest) >= way.interval
    return way.units if enough and apart else 0


def _pieces(line: Line) -> int:
    """The quantity in thousandths, below zero for goods taken back, whichever of the two the till gave a sign."""
    taken_back = line.amount_minor < 0 or line.quantity_milli < 0
    return -abs(line.quantity_milli) if taken_back else line.quantity_milli


def _refuse_excess(lines: Sequence[Line]) -> None:
    if len(lines) > MAX_LINES:
        raise Invalid(f"A sale has at most {MAX_LINES} lines.", field="lines")
    faults = [
        Fault(f"lines.{index}.{name}", f"Write an amount between {-MAX_AMOUNT} and {MAX_AMOUNT}.")
        for index, line in enumerate(lines)
        for name in ("quantity_milli", "amount_minor", "tax_minor")
        if abs(getattr(line, name)) > MAX_AMOUNT
    ]
    if not faults and abs(sum(line.amount_minor for line in lines)) > MAX_AMOUNT:
        faults.append(Fault("lines", f"The lines together come to more than {MAX_AMOUNT}."))
    if faults:
        raise Invalid("The amounts of this sale are too large.", field="lines", faults=faults)


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31
