"""Owns how a member without a name becomes one who can be reached: an address is said, proved by a code, and theirs.

The member, the card and the balance stay what they are. A proved address is one member's within a programme: where it
is another's, whoever proved it has proved both, and may make them one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wallet_server.actions.context import Context
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.people import letters, merging, one_time, standing_letters
from wallet_server.actions.people.enrol import pass_of_link, still_good
from wallet_server.actions.people.standing_words import STANDING, STOP
from wallet_server.errors import Conflict, NotFound
from wallet_server.records.database import Tx
from wallet_server.records.people import contacts, members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.rules.people.contacts import EMAIL, KINDS, PHONE, Address, masked, of, typed

REACHED = "contact"
"""The purpose under which it is recorded that a member wants to be reached: for codes and the card, nothing else."""
WORDS = ("name", "address", "postcode")
MOST_WORD = 200


@dataclass(frozen=True)
class Said:
    """An address as its member is shown it."""

    kind: str
    masked: str
    proved: bool


@dataclass(frozen=True)
class Confirmed:
    """What a code that was typed proved; `offer` is a token to make the two members one, where the address is another
    member's."""

    kind: str
    masked: str
    offer: str | None = None


# ---------------------------------------------------------------------- on the page of the card


def of_card(ctx: Context, token: str) -> tuple[list[Said], str | None, tuple[str, ...]]:
    """The addresses of whoever has this card, where a code is on its way to (masked), and by which kinds of address
    one can be reached from here. Raises `NotFound`."""
    with ctx.look() as tx:
        row = pass_of_link(ctx, tx, "card", token)
        waits = one_time.waiting(ctx, tx, row.member_id, one_time.CONTACT)
        return _said(tx, row.member_id), masked(waits) if waits else None, tuple(sorted(ctx.channels))


def ask(ctx: Context, token: str, text: str, source: str = "web-card") -> Said:
    """Send a code to the address that the member typed on the card's page. Raises `Invalid` (`bad-address`),
    `Conflict` (`not-reachable`), `TooMany` and `NotFound`."""
    address = typed(text, ctx.settings.phone_region)
    with ctx.change() as tx:
        row = pass_of_link(ctx, tx, "card", token)
        members.lock_member(tx, row.member_id)
        still_good(tx, row)
        one_time.send(ctx, tx, row.member_id, one_time.CONTACT, address)
        _consent(ctx, tx, row.member_id, source)
    ctx.ring()
    return Said(address.kind, masked(address), False)


def confirm(ctx: Context, token: str, value: str) -> Confirmed:
    """Type the code: the address is the member's, or, where it is another's, the two may be made one. Raises `NotFound`
    (`wrong-sent-code`)."""
    with ctx.look() as tx:
        row = pass_of_link(ctx, tx, "card", token)
    tried = one_time.guess(ctx, row.member_id, one_time.CONTACT, value)
    with ctx.change() as tx:
        members.lock_member(tx, row.member_id)
        still_good(tx, row)
        address = tried.address
        if address is None or not one_time.good(ctx, tx, tried, row.member_id, one_time.CONTACT):
            raise wrong()
        other = _prove(ctx, tx, members.members_by_id(tx, [row.member_id])[row.member_id], address)
    offer = None if other is None else merging.offer(ctx, row.member_id, other)
    return Confirmed(address.kind, masked(address), offer)


def merge(ctx: Context, token: str, offer: str) -> Facts:
    """Take up the offer: the other member's card goes on, for this one. Raises `NotFound` (`offer-over`)."""
    with ctx.look() as tx:
        row = pass_of_link(ctx, tx, "card", token)
    return merging.by_member(ctx, offer, row.member_id)


def remove(ctx: Context, token: str, kind: str) -> None:
    """The member is no longer reached in this way. Raises `NotFound`."""
    with ctx.change() as tx:
        row = pass_of_link(ctx, tx, "card", token)
        members.lock_member(tx, row.member_id)
        still_good(tx, row)
        if kind in KINDS:
            contacts.remove(tx, row.member_id, kind)
        if kind == EMAIL:
            _end_letters(ctx, tx, row.member_id, "web-card")
        if not contacts.proved(tx, row.member_id):
            members.record_consent(tx, row.member_id, REACHED, False, "web-card", ctx.now())


