"""Owns the proofs after a restore or a move: whether what stands in an installation can be worked with."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from wallet_server.actions.context import Context
from wallet_server.actions.operating import local_tls, upkeep
from wallet_server.actions.vendors import credentials as vault
from wallet_server.errors import Misconfigured
from wallet_server.records.envelope import Keyring
from wallet_server.records.operating import copying
from wallet_server.records.vendors import credentials

SAMPLE = 200
"""Sealed secrets of each kind that a verification opens."""
MOST_NAMED = 5


@dataclass(frozen=True)
class Proof:
    """One thing that was looked at after a restore or a move."""

    true: bool
    sentence: str


def prove(ctx: Context, *, books: bool = True) -> list[Proof]:
    """Whether what stands here can be worked with: books, pass tokens, codes, certificates' keys, https."""
    found = [_tokens(ctx), _secrets(ctx), *_https(ctx)]
    if not books:
        return found
    faults = [Proof(False, fault) for fault in upkeep.book_faults(ctx)]
    true = Proof(True, "The books are true: balances, postings and lots agree, and every entry sums to zero.")
    return [*(faults or [true]), *found]


def _judged(damaged: list[str], looked_at: int, well: str) -> Proof:
    if not damaged:
        return Proof(True, well)
    named = "; ".join(damaged[:MOST_NAMED]) + (f"; and {len(damaged) - MOST_NAMED} more" * (len(damaged) > MOST_NAMED))
    if len(damaged) == looked_at:
        return Proof(False, f"None of {looked_at} opens: {named}. Put back the secret keys of the old installation.")
    mend = "Install a certificate anew by `wallet-server setup apple`; replace a card by recovering it."
    return Proof(False, f"{len(damaged)} of {looked_at} do not open: {named}. The others do. {mend}")


def _tokens(ctx: Context) -> Proof:
    with ctx.look() as tx:
        some = copying.some_tokens(tx, SAMPLE)
    damaged = [f"the token of pass {one.serial[:8]}…" for one in some if not fits(ctx.keyring, one)]
    well = f"Serial numbers and tokens are intact ({len(some)} looked at): phones go on updating."
    return _judged(damaged, len(some), well)


def fits(keyring: Keyring, one: copying.SealedToken) -> bool:
    """Whether the token opens to the one that its phone knows."""
    try:
        token = keyring.open(one.cipher, f"pass-token:{one.serial}")
    except Misconfigured:
        return False
    return hmac.compare_digest(hashlib.sha256(token).digest(), one.sha256)


def _secrets(ctx: Context) -> Proof:
    damaged, sets = [], vault.all_sets(ctx, credentials.APPLE, credentials.GOOGLE)
    for row in sets:
        try:
            vault.private_key(ctx, row)
        except Misconfigured as fault:
            damaged.append(f"the key of {vault.name_of(ctx, row)} ({fault.sentence.rstrip('.')})")
    with ctx.look() as tx:
        codes = credentials.sealed(tx, credentials.CODES, 0, SAMPLE)
    for code in codes:
        try:
            ctx.keyring.open(code.cipher, f"code:{code.name}")
        except Misconfigured as fault:
            damaged.append(f"the code of pass {code.name[:8]}… ({fault.sentence.rstrip('.')})")
    well = f"The secret keys open {len(sets)} certificates' keys and {len(codes)} codes."
    return _judged(damaged, len(sets) + len(codes), well)


def _https(ctx: Context) -> list[Proof]:
    """Whether the authority for https on the local network can sign; nothing where there is none."""
    if local_tls.authority_of(ctx) is None:
        return []
    fault = local_tls.locked(ctx)
    if fault is None:
        return [Proof(True, "The authority for https is whole: devices that trust it go on trusting this server.")]
    mend = f"Put back `authority.key` and `authority.pem` in {local_tls.folder(ctx.settings)} and the secret keys."
    return [Proof(False, f"The authority for https cannot sign: {fault.rstrip('.')}. {mend}")]
