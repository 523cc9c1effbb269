"""What the pass doctor says of announcements: which read alike on a card, and what took one off it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.actions.ward import Ward, examined
from tests.phone import Phone
from wallet_server.actions.passes import pass_doctor
from wallet_server.actions.purse import coupons, granting
from wallet_server.records.schema import members


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
