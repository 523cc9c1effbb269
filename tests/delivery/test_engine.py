"""A process that delivers beside a counter lets the counter have its turn."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World
from wallet_server.delivery.engine import Doorbells, Embedded

PYTHONS_OWN = 0.005


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_nobody_waits_long_for_a_thread_that_only_computes(world: World, tmp_path: Path) -> None:
    """Whoever lets go of the interpreter for a moment has it back in a fraction of what Python gives such a thread,
    in the process that has the worker and in another one."""
    folder = tmp_path / "bells"
    first, second = (Embedded(world.ctx, folder, Doorbells(folder)) for _ in range(2))
    taken = []
    for process in (first, second):
        sys.setswitchinterval(PYTHONS_OWN)
        process.start()
        taken.append(sys.getswitchinterval())
    assert {"delivery-0", "embedded"} <= {thread.name for thread in threading.enumerate()}
    second.stop()
    first.stop()
    assert all(one <= PYTHONS_OWN / 5 for one in taken)
