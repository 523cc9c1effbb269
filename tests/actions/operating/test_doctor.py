"""The doctor finds a sound installation sound, and each thing that can be wrong with it, with what to do."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.phone import Phone
from tests.world import NOON, World
from wallet_server.actions.operating import doctor, local_tls, proofs
from wallet_server.actions.operating.doctor import Finding
from wallet_server.actions.operating.local_names import Machine
from wallet_server.actions.passes import refresh
from wallet_server.actions.vendors import credentials as vault
from wallet_server.records import jobs, limits
from wallet_server.records.envelope import Keyring, new_key_line
from wallet_server.settings import Settings
from wallet_server.wallets.port import Report, Shown

LIVE = Settings(base_url="https://cards.example.com", data_dir=Path("/"), secret_keys=new_key_line("k1"))
ELSEWHERE = "postgresql+psycopg://wallet@localhost/wallet"


def plenty(_: Path) -> int:
    return 10**12


def bad(findings: list[Finding]) -> list[tuple[str, str]]:
    """What is not well, as (check, level)."""
    assert all(len(one.sentence) > 15 for one in findings)
    return [(one.check, one.level) for one in findings if one.level != "ok"]


def test_settings_of_a_live_installation_are_well() -> None:
    assert bad(doctor.examine_settings(LIVE, plenty)) == []


@pytest.mark.parametrize(
    ("changed", "check", "level", "words"),
    [
        ({"base_url": "http://cards.example.com"}, "base-url", "error", "https only"),
        ({"base_url": "https://localhost:8080"}, "base-url", "error", "each phone itself"),
        ({"base_url": "https://[::1]"}, "base-url", "error", "each phone itself"),
        ({"base_url": "https://0.0.0.0"}, "base-url", "error", "each phone itself"),
        ({"base_url": "https://192.168.1.4"}, "base-url", "warning", "own network"),
        ({"base_url": "https://till"}, "base-url", "warning", "own network"),
        ({"apns_url": "https://localhost:4"}, "apns", "error", "NO PHONE IS RUNG"),
        ({"apns_ca": "-----BEGIN"}, "apns", "error", "NO PHONE IS RUNG"),
        ({"secret_keys": None, "database_url": ELSEWHERE}, "secret-keys", "warning", "secret.keys"),
    ],
)
def test_a_setting_that_would_keep_cards_from_working(
    changed: dict[str, str | None], check: str, level: str, words: str
) -> None:
    findings = doctor.examine_settings(replace(LIVE, **changed), plenty)  # type: ignore[arg-type]
    assert bad(findings) == [(check, level)]
    assert any(words in one.sentence for one in findings)


def test_whoever_looks_before_there_is_anything_is_no_culprit() -> None:
    findings = doctor.examine_settings(replace(LIVE, secret_keys=None), plenty)
    assert bad(findings) == []
    assert any("The first start makes them" in one.sentence for one in findings)


def test_the_sandbox_may_be_simulated_on_loopback() -> None:
    simulated = replace(LIVE, environment="sandbox", base_url="http://127.0.0.1:1", apns_url="https://localhost:4")
    assert bad(doctor.examine_settings(simulated, plenty)) == []


@pytest.mark.parametrize(("free", "level"), [(99 * 1024**2, "error"), (1000 * 1024**2, "warning")])
def test_a_disk_that_fills_up(free: int, level: str) -> None:
    assert bad(doctor.examine_settings(LIVE, lambda _: free)) == [("disk", level)]


def test_the_database_must_stand_at_the_newest_migration(fresh_database_url: str, database_kind: str) -> None:
    settings = replace(LIVE, database_url=fresh_database_url)
    assert bad(doctor.examine_database(settings)) == [("database", "error")]
    if database_kind == "sqlite":
        assert not Path(fresh_database_url.removeprefix("sqlite:///")).exists(), "looking makes no file"


def test_a_database_behind_or_away_is_an_error(world: World) -> None:
    settings = world.ctx.settings
    assert bad(doctor.examine_database(settings)) == []
    with world.ctx.change() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    findings = doctor.examine_database(settings)
    assert bad(findings) == [("database", "error")]
    assert "0000" in findings[0].sentence
    away = replace(settings, database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert bad(doctor.examine_database(away)) == [("database", "error")]


def test_a_sound_installation_is_well(world: World) -> None:
    world.sell(world.enrol(), 5000)
    world.work()
    findings = doctor.examine(world.ctx, books=True)
    assert bad(findings) == []
    assert {one.check for one in findings} == {"secrets", "certificate", "programme", "letters", "jobs", "books"}
    assert doctor.worst(findings) == "ok"


@pytest.mark.slow
def test_certificates_are_announced_before_they_end(world: World) -> None:
    ends = vault.all_sets(world.ctx)[0].not_after
    for left, within in ((61, None), (59, "60"), (29, "30"), (13, "14"), (6, "7"), (0.5, "1")):
        world.clock.at = ends - timedelta(days=left)
        findings = [one for one in doctor.examine(world.ctx) if one.check == "certificate"]
        assert ("certificate", "warning") in bad(findings) if within else bad(findings) == []
        words = f"{left} days" if left >= 1 else "within a day"
        assert any(words in one.sentence for one in findings)
    world.clock.at = ends + timedelta(days=1)
    found = bad(doctor.examine(world.ctx))
    assert ("certificate", "error") in found
    assert ("programme", "error") in found


def _document(world: World, **changes: object) -> None:
    with world.ctx.change() as tx:
        text = tx.exec_driver_sql("SELECT document FROM programme_versions").scalar_one()
        tx.execute(
            sa.text("UPDATE programme_versions SET document = :d"), {"d": json.dumps({**json.loads(text), **changes})}
        )
    world.ctx._versions.clear()


def test_a_programme_whose_design_is_gone(world: World) -> None:
    _document(world, design={"id": "loyalty", "version": 999})
    findings = doctor.examine(world.ctx)
    assert bad(findings) == [("programme", "error")]
    assert any("999" in one.sentence for one in findings)


@pytest.mark.parametrize("column", ["credential_set_id = NULL", "current_version = 0"])
def test_a_programme_without_a_certificate_or_a_version(world: World, column: str) -> None:
    with world.ctx.change() as tx:
        tx.exec_driver_sql(f"UPDATE programmes SET {column}")
    found = list(doctor.examine(world.ctx))
    assert bad(found) == [("programme", "error")]
    if column.startswith("credential"):
        (said,) = [one.sentence for one in found if one.check == "programme"]
        assert "`wallet-server setup apple` leads to one, and it takes it by itself." in said


def test_work_that_nobody_does(world: World) -> None:
    ctx = world.ctx
    with ctx.change() as tx:
        jobs.put(tx, [jobs.Put("refresh", "1", jobs.COUNTER, NOON - timedelta(minutes=6))])
    assert bad(doctor.examine(ctx)) == [("jobs", "warning")]
    world.clock.forward(hours=2)
    assert bad(doctor.examine(ctx)) == [("jobs", "error")]
    with ctx.change() as tx:
        jobs.bury(tx, jobs.claim(tx, jobs.COUNTER, 1, ctx.now(), 60)[0], ctx.now(), "a reason")
    findings = doctor.examine(ctx)
    assert bad(findings) == [("jobs", "error")]
    assert any("jobs retry" in one.sentence for one in findings)


def test_a_circuit_that_is_open(world: World) -> None:
    with world.ctx.change() as tx:
        limits.open_circuit(tx, "apple:1", NOON + timedelta(minutes=9), "BadCertificate", NOON)
    findings = doctor.examine(world.ctx)
    assert bad(findings) == [("circuit", "warning")]
    assert any("BadCertificate" in one.sentence and "12:09" in one.sentence for one in findings)


@pytest.mark.parametrize("kind", ["configuration", "tokens", "credentials"])
def test_why_a_circuit_is_open_is_told_in_words(world: World, kind: str) -> None:
    refresh.raise_alarm(world.ctx, world.credential_set, kind, "The key does not open.")
    (said,) = [one.sentence for one in doctor.examine(world.ctx) if one.check == "circuit"]
    assert f"{kind}:" not in said
    assert re.search(r"UTC\. (The certificate|Apple refuses|A setting) [^:]+: The key does not open\. Mend that", said)


def test_phones_that_are_doubted_while_nobody_is_told(world: World) -> None:
    phones = [Phone(world, world.enrol(), f"library-{n}", f"{n:02}" * 32).add() for n in range(3)]
    world.told.verdict = lambda stale: Report(stale.ref, Shown(), told=tuple(one.ref for one in stale.handles))
    world.sell(phones[0].holder, 100)
    world.work()
    world.clock.forward(hours=3)
    world.told.verdict = lambda stale: Report(stale.ref, Shown(), suspect=tuple(one.ref for one in stale.handles))
    for phone in phones[:2]:
        world.sell(phone.holder, 100)
    world.work()
    assert bad(doctor.examine(world.ctx)) == [], "the next push may tell"
    world.clock.forward(minutes=61)
    findings = doctor.examine(world.ctx)
    assert bad(findings) == [("phones", "warning")]
    (told,) = [one.sentence for one in findings if one.check == "phones"]
    assert told.startswith(
        "2 phones are doubted under the certificate for pass.test.card, nothing told since 2026-11-18"
    )
    assert "12:00 UTC" in told
    world.told.verdict = lambda stale: Report(stale.ref, Shown(), told=tuple(one.ref for one in stale.handles))
    world.sell(phones[2].holder, 100)
    world.work()
    assert bad(doctor.examine(world.ctx)) == [], "somebody was told since"


@pytest.mark.slow
def test_the_certificate_for_https_and_its_authority(world: World) -> None:
    ctx, machine = world.ctx, Machine("fournil", ())
    ctx.settings = replace(ctx.settings, tls="local", base_url="https://fournil.local:8080")
    assert bad(doctor.examine(ctx)) == [], "the first start makes it"
    served = local_tls.prepare(ctx, machine).file
    kept = {path.name: path.read_bytes() for path in served.parent.iterdir()}
    assert "730 days" in "".join(one.sentence for one in doctor.examine(ctx) if one.check == "https")

    def https() -> list[tuple[str, str]]:
        return [one for one in bad(doctor.examine(ctx)) if one[0] in ("https", "secrets")]

    world.clock.forward(days=368)
    assert https() == [("https", "warning")], "28 days, and not renewed"
    assert local_tls.renew(ctx, machine)
    assert https() == []
    world.clock.forward(days=303)
    assert https() == [("https", "warning")], "every device will have to trust another"
    ends = local_tls.standing(ctx).authority_ends
    assert ends is not None
    for left, said in ((25, "ends in 2 days"), (24, "ends within a day"), (0.1, "ends within a day"), (0, "has ended")):
        world.clock.at = ends - timedelta(hours=left)
        (one,) = [one for one in doctor.examine(ctx) if "A start within its last" in one.sentence]
        assert (one.level, f"for https {said}. " in one.sentence) == ("warning" if left else "error", True)
    world.clock.at = NOON
    (served.parent / "authority.key").unlink()
    assert https() == [("secrets", "error")], "it cannot sign"
    (served.parent / "authority.pem").unlink()
    assert https() == [("https", "error")], "it is gone"
    local_tls.prepare(ctx, machine)
    assert https() == []
    served.write_bytes(kept["server.pem"])
    assert https() == [("https", "error")], "another's signature"


def test_keys_of_another_installation_open_nothing(world: World) -> None:
    world.enrol()
    world.ctx.keyring = Keyring.parse(new_key_line("k1"))
    found = bad(doctor.examine(world.ctx))
    assert found[:3] == [("secrets", "error"), ("secrets", "error"), ("certificate", "error")]


def test_books_that_were_tampered_with_are_found_when_asked(world: World) -> None:
    world.sell(world.enrol(), 5000)
    world.work()
    with world.ctx.change() as tx:
        tx.exec_driver_sql("UPDATE balances SET amount = amount + 1")
    assert bad(doctor.examine(world.ctx)) == []
    assert set(bad(doctor.examine(world.ctx, books=True))) == {("books", "error")}
    assert not proofs.prove(world.ctx)[0].true
