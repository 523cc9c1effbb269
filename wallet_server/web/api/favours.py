"""Owns saying yes at the till: the routes that give what a look-up offers, and take it back."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from wallet_server.actions.counter import gestures
from wallet_server.actions.counter.gestures import Wanted
from wallet_server.actions.once import Facts
from wallet_server.actions.programme import programs
from wallet_server.rules import sentences
from wallet_server.rules.counter import gestures as rules
from wallet_server.rules.programme.gesture_parts import Gesture
from wallet_server.rules.programme.program import Programme
from wallet_server.web.api import entries, models
from wallet_server.web.api.counter import time_of
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, idempotency_key, needs
from wallet_server.web.api.models import Form, Language, Plain

till_gestures = APIBlueprint(
    "till-gestures",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Till", description="With the key of a till.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(till_gestures)


class GestureWanted(Form):
    """Which gesture, for whom and why."""

    code: Annotated[Plain, Field(min_length=1, max_length=200)]
    gesture: Annotated[Plain, Field(min_length=1, max_length=40, description="As a look-up's `gestures` name it.")]
    reason: (
        Annotated[Plain, Field(min_length=1, max_length=40, description="One of the gesture's; the first if left out.")]
        | None
    ) = None
    complaint: Annotated[Plain, Field(min_length=1, max_length=80, description="Your own reference.")] | None = None
    reference: Annotated[Plain, Field(min_length=1, max_length=80, description="The till's own number for this.")]
    language: Language = "en"


class GestureGiven(BaseModel):
    """What was given, or taken back; `sentence` tells the cashier what to do, `reason` is what the member reads."""

    id: str
    member: str
    programme: str
    gesture: str
    kind: str
    title: str
    reason: str | None
    entries: list[models.Entry]
    vouchers: list[str]
    balances: dict[str, int]
    tier: str | None
    undo_seconds: int
    sentence: str


@till_gestures.post("/gestures", summary="Say yes: give this member something", responses={"200": GestureGiven})
@needs("till")
def give(body: GestureWanted) -> Response:
    """Within the budgets of the programme, by the cashier who stands at the till (X-Cashier). The member reads the
    reason on the card for a week. What a budget has no room for is refused and noted with the cashier's name."""
    wanted = Wanted(body.code, body.gesture, body.reference, body.reason, body.complaint)
    facts, replayed = gestures.give(context(), caller(), wanted, idempotency_key())
    return _told(facts, body.language, replayed=replayed, done=True)


@till_gestures.post("/gestures/<id>/undo", summary="Take a gesture back", responses={"200": GestureGiven})
@needs("till")
def undo(path: models.Subject, body: models.Reversal) -> Response:
    """Within a minute; its budget has room again, and the card says nothing of it any more."""
    facts, replayed = gestures.undo(context(), caller(), path.id, idempotency_key())
    return _told(facts, body.language, replayed=replayed, done=False)


def _told(facts: Facts, language: str, *, replayed: bool, done: bool) -> Response:
    programme = programs.programme_told(context(), facts)
    gesture = programme.gesture(facts["gesture"])
    kept = {name: facts[name] for name in ("id", "member", "programme", "gesture", "balances", "tier")}
    said = _said(gesture, facts, programme, language, done=done)
    if replayed:
        at = time_of(facts.get("recorded_at"), caller().zone)
        said["sentence"] = sentences.already(str(said["sentence"]), at, language)
    undo_seconds = int(gestures.UNDO.total_seconds()) if done else 0
    booked = entries.told(facts, programme, language)
    whole = {"entries": booked, "vouchers": facts.get("vouchers", []), "undo_seconds": undo_seconds}
    return answer({**kept, **whole, **said}, replayed=replayed)


def _said(
    gesture: Gesture | None, facts: Facts, programme: Programme, language: str, *, done: bool
) -> dict[str, str | None]:
    """The words; a gesture that a later version does not know any more is called by its id."""
    if gesture is None:
        name = facts["gesture"]
        return {"kind": "", "title": name, "reason": None, "sentence": rules.undone_sentence(name, language)}
    title = rules.title(gesture, programme, language)
    why = gesture.reason(facts.get("gesture_reason")) if done else None
    sentence = (
        rules.sentence(gesture, programme, language, done=True) if done else rules.undone_sentence(title, language)
    )
    reason = None if why is None else rules.named(why.names, programme, language)
    return {"kind": gesture.kind, "title": title, "reason": reason, "sentence": sentence}
