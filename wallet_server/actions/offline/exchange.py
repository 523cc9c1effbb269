"""Owns what a till exchanges with the server about times without a network: its key, what it needs then, and what it
brings back.

What it brings is signed by a key that never leaves the device, stored as it came, and applied in an order that does not
depend on how it came (`rules.offline.order`, `actions.offline.applying`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from wallet_server.actions import code_keys
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter.till import MAX_BEHIND, at_till
from wallet_server.actions.offline import allowances, applying
from wallet_server.actions.offline.allowances import APPLY
from wallet_server.actions.people import pages
from wallet_server.errors import Invalid, Unavailable
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Put
from wallet_server.records.offline import arrivals, queues, till_devices
from wallet_server.records.offline.arrivals import EventRow, Fate, NewEvent
from wallet_server.records.offline.till_devices import DeviceRow
from wallet_server.records.scope import Scope
from wallet_server.rules.offline import order as rules

MOST_EVENTS = 100
"""Taken in one sync."""
MOST_AHEAD = 100_000
"""How far beyond the first that is missing a number may be."""
AT_ONCE = 100
"""Applied while the till waits; what is left is applied by a job."""
SIGNATURE_BYTES = 64
DEVICE = re.compile(r"dev_[0-9a-z]{20}")
REPLACED, FORGOTTEN = "replaced-device", "forgotten-device"
"""Why a person looks at what another device of this till signed: there is another key in its place by now; or the
installation was set back to a backup of before it was known."""
_log = structlog.get_logger("offline")


@dataclass(frozen=True)
class Device:
    """A device that signs, as it is known here."""

    device: str
    till: str
    next_sequence: int


@dataclass(frozen=True)
class Said:
    """What a signed text says. `wanted` is the body of the online route, read; None where that cannot be read."""

    till: str
    device: str
    sequence: int
    kind: str
    occurred_at: datetime
    wanted: Mapping[str, Any] | None
    allowance: str | None = None
    key: str | None = None
    cashier: str | None = None


@dataclass(frozen=True)
class Brought:
    """A text and the raw bytes of its signature, as they came; `said` is None where the text cannot be read."""

    text: str
    signature: bytes
    said: Said | None


@dataclass(frozen=True)
class Outcome:
    """How one of the texts stands; `id` names the stored event, `booked` the sale or the entry that it became."""

    sequence: int | None
    state: str
    why: str | None = None
    params: Mapping[str, Any] | None = None
    id: str | None = None
    booked: str | None = None
    late: bool = False


@dataclass(frozen=True)
class Synced:
    """What a till is told: the first number that is missing here, and how each text stands, in the order in which they
    were sent."""

    next_sequence: int
    results: tuple[Outcome, ...]


def register(ctx: Context, scope: Scope, public_key: str, device: str | None = None, sequence: int = 1) -> Device:
    """From now on what this key of the till's brings is signed by this one: a point of P-256, uncompressed, as
    base64url (what WebCrypto exports as `raw`). Asking again changes nothing.

    A till that is not known any more, since the installation was set back to a backup, says under which name (`device`)
    it signed before and from which number (`sequence`) on it still has everything. Raises `Invalid` (`bad-public-key`).
    """
    at_till(scope)
    raw, now = decoded(public_key), ctx.now()
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError as fault:
        raise Invalid("Send a P-256 key as a raw point in base64url.", code="bad-public-key") from fault
    if len(raw) != 65:
        raise Invalid("Send the point uncompressed, as 65 bytes in base64url.", code="bad-public-key")
    with ctx.change() as tx:
        queues.hold_account(tx, scope.account_id)
        if device is not None and DEVICE.fullmatch(device) and not till_devices.is_known(tx, device):
            till_devices.register(tx, device, scope, raw, now, sequence, now - MAX_BEHIND)
        else:
            till_devices.register(tx, new_id("dev"), scope, raw, now)
        row = allowances.device_in(tx, scope, now)
    return Device(row.public_id, row.till, row.next_sequence)


def pack(ctx: Context, scope: Scope) -> dict[str, Any]:
    """What a till needs to serve without a network: the public keys of codes, the programmes, what it may promise."""
    at_till(scope)
    counter = pages.counter(ctx, scope)
    with ctx.look() as tx:
        policies = allowances.policies(ctx, tx, scope)
        device = till_devices.device_of(tx, scope, ctx.now())
        allowance = None if device is None else allowances.standing(ctx, tx, device)
    first = next(iter(counter.programmes), None)
    return {
        "issuer": scope.issuer_mark,
        "keys": code_keys.public_keys(ctx, scope),
        "programmes": {name: asdict(one) for name, one in counter.programmes.items()},
        "policy": None if first is None else policies[first],
        "policies": policies,
        "allowance": allowance,
        "device": None if device is None else asdict(Device(device.public_id, device.till, device.next_sequence)),
        "clock": ctx.now().isoformat(),
    }


def decoded(text: str) -> bytes:
    """The bytes of base64url, padded or not. Raises `Invalid` (`bad-public-key`)."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as fault:
        raise Invalid("This is not base64url.", code="bad-public-key", field="public_key") from fault


