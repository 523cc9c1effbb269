"""From an issuer and a downloaded file to an account in the vault; what is wrong is said and changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.cli.conftest import House
from wallet_server.actions.vendors import credentials as vault
from wallet_server.actions.vendors import google_accounts
from wallet_server.records.programme.programmes import programme_to_join
from wallet_server.records.vendors import vendors

ISSUER = "3388000000022222222"
pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture(scope="module")
def account() -> dict[str, str]:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    email = "cards@shop.iam.gserviceaccount.com"
    return {"type": "service_account", "project_id": "shop", "client_email": email, "private_key": pem}


@pytest.fixture
def file(tmp_path: Path, account: dict[str, str]) -> Path:
    path = tmp_path / "account.json"
    path.write_text(json.dumps(account))
    return path


def test_a_person_is_led_to_an_account_in_the_vault(house: House, file: Path) -> None:
    bad = file.with_name("bad.json")
    bad.write_text("{}")
    typed = f"12\n3388 0000 0002 2222 222\n{bad}\n{file}\n1\n"
    made = house.run("setup", "google", typed=typed)
    assert made.exit_code == 0, made.output
    assert "is a number of about 19 digits" in made.output.partition("JSON file")[0], "before a file is asked for"
    assert "not the JSON file of a service account" in made.output
    assert "is installed" in made.output
    assert "demo mode" in made.output
    (row,) = google_accounts.all_accounts(house.ctx)
    assert (row.pass_type, row.team, row.wallet) == (ISSUER, "cards@shop.iam.gserviceaccount.com", "google")
    assert b"PRIVATE KEY" in google_accounts.key_of(house.ctx, row)
    assert "PRIVATE KEY" not in row.key_cipher
    assert [one.wallet for one in vault.all_sets(house.ctx)] == ["apple"], "certificates are not mixed with accounts"
    with house.ctx.look() as tx:
        programme = programme_to_join(tx, house.facts["join_code"])
        issuer = vendors.issuer_of(tx, programme.id, "google")
    assert issuer is not None
    assert issuer.credential_set_id == row.id
    assert ISSUER in house.run("setup", "google", "list").output


def test_the_settings_bring_one_and_what_is_wrong_with_it_stops_nothing(house: House, account: dict[str, str]) -> None:
    def with_file(content: str) -> bool:
        house.ctx.settings = replace(house.ctx.settings, google_issuer=ISSUER, google_service_account=content)
        return google_accounts.take_in(house.ctx)

    assert with_file(json.dumps({**account, "private_key": "nothing"})) is False
    assert google_accounts.all_accounts(house.ctx) == []
    assert [with_file(json.dumps(account)) for _ in range(2)] == [True, False]
    (row,) = google_accounts.all_accounts(house.ctx)
    assert with_file(json.dumps({**account, "client_email": "other@shop.iam.gserviceaccount.com"})) is True
    (later,) = google_accounts.all_accounts(house.ctx)
    assert (later.id, later.team, later.version) == (row.id, "other@shop.iam.gserviceaccount.com", row.version + 1)


def test_a_secret_key_is_changed_under_it_too(house: House, file: Path) -> None:
    house.run("setup", "google", "install", "--issuer", ISSUER, "--service-account", str(file))
    assert vault.rotate_secrets(house.ctx).damaged == 0
    stranger = house.run("setup", "google", "install", "--issuer", ISSUER, "--service-account", str(file) + ".none")
    assert stranger.exit_code == 1
    assert "cannot be read" in stranger.output


def test_addresses_that_are_not_googles_are_for_the_sandbox(house: House) -> None:
    refused = house.run(
        "doctor", WALLET_ENVIRONMENT="live", WALLET_APNS_URL="", WALLET_GOOGLE_API_URL="https://x.example"
    )
    assert refused.exit_code == 1
