"""Owns the routes by which a merchant has its own systems told what happens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions.telling import webhooks as actions
from wallet_server.actions.telling.webhooks import AttemptRow, DeliveryRow, EndpointRow
from wallet_server.web.api import models
from wallet_server.web.api import webhook_models as forms
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, instant, needs, wish

webhooks = APIBlueprint(
    "webhooks",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Webhooks", description="What happens is told to addresses of yours, signed.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(webhooks)
_WORDS = {
    None: "What happens is sent to this address.",
    "merchant": "You turned this webhook off.",
    "failing": "Turned off: the address has taken nothing for five days. Mend it, then turn the webhook on again.",
    "gone": "Turned off: the address answered that it is gone (410). Change it, then turn the webhook on again.",
}
_FAILING = "The address does not take what is sent; it is tried again."


@webhooks.get("/webhooks", summary="Your webhooks", responses={"200": forms.WebhookList})
@needs("read")
def list_webhooks() -> Response:
    """With how their addresses answer."""
    return answer({"webhooks": [_webhook(row) for row in actions.listed(context(), caller())]})


def _webhook(row: EndpointRow) -> dict[str, Any]:
    ill = row.enabled and row.failing_since is not None
    return {
        "id": row.public_id,
        "url": row.url,
        "events": list(row.kinds),
        "enabled": row.enabled,
        "disabled_why": row.disabled_why,
        "disabled_at": _time(row.disabled_at),
        "failing_since": _time(row.failing_since),
        "previous_secret_until": _time(row.previous_until),
        "created_at": _time(row.created_at),
        "sentence": _FAILING if ill else _WORDS[None if row.enabled else row.disabled_why],
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


@webhooks.post("/webhooks", summary="Add a webhook", responses={"200": forms.WebhookMade})
@needs("manage")
def add_webhook(body: forms.NewWebhook) -> Response:
    """Its secret is in the first answer and nowhere else."""
    scope = caller()
    asked = wish(scope, "add-webhook", body.model_dump(mode="json"))
    facts, replayed = actions.add(context(), scope, body.url, body.events, asked)
    return answer(facts, replayed=replayed)


@webhooks.get("/webhooks/<id>", summary="A webhook", responses={"200": forms.Webhook})
@needs("read")
def get_webhook(path: models.Subject) -> Response:
    """With how its address answers."""
    return answer(_webhook(actions.one(context(), caller(), path.id)))


@webhooks.patch("/webhooks/<id>", summary="Change a webhook", responses={"200": forms.WebhookNamed})
@needs("manage")
def change_webhook(path: models.Subject, body: forms.WebhookChange) -> Response:
    """Its address, its events, off or on; what is left out stays."""
    scope = caller()
    asked = wish(scope, "change-webhook", {"webhook": path.id, **body.model_dump(mode="json")})
    wanted = actions.Wanted(body.url, body.events, body.enabled)
    facts, replayed = actions.change(context(), scope, path.id, wanted, asked)
    return answer(facts, replayed=replayed)


@webhooks.delete("/webhooks/<id>", summary="Delete a webhook", responses={"200": forms.WebhookGone})
@needs("manage")
def delete_webhook(path: models.Subject) -> Response:
    """Nothing more is sent there."""
    actions.remove(context(), caller(), path.id)
    return answer({"webhook": path.id, "deleted": True})


@webhooks.post("/webhooks/<id>/secret", summary="A new secret", responses={"200": forms.WebhookMade})
@needs("manage")
def new_secret(path: models.Subject, body: forms.NewSecret) -> Response:
    """Messages are signed under both for as long as you say."""
    scope = caller()
    asked = wish(scope, "webhook-secret", {"webhook": path.id, **body.model_dump(mode="json")})
    overlap = timedelta(hours=body.overlap_hours)
    facts, replayed = actions.sign_anew(context(), scope, path.id, overlap, asked)
    return answer(facts, replayed=replayed)


@webhooks.post("/webhooks/<id>/tests", summary="Send a test event", responses={"200": forms.WebhookTested})
@needs("manage")
def send_test(path: models.Subject) -> Response:
    """`webhook.test`, whatever the webhook asked to be told; look at the delivery for what became of it."""
    scope = caller()
    asked = wish(scope, "test-webhook", {"webhook": path.id})
    facts, replayed = actions.send_test(context(), scope, path.id, asked)
    return answer(facts, replayed=replayed)


@webhooks.get("/webhooks/<id>/deliveries", summary="What was sent", responses={"200": forms.DeliveryList})
@needs("read")
def list_deliveries(path: models.Subject, query: forms.DeliverySearch) -> Response:
    """The newest first, with the last tries of each; `state=dead` lists what was given up."""
    found = actions.sent(
        context(), caller(), path.id, state=query.state, kind=query.event, before=query.before, most=query.limit
    )
    return answer({"deliveries": [_delivery(row, tries) for row, tries in found.rows], "before": found.more})


def _delivery(row: DeliveryRow, tries: Sequence[AttemptRow]) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "event": row.event,
        "type": row.kind,
        "state": row.state,
        "body": orjson.loads(row.body),
        "created_at": _time(row.created_at),
        "next_at": _time(row.next_at),
        "settled_at": _time(row.settled_at),
        "attempts": row.attempts,
        "last_attempts": [
            {
                "at": _time(one.at),
                "status": one.status,
                "milliseconds": one.milliseconds,
                "answer": one.answer,
                "fault": one.fault,
            }
            for one in tries
        ],
    }


@webhooks.post("/webhooks/<id>/replays", summary="Send again", responses={"200": forms.Replayed})
@needs("manage")
def replay(path: models.Subject, body: forms.Replay) -> Response:
    """One delivery, or what was given up since a time, or everything since then; under the same ids as before."""
    scope, ctx = caller(), context()
    asked = wish(scope, "replay-webhook", {"webhook": path.id, **body.model_dump(mode="json")})
    since = instant(body.since)
    if since is not None:
        facts, replayed = actions.replay_since(ctx, scope, path.id, since, body.everything, asked)
    else:
        facts, replayed = actions.replay_one(ctx, scope, path.id, body.delivery or "", asked)
    return answer(facts, replayed=replayed)
