"""Owns the installation that the tests of this folder work on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from tests.offline_world import BURNS, Founding
from tests.world import World, founded
from wallet_server.actions.staff import passwords
from wallet_server.rules.programme.program_default import default_document


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """A merchant ready for its first sale, once on each database."""
    with founded(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def founding(database_url: str, tmp_path: Path) -> Founding:
    """A world whose programme lets tills burn without a network, or whatever is given."""

    def made(**parts: Any) -> AbstractContextManager[World]:
        document = default_document("Boulangerie") | {"offline": BURNS} | parts
        return founded(database_url, tmp_path, document=document)

    return made


@pytest.fixture
def burning(founding: Founding) -> Iterator[World]:
    with founding() as world:
        yield world


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same hash with little memory: what most tests look at does not depend on its cost."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    monkeypatch.setattr(passwords, "_NOBODY", passwords.hashed("nobody's"))
