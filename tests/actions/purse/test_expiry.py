"""Points run out at night: booked once whatever happens to the worker, told without a sound, undone with their sale."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from tests.conftest import NewDatabase
from tests.phone import Phone, ringing
from tests.world import NOON, Holder, World, founded, together
from wallet_server.actions import outbox
from wallet_server.actions.books import accounting
from wallet_server.actions.books.accounting import Question
from wallet_server.actions.context import Context
from wallet_server.actions.counter import till
from wallet_server.actions.operating import doctor, upkeep
from wallet_server.actions.people import leaving
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import NewStore
from wallet_server.records import jobs
from wallet_server.records.books import audit
from wallet_server.records.purse import ledger
from wallet_server.records.schema import jobs as table
from wallet_server.records.schema import (
    ledger_entries,
    lots,
    programme_versions,
    programmes,
)
from wallet_server.rules.programme.program_default import default_document


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """Whatever is earned here runs out after a month."""
    with _passing(database_url, tmp_path) as made:
        yield made


@contextmanager
def _passing(database_url: str, folder: Path) -> Iterator[World]:
    document = default_document("Boulangerie")
    for currency in document["currencies"]:
        currency["expires_after_months"] = 1
    with founded(database_url, folder, document=document) as made:
        yield made


def _night(world: World) -> None:
    """The work of the next night, and what it sets off."""
    upkeep.schedule(world.ctx)
    (due,) = [job.due_at for job in outbox.letters(world.ctx, dead=False) if job.key == upkeep.ALL]
    world.clock.at = max(world.clock(), due)
    world.work()


def _balances(world: World, holder: Holder) -> dict[str, int]:
    with world.ctx.look() as tx:
        return ledger.amounts(tx, [holder.member_id])[holder.member_id]


def _entries(world: World, kind: str) -> list[Any]:
    with world.ctx.look() as tx:
        query = sa.select(ledger_entries).where(ledger_entries.c.kind == kind).order_by(ledger_entries.c.id)
        return list(tx.execute(query).all())


def _sums(world: World) -> dict[tuple[str, str], int]:
    with world.ctx.look() as tx:
        return {(line.currency, line.purpose): line.amount for line in audit.trial_balance(tx)}


def test_a_night_books_off_what_has_run_out_and_the_card_follows_without_a_sound(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    world.sell(phone.holder, 35000)
    world.work()
    phone.rung()
    assert phone.pull()
    world.clock.forward(days=2)
    world.sell(phone.holder, 2000)
    for _ in range(2):
        world.work()
        phone.pull()
        world.clock.forward(hours=1)
    assert (phone.value("points"), phone.value("tier")) == (370, "Argent")
    phone.rung()
    world.clock.at = NOON.replace(month=12)
    _night(world)
    assert _balances(world, phone.holder) == {"points": 20, "status": 20}
    assert [(e.reason, e.effective_at) for e in _entries(world, ledger.EXPIRE)] == [
        ("expire.lot", NOON.replace(month=12))
    ] * 2
    assert _sums(world)["points", "breakage"] == 350
    assert phone.rung()
    assert phone.pull()
    assert ringing(phone.card) == []
    assert (phone.value("points"), phone.value("tier")) == (20, "Bronze")
    assert upkeep.book_faults(world.ctx) == []
    _night(world)
    assert len(_entries(world, ledger.EXPIRE)) == 2
    assert [job.key for job in outbox.letters(world.ctx, dead=False)] == [upkeep.ALL]


def test_two_workers_at_once_book_each_lot_off_once(world: World) -> None:
    holders = [world.enrol() for _ in range(4)]
    for holder in holders:
        world.sell(holder, 1000)
    world.work()
    now = world.clock.forward(days=40)

    def work() -> None:
        more = True
        for _ in range(50):
            if more:
                with world.ctx.change() as tx:
                    more = upkeep.book_expired(world.ctx, tx, now, 3) is not None
        assert not more

    assert together(work, work, work) == [None] * 3
    assert len(_entries(world, ledger.EXPIRE)) == 8
    assert [_balances(world, holder)["points"] for holder in holders] == [0] * 4
    assert upkeep.book_faults(world.ctx) == []


def test_a_till_and_the_night_at_once_leave_true_books(world: World) -> None:
    holders = [world.enrol() for _ in range(3)]
    receipts = [world.sell(holder, 1000)["id"] for holder in holders]
    world.work()
    world.clock.forward(days=40)

    def night() -> None:
        with world.ctx.change() as tx:
            upkeep.book_expired(world.ctx, tx, world.clock())

    sales = [lambda holder=holder: world.sell(holder, 500) and None for holder in holders]
    undo = [lambda sale=sale: till.reverse_sale(world.ctx, world.till, sale, None) and None for sale in receipts]
    assert together(night, *sales, *undo, night) == [None] * 8
    assert [_balances(world, holder)["points"] for holder in holders] == [5] * 3
    assert upkeep.book_faults(world.ctx) == []


def test_killed_in_the_middle_the_night_goes_on_where_it_stood(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    holders = [world.enrol() for _ in range(3)]
    for holder in holders:
        world.sell(holder, 1000)
    world.work()
    world.clock.forward(days=40)
    real, slices = upkeep.book_expired, []

    def killed_in_the_second(ctx: Context, tx: Any, now: datetime, most: int, after: int | None) -> int | None:
        last = real(ctx, tx, now, 2, after)
        slices.append(last is not None)
        if len(slices) == 2:
            raise SystemExit  # as a kill: nothing of this slice is committed, nobody settles the job
        return last

    monkeypatch.setattr(upkeep, "book_expired", killed_in_the_second)
    with pytest.raises(SystemExit):
        _night(world)
    assert len(_entries(world, ledger.EXPIRE)) == 2
    outbox.take_over(world.ctx)
    world.work()
    assert slices == [True, True, True, True, False]
    assert len(_entries(world, ledger.EXPIRE)) == 6
    assert [_balances(world, holder)["points"] for holder in holders] == [0] * 3
    assert upkeep.book_faults(world.ctx) == []


def test_a_long_night_is_many_short_jobs_each_done_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers, and a clock that runs on: a slice takes half a lease, the whole night several."""
    holders = [world.enrol() for _ in range(3)]
    for holder in holders:
        world.sell(holder, 1000)
    world.work()
    world.clock.forward(days=40)
    real, slices = upkeep.book_expired, list[int | None]()

    def slow(ctx: Context, tx: Any, now: datetime, most: int, after: int | None) -> int | None:
        slices.append(after)
        # Meanwhile the other worker takes whatever seems to be left over.
        world.clock.forward(seconds=world.ctx.settings.lease_seconds / 2)
        with world.ctx.look() as look:
            at = jobs.micros(world.clock())
            free = sa.and_(table.c.due_at <= at, table.c.leased_until <= at)
            due = sa.select(table.c.key).where(free, table.c.kind == upkeep.NIGHTLY)
            assert {key.partition(":")[0] for key in look.execute(due).scalars()} <= {upkeep.OVER, upkeep.DAYS}
        return real(ctx, tx, now, 2, after)

    monkeypatch.setattr(upkeep, "book_expired", slow)
    _night(world)
    assert len(slices) == len(set(slices)) == 4, "each slice once"
    assert len(_entries(world, ledger.EXPIRE)) == 6
    assert upkeep.book_faults(world.ctx) == []
    assert [job.key for job in outbox.letters(world.ctx, dead=False)] == [upkeep.ALL]


