"""What an accountant is told: every way of granting value moves what is owed, nothing can be taken out of the books
unseen, figures of the past stay, and a close proves itself."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import whole_module_mostly_on
from tests.offline_till import OfflineTill
from tests.source import TOP, tree_of
from tests.world import NOON, Holder, World, founded
from wallet_server.actions import keys
from wallet_server.actions.books import accounting, closing, documents
from wallet_server.actions.books.accounting import Question
from wallet_server.actions.context import Context
from wallet_server.actions.counter import refunds, till
from wallet_server.actions.operating import upkeep
from wallet_server.actions.passes import devices
from wallet_server.actions.people import enrol, importing, leaving
from wallet_server.actions.programme import programs
from wallet_server.actions.purse import coupons, engaging, goodwill, vouchers
from wallet_server.errors import Conflict
from wallet_server.records import parties
from wallet_server.records.books import audit
from wallet_server.records.books.book_days import MOMENT
from wallet_server.records.database import Tx
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.rules import sentences
from wallet_server.rules.books.liability import TAKING, WAYS
from wallet_server.rules.programme.program_default import default_document

database_kind = whole_module_mostly_on("sqlite")  # the SQL of the books runs on both in tests/records
MODULES = [
    path for layer in ("actions", "records", "rules") for path in (TOP / "wallet_server" / layer).rglob("*.py")
    if path.name != "reasons.py"
]  # fmt: skip
CODE = re.compile(rf"(?:{'|'.join(sorted({code.partition('.')[0] for code in sentences.reason_codes()}))})\.[a-z_]+")
NO_REASONS = {"hold.capture", "hold.release"}
"""What writes are called that have the same form."""
PROMISE = {
    "title": {"fr": "Un café offert", "en": "A free coffee"},
    "terms": {"fr": "Une fois.", "en": "Once."},
    "valid_days": 30,
    "value_minor": 250,
}

VOUCHER = PROMISE | {"value_minor": 300}


def document() -> dict[str, Any]:
    """Points of half a cent, a gift of points and a coupon for joining."""
    whole = default_document("Boulangerie")
    whole["welcome"] = {"currency": "points", "amount": 40, "coupon": PROMISE}
    points = next(one for one in whole["currencies"] if one["code"] == "points")
    points["worth"] = {"units": 400, "amount_minor": 200}
    small = {"per": {"amount_minor": 100, "points": 1}, "rounding": "down", "when": "basket.amount_minor < 2000"}
    workshop = {"name": "workshop", "units": 50, "names": {"fr": "Un atelier", "en": "A workshop"}}
    whole["earn"] = [
        *whole["earn"],
        {"id": "small", "currency": "points", **small},
        {"id": "workshop", "currency": "points", "event": workshop},
    ]
    whole["conversions"] = [{"id": "bon", "currency": "points", "units": 500, "voucher": VOUCHER}]
    whole["rewards"] = [
        {"code": "bon", "names": {"fr": "un bon", "en": "a voucher"}, "cost": {"currency": "points", "amount": 80},
         "kind": "voucher", "voucher": VOUCHER},
    ]  # fmt: skip
    whole["refunds"] = {"negative": "zero"}
    whole["offline"] = {"burn_units_per_card": 60, "allowance_units": 200}
    return whole


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[World]:
    """A bakery whose points are worth something."""
    with founded(database_url, tmp_path, document=document()) as made:
        yield made


def told(world: World, **question: Any) -> accounting.Report:
    return accounting.report(world.ctx, world.merchant, Question(**question))


def owed(world: World) -> int:
    """All that is owed, in cents."""
    return told(world).liability_minor.get("EUR", 0)


# ---------------------------------------------------------------------- every way of granting value


def _sale(world: World) -> None:
    world.sell(world.enrol(), 10_000)


def _welcome(world: World) -> None:
    holder = world.enrol()
    devices.register(world.ctx, "phone", "pass.test.card", holder.serial, holder.token, "apns", "ab" * 32)


def _gesture(world: World, **given: Any) -> None:
    wanted = goodwill.Given("Sorry for the wait.", "wait", **given)
    goodwill.give(world.ctx, world.merchant, world.enrol().member, wanted, world.wish("goodwill"))


def _goodwill(world: World) -> None:
    _gesture(world, units=30)


def _goodwill_voucher(world: World) -> None:
    _gesture(world, voucher="bon")


def _welcome_coupon(world: World) -> None:
    enrol.join(world.ctx, world.join_code, enrol.Joining())


def _event(world: World) -> None:
    told = engaging.Report("workshop", None, world.enrol().member, None, {}, None)
    engaging.report(world.ctx, world.merchant, told, world.wish("event"))


def _opening(world: World) -> None:
    importing.take_over(
        world.ctx, world.merchant, world.programme, importing.File("old.csv", b"card;points\n7001;25\n", {})
    )
    world.work()


def _returned(world: World, holder: Holder) -> None:
    """9,000 of 10,000 come back: what is left is a small basket, which gives more."""
    sold = world.sell(holder, 10_000)
    refunds.refund(world.ctx, world.till, refunds.Returned(sold["id"], world.number(), (), 9_000), None)


def _refund_that_gives(world: World) -> None:
    _returned(world, world.enrol())


def _forgiven(world: World) -> None:
    holder = world.enrol()
    sold = world.sell(holder, 10_000)
    world.redeem(holder, 90)
    refunds.refund(world.ctx, world.till, refunds.Returned(sold["id"], world.number(), (), 9_000), None)


def _left_owing(world: World) -> None:
    """Whoever leaves owes units, where the programme lets members owe; somebody else stays."""
    for negative in ("debt", "zero"):
        programs.publish_version(
            world.ctx,
            world.merchant,
            world.programme,
            document() | {"refunds": {"negative": negative}},
            world.wish("publish", {"n": world.number()}),
        )
        if negative == "debt":
            holder = world.enrol()
            sold = world.sell(holder, 10_000)
            world.redeem(holder, 90)
            till.reverse_sale(world.ctx, world.till, sold["id"], None)
            leaving.leave(world.ctx, world.merchant, holder.member)
    world.sell(world.enrol(), 1_000)


def _borne(world: World) -> None:
    """More than there was is spent without a network: the shop bears it."""
    holder, device = world.enrol(), OfflineTill(world, world.founded.till_key)
    world.sell(holder, 2000)
    body = {"programme": world.programme, "units": 100}
    allowance = device.call("POST", "/v1/offline/allowances", body)
    device.redeem(holder.code, world.number(), 60, allowance["id"])
    assert device.sync() == ["applied"]
    world.sell(holder, 10_000)


def _conversion(world: World) -> None:
    world.sell(world.enrol(), 50_000)


def _reward(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 10_000)
    wanted = till.Redeemed(holder.code, None, 0, world.number(), "bon")
    till.redeem(world.ctx, world.till, wanted, None)


DOING: dict[str, Callable[[World], None]] = {
    "earn.sale": _sale,
    "earn.welcome": _welcome,
    "earn.goodwill": _goodwill,
    "earn.event": _event,
    "earn.opening": _opening,
    "earn.refund": _refund_that_gives,
    "forgive.refund": _forgiven,
    "forgive.offline": _borne,
    "forgive.left": _left_owing,
    "coupon.welcome": _welcome_coupon,
    "coupon.conversion": _conversion,
    "coupon.reward": _reward,
    "coupon.goodwill": _goodwill_voucher,
}


@pytest.mark.slow
def test_every_way_that_the_product_has_is_known_and_done_here() -> None:
    """A reason that gives, or a source of coupons, that stands anywhere in the product needs a line in
    `rules.books.liability.WAYS` and one in `DOING`."""
    written: set[str] = set()
    sources: set[str] = set()
    for path in MODULES:
        nodes = list(ast.walk(tree_of(path)))
        names = vars(importlib.import_module(".".join(path.relative_to(TOP).with_suffix("").parts)))
        written.update(_codes(nodes, names))
        calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        gifts = [call for call in calls if names.get(call.func.id) is vouchers.Gift]
        sources.update(str(_value(call.args[0], names)) for call in gifts)
        makes = any(call.func.id == "NewCoupon" for call in calls)
        assert makes == (path.stem == "vouchers"), f"{path}: a coupon is made of a gift, which says why"
    assert written == sentences.reason_codes(), "every reason has its sentence, and each sentence an entry"
    giving = {code for code in written if not code.startswith(TAKING)} | {f"coupon.{one}" for one in sources}
    assert giving == WAYS.keys()
    assert WAYS.keys() == DOING.keys()


def _codes(nodes: list[ast.AST], names: dict[str, Any]) -> Iterator[str]:
    """The reasons of entries that a module writes: what it hands over as a `reason`, and every text of that form."""
    for node in nodes:
        match node:
            case ast.Constant(value=str(text)) if CODE.fullmatch(text) and text not in NO_REASONS:
                yield text
            case ast.keyword(arg="reason", value=value):
                if "." in (text := str(_value(value, names))):
                    yield text


def _value(node: ast.expr, names: dict[str, Any]) -> object:
    """What a text or a constant of a module is; nothing where only a call knows it."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names.get(name, "")
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            return getattr(names.get(name), attribute, "")
    return ""


