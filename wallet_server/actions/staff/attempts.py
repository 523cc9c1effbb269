"""Owns what failing to sign in leads to: longer and longer waits where it happens, and a line in the log.

Where: a person and a network, a person and a browser of theirs, and only far beyond those the person alone; else any
stranger who knows an address would keep its person out. A try counts as a failure before it is looked at, so that many
at once count as they do one after another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from wallet_server.actions.context import Context
from wallet_server.actions.people import visitors
from wallet_server.actions.staff import browsers
from wallet_server.errors import TooMany
from wallet_server.records import limits
from wallet_server.records.database import Tx
from wallet_server.records.staff import waits
from wallet_server.records.staff.staff import StaffRow


@dataclass(frozen=True)
class Patience:
    """So many failures cost nothing but themselves; then comes the first wait, doubling up to the longest."""

    free: int
    first: timedelta
    longest: timedelta

    def wait(self, failures: int) -> timedelta | None:
        """What this failure in a row leads to."""
        return None if failures < self.free else min(self.first * 2 ** min(failures - self.free, 20), self.longest)


NEAR = Patience(5, timedelta(minutes=1), timedelta(hours=1))
"""From one network, from one browser of the person, or while signed in."""
FAR = Patience(100, timedelta(hours=1), timedelta(hours=1))
"""From all networks together, save the browsers of the person."""
SECOND = Patience(5, timedelta(minutes=1), timedelta(hours=24))
"""At the second factor, which only those reach who have the password."""
EVERYWHERE, INSIDE = "everywhere", "signed-in"
FORGOTTEN = timedelta(days=7)
FROM_ADDRESS = 40
"""Failures from one network in an hour; a shop's people share one."""
HOUR = 60

_log = structlog.get_logger("sign-in")


def note(event: str, row: StaffRow | None = None, **facts: str | int | bool | None) -> None:
    """One line of the log for whoever looks into it afterwards; holds no secret and no e-mail address."""
    _log.info(event, person=row.public_id if row else None, **facts)


def _hour(now: datetime) -> int:
    return int(now.timestamp()) // 60 // HOUR * HOUR


# ---------------------------------------------------------------------- what a network may do


def check_address(ctx: Context, address: str, most: int = FROM_ADDRESS, what: str = "sign-in") -> None:
    """Raises `TooMany` when too much was counted from this network within the hour.

    An address that is not of the internet is nobody's alone (a proxy of which nobody told us), and is not held back.
    """
    now, mark = ctx.now(), visitors.mark(ctx, address)
    if mark is None:
        return
    with ctx.look() as tx:
        taken = limits.taken(tx, _name(what, mark), _hour(now))
    if taken >= most:
        wait = (_hour(now) + HOUR) * 60 - int(now.timestamp())
        note(f"{what} held back", address=address)
        raise TooMany("Too many tries from your network. Wait a while, then try again.", retry_after_seconds=wait)


def count_address(ctx: Context, tx: Tx, address: str, what: str = "sign-in", many: int = 1) -> None:
    """One more from this network."""
    mark = visitors.mark(ctx, address)
    if mark is not None:
        limits.take(tx, _name(what, mark), _hour(ctx.now()), many)


def _name(what: str, mark: str) -> str:
    return f"{what}:{mark}"[:80]


# ---------------------------------------------------------------------- a try


@dataclass(frozen=True)
class Try:
    """A try under way, which counts as a failure until it has passed. `held` is true for one who has to wait; `network`
    is where it counts besides."""

    row: StaffRow | None
    how: str
    address: str
    places: tuple[str, ...]
    held: bool
    network: bool


def begin(ctx: Context, row: StaffRow | None, address: str, how: str, known: str = "") -> Try:
    """Somebody tries a password, or a code in its place. `known` is what the browser keeps of `browsers`.

    As much work for an address of nobody's. Raises `TooMany`.
    """
    browser = browsers.number(ctx, known, row) if row else None
    if browser is None:
        check_address(ctx, address)
    mark = visitors.mark(ctx, address)
    near = f"known:{browser}" if browser else f"from:{mark}" if mark else None
    places = {near: NEAR} if near else {}
    if browser is None:
        places = {EVERYWHERE: FAR, **places}
    return _begin(ctx, row, address, how, places, network=browser is None)


def begin_second(ctx: Context, row: StaffRow, address: str, known: str) -> Try:
    """Somebody who has the password tries a second factor. Raises `TooMany`."""
    browser = browsers.number(ctx, known, row)
    if browser is None:
        check_address(ctx, address)
    places = {f"second:{browser or EVERYWHERE}": SECOND}
    return _begin(ctx, row, address, "second factor", places, network=browser is None)


def begin_inside(ctx: Context, row: StaffRow, address: str) -> Try:
    """Somebody who is signed in says the password once more; what strangers do outside does not count."""
    return _begin(ctx, row, address, "password again", {INSIDE: NEAR}, network=False)


def _begin(
    ctx: Context, row: StaffRow | None, address: str, how: str, places: dict[str, Patience], *, network: bool
) -> Try:
    now, held = ctx.now(), False
    counted: list[str] = []
    with ctx.change() as tx:
        if network:
            count_address(ctx, tx, address)
        if row is not None:
            waits.forget(tx, row.id, now - FORGOTTEN)
            for place, patience in places.items():
                failures = waits.count(tx, row.id, place, now)
                if failures is None:
                    held = True
                    break
                counted.append(place)
                wait = patience.wait(failures)
                if wait is not None:
                    waits.lock(tx, row.id, place, now + wait)
            if held:
                for place in counted:
                    waits.give_back(tx, row.id, place)
    return Try(row, how, address, () if held else tuple(counted), held, network)


def give_back(ctx: Context, tx: Tx, one: Try) -> None:
    """It was no failure, but nobody is let in yet."""
    for place in one.places:
        waits.give_back(tx, one.row.id if one.row else 0, place)
    if one.network:
        count_address(ctx, tx, one.address, many=-1)


def passed(ctx: Context, tx: Tx, one: Try, known: str = "") -> None:
    """Somebody is let in: where they are, it is counted anew. What others do elsewhere goes on counting."""
    give_back(ctx, tx, one)
    if one.row is not None:
        let_in(ctx, tx, one.row, one.address, known, one.places)


def let_in(ctx: Context, tx: Tx, row: StaffRow, address: str, known: str = "", places: tuple[str, ...] = ()) -> None:
    """The same, without a try that counted."""
    near = [f"known:{browsers.number(ctx, known, row)}", f"from:{visitors.mark(ctx, address)}", *places]
    waits.clear(tx, row.id, [place for place in near if EVERYWHERE not in place])


def failed(ctx: Context, one: Try) -> None:
    """It stays counted; a line in the log says so."""
    locked = one.held
    if one.row is not None and not locked:
        with ctx.look() as tx:
            locked = bool(waits.locked_at(tx, one.row.id, ctx.now()).keys() & set(one.places))
    note("sign-in failed", one.row, how=one.how, locked=locked, address=one.address)
