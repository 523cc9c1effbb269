"""Units that became a voucher, when the goods that had brought them come back: nobody keeps both, nobody pays twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase
from tests.world import Holder, World, founded
from wallet_server.actions.counter import refunds, reversal, till
from wallet_server.actions.counter.checkout import Uses
from wallet_server.actions.counter.refunds import Returned
from wallet_server.actions.counter.till import SaleLine
from wallet_server.actions.once import Facts
from wallet_server.actions.operating import upkeep
from wallet_server.actions.people import merging
from wallet_server.actions.purse import coupons, goodwill, holding, vouchers
from wallet_server.actions.purse.coupons import Using
from wallet_server.actions.purse.goodwill import Given
from wallet_server.records.passes import passes
from wallet_server.records.people import members
from wallet_server.records.purse import coupons as coupon_book
from wallet_server.records.schema import coupons as coupon_rows
from wallet_server.records.schema import members as member_rows
from wallet_server.rules.programme.program_default import default_document

NOTHING = Uses()


def document(**more: Any) -> dict[str, Any]:
    """A point for a euro; 500 of them are a voucher of 10 EUR."""
    base = default_document("Boulangerie")
    both = {"fr": "Bon de 10 €", "en": "€10 voucher"}
    promise = {"title": both, "terms": both, "value_minor": 1000}
    bon = {"id": "bon", "currency": "points", "units": 500, "voucher": promise}
    return {**base, "conversions": [bon], **more}


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path, document=document(refunds={"negative": "zero"})) as made:
        yield made


def sell(world: World, holder: Holder, amount: int, uses: Uses = NOTHING) -> Facts:
    lines = (SaleLine(None, None, 1000, None, amount, 0, False),)
    sold = till.Sold(holder.code, world.number(), amount, lines, "EUR", uses=uses)
    return till.sell(world.ctx, world.till, sold, None)[0]


def back(world: World, sale: str, amount: int) -> Facts:
    return refunds.refund(world.ctx, world.till, Returned(sale, world.number(), (), amount), None)[0]


def stands(world: World, holder: Holder) -> tuple[int, list[str]]:
    """The points, and what became of each voucher."""
    with world.ctx.look() as tx:
        member = members.member_by_public(tx, world.merchant, holder.member).id
        query = sa.select(coupon_rows.c.state).where(coupon_rows.c.member_id == member).order_by(coupon_rows.c.id)
        states = list(tx.execute(query).scalars())
    return till.look_up(world.ctx, world.till, holder.code).balances["points"], states


def code(world: World, voucher: str) -> str:
    """What is on the voucher's pass."""
    with world.ctx.look() as tx:
        found = coupon_book.by_public(tx, voucher)
        assert found is not None
        shown = passes.passes_by_id(tx, [found.pass_id])[0]
    return world.holder(shown.public_id).code


def written_off(world: World) -> int:
    return sum(-one.amount for one in upkeep.trial_balance(world.ctx) if one.purpose == "written_off")


def test_a_voucher_that_nobody_used_goes_with_the_goods_and_the_merchant_loses_nothing(world: World) -> None:
    holder = world.enrol()
    sale = sell(world, holder, 50_000)["id"]
    assert stands(world, holder) == (0, ["issued"])
    back(world, sale, 10_000)
    assert (stands(world, holder), written_off(world)) == ((400, ["void"]), 0)
    back(world, sale, 40_000)
    assert (stands(world, holder), written_off(world)) == ((0, ["void"]), 0)
    assert upkeep.book_faults(world.ctx) == []


def test_a_voucher_that_was_used_is_the_merchants_loss_until_it_comes_back(world: World) -> None:
    holder = world.enrol()
    first = sell(world, holder, 50_000)
    second = sell(world, holder, 1_050, Uses(vouchers=tuple(first["vouchers"])))["id"]
    back(world, first["id"], 50_000)
    assert (stands(world, holder), written_off(world)) == ((0, ["used"]), 500)
    till.reverse_sale(world.ctx, world.till, second, None)
    assert (stands(world, holder), written_off(world)) == ((0, ["void"]), 0)
    assert upkeep.book_faults(world.ctx) == []


def test_a_voucher_whose_use_is_undone_at_the_till_is_not_given_for_nothing(world: World) -> None:
    holder = world.enrol()
    first = sell(world, holder, 50_000)
    use = coupons.use(world.ctx, world.till, Using(code(world, first["vouchers"][0]), "1"), None)[0]["id"]
    back(world, first["id"], 50_000)
    assert (stands(world, holder), written_off(world)) == ((0, ["used"]), 500)
    told = coupons.undo(world.ctx, world.till, use, None)[0]
    assert told["coupon"]["state"] == "void"
    assert (stands(world, holder), written_off(world)) == ((0, ["void"]), 0)
    assert upkeep.book_faults(world.ctx) == []


def test_goods_of_which_some_came_back_leave_the_units_of_a_voucher_that_comes_back_later(world: World) -> None:
    holder = world.enrol()
    first = sell(world, holder, 50_000)
    second = sell(world, holder, 1_050, Uses(vouchers=tuple(first["vouchers"])))["id"]
    back(world, first["id"], 10_000)
    assert (stands(world, holder), written_off(world)) == ((0, ["used"]), 100)
    till.reverse_sale(world.ctx, world.till, second, None)
    assert (stands(world, holder), written_off(world)) == ((400, ["void"]), 0), "the 400 that its goods still deserve"
    assert upkeep.book_faults(world.ctx) == []


