"""Owns what is known of `wallet-server sandbox` when its server does not come up, and of the vendors that it brings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from wallet_server.cli.sandbox import keep_settings, sandbox
from wallet_server.sandbox import stand
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import discovery
from wallet_server.sandbox.supervisor import ServerFailed
from wallet_server.settings import Settings


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


def test_without_googles_document_the_sandbox_runs_with_iphones_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def only_vendors(plan: stand.Plan) -> None:
        authority = Authority.open(tmp_path / "authority", datetime.now(UTC))
        async with AsyncExitStack() as stack:
            androids = await stand.open_androids(stack, plan, authority)
        assert androids is None
        given = plan.environment(authority, stand.Vendors("https://127.0.0.1:9", None))
        assert not [name for name in given if "GOOGLE" in name]

    monkeypatch.setattr(stand, "serve", only_vendors)
    monkeypatch.setattr(discovery, "PLACE", "discovery_cache/documents/none.json")
    found = CliRunner().invoke(sandbox, ["--data", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert "For Android phones too, install the extra: pip install 'wallet-server[sandbox]'." in found.stderr


def test_the_product_is_told_where_google_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def only_vendors(plan: stand.Plan) -> None:
        authority = Authority.open(tmp_path / "authority", datetime.now(UTC))
        async with AsyncExitStack() as stack:
            androids = await stand.open_androids(stack, plan, authority)
            assert androids is not None
            google = androids.google
            settings = Settings.from_env(plan.environment(authority, stand.Vendors("https://127.0.0.1:9", google)))
            assert settings.google_api_url == google.address
            assert settings.google_save_url == "http://127.0.0.1:8081/gp/v/save", "the page of the phones"
            account = json.loads(settings.google_service_account or "")
            assert google.accounts.may(account["client_email"], settings.google_issuer or "", write=True)

    monkeypatch.setattr(stand, "serve", only_vendors)
    found = CliRunner().invoke(sandbox, ["--data", str(tmp_path)])
    assert found.exit_code == 0, found.exception


def test_a_shell_reads_the_settings_of_the_sandbox_and_no_secret_is_among_them(tmp_path: Path) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nit's one\n-----END CERTIFICATE-----\n"
    given = {"WALLET_ENVIRONMENT": "sandbox", "WALLET_GOOGLE_API_URL": "https://127.0.0.1:9", "WALLET_GOOGLE_CA": pem}
    account = {"WALLET_GOOGLE_ISSUER": "3388000000022000001", "WALLET_GOOGLE_SERVICE_ACCOUNT": "the key"}
    file = tmp_path / "sandbox.env"
    for _ in range(2):
        keep_settings(file, given | account)
    assert file.stat().st_mode & 0o077 == 0
    shown = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('WALLET_')}))"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WALLET_")}
    script = f". '{file}'; '{sys.executable}' -c \"{shown}\""
    said = subprocess.run(["sh", "-c", script], env=clean, capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == given
    Settings.from_env(given)
