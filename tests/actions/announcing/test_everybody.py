"""An announcement to everybody is one message where all who have a card there are to be told; else it goes by card."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from tests.conftest import NewDatabase
from tests.pages.console import PASSWORD, token_in
from tests.vendor import Vendor, add_vendor
from tests.world import Holder, World, founded
from wallet_server.actions.announcing import everybody, newsroom
from wallet_server.actions.context import Context
from wallet_server.actions.passes import pushed, saving
from wallet_server.actions.staff import passwords
from wallet_server.records import jobs
from wallet_server.records.announcing import announcements, class_messages
from wallet_server.records.database import Tx
from wallet_server.records.jobs import BULK, Put
from wallet_server.records.passes import passes
from wallet_server.records.people import members
from wallet_server.records.schema import class_alerts
from wallet_server.records.staff import staff
from wallet_server.rules.announcing import campaigns
from wallet_server.wallets.port import Later, Refused, Shown


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path) as made:
        yield made


@pytest.fixture
def vendor(world: World) -> Vendor:
    return add_vendor(world, Vendor(saved=True))


def _saved(world: World, *, promotions: bool = True) -> tuple[Holder, str]:
    holder = world.enrol(promotions=promotions)
    link = saving.google_link(world.ctx, holder.pass_public_id)
    assert link is not None
    return holder, saving.save(world.ctx, link.split("/")[-2]).rpartition("/")[2]


def _told(world: World, announcement: str) -> dict[str, int]:
    return dict(newsroom.item(world.ctx, world.merchant, announcement).standings)


def _later(world: World, **by: float) -> None:
    world.clock.forward(**by)
    world.work()


def test_one_message_for_all_counts_for_all_and_is_taken_back_for_all(world: World, vendor: Vendor) -> None:
    serials = [_saved(world)[1] for _ in range(3)]
    vendor.calls.clear()
    announcement = world.announce("Du pain chaud")
    world.work()
    assert [call for call in vendor.calls if call[0] == "tell"] == [("tell", announcement)]
    told = vendor.messages[announcement]
    assert (told.body, told.header, told.notify) == ({"fr": "Du pain chaud"}, {"fr": "Boulangerie"}, True)
    assert all(vendor.objects[one].news is None for one in serials)
    assert vendor.alerts == []
    assert _told(world, announcement) == {"rang": 3}
    found = newsroom.past(world.ctx, world.merchant)[0]
    assert (found.shown, found.fetched) == (3, 3)
    with world.ctx.look() as tx:
        assert len(tx.execute(sa.select(class_alerts)).all()) == 1
    world.recall(announcement)
    _later(world, minutes=1)
    assert vendor.messages == {}
    assert _told(world, announcement) == {"rang": 3}


def test_it_counts_among_the_three_alerts_of_each_card(world: World, vendor: Vendor) -> None:
    holder, serial = _saved(world)
    first = world.announce("Un")
    world.work()
    for _ in range(3):
        _later(world, hours=1)
        world.sell(holder, 1000)
        world.work()
    assert [facet for _, facet in vendor.alerts] == ["points", "points"]
    assert vendor.objects[serial].balance.value == 30
    assert vendor.messages[first].notify


def test_over_the_day_s_alerts_one_message_goes_silently(world: World, vendor: Vendor) -> None:
    _saved(world)
    told = []
    for number in range(3):
        with world.ctx.change() as tx:
            # Each as if it were of another day: the shop's own limit is another matter.
            tx.execute(sa.text("DELETE FROM announcement_members"))
        told.append(world.announce(f"Nouvelle {number}"))
        _later(world, minutes=5)
    assert [vendor.messages[one].notify for one in told] == [True, True, False]
    item = newsroom.item(world.ctx, world.merchant, told[2])
    assert [one.why for one in item.everybody] == ["The three alerts of these 24 hours were spent: it went silently."]
    assert item.standings == {"silent": 1}


def test_somebody_who_did_not_agree_is_not_told_by_a_message_to_all(world: World, vendor: Vendor) -> None:
    _, agreed = _saved(world)
    _, other = _saved(world, promotions=False)
    announcement = world.announce("Du pain chaud")
    world.work()
    assert vendor.messages == {}
    assert vendor.objects[agreed].news is not None
    assert vendor.objects[other].news is None
    assert _told(world, announcement) == {"rang": 1, "skipped:no-consent": 1}


def test_words_to_each_by_name_go_by_card(world: World, vendor: Vendor) -> None:
    _, serial = _saved(world)
    world.announce("Bonjour @prénom")
    world.work()
    assert vendor.messages == {}
    assert vendor.objects[serial].news is not None


def test_whoever_takes_back_their_word_while_the_others_wait_is_not_told(world: World, vendor: Vendor) -> None:
    world.clock.at = datetime(2026, 11, 18, 22, 0, tzinfo=UTC)
    (_, first), (two, second) = _saved(world), _saved(world)
    night = world.announce("Du pain chaud")
    world.work()
    assert vendor.messages == {}
    assert vendor.objects[first].news is None
    _later(world, hours=10)
    assert list(vendor.messages) == [night], "everybody waited for the same hour"
    world.clock.at = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
    again = world.announce("Du pain froid")
    world.work()
    with world.ctx.change() as tx:
        members.record_consent(tx, two.member_id, members.PROMOTIONS, False, "form", world.clock())
    _later(world, hours=10)
    assert list(vendor.messages) == [night]
    _later(world, minutes=1)
    assert vendor.objects[first].news is not None
    assert vendor.objects[second].news is None
    assert _told(world, again) == {"rang": 1, "skipped:no-consent": 1}


def test_a_vendor_that_is_away_is_told_later_and_a_recall_overtakes_it(world: World, vendor: Vendor) -> None:
    _saved(world)
    vendor.answer = lambda what: Later(60, "away") if what.startswith("ann_") else Shown()
    announcement = world.announce("Du pain chaud")
    world.work()
    assert _told(world, announcement) == {"sending": 1}
    vendor.answer = lambda _what: Shown()
    world.recall(announcement)
    _later(world, minutes=2)
    assert vendor.messages == {}
    assert vendor.calls[-1] == ("untell", announcement), "nobody knows whether the first one came"


def test_a_card_saved_after_it_was_told_has_it_silently(world: World, vendor: Vendor) -> None:
    vendor.saved = None
    _, serial = _saved(world)
    announcement = world.announce("Du pain chaud")
    world.work()
    assert _told(world, announcement) == {"no-phone": 1}
    _later(world, minutes=10)
    with world.ctx.change() as tx:
        row = passes.pass_by_serial(tx, "3388000000022222222", serial)
        assert row is not None
        pushed.hear(world.ctx, tx, row, True, world.clock())
    assert _told(world, announcement) == {"silent": 1}


def test_nobody_has_a_fourth_alert_where_card_by_card_is_soon_through(world: World, vendor: Vendor) -> None:
    (busy, first), (_, second) = _saved(world), _saved(world)
    for _ in range(3):
        _later(world, minutes=5)
        world.sell(busy, 1000)
        world.work()
    _later(world, minutes=5)
    draft = world.draft("Du pain chaud")
    foretold = newsroom.counted(world.ctx, world.merchant, draft).through
    announcement = world.announce("Du pain chaud")
    world.work()
    assert vendor.messages == {}
    assert foretold is not None
    assert (foretold.together, foretold.cards, foretold.seconds * 15) == (False, 2, 3), "a look, a message, a change"
    assert all(vendor.objects[one].news is not None for one in (first, second))
    assert vendor.alerts[3:] == [(second, "news")]
    assert _told(world, announcement) == {"rang": 1, "silent": 1}


def _busy(world: World, holder: Holder, sales: int) -> None:
    for _ in range(sales):
        _later(world, minutes=5)
        world.sell(holder, 1000)
        _later(world, minutes=1)


def _another_day(world: World) -> None:
    # The shop's own limit of one a day is another matter.
    with world.ctx.change() as tx:
        tx.execute(sa.text("DELETE FROM announcement_members"))


def test_alerts_of_a_card_and_those_to_all_count_together(world: World, vendor: Vendor) -> None:
    holder, _ = _saved(world)
    first = world.announce("Un")
    world.work()
    _busy(world, holder, 2)
    _another_day(world)
    second = world.announce("Deux")
    world.work()
    assert len(vendor.alerts) == 2
    assert [vendor.messages[one].notify for one in (first, second)] == [True, False]


@pytest.mark.slow
def test_where_card_by_card_takes_long_one_message_goes_silently_rather_than_as_a_fourth_alert(
    world: World, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaigns, "SOON_SECONDS", 0.0)
    (busy, _), _ = _saved(world), _saved(world)
    _busy(world, busy, 3)
    draft = world.draft("Du pain chaud")
    page = _page(world, staff_of(world), draft, "en")
    announcement = world.announce("Du pain chaud")
    world.work()
    assert not vendor.messages[announcement].notify
    assert "with one message to all, at once. It goes without ringing" in page


def test_a_message_of_which_nobody_knows_whether_it_rang_counts_as_one_that_did(world: World, vendor: Vendor) -> None:
    holder, _ = _saved(world)
    _busy(world, holder, 2)
    vendor.answer = lambda what: Later(600, "the answer was lost") if what.startswith("ann_") else Shown()
    announcement = world.announce("Du pain chaud")
    world.work()
    _busy(world, holder, 1)
    assert len(vendor.alerts) == 2, "with it they are three"
    vendor.answer = lambda _what: Shown()
    _later(world, minutes=20)
    assert vendor.messages[announcement].notify


def test_a_message_that_was_refused_has_rung_nobody(world: World, vendor: Vendor) -> None:
    holder, _ = _saved(world)
    _busy(world, holder, 2)
    vendor.answer = lambda what: Refused("no such class") if what.startswith("ann_") else Shown()
    world.announce("Du pain chaud")
    world.work()
    _busy(world, holder, 1)
    assert len(vendor.alerts) == 3


def test_no_transaction_that_writes_looks_at_every_card(
    world: World, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    _saved(world)
    writes, writing, change = [], set[int](), Context.change

    @contextmanager
    def watched(ctx: Context) -> Iterator[Tx]:
        with change(ctx) as tx:
            writing.add(id(tx))
            try:
                yield tx
            finally:
                writing.discard(id(tx))

    def seen(plain: Callable[..., Any], tx: Tx, *said: Any) -> Any:
        writes.append(id(tx) in writing)
        return plain(tx, *said)

    for name in ("anyone_apart", "outcomes", "spent"):
        monkeypatch.setattr(class_messages, name, partial(seen, getattr(class_messages, name)))
    monkeypatch.setattr(Context, "change", watched)
    announcement = world.announce("Du pain chaud")
    world.work()
    assert list(vendor.messages) == [announcement]
    assert writes == [False] * 5


@pytest.mark.slow
def test_the_pages_say_how_it_goes_and_how_long_it_takes(world: World, vendor: Vendor) -> None:
    _saved(world)
    person = staff_of(world)
    draft = world.draft("Du pain chaud")
    together = newsroom.counted(world.ctx, world.merchant, draft).through
    assert together is not None
    assert (together.cards, together.together) == (1, True)
    for tongue, words, later in (
        ("en", "Google Wallet: 1 card gets it with one message", "even if they do not agree"),
        ("fr", "par un seul message", "même sans accepter"),
    ):
        page = _page(world, person, draft, tongue)
        assert words in page
        assert later in page, "whoever joins later finds it, unasked"
    named = world.draft("Bonjour @prénom")
    assert "Google Wallet: 1 card, told after about 1 minute" in _page(world, person, named, "en")
    sent = world.announce("Du pain chaud")
    assert "The customers are being asked first" in _page(world, person, sent, "en")
    world.work()
    assert "One message to all, on" in _page(world, person, sent, "en")
    world.recall(sent)
    world.work()
    assert "Taken back from all, on" in _page(world, person, sent, "en")


def staff_of(world: World) -> FlaskClient:
    """A browser in which the owner has signed in."""
    client = world.client()
    scope = world.merchant
    with world.ctx.change() as tx:
        staff.add(
            tx,
            {
                "public_id": "stf_owner",
                "account_id": scope.account_id,
                "merchant_id": scope.merchant_id,
                "email": "owner@example.com",
                "name": "Owner",
                "role": "owner",
                "language": "en",
                "password_hash": passwords.hashed(PASSWORD),
                "created_at": world.clock(),
            },
        )
    path = "/console/sign-in"
    form = {"csrf": token_in(client.get(path)), "email": "owner@example.com", "password": PASSWORD}
    assert client.post(path, data=form).status_code == 303
    return client


def _page(world: World, person: FlaskClient, announcement: str, tongue: str) -> str:
    answer = person.get(f"/console/announce/{announcement}?count=1&lang={tongue}")
    assert answer.status_code == 200
    return html.unescape(answer.get_data(as_text=True))


def test_of_two_messages_that_are_claimed_at_once_one_goes_first_and_the_other_follows(
    world: World, vendor: Vendor
) -> None:
    _saved(world)
    said = [world.announce("Du pain chaud"), world.announce("Du pain froid")]
    now = world.clock()
    with world.ctx.change() as tx:
        keys = [f"{announcements.announcement_in(tx, world.merchant, one).id}:7" for one in said]
        jobs.put(tx, [Put(everybody.TELL, key, BULK, now) for key in keys])
        first, second = [lease for lease in jobs.claim(tx, BULK, 25, now, 60) if lease.kind == everybody.TELL]
        turns = [class_messages.under_way(tx, everybody.TELL, 7, mine, [mine], now) for mine in (first, second)]
        assert sorted(turns) == [False, True], "each would wait for the other for ever"
        assert not class_messages.under_way(tx, everybody.TELL, 7, second, [first, second], now)
        later = now + timedelta(seconds=61)
        assert not any(class_messages.under_way(tx, everybody.TELL, 7, x, [x], later) for x in (first, second))
