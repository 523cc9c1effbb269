"""Owns the issue of a pass: its identity, its secrets, its code and its first published version."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

from wallet_server.actions import code_keys
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.passes import cards, reissuing
from wallet_server.errors import Misconfigured
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.passes import passes
from wallet_server.records.passes.passes import CARD, PASS_CODE, PassRow
from wallet_server.records.programme.programmes import ProgrammeRow
from wallet_server.records.vendors import credentials, vendors
from wallet_server.records.vendors.credentials import GOOGLE
from wallet_server.rules.counter import codes


def issuing_set(ctx: Context, tx: Tx, row: ProgrammeRow) -> int | None:
    """The credentials that a new card of this programme is issued under: its Apple certificate, else its issuer at the
    vendor to whom cards are pushed; None: nobody can have its card yet."""
    if row.credential_set_id is not None:
        return row.credential_set_id
    issuer = vendors.issuer_of(tx, row.id, GOOGLE) if ctx.pushes(GOOGLE) else None
    return None if issuer is None else issuer.credential_set_id


def issue_pass(
    ctx: Context,
    tx: Tx,
    row: ProgrammeRow,
    member_id: int,
    now: datetime,
    kind: str = CARD,
    shows: Callable[[int], object] = lambda _pass_id: None,
) -> PassRow:
    """One further pass for a member. `shows` is told its key before it is first composed: what it shows is to stand in
    the books by then. Raises `Misconfigured` (`no-certificate`)."""
    set_id = issuing_set(ctx, tx, row)
    if set_id is None:
        sentence = (
            "Nobody can have this card yet: no Apple certificate signs it, and no issuer at Google gives it out. Run "
            "`wallet-server setup apple` or `wallet-server setup google`."
        )
        raise Misconfigured(sentence, code="no-certificate")
    credential = credentials.credential_set(tx, set_id)
    serial, token = secrets.token_hex(16), secrets.token_urlsafe(32)
    pass_id = passes.add_pass(
        tx,
        new_id("pass"),
        member_id,
        credential.wallet,
        credential.id,
        credential.pass_type,
        serial,
        ctx.keyring.seal(token.encode(), f"pass-token:{serial}"),
        digest(token),
        now,
        kind,
    )
    code = codes.first(row.issuer_mark, codes.reference_from_random(secrets.token_bytes(10)))
    code = code_keys.signed(ctx, tx, row.account_id, code)
    number, short = reissuing.draw(tx, code.issuer)
    sealed = reissuing.sealed(ctx, code, number, serial)
    code_kind = PASS_CODE if kind == CARD else kind
    passes.add_code(tx, pass_id, member_id, cards.code_hash(code), sealed, code.key_id, 1, now, code_kind, short)
    shows(pass_id)
    issued = passes.lock_passes(tx, [pass_id])[0]
    cards.publish_first(ctx, tx, issued, now)
    return issued
