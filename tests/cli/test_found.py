"""Founding a merchant from the command line: its keys work at once, its faults change nothing."""

from __future__ import annotations

import json

from tests.cli.conftest import House
from tests.conftest import whole_module_mostly_on
from wallet_server.actions import keys
from wallet_server.actions.programme import programs

database_kind = whole_module_mostly_on("sqlite")


def test_founding_prints_keys_that_work_and_a_programme_of_its_own(house: House) -> None:
    made = house.run("found", "Épicerie du Port", "--zone", "Europe/Paris", "--at", "43.3", "5.37")
    assert made.exit_code == 0, made.output
    facts = json.loads(made.output[made.output.index("{") : made.output.rindex("}") + 1])

    till = keys.authenticate(house.ctx, facts["till_key"])
    merchant = keys.authenticate(house.ctx, facts["merchant_key"])

    assert till.till_id is not None
    assert [row.public_id for row in programs.list_programmes(house.ctx, merchant)] == [facts["programme"]]
    assert [(s.name, s.latitude) for s in programs.stores(house.ctx, merchant)] == [("Épicerie du Port", 43.3)]


def test_links_that_no_phone_can_follow_are_not_printed_without_a_word(house: House) -> None:
    live = {"WALLET_ENVIRONMENT": "live", "WALLET_APNS_URL": "https://api.push.apple.com"}
    del house.variables["WALLET_APNS_CA"]
    local, public = {"WALLET_BASE_URL": "https://localhost:8080"}, {"WALLET_BASE_URL": "https://cards.example.com"}
    for address, said in (({}, True), (local, True), (public, False)):
        made = house.run("found", "Épicerie", **live, **address)
        assert made.exit_code == 0, made.output
        assert ("WALLET_BASE_URL" in made.output) == said, made.output


def test_a_document_with_faults_founds_nobody_and_names_them_all(house: House) -> None:
    file = house.folder / "programme.toml"
    file.write_text('format = 1\norganisation = ""\nlanguages = ["fr"]\n', encoding="utf-8")
    before = programs.count_accounts(house.ctx)

    refused = house.run("found", "Nobody", "--document", str(file))

    assert refused.exit_code == 1
    assert "organisation" in refused.output
    assert "currencies" in refused.output
    assert programs.count_accounts(house.ctx) == before
    assert house.run("found", "Nobody", "--zone", "Mars/Olympus").exit_code == 1
    assert programs.count_accounts(house.ctx) == before
