"""A backup holds everything, a restore gives it back, on either database, and neither ever spoils anything."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase
from tests.world import NOON, Holder, World
from wallet_server.actions.announcing import offers
from wallet_server.actions.announcing.offers import Announcement
from wallet_server.actions.context import Context
from wallet_server.actions.operating import local_tls, proofs, safekeeping, upkeep
from wallet_server.actions.operating.local_names import Machine
from wallet_server.errors import Conflict, Invalid, Misconfigured, Unavailable
from wallet_server.installation import build_context
from wallet_server.records.database import open_database
from wallet_server.records.envelope import Keyring, new_key_line
from wallet_server.settings import Settings

pytestmark = pytest.mark.slow


def busy(world: World) -> Holder:
    """A world in which most tables hold something; returns a member with 39 points."""
    holder = world.enrol(promotions=True, language="en")
    world.enrol()
    world.sell(holder, 5000)
    world.redeem(holder, 11)
    world.work()
    wanted = Announcement({"fr": "Demain : tout au seigle « \u0153 »"}, None, world.clock.forward(days=2))
    world.clock.forward(days=-2)
    made, _ = offers.draft(world.ctx, world.merchant, world.programme, wanted, world.wish("draft"))
    offers.confirm(world.ctx, world.merchant, made["announcement"], world.wish("confirm"))
    upkeep.schedule(world.ctx)
    world.clock.forward(days=1)
    world.work()
    world.sell(holder, 0)
    return holder


@contextmanager
def opened(settings: Settings) -> Iterator[Context]:
    ctx = build_context(settings, open_database(settings))
    ctx.clock = lambda: NOON
    try:
        yield ctx
    finally:
        ctx.database.close()


def elsewhere(world: World, url: str) -> Settings:
    return replace(world.ctx.settings, database_url=url)


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_backup_restore_backup_gives_the_same_content(
    world: World, tmp_path: Path, new_database: NewDatabase, target: str
) -> None:
    busy(world)
    first = safekeeping.backup(world.ctx.settings, tmp_path / "first", NOON)
    there = elsewhere(world, new_database(target, migrated=False))

    safekeeping.restore(there, tmp_path / "first", verify=True)
    second = safekeeping.backup(there, tmp_path / "second", NOON)

    assert second.parts == first.parts
    filled = {part.shape.name for part in first.parts if part.content.rows}
    assert {"ledger_postings", "sales", "book_days", "announcements", "jobs", "stores"} <= filled
    with opened(there) as ctx:
        assert [proof for proof in proofs.prove(ctx) if not proof.true] == []
        with pytest.raises(sa.exc.DBAPIError, match="is never changed"), ctx.change() as tx:
            tx.exec_driver_sql("DELETE FROM ledger_postings")


def test_the_restored_installation_sells_on(
    world: World, tmp_path: Path, database_kind: str, new_database: NewDatabase
) -> None:
    holder = busy(world)
    safekeeping.backup(world.ctx.settings, tmp_path / "b", NOON)
    there = elsewhere(world, new_database(database_kind))
    safekeeping.restore(there, tmp_path / "b")
    world.ctx.database.close()
    with opened(there) as ctx:
        ctx.clock, world.ctx = world.clock, ctx  # a clock that goes back over a night is told by the audit
        assert world.sell(holder, 1000)["balances"]["points"] == 49
        world.enrol()
        assert upkeep.book_faults(ctx) == []


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_from_sqlite_to_postgresql_and_back_nothing_changes(
    tmp_path: Path, new_database: NewDatabase, world: World
) -> None:
    busy(world)
    there = elsewhere(world, new_database("postgresql"))
    back = elsewhere(world, new_database("sqlite", migrated=False))
    first = safekeeping.move(world.ctx.settings, there.database)
    second = safekeeping.move(there, back.database)
    assert second.parts == first.parts
    assert first.rows > 50


def test_a_backup_is_one_moment_while_tills_sell(world: World, tmp_path: Path, new_database: NewDatabase) -> None:
    holder = world.enrol()
    stop = threading.Event()

    def sell() -> None:
        while not stop.is_set():
            world.sell(holder, 100)

    till = threading.Thread(target=sell)
    till.start()
    try:
        for n in range(2):
            safekeeping.backup(world.ctx.settings, tmp_path / f"b{n}", NOON)
    finally:
        stop.set()
        till.join(30)
    for n in range(2):
        there = elsewhere(world, new_database("sqlite", migrated=False))
        manifest = safekeeping.restore(there, tmp_path / f"b{n}", verify=True)
        assert manifest.rows
        with opened(there) as ctx:
            assert upkeep.book_faults(ctx) == []


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_backup_is_private_and_holds_no_key_and_no_open_secret(world: World, tmp_path: Path) -> None:
    holder = busy(world)
    file = tmp_path / "b.zip"
    safekeeping.backup(world.ctx.settings, file, NOON)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("b.zip*")] == ["b.zip"]
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert holder.serial.encode() in everything
    for secret in (holder.token, holder.code, world.founded.till_key.split(".")[1], "PRIVATE KEY"):
        assert secret.encode() not in everything
    with pytest.raises(Conflict, match="never overwrites"):
        safekeeping.backup(world.ctx.settings, file, NOON)


def test_a_restore_never_touches_what_holds_something(world: World, tmp_path: Path) -> None:
    holder = busy(world)
    safekeeping.backup(world.ctx.settings, tmp_path / "b", NOON)
    with pytest.raises(Conflict, match="not empty") as refused:
        safekeeping.restore(world.ctx.settings, tmp_path / "b")
    assert refused.value.code == "not-empty"
    assert world.sell(holder, 1000)["balances"]["points"] == 49


def _spoilt(source: Path, target: Path, name: str, change: bytes | None) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            body = old.read(entry)
            if entry == name:
                body = body.replace(b'"card"', b'"kard"') if change is None else change
            new.writestr(entry, body)


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("name", ["tables/passes.jsonl", "tables/balances.jsonl", "manifest.json"])
def test_a_spoilt_backup_restores_nothing(world: World, tmp_path: Path, new_database: NewDatabase, name: str) -> None:
    busy(world)
    safekeeping.backup(world.ctx.settings, tmp_path / "b", NOON)
    there = elsewhere(world, new_database("sqlite", migrated=False))
    change = {"tables/balances.jsonl": b"[1,1,1,5]\n", "manifest.json": b"{}"}.get(name)
    _spoilt(tmp_path / "b", tmp_path / "spoilt", name, change)
    with pytest.raises((Invalid, Conflict)):
        safekeeping.restore(there, tmp_path / "spoilt")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(Invalid, match="no backup"):
        safekeeping.restore(there, tmp_path / "text")
    safekeeping.restore(there, tmp_path / "b", verify=True)  # it is still empty


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_devices_that_trusted_the_old_installation_trust_the_restored_one(
    world: World, tmp_path: Path, new_database: NewDatabase
) -> None:
    machine = Machine("fournil", ())
    local_tls.prepare(world.ctx, machine)
    trusted = local_tls.authority_of(world.ctx)
    assert trusted
    manifest = safekeeping.backup(world.ctx.settings, tmp_path / "b", NOON)
    with zipfile.ZipFile(tmp_path / "b") as archive:
        sealed = archive.read("tls/authority.key")
        names = {name for name in archive.namelist() if name.startswith("tls/")}
    assert names == {"tls/authority.key", "tls/authority.pem"}
    assert sealed.startswith(b"v1.k1.")
    assert "k1" in manifest.keys
    _spoilt(tmp_path / "b", tmp_path / "spoilt", "tls/authority.pem", b"-----BEGIN")
    there = replace(elsewhere(world, new_database("sqlite", migrated=False)), data_dir=tmp_path / "elsewhere")
    with pytest.raises(Invalid, match="authority.pem"):
        safekeeping.restore(there, tmp_path / "spoilt")
    assert not there.data_dir.exists()

    restored = safekeeping.restore(there, tmp_path / "b", verify=True)
    assert "trust this one." in safekeeping.where_https_is(there, restored)
    assert {stat.S_IMODE(file.stat().st_mode) for file in local_tls.folder(there).iterdir()} == {0o600}
    with opened(there) as ctx:
        assert not local_tls.prepare(ctx, machine).first
        assert local_tls.authority_of(ctx) == trusted
        assert [proof.sentence for proof in proofs.prove(ctx) if not proof.true] == []
        ctx.keyring = Keyring.parse(new_key_line("k1"))
        assert any("cannot sign" in proof.sentence for proof in proofs.prove(ctx) if not proof.true)

    other = replace(there, data_dir=tmp_path / "other")
    with opened(other) as ctx:
        local_tls.prepare(ctx, machine)
        own = local_tls.authority_of(ctx)
        safekeeping.restore(other, tmp_path / "b", verify=True)
        assert local_tls.authority_of(ctx) == own, "an authority is never overwritten"
    assert "left as it is" in safekeeping.where_https_is(other, restored)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_what_reads_back_otherwise_is_not_kept(world: World, tmp_path: Path, new_database: NewDatabase) -> None:
    busy(world)
    safekeeping.backup(world.ctx.settings, tmp_path / "b", NOON)
    there = elsewhere(world, new_database("sqlite"))
    meddler = sqlite3.connect(there.database.removeprefix("sqlite:///"))
    meddler.execute("CREATE TRIGGER meddling AFTER INSERT ON tills BEGIN UPDATE tills SET name = 'x'; END")
    with pytest.raises(Conflict, match="tills reads back otherwise"):
        safekeeping.restore(there, tmp_path / "b", verify=True)
    assert meddler.execute("SELECT count(*) FROM tills").fetchone() == (0,)
    meddler.close()


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_damaged_database_is_not_backed_up(world: World, tmp_path: Path) -> None:
    holder = world.enrol()
    world.ctx.database.close()
    file = Path(world.ctx.settings.database.removeprefix("sqlite:///"))
    body, serial = file.read_bytes(), holder.serial.encode()
    assert body.count(serial) == 2, "it stands in the table and in an index"
    file.write_bytes(body.replace(serial, serial[:-1] + b"-", 1))
    with pytest.raises(Unavailable, match="is damaged"):
        safekeeping.backup(world.ctx.settings, tmp_path / "b", NOON)
    assert not list(tmp_path.glob("b*"))


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_backup_of_an_unknown_migration_is_refused(world: World, tmp_path: Path, new_database: NewDatabase) -> None:
    safekeeping.backup(world.ctx.settings, tmp_path / "b", NOON)
    with zipfile.ZipFile(tmp_path / "b") as archive:
        manifest = json.loads(archive.read("manifest.json"))
    manifest["revision"] = "9999"
    _spoilt(tmp_path / "b", tmp_path / "later", "manifest.json", json.dumps(manifest).encode())
    with pytest.raises(Misconfigured, match="does not know"):
        safekeeping.restore(elsewhere(world, new_database("sqlite", migrated=False)), tmp_path / "later")


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_with_other_secret_keys_the_proofs_say_so(world: World) -> None:
    busy(world)
    world.ctx.keyring = Keyring.parse(new_key_line("k1"))
    found = proofs.prove(world.ctx)
    assert [proof.true for proof in found] == [True, False, False]
    assert "secret keys" in found[1].sentence


def test_a_changed_token_is_seen(world: World) -> None:
    world.enrol()
    with world.ctx.change() as tx:
        tx.execute(sa.text("UPDATE passes SET token_sha256 = :other"), {"other": b"x"})
    assert [proof.true for proof in proofs.prove(world.ctx)] == [True, False, True]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_every_fault_of_the_books_is_a_proof_that_fails(world: World) -> None:
    busy(world)
    with world.ctx.change() as tx:
        tx.exec_driver_sql("UPDATE balances SET amount = amount + 1")
    assert not proofs.prove(world.ctx)[0].true
