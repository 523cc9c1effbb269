"""What has run out is booked off once, whatever was spent, undone or owed before it, between and after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import NewDatabase
from tests.examples import examples
from tests.records.booking import CURRENCIES, Books
from tests.world import World, founded
from wallet_server.actions.operating import upkeep
from wallet_server.errors import Conflict
from wallet_server.records.books import audit
from wallet_server.records.purse import ledger
from wallet_server.records.purse.ledger import Posted
from wallet_server.records.schema import ledger_accounts, ledger_entries, ledger_postings

WHO, WHAT = st.sampled_from([0, 0, 1]), st.sampled_from([*CURRENCIES, "points", "points"])
STEPS = st.one_of(
    st.tuples(st.just("award"), WHO, WHAT, st.integers(1, 60), st.none() | st.integers(1, 3)),
    st.tuples(st.just("award"), WHO, WHAT, st.integers(1, 60), st.integers(1, 3)),
    st.tuples(st.just("burn"), WHO, WHAT, st.integers(1, 40)),
    st.tuples(st.just("reverse"), st.integers(0, 12)),
    st.tuples(st.just("wait"), st.integers(1, 3)),
    st.tuples(st.just("expire"), st.integers(1, 3)),
)
REVERSED_AFTER_IT_EXPIRED = [
    ("award", 0, "points", 50, 1),
    ("burn", 0, "points", 20),
    ("wait", 2),
    ("expire", 1),
    ("reverse", 0),
    ("award", 0, "points", 30, None),
]
GIVEN_BACK_TOO_LATE = [
    ("award", 0, "points", 50, 1),
    ("burn", 0, "points", 20),
    ("wait", 2),
    ("expire", 1),
    ("reverse", 1),
    ("expire", 1),
    ("reverse", 0),
]
EXPIRED_IN_DEBT = [
    ("award", 0, "points", 20, 1),
    ("award", 0, "points", 50, None),
    ("wait", 2),
    ("burn", 0, "points", 50),
    ("reverse", 1),
    ("expire", 1),
    ("award", 0, "points", 30, None),
    ("reverse", 0),
]
EXPIRED_PAYS_NO_DEBT = [
    ("award", 0, "points", 100, 1),
    ("burn", 0, "points", 100),
    ("award", 0, "points", 50, None),
    ("burn", 0, "points", 50),
    ("reverse", 2),
    ("wait", 2),
    ("reverse", 1),
    ("expire", 1),
]
EXPIRED_PAYS_ITS_OWN_DEBT = [
    ("award", 0, "points", 30, None),
    ("award", 0, "points", 50, 1),
    ("burn", 0, "points", 80),
    ("reverse", 0),
    ("reverse", 1),
    ("wait", 2),
    ("reverse", 2),
]
HARD_DAYS = [
    REVERSED_AFTER_IT_EXPIRED,
    GIVEN_BACK_TOO_LATE,
    EXPIRED_IN_DEBT,
    EXPIRED_PAYS_NO_DEBT,
    EXPIRED_PAYS_ITS_OWN_DEBT,
]


class _RolledBack(Exception):
    pass


@contextmanager
def _books(world: World, members: int = 2) -> Iterator[Books]:
    """Books that nobody keeps: the transaction is rolled back at the end."""
    with pytest.raises(_RolledBack), world.ctx.change() as tx:  # noqa: PT012 - the whole test runs inside
        yield Books(world, tx, members)
        raise _RolledBack


@dataclass
class _Lot:
    amount: int
    left: int
    until: datetime | None
    gone: int = 0


@dataclass
class _Account:
    """What an account should hold, reckoned without any ledger: parcels with a date, and what is owed for which."""

    lots: list[_Lot] = field(default_factory=list)
    owed: list[tuple[_Lot, int]] = field(default_factory=list)

    @property
    def balance(self) -> int:
        return sum(lot.left for lot in self.lots) - sum(part for _, part in self.owed)

    def award(self, amount: int, until: datetime | None) -> _Lot:
        lot = _Lot(amount, 0, until)
        self.lots.append(lot)
        lot.left = amount - self._pay(amount, lambda _: True)
        return lot

    def _pay(self, amount: int, whose: Callable[[_Lot], bool]) -> int:
        """Pay these debts out of so much, the oldest first; what that took."""
        before = amount
        for n, (lot, part) in enumerate(self.owed):
            paid = min(part, amount) if whose(lot) else 0
            amount -= paid
            self.owed[n] = (lot, part - paid)
        return before - amount

    def alive(self, now: datetime) -> list[_Lot]:
        alive = [lot for lot in self.lots if lot.until is None or lot.until > now]
        return sorted(alive, key=lambda lot: (lot.until is None, lot.until or now))

    def draw(self, amount: int, lots: list[_Lot]) -> list[tuple[_Lot, int]]:
        taken = []
        for lot in lots:
            part = min(lot.left, amount)
            lot.left -= part
            amount -= part
            taken.append((lot, part))
        return taken

    def give_back(self, taken: list[tuple[_Lot, int]], now: datetime) -> None:
        """What has run out pays what is owed for itself alone, and before anything else does; then the others pay."""
        alive = self.alive(now)
        for lot, part in sorted(taken, key=lambda one: (_known(one[0], alive), self.lots.index(one[0]))):
            every = _known(lot, alive)
            lot.left += part - self._pay(part, lambda debt, lot=lot, every=every: every or debt is lot)

    def take_back(self, lot: _Lot, now: datetime) -> None:
        missing = lot.amount - lot.gone - lot.left
        lot.gone = lot.left = 0
        self.owed.append((lot, missing - sum(part for _, part in self.draw(missing, self.alive(now)))))

    def expire(self, now: datetime) -> None:
        for lot in self.lots:
            if lot.until is not None and lot.until <= now:
                lot.gone, lot.left = lot.gone + lot.left, 0


def _known(lot: _Lot, among: list[_Lot]) -> bool:
    """This very one: two lots may look alike."""
    return any(one is lot for one in among)


class _Day:
    """The books and the reckoning beside them, moved by the same steps."""

    def __init__(self, world: World, books: Books) -> None:
        self._world, self._books = world, books
        self._accounts = {(member, code): _Account() for member in books.members for code in CURRENCIES}
        self._done: list[tuple[int, Posted, _Lot | list[tuple[_Lot, int]] | None]] = []

    def step(self, step: tuple) -> None:
        books = self._books
        match step:
            case ("award", who, code, amount, days):
                member = books.members[who]
                until = None if days is None else books.now + timedelta(days=days)
                posted = books.award(member, amount, currency=code, days=days)
                self._done.append((member, posted, self._accounts[member, code].award(amount, until)))
            case ("burn", who, code, amount):
                self._burn(books.members[who], code, amount)
            case ("reverse", which) if which < len(self._done):
                self._reverse(which)
            case ("wait", days):
                books.now += timedelta(days=days)
            case ("expire", most):
                for _ in range(100):
                    if not upkeep.book_expired(self._world.ctx, books.tx, books.now, most):
                        break
                for account in self._accounts.values():
                    account.expire(books.now)
        self._check()

    def _burn(self, member: int, code: str, amount: int) -> None:
        account = self._accounts[member, code]
        alive = account.alive(self._books.now)
        if min(account.balance, sum(lot.left for lot in alive)) < amount:
            with pytest.raises(Conflict):
                self._books.burn(member, amount, code)
        else:
            self._done.append((member, self._books.burn(member, amount, code), account.draw(amount, alive)))

    def _reverse(self, which: int) -> None:
        member, posted, what = self._done[which]
        if what is None:
            with pytest.raises(Conflict):
                self._books.reverse(member, posted)
            return
        self._books.reverse(member, posted)
        account = self._accounts[member, posted.currency]
        if isinstance(what, _Lot):
            account.take_back(what, self._books.now)
        else:
            account.give_back(what, self._books.now)
        self._done[which] = (member, posted, None)

    def _check(self) -> None:
        for (member, code), account in self._accounts.items():
            assert self._books.three_sums(member, code) == (account.balance,) * 3
            given = [lot.remaining for lot in self._books.lots(member, code) if lot.amount > 0]
            assert given == [lot.left for lot in account.lots]
        gone = sum(lot.gone for account in self._accounts.values() for lot in account.lots)
        assert _breakage(self._books) == gone


def _breakage(books: Books) -> int:
    return int(
        books.tx.execute(
            sa.select(sa.func.coalesce(sa.func.sum(ledger_postings.c.amount), 0))
            .join(ledger_accounts, ledger_accounts.c.id == ledger_postings.c.account_id)
            .where(ledger_accounts.c.purpose == ledger.BREAKAGE, ledger_accounts.c.owner_kind == ledger.MERCHANT)
        ).scalar_one()
    )


@pytest.fixture
def light_world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    """On SQLite alone, where a day costs so little that many can be tried."""
    with founded(new_database("sqlite"), tmp_path) as made:
        yield made


@pytest.mark.slow
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=4, max_size=16))
def test_balance_postings_and_lots_are_what_is_reckoned_beside_them(light_world: World, steps: list[tuple]) -> None:
    _play(light_world, steps)


@pytest.mark.parametrize("steps", HARD_DAYS)
def test_so_they_are_on_the_days_that_are_hard(world: World, steps: list[tuple]) -> None:
    _play(world, steps)


def _play(world: World, steps: list[tuple]) -> None:
    with _books(world) as books:
        day = _Day(world, books)
        for step in [*steps, ("wait", 9), ("expire", 2), ("expire", 100)]:
            day.step(step)
        assert list(audit.faults(books.tx)) == []
        sums: dict[str, int] = {}
        for line in audit.trial_balance(books.tx):
            sums[line.currency] = sums.get(line.currency, 0) + line.amount
        assert set(sums.values()) <= {0}


def test_what_has_run_out_pays_no_debt(world: World) -> None:
    with _books(world, 1) as books:
        (member,) = books.members
        books.award(member, 100, days=1)
        spent = books.burn(member, 100)
        sale = books.award(member, 50)
        books.burn(member, 50)
        books.reverse(member, sale)
        books.now += timedelta(days=3)
        books.reverse(member, spent)
        assert (books.purse(member).amount, [lot.remaining for lot in books.lots(member)]) == (50, [100, 0, -50])
        upkeep.book_expired(world.ctx, books.tx, books.now)
        assert (books.purse(member).amount, _breakage(books)) == (-50, 100)


def test_an_expiry_says_what_expired_when_and_under_whose_rule(world: World) -> None:
    with _books(world, 1) as books:
        (member,) = books.members
        award = books.award(member, 50, days=3)
        books.burn(member, 20)
        ran_out = books.now + timedelta(days=3)
        books.now += timedelta(days=5)
        assert not upkeep.book_expired(world.ctx, books.tx, books.now)
        entries = ledger_entries.c
        entry = books.tx.execute(sa.select(ledger_entries).where(entries.kind == ledger.EXPIRE)).one()
        gave = books.tx.execute(sa.select(ledger_entries).where(entries.id == award.entry_id)).one()
        assert (entry.reason, entry.effective_at, entry.recorded_at) == ("expire.lot", ran_out, books.now)
        assert (entry.rule_id, entry.merchant_id) == (gave.rule_id, gave.merchant_id)
        assert (entry.programme_version_id, entry.member_id) == (gave.programme_version_id, member)
        assert (entry.params["entry"], entry.receipt, entry.till_id) == (award.public_id, None, None)
        assert (books.purse(member).amount, _breakage(books)) == (0, 30)


def test_a_lot_that_still_counts_or_is_empty_is_left_alone(world: World) -> None:
    with _books(world, 1) as books:
        (member,) = books.members
        books.award(member, 10, days=1)
        books.award(member, 10)
        (dated, lasting) = books.lots(member)
        for lot in (dated, lasting):
            assert ledger.expire(books.tx, books.booking(member), books.purse(member), lot.id) is None
        books.now += timedelta(days=1)
        assert ledger.expire(books.tx, books.booking(member), books.purse(member), dated.id) is not None
        for lot in (dated, lasting):
            assert ledger.expire(books.tx, books.booking(member), books.purse(member), lot.id) is None


def test_what_has_expired_is_not_reversed_by_itself(world: World) -> None:
    with _books(world, 1) as books:
        (member,) = books.members
        books.award(member, 10, days=1)
        books.now += timedelta(days=1)
        posted = ledger.expire(books.tx, books.booking(member), books.purse(member), books.lots(member)[0].id)
        assert posted is not None
        with pytest.raises(Conflict) as refusal:
            books.reverse(member, posted)
        assert refusal.value.code == "not-reversible"
