"""What somebody had who leaves can be claimed by nobody: units without an end are booked off and owed no longer, units
of two who become one stay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.world import Holder, World, founded
from wallet_server.actions.books import accounting
from wallet_server.actions.books.accounting import Question
from wallet_server.actions.counter import till
from wallet_server.actions.operating import upkeep
from wallet_server.actions.people import leaving, merging
from wallet_server.actions.purse import holding
from wallet_server.records.purse import ledger
from wallet_server.records.schema import ledger_entries
from wallet_server.rules.programme.program_default import default_document

EURO = {"fr": {"one": "euro", "other": "euros"}, "en": {"one": "euro", "other": "euros"}}


def document() -> dict[str, Any]:
    """Points without an end, worth half a cent; 5 % that wait for two weeks."""
    whole = default_document("Boulangerie")
    points = next(one for one in whole["currencies"] if one["code"] == "points")
    points["worth"] = {"units": 400, "amount_minor": 200}
    whole["currencies"].append({"code": "pot", "kind": "money", "names": EURO, "pending_days": 14})
    whole["earn"].append({"id": "five", "currency": "pot", "per": {"amount_minor": 100, "points": 5}})
    return whole | {"holds": {"minutes": 60}}


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    with founded(database_url, tmp_path, document=document()) as made:
        yield made


def owed(world: World) -> dict[str, int]:
    """Units outstanding by currency, and all that is owed in cents."""
    found = accounting.report(world.ctx, world.merchant, Question())
    units = {one.code: one.told.outstanding for one in found.currencies if one.spendable}
    return {**units, "cents": found.liability_minor["EUR"]}


def night(world: World) -> None:
    upkeep.schedule(world.ctx)
    world.clock.forward(days=1)
    world.work()
    assert upkeep.book_faults(world.ctx) == []


def expired(world: World, holder: Holder) -> list[Any]:
    with world.ctx.look() as tx:
        mine = sa.and_(ledger_entries.c.kind == ledger.EXPIRE, ledger_entries.c.member_id == holder.member_id)
        return list(tx.execute(sa.select(ledger_entries).where(mine).order_by(ledger_entries.c.id)))


def test_what_has_no_end_is_booked_off_as_of_leaving(world: World) -> None:
    stays, leaves = world.enrol(), world.enrol()
    world.sell(stays, 10_000)
    world.clock.forward(days=40)
    alone = owed(world)
    world.sell(leaves, 3_000)
    holding.authorise(world.ctx, world.till, holding.Wanted(leaves.code, None, 12, world.number()), None)
    assert owed(world)["points"] == alone["points"] + 30
    world.clock.forward(hours=2)
    left = world.clock()
    leaving.leave(world.ctx, world.merchant, leaves.member)
    night(world)

    assert owed(world) == alone, "neither what could be spent, nor what waited, nor what was put aside"
    booked = expired(world, leaves)
    assert {(one.reason, one.effective_at) for one in booked} == {("expire.left", left)}
    assert all(one.recorded_at > left for one in booked)
    assert {one.rule_id for one in booked} > {"five"}, "each under the rule that gave it"
    assert expired(world, stays) == []
    lines = accounting.trial_balance(world.ctx, world.merchant, Question()).lines
    assert [-one.amount for one in lines if (one.currency, one.purpose) == ("points", "breakage")] == [-30]
    night(world)
    assert len(expired(world, leaves)) == len(booked), "once"


def test_what_whoever_leaves_owes_is_no_less_of_what_others_have(world: World) -> None:
    stays, leaves = world.enrol(), world.enrol()
    world.sell(stays, 10_000)
    world.clock.forward(days=20)
    upkeep.schedule(world.ctx)
    world.work()
    alone = owed(world)
    sold = world.sell(leaves, 3_000)
    world.redeem(leaves, 30)
    till.reverse_sale(world.ctx, world.till, sold["id"], None)
    assert owed(world)["points"] == alone["points"] - 30
    left = world.clock.forward(hours=1)
    leaving.leave(world.ctx, world.merchant, leaves.member)
    assert owed(world) == alone, "nobody will ever pay it"
    with world.ctx.look() as tx:
        (borne,) = tx.execute(sa.select(ledger_entries).where(ledger_entries.c.kind == ledger.FORGIVE)).all()
    assert (borne.reason, borne.effective_at, borne.merchant_id) == ("forgive.left", left, world.founded.merchant_id)
    leaving.leave(world.ctx, world.merchant, leaves.member)
    night(world)
    assert owed(world) == alone


def test_who_becomes_one_with_another_member_loses_nothing(world: World) -> None:
    kept, merged = world.enrol(), world.enrol()
    world.sell(kept, 1_000)
    world.sell(merged, 3_000)
    before = owed(world)
    merging.by_staff(world.ctx, world.merchant, kept.member, merged.member, "joined-twice", None, world.wish("merge"))
    night(world)
    assert (owed(world), expired(world, kept), expired(world, merged)) == (before, [], [])
