"""Mixed scans at one shop's tills, some with phones that never fetch: a small share of what `benchmarks.scans` does."""

from __future__ import annotations

from benchmarks import scans
from tests.conftest import whole_module_mostly_on
from tests.world import World

database_kind = whole_module_mostly_on("sqlite")


def test_nobody_is_refused_to_earn_and_nobody_spends_more_than_they_have(world: World) -> None:
    figures = scans.run(world, members=6, scans=100, seed=5, never=0.3)
    assert figures.scans == 100
    assert not figures.refused, figures.refused
    assert figures.worst == 0
    assert figures.issues > 6, "somebody spent"
    assert {"sale", "redemption", "look-up", "shown in bars"} <= set(figures.kinds)
    assert figures.asked <= 2
