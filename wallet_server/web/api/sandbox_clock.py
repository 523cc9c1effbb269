"""Owns the routes of the clock of an account that tries things out."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import AwareDatetime, BaseModel, Field, model_validator

from wallet_server.actions.programme import clock
from wallet_server.web.api import models
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, instant, needs, wish

sandbox_clock = APIBlueprint(
    "sandbox_clock",
    __name__,
    url_prefix="/sandbox",
    abp_tags=[Tag(name="Trying out", description="With the key of a merchant of a test account.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(sandbox_clock)


class ClockMove(models.Form):
    """Forward by so much, or to a time."""

    advance_seconds: Annotated[int, Field(ge=0, le=400_000_000, strict=True)] | None = None
    to: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> ClockMove:
        if (self.advance_seconds is None) == (self.to is None):
            raise ValueError("give either advance_seconds or to")
        return self


class ClockStands(BaseModel):
    now: str = Field(description="What the account's clock shows.")
    ahead_seconds: int = Field(description="How far it is ahead of everybody's.")


@sandbox_clock.get("/clock", summary="A test account's clock", responses={"200": ClockStands})
@needs("read")
def get_clock() -> Response:
    """Refused to an account that trades."""
    stands = clock.look(context(), caller())
    return answer({"now": stands.now.isoformat(), "ahead_seconds": int(stands.ahead.total_seconds())})


@sandbox_clock.post("/clock", summary="Move a test account's clock forward", responses={"200": ClockStands})
@needs("manage")
def move_clock(body: ClockMove) -> Response:
    """What is due by then is done before this answers, and the phones are told. Refused to an account that trades."""
    scope = caller()
    asked = wish(scope, "clock", body.model_dump(mode="json"))
    by = None if body.advance_seconds is None else timedelta(seconds=body.advance_seconds)
    facts, replayed = clock.advance(context(), scope, by, instant(body.to), asked)
    return answer(facts, replayed=replayed)
