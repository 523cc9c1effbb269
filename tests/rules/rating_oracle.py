"""Owns a second engine, as plain as the document: fractions, one line after another, no shared code but the documents'
own dataclasses and the conditions. What the product rates is compared with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

from wallet_server.rules.baskets.baskets import Basket, Line, State
from wallet_server.rules.programme.program import EarnRule, Item, Per, Programme, Visit
from wallet_server.rules.programme.program_parts import Multiplier

Held = Sequence[Multiplier]


def earned(programme: Programme, basket: Basket, state: State) -> dict[str, int]:
    """Units by rule, rules that give nothing left out."""
    clock = basket.at.astimezone(ZoneInfo(basket.zone))
    held = [one for one in programme.multipliers if holds(one, basket, state, clock)]
    found = {}
    for rule in programme.earn:
        units = max(0, units_of(programme, rule, basket, state, held))
        if rule.cap is not None:
            used = 0 if rule.cap.window == "sale" else state.given.get(rule.id, 0)
            units = max(0, min(units, rule.cap.units - used))
        if units:
            found[rule.id] = units
    return found


def holds(one: Multiplier, basket: Basket, state: State, clock: datetime) -> bool:
    return (
        (one.tiers is None or state.tier in one.tiers)
        and (one.stores is None or basket.store in one.stores)
        and (one.birthday is None or one.birthday in state.celebrates)
        and in_calendar(one, clock)
    )


def in_calendar(one: Multiplier, clock: datetime) -> bool:
    """Minute by minute of the wall clock: which day do these hours belong to, and is that one of the days?"""
    day, now = clock.date(), clock.time().replace(tzinfo=None)
    if one.calendar.hours:
        start, end = one.calendar.hours
        late, early = now >= start, now < end
        if start < end and not (late and early):
            return False
        if start > end:
            if not late and not early:
                return False
            if early:
                day -= timedelta(days=1)
    if one.calendar.days is not None and day.weekday() not in one.calendar.days:
        return False
    return one.calendar.dates is None or one.calendar.dates[0] <= day <= one.calendar.dates[1]


def counts(programme: Programme, rule: EarnRule, line: Line) -> bool:
    if line.excluded or line.category in programme.excluded.categories or line.sku in programme.excluded.skus:
        return False
    if line.category in rule.excluded_categories or line.sku in rule.excluded_skus:
        return False
    way = rule.way
    if isinstance(way, Item) and (way.categories or way.skus):
        return line.category in way.categories or line.sku in way.skus
    return True


def factor(rule: EarnRule, held: Held, line: Line | None) -> Fraction:
    product, added, highest = Fraction(1), Fraction(1), []
    for one in held:
        goods = one.goods.categories or one.goods.skus
        if one.rules is not None and rule.id not in one.rules:
            continue
        if goods and (line is None or not (line.category in one.goods.categories or line.sku in one.goods.skus)):
            continue
        if one.stacking == "multiply":
            product *= one.factor
        elif one.stacking == "add":
            added += one.factor - 1
        else:
            highest.append(one.factor)
    return product * max(added, Fraction(0)) * max(highest, default=Fraction(1))


def rounded(exact: Fraction, how: str) -> int:
    size, whole = abs(exact), floor(abs(exact))
    rest = size - whole
    up = {"down": False, "up": rest > 0, "half_up": rest >= Fraction(1, 2)}.get(how)
    if up is None:
        up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1)
    return (whole + up) * (1 if exact >= 0 else -1)


def units_of(programme: Programme, rule: EarnRule, basket: Basket, state: State, held: Held) -> int:
    way = rule.way
    if rule.not_with_rewards and basket.rewards_used:
        return 0
    lines = [line for line in basket.lines if counts(programme, rule, line)]
    if isinstance(way, Per):
        exact = [
            (line.amount_minor - (line.tax_minor if rule.without_tax else 0)) * way.rate * factor(rule, held, line)
            for line in lines
        ]
        if way.scope == "line":
            return sum(rounded(one, way.rounding) for one in exact)
        return rounded(sum(exact, Fraction(0)), way.rounding)
    if isinstance(way, Visit):
        nearest = state.visits.get(rule.id)
        apart = nearest is None or abs(basket.at - nearest) >= way.interval
        enough = bool(lines) and sum(line.amount_minor for line in lines) >= way.minimum_minor
        return floor(way.units * factor(rule, held, None)) if apart and enough else 0
    if not isinstance(way, Item):
        return 0
    pieces: dict[tuple[str, ...], tuple[Fraction, int]] = {}
    for line in lines:
        group = tuple(one.id for one in held if one.goods and one.goods.hold(line.category, line.sku)
                      and (one.rules is None or rule.id in one.rules))  # fmt: skip
        back = line.amount_minor < 0 or line.quantity_milli < 0
        times, before = pieces.get(group, (factor(rule, held, line), 0))
        pieces[group] = times, before + (-abs(line.quantity_milli) if back else line.quantity_milli)
    exact_units = sum((way.units * (max(0, many) // 1000) * times for times, many in pieces.values()), Fraction(0))
    return floor(exact_units)
