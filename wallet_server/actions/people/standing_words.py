"""Owns how the letter that says where a member stands is written: when it is sent, from the card as the books have it
then, and not at all where it is wanted no more or no more true by then."""

from __future__ import annotations

from collections.abc import Mapping

from wallet_server.actions.context import Context
from wallet_server.actions.passes import cards
from wallet_server.channels.port import Letter
from wallet_server.records.database import Tx
from wallet_server.records.people import contacts, letters, members
from wallet_server.records.people.letters import LetterRow
from wallet_server.rules.people.contacts import EMAIL
from wallet_server.rules.people.standing_letter import Links, of_standing
from wallet_server.rules.tiers.tiers import rank

STANDING = "standing"
"""The purpose of such letters, and of the consent to them."""
STOP = "letters"
"""What the link in such a letter is good for: to have no more of them."""
TIER = "tier"
"""Under which name a letter keeps the tier that was reached, until it is sent."""


def written(ctx: Context, row: LetterRow, said: Mapping[str, str]) -> Letter | None:
    """The letter; None where its member takes none any more, or none there, has no card with a tier or has lost the
    one that was reached, and where a later letter waits, which says the same."""
    member_id = row.member_id or 0
    with ctx.look() as tx, ctx.times.of_member(tx, member_id):
        found = cards.of_member(ctx, tx, member_id) if _goes(ctx, tx, row, member_id, said) else None
    if found is None or found[1].tier is None:
        return None
    held, card = found
    links = Links(ctx.link("card", held.public_id), ctx.link(STOP, held.public_id))
    text = of_standing(card, row.language, links)
    return Letter(
        row.public_id, said["to"], card.organisation, text.subject, text.plain, text.html, "", row.language, links.stop
    )


def _goes(ctx: Context, tx: Tx, row: LetterRow, member_id: int, said: Mapping[str, str]) -> bool:
    granted, *_ = members.consents_of(tx, member_id).get(STANDING, (False,))
    theirs = any((one.kind, one.value) == (EMAIL, said["to"]) for one in contacts.proved(tx, member_id))
    if not granted or not theirs or letters.later_waits(tx, row):
        return False
    member = members.members_by_id(tx, [member_id])[member_id]
    ladder = ctx.programme(tx, member.version_id).ladder
    return TIER not in said or rank(ladder, member.tier) >= rank(ladder, said[TIER])
