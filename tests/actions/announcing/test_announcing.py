"""An announcement reaches those who opted in, when they may be told, as counted before, and stops when recalled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.phone import Phone
from tests.world import NOON, World, founded, together
from wallet_server.actions import outbox
from wallet_server.actions.announcing import newsroom, offers
from wallet_server.actions.people import enrol, journal
from wallet_server.delivery.worker import run_once
from wallet_server.errors import Conflict, Invalid, NotFound
from wallet_server.records.announcing import announcements
from wallet_server.records.jobs import BULK
from wallet_server.records.passes import passes
from wallet_server.rules.passes.card import card_from_json
from wallet_server.rules.programme.program_default import default_document

QUIET = {"announce": {"quiet": {"from": "20:00", "to": "09:00"}}}


@pytest.fixture
def quiet_world(database_url: str, tmp_path: Path) -> Iterator[World]:
    """A programme that rings nobody between eight in the evening and nine in the morning, Paris time."""
    with founded(database_url, tmp_path, document=default_document("Boulangerie") | QUIET) as made:
        yield made


def _count(world: World, announcement: str) -> dict[str, int]:
    return offers.count(world.ctx, world.merchant, announcement)


def _told(world: World, announcement: str) -> dict[str, Any]:
    status = offers.status(world.ctx, world.merchant, announcement)
    return {"state": status["state"], **status["members"]}  # type: ignore[dict-item]


def _shows(world: World, holder: Any) -> bool:
    with world.ctx.look() as tx:
        return holder.member_id in announcements.news_of(tx, [holder.member_id], world.clock())


def test_the_dry_run_says_whose_phone_is_told_and_who_has_the_card_in_none(world: World) -> None:
    rung, android, bare = [world.enrol(promotions=True) for _ in range(3)]
    Phone(world, rung, library="a", token="aa" * 32).add()
    Phone(world, android, library="b", token="bb" * 32, kind="androidpass").add()
    world.enrol()
    announcement = world.draft()
    foretold = offers.foretold(world.ctx, world.merchant, announcement)
    assert foretold == {"shown": 1, "no-phone": 1, "unringable": 1, "skipped:no-consent": 1}
    assert _count(world, announcement) == {"shown": 3, "skipped:no-consent": 1}
    offers.confirm(world.ctx, world.merchant, announcement, world.wish("confirm"))
    world.work()
    standings = newsroom.item(world.ctx, world.merchant, announcement).standings
    assert (standings["no-phone"], standings["unringable"], standings["unanswered"]) == (1, 1, 1)
    assert _shows(world, bare)


def test_only_who_opted_in_is_told_and_the_dry_run_says_so_before(world: World) -> None:
    yes, no = [world.enrol(promotions=True) for _ in range(3)], [world.enrol() for _ in range(2)]
    changed = world.enrol(promotions=True)
    enrol.set_consent(world.ctx, world.merchant, changed.member, False, "counter", world.wish("c"))
    late = world.enrol()
    enrol.set_consent(world.ctx, world.merchant, late.member, True, "counter", world.wish("c"))
    announcement = world.draft()
    counted = _count(world, announcement)
    assert counted == {"shown": 4, "skipped:no-consent": 3}
    offers.confirm(world.ctx, world.merchant, announcement, world.wish("confirm"))
    world.work()
    assert _told(world, announcement) == {"state": "done", **counted}
    assert [_shows(world, holder) for holder in [*yes, *no, changed, late]] == [True] * 3 + [False] * 3 + [True]


def test_a_tier_alone_can_be_told(world: World) -> None:
    bronze, silver = world.enrol(promotions=True), world.enrol(promotions=True)
    world.sell(silver, 35000)
    announcement = world.announce(tier="silver")
    assert _count(world, announcement) == {"shown": 1}
    world.work()
    assert (_shows(world, bronze), _shows(world, silver)) == (False, True)


def test_a_word_for_one_member_is_on_that_card_alone_and_says_the_name(world: World) -> None:
    claire, other = world.enrol(promotions=True), world.enrol(promotions=True)
    journal.call(world.ctx, world.merchant, claire.member, "  Claire ")
    texts = {"fr": "@prénom, votre brioche est prête", "en": "@firstname, your brioche is ready"}
    wanted = offers.Announcement(texts, None, world.clock() + timedelta(days=2), claire.member)
    made, _ = offers.draft(world.ctx, world.merchant, world.programme, wanted, world.wish("note"))
    assert _count(world, made["announcement"]) == {"shown": 1}
    offers.confirm(world.ctx, world.merchant, made["announcement"], world.wish("confirm"))
    world.work()
    assert _news(world, claire) == "Claire, votre brioche est prête"
    assert _news(world, other) is None
    world.clock.forward(minutes=2)
    journal.call(world.ctx, world.merchant, claire.member, "")
    world.work()
    assert _news(world, claire) == "Votre brioche est prête"


def _news(world: World, holder: Any) -> str | None:
    with world.ctx.look() as tx:
        card = card_from_json(passes.published(tx, [holder.pass_id])[holder.pass_id].card)
    return card.news.text["fr"] if card.news else None


def test_a_word_for_a_member_of_nobody_is_not_found(world: World) -> None:
    until = world.clock() + timedelta(days=2)
    wanted = offers.Announcement({"fr": "Bonjour", "en": "Hello"}, None, until, "mem_stranger")
    with pytest.raises(NotFound):
        offers.draft(world.ctx, world.merchant, world.programme, wanted, world.wish("note"))


def test_a_draft_is_heard_by_nobody_and_a_confirmed_one_is_confirmed_once(world: World) -> None:
    holder = world.enrol(promotions=True)
    announcement = world.draft()
    world.work()
    assert not _shows(world, holder)
    results = together(
        *[lambda: offers.confirm(world.ctx, world.merchant, announcement, world.wish("confirm")) for _ in range(3)]
    )
    assert sum(isinstance(result, tuple) for result in results) == 1
    assert {fault.code for fault in results if isinstance(fault, Conflict)} == {"already-confirmed"}


def test_one_a_day_and_three_a_week_and_who_must_wait_is_told_when_the_time_comes(world: World) -> None:
    holder = world.enrol(promotions=True)
    first = world.announce("1", days=30)
    world.work()
    second = world.announce("2", days=30)
    assert _count(world, second) == {"shown": 0, "waiting:per-day": 1}
    world.work()
    assert (_told(world, first)["shown"], _told(world, second)["waiting:per-day"]) == (1, 1)
    world.clock.at = NOON + timedelta(hours=24)
    world.work()
    assert _told(world, second)["shown"] == 1
    for number in (2, 3):
        world.clock.at = NOON + timedelta(days=number, hours=1)
        announcement = world.announce(str(number + 1), days=30)
        world.work()
    assert _told(world, announcement)["waiting:per-week"] == 1
    world.clock.at = NOON + timedelta(days=7)
    world.work()
    assert _told(world, announcement) == {"state": "done", "shown": 1}
    assert _shows(world, holder)


def test_a_word_to_one_member_does_not_wait_for_the_announcement_of_the_day(world: World) -> None:
    holder = world.enrol(promotions=True)
    world.announce("1", days=30)
    world.work()
    texts, until = {"fr": "Pardon", "en": "Sorry"}, world.clock() + timedelta(days=2)
    wanted = offers.Announcement(texts, None, until, holder.member)
    first, second = (
        offers.draft(world.ctx, world.merchant, world.programme, wanted, world.wish("word"))[0]["announcement"]
        for _ in range(2)
    )
    assert _count(world, first) == {"shown": 1}
    offers.confirm(world.ctx, world.merchant, first, world.wish("confirm"))
    world.work()
    assert _told(world, first)["shown"] == 1
    assert _count(world, second) == {"shown": 0, "waiting:per-day": 1}


def test_two_announcements_walked_at_the_same_time_do_not_both_reach_a_member_on_one_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each walk pauses between asking what a member has heard and writing down what it hears now."""
    carry_out = offers._carry_out

    def slowly(*arguments: Any) -> None:
        time.sleep(0.2)
        carry_out(*arguments)

    monkeypatch.setattr(offers, "_carry_out", slowly)
    holders = [world.enrol(promotions=True) for _ in range(6)]
    pair = [world.announce("1"), world.announce("2")]
    object.__setattr__(world.ctx.settings, "batch_size", 1)
    together(lambda: run_once(world.ctx, BULK), lambda: run_once(world.ctx, BULK))
    world.work()
    told = [_told(world, announcement) for announcement in pair]
    assert sum(one.get("shown", 0) for one in told) == len(holders)
    assert sum(one.get("waiting:per-day", 0) for one in told) == len(holders)


