"""Letters that say where a member stands: to whoever asked, when a higher tier is reached, in the words of the card."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.conftest import mostly_on
from tests.letterbox import Letterbox
from tests.world import Holder, World
from wallet_server.actions.people import leaving, letters, merging, reaching, standing_letters
from wallet_server.actions.people.standing_words import STANDING, STOP
from wallet_server.actions.purse import granting
from wallet_server.actions.purse.granting import Given
from wallet_server.channels.port import Later
from wallet_server.errors import Conflict, NotFound, TooMany
from wallet_server.records.people import contacts, members
from wallet_server.records.people import letters as letter_rows

GOLD = "Allez, plus que 116 points et vous vous hisserez au statut d’Or"
ADDRESS = "claire@example.com"


@pytest.fixture
def box(world: World) -> Letterbox:
    box = Letterbox()
    world.ctx.channels = {"email": box}
    return box


def token(world: World, holder: Holder, link: str = "card") -> str:
    return world.ctx.link(link, holder.pass_public_id).rpartition("/")[2]


def reached(world: World, address: str = ADDRESS, language: str = "fr") -> Holder:
    """A member with a proved address, who asked for nothing yet."""
    holder = world.enrol(language=language)
    with world.ctx.change() as tx:
        row = members.members_by_id(tx, [holder.member_id])[holder.member_id]
        contacts.prove(tx, row.programme_id, holder.member_id, "email", address, world.clock())
    return holder


def asked(world: World, box: Letterbox, **who: str) -> Holder:
    """The same, who asked for letters and has had the first."""
    holder = reached(world, **who)
    reaching.choose_letters(world.ctx, token(world, holder), granted=True)
    world.carried()
    box.got.clear()
    return holder


def states(world: World, holder: Holder) -> list[str]:
    with world.ctx.look() as tx:
        return [row.state for row in letter_rows.of_member(tx, holder.member_id, 50) if row.purpose == STANDING]


def test_whoever_asks_has_the_first_letter_at_once(world: World, box: Letterbox) -> None:
    holder = reached(world)
    world.sell(holder, 88_400)
    world.carried()
    assert box.got == [], "an address that was proved for codes is good for nothing else"
    assert states(world, holder) == []
    reaching.choose_letters(world.ctx, token(world, holder), granted=True)
    reaching.choose_letters(world.ctx, token(world, holder), granted=True)
    world.carried()
    (got,) = box.got
    assert (got.to, got.sender, got.subject) == (ADDRESS, "Boulangerie", "Votre statut chez Boulangerie\u00a0: Argent")
    assert GOLD in got.plain
    assert GOLD in got.html
    assert "▰▰▰▰▰▰▰▰▱▱ 884 / 1\u202f000" in got.plain
    assert got.stop == world.ctx.link(STOP, holder.pass_public_id)
    assert got.stop in got.plain
    assert got.stop in got.html
    assert holder.member not in got.plain
    shown = reaching.letters_of(world.ctx, token(world, holder))
    assert (shown.to, shown.granted) == ("c•••@example.com", True)


def test_a_higher_tier_is_told_and_nothing_else(world: World, box: Letterbox) -> None:
    holder = asked(world, box)
    world.sell(holder, 20_000)
    world.carried()
    assert box.got == []
    sold = world.sell(holder, 68_400)
    world.carried()
    assert [GOLD in one.plain for one in box.got] == [True]
    world.sell(holder, 1_000)
    world.carried()
    assert len(box.got) == 1
    last = world.sell(holder, 20_000)
    world.carried()
    assert [one.subject for one in box.got][1:] == ["Votre statut chez Boulangerie\u00a0: Or"]
    assert "▰" not in box.got[-1].plain, "at the top nothing is missing"
    assert sold["tier"] == "silver"
    world.clock.forward(days=2)
    key = world.bearer(world.founded.till_key)
    back = world.client().post(f"/v1/sales/{last['id']}/reversal", json={}, headers=key)
    assert back.json["tier"] == "silver"
    world.carried()
    assert len(box.got) == 2, "of a tier that is lost nothing is said"


def test_the_letter_says_what_is_true_when_it_is_sent(world: World, box: Letterbox) -> None:
    holder = asked(world, box, language="en")
    box.says = [Later(60, "greylisted")]
    world.sell(holder, 50_000)
    world.carried()
    world.sell(holder, 38_400)
    box.got.clear()
    world.clock.forward(minutes=2)
    world.carried()
    (got,) = box.got
    assert got.subject == "Your status at Boulangerie: Silver"
    assert "Only 116 points to go to reach Gold" in got.plain


@mostly_on("sqlite")
def test_whoever_asked_for_no_more_of_them_is_sent_none_that_waits(world: World, box: Letterbox) -> None:
    ended, gone, taken_away, over = (asked(world, box, address=f"n{number}@example.com") for number in range(4))
    for holder in (ended, gone, taken_away, over):
        world.sell(holder, 88_400)
    reaching.stop_letters(world.ctx, token(world, ended, STOP))
    leaving.leave(world.ctx, world.merchant, gone.member)
    reaching.remove(world.ctx, token(world, taken_away), "email")
    leaving.cancel(world.ctx, world.merchant, over.member, over.pass_public_id)
    world.carried()
    assert box.got == []
    assert [states(world, one)[0] for one in (ended, taken_away, over)] == [letter_rows.NOBODY] * 3
    assert states(world, gone)[0] == letter_rows.LATE
    assert reaching.letters_of(world.ctx, token(world, ended)).granted is False
    world.sell(ended, 20_000)
    world.carried()
    assert box.got == []
    reaching.choose_letters(world.ctx, token(world, ended), granted=True)
    reaching.choose_letters(world.ctx, token(world, ended), granted=False)
    world.carried()
    assert box.got == []


@mostly_on("sqlite")
def test_a_link_to_stop_stops_and_opens_nothing_else(world: World, box: Letterbox) -> None:
    holder = asked(world, box)
    with pytest.raises(NotFound):
        reaching.choose_letters(world.ctx, token(world, holder, STOP), granted=True)
    with pytest.raises(NotFound):
        reaching.stop_letters(world.ctx, token(world, holder, "stop"))
    assert reaching.letters_of(world.ctx, token(world, holder)).granted is True


@mostly_on("sqlite")
def test_however_often_a_tier_is_reached_three_letters_a_day_are_enough(world: World, box: Letterbox) -> None:
    holder = asked(world, box)
    world.clock.forward(days=2)
    for _ in range(5):
        with world.ctx.change() as tx:
            standing_letters.rose(world.ctx, tx, holder.member_id, "bronze")
        world.carried()
    assert len(box.got) == 3
    world.clock.forward(days=1, seconds=1)
    with world.ctx.change() as tx:
        standing_letters.rose(world.ctx, tx, holder.member_id, "bronze")
    world.carried()
    assert len(box.got) == 4


@mostly_on("sqlite")
def test_a_tier_that_was_given_writes_to_nobody(world: World, box: Letterbox) -> None:
    holder = asked(world, box)
    given = Given("gold", world.clock() + timedelta(days=9), trial=True, reason="press")
    granting.give(world.ctx, world.merchant, holder.member, given, world.wish("give"))
    world.carried()
    assert box.got == []


@mostly_on("sqlite")
def test_without_a_proved_address_or_a_mail_server_nobody_can_ask(world: World, box: Letterbox) -> None:
    holder = world.enrol(email=ADDRESS)
    assert reaching.letters_of(world.ctx, token(world, holder)).to == ""
    with pytest.raises(Conflict, match="confirmed"):
        reaching.choose_letters(world.ctx, token(world, holder), granted=True)
    proved = reached(world)
    world.ctx.channels = {}
    assert reaching.letters_of(world.ctx, token(world, proved)).to == ""
    with pytest.raises(Conflict):
        reaching.choose_letters(world.ctx, token(world, proved), granted=True)


@mostly_on("sqlite")
def test_to_turn_them_on_and_off_sends_no_more_than_an_address_may_get(world: World, box: Letterbox) -> None:
    holder = reached(world)
    for _ in range(letters.PER_ADDRESS_HOUR):
        reaching.choose_letters(world.ctx, token(world, holder), granted=True)
        reaching.choose_letters(world.ctx, token(world, holder), granted=False)
    with pytest.raises(TooMany):
        reaching.choose_letters(world.ctx, token(world, holder), granted=True)
    assert reaching.letters_of(world.ctx, token(world, holder)).granted is False


@mostly_on("sqlite")
def test_of_two_who_became_one_the_one_who_was_kept_is_written_to(world: World, box: Letterbox) -> None:
    kept, merged = asked(world, box), world.enrol()
    merging.by_staff(world.ctx, world.merchant, kept.member, merged.member, "joined-twice", None, world.wish("merge"))
    world.sell(world.holder(merged.pass_public_id), 88_400)
    world.carried()
    assert [GOLD in one.plain for one in box.got] == [True]


@mostly_on("sqlite")
def test_what_waits_for_the_mail_server_is_said_once_and_no_more_of_a_status_that_was_lost_again(
    world: World, box: Letterbox
) -> None:
    twice, lost = asked(world, box, language="en"), asked(world, box, address="n@example.com")
    world.ctx.channels = {"email": (away := Letterbox())}
    away.says = [Later(60, "greylisted") for _ in range(9)]
    world.sell(twice, 50_000)
    world.sell(twice, 60_000)
    fallen = world.sell(lost, 50_000)
    world.carried()
    key = world.bearer(world.founded.till_key)
    assert world.client().post(f"/v1/sales/{fallen['id']}/reversal", json={}, headers=key).json["tier"] == "bronze"
    world.ctx.channels = {"email": box}
    world.clock.forward(minutes=5)
    world.carried()
    assert [one.subject for one in box.got] == ["Your status at Boulangerie: Gold"]
    assert (states(world, twice)[:2], states(world, lost)[0]) == (
        [letter_rows.SENT, letter_rows.NOBODY],
        letter_rows.NOBODY,
    )


@mostly_on("sqlite")
def test_an_address_that_the_merchants_system_took_away_or_the_member_changed_is_written_to_no_more(
    world: World, box: Letterbox
) -> None:
    taken_away, changed = asked(world, box), asked(world, box, address="old@example.com")
    for holder in (taken_away, changed):
        world.sell(holder, 50_000)
    forgotten = reaching.Wanted({"email": None}, {})
    reaching.put(world.ctx, world.merchant, taken_away.member, forgotten, world.wish("forget"))
    with world.ctx.change() as tx:
        row = members.members_by_id(tx, [changed.member_id])[changed.member_id]
        contacts.prove(tx, row.programme_id, changed.member_id, "email", "new@example.com", world.clock())
    world.carried()
    assert box.got == []
    assert reaching.letters_of(world.ctx, token(world, taken_away)).granted is False
    assert reaching.letters_of(world.ctx, token(world, changed)).granted is True


@mostly_on("sqlite")
def test_the_link_in_an_old_letter_answers_whoever_left_and_so_does_the_record(world: World, box: Letterbox) -> None:
    holder = asked(world, box)
    leaving.leave(world.ctx, world.merchant, holder.member)
    reaching.stop_letters(world.ctx, token(world, holder, STOP))
    assert reaching.letters_of(world.ctx, token(world, holder, STOP), STOP).granted is False
    with world.ctx.look() as tx:
        granted, _, source = members.consents_of(tx, holder.member_id)[STANDING]
    assert (granted, source) == (False, leaving.LEFT)
