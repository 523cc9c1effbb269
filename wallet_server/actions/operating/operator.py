"""Owns acting for a merchant from the command line: whoever has the database may, and nobody else comes this way."""

from __future__ import annotations

from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.errors import Invalid
from wallet_server.records.operating import operating
from wallet_server.records.operating.operating import MerchantRow
from wallet_server.records.scope import Scope


def scope_of(ctx: Context, merchant: str) -> Scope:
    """Everything that a merchant's own key may do. Raises `NotFound`."""
    with ctx.look() as tx:
        return _scope(operating.merchant(tx, merchant))


def scope_in(ctx: Context, programme: str, merchant: str | None) -> Scope:
    """The same for a merchant that takes part in a programme; it need not be named where there is only one.

    Raises `NotFound`, and `Invalid` when there are several.
    """
    with ctx.look() as tx:
        taking_part = operating.merchants_in(tx, operating.programme(tx, programme).id)
    chosen = [one for one in taking_part if merchant in (None, one.public_id)]
    if len(chosen) != 1:
        names = ", ".join(f"{one.public_id} ({one.name})" for one in taking_part)
        raise Invalid(f"Say which merchant speaks, with --merchant: {names or 'none takes part'}.", field="merchant")
    return _scope(chosen[0])


def scope_behind(ctx: Context, announcement: str) -> Scope:
    """The scope of the merchant that made an announcement. Raises `NotFound`."""
    with ctx.look() as tx:
        return _scope(operating.who_announced(tx, announcement))


def _scope(row: MerchantRow) -> Scope:
    return Scope(row.account_id, row.id, row.public_id, "operator", row.issuer_mark, keys.MERCHANT)


def programmes(ctx: Context) -> list[tuple[str, str]]:
    """Public id and name of every programme, oldest first."""
    with ctx.look() as tx:
        return [(row.public_id, row.name) for row in operating.all_programmes(tx)]
