"""The outbox keeps its promises one by one, and together while puts and workers race."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.world import NOON, World, together
from tests.world import settings as world_settings
from wallet_server.records import jobs
from wallet_server.records.database import Database, Tx, open_database
from wallet_server.records.jobs import BULK, COUNTER, SERVICE, Again, Lease, Put, Rest

LEASE_SECONDS = 60.0


@pytest.fixture
def database(database_url: str, tmp_path: object) -> Iterator[Database]:
    """A migrated database without anything in it."""
    made = open_database(world_settings(database_url, tmp_path))  # type: ignore[arg-type]
    yield made
    made.close()


def _at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def _put(tx: Tx, seconds: float = 0, key: str = "k", lane: int = COUNTER) -> None:
    jobs.put(tx, [Put("kind", key, lane, _at(seconds))])


def _claim(tx: Tx, seconds: float = 0, lane: int = COUNTER) -> Lease | None:
    found = jobs.claim(tx, lane, 10, _at(seconds), LEASE_SECONDS)
    return found[0] if found else None


def _due(tx: Tx) -> float:
    (letter,) = jobs.letters(tx, dead=False)
    return (letter.due_at - NOON).total_seconds()


def test_a_settled_job_is_gone_and_a_job_put_again_meanwhile_runs_at_the_time_of_that_put(database: Database) -> None:
    with database.change() as tx:
        _put(tx)
        lease = _claim(tx)
        assert lease is not None
        jobs.settle(tx, [lease])
        assert jobs.letters(tx, dead=False) == []
        _put(tx)
        lease = _claim(tx)
        assert lease is not None
        _put(tx, 30)
        assert _due(tx) == LEASE_SECONDS  # the lease is respected while it runs
        jobs.settle(tx, [lease])
        assert _due(tx) == 30
        assert _claim(tx, 29) is None
        assert _claim(tx, 30) is not None


def test_the_earlier_time_and_the_more_urgent_lane_win(database: Database) -> None:
    with database.change() as tx:
        _put(tx, 20, lane=BULK)
        _put(tx, 10, lane=SERVICE)
        _put(tx, 30, lane=BULK)
        assert _due(tx) == 10
        assert _claim(tx, 10, BULK) is None
        assert _claim(tx, 10, SERVICE) is not None


def test_a_rest_is_not_shortened_by_a_put_and_not_lengthened_either(database: Database) -> None:
    with database.change() as tx:
        _put(tx)
        lease = _claim(tx)
        assert lease is not None
        jobs.rest(tx, lease, _at(100), "slow down")
        _put(tx, 1)
        assert _due(tx) == 100
        _put(tx, 500)
        assert _due(tx) == 100
        lease = _claim(tx, 100)
        assert lease is not None
        assert lease.failures == 1
        jobs.settle(tx, [lease], rests={lease.id: Rest(_at(300), "a vendor asked for it")})
        _put(tx, 900)
        assert _due(tx) == 300
        again = _claim(tx, 300)
        assert again is not None
        assert again.failures == 1  # a vendor's rest is no failure of the job


def test_a_lease_that_ran_out_is_taken_over_and_its_first_holder_can_do_nothing(database: Database) -> None:
    with database.change() as tx:
        _put(tx)
        first = _claim(tx)
        assert _claim(tx, LEASE_SECONDS - 1) is None
        second = _claim(tx, LEASE_SECONDS)
        assert first is not None
        assert second is not None
        assert second.attempt > first.attempt
        jobs.settle(tx, [first])
        jobs.rest(tx, first, _at(9999), "stale")
        jobs.release(tx, [first], _at(0))
        jobs.bury(tx, first, _at(0), "stale")
        assert _due(tx) == 2 * LEASE_SECONDS
        jobs.settle(tx, [second])
        assert jobs.letters(tx, dead=False) == jobs.letters(tx, dead=True) == []


def test_a_job_handed_back_is_due_at_once(database: Database) -> None:
    with database.change() as tx:
        _put(tx)
        lease = _claim(tx)
        assert lease is not None
        jobs.release(tx, [lease], _at(5))
        assert _due(tx) == 5


def test_a_dead_letter_can_be_read_revived_or_put_again(database: Database) -> None:
    with database.change() as tx:
        for key in "ab":
            _put(tx, key=key)
        for lease in jobs.claim(tx, COUNTER, 10, _at(0), LEASE_SECONDS):
            jobs.rest(tx, lease, _at(1), "first")
        for lease in jobs.claim(tx, COUNTER, 10, _at(1), LEASE_SECONDS):
            jobs.bury(tx, lease, _at(1), "it cannot work")
        dead = jobs.letters(tx, dead=True)
        assert [(letter.key, letter.last_error, letter.failures) for letter in dead] == [
            ("a", "it cannot work", 2),
            ("b", "it cannot work", 2),
        ]
        assert _claim(tx, 9999) is None
        _put(tx, 7, key="a")
        assert jobs.revive(tx, _at(8), "other-kind") == 0
        assert jobs.revive(tx, _at(8)) == 1
        assert jobs.letters(tx, dead=True) == []
        # With its old failures the next stumble would bury it at once.
        assert [lease.failures for lease in jobs.claim(tx, COUNTER, 10, _at(8), LEASE_SECONDS)] == [0, 0]


def test_a_revived_letter_is_not_put_off_by_a_later_wish(database: Database) -> None:
    with database.change() as tx:
        _put(tx)
        lease = _claim(tx)
        assert lease is not None
        jobs.bury(tx, lease, _at(0), "x")
        jobs.revive(tx, _at(8))
        _put(tx, 500)
        assert _due(tx) == 8


def test_what_waits_for_a_date_leaves_the_counters_lane(database: Database) -> None:
    """Else a campaign over cards that each wait for a date would run in the counter's lane, before every sale."""
    with database.change() as tx:
        _put(tx)
        lease = _claim(tx)
        assert lease is not None
        jobs.settle(tx, [lease], {lease.id: Again(_at(1000), BULK)})
        _put(tx, 10, lane=BULK)
        assert _due(tx) == 10
        assert _claim(tx, 10, COUNTER) is None
        assert _claim(tx, 10, BULK) is not None


