"""Whatever is booked in whatever order: entries sum to zero, the cached figures are true, nobody overspends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.records.booking import CURRENCIES, Books, LotRow
from tests.world import World
from wallet_server.errors import Conflict
from wallet_server.records.books import audit
from wallet_server.records.purse import ledger
from wallet_server.records.purse.ledger import Posted
from wallet_server.records.schema import ledger_postings

AMOUNTS = st.integers(1, 100)
WHO, WHAT = st.sampled_from([0, 0, 0, 1]), st.sampled_from([*CURRENCIES, "points", "points"])
STEPS = st.one_of(
    st.tuples(st.just("award"), WHO, WHAT, AMOUNTS, st.none() | st.integers(1, 5)),
    st.tuples(st.just("burn"), WHO, WHAT, AMOUNTS),
    st.tuples(st.just("reverse"), st.integers(0, 30)),
    st.tuples(st.just("wait"), st.integers(1, 3)),
)
DEBT_REPAID = [
    ("award", 0, "points", 50, None),
    ("burn", 0, "points", 30),
    ("reverse", 0),
    ("award", 0, "points", 10, None),
    ("award", 0, "points", 40, 2),
    ("reverse", 1),
]
FIRST_TO_EXPIRE_FIRST = [
    ("award", 0, "points", 10, 3),
    ("award", 0, "points", 10, None),
    ("award", 0, "points", 10, 1),
    ("award", 0, "points", 10, 1),
    ("burn", 0, "points", 15),
    ("burn", 0, "points", 10),
]
EXPIRED_BESIDE_A_DEBT = [
    ("award", 0, "points", 20, 1),
    ("award", 0, "points", 50, None),
    ("wait", 2),
    ("burn", 0, "points", 50),
    ("reverse", 1),
    ("award", 0, "points", 30, None),
    ("burn", 0, "points", 20),
]


class _RolledBack(Exception):
    pass


@contextmanager
def _books(world: World, members: int = 2) -> Iterator[Books]:
    """Books that nobody keeps: the transaction is rolled back at the end."""
    with pytest.raises(_RolledBack), world.ctx.change() as tx:  # noqa: PT012 - the whole test runs inside
        yield Books(world, tx, members)
        raise _RolledBack


def _eligible(books: Books, member: int, currency: str) -> list[LotRow]:
    """Lots that may be spent now, first to expire first, the older of two that expire together first."""
    alive = [
        lot
        for lot in books.lots(member, currency)
        if lot.remaining > 0 and (lot.expires_at is None or lot.expires_at > books.now)
    ]
    return sorted(alive, key=lambda lot: (lot.expires_at is None, lot.expires_at or books.now, lot.id))


def _burn(books: Books, member: int, currency: str, amount: int) -> Posted | None:
    """Burn, and compare with what first-to-expire-first says; None when it was refused."""
    before = _eligible(books, member, currency)
    balance = books.purse(member, currency).amount
    spendable = min(balance, sum(lot.remaining for lot in before))
    try:
        posted = books.burn(member, amount, currency)
    except Conflict as refusal:
        assert refusal.code == "not-enough"
        assert spendable < amount
        assert refusal.facts["available"] == spendable
        return None
    assert spendable >= amount
    left = {lot.id: lot.remaining for lot in books.lots(member, currency)}
    owed = amount
    for lot in before:
        part = min(lot.remaining, owed)
        assert left[lot.id] == lot.remaining - part
        owed -= part
    assert owed == 0
    return posted


def _check(books: Books) -> None:
    for member in books.members:
        for currency in CURRENCIES:
            cached, posted, owned = books.three_sums(member, currency)
            assert cached == posted == owned
            for lot in books.lots(member, currency):
                assert min(lot.amount, 0) <= lot.remaining <= max(lot.amount, 0)
    unbalanced = (
        sa.select(ledger_postings.c.entry_id)
        .group_by(ledger_postings.c.entry_id, ledger_postings.c.currency_id)
        .having(sa.func.sum(ledger_postings.c.amount) != 0)
    )
    assert books.tx.execute(unbalanced).all() == []


def _play(books: Books, steps: list[tuple]) -> None:
    done: list[tuple[int, Posted]] = []
    reversed_already: set[int] = set()
    for step in steps:
        match step:
            case ("award", who, currency, amount, days):
                member = books.members[who]
                owed = -min(0, books.purse(member, currency).amount)
                done.append((member, books.award(member, amount, currency=currency, days=days)))
                fresh = books.lots(member, currency)[-1]
                assert fresh.remaining <= amount - min(owed, amount)
            case ("burn", who, currency, amount):
                posted = _burn(books, books.members[who], currency, amount)
                if posted is not None:
                    done.append((books.members[who], posted))
            case ("reverse", which) if which < len(done):
                member, posted = done[which]
                before = books.purse(member, posted.currency).amount
                if posted.entry_id in reversed_already:
                    with pytest.raises(Conflict) as refusal:
                        books.reverse(member, posted)
                    assert refusal.value.code == "already-reversed"
                else:
                    undone = books.reverse(member, posted)
                    reversed_already.add(posted.entry_id)
                    assert undone.balance == before - posted.amount
                    with pytest.raises(Conflict) as refusal:
                        books.reverse(member, undone)
                    assert refusal.value.code == "not-reversible"
            case ("wait", days):
                books.now += timedelta(days=days)
        _check(books)
    assert list(audit.faults(books.tx)) == []
    totals: dict[str, int] = {}
    for line in audit.trial_balance(books.tx):
        totals[line.currency] = totals.get(line.currency, 0) + line.amount
    assert set(totals.values()) <= {0}


@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example(DEBT_REPAID)
@example(FIRST_TO_EXPIRE_FIRST)
@example(EXPIRED_BESIDE_A_DEBT)
@given(st.lists(STEPS, min_size=3, max_size=14))
@pytest.mark.slow
def test_the_books_are_true_after_every_step_of_any_day(world: World, steps: list[tuple]) -> None:
    with _books(world) as books:
        _play(books, steps)


def test_a_reversed_award_that_was_spent_leaves_a_debt_which_later_awards_repay(world: World) -> None:
    with _books(world, 1) as books:
        member = books.members[0]
        award = books.award(member, 50)
        books.burn(member, 30)
        assert books.reverse(member, award).balance == -30
        assert [(lot.amount, lot.remaining) for lot in books.lots(member)] == [(50, 0), (-30, -30)]
        with pytest.raises(Conflict):
            books.burn(member, 1)
        assert books.award(member, 10).balance == -20
        assert books.award(member, 25).balance == 5
        assert [lot.remaining for lot in books.lots(member)] == [0, 0, 0, 5]
        assert list(audit.faults(books.tx)) == []


def test_a_redemption_undone_gives_back_to_the_lots_it_took_from(world: World) -> None:
    with _books(world, 1) as books:
        member = books.members[0]
        books.award(member, 10, days=9)
        books.award(member, 10, days=2)
        burn = books.burn(member, 15)
        assert [lot.remaining for lot in books.lots(member)] == [5, 0]
        books.reverse(member, burn)
        assert [lot.remaining for lot in books.lots(member)] == [10, 10]


def test_nobody_can_hold_more_than_a_number_that_every_language_reads_exactly(world: World) -> None:
    with _books(world, 1) as books:
        member = books.members[0]
        books.award(member, 2**53 - 1)
        with pytest.raises(Conflict) as refusal:
            books.award(member, 1)
        assert refusal.value.code == "balance-too-large"


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_and_less_than_nothing_cannot_be_booked(world: World, amount: int) -> None:
    with _books(world, 1) as books:
        with pytest.raises(ValueError, match="positive"):
            books.award(books.members[0], amount)
        with pytest.raises(ValueError, match="positive"):
            books.burn(books.members[0], amount)


def test_two_merchants_that_award_for_the_first_time_share_no_row(world: World) -> None:
    """Balances are kept for members alone: a contra balance would be one row that all tills wait for."""
    with _books(world, 1) as books:
        books.award(books.members[0], 5)
        kept = books.tx.execute(
            sa.text("SELECT a.owner_kind FROM balances b JOIN ledger_accounts a ON a.id = b.account_id")
        ).scalars()
        assert set(kept) == {ledger.MEMBER}
