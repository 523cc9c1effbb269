"""Owns the way of a card into a wallet that it is pushed to: a further pass for its member, put there, then a link.

The pass is made at the moment when somebody asks for the link: whoever never does has none. What the vendor holds is
put there before the link is given, so that it never leads to nothing, and with no transaction open.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from wallet_server.actions import cards, coupons, pushed
from wallet_server.actions.context import Context
from wallet_server.actions.enrol import download_path, pass_of_link
from wallet_server.actions.issuing import issue_pass
from wallet_server.errors import Misconfigured, NotFound, Unavailable
from wallet_server.records import jobs, members, passes, programmes, vendors
from wallet_server.records.credentials import GOOGLE
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Put
from wallet_server.records.members import MemberRow
from wallet_server.records.passes import PassRow
from wallet_server.records.rung import Rung, begin_anew, mark_rung, overtaken
from wallet_server.wallets.port import Later, Refused

MOST_BESIDE = 4
"""Coupons that one address adds beside the card: with their names it stays short enough for every browser."""


def offered(ctx: Context, tx: Tx, programme_id: int, wallet: str = GOOGLE) -> bool:
    """Whether members of this programme can have their cards in this wallet."""
    return ctx.pushes(wallet) and vendors.issuer_of(tx, programme_id, wallet) is not None


def google_link(ctx: Context, pass_public_id: str) -> str | None:
    """An address that leads into Google Wallet for a few minutes (`WALLET_LINK_MINUTES`), for the member of this card;
    None where the programme is not in it, or the card is over."""
    with ctx.look() as tx:
        row = passes.pass_by_public(tx, pass_public_id)
        if row is None or row.kind != passes.CARD or row.state != passes.ACTIVE:
            return None
        holder = members.members_by_id(tx, [row.member_id])[row.member_id]
        if not offered(ctx, tx, holder.programme_id):
            return None
    return f"{download_path(ctx, pass_public_id)}/google"


def save(ctx: Context, token: str, wallet: str = GOOGLE) -> str:
    """The vendor's own address at which the member behind this download link saves the card. It adds the card to
    whoever opens it: it is to be handed on at once, and never written down.

    Raises `NotFound` for a link that is not valid or a programme that is not in this wallet, `Unavailable` while the
    vendor does not answer, `Misconfigured` when it refuses.
    """
    now = ctx.now()
    with ctx.change() as tx:
        holder = _holder(tx, pass_of_link(ctx, tx, "download", token))
        rows = _passes(ctx, tx, holder, wallet, now)
        ready = cards.published(tx, [row.id for row in rows])
        loaded = pushed.load(ctx, tx, ready, now)
    card = next(r for r in ready if r.row.kind == passes.CARD)
    beside = [r for r in ready if r.row.kind != passes.CARD]
    # The coupons first: the card names them.
    given = [r for r in beside if _taken(ctx, r, loaded, now)]
    _put(ctx, card, loaded, now)
    return ctx.wallets[wallet].link([loaded.copies[r.row.id] for r in (card, *given)], now).link or ""


def _holder(tx: Tx, row: PassRow) -> MemberRow:
    """The member of a card that is good, locked."""
    members.lock_member(tx, row.member_id)
    if row.kind != passes.CARD or passes.lock_passes(tx, [row.id])[0].state != passes.ACTIVE:
        raise NotFound("This card was replaced by another one.")
    return members.members_by_id(tx, [row.member_id])[row.member_id]


def _passes(ctx: Context, tx: Tx, holder: MemberRow, wallet: str, now: datetime) -> list[PassRow]:
    """The member's card in this wallet and the coupons beside it, made where there are none. One address adds the cards
    of one issuer, so the coupons follow the card."""
    known = vendors.card_of(tx, holder.id, wallet)
    card = None if known is None else passes.passes_by_id(tx, [known])[0]
    set_id = _issuing(ctx, tx, holder, wallet) if card is None else card.credential_set_id
    programme = replace(programmes.programme_by_id(tx, holder.programme_id), credential_set_id=set_id)
    own = card or issue_pass(ctx, tx, programme, holder.id, now)
    beside = coupons.beside_in(ctx, tx, programme, holder.id, wallet, now, MOST_BESIDE)
    return [own, *(row for row in beside if row.pass_type == own.pass_type)]


def _issuing(ctx: Context, tx: Tx, holder: MemberRow, wallet: str) -> int:
    issuer = vendors.issuer_of(tx, holder.programme_id, wallet) if ctx.pushes(wallet) else None
    if issuer is None:
        raise NotFound("This card cannot be added to this wallet; the page of the card says where it can.")
    return issuer.credential_set_id


def _taken(ctx: Context, ready: cards.Ready, loaded: pushed.Load, now: datetime) -> bool:
    """Whether the vendor has this coupon; without it the card goes alone."""
    try:
        _put(ctx, ready, loaded, now)
    except (Unavailable, Misconfigured):
        return False
    return True


def _put(ctx: Context, ready: cards.Ready, loaded: pushed.Load, now: datetime) -> None:
    """The vendor has the card as it is published; at once where it had it before."""
    row, publication = ready.row, ready.publication
    if publication.rung >= publication.number and publication.remote_state is not None:
        return
    report = next(pushed.push(ctx, ctx.wallets[row.wallet], [ready], loaded, now))
    with ctx.change() as tx:
        settled = ctx.now()
        # A worker may have put a later version there meanwhile, or have ended the card: whose call came last nobody
        # knows, so that one who looks at what stands there has to be last.
        anew = overtaken(tx, {row.id: publication.rung})
        if not isinstance(report.verdict, Later | Refused):
            mark_rung(tx, [Rung(row.id, publication.number, publication.rung, report.remote_state, None)])
        pushed.note(tx, [ready], loaded, {row.id: report}, settled)
        begin_anew(tx, anew)
        jobs.put(tx, [Put(cards.REFRESH, str(key), jobs.COUNTER, settled) for key in anew])
        over = bool(anew) and passes.passes_by_id(tx, anew)[0].state != passes.ACTIVE
    if anew:
        ctx.ring()
    if over:
        raise Unavailable("This card has just changed; please open its page again.", code="wallet-away")
    if isinstance(report.verdict, Later):
        raise Unavailable("The wallet does not answer just now; please try again in a moment.", code="wallet-away")
    if isinstance(report.verdict, Refused):
        raise Misconfigured(
            "This card cannot be added to the wallet just now; the shop has to mend it. The card works here meanwhile.",
            code="wallet-refused",
        )
