"""Owns the till's routes for times without a network: its key, what it needs then, what it may burn, what it brings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import ValidationError

from wallet_server.actions.offline import allowances, booking, exchange, settling
from wallet_server.actions.offline.exchange import Brought, Outcome, Said
from wallet_server.errors import Invalid
from wallet_server.rules.offline.spoken import said
from wallet_server.web.api import models, offline_models, sale_models
from wallet_server.web.api.counter import redeemed_of, sold_of
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, instant, needs

offline_till = APIBlueprint(
    "offline",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Till without a network", description="With the key of a till.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(offline_till)


@offline_till.put("/offline/device", summary="Register a key to sign with", responses={"200": offline_models.Device})
@needs("till")
def register(body: offline_models.DeviceKey) -> Response:
    """What this till brings from a time without a network is signed with the other half of this key. The same key again
    changes nothing; another one replaces it."""
    return answer(asdict(exchange.register(context(), caller(), body.public_key, body.device, body.sequence)))


@offline_till.get("/offline/pack", summary="What a till needs offline", responses={"200": offline_models.Pack})
@needs("till")
def pack() -> Response:
    """Public keys of the codes on cards, the programmes, what may be promised, and what this device has reserved."""
    return answer(exchange.pack(context(), caller()))


@offline_till.post(
    "/offline/allowances", summary="Reserve units to burn offline", responses={"200": offline_models.Allowance}
)
@needs("till")
def reserve(body: offline_models.Reserve) -> Response:
    """Units that this till may burn without a network, until `until`. Asked again, it has this much from then on."""
    return answer(allowances.reserve(context(), caller(), body.programme, body.units))


@offline_till.delete(
    "/offline/allowances", summary="Give back what was reserved", responses={"200": offline_models.GivenBack}
)
@needs("till")
def give_back() -> Response:
    """What this till did not burn can be reserved again. Send what it burned before."""
    allowances.give_back(context(), caller())
    return answer({"allowance": None})


@offline_till.post("/offline/events", summary="Bring what was done offline", responses={"200": offline_models.Synced})
@needs("till")
def events(body: offline_models.Events) -> Response:
    """Texts that this device signed, and an empty list as a sign of life. Sending any of them again does no harm, and
    tells how it stands by now."""
    if context().training:
        raise Invalid("What was done offline is brought in earnest; send this without X-Training.", code="no-training")
    brought = [_brought(one) for one in body.events]
    synced = exchange.receive(context(), caller(), brought, body.sequence, instant(body.clock))
    results = [_told(one, body.language) for one in synced.results]
    return answer({"next_sequence": synced.next_sequence, "results": results})


@offline_till.get("/offline/conflicts", summary="What is for a person", responses={"200": offline_models.Cases})
@needs("read")
def conflicts(query: offline_models.CasesQuery) -> Response:
    """What tills did without a network and what could not be counted by itself, the oldest first."""
    found = settling.cases(context(), caller())
    return answer({"conflicts": [_case(one, query.language) for one in found]})


@offline_till.post("/offline/conflicts/<id>", summary="Settle one", responses={"200": offline_models.Case})
@needs("manage")
def settle(path: models.Subject, body: offline_models.Settle) -> Response:
    """Have it booked after all, refuse it, or write a note. Who and when stands in the journal; the same decision again
    changes nothing."""
    one = settling.settle(context(), caller(), path.id, body.decision, body.note)
    return answer(_case(one, body.language))


def _case(one: settling.Case, language: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "occurred_at": one.at.isoformat(),
        "received_at": one.received_at.isoformat(),
        "store": one.store,
        "till": one.till,
        "device": one.device,
        "sequence": one.sequence,
        "state": one.state,
        "why": one.why,
        "sentence": said(one.state, one.why, one.late, language),
        "number": one.number,
        "currency": one.money,
        "amount_minor": one.amount_minor,
        "units": one.units,
        "reward": one.reward,
        "member": one.member,
        "booked": one.booked,
        "decision": one.decision,
        "note": one.note,
        "by": one.by,
        "decided_at": None if one.decided_at is None else one.decided_at.isoformat(),
    }


def _told(one: Outcome, language: str) -> dict[str, Any]:
    return {
        "sequence": one.sequence,
        "state": one.state,
        "why": one.why,
        "sentence": said(one.state, one.why, one.late, language),
        "id": one.id,
        "booked": one.booked,
        "late": one.late,
    }


def _brought(one: offline_models.Signed) -> Brought:
    try:
        signature = exchange.decoded(one.signature)
    except Invalid:
        signature = b""
    return Brought(one.text, signature, _read(one.text))


def _read(text: str) -> Said | None:
    """What a text says; None where nobody can tell whose it is and which number it has."""
    try:
        found = offline_models.Said.model_validate(orjson.loads(text))
        at = instant(found.occurred_at)
    except (orjson.JSONDecodeError, ValidationError, Invalid):
        return None
    if at is None:
        return None
    wanted = _wanted(found.kind, found.body)
    more = found.allowance, found.key, found.cashier
    return Said(found.till, found.device, found.sequence, found.kind, at, wanted, *more)


def _wanted(kind: str, body: dict[str, Any]) -> dict[str, Any] | None:
    """The body of the online route, read; None where that route would not take it."""
    try:
        if kind == "sale":
            return booking.sale_said(sold_of(sale_models.Sale.model_validate(body)))
        return booking.redemption_said(redeemed_of(models.Redemption.model_validate(body)))
    except (ValidationError, Invalid):
        return None
