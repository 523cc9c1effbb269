"""Owns giving a card back at the counter: somebody of the shop makes a link for a member, once and for a quarter of an
hour; the member opens it on the new phone. Who made it is kept.

It is `actions/people/recovery.py` for whoever has neither link nor code of the lost card, but is known to the shop.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from wallet_server.actions.context import Context, new_id
from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.people import card_returns, members
from wallet_server.records.people.card_returns import Given, ReturnRow
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds

__all__ = ["LIVES", "Given", "Link", "good", "is_return", "made", "offer", "use"]

LIVES = timedelta(minutes=15)
MOST_TOLD = 5
TOKEN = re.compile(r"ret_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class Link:
    """What the QR code carries; it is shown once and kept nowhere."""

    member: str
    address: str


def offer(ctx: Context, scope: Scope, member: str, staff_id: int | None = None) -> Link:
    """A link that gives this member a new card in the place of the present one; the links before it are over.

    Raises `NotFound`, also for a member who has left.
    """
    now, secret = ctx.now(), secrets.token_urlsafe(32)
    with ctx.change() as tx:
        row = members.member_by_public(tx, scope, member)
        members.lock_member(tx, row.id)
        card_returns.add(tx, new_id("ret"), scope, row.id, staff_id, digest(secret), now, now + LIVES)
        deeds.add(tx, scope, deeds.CARD_BACK, now, about=row.public_id)
    return Link(row.public_id, f"{ctx.settings.base_url}/recover/ret_{secret}")


def made(ctx: Context, scope: Scope, member: str) -> Sequence[Given]:
    """The last links that the shop made for a member. Raises `NotFound`."""
    with ctx.look() as tx:
        return card_returns.of_member(tx, scope, members.member_by_public(tx, scope, member).id, MOST_TOLD)


def is_return(token: str) -> bool:
    """Whether a token of the page `/recover/…` was made by a shop, and not signed for the back of a card."""
    return token.startswith("ret_")


def good(ctx: Context, tx: Tx, token: str) -> ReturnRow:
    """The link behind a token. Raises `NotFound` (`return-over` when it was used or is too old)."""
    text = TOKEN.fullmatch(token)
    row = card_returns.by_secret(tx, digest(text[1])) if text else None
    if row is None or row.member_left:
        raise NotFound("This link is not valid.")
    if row.used_at is not None or row.expires_at <= ctx.now():
        raise _over()
    return row


def use(ctx: Context, tx: Tx, row: ReturnRow) -> None:
    """Use it up; the member is locked. Raises `NotFound` (`return-over`) when another request was faster."""
    if not card_returns.use(tx, row.id, ctx.now()):
        raise _over()


def _over() -> NotFound:
    return NotFound("This link was used, or its time is over; ask in the shop for a new one.", code="return-over")
