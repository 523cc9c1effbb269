"""What becomes of webhooks in time: secrets rotate, answers are forgotten, much is replayed in slices, nothing told is
changed, and one merchant's are no other's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook

from tests.conftest import NewDatabase, whole_module_mostly_on
from tests.receiver import Answer, Receiver, receiving
from tests.world import SECRET_KEYS, World, founded
from wallet_server.actions import keys
from wallet_server.actions.once import asked
from wallet_server.actions.operating import upkeep
from wallet_server.actions.programme import programs
from wallet_server.actions.telling import hooks, webhooks
from wallet_server.actions.telling.webhooks import Wanted
from wallet_server.actions.vendors import credentials
from wallet_server.channels.posting import Poster
from wallet_server.errors import Conflict, Invalid, NotFound
from wallet_server.records.envelope import Keyring, new_key_line
from wallet_server.records.programme import programmes
from wallet_server.records.schema import (
    WEBHOOK_FACTS,
    accounts,
    jobs,
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)
from wallet_server.records.telling.deliveries import DEAD

database_kind = whole_module_mostly_on("sqlite")


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    with founded(database_url, tmp_path) as made:
        made.ctx.poster = Poster(sandbox=True)
        made.clock.at = datetime.now(UTC)
        yield made


@pytest.fixture
def shop() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def add(world: World, url: str, *kinds: str) -> dict[str, str]:
    return webhooks.add(world.ctx, world.merchant, url, kinds, world.wish("add-webhook", {"n": world.number()}))[0]


def test_secrets_are_sealed_and_go_under_a_new_key_with_the_others(world: World, shop: Receiver) -> None:
    made = add(world, shop.url, hooks.COUNTED)
    old = made["secret"]
    new, _ = webhooks.sign_anew(world.ctx, world.merchant, made["webhook"], timedelta(days=2), world.wish("a"))
    fresh = new_key_line("k2")
    world.ctx.keyring = Keyring.parse(f"{fresh}\n{SECRET_KEYS}")
    assert credentials.rotate_secrets(world.ctx).damaged == 0
    world.ctx.keyring = Keyring.parse(fresh)  # the old one is gone
    webhooks.send_test(world.ctx, world.merchant, made["webhook"], world.wish("b"))
    world.carried()
    (message,) = shop.messages
    for secret in (old, new["secret"]):
        assert Webhook(secret).verify(message.raw, dict(message.headers))
    with world.ctx.change() as tx:
        tx.execute(sa.text("UPDATE webhook_endpoints SET previous_cipher = 'v1.k9.AAAA'"))
    world.ctx.keyring = Keyring.parse(f"{new_key_line('k3')}\n{fresh}")
    (named,) = credentials.rotate_secrets(world.ctx).named
    assert named.startswith("webhook_endpoints.previous_cipher, row 1")
    assert "of Boulangerie" in named


def test_answers_deliveries_and_what_was_told_are_forgotten_after_ninety_days(world: World, shop: Receiver) -> None:
    shop.answer = lambda _m: Answer(200, "Amélie, 12 rue du Four")
    made, other = add(world, shop.url, hooks.COUNTED), add(world, f"{shop.url}/other", hooks.COUNTED)
    world.sell(world.enrol(), 100)
    world.carried()
    assert len(shop.messages) == 2
    with world.ctx.change() as tx:
        key = sa.select(webhook_endpoints.c.id).where(webhook_endpoints.c.public_id == other["webhook"])
        late = sa.update(webhook_deliveries).where(webhook_deliveries.c.endpoint_id == key.scalar_subquery())
        tx.execute(late.values(settled_at=world.clock() + timedelta(days=5)))
    upkeep.schedule(world.ctx)
    for days, left, told in ((89, 2, 1), (2, 0, 1), (5, 0, 0)):
        world.clock.forward(days=days)
        world.carried()
        with world.ctx.look() as tx:
            assert tx.execute(sa.select(sa.func.count()).select_from(webhook_attempts)).scalar_one() == left
            assert tx.execute(sa.select(sa.func.count()).select_from(webhook_events)).scalar_one() == told
    assert webhooks.sent(world.ctx, world.merchant, made["webhook"]).rows == [], "nor is what was sent and taken"


def test_much_is_replayed_in_slices_and_only_of_its_span(
    world: World, shop: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "SLICE", 2)
    name, holder = add(world, shop.url, hooks.COUNTED)["webhook"], world.enrol()
    world.sell(holder, 100)
    world.carried()
    world.clock.forward(hours=1)
    since = world.clock()
    for _ in range(5):
        world.sell(holder, 100)
    world.carried()
    assert len(shop.messages) == 6
    with world.ctx.change() as tx:
        tx.execute(sa.update(webhook_deliveries).where(webhook_deliveries.c.id > 4).values(state=DEAD))
    world.clock.forward(hours=1)
    webhooks.replay_since(world.ctx, world.merchant, name, since, False, world.wish("dead"))
    world.carried()
    assert sorted(m.id for m in shop.messages[6:]) == sorted(m.id for m in shop.messages[4:6])
    with world.ctx.look() as tx:
        assert not tx.execute(sa.select(jobs.c.key).where(jobs.c.kind == webhooks.REPLAY)).all(), (
            "a slice of nothing ends"
        )
    shop.messages.clear()
    webhooks.replay_since(world.ctx, world.merchant, name, since, True, world.wish("all"))
    world.carried()
    assert len({message.id for message in shop.messages}) == 5 == len(shop.messages)
    first = webhooks.sent(world.ctx, world.merchant, name, most=4)
    rest = webhooks.sent(world.ctx, world.merchant, name, before=first.more, most=4)
    assert (len(first.rows), len(rest.rows), rest.more) == (4, 2, None)


def test_what_was_told_is_never_changed(world: World, shop: Receiver) -> None:
    made = add(world, shop.url)
    webhooks.send_test(world.ctx, world.merchant, made["webhook"], world.wish("a"))
    for table in WEBHOOK_FACTS:
        with pytest.raises(sa.exc.DBAPIError, match="is never changed"), world.ctx.change() as tx:
            tx.exec_driver_sql(f"UPDATE {table} SET kind = 'x'")
        with pytest.raises(sa.exc.IntegrityError), world.ctx.change() as tx:
            tx.exec_driver_sql(f"DELETE FROM {table}")  # nor does it go while it is to be told


def test_each_merchant_has_its_own_and_a_test_account_says_so(world: World, shop: Receiver) -> None:
    mine = add(world, shop.url)["webhook"]
    other = programs.found(world.ctx, "Ailleurs", programs.NewStore("Centre"), test=True)
    stranger = keys.authenticate(world.ctx, other.merchant_key)
    assert webhooks.listed(world.ctx, stranger) == []
    wish = asked(stranger, "webhook", {}, "k-1")
    for act in (
        lambda: webhooks.one(world.ctx, stranger, mine),
        lambda: webhooks.change(world.ctx, stranger, mine, Wanted(enabled=False), wish),
        lambda: webhooks.sign_anew(world.ctx, stranger, mine, timedelta(0), wish),
        lambda: webhooks.send_test(world.ctx, stranger, mine, wish),
        lambda: webhooks.replay_since(world.ctx, stranger, mine, world.clock(), True, wish),
        lambda: webhooks.sent(world.ctx, stranger, mine),
        lambda: webhooks.remove(world.ctx, stranger, mine),
    ):
        with pytest.raises(NotFound):
            act()
    theirs, _ = webhooks.add(world.ctx, stranger, shop.url, [], asked(stranger, "add-webhook", {}, "k-2"))
    webhooks.send_test(world.ctx, stranger, theirs["webhook"], asked(stranger, "test", {}, "k-3"))
    world.sell(world.enrol(), 100)
    world.carried()
    told = {(body["type"], body["mode"]) for body in shop.bodies}
    assert told == {("webhook.test", "test"), ("member.joined", "live"), ("sale.counted", "live")}
    assert {body["merchant"] for body in shop.bodies if body["mode"] == "test"} == {other.merchant}


def test_what_a_merchant_does_is_told_to_it_alone_and_what_concerns_members_to_all(
    world: World, shop: Receiver
) -> None:
    beside = programs.found(world.ctx, "À côté", programs.NewStore("Centre"))
    neighbour = keys.authenticate(world.ctx, beside.merchant_key)
    with world.ctx.change() as tx:
        programmes.join_programme(tx, 1, beside.merchant_id, world.ctx.now())
    add(world, shop.url)
    with receiving() as theirs:
        webhooks.add(world.ctx, neighbour, theirs.url, [], asked(neighbour, "add-webhook", {}, "k-1"))
        world.sell(world.enrol(), 100)
        world.carried()
        assert sorted(shop.kinds()) == ["member.joined", "sale.counted"]
        assert theirs.kinds() == ["member.joined"]


def test_who_wants_too_much_or_nonsense_is_refused(world: World) -> None:
    with pytest.raises(Invalid) as unknown:
        add(world, "https://example.com/", "sale.made")
    assert unknown.value.code == "webhook-event"
    for _ in range(20):
        add(world, "https://example.com/")
    with pytest.raises(Conflict) as many:
        add(world, "https://example.com/")
    assert many.value.code == "too-many-webhooks"


def test_a_webhook_that_is_turned_off_hears_nothing_and_hears_again(world: World, shop: Receiver) -> None:
    name, holder = add(world, shop.url, hooks.COUNTED)["webhook"], world.enrol()
    webhooks.change(world.ctx, world.merchant, name, Wanted(enabled=False), world.wish("off"))
    world.sell(holder, 100)
    webhooks.change(world.ctx, world.merchant, name, Wanted(kinds=[hooks.COUNTED, hooks.TIER]), world.wish("more"))
    webhooks.change(world.ctx, world.merchant, name, Wanted(enabled=True), world.wish("on"))
    sold = world.sell(holder, 200)["id"]
    world.carried()
    assert [body["data"]["id"] for body in shop.bodies] == [sold]
    row = webhooks.one(world.ctx, world.merchant, name)
    assert (row.enabled, row.disabled_why, row.kinds) == (True, None, (hooks.COUNTED, hooks.TIER))


def test_a_change_that_is_undone_is_told_to_nobody(world: World, shop: Receiver) -> None:
    add(world, shop.url)
    ctx = world.ctx

    def half() -> None:
        with ctx.change() as tx:
            hooks.tell(ctx, tx, hooks.COUNTED, 1, world.merchant.merchant_id, ctx.now(), {"id": "sale_1"})
            raise InterruptedError

    with pytest.raises(InterruptedError):
        half()
    world.carried()
    assert shop.messages == []
    with ctx.change() as tx:
        hooks.tell(ctx, tx, hooks.COUNTED, 1, world.merchant.merchant_id + 1, ctx.now(), {"id": "sale_1"})
    world.carried()
    assert shop.messages == [], "and another merchant's sale neither"


def test_one_database_knows_what_the_other_does(new_database: NewDatabase, tmp_path: Path, shop: Receiver) -> None:
    with founded(new_database("postgresql"), tmp_path) as world:
        world.ctx.poster = Poster(sandbox=True)
        world.clock.at = datetime.now(UTC)
        with world.ctx.change() as tx:
            tx.execute(sa.update(accounts).values(mode="test"))
        name = add(world, shop.url)["webhook"]
        shop.answer = lambda _m: Answer(500)
        world.sell(world.enrol(), 150_000)
        world.carried()
        shop.answer = lambda _m: Answer()
        for _ in range(3):
            world.clock.forward(minutes=7)
            world.carried()
        rows = webhooks.sent(world.ctx, world.merchant, name).rows
        assert {row.state for row, _ in rows} == {"delivered"}
        assert {row.kind for row, _ in rows} == {hooks.JOINED, hooks.COUNTED, hooks.TIER}
        assert {body["mode"] for body in shop.bodies} == {"test"}
        webhooks.replay_since(world.ctx, world.merchant, name, world.clock() - timedelta(days=1), True, world.wish("r"))
        before = len(shop.messages)
        world.carried()
        assert len(shop.messages) == before + 3
