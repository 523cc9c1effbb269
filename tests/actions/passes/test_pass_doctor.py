"""For each cause that the pass doctor knows: where it really is so, its diagnosis comes first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.actions.ailments import AILMENTS, put_right
from tests.actions.ward import Ward
from tests.conftest import databases
from tests.phone import Phone
from tests.world import NOON, PASS_TYPE, TEAM, Holder, World, founded
from wallet_server.actions import keys
from wallet_server.actions.passes import devices, pass_doctor
from wallet_server.actions.passes.pass_doctor import Examined
from wallet_server.actions.programme import clock, programs
from wallet_server.actions.programme.programs import NewStore, found
from wallet_server.actions.purse import coupons, granting
from wallet_server.actions.vendors import certificate_days
from wallet_server.errors import NotFound
from wallet_server.records import jobs
from wallet_server.records.schema import accounts, codes, credential_sets, members, passes, publications
from wallet_server.records.schema import jobs as job_table
from wallet_server.rules.passes.diagnosis import LEVELS
from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.wallets.apple.push import Bell


class Pair:
    """A certificate of the sandbox's own that opens its push service."""

    def __init__(self, authority: Authority) -> None:
        self.certificate_pem, self.key_pem = authority.pass_certificate(PASS_TYPE, TEAM)
        self.pass_type = PASS_TYPE
        self.provider = None


@pytest.fixture(scope="module")
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, ApnsServer, Authority]]:
    """One world and one push service for all ailments, which have members of their own."""
    folder = tmp_path_factory.mktemp("ward")
    authority = Authority.open(folder / "authority", datetime.now(UTC))
    with (
        databases(request.config, folder) as new,
        founded(new("sqlite"), folder) as world,
        ApnsServer(authority).in_thread() as apns,
    ):
        yield world, apns, authority


@pytest.fixture
def ward(opened: tuple[World, ApnsServer, Authority]) -> Iterator[Ward]:
    world, apns, authority = opened
    put_right(world, NOON)
    apns.tell(None)
    bell = Bell(address=apns.address, trust_pem=authority.root_pem, sandbox=True)
    yield Ward(world, apns, bell, Pair(authority))
    bell.close()


def examined(world: World, holder: Holder) -> Examined:
    chart = pass_doctor.examine(world.ctx, world.merchant, holder.member)
    assert chart.member == holder.member
    return next(card for card in chart.cards if card.pass_id == holder.pass_public_id)


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


def _codes(ward: Ward, phone: Phone) -> list[str]:
    return [one.code for one in examined(ward.world, phone.holder).diagnoses]


def _heard(ward: Ward, phone: Phone, texts: Mapping[str, str], *, pulled: bool = True) -> str:
    announcement = ward.world.announce(texts)
    ward.world.work()
    assert phone.pull() or not pulled
    ward.world.clock.forward(minutes=1)
    return announcement


@pytest.mark.parametrize(("language", "code"), [("fr", "same-text"), ("en", "alert-sent")])
def test_a_text_is_the_same_when_it_is_so_in_the_language_of_the_member(ward: Ward, language: str, code: str) -> None:
    ward.policy()
    phone = ward.held(promotions=True, language=language)
    _heard(ward, phone, {"fr": "Seigle", "en": "Rye"})
    _heard(ward, phone, {"fr": "Seigle", "en": "Rye bread"})
    assert {"same-text", "alert-sent"} & set(_codes(ward, phone)) == {code}


def test_what_is_not_written_in_a_language_is_read_in_the_first_one(ward: Ward) -> None:
    ward.policy()
    phone = ward.held(promotions=True, language="en")
    _heard(ward, phone, {"fr": "Seigle"})
    _heard(ward, phone, {"fr": "Seigle", "en": "Seigle"}, pulled=False)
    assert "same-text" in _codes(ward, phone)


def test_where_the_language_of_the_member_is_not_on_the_card_all_are_compared(ward: Ward) -> None:
    ward.policy()
    phone, other = ward.held(promotions=True), ward.held(promotions=True)
    for one in (phone, other):
        ward.alter(members, members.c.id == one.holder.member_id, language="de")
    first = {"fr": "Seigle", "en": "Rye"}
    _heard(ward, phone, first)
    assert other.pull()
    _heard(ward, phone, {"fr": "Seigle", "en": "Rye bread"})
    assert "alert-sent" in _codes(ward, phone)
    _heard(ward, phone, {"fr": "Seigle", "en": "Rye bread"}, pulled=False)
    assert "same-text" in _codes(ward, phone)


