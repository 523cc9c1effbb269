"""Owns the till's routes for units that are put aside: authorise, capture, release."""

from __future__ import annotations

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions.once import Facts
from wallet_server.actions.programme import programs
from wallet_server.actions.purse import holding
from wallet_server.rules import sentences
from wallet_server.web.api import hold_models, models
from wallet_server.web.api.counter import counted
from wallet_server.web.api.door import SECURITY, caller, context, guard, idempotency_key, needs
from wallet_server.web.api.proof_models import given

holds = APIBlueprint(
    "holds",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Till", description="With the key of a till.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(holds)


@holds.post("/holds", summary="Put units aside", responses={"200": hold_models.Held})
@needs("till", person=True)
def authorise(body: hold_models.Authorisation) -> Response:
    """Units that nobody else can spend until they are used or given back, or until their time is over. The same request
    sent again answers what was answered the first time."""
    proof = given(body.proof)
    wanted = holding.Wanted(body.code, body.currency, body.amount, body.reference, body.minutes, proof)
    facts, replayed = holding.authorise(context(), caller(), wanted, idempotency_key())
    return _told(facts, "held", body.language, replayed)


@holds.post("/holds/<id>/capture", summary="Use what was put aside", responses={"200": hold_models.Held})
@needs("till", person=True)
def capture(path: models.Subject, body: hold_models.Capture) -> Response:
    """All of it or a part, once: the rest is given back to the awards that it was taken from."""
    facts, replayed = holding.capture(context(), caller(), path.id, body.amount, idempotency_key())
    return _told(facts, "captured", body.language, replayed)


@holds.post("/holds/<id>/release", summary="Give back what was put aside", responses={"200": hold_models.Held})
@needs("till", person=True)
def release(path: models.Subject, body: models.Reversal) -> Response:
    """It can be spent again, as before."""
    facts, replayed = holding.release(context(), caller(), path.id, idempotency_key())
    return _told(facts, "released", body.language, replayed)


def _told(facts: Facts, kind: sentences.CashierKind, language: str, replayed: bool) -> Response:
    programme = programs.programme_told(context(), facts)
    return counted(facts, programme, language, kind, replayed, hold=facts["hold"])
