"""A device is known by its key; what it signed is not lost where another key, or a backup, came between."""

from __future__ import annotations

from tests.conftest import mostly_on
from tests.offline_till import OfflineTill
from tests.offline_world import device_of, entries, settle, states
from tests.world import World
from wallet_server.actions.offline import settling


@mostly_on("sqlite")
def test_a_key_is_registered_once_and_another_replaces_it(world: World) -> None:
    device = device_of(world)
    again = OfflineTill(world, device.key, private=device.private)
    assert again.device == device.device
    other = device_of(world)
    assert other.device != device.device
    holder = world.enrol()
    assert OfflineTill(world, device.key, private=device.private).device == device.device
    assert states(device.send([device.sell(holder.code, "R1", 100)])) == [("applied", None)]
    for wrong in ("A" * 87, "é" * 80, "A" * 88):
        device.call("PUT", "/v1/offline/device", {"public_key": wrong}, status=400)


@mostly_on("sqlite")
def test_what_was_not_sent_before_another_key_was_registered_is_for_a_person(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    at = world.clock.forward(minutes=1)
    device.sell(holder.code, "R1", 1200)
    world.clock.forward(minutes=1)
    fresh = device_of(world)
    assert states(fresh.send([*device.queue, device.sign("nonsense")])) == [
        ("conflict", "replaced-device"),
        ("refused", "bad-signature"),
    ]
    assert states(fresh.send([fresh.sell(holder.code, "R2", 100)])) == [("applied", None)]
    found = settling.cases(world.ctx, world.merchant)
    assert [(one.number, one.at, one.device, one.sequence) for one in found] == [("R1", at, device.device, 1)]
    assert settle(world, found[0].id, "accept").state == "applied"
    assert sorted(entries(world))[0] == ("R1", at)


def set_back(world: World) -> None:
    """As by a backup of before any till had registered."""
    with world.ctx.change() as tx:
        tx.exec_driver_sql("DELETE FROM offline_devices")


@mostly_on("sqlite")
def test_a_device_that_a_backup_knows_nothing_of_goes_on_under_its_name(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    other = device_of(world, world.second_till())
    happened = []
    for number in range(4, 7):  # what is below was counted long ago
        happened.append((f"R{number}", world.clock.forward(minutes=1)))
        body = {"code": holder.code, "receipt": f"R{number}", "currency": "EUR", "amount_minor": 100}
        device.note("sale", body, sequence=number)
    set_back(world)
    device.call("POST", "/v1/offline/events", {"events": [], "sequence": 7}, status=409)
    for name in (device.device, device.device, other.device):
        found = device.register(device=name, sequence=4)
    assert found == {"device": device.device, "till": device.till, "next_sequence": 4}
    assert states(device.send(device.queue[1:], sequence=7)) == [("waiting", None)] * 2
    answer = device.send(device.queue, sequence=7)
    assert (states(answer), answer["next_sequence"]) == ([("applied", None)] * 3, 7)
    assert entries(world) == happened


@mostly_on("sqlite")
def test_or_what_it_did_is_for_a_person_and_takes_no_number_of_its_new_name(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    old, till_id = device.device, device.till
    at = world.clock.forward(minutes=1)
    forgotten = [device.sell(holder.code, f"R{number}", 100) for number in (1, 2)]
    set_back(world)
    world.clock.forward(minutes=1)
    assert device.register()["device"] != old
    device.device, device.queue = device.register()["device"], []
    device.sell(holder.code, "R3", 100)
    answer = device.send([*forgotten, *device.queue])
    assert states(answer) == [("conflict", "forgotten-device")] * 2 + [("applied", None)]
    assert ([one["sequence"] for one in answer["results"]], answer["next_sequence"]) == ([1, 2, 1], 2)
    found = settling.cases(world.ctx, world.merchant)
    assert [(one.number, one.at) for one in found] == [("R1", at), ("R2", at)]
    assert settle(world, found[1].id, "accept").state == "applied"
    assert (till_id, [receipt for receipt, _ in entries(world)]) == (device.till, ["R3", "R2"])
