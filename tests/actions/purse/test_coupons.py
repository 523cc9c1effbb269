"""The welcome coupon: promised in a version, given beside the card, used once whoever asks, taken back, and over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.phone import opened
from tests.world import PASS_TYPE, Holder, World, founded, together
from wallet_server.actions.counter import pairing, till
from wallet_server.actions.keys import authenticate
from wallet_server.actions.operating import upkeep
from wallet_server.actions.passes import devices
from wallet_server.actions.people import enrol, journal, leaving, recovery
from wallet_server.actions.programme import programs
from wallet_server.actions.purse import coupons
from wallet_server.errors import Conflict, NotFound
from wallet_server.records.schema import COUPON_FACTS, coupon_events, metadata, passes
from wallet_server.records.scope import Scope
from wallet_server.rules.programme.program_default import default_document

PROMISE: dict[str, Any] = {
    "title": {"fr": "Un café offert", "en": "A free coffee"},
    "terms": {"fr": "Une fois, en boutique.", "en": "Once, in our shop."},
    "valid_days": 30,
    "value_minor": 250,
}


def promising(**more: Any) -> dict[str, Any]:
    """The default programme, with a coupon for joining."""
    return default_document("Boulangerie") | {"welcome": {"coupon": PROMISE | more}}


@pytest.fixture
def bakery(database_url: str, tmp_path: Path) -> Iterator[World]:
    """A bakery that promises a coffee to whoever joins, once on each database."""
    with founded(database_url, tmp_path, document=promising()) as made:
        yield made


def joined(world: World) -> tuple[Holder, Holder]:
    """A new member as the holder of a card and as that of a coupon."""
    facts = enrol.join(world.ctx, world.join_code, enrol.Joining())
    (coupon,) = facts["coupons"]
    return world.holder(facts["pass"]), world.holder(coupon)


def fetched(world: World, holder: Holder) -> dict[str, Any]:
    got = devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, None)
    assert got.body is not None
    return opened(got.body)


def used(world: World, coupon: Holder, scope: Scope | None = None, key: str | None = None) -> dict[str, Any]:
    wanted = coupons.Using(coupon.code, world.number())
    return coupons.use(world.ctx, scope or world.till, wanted, key)[0]


def seen(world: World, coupon: Holder) -> coupons.Coupon:
    """What the till's look-up of the coupon's code says."""
    holder = till.look_up(world.ctx, world.till, coupon.code)
    assert holder.coupon_pass is not None
    return coupons.shown_by(world.ctx, holder.coupon_pass)


def owed(world: World) -> int:
    """What the bakery owes for its coupons, from the events alone."""
    assert upkeep.book_faults(world.ctx) == []
    with world.ctx.look() as tx:
        return int(tx.execute(sa.select(sa.func.coalesce(sa.func.sum(coupon_events.c.value_minor), 0))).scalar_one())


def paired(world: World) -> Scope:
    (one,) = pairing.tills(world.ctx, world.merchant)
    link = pairing.invite(world.ctx, world.merchant, one.row.public_id).link
    return authenticate(world.ctx, pairing.pair(world.ctx, link.partition("#")[2], "d" * 43, "Phone").key)


def refused(call: Any) -> str:
    with pytest.raises((Conflict, NotFound)) as refusal:
        call()
    return refusal.value.code


def test_a_coupon_is_a_pass_beside_the_card_with_a_code_and_a_life_of_its_own(bakery: World) -> None:
    card, coupon = joined(bakery)
    assert (coupon.member, coupon.serial != card.serial, coupon.code != card.code) == (card.member, True, True)
    shown = fetched(bakery, coupon)
    # Thirty days from a day in Paris: until the end of the thirtieth.
    assert shown["expirationDate"] == "2026-12-18T22:59:59Z"
    assert shown["coupon"]["primaryFields"][0]["value"] == "Un café offert"
    assert shown["barcodes"][0]["message"] == coupon.code
    assert shown["webServiceURL"]
    for holder in (card, coupon):
        devices.register(bakery.ctx, "device", PASS_TYPE, holder.serial, holder.token, "apns", "ab" * 32)
    bakery.work()
    listed = devices.changed_since(bakery.ctx, "device", PASS_TYPE, None)
    assert listed is not None
    assert sorted(listed[0]) == sorted([card.serial, coupon.serial])
    # A sale is of the card alone.
    tag = listed[1]
    bakery.clock.forward(minutes=5)
    bakery.sell(card, 1000)
    bakery.work()
    changed = devices.changed_since(bakery.ctx, "device", PASS_TYPE, tag)
    assert changed is not None
    assert list(changed[0]) == [card.serial]
    assert owed(bakery) == 250
    with bakery.ctx.look() as tx:
        name = journal.card_names(bakery.ctx, tx, [card.member_id])[card.member_id]
    assert card.code.split(".")[3].endswith(name), "a member is known by the card"


def test_the_till_is_told_what_a_coupon_is_and_neither_sells_to_it_nor_takes_a_card_for_one(bakery: World) -> None:
    card, coupon = joined(bakery)
    told = seen(bakery, coupon)
    assert (told.title["en"], told.state, told.value_minor, told.current) == ("A free coffee", "issued", 250, True)
    assert refused(lambda: bakery.sell(coupon, 1000)) == "coupon-code"
    assert refused(lambda: bakery.redeem(coupon, 1)) == "coupon-code"
    assert refused(lambda: used(bakery, card)) == "not-a-coupon"
    assert till.look_up(bakery.ctx, bakery.till, card.code).coupon_pass is None


def test_a_coupon_is_used_once_and_its_phone_is_told_for_good(bakery: World) -> None:
    card, coupon = joined(bakery)
    wanted = coupons.Using(coupon.code, "R-1")
    facts, replayed = coupons.use(bakery.ctx, bakery.till, wanted, "k")
    assert (facts["coupon"]["state"], replayed) == ("used", False)
    for key in ("k", None):
        assert coupons.use(bakery.ctx, bakery.till, wanted, key) == (facts, True)
    assert refused(lambda: used(bakery, coupon)) == "coupon-used"
    assert refused(lambda: used(bakery, coupon, authenticate(bakery.ctx, bakery.second_till()))) == "coupon-used"
    assert refused(lambda: coupons.use(bakery.ctx, bakery.till, replace(wanted, code=card.code), "k")) == "key-reused"
    bakery.work()
    shown = fetched(bakery, coupon)
    assert (shown["voided"], "webServiceURL" in shown) == (True, False)
    assert "voided" not in fetched(bakery, card)
    assert seen(bakery, coupon).state == "used"
    assert owed(bakery) == 0


@pytest.mark.parametrize("same_till", [True, False])
def test_of_many_who_use_a_coupon_at_once_one_has_it(bakery: World, same_till: bool) -> None:
    _, coupon = joined(bakery)
    tills = [bakery.till] * 4 if same_till else [authenticate(bakery.ctx, bakery.second_till()) for _ in range(2)] * 2
    found = together(*[lambda s=s: used(bakery, coupon, s) for s in tills])
    assert sorted(one.code if isinstance(one, Conflict) else "done" for one in found) == [*["coupon-used"] * 3, "done"]
    with bakery.ctx.look() as tx:
        kinds = list(tx.execute(sa.select(coupon_events.c.kind).order_by(coupon_events.c.number)).scalars())
    assert kinds == ["issued", "used"]


def test_a_paired_device_takes_it_back_while_the_phone_listens(bakery: World) -> None:
    _, coupon = joined(bakery)
    device = paired(bakery)
    facts = used(bakery, coupon, device)
    bakery.work()
    greyed = fetched(bakery, coupon)
    assert (greyed["expirationDate"], "voided" in greyed) == ("2026-11-18T12:00:00Z", False)
    assert greyed["webServiceURL"], "it is still told of"
    bakery.clock.forward(minutes=2)
    back, _ = coupons.undo(bakery.ctx, device, facts["id"], "u")
    assert back["coupon"]["state"] == "issued"
    assert coupons.undo(bakery.ctx, device, facts["id"], "u") == (back, True)
    other = authenticate(bakery.ctx, bakery.second_till())
    assert refused(lambda: coupons.undo(bakery.ctx, other, facts["id"], "v")) == "already-reversed"
    bakery.work()
    assert fetched(bakery, coupon)["expirationDate"] == "2026-12-18T22:59:59Z"
    assert owed(bakery) == 250
    # Used again, and left so: two minutes later the phone hears it for good, without anybody's doing.
    again = used(bakery, coupon, device)
    bakery.work()
    bakery.clock.forward(minutes=2, seconds=1)
    bakery.work()
    assert fetched(bakery, coupon)["voided"]
    assert refused(lambda: coupons.undo(bakery.ctx, device, again["id"], "w")) == "undo-over"
    # A till's own key may for good: the phone of the old pass hears nothing more, so a fresh one is issued.
    assert coupons.undo(bakery.ctx, bakery.till, again["id"], "x")[0]["coupon"]["state"] == "issued"
    assert (seen(bakery, coupon).current, seen(bakery, coupon).state) == (False, "issued")
    assert refused(lambda: used(bakery, coupon)) == "coupon-replaced"
    assert used(bakery, newest(bakery, coupon))["coupon"]["state"] == "used"


def test_a_use_that_was_taken_back_is_not_answered_as_if_it_stood(bakery: World) -> None:
    _, coupon = joined(bakery)
    wanted = coupons.Using(coupon.code, "R-1")
    facts, _ = coupons.use(bakery.ctx, bakery.till, wanted, "k")
    coupons.undo(bakery.ctx, bakery.till, facts["id"], None)
    assert refused(lambda: coupons.use(bakery.ctx, bakery.till, wanted, "k")) == "redemption-undone"


def newest(world: World, coupon: Holder) -> Holder:
    """The member's coupon as its newest pass has it."""
    with world.ctx.look() as tx:
        mine = sa.and_(passes.c.member_id == coupon.member_id, passes.c.kind == "coupon")
        query = sa.select(passes.c.public_id).where(mine).order_by(passes.c.id.desc()).limit(1)
        return world.holder(tx.execute(query).scalar_one())


