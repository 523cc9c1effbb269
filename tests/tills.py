"""Owns people who stand at a test's till: they are hired, choose a PIN and begin a shift over the interface."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse

from tests.world import World
from wallet_server.actions.context import new_id
from wallet_server.actions.counter import cashiers
from wallet_server.actions.staff.person import Person, person_of
from wallet_server.records.staff import staff

PIN = "5093"


def hire(world: World, name: str, role: str = "cashier", merchant: int | None = None) -> Person:
    """A further person of the shop's team."""
    ctx, founded = world.ctx, world.founded
    values = {"public_id": new_id("stf"), "account_id": founded.account_id, "role": role, "language": "fr"}
    values |= {"merchant_id": merchant or founded.merchant_id, "email": f"{name.lower()}@example.com", "name": name}
    with ctx.change() as tx:
        key = staff.add(tx, values | {"created_at": ctx.now()})
        assert key
        return person_of(staff.by_id(tx, key), "ses_test")


def take_over(world: World, person: Person, pin: str = PIN, key: str | None = None, **more: Any) -> TestResponse:
    """The person enters a PIN at the till."""
    headers = world.bearer(key or world.founded.till_key)
    return world.client().post(f"/v1/cashiers/{person.public_id}/shift", json={"pin": pin, **more}, headers=headers)


def on_shift(world: World, name: str, role: str = "cashier", key: str | None = None) -> tuple[Person, dict[str, str]]:
    """Somebody who stands at the till, and the headers of that till's calls from then on."""
    person = hire(world, name, role)
    cashiers.choose_own(world.ctx, person, PIN)
    answer = take_over(world, person, key=key)
    assert answer.status_code == 200, answer.json
    return person, world.bearer(key or world.founded.till_key) | {"X-Cashier": answer.json["token"]}
