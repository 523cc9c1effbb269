"""The tables as declared, as migrated and as the database holds them are the same; the books refuse to be edited."""

from __future__ import annotations

import hashlib
import re

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tests.conftest import NewDatabase
from tests.world import World
from wallet_server.actions.counter import till
from wallet_server.actions.operating import upkeep
from wallet_server.records import database
from wallet_server.records.schema import APPEND_ONLY, LEDGER_TABLES, metadata
from wallet_server.records.schema.columns import stands_on
from wallet_server.resources import migrations

# SHA-256 of every migration that an installation may have run. A change of the tables is a further migration: an
# edited one would leave those installations behind without a word.
FROZEN = {
    "0001_first_tables.py": "47250a4e73490ef82d33cb2325b228562eb6870cb440631b4d7844aa22197072",
    "0002_people.py": "44266ffbd4b1635a9db34d4aac3aa36c699cd641acd8e5c947bb00ab4866497b",
    "0003_vault.py": "5d8037675a54950cec95e64b1913a2f5eec380cbc57343591a44970264e39c19",
    "0004_doctor.py": "896c1edf3f5428bd4f84e45aa3f6d3ab2bfe58deb250d9e1cb87142324d3916e",
    "0005_undone.py": "c1ba1227f71427204554f5cbd17ffc29644d6c20ae4059e03c2fa041e7147079",
    "0006_who_did_what.py": "96f9ae477a13d635a02622c56af15a2ecf0f6585ed8954b1e0533e35b895c6e8",
    "0007_coupons.py": "f8ee91bed1fe46e12f608a6ba5830a4afeb2618813b4377b3aef137ecb5a2336",
    "0008_vendors.py": "132221d4f098f3408a98958acbe0cb089e01a25d5913b1abc627b0fb8c3e7eb0",
    "0009_class_messages.py": "93e71b72208ec1b8481f3283767b771d3e801ba1a520c4bc08f187b87d6f062c",
    "0010_due_first.py": "e51e9b73cec2fa8bf2f1d5b9e19b6819c7490a54219d910da9eb71a349014d32",
    "0011_engine.py": "e7a86097bcd6a405209c8b81c12f3676eeb248b5a023808989348348ca7675e6",
    "0012_rewards.py": "2d0873898484fd89d1c84b310dbe5d7495ac5950e4035bc88eb6c55e47c7e92f",
    "0013_standing.py": "6da8a4e3c032cbd3746790871b6b81e2b6e79d5a3cb440cb39bab05debbe317d",
    "0014_periods.py": "f3018d22fcc2f63fc6de9cc9499119d6488f87277b14de86153521b5dbaac475",
    "0015_webhooks.py": "02e7bacd9ecc5effc36321309568b2d375b9c7829db9d423b1603c46bf290087",
    "0016_codes.py": "53d68d3aaced2b239c93670edd26750d200a03b96dcc10bd2119290ce12c0a5d",
    "0017_offline.py": "c54bfb877c767e68bf7804fbfb5017bf4bc3e7c6a59e4f4f8fad42dbba4ca7e4",
    "0018_counter_people.py": "906ef526cb1781af76336814bc6f7b66751e6d9268ee56ce8f381635d3061cfc",
    "0019_reaching.py": "0f444be682ddea3897e3ae74c5d8a167ad213a497eb8253f90ce1f7edeb45a29",
    "0020_speed.py": "780c242cebcfb61a64de446ea79408b4542c9bcebd16d7b6e0af077a479ecbeb",
    "0022_own_address.py": "01d6cea5c23016ee4335ea813cac65fea4d7f935fb1d8da092527a664c7573ef",
    "0024_forgotten.py": "511b60b5fec0fbcf6f96a4cacce372f5a86e6f333a012846076828aab26e3144",
    "0025_issuers.py": "99dd8b5930e9b54e9ea79d8273a653ca9c711666f3c6c87a6c5cbfffa1fff91e",
    "0026_proven.py": "6334e0bf3c808d59ef84fe35cc21ad3257baee7366f13cba85e38bcaeecfc574",
    "0027_left.py": "69dc74ef3e1fe16f21cc08e2ce09c13435d0fc52a8069c13414210c433f565a1",
    "0028_room.py": "3143541eb8830a0d4882d00bc560db4ba87932c644018c007c450cc8e488c9d9",
}


def test_a_migration_that_somebody_may_have_run_is_never_edited() -> None:
    found = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (migrations() / "versions").glob("*.py")
    }
    assert found == FROZEN, "write a further migration, then add its name and SHA-256 here"


