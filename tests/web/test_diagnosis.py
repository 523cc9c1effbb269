"""What the pass doctor says is said in both languages, on the page of a member, by the interface and by the command."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from tests.conftest import whole_module_mostly_on
from tests.phone import Phone
from tests.world import World
from wallet_server.cli import doctor
from wallet_server.errors import Misconfigured, NotFound
from wallet_server.rules.passes import case, diagnosis
from wallet_server.wallets.apple import phone_lines
from wallet_server.wallets.port import Refused, Report
from wallet_server.web.console.wording import Wording
from wallet_server.web.diagnosed import Reader
from wallet_server.web.rendering import FOLDER, LANGUAGES, Press, catalogues

database_kind = whole_module_mostly_on("sqlite")

CODES = re.compile(r'"((?:[a-z]+-)+[a-z]+|removed|throttled|sound|coalescing|publishing)"')
SILENT = ("correction", "recall", "expiry", "programme", "field")


def codes() -> set[str]:
    """Every code that the rules can give."""
    source = Path(diagnosis.__file__).read_text("utf-8")
    written = {found for found in CODES.findall(source) if found not in {"quiet-hours", "per-day", "per-week"}}
    reported = {f"phone-{meaning}" for meaning in diagnosis._REPORTED}
    written -= set(diagnosis._REPORTED) | {"announcing-off"}
    return written | reported | {f"silent-{why}" for why in SILENT}


@pytest.mark.parametrize("tongue", LANGUAGES)
def test_every_diagnosis_has_a_sentence_and_a_remedy_and_every_moment_its_words(tongue: str) -> None:
    words = Press().words[tongue].doctor
    assert len(codes()) > 50
    for code in codes():
        assert words.of(f"{code}.says", ""), code
        assert words.of(f"{code}.do", ""), code
    events = set(re.findall(r'"([a-z]+(?:-[a-z]+)*)"', Path(case.__file__).read_text().split("def _moments")[1]))
    for event in events - set(case.DEPARTURES) - set(case.OUTCOMES):
        assert words.of(f"events.{event}", ""), event
    for level in diagnosis.LEVELS:
        assert words.of(f"levels.{level}", "")
    known = catalogues(FOLDER / "texts" / tongue)["doctor"].names
    assert {name.removesuffix(".says") for name in known if name.endswith(".says")} == codes(), "and no other"


def test_the_paper_lists_every_code_and_no_other() -> None:
    paper = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text("utf-8")
    listed = re.findall(r"^\| `([a-z-]+)` \|", paper, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == codes() | {f"phone-{meaning}" for meaning in get_args(phone_lines.Meaning)}


def test_the_interface_says_why(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 1000)
    world.work()
    client, mine = world.client(), world.bearer(world.founded.merchant_key)
    answer = client.get(f"/v1/members/{holder.member}/diagnosis", headers=mine)
    assert answer.status_code == 200
    (card,) = answer.get_json()["cards"]
    assert card["pass"] == holder.pass_public_id
    first = card["diagnoses"][0]
    assert (first["code"], first["level"], first["subject"]) == ("never-registered", "warning", "update")
    assert "18 November 2026" in first["sentence"]
    assert first["facts"]["at"].startswith("2026-11-18T")
    assert card["timeline"][0]["code"] == "made"
    assert not re.search(r"[{}]", json.dumps([one["sentence"] + one["remedy"] for one in card["diagnoses"]]))
    for key, status in ((world.founded.till_key, 403), ("key_x.y", 401)):
        refused = client.get(f"/v1/members/{holder.member}/diagnosis", headers=world.bearer(key))
        assert refused.status_code == status
    assert client.get("/v1/members/mem_00000000000000000000/diagnosis", headers=mine).status_code == 404


@pytest.mark.parametrize("tongue", LANGUAGES)
def test_the_code_before_a_reason_is_for_programs_alone(world: World, tongue: str) -> None:
    reader = Reader(Press().words[tongue], Wording(tongue))
    for kind, code in (("credentials", "certificate-unusable"), ("configuration", "topic-refused")):
        facts = {"why": f"{kind}: The key does not open.", "until": world.clock()}
        said = reader.sentence(diagnosis.Diagnosis(code, "error", "update", facts)).says
        assert said.endswith(": The key does not open.")
        assert kind not in said


def test_the_interface_keeps_the_code_of_a_reason_among_the_facts(world: World) -> None:
    holder = world.enrol()
    Phone(world, holder).add()
    world.told.verdict = lambda stale: Report(stale.ref, Refused("credentials: The key is gone."), stale.remote_state)
    world.sell(holder, 1000)
    world.work()
    mine = world.bearer(world.founded.merchant_key)
    answer = world.client().get(f"/v1/members/{holder.member}/diagnosis", headers=mine).get_json()
    first = answer["cards"][0]["diagnoses"][0]
    assert (first["code"], first["facts"]["why"]) == ("certificate-unusable", "credentials: The key is gone.")
    assert first["sentence"].endswith("The reason: The key is gone.")


def test_the_command_prints_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = world.enrol()
    Phone(world, holder).add()
    for name, value in {
        "WALLET_ENVIRONMENT": "sandbox",
        "WALLET_DATA_DIR": str(world.ctx.settings.data_dir),
        "WALLET_DATABASE_URL": str(world.ctx.settings.database_url),
        "WALLET_SECRET_KEYS": str(world.ctx.settings.secret_keys),
        "WALLET_APNS_URL": world.ctx.settings.apns_url,
        "WALLET_APNS_CA": str(world.ctx.settings.apns_ca),
        "WALLET_BASE_URL": world.ctx.settings.base_url,
    }.items():
        monkeypatch.setenv(name, value)
    run = CliRunner().invoke(doctor.doctor, ["--card", holder.pass_public_id])
    assert f"{holder.pass_public_id} of {holder.member}: active" in run.output
    assert "A phone has held the card since" in run.output
    assert "consent-missing" in run.output
    told = CliRunner().invoke(doctor.doctor, ["--card", holder.member, "--json"])
    assert json.loads(told.output)["member"] == holder.member
    nobody = CliRunner().invoke(doctor.doctor, ["--card", "mem_0123456789"])
    assert nobody.exit_code == 1
    assert isinstance(nobody.exception, NotFound)


def test_the_command_makes_nothing_where_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLET_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("WALLET_DATABASE_URL", raising=False)
    monkeypatch.delenv("WALLET_SECRET_KEYS", raising=False)
    run = CliRunner().invoke(doctor.doctor, ["--card", "mem_0123456789"])
    assert isinstance(run.exception, Misconfigured)
    assert not (tmp_path / "data").exists()
