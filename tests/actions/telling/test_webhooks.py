"""What happens reaches the addresses that asked for it: once in the end, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from tests.conftest import NewDatabase, whole_module_mostly_on
from tests.examples import examples
from tests.receiver import Answer, Message, Receiver, receiving
from tests.world import World, founded
from wallet_server.actions import outbox
from wallet_server.actions.counter import till
from wallet_server.actions.passes import devices
from wallet_server.actions.purse import coupons, goodwill
from wallet_server.actions.telling import hooks, posting, webhooks
from wallet_server.actions.telling.webhooks import Wanted
from wallet_server.channels.posting import Poster
from wallet_server.errors import Conflict, NotFound
from wallet_server.records.passes import passes
from wallet_server.records.passes.devices import APNS
from wallet_server.records.purse import coupons as coupon_book
from wallet_server.rules import webhooks as rules
from wallet_server.rules.programme.program_default import default_document

database_kind = whole_module_mostly_on("sqlite")


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    with founded(database_url, tmp_path) as made:
        prepare(made)
        yield made


@pytest.fixture
def shop() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def prepare(world: World) -> None:
    """Messages go to this machine, and are signed at a time that their receiver takes for now."""
    world.ctx.poster = Poster(sandbox=True)
    world.clock.at = datetime.now(UTC)


def add(world: World, shop: Receiver, *kinds: str) -> dict[str, Any]:
    facts, _ = webhooks.add(
        world.ctx, world.merchant, shop.url, kinds, world.wish("add-webhook", {"n": world.number()})
    )
    return facts


def states(world: World, webhook: str) -> list[str]:
    return [row.state for row, _ in webhooks.sent(world.ctx, world.merchant, webhook).rows]


def test_what_happens_is_told_signed_and_without_a_name(world: World, shop: Receiver) -> None:
    made = add(world, shop)
    holder = world.enrol(first_name="Amélie", email="amelie@example.org")
    registered = (holder.serial, holder.token)
    assert devices.register(world.ctx, "device-1", "pass.test.card", *registered, APNS, "ab" * 16)
    sale = world.sell(holder, 1_500_00)
    till.reverse_sale(world.ctx, world.till, sale["id"], None)
    devices.unregister(world.ctx, "device-1", "pass.test.card", *registered)
    world.carried()
    told = {one["type"]: one for one in shop.bodies}
    assert set(told) >= {"member.joined", "pass.saved", "sale.counted", "tier.changed", "sale.refunded", "pass.removed"}
    assert told["sale.counted"]["data"]["id"] == sale["id"]
    assert told["sale.counted"]["data"]["amount_minor"] == 1_500_00
    assert told["tier.changed"]["data"]["member"] == holder.member
    for one in shop.bodies:
        assert (one["mode"], one["programme"]) == ("live", world.programme)
    assert told["sale.counted"]["merchant"] == world.founded.merchant
    assert told["member.joined"]["merchant"] is None
    everything = b" ".join(message.raw for message in shop.messages).decode().casefold()
    assert "amélie" not in everything
    assert "amelie" not in everything
    keeper = Webhook(made["secret"])
    for message in shop.messages:
        assert keeper.verify(message.raw, dict(message.headers))
        assert message.id == message.body["id"]
        with pytest.raises(WebhookVerificationError):
            keeper.verify(message.raw + b" ", dict(message.headers))
    assert len({message.id for message in shop.messages}) == len(shop.messages)


def test_rewards_vouchers_and_gestures_are_told_and_what_is_taken_back_of_them(
    database_url: str, tmp_path: Path, shop: Receiver
) -> None:
    words = {"fr": "Un café", "en": "A coffee"}
    bon = {"title": words, "terms": words, "valid_days": 90, "value_minor": 250}
    document = default_document("Boulangerie")
    document["conversions"] = [{"id": "bon", "currency": "points", "units": 500, "voucher": bon}]
    with founded(database_url, tmp_path, document=document) as world:
        prepare(world)
        add(world, shop)
        holder = world.enrol()
        (voucher,) = world.sell(holder, 60_000)["vouchers"]
        spent = world.redeem(holder, 10)["id"]
        till.reverse_entry(world.ctx, world.till, spent, None)
        with world.ctx.look() as tx:
            shown = coupon_book.by_public(tx, voucher)
            assert shown is not None
            (row,) = passes.passes_by_id(tx, [shown.pass_id])
        used, _ = coupons.use(world.ctx, world.till, coupons.Using(world.holder(row.public_id).code, "U"), None)
        coupons.undo(world.ctx, world.till, used["id"], None)
        sorry = goodwill.Given("Late.", "delay", units=5)
        goodwill.give(world.ctx, world.merchant, holder.member, sorry, world.wish("goodwill"))
        world.carried()
        told = {one["type"]: one["data"] for one in shop.bodies}
        assert told["reward.redeemed"]["id"] == told["reward.undone"]["id"] == spent
        assert [one["amount"] for one in told["reward.undone"]["entries"]] == [10]
        assert (told["voucher.issued"]["voucher"], told["voucher.issued"]["source"]) == (voucher, "conversion")
        assert told["voucher.used"]["id"] == told["voucher.undone"]["id"] == used["id"]
        assert told["voucher.undone"]["coupon"]["state"] == "issued"
        assert (told["goodwill.given"]["code"], "Late." in str(told["goodwill.given"])) == ("delay", False)


def statements(world: World, act: Any) -> int:
    """How many statements this costs."""
    counted: list[str] = []

    def count(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        counted.append(statement)

    engine = world.ctx.database.engine
    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        act()
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
    assert counted
    return len(counted)


def test_a_sale_that_nobody_is_told_of_costs_no_statement_more(
    world: World, shop: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = world.enrol()
    world.sell(holder, 100)
    with monkeypatch.context() as dumb:
        dumb.setattr(hooks, "tell", lambda *_: None)
        alone = statements(world, lambda: world.sell(holder, 100))
    assert statements(world, lambda: world.sell(holder, 100)) == alone
    add(world, shop, "member.joined")
    world.sell(holder, 100)  # somebody changed: one look
    assert statements(world, lambda: world.sell(holder, 100)) == alone
    add(world, shop, "sale.counted")
    world.sell(holder, 100)
    assert statements(world, lambda: world.sell(holder, 100)) > alone


def test_another_process_hears_of_an_address_within_the_time_that_is_promised(
    world: World, shop: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = world.enrol()
    made = add(world, shop, "sale.counted")
    now = [1000.0]
    monkeypatch.setattr("wallet_server.actions.telling.listeners.time.monotonic", lambda: now[0])
    other = type(world.ctx.listeners)()
    with world.ctx.look() as tx:
        assert other.wanting(tx, "sale.counted", None, None)
    webhooks.remove(world.ctx, world.merchant, made["webhook"])
    again = add(world, shop, "tier.changed")
    with world.ctx.look() as tx:
        assert other.wanting(tx, "sale.counted", None, None), "it has not looked since"
        now[0] += 3.0
        assert not other.wanting(tx, "sale.counted", None, None)
        assert other.wanting(tx, "tier.changed", None, None)
    world.sell(holder, 100)
    assert states(world, again["webhook"]) == []


def test_two_secrets_sign_while_one_takes_the_place_of_the_other(world: World, shop: Receiver) -> None:
    old = add(world, shop, "sale.counted")
    name, holder = old["webhook"], world.enrol()
    new, _ = webhooks.sign_anew(world.ctx, world.merchant, name, timedelta(hours=1), world.wish("a"))
    world.sell(holder, 100)
    world.carried()
    for secret in (old["secret"], new["secret"]):
        assert Webhook(secret).verify(shop.messages[0].raw, dict(shop.messages[0].headers))
    again, replayed = webhooks.sign_anew(world.ctx, world.merchant, name, timedelta(0), world.wish("b"))
    assert (replayed, again["previous_until"]) == (False, None)
    world.sell(holder, 100)
    world.carried()
    last = shop.messages[-1]
    assert " " not in last.headers["webhook-signature"]
    assert Webhook(again["secret"]).verify(last.raw, dict(last.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(new["secret"]).verify(last.raw, dict(last.headers))


def test_who_sold_is_told_and_a_stranger_is_not(world: World, shop: Receiver) -> None:
    add(world, shop, "sale.counted")
    with pytest.raises(NotFound):
        webhooks.one(world.ctx, world.merchant, "whk_nobodysnobodysnobody")
    holder = world.enrol()
    world.sell(holder, 100)
    world.carried()
    assert shop.kinds() == ["sale.counted"], "and nothing that it did not ask for"


def test_it_is_tried_again_for_days_and_then_left_to_a_replay(world: World, shop: Receiver) -> None:
    name = add(world, shop, "sale.counted")["webhook"]
    shop.answer = lambda _m: Answer(500, "no " * 400)
    world.sell(world.enrol(), 100)
    begun = world.clock()
    for _ in range(60):
        world.carried()
        due = outbox.next_due(world.ctx)
        if states(world, name) == ["dead"] or due is None:
            break
        world.clock.at = max(due, world.clock.at)
    ((row, tries),) = webhooks.sent(world.ctx, world.merchant, name, state="dead").rows
    assert row.attempts == len(rules.PAUSES) + 1 == len(shop.messages)
    assert timedelta(days=3) < world.clock() - begun < timedelta(days=5)
    assert (tries[-1].status, len(tries[-1].answer or "")) == (500, 500)
    assert len({message.id for message in shop.messages}) == 1
    shop.answer = lambda _m: Answer()
    webhooks.replay_one(world.ctx, world.merchant, name, row.public_id, world.wish("replay"))
    world.clock.forward(minutes=20)
    world.carried()
    assert states(world, name) == ["delivered"]
    assert shop.messages[-1].id == shop.messages[0].id


def test_an_address_that_takes_nothing_for_days_is_turned_off_and_told_of(world: World, shop: Receiver) -> None:
    name, holder = add(world, shop, "sale.counted")["webhook"], world.enrol()
    shop.answer = lambda _m: Answer(503)
    for _ in range(7):
        world.sell(holder, 100)
        world.carried()
        world.clock.forward(days=1)
    world.carried()
    row = webhooks.one(world.ctx, world.merchant, name)
    assert (row.enabled, row.disabled_why) == (False, posting.FAILING)
    before = len(shop.messages)
    world.sell(holder, 100)
    world.clock.forward(days=2)
    world.carried()
    assert len(shop.messages) == before
    assert set(states(world, name)) == {"dead"}
    with pytest.raises(Conflict):
        webhooks.send_test(world.ctx, world.merchant, name, world.wish("test"))
    shop.answer = lambda _m: Answer()
    webhooks.change(world.ctx, world.merchant, name, Wanted(enabled=True), world.wish("on"))
    webhooks.replay_since(world.ctx, world.merchant, name, world.clock() - timedelta(days=30), False, world.wish("all"))
    world.carried()
    assert set(states(world, name)) == {"delivered"}


def test_gone_is_gone_and_later_is_later(world: World, shop: Receiver) -> None:
    name, holder = add(world, shop, "sale.counted")["webhook"], world.enrol()
    shop.answer = lambda _m: Answer(429, headers={"Retry-After": "3600"})
    world.sell(holder, 100)
    world.carried()
    world.sell(holder, 200)
    world.clock.forward(minutes=50)
    world.carried()
    assert len(shop.messages) == 1, "it asked for an hour, for everything"
    world.clock.forward(minutes=11)
    shop.answer = lambda _m: Answer(410)
    world.carried()
    row = webhooks.one(world.ctx, world.merchant, name)
    assert (row.enabled, row.disabled_why, len(shop.messages)) == (False, posting.GONE, 2)


def test_a_message_that_was_sent_and_not_settled_goes_again_under_its_id(world: World, shop: Receiver) -> None:
    name = add(world, shop, "sale.counted")["webhook"]
    world.sell(world.enrol(), 100)
    real = posting._conclude
    with pytest.MonkeyPatch.context() as plug:
        plug.setattr(posting, "_conclude", lambda *_: (_ for _ in ()).throw(SystemExit))  # the process ends here
        plug.setattr("threading.excepthook", lambda _args: None)
        world.work()
        assert world.ctx.couriers.wait(10)
    assert real is posting._conclude
    assert states(world, name) == ["waiting"]
    assert len(shop.messages) == 1
    outbox.take_over(world.ctx)
    world.carried()
    assert states(world, name) == ["delivered"]
    assert [message.id for message in shop.messages] == [shop.messages[0].id] * 2


@pytest.mark.slow
def test_a_slow_address_holds_up_nobody_else(world: World, shop: Receiver) -> None:
    with receiving() as slow:
        slow.answer = lambda _m: Answer(seconds=1.5)
        name = add(world, slow, "sale.counted")["webhook"]
        add(world, shop, "sale.counted")
        holder = world.enrol()
        begun = datetime.now(UTC)
        world.sell(holder, 100)
        world.work()
        while not shop.messages:
            assert datetime.now(UTC) - begun < timedelta(seconds=1.4)
        assert states(world, name) == ["waiting"]
        assert world.ctx.couriers.wait(20)


FAULTS = st.sampled_from([200, 204, 301, 400, 404, 429, 500, 503, 0])


def test_whatever_fails_each_event_arrives_and_no_other(new_database: NewDatabase, tmp_path: Path) -> None:
    with founded(new_database("sqlite"), tmp_path) as world, receiving() as shop:
        prepare(world)
        name, holder = add(world, shop, "sale.counted")["webhook"], world.enrol()

        @settings(max_examples=examples(6), deadline=None)
        @given(st.lists(FAULTS, max_size=8), st.integers(1, 3))
        def fail(faults: list[int], sales: int) -> None:
            coming, taken = iter(faults), list[Message]()
            shop.messages.clear()

            def answer(message: Message) -> Answer:
                status = next(coming, 200)
                if 200 <= status < 300:
                    taken.append(message)
                return Answer(status) if status else Answer(500, headers={"Content-Length": "x"})

            shop.answer = answer
            told = [world.sell(holder, 100)["id"] for _ in range(sales)]
            for _ in range(30):
                world.carried()
                if "waiting" not in states(world, name)[:sales]:
                    break
                world.clock.at = max(outbox.next_due(world.ctx) or world.clock.at, world.clock.at)
            assert sorted(message.body["data"]["id"] for message in taken) == sorted(told)
            assert len({message.id for message in taken}) == sales
            assert {message.body["data"]["id"] for message in shop.messages} == set(told)

        fail()
