"""Owns the composition: settings -> context -> blueprints. The only file that knows every name.

Starts no thread and touches no table.
"""

from __future__ import annotations

import sys

import structlog
from flask import Flask, Response
from flask_openapi3 import Info, OpenAPI
from werkzeug.middleware.proxy_fix import ProxyFix

from wallet_server import __version__
from wallet_server.actions.keys import Meter
from wallet_server.installation import build_context
from wallet_server.records.database import attach
from wallet_server.settings import Settings
from wallet_server.web import metrics, pages, problems
from wallet_server.web.api.back_office import back_office
from wallet_server.web.api.books import books
from wallet_server.web.api.cashiers import cashiers
from wallet_server.web.api.counter import counter
from wallet_server.web.api.coupons import coupon_uses
from wallet_server.web.api.door import SCHEMES
from wallet_server.web.api.events import events
from wallet_server.web.api.favours import till_gestures
from wallet_server.web.api.gestures import gestures
from wallet_server.web.api.holds import holds
from wallet_server.web.api.keys import keys
from wallet_server.web.api.lookups import lookups
from wallet_server.web.api.naming import name_operations
from wallet_server.web.api.offline import offline_till
from wallet_server.web.api.people import people
from wallet_server.web.api.proofs import second_proofs
from wallet_server.web.api.quotes import quotes
from wallet_server.web.api.refunds import refunds
from wallet_server.web.api.sandbox_clock import sandbox_clock
from wallet_server.web.api.tiers import tiers
from wallet_server.web.api.webhooks import webhooks
from wallet_server.web.apple_lane import Lane
from wallet_server.web.apple_service import OneSlash, apple
from wallet_server.web.google_callback import google
from wallet_server.web.till_lane import TillLane


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
    counters = (lookups, counter, quotes, refunds, holds, coupon_uses, till_gestures, second_proofs, offline_till)
    merchants = (cashiers, back_office, keys, events, gestures, books, tiers, webhooks, sandbox_clock, people)
    for blueprint in (*counters, *merchants):
        app.register_api(blueprint)
    name_operations(app)
    app.register_blueprint(apple)
    app.register_blueprint(google)
    pages.install(app)
    metrics.install(app)
    meter, most = app.extensions["wallet-meter"], settings.max_body_bytes
    tills = TillLane(app.wsgi_app, lambda: app.extensions["wallet"], meter, most)
    app.wsgi_app = OneSlash(Lane(tills, lambda: app.extensions["wallet"]))  # type: ignore[method-assign]
    if settings.trusted_proxies:
        # Not the host: a proxy that does not set that header would let a visitor choose it.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies, x_host=0
        )

    @app.teardown_request
    def _everybodys_time(_fault: BaseException | None) -> None:
        app.extensions["wallet"].times.leave()

    @app.get("/health")
    def health() -> Response:
        """The process answers and the database reads."""
        with app.extensions["wallet"].look():
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
