"""Owns the installation that the tests of this folder work on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World, founded


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """A merchant ready for its first sale, once on each database."""
    with founded(database_url, tmp_path) as made:
        yield made
