"""Owns the wait of cards whose phones cannot be told yet: a job of its own beside the refresh, so that a vendor's rest
holds back the ringing and never the publishing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.jobs import BULK, NEVER, Put, instant, micros, put
from wallet_server.records.passes import soonest
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import devices, jobs, passes, publications, registrations

RING = "ring"


@dataclass(frozen=True)
class Held:
    """A card whose phones are not to be rung before `until` (UTC), in which lane after that, and why; `runs_out_at`
    (microseconds UTC) is when what they are to be told of is over."""

    pass_id: int
    lane: int
    until: datetime
    why: str
    runs_out_at: int = NEVER


# A job in a worker's hands is left to it: it was put again and so runs once more.
_REST = (
    sa.update(jobs)
    .where(
        jobs.c.kind == RING,
        jobs.c.key == b("of_pass"),
        jobs.c.leased_until <= b("now"),
        jobs.c.rest_until < b("until"),
    )
    .values(rest_until=b("until"), due_at=b("until"), last_error=b("why"))
)


def hold(tx: Tx, waits: Iterable[Held], tries: Mapping[int, datetime], now: datetime) -> None:
    """Have the phones of these cards rung once their wait is over; a wait that stands is never shortened. `tries`, pass
    key to the time (UTC), are cards to look at again that wait for nothing: a change of theirs rings at once."""
    held = sorted(waits, key=lambda one: str(one.pass_id))
    # In one go, as they are locked: whoever settles jobs of this kind holds one while it asks for the next.
    puts = [Put(RING, str(one.pass_id), one.lane, one.until) for one in held]
    again = [Put(RING, str(key), BULK, at) for key, at in tries.items()]
    if any(one.runs_out_at != NEVER for one in held):
        overs = [one.runs_out_at for one in held] + [NEVER] * len(again)
        soonest.put(tx, zip([*puts, *again], overs, strict=True))
    else:
        put(tx, puts + again)
    if held:
        rows = [
            {"of_pass": str(one.pass_id), "until": micros(one.until), "why": one.why[:500], "now": micros(now)}
            for one in held
        ]
        tx.execute(_REST, rows)


_RESTING = Prepared(
    lambda dialect: sa.select(jobs.c.key, jobs.c.rest_until, jobs.c.last_error).where(
        jobs.c.kind == RING,
        among(dialect, jobs.c.key, "keys"),
        jobs.c.rest_until > b("now"),
        jobs.c.dead_at.is_(None),
    )
)


def resting(tx: Tx, pass_ids: Sequence[int], now: datetime) -> dict[int, tuple[datetime, str]]:
    """Those of the cards whose phones are not to be rung yet: pass key to (until when, why)."""
    rows = _RESTING.plain(tx, {"keys": [str(key) for key in pass_ids], "now": micros(now)})
    return {int(key): (instant(until), why or "") for key, until, why in rows}


class Owing(NamedTuple):
    """A card whose phones have not been told of what is published, with all that telling them needs."""

    pass_id: int
    wallet: str
    credential_set_id: int
    pass_type: str
    number: int
    rung: int
    remote_state: str | None
    devices: list[Sequence[Any]]
    """Key, push kind, push token, instant of registration of each, and whether it is doubted (0 or 1)."""


# Published as it stands and under a tag of its own, and no phone doubted: nothing is to be done but to ring.
_OWING = Prepared(
    lambda dialect: (
        sa.select(
            passes.c.id,
            passes.c.wallet,
            passes.c.credential_set_id,
            passes.c.pass_type,
            publications.c.number,
            publications.c.rung,
            publications.c.remote_state,
            devices.c.id,
            devices.c.push_kind,
            devices.c.push_token,
            devices.c.registered_at,
            sa.type_coerce(devices.c.suspect_at.is_not(None), sa.Integer),
        )
        .select_from(
            passes.join(publications, publications.c.pass_id == passes.c.id)
            .join(registrations, registrations.c.pass_id == passes.c.id)
            .join(devices, devices.c.id == registrations.c.device_id)
        )
        .where(
            among(dialect, passes.c.id),
            passes.c.loud == 0,
            publications.c.of_version == passes.c.version,
            publications.c.tagged == publications.c.number,
            publications.c.rung < publications.c.number,
        )
    )
)


def owing(tx: Tx, pass_ids: Sequence[int]) -> list[Owing]:
    """Those of the cards whose phones are plainly to be rung and nothing else, in one statement; the others want a
    closer look."""
    found: dict[int, Owing] = {}
    doubted: set[int] = set()
    for row in _OWING.plain(tx, {"ids": list(pass_ids)}):
        key = row[0]
        one = found.get(key)
        if one is None:
            found[key] = Owing._make([*row[:7], [row[7:]]])
        else:
            one.devices.append(row[7:])
        if row[11]:
            doubted.add(key)
    return [one for key, one in found.items() if key not in doubted] if doubted else [*found.values()]
