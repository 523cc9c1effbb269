"""Owns "rate this visit": a member's word on a sale, once for each, and the ticket that a low mark opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.people.enrol import pass_of_link, still_good
from wallet_server.errors import Invalid, NotFound, TooMany
from wallet_server.records.counter import ratings
from wallet_server.records.counter.ratings import TicketRow, VisitRow
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.people import members
from wallet_server.records.scope import Scope
from wallet_server.rules.passes.card import Card, card_from_json

__all__ = ["Asked", "TicketRow", "close_ticket", "question", "rate", "tickets"]

ASKED_FOR = timedelta(days=30)
"""How long after a visit it can be rated."""
LOW = 2
"""A mark up to which somebody should answer."""
HIGHEST = 5
MOST_A_DAY = 5
MOST_TEXT = 1000


@dataclass(frozen=True)
class Asked:
    """What a member is asked: about which visit (None when there is none to rate), and what was said of it before.
    `replaced` says that the card is over: whoever holds it is told of no visit."""

    card: Card
    language: str
    sale: str | None
    store: str
    zone: str
    at: datetime | None
    mark: int | None
    replaced: bool = False


def question(ctx: Context, token: str) -> Asked:
    """The question behind the link on a card. Raises `NotFound`."""
    with ctx.look() as tx:
        row = pass_of_link(ctx, tx, "rate", token)
        card = card_from_json(passes.published(tx, [row.id])[row.id].card)
        language = members.members_by_id(tx, [row.member_id])[row.member_id].language
        good = row.state == passes.ACTIVE
        with ctx.times.of_member(tx, row.member_id):
            found = ratings.visit(tx, row.member_id, ctx.now() - ASKED_FOR) if good else None
    if found is None:
        return Asked(card, language, None, "", "UTC", None, None, replaced=not good)
    return Asked(card, language, found.public_id, found.store, found.zone, found.occurred_at, found.mark)


def rate(ctx: Context, token: str, mark: int, text: str, sale: str | None = None) -> bool:
    """The member's mark (1 to 5) and words on the sale that the page named, else on the last one; False when that sale
    was rated before, and nothing changed.

    Raises `NotFound` (`no-visit`, and `card-replaced` for a card that is over), `Invalid` (`no-mark`), and `TooMany`
    beyond five a day.
    """
    if not 1 <= mark <= HIGHEST:
        raise Invalid("Choose one of the five marks.", code="no-mark", field="mark")
    with ctx.change() as tx:
        row = pass_of_link(ctx, tx, "rate", token)
        members.lock_member(tx, row.member_id)
        still_good(tx, row)
        with ctx.times.of_member(tx, row.member_id):
            now = ctx.now()
        visit = ratings.visit(tx, row.member_id, now - ASKED_FOR, sale)
        if visit is None:
            raise NotFound("There is no visit of the last 30 days to rate.", code="no-visit")
        if visit.mark is not None:
            return False
        if ratings.count_since(tx, row.member_id, now - timedelta(days=1)) >= MOST_A_DAY:
            raise TooMany("You have rated enough for today; thank you.", retry_after_seconds=24 * 3600)
        return _note(tx, visit, mark, _plain(text), now)


def _note(tx: Tx, visit: VisitRow, mark: int, text: str | None, now: datetime) -> bool:
    rating = ratings.add_rating(tx, new_id("rat"), visit, mark, text, now)
    if rating is None:
        return False
    if mark <= LOW:
        ratings.open_ticket(tx, new_id("tic"), visit.merchant_id, rating, visit.member_id, now)
    return True


def _plain(text: str) -> str | None:
    """What a person wrote, without what no database keeps; line breaks stay."""
    kept = "".join(c if c.isprintable() or c == "\n" else " " for c in text.replace("\r\n", "\n")[: MOST_TEXT * 2])
    return kept.strip()[:MOST_TEXT] or None


def tickets(ctx: Context, scope: Scope, *, state: str | None = None) -> Sequence[TicketRow]:
    """The merchant's tickets, the open ones first; `state` is `open` or `closed`."""
    with ctx.look() as tx:
        return ratings.tickets_of(tx, scope, state=state)


def close_ticket(ctx: Context, scope: Scope, ticket: str, note: str, staff_id: int | None) -> TicketRow:
    """Somebody has seen to it; `note` is for colleagues. Closing it twice changes nothing. Raises `NotFound`."""
    with ctx.change() as tx:
        return ratings.close_ticket(tx, scope, ticket, _plain(note), staff_id, ctx.now())
