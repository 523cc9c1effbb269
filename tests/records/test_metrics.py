"""Members' figures as the books have them, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from tests.world import NOON, Holder, World
from wallet_server.actions.counter import till
from wallet_server.actions.programme import programs
from wallet_server.records.purse import metrics
from wallet_server.records.schema import member_events, members, refunds, sales
from wallet_server.rules.passes.card import Palette
from wallet_server.rules.programme.program import default_document
from wallet_server.rules.programme.program_parts import Reach
from wallet_server.rules.programme.program_simple import carry_over, stamp_document
from wallet_server.rules.tiers.metrics import EVER

YEAR, MONTH, ROLLING = Reach("calendar-year"), Reach("calendar-month"), Reach("rolling-days", 30)


def measured(world: World, holder: Holder, *names: str, reach: Reach = EVER, **more: Any) -> list[int]:
    wanted = [(name, reach) for name in names]
    with world.ctx.look() as tx:
        found = metrics.of_members(tx, wanted, [holder.member_id], world.clock(), **more)[holder.member_id]
    return [found[one] for one in wanted]


def note(world: World, holder: Holder, name: str, at: datetime) -> None:
    with world.ctx.change() as tx:
        sale = tx.execute(sa.select(sales).limit(1)).one()
        row = {
            "public_id": world.number(), "programme_id": sale.programme_id, "member_id": holder.member_id,
            "merchant_id": sale.merchant_id, "programme_version_id": sale.programme_version_id, "name": name,
            "occurred_at": at, "recorded_at": at, "fields": {}, "state": {},
        }  # fmt: skip
        tx.execute(sa.insert(member_events).values(row))


def give_back(world: World, sale_id: str, amount_minor: int) -> None:
    with world.ctx.change() as tx:
        sale = tx.execute(sa.select(sales).where(sales.c.public_id == sale_id)).one()
        row = {
            "public_id": world.number(), "sale_id": sale.id, "number": 1, "programme_id": sale.programme_id,
            "member_id": sale.member_id, "merchant_id": sale.merchant_id, "reference": "A", "occurred_at": NOON,
            "recorded_at": NOON, "amount_minor": amount_minor, "money": "EUR",
        }  # fmt: skip
        tx.execute(sa.insert(refunds).values(row))


def test_sales_count_net_of_what_was_given_back(world: World) -> None:
    holder, other = world.enrol(), world.enrol()
    world.sell(other, 99_900)
    world.sell(holder, 1000)
    half, whole, reversed_ = (world.sell(holder, 2000)["id"] for _ in range(3))
    world.clock.forward(days=1)
    world.sell(holder, 0)
    give_back(world, half, 1500)
    give_back(world, whole, 2000)
    till.reverse_sale(world.ctx, world.till, reversed_, None)
    assert measured(world, holder, "spend", "orders", "visits") == [1500, 2, 2]
    assert measured(world, holder, "earned:points", "balance:points", "pot") == [50, 50, 0]
    assert measured(world, holder, "spend", "visits", before=NOON + timedelta(hours=1), reach=ROLLING) == [1500, 1]


def test_windows_leave_out_what_was_before_them(world: World) -> None:
    holder = world.enrol()
    for days in (31, 20, 17, 0):  # the 18th of November at noon
        world.sell(holder, 1000, occurred_at=NOON - timedelta(days=days))
    note(world, holder, "workshop", NOON - timedelta(days=18))
    note(world, holder, "workshop", NOON)
    note(world, holder, "referral", NOON)
    assert measured(world, holder, "spend", "orders", "visits", "events:workshop", "referrals") == [4000, 4, 4, 2, 1]
    found = measured(world, holder, "spend", "earned:points", "events:workshop", reach=MONTH)
    assert found == [2000, 20, 1], "the month begins at midnight in Paris, on the 1st"
    assert measured(world, holder, "spend", "events:workshop", reach=ROLLING) == [3000, 2]
    world.clock.forward(days=44)
    assert measured(world, holder, "spend", "earned:points", "referrals", reach=YEAR) == [0, 0, 0]
    assert measured(world, holder, "earned:points", "balance:points") == [40, 40]


def test_spending_points_is_not_unearning_them_and_taking_a_sale_back_is(world: World) -> None:
    holder = world.enrol()
    sale = world.sell(holder, 5000)["id"]
    spent = world.redeem(holder, 20)
    assert measured(world, holder, "earned:points", "balance:points") == [50, 30]
    till.reverse_entry(world.ctx, world.till, spent["id"], None)
    assert measured(world, holder, "earned:points", "balance:points") == [50, 50]
    world.clock.forward(days=60)
    till.reverse_sale(world.ctx, world.till, sale, None)
    assert measured(world, holder, "earned:points", "balance:points") == [0, 0]
    assert measured(world, holder, "earned:points", reach=ROLLING) == [0], "dated by the award that was taken back"


def test_tenure_counts_from_when_somebody_became_a_customer(world: World) -> None:
    holder = world.enrol()
    world.clock.forward(days=3)
    assert measured(world, holder, "tenure_days", "spend") == [3, 0]
    with world.ctx.change() as tx:
        old = {"customer_since": NOON - timedelta(days=400)}
        tx.execute(sa.update(members).where(members.c.id == holder.member_id).values(old))
    assert measured(world, holder, "tenure_days") == [403]


def test_many_members_are_two_statements(world: World) -> None:
    holders = [world.enrol() for _ in range(5)]
    for number, holder in enumerate(holders):
        world.sell(holder, 1000 * (number + 1))
    said: list[str] = []

    def hear(_c: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    wanted = [("spend", YEAR), ("orders", EVER), ("earned:status", ROLLING), ("tenure_days", EVER)]
    with world.ctx.look() as tx:
        sa.event.listen(world.ctx.database.engine, "before_cursor_execute", hear)
        found = metrics.of_members(tx, wanted, [one.member_id for one in holders], world.clock())
        sa.event.remove(world.ctx.database.engine, "before_cursor_execute", hear)
    assert [list(found[one.member_id].values()) for one in holders] == [[0, 1000 * n, 1, 10 * n] for n in range(1, 6)]
    assert len([one for one in said if one.startswith(("SELECT", "WITH"))]) == 2


def test_a_card_scanned_again_during_a_visit_is_no_visit_of_the_next_day(world: World) -> None:
    palette = Palette("#7a1f2b", "#fff6e9", "#f0c9a4")
    names = {"fr": "un café", "en": "a coffee"}
    document = stamp_document("Boulangerie", palette=palette, reward_names=names, interval_minutes=1440)
    kept = carry_over(document, default_document("Boulangerie"))
    programs.publish_version(world.ctx, world.merchant, world.programme, kept, world.wish("publish", {}))
    holder = world.enrol()
    world.sell(holder, 0)
    world.clock.forward(hours=20)
    assert world.sell(holder, 0)["entries"] == []
    assert measured(world, holder, "visits") == [1]
    world.clock.forward(hours=20)
    world.sell(holder, 0)
    assert measured(world, holder, "visits", "orders") == [2, 0]
