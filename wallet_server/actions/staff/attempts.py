"""Owns what failing to sign in leads to: longer and longer waits for a person, a limit for an address, a line in the
log."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from wallet_server.actions.context import Context
from wallet_server.errors import TooMany
from wallet_server.records import limits, staff
from wallet_server.records.database import Tx
from wallet_server.records.staff import StaffRow

FREE = 5
"""Failures in a row that cost nothing but themselves."""
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
FROM_ADDRESS = 40
"""Failures from one address in an hour; a shop's people share one."""
HOUR = 60

_log = structlog.get_logger("sign-in")


def note(event: str, row: StaffRow | None = None, **facts: str | int | bool | None) -> None:
    """One line of the log for whoever looks into it afterwards; holds no secret and no e-mail address."""
    _log.info(event, person=row.public_id if row else None, **facts)


def _hour(now: datetime) -> int:
    return int(now.timestamp()) // 60 // HOUR * HOUR


def check_address(ctx: Context, address: str, most: int = FROM_ADDRESS, what: str = "sign-in") -> None:
    """Raises `TooMany` when too much failed from this network address within the hour."""
    now = ctx.now()
    with ctx.look() as tx:
        taken = limits.taken(tx, _name(what, address), _hour(now))
    if taken >= most:
        wait = (_hour(now) + HOUR) * 60 - int(now.timestamp())
        note(f"{what} held back", address=address)
        raise TooMany("Too many tries from your network. Wait a while, then try again.", retry_after_seconds=wait)


def count_address(tx: Tx, address: str, now: datetime, what: str = "sign-in") -> None:
    """One more from this network address."""
    limits.take(tx, _name(what, address), _hour(now), 1)


def _name(what: str, address: str) -> str:
    return f"{what}:{address}"[:80]


def locked(row: StaffRow, now: datetime) -> bool:
    """Whether this person waits after too many failures."""
    return row.locked_until is not None and row.locked_until > now


def failed(ctx: Context, row: StaffRow | None, address: str, how: str) -> None:
    """Count a failure. It is as much work for an address of nobody's."""
    now = ctx.now()
    with ctx.change() as tx:
        count_address(tx, address, now)
        waiting = row is not None and locked(row, now)
        if row is not None and not waiting:
            failures = staff.fail(tx, row.id)
            if failures >= FREE:
                wait = min(FIRST_WAIT * 2 ** min(failures - FREE, 10), LONGEST_WAIT)
                staff.change(tx, row.id, {"locked_until": now + wait})
                waiting = True
    note("sign-in failed", row, how=how, locked=waiting, address=address)


def passed(tx: Tx, row: StaffRow) -> None:
    """Begin to count anew."""
    if row.failures or row.locked_until is not None:
        staff.change(tx, row.id, {"failures": 0, "locked_until": None})
