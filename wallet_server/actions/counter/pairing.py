"""Owns pairing: an owner shows a one-time QR code, a phone or tablet takes it and becomes a till with a key of its own.

The secret of the code lives five minutes, works once, and is stored as a hash. The key's secret is derived from it and
from a random number that the device alone knows, so that the same device may ask again when an answer was lost, and
nobody who saw the code on the screen can learn the key.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wallet_server.actions import keys
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.staff import OWNER
from wallet_server.errors import Conflict, Invalid, NotFound
from wallet_server.records import parties
from wallet_server.records.counter import pairings
from wallet_server.records.counter.pairings import DeviceRow, PairingRow, TillRow
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds, staff

LIVES = timedelta(minutes=5)
REPEATS = timedelta(hours=1)
"""How long after pairing the same device may ask for its key once more."""
KEPT = timedelta(days=1)
RANDOM = re.compile(r"[A-Za-z0-9_-]{40,100}")
MOST_NAME = 100


@dataclass(frozen=True)
class Till:
    """A till with the devices that stand at it."""

    row: TillRow
    devices: tuple[DeviceRow, ...]


@dataclass(frozen=True)
class Invitation:
    """What the QR code carries. `link` is shown once and kept nowhere."""

    public_id: str
    link: str
    till: TillRow
    expires_at: datetime


@dataclass(frozen=True)
class Progress:
    """How an invitation stands: waiting, used or expired; `device` is who used it."""

    state: str
    device: str | None
    seconds_left: int


@dataclass(frozen=True)
class Greeting:
    """Whose till a device is about to become."""

    merchant: str
    store: str
    till: str


@dataclass(frozen=True)
class Paired:
    """The device's key, and where it stands."""

    key: str
    name: str
    place: Greeting


def tills(ctx: Context, scope: Scope) -> list[Till]:
    """The merchant's tills, each with its devices, the newest first."""
    with ctx.look() as tx:
        rows, devices = pairings.tills_of(tx, scope), pairings.devices_of(tx, scope)
    return [Till(row, tuple(one for one in devices if one.till == row.public_id)) for row in rows]


def stores(ctx: Context, scope: Scope) -> Sequence[tuple[str, str]]:
    """The stores in which a till may be made, as (public id, name)."""
    with ctx.look() as tx:
        return [(row.public_id, row.name) for row in parties.stores_of(tx, scope)]


def make_till(ctx: Context, scope: Scope, store: str, name: str) -> str:
    """A further till; its public id. A till of that name in that store is that till: asking twice makes one."""
    plain = _name(name)
    keys.require(scope, "manage")
    with ctx.change() as tx:
        row = parties.store_in(tx, scope, store)
        for known in pairings.tills_of(tx, scope):
            if known.store_public_id == store and known.name.casefold() == plain.casefold():
                return known.public_id
        public_id = new_id("till")
        parties.add_till(tx, public_id, row.id, plain, ctx.now())
    return public_id


def _name(text: str) -> str:
    plain = " ".join(text.split())
    if not plain or len(plain) > MOST_NAME or not plain.isprintable():
        raise Invalid(f"Give a name of at most {MOST_NAME} characters.", code="name-needed", field="name")
    return plain


def invite(ctx: Context, scope: Scope, till: str, staff_id: int | None = None) -> Invitation:
    """A link that makes one device a till, within five minutes. Raises `NotFound`."""
    keys.require(scope, "manage")
    now, secret, public_id = ctx.now(), secrets.token_urlsafe(32), new_id("pair")
    with ctx.change() as tx:
        row = pairings.till_in(tx, scope, till)
        pairings.forget(tx, scope, now - KEPT)
        pairings.add(tx, public_id, scope, row.id, staff_id, digest(secret), now, now + LIVES)
    # After the #: browsers send no part of it to anybody, so that it stands in no log.
    return Invitation(public_id, f"{ctx.settings.base_url}/pair#{secret}", row, now + LIVES)


