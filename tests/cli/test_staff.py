"""The commands for people: an empty installation prints a link, and links open what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import House
from tests.conftest import whole_module_mostly_on
from wallet_server.actions import keys
from wallet_server.actions.staff import founding, links
from wallet_server.cli.staff import show_setup
from wallet_server.installation import build_context
from wallet_server.records.database import open_database, upgrade
from wallet_server.settings import Settings

database_kind = whole_module_mostly_on("sqlite")


def test_invitations_and_new_passwords_are_links_on_the_terminal(house: House) -> None:
    merchant = keys.authenticate(house.ctx, house.facts["merchant_key"]).principal
    made = house.run("staff", "invite", merchant, "--role", "marketer")
    assert made.exit_code == 0, made.output
    link = made.output.strip().splitlines()[-1]
    assert links.look(house.ctx, link.rsplit("/", 1)[1], links.JOIN).role == "marketer"
    assert house.run("staff", "invite", merchant, "--role", "king").exit_code == 2

    nobody = house.run("staff", "reset", "nobody@example.com")
    assert nobody.exit_code == 1
    assert "Nobody signs in with this address" in nobody.output


def test_founding_prints_an_owners_invitation(house: House) -> None:
    made = house.run("found", "Épicerie du Port")
    facts = json.loads(made.output[made.output.index("{") : made.output.rindex("}") + 1])
    found = links.look(house.ctx, facts["console_url"].rsplit("/", 1)[1], links.JOIN)
    assert (found.merchant, found.role) == ("Épicerie du Port", "owner")


def test_an_empty_installation_prints_where_to_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = Settings(data_dir=tmp_path, base_url="https://shop.example.com")
    upgrade(plain.database)
    ctx = build_context(plain, open_database(plain))
    show_setup(ctx)
    told = capsys.readouterr()
    (link,) = [word for word in told.out.split() if word.startswith("https://shop.example.com/start/")]
    founding.may_found(ctx, link.rsplit("/", 1)[1])
    assert told.err == ""
    ctx.database.close()
