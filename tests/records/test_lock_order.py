"""Whoever locks several rows takes them in one order: while the first is held by another, the rest are still free."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.actions.passes.test_pushed_coupons import save
from tests.actions.purse.test_coupons import joined, promising
from tests.conftest import NewDatabase
from tests.vendor import add_vendor
from tests.world import PASS_TYPE, World, founded
from wallet_server.actions.passes import cards, refresh
from wallet_server.actions.people import leaving
from wallet_server.actions.purse import coupons
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.jobs import BULK, Put
from wallet_server.records.passes import devices, passes
from wallet_server.records.schema import devices as devices_table
from wallet_server.records.schema import jobs as jobs_table
from wallet_server.records.schema import passes as passes_table
from wallet_server.records.schema import publications
from wallet_server.wallets.port import Report, Stale

KEYS = ["12:1", "1:2", "9:0"]
"""In the order of code points; a collation that passes over the colon has the second one first."""


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    """On PostgreSQL: SQLite has one writer and no order."""
    with founded(new_database("postgresql"), tmp_path) as made:
        yield made


def _free(
    world: World, table: sa.Table, first: int, act: Callable[[Tx], object], among: sa.Table | None = None
) -> set[int]:
    """The rows (by primary key; of the same table, or `among` those of another) that are free while `act` waits for the
    row `first`, which another holds."""
    key = next(iter(table.primary_key.columns))
    asked = key if among is None else next(iter(among.primary_key.columns))
    faults: list[Exception] = []

    def run() -> None:
        try:
            with world.ctx.change() as tx:
                act(tx)
        except Exception as fault:  # noqa: BLE001 - the test looks at it
            faults.append(fault)

    thread = threading.Thread(target=run)
    with world.ctx.change() as holder:
        holder.execute(sa.select(key).where(key == first).with_for_update()).one()
        thread.start()
        _until_somebody_waits(world)
        with world.ctx.change() as tx:
            free = set(tx.execute(sa.select(asked).with_for_update(skip_locked=True)).scalars())
    thread.join(20)
    assert not thread.is_alive()
    assert faults == []
    return free


def _until_somebody_waits(world: World) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    pause = threading.Event()
    for _ in range(500):
        with world.ctx.look() as tx:
            if tx.exec_driver_sql(query).scalar_one():
                return
        pause.wait(0.02)
    raise AssertionError("nobody waits for the row")


def _jobs(world: World) -> dict[str, int]:
    """Three jobs, written against their order, by key."""
    for key in reversed(KEYS):
        with world.ctx.change() as tx:
            jobs.put(tx, [Put("walk", key, BULK, world.clock())])
    with world.ctx.look() as tx:
        rows = tx.execute(sa.select(jobs_table.c.key, jobs_table.c.id).where(jobs_table.c.kind == "walk"))
        return {r.key: r.id for r in rows}


def test_jobs_are_handed_back_taken_over_and_revived_in_the_order_in_which_they_are_put(world: World) -> None:
    ids, now = _jobs(world), world.clock()
    with world.ctx.change() as tx:
        leases = jobs.claim(tx, BULK, 10, now, 60)
    assert [lease.key for lease in leases] == KEYS
    others = {ids[key] for key in KEYS[1:]}
    assert _free(world, jobs_table, ids[KEYS[0]], lambda tx: jobs.release(tx, leases[::-1], now)) == others
    with world.ctx.change() as tx:
        leases = jobs.claim(tx, BULK, 10, now, 60)
    assert _free(world, jobs_table, ids[KEYS[0]], lambda tx: jobs.break_leases(tx, now)) == others
    with world.ctx.change() as tx:
        for lease in jobs.claim(tx, BULK, 10, now, 60):
            assert jobs.bury(tx, lease, now, "it cannot work")
    assert _free(world, jobs_table, ids[KEYS[0]], lambda tx: jobs.revive(tx, now)) == others
    with world.ctx.look() as tx:
        assert jobs.counts(tx, now) == {"due": 3, "waiting": 0, "dead": 0}


def test_publications_are_locked_in_the_order_of_their_passes(world: World) -> None:
    first, *others = ids = sorted(world.enrol().pass_id for _ in range(3))
    back = ids[::-1]
    with world.ctx.change() as tx:
        rows = [passes.published(tx, ids)[key] for key in back]
        for key in back:  # written anew against their order
            tx.execute(sa.update(publications).where(publications.c.pass_id == key).values(rung=1))
    onward = [replace(row, number=row.number + 1) for row in rows]
    acts: list[Callable[[Tx], object]] = [
        lambda tx: passes.hold_published(tx, back),
        lambda tx: passes.publish_next(tx, onward),
        lambda tx: passes.hand_out_tags(tx, PASS_TYPE, back, world.clock()),
        passes.ring_everybody,
    ]
    for act in acts:
        assert _free(world, publications, first, act) == set(others)
    with world.ctx.look() as tx:
        tags = {key: one.tag for key, one in passes.published(tx, ids).items()}
    assert None not in tags.values()
    assert sorted(ids, key=lambda key: tags[key] or 0) == ids


def test_publishing_holds_the_whole_batch_before_it_changes_any(world: World) -> None:
    """What is taken in without a change and what is published anew are different sets of one batch."""
    holders = [world.enrol() for _ in range(3)]
    world.work()
    world.sell(holders[0], 1000)
    with world.ctx.change() as tx:
        for holder in holders[1:]:
            passes.bump(tx, holder.member_id, 0)
    first, *others = [holder.pass_id for holder in holders]
    ids = [first, *others]
    assert _free(world, publications, first, lambda tx: cards.publish(world.ctx, tx, ids, world.clock())) == set(others)


def test_a_device_and_those_that_it_drives_out_are_locked_in_the_order_of_their_keys(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two phones that register for each other's card at once, each card held by as many devices as may hold it."""
    monkeypatch.setattr(devices, "MAX_DEVICES_PER_PASS", 1)
    cards_of = [world.enrol().pass_id for _ in range(2)]

    def register(tx: Tx, phone: int, card: int) -> object:
        passes.lock_passes(tx, [cards_of[card]])
        name = (f"phone-{phone}", PASS_TYPE, cards_of[card], devices.APNS, f"{phone}" * 64)
        return devices.register(tx, *name, world.clock())

    for n in range(2):
        with world.ctx.change() as tx:
            register(tx, n, n)
    with world.ctx.look() as tx:
        first, second = tx.execute(sa.select(devices_table.c.id).order_by(devices_table.c.id)).scalars()
    assert _free(world, devices_table, first, lambda tx: register(tx, 1, 0)) == {second}
    with world.ctx.look() as tx:
        held = {key: [one.id for one in rows] for key, rows in devices.holders(tx, cards_of).items()}
    assert held == {card: [second] for card in cards_of}


