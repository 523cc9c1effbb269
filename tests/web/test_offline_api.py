"""What tills bring from a time without a network is counted once, in one order, and what cannot be is not lost."""

from __future__ import annotations

from tests.offline_till import OfflineTill
from tests.world import World


def balance(world: World, code: str) -> int:
    found = world.client().post("/v1/lookups", json={"code": code}, headers=world.bearer(world.founded.till_key))
    return int(found.get_json()["balances"]["points"])


def test_a_sale_without_a_network_is_counted_when_it_is_brought_and_once(world: World) -> None:
    holder, device = world.enrol(), OfflineTill(world, world.founded.till_key)
    signed = device.sell(holder.code, "R1", 1200)
    world.clock.forward(minutes=20)
    first = device.send([signed])
    assert [one["state"] for one in first["results"]] == ["applied"]
    assert first["next_sequence"] == 2
    assert balance(world, holder.code) == 12
    again = device.send([signed, signed])
    assert again["results"] == [first["results"][0]] * 2
    assert balance(world, holder.code) == 12