@pytest.mark.parametrize("way", DOING)
def test_every_way_of_granting_value_moves_what_is_owed(shop: World, way: str) -> None:
    before, ways_before = owed(shop), _by_way(shop)
    DOING[way](shop)
    assert owed(shop) > before
    assert _by_way(shop).get(way, 0) > ways_before.get(way, 0)
    for one in told(shop).currencies:
        assert one.told.movement.adds_up
        assert one.told.movement.closing == one.told.outstanding
    assert accounting.trial_balance(shop.ctx, shop.merchant, Question()).even


def _by_way(world: World) -> dict[str, int]:
    """What the report says was given, by way: units by reason, coupons by their source."""
    found: dict[str, int] = {}
    for one in told(world).currencies:
        for reason, units in one.told.movement.granted.items():
            found[reason] = found.get(reason, 0) + units
    for coupon in told(world).coupons:
        for source, amount in coupon.given_minor.items():
            found[f"coupon.{source}"] = found.get(f"coupon.{source}", 0) + amount
    return found


class _RolledBack(Exception):
    pass


@contextmanager
def _unguarded(world: World) -> Iterator[Tx]:
    """The books without their triggers and foreign keys, as they would be for a thief; all is put back at the end."""
    with pytest.raises(_RolledBack), world.ctx.change() as tx:  # noqa: PT012 - the whole test runs inside
        if world.ctx.database.sqlite:
            tx.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            for name in tx.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all():
                tx.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            tx.exec_driver_sql("SET LOCAL session_replication_role = replica")
        yield tx
        raise _RolledBack


