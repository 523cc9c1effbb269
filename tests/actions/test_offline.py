"""What tills did without a network is booked once, in one order, within what they reserved; the rest is a person's."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import mostly_on
from tests.offline_till import OfflineTill, Signed
from tests.world import Holder, World, founded, together
from wallet_server.actions import keys, offline_conflicts, till, upkeep
from wallet_server.actions.credentials import rotate_secrets
from wallet_server.errors import Conflict, NotFound
from wallet_server.records import offline
from wallet_server.records.envelope import Keyring
from wallet_server.records.schema import OFFLINE_FACTS, ledger_entries, metadata, sales
from wallet_server.rules.offline_spoken import reasons, said
from wallet_server.rules.program_default import default_document

BURNS = {"burn_units_per_card": 60, "allowance_units": 100, "window_minutes": 60}
Founding = Callable[..., AbstractContextManager[World]]


@pytest.fixture
def founding(database_url: str, tmp_path: Path) -> Founding:
    """A world whose programme lets tills burn without a network, or whatever is given."""

    def made(**parts: Any) -> AbstractContextManager[World]:
        document = default_document("Boulangerie") | {"offline": BURNS} | parts
        return founded(database_url, tmp_path, document=document)

    return made


@pytest.fixture
def burning(founding: Founding) -> Iterator[World]:
    with founding() as world:
        yield world


def points(world: World, holder: Holder) -> int:
    return till.look_up(world.ctx, world.till, holder.code).balances["points"]


def device_of(world: World, key: str | None = None, ahead: float = 0) -> OfflineTill:
    return OfflineTill(world, key or world.founded.till_key, timedelta(minutes=ahead))


def states(answer: Any) -> list[tuple[str, str | None]]:
    return [(one["state"], one["why"]) for one in answer["results"]]


def entries(world: World) -> list[tuple[str, datetime]]:
    """Every sale's receipt and time, in the order in which they were counted."""
    with world.ctx.look() as tx:
        rows = tx.execute(sa.select(sales.c.receipt, sales.c.occurred_at).order_by(sales.c.id))
        return [(r.receipt, r.occurred_at) for r in rows]


# ---------------------------------------------------------------------- one order, once