def _shape(engine: sa.Engine) -> list[tuple[str, ...]]:
    """Every column, constraint and index in the database's own words, in the order of their names."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(
                "SELECT m.name, i.name, i.type || i.\"notnull\" || COALESCE(i.dflt_value, '') || i.pk "
                "FROM sqlite_master m, pragma_table_info(m.name) i WHERE m.type = 'table' "
                'UNION ALL SELECT m.name, i."from", i."table" || i."to" '
                "FROM sqlite_master m, pragma_foreign_key_list(m.name) i WHERE m.type = 'table' "
                "UNION ALL SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
                "UNION ALL SELECT m.name, 'unique' || i.\"unique\" || i.origin, GROUP_CONCAT(x.name) "
                "FROM sqlite_master m, pragma_index_list(m.name) i, pragma_index_info(i.name) x "
                "WHERE m.type = 'table' AND i.origin <> 'c' GROUP BY m.name, i.name, i.origin"
            ).fetchall()
        else:
            rows = connection.exec_driver_sql(
                "SELECT table_name, column_name, concat_ws(' ', data_type, character_maximum_length, is_nullable, "
                "regexp_replace(column_default, '_id_seq.*', '')) "
                "FROM information_schema.columns WHERE table_schema = 'public' "
                "UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
                "WHERE connamespace = 'public'::regnamespace "
                "UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
            ).fetchall()
    plain = (tuple(re.sub(r"[\s\"]+", " ", str(part)) for part in row) for row in rows)
    return sorted(row for row in plain if row[0] != "alembic_version")


def test_what_is_declared_and_what_the_migrations_make_agree(database_url: str) -> None:
    engine = sa.create_engine(database_url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        opts = {"compare_type": True, "compare_server_default": True, "include_object": stands_on(engine.dialect.name)}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, metadata) == []


def test_a_database_made_from_the_declaration_is_the_migrated_one_to_the_letter(
    database_url: str, fresh_database_url: str
) -> None:
    migrated = sa.create_engine(database_url, poolclass=sa.pool.NullPool)
    declared = sa.create_engine(fresh_database_url, poolclass=sa.pool.NullPool)
    metadata.create_all(declared)
    shape = _shape(migrated)
    assert shape == _shape(declared)
    assert len(shape) > 250  # the comparison has looked at something


def test_upgrading_again_changes_nothing(world: World, database_url: str) -> None:
    world.sell(world.enrol(), 1200)
    engine = world.ctx.database.engine
    before = _shape(engine)
    database.upgrade(database_url)
    assert _shape(engine) == before
    assert world.sell(world.enrol(), 1200)["balances"]["points"] == 12


@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
def test_the_books_refuse_to_be_edited(world: World, verb: str) -> None:
    holder = world.enrol()
    world.sell(holder, 5000)
    world.redeem(holder, 20)
    till.reverse_sale(world.ctx, world.till, world.sell(holder, 300)["id"], None)
    world.clock.forward(days=1)
    upkeep.schedule(world.ctx)
    world.clock.forward(days=1)
    world.work()
    for name in LEDGER_TABLES:
        table = metadata.tables[name]
        column = next(iter(table.columns)).name
        statement = f"DELETE FROM {name}" if verb == "DELETE" else f"UPDATE {name} SET {column} = {column}"
        with world.ctx.look() as tx:
            count = tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        assert count, f"{name} is empty, so nothing was proved"
        with pytest.raises(sa.exc.DBAPIError, match="is never changed"), world.ctx.change() as tx:
            tx.exec_driver_sql(statement)
        with world.ctx.look() as tx:
            assert tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == count


@pytest.mark.parametrize("name", APPEND_ONLY)
def test_what_people_did_refuses_to_be_edited(database_url: str, name: str) -> None:
    engine = sa.create_engine(database_url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO accounts (id, public_id, name, issuer_mark, created_at) "
            "VALUES (1, 'acc_1', 'A', 'abcd', '2026-11-22 00:00:00.000000')"
        )
        connection.exec_driver_sql(
            "INSERT INTO merchants (id, public_id, account_id, name, created_at) "
            "VALUES (1, 'mer_1', 1, 'A', '2026-11-22 00:00:00.000000')"
        )
        connection.exec_driver_sql(
            f"INSERT INTO {name} (id, merchant_id, at, what, principal) "
            "VALUES (1, 1, '2026-11-22 00:00:00.000000', 'role', 'operator')"
        )
    for statement in (f"UPDATE {name} SET what = 'x'", f"DELETE FROM {name}"):
        with pytest.raises(sa.exc.DBAPIError, match="is never changed"), engine.begin() as connection:
            connection.exec_driver_sql(statement)


def test_the_books_refuse_to_be_emptied_at_once(new_database: NewDatabase) -> None:
    engine = sa.create_engine(new_database("postgresql"), poolclass=sa.pool.NullPool)  # SQLite has no TRUNCATE
    with pytest.raises(sa.exc.DBAPIError, match="is never changed"), engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE ledger_postings")


def test_what_the_books_name_refuses_to_be_deleted(world: World) -> None:
    """On PostgreSQL, where no foreign key of the hot tables says so, as on SQLite, where they do."""
    world.sell(world.enrol(), 5000)
    named = ("programmes", "programme_versions", "members", "merchants", "stores", "tills", "currencies")
    for name in (*named, "ledger_accounts"):
        with pytest.raises(sa.exc.DBAPIError, match="never deleted|FOREIGN KEY"), world.ctx.change() as tx:
            tx.exec_driver_sql(f"DELETE FROM {name}")
