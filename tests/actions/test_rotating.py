"""A code that changes: good for a minute, for one till, and there for the length of a visit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.actions.test_coupons import joined, promising
from tests.conftest import NewDatabase
from tests.world import Holder, World, founded
from wallet_server.actions import cards, coupons, till
from wallet_server.actions.keys import authenticate
from wallet_server.errors import Conflict, NotFound
from wallet_server.records import passes
from wallet_server.rules import codes
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


def sell(world: World, code: str, receipt: str | None = None) -> int:
    line = till.SaleLine(None, None, 1000, 1000, 1000, 0, False)
    sold = till.Sold(code, receipt or world.number(), 1000, (line,), "EUR", None)
    facts, _ = till.sell(world.ctx, world.till, sold, None)
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


def test_what_is_sent_again_with_the_number_of_now_is_still_the_same(world: World) -> None:
    holder = world.enrol()
    assert sell(world, shown(world, holder), "9") == 10
    spent = till.redeem(world.ctx, world.till, till.Redeemed(shown(world, holder), None, 4, "9"), "k")
    world.clock.forward(minutes=1)
    assert sell(world, shown(world, holder), "9") == 10
    again = till.redeem(world.ctx, world.till, till.Redeemed(shown(world, holder).lower(), None, 4, "9"), "k")
    assert again == (spent[0], True)
    assert till.look_up(world.ctx, world.till, holder.code).balances["points"] == 6


def test_a_coupon_whose_number_changed_since_is_the_same_use(new_database: NewDatabase, tmp_path: Path) -> None:
    with founded(new_database("sqlite"), tmp_path, document=promising()) as world:
        _, coupon = joined(world)
        first = coupons.use(world.ctx, world.till, coupons.Using(shown(world, coupon), "9"), None)
        world.clock.forward(minutes=1)
        again = coupons.use(world.ctx, world.till, coupons.Using(shown(world, coupon), "9"), None)
        assert again == (first[0], True)


def test_a_till_where_the_card_is_not_known_learns_nothing_by_its_number(world: World) -> None:
    """Of the same account, and of a merchant that does not take part."""
    holder = world.enrol()
    stranger = replace(world.till, merchant_id=world.till.merchant_id + 1)
    nobodys = codes.write(replace(codes.read(holder.code), reference="0" * 16))
    for code in (holder.code, f"{holder.code}*00000000", shown(world, holder), f"{nobodys}*00000000"):
        with pytest.raises(NotFound) as unknown:
            till.look_up(world.ctx, stranger, code)
        assert unknown.value.code == "unknown-card"
    with pytest.raises(Conflict):
        till.look_up(world.ctx, world.till, f"{holder.code}*00000000")


def test_the_number_keeps_out_whoever_scans_a_picture_and_not_whoever_enters_its_code(world: World) -> None:
    """The price of codes that are typed: `docs/google.md` tells it."""
    holder = world.enrol()
    world.sell(holder, 10_000)
    other = authenticate(world.ctx, world.second_till())
    picture = shown(world, holder)
    world.clock.forward(minutes=2)
    with pytest.raises(Conflict) as stale:
        till.redeem(world.ctx, other, till.Redeemed(picture, None, 10, "1"), None)
    assert stale.value.code == "code-stale"
    entered = till.Redeemed(picture.partition("*")[0], None, 10, "2")
    assert till.redeem(world.ctx, other, entered, None)[0]["balances"]["points"] == 90
