"""Owns what a merchant does with the addresses that are told what happens: make, change, sign anew, look, replay."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.telling import hooks, posting
from wallet_server.errors import Conflict
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Lease, Put
from wallet_server.records.scope import Scope
from wallet_server.records.telling import deliveries, webhooks
from wallet_server.records.telling.deliveries import DEAD, DELIVERED, AttemptRow, DeliveryRow
from wallet_server.records.telling.webhooks import MOST_ENDPOINTS, EndpointRow
from wallet_server.rules import webhooks as rules

__all__ = ["AttemptRow", "DeliveryRow", "EndpointRow"]

REPLAY = "webhook-replay"
SLICE = 200
MOST_LISTED = 100
MOST_TRIES_SHOWN = 20
FORGOTTEN_AFTER = timedelta(days=90)
"""What an address answered is kept for so long, and what was sent there once it was taken or given up."""


@dataclass(frozen=True)
class Wanted:
    """What is to change of an address; None: stays as it is."""

    url: str | None = None
    kinds: Sequence[str] | None = None
    enabled: bool | None = None


def listed(ctx: Context, scope: Scope) -> list[EndpointRow]:
    """The merchant's addresses, oldest first."""
    with ctx.look() as tx:
        return webhooks.endpoints_of(tx, scope)


def turned_off(ctx: Context, scope: Scope) -> list[EndpointRow]:
    """Those that were turned off because of how their addresses answered."""
    return [row for row in listed(ctx, scope) if row.disabled_why in (posting.FAILING, posting.GONE)]


def one(ctx: Context, scope: Scope, public_id: str) -> EndpointRow:
    """One of them. Raises `NotFound`."""
    with ctx.look() as tx:
        return webhooks.endpoint_in(tx, scope, public_id)


def add(ctx: Context, scope: Scope, url: str, kinds: Sequence[str], wish: Asked) -> tuple[Facts, bool]:
    """A further address; its secret is in the first answer and in no replay of it. Raises `Invalid`
    (`webhook-address`, `webhook-event`) and `Conflict` (`too-many-webhooks`)."""
    url, wanted = rules.demand_address(url, ctx.settings.sandbox), rules.demand_kinds(kinds)
    secret = secrets.token_bytes(rules.SECRET_BYTES)

    def act(tx: Tx) -> Facts:
        if len(webhooks.endpoints_of(tx, scope)) >= MOST_ENDPOINTS:
            sentence = f"A merchant has at most {MOST_ENDPOINTS} webhooks; delete one that is not needed any more."
            raise Conflict(sentence, code="too-many-webhooks")
        public_id = new_id("whk")
        webhooks.add_endpoint(tx, scope, public_id, url, wanted, _seal(ctx, public_id, secret), ctx.clock())
        return {"webhook": public_id}

    return _shown(once(ctx, wish, act), secret, ctx)


def _seal(ctx: Context, public_id: str, secret: bytes) -> str:
    return ctx.keyring.seal(secret, f"webhook:{public_id}")


def _shown(answer: tuple[Facts, bool], secret: bytes, ctx: Context) -> tuple[Facts, bool]:
    facts, replayed = answer
    ctx.listeners.forget()
    return (facts if replayed else {**facts, "secret": rules.shown_secret(secret)}), replayed


def change(ctx: Context, scope: Scope, public_id: str, wanted: Wanted, wish: Asked) -> tuple[Facts, bool]:
    """Another address, other events, off, or on again. Who is turned on begins anew; what was given up meanwhile is
    sent when it is asked for (`replay`). Raises as `add` does, and `NotFound`."""
    if wanted.url is not None:
        rules.demand_address(wanted.url, ctx.settings.sandbox)
    kinds = None if wanted.kinds is None else list(rules.demand_kinds(wanted.kinds))

    def act(tx: Tx) -> Facts:
        row = webhooks.endpoint_in(tx, scope, public_id, hold=True)
        values: dict[str, Any] = {"url": wanted.url or row.url, "kinds": list(row.kinds) if kinds is None else kinds}
        well = {"failures": 0, "failing_since": None, "rest_until": None}
        if wanted.url is not None and wanted.url != row.url:
            values |= well
        if wanted.enabled is True and not row.enabled:
            values |= {"enabled": True, "disabled_why": None, "disabled_at": None, **well}
        elif wanted.enabled is False and row.enabled:
            values |= {"enabled": False, "disabled_why": posting.BY_MERCHANT, "disabled_at": ctx.clock()}
        webhooks.change_endpoint(tx, row.id, **values)
        return {"webhook": public_id}

    answer = once(ctx, wish, act)
    ctx.listeners.forget()
    return answer


def sign_anew(ctx: Context, scope: Scope, public_id: str, overlap: timedelta, wish: Asked) -> tuple[Facts, bool]:
    """A new secret; for as long as `overlap` messages carry a signature under the one before as well. In the first
    answer and in no replay of it."""
    secret = secrets.token_bytes(rules.SECRET_BYTES)

    def act(tx: Tx) -> Facts:
        row = webhooks.endpoint_in(tx, scope, public_id, hold=True)
        until = ctx.clock() + overlap
        webhooks.change_endpoint(
            tx,
            row.id,
            secret_cipher=_seal(ctx, public_id, secret),
            previous_cipher=row.secret_cipher if overlap else None,
            previous_until=until if overlap else None,
        )
        return {"webhook": public_id, "previous_until": until.isoformat() if overlap else None}

    return _shown(once(ctx, wish, act), secret, ctx)


