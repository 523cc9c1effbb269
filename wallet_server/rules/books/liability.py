"""Owns what a programme owes in money: a sale's price shared between goods and units, and when that share is earned.

IFRS 15: units that a sale brings are a promise of their own (B39 to B41); the price is shared out by relative
stand-alone selling prices, those of the units weighed by how likely they are redeemed (B42); what falls to them is
revenue as they are redeemed, in proportion to those expected to be redeemed (B44 to B47; Illustrative Example 52,
IE267 to IE270). A changed expectation is caught up at once and cumulatively; the share itself is never reckoned anew
(paragraph 88). Amounts are minor units of money; nothing is rounded before it is shown, and then half up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from wallet_server.rules.programme.program import Currency, Programme

AGES = (3, 6, 12, 24)
"""Where the steps of ageing end, in months; what is older stands last."""


def rounded(amount: Fraction) -> int:
    """To the unit, half up (a half goes away from zero, so that a sum and its reversal agree)."""
    whole = (abs(amount) + Fraction(1, 2)).__floor__()
    return -whole if amount < 0 else whole


def allocated(price: Fraction | int, goods: Fraction | int, units: Fraction | int) -> Fraction:
    """What of a price falls to the units, by relative stand-alone selling prices (of the goods, and of the units)."""
    whole = Fraction(goods) + units
    return Fraction(price) * units / whole if whole > 0 else Fraction(0)


def recognised(deferred: Fraction | int, redeemed: int, expected: Fraction | int) -> Fraction:
    """What of the deferred revenue is earned once so many units are redeemed, of all that are expected to be.

    All of it when no more are expected than were redeemed; that nothing is expected and nothing redeemed says that
    nobody will come any more.
    """
    if redeemed >= expected:
        return Fraction(deferred)
    return Fraction(deferred) * max(redeemed, 0) / expected


def earned_since(before: int, deferred: Fraction | int, redeemed: int, expected: Fraction | int) -> int:
    """Revenue of a further period, to the unit: what is earned up to now less what was shown as earned `before`; below
    zero when more are expected than were (the cumulative catch-up)."""
    return rounded(recognised(deferred, redeemed, expected)) - before


# ---------------------------------------------------------------------- what a unit is worth


@dataclass(frozen=True)
class Worth:
    """Minor units of money for one unit, exact; `reward` names the reward that says so, None: the programme itself."""

    rate: Fraction
    reward: str | None = None


def worth(programme: Programme, currency: Currency) -> Worth | None:
    """What a unit buys: as the programme says, else by the reward that gives most for a unit; None where nothing says.

    By the one that gives most, as what is owed is not to be shown smaller than members can make it. What cannot be
    spent (status) is worth nothing to them, and owed to nobody.
    """
    if not currency.spendable:
        return None
    if currency.worth is not None:
        return Worth(currency.worth)
    known = [
        Worth(Fraction(one.value_minor, one.cost.units), one.code)
        for one in programme.rewards
        if one.cost.currency == currency.code and one.value_minor and one.cost.units > 0
    ]
    return max(known, key=lambda one: one.rate, default=None)


# ---------------------------------------------------------------------- cohorts


@dataclass(frozen=True)
class Cohort:
    """The units given in one month (counted from year 0): by sales (`sold`) or for nothing, what became of them up to
    now, and, of the first kind, the price of those sales net of tax, what was undone left out of each."""

    month: int
    sold: bool
    granted: int
    redeemed: int
    expired: int
    price_minor: int = 0

    @property
    def outstanding(self) -> int:
        """What members still have of them; below zero where they owe."""
        return self.granted - self.redeemed - self.expired


@dataclass(frozen=True)
class Owed:
    """What one cohort comes to, exact: units still expected to come, revenue `allocated` to it and of that `earned`,
    and for units given for nothing the `provision` (what those expected to come will cost)."""

    cohort: Cohort
    coming: Fraction
    allocated: Fraction
    earned: Fraction
    provision: Fraction

    @property
    def deferred(self) -> Fraction:
        """Revenue of later periods."""
        return self.allocated - self.earned

    @property
    def breakage(self) -> Fraction:
        """Units that members have and are not expected to use."""
        return max(Fraction(self.cohort.outstanding), Fraction(0)) - self.coming


def owed(
    cohort: Cohort, rate: Fraction | None, share_at_first: Fraction, ahead: Fraction, other: Fraction = Fraction(0)
) -> Owed:
    """What is owed for a cohort at a moment. `share_at_first` of its units was expected to be redeemed when they were
    given, `ahead` of what is left now; `rate` is what a unit is worth (None: unknown, no money is shown); `other` the
    stand-alone price of whatever else the same sales gave."""
    left = max(cohort.outstanding, 0)
    coming = left * ahead
    if rate is None:
        return Owed(cohort, coming, Fraction(0), Fraction(0), Fraction(0))
    if not cohort.sold:
        # No price was paid for them: nothing is deferred, but giving what they buy will cost this.
        return Owed(cohort, coming, Fraction(0), Fraction(0), coming * rate)
    price, alone = max(cohort.price_minor, 0), max(cohort.granted, 0) * rate * share_at_first
    share = allocated(price, price + other, alone)
    return Owed(cohort, coming, share, recognised(share, cohort.redeemed, cohort.redeemed + coming), Fraction(0))


@dataclass(frozen=True)
class Money:
    """The money of all cohorts of a currency: sums of what each comes to, each rounded."""

    allocated_minor: int
    earned_minor: int
    provision_minor: int

    @property
    def deferred_minor(self) -> int:
        """Revenue of later periods: a contract liability (IFRS 15.106)."""
        return self.allocated_minor - self.earned_minor

    @property
    def liability_minor(self) -> int:
        """All that is owed for units."""
        return self.deferred_minor + self.provision_minor


def total(cohorts: Iterable[Owed]) -> Money:
    """The lines are rounded and then added, so that a table adds up to its foot."""
    lines = [(rounded(one.allocated), rounded(one.earned), rounded(one.provision)) for one in cohorts]
    first, second, third = (sum(column) for column in zip(*lines, strict=True)) if lines else (0, 0, 0)
    return Money(first, second, third)


@dataclass(frozen=True)
class Age:
    """Units outstanding that were given from `from_months` to before `to_months` ago (None: and longer)."""

    from_months: int
    to_months: int | None
    units: int
    coming: Fraction
    liability_minor: int


def ageing(lines: Sequence[Owed], now: int) -> list[Age]:
    """What is outstanding by how old it is, in months up to the month `now`; every step, also empty ones."""
    found = []
    for start, end in zip((0, *AGES), (*AGES, None), strict=True):
        own = [one for one in lines if max(0, now - one.cohort.month) in range(start, end or 10**6)]
        units, coming = sum(one.cohort.outstanding for one in own), sum((one.coming for one in own), Fraction(0))
        found.append(Age(start, end, units, coming, total(own).liability_minor))
    return found


@dataclass(frozen=True)
class Movement:
    """Units over a period: what stood, what came by which reason, what went, and what stands; the parts add up."""

    opening: int
    granted: dict[str, int]
    redeemed: int
    expired: int
    moved: int
    closing: int

    @property
    def adds_up(self) -> bool:
        """Whether the period is told in full."""
        going = self.redeemed + self.expired
        return self.opening + sum(self.granted.values()) - going + self.moved == self.closing


# ---------------------------------------------------------------------- the ways of granting value


@dataclass(frozen=True)
class Way:
    """One way in which a programme gives value: whether a price was paid in the same breath, so that a share of it is
    deferred, or nothing was, so that its cost is provided for."""

    sold: bool


WAYS: dict[str, Way] = {
    "earn.sale": Way(sold=True),
    "earn.welcome": Way(sold=False),
    "earn.goodwill": Way(sold=False),
    "earn.event": Way(sold=False),
    "earn.opening": Way(sold=False),
    "earn.refund": Way(sold=False),
    "forgive.refund": Way(sold=False),
    "forgive.offline": Way(sold=False),
    "forgive.left": Way(sold=False),
    "coupon.welcome": Way(sold=False),
    "coupon.conversion": Way(sold=False),
    "coupon.reward": Way(sold=False),
    "coupon.goodwill": Way(sold=False),
}
"""Reason codes of entries that give, and `coupon.` with the source of a coupon. A code that is not known here counts as
given for nothing: it is owed all the same."""


TAKING = ("burn.", "reverse.", "expire.", "confirm.", "hold.", "release.", "capture.", "merge.")
"""How the reason codes begin that give nothing: what is taken, undone, or moved between a member's own accounts."""


def is_sold(reason: str) -> bool:
    """Whether a price was paid for what was given for this reason."""
    way = WAYS.get(reason)
    return way is not None and way.sold


def month_of(year: int, month: int) -> int:
    """Months counted from year 0, so that ages are differences."""
    return year * 12 + month - 1


def month_name(month: int) -> str:
    """`2026-11`."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def month_read(name: str) -> int:
    """The month that `month_name` wrote."""
    return month_of(int(name[:4]), int(name[5:7]))


Share = Callable[[int], Fraction]
"""Age in months to the part of what is left then that is expected to be redeemed."""
