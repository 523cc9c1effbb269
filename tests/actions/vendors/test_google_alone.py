"""A shop that has an issuer at Google and no Apple certificate, and what changes when one comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.actions.purse.test_coupons import promising
from tests.conftest import NewDatabase
from tests.vendor import add_vendor
from tests.world import World, founded
from wallet_server.actions.once import asked
from wallet_server.actions.operating import upkeep
from wallet_server.actions.passes import saving
from wallet_server.actions.people import enrol
from wallet_server.actions.purse import coupons
from wallet_server.actions.vendors import signing
from wallet_server.errors import Misconfigured, NotFound
from wallet_server.records.passes import passes
from wallet_server.records.programme import programmes
from wallet_server.records.schema import programmes as table

ANDROID = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path, document=promising()) as made:
        with made.ctx.change() as tx:
            tx.execute(sa.update(table).values(credential_set_id=None))
        yield made


def _page(world: World, card: str, agent: str) -> str:
    link = enrol.card_link(world.ctx, card)
    got = world.client().get("/card/" + link.rpartition("/")[2], headers={"User-Agent": agent, "Accept-Language": "en"})
    assert got.status_code == 200
    return got.get_data(as_text=True)


def _token(world: World, card: str) -> str:
    return enrol.download_path(world.ctx, card).rpartition("/")[2]


def test_with_neither_nobody_joins_and_is_told_what_is_missing(world: World) -> None:
    assert signing.unsigned(world.ctx, world.merchant) == {world.programme}
    with pytest.raises(Misconfigured, match="setup google") as refused:
        world.enrol()
    assert refused.value.code == "no-certificate"
    page = world.client().get(f"/join/{world.join_code}", headers={"Accept-Language": "en"})
    assert "not given out yet" in page.get_data(as_text=True)


def test_with_google_alone_a_member_joins_saves_is_updated_and_uses_a_coupon(world: World) -> None:
    vendor = add_vendor(world)
    assert signing.unsigned(world.ctx, world.merchant) == frozenset()
    joined = world.client().post(f"/join/{world.join_code}", headers={"User-Agent": ANDROID})
    assert joined.status_code == 303
    holder = world.enrol()
    android, iphone = (_page(world, holder.pass_public_id, agent) for agent in (ANDROID, IPHONE))
    for page in (android, iphone):
        assert 'data-wallet="google"' in page
        assert ".pkpass" not in page
    assert "keep this page" in iphone
    assert (
        saving.save(world.ctx, _token(world, holder.pass_public_id)).rpartition("/")[2].split(".")[0] == holder.serial
    )
    world.sell(holder, 1000)
    world.work()
    assert vendor.objects[holder.serial].balance.value == 10
    (offer,) = vendor.offers[holder.serial]
    with world.ctx.look() as tx:
        coupon = next(row for row in coupons.good(tx, holder.member_id, world.clock()) if row.serial == offer)
    used, _ = coupons.use(world.ctx, world.till, coupons.Using(world.holder(coupon.public_id).code, "R-1"), None)
    assert used["coupon"]["state"] == "used"
    world.work()
    assert vendor.objects[offer].voided
    coupons.undo(world.ctx, world.merchant, used["id"], "back")
    world.work()
    with world.ctx.look() as tx:
        assert [row.wallet for row in coupons.good(tx, holder.member_id, world.clock())] == ["google"]
    with pytest.raises(NotFound, match="which wallet"):
        enrol.download(world.ctx, _token(world, holder.pass_public_id))
    wish = asked(world.merchant, "enrol", {}, world.number())
    facts, _ = enrol.enrol(world.ctx, world.merchant, world.programme, enrol.Joining(), wish)
    assert enrol.file_link(world.ctx, facts["pass"]) is None
    assert upkeep.book_faults(world.ctx) == []


def test_a_certificate_that_comes_later_serves_those_who_joined_before(world: World) -> None:
    vendor = add_vendor(world)
    holder = world.enrol()
    saving.save(world.ctx, _token(world, holder.pass_public_id))
    with world.ctx.change() as tx:
        assert programmes.adopt(tx, world.credential_set, None) == 1
    page = _page(world, holder.pass_public_id, IPHONE)
    assert "cards.pkpasses" in page
    for _ in range(2):
        body, media_type, _ = enrol.bundle(world.ctx, _token(world, holder.pass_public_id))
        assert media_type == "application/vnd.apple.pkpasses"
        assert body
    world.sell(holder, 1000)
    world.work()
    assert vendor.objects[holder.serial].balance.value == 10
    with world.ctx.look() as tx:
        kept = {row.id for row in coupons.good(tx, holder.member_id, world.clock())}
        rows = [row for row in passes.passes_by_id(tx, range(1, 20)) if row.member_id == holder.member_id]
    assert sorted((row.wallet, row.kind) for row in rows) == [
        ("apple", "card"),
        ("apple", "coupon"),
        ("google", "card"),
        ("google", "coupon"),
    ], "the file is made once, with its coupon"
    assert {row.wallet for row in rows if row.id in kept} == {"apple"}
    fresh = world.enrol()
    with world.ctx.look() as tx:
        assert [row.wallet for row in passes.passes_by_id(tx, [fresh.pass_id])] == ["apple"], "as before"
