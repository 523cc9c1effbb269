"""A coupon beside its card in a wallet that cards are pushed to: one address for both, one use for all its copies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.actions.purse.test_coupons import promising
from tests.conftest import NewDatabase
from tests.vendor import Vendor, add_vendor
from tests.world import Holder, World, founded
from wallet_server.actions.passes import saving
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import clock
from wallet_server.actions.purse import coupons
from wallet_server.errors import Conflict
from wallet_server.records.passes import passes
from wallet_server.records.schema import accounts, programmes
from wallet_server.records.scope import Scope
from wallet_server.wallets.port import Later, Shown


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path, document=promising()) as made:
        yield made


@pytest.fixture
def vendor(world: World) -> Vendor:
    return add_vendor(world)


def join(world: World) -> tuple[Holder, Holder]:
    """A member's card and the file of the coupon."""
    facts = enrol.join(world.ctx, world.join_code, enrol.Joining())
    return world.holder(facts["pass"]), world.holder(facts["coupons"][0])


def save(world: World, card: Holder) -> list[Holder]:
    """Who holds what the address adds: the card, then its coupons."""
    link = saving.google_link(world.ctx, card.pass_public_id)
    assert link is not None
    serials = saving.save(world.ctx, link.split("/")[-2]).rpartition("/")[2].split(".")
    with world.ctx.look() as tx:
        rows = [passes.pass_by_serial(tx, "3388000000022222222", one) for one in serials]
    return [world.holder(row.public_id) for row in rows if row is not None]


def use(world: World, code: str, scope: Scope | None = None) -> str:
    facts, _ = coupons.use(world.ctx, scope or world.till, coupons.Using(code, world.number()), None)
    return str(facts["id"])


def test_one_address_adds_card_and_coupon_and_the_card_names_it(world: World, vendor: Vendor) -> None:
    card, file = join(world)
    saved, coupon = save(world, card)
    assert coupon.code not in (file.code, card.code, saved.code)
    assert [what for what, _ in vendor.calls] == ["publish", "insert", "publish", "insert"]
    assert [one.serial for one in save(world, card)] == [saved.serial, coupon.serial]
    assert len(vendor.calls) == 4
    assert vendor.objects[coupon.serial].kind == "coupon"


def test_any_copy_is_used_once_for_all_and_given_back_to_all(world: World, vendor: Vendor) -> None:
    card, file = join(world)
    _, coupon = save(world, card)
    used = use(world, coupon.code)
    for code in (file.code, coupon.code):
        with pytest.raises(Conflict) as refused:
            use(world, code)
        assert refused.value.code == "coupon-used"
    coupons.undo(world.ctx, world.till, used, None)
    use(world, save(world, card)[1].code)
    world.work()
    assert vendor.objects[coupon.serial].voided
    assert save(world, card)[1:] == [], "used up, it is added to nothing"


def test_the_till_knows_each_good_copy_and_the_page_of_each_shows_it(world: World, vendor: Vendor) -> None:
    card, file = join(world)
    _, coupon = save(world, card)
    for one in (file, coupon):
        assert coupons.shown_by(world.ctx, one.pass_id).current
        page = enrol.web_card(world.ctx, world.ctx.link("card", one.pass_public_id).rpartition("/")[2])
        assert not page.card.voided
    assert len(enrol.web_card(world.ctx, world.ctx.link("card", card.pass_public_id).rpartition("/")[2]).beside) == 1


def test_a_coupon_that_the_vendor_does_not_take_keeps_no_card_back(world: World, vendor: Vendor) -> None:
    card, _ = join(world)
    vendor.answer = lambda _what: Shown() if vendor.calls else Later(1, "busy")
    assert len(save(world, card)) == 1
    assert len(save(world, card)) == 2


def test_a_card_names_its_coupon_until_that_is_over(world: World, vendor: Vendor) -> None:
    saved, coupon = save(world, join(world)[0])
    assert vendor.offers[saved.serial] == (coupon.serial,)
    world.clock.forward(days=400)
    with world.ctx.change() as tx:
        coupons.expire(tx, world.clock())
    world.work()
    assert vendor.objects[coupon.serial].voided
    assert vendor.offers[saved.serial] == ()


