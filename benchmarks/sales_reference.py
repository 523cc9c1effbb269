"""Owns what a sale is compared with that no code of ours defines: a fixed transaction, and who counts both.

The reference finds a card by a key, locks its member's row, writes one entry with two postings, moves the balance,
bumps the pass and puts a job (or bumps the one that waits): seven statements in one transaction, through psycopg alone,
on the server that the product uses, so with the same durability. Two processes of several threads count it, and
two processes of as many threads call `actions.counter.till.sell`, for the plain shop, which books what the reference
books, and for the demonstration's, which books twice as much and nine lines; they stay alive and take turns.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import Pool
from typing import Any

import psycopg
import sqlalchemy as sa

from benchmarks.plain_shop import AMOUNT_MINOR, PlainShop
from benchmarks.reference import FILL, SCHEMA, reference_sale
from wallet_server.actions import keys as doors
from wallet_server.actions.counter import till
from wallet_server.actions.counter.till import SaleLine, Sold
from wallet_server.cli.opening import open_context
from wallet_server.delivery.engine import settle
from wallet_server.records.scope import Scope
from wallet_server.settings import Settings

PROCESSES = 2
THREADS = 4
LINES = 9
"""As many as the data set's baskets have on average."""
REFERENCE, PLAIN, ACTION = (
    "the fixed reference",
    "till.sell, one currency",
    f"till.sell, two currencies, {LINES} lines",
)


@dataclass(frozen=True)
class Turn:
    """Sales of one way: how many, in which time by the clock, and the processor time that the callers spent."""

    sales: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        return self.sales / self.seconds


class Counters:
    """The processes that count."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def settled(self, address: str) -> None:
        """Give the server its statistics, as its own upkeep does within a minute: without them it plans for tables that
        are empty, the reference's as well as the product's."""
        plain = sa.make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("ANALYZE")

    def count(self, way: str, sales: int, name: str) -> Turn:
        """So many sales by this way, all threads together. `name` keeps the receipts of turns apart."""
        each = -(-sales // (PROCESSES * THREADS))
        tasks = [(way, each, f"{name}-{number}") for number in range(PROCESSES)]
        parts = self._pool.map(_take_turn, tasks, chunksize=1)
        begun, ended = min(part[0] for part in parts), max(part[1] for part in parts)
        return Turn(each * PROCESSES * THREADS, ended - begun, sum(part[2] for part in parts))


@contextmanager
def counting(
    address: str, settings: Settings, key: str, codes: Sequence[str], simple: PlainShop | None = None
) -> Iterator[Counters]:
    """Processes over a PostgreSQL: `codes` are the cards that are sold to with the till of this key."""
    plain = sa.make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(SCHEMA)
        for number, code in enumerate(codes):
            row = {"id": number, "lookup": hashlib.sha256(code.encode()).digest()}
            for statement in FILL:
                connection.execute(statement, row)
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(PROCESSES)
    with spawn.Pool(PROCESSES, _prepare, (plain, settings, key, list(codes), simple, start)) as pool:
        yield Counters(pool)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("DROP SCHEMA reference CASCADE")


# --- in each process -------------------------------------------------------------------------------------------

Sell = Callable[[str, str], None]
"""One sale: (code, receipt)."""

_ready: dict[str, Any] = {}


def _prepare(
    address: str, settings: Settings, key: str, codes: list[str], simple: PlainShop | None, start: Any
) -> None:
    ctx = open_context(settings)
    scope = doors.authenticate(ctx, key)
    lines = tuple(SaleLine(str(n), "BREAD", 1000, None, 250 + n, 0, False) for n in range(LINES))
    amount = sum(line.amount_minor for line in lines)
    connections = [psycopg.connect(address) for _ in range(THREADS)]

    def action(code: str, receipt: str) -> None:
        till.sell(ctx, scope, Sold(code, receipt, amount, lines, "EUR"), None)

    def plainly(theirs: Scope) -> Sell:
        return lambda code, receipt: void(till.sell(ctx, theirs, Sold(code, receipt, AMOUNT_MINOR, (), "EUR"), None))

    def reference(connection: psycopg.Connection) -> Sell:
        return lambda code, receipt: reference_sale(connection, code, receipt)

    settle()  # as a serving process does
    _ready.update(start=start, codes=dict.fromkeys((ACTION, REFERENCE), codes))
    _ready[ACTION] = [action] * THREADS
    if simple is not None:
        _ready["codes"][PLAIN] = simple.codes
        _ready[PLAIN] = [plainly(doors.authenticate(ctx, simple.till_keys[0]))] * THREADS
    _ready[REFERENCE] = [reference(connection) for connection in connections]


def void(_: object) -> None:
    """Nothing of it is wanted."""


def _take_turn(task: tuple[str, int, str]) -> tuple[float, float, float]:
    """(begun, ended, processor seconds). No two threads of one process sell to the same member at the same time; two
    processes may."""
    way, each, name = task
    faults: list[BaseException] = []

    def work(place: int, sell: Sell) -> None:
        codes = _ready["codes"][way][place::THREADS]
        try:
            for number in range(each):
                sell(codes[number % len(codes)], f"{name}-{place}-{number}")
        except Exception as fault:  # noqa: BLE001 - whatever it was, who waits for the figure must hear of it
            faults.append(fault)

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(_ready[way])]
    _ready["start"].wait(60)
    begun, cpu = time.monotonic(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise RuntimeError(f"{way}: {faults[0]!r}")
    return begun, time.monotonic(), time.process_time() - cpu
