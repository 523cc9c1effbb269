"""Owns certificates as a shop's owner sees them: what signs the cards and for how long, bringing one, going back.

A private key comes in and is sealed; no answer, log line or file ever holds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from wallet_server.actions.context import Context
from wallet_server.actions.vendors import apple_setup, certificate_days
from wallet_server.actions.vendors import credentials as vault
from wallet_server.actions.vendors.credentials import Installed
from wallet_server.errors import NotFound, TooMany
from wallet_server.records import limits
from wallet_server.records.database import Tx
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.records.vendors import credentials, push_keys
from wallet_server.wallets.apple.credentials import Finding, days_left
from wallet_server.wallets.apple.intermediates import doubtful
from wallet_server.wallets.apple.papers import Upload

__all__ = ["MOST_BYTES", "Finding", "Installed", "Shown", "Upload", "bring", "go_back", "shown"]

MOST_BYTES = 64 * 1024
"""Of one file: a certificate has two kilobytes, a .p12 with its chain ten."""
MOST_AN_HOUR = 30
YEAR = 366
_log = structlog.get_logger("vault")


@dataclass(frozen=True)
class Certificate:
    """One that signs cards of this shop. `own` is false for the platform's; `before_ends` when it can be gone back
    to another, which ends then; `doubtful` when it came before intermediates were known by their fingerprint, of one
    that is not known; `push_key` names the key that rings the phones in its place."""

    public_id: str
    pass_type: str
    team: str
    ends: datetime
    days: int
    soon: bool
    own: bool
    may_renew: bool
    push_key: str
    told_at: datetime | None
    before_ends: datetime | None
    doubtful: bool


@dataclass(frozen=True)
class Shown:
    """What the page shows; `programmes` are (public id, name)."""

    certificates: tuple[Certificate, ...]
    programmes: tuple[tuple[str, str], ...]


def shown(ctx: Context, scope: Scope) -> Shown:
    """The certificates that sign cards of this account, the soonest to end first."""
    now = ctx.now()
    with ctx.look() as tx:
        rows, before, alone = credentials.sets_of(tx, scope.account_id), credentials.previous(tx), _alone(ctx, tx)
        kids = {key.id: key.kid for key in push_keys.all_keys(tx)}
        own = programmes.programmes_of(tx, scope)
    found = []
    for row in rows:
        may, other = row.account_id is not None or alone, before.get(row.id)
        found.append(
            Certificate(
                row.public_id,
                row.pass_type,
                row.team,
                row.not_after,
                max(0, days_left(row.not_after, now)),
                certificate_days.reached(row.not_after, now) is not None,
                row.account_id is not None,
                may,
                kids.get(row.push_key_id or 0, ""),
                row.told_at,
                other.not_after if may and other is not None and other.not_after > now else None,
                doubtful(row.chain.encode(), ctx.settings.apple_intermediates, sandbox=ctx.settings.sandbox),
            )
        )
    return Shown(tuple(sorted(found, key=lambda one: one.ends)), tuple((one.public_id, one.name) for one in own))


def bring(
    ctx: Context, scope: Scope, upload: Upload, programme: str | None
) -> tuple[Installed | None, Sequence[Finding]]:
    """Check what was brought and, when nothing is wrong, put it into the vault for this account; else everything that
    is wrong, at once, and nothing is kept.

    Raises `NotFound` for a programme of somebody else, `TooMany`, and what `vault.install` raises.
    """
    second = int(ctx.now().timestamp())
    with ctx.change() as tx:
        programme_id = None if programme is None else programmes.programme_in(tx, scope, programme).id
        if limits.take(tx, f"papers:{scope.account_id}", second // 3600 * 60, 1) > MOST_AN_HOUR:
            sentence = "So many certificates were tried in this hour; wait for the next one."
            raise TooMany(sentence, retry_after_seconds=3600 - second % 3600, code="too-many-certificates")
        alone = _alone(ctx, tx)
    papers, findings = apple_setup.look_at(ctx, upload, apart=True)
    if papers is None:
        return None, [one for one in findings if one.severity == "error"]
    claim = vault.Claim(scope.account_id, programme_id, operator=False, alone=alone)
    done = vault.install(ctx, apple_setup.load(ctx, papers), claim, scope)
    _log.info("certificate brought", by=scope.principal, pass_type=done.pass_type, renewed=done.renewed)
    return done, []


def go_back(ctx: Context, scope: Scope, public_id: str) -> None:
    """Sign with the certificate before, and keep the present one in its place. Raises `NotFound` for a set that is not
    this account's to renew, and what `vault.swap_back` raises."""
    found = next((one for one in shown(ctx, scope).certificates if one.public_id == public_id), None)
    if found is None or found.before_ends is None:
        raise NotFound("There is no certificate before this one.")
    vault.swap_back(ctx, found.pass_type, scope)
    _log.info("certificate gone back from", by=scope.principal, pass_type=found.pass_type)


def _alone(ctx: Context, tx: Tx) -> bool:
    """Whether this shop is the whole installation, so that the platform's certificate is its own to renew."""
    return ctx.settings.sign_up != "open" and credentials.alone(tx)
