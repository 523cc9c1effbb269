"""Owns what one simulated member holds of one currency: lots in order of time, what is still on its way, what is owed.

As in the books: each award is a lot, what is spent comes off the oldest one first, a lot that has run out is worth
nothing from its instant on, and what is taken back beyond what is there is a debt that the next awards repay.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

from wallet_server.rules.baskets.earning import add_months

FAR = datetime(9999, 1, 1, tzinfo=UTC)


class Flow:
    """What happened to one currency in one month, in units."""

    __slots__ = ("earned", "expired", "spent", "taken_back")

    def __init__(self) -> None:
        self.earned = self.spent = self.expired = self.taken_back = 0

    def add(self, other: Flow) -> None:
        """Adds another count."""
        self.earned += other.earned
        self.spent += other.spent
        self.expired += other.expired
        self.taken_back += other.taken_back

    @property
    def change(self) -> int:
        """By how much more is outstanding after it."""
        return self.earned - self.spent - self.expired - self.taken_back


Flows = dict[int, Flow]
"""By month, counted from year 0."""


def month_of(at: datetime) -> int:
    """The month in which this moment is, counted from year 0."""
    return at.year * 12 + at.month - 1


def flow_in(flows: Flows, month: int) -> Flow:
    """The flow of a month, begun where there is none."""
    found = flows.get(month)
    if found is None:
        found = flows[month] = Flow()
    return found


class Purse:
    """One currency of one member. `balance` is what there is less what is owed. Lots are kept only where they can run
    out, `months` after they were earned: elsewhere it does not matter which of them is spent. `ends` is when the oldest
    lot runs out. What was earned is not counted one by one: it is what there is and what has gone (`_gone`) at the end
    of a month, less what had come before (`_come`)."""

    __slots__ = (
        "_come", "_flow", "_flows", "_gone", "_lots", "_months", "_waiting", "_waiting_units", "balance", "ends",
    )  # fmt: skip

    def __init__(self, flows: Flows, month: int, months: int | None) -> None:
        self.balance = self._gone = self._come = 0
        self.ends = FAR
        self._flows = flows
        self._flow = flow_in(flows, month)
        self._months = months
        self._lots: deque[tuple[datetime, int]] = deque()  # (earned at, units)
        self._waiting: deque[tuple[datetime, int]] = deque()
        self._waiting_units = 0

    def begin(self, month: int) -> None:
        """What happens from now on is of this month."""
        come = self.balance + self._gone
        self._flow.earned += come - self._come
        self._come = come
        self._flow = flow_in(self._flows, month)

    def earn(self, units: int, at: datetime, pending_until: datetime | None = None) -> None:
        """Takes in what was earned now, later than anything before."""
        before = self.balance
        left = units if before >= 0 else max(0, units + before)
        self.balance = before + units
        if self._months is not None and left:
            # The end is computed for the oldest lot alone: most are spent before anybody asks.
            self._lots.append((at, left))
            if len(self._lots) == 1:
                self.ends = add_months(at, self._months)
        if pending_until is not None:
            self._waiting.append((pending_until, left))
            self._waiting_units += left

    def spendable(self, at: datetime) -> int:
        """What can be spent now."""
        while self._waiting and self._waiting[0][0] <= at:
            self._waiting_units -= self._waiting.popleft()[1]
        return max(0, self.balance - self._waiting_units)

    def spend(self, units: int) -> None:
        """Spends what `spendable` allowed."""
        self._flow.spent += units
        self._gone += units
        self.balance -= units
        lots = self._lots
        if not lots:
            return
        while units and lots:
            earned_at, held = lots.popleft()
            if held > units:
                lots.appendleft((earned_at, held - units))
            units = max(0, units - held)
        self._look()

    def _look(self) -> None:
        """The oldest lot is another one."""
        self.ends = FAR if not self._lots or self._months is None else add_months(self._lots[0][0], self._months)

    def take_back(self, units: int, *, owed: bool) -> int:
        """Takes back what goods earned that came back, from the newest lots; what is not there is `owed`, or left to
        the member. What was taken back."""
        taken = units if owed else min(units, max(0, self.balance))
        lots, missing = self._lots, min(taken, max(0, self.balance))
        while missing and lots:
            earned_at, held = lots[-1]
            if held > missing:
                lots[-1], missing = (earned_at, held - missing), 0
            else:
                missing -= held
                lots.pop()
        self._look()
        self.balance -= taken
        self._gone += taken
        self._flow.taken_back += taken
        # What was on its way and is gone now is no longer waited for.
        self._waiting_units = min(self._waiting_units, max(0, self.balance))
        return taken

    def expire(self, at: datetime) -> None:
        """Lets run out what has reached its instant, each in the month in which it did."""
        months, lots = self._months, self._lots
        while self.ends <= at and months is not None:
            held = lots.popleft()[1]
            self.balance -= held
            self._gone += held
            flow_in(self._flows, month_of(self.ends)).expired += held
            self.ends = add_months(lots[0][0], months) if lots else FAR
