"""Owns the progress that a merchant shows on a site of their own: a token for one member, some minutes and the sites
named with it, and the card behind that. The token is sealed: nobody but this server reads in it whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from wallet_server.actions.context import Context
from wallet_server.actions.once import Facts
from wallet_server.actions.passes import cards
from wallet_server.errors import Misconfigured, NotFound
from wallet_server.records.people import members
from wallet_server.records.people.lineage import kept_for
from wallet_server.records.scope import Scope
from wallet_server.rules.passes.card import Card

PURPOSE = "widget"
MOST_TOKEN = 2000


@dataclass(frozen=True)
class Ticket:
    """What a token says: whose progress (a member's key), which sites may frame it, until when."""

    member_id: int
    sites: tuple[str, ...]
    until: datetime


@dataclass(frozen=True)
class Progress:
    """What the frame shows, on which sites alone: the card as the books have it, in its member's language; no card
    once the token's time is over."""

    sites: tuple[str, ...]
    language: str
    card: Card | None


def mint(ctx: Context, scope: Scope, member: str, sites: Sequence[str], minutes: int) -> Facts:
    """A token with which these sites may show the progress of this member. Raises `NotFound` for a stranger's member,
    and for one who left."""
    until = (ctx.clock() + timedelta(minutes=minutes)).replace(microsecond=0)
    with ctx.look() as tx:
        row = members.member_by_public(tx, scope, member)
        if members.left_at(tx, row.id) is not None:
            raise NotFound(members.LEFT, code="unknown-card")
    said = {"member": row.id, "sites": [site.rstrip("/") for site in sites], "until": int(until.timestamp())}
    token = ctx.keyring.seal(orjson.dumps(said), PURPOSE)
    return {
        "token": token,
        "expires_at": until.isoformat(),
        "url": f"{ctx.settings.base_url}/widget/{token}",
        "snippet": f'<script async src="{ctx.settings.base_url}/static/embed.js" data-token="{token}"></script>',
    }


def progress(ctx: Context, token: str) -> Progress:
    """What stands behind a token. Raises `NotFound` for one that is none of ours, and for a member who left."""
    ticket = _opened(ctx, token)
    with ctx.look() as tx:
        member_id = kept_for(tx, ticket.member_id)
        found = members.members_by_id(tx, [member_id]).get(member_id)
        if found is None:
            raise NotFound("There is nothing to show.")
        if ticket.until <= ctx.clock():
            return Progress(ticket.sites, found.language, None)
        with ctx.times.of_member(tx, member_id):
            held = cards.of_member(ctx, tx, member_id)
    if held is None:  # all of them are over, as those of whoever left are
        raise NotFound("There is nothing to show.")
    return Progress(ticket.sites, found.language, held[1])


def _opened(ctx: Context, token: str) -> Ticket:
    try:
        said = orjson.loads(ctx.keyring.open(token[:MOST_TOKEN], PURPOSE))
    except Misconfigured as fault:
        raise NotFound("This link is not valid.") from fault
    return Ticket(int(said["member"]), tuple(said["sites"]), datetime.fromtimestamp(said["until"], UTC))
