"""Owns an installation for tests of the command line: the demonstration merchant, on each database, and its command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click.testing
import pytest

from wallet_server.actions.context import Context
from wallet_server.actions.programme import demo
from wallet_server.actions.programme.demo import PASS_TYPE, TEAM
from wallet_server.cli import main
from wallet_server.cli.opening import open_context
from wallet_server.records.envelope import new_key_line
from wallet_server.sandbox.authority import Authority
from wallet_server.settings import Settings


@dataclass
class House:
    """An installation as its operator has it; `variables` are its settings."""

    ctx: Context
    variables: dict[str, str]
    facts: dict[str, Any]
    authority: Authority
    folder: Path

    def run(self, *words: str, typed: str | None = None, **variables: str) -> click.testing.Result:
        """One command, in this process; `typed` is what a person answers."""
        return click.testing.CliRunner().invoke(main, words, input=typed, env={**self.variables, **variables})


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Certificates that are valid now: commands look at the real clock."""
    return Authority.open(tmp_path_factory.mktemp("authority"), datetime.now(UTC))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> tuple[bytes, bytes]:
    """A certificate and its key, made once: keys take their time."""
    return authority.pass_certificate(PASS_TYPE, TEAM)


@pytest.fixture
def house(database_url: str, tmp_path: Path, authority: Authority, certificate: tuple[bytes, bytes]) -> Iterator[House]:
    """The demonstration merchant on each database."""
    variables = {
        "WALLET_ENVIRONMENT": "sandbox",
        "WALLET_DATA_DIR": str(tmp_path / "data"),
        "WALLET_DATABASE_URL": database_url,
        "WALLET_SECRET_KEYS": new_key_line("k1"),
        "WALLET_APNS_URL": "https://localhost:1",
        "WALLET_APNS_CA": authority.root_pem.decode(),
    }
    (tmp_path / "data").mkdir()
    ctx = open_context(Settings.from_env(variables))
    facts = demo.demonstrate(ctx, tmp_path / "facts.json", *certificate, authority.wwdr_pem)
    yield House(ctx, variables, facts, authority, tmp_path)
    ctx.database.close()
