"""Owns the keys that codes on cards are signed with: made when an account first needs one, rotated with an overlap.

A new key is published before it signs, so that tills that look at codes without a network have its public half by then.
A key that ceased to sign is never forgotten: cards that it signed are shown for years.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wallet_server.actions.context import Context, new_id
from wallet_server.errors import Conflict
from wallet_server.records import code_keys
from wallet_server.records.code_keys import CodeKeyRow
from wallet_server.records.database import Tx
from wallet_server.records.scope import Scope
from wallet_server.rules.counter import codes
from wallet_server.rules.counter.codes import Code

OVERLAP = timedelta(hours=48)
"""How long a key is published before it signs: longer than a till goes without fetching what it needs offline."""
MOST_KEYS = 1023


@dataclass(frozen=True)
class CodeKey:
    """A key as the operator sees it; `signs` says whether it is the one that signs now."""

    id: str
    public_key: str
    created_at: datetime
    signs_from: datetime
    signs: bool


def signed(ctx: Context, tx: Tx, account_id: int, code: Code) -> Code:
    """The code under the account's signing key, which is made if there is none yet."""
    now = ctx.clock()
    row = code_keys.signing(tx, account_id, now)
    if row is None:
        code_keys.add(tx, _fresh(ctx, account_id, 1, now, now))
        row = code_keys.all_keys(tx, account_id)[0]  # another may have been quicker
    private = Ed25519PrivateKey.from_private_bytes(ctx.keyring.open(row.private_cipher, f"code-key:{row.public_id}"))
    plain = codes.under(code, row.key_id)
    return codes.with_signature(plain, private.sign(codes.signed_bytes(plain)))


def genuine(tx: Tx, account_id: int, code: Code) -> bool:
    """Whether a code that names a key was signed by that key of the account."""
    key = code_keys.public(tx, account_id, code.key_id)
    return key is not None and codes.verify(code, key)


def public_keys(ctx: Context, scope: Scope) -> list[dict[str, str]]:
    """What a till verifies codes with, without a network: of each key that the account ever had its `id`, as codes name
    it, and its `public_key`, 32 raw bytes of Ed25519 (RFC 8032) as base64url without padding."""
    with ctx.look() as tx:
        return [
            {"id": row.key_id, "public_key": _written(row.public)} for row in code_keys.all_keys(tx, scope.account_id)
        ]


def listed(ctx: Context, scope: Scope) -> list[CodeKey]:
    """The account's keys, the oldest first."""
    with ctx.look() as tx:
        current = code_keys.signing(tx, scope.account_id, ctx.clock())
        return [_shown(row, current) for row in code_keys.all_keys(tx, scope.account_id)]


def rotate(ctx: Context, scope: Scope, *, at_once: bool = False) -> CodeKey:
    """A new key, which signs from `OVERLAP` on, or `at_once`. What older keys signed is good as before. Raises
    `Conflict` (`too-many-keys`, `key-waiting` where one that was made before does not sign yet)."""
    now = ctx.clock()
    with ctx.change() as tx:
        code_keys.hold_account(tx, scope.account_id)
        known = code_keys.all_keys(tx, scope.account_id)
        if len(known) >= MOST_KEYS:
            raise Conflict("This account has had 1023 keys; there is no name for a further one.", code="too-many-keys")
        waiting = next((row for row in known if row.signs_from > now), None)
        if waiting is not None and not at_once:
            since = f"{waiting.signs_from:%Y-%m-%d %H:%M} UTC"
            sentence = f"Key {waiting.key_id} was made already; it signs from {since} on."
            raise Conflict(sentence, code="key-waiting")
        row = _fresh(ctx, scope.account_id, len(known) + 1, now, now if at_once or not known else now + OVERLAP)
        code_keys.add(tx, row)
        return _shown(row, code_keys.signing(tx, scope.account_id, now))


def _fresh(ctx: Context, account_id: int, number: int, now: datetime, signs_from: datetime) -> CodeKeyRow:
    private, public_id = Ed25519PrivateKey.generate(), new_id("ckey")
    sealed = ctx.keyring.seal(private.private_bytes_raw(), f"code-key:{public_id}")
    public = private.public_key().public_bytes_raw()
    return CodeKeyRow(public_id, account_id, codes.key_id(number), public, sealed, now, signs_from)


def _shown(row: CodeKeyRow, current: CodeKeyRow | None) -> CodeKey:
    signs = current is not None and current.key_id == row.key_id
    return CodeKey(row.key_id, _written(row.public), row.created_at, row.signs_from, signs)


def _written(public: bytes) -> str:
    return base64.urlsafe_b64encode(public).rstrip(b"=").decode()
