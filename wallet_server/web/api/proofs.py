"""Owns the till's route for a second proof: a one-time code to whoever holds a card that is not up to date."""

from __future__ import annotations

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions.counter import scanning
from wallet_server.rules.counter import refusals
from wallet_server.web.api import models, proof_models
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, needs

second_proofs = APIBlueprint(
    "second_proofs",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Till", description="With the key of a till.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(second_proofs)


@second_proofs.post("/proofs", summary="Send a one-time code", responses={"200": proof_models.ProofSent})
@needs("till")
def send(body: models.Lookup) -> Response:
    """Six digits to an address of the member that they confirmed. What was refused with `second-proof-needed` is sent
    again with `proof`: {"kind": "code", "value": …}."""
    sent = scanning.send_proof(context(), caller(), body.code)
    said = refusals.proof_sent(sent.kind, sent.masked, body.language)
    return answer({"kind": sent.kind, "to": sent.masked, "sentence": said})
