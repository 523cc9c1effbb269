"""Owns the fixtures of the stories: a stage on each database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import KINDS, databases
from tests.stories.stage import Stage

MakeStage = Callable[..., Stage]


@pytest.fixture
def make_stage(tmp_path: Path, database_url: str) -> Iterator[MakeStage]:
    """Raise a stage of one's own, with settings of one's own; struck when the story ends. Runs for each database."""
    raised: list[Stage] = []

    def make(**settings: Any) -> Stage:
        stage = Stage(tmp_path, database_url, **settings)
        raised.append(stage)
        return stage.__enter__()

    yield make
    for stage in raised:
        stage.__exit__()


@pytest.fixture(scope="module", params=KINDS)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One stage for all stories of a module, which keep apart by having members of their own. A module that says
    `WITH_GOOGLE = True` has Google Wallet and Android phones on it, one with `WITH_LETTERS = True` a mail server and a
    gateway for short messages."""
    folder = tmp_path_factory.mktemp("stage")
    has = {name: getattr(request.module, f"WITH_{name.upper()}", False) for name in ("google", "letters")}
    with (
        databases(request.config, folder) as new_database,
        Stage(folder, new_database(request.param), **has) as stage,
    ):
        yield stage
