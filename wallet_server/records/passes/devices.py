"""Owns devices and their registrations, and the log lines that phones send.

Devices are keyed by (device library id, pass type) with the kind of push; the list of changed passes is scoped by
these two alone (Apple's protocol gives no other), so it may cross merchants that share a platform credential.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.among import among
from wallet_server.records.database import Tx
from wallet_server.records.passes.passes import ACTIVE
from wallet_server.records.prepared import Prepared
from wallet_server.records.schema import (
    Instant,
    credential_sets,
    departures,
    devices,
    passes,
    phone_logs,
    publications,
    registrations,
)

MAX_DEVICES_PER_PASS = 50
SUSPECT_FOR = timedelta(days=1)
TOLD_EVERY = timedelta(hours=1)  # how exactly it is noted when a credential set last told a phone something
APNS, ANDROID = "apns", "androidpass"
REMOVED, GONE, REFUSED, EVICTED, OVER = "removed", "gone", "refused", "evicted", "over"
"""Why a device ceased to hold a pass: the owner took it off, the push service said that it is gone, its token was
refused twice, a further device took its place, the pass was over and the device knows or was given time enough."""


@dataclass(frozen=True)
class DeviceRow:
    """One device that holds a pass. `suspect_at`: since when its pushes have been refused in a way that is not believed
    at once."""

    id: int
    pass_id: int
    push_kind: str
    push_token: str
    registered_at: datetime
    suspect_at: datetime | None

    @property
    def suspected(self) -> bool:
        """Whether it has been refused and has taken nothing since."""
        return self.suspect_at is not None


_DEVICE = sa.select(devices).where(
    devices.c.library_id == b("library_id"), devices.c.pass_type == b("pass_type")
).with_for_update()  # fmt: skip

_HOLD = sa.select(devices.c.id).where(devices.c.id == b("device")).with_for_update()

_KNOWN = sa.select(devices.c.registered_at, devices.c.suspect_at).where(devices.c.id == b("device")).with_for_update()


def register(
    tx: Tx, library_id: str, pass_type: str, pass_id: int, push_kind: str, push_token: str, now: datetime
) -> tuple[bool, bool]:
    """Register a device for a pass: (whether the registration is new, whether the device's push token is new).

    A further device beyond 50 evicts the pass's oldest registration. The caller holds the pass's row.
    """
    name = {"library_id": library_id, "pass_type": pass_type}
    evicted = _hold(tx, name, pass_id)
    found = tx.execute(_DEVICE, name).first()
    values = {"push_kind": push_kind, "push_token": push_token, "registered_at": now, "suspect_at": None}
    new_token = found is None or found.push_token != push_token or found.push_kind != push_kind
    # A restored phone registers all of its passes at once: another of them may have brought the device meanwhile.
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(devices).values(**name, **values)
    device = tx.execute(
        insert.on_conflict_do_update(index_elements=list(name), set_=values).returning(devices.c.id)
    ).scalar_one()
    there = tx.execute(
        sa.select(registrations.c.device_id).where(
            registrations.c.device_id == device, registrations.c.pass_id == pass_id
        )
    ).scalar()
    if there is None:
        tx.execute(sa.insert(registrations).values(device_id=device, pass_id=pass_id, registered_at=now))
        for one in evicted:
            _drop(tx, one, pass_id, EVICTED, now)
    return there is None, new_token


def _hold(tx: Tx, name: dict[str, str], pass_id: int) -> list[int]:
    """Lock this device, if it is known, and those that it drives from the pass; returns the latter.

    In the order of their keys and before anything is written: of two devices, each the oldest of the pass that the
    other registers for, each would otherwise wait for the other.
    """
    own = tx.execute(
        sa.select(devices.c.id).where(
            devices.c.library_id == name["library_id"], devices.c.pass_type == name["pass_type"]
        )
    ).scalar()
    others = registrations.c.pass_id == pass_id
    if own is not None:
        others &= registrations.c.device_id != own
    extra = tx.execute(
        sa.select(registrations.c.device_id)
        .where(others)
        .order_by(registrations.c.registered_at.desc(), registrations.c.device_id.desc())
        .offset(MAX_DEVICES_PER_PASS - 1)
    ).scalars()
    evicted = sorted(extra)
    for device in sorted([*evicted, *([] if own is None else [own])]):
        tx.execute(_HOLD, {"device": device})
    return evicted


def unregister(tx: Tx, library_id: str, pass_type: str, pass_id: int, now: datetime) -> bool:
    """Forget that a device holds a pass; the device goes with its last registration."""
    found = tx.execute(_DEVICE, {"library_id": library_id, "pass_type": pass_type}).first()
    return found is not None and _drop(tx, found.id, pass_id, REMOVED, now)


def only_holder(tx: Tx, pass_id: int) -> int | None:
    """The key of the device that alone holds this pass; None where there are several, or none."""
    held = tx.execute(sa.select(registrations.c.device_id).where(registrations.c.pass_id == pass_id).limit(2))
    found = held.scalars().all()
    return found[0] if len(found) == 1 else None


def release_last(tx: Tx, pass_id: int, now: datetime) -> bool:
    """A device has the last version of a pass that is over: where one alone holds it, it is that one, and need not be
    told anything again. The caller holds the pass's row."""
    device = only_holder(tx, pass_id)
    return device is not None and _drop(tx, device, pass_id, OVER, now)


_NEXT_PASSES = sa.select(passes.c.id).where(passes.c.id > b("after")).order_by(passes.c.id).limit(b("most"))

_BEFORE = b("before", type_=Instant())
_LONG_OVER = (
    sa.select(registrations.c.pass_id)
    .join(passes, passes.c.id == registrations.c.pass_id)
    .join(publications, publications.c.pass_id == passes.c.id)
    .where(
        registrations.c.pass_id > b("after"),
        registrations.c.pass_id <= b("last"),
        registrations.c.registered_at < _BEFORE,
        passes.c.state != ACTIVE,
        publications.c.of_version == passes.c.version,
        publications.c.published_at < _BEFORE,
    )
    .distinct()
)


def long_over(tx: Tx, before: datetime, after: int, most: int) -> tuple[list[int], int | None]:
    """Of the next `most` passes by key, those that are over, whose last version was published before `before` (UTC),
    and that are still held by a device registered before it; and the last key looked at when there may be more."""
    keys = tx.execute(_NEXT_PASSES, {"after": after, "most": most}).scalars().all()
    if not keys:
        return [], None
    found = tx.execute(_LONG_OVER, {"after": after, "last": keys[-1], "before": before}).scalars()
    return sorted(found), keys[-1] if len(keys) == most else None


def release_all(tx: Tx, pass_ids: Sequence[int], before: datetime, now: datetime) -> None:
    """The devices that registered for these passes before `before` (UTC) hold them no more. The caller holds the
    passes' rows."""
    held = tx.execute(
        sa.select(registrations.c.device_id, registrations.c.pass_id)
        .where(registrations.c.pass_id.in_(pass_ids), registrations.c.registered_at < before)
        .order_by(registrations.c.device_id, registrations.c.pass_id)
    ).all()
    released: dict[int, str] = {}
    for device, pass_id in held:
        if _let_go(tx, device, pass_id):
            released[pass_id] = OVER
    _depart(tx, released, now)


def _drop(tx: Tx, device: int, pass_id: int, why: str, now: datetime) -> bool:
    gone = _let_go(tx, device, pass_id)
    if gone:
        _depart(tx, {pass_id: why}, now)
    return gone


def _let_go(tx: Tx, device: int, pass_id: int) -> bool:
    # Held before it is looked whether this was its last: else it could be deleted under a registration just made.
    tx.execute(_HOLD, {"device": device})
    gone = tx.execute(
        sa.delete(registrations).where(registrations.c.device_id == device, registrations.c.pass_id == pass_id)
    ).rowcount
    left = tx.execute(sa.select(registrations.c.pass_id).where(registrations.c.device_id == device).limit(1)).scalar()
    if left is None:
        tx.execute(sa.delete(devices).where(devices.c.id == device))
    return bool(gone)


def _depart(tx: Tx, left: Mapping[int, str], now: datetime) -> None:
    """Note for the doctor why (pass key to word) devices ceased to hold passes; the last time counts. In the order of
    their keys, after the devices."""
    if not left:
        return
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(departures)
    statement = insert.on_conflict_do_update(
        index_elements=["pass_id"], set_={"at": insert.excluded.at, "why": insert.excluded.why}
    )
    tx.execute(statement, [{"pass_id": key, "at": now, "why": left[key]} for key in sorted(left)])


@dataclass(frozen=True)
class Answers:
    """What the push service said of devices when they were rung, all by key. `dead`: gone for good; `suspect`: refused,
    with the time at which anything was last taken under the same credential (UTC; None: never); `accused`: refused when
    a wrong setting was the likelier reason; `told`: it took the push."""

    dead: frozenset[int]
    suspect: Mapping[int, datetime | None]
    accused: frozenset[int]
    told: frozenset[int]


def heed(tx: Tx, answers: Answers, rung_at: datetime, now: datetime) -> set[int]:
    """Forget the dead, note who was refused, clear who was told; returns who was forgotten.

    A suspect is forgotten when its first refusal is a day old and something was taken since: a wrong setting, which
    refuses everybody in the same words, takes nothing. One that has registered anew since it was rung is kept whatever
    was said of it. In the order of their keys, so that two batches never wait for each other.
    """
    forgotten: set[int] = set()
    lost: dict[int, str] = {}
    for device in sorted(answers.dead | answers.suspect.keys() | answers.accused | answers.told):
        row = tx.execute(_KNOWN, {"device": device}).first()
        if row is None or row.registered_at >= rung_at:
            continue
        if device in answers.told - answers.dead:
            _note(tx, device, None)
        elif device in answers.dead or _is_gone(row.suspect_at, device, answers, rung_at):
            lost |= dict.fromkeys(_forget(tx, device), GONE if device in answers.dead else REFUSED)
            forgotten.add(device)
        elif row.suspect_at is None:
            # The time after the answer, and what is taken is noted at the time before: so what was taken later than
            # this was taken later than the refusal.
            _note(tx, device, now)
    _depart(tx, lost, now)
    return forgotten


def _forget(tx: Tx, device: int) -> Sequence[int]:
    """A device that is held is no more; the keys of the passes that it had."""
    mine = sa.delete(registrations).where(registrations.c.device_id == device).returning(registrations.c.pass_id)
    held = tx.execute(mine).scalars().all()
    tx.execute(sa.delete(devices).where(devices.c.id == device))
    return held


def _is_gone(since: datetime | None, device: int, answers: Answers, rung_at: datetime) -> bool:
    if since is None or device not in answers.suspect or rung_at - since < SUSPECT_FOR:
        return False
    taken_at = answers.suspect[device]
    return taken_at is not None and taken_at > since


def _note(tx: Tx, device: int, suspect_at: datetime | None) -> None:
    tx.execute(sa.update(devices).where(devices.c.id == device).values(suspect_at=suspect_at))


_BEFORE = b("before", type_=Instant())
_NOTE_TOLD = Prepared(
    sa.update(credential_sets)
    .where(
        credential_sets.c.id == b("of_set"),
        sa.or_(credential_sets.c.told_at.is_(None), credential_sets.c.told_at < _BEFORE),
    )
    .values(told_at=b("told"))
)


def note_told(tx: Tx, credential_set_ids: Iterable[int], at: datetime) -> None:
    """Phones took something under these credential sets at `at` (UTC). Written once an hour, for it is one row that
    every batch of a set would otherwise wait for."""
    for key in sorted(credential_set_ids):
        _NOTE_TOLD.run(tx, {"of_set": key, "told": at, "before": at - TOLD_EVERY})


def told_at(tx: Tx, credential_set_ids: Iterable[int]) -> dict[int, datetime | None]:
    """When phones last took something under these credential sets (UTC), up to an hour too early."""
    which = credential_sets.c.id.in_(sorted(credential_set_ids))
    return {
        r.id: r.told_at for r in tx.execute(sa.select(credential_sets.c.id, credential_sets.c.told_at).where(which))
    }


_HOLDERS = Prepared(
    lambda dialect: (
        sa.select(
            registrations.c.pass_id,
            devices.c.id,
            devices.c.push_kind,
            devices.c.push_token,
            devices.c.registered_at,
            devices.c.suspect_at,
        )
        .join(devices, devices.c.id == registrations.c.device_id)
        .where(among(dialect, registrations.c.pass_id))
    )
)


def holders(tx: Tx, pass_ids: Sequence[int]) -> dict[int, list[DeviceRow]]:
    """Pass key to the devices that hold it."""
    found: dict[int, list[DeviceRow]] = {}
    for pass_id, device_id, *rest in _HOLDERS.plain(tx, {"ids": list(pass_ids)}):
        found.setdefault(pass_id, []).append(DeviceRow(device_id, pass_id, *rest))
    return found


_TOLD_BY_PUSH = Prepared(
    lambda dialect: (
        sa.select(registrations.c.pass_id)
        .join(devices, devices.c.id == registrations.c.device_id)
        .where(among(dialect, registrations.c.pass_id), devices.c.push_kind == APNS)
        .distinct()
    )
)


def told_by_push(tx: Tx, pass_ids: Sequence[int]) -> set[int]:
    """Those of the passes that a device holds which can be rung."""
    return {key for (key,) in _TOLD_BY_PUSH.plain(tx, {"ids": list(pass_ids)})}


_CHANGED = (
    sa.select(passes.c.serial, publications.c.tag)
    .select_from(devices)
    .join(registrations, registrations.c.device_id == devices.c.id)
    .join(passes, passes.c.id == registrations.c.pass_id)
    .join(publications, publications.c.pass_id == passes.c.id)
    .where(
        devices.c.library_id == b("library_id"),
        devices.c.pass_type == b("pass_type"),
        sa.func.coalesce(publications.c.tag, 0) > b("since"),
    )
    .order_by(sa.func.coalesce(publications.c.tag, 0))
    .limit(10_000)
)


def changed_since(tx: Tx, library_id: str, pass_type: str, since: int) -> list[str]:
    """Serial numbers of a device's passes whose tag is greater (all of them for -1), the oldest change first."""
    rows = tx.execute(_CHANGED, {"library_id": library_id, "pass_type": pass_type, "since": since})
    return [r.serial for r in rows]


_REGISTERED = (
    sa.select(registrations.c.pass_id)
    .join(devices, devices.c.id == registrations.c.device_id)
    .join(passes, passes.c.id == registrations.c.pass_id)
    .where(
        devices.c.library_id == b("library_id"),
        devices.c.pass_type == b("pass_type"),
        passes.c.pass_type == b("pass_type"),
        passes.c.serial == b("serial"),
    )
)


def registered_pass(tx: Tx, library_id: str, pass_type: str, serial: str) -> int | None:
    """The key of this pass, if this device is registered for it."""
    name = {"library_id": library_id, "pass_type": pass_type, "serial": serial}
    return tx.execute(_REGISTERED, name).scalar()


def add_phone_logs(tx: Tx, lines: Sequence[tuple[str, int | None]], keep: int, now: datetime) -> None:
    """Keep log lines from phones (text, pass key if both serial and device are known). About `keep` are kept of those
    with a pass, and as many without one: strangers' lines take the place of strangers' alone. The oldest go."""
    if not lines or not keep:
        return
    tx.execute(sa.insert(phone_logs), [{"at": now, "line": text[:500], "pass_id": key} for text, key in lines])
    newest = tx.execute(sa.select(sa.func.max(phone_logs.c.id))).scalar_one()
    step = max(1, keep // 100)  # they are counted once in so many lines
    if newest // step == (newest - len(lines)) // step:
        return
    for kind in (phone_logs.c.pass_id.is_(None), phone_logs.c.pass_id.is_not(None)):
        first_over = sa.select(phone_logs.c.id).where(kind).order_by(phone_logs.c.id.desc()).offset(keep).limit(1)
        tx.execute(sa.delete(phone_logs).where(kind, phone_logs.c.id <= first_over.scalar_subquery()))