def progress(ctx: Context, scope: Scope, public_id: str) -> Progress:
    """How an invitation stands. Raises `NotFound`."""
    with ctx.look() as tx:
        row = pairings.pairing_in(tx, scope, public_id)
    left = (row.expires_at - ctx.now()).total_seconds()
    state = "used" if row.used_at else "waiting" if left > 0 else "expired"
    return Progress(state, row.device, max(0, int(left)))


def greet(ctx: Context, secret: str) -> Greeting:
    """Whose till this link makes of a device. Raises `NotFound` and `Conflict`, as `pair` does."""
    with ctx.look() as tx:
        row = _invitation(tx, secret)
    if row.used_at:
        raise _used()
    _in_time(row, ctx.now())
    return Greeting(row.merchant, row.store, row.till)


def pair(ctx: Context, secret: str, device: str, name: str) -> Paired:
    """Make this device a till. `device` is a random text of its own, the same when it asks again.

    Raises `NotFound` (`pairing-unknown`), `Conflict` (`pairing-expired`, `pairing-used`) and `Invalid`.
    """
    plain, now = _name(name), ctx.now()
    if not RANDOM.fullmatch(device):
        raise Invalid("The device must send a random text of at least 40 characters.", field="device")
    with ctx.look() as tx:
        _invitation(tx, secret)  # a stranger's guess takes no lock
    key_secret = _key_secret(secret, device)
    with ctx.change() as tx:
        row = _invitation(tx, secret)
        if row.used_at is None:
            _in_time(row, now)
            if pairings.claim(tx, row.id, now):
                public_id = new_id("key")
                key = parties.add_key(
                    tx,
                    public_id,
                    row.account_id,
                    row.merchant_id,
                    row.till_id,
                    keys.TILL,
                    digest(key_secret),
                    now,
                    plain,
                )
                pairings.hold(tx, row.id, key)
                deeds.add_by(
                    tx,
                    row.merchant_id,
                    f"pairing:{row.public_id}",
                    deeds.PAIRED,
                    now,
                    staff_id=row.staff_id,
                    about=public_id,
                    detail=plain,
                )
                return Paired(f"{public_id}.{key_secret}", plain, _place(row))
            row = _invitation(tx, secret)
        return _again(row, key_secret, now)


def _again(row: PairingRow, key_secret: str, now: datetime) -> Paired:
    same = row.key_sha256 is not None and hmac.compare_digest(row.key_sha256, digest(key_secret))
    if not same or not row.key_live or row.used_at is None or now > row.used_at + REPEATS:
        raise _used()
    return Paired(f"{row.key_public_id}.{key_secret}", row.device or "", _place(row))


def _key_secret(secret: str, device: str) -> str:
    made = hmac.digest(secret.encode(), b"till key\0" + device.encode(), "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def _invitation(tx: Tx, secret: str) -> PairingRow:
    row = pairings.by_secret(tx, digest(secret)) if RANDOM.fullmatch(secret) else None
    if row is None:
        raise NotFound("This link pairs no device; ask for a new code.", code="pairing-unknown")
    if row.used_at is None and row.staff_id is not None:
        by = staff.by_id(tx, row.staff_id)
        if by.disabled_at is not None or by.role != OWNER:  # dismissed while it was being made
            raise NotFound("This link pairs no device; ask for a new code.", code="pairing-unknown")
    return row


def _in_time(row: PairingRow, now: datetime) -> None:
    if now >= row.expires_at:
        raise Conflict("This code has run out; ask for a new one.", code="pairing-expired")


def _used() -> Conflict:
    return Conflict("This code was already used; ask for a new one.", code="pairing-used")


def _place(row: PairingRow) -> Greeting:
    return Greeting(row.merchant, row.store, row.till)


def revoke(ctx: Context, scope: Scope, device: str) -> None:
    """Unpair a device: its key ends now. Raises `NotFound`."""
    keys.require(scope, "manage")
    with ctx.change() as tx:
        row = pairings.device_in(tx, scope, device)
        parties.end_key(tx, scope, device, ctx.now(), at_once=True)
        deeds.add(tx, scope, deeds.UNPAIRED, ctx.now(), about=device, detail=row.name)
