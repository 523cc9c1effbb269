"""The commands of whoever runs an installation: what they say, what they leave behind, and how they refuse."""

from __future__ import annotations

import json
import os
import re
import stat
from datetime import timedelta

import pytest

from tests.cli.conftest import House
from tests.conftest import NewDatabase, mostly_on
from wallet_server.actions.announcing import offers
from wallet_server.actions.once import asked
from wallet_server.actions.operating import operator
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.demo import PASS_TYPE
from wallet_server.cli.opening import open_context
from wallet_server.errors import NotFound
from wallet_server.records import jobs
from wallet_server.records.envelope import new_key_line
from wallet_server.settings import Settings


def test_backup_and_restore_tell_what_they_did_and_where_the_keys_are(
    house: House, database_kind: str, new_database: NewDatabase
) -> None:
    file = house.folder / "b.zip"
    saved = house.run("backup", str(file))
    assert saved.exit_code == 0, saved.output
    assert re.search(r"holds \d+ rows of \d+ tables \(migration \w+\), SHA-256 [0-9a-f]{64}", saved.output)
    assert "WALLET_SECRET_KEYS" in saved.output
    again = house.run("backup", str(file))
    assert (again.exit_code, "never overwrites" in again.output) == (1, True)

    full = house.run("restore", str(file))
    assert (full.exit_code, "not empty" in full.output) == (1, True)
    empty = {"WALLET_DATABASE_URL": new_database(database_kind, migrated=False)}
    restored = house.run("restore", str(file), "--verify", **empty)
    assert restored.exit_code == 0, restored.output
    assert "books are true" in restored.output
    assert "tokens are intact" in restored.output


def test_a_restore_without_the_secret_keys_says_so_and_makes_none(house: House, new_database: NewDatabase) -> None:
    file = house.folder / "b.zip"
    _members(house, False)
    house.run("backup", str(file))
    empty = {
        "WALLET_DATABASE_URL": new_database("sqlite", migrated=False),
        "WALLET_DATA_DIR": str(house.folder / "new"),
    }
    keys = house.variables.pop("WALLET_SECRET_KEYS")
    refused = house.run("restore", str(file), "--verify", **empty)
    assert refused.exit_code == 1
    for words in ("secret.keys", "It needs k1.", "Nothing was restored"):
        assert words in refused.output
    assert not (house.folder / "new" / "secret.keys").exists()
    for wrong, said in ((new_key_line("k1"), "open none"), (new_key_line("k7"), "need the keys k1")):
        other = house.run("restore", str(file), "--verify", **empty, WALLET_SECRET_KEYS=wrong)
        assert (other.exit_code, said in other.output) == (1, True), other.output
    assert "backup" not in house.run("doctor", **empty).output

    filled = house.run("restore", str(file), **empty)
    assert (filled.exit_code, "--verify" in filled.output) == (0, True), filled.output
    looked = house.run("doctor", **empty)
    assert (looked.exit_code, "put back the keys" in looked.output) == (1, True)
    assert not (house.folder / "new" / "secret.keys").exists()

    proven = house.run("restore", str(file), "--verify", **empty, WALLET_SECRET_KEYS=keys)
    assert (proven.exit_code, "books are true" in proven.output) == (0, True), proven.output
    twice = house.run("restore", str(file), "--verify", **empty, WALLET_SECRET_KEYS=keys)
    assert (twice.exit_code, "doctor --books" in twice.output) == (1, True), "the phones are told: it has moved on"


def test_a_damaged_certificate_is_named_and_the_rest_goes_on(house: House, new_database: NewDatabase) -> None:
    house.run("backup", str(house.folder / "sound"))
    with house.ctx.change() as tx:
        tx.exec_driver_sql("UPDATE credential_sets SET key_cipher = 'v1.k1.AAAA'")
    _members(house, True)
    name = f"the certificate for {PASS_TYPE} of the platform"

    more = {"WALLET_SECRET_KEYS": f"{new_key_line('k2')}\n{house.variables['WALLET_SECRET_KEYS']}"}
    rotated = house.run("secrets", "rotate", **more)
    assert rotated.exit_code == 1, rotated.output
    assert re.search(r"^\d+ secrets were encrypted anew", rotated.output, re.MULTILINE)
    assert f"The key of {name}" in rotated.output
    assert "1 secrets could not be opened" in rotated.output
    assert "all others are done" in rotated.output
    assert house.run("secrets", "rotate", **more).output.startswith("0 secrets")

    looked = house.run("doctor", **more)
    assert (looked.exit_code, name in looked.output) == (1, True), looked.output

    moved = house.run("move", "--to", new_database("sqlite", migrated=False), **more)
    for words in (name, "The copy counts", "Now set WALLET_DATABASE_URL"):
        assert words in moved.output
    assert moved.exit_code == 1


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_newcomer_is_greeted_and_the_database_is_the_owners_alone(house: House) -> None:
    place = house.folder / "first"
    fresh = {"WALLET_DATA_DIR": str(place)}
    for name in ("WALLET_SECRET_KEYS", "WALLET_DATABASE_URL"):
        del house.variables[name]
    looked = house.run("doctor", **fresh)
    assert "Welcome" in looked.output
    assert "old installation" not in looked.output
    assert not place.exists()

    old = os.umask(0)
    try:
        ctx = open_context(Settings.from_env({**house.variables, **fresh}))
        with ctx.change() as tx:
            tx.exec_driver_sql("CREATE TABLE t (n INTEGER)")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.glob("wallet.db*")}
        ctx.database.close()
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(("wallet.db", "wallet.db-wal", "wallet.db-shm"), 0o600)
    assert "Welcome" not in house.run("doctor", **fresh).output


