"""Owns the route of gestures of goodwill."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field, model_validator

from wallet_server.actions.programme import programs
from wallet_server.actions.purse import goodwill
from wallet_server.actions.purse.goodwill import Given
from wallet_server.rules import sentences
from wallet_server.rules.baskets.deal_sentences import vouchers_sentence
from wallet_server.rules.programme.program import Programme
from wallet_server.web.api import entries, models
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, needs, wish
from wallet_server.web.api.models import MAX_AMOUNT, Form, Language, Plain

gestures = APIBlueprint(
    "gestures",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Merchant", description="With the key of a merchant.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(gestures)


class Goodwill(Form):
    """Units, or a voucher, and why."""

    reason: Annotated[Plain, Field(min_length=1, max_length=160, description="As the member reads it on the card.")]
    code: Literal["delay", "quality", "service", "mistake", "other"] = Field("other", description="For your figures.")
    amount: Annotated[int, Field(ge=1, le=MAX_AMOUNT, strict=True)] | None = None
    currency: Annotated[Plain, Field(max_length=40, description="By default the one the card shows.")] | None = None
    voucher: (
        Annotated[Plain, Field(max_length=40, description="The id of a conversion, or the code of a reward.")] | None
    ) = None
    complaint: Annotated[Plain, Field(min_length=1, max_length=80, description="Your own reference.")] | None = None
    language: Language = "en"

    @model_validator(mode="after")
    def _is_one_thing(self) -> Goodwill:
        if (self.amount is None) == (self.voucher is None) or (self.voucher is not None and self.currency is not None):
            raise ValueError("give either an amount and its currency, or a voucher")
        return self


class GoodwillGiven(BaseModel):
    """What was given; `vouchers` are those that came of it."""

    id: str
    member: str
    programme: str
    entries: list[models.Entry]
    vouchers: list[str]
    balances: dict[str, int]
    tier: str | None
    sentence: str


@gestures.post("/members/<id>/goodwill", summary="Make a gesture of goodwill", responses={"200": GoodwillGiven})
@needs("manage")
def give(path: models.Subject, body: Goodwill) -> Response:
    """Units or a voucher for an annoyance. The member reads the reason on the card; it is erased when the member
    leaves, while the books keep what was given."""
    given = Given(body.reason, body.code, body.amount, body.currency, body.voucher, body.complaint)
    asked = wish(caller(), "goodwill", {"member": path.id, **body.model_dump(mode="json", exclude={"language"})})
    facts, replayed = goodwill.give(context(), caller(), path.id, given, asked)
    programme = programs.programme_told(context(), facts)
    booked = entries.told(facts, programme, body.language)
    kept = {name: facts[name] for name in ("id", "member", "programme", "balances", "tier")}
    said = [sentences.reason_sentence(goodwill.REASON, {}, body.language).rstrip(".")]
    said += [_counted(entry, programme, body.language) for entry in booked if entry["amount"] > 0]
    vouchers = facts.get("vouchers", [])
    if vouchers:
        said.append(vouchers_sentence(len(vouchers), body.language))
    whole = {"entries": booked, "vouchers": vouchers, "sentence": ", ".join(said)}
    return answer(kept | whole, replayed=replayed)


def _counted(entry: dict[str, Any], programme: Programme, language: str) -> str:
    noun = sentences.noun_of(programme, entry["currency"], language)
    return f"+{sentences.counted(entry['amount'], noun, language)}"