def remove(ctx: Context, scope: Scope, public_id: str) -> None:
    """Nothing more is sent there. Raises `NotFound`."""
    with ctx.change() as tx:
        row = webhooks.endpoint_in(tx, scope, public_id, hold=True)
        webhooks.change_endpoint(tx, row.id, enabled=False, deleted_at=ctx.clock())
    ctx.listeners.forget()


@dataclass(frozen=True)
class Deliveries:
    """A page of deliveries, the newest first, with their last tries; `more` asks for the next page."""

    rows: Sequence[tuple[DeliveryRow, Sequence[AttemptRow]]]
    more: str | None


def sent(
    ctx: Context,
    scope: Scope,
    public_id: str,
    *,
    state: str | None = None,
    kind: str | None = None,
    before: str | None = None,
    most: int = MOST_LISTED,
) -> Deliveries:
    """What was sent to an address or is to be: of one state (`dead`: what was given up) or kind."""
    with ctx.look() as tx:
        row = webhooks.endpoint_in(tx, scope, public_id)
        key = None if before is None else deliveries.delivery_in(tx, row.id, before).id
        most = min(most, MOST_LISTED)
        found = deliveries.deliveries_of(tx, row.id, state, key, most, kind)
        tries = deliveries.attempts_of(tx, [x.id for x in found], MOST_TRIES_SHOWN) if found else {}
    return Deliveries([(x, tries[x.id]) for x in found], found[-1].public_id if len(found) == most else None)


def replay_one(ctx: Context, scope: Scope, public_id: str, delivery: str, wish: Asked) -> tuple[Facts, bool]:
    """Send one event again, under its own id."""

    def act(tx: Tx) -> Facts:
        endpoint = _awake(tx, scope, public_id)
        row = deliveries.delivery_in(tx, endpoint.id, delivery)
        now = ctx.clock()
        deliveries.put_again(tx, [row.id], now)
        jobs.put(tx, [Put(hooks.DELIVER, str(row.id), jobs.OUT, ctx.now())])
        return {"webhook": public_id, "delivery": delivery, "since": None}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def replay_since(
    ctx: Context, scope: Scope, public_id: str, since: datetime, everything: bool, wish: Asked
) -> tuple[Facts, bool]:
    """Send again what was given up since then, or `everything` that was told; in slices, behind the ordinary work."""

    def act(tx: Tx) -> Facts:
        endpoint, now = _awake(tx, scope, public_id), ctx.clock()
        key = f"{endpoint.id}:{int(since.timestamp())}:{int(now.timestamp()) + 1}:{int(everything)}:0"
        jobs.put(tx, [Put(REPLAY, key, jobs.OUT, ctx.now())])
        return {"webhook": public_id, "delivery": None, "since": since.isoformat()}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def _awake(tx: Tx, scope: Scope, public_id: str) -> EndpointRow:
    row = webhooks.endpoint_in(tx, scope, public_id, hold=True)
    if not row.enabled:
        raise Conflict("This webhook is turned off; turn it on first.", code="webhook-off")
    return row


def walk(ctx: Context, leases: Sequence[Lease]) -> None:
    """A slice of a replay, which also puts the job of the next: a crash resumes where it stood."""
    for lease in leases:
        endpoint_id, since, until, everything, after = (int(part) for part in lease.key.split(":"))
        now = ctx.clock()
        states = (DEAD, DELIVERED) if everything else (DEAD,)
        with ctx.change() as tx:
            span = datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC)
            ids = deliveries.replay(tx, endpoint_id, now, span=span, states=states, after=after, most=SLICE)
            jobs.settle(tx, [lease])
            again = [Put(hooks.DELIVER, str(key), jobs.OUT, now) for key in ids]
            if len(ids) == SLICE:
                again.append(Put(REPLAY, f"{endpoint_id}:{since}:{until}:{everything}:{ids[-1]}", jobs.OUT, now))
            jobs.put(tx, again)
    ctx.ring()


def send_test(ctx: Context, scope: Scope, public_id: str, wish: Asked) -> tuple[Facts, bool]:
    """An event that says nothing, to see that the address takes it; whatever it asked to be told."""

    def act(tx: Tx) -> Facts:
        endpoint, now = _awake(tx, scope, public_id), ctx.clock()
        known = webhooks.parties_of(tx, None, scope.merchant_id)
        name = new_id("evt")
        body = rules.body(name, rules.TEST, now, known.mode, known.merchant, None, {"webhook": public_id})
        event = deliveries.NewEvent(name, None, scope.merchant_id, rules.TEST, body, now)
        (delivery,) = hooks.put(ctx, tx, event, [endpoint.id])
        return {"webhook": public_id, "delivery": delivery, "event": name}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def forget(tx: Tx, now: datetime) -> bool:
    """Throw away a slice of old answers and of deliveries that are done; whether there may be more."""
    before = now - FORGOTTEN_AFTER
    return SLICE in (deliveries.forget_attempts(tx, before, SLICE), deliveries.forget_deliveries(tx, before, SLICE))