def test_in_the_quiet_hours_nobody_is_rung_and_in_the_morning_everybody(quiet_world: World) -> None:
    world = quiet_world
    phone = Phone(world, world.enrol(promotions=True)).add()
    world.clock.at = NOON.replace(hour=21)  # 22:00 in Paris
    announcement = world.announce("Bonjour")
    world.work()
    assert _told(world, announcement) == {"state": "done", "waiting:quiet-hours": 1}
    assert not phone.rung()
    (job,) = [job for job in outbox.letters(world.ctx, dead=False) if job.kind == offers.WAITERS]
    assert job.due_at == NOON.replace(hour=8) + timedelta(days=1)
    world.clock.at = job.due_at
    world.work()
    assert phone.rung()
    assert phone.pull()
    assert phone.heard == ["news"]


def test_who_withdraws_while_waiting_is_not_told(quiet_world: World) -> None:
    world = quiet_world
    holder = world.enrol(promotions=True)
    world.clock.at = NOON.replace(hour=21)
    announcement = world.announce("Bonjour")
    world.work()
    token = world.ctx.link("stop", holder.pass_public_id).rsplit("/", 1)[1]
    enrol.set_promotions(world.ctx, token, False, "card", link="stop")
    world.clock.forward(days=1)
    world.work()
    assert _told(world, announcement) == {"state": "done", "skipped:no-consent": 1}