def _every_job(world: World) -> set[int]:
    with world.ctx.look() as tx:
        return set(tx.execute(sa.select(jobs_table.c.id)).scalars())


def test_who_leaves_holds_no_job_while_a_publication_is_waited_for(world: World) -> None:
    """A worker that settles has the publications first and then the jobs."""
    add_vendor(world)
    holder = world.enrol()
    saved = save(world, holder)[0]
    world.sell(holder, 1000)
    every = _every_job(world)
    assert len(every) > 1
    leave = partial(leaving.leave, world.ctx, world.merchant, holder.member)
    assert _free(world, publications, saved.pass_id, lambda _tx: leave(), among=jobs_table) >= every


def test_a_card_that_was_overtaken_is_put_again_when_its_whole_batch_is_held(world: World) -> None:
    vendor = add_vendor(world)
    saved = [save(world, holder)[0] for holder in (world.enrol(), world.enrol())]
    with world.ctx.change() as tx:
        jobs.put(tx, [Put(cards.REFRESH, str(one.pass_id), BULK, world.clock()) for one in saved])
        for one in saved:
            passes.ring_again(tx, one.pass_id, new_tag=False)
    with world.ctx.change() as tx:
        leases = jobs.claim(tx, BULK, 10, world.clock(), 60)
    assert len(leases) == 2
    first, last = leases
    as_told = vendor.refresh

    def refreshed_while_asked_anew(stale: Sequence[Stale], at: datetime) -> Iterator[Report]:
        with world.ctx.change() as tx:
            passes.ring_again(tx, int(last.key), new_tag=False)
        return as_told(stale, at)

    vendor.refresh = refreshed_while_asked_anew  # type: ignore[method-assign]

    assert last.id in _free(world, jobs_table, first.id, lambda _tx: refresh.refresh(world.ctx, leases))
    with world.ctx.look() as tx:
        left = tx.execute(sa.select(jobs_table.c.key).where(jobs_table.c.id.in_([first.id, last.id])))
        assert [row.key for row in left] == []
        assert last.key in tx.execute(sa.select(jobs_table.c.key)).scalars().all()


def test_who_uses_a_coupon_holds_no_job_while_a_pass_is_waited_for(new_database: NewDatabase, tmp_path: Path) -> None:
    with founded(new_database("postgresql"), tmp_path, document=promising()) as world:
        add_vendor(world)
        card, file = joined(world)
        _, copy = save(world, card)
        assert file.pass_id < copy.pass_id
        with world.ctx.change() as tx:
            jobs.put(tx, [Put(cards.REFRESH, str(one.pass_id), BULK, world.clock()) for one in (file, copy)])
        using = coupons.Using(file.code, "1")
        use = partial(coupons.use, world.ctx, world.till, using, None)
        every = _every_job(world)
        assert _free(world, passes_table, copy.pass_id, lambda _tx: use(), among=jobs_table) >= every
        undo = partial(coupons.undo, world.ctx, world.till, use()[0]["id"], None)
        assert _free(world, passes_table, file.pass_id, lambda _tx: undo(), among=passes_table) >= {copy.pass_id}
