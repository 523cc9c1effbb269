"""Owns what is known about marks for visits: one for each sale, a ticket for a low one, and nobody else's business."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.world import Holder, World, together
from wallet_server.actions.counter import rating
from wallet_server.actions.keys import authenticate
from wallet_server.actions.programme import programs
from wallet_server.errors import Invalid, NotFound, TooMany
from wallet_server.records.schema import ratings, tickets


def token(world: World, holder: Holder) -> str:
    return world.ctx.link("rate", holder.pass_public_id).rsplit("/", 1)[1]


def visited(world: World) -> Holder:
    holder = world.enrol()
    world.sell(holder, 500)
    return holder


def rate(world: World, holder: Holder, mark: int, text: str = "", sale: str | None = None) -> bool:
    return rating.rate(world.ctx, token(world, holder), mark, text, sale)


def test_a_mark_is_taken_once_for_each_sale(world: World) -> None:
    holder = world.enrol()
    assert rating.question(world.ctx, token(world, holder)).sale is None
    with pytest.raises(NotFound) as refused:
        rate(world, holder, 5)
    assert refused.value.code == "no-visit"
    world.sell(holder, 500)
    asked = rating.question(world.ctx, token(world, holder))
    assert (asked.store, asked.mark) == ("Centre", None)
    assert rate(world, holder, 4, " Bon\r\npain\x00 ")
    assert not rate(world, holder, 1, "changed my mind")
    assert rating.question(world.ctx, token(world, holder)).mark == 4
    assert rating.tickets(world.ctx, world.merchant) == []
    world.clock.forward(minutes=5)
    world.sell(holder, 700)
    assert rate(world, holder, 5)
    with world.ctx.look() as tx:
        kept = tx.execute(sa.select(ratings.c.mark, ratings.c.text, ratings.c.store_id).order_by(ratings.c.id)).all()
    assert [(row.mark, row.text) for row in kept] == [(4, "Bon\npain"), (5, None)]
    assert all(row.store_id for row in kept)


def test_two_answers_at_once_are_one(world: World) -> None:
    holder = visited(world)
    made = together(*[lambda: rate(world, holder, 1)] * 4)
    assert sorted(made) == [False, False, False, True]
    with world.ctx.look() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(tickets)).scalar_one() == 1


def test_a_visit_can_be_rated_for_thirty_days(world: World) -> None:
    holder = visited(world)
    world.clock.forward(days=30)
    assert rating.question(world.ctx, token(world, holder)).sale
    world.clock.forward(seconds=1)
    assert rating.question(world.ctx, token(world, holder)).sale is None
    with pytest.raises(NotFound):
        rate(world, holder, 5)


def test_the_page_means_the_sale_that_it_showed(world: World) -> None:
    holder = visited(world)
    shown = rating.question(world.ctx, token(world, holder)).sale
    world.clock.forward(minutes=1)
    world.sell(holder, 900)
    assert rate(world, holder, 2, sale=shown)
    assert rating.question(world.ctx, token(world, holder)).mark is None, "the newer visit is still to be rated"
    with pytest.raises(NotFound):
        rate(world, visited(world), 1, sale=shown)


@pytest.mark.parametrize("mark", [0, 6, -1])
def test_only_five_marks_exist(world: World, mark: int) -> None:
    with pytest.raises(Invalid):
        rate(world, visited(world), mark)


def test_so_many_a_day(world: World) -> None:
    holder = world.enrol()
    for _ in range(rating.MOST_A_DAY):
        world.clock.forward(minutes=1)
        world.sell(holder, 500)
        assert rate(world, holder, 5)
    world.clock.forward(minutes=1)
    world.sell(holder, 500)
    with pytest.raises(TooMany):
        rate(world, holder, 5)
    world.clock.forward(days=1)
    assert rate(world, holder, 5)


def test_a_low_mark_opens_a_ticket_that_is_closed_once(world: World) -> None:
    first, second = visited(world), visited(world)
    assert rate(world, first, 2, "Trop d'attente")
    world.clock.forward(minutes=1)
    assert rate(world, second, 1)
    new, old = rating.tickets(world.ctx, world.merchant)
    assert (old.mark, old.text, old.member, old.store, old.state) == (
        2,
        "Trop d'attente",
        first.member,
        "Centre",
        "open",
    )
    assert (new.mark, new.text, new.member) == (1, None, second.member)
    closed = rating.close_ticket(world.ctx, world.merchant, old.public_id, "Un café offert", None)
    assert (closed.state, closed.note, closed.closed_at) == ("closed", "Un café offert", world.clock())
    world.clock.forward(hours=1)
    again = rating.close_ticket(world.ctx, world.merchant, old.public_id, "other", None)
    assert again == closed
    assert [one.state for one in rating.tickets(world.ctx, world.merchant)] == ["open", "closed"]
    assert [one.public_id for one in rating.tickets(world.ctx, world.merchant, state="open")] == [new.public_id]


def test_tickets_are_the_merchants_own(world: World) -> None:
    assert rate(world, visited(world), 1)
    (ticket,) = rating.tickets(world.ctx, world.merchant)
    made = programs.found(world.ctx, "Voisin", programs.NewStore("Centre"))
    stranger = authenticate(world.ctx, made.merchant_key)
    assert rating.tickets(world.ctx, stranger) == []
    with pytest.raises(NotFound):
        rating.close_ticket(world.ctx, stranger, ticket.public_id, "", None)
    assert rating.tickets(world.ctx, world.merchant) == [ticket]


def test_a_link_of_another_kind_rates_nothing(world: World) -> None:
    holder = visited(world)
    for purpose in ("card", "stop", "recover"):
        with pytest.raises(NotFound):
            rating.rate(world.ctx, world.ctx.link(purpose, holder.pass_public_id).rsplit("/", 1)[1], 5, "")