def genuine(public_key: bytes, text: str, signature: bytes) -> bool:
    """Whether this text, byte for byte, was signed by this key: ECDSA over P-256 with SHA-256, r and s side by side as
    WebCrypto writes them (IEEE P1363)."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    half = SIGNATURE_BYTES // 2
    pair = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
    try:
        key.verify(encode_dss_signature(*pair), text.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def receive(ctx: Context, scope: Scope, brought: Sequence[Brought], sequence: int, clock: datetime | None) -> Synced:
    """Take what a till brings, apply what may be applied, and say how each stands.

    `sequence` is the number that the device will give next: once all below it are here, nothing that it brings later
    was before now. `clock` is what its clock shows. Nothing is taken twice. Raises `Conflict` (`no-device`).
    """
    at_till(scope)
    now = ctx.now()
    with ctx.change() as tx:
        device = allowances.device_in(tx, scope, now, hold=True)
        ahead = rules.skew(clock, now)
        refused = _Taking(ctx, tx, scope, device, ahead, now).store(brought)
        numbers = _numbers(device, [one for n, one in enumerate(brought) if n not in refused])
        top = min(max([sequence, *(number + 1 for number in numbers)]), device.next_sequence + MOST_AHEAD)
        there = arrivals.received(tx, device.id, device.next_sequence, top)
        missing = rules.next_sequence(device.next_sequence, there)
        till_devices.heard(tx, device, now, ahead, missing, now if missing >= sequence else None)
    try:
        applying.apply(ctx, scope.account_id, AT_ONCE)
    except Unavailable:
        _log.warning("what a till brought is stored and applied by a job, since the database is busy")
    ctx.ring()
    with ctx.look() as tx:
        known = arrivals.known(tx, scope, [_sha256(one.text) for one in brought])
    stored = (refused.get(n) or _outcome(one, known[_sha256(one.text)]) for n, one in enumerate(brought))
    return Synced(missing, tuple(stored))


def _numbers(device: DeviceRow, brought: Sequence[Brought]) -> list[int]:
    """The numbers of those that are this device's own."""
    said = [one.said for one in brought if one.said is not None]
    return [one.sequence for one in said if one.device == device.public_id]


class _Refused(Exception):
    """A text that is not taken at all; the code says why."""


@dataclass(frozen=True)
class _Taking:
    """What one device brings in one sync."""

    ctx: Context
    tx: Tx
    scope: Scope
    device: DeviceRow
    ahead: timedelta
    now: datetime

    def store(self, brought: Sequence[Brought]) -> dict[int, Outcome]:
        """Store what was not there yet; by its place, what cannot be taken. A job applies it, whatever becomes of this
        call. Under a number that is there already a text that says something else is stored too, for a person."""
        known = set(arrivals.known(self.tx, self.scope, [_sha256(one.text) for one in brought]))
        numbers = _numbers(self.device, brought)
        taken = set(arrivals.received(self.tx, self.device.id, min(numbers), max(numbers))) if numbers else set()
        refused: dict[int, Outcome] = {}
        fresh = False
        for n, one in enumerate(brought):
            name = _sha256(one.text)
            try:
                said, signer, why = self._signer(one)
            except _Refused as fault:
                refused[n] = Outcome(one.said.sequence if one.said else None, arrivals.REFUSED, str(fault))
                continue
            if name in known:
                continue
            if why is None and said.sequence in taken:
                why = "sequence-taken"
            self._add(one, said, signer, why)
            known.add(name)
            if signer is self.device and why != FORGOTTEN:
                taken.add(said.sequence)
            fresh = fresh or why is None
        if fresh:
            jobs.put(self.tx, [Put(APPLY, str(self.scope.account_id), jobs.COUNTER, self.now + applying.SOON)])
        return refused

    def _signer(self, one: Brought) -> tuple[Said, DeviceRow, str | None]:
        """What a text says, the device that signed it, and what makes it a person's. Raises `_Refused`.

        Of a device that was replaced at this till, and of one that a backup knows nothing of, it is kept for a person:
        nobody else will bring it.
        """
        said, device = one.said, self.device
        own = genuine(device.public_key, one.text, one.signature)
        if said is None:
            raise _Refused("unreadable-event" if own else "bad-signature")
        if said.device != device.public_id and said.till == device.till:
            earlier = till_devices.earlier_device(self.tx, self.scope, said.device, self.now)
            if earlier is not None and genuine(earlier.public_key, one.text, one.signature):
                return said, earlier, REPLACED
            if own and not till_devices.is_known(self.tx, said.device):
                return said, device, FORGOTTEN
        if not own:
            raise _Refused("bad-signature")
        if (said.till, said.device) != (device.till, device.public_id):
            raise _Refused("other-device")
        if said.sequence >= device.next_sequence + MOST_AHEAD:
            raise _Refused("unreadable-event")
        return said, device, None

    def _add(self, one: Brought, said: Said, signer: DeviceRow, why: str | None) -> None:
        # What a device that is not known any more did may be as old as anything that is counted; its numbers are not
        # those of the device in its place.
        since = self.now - MAX_BEHIND if why == FORGOTTEN else signer.horizon_at
        event = NewEvent(
            public_id=new_id("oev"),
            device_id=signer.id,
            sequence=arrivals.NO_NUMBER if why == FORGOTTEN else said.sequence,
            kind=said.kind if said.wanted is not None else arrivals.UNREADABLE,
            text_sha256=_sha256(one.text),
            signature=one.signature,
            at=rules.happened(said.occurred_at, self.ahead, since, self.now),
            skew_ms=self.ahead // timedelta(milliseconds=1),
            received_at=self.now,
        )
        more = {"key": said.key, "cashier": said.cashier}
        content = {"text": one.text, "said": said.wanted, "allowance": said.allowance}
        content |= {name: value for name, value in more.items() if value is not None}
        sealed = self.ctx.keyring.seal(orjson.dumps(content), f"offline:{event.public_id}")
        key = arrivals.add(self.tx, event, signer, sealed)
        if why is not None:
            arrivals.settle(self.tx, key, Fate(arrivals.CONFLICT, why), self.now)


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _outcome(one: Brought, row: EventRow) -> Outcome:
    number = one.said.sequence if one.said else row.sequence
    return Outcome(number, row.state, row.why, row.params, row.public_id, row.booked, row.late)