@pytest.mark.slow
def test_deleting_any_one_posting_or_event_turns_the_audit_red(shop: World) -> None:
    for way in DOING.values():
        way(shop)
    holder = shop.enrol()
    sold = shop.sell(holder, 20_000)
    shop.redeem(holder, 50)
    till.reverse_sale(shop.ctx, shop.till, sold["id"], None)
    coupon = shop.holder(enrol.join(shop.ctx, shop.join_code, enrol.Joining())["coupons"][0])
    coupons.use(shop.ctx, shop.till, coupons.Using(coupon.code, "c-1"), None)
    with shop.ctx.look() as tx:
        assert list(audit.faults(tx)) == []
        facts = [
            *(f"ledger_postings WHERE entry_id = {r.entry_id} AND account_id = {r.account_id}"
              for r in tx.exec_driver_sql("SELECT entry_id, account_id FROM ledger_postings")),
            *(f"coupon_events WHERE id = {r.id}" for r in tx.exec_driver_sql("SELECT id FROM coupon_events")),
        ]  # fmt: skip
    assert len(facts) > 20
    for one in facts:
        with _unguarded(shop) as tx:
            assert tx.exec_driver_sql(f"DELETE FROM {one}").rowcount == 1
            assert list(audit.faults(tx)) != [], one


# ---------------------------------------------------------------------- what it comes to


def test_a_coupon_of_so_many_percent_is_owed_at_nothing(database_url: str, tmp_path: Path) -> None:
    percent = {name: value for name, value in PROMISE.items() if name != "value_minor"} | {"percent": 20}
    whole = document() | {"welcome": {"coupon": percent}}
    with founded(database_url, tmp_path, document=whole) as world:
        holder = world.holder(enrol.join(world.ctx, world.join_code, enrol.Joining())["coupons"][0])
        (found,) = told(world).coupons
        assert (found.owed_minor, found.good, owed(world)) == (0, 1, 0)
        coupons.use(world.ctx, world.till, coupons.Using(holder.code, "P-1"), None)
        (found,) = told(world).coupons
        assert (found.owed_minor, found.good) == (0, 0)