def test_a_text_that_was_taken_back_before_it_was_said_again_is_none_that_the_card_showed(ward: Ward) -> None:
    ward.policy()
    phone = ward.held(promotions=True)
    ward.world.recall(_heard(ward, phone, {"fr": "Seigle"}))
    ward.world.work()
    assert phone.pull()
    ward.world.clock.forward(minutes=1)
    _heard(ward, phone, {"fr": "Seigle"})
    assert {"same-text", "alert-sent"} & set(_codes(ward, phone)) == {"alert-sent"}


def test_an_announcement_that_was_taken_back_explains_why_nothing_is_shown(ward: Ward) -> None:
    ward.policy()
    phone = ward.held(promotions=True)
    _heard(ward, phone, {"fr": "Seigle"})
    ward.world.recall(_heard(ward, phone, {"fr": "Seigle"}, pulled=False))
    ward.world.work()
    codes = _codes(ward, phone)
    assert "news-recalled" in codes
    assert not {"same-text", "alert-sent"} & set(codes)


def test_an_announcement_that_waits_is_none_that_repeats_what_the_card_shows(ward: Ward) -> None:
    ward.policy(per_day=1)
    phone = ward.held(promotions=True)
    _heard(ward, phone, {"fr": "Seigle"})
    ward.world.announce("Seigle")
    ward.world.work()
    assert {"same-text", "alert-sent", "news-per-day"} & set(_codes(ward, phone)) == {"alert-sent", "news-per-day"}


def _another_programme(ward: Ward, phone: Phone) -> None:
    ward.publish(links={"website": f"https://fournil.example/{ward.world.number()}"})
    ward.world.clock.forward(minutes=5)
    ward.world.work()
    assert phone.pull()
    assert "silent-programme" in _codes(ward, phone)
    ward.world.clock.forward(minutes=10)


def test_a_programme_is_not_blamed_for_a_tier_that_was_taken_back_since(ward: Ward) -> None:
    world, phone = ward.world, ward.held()
    for tier in ("gold", None):
        if tier is None:
            _another_programme(ward, phone)
        given = granting.Given(tier, None, trial=False, reason="press")
        granting.give(world.ctx, world.merchant, phone.holder.member, given, world.wish("give"))
        world.work()
        assert phone.pull()
        world.clock.forward(minutes=1)
    assert "silent-field" in _codes(ward, phone)
    assert "silent-programme" not in _codes(ward, phone)


def test_a_programme_is_not_blamed_for_a_voucher_that_was_used_since(ward: Ward) -> None:
    world, phone, said = ward.world, ward.held(), {"fr": "Un bon", "en": "A voucher"}
    promise = {"title": said, "terms": said, "value_minor": 1000}
    ward.publish(conversions=[{"id": "bon", "currency": "points", "units": 500, "voucher": promise}])
    world.sell(phone.holder, 50_000)
    ward.publish(conversions=[])
    for _ in range(3):  # points, tier and voucher: each in a version of its own
        world.clock.forward(minutes=5)
        world.work()
        phone.pull()
    _another_programme(ward, phone)
    copies = pass_doctor.examine(world.ctx, world.merchant, phone.holder.member).cards
    slip = next(one.pass_id for one in copies if one.pass_id != phone.holder.pass_public_id)
    coupons.use(world.ctx, world.till, coupons.Using(world.holder(slip).code, world.number()), None)
    world.work()
    assert phone.pull()
    assert "silent-field" in _codes(ward, phone)
    assert "silent-programme" not in _codes(ward, phone)


def test_the_recall_of_an_earlier_announcement_is_named_though_a_later_one_waits(ward: Ward) -> None:
    ward.policy(per_day=1)
    phone = ward.held(promotions=True)
    first = _heard(ward, phone, {"fr": "Un"})
    ward.world.announce("Deux")
    ward.world.work()
    ward.publish(links={"website": "https://fournil.example/"})
    ward.world.clock.forward(minutes=1)
    ward.world.recall(first)
    ward.world.work()
    assert phone.pull()
    assert "silent-recall" in _codes(ward, phone)


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
