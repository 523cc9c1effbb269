"""Whatever waited for a member whom another held goes by what stands once it has the member, not by what it read first.

On PostgreSQL: on SQLite who changes anything waits before it reads anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from tests.actions.counter.test_rotating import shown
from tests.actions.purse.test_coupons import joined, promising, refused
from tests.conftest import NewDatabase
from tests.world import NOON, Holder, World, founded
from wallet_server.actions.counter import till
from wallet_server.actions.people import leaving, recovery
from wallet_server.actions.purse import coupons
from wallet_server.errors import Conflict
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.schema import ledger_entries, rotating_numbers, staff_events
from wallet_server.records.schema import sales as sales_table
from wallet_server.records.vendors import issuers

Write = Callable[[], Any]


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("postgresql"), tmp_path, document=promising(), database_wait_seconds=20.0) as made:
        yield made


class Queue:
    """Writes that begin one after the other, each while those before it wait; `results` in that order."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._threads: list[threading.Thread] = []
        self.results: list[Any] = []

    def send(self, *writes: Write) -> None:
        """Begin each of them, and wait until it waits."""
        for write in writes:
            self.results.append(None)
            thread = threading.Thread(target=self._run, args=(len(self.results) - 1, write))
            thread.start()
            self._threads.append(thread)
            self._until_all_wait()

    def _run(self, place: int, write: Write) -> None:
        try:
            self.results[place] = write()
        except Exception as fault:  # noqa: BLE001 - the test looks at it
            self.results[place] = fault

    def _until_all_wait(self) -> None:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        pause = threading.Event()
        for _ in range(500):
            with self._world.ctx.look() as tx:
                if tx.exec_driver_sql(query).scalar_one() == len(self._threads):
                    return
            pause.wait(0.02)
        raise AssertionError("it does not wait")

    def end(self) -> None:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


def held(world: World, holder: Holder, send: Callable[[Queue], None], change: Callable[[Tx], object]) -> list[Any]:
    """What each write came to that was sent while the member was held, and `change` was done to them."""
    queue = Queue(world)
    with world.ctx.change() as tx:
        members.lock_member(tx, holder.member_id)
        send(queue)
        change(tx)
    queue.end()
    return queue.results


def send_all(writes: Sequence[Write], queue: Queue) -> None:
    queue.send(*writes)


def nothing(_tx: Tx) -> None:
    pass


def of(world: World, holder: Holder, kind: str) -> Write:
    """A write of the till without a date of its own."""
    scope = world.till
    if kind == "sale":
        return lambda: world.sell(holder, 1000, receipt="9", scope=scope)["id"]
    if kind == "redemption":
        return lambda: till.redeem(world.ctx, scope, till.Redeemed(holder.code, None, 60, "9"), None)[0]["id"]
    return lambda: coupons.use(world.ctx, scope, coupons.Using(holder.code, "9"), None)[0]["id"]


@pytest.mark.parametrize("kind", ["sale", "redemption", "coupon"])
def test_what_is_sent_again_over_midnight_while_the_first_is_not_done_counts_once(world: World, kind: str) -> None:
    card, coupon = joined(world)
    world.sell(card, 10_000)
    zone = ZoneInfo(world.till.zone)
    midnight = datetime.combine(NOON.astimezone(zone).date() + timedelta(days=1), time.min, zone).astimezone(UTC)
    write = of(world, coupon if kind == "coupon" else card, kind)

    def send(queue: Queue) -> None:
        for seconds in (-1, 1):
            world.clock.at = midnight + timedelta(seconds=seconds)
            queue.send(write)

    first, again = held(world, card, send, nothing)
    assert first == again
    with world.ctx.look() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(sales_table)).scalar_one() == 1 + (kind == "sale")
        burnt = sa.select(sa.func.count()).where(ledger_entries.c.kind == "burn")
        assert tx.execute(burnt).scalar_one() == (kind == "redemption")


def test_a_first_one_that_is_overtaken_by_its_echo_counts_no_more(world: World) -> None:
    card, _ = joined(world)
    zone = ZoneInfo(world.till.zone)
    midnight = datetime.combine(NOON.astimezone(zone).date() + timedelta(days=1), time.min, zone).astimezone(UTC)
    write = of(world, card, "sale")

    def send(queue: Queue) -> None:
        for seconds in (1, -1):  # that of the new day has the member first
            world.clock.at = midnight + timedelta(seconds=seconds)
            queue.send(write)

    first, again = held(world, card, send, nothing)
    assert first == again
    assert till.look_up(world.ctx, world.till, card.code).balances["points"] == 10


def test_a_card_that_was_cancelled_or_replaced_meanwhile_spends_nothing(world: World) -> None:
    one, other = world.enrol(), world.enrol()
    for holder in (one, other):
        world.sell(holder, 10_000)
    link = world.ctx.link("recover", other.pass_public_id).rsplit("/", 1)[1]
    for holder, end, code in (
        (one, lambda: leaving.cancel(world.ctx, world.merchant, one.member, one.pass_public_id), "revoked-card"),
        (other, lambda: recovery.by_link(world.ctx, link, "form"), "replaced-card"),
    ):
        writes = (end, partial(world.redeem, holder, 10))
        done, fault = held(world, holder, partial(send_all, writes), nothing)
        assert "pass" in done
        assert isinstance(fault, Conflict)
        assert fault.code == code
    assert till.look_up(world.ctx, world.till, other.code).balances["points"] == 100


def test_a_coupon_that_was_shown_anew_meanwhile_is_used_by_the_newer_one(world: World) -> None:
    card, coupon = joined(world)
    link = world.ctx.link("recover", card.pass_public_id).rsplit("/", 1)[1]
    replaced = partial(recovery.by_link, world.ctx, link, "form")
    _, fault = held(world, card, partial(send_all, [replaced, of(world, coupon, "coupon")]), nothing)
    assert isinstance(fault, Conflict)
    assert fault.code == "coupon-replaced"


def test_of_two_who_make_a_member_leave_the_second_changes_nothing(world: World) -> None:
    card, _ = joined(world)
    leave = partial(leaving.leave, world.ctx, world.merchant, card.member)
    first, second = held(world, card, partial(send_all, [leave, leave]), nothing)
    assert first["member"] == card.member
    assert first == second
    with world.ctx.look() as tx:
        assert list(
            tx.execute(sa.select(staff_events.c.what).where(staff_events.c.about == card.member)).scalars()
        ) == ["left"]


def test_a_changing_code_that_its_till_sends_twice_at_once_is_taken_for_both(world: World) -> None:
    card, _ = joined(world)
    code, scope = shown(world, card), world.till
    number = int(world.clock().timestamp()) // 30
    other = replace(scope, till_id=None)
    queue = Queue(world)
    with world.ctx.change() as tx:
        assert issuers.use_number(tx, card.pass_id, issuers.Taken(number, scope.till_id, world.clock()))
        queue.send(*[lambda s=s: till.look_up(world.ctx, s, code).member for s in (scope, other)])
    queue.end()
    assert queue.results[0] == card.member
    assert refused(lambda: till.look_up(world.ctx, other, code)) == "code-stale"
    assert isinstance(queue.results[1], Conflict)
    with world.ctx.look() as tx:
        assert tx.execute(sa.select(rotating_numbers.c.till_id)).scalars().all() == [scope.till_id]
