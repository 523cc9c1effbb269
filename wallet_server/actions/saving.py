"""Owns the way of a card into a wallet that it is pushed to: a further pass for its member, put there, then a link.

The pass is made at the moment when somebody asks for the link: whoever never does has none. What the vendor holds is
put there before the link is given, so that it never leads to nothing, and with no transaction open.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from wallet_server.actions import cards, pushed
from wallet_server.actions.context import Context
from wallet_server.actions.enrol import download_path, pass_of_link
from wallet_server.actions.issuing import issue_pass
from wallet_server.errors import Misconfigured, NotFound, Unavailable
from wallet_server.records import members, passes, programmes, vendors
from wallet_server.records.credentials import GOOGLE
from wallet_server.records.database import Tx
from wallet_server.records.members import MemberRow
from wallet_server.records.passes import PassRow
from wallet_server.records.rung import Rung, mark_rung
from wallet_server.wallets.port import Later, Refused


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
        row = _pass(ctx, tx, holder, wallet, now)
        ready = cards.published(tx, [row.id])
        loaded = pushed.load(ctx, tx, ready, now)
    _put(ctx, ready[0], loaded, now)
    return ctx.wallets[wallet].link([loaded.copies[row.id]], now).link or ""


def _holder(tx: Tx, row: PassRow) -> MemberRow:
    """The member of a card that is good, locked."""
    members.lock_member(tx, row.member_id)
    if row.kind != passes.CARD or passes.lock_passes(tx, [row.id])[0].state != passes.ACTIVE:
        raise NotFound("This card was replaced by another one.")
    return members.members_by_id(tx, [row.member_id])[row.member_id]


def _pass(ctx: Context, tx: Tx, holder: MemberRow, wallet: str, now: datetime) -> PassRow:
    """The member's pass in this wallet, made where there is none."""
    known = vendors.card_of(tx, holder.id, wallet)
    if known is not None:
        return passes.passes_by_id(tx, [known])[0]
    issuer = vendors.issuer_of(tx, holder.programme_id, wallet) if ctx.pushes(wallet) else None
    if issuer is None:
        raise NotFound("This card cannot be added to this wallet; the page of the card says where it can.")
    programme = replace(programmes.programme_by_id(tx, holder.programme_id), credential_set_id=issuer.credential_set_id)
    return issue_pass(ctx, tx, programme, holder.id, now)


def _put(ctx: Context, ready: cards.Ready, loaded: pushed.Load, now: datetime) -> None:
    """The vendor has the card as it is published; at once where it had it before."""
    row, publication = ready.row, ready.publication
    if publication.rung >= publication.number and publication.remote_state is not None:
        return
    report = next(pushed.push(ctx, ctx.wallets[row.wallet], [ready], loaded, now))
    with ctx.change() as tx:
        if not isinstance(report.verdict, Later | Refused):
            mark_rung(tx, [Rung(row.id, publication.number, publication.rung, report.remote_state, None)])
        pushed.note(tx, [ready], loaded, {row.id: report}, ctx.now())
    if isinstance(report.verdict, Later):
        raise Unavailable("The wallet does not answer just now; please try again in a moment.", code="wallet-away")
    if isinstance(report.verdict, Refused):
        raise Misconfigured(
            "This card cannot be added to the wallet just now; the shop has to mend it. The card works here meanwhile.",
            code="wallet-refused",
        )
