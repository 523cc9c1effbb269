"""An account that tries things out is ahead of everybody's time, and nobody else is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tests.phone import Phone
from tests.world import NOON, World, founded, together
from wallet_server.actions import keys, outbox
from wallet_server.actions.programme import clock, programs
from wallet_server.errors import Conflict, Forbidden, Invalid, Unauthenticated
from wallet_server.records import clocks, jobs
from wallet_server.records.schema import accounts
from wallet_server.records.schema import jobs as job_table
from wallet_server.records.scope import Scope
from wallet_server.rules.programme.program_default import default_document

YEAR = timedelta(days=365)


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    document = default_document("Boulangerie")
    document["currencies"][0]["expires_after_months"] = 12
    with founded(database_url, tmp_path, document=document) as made:
        with made.ctx.change() as tx:
            tx.execute(sa.update(accounts).values(mode="test"))
        yield made


def forward(world: World, by: timedelta) -> None:
    clock.advance(world.ctx, world.merchant, by, None, world.wish("clock", {"n": world.number()}))


def at_the_till(world: World) -> Scope:
    """As the door leaves it: the caller's time is that of its account."""
    scope = world.till
    world.ctx.times.enter(scope)
    return scope


@pytest.fixture(autouse=True)
def everybodys_time() -> Iterator[None]:
    yield
    clocks.enter(timedelta(0))


def test_time_goes_on_for_one_account_alone(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    earned = world.sell(phone.holder, 5_000)["balances"]["points"]
    world.work()
    other = programs.found(world.ctx, "Ailleurs", programs.NewStore("Centre"), test=True)
    forward(world, 2 * YEAR)
    with world.ctx.look() as tx:
        assert clocks.of_account(tx, other.account_id) == timedelta(0)
        assert clocks.of_account(tx, world.founded.account_id) == 2 * YEAR
    assert world.ctx.now() == NOON, "nobody's work is being done just now"
    scope = at_the_till(world)
    assert world.ctx.now() == NOON + 2 * YEAR
    facts = world.sell(phone.holder, 1_000, scope=scope)
    assert facts["balances"]["points"] == 10 < earned, "what was earned two years ago has run out"
    assert facts["recorded_at"] == (NOON + 2 * YEAR).isoformat()


def test_jobs_are_kept_in_everybodys_time(world: World) -> None:
    holder = world.enrol()
    world.work()
    forward(world, YEAR)
    world.work()
    soon = NOON + timedelta(seconds=world.ctx.settings.coalesce_seconds)
    for due in (NOON, soon, soon):
        world.sell(holder, 100, scope=at_the_till(world))
        world.ctx.times.leave()
        assert outbox.next_due(world.ctx) == due, "at once after a quiet spell, then at the end of the window"
        world.work()


def test_what_waits_for_a_time_comes_nearer(world: World) -> None:
    holder = world.enrol()
    world.work()
    key = str(holder.pass_id)
    world.draft()
    waiting = {"refresh": key, "announce-waiting": "1:0", "nightly": "all"}
    with world.ctx.change() as tx:
        jobs.put(tx, [jobs.Put(kind, of, jobs.BULK, NOON + YEAR) for kind, of in waiting.items()])
    forward(world, timedelta(days=100))
    with world.ctx.look() as tx:
        rows = [r for r in tx.execute(sa.select(job_table)) if r.key in waiting.values()]
    nearer = NOON + YEAR - timedelta(days=100)
    for instants in ({r.kind: jobs.instant(r.run_at) for r in rows}, {r.kind: jobs.instant(r.due_at) for r in rows}):
        assert instants == {"refresh": nearer, "announce-waiting": nearer, "nightly": NOON + YEAR}


def test_two_moves_at_once_both_count(world: World) -> None:
    days = [timedelta(days=n) for n in (1, 2, 4)]
    wishes = [world.wish("clock", {"n": n}) for n in range(3)]
    scope = world.merchant
    told = together(
        *(partial(clock.advance, world.ctx, scope, by, None, wish) for by, wish in zip(days, wishes, strict=True))
    )
    assert max(facts["ahead_seconds"] for facts, _ in told) == 7 * 86400
    assert clock.look(world.ctx, scope).ahead == timedelta(days=7)


def test_what_is_signed_and_rung_is_so_in_everybodys_time(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    world.work()
    forward(world, 5 * YEAR)
    world.sell(phone.holder, 5_000, scope=at_the_till(world))
    world.ctx.times.leave()
    world.clock.forward(seconds=2)
    world.work()
    assert phone.pull() is not None
    with world.ctx.look() as tx:
        at = tx.execute(sa.text("SELECT MAX(published_at), MAX(last_modified) FROM publications")).one()
    assert all(str(one)[:10] == f"{NOON:%Y-%m-%d}" for one in at)
    assert world.told.rung


def test_it_never_goes_back_nor_beyond_ten_years_nor_for_who_trades(world: World) -> None:
    forward(world, YEAR)
    scope = world.merchant
    for at in (NOON, NOON + YEAR - timedelta(seconds=2)):
        with pytest.raises(Conflict) as back:
            clock.advance(world.ctx, scope, None, at, world.wish("clock", {"to": world.number()}))
        assert back.value.code == "clock-backwards"
    with pytest.raises(Invalid) as far:
        forward(world, 9 * YEAR + timedelta(days=10))
    assert far.value.code == "clock-too-far"
    facts, _ = clock.advance(world.ctx, scope, None, NOON + 2 * YEAR, world.wish("clock", {"n": 9}))
    assert facts["ahead_seconds"] == 2 * YEAR.total_seconds()
    assert clock.look(world.ctx, scope).now == NOON + 2 * YEAR
    live = replace(scope, mode="live")
    with pytest.raises(Forbidden) as refused:
        clock.advance(world.ctx, live, YEAR, None, world.wish("clock", {"n": 10}))
    assert refused.value.code == "clock-live"
    with pytest.raises(Forbidden):
        clock.look(world.ctx, live)


def test_a_key_that_is_replaced_ends_by_everybodys_time(world: World) -> None:
    forward(world, YEAR)
    made = keys.make(world.ctx, world.merchant, "Shop", {"read"})
    assert made is not None
    owner = replace(world.merchant, scopes=world.merchant.scopes | {"staff"})
    world.ctx.times.enter(owner)
    assert keys.rotate(world.ctx, owner, made.public_id, world.ctx.clock() + timedelta(hours=1))
    clocks.enter(timedelta(0))
    assert keys.authenticate(world.ctx, made.key).mode == "test"
    world.clock.forward(hours=2)
    with pytest.raises(Unauthenticated):
        keys.authenticate(world.ctx, made.key)


def test_keys_say_what_they_are_for(world: World) -> None:
    assert world.founded.till_key.startswith("key_"), "made before it was a test account, and still good"
    assert keys.authenticate(world.ctx, world.founded.till_key).mode == "test"
    assert world.second_till().startswith("testkey_")


@given(st.timedeltas(timedelta(0), timedelta(days=3650)))
def test_what_is_put_at_a_time_is_found_at_it(offset: timedelta) -> None:
    with clocks.shifted(offset):
        there = clocks.micros(NOON + offset)
        assert clocks.instant(there) == NOON + offset
    assert there == clocks.micros(NOON)
