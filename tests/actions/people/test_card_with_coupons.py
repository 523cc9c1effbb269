"""A card and its member's coupons in one file: what is wrong with one coupon keeps nobody from the rest."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.phone import opened
from tests.world import World
from wallet_server.actions.context import Shelf
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.errors import Misconfigured
from wallet_server.records.schema import passes
from wallet_server.sandbox.passes import open_bundle

SAID = {"fr": "Un café", "en": "A coffee"}


def spoil(world: World, pass_public_id: str) -> str:
    """A secret of this pass does not open any more; returns its serial number."""
    with world.ctx.change() as tx:
        mine = sa.update(passes).where(passes.c.public_id == pass_public_id).values(token_cipher="v1.gone.AAAA")
        return str(tx.execute(mine.returning(passes.c.serial)).scalar_one())


def test_a_coupon_that_cannot_be_signed_keeps_nobody_from_the_card(world: World) -> None:
    _, document = programs.programme_facts(world.ctx, world.merchant, world.programme)
    welcome = {"coupon": {"title": SAID, "terms": SAID, "valid_days": 30, "value_minor": 250}}
    wish = world.wish("publish")
    programs.publish_version(world.ctx, world.merchant, world.programme, {**document, "welcome": welcome}, wish)
    joined = enrol.join(world.ctx, world.join_code, enrol.Joining())
    card, (coupon,) = joined["pass"], joined["coupons"]
    token = enrol.bundle_link(world.ctx, card).split("/passes/")[1].split("/")[0]

    def serials() -> list[str]:
        return [opened(one)["serialNumber"] for one in open_bundle(enrol.bundle(world.ctx, token)[0])]

    both = serials()
    assert len(both) == 2
    assert spoil(world, coupon) == both[1]
    world.ctx.signed = Shelf()
    assert serials() == both[:1]
    spoil(world, card)
    world.ctx.signed = Shelf()
    with pytest.raises(Misconfigured):
        enrol.bundle(world.ctx, token)
