"""Owns the coupons beside a card that a vendor has already: what its member is given later comes there by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial

from wallet_server.actions.context import Context
from wallet_server.actions.passes import stale
from wallet_server.actions.passes.issuing import issue_pass
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.programme.programmes import ProgrammeRow
from wallet_server.records.purse import coupons
from wallet_server.records.purse.coupons import COUPON
from wallet_server.records.vendors import vendors


def bring(ctx: Context, tx: Tx, row: ProgrammeRow, member_id: int, coupon_id: int, now: datetime) -> None:
    """Put a good coupon of a member who is held beside their card at each vendor who has it, unless it is there. Where
    no vendor has the card yet, the coupon comes along when somebody asks for the card. The caller rings."""
    if not ctx.pushed:
        return
    there = coupons.elsewhere(tx, coupon_id)
    puts: list[jobs.Put] = []
    for wallet in ctx.pushed:
        card = vendors.card_of(tx, member_id, wallet)
        if card is None or passes.published(tx, [card])[card].remote_state is None:
            continue
        shown = [key for key, name in there.items() if name == wallet]
        if not shown:
            # One address adds the cards of one issuer, so the coupon follows the card.
            own = replace(row, credential_set_id=passes.passes_by_id(tx, [card])[0].credential_set_id)
            show = partial(coupons.show, tx, coupon_id)
            shown = [issue_pass(ctx, tx, own, member_id, now, COUPON, show).id]
        puts += [jobs.Put(stale.REFRESH, str(key), jobs.SERVICE, now) for key in shown]
    jobs.put(tx, puts)
