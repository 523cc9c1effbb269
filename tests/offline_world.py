"""Owns what tests ask of a world whose tills have no network: a device at a till, how what it brought stands, what a
person makes of the rest."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from tests.offline_till import OfflineTill
from tests.world import Holder, World
from wallet_server.actions.counter import till
from wallet_server.actions.offline import settling
from wallet_server.records.schema import sales

BURNS = {"burn_units_per_card": 60, "allowance_units": 100, "window_minutes": 60}
Founding = Callable[..., AbstractContextManager[World]]


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


def reserve(device: OfflineTill, units: int, *, status: int = 200) -> Any:
    body = {"programme": device.world.programme, "units": units}
    return device.call("POST", "/v1/offline/allowances", body, status=status)


def refused_of(answer: Any) -> str:
    assert answer["results"][-1]["state"] == "conflict"
    return str(answer["results"][-1]["id"])


def settle(world: World, event: str, decision: str, note: str | None = None) -> settling.Case:
    return settling.settle(world.ctx, world.merchant, event, decision, note)
