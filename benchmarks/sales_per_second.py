"""Owns the comparison of our sales with the limit of the database, and with a fixed reference.

On each database, in one run: over HTTP from eight tills that cost next to nothing, each on two connections, over HTTP
from one, `till.sell` in this process, and the very statements and values of those sales (recorded as they were
executed), sent through sqlite3 or psycopg to a copy of the database as it stood before them, with the same durability.
On PostgreSQL the server has two processes, and between its turns two processes of four threads call `till.sell`, and as
many count the fixed transaction of `sales_reference`. Two sales are measured: one that books what the reference books
(`plain_shop`), and a basket of nine lines that earns points and status, which is twice as much in the books. Nobody
delivers meanwhile. Prints medians and ratios; asserts nothing about time.

    python -m benchmarks.sales_per_second --sales 2000 --rounds 3
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from benchmarks import lean_tills
from benchmarks.databases import KINDS, NoPostgres, database
from benchmarks.plain_shop import AMOUNT_MINOR, open_shop
from benchmarks.replay.run import Member, add_tills, enrol
from benchmarks.sales_reference import ACTION, LINES, PLAIN, PROCESSES, REFERENCE, THREADS, Turn, counting
from tests.stories.stage import Stage
from wallet_server.actions import keys as doors
from wallet_server.actions.context import Context
from wallet_server.actions.counter import till
from wallet_server.actions.counter.till import SaleLine, Sold

MEMBERS = 48
WAYS = (REFERENCE, PLAIN, ACTION)
LINES_OF_A_TILL = 2
"""Connections: with eight, one of two server processes now and then had six of them, and the other stood idle."""
COUNT = sa.text("SELECT COUNT(*) FROM sales")
OVER_HTTP = f"HTTP, {PROCESSES} workers, 8 tills, two currencies, {LINES} lines"
PLAINLY = f"HTTP, {PROCESSES} workers, 8 tills, one currency"
DRIVER = "the same statements, driver alone"
COMMIT = "COMMIT"

Statement = tuple[str, Any, bool]
"""Text, values, and whether the values are a list of rows."""


@dataclass(frozen=True)
class Figures:
    """Sales a second of each way, one figure a round; and the statements of one sale, by their first words."""

    rates: dict[str, list[float]]
    statements: Counter[str]
    sales: int
    turns: dict[str, list[Turn]]


def measure(kind: str, sales: int, rounds: int) -> Figures:
    """Raises NoPostgres."""
    rates: dict[str, list[float]] = {}
    over: dict[str, list[Turn]] = {}
    turns: dict[str, list[Turn]] = {}
    statements: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="wallet-sales-") as name, ExitStack() as stack:
        Path(name).chmod(0o711)
        extra = {"WALLET_WORKER": "none", "WALLET_REQUESTS_PER_MINUTE": "10000000"}
        extra |= {"WALLET_WORKERS": str(PROCESSES)} if kind == "postgresql" else {}
        address, _ = stack.enter_context(database(kind, Path(name)))
        stage = stack.enter_context(Stage(Path(name), address, extra=extra))
        members = enrol(stage, range(MEMBERS), lambda *_: None)
        tills = add_tills(stage)
        simple = open_shop(stage.ctx, stage.facts["credential_set"], len(tills), MEMBERS)
        cards = [member.code for member in members.values()]
        _over_http(stage, tills, _baskets(cards, 100, "warm"))
        _over_http(stage, simple.till_keys, _amounts(simple.codes, 100, "warm"))
        with ExitStack() as beside:
            counters = None
            if kind == "postgresql":
                key = stage.facts["till_key"]
                counters = beside.enter_context(counting(address, stage.settings, key, cards, simple))
                for way in WAYS:
                    counters.count(way, 160, f"warm-{way}")
                counters.settled(address)
                for way in WAYS:
                    counters.count(way, 80, f"again-{way}")
            for number in range(rounds):
                if counters is not None:
                    for way in WAYS:
                        turns.setdefault(way, []).append(counters.count(way, sales, f"turn-{way}-{number}"))
                for count in (len(tills), 1):
                    keys = tills * LINES_OF_A_TILL if count > 1 else tills[:1]
                    turn = _over_http(stage, keys, _baskets(cards, sales, f"http-{number}-{count}"))
                    over.setdefault(f"HTTP, {count} till{'s' * (count > 1)}", []).append(turn)
                plain = _amounts(simple.codes, sales, f"http-{number}-plain")
                turn = _over_http(stage, [*simple.till_keys] * LINES_OF_A_TILL, plain)
                over.setdefault(f"HTTP, {len(tills)} tills, one currency", []).append(turn)
        stage.stop()
        rates |= {way: [turn.rate for turn in found] for way, found in over.items()}
        for number in range(rounds):
            stage.ctx.database.close()
            with _copied(address, Path(name) / "copy.db") as copy:
                rate, recorded = _by_action(stage.ctx, stage.facts["till_key"], members, sales, f"act-{number}")
                rates.setdefault("actions.counter.till.sell, 1 thread", []).append(rate)
                rates.setdefault(DRIVER, []).append(_by_driver(copy, recorded, sales))
            statements = Counter(_gist(text) for text, _, _ in recorded)
    if turns:
        turns[PLAINLY] = over[f"HTTP, {len(tills)} tills, one currency"]
        turns[OVER_HTTP] = over[f"HTTP, {len(tills)} tills"]
    return Figures(rates, statements, sales, turns)


def _over_http(stage: Stage, keys: Sequence[str], bodies: Sequence[bytes]) -> Turn:
    with stage.ctx.look() as tx:
        before = tx.execute(COUNT).scalar_one()
    turn = lean_tills.sell(stage.base, keys, bodies)
    with stage.ctx.look() as tx:
        assert tx.execute(COUNT).scalar_one() == before + len(bodies), "not every sale was counted"
    return turn


def _baskets(codes: Sequence[str], sales: int, name: str) -> list[bytes]:
    """Whoever follows in the line of members is another one: no two tills sell to the same at once."""
    lines = [{"sku": str(n), "category": "BREAD", "amount_minor": 250 + n} for n in range(LINES)]
    return [_sale(codes[n % MEMBERS], f"{name}-{n}", lines=lines) for n in range(sales)]


def _amounts(codes: Sequence[str], sales: int, name: str) -> list[bytes]:
    """The same of the plain shop."""
    return [_sale(codes[n % MEMBERS], f"{name}-{n}", amount_minor=AMOUNT_MINOR) for n in range(sales)]


def _sale(code: str, receipt: str, **of: object) -> bytes:
    return json.dumps({"code": code, "receipt": receipt, "currency": "EUR", **of}).encode()


def _by_action(
    ctx: Context, key: str, members: dict[int, Member], sales: int, name: str
) -> tuple[float, list[Statement]]:
    scope = doors.authenticate(ctx, key)
    lines = tuple(SaleLine(str(n), "BREAD", 1000, None, 250 + n, 0, False) for n in range(LINES))
    amount = sum(line.amount_minor for line in lines)
    with _recording(ctx.database.engine) as recorded:
        begun = time.perf_counter()
        for n in range(sales):
            till.sell(ctx, scope, Sold(members[n % MEMBERS].code, f"{name}-{n}", amount, lines, "EUR"), None)
        seconds = time.perf_counter() - begun
    return sales / seconds, recorded


@contextmanager
def _recording(engine: sa.Engine) -> Iterator[list[Statement]]:
    recorded: list[Statement] = []

    def executed(_c: object, _cursor: object, text: str, values: Any, _x: object, many: bool) -> None:
        # Rows that are written in one statement, to be given back their keys, come as the values of that statement.
        recorded.append((text, values, many and isinstance(values, list)))

    def begun(connection: sa.Connection) -> None:
        if connection.dialect.name == "sqlite":  # psycopg begins by itself
            recorded.append(("BEGIN IMMEDIATE", (), False))

    def committed(_c: object) -> None:
        recorded.append((COMMIT, (), False))

    sa.event.listen(engine, "before_cursor_execute", executed)
    sa.event.listen(engine, "begin", begun)
    sa.event.listen(engine, "commit", committed)
    yield recorded
    sa.event.remove(engine, "begin", begun)
    sa.event.remove(engine, "before_cursor_execute", executed)
    sa.event.remove(engine, "commit", committed)


@contextmanager
def _copied(address: str, file: Path) -> Iterator[str]:
    """The database as it stands, once more: keys that the sales are about to be given will be given again."""
    url = sa.make_url(address)
    if url.get_backend_name() == "sqlite":
        for old in file.parent.glob(file.name + "*"):
            old.unlink()
        with sqlite3.connect(url.database or "") as source, sqlite3.connect(file) as copy:
            source.backup(copy)
        yield str(file)
        return
    admin = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    name = f"{url.database}_copy"
    with psycopg.connect(admin, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {url.database}")
        yield url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _by_driver(copy: str, recorded: Sequence[Statement], sales: int) -> float:
    if copy.startswith("postgresql"):
        connection: Any = psycopg.connect(copy, options="-c timezone=UTC")
    else:
        connection = sqlite3.connect(copy, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
    try:
        cursor = connection.cursor()
        begun = time.perf_counter()
        for text, values, many in recorded:
            if text == COMMIT:
                connection.commit()
            elif many:
                cursor.executemany(text, values)
            else:
                cursor.execute(text, values)
                if cursor.description:
                    cursor.fetchall()
        seconds = time.perf_counter() - begun
        stands = cursor.execute("SELECT COUNT(*) FROM sales").fetchone()[0]
        assert stands >= sales, "the copy did not take the sales"
    finally:
        connection.close()
    return sales / seconds


def _gist(text: str) -> str:
    words = text.replace('"', "").split()
    if words[0] == "SELECT":
        return f"SELECT {words[words.index('FROM') + 1]}"
    if words[0] == "INSERT":
        return f"INSERT {words[2]}"
    return " ".join(words[:2])


def show(console: Console, kind: str, figures: Figures, rounds: int) -> None:
    """Print one database's table: medians, spread and what each is of the driver's."""
    limit = statistics.median(figures.rates[DRIVER])
    table = Table(f"{kind}: sales/s", "median", "least", "most", "of the driver's", box=None, pad_edge=False)
    for what, rates in figures.rates.items():
        middle = statistics.median(rates)
        table.add_row(what, f"{middle:,.0f}", f"{min(rates):,.0f}", f"{max(rates):,.0f}", f"{middle / limit:.2f}")
    console.print(table)
    if figures.turns:
        _show_turns(console, figures)
    per_sale = {gist: count / figures.sales for gist, count in figures.statements.items()}
    asked = sum(n for gist, n in per_sale.items() if not gist.startswith(("BEGIN", "COMMIT")))
    console.print(f"{rounds} rounds of {figures.sales} sales of {LINES} lines; {asked:.1f} statements a sale:")
    console.print(", ".join(f"{gist} {n:.3g}" for gist, n in sorted(per_sale.items(), key=lambda item: -item[1])))


def _show_turns(console: Console, figures: Figures) -> None:
    """What the product reaches of the fixed reference, turn by turn; the processor time is the callers' alone."""
    middle = f"{PROCESSES} processes of {THREADS} threads"
    table = Table(
        f"{middle}, beside the fixed reference", "sales/s", "of it", "least", "most", "CPU us a sale", box=None
    )
    references = [turn.rate for turn in figures.turns[REFERENCE]]
    for way, turns in figures.turns.items():
        rates = [turn.rate for turn in turns]
        shares = [rate / limit for rate, limit in zip(rates, references, strict=True)]
        cpu = statistics.median(t.cpu_seconds / t.sales for t in turns) * 1e6
        cells = [f"{statistics.median(rates):,.0f}", f"{statistics.median(shares):.2f}"]
        table.add_row(way, *cells, f"{min(shares):.2f}", f"{max(shares):.2f}", f"{cpu:,.0f}")
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description="Sales a second beside the database driver's own.")
    parser.add_argument("--database", choices=KINDS, help="only this one; by default both in turn")
    parser.add_argument("--sales", type=int, default=2_000, help="sales of each way and round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    console = Console()
    for kind in [options.database] if options.database else KINDS:
        try:
            show(console, kind, measure(kind, options.sales, options.rounds), options.rounds)
        except NoPostgres as fault:
            console.print(f"no PostgreSQL: {fault}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
