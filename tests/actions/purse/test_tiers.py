"""How members come to tiers and lose them: sales, reversals, reviews, gifts, and further versions of the programme."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase, whole_module_mostly_on
from tests.world import Holder, World, founded
from wallet_server.actions.counter import till
from wallet_server.actions.operating import upkeep
from wallet_server.actions.programme import programs
from wallet_server.records.people import members
from wallet_server.records.purse import standing as standings
from wallet_server.records.schema import members as member_table
from wallet_server.rules.programme.program import default_document
from wallet_server.rules.tiers.standing import Standing

database_kind = whole_module_mostly_on("sqlite")
MIX = {
    "any": [
        {"all": [{"metric": "spend", "at_least": 30000}, {"metric": "orders", "at_least": 3}]},
        {"metric": "referrals", "at_least": 2},
    ]
}


def document(needs: dict[str, Any] | None = None, review: dict[str, Any] | None = None) -> dict[str, Any]:
    """Bronze, silver by needs (or from 300 status points on), gold from 1000."""
    made = copy.deepcopy(default_document("Boulangerie"))
    if needs is not None:
        silver = made["tiers"]["levels"][1]
        del silver["threshold"]
        silver["needs"] = needs
    if review is not None:
        made["tiers"]["review"] = review
    return made


@pytest.fixture
def make_world(new_database: NewDatabase, database_kind: str, tmp_path: Path) -> Any:
    @contextmanager
    def make(**tiers: Any) -> Iterator[World]:
        with founded(new_database(database_kind), tmp_path, document=document(**tiers)) as world:
            upkeep.schedule(world.ctx)
            yield world

    return make


def tier(world: World, holder: Holder) -> str | None:
    with world.ctx.look() as tx:
        return members.members_by_id(tx, [holder.member_id])[holder.member_id].tier


def standing(world: World, holder: Holder) -> Standing:
    with world.ctx.look() as tx:
        return standings.of_members(tx, [holder.member_id])[holder.member_id]


def nights(world: World, days: int) -> None:
    world.clock.forward(days=days)
    world.work()


def test_a_mix_of_figures_brings_a_tier_and_taking_goods_back_takes_it(make_world: Any) -> None:
    with make_world(needs=MIX) as world:
        holder = world.enrol()
        assert [world.sell(holder, 10000)["tier"] for _ in range(2)] == ["bronze", "bronze"]
        facts = world.sell(holder, 10000)
        assert (facts["tier_before"], facts["tier"], tier(world, holder)) == ("bronze", "silver", "silver")
        assert (standing(world, holder).source, standing(world, holder).earned) == ("earned", "silver")
        till.reverse_sale(world.ctx, world.till, facts["id"], None)
        assert tier(world, holder) == "bronze"


def test_a_sale_that_earns_nothing_moves_the_gauge_all_the_same(make_world: Any) -> None:
    with make_world(needs={"metric": "orders", "at_least": 3}) as world:
        holder = world.enrol()
        world.work()
        assert world.sell(holder, 99)["entries"] == []
        world.work()
        with world.ctx.look() as tx:
            card = tx.exec_driver_sql("SELECT card FROM publications").scalar_one()
        assert "plus que 2 commandes" in card


def test_a_tier_is_kept_to_the_turn_of_the_year_and_its_grace(make_world: Any) -> None:
    needs = {"metric": "spend", "at_least": 30000, "window": "calendar-year"}
    with make_world(needs=needs, review={"at": "calendar-year", "grace_days": 30}) as world:
        holder, faithful = world.enrol(), world.enrol()
        for one in (holder, faithful):
            sale = world.sell(one, 30000)
        till.reverse_sale(world.ctx, world.till, sale["id"], None)
        assert tier(world, faithful) == "silver", "it is looked at when the year is over"
        world.sell(faithful, 30000)
        nights(world, 45)  # 2 January 2027
        assert [tier(world, one) for one in (holder, faithful)] == ["silver", "silver"], "the year that is over counts"
        assert standing(world, holder).kept_until is None
        world.sell(faithful, 30000)
        nights(world, 365)  # 2 January 2028
        assert tier(world, holder) == "silver"
        assert standing(world, holder).kept_until is not None
        assert standing(world, faithful).kept_until is None
        nights(world, 30)
        assert [tier(world, one) for one in (holder, faithful)] == ["bronze", "silver"]


def test_at_once_is_also_when_a_window_moves_on(make_world: Any) -> None:
    needs = {"metric": "spend", "at_least": 30000, "window": "rolling-90-days"}
    with make_world(needs=needs, review={"at": "at-once", "grace_days": 10}) as world:
        holder = world.enrol()
        world.sell(holder, 30000)
        nights(world, 89)
        assert tier(world, holder) == "silver"
        nights(world, 3)
        assert (tier(world, holder), standing(world, holder).kept_until is not None) == ("silver", True)
        world.sell(holder, 30000)
        assert standing(world, holder).kept_until is None, "deserved again"
        nights(world, 92)
        nights(world, 11)
        assert tier(world, holder) == "bronze"


def test_a_year_from_the_day_it_was_reached(make_world: Any) -> None:
    with make_world(review={"at": "days-365", "grace_days": 0}) as world:
        holder = world.enrol()
        sale = world.sell(holder, 30000)
        assert tier(world, holder) == "silver"
        till.reverse_sale(world.ctx, world.till, sale["id"], None)
        nights(world, 364)
        assert tier(world, holder) == "silver"
        nights(world, 2)
        assert tier(world, holder) == "bronze"


def test_tenure_is_reached_by_waiting_and_told_after_the_quiet_hours(make_world: Any) -> None:
    with make_world(needs={"metric": "tenure_days", "at_least": 30}) as world:
        holder, old = world.enrol(), world.enrol()
        with world.ctx.change() as tx:
            since = {"customer_since": world.clock().replace(year=2020)}
            tx.execute(sa.update(member_table).where(member_table.c.id == old.member_id).values(since))
        nights(world, 1)
        assert [tier(world, one) for one in (holder, old)] == ["bronze", "silver"]
        nights(world, 30)
        assert tier(world, holder) == "silver"


def test_a_further_version_settles_everybody(make_world: Any) -> None:
    with make_world() as world:
        low, high = world.enrol(), world.enrol()
        world.sell(low, 30000)
        world.sell(high, 40000)
        changed = document()
        changed["tiers"]["levels"][1]["threshold"] = 350
        wish = world.wish("publish", changed)
        programs.publish_version(world.ctx, world.merchant, world.programme, changed, wish)
        world.work()
        assert [tier(world, one) for one in (low, high)] == ["bronze", "silver"]
        changed["tiers"]["levels"][1]["threshold"] = 200
        programs.publish_version(world.ctx, world.merchant, world.programme, changed, world.wish("publish", {"n": 2}))
        world.work()
        assert [tier(world, one) for one in (low, high)] == ["silver", "silver"]


def test_plain_thresholds_cost_a_sale_no_further_statement(make_world: Any) -> None:
    counts = {}
    for name, more in (("plain", {}), ("none", None)):
        made = document() if more is not None else document() | {"tiers": None}
        with make_world() as world:
            if more is None:
                programs.publish_version(world.ctx, world.merchant, world.programme, made, world.wish("p", made))
            holder = world.enrol()
            world.sell(holder, 1000)
            said: list[str] = []

            def hear(_c: object, _cursor: object, statement: str, *_: object) -> None:
                said.append(statement)  # noqa: B023 - heard at once

            sa.event.listen(world.ctx.database.engine, "before_cursor_execute", hear)
            world.sell(holder, 1000)
            sa.event.remove(world.ctx.database.engine, "before_cursor_execute", hear)
            counts[name] = len(said)
    assert counts["plain"] == counts["none"]


@pytest.mark.parametrize("steps", [[730], [200, 530], [365, 365], [45, 685]], ids=str)
def test_each_review_that_no_night_looked_after_is_made_good(make_world: Any, steps: list[int]) -> None:
    """The server was switched off meanwhile."""
    needs = {"metric": "spend", "at_least": 30000, "window": "calendar-year"}
    with make_world(needs=needs, review={"at": "calendar-year", "grace_days": 30}) as world:
        holder = world.enrol()
        world.sell(holder, 30000)
        for days in steps:
            nights(world, days)
        assert tier(world, holder) == "bronze", "nothing was bought in the second year"
        assert f"{standing(world, holder).since:%Y-%m-%d}" == "2028-01-30"