def test_a_used_coupon_leaves_the_card_when_it_can_no_longer_be_given_back(world: World, vendor: Vendor) -> None:
    card, _ = join(world)
    saved, coupon = save(world, card)
    device = replace(world.till, device=True)
    used = use(world, coupon.code, device)
    world.work()
    assert vendor.offers[saved.serial] == (coupon.serial,), "it may be given back still"
    coupons.undo(world.ctx, device, used, None)
    world.clock.forward(minutes=3)
    world.work()
    assert vendor.offers[saved.serial] == (coupon.serial,), "it was given back"
    use(world, coupon.code, device)
    world.clock.forward(minutes=1)
    world.work()
    assert vendor.offers[saved.serial] == (coupon.serial,)
    calls = len(vendor.calls)
    world.clock.forward(minutes=1, seconds=1)
    world.work()
    assert vendor.offers[saved.serial] == ()
    assert vendor.objects[coupon.serial].voided
    assert sorted(serial for _, serial in vendor.calls[calls:]) == sorted((saved.serial, coupon.serial)), "one each"


def test_a_coupon_that_a_till_system_used_leaves_the_card_at_once(world: World, vendor: Vendor) -> None:
    saved, coupon = save(world, join(world)[0])
    use(world, coupon.code)
    world.work()
    assert vendor.offers[saved.serial] == ()


def _with_a_conversion() -> dict[str, object]:
    voucher = {"title": {"fr": "Bon", "en": "Voucher"}, "terms": {"fr": "Une fois.", "en": "Once."}, "value_minor": 500}
    conversion = {"id": "bon", "currency": "points", "units": 50, "voucher": voucher}
    return promising() | {"conversions": [conversion]}


@pytest.mark.parametrize("apple", [True, False], ids=["both", "google-alone"])
def test_a_voucher_that_comes_later_stands_beside_the_card_that_was_saved(
    new_database: NewDatabase, tmp_path: Path, apple: bool
) -> None:
    with founded(new_database("sqlite"), tmp_path, document=_with_a_conversion()) as world:
        vendor = add_vendor(world)
        if not apple:
            with world.ctx.change() as tx:
                tx.execute(sa.update(programmes).values(credential_set_id=None))
        card, _ = join(world)
        saved, first = save(world, card)
        world.sell(saved, 5000)
        world.work()
        named = vendor.offers[saved.serial]
        assert len(named) == 2
        assert first.serial in named
        assert set(named) <= vendor.objects.keys(), "Google takes no card that names what it has not"
        inserted = [serial for what, serial in vendor.calls if what == "insert"]
        assert set(named) <= set(inserted)
        assert vendor.calls[-1] == ("patch", saved.serial), "the card is told after its coupon"
        calls = len(vendor.calls)
        assert [one.serial for one in save(world, card)][1:] == list(named)
        world.work()
        assert len(vendor.calls) == calls, "saved again, nothing new is made"


def test_a_voucher_reaches_no_vendor_whom_nobody_asked_for_the_card(new_database: NewDatabase, tmp_path: Path) -> None:
    with founded(new_database("sqlite"), tmp_path, document=_with_a_conversion()) as world:
        vendor = add_vendor(world)
        world.sell(join(world)[0], 5000)
        world.work()
        assert vendor.objects == {}


def test_a_coupon_that_is_given_back_late_comes_back_to_the_card(world: World, vendor: Vendor) -> None:
    saved, coupon = save(world, join(world)[0])
    used = use(world, coupon.code)
    world.work()
    assert vendor.offers[saved.serial] == ()
    assert vendor.objects[coupon.serial].voided
    coupons.undo(world.ctx, world.till, used, None)
    world.work()
    (back,) = vendor.offers[saved.serial]
    assert not vendor.objects[back].voided
    with world.ctx.look() as tx:
        row = passes.pass_by_serial(tx, "3388000000022222222", back)
    assert row is not None
    use(world, world.holder(row.public_id).code)


def test_a_coupon_of_an_account_that_is_ahead_is_over_by_the_time_of_that_account(world: World, vendor: Vendor) -> None:
    with world.ctx.change() as tx:
        tx.execute(sa.update(accounts).values(mode="test"))
    card, _ = join(world)
    saved, coupon = save(world, card)
    world.sell(card, 1000)
    world.work()
    assert vendor.offers[saved.serial] == (coupon.serial,)
    clock.advance(world.ctx, world.merchant, timedelta(days=400), None, world.wish("clock"))
    world.work()
    world.sell(card, 1000)
    world.clock.forward(minutes=1)
    world.work()
    assert vendor.offers[saved.serial] == ()