# ---------------------------------------------------------------------- letters that say where one stands


@dataclass(frozen=True)
class Letters:
    """Whether a member is written to when they reach a higher tier, and where; `to` is "" where that cannot be."""

    organisation: str
    language: str
    to: str
    granted: bool


def letters_of(ctx: Context, token: str, link: str = "card") -> Letters:
    """The same, behind the link of a card, or (`STOP`) of a letter. Raises `NotFound`."""
    with ctx.look() as tx:
        row = pass_of_link(ctx, tx, link, token)
        member = members.members_by_id(tx, [row.member_id])[row.member_id]
        programme = ctx.programme(tx, member.version_id)
        to = standing_letters.address_of(ctx, tx, member.id) if programme.ladder else None
        granted = standing_letters.wants(tx, member.id)
    return Letters(programme.organisation, member.language, masked(to) if to else "", granted)


def choose_letters(ctx: Context, token: str, granted: bool) -> None:
    """The member asks for such letters, and has the first one at once, or for none. Raises `NotFound`, `Conflict`
    (`not-reachable`) and `TooMany`."""
    with ctx.change() as tx:
        row = pass_of_link(ctx, tx, "card", token)
        members.lock_member(tx, row.member_id)
        still_good(tx, row)
        if not granted:
            _end_letters(ctx, tx, row.member_id, "web-card")
            return
        to = standing_letters.address_of(ctx, tx, row.member_id)
        if to is None:
            raise Conflict("This member has no e-mail address that was confirmed.", code="not-reachable")
        if standing_letters.wants(tx, row.member_id):
            return
        member = members.members_by_id(tx, [row.member_id])[row.member_id]
        letters.count(ctx, tx, letters.mark(ctx, to))
        letters.count_member(ctx, tx, member.id, programmes.programme_by_id(tx, member.programme_id).account_id)
        members.record_consent(tx, member.id, STANDING, True, "web-card", ctx.now())
        standing_letters.post(ctx, tx, member.id, to)
    ctx.ring()


def stop_letters(ctx: Context, token: str) -> None:
    """No more of them, by the link in one; that of a card which was replaced does it too, and whoever left
    is told the same. Raises `NotFound`."""
    with ctx.change() as tx:
        row = pass_of_link(ctx, tx, STOP, token)
        members.hold(tx, row.member_id)
        _end_letters(ctx, tx, row.member_id, "letter")


def _end_letters(ctx: Context, tx: Tx, member_id: int, source: str) -> None:
    if standing_letters.wants(tx, member_id):
        members.record_consent(tx, member_id, STANDING, False, source, ctx.now())


# ---------------------------------------------------------------------- by a merchant's own system


@dataclass(frozen=True)
class Wanted:
    """What a system says of a member: addresses by kind (None: forget it), and `words` (name, postal address,
    postcode). `send`: codes go out at once, to prove the addresses."""

    addresses: Mapping[str, str | None]
    words: Mapping[str, str | None]
    send: bool = True
    source: str = "api"


