"""For each cause that the pass doctor knows: where it really is so, its diagnosis comes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.actions.ailments import AILMENTS
from tests.actions.ward import Ward, examined
from tests.phone import Phone
from tests.world import PASS_TYPE, World
from wallet_server.actions import keys
from wallet_server.actions.passes import devices, pass_doctor
from wallet_server.actions.programme import clock, programs
from wallet_server.actions.programme.programs import NewStore, found
from wallet_server.actions.vendors import certificate_days
from wallet_server.errors import NotFound
from wallet_server.records import jobs
from wallet_server.records.schema import accounts, codes, credential_sets, passes, publications
from wallet_server.records.schema import jobs as job_table
from wallet_server.rules.passes.diagnosis import LEVELS


@pytest.mark.slow
@pytest.mark.parametrize("code", AILMENTS)
def test_each_cause_comes_first_where_it_is_so(ward: Ward, code: str) -> None:
    holder = AILMENTS[code](ward)
    found = examined(ward.world, holder).diagnoses
    codes = [one.code for one in found]
    assert code in codes
    mine = found[codes.index(code)]
    if mine.level == "hint" and found[0].level == "ok":
        found = tuple(one for one in found if one.subject == mine.subject and one.level == "hint")
    assert found[0].code == code, codes
    levels = [LEVELS.index(one.level) for one in found]
    assert levels == sorted(levels), "the worst first"


def test_after_a_restore_no_phone_is_taken_to_hold_what_the_backup_says(ward: Ward) -> None:
    world, phone = ward.world, ward.sold(ward.held())
    assert examined(world, phone.holder).diagnoses[0].code == "sound"
    world.clock.forward(minutes=1)
    programs.tell_every_phone(world.ctx)
    assert examined(world, phone.holder).diagnoses[0].code != "sound", "it may show what came after the backup"
    world.work()
    assert examined(world, phone.holder).diagnoses[0].code == "just-pushed"
    world.clock.forward(minutes=10)
    assert examined(world, phone.holder).diagnoses[0].code == "pushed-not-fetched"
    assert phone.ask() == [phone.holder.serial]
    got = devices.fetch(world.ctx, PASS_TYPE, phone.holder.serial, phone.holder.token, phone.modified)
    assert got.body is None
    assert examined(world, phone.holder).diagnoses[0].code == "sound"


def test_a_phone_that_was_forgotten_and_came_back_is_named_no_more(ward: Ward) -> None:
    phone = ward.held()
    other = ward.phone(phone.holder)
    ward.refuse(410, "Unregistered", other, timestamp=ward.world.clock())
    ward.sold(phone)
    ward.apns.tell(None)
    assert examined(ward.world, phone.holder).diagnoses[0].code == "another-forgotten"
    ward.world.clock.forward(minutes=1)
    other.add()
    assert "another-forgotten" not in [one.code for one in examined(ward.world, phone.holder).diagnoses]


@pytest.mark.parametrize(("kind", "code"), [("refresh", "publishing"), ("ring", "about-to-ring")])
def test_what_a_worker_has_in_hand_for_long_is_not_called_done(ward: Ward, kind: str, code: str) -> None:
    world, phone = ward.world, ward.sold(ward.held())
    mine = (job_table.c.kind == kind) & (job_table.c.key == str(phone.holder.pass_id))
    if kind == "refresh":
        world.clock.forward(minutes=1)
        world.sell(phone.holder, 1000)
    else:
        ward.sold(phone, pulled=False)
        ward.alter(publications, publications.c.pass_id == phone.holder.pass_id, rung=0)
        with ward.books() as tx:
            jobs.put(tx, [jobs.Put("ring", str(phone.holder.pass_id), jobs.BULK, world.clock())])
    world.clock.forward(minutes=10)
    ward.alter(job_table, mine, leased_until=jobs.micros(world.clock() + timedelta(seconds=30)))
    assert [one.code for one in examined(world, phone.holder).diagnoses if one.subject == "update"] == [code]


@pytest.mark.parametrize("secret", ["certificate", "code", "recovery"])
def test_whatever_secret_does_not_open_no_phone_is_blamed(ward: Ward, secret: str) -> None:
    world, phone = ward.world, ward.sold(ward.held())
    assert examined(world, phone.holder).diagnoses[0].code == "sound"
    key = phone.holder.pass_id
    table, mine, column = {
        "certificate": (credential_sets, credential_sets.c.id == world.credential_set, "key_cipher"),
        "code": (codes, codes.c.pass_id == key, "cipher"),
        "recovery": (codes, codes.c.kind == "recovery", "cipher"),
    }[secret]
    with ward.books() as tx:
        if secret == "recovery":
            member = tx.execute(sa.select(passes.c.member_id).where(passes.c.id == key)).scalar_one()
            mine &= codes.c.member_id == member
        before = tx.execute(sa.select(table.c[column]).where(mine)).scalar_one()
    ward.alter(table, mine, **{column: "v1.gone." + before.rpartition(".")[2]})
    try:
        found = examined(world, phone.holder).diagnoses
        ward.sold(phone, pulled=False)
        later = examined(world, phone.holder).diagnoses
    finally:
        ward.alter(table, mine, **{column: before})
    assert found[0].code == "secrets-unopened"
    assert "'gone'" in str(found[0].facts["why"])
    assert [one.code for one in later if one.subject == "update"] == ["secrets-unopened"]


def test_the_address_that_no_phone_reaches_comes_before_the_phone_that_never_came(ward: Ward) -> None:
    world = ward.world
    holder = world.enrol()
    assert examined(world, holder).diagnoses[0].code == "never-registered"
    before = world.ctx.settings
    world.ctx.settings = replace(
        before,
        environment="production",
        base_url="http://localhost",
        apns_url="https://api.push.apple.com",
        apns_ca=None,
    )
    try:
        codes = [one.code for one in examined(world, holder).diagnoses]
    finally:
        world.ctx.settings = before
    assert codes[:2] == ["address-unreachable", "never-registered"]


def test_a_second_phone_and_an_android_app_are_named(ward: Ward) -> None:
    phone = ward.held()
    ward.phone(phone.holder, "androidpass")
    ward.sold(phone)
    codes = [one.code for one in examined(ward.world, phone.holder).diagnoses]
    assert codes[0] == "sound"
    assert {"several-phones", "android-too"} <= set(codes)


def test_the_time_line_goes_from_the_making_to_what_is_still_to_come(ward: Ward) -> None:
    phone = ward.sold(ward.held(promotions=True), 35_000)
    line = examined(ward.world, phone.holder).timeline
    assert [one.at for one in line] == sorted(one.at for one in line)
    codes = [one.code for one in line]
    assert codes[0] == "made"
    assert {"agreed", "registered", "published-loud", "pushed", "fetched", "next-version"} <= set(codes)
    assert codes[-1] == "next-version"
    assert line[-1].at > ward.world.clock()


def test_a_line_of_another_phone_is_not_read_into_this_card(ward: Ward) -> None:
    mine, other = ward.sold(ward.held()), ward.sold(ward.held())
    devices.log(ward.world.ctx, [f"Update requested for unregistered serial number '{other.holder.serial}'."] * 3)
    found = examined(ward.world, other.holder).diagnoses
    assert next(one for one in found if one.code == "phone-unregistered-serial").facts["times"] == 3
    assert not [one for one in examined(ward.world, mine.holder).diagnoses if one.subject == "phone"]


def test_nothing_is_told_of_other_cards_of_the_phone_and_no_secret_of_anybody(world: World) -> None:
    library = "devicelibrary-0123456789"
    mine, theirs = world.enrol(), world.enrol()
    phone = Phone(world, mine, library).add()
    Phone(world, theirs, library).add()
    Phone(world, theirs, "strange1", "cd" * 32).add()
    said = "with web service url https://cards.example/apple) encountered error: Unexpected response code"
    kind = f"pass type {PASS_TYPE}"
    devices.log(
        world.ctx,
        [
            f"[2026-11-18] Get pass task (for device {library}, {kind}, serial number {theirs.serial}; {said} 501",
            f"Register task (for device {library}, {kind}, serial number 0123; {said} 502",
            f"Seen on {library}: {theirs.serial} {said} 503",
            f"Get serial #s task (device {library}, {kind}, last updated (null); {said} 504",
            f"Register task (for device {library}, {kind}, serial number {mine.serial}; {said} 505",
            f"Get pass task ({kind}, serial number {mine.serial}, if-modified-since (null); {said} 506",
            f"{mine.serial} by {theirs.serial}, serial number 0123, strange1: {phone.token}, ApplePass {mine.token}",
            f"GET /apple/v1/devices/{library}/registrations/{PASS_TYPE} for {mine.serial}, ApplePass short {said} 507",
        ],
    )
    for chart in (
        pass_doctor.examine(world.ctx, world.merchant, mine.member),
        pass_doctor.examine_any(world.ctx, mine.pass_public_id),
    ):
        shown = [str(one.facts["line"]) for one in chart.cards[0].timeline if one.code == "said"]
        assert len(shown) == 5
        assert f"Get serial #s task (device …, {kind}, last updated (null); {said} 504" in shown
        assert f"Register task (for device …, {kind}, serial number {mine.serial}; {said} 505" in shown
        assert f"Get pass task ({kind}, serial number {mine.serial}, if-modified-since (null); {said} 506" in shown
        assert f"{mine.serial} by …, serial number …, …: …, ApplePass …" in shown
        assert f"GET /apple/v1/devices/…/registrations/{PASS_TYPE} for {mine.serial}, ApplePass … {said} 507" in shown
        text = repr(chart)
        assert mine.serial in text
        for secret in (library, theirs.serial, "strange1", mine.token, theirs.token, phone.token, "0123;"):
            assert secret not in text


def test_the_clock_of_a_test_account_ends_no_certificate_and_no_phone_is_late_by_it(world: World) -> None:
    with world.ctx.change() as tx:
        tx.execute(sa.update(accounts).values(mode="test"))
    holder = world.enrol()
    phone = Phone(world, holder).add()
    scope = keys.authenticate(world.ctx, world.founded.merchant_key)
    clock.advance(world.ctx, scope, timedelta(days=400), None, world.wish("clock"))
    world.work()
    phone.pull()
    moved = keys.authenticate(world.ctx, world.founded.merchant_key)
    assert moved.ahead_seconds == 400 * 86_400
    world.ctx.times.enter(moved)
    try:
        mine = pass_doctor.examine(world.ctx, moved, holder.member)
        assert certificate_days.ending(world.ctx, moved) == [], "nor is the owner told so on the page of the day"
    finally:
        world.ctx.times.leave()
    codes = {one.code for one in mine.cards[0].diagnoses}
    assert mine.cards[0].diagnoses[0].code == "sound"
    assert "certificate-expired" not in codes
    assert mine.at == world.clock()
    assert pass_doctor.examine_any(world.ctx, holder.member) == mine


def test_a_stranger_finds_no_such_member_and_the_operator_finds_each_by_card_or_member(world: World) -> None:
    holder = world.enrol()
    phone = Phone(world, holder).add()
    devices.log(world.ctx, [f"Something about {holder.serial} 100% new"])
    other = keys.authenticate(world.ctx, found(world.ctx, "Ailleurs", NewStore("Ailleurs")).merchant_key)
    with pytest.raises(NotFound):
        pass_doctor.examine(world.ctx, other, holder.member)
    mine = pass_doctor.examine(world.ctx, world.merchant, holder.member)
    assert mine.cards[0].diagnoses[0].code == "sound"
    assert "phone-unknown" in {one.code for one in mine.cards[0].diagnoses}
    assert pass_doctor.examine_any(world.ctx, holder.member) == mine
    assert pass_doctor.examine_any(world.ctx, holder.pass_public_id) == mine
    for nobody in ("mem_0123456789", "pass_0123456789", "x"):
        with pytest.raises(NotFound):
            pass_doctor.examine_any(world.ctx, nobody)
    assert phone.holder == holder
