"""Owns rotating codes at the till: what was scanned is a card's code and a number that is good for a minute, once.

A picture of the code is worth nothing at another till, nor later. At the till that took it first it stays good for the
minutes of one visit: what was scanned once is looked up, sold to and redeemed for.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from wallet_server.actions import cards
from wallet_server.actions.context import Context
from wallet_server.errors import Conflict
from wallet_server.records import issuers, passes
from wallet_server.records.database import Tx
from wallet_server.records.issuers import Taken
from wallet_server.records.scope import Scope
from wallet_server.rules import codes
from wallet_server.wallets.google import totp

VISIT = timedelta(minutes=10)


def rotates(scanned: str) -> bool:
    """Whether what was scanned has a number that changes."""
    return totp.split(scanned)[1] is not None


def take(ctx: Context, tx: Tx, scope: Scope, scanned: str, now: datetime) -> str:
    """The code of the card in what was scanned, after its number was taken. Raises `Conflict` (`code-stale`) for a
    number that is not of this moment, or that was taken before; a code without a number is as it is."""
    code, number = totp.split(scanned)
    if number is None:
        return scanned
    read = codes.read(code)
    pass_id = issuers.of_code(tx, cards.code_hash(read)) if codes.same_issuer(read, scope.issuer_mark) else None
    if pass_id is None:
        return code  # whoever looks it up says so
    # Not locked: whoever changes a pass holds its member first.
    row = passes.passes_by_id(tx, [pass_id])[0]
    secret, last = totp.secret(cards.identity(ctx, tx, row)), issuers.last_rotating(tx, pass_id)
    same_visit = last is not None and last.till_id == scope.till_id and now - last.at <= VISIT
    if last is not None and same_visit and totp.value(secret, last.counter) == number:
        return code
    counter = totp.verify(number, secret, now, None if last is None else last.counter)
    if counter is None or not issuers.use_rotating(tx, pass_id, Taken(counter, scope.till_id, now)):
        raise Conflict("This code has changed since; scan the card again.", code="code-stale", field="code")
    return code
