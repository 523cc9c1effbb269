"""Owns the routes of what members did that is no sale, and of their birthdays."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions.programme import programs
from wallet_server.actions.purse import engaging
from wallet_server.actions.purse.engaging import Report
from wallet_server.rules import sentences
from wallet_server.web.api import entries, event_models, models
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, instant, needs, wish

events = APIBlueprint(
    "events",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Merchant", description="With the key of a merchant.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(events)


@events.post("/events", summary="Report what a member did", responses={"200": event_models.EventKept})
@needs("enrol")
def report(body: event_models.Event) -> Response:
    """Keep an event (a workshop, a review, a referral) and award what the programme gives for it.

    It is refused when neither a rule nor a tier of the programme names it. The same request sent again with the same
    Idempotency-Key answers what was answered the first time.
    """
    told = Report(body.name, body.code, body.member, instant(body.occurred_at), body.fields, body.proof)
    asked = wish(caller(), "event", body.model_dump(mode="json", exclude={"language"}))
    facts, replayed = engaging.report(context(), caller(), told, asked)
    programme = programs.programme_told(context(), facts)
    shown = programme.balance_currency
    params: dict[str, Any] = {
        "amount": sum(entry["amount"] for entry in facts["entries"] if entry["currency"] == shown),
        "balance": facts["balances"].get(shown, 0),
        **sentences.unit_params(programme, shown, body.language),
    }
    kept = {name: facts[name] for name in ("id", "member", "programme", "version", "event", "balances", "tier")}
    kept["vouchers"] = facts.get("vouchers", [])
    said = sentences.cashier_sentence("event", params, body.language)
    kept["entries"] = entries.told(facts, programme, body.language)
    kept["withheld"] = entries.withheld(facts, programme, body.language)
    return answer(kept | {"sentence": said}, replayed=replayed)


@events.put("/members/<id>/birthday", summary="Keep a birthday", responses={"200": event_models.BirthdayKept})
@needs("enrol")
def keep_birthday(path: models.Subject, body: event_models.Birthday) -> Response:
    """Day and month alone, for what the programme gives on birthdays; null forgets it."""
    asked = wish(caller(), "birthday", {"member": path.id, "birthday": body.birthday})
    facts, replayed = engaging.keep_birthday(context(), caller(), path.id, body.birthday, asked)
    return answer(facts, replayed=replayed)
