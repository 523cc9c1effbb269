"""Owns the form of what merchants say and are told of their webhooks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from wallet_server.web.api.models import Form, Plain, Public

Address = Annotated[Plain, Field(min_length=8, max_length=1000, description="Begins with https://.")]
EventName = Annotated[Plain, Field(max_length=40)]
Events = Annotated[list[EventName], Field(max_length=20)]


class NewWebhook(Form):
    url: Address
    events: Events = Field(default=[], description="What it is told; by default everything.")


class WebhookChange(Form):
    url: Address | None = None
    events: Events | None = None
    enabled: bool | None = None


class NewSecret(Form):
    overlap_hours: Annotated[int, Field(ge=0, le=168, strict=True)] = Field(
        24, description="How long messages are signed under the secret before as well."
    )


class Replay(Form):
    """One delivery, or all since a time."""

    delivery: Public | None = None
    since: AwareDatetime | None = None
    everything: bool = Field(False, description="With `since`: also what was delivered, not only what was given up.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Replay:
        if (self.delivery is None) == (self.since is None):
            raise ValueError("give either a delivery or since")
        return self


class DeliverySearch(Form):
    state: Literal["waiting", "delivered", "dead"] | None = None
    event: EventName | None = None
    before: Public | None = Field(None, description="The last delivery of the page before.")
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class Webhook(BaseModel):
    id: str
    url: str
    events: list[str]
    enabled: bool
    disabled_why: str | None = Field(None, description="merchant, failing or gone.")
    disabled_at: str | None = None
    failing_since: str | None = None
    previous_secret_until: str | None = None
    created_at: str
    sentence: str


class WebhookList(BaseModel):
    webhooks: list[Webhook]


class WebhookMade(BaseModel):
    """`secret` is in the first answer and in no replay of it."""

    webhook: str
    secret: str | None = None
    previous_until: str | None = None


class WebhookNamed(BaseModel):
    webhook: str


class WebhookGone(BaseModel):
    webhook: str
    deleted: bool


class WebhookTested(BaseModel):
    webhook: str
    delivery: str
    event: str


class Replayed(BaseModel):
    webhook: str
    delivery: str | None
    since: str | None


class Attempt(BaseModel):
    at: str
    status: int | None
    milliseconds: int
    answer: str | None
    fault: str | None


class Delivery(BaseModel):
    id: str
    event: str = Field(description="The `webhook-id` header of every try.")
    type: str
    state: str
    body: dict[str, Any]
    created_at: str
    next_at: str | None
    settled_at: str | None
    attempts: int
    last_attempts: list[Attempt]


class DeliveryList(BaseModel):
    deliveries: list[Delivery]
    before: str | None = Field(None, description="Ask for the next page with it.")