def test_a_move_asks_for_the_address_and_says_what_to_set(house: House, new_database: NewDatabase) -> None:
    url = new_database("postgresql", migrated=False)
    moved = house.run("move", typed=f"{url}\n")
    assert moved.exit_code == 0, moved.output
    assert "books are true" in moved.output
    assert "Now set WALLET_DATABASE_URL" in moved.output
    twice = house.run("move", "--to", url)
    assert (twice.exit_code, "not empty" in twice.output or "in use already" in twice.output) == (1, True)


@mostly_on("sqlite")
def test_the_doctor_reads_and_speaks_json(house: House) -> None:
    well = house.run("doctor", "--books")
    assert well.exit_code == 0, well.output
    assert "error" not in well.output
    assert "days left" in well.output
    facts = json.loads(house.run("doctor", "--json").output)
    assert facts["worst"] == "ok"
    assert {one["check"] for one in facts["findings"]} >= {
        "settings",
        "database",
        "secrets",
        "certificate",
        "programme",
    }

    live = house.run("doctor", WALLET_ENVIRONMENT="live", WALLET_BASE_URL="https://cards.example.com")
    assert live.exit_code == 1
    assert "WALLET_APNS_URL" in live.output


@mostly_on("sqlite")
def test_a_setting_that_cannot_be_read_is_a_sentence(house: House) -> None:
    refused = house.run("audit", WALLET_PORT="many")
    assert (refused.exit_code, refused.output[:20]) == (1, "Error: WALLET_PORT: ")
    assert house.run("doctor", WALLET_PORT="many").exit_code == 1


def _members(house: House, *opted_in: bool) -> None:
    """Members of a programme without quiet hours, so that it does not matter when this test runs."""
    programme = house.facts["programme"]
    scope = operator.scope_in(house.ctx, programme, None)
    document = programs.programme_facts(house.ctx, scope, programme)[1]
    document["announce"] = {"per_day": 3, "per_week": 9, "quiet": None}
    programs.publish_version(house.ctx, scope, programme, document, asked(scope, "publish", {}, "one"))
    for number, promotions in enumerate(opted_in):
        joining = enrol.Joining(promotions=promotions)
        enrol.enrol(house.ctx, scope, programme, joining, asked(scope, "enrol", {}, f"n{number}"))


TEXTS = ("--text", "fr=Demain : tout au seigle", "--text", "en=Tomorrow: rye")


@mostly_on("sqlite")
def test_an_announcement_is_counted_asked_about_and_can_be_taken_back(house: House) -> None:
    _members(house, True, True, False)
    words = ("announce", "--programme", house.facts["programme"], *TEXTS)
    dry = house.run(*words, typed="n\n")
    assert dry.exit_code == 0, dry.output
    assert "2 see it on the web card alone: their card is in no phone\n" in dry.output
    assert "1 did not opt in\n" in dry.output
    draft = re.findall(r"ann_\w+", dry.output)[-1]
    scope = operator.scope_behind(house.ctx, draft)
    assert offers.status(house.ctx, scope, draft)["state"] == "draft"

    sent = house.run(*words, "--days", "3", "--yes")
    announcement = re.findall(r"ann_\w+", sent.output)[-1]
    state = offers.status(house.ctx, scope, announcement)
    assert state["state"] == "confirmed"
    assert state["texts"] == {"fr": "Demain : tout au seigle", "en": "Tomorrow: rye"}
    soon = (house.ctx.now() + timedelta(days=3, minutes=5)).isoformat()
    assert str(state["ends_at"]) < soon

    recalled = house.run("announce", "--recall", announcement)
    assert recalled.exit_code == 0, recalled.output
    assert offers.status(house.ctx, scope, announcement)["state"] == "recalled"


@mostly_on("sqlite")
def test_an_announcement_that_cannot_be_made_says_why(house: House) -> None:
    programme = house.facts["programme"]
    for words, said in (
        (("--programme", programme, "--text", "de=Hallo"), "Write the text in fr"),
        (("--programme", "prog_nobody", *TEXTS), "no programme prog_nobody"),
        (("--programme", programme, *TEXTS, "--merchant", "mer_other"), "--merchant"),
        (("--recall", "ann_none"), "no announcement ann_none"),
    ):
        refused = house.run("announce", *words)
        assert (refused.exit_code, said in refused.output) == (1, True), refused.output
    for words in (("--programme", programme), ("--programme", programme, "--text", "Bonjour"), ()):
        assert house.run("announce", *words).exit_code == 2


@mostly_on("sqlite")
def test_acting_for_a_merchant_that_is_not_there(house: House) -> None:
    merchant = operator.scope_in(house.ctx, house.facts["programme"], None).principal
    assert operator.scope_of(house.ctx, merchant).principal == merchant
    with pytest.raises(NotFound):
        operator.scope_of(house.ctx, "mer_none")


def test_why_a_job_waits_or_was_given_up_is_told_in_words(house: House) -> None:
    now = house.ctx.now()
    with house.ctx.change() as tx:
        jobs.put(tx, [jobs.Put("ring", "1", jobs.COUNTER, now), jobs.Put("ring", "2", jobs.COUNTER, now)])
        first, second = jobs.claim(tx, jobs.COUNTER, 2, now, 60)
        jobs.rest(tx, first, now, "credentials: The key does not open.")
        jobs.bury(tx, second, now, "ValueError: nobody foresaw this")
    waiting, dead = (house.run("jobs", "list", *more).output for more in ((), ("--dead",)))
    assert "credentials:" not in waiting
    assert "\tThe certificate or key that this server keeps cannot be used" in waiting
    assert ": The key does not open.\n" in waiting
    assert "\tValueError: nobody foresaw this\n" in dead
