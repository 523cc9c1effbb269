"""What each day came to is what its entries say, as of any instant, on both databases: nothing twice, nothing lost."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import sqlalchemy as sa

from tests.world import NOON, World
from wallet_server.actions.counter import till
from wallet_server.actions.operating import upkeep
from wallet_server.records.books import audit, book_days
from wallet_server.records.books.book_days import Flow
from wallet_server.records.database import Tx
from wallet_server.records.programme import programmes
from wallet_server.records.schema import book_days as table


def programme_of(tx: Tx, world: World) -> int:
    return programmes.programmes_of(tx, world.till)[0].id


def summed(found: list[Flow]) -> Counter[tuple[object, ...]]:
    """Flows without the seam between days that are summed and days that are not."""
    sums: Counter[tuple[object, ...]] = Counter()
    for one in found:
        key = (one.book, one.month, one.currency_id, one.merchant_id, one.side, one.reason, one.cohort)
        sums[key] += one.amount
    return Counter({key: amount for key, amount in sums.items() if amount})


def months_of_trade(world: World) -> None:
    """Sales, redemptions, a reversed sale with a debt and an expiry, over more than a month."""
    first, second = world.enrol(), world.enrol()
    world.clock.at = NOON - timedelta(days=70)
    for day in range(0, 70, 7):
        world.clock.at = NOON - timedelta(days=70 - day)
        world.sell(first, 2000 + day)
        sold = world.sell(second, 3000)
        world.redeem(first, 10)
        if day == 35:
            world.redeem(second, sold["balances"]["points"] - 5)
            till.reverse_sale(world.ctx, world.till, sold["id"], None)
    world.clock.at = NOON


def test_summing_days_changes_no_answer(world: World) -> None:
    months_of_trade(world)
    asked = [NOON - timedelta(days=days, hours=hours) for days in (0, 1, 8, 30, 69) for hours in (0, 13)]
    with world.ctx.look() as tx:
        programme = programme_of(tx, world)
        plain = {at: summed(book_days.recount(tx, programme, at)) for at in asked}
        assert {at: summed(book_days.flows(tx, programme, at)) for at in asked} == plain
    through, rounds = NOON.date() - timedelta(days=3), 0
    while True:
        with world.ctx.change() as tx:
            rounds += 1
            if book_days.sum_days(tx, programme, through):
                break
    assert rounds > 1
    with world.ctx.look() as tx:
        assert {at: summed(book_days.flows(tx, programme, at)) for at in asked} == plain
        assert list(book_days.faults(tx)) == []
        assert list(audit.faults(tx)) == []
        whole = plain[NOON]
        assert sum(amount for key, amount in whole.items() if key[0] == book_days.POSTINGS) == 0
        members = sum(n for key, n in whole.items() if key[0] == book_days.POSTINGS and key[4] == "member:available")
        assert members == sum(n for key, n in whole.items() if key[0] == book_days.LOTS) > 0


def test_a_sum_that_is_wrong_is_found(world: World) -> None:
    months_of_trade(world)
    world.clock.forward(days=1)
    upkeep.schedule(world.ctx)
    world.clock.forward(days=1)
    world.work()
    with world.ctx.look() as tx:
        assert list(book_days.faults(tx)) == []
        assert tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() > 10
    with world.ctx.change() as tx:
        row = tx.execute(sa.select(table).where(table.c.book == book_days.POSTINGS).limit(1)).one()._asdict()
        row.pop("id")
        tx.execute(sa.insert(table).values({**row, "amount": 7}))
    with world.ctx.look() as tx:
        assert any("by the days summed" in one for one in audit.faults(tx))
