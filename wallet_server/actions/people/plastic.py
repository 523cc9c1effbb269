"""Owns linking one card of plastic to a member: at the counter, where it is shown, or on the card's own page.

Numbers of plastic are printed in a row and easily guessed, so that a number alone proves nothing: on the page, a code
goes to the address that came with the card, and where none did the card is to be shown in the shop.
"""

from __future__ import annotations

from dataclasses import dataclass

from wallet_server.actions.context import Context
from wallet_server.actions.counter import rotating, scanning
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.people import letters, merging, one_time, visitors
from wallet_server.actions.people.enrol import pass_of_link, still_good
from wallet_server.actions.people.reaching import wrong
from wallet_server.actions.people.visitors import Allowed
from wallet_server.errors import Conflict, Invalid, Unavailable
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.people import contacts, members, plastic
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.rules.counter import short_codes
from wallet_server.rules.people.contacts import KINDS, Address, masked

MOST_PLASTIC = 20
"""Cards of plastic of one member."""
ASKED_PER_HOUR = 10


@dataclass(frozen=True)
class Claimed:
    """What becomes of a number that was typed on the card's page: `linked`, `sent` (a code to `masked`), or `shop`: it
    is to be shown there. A number that nobody knows is `shop` too."""

    state: str
    masked: str = ""


def link(
    ctx: Context, scope: Scope, code: str, number: str, wish: Asked, proof: scanning.Proof | None = None
) -> tuple[Facts, bool]:
    """At the counter, with both cards in hand: the number is the card holder's from now on, with all that was
    collected under it. Raises as `scanning.held_member` does for what spends, `Invalid` (`bad-number`), `TooMany`
    (`too-many-codes`) and `Conflict` (`too-many-cards`, and `number-in-use` where its holder has a card on a phone or
    an address of their own)."""
    plain = _number(number)
    lookup = passes.lookup_hash(short_codes.plastic_key(scope.issuer_mark, plain))
    few = scanning.count_number(ctx, scope)
    shown = scanning.tried(ctx, scope, code, proof)

    def act(tx: Tx) -> Facts:
        few.demand()
        _hold(ctx, tx, scope, code, lookup)
        # The number spends for them from now on.
        member = scanning.held_member(ctx, tx, scope, code, spends=True, proof=shown)
        other = plastic.holder(tx, lookup)
        moved: Facts = {"merged": None, "moved": {}}
        if other is None:
            members.lock_member(tx, member.id)
            if plastic.count_of(tx, member.id) >= MOST_PLASTIC:
                raise Conflict("This member has too many cards of plastic.", code="too-many-cards")
            if not plastic.add_numbers(tx, {lookup: member.id}, ctx.now()):
                raise Unavailable("This number is being worked on just now; please try again in a moment.")
        elif other != member.id:
            if plastic.is_somebody(tx, other):
                sentence = (
                    "This number belongs to somebody who is known by more than it; make the two one in the console."
                )
                raise Conflict(sentence, code="number-in-use", field="number")
            moved = merging.join(ctx, tx, member.id, other, merging.PLASTIC, None, scope.merchant_id)
        return {"member": member.public_id, "merged": moved["merged"], "moved": moved["moved"]}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def _hold(ctx: Context, tx: Tx, scope: Scope, code: str, lookup: bytes) -> None:
    """Whose card this is and whose number, where they are two who may become one."""
    member, other = scanning.found_by(tx, scope, rotating.bare(code), ctx.now()), plastic.holder(tx, lookup)
    if member is not None and other is not None:
        merging.hold_both(tx, member.id, other)


def claim(ctx: Context, token: str, number: str, visitor: str | None) -> Claimed:
    """A member types the number of an old card on the page of the new one. Raises `Invalid` (`bad-number`), `TooMany`
    and `NotFound`."""
    plain = _number(number)
    # Before the number is looked at and for itself, so that one that is refused counts too.
    with ctx.change() as tx:
        row = pass_of_link(ctx, tx, "card", token)
        visitors.count(ctx, tx, _asking(), row.public_id, visitor)
    with ctx.change() as tx:
        member, other = _both(tx, row, plain)
        if other == member.id:
            return Claimed("linked")
        address = None if other is None else _address(ctx, tx, other)
        if other is None or address is None:
            return Claimed("shop")
        if contacts.owner(tx, member.programme_id, address.kind, address.value) == member.id:
            merging.join(ctx, tx, member.id, other, merging.PLASTIC, None, None)
            return Claimed("linked")
        one_time.send(ctx, tx, other, one_time.MERGE, address)
    ctx.ring()
    return Claimed("sent", masked(address))


def confirm(ctx: Context, token: str, number: str, value: str) -> Facts:
    """Type the code that went to the old card's address: both cards are one member's. Raises `NotFound`
    (`wrong-sent-code`) and `Invalid` (`bad-number`)."""
    plain = _number(number)
    with ctx.look() as tx:
        row = pass_of_link(ctx, tx, "card", token)
        holder = _holder(tx, members.members_by_id(tx, [row.member_id])[row.member_id], plain)
    tried = None if holder is None else one_time.guess(ctx, holder, one_time.MERGE, value)
    with ctx.change() as tx:
        member, other = _both(tx, row, plain)
        if other is None or not one_time.good(ctx, tx, tried, other, one_time.MERGE):
            raise wrong()
        facts = merging.join(ctx, tx, member.id, other, merging.PLASTIC, None, None)
    ctx.ring()
    return facts


def _both(tx: Tx, row: passes.PassRow, plain: str) -> tuple[MemberRow, int | None]:
    """Whose card this is, and whose the number, both held; a card that was replaced says nothing for its member."""
    member = members.members_by_id(tx, [row.member_id])[row.member_id]
    other = _holder(tx, member, plain)
    if other is not None:
        merging.hold_both(tx, member.id, other)
    members.lock_member(tx, member.id)
    still_good(tx, row)
    # Another may have had it linked while this one waited: then it is as if nobody had it.
    return member, other if other == _holder(tx, member, plain) else None


def _holder(tx: Tx, member: MemberRow, plain: str) -> int | None:
    mark = programmes.programme_by_id(tx, member.programme_id).issuer_mark
    return plastic.holder(tx, passes.lookup_hash(short_codes.plastic_key(mark, plain)))


def _number(text: str) -> str:
    plain = short_codes.plastic_number(text[:80])
    if plain is None:
        raise Invalid("This is not the number of a card; type all of it.", code="bad-number", field="number")
    return plain


def _address(ctx: Context, tx: Tx, member_id: int) -> Address | None:
    """Where whoever had the card of plastic is reached: what they proved, or what came with the card. Of whoever has a
    card on a phone, too, what staff typed proves nothing: a slip of a finger would give that card to a stranger."""
    known = plastic.is_somebody(tx, member_id)
    for one in contacts.of_member(tx, member_id):
        trusted = one.verified_at is not None or one.own or not known
        if trusted and one.kind in KINDS and letters.channel_of(ctx, one.kind) is not None:
            return Address(one.kind, one.value)
    return None


def _asking() -> Allowed:
    return Allowed("plastic", ASKED_PER_HOUR, 5, "Too many numbers were tried; wait an hour, or ask in the shop.")
