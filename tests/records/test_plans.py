"""What grows with the members is not read whole: plans of the statements that tills, phones and workers ask."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase
from tests.phone import Phone
from tests.world import World, founded
from wallet_server.actions.counter import till
from wallet_server.actions.passes import cards
from wallet_server.actions.people import journal
from wallet_server.records import jobs
from wallet_server.records.operating.glance import Glance
from wallet_server.records.passes import fetches, soonest
from wallet_server.records.prepared import planned_once
from wallet_server.records.wire import numbered
from wallet_server.rules.programme.program import default_document

LARGE = (
    "members", "codes", "passes", "publications", "devices", "registrations", "sales", "sale_lines", "ledger_accounts",
    "ledger_entries", "ledger_postings", "balances", "lots", "jobs", "requests", "announcement_members",
)  # fmt: skip
_SCANNED = re.compile(rf"(?:SCAN|Seq Scan on) ({'|'.join(LARGE)})\b")


def _asked(world: World, work: Callable[[], object], *more: str) -> list[tuple[str, Any]]:
    """What was asked of the database meanwhile, but for plain inserts; `more` are further beginnings."""
    said: list[tuple[str, Any]] = []

    def executed(_c: object, _cursor: object, text: str, values: Any, _x: object, many: bool) -> None:
        if text.lstrip().startswith(("SELECT", "UPDATE", "DELETE", *more)):
            said.append((text, values[0] if many and isinstance(values, list) else values))

    engine = world.ctx.database.engine
    sa.event.listen(engine, "before_cursor_execute", executed)
    try:
        work()
    finally:
        sa.event.remove(engine, "before_cursor_execute", executed)
    return said


def _plan(tx: Any, text: str, values: Any) -> str:
    words = "EXPLAIN QUERY PLAN" if tx.dialect.name == "sqlite" else "EXPLAIN"
    return "\n".join(str(row[-1]) for row in tx.exec_driver_sql(f"{words} {text}", values))


def _scans(world: World, said: list[tuple[str, Any]]) -> dict[str, list[str]]:
    """Statement to the large tables that it reads whole. PostgreSQL is told to avoid that wherever it can: the tables
    of a test are so small that it would be right not to."""
    found = {}
    with world.ctx.look() as tx:
        if tx.dialect.name != "sqlite":
            tx.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for text, values in said:
            if scanned := _SCANNED.findall(_plan(tx, text, values)):
                found[text] = scanned
    return found


def test_no_statement_of_a_till_a_worker_or_a_search_reads_a_table_whole(world: World) -> None:
    holder = world.enrol()
    phone = Phone(world, holder)
    phone.register()
    world.sell(holder, 1200, receipt="R-1")
    with world.ctx.look() as tx:
        pass_id = int(tx.exec_driver_sql("SELECT pass_id FROM registrations").scalar_one())

    def publish() -> None:
        with world.ctx.change() as tx:
            cards.publish(world.ctx, tx, [pass_id], world.ctx.now())

    def claim() -> None:
        with world.ctx.change() as tx:
            jobs.claim(tx, jobs.COUNTER, 25, world.ctx.now() + timedelta(hours=1), 60)

    def claim_soonest() -> None:
        with world.ctx.change() as tx:
            soonest.claim(tx, 25, world.ctx.now() + timedelta(hours=1), 60)

    def runs_out() -> None:
        with world.ctx.look() as tx:
            soonest.runs_out(tx, [holder.member_id], world.ctx.now())

    works: dict[str, Callable[[], object]] = {
        "look-up": lambda: till.look_up(world.ctx, world.till, holder.code),
        "sale": lambda: world.sell(holder, 700, receipt="R-2"),
        "publish": publish,
        "claim": claim,
        "claim of what runs out first": claim_soonest,
        "what runs out first": runs_out,
        "search": lambda: journal.search(world.ctx, world.merchant, holder.code),
    }
    for name, work in works.items():
        said = _asked(world, work)
        assert said, f"{name} asked nothing"
        assert _scans(world, said) == {}, name


def _middling(tx: Any) -> None:
    """Rows of further members, as a shop has them after a year or two."""
    rows = {
        "sales": ("id", "public_id", "member_id", "receipt"),
        "balances": ("account_id", "member_id"),
        "passes": ("id", "public_id", "member_id", "serial"),
        "publications": ("pass_id",),
        "codes": ("id", "pass_id", "member_id", "lookup", "short"),
    }
    values = {
        "id": "100000 + g",
        "account_id": "100000 + g",
        "pass_id": "100000 + g",
        "serial": "'more-' || g",
        "lookup": "'\\x' || lpad(to_hex(g), 64, '0')",
        "short": "NULL",
        "public_id": "'more_' || g",
        "member_id": "1000 + mod(g, 3000)",
        "receipt": "'more-' || g",
    }
    tx.exec_driver_sql("SET LOCAL session_replication_role = replica")  # they are nobody's
    for table, names in rows.items():
        other = ", ".join(f"'{name}', {values[name]}" for name in names)
        # By the SELECT behind FROM: in the list of what is asked the record would be made anew for each of its columns.
        tx.exec_driver_sql(
            f"INSERT INTO {table} SELECT (made).* FROM (SELECT jsonb_populate_record(one, jsonb_build_object({other})) "
            f"AS made FROM {table} one, generate_series(1, 20000) g WHERE one.ctid = (SELECT MIN(ctid) FROM {table}) "
            "OFFSET 0) all_of_them"
        )
    tx.exec_driver_sql("ANALYZE")


def test_a_sale_in_a_middling_shop_is_planned_for_one_member(new_database: NewDatabase, tmp_path: Path) -> None:
    """PostgreSQL plans a prepared statement once, for values that it does not know: what is of one member must not look
    to it as if it were of a hundred."""
    document = default_document("Boulangerie")
    spent = {"metric": "spend", "at_least": 10_000, "window": "rolling-90-days"}
    silver = {"code": "silver", "names": {"fr": "Argent", "en": "Silver"}, "needs": spent}
    document["tiers"]["levels"] = [document["tiers"]["levels"][0], silver]
    with founded(new_database("postgresql"), tmp_path, document=document) as world:
        holder = world.enrol()
        world.sell(holder, 1200, receipt="R-1")
        with world.ctx.change() as tx:
            _middling(tx)
        said = _asked(world, lambda: world.sell(holder, 700, receipt="R-2"), "WITH")
        assert any("each_sale" in text for text, _ in said), "the tier is by what was spent"
        assert any("INSERT INTO sales" in text for text, _ in said)
        said += [one for one in _asked(world, world.work) if "ANY" in one[0]]
        assert any("publications.card" in text for text, _ in said), "the card of this sale is refreshed"
        with world.ctx.change() as tx:
            tx.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
            for number, (text, _) in enumerate(said):
                sent, places = numbered(text)
                tx.exec_driver_sql(f"PREPARE asked_{number} AS {sent.decode()}")
                given = f"({', '.join(['NULL'] * len(places))})" if places else ""
                plan = tx.exec_driver_sql(f"EXPLAIN EXECUTE asked_{number}{given}").scalars().all()
                read = r"Seq Scan on (sales|balances|passes|publications|codes)\b"
                assert not re.search(read, "\n".join(plan)), (text, plan)


def test_within_a_refresh_a_plan_is_made_once(new_database: NewDatabase, tmp_path: Path) -> None:
    with founded(new_database("postgresql"), tmp_path) as world:
        shown = sa.text("SHOW plan_cache_mode")
        with world.ctx.change() as tx:
            planned_once(tx)
            assert tx.execute(shown).scalar_one() == "force_generic_plan"
        with world.ctx.change() as tx:
            assert tx.execute(shown).scalar_one() == "auto"


def test_what_runs_out_first_and_debts_have_an_index_each(world: World) -> None:
    def claim() -> None:
        with world.ctx.change() as tx:
            soonest.claim(tx, 25, world.ctx.now(), 60)

    ((statement, values),) = _asked(world, claim)
    wanted = {
        "ix_jobs_soonest": (statement, values),
        "ix_lots_debts": ("SELECT id FROM lots WHERE account_id = 1 AND remaining < 0", ()),
    }
    with world.ctx.look() as tx:
        if tx.dialect.name != "sqlite":
            tx.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plans = {name: _plan(tx, *asked) for name, asked in wanted.items()}
    for name, plan in plans.items():
        assert name in plan, plan
        assert "TEMP B-TREE" not in plan, "what is in order is not sorted"
        assert "Sort" not in plan


def test_no_question_of_a_phone_reads_a_table_whole(world: World) -> None:
    world.enrol()
    dialect = world.ctx.database.engine.dialect
    samples = {"pass_type": "pass.x", "serial": "s", "library_id": "l", "since": 1}
    glances = [one for one in vars(fetches).values() if isinstance(one, Glance)]
    assert len(glances) == 3
    for glance in glances:
        query = glance._query
        names = query.compile(dialect=dialect).params.keys() & samples.keys()
        text = query.params(**{name: samples[name] for name in names}).compile(
            dialect=dialect, compile_kwargs={"literal_binds": True}
        )
        assert _scans(world, [(str(text), ())]) == {}


def test_a_scan_would_be_seen(world: World) -> None:
    assert _scans(world, [("SELECT id FROM members WHERE language = 'fr'", ())])


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("SCAN members USING COVERING INDEX ix", ["members"]),
        ("SEARCH members USING INDEX ix (id=?)", []),
        ("Seq Scan on sales  (cost=0.00..1.01)", ["sales"]),
        ("Index Scan using ix_sales on sales", []),
    ],
)
def test_a_whole_index_is_as_long_as_its_table(line: str, seen: list[str]) -> None:
    assert _SCANNED.findall(line) == seen
