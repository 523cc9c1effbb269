"""Owns rotating codes at the till: what was scanned is a card's code and a number that is good for a minute, once.

With its number it is refused at another till, and later. At the till that took it first it stays good for the minutes
of one visit: what was scanned once is looked up, sold to and redeemed for. A sale that an offline till sends later is
judged by the time of the sale, within three days.

The card's code alone, as a cashier types it, says who somebody is and earns. It spends nothing of a card whose code
changes: nobody can tell who typed it and who left the number of a picture away.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from wallet_server.actions.context import Context
from wallet_server.actions.passes import cards
from wallet_server.errors import Conflict, NotFound
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.passes.passes import PassRow
from wallet_server.records.people import members
from wallet_server.records.people.members import CodeKey
from wallet_server.records.scope import Scope
from wallet_server.records.vendors import issuers
from wallet_server.records.vendors.issuers import Taken
from wallet_server.rules.counter import scans
from wallet_server.rules.counter.scans import Key
from wallet_server.rules.passes.card import card_from_json
from wallet_server.wallets.google import objects, totp

VISIT = timedelta(minutes=10)
OFFLINE = timedelta(hours=72)
"""How long after a sale its till may send it with the number that was scanned then."""
REMEMBERED = OFFLINE + timedelta(hours=24)
_SLACK = timedelta(seconds=totp.PERIOD_SECONDS * (totp.WINDOW + 1))


def rotates(scanned: str) -> bool:
    """Whether what was scanned has a number that changes."""
    return totp.split(scanned)[1] is not None


def bare(scanned: str) -> str:
    """What stays the same of what was scanned: the code of the card."""
    return totp.split(scanned)[0].strip()


def take(ctx: Context, tx: Tx, scope: Scope, scanned: str, now: datetime, sold_at: datetime | None = None) -> str:
    """The code of the card in what was scanned, after its number was taken. `sold_at` is when that was, of a sale that
    is sent later. Raises `Conflict` (`code-stale`) for a number that is neither of this moment nor of that, or that was
    taken before; a code without a number is as it is, and so is that of a card that is not known at the caller's."""
    code, number = totp.split(scanned)
    if number is None:
        return scanned
    row = _pass(tx, scope, code)
    if row is None:
        return code  # whoever looks it up says so
    # The member before the number: a sale holds its member, and takes the number of a coupon of theirs afterwards.
    members.hold(tx, row.member_id)
    secret = totp.secret(cards.identity(ctx, tx, row))
    moments = [now] if sold_at is None or not now - OFFLINE <= sold_at < now else [now, sold_at]
    for moment in moments:
        if _of_this_visit(tx, row, scope, moment, secret, number):
            return code
        counter = totp.verify(number, secret, moment, None)
        if counter is not None and issuers.use_number(tx, row.id, Taken(counter, scope.till_id, moment)):
            return code
        # The same till may have sent it twice, and the other was quicker.
        if counter is not None and _of_this_visit(tx, row, scope, moment, secret, number):
            return code
    raise Conflict("This code has changed since; scan the card again.", code="code-stale", field="code")


def demand_fresh(ctx: Context, tx: Tx, scope: Scope, scanned: str) -> None:
    """What is to be spent needs more than the code of a card whose code changes. Raises `Conflict` (`needs-fresh-code`)
    where the number is missing; whether one that is there is good is for `take` to say."""
    if rotates(scanned):
        return
    row = _pass(tx, scope, scanned)
    if row is None or not ctx.pushes(row.wallet):
        return  # the code of a card in another wallet, or on paper, is another one, and does not change
    card = card_from_json(passes.published(tx, [row.id])[row.id].card)
    if card.rotating or objects.rotates(card, ctx.designs.get(card.design, card.design_version)):
        sentence = "This card's code changes: to spend, scan it off the phone itself; typing it is not enough."
        raise Conflict(sentence, code="needs-fresh-code", field="code")


def hashed(key: Key) -> CodeKey:
    """What the row of a code is found by."""
    return CodeKey(passes.lookup_hash(key.text), key.short)


def _pass(tx: Tx, scope: Scope, text: str) -> PassRow | None:
    """The pass of a code, as far as it is known at the caller's. Not locked: whoever changes a pass holds its member
    first."""
    try:
        scan = scans.read(text, scope.issuer_mark)
    except NotFound:
        return None
    found = (members.pass_by_code(tx, scope, hashed(key)) for key in scan.keys)
    pass_id = next((one for one in found if one is not None), None)
    return None if pass_id is None else passes.passes_by_id(tx, [pass_id])[0]


def _of_this_visit(tx: Tx, row: PassRow, scope: Scope, moment: datetime, secret: bytes, number: str) -> bool:
    """Whether this till took this very number within the minutes before `moment`."""
    known = issuers.taken(tx, row.id, moment - VISIT, moment + _SLACK)
    return any(one.till_id == scope.till_id and totp.value(secret, one.counter) == number for one in known)
