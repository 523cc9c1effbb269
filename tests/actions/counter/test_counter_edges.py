"""What is spent at the counter is spent once: uses that are taken back, baskets with returned goods, and money of a pot
that comes back in parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NewDatabase
from tests.world import Holder, World, founded
from wallet_server.actions.counter import quoting, refunds, till
from wallet_server.actions.counter.checkout import Pot, Uses
from wallet_server.actions.counter.refunds import Returned
from wallet_server.actions.counter.till import SaleLine
from wallet_server.actions.once import Facts
from wallet_server.actions.operating import upkeep
from wallet_server.actions.programme import programs
from wallet_server.actions.purse import coupons, goodwill
from wallet_server.actions.purse.goodwill import Given
from wallet_server.errors import Conflict
from wallet_server.rules.baskets.refunding import Wish
from wallet_server.rules.programme.program_default import default_document

NOTHING = Uses()


def _document() -> dict[str, Any]:
    base = default_document("Boulangerie")
    noun = base["currencies"][0]["names"]
    both, cost = {"fr": "Bon", "en": "Voucher"}, {"currency": "points", "amount": 20}
    return {
        **base,
        "currencies": [
            *base["currencies"],
            {"code": "pot", "kind": "money", "names": noun, "expires_after_months": 1},
        ],
        "conversions": [
            {
                "id": "bon",
                "currency": "points",
                "units": 500,
                "voucher": {"title": both, "terms": both, "value_minor": 1000},
            }
        ],
        "deals": [{"id": "half", "names": both, "percent": {"percent": 50}, "categories": ["bread"]}],
        "rewards": [
            {"code": "back", "names": both, "cost": cost, "kind": "refund", "value_minor": 100},
            {"code": "mug", "names": both, "cost": cost},
        ],
        "refunds": {"negative": "zero"},
    }


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path, document=_document()) as made:
        yield made


def line(amount: int, category: str | None = None, *, quantity: int = 1000, excluded: bool = False) -> SaleLine:
    return SaleLine(None, category, quantity, None, amount, 0, excluded)


def sell(world: World, holder: Holder, *lines: SaleLine, uses: Uses = NOTHING) -> Facts:
    amount = sum(one.amount_minor for one in lines)
    sold = till.Sold(holder.code, world.number(), amount, lines, "EUR", uses=uses)
    return till.sell(world.ctx, world.till, sold, None)[0]


def back(world: World, sale: str, *wishes: Wish) -> Facts:
    return refunds.refund(world.ctx, world.till, Returned(sale, world.number(), wishes), None)[0]


def voucher(world: World, holder: Holder) -> str:
    found = goodwill.give(
        world.ctx, world.merchant, holder.member, Given("Sorry", "other", voucher="bon"), world.wish("goodwill")
    )
    return str(found[0]["vouchers"][0])


def filled(world: World, holder: Holder, amount: int) -> None:
    """Money in the pot."""
    goodwill.give(
        world.ctx, world.merchant, holder.member, Given("Sorry", "other", amount, "pot"), world.wish("goodwill")
    )


def test_a_voucher_used_in_a_sale_comes_back_with_the_sale_alone(world: World) -> None:
    holder = world.enrol()
    mine = voucher(world, holder)
    sold = sell(world, holder, line(3000), uses=Uses(vouchers=(mine,)))
    assert sold["to_pay_minor"] == 2000
    use = sold["used"][0]["use"]
    with pytest.raises(Conflict) as refusal:
        coupons.undo(world.ctx, world.till, use, None)
    assert refusal.value.code == "not-reversible"
    till.reverse_sale(world.ctx, world.till, sold["id"], None)
    assert sell(world, holder, line(3000), uses=Uses(vouchers=(mine,)))["to_pay_minor"] == 2000, "good again"


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ((line(1000), line(-900, excluded=True)), "voucher"),
        ((line(1000), line(-900, excluded=True)), "pot"),
        ((line(1000, "bread"), line(-900, "milk", quantity=-1000)), "deals"),
    ],
)
def test_no_more_comes_off_a_basket_than_it_comes_to(world: World, lines: tuple[SaleLine, ...], what: str) -> None:
    holder = world.enrol()
    filled(world, holder, 1000)
    uses = {
        "voucher": lambda: Uses(vouchers=(voucher(world, holder),)),
        "pot": lambda: Uses(pot=Pot()),
        "deals": lambda: Uses(deals=True),
    }
    sold = sell(world, holder, *lines, uses=uses[what]())
    assert (sold["to_pay_minor"], sum(one["off_minor"] for one in sold["discounts"]) + sold["pot_minor"]) == (0, 100)
    undone = till.reverse_sale(world.ctx, world.till, sold["id"], None)[0]
    assert undone["balances"] == {"points": 0, "status": 0, "pot": 1000}
    assert upkeep.book_faults(world.ctx) == []


def test_what_the_pot_paid_goes_back_to_it_and_no_more_cash_than_was_paid(world: World) -> None:
    holder = world.enrol()
    filled(world, holder, 150)
    sold = sell(world, holder, line(200, quantity=4000), uses=Uses(pot=Pot()))
    assert (sold["to_pay_minor"], sold["balances"]["pot"]) == (50, 0)
    answers: list[Any] = [back(world, sold["id"], Wish(1, quantity_milli=1000)) for _ in range(4)]
    assert [(one["amount_minor"], one["pot_minor"]) for one in answers] == [(50, 0), (50, 50), (50, 50), (50, 50)]
    assert answers[-1]["balances"]["pot"] == 150
    assert upkeep.book_faults(world.ctx) == []


@pytest.mark.parametrize("portions", [(500,), (100, 400), (480, 20), (450, 50)])
def test_money_that_a_reward_paid_out_is_kept_from_a_sale_that_is_taken_back(
    world: World, portions: tuple[int, ...]
) -> None:
    holder = world.enrol()
    goodwill.give(
        world.ctx, world.merchant, holder.member, Given("Sorry", "other", 40, "points"), world.wish("goodwill")
    )
    for times in (1, 2):
        sold = sell(world, holder, line(500), uses=Uses(rewards=("back",)))
        paid = 500 - 100
        for amount in portions:
            returned = Returned(sold["id"], world.number(), amount_minor=amount)
            answer: Any = refunds.refund(world.ctx, world.till, returned, None)[0]
            assert answer["amount_minor"] >= 0
            paid -= answer["amount_minor"]
        cheap = portions[-1] < 100
        units, got = (40 - 20 * times, -100) if cheap else (40, 0)
        assert (answer["balances"]["points"], paid) == (units, got), "the units or the money, never both"
        assert [one["reward"] for one in answer["returned"]] == ([] if cheap else ["back"])
    assert upkeep.book_faults(world.ctx) == []


def test_as_much_money_is_kept_as_was_paid_out_whatever_the_reward_pays_by_now(world: World) -> None:
    holder = world.enrol()
    goodwill.give(
        world.ctx, world.merchant, holder.member, Given("Sorry", "other", 20, "points"), world.wish("goodwill")
    )
    sold = sell(world, holder, line(500), uses=Uses(rewards=("back",)))
    later = _document()
    del later["rewards"]
    programs.publish_version(world.ctx, world.merchant, world.programme, later, world.wish("publish"))
    answer: Any = till.reverse_sale(world.ctx, world.till, sold["id"], None)[0]
    assert (answer["amount_minor"], answer["balances"]["points"]) == (400, 20)


def test_of_what_went_to_the_pot_no_money_can_be_kept(world: World) -> None:
    holder = world.enrol()
    filled(world, holder, 450)
    goodwill.give(
        world.ctx, world.merchant, holder.member, Given("Sorry", "other", 60, "points"), world.wish("goodwill")
    )
    sold = sell(world, holder, line(500), uses=Uses(rewards=("back", "mug"), pot=Pot()))
    assert (sold["pot_minor"], sold["to_pay_minor"]) == (450, 50)
    answer: Any = till.reverse_sale(world.ctx, world.till, sold["id"], None)[0]
    assert (answer["amount_minor"], answer["pot_minor"], answer["balances"]["pot"]) == (500, 450, 450)
    assert ([one["reward"] for one in answer["returned"]], answer["balances"]["points"]) == (["mug"], 40)
    assert upkeep.book_faults(world.ctx) == []


def test_what_a_pot_paid_is_money_where_what_a_sale_used_is_kept(new_database: NewDatabase, tmp_path: Path) -> None:
    own = _document() | {"refunds": {"draws": "keep"}}
    with founded(new_database("sqlite"), tmp_path, document=own) as world:
        holder = world.enrol()
        filled(world, holder, 150)
        mine = voucher(world, holder)
        sold = sell(world, holder, line(1200, quantity=2000), uses=Uses(vouchers=(mine,), pot=Pot()))
        assert (sold["pot_minor"], sold["to_pay_minor"]) == (150, 50)
        answers: list[Any] = [back(world, sold["id"], Wish(1, quantity_milli=1000)) for _ in range(2)]
        assert [(one["amount_minor"], one["pot_minor"]) for one in answers] == [(200, 150), (0, 0)]
        assert answers[-1]["balances"]["pot"] == 150
        with pytest.raises(Conflict) as refusal:
            sell(world, holder, line(3000), uses=Uses(vouchers=(mine,)))
        assert refusal.value.code == "coupon-used", "the voucher is kept"
        assert upkeep.book_faults(world.ctx) == []


def test_a_pot_of_which_some_has_run_out_pays_with_the_rest(world: World) -> None:
    holder = world.enrol()
    filled(world, holder, 100)
    world.clock.forward(days=20)
    filled(world, holder, 50)
    world.clock.forward(days=20)
    sold = sell(world, holder, line(1000), uses=Uses(pot=Pot()))
    assert (sold["pot_minor"], sold["to_pay_minor"]) == (50, 950)


@pytest.mark.parametrize("uses", [Uses(pot=Pot(51)), Uses(rewards=("tea",), pot=Pot(1))])
def test_what_has_run_out_is_promised_in_no_quote_though_it_is_not_booked_yet(
    new_database: NewDatabase, tmp_path: Path, uses: Uses
) -> None:
    tea = {"code": "tea", "names": {"fr": "Thé", "en": "Tea"}, "cost": {"currency": "pot", "amount": 50}}
    with founded(new_database("sqlite"), tmp_path, document=_document() | {"rewards": [tea]}) as world:
        holder = world.enrol()
        filled(world, holder, 100)
        world.clock.forward(days=20)
        filled(world, holder, 50)
        world.clock.forward(days=20)
        wanted = quoting.Wanted(holder.code, (line(1000),), "EUR", uses)
        with pytest.raises(Conflict) as refusal:
            quoting.quote(world.ctx, world.till, wanted)
        left = 0 if uses.rewards else 50
        assert (refusal.value.code, refusal.value.facts["available"]) == ("not-enough", left)
        enough = replace(wanted, uses=replace(uses, rewards=(), pot=Pot(50)))
        assert quoting.quote(world.ctx, world.till, enough).pot_minor == 50


def test_what_was_forgiven_is_not_given_again_with_a_redemption(world: World) -> None:
    holder = world.enrol()
    sold = sell(world, holder, line(10_000))
    spent = world.redeem(holder, 100)
    till.reverse_sale(world.ctx, world.till, sold["id"], None)
    assert till.look_up(world.ctx, world.till, holder.code).balances["points"] == 0
    facts = till.reverse_entry(world.ctx, world.till, spent["id"], None)[0]
    assert facts["balances"]["points"] == 0


def test_a_voucher_that_is_scanned_again_for_the_same_sale_is_the_same_request(world: World) -> None:
    def wish(scanned: str) -> bytes:
        uses = Uses(vouchers=(scanned,))
        sold = till.Sold("CARD*12345678", "r", 100, (line(100),), "EUR", uses=uses)
        return till.ask_to_sell(world.till, sold, None, world.clock()).request_hash

    assert wish("COUPON*12345678") == wish("COUPON*87654321") != wish("OTHER*12345678")


def test_spending_what_a_tier_rests_on_costs_the_tier_at_once(new_database: NewDatabase, tmp_path: Path) -> None:
    base = default_document("Boulangerie")
    cup = {"code": "cup", "names": {"fr": "Tasse", "en": "Cup"}, "cost": {"currency": "points", "amount": 50}}
    own = {**base, "tiers": {**base["tiers"], "currency": "points"}, "rewards": [cup]}
    with founded(new_database("sqlite"), tmp_path, document=own) as world:
        holder = world.enrol()
        assert sell(world, holder, line(32_000))["tier"] == "silver"
        facts = world.redeem(holder, 30)
        assert (facts["tier_before"], facts["tier"], facts["balances"]["points"]) == ("silver", "bronze", 290)
        assert sell(world, holder, line(1_000))["tier"] == "silver"
        assert sell(world, holder, line(50), uses=Uses(rewards=("cup",)))["tier"] == "bronze"
