"""Owns what is known about letters on their way: who left is sent none, and no failure of one is another's."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from tests.conftest import whole_module_mostly_on
from tests.letterbox import Letterbox
from tests.world import Holder, World
from wallet_server.actions.people import leaving, letters, one_time
from wallet_server.channels.port import Later, Letter, Refused, Taken
from wallet_server.records.people import letters as letter_rows
from wallet_server.records.people.letters import LetterRow
from wallet_server.records.schema import circuits, jobs
from wallet_server.records.schema import letters as letter_table
from wallet_server.rules.people.contacts import Address

database_kind = whole_module_mostly_on("sqlite")


@pytest.fixture
def box(world: World) -> Letterbox:
    box = Letterbox()
    world.ctx.channels = {"email": box}
    return box


def _written(world: World, address: str) -> Holder:
    """A member to whose address a letter is on its way."""
    holder = world.enrol()
    with world.ctx.change() as tx:
        one_time.send(world.ctx, tx, holder.member_id, one_time.CONTACT, Address("email", address))
    return holder


def _row(world: World, holder: Holder) -> LetterRow:
    with world.ctx.look() as tx:
        return letter_rows.of_member(tx, holder.member_id, 1)[0]


def _stored(world: World) -> str:
    """Everything that is kept of letters, of the jobs that carry them and of channels that rest, in the clear."""
    with world.ctx.look() as tx:
        return " ".join(
            str(tuple(row)) for table in (letter_table, jobs, circuits) for row in tx.execute(sa.select(table))
        )


def test_whoever_leaves_meanwhile_is_sent_nothing_and_forgotten(world: World, box: Letterbox) -> None:
    first, second = _written(world, "first@example.com"), _written(world, "second@example.com")

    def both_leave(letter: Letter) -> None:
        for holder in (first, second):
            leaving.leave(world.ctx, world.merchant, holder.member)

    box.meanwhile = both_leave
    world.carried()

    assert [one.to for one in box.got] == ["first@example.com"], "the second left before it was handed over"
    assert _row(world, first).words is None, "an address that was erased is not written back"
    assert (_row(world, first).state, _row(world, second).state) == (letter_rows.SENT, letter_rows.LATE)


@pytest.mark.parametrize("verdict", [Later(60, "greylisted"), Refused("550 no"), Taken("1")])
def test_whatever_became_of_it_nothing_is_kept_of_who_left(world: World, box: Letterbox, verdict) -> None:
    holder = _written(world, "claire@example.com")
    box.says = [verdict]
    box.meanwhile = lambda _: leaving.leave(world.ctx, world.merchant, holder.member)
    world.carried()
    world.clock.forward(minutes=2)
    world.carried()

    assert (len(box.got), _row(world, holder).words) == (1, None)


def test_one_letter_that_fails_holds_up_no_other(world: World, box: Letterbox) -> None:
    first, second = _written(world, "first@example.com"), _written(world, "second@example.com")

    def stumbles(letter: Letter) -> None:
        if letter.to == "first@example.com":
            raise RuntimeError(f"no idea what to do with {letter.to}")

    box.meanwhile = stumbles
    with capture_logs() as logged:
        world.carried()

    assert _row(world, second).state == letter_rows.SENT
    assert _row(world, first).state == letter_rows.WAITING
    assert [one["fault"] for one in logged if one["event"] == "letter failed"] == ["RuntimeError"]
    assert "first@example.com" not in f"{logged} {_stored(world)}"
    box.meanwhile = lambda _: None
    world.clock.forward(minutes=1)
    world.carried()
    assert _row(world, first).state == letter_rows.SENT


@pytest.mark.parametrize(
    "verdict",
    [
        Refused("550 5.1.1 <claire@example.com>: unknown"),
        Later(30, "451 claire@example.com is greylisted", all_wait=True),
        Taken("250 queued for Claire@example.com"),
    ],
)
def test_what_the_mail_server_says_is_kept_without_the_address(world: World, box: Letterbox, verdict) -> None:
    holder = _written(world, "claire@example.com")
    box.says = [verdict]
    with capture_logs() as logged:
        world.carried()

    told = f"{logged} {_stored(world)}"
    assert "claire" not in told.lower()
    assert verdict == Taken("250 queued for Claire@example.com") or "…" in told
    row = _row(world, holder)
    if row.state != letter_rows.WAITING:
        assert letters.opened(world.ctx, row) == {"to": "claire@example.com"}, "known for a week, sealed"
