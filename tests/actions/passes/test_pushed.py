"""Cards that are pushed: there before their link is given, true after every fault, three alerts in a day at most."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.vendor import Vendor, add_vendor
from tests.world import Holder, World, founded
from wallet_server.actions import outbox
from wallet_server.actions.operating import upkeep
from wallet_server.actions.passes import pushed, saving
from wallet_server.actions.people import leaving, recovery
from wallet_server.actions.programme import programs
from wallet_server.errors import NotFound, Unavailable
from wallet_server.records.passes import alerts, passes
from wallet_server.records.vendors import vendors
from wallet_server.rules.programme.program_default import default_document
from wallet_server.wallets.port import Later, Refused, Shown


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path) as made:
        yield made


@pytest.fixture
def vendor(world: World) -> Vendor:
    return add_vendor(world)


def _save(world: World, holder: Holder) -> str:
    """The member asks for the link; the serial that it adds."""
    link = saving.google_link(world.ctx, holder.pass_public_id)
    assert link is not None
    return saving.save(world.ctx, link.split("/")[-2]).rpartition("/")[2]


def _points(vendor: Vendor, serial: str) -> int:
    return vendor.objects[serial].balance.value


def test_the_card_is_there_before_its_link_and_asking_again_makes_no_other(world: World, vendor: Vendor) -> None:
    holder = world.enrol()
    assert vendor.calls == []
    serial = _save(world, holder)
    assert vendor.calls == [("publish", world.programme), ("insert", serial)]
    assert serial != holder.serial
    assert _save(world, holder) == serial
    assert len(vendor.calls) == 2
    other = _save(world, world.enrol())
    assert vendor.calls[2:] == [("insert", other)], "what the cards share was given already"
    template = vendor.classes[world.programme]
    assert (template.issuer_name, template.card.balance.value) == ("Boulangerie", 0)


def test_each_sale_is_one_change_on_every_wallet_and_the_books_are_shown(world: World, vendor: Vendor) -> None:
    holder = world.enrol()
    serial = _save(world, holder)
    world.sell(holder, 1000)
    world.work()
    assert _points(vendor, serial) == 10
    for _ in range(5):
        world.sell(holder, 1000)
    world.work()
    assert _points(vendor, serial) == 10
    world.clock.forward(seconds=30)
    world.work()
    assert _points(vendor, serial) == 60
    assert vendor.calls[2:] == [("patch", serial), ("patch", serial)]


def test_a_sale_that_brought_a_status_while_the_vendor_was_away_is_one_change_afterwards(
    world: World, vendor: Vendor
) -> None:
    serial = _save(world, holder := world.enrol())
    vendor.answer = lambda _what: Later(60, "503")
    world.clock.forward(minutes=2)
    world.sell(holder, 40_000)
    for _ in range(3):
        world.work()
        world.clock.forward(minutes=2)
    vendor.answer = lambda _what: Shown()
    vendor.calls.clear()
    for _ in range(3):
        world.work()
        world.clock.forward(minutes=2)
    tier = vendor.objects[serial].tier
    assert tier is not None
    assert (_points(vendor, serial), tier.code) == (400, "silver")
    assert vendor.calls == [("patch", serial)]


def test_the_alert_of_a_sale_while_the_vendor_was_away_goes_before_news_and_is_not_lost_to_them(
    world: World, vendor: Vendor
) -> None:
    vendor.saved = True
    holder = world.enrol(promotions=True)
    serial = _save(world, holder)
    vendor.answer = lambda _what: Later(60, "503")
    world.clock.forward(minutes=2)
    world.sell(holder, 1000)
    world.work()
    world.clock.forward(minutes=2)
    world.announce("Bonjour @prénom")
    world.work()
    vendor.answer = lambda _what: Shown()
    for _ in range(3):
        world.clock.forward(minutes=2)
        world.work()
    assert vendor.alerts == [(serial, "points"), (serial, "news")]
    assert (_points(vendor, serial), vendor.objects[serial].news is not None) == (10, True)
    world.clock.forward(hours=1)
    world.work()
    assert len(vendor.alerts) == 2


def test_three_alerts_a_day_then_silence_and_news_leave_the_last_to_the_counter(world: World, vendor: Vendor) -> None:
    vendor.saved = True
    holder = world.enrol(promotions=True)
    serial = _save(world, holder)
    world.announce("Un, @prénom")  # word by word on each card: not one message to all
    world.work()
    for _ in range(3):
        world.clock.forward(hours=1)
        world.sell(holder, 1000)
        world.work()
    assert [facet for _, facet in vendor.alerts] == ["news", "points", "points"]
    assert _points(vendor, serial) == 30, "what went silently is true all the same"
    world.clock.forward(hours=23)
    world.sell(holder, 1000)
    world.work()
    assert [facet for _, facet in vendor.alerts] == ["news", "points", "points", "points"]


def test_a_vendor_that_is_away_is_left_alone_and_every_card_is_true_afterwards_with_one_call(
    world: World, vendor: Vendor
) -> None:
    holders = [world.enrol() for _ in range(6)]
    serials = [_save(world, one) for one in holders]
    vendor.calls.clear()
    vendor.answer = lambda _what: Later(600, "503", of_issuer=True)
    for _ in range(3):
        for one in holders:
            world.sell(one, 1000)
        world.work()
        world.clock.forward(minutes=3)
    assert len(vendor.calls) <= len(holders), "after the first answers its circuit is open"
    vendor.answer = lambda _what: Shown()
    vendor.calls.clear()
    world.clock.forward(minutes=10)
    world.work()
    assert sorted(vendor.calls) == sorted(("patch", serial) for serial in serials)
    assert {_points(vendor, serial) for serial in serials} == {30}
    assert outbox.letters(world.ctx, dead=False) == []


def test_an_issuer_that_is_refused_rests_alone(world: World, vendor: Vendor) -> None:
    other = add_vendor(world, Vendor(name="other"), "3388000000033333333")
    holders = [world.enrol() for _ in range(3)]
    serials = [_save(world, one) for one in holders]
    apart = world.enrol()
    link = saving.google_link(world.ctx, apart.pass_public_id)
    assert link is not None
    free = saving.save(world.ctx, link.split("/")[-2], "other").rpartition("/")[2]
    vendor.answer = lambda _what: Refused("permission denied", of_issuer=True)
    for one in (*holders, apart):
        world.sell(one, 1000)
    world.work()
    assert _points(other, free) == 10
    calls = len(vendor.calls)
    world.clock.forward(minutes=5)
    world.sell(holders[0], 1000)
    world.work()
    assert len(vendor.calls) == calls
    vendor.answer = lambda _what: Shown()
    world.clock.forward(minutes=15)
    world.work()
    assert [_points(vendor, serial) for serial in serials] == [20, 10, 10]


def test_what_one_merchant_got_wrong_rests_nobody_elses_cards(world: World, vendor: Vendor) -> None:
    holders = [world.enrol() for _ in range(4)]
    serials = [_save(world, one) for one in holders]
    vendor.answer = lambda _what: Refused("Google Wallet would refuse this card: the address is no link.")
    for one in holders[:3]:
        world.sell(one, 1000)
    world.work()
    vendor.answer = lambda _what: Shown()
    world.sell(holders[3], 1000)
    world.work()
    assert _points(vendor, serials[3]) == 10


def test_a_card_that_the_vendor_never_answers_rests_alone(world: World, vendor: Vendor) -> None:
    holders = [world.enrol() for _ in range(2)]
    serials = [_save(world, one) for one in holders]
    vendor.answer = lambda what: Later(300, "500") if what == serials[0] else Shown()
    world.sell(holders[0], 1000)
    world.work()
    vendor.calls.clear()
    world.sell(holders[1], 1000)
    world.sell(holders[0], 1000)
    world.work()
    assert vendor.calls == [("patch", serials[1])]
    assert _points(vendor, serials[1]) == 10


def test_a_single_card_that_is_refused_stops_no_other(world: World, vendor: Vendor) -> None:
    holders = [world.enrol() for _ in range(4)]
    serials = [_save(world, one) for one in holders]
    vendor.answer = lambda what: Refused("its picture is gone") if what == serials[0] else Shown()
    for one in holders:
        world.sell(one, 1000)
    world.work()
    world.clock.forward(minutes=1)
    world.sell(holders[1], 1000)
    world.work()
    assert [_points(vendor, serial) for serial in serials] == [0, 20, 10, 10]


def test_no_link_is_given_to_what_could_not_be_put_there(world: World, vendor: Vendor) -> None:
    holder = world.enrol()
    vendor.answer = lambda _what: Later(30, "503")
    with pytest.raises(Unavailable):
        _save(world, holder)
    vendor.answer = lambda _what: Shown()
    world.clock.forward(seconds=31)
    assert _save(world, holder) in vendor.objects
    assert saving.google_link(world.ctx, "pass_nobody") is None


def test_a_card_that_is_over_is_void_there_and_its_successor_is_another(world: World, vendor: Vendor) -> None:
    holder = world.enrol()
    serial = _save(world, holder)
    assert not vendor.objects[serial].voided
    facts = recovery.by_link(world.ctx, world.ctx.link("recover", holder.pass_public_id).rpartition("/")[2], "form")
    world.work()
    assert vendor.objects[serial].voided
    assert saving.google_link(world.ctx, holder.pass_public_id) is None
    fresh = world.holder(facts["pass"])
    second = _save(world, fresh)
    assert second != serial
    leaving.leave(world.ctx, world.merchant, fresh.member)
    world.work()
    assert vendor.objects == {}, "whoever leaves leaves nothing there, of older cards either"
    calls = len(vendor.calls)
    world.clock.forward(hours=1)
    world.work()
    assert len(vendor.calls) == calls, "it is told once"


def test_a_new_version_of_the_programme_is_given_once_before_its_cards(world: World, vendor: Vendor) -> None:
    for _ in range(3):
        _save(world, world.enrol())
    vendor.calls.clear()
    later = {**default_document("Boulangerie"), "description": {"fr": "Une carte neuve", "en": "A new card"}}
    programs.publish_version(world.ctx, world.merchant, world.programme, later, world.wish("publish"))
    world.work()
    world.clock.forward(minutes=1)
    world.work()
    assert [what for what, _ in vendor.calls] == ["publish", "patch", "patch", "patch"]


def test_whoever_saved_it_is_known_and_gets_the_gift(world: World, vendor: Vendor) -> None:
    holder = world.enrol()
    serial = _save(world, holder)
    with world.ctx.change() as tx:
        row = passes.pass_by_serial(tx, "3388000000022222222", serial)
        assert row is not None
        pushed.hear(world.ctx, tx, row, True, world.clock())
        assert vendors.held_by(tx, holder.member_id)
        pushed.hear(world.ctx, tx, row, False, world.clock())
        assert not vendors.held_by(tx, holder.member_id)


def test_without_an_issuer_nothing_is_offered(world: World) -> None:
    holder = world.enrol()
    world.ctx.wallets = {**world.ctx.wallets, "google": Vendor()}
    assert saving.google_link(world.ctx, holder.pass_public_id) is None
    token = world.ctx.keyring.sign("download", "x")
    with pytest.raises(NotFound):
        saving.save(world.ctx, token)


def test_alerts_that_count_for_nothing_any_more_are_thrown_away_at_night(
    world: World, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "SLICE", 2)
    holder = world.enrol()
    _save(world, holder)
    with world.ctx.change() as tx:
        alerts.spend(tx, [(holder.pass_id, "points")] * 5, world.clock())
    upkeep.schedule(world.ctx)
    for nights, left in ((1, 5), (2, 0)):
        world.clock.forward(days=nights)
        world.work()
        with world.ctx.look() as tx:
            kept = alerts.spent(tx, [holder.pass_id], world.clock() - timedelta(days=9))
        assert len(kept.get(holder.pass_id, [])) == left
