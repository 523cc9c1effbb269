"""Owns how the letter that says where a member stands is written: when it is sent, from the card as the books have it
then, and not at all for whoever wants none by then."""

from __future__ import annotations

from wallet_server.actions.context import Context
from wallet_server.actions.passes import cards
from wallet_server.channels.port import Letter
from wallet_server.records.people import members
from wallet_server.records.people.letters import LetterRow
from wallet_server.rules.people.standing_letter import Links, of_standing

STANDING = "standing"
"""The purpose of such letters, and of the consent to them."""
STOP = "letters"
"""What the link in such a letter is good for: to have no more of them."""


def written(ctx: Context, row: LetterRow, to: str) -> Letter | None:
    """The letter; None where its member takes none any more, or has no card with a tier."""
    member_id = row.member_id or 0
    with ctx.look() as tx:
        granted, *_ = members.consents_of(tx, member_id).get(STANDING, (False,))
        with ctx.times.of_member(tx, member_id):
            found = cards.of_member(ctx, tx, member_id) if granted else None
    if found is None or found[1].tier is None:
        return None
    held, card = found
    links = Links(ctx.link("card", held.public_id), ctx.link(STOP, held.public_id))
    text = of_standing(card, row.language, links)
    return Letter(
        row.public_id, to, card.organisation, text.subject, text.plain, text.html, "", row.language, links.stop
    )