def test_a_recall_stops_the_walk_in_the_middle_and_takes_back_what_was_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers, "SLICE", 2)
    holders = [world.enrol(promotions=True) for _ in range(7)]
    announcement = world.announce()
    assert run_once(world.ctx, BULK) == 1  # one slice of two
    assert sum(_shows(world, holder) for holder in holders) == 2
    world.recall(announcement)
    world.work()
    assert _told(world, announcement) == {"state": "recalled", "shown": 2}
    assert not any(_shows(world, holder) for holder in holders)


def test_a_walk_in_slices_reaches_everybody_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "SLICE", 2)
    holders = [world.enrol(promotions=n != 3) for n in range(6)]
    announcement = world.draft()
    counted = _count(world, announcement)
    offers.confirm(world.ctx, world.merchant, announcement, world.wish("confirm"))
    world.work()
    assert (
        _told(world, announcement)
        == {"state": "done", **counted}
        == {
            "state": "done",
            "shown": 5,
            "skipped:no-consent": 1,
        }
    )
    assert sum(_shows(world, holder) for holder in holders) == 5


def test_waiters_in_slices_are_all_told(quiet_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = quiet_world
    monkeypatch.setattr(offers, "SLICE", 2)
    for _ in range(5):
        world.enrol(promotions=True)
    world.clock.at = NOON.replace(hour=21)
    announcement = world.announce()
    world.work()
    assert _told(world, announcement) == {"state": "done", "waiting:quiet-hours": 5}
    world.clock.forward(days=1)
    world.clock.at = world.clock.at.replace(hour=12)
    world.work()
    assert _told(world, announcement) == {"state": "done", "shown": 5}


@pytest.mark.parametrize("text", ["", "\u200b", "\u2060 \ufeff"], ids=ascii)
def test_an_announcement_of_which_nothing_can_be_seen_is_an_empty_one(world: World, text: str) -> None:
    wanted = offers.Announcement({"fr": text}, None, NOON + timedelta(days=1))
    with pytest.raises(Invalid) as refusal:
        offers.draft(world.ctx, world.merchant, world.programme, wanted, world.wish("a"))
    (fault,) = refusal.value.faults
    assert (fault.path, fault.sentence) == ("texts.fr", f"Write from 1 to {offers.MAX_TEXT} characters.")


def test_a_faulty_announcement_is_told_all_its_faults_at_once(world: World) -> None:
    wanted = offers.Announcement({"en": " ", "xx": "y" * 301}, "platinum", NOON - timedelta(days=1))
    with pytest.raises(Invalid) as refusal:
        offers.draft(world.ctx, world.merchant, world.programme, wanted, world.wish("a"))
    assert {fault.path for fault in refusal.value.faults} == {"texts", "texts.en", "texts.xx", "tier", "ends_at"}


def test_an_announcement_whose_time_is_over_is_not_sent_any_more(world: World) -> None:
    holder = world.enrol(promotions=True)
    announcement = world.draft(days=1)
    world.clock.forward(days=2)
    with pytest.raises(Conflict) as refusal:
        offers.confirm(world.ctx, world.merchant, announcement, world.wish("confirm"))
    assert refusal.value.code == "announcement-over"
    other = world.announce(days=1)
    world.clock.forward(days=2)
    world.work()
    assert _told(world, other) == {"state": "done"}
    assert not _shows(world, holder)
