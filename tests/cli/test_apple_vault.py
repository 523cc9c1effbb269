"""What the vault holds is listed, gone back from and rung by a push key, as an operator does it on a command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import House
from wallet_server.actions.programme.demo import PASS_TYPE, TEAM
from wallet_server.actions.vendors import credentials as vault
from wallet_server.records.envelope import new_key_line

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


def key_file(house: House, name: str = "") -> str:
    kid, pem = house.authority.push_key(TEAM)
    path: Path = house.folder / (name or f"AuthKey_{kid}.p8")
    path.write_bytes(pem)
    return str(path)


def renew(house: House, *more: str) -> None:
    certificate, key = house.authority.renewed_certificate(PASS_TYPE, TEAM)
    (house.folder / "all.pem").write_bytes(certificate + key + house.authority.wwdr_pem)
    done = house.run("setup", "apple", "install", "--certificate", str(house.folder / "all.pem"), *more)
    assert done.exit_code == 0, done.output


def test_the_list_names_days_and_what_can_be_gone_back_to(house: House) -> None:
    first = house.run("setup", "apple", "list")
    assert (first.exit_code, PASS_TYPE in first.output, "days left" in first.output) == (0, True, True)
    assert "the one before" not in first.output
    renew(house)  # one PEM file holds everything
    listed = house.run("setup", "apple", "list").output
    assert "the one before ends on" in listed
    assert "PRIVATE" not in listed
    fresh = vault.all_sets(house.ctx)[0].certificate
    for expected in (False, True):
        gone = house.run("setup", "apple", "back", "--pass-type", PASS_TYPE)
        assert gone.exit_code == 0, gone.output
        assert (vault.all_sets(house.ctx)[0].certificate == fresh) is expected
    nothing = house.run("setup", "apple", "back", "--pass-type", "pass.nobody")
    assert (nothing.exit_code, "nothing was changed" in nothing.output) == (1, True)


def test_a_push_key_is_taken_for_its_own_team_and_no_other(house: House) -> None:
    install = ("setup", "apple", "token", "install")
    done = house.run(*install, "--key", key_file(house), "--team", TEAM)
    assert (done.exit_code, PASS_TYPE in done.output) == (0, True), done.output
    assert "rung with the push key" in house.run("doctor").output
    foreign = house.run(*install, "--key", key_file(house), "--team", "STRANGER99")
    assert (foreign.exit_code, "No certificate of team STRANGER99" in foreign.output) == (1, True)
    nameless = house.run(*install, "--key", key_file(house, "some.p8"), "--team", TEAM)
    assert (nameless.exit_code, "--key-id" in nameless.output) == (1, True)
    named = house.run(*install, "--key", key_file(house, "some.p8"), "--team", TEAM, "--key-id", "ABCDE12345")
    assert named.exit_code == 0, named.output
    wrong = house.run(*install, "--key", str(house.folder / "facts.json"), "--team", TEAM, "--key-id", "ABCDE12345")
    assert (wrong.exit_code, "P-256" in wrong.output) == (1, True)
    assert "push key ABCDE12345" in house.run("setup", "apple", "list").output
    gone = house.run("setup", "apple", "token", "remove", "--team", TEAM)
    assert gone.exit_code == 0, gone.output
    assert "pushes by its certificate" in house.run("setup", "apple", "list").output
    assert house.run("setup", "apple", "token", "remove", "--team", TEAM).exit_code == 1


def test_secrets_that_turn_take_the_push_key_and_the_certificate_before_along(house: House) -> None:
    renew(house)
    assert house.run("setup", "apple", "token", "install", "--key", key_file(house), "--team", TEAM).exit_code == 0
    old = house.variables["WALLET_SECRET_KEYS"]
    new = new_key_line("k2")
    turned = house.run("secrets", "rotate", WALLET_SECRET_KEYS=f"{new}\n{old}")
    assert turned.exit_code == 0, turned.output
    house.variables["WALLET_SECRET_KEYS"] = new
    assert house.run("setup", "apple", "back", "--pass-type", PASS_TYPE).exit_code == 0
    looked = house.run("doctor").output
    assert "rung with the push key" in looked
    assert not [line for line in looked.splitlines() if line.startswith("error") and "key" in line.lower()], looked


def test_the_doctor_says_what_is_wrong_with_the_settings_certificate(house: House) -> None:
    looked = house.run("doctor", WALLET_APPLE_CERTIFICATE=house.authority.root_pem.decode())
    wrong = [line for line in looked.output.splitlines() if "WALLET_APPLE_" in line]
    assert any("no private key" in line for line in wrong), looked.output
    assert any("no pass type" in line for line in wrong)