def test_a_sale_defers_its_share_and_a_redemption_earns_it(shop: World) -> None:
    """10,000 cents paid, 100 points of half a cent each: 10,000 x 50 / 10,050 are deferred; half of them redeemed earns
    half of it, as all are expected while there is no history."""
    holder = shop.enrol()
    shop.sell(holder, 10_000)
    (points,) = told(shop, currency="points").currencies
    assert points.told.money is not None
    assert (points.told.money.allocated_minor, points.told.money.earned_minor) == (50, 0)
    shop.redeem(holder, 50)
    (points,) = told(shop, currency="points").currencies
    assert points.told.money is not None
    assert (points.told.money.allocated_minor, points.told.money.earned_minor) == (50, 25)
    assert points.told.money.deferred_minor == 25


def test_a_reversed_sale_is_as_if_it_had_not_been(shop: World) -> None:
    holder = shop.enrol()
    before = owed(shop)
    sold = shop.sell(holder, 10_000)
    assert owed(shop) == before + 50
    till.reverse_sale(shop.ctx, shop.till, sold["id"], None)
    assert owed(shop) == before


def test_the_past_stays_as_it_was_told(shop: World) -> None:
    holder = shop.enrol()
    for amount in (5_000, 7_000, 9_000):
        shop.sell(holder, amount)
        shop.clock.forward(days=20)
    asked = [NOON + timedelta(days=days) for days in (0, 10, 30, 50)]
    told_then = [documents.document(told(shop, as_of=at)) for at in asked]
    shop.redeem(holder, 100)
    upkeep.schedule(shop.ctx)
    shop.clock.forward(days=1)
    shop.work()
    assert [documents.document(told(shop, as_of=at)) for at in asked] == told_then
    assert told_then[0] != told_then[1] != told_then[2]


def test_a_late_sale_belongs_to_the_day_on_which_it_came(shop: World) -> None:
    holder = shop.enrol()
    shop.clock.forward(days=10)
    shop.sell(holder, 5_000, occurred_at=NOON + timedelta(days=1))
    assert told(shop, as_of=NOON + timedelta(days=5), currency="points").currencies[0].told.outstanding == 0
    assert told(shop, currency="points").currencies[0].told.outstanding == 50


def florist(ctx: Context, baker: Scope) -> Scope:
    """A second merchant of the account, who takes part in the programme; the scope of its till."""
    now, account = ctx.now(), baker.account_id
    with ctx.change() as tx:
        merchant = parties.add_merchant(tx, "mer_fleuriste", account, "Fleuriste", now)
        store = parties.add_store(tx, "sto_florist", merchant, "Fleuriste", "Europe/Paris", None, None, None, now)
        counter = parties.add_till(tx, "till_florist", store, "1", now)
        programmes.join_programme(tx, programmes.programmes_of(tx, baker)[0].id, merchant, now)
        key = keys.make_key(tx, account, merchant, counter, keys.TILL, now)
    return keys.authenticate(ctx, key)


def test_by_merchant_and_for_the_group(shop: World) -> None:
    """What was given is owed by who gave it, wherever it is redeemed; each merchant's own accounts are even."""
    second, holder = florist(shop.ctx, shop.merchant), shop.enrol()
    baker = next(key for key in accounting.merchants(shop.ctx, shop.merchant) if key != "mer_fleuriste")
    shop.sell(holder, 10_000)
    shop.sell(holder, 3_000, scope=second)
    shop.redeem(holder, 120)

    def outstanding(merchant: str | None) -> int:
        return told(shop, merchant=merchant, currency="points").currencies[0].told.outstanding

    assert [outstanding(one) for one in (baker, "mer_fleuriste", None)] == [0, 10, 10]
    assert [one.owed_minor for one in told(shop, merchant=baker).coupons] == [250]
    assert told(shop, merchant="mer_fleuriste").coupons == ()
    for one in (baker, "mer_fleuriste", None):
        trial = accounting.trial_balance(shop.ctx, shop.merchant, Question(merchant=one))
        assert trial.even
        assert trial.lines
    assert accounting.report(shop.ctx, second, Question()).liability_minor == told(shop).liability_minor


# ---------------------------------------------------------------------- closing


