"""What tills brought is kept sealed, never changed, made up for where a job was lost, thrown away in time."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import mostly_on
from tests.offline_world import device_of, entries, refused_of, reserve, states
from tests.world import World
from wallet_server.actions.context import Context
from wallet_server.actions.offline import applying, booking, settling
from wallet_server.actions.offline.booking import Finish
from wallet_server.actions.operating import upkeep
from wallet_server.actions.vendors.credentials import rotate_secrets
from wallet_server.records.envelope import Keyring
from wallet_server.records.offline import arrivals
from wallet_server.records.offline.arrivals import EventRow, Fate
from wallet_server.records.schema import OFFLINE_FACTS, metadata
from wallet_server.rules.offline.spoken import reasons, said


def test_texts_are_sealed_and_follow_a_new_secret_key_and_what_was_brought_is_never_changed(burning: World) -> None:
    world, holder, device = burning, burning.enrol(), device_of(burning)
    world.sell(holder, 1000)
    event = refused_of(device.send([device.redeem(holder.code, "B1", 10, None)]))
    device.redeem(holder.code, "B2", 10, reserve(device, 10)["id"])
    device.sync()
    with world.ctx.look() as tx:
        sealed = [r.text_cipher for r in tx.execute(sa.select(metadata.tables["offline_fates"]))]
    assert not any(holder.code.split(".")[3] in text for text in sealed)
    world.ctx.keyring = Keyring({"k9": bytes(range(32)), "k1": b"A" * 32})
    assert settling.cases(world.ctx, world.merchant)[0].id == event
    assert rotate_secrets(world.ctx).damaged == 0
    world.ctx.keyring = Keyring({"k9": bytes(range(32))})
    assert settling.cases(world.ctx, world.merchant)[0].number == "B1"
    for name in OFFLINE_FACTS:
        with world.ctx.look() as tx:
            assert tx.execute(sa.select(sa.func.count()).select_from(metadata.tables[name])).scalar_one()
        with pytest.raises(sa.exc.DBAPIError, match="is never changed"), world.ctx.change() as tx:
            tx.exec_driver_sql(f"DELETE FROM {name}")


@mostly_on("sqlite")
def test_a_job_that_was_lost_is_made_up_for_at_night(world: World) -> None:
    holder = world.enrol()
    device_of(world)
    other = device_of(world, world.second_till())
    world.clock.forward(minutes=1)
    other.sell(holder.code, "R1", 100)
    assert other.sync() == ["waiting"]
    with world.ctx.change() as tx:
        tx.exec_driver_sql("DELETE FROM jobs")
    upkeep.schedule(world.ctx)
    world.clock.forward(days=1)
    world.work()
    assert [receipt for receipt, _ in entries(world)] == ["R1"]


@mostly_on("sqlite")
def test_whoever_is_too_slow_books_nothing_after_somebody_else_has_taken_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, device = world.enrol(), device_of(world)
    for number in range(3):
        device.sell(holder.code, f"R{number}", 100)
    book, booked = booking.book, []

    def slowly(ctx: Context, one: EventRow, finish: Finish, **more: Any) -> Fate:
        booked.append(one.sequence)
        if len(booked) == 1:
            world.clock.forward(seconds=61)
            applying.apply(ctx, one.account_id)
        return book(ctx, one, finish, **more)

    monkeypatch.setattr(booking, "book", slowly)
    assert set(device.sync()) == {"applied"}
    assert booked == [1, 1, 2, 3], "the first stops at what it was at"
    assert [receipt for receipt, _ in entries(world)] == ["R0", "R1", "R2"]


@mostly_on("sqlite")
def test_what_nobody_foresaw_is_for_a_person_and_blocks_nobody(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    ghost = device_of(world, world.second_till())
    world.clock.forward(minutes=1)
    device.sell(holder.code, "R1", 100)
    device.sell(holder.code, "R2", 100)
    assert device.sync() == ["waiting"] * 2
    fates = metadata.tables["offline_fates"]
    with world.ctx.change() as tx:
        first = tx.execute(sa.select(fates.c.event_id).order_by(fates.c.event_id)).scalars().first()
        event = arrivals.event_by_id(tx, first or 0)
        broken = world.ctx.keyring.seal(b'{"said": {}, "allowance": null}', f"offline:{event.public_id}")
        tx.execute(sa.update(fates).where(fates.c.event_id == first).values(text_cipher=broken))
    world.clock.forward(minutes=1)
    ghost.sync()
    assert states(device.send(device.queue)) == [("conflict", "unforeseen"), ("applied", None)]


@mostly_on("sqlite")
def test_a_text_is_thrown_away_once_nobody_needs_it(burning: World) -> None:
    world, holder, device = burning, burning.enrol(), device_of(burning)
    device.sell(holder.code, "R1", 1000)
    event = refused_of(device.send([device.queue[0], device.redeem(holder.code, "B1", 10, None)]))
    upkeep.schedule(world.ctx)
    world.clock.forward(days=33)
    world.work()
    with world.ctx.look() as tx:
        kept = [r.text_cipher is not None for r in tx.execute(sa.select(metadata.tables["offline_fates"]))]
    assert sorted(kept) == [False, True]
    assert [one.id for one in settling.cases(world.ctx, world.merchant)] == [event]
    assert device.sync() == ["applied", "conflict"], "sent again it is still known"


def test_every_reason_is_spoken_in_both_languages() -> None:
    for code in [*reasons(), "something-new"]:
        assert said("conflict", code, False, "fr") != said("conflict", code, False, "en")
