"""Owns what is owed by coupons, at face value: from one moment to another, by merchant and for all, and what merchants
took of each other's.

A coupon is owed by the merchant that issued it until it is used, cancelled or expired, wherever that happens. Who took
it at their till shows beside this, in `honoured`: that is what merchants settle with each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from wallet_server.rules.books.booked import COUPONS, Flow

ISSUED, USED, UNDONE = "issued", "used", "undone"


@dataclass(frozen=True)
class Taken:
    """Coupons of another merchant taken at a till, less those given back: their face value, and how many."""

    amount_minor: int
    times: int


@dataclass(frozen=True)
class Promised:
    """What was owed at the beginning, what moved it (and what of that was given, by source), what is owed at the end by
    how many coupons; `honoured`: of that period, by issuer and by merchant that took it."""

    opening_minor: int
    moved_minor: dict[str, int]
    given_minor: dict[str, int]
    owed_minor: int
    good: int
    honoured: dict[tuple[int, int], Taken]


def promised(before: Iterable[Flow], now: Iterable[Flow], merchant: int | None) -> Promised | None:
    """The coupons that a merchant issued (of all, where none is named), by all flows up to the beginning and up to the
    end; None where there never were any. `honoured` has its coupons at others' tills, and others' at its own."""
    moved: dict[str, int] = defaultdict(int)
    given: dict[str, int] = defaultdict(int)
    taken: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    owed, good = {-1: 0, 1: 0}, 0
    for sign, flows in ((-1, before), (1, now)):
        for one in flows:
            if one.book != COUPONS:
                continue
            _take(taken, one, sign, merchant)
            if merchant not in (None, one.issuer_id):
                continue
            owed[sign] += one.amount
            moved[one.side] += sign * one.amount
            if one.side == ISSUED:
                given[one.reason] += sign * one.amount
            if sign > 0:
                good += one.times if one.side in (ISSUED, UNDONE) else -one.times
    if not moved and not taken:
        return None
    pairs = {pair: Taken(*sums) for pair, sums in sorted(taken.items()) if any(sums)}
    return Promised(owed[-1], _moved(moved), _moved(given), owed[1], good, pairs)


def _take(taken: dict[tuple[int, int], list[int]], one: Flow, sign: int, merchant: int | None) -> None:
    """Count what moved at the till of a merchant that does not owe it, if it is one of those asked about."""
    if one.issuer_id is None or one.merchant_id is None or one.side not in (USED, UNDONE):
        return
    if one.issuer_id != one.merchant_id and merchant in (None, one.issuer_id, one.merchant_id):
        sums = taken[one.issuer_id, one.merchant_id]
        sums[0] -= sign * one.amount
        sums[1] += sign * (one.times if one.side == USED else -one.times)


def _moved(sums: dict[str, int]) -> dict[str, int]:
    return {name: amount for name, amount in sorted(sums.items()) if amount}
