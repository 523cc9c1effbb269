"""Owns what each server process runs: the application and, in one of them, the embedded worker."""

from __future__ import annotations

import multiprocessing.util
from typing import TYPE_CHECKING

from wallet_server.actions.context import Context
from wallet_server.actions.passes.noting import Notes
from wallet_server.actions.passes.pacing import Gauge
from wallet_server.actions.tally import Keeper
from wallet_server.app import create_app
from wallet_server.cli.opening import bells_folder
from wallet_server.delivery.engine import Doorbells, Embedded, settle
from wallet_server.settings import Settings

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


def serving() -> WSGIApplication:
    """The application of one server process; Granian calls it there, and the process that watches over them does not
    load this module."""
    settings = Settings.from_env()
    app = create_app(settings)
    ctx: Context = app.extensions["wallet"]
    bells = Doorbells(bells_folder(settings))
    ctx.ring = bells.ring
    if settings.worker == "embedded":
        embedded = Embedded(ctx, bells_folder(settings), bells)
        embedded.start()
        # Server processes end without running atexit; this is what multiprocessing runs instead.
        multiprocessing.util.Finalize(None, embedded.stop, exitpriority=10)
    else:
        settle()
    gauge = Gauge(app.wsgi_app)
    app.wsgi_app = gauge  # type: ignore[method-assign]
    notes = Notes(ctx, gauge)
    notes.start()
    multiprocessing.util.Finalize(None, notes.stop, exitpriority=15)
    keeper = Keeper(ctx.tally, ctx.database)
    keeper.start()
    multiprocessing.util.Finalize(None, keeper.stop, exitpriority=5)
    return app