def close(world: World, through: date) -> Any:
    return closing.close(world.ctx, world.merchant, through, world.wish("close", {"through": str(through)}))[0]


def test_a_close_freezes_chains_and_proves_itself(shop: World) -> None:
    shop.sell(shop.enrol(), 10_000)
    shop.clock.forward(days=1)
    first = close(shop, NOON.date())
    shop.sell(shop.enrol(), 3_000)
    shop.clock.forward(days=1)
    second = close(shop, NOON.date() + timedelta(days=1))
    found = closing.closed(shop.ctx, shop.merchant)
    assert [one.number for one in found] == [2, 1]
    assert closing.verify(shop.ctx, shop.merchant, first["id"]) == []
    assert closing.verify(shop.ctx, shop.merchant, second["id"]) == []
    opened = found[0].figures["liability"]["currencies"][0]
    assert opened["movement"]["opening"] == found[1].figures["liability"]["currencies"][0]["outstanding"] == 100
    assert opened["amounts"]["opening_liability_minor"] == 50
    with shop.ctx.look() as tx:
        (newest, _) = [one for one in deeds.of_merchant(tx, shop.merchant, 10) if one.what == deeds.CLOSED]
    assert (newest.about, newest.detail) == (second["id"], "2026-11-19")


def test_what_moved_in_a_closed_period_is_said(shop: World) -> None:
    shop.sell(shop.enrol(), 10_000)
    shop.clock.forward(days=1)
    first = close(shop, NOON.date())
    with shop.ctx.database.engine.begin() as tx:
        _drop_triggers(tx, shop, "ledger_entries", "closed_periods")
        late = (NOON + timedelta(days=2)).isoformat(" ").replace("+00:00", ".000000")
        tx.exec_driver_sql(f"UPDATE ledger_entries SET recorded_at = '{late}' WHERE kind = 'earn'")
    said = closing.verify(shop.ctx, shop.merchant, first["id"])
    french = closing.verify(shop.ctx, shop.merchant, first["id"], "fr")
    assert len(french) == len(said)
    assert not set(french) & set(said)
    assert all("clôture" in line for line in french)
    assert any("100 when it was closed, 0 now" in one for one in said)
    with shop.ctx.database.engine.begin() as tx:
        tx.exec_driver_sql("UPDATE closed_periods SET figures = REPLACE(figures, '100', '101')")
    assert "Close 1 does not bear its own hash" in closing.verify(shop.ctx, shop.merchant, first["id"])[0]


def _drop_triggers(tx: sa.Connection, world: World, *tables: str) -> None:
    for table in tables:
        if world.ctx.database.sqlite:
            tx.exec_driver_sql(f"DROP TRIGGER {table}_refuse_update")
        else:
            tx.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")


def test_nothing_comes_into_a_closed_period(shop: World) -> None:
    """A sale of before that comes after the close is told in the open period."""
    holder = shop.enrol()
    shop.clock.forward(days=1)
    first = close(shop, NOON.date())
    shop.sell(holder, 10_000, occurred_at=NOON)
    assert closing.verify(shop.ctx, shop.merchant, first["id"]) == []
    ended = closing.closed(shop.ctx, shop.merchant)[0].ends_at
    assert told(shop, as_of=ended - MOMENT, currency="points").currencies[0].told.outstanding == 0
    assert told(shop, since=ended, currency="points").currencies[0].told.movement.granted == {"earn.sale": 100}


def test_two_who_close_at_once_close_once(shop: World) -> None:
    shop.sell(shop.enrol(), 10_000)
    shop.clock.forward(days=3)
    close(shop, NOON.date() + timedelta(days=1))
    with pytest.raises(Conflict) as refused:
        close(shop, NOON.date())
    assert refused.value.code == "already-closed"
    with pytest.raises(Conflict) as refused:
        close(shop, NOON.date() + timedelta(days=3))
    assert refused.value.code == "period-open"


def test_estimates_are_frozen_with_the_close(shop: World) -> None:
    shop.sell(shop.enrol(), 10_000)
    shop.clock.forward(days=20)
    close(shop, date(2026, 11, 30))
    with shop.ctx.look() as tx:
        rows = tx.exec_driver_sql("SELECT month, why FROM redemption_estimates").all()
    assert {tuple(row) for row in rows} == {("2026-11", "too-few-months")}