def put(ctx: Context, scope: Scope, member: str, wanted: Wanted, wish: Asked) -> tuple[Facts, bool]:
    """Note what is said of a member; an address counts once its code was typed. What is not named stays. Raises
    `NotFound`, `Invalid` (`bad-address`), `Conflict` (`not-reachable`) and `TooMany`."""
    said = {
        kind: None if text is None else of(kind, text, ctx.settings.phone_region)
        for kind, text in wanted.addresses.items()
    }

    def act(tx: Tx) -> Facts:
        row = _held(tx, scope, member)
        sent = []
        for kind, address in said.items():
            if address is None:
                contacts.remove(tx, row.id, kind)
                if kind == EMAIL:
                    _end_letters(ctx, tx, row.id, wanted.source)
            elif contacts.owner(tx, row.programme_id, kind, address.value) != row.id:
                contacts.say(tx, row.programme_id, row.id, kind, address.value)
                if wanted.send and letters.channel_of(ctx, kind) is not None:
                    sent.append(vars(one_time.send(ctx, tx, row.id, one_time.CONTACT, address)))
                _consent(ctx, tx, row.id, wanted.source)
        for kind, text in wanted.words.items():
            contacts.say(tx, row.programme_id, row.id, kind, text[:MOST_WORD] if text else None)
        return {"member": row.public_id, "contacts": [vars(one) for one in _said(tx, row.id)], "sent": sent}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def told(ctx: Context, scope: Scope, member: str) -> Facts:
    """How a member is reached, masked. Raises `NotFound`."""
    with ctx.look() as tx:
        row = members.member_by_public(tx, scope, member)
        return {"member": row.public_id, "contacts": [vars(one) for one in _said(tx, row.id)], "sent": []}


def verify(ctx: Context, scope: Scope, member: str, value: str, *, join: bool, wish: Asked) -> tuple[Facts, bool]:
    """Type the code that a member told: the address is theirs. Where it is another member's, `join` makes the two one.

    Raises `NotFound` (`wrong-sent-code`) and `Conflict` (`address-taken`, without `join`): then the code may be
    sent again.
    """
    with ctx.look() as tx:
        known = members.member_by_public(tx, scope, member)
    tried = one_time.guess(ctx, known.id, one_time.CONTACT, value)

    def act(tx: Tx) -> Facts:
        row = _held(tx, scope, member, tried.address)
        address = tried.address
        if address is None or not one_time.good(ctx, tx, tried, row.id, one_time.CONTACT):
            raise wrong()
        other = _prove(ctx, tx, row, address)
        merged: Facts = {"merged": None, "moved": {}}
        if other is not None:
            if not join:
                sentence = "This address is another member's; send the code again with `join` to make the two one."
                raise Conflict(sentence, code="address-taken")
            merged = merging.join(ctx, tx, row.id, other, merging.BY_MEMBER, None, scope.merchant_id)
        facts = {"member": row.public_id, "contacts": [vars(one) for one in _said(tx, row.id)]}
        return facts | {"merged": merged["merged"], "moved": merged["moved"]}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def wrong() -> NotFound:
    """What is answered to a code that is none, whatever is wrong with it."""
    return NotFound("This is not the code that was sent, or it is over; ask for a new one.", code="wrong-sent-code")


def _held(tx: Tx, scope: Scope, member: str, proved: Address | None = None) -> MemberRow:
    """The member, held; with whoever else proved this address, as the two may become one."""
    row = members.member_by_public(tx, scope, member)
    other = None if proved is None else contacts.owner(tx, row.programme_id, proved.kind, proved.value)
    if other is not None:
        merging.hold_both(tx, row.id, other)
    members.lock_member(tx, row.id)
    return row


def _prove(ctx: Context, tx: Tx, row: MemberRow, address: Address) -> int | None:
    """The address is this member's, or, returned, another's who has proved it."""
    other = contacts.owner(tx, row.programme_id, address.kind, address.value)
    if other is not None and other != row.id:
        return other
    if contacts.prove(tx, row.programme_id, row.id, address.kind, address.value, ctx.clock()):
        return None
    return contacts.owner(tx, row.programme_id, address.kind, address.value)


def _said(tx: Tx, member_id: int) -> list[Said]:
    found = [one for one in contacts.of_member(tx, member_id) if one.kind in KINDS]
    return [Said(one.kind, masked(_shown(one.kind, one.value)), one.verified_at is not None) for one in found]


def _shown(kind: str, value: str) -> Address:
    """What was stored before there was a form for it is shown all the same."""
    return Address(EMAIL if kind != PHONE or not value.startswith("+") else PHONE, value)


def _consent(ctx: Context, tx: Tx, member_id: int, source: str) -> None:
    if not members.consents_of(tx, member_id).get(REACHED, (False,))[0]:
        members.record_consent(tx, member_id, REACHED, True, source, ctx.now())
