"""Owns browsers that a person signed in with before: strangers who mistype that person's password do not hold them up.

Such a browser keeps a text that names the person and a number of its own, with an authenticator. It lets nobody in, and
is worth nothing once the password is another.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

from wallet_server.actions.context import Context
from wallet_server.records.envelope import digest
from wallet_server.records.staff import sessions
from wallet_server.records.staff.staff import StaffRow

LASTS = timedelta(days=180)
MOST_PEOPLE = 4
"""Who share one browser."""
MOST_KEPT = 800
_PART = re.compile(r"(?P<person>[a-z]+_[0-9a-z]+)\.(?P<day>\d{1,6})\.(?P<number>[0-9a-f]{16})\.(?P<signature>[^~]+)")


def number(ctx: Context, kept: str, row: StaffRow) -> str | None:
    """The number of this browser, if this person signed in with it before."""
    for part in kept[:MOST_KEPT].split("~"):
        found = _PART.fullmatch(part)
        if found is None or found["person"] != row.public_id:
            continue
        signed = _signed(row, int(found["day"]), found["number"])
        young = int(found["day"]) + LASTS.days >= _today(ctx)
        if young and ctx.keyring.verify("known-browser", signed, found["signature"]):
            return found["number"]
    return None


def keep(ctx: Context, kept: str, session_secret: str) -> str:
    """What the browser keeps from now on, being signed in with this session; what it kept of others stays."""
    with ctx.look() as tx:
        session = sessions.live(tx, digest(session_secret), ctx.now())
    if session is None:
        return kept[:MOST_KEPT]
    row = session.person
    others = [part for part in kept[:MOST_KEPT].split("~") if part and not part.startswith(f"{row.public_id}.")]
    day, own = _today(ctx), number(ctx, kept, row) or secrets.token_hex(8)
    mine = f"{row.public_id}.{day}.{own}.{ctx.keyring.sign('known-browser', _signed(row, day, own))}"
    return "~".join([mine, *others][:MOST_PEOPLE])


def _signed(row: StaffRow, day: int, own: str) -> str:
    return f"{row.public_id}.{day}.{own}.{digest(row.password_hash or '').hex()}"


def _today(ctx: Context) -> int:
    return int(ctx.now().timestamp()) // 86400
