"""A changed card is published once, with a tag nobody misses and one alert at most; only the loud wait their turn."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import sqlalchemy as sa

from tests.phone import Phone, ringing
from tests.world import NOON, PASS_TYPE, Holder, World, together
from wallet_server.actions import outbox
from wallet_server.actions.counter import till
from wallet_server.actions.passes import cards, devices
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import NewStore
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.passes.passes import Publication
from wallet_server.records.schema import publications, tag_counters
from wallet_server.rules.programme.program_default import default_document

WINDOW = 30


def _served(world: World, holder: Holder) -> Publication:
    with world.ctx.look() as tx:
        return passes.published(tx, [holder.pass_id])[holder.pass_id]


def _live(world: World, *phones: Phone, windows: int = 8) -> None:
    """Let the workers and the phones take turns for some coalescing windows."""
    for _ in range(windows):
        world.work()
        for phone in phones:
            phone.pull()
        world.work()
        world.clock.forward(seconds=WINDOW)


def test_a_sale_over_a_tier_and_an_announcement_at_once_ring_three_times_in_order(world: World) -> None:
    phone = Phone(world, world.enrol(promotions=True)).add()
    world.announce("Galette des rois")
    world.sell(phone.holder, 35000)
    _live(world, phone)
    assert phone.heard == ["points", "tier", "news"]
    assert phone.versions == 3
    assert (phone.value("points"), phone.value("tier"), phone.value("news")) == (350, "Argent", "Galette des rois")


def test_a_phone_that_is_off_meanwhile_still_hears_all_three(world: World) -> None:
    phone = Phone(world, world.enrol(promotions=True)).add()
    world.sell(phone.holder, 35000)
    world.announce("Galette des rois")
    for _ in range(6):
        world.work()
        world.clock.forward(seconds=WINDOW)
    _live(world, phone)
    assert phone.heard == ["points", "tier", "news"]


def test_further_sales_while_alerts_wait_lose_none_of_them(world: World) -> None:
    phone = Phone(world, world.enrol(promotions=True)).add()
    world.sell(phone.holder, 35000)
    world.announce("Galette des rois")
    world.work()
    world.sell(phone.holder, 1000)
    _live(world, phone, windows=10)
    assert set(phone.heard) == {"points", "tier", "news"}
    assert (phone.value("points"), phone.value("tier"), phone.value("news")) == (360, "Argent", "Galette des rois")


def test_news_that_follow_news_keep_their_own_text_while_they_wait(world: World) -> None:
    phone = Phone(world, world.enrol(promotions=True)).add()
    world.announce("Galette des rois")
    _live(world, phone)
    assert phone.heard == ["news"]
    world.clock.forward(days=2)
    world.announce("Brioche")
    world.work()  # published, but the phone has not fetched it
    world.clock.forward(seconds=WINDOW)
    world.sell(phone.holder, 1000)
    world.work()
    phone.pull()
    assert (phone.heard, phone.value("news")) == (["news", "points"], "Galette des rois")
    _live(world, phone)
    assert (phone.heard, phone.value("news")) == (["news", "points", "news"], "Brioche")


def test_a_sale_between_publishing_and_fetching_is_told_too(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    world.sell(phone.holder, 1000)
    world.work()
    world.clock.forward(seconds=5)
    world.sell(phone.holder, 1000)
    phone.pull()
    _live(world, phone)
    assert (phone.heard, phone.value("points")) == (["points", "points"], 20)


def test_without_a_phone_that_can_be_rung_the_card_catches_up_all_the_same(world: World) -> None:
    holder = world.enrol(promotions=True)
    world.sell(holder, 35000)
    world.announce("Galette des rois")
    _live(world)
    served = _served(world, holder)
    assert (served.points, served.tier, served.news is not None) == (350, "silver", True)


def test_a_recalled_announcement_leaves_the_card_without_a_sound(world: World) -> None:
    phone = Phone(world, world.enrol(promotions=True)).add()
    announcement = world.announce("Galette des rois")
    _live(world, phone)
    assert phone.heard == ["news"]
    world.recall(announcement)
    world.recall(announcement)  # twice is harmless
    _live(world, phone)
    assert phone.heard == ["news"]
    assert ringing(phone.card) == []
    assert phone.value("news") != "Galette des rois"


def test_a_reversal_is_told_without_a_sound(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    sale = world.sell(phone.holder, 35000)["id"]
    _live(world, phone)
    till.reverse_sale(world.ctx, world.till, sale, None)
    _live(world, phone)
    assert phone.heard == ["points", "tier"]
    assert (phone.value("points"), phone.value("tier")) == (0, "Bronze")


def test_a_sale_reversed_before_the_card_was_refreshed_rings_nobody(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    sale = world.sell(phone.holder, 35000)["id"]
    till.reverse_sale(world.ctx, world.till, sale, None)
    _live(world, phone)
    assert phone.heard == []
    assert phone.versions == 0


def test_news_leave_the_card_at_the_instant_at_which_they_end(world: World) -> None:
    phone = Phone(world, world.enrol(promotions=True)).add()
    world.announce("Galette des rois", days=2)
    _live(world, phone)
    (job,) = outbox.letters(world.ctx, dead=False)
    assert (job.kind, job.due_at) == (cards.REFRESH, NOON + timedelta(days=2))
    world.clock.at = job.due_at
    _live(world, phone)
    assert phone.value("news") != "Galette des rois"
    assert phone.heard == ["news"]


def test_an_older_announcement_comes_back_silently_when_a_newer_one_ends(world: World) -> None:
    phone = Phone(world, world.enrol(promotions=True)).add()
    world.announce("Pain", days=9)
    _live(world, phone)
    world.clock.forward(days=1, hours=1)
    world.announce("Brioche", days=1)
    _live(world, phone)
    assert phone.value("news") == "Brioche"
    world.clock.forward(days=1)
    _live(world, phone)
    assert phone.value("news") == "Pain"
    assert phone.heard == ["news", "news"]


def test_the_first_change_goes_at_once_and_further_ones_together_at_the_end_of_the_window(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    world.sell(phone.holder, 100)
    assert world.work() == 1
    assert phone.rung()
    assert phone.pull()
    for _ in range(5):
        world.clock.forward(seconds=2)
        world.sell(phone.holder, 100)
    assert world.work() == 0
    world.clock.forward(seconds=WINDOW)
    assert world.work() == 1
    assert phone.pull()
    assert (phone.value("points"), phone.versions) == (6, 2)


def test_a_change_that_alters_nothing_on_the_card_makes_no_version_and_rings_nobody(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    before = _served(world, phone.holder)
    enrol.set_consent(world.ctx, world.merchant, phone.holder.member, True, "test", world.wish("consent"))
    assert world.work() == 1
    after = _served(world, phone.holder)
    assert (after.number, after.tag, after.last_modified) == (before.number, before.tag, before.last_modified)
    assert after.of_version > before.of_version
    assert not phone.rung()


def test_last_modified_is_in_whole_seconds_and_always_rises(world: World) -> None:
    holder = world.enrol()
    seen = [_served(world, holder).last_modified]
    for _ in range(4):
        world.sell(holder, 100)
        with world.ctx.change() as tx:
            cards.publish(world.ctx, tx, [holder.pass_id], world.clock.forward(milliseconds=50))
        seen.append(_served(world, holder).last_modified)
    assert all(moment.microsecond == 0 for moment in seen)
    assert all(later > earlier for earlier, later in itertools.pairwise(seen))
    assert seen[-1] - seen[0] == timedelta(seconds=4)


def test_the_same_version_is_the_same_bytes_and_another_version_is_not(world: World) -> None:
    phone = Phone(world, world.enrol()).add()

    def fetch() -> bytes | None:
        holder = phone.holder
        return devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, None).body

    first = fetch()
    world.clock.forward(hours=3)
    world.ctx.signed.__init__()  # type: ignore[misc]  # another process, with nothing in its cache
    assert fetch() == first
    world.sell(phone.holder, 100)
    world.work()
    assert fetch() != first


def test_a_new_version_of_the_programme_and_a_moved_store_reach_every_card(world: World) -> None:
    phones = [Phone(world, world.enrol(), f"library-{n}", f"{n:064x}").add() for n in range(3)]
    document = default_document("Boulangerie") | {"organisation": "Boulangerie du Centre"}
    programs.publish_version(world.ctx, world.merchant, world.programme, document, world.wish("publish"))
    _live(world, *phones)
    assert {phone.card["organizationName"] for phone in phones} == {"Boulangerie du Centre"}
    moved = NewStore("Ailleurs", latitude=45.0, longitude=5.0)
    programs.move_store(world.ctx, world.merchant, world.founded.store, moved, world.wish("move"))
    _live(world, *phones)
    assert {phone.card["locations"][0]["latitude"] for phone in phones} == {45.0}
    assert all(phone.heard == [] for phone in phones)


# ------------------------------------------------------------------------------------------------ update tags


def _two(world: World) -> tuple[Phone, Phone, str]:
    """Two cards on one device, both listed so far, and the tag of that list."""
    one = Phone(world, world.enrol()).add()
    two = Phone(world, world.enrol()).add()
    for phone in (one, two):
        world.sell(phone.holder, 100)
    world.work()
    assert sorted(one.ask()) == sorted([one.holder.serial, two.holder.serial])
    assert one.tag is not None
    return one, two, one.tag


def _without_lock(world: World, tx: Tx, tag: int, pass_id: int) -> None:
    """A tag from a sequence that commits by itself: what the product does not do."""
    tx.execute(sa.update(tag_counters).values(last=tag))
    tx.execute(sa.update(publications).where(publications.c.pass_id == pass_id).values(tag=tag))


def test_without_the_lock_a_change_that_commits_late_would_be_lost(world: World) -> None:
    """The counter-test: tags drawn before, committed in the other order, and the device asks between."""
    one, two, _ = _two(world)
    first, second = int(one.tag or 0) + 1, int(one.tag or 0) + 2  # drawn in this order
    with world.ctx.change() as tx:
        _without_lock(world, tx, second, two.holder.pass_id)
    assert one.ask() == [two.holder.serial]
    with world.ctx.change() as tx:
        tx.execute(sa.update(publications).where(publications.c.pass_id == one.holder.pass_id).values(tag=first))
    assert one.ask() == []  # lost for ever


def test_two_changes_that_want_to_commit_out_of_order_are_both_listed(world: World) -> None:
    one, two, _ = _two(world)
    drawn, asked = threading.Event(), threading.Event()

    def slow() -> None:
        with world.ctx.change() as tx:
            passes.hand_out_tags(tx, PASS_TYPE, [one.holder.pass_id], world.clock())
            drawn.set()
            asked.wait(0.4)

    def quick() -> None:
        drawn.wait(10)
        with world.ctx.change() as tx:
            passes.hand_out_tags(tx, PASS_TYPE, [two.holder.pass_id], world.clock())

    listed: list[str] = []

    def device() -> None:
        drawn.wait(10)
        for _ in range(20):
            listed.extend(one.ask())
            asked.wait(0.02)
        asked.set()

    assert together(slow, quick, device) == [None, None, None]
    listed.extend(one.ask())
    assert sorted(listed) == sorted([one.holder.serial, two.holder.serial])


def test_tags_rise_even_when_the_clock_goes_back(world: World) -> None:
    one, _, tag = _two(world)
    world.clock.at = NOON - timedelta(days=1)
    world.sell(one.holder, 100)
    with world.ctx.change() as tx:
        cards.publish(world.ctx, tx, [one.holder.pass_id], world.clock())
    assert one.ask() == [one.holder.serial]
    assert int(one.tag or 0) > int(tag)


def test_no_tag_junk_and_a_tag_from_the_future_list_every_card(world: World) -> None:
    one, two, _ = _two(world)
    for tag in (None, "", "x", "-1", "12.5", "٣", "9" * 30, "9" * 18, "\x00"):
        one.tag = tag
        assert sorted(one.ask()) == sorted([one.holder.serial, two.holder.serial]), tag
        assert one.ask() == []