def _another_shop(world: World) -> tuple[World, Holder]:
    """A second merchant's programme in the same installation, and a member of it."""
    document = default_document("Fromagerie")
    for currency in document["currencies"]:
        currency["expires_after_months"] = 1
    who = programs.found(world.ctx, "Fromagerie", NewStore("Halles"))
    made = programs.create_programme(world.ctx, who.account_id, who.merchant_id, document, world.credential_set)
    other = replace(world, founded=who, programme=made["programme"], join_code=made["join_code"])
    return other, other.enrol()


@pytest.mark.slow
@pytest.mark.parametrize("text", ['{"format": 1}', "{", "[]"])
def test_a_programme_that_cannot_be_read_keeps_nobody_else_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(upkeep, "EXPIRY_SLICE", 2)
    spoilt = [world.enrol() for _ in range(2)]
    for holder in spoilt:
        world.sell(holder, 1000)
    other, sound = _another_shop(world)
    world.clock.forward(minutes=1)
    other.sell(sound, 3000)
    world.work()
    world.clock.forward(days=31)
    with world.ctx.change() as tx:
        own = sa.select(programmes.c.id).where(programmes.c.public_id == world.programme).scalar_subquery()
        of_it = programme_versions.c.programme_id == own
        tx.execute(sa.update(programme_versions).where(of_it).values(document=text))
    world.ctx._versions.clear()
    with capture_logs() as said:
        _night(world)
    assert _balances(world, sound)["points"] == 0
    assert [_balances(world, holder)["points"] for holder in spoilt] == [10, 10]
    assert {line["member"] for line in said if line["event"] == "expiry skipped"} == {one.member for one in spoilt}
    assert upkeep.book_faults(world.ctx) == []
    (sentence,) = upkeep.unbooked(world.ctx)
    assert "cannot be read" in sentence
    assert world.programme in sentence
    assert [one.sentence for one in doctor.examine(world.ctx) if one.check == "expiry"] == [sentence]
    assert any(one.check == "programme" and one.level == "error" for one in doctor.examine(world.ctx))
    assert [job.key for job in outbox.letters(world.ctx, dead=False) if job.kind == upkeep.NIGHTLY] == [upkeep.ALL]


