"""Owns the estimate of what will be redeemed, made from what was: by month of granting and by age, tried on held-out
months.

A life table of units: at each age, of all units that were still outstanding at its beginning, the part that was
redeemed and the part that expired. Cohorts that are young count at the ages they have reached (so nothing waits for old
cohorts to end), and a month without any redemption is no difficulty, as it is for link ratios. Beyond the oldest age
seen, the last three ages go on. The interval is that of leaving out one cohort at a time (jackknife; units of one
member go together, so their number says little), and never narrower than the error on the held-out months. Reckoned in
billionths, in whole numbers: the same history gives the same figures on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import isqrt
from typing import Literal

from wallet_server.rules.sentences import number, spoken

BILLION = 10**9
MONTHS_NEEDED = 12
REDEMPTIONS_NEEDED = 200
MOST_HELD_OUT = 6
WORST_ERROR = Fraction(1, 4)
"""An estimate that missed the held-out months by more is no estimate."""
TAIL = 3
"""Ages whose average goes on beyond the oldest one seen."""
HORIZON = 120
"""Months after which nothing is expected any more, where units do not expire."""

Why = Literal["too-few-months", "too-few-redemptions", "unreliable"]


@dataclass(frozen=True)
class Cell:
    """Units of one cohort at one age: given (less what was undone), redeemed (so many `times`), expired."""

    granted: int = 0
    redeemed: int = 0
    expired: int = 0
    times: int = 0

    def plus(self, other: Cell) -> Cell:
        """Both together."""
        return Cell(
            self.granted + other.granted,
            self.redeemed + other.redeemed,
            self.expired + other.expired,
            self.times + other.times,
        )


History = Mapping[int, Mapping[int, Cell]]
"""Month of granting (counted from year 0) to age in months to what happened then."""


@dataclass(frozen=True)
class Trial:
    """What was predicted for the last `months` from what was known before them, and what came."""

    months: int
    predicted: int
    actual: int

    @property
    def error(self) -> Fraction:
        """By which part of what came the prediction missed; 1 where nothing came and something was predicted."""
        if self.actual <= 0:
            return Fraction(0 if self.predicted <= 0 else 1)
        return Fraction(abs(self.predicted - self.actual), self.actual)


@dataclass(frozen=True)
class Table:
    """The part of outstanding units that is redeemed, and that expires, at each age (billionths); `lives` is the number
    of months after which units are gone, None where they do not expire."""

    redeemed: tuple[int, ...]
    expired: tuple[int, ...]
    tail: tuple[int, int]
    lives: int | None

    @cached_property
    def _ahead(self) -> list[int]:
        # In the month in which they run out units can still be used; after it there is nothing to come.
        last = (self.lives + 1) if self.lives is not None else len(self.redeemed) + HORIZON
        found = [0] * (last + 1)
        for age in range(last - 1, -1, -1):
            came, gone = self.at(age)
            found[age] = min(BILLION, came + (BILLION - came - gone) * found[age + 1] // BILLION)
        return found

    def at(self, age: int) -> tuple[int, int]:
        """Redeemed and expired of what is outstanding at the beginning of this age."""
        if age < len(self.redeemed):
            return self.redeemed[age], self.expired[age]
        return self.tail

    def ahead(self, age: int) -> int:
        """Of what is outstanding at this age, the part that is redeemed in the end (billionths)."""
        return self._ahead[age] if age < len(self._ahead) else 0

    def within(self, age: int, months: int) -> int:
        """The part that is redeemed from this age on within so many months."""
        found = 0
        for step in range(age + months - 1, age - 1, -1):
            came, gone = self.at(step)
            found = came + (BILLION - came - gone) * found // BILLION
        return found


@dataclass(frozen=True)
class Estimate:
    """The part of units that is redeemed in the end, between `low` and `high` (about 95 of 100 times), from so many
    whole months and redemptions. Where `why` is given the data do not carry it and all that is left counts as coming.
    """

    share: Fraction
    low: Fraction
    high: Fraction
    months: int
    redemptions: int
    trial: Trial | None
    why: Why | None
    table: Table | None = field(default=None, compare=False)

    def ahead(self, age: int) -> Fraction:
        """Of what is left at this age (in months), the part that is expected to be redeemed."""
        if self.why is not None or self.table is None:
            return Fraction(1)
        return Fraction(self.table.ahead(max(age, 0)), BILLION)

    @property
    def used(self) -> Fraction:
        """The share that the books reckon with."""
        return Fraction(1) if self.why is not None else self.share


def estimate(history: History, until: int, lives: int | None, *, spread: bool = True) -> Estimate:
    """From whole months before the month `until`. `lives`: months after which units expire, None: never. Without
    `spread` the interval is that of the held-out months alone, which takes less time."""
    known = {cohort: ages for cohort, ages in history.items() if cohort < until}
    months = until - min(known, default=until)
    redemptions = sum(
        cell.times for cohort, ages in known.items() for age, cell in ages.items() if cohort + age < until
    )
    if months < MONTHS_NEEDED:
        return _too_few(months, redemptions, "too-few-months")
    if redemptions < REDEMPTIONS_NEEDED:
        return _too_few(months, redemptions, "too-few-redemptions")
    sums = _Sums.of(known, until)
    table = sums.table(lives)
    share = table.ahead(0)
    tried = _tried(known, until, lives, min(MOST_HELD_OUT, months // 4))
    half = share * tried.error.numerator // tried.error.denominator
    if spread:
        half = max(half, _spread(known, until, lives, sums))
    why: Why | None = "unreliable" if tried.error > WORST_ERROR else None
    low, high = max(0, share - half), min(BILLION, share + half)
    exact = [Fraction(one, BILLION) for one in (share, low, high)]
    return Estimate(exact[0], exact[1], exact[2], months, redemptions, tried, why, table)


def _too_few(months: int, redemptions: int, why: Why) -> Estimate:
    return Estimate(Fraction(1), Fraction(0), Fraction(1), months, redemptions, None, why)


@dataclass(frozen=True)
class _Sums:
    """At each age: units outstanding at its beginning (with what was given in it), and what of them went how."""

    exposed: tuple[int, ...]
    redeemed: tuple[int, ...]
    expired: tuple[int, ...]

    @classmethod
    def of(cls, history: History, until: int) -> _Sums:
        size = until - min(history, default=until)
        sums = [[0] * size for _ in range(3)]
        for cohort, ages in history.items():
            standing = 0
            for age in range(until - cohort):
                cell = ages.get(age, _NOTHING)
                standing += cell.granted
                sums[0][age] += max(standing, 0)
                sums[1][age] += cell.redeemed
                sums[2][age] += cell.expired
                standing -= cell.redeemed + cell.expired
        return cls(tuple(sums[0]), tuple(sums[1]), tuple(sums[2]))

    def less(self, other: _Sums) -> _Sums:
        """Without a cohort that is among these."""
        pad = (0,) * (len(self.exposed) - len(other.exposed))
        return _Sums(
            tuple(a - b for a, b in zip(self.exposed, other.exposed + pad, strict=True)),
            tuple(a - b for a, b in zip(self.redeemed, other.redeemed + pad, strict=True)),
            tuple(a - b for a, b in zip(self.expired, other.expired + pad, strict=True)),
        )

    def table(self, lives: int | None) -> Table:
        rates = [
            (_part(came, exposed), _part(gone, exposed))
            for exposed, came, gone in zip(self.exposed, self.redeemed, self.expired, strict=True)
        ]
        last = slice(max(0, len(self.exposed) - TAIL), None)
        base = sum(self.exposed[last])
        tail = (_part(sum(self.redeemed[last]), base), _part(sum(self.expired[last]), base))
        return Table(
            tuple(came for came, _ in rates), tuple(min(gone, BILLION - came) for came, gone in rates), tail, lives
        )


_NOTHING = Cell()


def _part(amount: int, base: int) -> int:
    return min(BILLION, max(0, amount) * BILLION // base) if base > 0 else 0


def _spread(history: History, until: int, lives: int | None, sums: _Sums) -> int:
    """Two standard errors, by leaving out one cohort at a time."""
    shares = [
        sums.less(_Sums.of({cohort: ages}, until)).table(lives).ahead(0)
        for cohort, ages in history.items()
        if any(cell.granted for cell in ages.values())
    ]
    if len(shares) < 2:
        return BILLION
    mean = sum(shares) // len(shares)
    squares = sum((one - mean) ** 2 for one in shares)
    return 2 * isqrt(squares * (len(shares) - 1) // len(shares))


def _tried(history: History, until: int, lives: int | None, held: int) -> Trial:
    """Predict the last `held` months from those before them, for what was outstanding then."""
    cut = until - held
    known = {cohort: ages for cohort, ages in history.items() if cohort < cut}
    table = _Sums.of(known, cut).table(lives)
    predicted = actual = 0
    for cohort, ages in known.items():
        age = cut - cohort
        before = [cell for step, cell in ages.items() if step < age]
        standing = sum(cell.granted - cell.redeemed - cell.expired for cell in before)
        predicted += max(standing, 0) * table.within(age, held)
        actual += sum(cell.redeemed for step, cell in ages.items() if age <= step < age + held)
    return Trial(held, predicted // BILLION, actual)


# ---------------------------------------------------------------------- in words


def sentence(found: Estimate, language: str) -> str:
    """What the estimate rests on, or why there is none."""
    tongue = spoken(language)
    french = tongue == "fr"
    if found.why == "too-few-months":
        have, need = number(found.months, tongue), MONTHS_NEEDED
        if french:
            return f"Trop peu de données pour estimer{_NBSP}: {have} mois sur {need}. Tout ce qui reste est compté."
        return f"There are too few data to estimate: {have} of {need} months. All that is left is counted."
    if found.why == "too-few-redemptions":
        have, need = number(found.redemptions, tongue), REDEMPTIONS_NEEDED
        if french:
            return f"Trop peu d’utilisations pour estimer{_NBSP}: {have} sur {need}. Tout ce qui reste est compté."
        return f"There are too few redemptions to estimate: {have} of {need}. All that is left is counted."
    trial = found.trial
    if trial is None:
        return ""
    missed = percent(trial.error, tongue)
    if found.why == "unreliable":
        if french:
            return (
                f"L’estimation s’est trompée de {missed} sur les {trial.months} derniers mois{_NBSP}: "
                "elle n’est pas utilisée, tout ce qui reste est compté."
            )
        return (
            f"The estimate missed the last {trial.months} months by {missed} and is not used: all that is left counts."
        )
    share, low, high = (percent(one, tongue) for one in (found.share, found.low, found.high))
    if french:
        return (
            f"{share} des unités données devraient être utilisées (entre {low} et {high}), "
            f"d’après {found.months} mois. Essai sur les {trial.months} derniers mois{_NBSP}: écart de {missed}."
        )
    return (
        f"{share} of what is given is expected to be redeemed (between {low} and {high}), by {found.months} months. "
        f"Tried on the last {trial.months} months it missed by {missed}."
    )


_NBSP = "\u00a0"


def percent(share: Fraction, language: str) -> str:
    """With one decimal, half up: `91.3%`, `91,3 %`."""
    tenths = (share * 1000 + Fraction(1, 2)).__floor__()
    if spoken(language) == "fr":
        return f"{tenths // 10},{tenths % 10}{_NBSP}%"
    return f"{tenths // 10}.{tenths % 10}%"
