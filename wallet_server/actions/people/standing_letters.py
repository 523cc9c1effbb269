"""Owns when a letter says where a member stands: to whoever asked for that, at once and whenever they reach a higher
tier. It goes to the e-mail address that they proved."""

from __future__ import annotations

from datetime import timedelta

from wallet_server.actions.context import Context
from wallet_server.actions.people import letters
from wallet_server.actions.people.standing_words import STANDING, TIER
from wallet_server.records.database import Tx
from wallet_server.records.people import contacts, members
from wallet_server.records.people import letters as rows
from wallet_server.records.programme import programmes
from wallet_server.rules.people.contacts import EMAIL, Address

GOOD = timedelta(hours=24)
"""A letter that could not be sent within this time is news no more."""
MOST_A_DAY = 3
"""However often a tier is reached and lost, and reached again."""


def address_of(ctx: Context, tx: Tx, member_id: int) -> Address | None:
    """Where such a letter goes: an address that was proved, where there is a channel for it."""
    if letters.channel_of(ctx, EMAIL) is None:
        return None
    found = (one.value for one in contacts.proved(tx, member_id) if one.kind == EMAIL)
    value = next(found, None)
    return None if value is None else Address(EMAIL, value)


def wants(tx: Tx, member_id: int) -> bool:
    """Whether the member asked for such letters."""
    return bool(members.consents_of(tx, member_id).get(STANDING, (False,))[0])


def rose(ctx: Context, tx: Tx, member_id: int, tier: str | None) -> None:
    """A member who is held reached this tier, higher than before: whoever asked for it gets a letter."""
    if letters.channel_of(ctx, EMAIL) is None or not wants(tx, member_id):
        return
    to = address_of(ctx, tx, member_id)
    if to is not None and rows.wanted_since(tx, member_id, STANDING, ctx.clock() - GOOD) < MOST_A_DAY:
        post(ctx, tx, member_id, to, tier)


def post(ctx: Context, tx: Tx, member_id: int, to: Address, tier: str | None = None) -> None:
    """One letter, whose words are found when it is sent; `tier`: it goes while the member has at least this one."""
    member = members.members_by_id(tx, [member_id])[member_id]
    account_id = programmes.programme_by_id(tx, member.programme_id).account_id
    until, said = ctx.clock() + GOOD, {TIER: tier} if tier else {}
    tongue = member.language
    letters.post(ctx, tx, to, STANDING, said, until, language=tongue, member_id=member_id, account_id=account_id)
