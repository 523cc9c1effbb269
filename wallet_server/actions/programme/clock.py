"""Owns the clock of an account that tries things out: it goes forward at its merchant's wish, and what falls due by it
is done at once, so that the phones show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from wallet_server.actions.announcing import everybody, offers
from wallet_server.actions.context import Context
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.operating import upkeep
from wallet_server.actions.passes import cards, refresh, welcome
from wallet_server.actions.purse import reviewing, warning
from wallet_server.errors import Conflict, Forbidden, Invalid
from wallet_server.records import clocks, parties
from wallet_server.records.database import Tx
from wallet_server.records.programme import falling_due
from wallet_server.records.scope import Scope

FARTHEST = timedelta(days=3653)
"""Ten years, all moves together."""
MOST_NIGHTS = 4_000
"""Nights on the way of one move in which something is done."""
MOST_RESTLESS, MOST_LOOKS = 400, 20_000
"""Of those in which tiers are looked at though nothing is written that is due: so many, and so many members in all of
them. A longer move, or one of more members, leaves out nights between."""
_OF_PASSES = (cards.REFRESH, refresh.RING, welcome.OWED)
_OF_ANNOUNCEMENTS = (offers.WALK, offers.WAITERS, offers.UNSAY, everybody.TELL, everybody.ONE_BY_ONE)


@dataclass(frozen=True)
class Stands:
    """What the clock of an account shows (UTC), and how far it is ahead of everybody's."""

    now: datetime
    ahead: timedelta


def look(ctx: Context, scope: Scope) -> Stands:
    """The clock of the caller's account. Raises `Forbidden` (`clock-live`)."""
    _demand_test(scope)
    with ctx.look() as tx:
        ahead = clocks.of_account(tx, scope.account_id)
    return Stands(ctx.clock() + ahead, ahead)


def advance(ctx: Context, scope: Scope, by: timedelta | None, to: datetime | None, wish: Asked) -> tuple[Facts, bool]:
    """Move the account's clock forward, by so much or to a time (UTC); all that waits for a time comes nearer by it,
    and what is due by then is done before this answers, each in the night in which it would have been.

    Raises `Forbidden` (`clock-live`) for an account that trades, `Conflict` (`clock-backwards`) and `Invalid`
    (`clock-too-far`).
    """
    _demand_test(scope)
    begun: list[timedelta] = []

    def act(tx: Tx) -> Facts:
        at = ctx.clock()
        clocks.begin(tx, scope.account_id, at)
        before = clocks.of_account(tx, scope.account_id, hold=True)
        step = by if by is not None else (to or at) - (at + before)
        # Whole seconds, as it is kept; a time to go to is reached.
        step = timedelta(seconds=-(-step // timedelta(seconds=1)))
        if step < timedelta(0):
            raise Conflict("A clock goes forward only, and this account's is past that time.", code="clock-backwards")
        if before + step > FARTHEST:
            raise Invalid("The clock can be moved forward by ten years in all, and no further.", code="clock-too-far")
        begun[:] = [before]
        clocks.move(tx, scope.account_id, before + step, at)
        clocks.bring_forward(tx, scope.account_id, step, _OF_PASSES, _OF_ANNOUNCEMENTS)
        return {"now": (at + before + step).isoformat(), "ahead_seconds": int((before + step).total_seconds())}

    facts, replayed = once(ctx, wish, act)
    ctx.times.forget()
    if begun and not replayed:
        _pass_nights(ctx, scope.account_id, begun[0])
    # Again for one that is sent again: the first may have been cut short.
    upkeep.run_due(ctx, scope.account_id)
    ctx.ring()
    return facts, replayed


def _pass_nights(ctx: Context, account_id: int, before: timedelta) -> None:
    """What fell due on the way, as in the nights in which it did."""
    with ctx.look() as tx:
        after = clocks.of_account(tx, account_id)
    begins, ends = ctx.clock() + before, ctx.clock() + after
    for night in _nights(ctx, account_id, begins, ends):
        with clocks.behind(ends - night):
            upkeep.run_due(ctx, account_id)


def _nights(ctx: Context, account_id: int, begins: datetime, ends: datetime) -> Iterator[datetime]:
    """The nights between, in which something falls due. What one does may bring another."""
    with ctx.look() as tx:
        restless, warned = reviewing.restless(ctx, tx, account_id), warning.days(ctx, tx)
        most = max(1, min(MOST_RESTLESS, MOST_LOOKS // max(1, restless)))
    apart = timedelta(days=max(0, (ends - begins).days - 1) // most)
    at = begins
    for _ in range(MOST_NIGHTS):
        with ctx.look() as tx:
            due = falling_due.next_due(tx, account_id, at, warned)
        nights = [] if due is None else [upkeep.next_night(due)]
        if restless:
            nights.append(upkeep.next_night(at + apart))
        at = min(nights, default=ends)
        if at >= ends:
            return
        yield at


def _demand_test(scope: Scope) -> None:
    if scope.mode != parties.TEST:
        sentence = "The clock of an account that trades is everybody's; use the key of a test account (testkey_…)."
        raise Forbidden(sentence, code="clock-live")
