"""Owns the till's routes of who stands there: the list, a shift that a PIN begins, and its end."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from wallet_server.actions.counter import cashiers as people
from wallet_server.web.api import models
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, needs
from wallet_server.web.api.models import Form, Plain

cashiers = APIBlueprint(
    "cashiers",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Till", description="With the key of a till.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(cashiers)


class CashierListed(BaseModel):
    """Somebody who may stand at this till; `has_pin` is false until a PIN was chosen in the console."""

    id: str
    name: str
    has_pin: bool


class CashierList(BaseModel):
    cashiers: list[CashierListed]


class Pin(Form):
    """The PIN, and a new one where somebody else chose it."""

    pin: Annotated[Plain, Field(min_length=1, max_length=20)]
    new_pin: Annotated[Plain, Field(min_length=1, max_length=20)] | None = None


class ShiftBegun(BaseModel):
    """The token goes into the header X-Cashier of every call of this till until `until`, or until the next shift."""

    token: str
    id: str
    name: str
    role: str
    until: str
    may: list[str]


class ShiftEnded(BaseModel):
    ended: bool


@cashiers.get("/cashiers", summary="Who may stand at this till?", responses={"200": CashierList})
@needs("till", alone=True)
def listed() -> Response:
    """The people of the shop who sell, by name."""
    rows = people.at_till(context(), caller())
    return answer({"cashiers": [{"id": row.public_id, "name": row.name, "has_pin": row.has_pin} for row in rows]})


@cashiers.post("/cashiers/<id>/shift", summary="Take over the till", responses={"200": ShiftBegun})
@needs("till", alone=True)
def begin(path: models.Subject, body: Pin) -> Response:
    """With the PIN; whoever stood there before stands there no more. A PIN that an owner chose is changed at once: send
    `new_pin` too. Wrong ones lead to longer and longer waits, of this person at this till alone."""
    shift = people.begin(context(), caller(), path.id, body.pin, body.new_pin)
    who = shift.cashier
    told = {"id": who.public_id, "name": who.name, "role": who.role, "may": sorted(who.may)}
    return answer({"token": shift.token, "until": shift.until.isoformat(), **told})


@cashiers.delete("/cashiers/shift", summary="Leave the till", responses={"200": ShiftEnded})
@needs("till", alone=True)
def end() -> Response:
    """Nobody stands at this till any more; doing it again changes nothing."""
    return answer({"ended": people.end(context(), caller())})
