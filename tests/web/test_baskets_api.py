"""Baskets over the interface: quotes, and sales that use deals, rewards, vouchers and the pot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase
from tests.world import Holder, World, founded, together
from wallet_server.actions import keys
from wallet_server.actions.counter import scanning
from wallet_server.actions.operating import upkeep
from wallet_server.actions.people import leaving
from wallet_server.actions.purse import coupons as tickets
from wallet_server.records.passes import passes
from wallet_server.records.purse import coupons as coupon_records
from wallet_server.records.schema import (
    coupon_events,
    coupons,
    goodwill_notes,
    ledger_accounts,
    ledger_entries,
    ledger_postings,
    reward_stock,
    sales,
)
from wallet_server.rules.counter import short_codes
from wallet_server.rules.programme.program import default_document

TITLE = {"fr": "Bon de 10 €", "en": "€10 voucher"}
TERMS = {"fr": "Dès 20 € d’achat.", "en": "From €20 on."}
VOUCHER = {"title": TITLE, "terms": TERMS, "valid_days": 90, "value_minor": 1000, "minimum_minor": 2000}


def names(text: str) -> dict[str, str]:
    return {"fr": text, "en": text}


def reward(code: str, amount: int, **more: Any) -> dict[str, Any]:
    return {"code": code, "names": names(code), "cost": {"currency": "points", "amount": amount}, **more}


def catalogue() -> dict[str, Any]:
    document = default_document("Boulangerie")
    noun = {"one": "euro", "other": "euros"}
    document["currencies"].append({"code": "pot", "kind": "money", "names": {"fr": noun, "en": noun}})
    document["earn"].append({"id": "cashback", "currency": "pot", "per": {"amount_minor": 100, "points": 5}})
    document["deals"] = [
        {
            "id": "trio",
            "names": {"fr": "3 baguettes pour le prix de 2", "en": "3 baguettes for the price of 2"},
            "buy_get": {"buy": 2, "get": 1},
            "categories": ["baguette"],
        }
    ]
    document["conversions"] = [{"id": "bon", "currency": "points", "units": 500, "voucher": VOUCHER}]
    document["rewards"] = [
        reward("mug", 10, stock=2),
        reward("daily", 5, limit={"count": 1, "window": "day"}),
        reward("tenth", 20, kind="percent", percent=10),
        reward("euro", 20, kind="amount", value_minor=100),
        reward("coupon", 30, kind="voucher", voucher=VOUCHER),
    ]
    return document


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    with founded(database_url, tmp_path, document=catalogue()) as made:
        yield made


sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


def post(world: World, path: str, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
    sent = world.bearer(world.founded.till_key) | headers
    answer = world.client().post(f"/v1/{path}", json=body, headers=sent)
    return answer.status_code, answer.get_json()


def line(category: str, each: int, quantity: int = 1, **more: Any) -> dict[str, Any]:
    return {"category": category, "unit_amount_minor": each, "quantity": quantity, **more}


def sale(world: World, holder: Holder, lines: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    body = {"code": holder.code, "receipt": world.number(), "currency": "EUR", "lines": lines, **more}
    status, sold = post(world, "sales", body)
    assert status == 200, sold
    return sold


def rows(world: World, query: sa.Select[Any]) -> list[Any]:
    with world.ctx.look() as tx:
        return list(tx.execute(query))


@sqlite
def test_a_quote_says_it_all_and_changes_nothing(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 3000)
    before = rows(world, sa.select(sa.func.count()).select_from(ledger_entries))
    basket = [line("baguette", 120, 2, name="baguette tradition"), line("gâteau", 1500)]
    ask = {"code": holder.code, "currency": "EUR", "lines": basket, "language": "fr"}
    status, told = post(world, "quotes", ask)
    assert (status, told["to_pay_minor"], told["discounts"]) == (200, 1740, [])
    assert [one["amount"] for one in told["earns"] if one["currency"] == "points"] == [17]
    (hint,) = told["hints"]
    assert hint["sentence"] == (
        "Encore un article et il est offert\u00a0: baguette tradition (3 baguettes pour le prix de 2)."
    )
    assert [(one["code"], one["kind"], one["ready"]) for one in told["rewards"]][:2] == [
        ("mug", "product", 2),
        ("daily", "product", 1),
    ]
    status, told = post(world, "quotes", {**ask, "lines": [line("baguette", 120, 3), line("gâteau", 1500)]})
    assert told["discounts"] == [{"line": 1, "by": "deal:trio", "off_minor": 120}]
    assert (told["to_pay_minor"], told["sentence"]) == (1740, "À payer\u00a0: 17,40\u00a0€")
    assert rows(world, sa.select(sa.func.count()).select_from(ledger_entries)) == before
    status, refused = post(world, "quotes", {**ask, "rewards": ["coupon", "coupon"]})
    assert (status, refused["code"]) == (409, "not-enough")


@sqlite
def test_guessing_a_vouchers_number_with_a_quote_is_counted(world: World) -> None:
    holder = world.enrol()
    ask = {"code": holder.code, "currency": "EUR", "lines": [line("gâteau", 3000)]}
    said = [
        post(world, "quotes", {**ask, "vouchers": [short_codes.manual(number)]})[1]["code"]
        for number in range(scanning.WRONG_AT_TILL + 1)
    ]
    assert set(said[:-1]) == {"unknown-card"}
    assert said[-1] == "too-many-codes"
    assert post(world, "quotes", ask)[0] == 200


@sqlite
@pytest.mark.parametrize(
    ("wrong", "refused"),
    [
        ({"amount_minor": 100, "tax_minor": -1_000_000_000}, True),
        ({"amount_minor": 100, "tax_minor": 101}, True),
        ({"unit_amount_minor": 50, "quantity": 2, "tax_minor": 101}, True),
        ({"amount_minor": -100, "tax_minor": 20}, True),
        ({"amount_minor": -100, "tax_minor": -101}, True),
        ({"amount_minor": 100, "tax_minor": 100}, False),
        ({"unit_amount_minor": 50, "quantity": 2, "tax_minor": 17}, False),
        ({"amount_minor": -100, "tax_minor": -17}, False),
    ],
)
def test_a_tax_is_part_of_its_lines_amount(world: World, wrong: dict[str, Any], *, refused: bool) -> None:
    basket = {"code": world.enrol().code, "currency": "EUR", "lines": [{"amount_minor": 500}, wrong]}
    answers = [post(world, "quotes", basket), post(world, "sales", basket | {"receipt": "a"})]
    without = {name: value for name, value in basket.items() if name != "code"}
    answers.append(post(world, "sales", without | {"receipt": "b"}))
    for status, told in answers:
        assert status == 422 if refused else status in (200, 202), told
        assert [one["path"] for one in told.get("faults", [])] == (["lines.1.tax_minor"] if refused else [])


@sqlite
def test_how_often_one_more_was_bought_is_counted(world: World) -> None:
    holder, other = world.enrol(), world.enrol()
    two, three = [line("baguette", 120, 2)], [line("baguette", 120, 3)]
    for one in (holder, other):
        for _ in range(2):
            ask = {"code": one.code, "currency": "EUR", "lines": two}
            assert len(post(world, "quotes", ask)[1]["hints"]) == 1
        sale(world, one, three if one is holder else two, apply_deals=True)
    sale(world, holder, three, apply_deals=True)
    url = f"/v1/programmes/{world.programme}/hints"
    answer = world.client().get(url, headers=world.bearer(world.founded.merchant_key))
    assert [(one["deal"], one["offered"], one["taken"]) for one in answer.get_json()["days"]] == [("trio", 2, 1)]


@sqlite
def test_a_sale_without_a_word_of_it_is_as_ever(world: World) -> None:
    sold = sale(world, world.enrol(), [line("baguette", 100, 3)])
    assert (sold["discounts"], sold["to_pay_minor"], sold["balances"]["points"]) == ([], None, 3)


def test_deals_rewards_and_vouchers_come_off_and_points_are_for_the_rest(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 10000)
    first = post(world, "redemptions", {"code": holder.code, "reward": "coupon", "reference": "a"})[1]
    (voucher,) = first["vouchers"]
    assert first["instructions"] == ["Nothing to hand over: the voucher is on the customer’s card (coupon)."]
    basket = [line("baguette", 100, 3), line("gâteau", 3000)]
    body = {"apply_deals": True, "rewards": ["tenth"], "vouchers": [voucher]}
    sold = sale(world, holder, basket, **body)
    # 3300 less a baguette is 3200; a tenth off is 2880; 10 euros off is 1880.
    assert sold["to_pay_minor"] == 1880
    assert sum(one["off_minor"] for one in sold["discounts"]) == 1420
    assert sold["balances"]["points"] == 100 - 30 - 20 + 18
    assert sold["instructions"] == ["10% is taken off the bill."]
    (kept,) = rows(world, sa.select(sales.c.state, sales.c.amount_minor).where(sales.c.public_id == sold["id"]))
    assert kept.amount_minor == 1880
    assert kept.state["deals"] == [{"id": "trio", "lines": {"1": 100}, "free": {"1": 1}}]
    assert [(one["kind"], one["id"], one["off_minor"]) for one in kept.state["used"]] == [
        ("reward", "tenth", 320),
        ("voucher", voucher, 1000),
    ]
    assert kept.state["rewards_used"] is True
    states = rows(world, sa.select(coupons.c.state, coupons.c.source))
    assert states == [("used", "reward")]
    status, again = post(
        world, "sales", {"code": holder.code, "receipt": "x", "currency": "EUR", "lines": basket, "vouchers": [voucher]}
    )
    assert (status, again["code"]) == (409, "coupon-used")
    assert upkeep.book_faults(world.ctx) == []


@sqlite
def test_a_small_basket_takes_no_voucher_and_a_strangers_is_none(world: World) -> None:
    holder, other = world.enrol(), world.enrol()
    world.sell(holder, 5000)
    made = post(world, "redemptions", {"code": holder.code, "reward": "coupon", "reference": "a"})[1]["vouchers"]
    body = {"receipt": "r", "currency": "EUR", "lines": [line("gâteau", 1999)], "vouchers": made}
    status, refused = post(world, "sales", {**body, "code": holder.code})
    assert (status, refused["code"], refused["minimum_minor"]) == (409, "basket-too-small", 2000)
    status, refused = post(world, "sales", {**body, "code": other.code})
    assert (status, refused["code"]) == (409, "not-a-coupon")


@sqlite
def test_the_pot_pays_and_is_no_discount(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 10000)
    sold = sale(world, holder, [line("gâteau", 2000)], pot={})
    assert (sold["pot_minor"], sold["to_pay_minor"], sold["discounts"]) == (500, 1500, [])
    assert sold["balances"]["pot"] == 100, "five in the hundred of the whole sale"
    assert post(world, "lookups", {"code": holder.code})[1]["sentence"].endswith(" points, €1.00")
    status, refused = post(
        world,
        "sales",
        {"code": holder.code, "receipt": "p", "currency": "EUR", "amount_minor": 900, "pot": {"amount_minor": 101}},
    )
    assert (status, refused["code"], refused["available"]) == (409, "not-enough", 100)


@sqlite
def test_stock_and_limits_are_kept_and_come_back(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 10000)
    given = [post(world, "redemptions", {"code": holder.code, "reward": "mug", "reference": f"m{n}"}) for n in range(3)]
    assert [status for status, _ in given] == [200, 200, 409]
    assert given[2][1]["code"] == "out-of-stock"
    seen = post(world, "lookups", {"code": holder.code})[1]["rewards"][0]
    assert (seen["ready"], seen["stock"]) == (0, 0)
    assert post(world, f"redemptions/{given[0][1]['id']}/reversal", {})[0] == 200
    assert post(world, "redemptions", {"code": holder.code, "reward": "mug", "reference": "m4"})[0] == 200
    assert rows(world, sa.select(reward_stock.c.given)) == [(2,)]

    once = post(world, "redemptions", {"code": holder.code, "reward": "daily", "reference": "d1"})[1]
    status, refused = post(world, "redemptions", {"code": holder.code, "reward": "daily", "reference": "d2"})
    assert (status, refused["code"], refused["until"]) == (409, "limit-reached", "2026-11-18T23:00:00+00:00")
    seen = post(world, "lookups", {"code": holder.code})[1]["rewards"][1]
    assert (seen["ready"], seen["until"]) == (0, "2026-11-18T23:00:00+00:00")
    assert post(world, f"redemptions/{once['id']}/reversal", {})[0] == 200
    assert post(world, "redemptions", {"code": holder.code, "reward": "daily", "reference": "d3"})[0] == 200
    world.clock.forward(days=1)
    assert post(world, "redemptions", {"code": holder.code, "reward": "daily", "reference": "d4"})[0] == 200


@sqlite
def test_a_reward_whose_voucher_was_used_is_not_taken_back(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 10000)
    kept, gone = (
        post(world, "redemptions", {"code": holder.code, "reward": "coupon", "reference": name})[1] for name in "ab"
    )
    sale(world, holder, [line("gâteau", 2000)], vouchers=kept["vouchers"])
    status, refused = post(world, f"redemptions/{kept['id']}/reversal", {})
    assert (status, refused["code"]) == (409, "voucher-used")
    assert post(world, f"redemptions/{gone['id']}/reversal", {})[0] == 200
    assert sorted(one.state for one in rows(world, sa.select(coupons.c.state))) == ["used", "void"]
    assert sum(one.value_minor for one in rows(world, sa.select(coupon_events.c.value_minor))) == 0


@sqlite
def test_512_points_are_one_voucher_and_12(world: World) -> None:
    holder = world.enrol()
    sold = sale(world, holder, [line("gâteau", 51200)])
    assert (sold["balances"]["points"], len(sold["vouchers"])) == (12, 1)
    assert sold["sentence"] == "+512 points, new balance 12, a new voucher is on the card"
    two = sale(world, holder, [line("gâteau", 110000)])
    assert (two["balances"]["points"], len(two["vouchers"])) == (112, 2)
    owed = rows(world, sa.select(sa.func.sum(coupon_events.c.value_minor)))
    assert owed == [(3000,)]
    assert upkeep.book_faults(world.ctx) == []


def test_eight_tills_near_the_threshold_make_exactly_one_voucher(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 49000)
    scopes = [world.till] + [keys.authenticate(world.ctx, world.second_till()) for _ in range(7)]
    sold = together(*(lambda s=scope: world.sell(holder, 1500, scope=s) for scope in scopes))
    assert all(isinstance(one, dict) for one in sold), sold
    assert sum(len(one.get("vouchers", [])) for one in sold) == 1
    assert rows(world, sa.select(coupons.c.source, coupons.c.state)) == [("conversion", "issued")]
    assert post(world, "lookups", {"code": holder.code})[1]["balances"]["points"] == 490 + 8 * 15 - 500


@pytest.mark.slow
def test_of_twenty_buyers_five_have_what_there_are_five_of(
    new_database: NewDatabase, tmp_path: Path, database_kind: str
) -> None:
    document = catalogue()
    document["rewards"] = [reward("mug", 10, stock=5)]
    with founded(new_database(database_kind), tmp_path, document=document) as world:
        holders = [world.enrol() for _ in range(20)]
        for one in holders:
            world.sell(one, 1000)
        world.app  # noqa: B018 - built once, before the threads
        answers: list[Any] = []
        for start in range(0, 20, 10):
            answers += together(*(lambda h=one: _mug(world, h) for one in holders[start : start + 10]))
        assert sorted(answers) == [200] * 5 + [409] * 15
        assert rows(world, sa.select(reward_stock.c.given)) == [(5,)]


def _mug(world: World, holder: Holder) -> int:
    status, told = post(world, "redemptions", {"code": holder.code, "reward": "mug", "reference": holder.member})
    assert status == 200 or told["code"] == "out-of-stock", json.dumps(told)
    return status


def gesture(world: World, holder: Holder, **body: Any) -> tuple[int, dict[str, Any]]:
    sent = world.bearer(world.founded.merchant_key, world.number())
    answer = world.client().post(f"/v1/members/{holder.member}/goodwill", json=body, headers=sent)
    return answer.status_code, answer.get_json()


def shown(world: World, holder: Holder) -> dict[str, Any]:
    """The card as it is published once everything has been told."""
    for _ in range(3):
        world.clock.forward(minutes=10)
        world.work()
    with world.ctx.look() as tx:
        return dict(json.loads(passes.published(tx, [holder.pass_id])[holder.pass_id].card))


@sqlite
def test_a_gesture_is_booked_and_its_reason_is_on_the_card(world: World) -> None:
    holder = world.enrol()
    status, given = gesture(world, holder, reason="livraison en retard", code="delay", amount=200, complaint="T-17")
    assert (status, given["sentence"], given["balances"]["points"]) == (200, "Goodwill gesture, +200 points", 200)
    accounts = sa.select(ledger_postings.c.amount).join(ledger_accounts).where(ledger_accounts.c.purpose == "goodwill")
    assert rows(world, accounts) == [(-200,)]
    (entry,) = rows(world, sa.select(ledger_entries.c.params, ledger_entries.c.reason))
    assert (entry.params, entry.reason) == ({"code": "delay"}, "earn.goodwill"), "the words are not in the books"
    card = shown(world, holder)
    assert card["news"]["text"]["fr"] == "Geste commercial\u00a0: livraison en retard"
    assert upkeep.book_faults(world.ctx) == []
    leaving.leave(world.ctx, world.merchant, holder.member)
    assert rows(world, sa.select(goodwill_notes)) == []


@sqlite
def test_a_gesture_may_be_a_voucher(world: World) -> None:
    holder = world.enrol()
    status, given = gesture(world, holder, reason="produit abîmé", voucher="bon")
    assert (status, given["sentence"]) == (200, "Goodwill gesture, a new voucher is on the card")
    card = shown(world, holder)
    assert card["news"]["text"]["en"] == "Goodwill gesture: produit abîmé"
    backs = {one["key"]: one["text"]["fr"] for one in card["details"]}
    assert backs["vouchers"] == "Bon de 10 €, jusqu’au 16 février 2027"
    sold = sale(world, holder, [line("gâteau", 2500)], vouchers=given["vouchers"])
    assert sold["to_pay_minor"] == 1500
    assert "vouchers" not in {one["key"] for one in shown(world, holder)["details"]}
    assert gesture(world, holder, reason="x", voucher="nothing")[1]["code"] == "unknown-voucher"


@sqlite
def test_a_new_voucher_is_said_on_the_card_and_on_its_back(world: World) -> None:
    holder = world.enrol()
    sale(world, holder, [line("gâteau", 110000)])
    card = shown(world, holder)
    assert card["news"]["text"] == {"fr": "Nouveau bon\u00a0: Bon de 10 €", "en": "New voucher: €10 voucher"}
    backs = {one["key"]: one["text"]["en"] for one in card["details"]}
    assert backs["vouchers"] == "2\u00a0× €10 voucher, until 16 February 2027"
    world.clock.forward(days=7)
    world.work()
    with world.ctx.look() as tx:
        later = json.loads(passes.published(tx, [holder.pass_id])[holder.pass_id].card)
    assert later["news"] is None, "a week later it is on the back alone"
    world.clock.forward(days=90)
    with world.ctx.change() as tx:
        tickets.expire(tx, world.clock())
    world.work()
    with world.ctx.look() as tx:
        over = json.loads(passes.published(tx, [holder.pass_id])[holder.pass_id].card)
    assert "vouchers" not in {one["key"] for one in over["details"]}
    assert sum(one.value_minor for one in rows(world, sa.select(coupon_events.c.value_minor))) == 0


def test_a_sale_that_is_reversed_gives_back_all_that_it_used(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 10000)
    made = post(world, "redemptions", {"code": holder.code, "reward": "coupon", "reference": "a"})[1]["vouchers"]
    before = post(world, "lookups", {"code": holder.code})[1]["balances"]
    body = {"vouchers": made, "rewards": ["mug", "daily"], "pot": {"amount_minor": 300}}
    sold = sale(world, holder, [line("gâteau", 3000)], **body)
    assert (sold["to_pay_minor"], rows(world, sa.select(reward_stock.c.given))) == (1700, [(1,)])
    again = {"code": holder.code, "reward": "daily", "reference": "d"}
    assert post(world, "redemptions", again)[1]["code"] == "limit-reached"
    paid = ledger_entries.c.params["reward"].as_string() == "mug"
    (entry,) = rows(world, sa.select(ledger_entries.c.public_id).where(paid))
    status, refused = post(world, f"redemptions/{entry.public_id}/reversal", {})
    assert (status, refused["code"]) == (409, "not-reversible"), "it comes back with the sale alone"
    assert post(world, f"sales/{sold['id']}/reversal", {})[0] == 200
    after = post(world, "lookups", {"code": holder.code})[1]["balances"]
    assert after == before
    assert rows(world, sa.select(reward_stock.c.given)) == [(0,)]
    assert rows(world, sa.select(coupons.c.state)) == [("issued",)]
    assert post(world, "redemptions", again)[0] == 200
    assert sale(world, holder, [line("gâteau", 3000)], vouchers=made)["to_pay_minor"] == 2000
    assert upkeep.book_faults(world.ctx) == []


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_nobody_earns_by_money_that_was_never_paid(database_url: str, tmp_path: Path) -> None:
    document = default_document("Boulangerie")
    off = {"percent": 20, "minimum_minor": 10_000}
    document["deals"] = [{"id": "large", "names": names("−20 % dès 100 €"), "percent": off}]
    with founded(database_url, tmp_path, document=document) as world:
        holder = world.enrol()
        sold = sale(world, holder, [line("gâteau", 9_995), line("sac", 5)], apply_deals=True)
        assert (sold["to_pay_minor"], sold["balances"]["points"]) == (8_000, 80)
        back = {"reference": world.number(), "lines": [{"number": 2}]}
        status, told = post(world, f"sales/{sold['id']}/refunds", back)
        assert (status, told["amount_minor"], told["left_minor"]) == (200, 0, 8_000), "the deal is not asked back"
        assert (told["entries"], told["balances"]["points"]) == ([], 80), "and gives nothing besides"
        status, told = post(world, f"sales/{sold['id']}/refunds", {"reference": world.number(), "amount_minor": 3_000})
        assert (status, told["left_minor"], told["balances"]["points"]) == (200, 5_000, 50)
        status, told = post(world, f"sales/{sold['id']}/reversal", {})
        assert (status, told["amount_minor"], told["balances"]["points"]) == (200, 5_000, 0)
        assert upkeep.book_faults(world.ctx) == []


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_coupon_that_asks_for_a_basket_is_not_taken_without_one(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 3000)
    status, made = post(world, "redemptions", {"code": holder.code, "reward": "coupon", "reference": world.number()})
    assert status == 200
    with world.ctx.look() as tx:
        made_of = coupon_records.by_public(tx, made["vouchers"][0])
        assert made_of is not None
        shown = passes.passes_by_id(tx, [made_of.pass_id])[0].public_id
    code = world.holder(shown).code
    status, seen = post(world, "lookups", {"code": code})
    assert (status, seen["coupon"]["minimum_minor"]) == (200, 2000)
    use = {"code": code, "reference": world.number()}
    status, refused = post(world, "coupon-uses", use)
    assert (status, refused["code"], refused["minimum_minor"]) == (409, "basket-needed", 2000)
    status, refused = post(world, "coupon-uses", use | {"amount_minor": 1999})
    assert (status, refused["code"], refused["amount_minor"]) == (409, "basket-too-small", 1999)
    status, used = post(world, "coupon-uses", use | {"amount_minor": 2000})
    assert (status, used["coupon"]["state"]) == (200, "used")
