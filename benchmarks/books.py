"""Owns the measurement of the books: what an accountant's questions cost with a hundred thousand postings, and with ten
million.

At each step a new database is filled by a handful of INSERT ... SELECT: sales of two years spread over many members,
each with a lot, two in five of them redeemed after weeks or months, one in five expired after a year. On the first step
the product's own audit says that these books are sound. Then the night sums the days, once from nothing (an
installation that has never done so) and once for the last day alone; and everything is asked.

    python -m benchmarks.books [--most 1000000] [--database both]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from benchmarks.databases import KINDS, NoPostgres, database
from benchmarks.served import Installation
from wallet_server.actions import keys
from wallet_server.actions.books import accounting
from wallet_server.actions.books.accounting import Question
from wallet_server.actions.context import Context
from wallet_server.actions.operating import upkeep
from wallet_server.actions.people import enrol
from wallet_server.records import schema
from wallet_server.records.books import book_days, liability
from wallet_server.records.programme import programmes
from wallet_server.records.purse import ledger

FIRST = 100_000
DAYS = 730
PER_MEMBER = 20
DAY = 86_400
# Of five lots two are redeemed and one expires: 1.6 entries each, of two postings.
ENTRIES_OF_FIVE = 8

Costs = dict[str, float]


class Filler:
    """Fills a new installation with postings, by keys that follow the ones that are there."""

    def __init__(self, ctx: Context, facts: dict[str, Any], postings: int) -> None:
        self.ctx = ctx
        self.lots = postings * 5 // (2 * ENTRIES_OF_FIVE)
        self.members = max(1, self.lots // PER_MEMBER)
        scope = keys.authenticate(ctx, facts["till_key"])
        with ctx.change() as tx:
            row = programmes.programmes_of(tx, scope)[0]
            self.programme, self.version = row.id, row.version_id
            self.scope = scope
            code = ctx.programme(tx, row.version_id).balance_currency
            self.currency = tx.execute(
                sa.select(schema.currencies.c.id).where(
                    schema.currencies.c.programme_id == row.id, schema.currencies.c.code == code
                )
            ).scalar_one()
            self.contra = {
                purpose: ledger.contra_account(tx, row.id, self.currency, scope.merchant_id, purpose)
                for purpose in (ledger.ISSUED, ledger.REDEEMED, ledger.BREAKAGE)
            }
            self.base = {
                name: tx.execute(sa.select(sa.func.coalesce(sa.func.max(schema.metadata.tables[name].c.id), 0)))
                .scalar_one() + 1
                for name in ("members", "ledger_accounts", "sales", "ledger_entries", "lots")
            }  # fmt: skip
            member = tx.execute(sa.select(schema.members).limit(1)).first()
        assert member is not None
        self.pattern = member._asdict()
        self.sqlite = ctx.database.sqlite
        self.end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(seconds=1)
        self.start = self.end - timedelta(days=DAYS)

    def fill(self) -> None:
        """All of it in one transaction. PostgreSQL is not asked whether keys name rows: they do."""
        with self.ctx.change() as tx:
            if not self.sqlite:
                tx.exec_driver_sql("SET LOCAL session_replication_role = replica")
            self._members(tx)
            self._sales(tx)
            for table, columns in self._books():
                tx.execute(self._insert(table, columns))
            tx.exec_driver_sql(
                "UPDATE balances SET amount = (SELECT COALESCE(SUM(remaining), 0) FROM lots "
                "WHERE lots.account_id = balances.account_id AND remaining <> 0)"
            )
        with self.ctx.database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")

    def _insert(
        self, table: str, columns: dict[str, str], where: str = "1 = 1", rows: int | None = None
    ) -> sa.TextClause:
        """Rows of the numbers j from 0 on."""
        most = (self.lots if rows is None else rows) - 1
        numbers = f"generate_series(0, {most}) AS n(j)"
        head = ""
        if self.sqlite:
            head = f"WITH RECURSIVE n(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM n WHERE j < {most}) "
            numbers = "n"
        columns = dict(columns)
        where = columns.pop("where", where)
        told = f"INSERT INTO {table} ({', '.join(columns)}) {head}SELECT {', '.join(columns.values())} "
        return sa.text(told + f"FROM {numbers} WHERE {where}")

    def _at(self, seconds: str) -> str:
        epoch = f"({int(self.start.timestamp())} + {seconds})"
        if self.sqlite:
            return f"strftime('%Y-%m-%d %H:%M:%S.000000', {epoch}, 'unixepoch')"
        return f"to_timestamp({epoch})"

    def _members(self, tx: sa.Connection) -> None:
        first = self.base["members"]
        columns = {name: f'(SELECT "{name}" FROM members WHERE id = {self.pattern["id"]})' for name in self.pattern}
        columns |= {"id": f"{first} + j", "public_id": "'mem_books' || j"}
        tx.execute(self._insert("members", columns, rows=self.members))
        account = {
            "id": f"{self.base['ledger_accounts']} + j", "programme_id": str(self.programme),
            "currency_id": str(self.currency), "owner_kind": "'member'", "owner_id": f"{first} + j",
            "purpose": "'available'",
        }  # fmt: skip
        tx.execute(self._insert("ledger_accounts", account, rows=self.members))
        balance = {"account_id": f"{self.base['ledger_accounts']} + j", "member_id": f"{first} + j",
                   "currency_id": str(self.currency), "amount": "0"}  # fmt: skip
        tx.execute(self._insert("balances", balance, rows=self.members))

    def _sales(self, tx: sa.Connection) -> None:
        sold = self._at(self._sold())
        sale = {
            "id": f"{self.base['sales']} + j", "public_id": "'sale_books' || j", "programme_id": str(self.programme),
            "member_id": self._member(), "merchant_id": str(self.scope.merchant_id),
            "store_id": str(self.scope.store_id), "till_id": str(self.scope.till_id), "receipt": "'b' || j",
            "business_day": f"date({sold})", "occurred_at": sold, "recorded_at": sold, "money": "'EUR'",
            "amount_minor": f"100 * {self._amount()}", "programme_version_id": str(self.version), "state": "'{}'",
        }  # fmt: skip
        tx.execute(self._insert("sales", sale))
        line = {"sale_id": f"{self.base['sales']} + j", "number": "1", "quantity_milli": "1000",
                "amount_minor": f"100 * {self._amount()}", "tax_minor": "5", "excluded": "FALSE"}  # fmt: skip
        tx.execute(self._insert("sale_lines", line))

    def _sold(self) -> str:
        # 64 bits: the seconds of two years times millions.
        return f"(CAST(j AS BIGINT) * {DAYS * DAY} / {self.lots})"

    def _gone(self) -> str:
        """When a lot is redeemed (of five the first two), or expires (the third)."""
        wait = f"(CASE WHEN j % 5 = 2 THEN 365 ELSE 20 + (j / 5) % 10 * 20 END) * {DAY}"
        return f"({self._sold()} + {wait})"

    def _goes(self, which: str) -> str:
        return f"j % 5 {which} AND {self._gone()} < {DAYS * DAY}"

    def _member(self) -> str:
        return f"{self.base['members']} + j % {self.members}"

    def _account(self) -> str:
        return f"{self.base['ledger_accounts']} + j % {self.members}"

    @staticmethod
    def _amount() -> str:
        return "(10 + j % 90)"

    def _books(self) -> list[tuple[str, dict[str, str]]]:
        first, lot = self.base["ledger_entries"], f"{self.base['lots']} + j"
        given = {"id": f"{first} + 2 * j", "kind": "'earn'", "reason": "'earn.sale'", "rule_id": "'euro'",
                 "sale_id": f"{self.base['sales']} + j"}  # fmt: skip
        left = f"CASE WHEN {self._goes('< 3')} THEN 0 ELSE {self._amount()} END"
        sold = self._at(self._sold())
        steps = [
            ("ledger_entries", self._entry(given, sold)),
            *self._postings(f"{first} + 2 * j", self._amount(), ledger.ISSUED, "1 = 1"),
            ("lots", {"id": lot, "account_id": self._account(), "entry_id": f"{first} + 2 * j",
                      "amount": self._amount(), "remaining": left, "earned_at": sold}),
        ]  # fmt: skip
        went = ((ledger.REDEEMED, "burn", "burn.redeem", "< 2"), (ledger.BREAKAGE, "expire", "expire.lot", "= 2"))
        for purpose, kind, reason, which in went:
            entry, where = f"{first} + 2 * j + 1", self._goes(which)
            taken = {"id": entry, "kind": f"'{kind}'", "reason": f"'{reason}'", "rule_id": "''", "sale_id": "NULL"}
            steps += [
                ("ledger_entries", self._entry(taken, self._at(self._gone())) | {"where": where}),
                *self._postings(entry, f"-{self._amount()}", purpose, where),
                ("lot_allocations", {"lot_id": lot, "entry_id": entry, "amount": self._amount(), "where": where}),
            ]
        return steps

    def _entry(self, own: dict[str, str], at: str) -> dict[str, str]:
        return own | {
            "public_id": f"'ent_books' || ({own['id']})", "programme_id": str(self.programme),
            "member_id": self._member(), "merchant_id": str(self.scope.merchant_id),
            "store_id": str(self.scope.store_id), "till_id": str(self.scope.till_id),
            "programme_version_id": str(self.version), "params": "'{}'", "state": "'{}'", "effective_at": at,
            "recorded_at": at,
        }  # fmt: skip

    def _postings(self, entry: str, amount: str, purpose: str, where: str) -> list[tuple[str, dict[str, str]]]:
        both = {"entry_id": entry, "currency_id": str(self.currency), "where": where}
        return [
            ("ledger_postings", both | {"account_id": self._account(), "amount": amount}),
            ("ledger_postings", both | {"account_id": str(self.contra[purpose]), "amount": f"-({amount})"}),
        ]


def measure(kind: str, most: int, tell: Callable[[str], None]) -> dict[int, Costs]:
    """Postings to the seconds of each thing. Raises NoPostgres, and RuntimeError for unsound books."""
    found: dict[int, Costs] = {}
    step = FIRST
    while step <= most:
        with tempfile.TemporaryDirectory(prefix="wallet-books-") as name:
            folder = Path(name)
            folder.chmod(0o711)
            with database(kind, folder) as (address, _):
                installation = Installation(folder, address, WALLET_WORKER="none")
                begun = time.monotonic()
                with installation.ctx.look() as tx:
                    known = tx.execute(sa.select(sa.func.count()).select_from(schema.members)).scalar_one()
                if not known:
                    enrol.join(installation.ctx, installation.facts["join_code"], enrol.Joining())
                filler = Filler(installation.ctx, installation.facts, step)
                filler.fill()
                with installation.ctx.look() as tx:
                    count = tx.execute(sa.select(sa.func.count()).select_from(schema.ledger_postings)).scalar_one()
                    people = tx.execute(sa.select(sa.func.count()).select_from(schema.balances)).scalar_one()
                seconds = time.monotonic() - begun
                tell(f"{kind}: {count:,} postings on {people:,} members' accounts made in {seconds:.0f} s")
                found[step] = _costs(installation.ctx, filler)
                if step == FIRST and (faults := upkeep.book_faults(installation.ctx)):
                    raise RuntimeError(f"these books are not sound: {faults[:3]}")
                installation.ctx.database.close()
        step *= 10
    return found


def _costs(ctx: Context, filler: Filler) -> Costs:
    office = filler.scope
    costs: Costs = {}

    def timed(what: str, act: Callable[[], Any]) -> Any:
        begun = time.perf_counter()
        done = act()
        costs[what] = time.perf_counter() - begun
        return done

    now = filler.end
    with ctx.look() as tx:
        (ledger_of,) = [one for one in liability.ledgers(tx, office) if one.programme_id == filler.programme]
        plain = timed("from the entries alone", lambda: liability.flows(tx, ledger_of, now, trusting=False))

    def night(through: datetime) -> None:
        done = False
        while not done:
            with ctx.change() as tx:
                done = book_days.sum_days(tx, filler.programme, through.date())

    timed("night: two years at once", lambda: night(now - timedelta(days=1)))
    timed("night: one day", lambda: night(now))
    with ctx.look() as tx:
        summed = liability.flows(tx, ledger_of, now)
    if sum(one.amount for one in summed if one.book == "lots") != sum(
        one.amount for one in plain if one.book == "lots"
    ):
        raise RuntimeError("the sums are not what the entries say")
    asked = {"now": None, "100 days ago": now - timedelta(days=100), "100 days ago, noon": now - timedelta(days=99.5)}
    for when, as_of in asked.items():
        question = Question(as_of=as_of)
        trial = timed(f"trial balance, {when}", partial(accounting.trial_balance, ctx, office, question))
        assert trial.even
        timed(f"liability, {when}", partial(accounting.report, ctx, office, question))
    with ctx.look() as tx:
        total = sa.select(sa.func.count(), sa.func.sum(schema.balances.c.amount))
        timed("balances of all members", lambda: tx.execute(total).one())
    return costs


def show(console: Console, kind: str, found: dict[int, Costs]) -> None:
    steps = list(found)
    table = Table(f"{kind}: seconds", *(f"{step:,}" for step in steps), box=None, pad_edge=False)
    for what in found[steps[0]]:
        table.add_row(what, *(f"{found[step][what]:,.3f}" for step in steps))
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description="What an accountant's questions cost as the books grow.")
    parser.add_argument("--database", choices=(*KINDS, "both"), default="both")
    parser.add_argument("--most", type=int, default=1_000_000, help="postings at the last step; 10000000 takes long")
    options = parser.parse_args()
    console = Console()
    for kind in KINDS if options.database == "both" else (options.database,):
        try:
            found = measure(kind, options.most, console.print)
        except NoPostgres as fault:
            console.print(f"no PostgreSQL: {fault}")
            return 1
        show(console, kind, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
