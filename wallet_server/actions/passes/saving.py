"""Owns the way of a card into a wallet that it is pushed to: a further pass for its member, put there, then a link.

The pass is made at the moment when somebody asks for the link: whoever never does has none. What the vendor holds is
put there before the link is given, so that it never leads to nothing, and with no transaction open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from wallet_server.actions.context import Context
from wallet_server.actions.passes import cards, pushed
from wallet_server.actions.passes.issuing import issue_pass
from wallet_server.actions.people.enrol import download_path, pass_of_link
from wallet_server.actions.purse import coupons
from wallet_server.errors import Misconfigured, NotFound, Unavailable
from wallet_server.records import jobs, limits
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Put
from wallet_server.records.passes import passes
from wallet_server.records.passes.passes import PassRow
from wallet_server.records.passes.rung import Rung, begin_anew, mark_rung, overtaken
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.vendors import vendors
from wallet_server.records.vendors.credentials import GOOGLE
from wallet_server.wallets.port import Later, NotOffered, Refused, Report, Shown, Verdict

MOST_BESIDE = 4
"""Coupons that one address adds beside the card: with their names it stays short enough for every browser."""
PRESS_SECONDS = 1.0
"""How long a press waits for those before it."""


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
    vendor does not answer, rests, or has others waiting for it, `Misconfigured` when it refuses.
    """
    now = ctx.now()
    with ctx.change() as tx:
        holder = _holder(tx, pass_of_link(ctx, tx, "download", token))
        rows = _passes(ctx, tx, holder, wallet, now)
        ready = cards.published(tx, [row.id for row in rows])
        loaded = pushed.load(ctx, tx, ready, now)
        card = next(r for r in ready if r.row.kind == passes.CARD)
        closed = limits.open_circuits(tx, now)
        due = [r for r in ready if _owed(r) and f"{r.row.wallet}:{r.row.credential_set_id}" not in closed]
        if _owed(card) and card not in due:
            raise _away()
    verdicts = _put(ctx, due, loaded, now)
    given = [r for r in ready if not _owed(r) or isinstance(verdicts.get(r.row.id), Shown | NotOffered)]
    if card not in given:
        raise _refused() if isinstance(verdicts[card.row.id], Refused) else _away()
    beside = [r for r in given if r is not card]
    return ctx.wallets[wallet].link([loaded.copies[r.row.id] for r in (card, *beside)], now).link or ""


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


def _owed(ready: cards.Ready) -> bool:
    """Whether the vendor does not have the card yet as it is published."""
    return ready.publication.rung < ready.publication.number or ready.publication.remote_state is None


def _put(ctx: Context, due: Sequence[cards.Ready], loaded: pushed.Load, now: datetime) -> dict[int, Verdict]:
    """Put these to the vendor, while the member waits; what became of each, by pass key. Without a coupon that was not
    taken the card goes alone. Raises `Unavailable` where too many wait already."""
    if not due:
        return {}
    if not ctx.presses.acquire(timeout=PRESS_SECONDS):
        raise _away()
    reports: dict[int, Report] = {}
    try:
        # The coupons first: the card names them.
        for is_card in (False, True):
            some = [r for r in due if (r.row.kind == passes.CARD) is is_card]
            if some:
                told = pushed.push(ctx, ctx.wallets[some[0].row.wallet], some, loaded, now, hurried=True)
                reports |= {report.ref: report for report in told}
    finally:
        ctx.presses.release()
    return _settled(ctx, due, loaded, reports)


def _settled(
    ctx: Context, due: Sequence[cards.Ready], loaded: pushed.Load, reports: Mapping[int, Report]
) -> dict[int, Verdict]:
    with ctx.change() as tx:
        now = ctx.now()
        # A worker may have put a later version there meanwhile, or have ended the card: whose call came last nobody
        # knows, so that one who looks at what stands there has to be last.
        anew = overtaken(tx, {r.row.id: r.publication.rung for r in due})
        taken = [r for r in due if not isinstance(reports[r.row.id].verdict, Later | Refused)]
        states = {r.row.id: reports[r.row.id].remote_state for r in taken}
        mark_rung(tx, [Rung(r.row.id, r.publication.number, r.publication.rung, states[r.row.id], None) for r in taken])
        pushed.note(tx, due, loaded, reports, now)
        begin_anew(tx, anew)
        jobs.put(tx, [Put(cards.REFRESH, str(key), jobs.COUNTER, now) for key in anew])
        over = [row.id for row in passes.passes_by_id(tx, anew) if row.state != passes.ACTIVE] if anew else []
    if anew:
        ctx.ring()
    return {key: report.verdict for key, report in reports.items()} | dict.fromkeys(over, _OVER)


_OVER = Later(0.0, "This card has just been ended.")


def _away() -> Unavailable:
    return Unavailable("The wallet does not answer just now; please try again in a moment.", code="wallet-away")


def _refused() -> Misconfigured:
    return Misconfigured(
        "This card cannot be added to the wallet just now; the shop has to mend it. The card works here meanwhile.",
        code="wallet-refused",
    )
