"""The disk is lost, or SQLite has become too small: phones that know more than the books go on updating."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import NewDatabase, mostly_on
from tests.stories.conftest import MakeStage
from tests.stories.stage import Stage, shown
from wallet_server.cli.opening import open_context


def _use(stage: Stage, url: str) -> None:
    """From now on the product uses this database."""
    stage.ctx.database.close()
    stage._variables["WALLET_DATABASE_URL"] = url


def _start(stage: Stage) -> None:
    stage.ctx = open_context(stage.settings)
    stage.start()


@mostly_on("sqlite")
def test_after_a_restore_phones_from_the_future_go_on_updating(
    make_stage: MakeStage, database_kind: str, new_database: NewDatabase, tmp_path: Path
) -> None:
    stage = make_stage(coalesce_seconds=0.2)
    phones = [stage.phone(stage.enrol()) for _ in range(2)]
    codes = [stage.code(phone) for phone in phones]
    for code in codes:
        assert stage.sell(code, 1000).status == 200
    stage.until(lambda: all(shown(phone, "points") == 10 for phone in phones), "10 points")

    saved = stage.command("backup", str(tmp_path / "backup.zip"))
    assert saved.returncode == 0, saved.stderr
    assert "secret.keys" in saved.stdout

    for code in codes:
        assert stage.sell(code, 500).status == 200
    stage.until(lambda: all(shown(phone, "points") == 15 for phone in phones), "15 points, after the backup")
    stage.kill()

    _use(stage, new_database(database_kind, migrated=False))
    restored = stage.command("restore", str(tmp_path / "backup.zip"), "--verify")
    assert restored.returncode == 0, restored.stderr + restored.stdout
    assert "tokens are intact" in restored.stdout
    _start(stage)
    stage.until(lambda: all(shown(phone, "points") == 10 for phone in phones), "10 points, as the books say now")

    # The sale of 5 euros is gone with the disk: what is booked now stands on the balances of the backup.
    for code in codes:
        answer = stage.sell(code, 200)
        assert answer.body["balances"]["points"] == 12
    stage.until(lambda: all(shown(phone, "points") == 12 for phone in phones), "12 points, not 17")
    assert stage.phone(stage.enrol())
    assert stage.book_faults() == []


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_move_from_sqlite_to_postgresql_is_not_noticed_by_phones(
    make_stage: MakeStage, database_kind: str, new_database: NewDatabase
) -> None:
    stage = make_stage(coalesce_seconds=0.2)
    phone = stage.phone(stage.enrol())
    assert stage.sell(stage.code(phone), 1000).status == 200
    stage.until(lambda: shown(phone, "points") == 10, "10 points")
    assert stage.stop() == 0

    url = new_database("postgresql", migrated=False)
    moved = stage.command("move", "--to", url.replace("postgresql+psycopg", "postgresql"))
    assert moved.returncode == 0, moved.stderr
    assert "WALLET_DATABASE_URL" in moved.stdout
    _use(stage, url)
    _start(stage)

    assert stage.sell(stage.code(phone), 200).body["balances"]["points"] == 12
    stage.until(lambda: shown(phone, "points") == 12, "12 points, from PostgreSQL")
    assert stage.phone(stage.enrol())
    assert stage.book_faults() == []
