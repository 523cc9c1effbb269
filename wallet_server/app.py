"""Owns the composition: settings -> context -> blueprints. The only file that knows every name.

Starts no thread and touches no table.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import structlog
from flask import Flask, Response
from flask_openapi3 import Info, OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from wallet_server import __version__, resources
from wallet_server.actions import assets
from wallet_server.actions.context import Context
from wallet_server.actions.credentials import Vault
from wallet_server.actions.keys import Meter
from wallet_server.actions.refresh import raise_alarm
from wallet_server.records.database import Database, attach
from wallet_server.records.envelope import Keyring, keyring_file
from wallet_server.settings import Settings
from wallet_server.wallets.apple.push import APPLE, Bell, BellSettings
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.designs import load_designs
from wallet_server.wallets.drawing import Drawings
from wallet_server.web import pages, problems
from wallet_server.web.api.back_office import back_office
from wallet_server.web.api.counter import counter
from wallet_server.web.api.door import SCHEMES
from wallet_server.web.apple_service import OneSlash, apple


def build_context(settings: Settings, database: Database) -> Context:
    """The context of this installation, with its wallets."""
    keys = settings.secret_keys or keyring_file(settings.data_dir / "secret.keys")
    ctx = Context(settings, database, Keyring.parse(keys), clock=_utc_now)
    designs = load_designs(settings.designs_dir or resources.templates())
    bell = Bell(
        BellSettings(push_type=None if settings.apns_push_type == "none" else settings.apns_push_type),
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
    ctx.wallets = {apple_wallet.name: apple_wallet}
    ctx.designs = designs
    return ctx


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(settings: Settings) -> Flask:
    """The WSGI application. Every `WALLET_…` variable has been read by now."""
    quiet_log(settings.log_level)
    app = OpenAPI(
        __name__,
        info=Info(
            title="Wallet server",
            version=__version__,
            description="Loyalty cards in phone wallets: tills, members, programmes and announcements.",
        ),
        security_schemes=SCHEMES,
        validation_error_callback=problems.invalid,
        static_folder=None,
    )
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    database = attach(app, settings)
    app.extensions["wallet"] = build_context(settings, database)
    app.extensions["wallet-meter"] = Meter(settings.requests_per_minute)
    problems.install(app)
    for blueprint in (counter, back_office):
        app.register_api(blueprint)
    app.register_blueprint(apple)
    pages.install(app)
    app.wsgi_app = OneSlash(app.wsgi_app)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        # Not the host: a proxy that does not set that header would let a visitor choose it.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies, x_host=0
        )

    @app.get("/health")
    def health() -> Response:
        """The process answers and the database reads."""
        with database.look():
            return Response('{"status":"ok"}', mimetype="application/json")

    return app


def quiet_log(level: str) -> None:
    """One line of JSON per event on standard error."""
    levels = {"debug": 10, "info": 20, "warning": 30, "error": 40}
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(levels[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
