"""What of a time without a network is for a person: settled once, by somebody whose name stands in the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from tests import tills
from tests.conftest import mostly_on
from tests.offline_world import Founding, device_of, points, refused_of, reserve, settle
from tests.world import World
from wallet_server.actions.context import Context
from wallet_server.actions.offline import booking, settling
from wallet_server.actions.offline.booking import Finish
from wallet_server.actions.staff.roles import MARKETER, OWNER
from wallet_server.errors import Conflict, Forbidden, NotFound
from wallet_server.records.offline import arrivals
from wallet_server.records.offline.arrivals import EventRow, Fate
from wallet_server.records.schema import ledger_entries, metadata, sales


def test_a_person_has_it_booked_refuses_it_or_notes_something_and_the_journal_says_who(burning: World) -> None:
    world, holder, device = burning, burning.enrol(), device_of(burning)
    world.sell(holder, 1000)
    burned = refused_of(device.send([device.redeem(holder.code, "B1", 10, None)]))
    device.send([device.sell(holder.code, "R1", 500)])
    taken = refused_of(device.send([device.sell(holder.code, "R1", 700)]))
    assert [one.id for one in settling.cases(world.ctx, world.merchant)] == [burned, taken]
    assert settle(world, burned, "note", "asked Ana").state == "conflict"
    first = settle(world, burned, "accept")
    assert (first.state, first.decision, first.note) == ("applied", "accept", "asked Ana")
    assert settle(world, burned, "accept") == first
    with pytest.raises(Conflict) as refusal:
        settle(world, burned, "refuse")
    assert refusal.value.code == "already-settled"
    assert settle(world, taken, "refuse", "typed twice").state == "refused"
    assert points(world, holder) == 5
    assert settling.cases(world.ctx, world.merchant) == []
    assert [one.id for one in settling.settled(world.ctx, world.merchant)] == [taken, burned]
    with pytest.raises(NotFound):
        settle(world, "oev_" + "0" * 20, "refuse")
    with world.ctx.look() as tx:
        rows = tx.execute(sa.select(metadata.tables["staff_events"])).all()
    assert [(r.about, r.what) for r in rows if r.what.startswith("offline")] == [
        (burned, "offline_noted"),
        (burned, "offline_accepted"),
        (taken, "offline_refused"),
    ]


@mostly_on("sqlite")
def test_a_receipt_that_stands_for_another_sale_is_counted_under_a_number_of_its_own(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    device.send([device.sell(holder.code, "R1", 500)])
    taken = refused_of(device.send([device.sell(holder.code, "R1", 700)]))
    assert settle(world, taken, "accept").state == "applied"
    assert points(world, holder) == 12
    assert settle(world, taken, "accept").state == "applied"
    assert points(world, holder) == 12


def test_what_was_burned_under_a_number_that_was_taken_is_booked_by_a_person(burning: World) -> None:
    world, holder, device = burning, burning.enrol(), device_of(burning)
    world.sell(holder, 5000)
    world.redeem(holder, 3, reference="B1")
    taken = refused_of(device.send([device.redeem(holder.code, "B1", 10, reserve(device, 20)["id"])]))
    for _ in range(2):
        assert settle(world, taken, "accept").state == "applied"
        assert points(world, holder) == 37


def test_a_sale_that_spends_with_an_older_card_is_accepted_on_the_word_of_whoever_may_give_it(
    founding: Founding,
) -> None:
    tea = {"code": "tea", "names": {"fr": "Thé", "en": "Tea"}, "cost": {"currency": "points", "amount": 10}}
    with founding(rewards=[tea]) as world:
        holder, device = world.enrol(), device_of(world, world.second_till())
        world.sell(holder, 5000)
        world.redeem(holder, 5)
        world.sell(world.holder(holder.pass_public_id), 100)  # a till saw the newer issue: the older may be a copy
        sale = refused_of(device.send([device.sell(holder.code, "R1", 500, rewards=["tea"])]))
        burned = refused_of(device.send([device.redeem(holder.code, "B1", 10, None)]))
        marketer = replace(tills.hire(world, "Max", MARKETER).scope, scopes=world.merchant.scopes)
        for scope in (world.merchant, marketer):
            with pytest.raises(Forbidden) as refusal:
                settling.settle(world.ctx, scope, sale, "accept", None)
            assert refusal.value.code == "vouch-needed"
            assert "owner" in refusal.value.sentence
        assert [one.id for one in settling.cases(world.ctx, world.merchant)] == [sale, burned]
        assert points(world, holder) == 46
        owner = tills.hire(world, "Ada", OWNER).scope
        assert settling.settle(world.ctx, owner, sale, "accept", None).state == "applied"
        assert points(world, holder) == 41, "10 for the tea, 5 earned"
        assert settling.settle(world.ctx, owner, burned, "accept", None).state == "applied"
        assert points(world, holder) == 31
        with world.ctx.look() as tx:
            noted = tx.execute(sa.select(sales.c.state).where(sales.c.receipt == "R1")).scalar_one()
            entry = tx.execute(sa.select(ledger_entries.c.params).where(ledger_entries.c.receipt == "B1")).scalar_one()
            others = tx.execute(sa.select(sales.c.state).where(sales.c.receipt != "R1")).scalars().all()
        assert (noted["proof"], entry["proof"]) == ("cashier", "cashier")
        assert not any("proof" in one for one in others)


@pytest.mark.parametrize("second", ["refuse", "accept"])
@mostly_on("sqlite")
def test_of_two_who_settle_one_at_the_same_time_one_has_the_say(
    burning: World, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    """The first is so slow that the second takes it over, while the first is about to have it booked."""
    world, holder, device = burning, burning.enrol(), device_of(burning)
    world.sell(holder, 1000)
    event = refused_of(device.send([device.redeem(holder.code, "B1", 10, None)]))
    book = booking.book

    def slowly(ctx: Context, one: EventRow, finish: Finish, **more: Any) -> Fate:
        monkeypatch.setattr(booking, "book", book)
        world.clock.forward(seconds=61)
        other = replace(world.merchant, principal="staff:another")
        settling.settle(world.ctx, other, event, second, None)
        return book(ctx, one, finish, **more)

    monkeypatch.setattr(booking, "book", slowly)
    with pytest.raises(Conflict) as refusal:
        settle(world, event, "accept")
    assert refusal.value.code == "already-settled"
    state, left = ("refused", 10) if second == "refuse" else ("applied", 0)
    with world.ctx.look() as tx:
        row = arrivals.event_in(tx, world.merchant, event)
        rows = tx.execute(sa.select(metadata.tables["staff_events"].c.what)).scalars().all()
    assert (row.state, row.decided_by, points(world, holder)) == (state, "staff:another", left)
    assert [what for what in rows if what.startswith("offline")] == [
        "offline_refused" if second == "refuse" else "offline_accepted"
    ]


@mostly_on("sqlite")
def test_what_cannot_be_booked_at_all_waits_on(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    unreadable = refused_of(device.send([device.note("sale", {"code": holder.code})]))
    with pytest.raises(Conflict):
        settle(world, unreadable, "accept")
    assert [one.id for one in settling.cases(world.ctx, world.merchant)] == [unreadable]
    assert settle(world, unreadable, "refuse").state == "refused"


@mostly_on("sqlite")
def test_a_system_of_the_merchant_settles_too(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    event = refused_of(device.send([device.redeem(holder.code, "B1", 10, None)]))
    client, headers = world.client(), world.bearer(world.founded.merchant_key)
    found = client.get("/v1/offline/conflicts?language=fr", headers=headers).get_json()["conflicts"]
    assert [(one["id"], one["number"], one["units"], one["member"]) for one in found] == [
        (event, "B1", 10, holder.member)
    ]
    assert found[0]["sentence"].startswith("Une personne")
    answer = client.post(f"/v1/offline/conflicts/{event}", json={"decision": "refuse"}, headers=headers)
    assert answer.get_json()["state"] == "refused"
    nobody = client.get("/v1/offline/conflicts", headers=world.bearer(world.founded.till_key))
    assert nobody.status_code == 403