def test_an_urgent_put_during_the_lease_keeps_its_lane(database: Database) -> None:
    with database.change() as tx:
        _put(tx, lane=BULK)
        lease = _claim(tx, lane=BULK)
        assert lease is not None
        _put(tx, 3, lane=COUNTER)
        jobs.settle(tx, [lease], {lease.id: Again(_at(1000), BULK)})
        assert _due(tx) == 3
        assert _claim(tx, 3, COUNTER) is not None


@pytest.mark.parametrize("database_kind", ["postgresql"])  # SQLite has one version of a row
@pytest.mark.parametrize("count", [1, 500])
def test_a_claim_changes_no_index(database: Database, count: int) -> None:
    """Or PostgreSQL writes a new entry into every index of the queue for each job that passes through it."""
    with database.change() as tx:
        jobs.put(tx, [Put("kind", str(n), BULK, NOON) for n in range(count)])
    with database.change() as tx:
        assert len(jobs.claim(tx, BULK, count, NOON, LEASE_SECONDS)) == count
        changed, in_place = tx.execute(
            sa.text(
                "SELECT pg_stat_get_xact_tuples_updated('jobs'::regclass), "
                "pg_stat_get_xact_tuples_hot_updated('jobs'::regclass)"
            )
        ).one()
    assert (changed, in_place) == (count, count)


class _Model:
    """One job as it ought to be: the wishes not yet met, a rest, a lease."""

    def __init__(self) -> None:
        self.wishes: list[float] = []
        self.rest = 0.0
        self.lease: tuple[Lease, list[float]] | None = None
        self.lease_until = 0.0

    def due(self) -> float | None:
        if not self.wishes and self.lease is None:
            return None
        if self.lease is not None:
            return max(self.lease_until, self.rest, *([min(self.wishes)] if self.wishes else []))
        return max(min(self.wishes), self.rest)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 100)),
        st.tuples(st.just("claim"), st.integers(0, 100)),
        st.tuples(st.just("settle"), st.none() | st.integers(0, 300)),
        st.tuples(st.just("rest"), st.integers(0, 200)),
        st.tuples(st.just("release"), st.just(0)),
    ),
    max_size=25,
)


