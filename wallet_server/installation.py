"""Owns an installation as commands and servers have it: settings -> context with its keys, wallets and designs.

Knows no route and no page, so that whoever serves nothing does not load them. Starts no thread, touches no table.
"""

from __future__ import annotations

from datetime import UTC, datetime

from wallet_server import resources
from wallet_server.actions.context import Context
from wallet_server.actions.passes.refresh import raise_alarm
from wallet_server.actions.programme import assets
from wallet_server.actions.vendors.credentials import Vault
from wallet_server.actions.vendors.issuers import Accounts, Learned, PictureStore, SharedRates
from wallet_server.channels.email import Email, Relay
from wallet_server.channels.port import Channel
from wallet_server.channels.posting import Poster
from wallet_server.channels.sms import Gateway, Sms
from wallet_server.records.database import Database
from wallet_server.records.envelope import Keyring, keyring_file
from wallet_server.settings import Settings
from wallet_server.wallets.apple.push import APPLE, Bell, BellSettings
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.banner import Banners
from wallet_server.wallets.designs import Designs, load_designs
from wallet_server.wallets.drawing import Drawings
from wallet_server.wallets.google.api import Where, fetch
from wallet_server.wallets.google.roots import Roots
from wallet_server.wallets.google.wallet import GoogleWallet


def build_context(settings: Settings, database: Database) -> Context:
    """The context of this installation, with its wallets."""
    keys = settings.secret_keys or keyring_file(settings.data_dir / "secret.keys")
    ctx = Context(settings, database, Keyring.parse(keys), clock=_utc_now)
    designs = load_designs(settings.designs_dir or resources.templates())
    bell = Bell(
        BellSettings(
            push_type=None if settings.apns_push_type == "none" else settings.apns_push_type,
            priority=settings.apns_priority,
            expiration_seconds=settings.apns_expiration_hours * 3600,
        ),
        address=settings.apns_url if settings.sandbox else APPLE,
        trust_pem=settings.apns_ca.encode() if settings.apns_ca else None,
        sandbox=settings.sandbox,
    )
    apple_wallet = AppleWallet(
        designs,
        Drawings(),
        Vault(ctx),
        bell,
        pictures=lambda sha256: assets.picture(ctx, sha256),
        on_alarm=lambda credential_set, alarm: raise_alarm(ctx, credential_set, alarm.kind, alarm.sentence),
        sandbox=settings.sandbox,
    )
    google = google_wallet(ctx, designs)
    ctx.wallets = {apple_wallet.name: apple_wallet, google.name: google}
    ctx.designs = designs
    ctx.poster = Poster(sandbox=settings.sandbox)
    ctx.channels = people_channels(settings)
    where = Where(trust_pem=settings.google_ca.encode() if settings.google_ca else None)
    ctx.google_roots = Roots(lambda: fetch(settings.google_roots_url, where))
    return ctx


def people_channels(settings: Settings) -> dict[str, Channel]:
    """The channels to people that are set up, by the kind of address that each reaches."""
    found: list[Channel] = []
    if settings.smtp_host is not None and settings.smtp_from is not None:
        found.append(
            Email(
                Relay(
                    settings.smtp_host,
                    settings.smtp_port,
                    settings.smtp_security,
                    settings.smtp_from,
                    settings.smtp_user,
                    settings.smtp_password,
                    settings.smtp_ca,
                )
            )
        )
    if settings.sms_url is not None and settings.sms_key is not None:
        found.append(Sms(Gateway(settings.sms_url, settings.sms_key, settings.sms_from, settings.sms_ca)))
    return {one.kind: one for one in found}


def google_wallet(ctx: Context, designs: Designs) -> GoogleWallet:
    """Google Wallet, with the accounts, the rate and the pictures of this installation."""
    settings, accounts = ctx.settings, Accounts(ctx)
    return GoogleWallet(
        designs,
        Banners(),
        accounts,
        picture_url=PictureStore(ctx),
        rates=SharedRates(ctx),
        capabilities=Learned(ctx),
        pictures=lambda sha256: assets.picture(ctx, sha256),
        callback_url=accounts.callback_url,
        api=settings.google_api_url,
        token_url=settings.google_token_url,
        save_base=settings.google_save_url,
        trust_pem=settings.google_ca.encode() if settings.google_ca else None,
        sandbox=settings.sandbox,
        batch_seconds=settings.lease_seconds / 2,
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)
