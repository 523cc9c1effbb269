"""Owns recovery: a member whose card is lost or deleted gets a new one with everything on it, and the old one is over.

Whoever has the code or the link of a card may do it, as whoever holds a printed card may use it: nobody was asked for a
name. Afterwards neither opens anything: the lost phone shows both on the back of its card. Whoever has neither asks in
the shop, which makes a link of its own (`actions/people/card_return.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from wallet_server.actions.context import Context
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.passes import cards
from wallet_server.actions.passes.issuing import issue_pass
from wallet_server.actions.people import card_return, visitors
from wallet_server.actions.people.enrol import pass_of_link
from wallet_server.actions.people.visitors import Allowed
from wallet_server.actions.purse import coupons
from wallet_server.errors import NotFound, WalletError
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.people import card_returns, members, recovery
from wallet_server.records.programme import programmes
from wallet_server.records.requests import Claim
from wallet_server.rules.passes.card import Card
from wallet_server.rules.people import recovering

GUESSES_PER_MINUTE = 300
"""In the whole installation: against 55 bits this is nothing, and no stranger locks everybody out with less."""


@dataclass(frozen=True)
class Lost:
    """The card behind a recovery link, before anything is done, and the language that its member reads."""

    card: Card
    language: str


def lost(ctx: Context, token: str) -> Lost:
    """What stands behind the link on the back of a card, or one that the shop made. Raises `NotFound` when it is not
    valid, or was used."""
    with ctx.look() as tx:
        row = _of_shop(ctx, tx, token) if card_return.is_return(token) else _good_link(ctx, tx, token)
        publication = passes.published(tx, [row.id])[row.id]
        language = members.members_by_id(tx, [row.member_id])[row.member_id].language
        return Lost(cards.by_the_books(ctx, tx, row, publication)[0], language)


def by_link(ctx: Context, token: str, form: str) -> Facts:
    """A new card for the holder of the link: {pass, join_code}. The same `form` sent twice gets the same card.

    Raises `NotFound` when the link is not valid, or was used.
    """

    def act(tx: Tx) -> Facts:
        if card_return.is_return(token):
            of_shop = card_return.good(ctx, tx, token)
            _lock(tx, of_shop.member_id)
            card_return.use(ctx, tx, of_shop)
            return _replace(ctx, tx, of_shop.member_id)
        row = _good_link(ctx, tx, token)
        _lock(tx, row.member_id)
        if passes.lock_passes(tx, [row.id])[0].state != passes.ACTIVE:
            raise _used()
        return _replace(ctx, tx, row.member_id)

    facts = once(ctx, _wish(token, form), act)[0]
    ctx.ring()
    return facts


def by_code(ctx: Context, text: str, form: str, address: str | None = None) -> Facts:
    """The same for whoever types the code. Raises `NotFound` for one that is not good, in the same words whatever it
    is, and `TooMany` (for a good one too) after too many tries from one address."""
    code = recovering.read(text)
    wish = _wish(code or "", form)

    def act(tx: Tx) -> Facts:
        found = None if code is None else recovery.by_lookup(tx, passes.lookup_hash(recovering.lookup_key(code)))
        if found is None:
            raise _wrong()
        _lock(tx, found.member_id)
        # Another request may have used it while this one waited for the member.
        standing = recovery.codes_of(tx, [found.member_id]).get(found.member_id)
        if standing is None or standing.cipher != found.cipher:
            raise _wrong()
        return _replace(ctx, tx, found.member_id)

    # Before the code is looked at and for itself, so that a wrong one counts too.
    with ctx.change() as tx:
        visitors.count(ctx, tx, _guesses(ctx), "all", address)
    facts = once(ctx, wish, act)[0]
    ctx.ring()
    return facts


def _guesses(ctx: Context) -> Allowed:
    return Allowed(
        "recover",
        ctx.settings.guesses_per_hour,
        GUESSES_PER_MINUTE,
        "Too many codes were tried from here; wait an hour, or open the link on the back of the card.",
    )


def _wish(what: str, form: str) -> Asked:
    # By the form alone, as it was shown: whoever sends it twice gets one card. Neither code nor link is stored in it.
    name = hashlib.sha256(f"{what}\0{form}".encode())
    return Asked("recover", name.digest(), (Claim("recover", f"form:{name.hexdigest()}"),))


def _good_link(ctx: Context, tx: Tx, token: str) -> passes.PassRow:
    row = pass_of_link(ctx, tx, "recover", token)
    if row.state != passes.ACTIVE:
        raise _used()
    return row


def _of_shop(ctx: Context, tx: Tx, token: str) -> passes.PassRow:
    """The card that a link of the shop replaces, or replaces in the end: it may be over already."""
    row = passes.pass_by_public(tx, card_returns.newest_pass(tx, card_return.good(ctx, tx, token).member_id))
    if row is None:
        raise _used()
    return row


def replaced(ctx: Context, tx: Tx, member_id: int) -> Facts:
    """A new card for a member who was proved in another way, in the caller's transaction: {pass, join_code}. Raises
    `NotFound` for one who left."""
    _lock(tx, member_id)
    return _replace(ctx, tx, member_id)


def _lock(tx: Tx, member_id: int) -> None:
    try:
        members.lock_member(tx, member_id)
    except WalletError as fault:
        raise _wrong() from fault


def _replace(ctx: Context, tx: Tx, member_id: int) -> Facts:
    """Every copy that the member has is over, and there is one new one with a new recovery code: by the time of the
    member's account."""
    with ctx.times.of_member(tx, member_id):
        return _replaced(ctx, tx, member_id, ctx.now())


def _replaced(ctx: Context, tx: Tx, member_id: int, now: datetime) -> Facts:
    old = recovery.copies(tx, member_id)
    for row in passes.lock_passes(tx, old):
        passes.retire_pass(tx, row.id)
    member = members.members_by_id(tx, [member_id])[member_id]
    programme = programmes.programme_by_id(tx, member.programme_id)
    cards.give_recovery_code(ctx, tx, member_id, member.public_id, now)
    fresh = issue_pass(ctx, tx, programme, member_id, now)
    coupons.bring_along(ctx, tx, programme, member_id, now)
    # A phone that still holds the old card shows it as replaced, without a sound.
    jobs.put(tx, [jobs.Put(cards.REFRESH, str(key), jobs.SERVICE, now) for key in old])
    return {"pass": fresh.public_id, "join_code": programme.join_code}


def _used() -> NotFound:
    return NotFound("This link has been used, or the card was replaced.", code="already-recovered")


def _wrong() -> NotFound:
    return NotFound("No card is found by this code; check it letter by letter.", code="wrong-recovery-code")