def test_what_who_left_had_runs_out_as_well_and_is_owed_no_longer(world: World) -> None:
    stays, leaves = world.enrol(), world.enrol()
    for holder in (stays, leaves):
        world.sell(holder, 1000)
    leaving.leave(world.ctx, world.merchant, leaves.member)
    world.work()
    world.clock.forward(days=33)
    assert "4 awards have run out" in upkeep.unbooked(world.ctx)[0]
    _night(world)
    assert upkeep.unbooked(world.ctx) == []
    assert _balances(world, leaves) == _balances(world, stays) == {"points": 0, "status": 0}
    assert _sums(world)["points", "breakage"] == 20
    (points, _) = accounting.report(world.ctx, world.merchant, Question()).currencies
    assert points.told.outstanding == 0
    assert upkeep.book_faults(world.ctx) == []


def test_what_no_night_has_booked_is_found(world: World) -> None:
    world.sell(world.enrol(), 1000)
    world.work()
    world.clock.forward(days=31)
    assert upkeep.unbooked(world.ctx) == [], "tonight it will be"
    world.clock.forward(days=2)
    (sentence,) = upkeep.unbooked(world.ctx)
    assert "2 awards have run out, the first on 18 December 2026" in sentence
    _night(world)
    assert upkeep.unbooked(world.ctx) == []


def test_a_sale_reversed_after_its_points_expired_takes_nothing_twice(world: World) -> None:
    holder = world.enrol()
    sale = world.sell(holder, 5000)["id"]
    world.redeem(holder, 20)
    world.clock.forward(days=40)
    _night(world)
    assert _balances(world, holder) == {"points": 0, "status": 0}
    facts, _ = till.reverse_sale(world.ctx, world.till, sale, None)
    # What was spent is owed; what had expired had been taken already.
    assert _balances(world, holder) == facts["balances"] == {"points": -20, "status": 0}
    assert [(e["currency"], e["amount"], e["reason"]) for e in facts["entries"]] == [
        ("points", 30, "reverse.expire"),
        ("points", -50, "reverse.sale"),
        ("status", 50, "reverse.expire"),
        ("status", -50, "reverse.sale"),
    ]
    assert {(currency, purpose): amount for (currency, purpose), amount in _sums(world).items() if amount} == {
        ("points", "available"): -20,
        ("points", "redeemed"): 20,
    }
    assert upkeep.book_faults(world.ctx) == []


def test_a_reversal_names_the_sale_that_it_reverses(world: World) -> None:
    holder = world.enrol()
    sale = world.sell(holder, 5000)["id"]
    burn = world.redeem(holder, 20)["id"]
    till.reverse_entry(world.ctx, world.till, burn, None)
    till.reverse_sale(world.ctx, world.till, sale, None)
    sold = {entry.sale_id for entry in _entries(world, ledger.EARN)}
    assert None not in sold
    of_redemption, *of_sale = _entries(world, ledger.REVERSE)
    assert of_redemption.sale_id is None
    assert len(of_sale) == 2
    assert {entry.sale_id for entry in of_sale} == sold


def test_points_given_back_after_their_day_go_the_night_after(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 5000)
    world.clock.forward(days=20)
    burn = world.redeem(holder, 20)["id"]
    world.clock.forward(days=20)
    _night(world)
    till.reverse_entry(world.ctx, world.till, burn, None)
    assert _balances(world, holder)["points"] == 20
    _night(world)
    assert _balances(world, holder)["points"] == 0
    assert _sums(world)["points", "breakage"] == 50
    assert upkeep.book_faults(world.ctx) == []


def test_no_till_and_no_night_reads_through_all_lots(new_database: NewDatabase, tmp_path: Path) -> None:
    """As planned by SQLite; PostgreSQL chooses by size, and these tables are small."""
    with _passing(new_database("sqlite"), tmp_path) as world:
        said: set[str] = set()
        engine = world.ctx.database.engine

        def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            said.add(statement)

        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            holder = world.enrol()
            sale = world.sell(holder, 5000)["id"]
            burn = world.redeem(holder, 20)["id"]
            till.reverse_entry(world.ctx, world.till, burn, None)
            world.clock.forward(days=40)
            _night(world)
            till.reverse_sale(world.ctx, world.till, sale, None)
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        touched = [s for s in said if f"{lots.name} " in s or "lot_allocations" in s]
        assert len(touched) > 6
        plans: dict[str, str] = {}
        with world.ctx.look() as tx:
            for statement in touched:
                rows = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (None,) * statement.count("?"))
                plans[statement] = " / ".join(str(row[3]) for row in rows)
        assert [plan for plan in plans.values() if "SCAN lot" in plan] == []