class _RolledBack(Exception):
    pass


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(STEPS)
def test_no_wish_is_ever_forgotten(database: Database, steps: list[tuple[str, int | None]]) -> None:
    with pytest.raises(_RolledBack), database.change() as tx:  # noqa: PT012 - the whole test runs inside
        model, now = _Model(), 0.0
        for what, number in steps:
            now = _step(tx, model, now, what, number)
            found = jobs.letters(tx, dead=False)
            due = (found[0].due_at - NOON).total_seconds() if found else None
            assert due == model.due()
        raise _RolledBack


def _step(tx: Tx, model: _Model, now: float, what: str, number: int | None) -> float:
    match what, number, model.lease:
        case "put", int(after), _:
            _put(tx, now + after)
            model.wishes.append(now + after)
        case "claim", int(after), _:
            now += after
            lease = _claim(tx, now)
            due = model.due()
            assert (lease is not None) == (due is not None and due <= now)
            if lease is not None:
                model.lease, model.wishes, model.lease_until = (lease, model.wishes), [], now + LEASE_SECONDS
        case "settle", again, (lease, _):
            jobs.settle(tx, [lease], None if again is None else {lease.id: Again(_at(now + again), COUNTER)})
            model.wishes += [] if again is None else [now + again]
            model.lease, model.rest, model.lease_until = None, 0.0, 0.0
        case "rest", int(after), (lease, _):
            jobs.rest(tx, lease, _at(now + after), "rest")
            model.wishes.append(now + after)
            model.lease, model.rest, model.lease_until = None, now + after, 0.0
        case "release", _, (lease, _):
            jobs.release(tx, [lease], _at(now))
            model.wishes, model.lease, model.lease_until = [now], None, 0.0
    return now


def test_two_workers_never_hold_the_same_job(database: Database) -> None:
    with database.change() as tx:
        jobs.put(tx, [Put("kind", f"{n:03}", COUNTER, NOON) for n in range(120)])
    held: list[int] = []

    def work() -> None:
        while True:
            with database.change() as tx:
                leases = jobs.claim(tx, COUNTER, 7, _at(1), LEASE_SECONDS)
            if not leases:
                return
            held.extend(lease.id for lease in leases)

    assert together(work, work, work) == [None] * 3
    assert len(held) == len(set(held)) == 120


def test_whatever_is_put_while_workers_settle_is_run_once_more(database: Database) -> None:
    """A put that commits is followed by a run that begins after it, however puts, claims and settlements race."""
    keys = [f"k{n}" for n in range(4)]
    wanted = dict.fromkeys(keys, 0)  # as committed: how often each key was put
    told = dict.fromkeys(keys, 0)  # what the last run of each key saw
    done = threading.Event()
    clock = [0.0]

    def put() -> None:
        for number in range(40):
            key = keys[number % 4]
            with database.change() as tx:
                jobs.put(tx, [Put("kind", key, COUNTER, NOON)])
                wanted[key] = number + 1
            clock[0] += 0.001

    def work() -> None:
        idle = 0
        while idle < 2:
            with database.change() as tx:
                leases = jobs.claim(tx, COUNTER, 2, _at(clock[0]), LEASE_SECONDS)
            for lease in leases:
                told[lease.key] = max(told[lease.key], wanted[lease.key])
            with database.change() as tx:
                jobs.settle(tx, leases)
            idle = idle + 1 if done.is_set() and not leases else 0
            if not leases:
                done.wait(0.002)

    def puts() -> None:
        together(put)
        done.set()

    assert together(puts, work, work) == [None] * 3
    with database.look() as tx:
        assert jobs.letters(tx, dead=False) == []
    assert told == wanted


def test_many_put_together_in_any_order_do_not_wait_for_each_other(database: Database) -> None:
    keys = [f"{n:02}" for n in range(30)]

    def put(order: list[str]) -> None:
        for _ in range(6):
            with database.change() as tx:
                jobs.put(tx, [Put("kind", key, BULK, NOON) for key in order])

    assert together(lambda: put(keys), lambda: put(keys[::-1])) == [None, None]


def test_the_lanes_count_and_look_for_themselves(world: World) -> None:
    with world.ctx.change() as tx:
        jobs.put(tx, [Put("a", "1", BULK, _at(5)), Put("a", "2", COUNTER, _at(-5))])
        assert jobs.next_due(tx, BULK) == _at(5)
        assert jobs.next_due(tx, SERVICE) is None
        assert jobs.counts(tx, NOON) == {"due": 1, "waiting": 1, "dead": 0}
