"""Goods that come back: whatever comes back in whatever portions, a sale gives what its remaining lines earn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conftest import NewDatabase
from tests.examples import examples
from tests.world import Holder, World, founded, together
from wallet_server.actions import overview
from wallet_server.actions.counter import refunds, till
from wallet_server.actions.counter.checkout import Pot, Uses
from wallet_server.actions.counter.refunds import Returned
from wallet_server.actions.counter.till import SaleLine
from wallet_server.actions.keys import authenticate
from wallet_server.actions.once import Facts
from wallet_server.actions.operating import upkeep
from wallet_server.actions.programme import programs
from wallet_server.actions.purse import maturing
from wallet_server.errors import Conflict, Invalid
from wallet_server.records.counter import refunds as records
from wallet_server.records.counter import sales
from wallet_server.records.schema import REFUND_FACTS, ledger_entries, metadata
from wallet_server.rules.baskets import refunding
from wallet_server.rules.baskets.refunding import Part, Sale, Wish
from wallet_server.rules.programme.program_default import default_document
from wallet_server.rules.sentences import reason_sentence

EARN = [
    {"id": "euro", "currency": "points", "per": {"amount_minor": 100, "points": 1}, "rounding": "down"},
    {
        "id": "line",
        "currency": "points",
        "per": {"amount_minor": 250, "points": 3},
        "rounding": "half_up",
        "scope": "line",
        "excluded_categories": ["tobacco"],
    },
    {"id": "bread", "currency": "points", "item": {"units": 4, "categories": ["bread"]}},
    {"id": "visit", "currency": "status", "visit": {"units": 10, "minimum_minor": 1500}},
    {
        "id": "small",
        "currency": "status",
        "per": {"amount_minor": 100, "points": 2},
        "when": "basket.amount_minor < 2000",
    },
]
"""The last of them gives more for less."""


def document(negative: str, pending_days: int = 0) -> Mapping[str, Any]:
    plain = default_document("Boulangerie")
    currencies = [
        {**one, "expires_after_months": 1, "pending_days": pending_days if one["code"] == "points" else 0}
        for one in plain["currencies"]
    ]
    return {**plain, "currencies": currencies, "earn": EARN, "refunds": {"negative": negative}}


@pytest.fixture(params=[("debt", 0), ("zero", 0), ("debt", 14)], ids=["debt", "zero", "pending"])
def shop(request: pytest.FixtureRequest, new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path, document=document(*request.param)) as world:
        yield world


@pytest.fixture
def plain(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path, document=document("debt")) as world:
        yield world


def line(amount: int, quantity: int = 1000, category: str | None = None, tax: int = 0) -> SaleLine:
    return SaleLine(None, category, quantity, None, amount, tax, False)


def sell(world: World, holder: Holder, *lines: SaleLine) -> Facts:
    total = sum(one.amount_minor for one in lines)
    return till.sell(world.ctx, world.till, till.Sold(holder.code, world.number(), total, lines, "EUR"), None)[0]


def back(world: World, sale: str, *lines: Wish, amount: int | None = None) -> Facts:
    return refunds.refund(world.ctx, world.till, Returned(sale, world.number(), lines, amount), None)[0]


def stands(world: World, sale: str) -> dict[str, int]:
    """Rule to what the sale was given by it, less what was taken back."""
    with world.ctx.look() as tx:
        given_by: dict[str, int] = {}
        for one in records.given(tx, sales.sale_in(tx, world.till, sale).id):
            given_by[one.rule_id] = given_by.get(one.rule_id, 0) + one.left
    return {rule: units for rule, units in given_by.items() if units}


def as_rated(world: World, sale: str) -> tuple[records.SoldAs, Sale]:
    with world.ctx.look() as tx:
        sold = records.sold_as(tx, sales.sale_in(tx, world.till, sale).id)
        return sold, Sale(world.ctx.programme(tx, sold.version_id), sold.lines, sold.occurred_at, sold.state)


def deserves(world: World, sale: str, came_back: list[Part]) -> dict[str, int]:
    """Rule to what the lines that are left by the answers of the till earn, by the state of the day."""
    sold, rated = as_rated(world, sale)
    rest = refunding.left(rated, came_back)
    with world.ctx.look() as tx:
        return {
            one.rule_id: one.amount for one in world.ctx.rater(tx, sold.version_id).rate(rest.basket, rest.state).awards
        }


LINES = st.lists(
    st.builds(
        line,
        st.integers(0, 2500),
        st.sampled_from([1000, 1000, 2000, 3000, 500]),
        st.sampled_from([None, "bread", "tobacco"]),
        st.integers(0, 20),
    ),
    min_size=1,
    max_size=3,
)
STEPS = st.one_of(
    st.tuples(st.just("pieces"), st.integers(0, 1), st.integers(1, 3), st.sampled_from([500, 1000, 2000])),
    st.tuples(st.just("money"), st.integers(0, 1), st.integers(1, 3), st.integers(1, 900)),
    st.tuples(st.just("line"), st.integers(0, 1), st.integers(1, 3)),
    st.tuples(st.just("amount"), st.integers(0, 1), st.integers(1, 2500)),
    st.tuples(st.just("reverse"), st.integers(0, 1)),
    st.tuples(st.just("spend"), st.integers(1, 40)),
    st.tuples(st.just("wait"), st.sampled_from([1, 15, 20])),
)
SPENT_EXPIRED_AND_BACK = [
    ("spend", 15),
    ("wait", 20),
    ("wait", 15),
    ("money", 0, 1, 400),
    ("amount", 0, 500),
    ("reverse", 0),
    ("reverse", 1),
]
LOAVES = [line(900, 3000, "bread"), line(1250)]


@pytest.mark.slow
@settings(max_examples=examples(14), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@example(LOAVES, [line(2000)], SPENT_EXPIRED_AND_BACK)
@given(LINES, LINES, st.lists(STEPS, min_size=2, max_size=8))
def test_a_sale_gives_what_its_remaining_lines_earn_whatever_came_back_before(
    shop: World, first: list[SaleLine], second: list[SaleLine], steps: list[tuple[Any, ...]]
) -> None:
    assert _play(shop, first, second, steps) == []


def test_the_same_on_postgresql(new_database: NewDatabase, tmp_path: Path) -> None:
    with founded(new_database("postgresql"), tmp_path, document=document("debt", 14)) as world:
        assert _play(world, LOAVES, [line(2000)], SPENT_EXPIRED_AND_BACK) == []


def _play(world: World, first: list[SaleLine], second: list[SaleLine], steps: list[tuple[Any, ...]]) -> list[object]:
    """Take these steps. After which of them a sale does not stand as its remaining lines deserve, and what the books
    say against it in the end."""
    faults: list[object] = []
    holder = world.enrol()
    sold = [sell(world, holder, *lines)["id"] for lines in (first, second)]
    came_back: dict[str, list[Part]] = {sale: [] for sale in sold}
    for step in steps:
        try:
            _step(world, holder, sold, came_back, step)
        except (Conflict, Invalid) as refusal:
            assert refusal.code in ("more-than-sold", "unknown-line", "already-reversed", "not-enough")
        for sale in sold:
            given, deserved = stands(world, sale), deserves(world, sale, came_back[sale])
            if given != deserved:
                faults.append((step, given, deserved))
    return faults + list(upkeep.book_faults(world.ctx))


def _step(
    world: World, holder: Holder, sold: list[str], came_back: dict[str, list[Part]], step: tuple[Any, ...]
) -> None:
    match step:
        case ("spend", amount):
            world.redeem(holder, amount)
            return
        case ("wait", days):
            now = world.clock.forward(days=days)
            with world.ctx.change() as tx:
                maturing.confirm_due(world.ctx, tx, now)
                upkeep.book_expired(world.ctx, tx, now)
            return
        case ("reverse", which):
            till.reverse_sale(world.ctx, world.till, sold[which], None)
            came_back[sold[which]] = list(as_rated(world, sold[which])[0].came_back)
            return
        case ("pieces", which, number, quantity):
            facts = back(world, sold[which], Wish(number, quantity_milli=quantity))
        case ("money", which, number, amount):
            facts = back(world, sold[which], Wish(number, amount_minor=amount))
        case ("line", which, number):
            facts = back(world, sold[which], Wish(number))
        case (_, which, amount):
            facts = back(world, sold[which], amount=amount)
    came_back[sold[which]] += [Part(**part) for part in facts["lines"]]
    held = facts["left_minor"]
    assert held >= 0
    assert held == as_rated(world, sold[which])[0].held_minor == _worth(world, sold[which])


def _worth(world: World, sale: str) -> int:
    """What is left of a sale, at its prices."""
    sold, rated = as_rated(world, sale)
    return refunding.left(rated, sold.came_back).amount_minor


def test_pieces_of_a_line_come_back_one_by_one_to_the_last_cent_and_no_further(plain: World) -> None:
    holder = plain.enrol()
    sale = sell(plain, holder, line(1000, 3000, "bread", tax=100))["id"]
    assert stands(plain, sale) == {"euro": 10, "line": 12, "bread": 12, "small": 20}
    told = [back(plain, sale, Wish(1, quantity_milli=1000)) for _ in range(3)]
    assert [one["amount_minor"] for one in told] == [333, 334, 333]
    assert [one["lines"][0]["tax_minor"] for one in told] == [33, 34, 33]
    assert [one["left_minor"] for one in told] == [667, 333, 0]
    assert told[0]["entries"][0]["reason"] == "reverse.refund"
    assert told[-1]["balances"] == {"points": 0, "status": 0}
    for again in (Wish(1), Wish(1, quantity_milli=1)):
        with pytest.raises(Conflict) as refusal:
            back(plain, sale, again)
        assert refusal.value.code == "already-reversed", "nothing is left, so the sale counts as reversed"


def test_an_amount_is_spread_over_what_is_left_by_largest_remainder(plain: World) -> None:
    sale = sell(plain, plain.enrol(), line(100), line(100), line(100), line(-50))["id"]
    told = back(plain, sale, amount=200)
    assert [(part["number"], part["amount_minor"]) for part in told["lines"]] == [(1, 67), (2, 67), (3, 66)]
    assert {part["quantity_milli"] for part in told["lines"]} == {0}, "the goods stay"
    with pytest.raises(Conflict) as refusal:
        back(plain, sale, amount=51)
    assert (refusal.value.code, refusal.value.facts) == ("more-than-sold", {"left_minor": 50})
    rest = back(plain, sale, amount=50)
    assert [part["amount_minor"] for part in rest["lines"]] == [100, 100, 100, -50], "the goods, at their prices"
    assert rest["left_minor"] == 0


def test_what_a_refund_names_wrongly_is_told_at_once_and_nothing_is_booked(plain: World) -> None:
    sale = sell(plain, plain.enrol(), line(1000, 2000), line(500), line(-300))["id"]
    with pytest.raises(Invalid) as refusal:
        back(plain, sale, Wish(9), Wish(1), Wish(1), Wish(3))
    assert [fault.path for fault in refusal.value.faults] == ["lines.0.number", "lines.2.number", "lines.3.number"]
    for wrong, facts in (
        (Wish(1, quantity_milli=2001), {"line": 1, "left_milli": 2000}),
        (Wish(2, amount_minor=501), {"line": 2, "left_minor": 500}),
    ):
        with pytest.raises(Conflict) as beyond:
            back(plain, sale, wrong)
        assert (beyond.value.code, beyond.value.facts) == ("more-than-sold", facts)
    with pytest.raises(Conflict, match="1200 is left"):
        back(plain, sale, Wish(1), Wish(2))
    assert stands(plain, sale)["euro"] == 12


def test_the_same_refund_sent_again_is_one_and_another_under_its_number_is_refused(plain: World) -> None:
    sale = sell(plain, plain.enrol(), line(1000, 2000))["id"]
    once = Returned(sale, "R-1", (Wish(1, quantity_milli=1000),))
    first, replayed = refunds.refund(plain.ctx, plain.till, once, "k")
    assert not replayed
    for key in ("k", None, "other"):
        assert refunds.refund(plain.ctx, plain.till, once, key) == (first, True)
    with pytest.raises(Conflict) as refusal:
        refunds.refund(plain.ctx, plain.till, Returned(sale, "R-1", (), 300), None)
    assert refusal.value.code == "key-reused"
    plain.clock.forward(days=1)
    assert not refunds.refund(plain.ctx, plain.till, once, None)[1], "a number counts for its business day"


def test_the_figures_of_the_day_are_net_of_what_came_back(plain: World) -> None:
    holder = plain.enrol()
    sale = sell(plain, holder, line(1000, 2000), line(500))["id"]
    back(plain, sale, Wish(1, quantity_milli=1000))
    day = overview.today(plain.ctx, plain.merchant)
    assert (day.sales.sales, day.sales.turnover_minor) == (1, {"EUR": 1000})
    assert day.moved["points"].given == stands(plain, sale)["euro"] + stands(plain, sale)["line"]
    assert day.fortnight[-1][1] == day.sales
    back(plain, sale, amount=1000)
    day = overview.today(plain.ctx, plain.merchant)
    assert (day.sales.sales, day.came) == (0, 0)


def test_what_comes_back_is_told_under_the_version_that_the_sale_was_rated_by(plain: World) -> None:
    sold = sell(plain, plain.enrol(), line(3000))
    assert {entry["version"] for entry in sold["entries"]} == {1}
    document_of_now = {**document("debt"), "earn": [{**EARN[0], "per": {"amount_minor": 100, "points": 2}}]}
    programs.publish_version(plain.ctx, plain.merchant, plain.programme, document_of_now, plain.wish("publish"))
    facts = back(plain, sold["id"], amount=1000)
    assert (facts["version"], {entry["version"] for entry in facts["entries"]}) == (2, {1})
    assert {entry["version"] for entry in sell(plain, plain.enrol(), line(3000))["entries"]} == {2}


def test_the_rest_of_a_sale_is_reversed_once(plain: World) -> None:
    holder = plain.enrol()
    sale = sell(plain, holder, line(1000, 2000), line(500))["id"]
    back(plain, sale, Wish(1, quantity_milli=1000))
    facts, _ = till.reverse_sale(plain.ctx, plain.till, sale, None)
    assert facts["balances"] == {"points": 0, "status": 0}
    other = authenticate(plain.ctx, plain.second_till())
    for again in (lambda: till.reverse_sale(plain.ctx, other, sale, None), lambda: back(plain, sale, amount=1)):
        with pytest.raises(Conflict) as refusal:
            again()
        assert refusal.value.code == "already-reversed"
    assert upkeep.book_faults(plain.ctx) == []


def test_what_was_spent_is_owed_or_the_merchants_loss_as_the_programme_says(shop: World) -> None:
    holder = shop.enrol()
    sale = sell(shop, holder, line(2000))["id"]
    shop.clock.forward(days=15)
    with shop.ctx.look() as tx:
        version = shop.ctx.programme(tx, records.sold_as(tx, sales.sale_in(tx, shop.till, sale).id).version_id)
    with shop.ctx.change() as tx:
        maturing.confirm_due(shop.ctx, tx, shop.clock())
    shop.redeem(holder, 40)
    facts = back(shop, sale, Wish(1))
    loss = [(e["amount"], e["reason"]) for e in facts["entries"] if e["reason"] == "forgive.refund"]
    if version.refunds.negative == "debt":
        assert (facts["balances"]["points"], loss) == (-40, [])
    else:
        assert (facts["balances"]["points"], sum(amount for amount, _ in loss)) == (0, 40)
        lines = {(one.currency, one.purpose): one.amount for one in upkeep.trial_balance(shop.ctx)}
        assert lines["points", "written_off"] == -40
    assert upkeep.book_faults(shop.ctx) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_tills_that_take_the_last_piece_back_at_once_take_it_once(
    new_database: NewDatabase, tmp_path: Path, kind: str
) -> None:
    with founded(new_database(kind), tmp_path) as world:
        sale = sell(world, world.enrol(), line(1000, 2000), line(700))["id"]
        back(world, sale, Wish(1, quantity_milli=1000))
        other = authenticate(world.ctx, world.second_till())
        last = Returned(sale, "R-77", (Wish(1, quantity_milli=1000),))
        found = together(*[lambda s=s: refunds.refund(world.ctx, s, last, None) for s in (world.till, other)])
        assert sorted(getattr(one, "code", "done") for one in found) == ["done", "more-than-sold"]
        assert stands(world, sale) == {"euro": 7, "euro-status": 7}
        assert upkeep.book_faults(world.ctx) == []


def test_deals_are_worked_out_anew_and_a_whole_sale_gives_the_pot_back(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    base = default_document("Boulangerie")
    pot = {"code": "pot", "kind": "money", "names": base["currencies"][0]["names"]}
    deal = {
        "id": "trio",
        "names": {"fr": "3 pour 2", "en": "3 for 2"},
        "buy_get": {"buy": 2, "get": 1},
        "categories": ["bread"],
    }
    earn = [*base["earn"], {"id": "cash", "currency": "pot", "per": {"amount_minor": 100, "points": 5}}]
    own = {**base, "currencies": [*base["currencies"], pot], "earn": earn, "deals": [deal]}
    with founded(new_database("sqlite"), tmp_path, document=own) as world:
        holder = world.enrol()
        sell(world, holder, line(4000))
        uses = Uses(deals=True, pot=Pot(150))
        wanted = till.Sold(holder.code, "r", 300, (line(300, 3000, "bread"),), "EUR", uses=uses)
        sold = till.sell(world.ctx, world.till, wanted, None)[0]
        sale = sold["id"]
        assert (sold["to_pay_minor"], sold["balances"]["pot"]) == (50, 60)
        first = back(world, sale, Wish(1, quantity_milli=1000))
        assert (first["amount_minor"], first["entries"]) == (0, []), "the piece that was free is the one that came back"
        second = back(world, sale, Wish(1, quantity_milli=1000))
        assert (second["amount_minor"], second["pot_minor"], second["left_minor"]) == (100, 50, 100), (
            "50 were paid in cash"
        )
        assert second["balances"]["pot"] == 105
        assert stands(world, sale) == {"euro": 1, "euro-status": 1, "cash": 5}
        last = back(world, sale, Wish(1))
        assert (last["amount_minor"], last["pot_minor"], last["left_minor"]) == (100, 100, 0)
        assert last["balances"] == {"points": 40, "status": 40, "pot": 200}
        with world.ctx.look() as tx:
            said = [reason_sentence(r.reason, r.params, "en") for r in tx.execute(sa.select(ledger_entries))]
        assert len([one for one in said if one.startswith("Given back to the pot, receipt n")]) == 2, said
        assert not [one for one in said if one.startswith("Reward")]
        assert upkeep.book_faults(world.ctx) == []


@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
def test_what_came_back_refuses_to_be_edited(plain: World, verb: str) -> None:
    sale = sell(plain, plain.enrol(), line(1000, 2000))["id"]
    back(plain, sale, Wish(1, quantity_milli=1000))
    for name in REFUND_FACTS:
        table = metadata.tables[name]
        column = next(iter(table.columns)).name
        statement = f"DELETE FROM {name}" if verb == "DELETE" else f"UPDATE {name} SET {column} = {column}"
        with plain.ctx.look() as tx:
            assert tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        with pytest.raises(sa.exc.DBAPIError, match="is never changed"), plain.ctx.change() as tx:
            tx.exec_driver_sql(statement)
