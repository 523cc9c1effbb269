"""Owns what is known of `wallet-server sandbox` when its server does not come up."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from wallet_server.cli.sandbox import sandbox
from wallet_server.sandbox import stand
from wallet_server.sandbox.supervisor import ServerFailed


def test_a_server_that_stays_down_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(plan: stand.Plan) -> None:
        assert plan.slow is not None
        plan.slow()
        raise ServerFailed("The server ended with code 3.\nno such setting\n")

    monkeypatch.setattr(stand, "serve", down)
    found = CliRunner().invoke(sandbox, ["--data", str(tmp_path)])
    assert found.exit_code == 1
    assert isinstance(found.exception, SystemExit), "no traceback"
    assert "The server is still starting" in found.output
    assert "Error: The server ended with code 3.\nno such setting\n" in found.output
    assert str(tmp_path / "server.log") in found.output