def test_what_comes_in_portions_with_gaps_and_twice_is_counted_once_in_the_order_of_the_till(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    for number in range(1, 5):
        world.clock.forward(minutes=1)
        device.sell(holder.code, f"R{number}", 100)
    one, two, three, four = device.queue
    answer = device.send([three, two])
    assert (states(answer), answer["next_sequence"]) == ([("waiting", None)] * 2, 1)
    answer = device.send([one])  # cut: the fourth is still on the till
    assert (states(answer), answer["next_sequence"]) == ([("applied", None)], 4)
    answer = device.send([four, one, four, two])
    assert (states(answer), answer["next_sequence"]) == ([("applied", None)] * 4, 5)
    assert [receipt for receipt, _ in entries(world)] == ["R1", "R2", "R3", "R4"]
    assert points(world, holder) == 4


def test_two_tills_with_clocks_ten_minutes_wrong_leave_the_order_of_what_happened(world: World) -> None:
    holder = world.enrol()
    fast, slow = device_of(world, ahead=10), device_of(world, world.second_till(), ahead=-10)
    happened = []
    for number in range(6):
        at = world.clock.forward(minutes=2)
        device = fast if number % 2 else slow
        device.sell(holder.code, f"R{number}", 100)
        happened.append((f"R{number}", at))
    assert set(fast.sync()) == {"waiting"}, "the other till may still bring something earlier"
    world.clock.forward(minutes=1)
    assert set(slow.sync()) == {"applied"}
    assert set(fast.sync()) == {"applied"}
    assert entries(world) == happened, "each earned at the time of its sale, by the server's clock"


def test_a_till_that_is_silent_for_longer_than_the_window_holds_nobody_up_and_comes_late(world: World) -> None:
    holder = world.enrol()
    silent, other = device_of(world), device_of(world, world.second_till())
    world.clock.forward(minutes=1)
    silent.sell(holder.code, "EARLY", 100)
    world.clock.forward(minutes=1)
    other.sell(holder.code, "LATER", 100)
    assert other.sync() == ["waiting"]
    world.clock.forward(minutes=30)
    world.work()
    assert entries(world) == [], "the window is still open"
    world.clock.forward(minutes=31)
    world.work()
    assert [receipt for receipt, _ in entries(world)] == ["LATER"]
    answer = silent.send(silent.queue)
    assert [(one["state"], one["late"]) for one in answer["results"]] == [("applied", True)]
    assert "after others" in answer["results"][0]["sentence"]
    assert [receipt for receipt, _ in entries(world)] == ["LATER", "EARLY"]
    assert other.sync() == ["applied"]


@mostly_on("sqlite")
def test_a_sale_that_was_counted_online_before_the_network_went_is_one_sale(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    body = {"code": holder.code, "receipt": "R1", "currency": "EUR", "amount_minor": 1200}
    client, headers = world.client(), world.bearer(world.founded.till_key)
    assert client.post("/v1/sales", json=body, headers=headers).status_code == 200
    dated = body | {"receipt": "R2", "occurred_at": world.clock().isoformat()}
    assert client.post("/v1/sales", json=dated, headers=headers).status_code == 200
    world.clock.forward(minutes=3)
    device.note("sale", body)
    device.note("sale", dated)
    device.note("sale", body | {"occurred_at": world.clock().isoformat()})  # scanned again: the same receipt
    device.sell(holder.code, "R1", 999)  # the same number for another basket
    answer = device.send(device.queue)
    assert states(answer) == [("applied", None)] * 3 + [("conflict", "receipt-taken")]
    assert points(world, holder) == 24
    assert len(entries(world)) == 2


@mostly_on("sqlite")
def test_what_another_key_signed_or_another_device_says_is_not_taken(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    other = device_of(world, world.second_till())
    good = device.sell(holder.code, "R1", 1200)
    forged: Signed = good | {"text": good["text"].replace("1200", "9900")}
    short: Signed = good | {"signature": "AAAA"}
    stranger = other.sign(good["text"])
    foreign = device.sign(good["text"].replace(device.device, other.device))
    nonsense = device.sign("not even JSON")
    world.clock.forward(minutes=1)
    other.sync()
    answer = device.send([forged, short, stranger, foreign, nonsense, good])
    assert states(answer) == [
        *[("refused", "bad-signature")] * 3,
        ("refused", "other-device"),
        ("refused", "unreadable-event"),
        ("applied", None),
    ]
    assert answer["next_sequence"] == 2
    assert points(world, holder) == 12


@mostly_on("sqlite")
def test_under_one_number_two_texts_are_both_kept_and_a_body_that_no_route_takes_too(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    first = device.sell(holder.code, "R1", 1200)
    twin = device.sign(first["text"].replace("1200", "1300"))
    device.note("sale", {"code": holder.code, "receipt": "R2"})
    device.sell(holder.code, "R3", 100)
    answer = device.send([first, twin, *device.queue[1:]])
    assert states(answer) == [
        ("applied", None),
        ("conflict", "sequence-taken"),
        ("conflict", "unreadable-event"),
        ("applied", None),
    ]
    assert answer["next_sequence"] == 4
    assert points(world, holder) == 13


@mostly_on("sqlite")
def test_a_device_whose_key_was_ended_sends_nothing_and_what_waits_of_it_is_for_a_person(world: World) -> None:
    holder = world.enrol()
    ended, other = device_of(world), device_of(world, world.second_till())
    world.clock.forward(minutes=1)
    ended.sell(holder.code, "R1", 1200)
    assert ended.sync() == ["waiting"]
    keys.revoke(world.ctx, world.merchant, ended.key.partition(".")[0])
    ended.call("POST", "/v1/offline/events", {"events": ended.queue, "sequence": 2}, status=401)
    world.clock.forward(minutes=1)
    other.sync()
    found = offline_conflicts.cases(world.ctx, world.merchant)
    assert [(one.number, one.why, one.member) for one in found] == [("R1", "device-ended", holder.member)]
    assert entries(world) == []
    assert settle(world, found[0].id, "accept").state == "applied"
    assert [receipt for receipt, _ in entries(world)] == ["R1"]


@mostly_on("sqlite")
def test_a_refusal_stops_nothing_that_comes_after_it(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    device.sell("L1.ABCDEF.0.4MJ8K2V9QH0TXW3E.1..0000", "R1", 100)
    device.sell(holder.code, "R2", 100, pot={"amount_minor": 50})
    device.redeem(holder.code, "B1", 10, None)
    device.sell(holder.code, "R3", 100)
    answer = device.send(device.queue)
    assert states(answer) == [
        ("conflict", "unreadable-code"),
        ("conflict", "spends-offline"),
        ("conflict", "burns-not-offline"),
        ("applied", None),
    ]


@mostly_on("sqlite")
def test_a_programme_may_earn_nothing_without_a_network(founding: Founding) -> None:
    with founding(offline={"earn": False}) as world:
        holder, device = world.enrol(), device_of(world)
        device.sell(holder.code, "R1", 1200)
        assert states(device.send(device.queue)) == [("conflict", "earns-not-offline")]
        assert points(world, holder) == 0


@mostly_on("sqlite")
def test_the_pack_says_all_that_a_till_needs(burning: World) -> None:
    device = device_of(burning)
    pack = device.call("GET", "/v1/offline/pack")
    assert pack["issuer"] == burning.till.issuer_mark
    assert pack["programmes"][burning.programme]["iso"] == "EUR"
    assert pack["policy"] == pack["policies"][burning.programme] == {"earn": True, **BURNS}
    assert pack["device"] == {"device": device.device, "till": device.till, "next_sequence": 1}
    assert datetime.fromisoformat(pack["clock"]) == burning.clock()
    assert pack["allowance"] is None
    burning.enrol()  # the first card makes the first key
    assert device.call("GET", "/v1/offline/pack")["keys"]


@mostly_on("sqlite")
def test_a_key_is_registered_once_and_another_replaces_it(world: World) -> None:
    device = device_of(world)
    again = OfflineTill(world, device.key, private=device.private)
    assert again.device == device.device
    other = device_of(world)
    assert other.device != device.device
    holder = world.enrol()
    assert states(device.send([device.sell(holder.code, "R1", 100)])) == [("refused", "bad-signature")]
    assert OfflineTill(world, device.key, private=device.private).device == device.device
    assert states(device.send(device.queue)) == [("applied", None)]
    for wrong in ("A" * 87, "é" * 80, "A" * 88):
        device.call("PUT", "/v1/offline/device", {"public_key": wrong}, status=400)


# ---------------------------------------------------------------------- burning


def reserve(device: OfflineTill, units: int, *, status: int = 200) -> Any:
    body = {"programme": device.world.programme, "units": units}
    return device.call("POST", "/v1/offline/allowances", body, status=status)


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


def test_the_same_sync_twice_at_once_and_another_tills_beside_it_count_each_sale_once(world: World) -> None:
    holder = world.enrol()
    one, two = device_of(world), device_of(world, world.second_till())
    for number in range(3):
        world.clock.forward(minutes=1)
        one.sell(holder.code, f"R{number}", 100)
        two.sell(holder.code, f"R{number}", 100)
    world.clock.forward(minutes=1)
    found = together(one.sync, one.sync, two.sync, two.sync)
    assert all(isinstance(states, list) for states in found), found
    world.clock.forward(minutes=1)
    assert set(one.sync() + two.sync() + one.sync()) <= {"applied", "waiting"}
    world.clock.forward(minutes=1)
    world.work()
    assert set(two.sync() + one.sync()) == {"applied"}
    assert sorted(entries(world)) == sorted(entries(world), key=lambda sold: (sold[1], sold[0]))
    assert points(world, holder) == 6


# ---------------------------------------------------------------------- people


def refused_of(answer: Any) -> str:
    assert answer["results"][-1]["state"] == "conflict"
    return str(answer["results"][-1]["id"])


def settle(world: World, event: str, decision: str, note: str | None = None) -> offline_conflicts.Case:
    return offline_conflicts.settle(world.ctx, world.merchant, event, decision, note)


def test_a_person_has_it_booked_refuses_it_or_notes_something_and_the_journal_says_who(burning: World) -> None:
    world, holder, device = burning, burning.enrol(), device_of(burning)
    world.sell(holder, 1000)
    burned = refused_of(device.send([device.redeem(holder.code, "B1", 10, None)]))
    device.send([device.sell(holder.code, "R1", 500)])
    taken = refused_of(device.send([device.sell(holder.code, "R1", 700)]))
    assert [one.id for one in offline_conflicts.cases(world.ctx, world.merchant)] == [burned, taken]
    assert settle(world, burned, "note", "asked Ana").state == "conflict"
    first = settle(world, burned, "accept")
    assert (first.state, first.decision, first.note) == ("applied", "accept", "asked Ana")
    assert settle(world, burned, "accept") == first
    with pytest.raises(Conflict) as refusal:
        settle(world, burned, "refuse")
    assert refusal.value.code == "already-settled"
    assert settle(world, taken, "refuse", "typed twice").state == "refused"
    assert points(world, holder) == 5
    assert offline_conflicts.cases(world.ctx, world.merchant) == []
    assert [one.id for one in offline_conflicts.settled(world.ctx, world.merchant)] == [taken, burned]
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


@mostly_on("sqlite")
def test_what_cannot_be_booked_at_all_waits_on(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    unreadable = refused_of(device.send([device.note("sale", {"code": holder.code})]))
    with pytest.raises(Conflict):
        settle(world, unreadable, "accept")
    assert [one.id for one in offline_conflicts.cases(world.ctx, world.merchant)] == [unreadable]
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


# ---------------------------------------------------------------------- care


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
    assert offline_conflicts.cases(world.ctx, world.merchant)[0].id == event
    assert rotate_secrets(world.ctx).damaged == 0
    world.ctx.keyring = Keyring({"k9": bytes(range(32))})
    assert offline_conflicts.cases(world.ctx, world.merchant)[0].number == "B1"
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
        event = offline.event_by_id(tx, first or 0)
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
    assert [one.id for one in offline_conflicts.cases(world.ctx, world.merchant)] == [event]
    assert device.sync() == ["applied", "conflict"], "sent again it is still known"


def test_every_reason_is_spoken_in_both_languages() -> None:
    for code in [*reasons(), "something-new"]:
        assert said("conflict", code, False, "fr") != said("conflict", code, False, "en")
