"""Owns the certificate that comes from the settings: put into the vault at the start, when it is new there.

It stops no start: whatever is wrong with it is said in the log and by the doctor, and the cards of everybody else, and
those of a certificate that was installed before, go on.
"""

from __future__ import annotations

import structlog

from wallet_server.actions.context import Context
from wallet_server.actions.vendors import apple_setup
from wallet_server.actions.vendors import credentials as vault
from wallet_server.errors import WalletError
from wallet_server.wallets.apple.credentials import Finding
from wallet_server.wallets.apple.papers import Upload

_log = structlog.get_logger("vault")


def given(ctx: Context) -> Upload | None:
    """What WALLET_APPLE_… bring; None when they bring nothing."""
    said = ctx.settings
    found = Upload(
        certificate=said.apple_certificate or b"",
        key=said.apple_key or b"",
        p12=said.apple_p12 or b"",
        wwdr=said.apple_wwdr or b"",
        password=said.apple_password.encode(errors="surrogateescape") if said.apple_password else None,
    )
    return found if found.certificate or found.key or found.p12 else None


def look_at(ctx: Context) -> list[Finding]:
    """What keeps the certificate of the settings from being installed; empty when nothing does, or there is none."""
    upload = given(ctx)
    if upload is None:
        return []
    papers, findings = apple_setup.look_at(ctx, upload)
    return [] if papers is not None else [one for one in findings if one.severity == "error"]


def take_in(ctx: Context) -> bool:
    """Install the certificate of the settings as the platform's, unless it is there already, was gone back from, or
    ends before the one that is there. True when the vault changed."""
    upload = given(ctx)
    if upload is None:
        return False
    papers, findings = apple_setup.look_at(ctx, upload)
    if papers is None:
        errors = [one for one in findings if one.severity == "error"]
        _log.error("certificate of the settings refused", why=[f"{one.code}: {one.sentence}" for one in errors])
        return False
    try:
        loaded = apple_setup.load(ctx, papers)
        before = vault.previous(ctx)
        for row in vault.all_sets(ctx):
            gone_back_from = row.id in before and before[row.id].certificate.encode() == loaded.certificate_pem
            if row.pass_type == loaded.pass_type and (gone_back_from or row.not_after > loaded.not_after):
                return False
        done = vault.install(ctx, loaded, vault.Claim())
    except WalletError as fault:
        _log.error("certificate of the settings refused", why=[f"{fault.code}: {fault.sentence}"])
        return False
    if done.changed:
        _log.info("certificate of the settings installed", pass_type=done.pass_type, renewed=done.renewed)
    return done.changed
