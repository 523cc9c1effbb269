"""What a till burns without a network is booked within what it had reserved, whatever the member did meanwhile."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sqlalchemy as sa

from tests.actions.counter.test_codes import number_of
from tests.conftest import mostly_on
from tests.offline_till import OfflineTill
from tests.offline_world import BURNS, Founding, device_of, points, refused_of, reserve, settle, states
from tests.world import World
from wallet_server.actions.counter import till
from wallet_server.actions.offline import settling
from wallet_server.actions.operating import upkeep
from wallet_server.actions.people import leaving, merging
from wallet_server.records.schema import ledger_entries, metadata
from wallet_server.rules.counter import codes, short_codes


def test_a_till_burns_what_it_reserved_and_the_rest_comes_back_at_its_end(burning: World) -> None:
    world, holder = burning, burning.enrol()
    world.sell(holder, 20000)
    one, two = device_of(world), device_of(world, world.second_till())
    allowance = reserve(one, 80)
    assert (allowance["amount"], allowance["left"]) == (80, 80)
    assert reserve(two, 30, status=409)["available"] == 20, "all tills together never pass the programme's limit"
    assert reserve(one, 70)["id"] == allowance["id"], "asked again it has that much instead"
    assert reserve(two, 30)["left"] == 30
    world.clock.forward(minutes=5)
    one.redeem(holder.code, "B1", 40, allowance["id"])
    world.clock.forward(minutes=1)
    two.sync()
    assert one.sync() == ["applied"]
    assert points(world, holder) == 160
    assert one.call("GET", "/v1/offline/pack")["allowance"]["left"] == 30
    assert reserve(two, 71, status=409)["available"] == 70
    one.call("DELETE", "/v1/offline/allowances")
    one.call("DELETE", "/v1/offline/allowances")
    assert reserve(two, 100)["left"] == 100
    world.clock.forward(minutes=61)
    assert two.call("GET", "/v1/offline/pack")["allowance"] is None
    assert reserve(one, 1, status=409)["available"] == 0, "the other may still bring what it burned in time"
    two.sync()
    assert reserve(one, 100)["left"] == 100


@mostly_on("sqlite")
def test_what_was_not_reserved_is_for_a_person(burning: World) -> None:
    holder, other, device = burning.enrol(), burning.enrol(), device_of(burning)
    for one in (holder, other):
        burning.sell(one, 50000)
    allowance = reserve(device, 50)["id"]
    device.redeem(holder.code, "B1", 10, None)
    device.redeem(holder.code, "B2", 45, allowance)
    device.redeem(other.code, "B3", 10, allowance)
    device.note("redemption", {"code": other.code, "reference": "B4", "reward": "none"}, allowance=allowance)
    expected = [("conflict", "no-allowance"), ("applied", None), ("conflict", "beyond-allowance")]
    assert states(device.send(device.queue)) == [*expected, ("conflict", "unknown-reward")]
    assert reserve(device, 90)["left"] == 90
    device.redeem(other.code, "B5", 61, allowance)
    burning.clock.forward(minutes=70)
    device.redeem(other.code, "B6", 1, allowance)
    assert states(device.send(device.queue[4:])) == [("conflict", "beyond-card-limit"), ("conflict", "no-allowance")]


@mostly_on("sqlite")
def test_only_a_code_that_is_signed_spends_without_a_network(burning: World) -> None:
    world, holder, device = burning, burning.enrol(), device_of(burning)
    world.sell(holder, 5000)
    allowance = reserve(device, 100)["id"]
    seen, number = codes.read(holder.code), number_of(world, holder)
    unsigned = codes.write(codes.first(seen.issuer, seen.reference))
    for text in (short_codes.manual(number), short_codes.manual(number ^ 1), unsigned):
        device.redeem(text, f"B{len(device.queue)}", 10, allowance)
    device.redeem(holder.code, "B9", 10, allowance)
    found = states(device.send(device.queue))
    assert found == [*[("conflict", "unsigned-code")] * 3, ("applied", None)]
    assert points(world, holder) == 40
    with world.ctx.look() as tx:
        assert not tx.execute(
            sa.select(metadata.tables["rate_windows"].c.name).where(
                metadata.tables["rate_windows"].c.name.like("codes:%")
            )
        ).all(), "nothing was looked up"
    first = settling.cases(world.ctx, world.merchant)[0]
    assert settle(world, first.id, "accept").state == "applied"
    assert points(world, holder) == 30


def test_what_was_burned_with_a_card_that_ended_since_is_booked_at_last(burning: World) -> None:
    world, over, cancelled, device = burning, burning.enrol(), burning.enrol(), device_of(burning)
    headers = world.bearer(world.founded.merchant_key)
    for holder in (over, cancelled):
        world.sell(holder, 5000)
    allowance = reserve(device, 100)["id"]
    for number, holder in enumerate((over, cancelled)):
        device.redeem(holder.code, f"B{number}", 10, allowance)
    world.clock.forward(minutes=1)
    leaving.cancel(world.ctx, world.merchant, cancelled.member, cancelled.pass_public_id)
    path = f"/v1/members/{over.member}/passes/{over.pass_public_id}/end"
    ended = world.client().put(path, json={"good_until": world.clock().isoformat()}, headers=headers)
    assert ended.status_code == 200, ended.json
    answer = device.send(device.queue)
    assert states(answer) == [("applied", None), ("conflict", "replaced-card")]
    assert settle(world, refused_of(answer), "accept").state == "applied", "the goods are gone"
    with world.ctx.look() as tx:
        booked = tx.execute(sa.select(ledger_entries.c.receipt).where(ledger_entries.c.kind == "burn")).scalars()
        assert set(booked) == {"B0", "B1"}
    assert upkeep.book_faults(world.ctx) == []


@mostly_on("sqlite")
def test_whoever_becomes_one_with_another_member_has_the_limit_of_a_card_once(burning: World) -> None:
    world, device = burning, device_of(burning)
    kept, merged = world.enrol(), world.enrol()
    for one in (kept, merged):
        world.sell(one, 10000)
    allowance = reserve(device, 100)["id"]
    device.redeem(merged.code, "B1", 40, allowance)
    assert device.sync() == ["applied"]
    world.clock.forward(minutes=1)
    wish = world.wish("merge", {"kept": kept.member, "merged": merged.member})
    merging.by_staff(world.ctx, world.merchant, kept.member, merged.member, "joined-twice", None, wish)
    device.redeem(merged.code, "B2", 20, allowance)
    device.redeem(kept.code, "B3", 10, allowance)
    assert states(device.send(device.queue[1:])) == [("applied", None), ("conflict", "beyond-card-limit")]


def test_who_spent_the_same_points_elsewhere_meanwhile_owes_them(burning: World) -> None:
    world, holder, device = burning, burning.enrol(), device_of(burning)
    world.sell(holder, 5000)
    allowance = reserve(device, 100)["id"]
    device.redeem(holder.code, "B1", 40, allowance)
    world.clock.forward(minutes=1)
    world.redeem(holder, 30)
    assert device.sync() == ["applied"]
    assert points(world, holder) == -20
    assert upkeep.book_faults(world.ctx) == []
    world.sell(holder, 3000)
    assert points(world, holder) == 10
    assert upkeep.book_faults(world.ctx) == []
    with world.ctx.look() as tx:
        entry = tx.execute(sa.select(ledger_entries.c.public_id).where(ledger_entries.c.receipt == "B1")).scalar_one()
    till.reverse_entry(world.ctx, world.till, entry, None)
    assert points(world, holder) == 50
    assert upkeep.book_faults(world.ctx) == []
    world.redeem(world.holder(holder.pass_public_id), 50)
    assert upkeep.book_faults(world.ctx) == []


@mostly_on("sqlite")
def test_or_the_merchant_bears_it(founding: Founding) -> None:
    with founding(refunds={"negative": "zero"}) as world:
        holder, device = world.enrol(), device_of(world)
        world.sell(holder, 1000)
        device.redeem(holder.code, "B1", 40, reserve(device, 100)["id"])
        assert device.sync() == ["applied"]
        assert points(world, holder) == 0
        assert upkeep.book_faults(world.ctx) == []
        with world.ctx.look() as tx:
            entry = tx.execute(sa.select(ledger_entries.c.public_id).where(ledger_entries.c.reason == "burn.redeem"))
            public_id = entry.scalar_one()
        till.reverse_entry(world.ctx, world.till, public_id, None)
        assert points(world, holder) == 10, "what was forgiven is not given twice"
        assert upkeep.book_faults(world.ctx) == []


@mostly_on("sqlite")
def test_of_two_redemptions_in_one_outage_the_second_shows_an_older_issue_and_is_booked(burning: World) -> None:
    world, holder, device = burning, burning.enrol(), device_of(burning)
    world.sell(holder, 5000)
    allowance = reserve(device, 100)["id"]
    device.redeem(holder.code, "B1", 10, allowance)
    device.redeem(holder.code, "B2", 10, allowance)
    assert device.sync() == ["applied"] * 2
    assert points(world, holder) == 30


@mostly_on("sqlite")
@pytest.mark.parametrize("seed", [1, 2])
def test_all_tills_together_overspend_at_most_what_the_programme_allows(burning: World, seed: int) -> None:
    world, dice = burning, random.Random(seed)
    tills = [device_of(world), device_of(world, world.second_till())]
    for outage in range(2):
        holders = [world.enrol() for _ in range(3)]
        for holder in holders:
            world.sell(holder, 6000)
        left = {one.device: _reserved(one, dice.randint(1, 120)) for one in tills}
        assert sum(part["left"] for part in left.values()) <= BURNS["allowance_units"]
        world.clock.forward(minutes=1)
        for number in range(8):  # the page burns what it has, whatever anybody else does
            device, holder = dice.choice(tills), dice.choice(holders)
            part = left[device.device]
            amount = dice.randint(1, 30)
            spent = part.setdefault(holder.code, 0) + amount
            if amount <= part["left"] and spent <= BURNS["burn_units_per_card"]:
                part["left"], part[holder.code] = part["left"] - amount, spent
                device.redeem(holder.code, f"B{seed}-{outage}-{number}", amount, part["id"])
        for holder in holders:
            world.redeem(world.holder(holder.pass_public_id), 60)
        world.clock.forward(minutes=1)
        for device in (*tills, *tills):
            device.sync()
        owed = -sum(points(world, world.holder(holder.pass_public_id)) for holder in holders)
        assert 0 <= owed <= BURNS["allowance_units"]
        assert all(set(device.sync()) <= {"applied"} for device in tills), "what was reserved is booked"
        for device in tills:
            device.call("DELETE", "/v1/offline/allowances")
        assert upkeep.book_faults(world.ctx) == []


def _reserved(device: OfflineTill, units: int) -> dict[str, Any]:
    """As much of it as there is."""
    body = {"programme": device.world.programme, "units": units}
    answer = device.world.client().post("/v1/offline/allowances", json=body, headers=device.world.bearer(device.key))
    if answer.status_code == 409:
        most = answer.get_json()["available"]
        return dict(reserve(device, most)) if most else {"left": 0, "id": None}
    return dict(answer.get_json())
