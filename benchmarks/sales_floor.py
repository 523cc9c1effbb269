"""Owns the comparison of a sale with what it could cost at best here, by the processor time of both sides.

On PostgreSQL, in short turns one after the other, so that whatever else the machine does meets all of them alike:

- the fixed reference of `sales_reference`, by psycopg;
- "no thought": the very statements and values of sales of the product (recorded as they were sent), sent again over the
  wire in the same messages to a copy of the database, with no rule, no check and no object between;
- `actions.counter.till.sell`;
- the reference behind a bare Flask route under granian, which reads JSON and executes it;
- the sale over HTTP, the short way and the ordinary one (which a request with an id of its own takes).

One till, one connection. What no client can undercut stands in the column of PostgreSQL. Asserts nothing about time.

    python -m benchmarks.sales_floor --sales 40 --rounds 12
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from benchmarks import bare
from benchmarks.databases import NoPostgres, database
from benchmarks.reference import FILL, SCHEMA, reference_sale
from benchmarks.sales_per_second import COMMIT, Statement, _copied, _recording
from benchmarks.sales_reference import LINES, void
from benchmarks.served import Installation, Served, started
from tests.stories.stage import free_port
from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.actions.counter import till
from wallet_server.actions.counter.till import SaleLine, Sold
from wallet_server.actions.passes import reissuing
from wallet_server.actions.people import enrol
from wallet_server.actions.people.enrol import Joining
from wallet_server.records.passes import passes
from wallet_server.records.schema import passes as pass_table
from wallet_server.records.wire import Wire, numbered

MEMBERS = 40
WARM = 260
"""As many sales of each way before anything is measured: with fewer, PostgreSQL plans for tables that are empty."""
REFERENCE, THOUGHTLESS, ACTION = (
    "the fixed reference",
    "no thought: the sale's own statements",
    "till.sell",
)
BARE, SHORT, ORDINARY = "the reference behind a bare route", "HTTP sale", "HTTP sale, the ordinary way"

Sell = Callable[[str, str], None]
"""One sale: (code, receipt)."""


@dataclass
class Way:
    """How sales are counted; `spent` are the processor seconds so far of whoever executes it. Microseconds a sale, one
    figure a turn."""

    name: str
    sell: Sell
    spent: Callable[[], float]
    client: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)


def postgres_seconds(plain: str) -> Callable[[], float]:
    """Processor seconds of all processes of this server (proc(5), schedstat)."""
    with psycopg.connect(plain, autocommit=True) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    parent = (Path(row[0]) / "postmaster.pid").read_text().split()[0]

    def seconds() -> float:
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if stat.read_text().rsplit(")", 1)[1].split()[1] == parent:
                    total += int((stat.parent / "schedstat").read_text().split()[0])
        return total / 1e9

    return seconds


def measure(sales: int, rounds: int) -> list[Way]:
    """Raises NoPostgres."""
    with tempfile.TemporaryDirectory(prefix="wallet-floor-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o711)
        address, _ = stack.enter_context(database("postgresql", folder))
        shop = Installation(folder, address, WALLET_WORKER="none", WALLET_REQUESTS_PER_MINUTE="10000000")
        codes = joined(shop)
        plain = sa.make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
        fill(plain, codes)
        postgres = postgres_seconds(plain)
        action = _action(shop)
        with ExitStack() as beside:
            ways = _ways(shop, plain, folder, action, beside)
            for way in ways:
                _turn(way, codes, WARM, "warm")
            with psycopg.connect(plain, autocommit=True) as other:
                other.execute("ANALYZE")
            for number in range(rounds + 1):
                for way in ways:
                    took = _turn(way, codes, sales, f"turn-{number}", postgres)
                    if number:  # in the first all is planned anew
                        way.client.append(took[0])
                        way.server.append(took[1])
        thoughtless = Way(THOUGHTLESS, action, time.process_time)
        for number in range(rounds):
            _replay(shop.ctx, address, folder, thoughtless, _receipts(codes, 4 * sales, f"again-{number}"), postgres)
        shop.ctx.database.close()
        return [ways[0], thoughtless, *ways[1:]]


def _action(shop: Installation) -> Sell:
    scope = keys.authenticate(shop.ctx, shop.facts["till_key"])
    lines = tuple(SaleLine(str(n), "BREAD", 1000, None, 250 + n, 0, False) for n in range(LINES))
    amount = sum(line.amount_minor for line in lines)
    return lambda code, receipt: void(till.sell(shop.ctx, scope, Sold(code, receipt, amount, lines, "EUR"), None))


def _ways(shop: Installation, plain: str, folder: Path, action: Sell, stack: ExitStack) -> list[Way]:
    connection = stack.enter_context(psycopg.connect(plain))
    served = stack.enter_context(shop.served([*os.sched_getaffinity(0)]))
    route = stack.enter_context(_bare_route(plain, folder))
    own = time.process_time
    return [
        Way(REFERENCE, lambda code, receipt: reference_sale(connection, code, receipt), own),
        Way(ACTION, action, own),
        Way(BARE, _posting(route.base, bare.SALE, {}), route.cpu_seconds),
        Way(SHORT, _posting(served.base, "/v1/sales", _headers(shop)), served.cpu_seconds),
        Way(ORDINARY, _posting(served.base, "/v1/sales", _headers(shop, "mine")), served.cpu_seconds),
    ]


def _receipts(codes: Sequence[str], sales: int, name: str) -> list[tuple[str, str]]:
    return [(codes[number % len(codes)], f"{name}-{number}") for number in range(sales)]


def joined(shop: Installation) -> list[str]:
    """The codes on the cards of members who have just joined."""
    for _ in range(MEMBERS):
        enrol.join(shop.ctx, shop.facts["join_code"], Joining("en"))
    with shop.ctx.look() as tx:
        rows = tx.execute(sa.select(pass_table.c.id, pass_table.c.serial).where(pass_table.c.kind == "card")).all()
        newest = passes.newest_codes(tx, [row.id for row in rows])
    return [reissuing.opened(shop.ctx, newest[row.id].cipher, row.serial)[0] for row in rows]


def fill(plain: str, codes: Sequence[str]) -> None:
    """The tables of the reference, in a schema of their own."""
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(SCHEMA)
        for number, code in enumerate(codes):
            row = {"id": number, "lookup": hashlib.sha256(code.encode()).digest()}
            for statement in FILL:
                connection.execute(statement, row)


def _turn(
    way: Way, codes: Sequence[str], sales: int, name: str, postgres: Callable[[], float] = lambda: 0.0
) -> tuple[float, float]:
    """Microseconds a sale, of whoever executes it and of PostgreSQL."""
    before, server = way.spent(), postgres()
    for code, receipt in _receipts(codes, sales, f"{hash(way.name) % 1000}-{name}"):
        way.sell(code, receipt)
    return (way.spent() - before) / sales * 1e6, (postgres() - server) / sales * 1e6


@contextmanager
def _bare_route(plain: str, folder: Path) -> Iterator[Served]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.bare", str(port)]
    knock = f"http://127.0.0.1:{port}{bare.ROUTE}"
    cores = [*os.sched_getaffinity(0)]
    with started(command, knock, cores, folder / "bare.log", {bare.DATABASE: plain}) as found:
        yield found


def _headers(shop: Installation, request_id: str | None = None) -> dict[str, str]:
    named = {} if request_id is None else {"X-Request-Id": request_id}
    return {"Authorization": f"Bearer {shop.facts['till_key']}", **named}


def _posting(base: str, path: str, headers: dict[str, str]) -> Sell:
    connection = http.client.HTTPConnection(base.removeprefix("http://"))
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = [{"sku": str(n), "category": "BREAD", "amount_minor": 250 + n} for n in range(LINES)]
    sent = {"Content-Type": "application/json", **headers}

    def post(code: str, receipt: str) -> None:
        body = {"code": code, "receipt": receipt, "currency": "EUR", "lines": lines}
        connection.request("POST", path, json.dumps(body), sent)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise RuntimeError(told[:300].decode())

    return post


def _replay(
    ctx: Context, address: str, folder: Path, way: Way, sales: Sequence[tuple[str, str]], postgres: Callable[[], float]
) -> None:
    """One figure of sales that are made once with thought and sent again without."""
    ctx.database.close()  # a database that is copied has nobody on it
    with _copied(address, folder / "copy") as copy:
        way.sell(*sales[0])  # connected and prepared
        with _recording(ctx.database.engine) as recorded:
            for sale in [(code, f"{receipt}-b") for code, receipt in sales]:
                way.sell(*sale)
        half = next(n for n, one in enumerate(recorded) if n > len(recorded) // 2 and one[0] == COMMIT) + 1
        with psycopg.connect(copy, options="-c timezone=UTC") as connection:
            wire = Wire(connection)
            _resend(wire, recorded[:half])  # planned and prepared
            before, server = time.process_time(), postgres()
            _resend(wire, recorded[half:])
            count = sum(1 for text, _, _ in recorded[half:] if text == COMMIT)
            way.client.append((time.process_time() - before) / count * 1e6)
            way.server.append((postgres() - server) / count * 1e6)


def _resend(wire: Wire, recorded: Sequence[Statement]) -> None:
    texts: dict[str, tuple[bytes, list[str]]] = {}
    for text, values, _ in recorded:
        if text == COMMIT:
            wire.commit()
            continue
        sent, places = texts.get(text) or texts.setdefault(text, numbered(text))
        line = wire.line(sent, [values[place] for place in places])
        if text.startswith("SELECT"):
            wire.rows(line, wire.ask((line,))[0])
        else:
            wire.leave(line)


def show(console: Console, ways: Sequence[Way]) -> None:
    """Print microseconds a sale, medians, and each way's share of the reference turn by turn."""
    table = Table("processor µs a sale", "client or server", "PostgreSQL", "both", "of the reference", box=None)
    first = ways[0]
    for way in ways:
        both = [a + b for a, b in zip(way.client, way.server, strict=True)]
        shares = [(a + b) / c for a, b, c in zip(first.client, first.server, both, strict=True)]
        figures = (way.client, way.server, both)
        table.add_row(way.name, *(f"{statistics.median(f):,.0f}" for f in figures), f"{statistics.median(shares):.2f}")
    console.print(table)
    console.print(f"load {os.getloadavg()[0]:.1f}")


def main() -> int:
    parser = argparse.ArgumentParser(description="What a sale costs beside what it could cost at best.")
    parser.add_argument("--sales", type=int, default=40, help="sales of each way and turn")
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    console = Console()
    try:
        show(console, measure(options.sales, options.rounds))
    except NoPostgres as fault:
        console.print(f"no PostgreSQL: {fault}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