def test_a_coupon_that_has_run_out_is_refused_at_once_and_noted_at_night(bakery: World) -> None:
    _, coupon = joined(bakery)
    upkeep.schedule(bakery.ctx)
    bakery.clock.forward(days=30, hours=10, minutes=59, seconds=59)
    assert seen(bakery, coupon).state == "issued"
    bakery.clock.forward(seconds=1)
    assert seen(bakery, coupon).state == "expired"
    assert refused(lambda: used(bakery, coupon)) == "coupon-expired"
    assert owed(bakery) == 250
    bakery.clock.forward(hours=3)
    bakery.work()
    assert owed(bakery) == 0
    assert fetched(bakery, coupon)["voided"]


def test_a_lost_phones_coupon_goes_with_the_recovered_card(bakery: World) -> None:
    card, coupon = joined(bakery)
    link = bakery.ctx.link("recover", card.pass_public_id).rsplit("/", 1)[1]
    recovery.by_link(bakery.ctx, link, "form of the loser")
    bakery.work()
    assert fetched(bakery, coupon)["voided"]
    assert refused(lambda: used(bakery, coupon)) == "coupon-replaced"
    anew = newest(bakery, coupon)
    assert anew.serial != coupon.serial
    assert used(bakery, anew)["coupon"]["state"] == "used"
    assert owed(bakery) == 0


