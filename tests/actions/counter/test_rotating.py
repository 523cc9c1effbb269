"""A code that changes: good for a minute, for one till, and there for the length of a visit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.actions.purse.test_coupons import joined, promising
from tests.conftest import NewDatabase
from tests.vendor import ISSUER, add_vendor
from tests.world import Holder, World, founded
from wallet_server.actions.counter import till
from wallet_server.actions.counter.rotating import take
from wallet_server.actions.keys import authenticate
from wallet_server.actions.operating import upkeep
from wallet_server.actions.passes import cards, saving
from wallet_server.actions.purse import coupons
from wallet_server.errors import Conflict, NotFound
from wallet_server.records.passes import passes
from wallet_server.records.people import members
from wallet_server.records.scope import Scope
from wallet_server.records.vendors import issuers
from wallet_server.rules.counter import codes
from wallet_server.rules.programme.program_default import default_document
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


def changing(world: World) -> tuple[Holder, Holder]:
    """A member of a programme whose codes change: the card on an iPhone, and the one in Google Wallet."""
    holder = world.enrol()
    link = saving.google_link(world.ctx, holder.pass_public_id)
    assert link is not None
    serial = saving.save(world.ctx, link.split("/")[-2]).rpartition("/")[2].split(".")[0]
    with world.ctx.look() as tx:
        row = passes.pass_by_serial(tx, ISSUER, serial)
    assert row is not None
    return holder, world.holder(row.public_id)


@pytest.fixture
def rotating(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    document = default_document("Boulangerie") | {"google": {"rotating_codes": True}}
    with founded(new_database("sqlite"), tmp_path, document=document) as made:
        add_vendor(made)
        yield made


def test_the_code_of_a_changing_card_says_who_it_is_and_earns_but_spends_only_with_its_number(rotating: World) -> None:
    world = rotating
    iphone, android = changing(world)
    assert till.look_up(world.ctx, world.till, android.code).member == android.member
    assert sell(world, android.code) == 10
    other = authenticate(world.ctx, world.second_till())
    picture = shown(world, android)
    world.clock.forward(minutes=2)
    with pytest.raises(Conflict) as stale:
        till.redeem(world.ctx, other, till.Redeemed(picture, None, 1, "1"), None)
    assert stale.value.code == "code-stale"
    with pytest.raises(Conflict, match="scan it off the phone") as bare:
        till.redeem(world.ctx, other, till.Redeemed(picture.partition("*")[0].lower(), None, 1, "2"), None)
    assert (bare.value.code, bare.value.field) == ("needs-fresh-code", "code")
    spent = till.Redeemed(shown(world, android), None, 1, "3")
    assert till.redeem(world.ctx, other, spent, None)[0]["balances"]["points"] == 9
    assert till.redeem(world.ctx, other, till.Redeemed(iphone.code, None, 1, "4"), None)[0]["balances"]["points"] == 8


def test_the_number_goes_on_with_each_issue_of_the_card_in_its_window_and_never_twice(rotating: World) -> None:
    world = rotating
    _, android = changing(world)
    sell(world, android.code)
    other = authenticate(world.ctx, world.second_till())
    picture = shown(world, android)
    till.redeem(world.ctx, world.till, till.Redeemed(picture, None, 1, "1"), None)
    fresh = world.holder(android.pass_public_id)
    assert (codes.read(fresh.code).issue, codes.read(fresh.code).key_id) == (2, "1")
    # The number that the older issue came with was taken, whatever issue it is put behind.
    number = picture.rpartition("*")[2]
    for code in (android.code, fresh.code):
        with pytest.raises(Conflict) as stale:
            till.redeem(world.ctx, other, till.Redeemed(f"{code}*{number}", None, 1, "2"), None)
        assert stale.value.code == "code-stale"
    world.clock.forward(seconds=totp.PERIOD_SECONDS)
    spent = till.Redeemed(shown(world, fresh), None, 1, "3")
    assert till.redeem(world.ctx, other, spent, None)[0]["balances"]["points"] == 8
    # A phone that did not hear of it shows the first issue with a number of its own: a till has seen the second.
    world.clock.forward(minutes=11)
    with pytest.raises(Conflict) as older:
        till.redeem(world.ctx, other, till.Redeemed(shown(world, android), None, 1, "4"), None)
    assert older.value.code == "second-proof-needed"
    assert sell(world, shown(world, android)) == 18


def test_a_card_whose_programme_does_not_change_its_codes_spends_by_what_is_typed(world: World) -> None:
    add_vendor(world)
    _, android = changing(world)
    sell(world, android.code)
    redeemed = till.redeem(world.ctx, world.till, till.Redeemed(android.code, None, 4, "1"), None)[0]
    assert redeemed["balances"]["points"] == 6


def test_a_coupon_whose_code_changes_is_used_by_its_number(new_database: NewDatabase, tmp_path: Path) -> None:
    document = promising() | {"google": {"rotating_codes": True}}
    with founded(new_database("sqlite"), tmp_path, document=document) as world:
        add_vendor(world)
        _, android = changing(world)
        with world.ctx.look() as tx:
            rows = passes.passes_by_id(tx, range(1, 20))
        (coupon,) = [world.holder(r.public_id) for r in rows if r.kind == "coupon" and r.wallet == "google"]
        assert coupon.member == android.member
        with pytest.raises(Conflict) as bare:
            coupons.use(world.ctx, world.till, coupons.Using(coupon.code, "1"), None)
        assert bare.value.code == "needs-fresh-code"
        used, _ = coupons.use(world.ctx, world.till, coupons.Using(shown(world, coupon), "2"), None)
        assert used["coupon"]["state"] == "used"


def test_a_sale_of_an_offline_till_counts_with_the_number_of_its_time_each_once(rotating: World) -> None:
    world = rotating
    _, android = changing(world)
    scanned, sold_at = shown(world, android), world.clock()
    world.clock.forward(hours=2)
    assert sell(world, shown(world, android)) == 10, "meanwhile somebody sold to it elsewhere"
    world.clock.forward(hours=2)

    def later(code: str, at: datetime, scope: Scope | None = None) -> int:
        line = till.SaleLine(None, None, 1000, 1000, 1000, 0, False)
        sold = till.Sold(code, world.number(), 1000, (line,), "EUR", at)
        return int(till.sell(world.ctx, scope or world.till, sold, None)[0]["balances"]["points"])

    assert later(scanned, sold_at) == 20
    assert later(scanned, sold_at + timedelta(minutes=3)) == 30, "twice in one visit"
    other = authenticate(world.ctx, world.second_till())
    for at, scope in ((sold_at + timedelta(hours=1), None), (sold_at, other), (sold_at + timedelta(minutes=11), None)):
        with pytest.raises(Conflict) as stale:
            later(scanned, at, scope)
        assert stale.value.code == "code-stale"
    with pytest.raises(Conflict):
        till.redeem(world.ctx, world.till, till.Redeemed(scanned, None, 1, "9"), None)
    scanned, sold_at = shown(world, android), world.clock()
    world.clock.forward(hours=73)
    with pytest.raises(Conflict):
        later(scanned, sold_at)
    upkeep.schedule(world.ctx)
    world.work()
    with world.ctx.look() as tx:
        assert issuers.taken(tx, android.pass_id, sold_at - timedelta(hours=5), world.clock()) != []
    world.clock.forward(days=3)
    world.work()
    with world.ctx.look() as tx:
        assert issuers.taken(tx, android.pass_id, sold_at - timedelta(hours=5), world.clock()) == []


def test_a_sale_with_a_coupon_and_its_use_at_once_hold_the_member_before_the_number(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    """A sale holds its member and takes the coupon's number afterwards; whoever uses the coupon must do so, too: on
    PostgreSQL each would wait for the other."""
    with founded(new_database("postgresql"), tmp_path) as world:
        holder = world.enrol()
        code = shown(world, holder)
        ctx, held = world.ctx, threading.Event()

        def sale() -> None:
            with ctx.change() as tx:
                members.lock_member(tx, holder.member_id)
                held.set()
                time.sleep(0.3)
                take(ctx, tx, world.till, code, world.clock())

        def use() -> None:
            assert held.wait(5)
            with ctx.change() as tx:
                take(ctx, tx, world.till, code, world.clock())
                members.lock_member(tx, holder.member_id)

        with ThreadPoolExecutor(2) as tills:
            for done in [tills.submit(sale), tills.submit(use)]:
                done.result(20)
