"""Owns how a command begins: settings, database, context, doorbells; and the bars of the long ones."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

from wallet_server.actions.context import Context
from wallet_server.delivery.engine import Doorbells
from wallet_server.installation import build_context
from wallet_server.records.database import open_database, upgrade
from wallet_server.settings import Settings

ROWS_AT_ONCE = 500


def open_context(settings: Settings | None = None) -> Context:
    """The context of a command, with its database migrated; what it commits wakes this host's workers."""
    settings = settings or Settings.from_env()
    upgrade(settings.database)
    ctx = build_context(settings, open_database(settings))
    ctx.ring = Doorbells(bells_folder(settings)).ring
    return ctx


def bells_folder(settings: Settings) -> Path:
    """Where the processes of this host find each other's doorbells."""
    return settings.data_dir / "bells"


class Bars:
    """A bar for each table on a terminal, nothing elsewhere; implements `actions.operating.safekeeping.Watch`."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task: TaskID | None = None
        self._waiting = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, table: str, rows: int | None) -> None:
        """The bar of the next table; the one before is taken down."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._waiting = 0
        self._task = self._progress.add_task(table, total=rows)

    def row(self) -> None:
        """One more row, drawn now and then."""
        self._waiting += 1
        if self._waiting == ROWS_AT_ONCE and self._task is not None:
            self._progress.advance(self._task, self._waiting)
            self._waiting = 0
