"""Owns closing a period: its figures are frozen, chained to those before, and proven again whenever somebody asks.

What is recorded carries the time at which it is recorded, and a period can be closed only once it is over: so nothing
can come into a closed one, and a correction falls into the period that is open. `verify` counts the entries again and
says what moved all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import orjson

from wallet_server.actions.books import accounting, documents
from wallet_server.actions.books.accounting import Question, Report, Trial
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.errors import Conflict
from wallet_server.records.books import liability, periods
from wallet_server.records.books.book_days import BEGINNING, MOMENT
from wallet_server.records.books.periods import Frozen, PeriodRow
from wallet_server.records.database import Tx
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.rules.books.liability import month_name, month_of

SETTLED = timedelta(minutes=5)
"""After this nothing that began within a period can still be on its way into the books."""
MOST_MOVED = 50


@dataclass(frozen=True)
class Period:
    """A closed period, from `starts_at` (None: the beginning) to before `ends_at`, and who closed it."""

    id: str
    number: int
    starts_at: datetime | None
    ends_at: datetime
    closed_at: datetime
    sha256: str
    principal: str
    figures: dict[str, Any]


def closed(ctx: Context, scope: Scope) -> list[Period]:
    """The account's closed periods, the newest first."""
    with ctx.look() as tx:
        return [_period(row) for row in periods.closed(tx, scope)]


def period(ctx: Context, scope: Scope, public_id: str) -> Period:
    """One of them. Raises `NotFound`."""
    with ctx.look() as tx:
        return _period(periods.one(tx, scope, public_id))


def _period(row: PeriodRow) -> Period:
    return Period(row.public_id, row.number, row.starts_at, row.ends_at, row.closed_at, row.sha256.hex(), row.principal,
                  orjson.loads(row.figures))  # fmt: skip


def close(ctx: Context, scope: Scope, through: date, wish: Asked) -> tuple[Facts, bool]:
    """Close everything up to the end of a day (on the clock of the caller's first store) that is not closed yet.

    Raises `Conflict` (`period-open` before the day is over, `already-closed`).
    """
    ends_at = accounting.end_of(through, accounting.zone(ctx, scope)) + MOMENT

    def act(tx: Tx) -> Facts:
        if ctx.now() < ends_at + SETTLED:
            raise Conflict("This day is not over; close it from five minutes after its end on.", code="period-open")
        last = next(iter(periods.closed(tx, scope, 1)), None)
        if last is not None and last.ends_at >= ends_at:
            raise Conflict(
                "This day is closed already; a correction falls into the open period.", code="already-closed"
            )
        trial, found = _told(ctx, tx, scope, last.ends_at if last else None, ends_at)
        row = periods.add(tx, scope, new_id("close"), last, ends_at, _written(trial, found), ctx.now())
        if row is None:
            raise Conflict("Somebody else closed a period at this moment; look at it first.", code="already-closed")
        periods.keep_estimates(tx, row.id, _estimates(tx, scope, found, through))
        deeds.add(tx, scope, deeds.CLOSED, ctx.now(), about=row.public_id, detail=through.isoformat())
        return facts_of(_period(row))

    return once(ctx, wish, act)


def facts_of(one: Period) -> Facts:
    """What a close answers, without its figures."""
    return {
        "id": one.id,
        "number": one.number,
        "from": one.starts_at.isoformat() if one.starts_at else None,
        "to": one.ends_at.isoformat(),
        "closed_at": one.closed_at.isoformat(),
        "sha256": one.sha256,
    }


def _told(
    ctx: Context, tx: Tx, scope: Scope, starts_at: datetime | None, ends_at: datetime, *, trusting: bool = True
) -> tuple[Trial, Report]:
    as_of, books = ends_at - MOMENT, liability.ledgers(tx, scope)
    lines = [
        line
        for ledger in books
        for line in liability.trial_balance(ledger, liability.flows(tx, ledger, as_of, trusting=trusting))
    ]
    since = starts_at or BEGINNING + timedelta(days=1)
    found = accounting.reckon(ctx, tx, books, as_of, since, Question(), trusting=trusting)
    return Trial(as_of, None, tuple(lines)), found


def _written(trial: Trial, found: Report, form: int = documents.FORMAT) -> str:
    told = documents.document(found, form)
    figures = {"format": form, "trial_balance": documents.trial_document(trial), "liability": told}
    return orjson.dumps(figures, option=orjson.OPT_SORT_KEYS).decode()


def _estimates(tx: Tx, scope: Scope, found: Report, through: date) -> list[Frozen]:
    # The month as the shop's calendar has it: west of Greenwich its last evening is in the next one already.
    month = month_name(month_of(through.year, through.month))
    keys = {(one.public_id, code): (one.programme_id, key)
            for one in liability.ledgers(tx, scope) for key, code in one.currencies.items()}  # fmt: skip
    return [Frozen(*keys[one.programme, one.code], month, one.told.estimate) for one in found.currencies]


# ---------------------------------------------------------------------- proving


_SAID = {
    "en": (
        "{}: {} when it was closed, {} now.",
        "Close {} does not bear its own hash: its figures were edited.",
        "Close {} was not made after close {} as that stands.",
    ),
    "fr": (
        "{}\u00a0: {} à la clôture, {} maintenant.",
        "La clôture {} ne porte pas sa propre empreinte\u00a0: ses chiffres ont été modifiés.",
        "La clôture {} n’a pas été faite à la suite de la clôture {} telle qu’elle est.",
    ),
}


def verify(ctx: Context, scope: Scope, public_id: str, language: str = "en") -> list[str]:
    """Sentences for everything that is no longer as it was closed, from the entries alone; none when all is.

    The chain first: a close that was edited, or one before it, no longer bears its hash. Raises `NotFound`.
    """
    with ctx.look() as tx:
        row = periods.one(tx, scope, public_id)
        chain = {one.number: one for one in periods.closed(tx, scope) if one.number <= row.number}
        words = _SAID.get(language, _SAID["en"])
        said = list(_chain_faults(chain, words))
        trial, found = _told(ctx, tx, scope, row.starts_at, row.ends_at, trusting=False)
        then = orjson.loads(row.figures)
        # As it was written: what is told besides by now is no difference.
        now = orjson.loads(_written(trial, found, 1 if then.get("format") == 1 else documents.FORMAT))
    said += [words[0].format(path, old, new) for path, old, new in _differences(then, now, "")]
    return said[:MOST_MOVED]


def _chain_faults(chain: dict[int, PeriodRow], words: tuple[str, str, str]) -> Iterator[str]:
    for number, row in sorted(chain.items()):
        before = chain.get(number - 1)
        if row.sha256 != periods.seal(row.figures, row.previous_sha256):
            yield words[1].format(number)
        if before is not None and row.previous_sha256 != before.sha256:
            yield words[2].format(number, number - 1)


def _differences(then: Any, now: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted(then.keys() | now.keys()):
            yield from _differences(then.get(key), now.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for place, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _differences(one, other, f"{path}.{place}")
    elif then != now:
        yield path, then, now
