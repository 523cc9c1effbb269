"""Whatever is done to a coupon, and in whatever order: it is used at most once between two returns, by its newest code
alone, and its events add up to what is owed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.actions.purse.test_coupons import fetched, newest, promising, seen, used
from tests.conftest import NewDatabase
from tests.examples import examples
from tests.world import Holder, World, founded
from wallet_server.actions.operating import upkeep
from wallet_server.actions.people import enrol, leaving, recovery
from wallet_server.actions.purse import coupons
from wallet_server.errors import WalletError

DEEDS = ("use", "use-old", "give-back", "recover", "cancel", "deliver")


class Told:
    """What should be true of one coupon, told by the deeds alone."""

    def __init__(self, world: World) -> None:
        facts = enrol.join(world.ctx, world.join_code, enrol.Joining())
        self.world, self.state, self.use = world, "issued", ""
        self.card = world.holder(facts["pass"])
        self.coupon = world.holder(facts["coupons"][0])
        self.old: list[Holder] = []

    def do(self, deed: str) -> None:
        world, ctx = self.world, self.world.ctx
        if deed == "use":
            found = self._succeeds(self.coupon)
            assert found == (self.state == "issued")
            self.state = "used" if found else self.state
        elif deed == "use-old":
            assert not any(self._succeeds(one) for one in self.old)
        elif deed == "give-back" and self.use:
            if self.state == "used":
                coupons.undo(ctx, world.till, self.use, None)
                self.state = "issued"
        elif deed == "recover":
            link = ctx.link("recover", self.card.pass_public_id).rsplit("/", 1)[1]
            facts = recovery.by_link(ctx, link, f"form of {self.card.pass_public_id}")
            self.card = world.holder(facts["pass"])
        elif deed == "cancel":
            leaving.cancel(ctx, world.merchant, self.card.member, self.coupon.pass_public_id)
            self.state = "void" if self.state == "issued" else self.state
        else:
            world.work()
        now = newest(world, self.coupon)
        if now.serial != self.coupon.serial:
            self.old.append(self.coupon)
            self.coupon = now

    def _succeeds(self, holder: Holder) -> bool:
        with suppress(WalletError):
            self.use = used(self.world, holder)["id"]
            return True
        return False

    def check(self) -> None:
        self.world.work()
        assert seen(self.world, self.coupon).state == self.state
        assert bool(fetched(self.world, self.coupon).get("voided")) == (self.state != "issued")
        for one in self.old:
            assert fetched(self.world, one)["voided"]


@pytest.mark.slow
def test_a_coupon_comes_through_every_history(new_database: NewDatabase, tmp_path: Path) -> None:
    with founded(new_database("sqlite"), tmp_path, document=promising()) as world:

        @settings(max_examples=examples(25), suppress_health_check=list(HealthCheck))
        @given(deeds=st.lists(st.sampled_from(DEEDS), max_size=7))
        def play(deeds: Sequence[str]) -> None:
            told = Told(world)
            for deed in deeds:
                told.do(deed)
                world.clock.forward(seconds=90)
            told.check()

        play()
        assert upkeep.book_faults(world.ctx) == []
