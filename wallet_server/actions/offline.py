"""Owns what a till exchanges with the server about times without a network: its key, what it needs then, and what it
brings back.

What it brings is signed by a key that never leaves the device, stored as it came, and applied in an order that does not
depend on how it came (`rules.offline`, `actions.offline_queue`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from wallet_server.actions import allowances, code_keys, offline_queue, pages
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.till import at_till
from wallet_server.errors import Invalid
from wallet_server.records import offline, offline_queues
from wallet_server.records.database import Tx
from wallet_server.records.offline import DeviceRow, EventRow, Fate, NewEvent
from wallet_server.records.scope import Scope
from wallet_server.rules import offline as rules

MOST_EVENTS = 100
"""Taken in one sync."""
MOST_AHEAD = 100_000
"""How far beyond the first that is missing a number may be."""
AT_ONCE = 100
"""Applied while the till waits; what is left is applied by a job."""
SIGNATURE_BYTES = 64


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


def register(ctx: Context, scope: Scope, public_key: str) -> Device:
    """From now on what this key of the till's brings is signed by this one: a point of P-256, uncompressed, as
    base64url (what WebCrypto exports as `raw`). Asking again changes nothing. Raises `Invalid` (`bad-public-key`)."""
    at_till(scope)
    raw = decoded(public_key)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError as fault:
        raise Invalid("Send a P-256 key as a raw point in base64url.", code="bad-public-key") from fault
    if len(raw) != 65:
        raise Invalid("Send the point uncompressed, as 65 bytes in base64url.", code="bad-public-key")
    with ctx.change() as tx:
        offline_queues.hold_account(tx, scope.account_id)
        offline.register(tx, new_id("dev"), scope, raw, ctx.now())
        row = allowances.device_in(tx, scope, ctx.now())
    return Device(row.public_id, row.till, row.next_sequence)


def pack(ctx: Context, scope: Scope) -> dict[str, Any]:
    """What a till needs to serve without a network: the public keys of codes, the programmes, what it may promise."""
    at_till(scope)
    counter = pages.counter(ctx, scope)
    with ctx.look() as tx:
        policies = allowances.policies(ctx, tx, scope)
        device = offline.device_of(tx, scope, ctx.now())
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
        refused = _store(ctx, tx, device, brought, ahead, now)
        taken = [one.said for n, one in enumerate(brought) if n not in refused]
        top = max([sequence, *(said.sequence + 1 for said in taken if said is not None)])
        top = min(top, device.next_sequence + MOST_AHEAD)
        there = offline.received(tx, device.id, device.next_sequence, top)
        missing = rules.next_sequence(device.next_sequence, there)
        offline.heard(tx, device, now, ahead, missing, now if missing >= sequence else None)
    offline_queue.apply(ctx, scope.account_id, AT_ONCE)
    ctx.ring()
    with ctx.look() as tx:
        known = offline.known(tx, device.id, [_sha256(one.text) for one in brought])
    stored = (refused.get(n) or _outcome(known[_sha256(one.text)]) for n, one in enumerate(brought))
    return Synced(missing, tuple(stored))


def _store(
    ctx: Context, tx: Tx, device: DeviceRow, brought: Sequence[Brought], ahead: timedelta, now: datetime
) -> dict[int, Outcome]:
    """Store what was not there yet; by its place, what cannot be taken. Under a number that is there already a text
    that says something else is stored too, for a person."""
    known = set(offline.known(tx, device.id, [_sha256(one.text) for one in brought]))
    numbers = [one.said.sequence for one in brought if one.said is not None]
    taken = set(offline.received(tx, device.id, min(numbers), max(numbers))) if numbers else set()
    refused: dict[int, Outcome] = {}
    for n, one in enumerate(brought):
        name = _sha256(one.text)
        why = _refusal(device, one)
        if why is not None or one.said is None:
            refused[n] = Outcome(one.said.sequence if one.said else None, offline.REFUSED, why)
        elif name not in known:
            event = _event(device, one, one.said, ahead, now)
            content = {"text": one.text, "said": one.said.wanted, "allowance": one.said.allowance} | (
                {} if one.said.key is None else {"key": one.said.key}
            )
            sealed = ctx.keyring.seal(orjson.dumps(content), f"offline:{event.public_id}")
            key = offline.add(tx, event, device, sealed)
            if one.said.sequence in taken:
                offline.settle(tx, key, Fate(offline.CONFLICT, "sequence-taken"), now)
            known.add(name)
            taken.add(one.said.sequence)
    return refused


def _refusal(device: DeviceRow, one: Brought) -> str | None:
    if not genuine(device.public_key, one.text, one.signature):
        return "bad-signature"
    if one.said is None:
        return "unreadable-event"
    if (one.said.till, one.said.device) != (device.till, device.public_id):
        return "other-device"
    return "unreadable-event" if one.said.sequence >= device.next_sequence + MOST_AHEAD else None


def _event(device: DeviceRow, one: Brought, said: Said, ahead: timedelta, now: datetime) -> NewEvent:
    return NewEvent(
        public_id=new_id("oev"),
        device_id=device.id,
        sequence=said.sequence,
        kind=said.kind if said.wanted is not None else offline.UNREADABLE,
        text_sha256=_sha256(one.text),
        signature=one.signature,
        at=rules.happened(said.occurred_at, ahead, device.horizon_at, now),
        skew_ms=ahead // timedelta(milliseconds=1),
        received_at=now,
    )


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _outcome(row: EventRow) -> Outcome:
    return Outcome(row.sequence, row.state, row.why, row.params, row.public_id, row.booked, row.late)
