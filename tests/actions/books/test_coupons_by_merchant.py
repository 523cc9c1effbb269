"""Coupons are owed by the merchant that issued them: whatever happens to them at whose till, the merchants' figures add
up to the group's, which is the face value of the coupons that are good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.actions.books.test_accounting import document, florist
from tests.conftest import whole_module_mostly_on
from tests.world import Holder, World, founded
from wallet_server.actions.books import accounting
from wallet_server.actions.books.accounting import Honoured, Question
from wallet_server.actions.counter import till
from wallet_server.actions.once import asked
from wallet_server.actions.people import leaving, merging
from wallet_server.actions.purse import coupons, goodwill
from wallet_server.records.books import audit, book_days
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.programme import programmes
from wallet_server.records.purse import coupons as coupon_rows
from wallet_server.records.schema import coupons as table
from wallet_server.records.scope import Scope
from wallet_server.rules.books.promised import Promised, Taken, promised

database_kind = whole_module_mostly_on("sqlite")  # the SQL of the books runs on both in tests/records
VOUCHER, WELCOME = 300, 250


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[World]:
    """A bakery whose programme a florist takes part in."""
    with founded(database_url, tmp_path, document=document()) as made:
        yield made


@dataclass
class Trade:
    """What two merchants do, and what the test remembers of it: who issued which coupon (public id), who took what."""

    world: World
    tills: tuple[Scope, Scope]
    members: list[Holder] = field(default_factory=list)
    issued: dict[str, int] = field(default_factory=dict)
    sales: list[tuple[Scope, str]] = field(default_factory=list)
    uses: list[tuple[Scope, str, str]] = field(default_factory=list)
    taken: dict[tuple[int, int], Taken] = field(default_factory=dict)

    @property
    def keys(self) -> tuple[int, int]:
        return self.tills[0].merchant_id, self.tills[1].merchant_id

    def join(self, who: int, home: bool = True) -> None:
        store = ("", "sto_florist")[who] or self.world.founded.store
        before = self._all()
        self.members.append(self.world.enrol(home_store=store if home else None))
        # Of nobody's shop: the merchant that has taken part for longest.
        self._note(before, self.keys[who] if home else self.keys[0])

    def sell(self, who: int, member: int) -> None:
        """For 500 euros: 500 points, which are a voucher."""
        before = self._all()
        sold = self.world.sell(self._member(member), 50_000, scope=self.tills[who])
        self.sales.append((self.tills[who], sold["id"]))
        self._note(before, self.keys[who])

    def be_kind(self, who: int, member: int) -> None:
        before, wanted = self._all(), goodwill.Given("Sorry for the wait.", "wait", voucher="bon")
        wish = asked(self.tills[who], "goodwill", {}, self.world.number())
        goodwill.give(self.world.ctx, self.tills[who], self._member(member).member, wanted, wish)
        self._note(before, self.keys[who])

    def use(self, who: int, which: int) -> None:
        good = self.good()
        usable = sorted(good.keys() - self._lapsing())
        if usable:
            public_id = usable[which % len(usable)]
            wanted = coupons.Using(self._code(public_id), self.world.number())
            facts, _ = coupons.use(self.world.ctx, self.tills[who], wanted, None)
            self.uses.append((self.tills[who], facts["id"], public_id))
            self._take(self.tills[who], public_id, good[public_id], 1)

    def undo(self, which: int) -> None:
        if self.uses:
            scope, use, public_id = self.uses.pop(which % len(self.uses))
            with self.world.ctx.look() as tx:
                row = coupon_rows.by_public(tx, public_id)
            assert row is not None
            if row.member_id in {one.member_id for one in self.members}:
                coupons.undo(self.world.ctx, scope, use, None)
                self._take(scope, public_id, row.value_minor or 0, -1)

    def reverse(self, which: int) -> None:
        """The units of a voucher that is good pay what is owed, whoever gave them."""
        if self.sales:
            scope, sale = self.sales.pop(which % len(self.sales))
            till.reverse_sale(self.world.ctx, scope, sale, None)

    def leave(self, member: int) -> None:
        if len(self.members) > 1:
            gone = self.members.pop(member % len(self.members))
            leaving.leave(self.world.ctx, self.world.merchant, gone.member)
            self.sales.clear()  # a sale of nobody is not taken back

    def merge(self, member: int) -> None:
        if len(self.members) > 1:
            merged = self.members.pop(member % len(self.members))
            wish = self.world.wish("merge")
            kept = self.members[0].member
            merging.by_staff(self.world.ctx, self.world.merchant, kept, merged.member, "joined-twice", None, wish)

    def wait(self, days: int) -> None:
        """What has run out is noted, and the days that are over are summed."""
        self.world.clock.forward(days=days)
        with self.world.ctx.change() as tx:
            coupons.expire(tx, self.world.clock())
        with self.world.ctx.change() as tx:
            book_days.sum_days(tx, self.programme(tx), self.world.clock().date() - timedelta(days=1))

    def programme(self, tx: Tx) -> int:
        return programmes.programmes_of(tx, self.world.merchant)[0].id

    def good(self) -> dict[str, int]:
        """Public id to face value of the coupons that are good."""
        with self.world.ctx.look() as tx:
            rows = tx.execute(sa.select(table.c.public_id, table.c.value_minor).where(table.c.state == "issued"))
            return {row.public_id: row.value_minor for row in rows}

    def _lapsing(self) -> set[str]:
        """Coupons whose time is over, noted or not."""
        with self.world.ctx.look() as tx:
            return set(tx.execute(sa.select(table.c.public_id).where(table.c.valid_to <= self.world.clock())).scalars())

    def owing(self) -> Counter[int]:
        """Merchant to the face value of its coupons that are good, by what the test remembers."""
        found: Counter[int] = Counter()
        for public_id, value in self.good().items():
            found[self.issued[public_id]] += value
        return found

    def told(self, tx: Tx, at: datetime, merchant: int | None) -> Promised:
        found = promised([], book_days.flows(tx, self.programme(tx), at), merchant)
        return found or Promised(0, {}, {}, 0, 0, {})

    def _member(self, which: int) -> Holder:
        return self.members[which % len(self.members)]

    def _all(self) -> set[str]:
        with self.world.ctx.look() as tx:
            return set(tx.execute(sa.select(table.c.public_id)).scalars())

    def _note(self, before: set[str], issuer: int) -> None:
        (new,) = self._all() - before
        self.issued[new] = issuer

    def _code(self, public_id: str) -> str:
        with self.world.ctx.look() as tx:
            row = coupon_rows.by_public(tx, public_id)
            assert row is not None
            (shown,) = passes.passes_by_id(tx, [row.pass_id])
        return self.world.holder(shown.public_id).code

    def _take(self, scope: Scope, public_id: str, value: int, times: int) -> None:
        pair = (self.issued[public_id], scope.merchant_id)
        if pair[0] != pair[1]:
            so_far = self.taken.get(pair, Taken(0, 0))
            self.taken[pair] = Taken(so_far.amount_minor + times * value, so_far.times + times)


@pytest.fixture
def trade(shop: World) -> Trade:
    other = florist(shop.ctx, shop.merchant)
    return Trade(shop, (shop.till, other))


SIDE, ANY = st.integers(0, 1), st.integers(0, 9)
STEPS = st.one_of(
    *(st.tuples(st.just(name), SIDE, ANY) for name in ("sell", "be_kind", "use", "use")),
    *(st.tuples(st.just(name), ANY) for name in ("undo", "reverse", "leave", "merge")),
    st.tuples(st.just("join"), SIDE, st.booleans()),
    st.tuples(st.just("wait"), st.integers(1, 31)),
)
FIRST = [("join", 0, True), ("join", 1, True), ("sell", 1, 0), ("be_kind", 1, 1)]


# Nothing is shrunk: what came before an example is part of it, and each try costs a second.
@settings(
    max_examples=4,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEPS, min_size=6, max_size=12))
@pytest.mark.slow
def test_the_merchants_add_up_to_the_group_at_every_moment(trade: Trade, steps: list[tuple[Any, ...]]) -> None:
    """One installation for all examples: each goes on where the one before it ended."""
    world, moments = trade.world, []
    for name, *said in [*FIRST, *steps]:
        getattr(trade, name)(*said)
        moments.append((world.clock(), trade.owing(), len(trade.good()), dict(trade.taken)))
        world.clock.forward(minutes=1)
    with world.ctx.look() as tx:
        assert list(audit.faults(tx)) == []
        for at, owing, good, taken in moments:
            group, own = trade.told(tx, at, None), [trade.told(tx, at, key) for key in trade.keys]
            assert [one.owed_minor for one in own] == [owing[key] for key in trade.keys]
            assert (group.owed_minor, group.good) == (owing.total(), good)
            assert sum(one.owed_minor for one in own) == group.owed_minor
            assert sum(one.good for one in own) == good
            assert sum(group.moved_minor.values()) == group.owed_minor
            assert group.honoured == {pair: one for pair, one in taken.items() if one.times}
    as_of, owing, *_ = moments[-1]
    names = accounting.merchants(world.ctx, world.merchant)
    reports = {name: accounting.report(world.ctx, world.merchant, Question(as_of, merchant=name)) for name in names}
    group_report = accounting.report(world.ctx, world.merchant, Question(as_of))
    owed = {name: sum(one.owed_minor for one in found.coupons) for name, found in reports.items()}
    assert sum(owed.values()) == sum(one.owed_minor for one in group_report.coupons) == owing.total()
    assert owed["mer_fleuriste"] == owing[trade.keys[1]]


# ---------------------------------------------------------------------- who issues


def _owed(world: World) -> dict[str, int]:
    """What each merchant owes by coupons."""
    names = accounting.merchants(world.ctx, world.merchant)
    reports = {name: accounting.report(world.ctx, world.merchant, Question(merchant=name)) for name in names}
    baker = world.founded.merchant
    owed = {name: sum(one.owed_minor for one in found.coupons) for name, found in reports.items()}
    return {"baker": owed.pop(baker), **owed}


def _reward(trade: Trade) -> None:
    trade.world.sell(trade.members[0], 8_000)
    wanted = till.Redeemed(trade.members[0].code, None, 0, trade.world.number(), "bon")
    till.redeem(trade.world.ctx, trade.tills[1], wanted, None)


def _reward_in_a_sale(trade: Trade) -> None:
    trade.world.sell(trade.members[0], 8_000)
    line = till.SaleLine(None, None, 1000, 500, 500, 0, False)
    sold = till.Sold(trade.members[0].code, trade.world.number(), 500, (line,), "EUR", None)
    till.sell(trade.world.ctx, trade.tills[1], replace(sold, uses=replace(sold.uses, rewards=("bon",))), None)


WAYS = {
    "sale": lambda trade: trade.sell(1, 0),
    "gesture": lambda trade: trade.be_kind(1, 0),
    "reward": _reward,
    "reward in a sale": _reward_in_a_sale,
    "joining": lambda trade: trade.join(1),
}


@pytest.mark.parametrize("way", WAYS)
def test_who_issues_a_coupon_owes_it(trade: Trade, way: str) -> None:
    trade.join(0)
    before = _owed(trade.world)
    WAYS[way](trade)
    worth = WELCOME if way == "joining" else VOUCHER
    assert _owed(trade.world) == {"baker": before["baker"], "mer_fleuriste": worth}


def test_one_for_joining_in_nobodys_shop_is_the_first_merchants(trade: Trade) -> None:
    trade.join(1, home=False)
    assert _owed(trade.world) == {"baker": WELCOME, "mer_fleuriste": 0}


def test_who_took_it_at_the_till_is_told_beside(trade: Trade) -> None:
    """In the period in which it was taken; the florist, who owes nothing, is told it too."""
    trade.join(0)
    since = trade.world.clock.forward(days=1)
    trade.use(1, 0)
    baker = trade.world.founded.merchant

    def told(merchant: str | None, *, later: int = 0) -> list[Any]:
        question = Question(since=since + timedelta(days=later), merchant=merchant)
        (one,) = accounting.report(trade.world.ctx, trade.world.merchant, question).coupons
        return [one.owed_minor, one.good, *one.honoured]

    taken = Honoured(baker, "mer_fleuriste", WELCOME, 1)
    assert [told(one) for one in (baker, "mer_fleuriste", None)] == [[0, 0, taken]] * 3
    trade.world.clock.forward(days=2)
    assert told(None, later=1) == [0, 0]
    trade.undo(0)
    assert told(baker, later=1) == [WELCOME, 1, Honoured(baker, "mer_fleuriste", -WELCOME, -1)]
    assert told(None) == [WELCOME, 1]
