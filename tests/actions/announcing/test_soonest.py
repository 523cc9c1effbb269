"""Mass changes of cards that are put to a vendor: what runs out first goes first, and no phone waits behind them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase
from tests.phone import Phone
from tests.vendor import Vendor, add_vendor
from tests.world import Holder, World, founded
from wallet_server.actions import outbox
from wallet_server.actions.announcing import offers
from wallet_server.actions.passes import saving
from wallet_server.delivery.worker import run_once
from wallet_server.records.jobs import BULK, DRIP, SERVICE
from wallet_server.records.schema import balances, lots
from wallet_server.wallets.port import Later, Shown


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path) as made:
        yield made


@pytest.fixture
def vendor(world: World) -> Vendor:
    return add_vendor(world)


def _saved(world: World, points: int = 0) -> tuple[Holder, str]:
    holder = world.enrol(promotions=True)
    link = saving.google_link(world.ctx, holder.pass_public_id)
    assert link is not None
    serial = saving.save(world.ctx, link.split("/")[-2]).rpartition("/")[2]
    if points:
        world.sell(holder, 100 * points)
    return holder, serial


def _say(world: World, holder: Holder, days: float) -> None:
    """A word to one member that stays for so many days."""
    wanted = offers.Announcement({"fr": "Un mot"}, None, world.clock() + timedelta(days=days), holder.member)
    facts, _ = offers.draft(world.ctx, world.merchant, world.programme, wanted, world.wish("announce"))
    offers.confirm(world.ctx, world.merchant, facts["announcement"], world.wish("confirm"))


def _all_but_drip(world: World) -> None:
    while sum(run_once(world.ctx, lane) for lane in outbox.LANES if lane != DRIP):
        pass


def _drained(world: World, vendor: Vendor) -> list[str]:
    """The order in which the cards are put there, one claim each."""
    vendor.calls.clear()
    while run_once(world.ctx, DRIP, most=1):
        pass
    return list(dict.fromkeys(serial for what, serial in vendor.calls if what == "patch"))


def test_what_runs_out_first_goes_first(world: World, vendor: Vendor) -> None:
    people = [_saved(world, points=10) for _ in range(4)]
    world.work()
    world.clock.forward(hours=1)
    lapsing, serial = people[3]
    with world.ctx.change() as tx:
        mine = sa.select(balances.c.account_id).where(balances.c.member_id == lapsing.member_id)
        soon = world.clock() + timedelta(hours=5)
        tx.execute(sa.update(lots).where(lots.c.account_id.in_(mine), lots.c.remaining > 0).values(expires_at=soon))
    for (holder, _), days in zip(people, (9, 3, 6, 20), strict=True):
        _say(world, holder, days)
    _all_but_drip(world)
    assert _drained(world, vendor) == [serial, people[1][1], people[2][1], people[0][1]]
    assert all(card.news is not None for card in vendor.objects.values())


def test_the_order_outlives_a_rest_of_the_vendor_and_the_wait_is_in_another_lane(world: World, vendor: Vendor) -> None:
    people = [_saved(world) for _ in range(3)]
    world.work()
    world.clock.forward(hours=1)
    for (holder, _), days in zip(people, (9, 3, 6), strict=True):
        _say(world, holder, days)
    vendor.answer = lambda _what: Later(60, "503", of_issuer=True)
    world.work()
    waiting = [letter.lane for letter in outbox.letters(world.ctx, dead=False) if letter.kind == "ring"]
    assert waiting == [BULK] * 3
    vendor.answer = lambda _what: Shown()
    world.clock.forward(minutes=2)
    _all_but_drip(world)
    assert _drained(world, vendor) == [people[1][1], people[2][1], people[0][1]]


def test_the_phones_of_a_mass_change_are_not_rung_behind_a_vendor(world: World, vendor: Vendor) -> None:
    holder, serial = _saved(world)
    other = world.enrol(promotions=True)
    phone = Phone(world, other)
    phone.register()
    world.work()
    world.clock.forward(hours=1)
    world.told.rung.clear()
    vendor.calls.clear()
    world.announce("Un, @prénom")
    while sum(run_once(world.ctx, lane) for lane in (BULK, SERVICE)):
        pass
    assert [one.ref for one in world.told.rung] == [other.pass_id]
    assert vendor.calls == []
    assert run_once(world.ctx, DRIP) == 1
    assert vendor.calls == [("patch", serial)]
    assert holder.member != other.member
