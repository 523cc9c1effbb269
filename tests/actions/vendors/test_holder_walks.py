"""The nightly look at a vendor's list begins anew where its place is worth nothing any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.vendor import Vendor, add_vendor
from tests.world import founded
from wallet_server.actions.passes import saving
from wallet_server.actions.vendors import holders
from wallet_server.records import jobs
from wallet_server.wallets.port import Later, Refused, Roll, Verdict


@dataclass
class Forgetful(Vendor):
    """A vendor whose second page is refused, or stays away; `asked` are the places that it was asked from."""

    second: Verdict | None = None
    asked: list[str | None] = field(default_factory=list)

    def roll(self, credential_set: int, programmes: Sequence[str], after: str | None) -> Roll | Verdict:
        self.asked.append(after)
        return self.second if after is not None and self.second else super().roll(credential_set, programmes, after)


@pytest.mark.parametrize("second", [Refused("The page token is invalid."), Later(3600, "away")])
def test_a_walk_whose_place_is_refused_or_of_another_night_begins_anew(
    new_database: NewDatabase, tmp_path: Path, second: Verdict
) -> None:
    with founded(new_database("sqlite"), tmp_path) as world:
        vendor = Forgetful(page=1, second=second)
        add_vendor(world, vendor)
        for _ in range(2):
            link = saving.google_link(world.ctx, world.enrol().pass_public_id)
            assert link is not None
            saving.save(world.ctx, link.split("/")[-2])
        world.work()
        for night in (second, None):
            vendor.second = night
            with world.ctx.change() as tx:
                jobs.put(tx, holders.begin(world.ctx, tx))
            world.work()
            world.clock.forward(days=1)
        assert vendor.asked == [None, min(vendor.objects)] * 2, "the next night looks at all of it"