@pytest.mark.parametrize("negative", ["debt", "zero"])
def test_units_that_would_have_run_out_meanwhile_are_not_owed_beside_the_voucher(
    new_database: NewDatabase, tmp_path: Path, negative: str
) -> None:
    own = document(refunds={"negative": negative})
    own["currencies"] = [{**one, "expires_after_months": 1} for one in own["currencies"]]
    with founded(new_database("sqlite"), tmp_path, document=own) as world:
        holder = world.enrol()
        sale = sell(world, holder, 50_000)["id"]
        now = world.clock.forward(days=45)
        with world.ctx.change() as tx:
            upkeep.book_expired(world.ctx, tx, now)
        back(world, sale, 20_000)
        assert stands(world, holder)[1] == ["void"]
        back(world, sale, 30_000)
        with world.ctx.change() as tx:
            upkeep.book_expired(world.ctx, tx, now)
        assert (stands(world, holder), written_off(world)) == ((0, ["void"]), 0)
        assert upkeep.book_faults(world.ctx) == []


def test_of_more_vouchers_than_a_page_all_go_with_the_member_and_the_newest_are_shown(world: World) -> None:
    holder = world.enrol()
    first = sell(world, holder, 50_000)["vouchers"][0]
    with world.ctx.change() as tx:
        row = tx.execute(sa.select(coupon_rows)).one()
        more = [f"cou_{n:03}" for n in range(coupon_book.PAGE)]
        again = {name: value for name, value in row._mapping.items() if name != "id"}
        tx.execute(sa.insert(coupon_rows), [again | {"public_id": one} for one in more])
    given = [first, *more]
    with world.ctx.look() as tx:
        assert [one.public_id for one in coupon_book.issued(tx, row.member_id)] == given[::-1]
        assert [one.public_id for one in vouchers.good(tx, row.member_id, world.clock(), 3)] == given[-3:]
    with world.ctx.change() as tx:
        coupons.cancel(tx, row.member_id, world.clock())
    assert set(stands(world, holder)[1]) == {"void"}


@pytest.mark.parametrize("review", ["at-once", "calendar-year"])
def test_a_sale_and_a_gesture_judge_the_tier_by_what_a_voucher_leaves(
    new_database: NewDatabase, tmp_path: Path, review: str
) -> None:
    own = document()
    own["tiers"] = {**own["tiers"], "currency": "points", "review": {"at": review}}
    with founded(new_database("sqlite"), tmp_path, document=own) as world:
        found = []
        for units in (499, 501, 900):
            sold = sell(world, world.enrol(), units * 100)
            given = Given("Sorry", "other", units, "points")
            gift = goodwill.give(world.ctx, world.merchant, world.enrol().member, given, world.wish("goodwill"))[0]
            assert (sold["tier"], sold["balances"]["points"]) == (gift["tier"], gift["balances"]["points"])
            found.append(sold["tier"])
        assert found == ["silver", "bronze", "silver"], "from 300 points on; of 501 one is left"
        with world.ctx.look() as tx:
            stored = tx.execute(sa.select(member_rows.c.tier).order_by(member_rows.c.id)).scalars().all()
        assert stored == [one for one in found for _ in range(2)]


def test_two_who_become_one_have_the_voucher_that_both_together_reach(world: World) -> None:
    one, other = world.enrol(), world.enrol()
    sell(world, one, 31_000)
    sell(world, other, 32_100)
    wish = world.wish("merge", {"kept": one.member, "merged": other.member})
    merging.by_staff(world.ctx, world.merchant, one.member, other.member, "joined-twice", None, wish)
    assert stands(world, one) == (131, ["issued"])


def aside(world: World, holder: Holder) -> str:
    """400 of the 480 points that the member has are put aside, and 100 more earned: 180 can be spent."""
    sell(world, holder, 48_000)
    wanted = holding.Wanted(holder.code, None, 400, world.number(), None)
    held = holding.authorise(world.ctx, world.till, wanted, None)[0]["id"]
    sell(world, holder, 10_000)
    assert stands(world, holder) == (180, [])
    return str(held)


def test_what_was_put_aside_and_comes_back_is_enough_for_a_voucher(world: World) -> None:
    holder = world.enrol()
    facts, _ = holding.release(world.ctx, world.till, aside(world, holder), None)
    assert len(facts["vouchers"]) == 1
    assert facts["balances"]["points"] == 80
    assert [(one["reason"], one["amount"]) for one in facts["entries"]] == [
        ("release.hold", 400),
        ("burn.conversion", -500),
    ]
    assert stands(world, holder) == (80, ["issued"])


def test_what_is_left_of_a_part_that_was_used_is_enough_for_a_voucher(world: World) -> None:
    holder = world.enrol()
    facts, _ = holding.capture(world.ctx, world.till, aside(world, holder), 50, None)
    assert len(facts["vouchers"]) == 1
    assert stands(world, holder) == (30, ["issued"])


def test_a_reservation_that_nobody_used_is_enough_for_a_voucher_once_its_time_is_over(world: World) -> None:
    holder = world.enrol()
    aside(world, holder)
    world.clock.forward(days=8)
    world.work()
    assert stands(world, holder) == (80, ["issued"])


def test_a_redemption_that_is_undone_is_enough_for_a_voucher(world: World) -> None:
    holder = world.enrol()
    sell(world, holder, 48_000)
    spent = world.redeem(holder, 400)
    sell(world, holder, 10_000)
    facts, _ = reversal.reverse_entry(world.ctx, world.till, spent["entries"][0]["id"], None)
    assert len(facts["vouchers"]) == 1
    assert stands(world, holder) == (80, ["issued"])
