"""Owns what a shop's people see of who did what: the newest of it, page by page, and what was done to one thing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wallet_server.actions.context import Context
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.records.staff.deeds import DeedRow

PAGE = 30


@dataclass(frozen=True)
class Deed:
    """What somebody did. `who` is their name; where it was nobody of the team, None, and `by`
    is `operator` or `key`."""

    at: datetime
    what: str
    who: str | None
    by: str
    whom: str | None
    about: str | None
    detail: str | None


def history(ctx: Context, scope: Scope, before: int | None) -> tuple[list[Deed], int | None]:
    """The newest of what was done in the shop's name, and where to go on (None at the end)."""
    with ctx.look() as tx:
        rows = deeds.of_merchant(tx, scope, PAGE + 1, before)
    return [_deed(row) for row in rows[:PAGE]], rows[PAGE - 1].id if len(rows) > PAGE else None


def published(ctx: Context, scope: Scope, programme: str, version: int) -> Deed | None:
    """Who published this version of a programme's card; None where this shop did not, or nobody noted it."""
    with ctx.look() as tx:
        rows = deeds.about(tx, scope, programme, [deeds.PUBLISHED], str(version))
    return _deed(rows[0]) if rows else None


def announced(ctx: Context, scope: Scope, announcement: str) -> dict[str, Deed]:
    """Who sent an announcement and who recalled it, by `sent` and `recalled`."""
    with ctx.look() as tx:
        rows = deeds.about(tx, scope, announcement, [deeds.SENT, deeds.RECALLED])
    return {row.what: _deed(row) for row in reversed(rows)}


def by(row: DeedRow) -> str:
    """What did it: `staff`, the `operator` or a `key`."""
    return "staff" if row.who is not None else "operator" if row.principal == deeds.OPERATOR else "key"


def _deed(row: DeedRow) -> Deed:
    return Deed(row.at, row.what, row.who, by(row), row.whom, row.about, row.detail)
