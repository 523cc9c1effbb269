"""A code that changes: good for a minute, for one till, and there for the length of a visit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.world import Holder, World, founded
from wallet_server.actions import cards, till
from wallet_server.actions.keys import authenticate
from wallet_server.errors import Conflict
from wallet_server.records import passes
from wallet_server.wallets.google import totp


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path) as made:
        yield made


def shown(world: World, holder: Holder) -> str:
    """What the phone shows just now."""
    with world.ctx.look() as tx:
        row = passes.passes_by_id(tx, [holder.pass_id])[0]
        secret = totp.secret(cards.identity(world.ctx, tx, row))
    number = totp.value(secret, int(world.clock().timestamp()) // totp.PERIOD_SECONDS)
    return totp.pattern(holder.code).replace("{totp_value_0}", number)


def sell(world: World, code: str) -> int:
    line = till.SaleLine(None, None, 1000, 1000, 1000, 0, False)
    facts, _ = till.sell(world.ctx, world.till, till.Sold(code, world.number(), 1000, (line,), "EUR", None), None)
    return int(facts["balances"]["points"])


def test_what_is_scanned_once_serves_the_whole_visit_at_its_till(world: World) -> None:
    holder = world.enrol()
    code = shown(world, holder)
    assert till.look_up(world.ctx, world.till, code).member == holder.member
    world.clock.forward(minutes=4)
    assert sell(world, code) == 10
    world.clock.forward(minutes=4)
    assert sell(world, code) == 20
    world.clock.forward(minutes=4)
    with pytest.raises(Conflict, match="scan the card again") as stale:
        sell(world, code)
    assert stale.value.code == "code-stale"
    assert sell(world, shown(world, holder)) == 30


def test_a_picture_of_it_is_good_for_no_other_till_and_an_old_one_for_none(world: World) -> None:
    holder = world.enrol()
    other = authenticate(world.ctx, world.second_till())
    code = shown(world, holder)
    world.clock.forward(minutes=2)
    with pytest.raises(Conflict):
        till.look_up(world.ctx, world.till, code)
    code = shown(world, holder)
    world.clock.forward(seconds=30)
    till.look_up(world.ctx, world.till, code)
    with pytest.raises(Conflict):
        till.look_up(world.ctx, other, code)
    world.clock.forward(seconds=30)
    assert till.look_up(world.ctx, other, shown(world, holder)).member == holder.member
    with pytest.raises(Conflict):
        till.look_up(world.ctx, other, code[:-8] + "00000000")
    assert till.look_up(world.ctx, world.till, holder.code).member == holder.member, "typed off the card"