def test_whoever_leaves_has_no_coupon_any_more(bakery: World) -> None:
    card, coupon = joined(bakery)
    leaving.leave(bakery.ctx, bakery.merchant, card.member)
    bakery.work()
    assert fetched(bakery, coupon)["voided"]
    assert refused(lambda: used(bakery, coupon)) == "revoked-card"
    assert owed(bakery) == 0


def test_a_coupon_is_cancelled_by_itself(bakery: World) -> None:
    card, coupon = joined(bakery)
    leaving.cancel(bakery.ctx, bakery.merchant, card.member, coupon.pass_public_id)
    assert refused(lambda: used(bakery, coupon)) == "coupon-void"
    bakery.sell(card, 1000)
    assert bakery.redeem(card, 10)["balances"]["points"] == 0


def test_the_promise_that_stood_when_somebody_joined_is_kept(bakery: World) -> None:
    _, coupon = joined(bakery)
    later = promising(title={"fr": "Un thé", "en": "A tea"}, valid_days=None)
    wish = bakery.wish("publish", {"document": later})
    programs.publish_version(bakery.ctx, bakery.merchant, bakery.programme, later, wish)
    bakery.work()
    _, newer = joined(bakery)
    assert seen(bakery, coupon).title["en"] == "A free coffee"
    assert (seen(bakery, newer).title["en"], seen(bakery, newer).valid_to) == ("A tea", None)
    assert "expirationDate" not in fetched(bakery, newer)
    assert fetched(bakery, coupon)["coupon"]["primaryFields"][0]["value"] == "Un café offert"


@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
def test_what_became_of_a_coupon_refuses_to_be_edited(bakery: World, verb: str) -> None:
    joined(bakery)
    for name in COUPON_FACTS:
        column = next(iter(metadata.tables[name].columns)).name
        statement = f"DELETE FROM {name}" if verb == "DELETE" else f"UPDATE {name} SET {column} = {column}"
        with pytest.raises(sa.exc.DBAPIError, match="is never changed"), bakery.ctx.change() as tx:
            tx.exec_driver_sql(statement)


def test_the_audit_finds_a_coupon_whose_events_say_something_else(bakery: World) -> None:
    joined(bakery)
    with bakery.ctx.change() as tx:
        tx.exec_driver_sql("UPDATE coupons SET state = 'used'")
    (fault,) = upkeep.book_faults(bakery.ctx)
    assert "used and 0 owed, but by its 1 events of 1 issued and 250" in fault
