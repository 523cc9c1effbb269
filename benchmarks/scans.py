"""Owns mixed scans: a hundred thousand at the tills of one shop, among phones that fetch late or never.

    python -m benchmarks.scans [--scans 100000] [--members 2000] [--seed 1]

The product's own actions on SQLite in a new folder, one process. Cards are fetched as phones fetch them. Most phones
fetch a new version within a minute, some within a day (they were off, or throttled), and of each twenty one never does.
A few members have their card on two phones, some show it on its web page, by its short form, or have it typed. Beside
the honest, some try to spend with a copy of somebody's card.

Who is asked for a second proof gives it: somebody of the shop knows them.

Printed: who was refused to earn (nobody is to be), how many honest scans were asked for a second proof, what became of
the copies, and by how much anybody spent more than they had.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from tests.phone import Phone
from tests.tills import hire
from tests.world import Holder, World, founded
from wallet_server.actions.counter import till
from wallet_server.actions.counter.scanning import Proof
from wallet_server.actions.passes import reissuing
from wallet_server.actions.people import enrol
from wallet_server.actions.staff.roles import VOUCH
from wallet_server.errors import WalletError
from wallet_server.records import database, schema
from wallet_server.records.passes import passes
from wallet_server.records.purse import ledger
from wallet_server.records.scope import Cashier
from wallet_server.rules.counter import codes, short_codes
from wallet_server.rules.counter.short_codes import Short

NEVER, LATE, TWO_PHONES, COPIES = 0.05, 0.15, 0.03, 0.005
ON_THE_WEB, SHORT, TYPED, LATER = 0.01, 0.05, 0.03, 0.03
SPENDS, LOOKS, AGAIN, TWICE = 0.10, 0.05, 0.03, 0.2
PROGRESS = 10_000


@dataclass
class Figures:
    """What was counted; `worst` is by how much anybody spent more than they had."""

    scans: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    copies: Counter[str] = field(default_factory=Counter)
    worst: int = 0
    issues: int = 0


@dataclass
class Screen:
    """One phone with a card: what it shows, and how long after a change it fetches (None: never)."""

    phone: Phone
    delay: timedelta | None
    shows: str
    behind_since: datetime | None = None


@dataclass
class Member:
    """Somebody with a card on one phone or two; `earlier` is an issue that a stranger took a picture of."""

    holder: Holder
    screens: list[Screen]
    copied: str | None = None


class Shop:
    """Members and tills, and everything that happens there, drawn from a seed."""

    def __init__(self, world: World, members: int, seed: int, never: float) -> None:
        self.figures, self._world, self._dice, self._never = Figures(), world, random.Random(seed), never
        self._till = world.till
        self._vouched = replace(world.till, cashier=_who_knows_them(world))
        self._receipts = iter(range(10**9))
        self._members = [self._join(number) for number in range(members)]

    def _join(self, number: int) -> Member:
        holder = self._world.enrol()
        line = till.SaleLine(None, None, 1000, 20_000, 20_000, 0, False)
        till.sell(self._world.ctx, self._till, till.Sold(holder.code, self._receipt(), 20_000, (line,), "EUR"), None)
        phones = 2 if self._dice.random() < TWO_PHONES else 1
        screens = []
        for copy in range(phones):
            phone = Phone(self._world, holder, f"library-{number}-{copy}", f"{2 * number + copy:064x}").add()
            screens.append(Screen(phone, self._delay(), holder.code))
        return Member(holder, screens)

    def _delay(self) -> timedelta | None:
        drawn = self._dice.random()
        if drawn < self._never:
            return None
        return timedelta(hours=24 * self._dice.random()) if drawn < self._never + LATE else timedelta(seconds=60)

    def scan(self) -> None:
        """One scan at a till, after some seconds."""
        self._world.clock.forward(seconds=self._dice.expovariate(1 / 26))
        member = self._dice.choice(self._members)
        self._fetch(member)
        self.figures.scans += 1
        if member.copied is not None and self._dice.random() < COPIES / SPENDS:
            self._steal(member)
            return
        shown = self._shown(member)
        drawn = self._dice.random()
        if drawn < LOOKS:
            self._try("look-up", lambda: till.look_up(self._world.ctx, self._till, shown))
        elif drawn < LOOKS + SPENDS:
            self._spend(member, shown)
        else:
            self._earn(shown, again=drawn < LOOKS + SPENDS + AGAIN)

    def _shown(self, member: Member) -> str:
        """What the member holds out: a phone, the page of the card, bars, or the ten characters below them."""
        screen, drawn = self._dice.choice(member.screens), self._dice.random()
        if drawn < ON_THE_WEB:
            self.figures.kinds["shown on the web page"] += 1
            link = self._world.ctx.link("card", member.holder.pass_public_id).rpartition("/")[2]
            return enrol.web_card(self._world.ctx, link).code
        if drawn < ON_THE_WEB + SHORT + TYPED:
            short = self._short(member, screen.shows)
            self.figures.kinds["shown in bars" if drawn < ON_THE_WEB + SHORT else "typed"] += 1
            return short_codes.digits(short) if drawn < ON_THE_WEB + SHORT else short_codes.manual(short.number)
        return screen.shows

    def _short(self, member: Member, text: str) -> Short:
        """The short form of the very issue that the phone shows."""
        with self._world.ctx.look() as tx:
            lookup = passes.lookup_hash(codes.lookup_key(codes.read(text)))
            cipher = tx.execute(sa.select(schema.codes.c.cipher).where(schema.codes.c.lookup == lookup)).scalar_one()
        number = reissuing.opened(self._world.ctx, cipher, member.holder.serial)[1]
        if number is None:
            raise AssertionError("a new card has a short form")
        return Short(self._till.issuer_mark, number)

    def _earn(self, shown: str, *, again: bool) -> None:
        amount = self._dice.randint(100, 8_000)
        at = None
        if self._dice.random() < LATER:
            at = self._world.clock() - timedelta(hours=self._dice.randint(1, 48))
            self.figures.kinds["sent later by a till without a network"] += 1
        line = till.SaleLine(None, None, 1000, amount, amount, 0, False)
        sold = till.Sold(shown, self._receipt(), amount, (line,), "EUR", at)
        for _ in range(2 if again else 1):
            self._try("sale", lambda: till.sell(self._world.ctx, self._till, sold, None))

    def _spend(self, member: Member, shown: str) -> None:
        wanted = till.Redeemed(shown, None, self._dice.randint(5, 20), self._receipt())
        asked = self.figures.asked
        if not self._try("redemption", lambda: till.redeem(self._world.ctx, self._till, wanted, None)):
            if self.figures.asked == asked:
                return
            proven = replace(wanted, proof=Proof("cashier"))
            if not self._try(
                "redemption with a proof", lambda: till.redeem(self._world.ctx, self._vouched, proven, None)
            ):
                return
        if member.copied is None:
            member.copied = member.screens[0].shows
        for screen in member.screens:
            screen.behind_since = screen.behind_since or self._world.clock()
        if self._dice.random() < TWICE:
            # The till still has what it scanned, and the phone has fetched the next issue meanwhile.
            self._world.clock.forward(seconds=90)
            self._fetch(member)
            more = till.Redeemed(shown, None, 5, self._receipt())
            self._try("redemption in the same visit", lambda: till.redeem(self._world.ctx, self._till, more, None))

    def _steal(self, member: Member) -> None:
        """Somebody else holds out a picture of an earlier issue."""
        if member.copied is None:
            return
        wanted = till.Redeemed(member.copied, None, 5, self._receipt())
        try:
            till.redeem(self._world.ctx, self._till, wanted, None)
            self.figures.copies["spent: nobody is known to have a newer issue"] += 1
        except WalletError as fault:
            self.figures.copies[f"stopped: {fault.code}"] += 1

    def _try(self, kind: str, act: Callable[[], object]) -> bool:
        self.figures.kinds[kind] += 1
        try:
            act()
        except WalletError as fault:
            if fault.code == "second-proof-needed":
                self.figures.asked += 1
            elif fault.code != "not-enough":
                self.figures.refused[f"{kind}: {fault.code}"] += 1
            return False
        return True

    def _fetch(self, member: Member) -> None:
        """What the phones have fetched by now, the quicker first."""
        now = self._world.clock()
        due = [one for one in member.screens if one.delay is not None and one.behind_since is not None]
        for screen in sorted(due, key=lambda one: one.delay or timedelta()):
            if screen.delay is None or screen.behind_since is None or now < screen.behind_since + screen.delay:
                continue
            self._world.work()
            self._world.told.rung.clear()
            if screen.phone.pull():
                screen.shows = str(screen.phone.card["barcodes"][0]["message"])
                screen.behind_since = None

    def close(self) -> Figures:
        """Look at the books: who has less than nothing, and how many issues there are."""
        with self._world.ctx.look() as tx:
            ids = [one.holder.member_id for one in self._members]
            held = [amount for purses in ledger.amounts(tx, ids).values() for amount in purses.values()]
            newest = passes.newest_codes(tx, [one.holder.pass_id for one in self._members])
        self.figures.worst = max(0, -min(held))
        self.figures.issues = sum(row.issue for row in newest.values())
        return self.figures

    def _receipt(self) -> str:
        return f"r{next(self._receipts)}"


def _who_knows_them(world: World) -> Cashier:
    person = hire(world, "Claire")
    return Cashier(person.staff_id, person.public_id, person.name, person.role, frozenset({VOUCH}), "shf_benchmark")


def run(world: World, members: int, scans: int, seed: int, *, never: float = NEVER, talks: bool = False) -> Figures:
    """So many scans in a new shop, of whose phones this share never fetches."""
    shop, begun = Shop(world, members, seed, never), time.perf_counter()
    for number in range(1, scans + 1):
        shop.scan()
        if talks and number % PROGRESS == 0:
            print(f"{number} scans in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return shop.close()


def said(figures: Figures) -> str:
    """The figures as they are printed."""
    honest = figures.scans - sum(figures.copies.values())
    lines = [
        f"{figures.scans} scans, of which {honest} honest, over {figures.issues} issues of the members' codes",
        *(f"  {kind}: {many}" for kind, many in sorted(figures.kinds.items())),
        f"refused to earn or to be looked up: {sum(figures.refused.values())} {dict(figures.refused) or ''}".rstrip(),
        f"asked for a second proof: {figures.asked} ({100 * figures.asked / max(1, honest):.3f} % of honest scans)",
        *(f"copies, {fate}: {many}" for fate, many in sorted(figures.copies.items())),
        f"the most that anybody spent beyond what they had: {figures.worst}",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Mixed scans at the tills of one shop.")
    parser.add_argument("--scans", type=int, default=100_000)
    parser.add_argument("--members", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wallet-scans-") as name:
        address = f"sqlite:///{Path(name) / 'wallet.db'}"
        database.upgrade(address)
        with founded(address, Path(name)) as world:
            print(said(run(world, options.members, options.scans, options.seed, talks=True)))


if __name__ == "__main__":
    main()
