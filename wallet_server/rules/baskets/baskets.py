"""Owns what a sale is to the rules: its lines, when and where it was, and what was known of the member; and what it
earned.

Amounts are what the member pays for a line, tax included, after discounts, in minor units of the programme's money.
These are tuples and not frozen dataclasses because a year is replayed through them: they are made a million times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple

from wallet_server.errors import Fault, Invalid
from wallet_server.rules.programme.program_parts import Birthday

MAX_AMOUNT = 2**53 - 1
"""The largest amount at the door: beyond it a JSON number is no longer exact in every language (RFC 8259, 6)."""

MAX_LINES = 1_000
"""The longest basket rated."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Line(NamedTuple):
    """One line of a sale as sold. `amount_minor` is the whole line, negative for goods taken back in the same sale;
    `quantity_milli` is in thousandths (weighed goods); `excluded` lines earn nothing (gift cards, deposits)."""

    sku: str | None
    category: str | None
    quantity_milli: int
    amount_minor: int
    tax_minor: int
    excluded: bool


class Basket(NamedTuple):
    """A sale. `at` carries a zone; `zone` is the IANA name of the store's own, `store` its public id. `rewards_used`
    says whether a voucher or a reward was used in it."""

    lines: Sequence[Line]
    at: datetime
    zone: str = "UTC"
    store: str = ""
    rewards_used: bool = False


class State(NamedTuple):
    """What was known of the member when the sale was made; `rating.Needs` says which of it matters.

    `visits` is rule id to the time, nearest to the sale, at which that rule counted one (sales may arrive out of
    order). `given` is rule id to what the rule gave within the window of its cap, this sale apart. `celebrates` are the
    spans around the member's birthday that the sale falls into. `sales` are the sales that count so far.
    """

    tier: str | None = None
    visits: Mapping[str, datetime] = NOTHING
    given: Mapping[str, int] = NOTHING
    celebrates: frozenset[Birthday] = frozenset()
    tenure_days: int = 0
    sales: int = 0


class Award(NamedTuple):
    """So many units of one currency, why, from when they can be spent (None: at once), and until when they count.

    `exact` is what the rule gave before rounding, factors included; `cut` what the cap took away. `params` holds what
    the reason sentence needs: `basis_minor` (the money that counted) and `lines` (how many lines it came from); where
    factors held `multipliers` (their ids) and, if all lines had the same, `factor`; where the cap cut, `cut`.
    """

    currency: str
    amount: int
    rule_id: str
    reason: str
    params: Mapping[str, int | str]
    expires_at: datetime | None
    pending_until: datetime | None = None
    exact: Fraction = Fraction(0)
    multipliers: tuple[str, ...] = ()
    cut: int = 0


class Rated(NamedTuple):
    """What a sale earns, in the order of the rules, awards of nothing left out. `unanswered` are the ids of rules and
    multipliers whose condition the facts gave no answer: they count as if it did not hold. `withheld` are the rules
    that gave nothing, each with why (see `rules.baskets.withheld`)."""

    awards: tuple[Award, ...]
    multipliers: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    withheld: tuple[tuple[str, str], ...] = ()


def contains(amount_minor: int, tax_minor: int) -> bool:
    """Whether an amount can contain this tax: it has the amount's sign and is not larger."""
    return 0 <= tax_minor <= amount_minor or amount_minor <= tax_minor <= 0


def refuse_excess(lines: Sequence[Line]) -> None:
    """Raises Invalid beyond MAX_AMOUNT or MAX_LINES, listing every fault."""
    if len(lines) > MAX_LINES:
        raise Invalid(f"A sale has at most {MAX_LINES} lines.", field="lines")
    # No amount is larger than the sum of all of them: nearly every basket is found to be sound at once.
    if sum(abs(line[2]) + abs(line[3]) + abs(line[4]) for line in lines) <= MAX_AMOUNT:
        return
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
