"""Owns rotating codes at the till: what was scanned is a card's code and a number that is good for a minute, once.

With its number it is refused at another till, and later. At the till that took it first it stays good for the minutes
of one visit: what was scanned once is looked up, sold to and redeemed for.

Price: the card's code alone, as a cashier types it, is taken too, and nobody can tell who typed it and who left the
number of a picture away. So the number keeps out pictures that are scanned, not whoever enters the code of one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from wallet_server.actions import cards
from wallet_server.actions.context import Context
from wallet_server.errors import Conflict
from wallet_server.records import issuers, members, passes
from wallet_server.records.database import Tx
from wallet_server.records.issuers import Taken
from wallet_server.records.scope import Scope
from wallet_server.rules import codes
from wallet_server.wallets.google import totp

VISIT = timedelta(minutes=10)


def rotates(scanned: str) -> bool:
    """Whether what was scanned has a number that changes."""
    return totp.split(scanned)[1] is not None


def bare(scanned: str) -> str:
    """What stays the same of what was scanned: the code of the card."""
    return totp.split(scanned)[0].strip()


def take(ctx: Context, tx: Tx, scope: Scope, scanned: str, now: datetime) -> str:
    """The code of the card in what was scanned, after its number was taken. Raises `Conflict` (`code-stale`) for a
    number that is not of this moment, or that was taken before; a code without a number is as it is, and so is that of
    a card that is not known at the caller's."""
    code, number = totp.split(scanned)
    if number is None:
        return scanned
    read = codes.read(code)
    known = codes.same_issuer(read, scope.issuer_mark)
    pass_id = members.pass_by_code(tx, scope, cards.code_hash(read)) if known else None
    if pass_id is None:
        return code  # whoever looks it up says so
    # Not locked: whoever changes a pass holds its member first.
    row = passes.passes_by_id(tx, [pass_id])[0]
    secret, last = totp.secret(cards.identity(ctx, tx, row)), issuers.last_rotating(tx, pass_id)
    if _of_this_visit(last, scope, now, secret, number):
        return code
    counter = totp.verify(number, secret, now, None if last is None else last.counter)
    if counter is not None and issuers.use_rotating(tx, pass_id, Taken(counter, scope.till_id, now)):
        return code
    # The same till may have sent it twice, and the other was quicker.
    if counter is not None and _of_this_visit(issuers.last_rotating(tx, pass_id), scope, now, secret, number):
        return code
    raise Conflict("This code has changed since; scan the card again.", code="code-stale", field="code")


def _of_this_visit(last: Taken | None, scope: Scope, now: datetime, secret: bytes, number: str) -> bool:
    if last is None or last.till_id != scope.till_id or now - last.at > VISIT:
        return False
    return totp.value(secret, last.counter) == number
