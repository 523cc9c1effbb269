"""Keys over the interface: the list with the last use, a further one, a successor beside which the old one works on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.conftest import whole_module_mostly_on
from tests.tills import hire, on_shift
from tests.world import World
from wallet_server.actions import keys
from wallet_server.records.staff import deeds

database_kind = whole_module_mostly_on("sqlite")


def call(world: World, method: str, path: str, key: str, body: Any = None, number: str | None = None) -> Any:
    headers = world.bearer(key, number or world.number())
    return world.client().open(path, method=method, json=body, headers=headers)


def test_a_successor_works_beside_the_old_key_and_then_alone(world: World) -> None:
    merchant, code = world.founded.merchant_key, world.enrol().code
    old = call(world, "POST", "/v1/keys", merchant, {"label": "Boutique en ligne", "scopes": ["read", "enrol"]}).json
    assert call(world, "GET", "/v1/stores", old["key"]).status_code == 200
    number = world.number()
    path = f"/v1/keys/{old['id']}/rotation"
    made = call(world, "POST", path, merchant, {"overlap_hours": 24}, number)
    again = call(world, "POST", path, merchant, {"overlap_hours": 24}, number)
    assert (again.json["key"], again.headers["Idempotency-Replayed"]) == (None, "true"), "it is shown once"
    for key in (old["key"], made.json["key"]):
        assert call(world, "GET", "/v1/stores", key).status_code == 200
        assert call(world, "POST", "/v1/lookups", key, {"code": code}).json["code"] == "needs-scope"
    assert call(world, "POST", path, merchant, {}).json["code"] == "key-replaced"
    listed = {one["id"]: one for one in call(world, "GET", "/v1/keys", merchant).json["keys"]}
    assert listed[old["id"]]["successor"] == made.json["id"]
    assert (listed[made.json["id"]]["label"], listed[made.json["id"]]["scopes"]) == (
        "Boutique en ligne",
        ["enrol", "read"],
    )
    assert listed[old["id"]]["used_at"] is not None
    world.clock.forward(hours=24)
    assert call(world, "GET", "/v1/stores", old["key"]).status_code == 401
    assert call(world, "GET", "/v1/stores", made.json["key"]).status_code == 200
    assert old["id"] not in {one["id"] for one in call(world, "GET", "/v1/keys", merchant).json["keys"]}
    with world.ctx.look() as tx:
        noted = {row.what for row in deeds.of_merchant(tx, world.merchant, 20)}
    assert noted == {deeds.KEY_MADE, deeds.KEY_ROTATED}


def test_no_key_makes_one_that_may_do_more(world: World) -> None:
    merchant = world.founded.merchant_key
    little = call(world, "POST", "/v1/keys", merchant, {"label": "Petit", "scopes": ["manage"]}).json["key"]
    wanted = {"label": "Grand", "scopes": ["manage", "announce"]}
    assert call(world, "POST", "/v1/keys", little, wanted).json["code"] == "needs-scope"
    great = merchant.partition(".")[0]
    assert call(world, "POST", f"/v1/keys/{great}/rotation", little, {}).json["code"] == "needs-scope"
    assert call(world, "POST", f"/v1/keys/{great}/rotation", merchant, {"overlap_hours": 9999}).status_code == 422


def test_a_tills_key_is_replaced_and_whoever_stood_there_enters_the_pin_again(world: World) -> None:
    _, headers = on_shift(world, "Anna")
    owner = hire(world, "Olga", "owner")
    till = world.founded.till_key.partition(".")[0]
    by_software = call(world, "POST", f"/v1/keys/{till}/rotation", world.founded.merchant_key, {"overlap_hours": 1})
    assert (by_software.status_code, by_software.json["code"]) == (403, "needs-scope"), "it would sell with it"
    made = keys.rotate(world.ctx, owner.scope, till, world.clock() + timedelta(hours=1))
    assert made is not None
    ask = {"json": {"code": world.enrol().code}}
    assert world.client().post("/v1/lookups", headers=headers, **ask).status_code == 200
    other = world.bearer(made.key) | {"X-Cashier": headers["X-Cashier"]}
    assert world.client().post("/v1/lookups", headers=other, **ask).json["code"] == "shift-over"
    assert world.client().post("/v1/lookups", headers=world.bearer(made.key), **ask).status_code == 200
