"""Who received an announcement: for whom it rang, who took it silently, who has not, and why, by what phones did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.phone import Phone
from tests.world import NOON, World
from wallet_server.actions.announcing import newsroom
from wallet_server.actions.passes import issuing
from wallet_server.errors import Invalid, NotFound
from wallet_server.records.announcing import announcements
from wallet_server.records.passes import passes
from wallet_server.records.programme import programmes


def _standings(world: World, announcement: str) -> dict[str, int]:
    return dict(newsroom.item(world.ctx, world.merchant, announcement).standings)


def test_every_member_has_one_standing_and_each_is_found_under_it(world: World) -> None:
    rings, sleeps, bare, android = [world.enrol(promotions=True) for _ in range(4)]
    deaf = world.enrol()
    first = Phone(world, rings, library="a", token="aa" * 32).add()
    Phone(world, sleeps, library="b", token="bb" * 32).add()
    Phone(world, android, library="c", token="cc" * 32, kind="androidpass").add()
    announcement = world.announce()
    world.work()
    assert first.pull()
    assert first.heard == ["news"]
    assert _standings(world, announcement) == {
        "rang": 1,
        "unanswered": 1,
        "no-phone": 1,
        "unringable": 1,
        "skipped:no-consent": 1,
    }
    for standing, holder in {
        "rang": rings,
        "unanswered": sleeps,
        "no-phone": bare,
        "unringable": android,
        "skipped:no-consent": deaf,
    }.items():
        people, more = newsroom.addressees(world.ctx, world.merchant, announcement, standing, 0)
        assert ([one.public_id for one in people], more) == ([holder.member], None)
    (one,) = newsroom.past(world.ctx, world.merchant)
    assert (one.asked, one.shown, one.fetched) == (5, 4, 1)


def test_what_was_fetched_stays_so_after_a_later_one_and_what_was_not_was_replaced(world: World) -> None:
    took, slept = world.enrol(promotions=True), world.enrol(promotions=True)
    phone = Phone(world, took, library="a", token="aa" * 32).add()
    Phone(world, slept, library="b", token="bb" * 32).add()
    first = world.announce("Un", days=30)
    world.work()
    assert phone.pull()
    fetched_at = world.clock()
    world.clock.forward(hours=1)
    world.sell(took, 1000)
    world.work()
    assert phone.pull(), "a version that shows it still, and rings for something else"
    world.clock.at = NOON + timedelta(days=2)
    second = world.announce("Deux", days=30)
    world.work()
    assert phone.pull()
    assert _standings(world, first) == {"rang": 1, "replaced": 1}
    assert _standings(world, second) == {"rang": 1, "unanswered": 1}
    people, _ = newsroom.addressees(world.ctx, world.merchant, first, "rang", 0)
    assert people[0].fetched_at == fetched_at


def test_waiting_and_recalled(world: World) -> None:
    waits = world.enrol(promotions=True)
    Phone(world, waits).add()
    world.announce("Un", days=30)
    world.work()
    second = world.announce("Deux", days=30)
    assert newsroom.item(world.ctx, world.merchant, second).to_ask == 1
    world.work()
    assert _standings(world, second) == {"waiting:per-day": 1}
    world.recall(second)
    world.work()
    assert _standings(world, second) == {"waiting:recalled": 1}


def test_a_recall_before_the_phone_came(world: World) -> None:
    Phone(world, world.enrol(promotions=True)).add()
    announcement = world.announce()
    world.work()
    world.recall(announcement)
    world.work()
    assert _standings(world, announcement) == {"recalled": 1}


def test_a_new_card_that_shows_it_from_the_start_took_it_silently(world: World) -> None:
    holder = world.enrol(promotions=True)
    announcement = world.announce()
    world.work()
    with world.ctx.change() as tx:
        member_programme = announcements.announcement_in(tx, world.merchant, announcement).programme_id
        row = programmes.programme_by_id(tx, member_programme)
        passes.retire_pass(tx, holder.pass_id)
        issued = issuing.issue_pass(world.ctx, tx, row, holder.member_id, world.clock())
    Phone(world, world.holder(issued.public_id)).add()
    assert _standings(world, announcement) == {"silent": 1}


def test_a_stranger_finds_nothing(world: World) -> None:
    announcement = world.announce()
    stranger = world.merchant.__class__(**{**vars(world.merchant), "merchant_id": 10**6})
    with pytest.raises(NotFound):
        newsroom.item(world.ctx, stranger, announcement)
    with pytest.raises(NotFound):
        newsroom.addressees(world.ctx, stranger, announcement, "rang", 0)
    assert newsroom.past(world.ctx, stranger) == []


def test_the_last_day_ends_at_midnight_of_the_store() -> None:
    assert newsroom.end_of("2026-03-29", "Europe/Paris").isoformat() == "2026-03-29T22:00:00+00:00"
    assert newsroom.end_of("2026-03-28", "Europe/Paris").isoformat() == "2026-03-28T23:00:00+00:00"
    for wrong in ("", "29/03/2026", "9999-12-31"):
        with pytest.raises(Invalid):
            newsroom.end_of(wrong, "Europe/Paris")
