"""Owns the till's route for goods that come back."""

from __future__ import annotations

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions.counter import refunds as actions
from wallet_server.actions.counter.refunds import Returned
from wallet_server.actions.programme import programs
from wallet_server.rules.baskets.refunding import Wish
from wallet_server.web.api import models, refund_models
from wallet_server.web.api.counter import counted
from wallet_server.web.api.door import SECURITY, caller, context, guard, idempotency_key, needs

refunds = APIBlueprint(
    "refunds",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Till", description="With the key of a till.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(refunds)
_TOLD = ("sale", "reference", "amount_minor", "pot_minor", "left_minor", "lines")


@refunds.post("/sales/<id>/refunds", summary="Take goods back", responses={"200": refund_models.Refunded})
@needs("till", person=True)
def refund(path: models.Subject, body: refund_models.Refund) -> Response:
    """Some lines of a sale come back, or an amount of it: the sale is rated anew over what is left, by the rules and
    the state of its day, and the difference is taken back. The same request sent again (same till, business day and
    reference, or same Idempotency-Key) answers what was answered the first time."""
    wishes = tuple(Wish(line.number, line.quantity_milli(), line.amount_minor) for line in body.lines)
    returned = Returned(path.id, body.reference, wishes, body.amount_minor)
    facts, replayed = actions.refund(context(), caller(), returned, idempotency_key())
    programme = programs.programme_told(context(), facts)
    return counted(facts, programme, body.language, "returned", replayed, **{name: facts[name] for name in _TOLD})
