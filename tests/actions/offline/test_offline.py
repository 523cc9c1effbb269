"""What tills did without a network is counted once and in one order, whoever brings it in whatever portions."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import mostly_on
from tests.offline_till import Signed
from tests.offline_world import BURNS, Founding, device_of, entries, points, settle, states
from tests.tills import hire
from tests.world import World, founded, together
from wallet_server.actions import keys
from wallet_server.actions.offline import settling
from wallet_server.actions.people import leaving
from wallet_server.actions.programme import programs
from wallet_server.errors import Unavailable
from wallet_server.records.counter import counter_deeds
from wallet_server.records.offline import queues
from wallet_server.records.schema import sales
from wallet_server.rules.programme.program_default import default_document


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


def test_a_till_whose_clock_is_years_wrong_counts_to_the_day_on_which_it_sold(world: World) -> None:
    holder, years = world.enrol(), 3 * 365 * 24 * 60
    device = device_of(world, ahead=years)
    world.clock.forward(minutes=1)
    wrong, night = device.clock().date(), world.clock().date() - timedelta(days=1)
    device.sell(holder.code, "WRONG", 100, business_day=wrong.isoformat())
    device.sell(holder.code, "NIGHT", 100, business_day=night.isoformat())
    assert device.sync() == ["applied"] * 2
    with world.ctx.look() as tx:
        days = {one.receipt: one.business_day for one in tx.execute(sa.select(sales))}
    assert days == {"WRONG": world.clock().date(), "NIGHT": night}


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


def test_a_sale_with_something_off_that_was_counted_online_before_is_the_same_sale(founding: Founding) -> None:
    half = {"id": "half", "names": {"fr": "−50 %", "en": "50% off"}, "percent": {"percent": 50}}
    with founding(deals=[half]) as world:
        holder, device = world.enrol(), device_of(world)
        body = {"code": holder.code, "receipt": "R1", "currency": "EUR", "amount_minor": 1200, "apply_deals": True}
        client, headers = world.client(), world.bearer(world.founded.till_key)
        online = client.post("/v1/sales", json=body, headers=headers).get_json()
        assert online["to_pay_minor"] == 600
        world.clock.forward(minutes=3)
        device.note("sale", body | {"occurred_at": world.clock().isoformat()})  # scanned again: the same receipt
        device.note("sale", body | {"amount_minor": 600})  # what was paid for the first is the price of another basket
        assert states(device.send(device.queue)) == [("applied", None), ("conflict", "receipt-taken")]
        assert len(entries(world)) == 1
        assert points(world, holder) == 6


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
    found = settling.cases(world.ctx, world.merchant)
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


def test_a_card_that_ended_between_a_sale_and_its_sync_earns_and_one_that_had_ended_is_for_a_person(
    world: World,
) -> None:
    cancelled, over, device = world.enrol(), world.enrol(), device_of(world)
    for number, holder in enumerate((cancelled, over)):
        device.sell(holder.code, f"R{number}", 1200)
    world.clock.forward(minutes=1)
    leaving.cancel(world.ctx, world.merchant, cancelled.member, cancelled.pass_public_id)
    headers = world.bearer(world.founded.merchant_key)
    path = f"/v1/members/{over.member}/passes/{over.pass_public_id}/end"
    ended = world.client().put(path, json={"good_until": world.clock().isoformat()}, headers=headers)
    assert ended.status_code == 200, ended.json
    world.clock.forward(minutes=1)
    for number, holder in enumerate((cancelled, over), 2):
        device.sell(holder.code, f"R{number}", 1200)
    refusals = [("conflict", "revoked-card"), ("conflict", "expired-card")]
    assert states(device.send(device.queue)) == [("applied", None), ("applied", None), *refusals]
    assert [receipt for receipt, _ in entries(world)] == ["R0", "R1"]


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
def test_a_sale_earns_by_the_version_that_stood_when_it_was_made(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    world.clock.forward(minutes=1)
    device.sell(holder.code, "R1", 1200)
    world.clock.forward(minutes=1)
    document = default_document("Boulangerie")
    document["earn"][0]["per"]["points"] = 5
    programs.publish_version(world.ctx, world.merchant, world.programme, document, world.wish("publish"))
    world.clock.forward(minutes=1)
    device.sell(holder.code, "R2", 1200)
    assert device.sync() == ["applied"] * 2
    assert points(world, holder) == 12 + 60


@mostly_on("sqlite")
def test_a_sale_names_who_stood_at_the_till(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    ada = hire(world, "Ada").public_id
    at = world.clock.forward(minutes=1)
    body = {"code": holder.code, "receipt": "R1", "currency": "EUR", "amount_minor": 1200}
    device.note("sale", body, cashier=ada)
    device.note("sale", body | {"receipt": "R2"}, cashier="staff_" + "0" * 20)
    world.clock.forward(minutes=30)
    answer = device.send(device.queue)
    assert states(answer) == [("applied", None)] * 2
    first, second = (one["booked"] for one in answer["results"])
    with world.ctx.look() as tx:
        assert [(one.who, one.what, one.at) for one in counter_deeds.about(tx, world.till, first)] == [
            ("Ada", "sell", at)
        ]
        assert counter_deeds.about(tx, world.till, second) == []


def test_the_same_sync_twice_at_once_and_another_tills_beside_it_count_each_sale_once(
    database_url: str, tmp_path: Path
) -> None:
    # A slow machine's database is busy for longer than a till is let wait.
    with founded(database_url, tmp_path, database_wait_seconds=60.0) as world:
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
        assert entries(world) == sorted(entries(world), key=lambda sold: (sold[1], sold[0]))
        assert points(world, holder) == 6


@mostly_on("sqlite")
def test_what_was_stored_is_counted_though_the_database_was_busy_when_it_was_to_be_applied(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise Unavailable("The database is busy; please try again in a moment.")

    holder, device = world.enrol(), device_of(world)
    device.sell(holder.code, "R1", 100)
    with monkeypatch.context() as patched:
        patched.setattr(queues, "lease", busy)
        assert states(device.send(device.queue)) == [("waiting", None)]
    world.clock.forward(seconds=10)
    world.work()
    assert points(world, holder) == 1, "a job has seen to it"
    assert states(device.send(device.queue)) == [("applied", None)]
