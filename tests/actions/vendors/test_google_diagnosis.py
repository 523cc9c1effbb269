"""What the pass doctor says of a card that Google holds: the cause comes first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.actions.purse.test_coupons import promising
from tests.conftest import NewDatabase
from tests.vendor import ISSUER, add_vendor
from tests.world import Holder, World, founded
from wallet_server.actions.passes import pass_doctor, pushed, saving
from wallet_server.actions.vendors import google_accounts, left_out
from wallet_server.actions.vendors.credentials import Claim
from wallet_server.records import limits
from wallet_server.records.passes import passes
from wallet_server.records.people import members
from wallet_server.records.purse import coupons
from wallet_server.records.vendors import vendors
from wallet_server.records.vendors.vendors import Class, ClassKey
from wallet_server.wallets.google.pushing import PLACES_NOTE
from wallet_server.wallets.port import Later, Refused, Shown


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path) as made:
        yield made


def _saved(world: World) -> tuple[Holder, str]:
    holder = world.enrol()
    link = saving.google_link(world.ctx, holder.pass_public_id)
    assert link is not None
    return holder, saving.save(world.ctx, link.split("/")[-2]).rpartition("/")[2]


def _hear(world: World, serial: str, *, held: bool) -> None:
    with world.ctx.change() as tx:
        row = passes.pass_by_serial(tx, ISSUER, serial)
        assert row is not None
        pushed.hear(world.ctx, tx, row, held, world.clock())


def _codes(world: World, holder: Holder) -> list[str]:
    chart = pass_doctor.examine(world.ctx, world.merchant, holder.member)
    found = next(one for one in chart.cards if any(d.code.startswith("google-") for d in one.diagnoses))
    return [one.code for one in found.diagnoses if one.code != "consent-missing"]


def _sell(world: World, *holders: Holder) -> None:
    world.clock.forward(minutes=1)
    for one in holders:
        world.sell(one, 1000)
    world.work()


def test_saved_removed_silent_and_what_was_left_out(world: World) -> None:
    vendor = add_vendor(world)
    holder, serial = _saved(world)
    assert _codes(world, holder) == ["google-not-saved"]
    _hear(world, serial, held=True)
    assert _codes(world, holder) == ["google-sound"]
    for _ in range(3):
        _sell(world, holder)
    assert _codes(world, holder) == ["google-silent", "google-sound"]
    world.clock.forward(days=2)
    _hear(world, serial, held=False)
    assert _codes(world, holder) == ["google-removed"]
    with world.ctx.change() as tx:
        row = passes.pass_by_serial(tx, ISSUER, serial)
        assert row is not None
        vendors.say(tx, row.id, world.clock(), held=True, note="No places.")
        programme = members.members_by_id(tx, [holder.member_id])[holder.member_id].programme_id
        key = ClassKey(programme, row.credential_set_id, passes.CARD)
        given = vendors.class_of(tx, key)
        vendors.keep_class(tx, key, "google", Class(given.version_id, None, "Rejected: blurred."), world.clock())
    assert _codes(world, holder) == ["google-class-rejected", "google-left-out"]
    assert vendor.objects


def test_the_merchant_is_told_what_newest_cards_and_classes_went_without(world: World) -> None:
    add_vendor(world)
    _, serial = _saved(world)
    assert left_out.told(world.ctx, world.merchant, "en") == []
    with world.ctx.change() as tx:
        row = passes.pass_by_serial(tx, ISSUER, serial)
        assert row is not None
        vendors.say(tx, row.id, world.clock(), held=True, note=PLACES_NOTE)
    (english,), (french,) = (left_out.told(world.ctx, world.merchant, tongue) for tongue in ("en", "fr"))
    assert english == PLACES_NOTE != french
    assert left_out.told(world.ctx, replace(world.merchant, merchant_id=999), "en") == [], "and nobody else"


def _told(world: World, holder: Holder) -> list[str]:
    chart = pass_doctor.examine(world.ctx, world.merchant, holder.member)
    found = next(one for one in chart.cards if any(d.code.startswith("google-") for d in one.diagnoses))
    return [one.code for one in found.timeline if one.code.startswith("published")]


def test_a_version_that_went_silently_is_not_said_to_have_rung(world: World) -> None:
    add_vendor(world)
    holder, serial = _saved(world)
    _hear(world, serial, held=True)
    _sell(world, holder)
    assert _told(world, holder) == ["published-loud"]
    for _ in range(3):
        _sell(world, holder)
    assert _told(world, holder) == ["published"]


def test_what_google_has_against_a_coupon_is_said_of_the_coupon(new_database: NewDatabase, tmp_path: Path) -> None:
    with founded(new_database("sqlite"), tmp_path, document=promising()) as world:
        add_vendor(world)
        holder, serials = _saved(world)
        with world.ctx.change() as tx:
            card, coupon = (passes.pass_by_serial(tx, ISSUER, one) for one in serials.split("."))
            assert card is not None
            assert coupon is not None
            slip = coupons.of_passes(tx, [coupon.id])[coupon.id]
            programme = members.members_by_id(tx, [holder.member_id])[holder.member_id].programme_id
            key = ClassKey(programme, coupon.credential_set_id, pushed.subject_of(slip))
            given = vendors.class_of(tx, key)
            assert given.version_id is not None
            vendors.keep_class(tx, key, "google", Class(given.version_id, None, "Blurred."), world.clock())
        chart = pass_doctor.examine(world.ctx, world.merchant, holder.member)
        said = {one.pass_id: {d.code for d in one.diagnoses} for one in chart.cards}
        assert "google-class-rejected" in said[coupon.public_id]
        assert "google-class-rejected" not in said[card.public_id]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (
            Refused("Google does not let a@b write for issuer 3. Add it under Users in the console."),
            "google-permission",
        ),
        (Refused("Google does not know the service account a@b or its key any more."), "google-account"),
        (Refused("Google Wallet refuses this card: what is this?"), "google-refused"),
        (Later(120, "Google Wallet does not answer (503)."), "google-away"),
    ],
)
def test_what_the_vendor_answered(world: World, answer: Refused | Later, code: str) -> None:
    vendor = add_vendor(world)
    holders = [_saved(world) for _ in range(3)]
    for _, serial in holders:
        _hear(world, serial, held=True)
    vendor.answer = lambda _what: answer
    _sell(world, *(one for one, _ in holders))
    assert _codes(world, holders[0][0])[0] == code
    vendor.answer = lambda _what: Shown()
    world.clock.forward(hours=1)
    world.work()
    with world.ctx.look() as tx:
        assert limits.open_circuits(tx, world.clock()) == {}
    assert _codes(world, holders[0][0]) == ["google-sound"]


def test_an_account_that_is_installed_again_waits_for_nothing(world: World) -> None:
    vendor = add_vendor(world)
    holders = [_saved(world) for _ in range(3)]
    vendor.answer = lambda _what: Refused("Google does not let a@b write for issuer 3.", of_issuer=True)
    _sell(world, *(one for one, _ in holders))
    vendor.answer = lambda _what: Shown()
    vendor.calls.clear()
    world.work()
    assert vendor.calls == [], "it rests"
    (row,) = google_accounts.all_accounts(world.ctx)
    same = google_accounts.ServiceAccount(row.pass_type, row.team, google_accounts.key_of(world.ctx, row))
    google_accounts.install(world.ctx, same, Claim(), afresh=False)
    world.work()
    assert vendor.calls == [], "a start of the server is no reason"
    assert google_accounts.install(world.ctx, same, Claim()).changed is False
    world.work()
    assert sorted(one for _, one in vendor.calls) == sorted(serial for _, serial in holders)
