"""Owns the routes of keys: the list with their last use, a further one, and a successor with an overlap."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from wallet_server.actions import keys as key_ring
from wallet_server.actions.keys import KeyLine, Made
from wallet_server.web.api import models
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, needs, wish
from wallet_server.web.api.models import Form, Plain

keys = APIBlueprint(
    "keys",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Merchant", description="With the key of a merchant.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(keys)


class KeyListed(BaseModel):
    """A key without its secret; `device` is the name of the paired device that has it, `until` when it ends,
    `successor` the key that takes its place."""

    id: str
    label: str | None
    device: str | None
    till: str | None
    store: str | None
    scopes: list[str]
    created_at: str
    used_at: str | None
    until: str | None
    successor: str | None


class KeyList(BaseModel):
    keys: list[KeyListed]


class NewKey(Form):
    """A name to know it by, and what it may do: no more than the key that makes it."""

    label: Annotated[Plain, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Literal["read", "manage", "enrol", "announce"]], Field(min_length=1, max_length=4)]


class Rotation(Form):
    overlap_hours: Annotated[int, Field(ge=0, le=90 * 24, strict=True, description="How long both keys work.")] = 24


class KeyMade(BaseModel):
    """`key` is in the first answer and in no replay of it; `old_until` is when the old one ends."""

    id: str | None
    key: str | None
    old_until: str | None


@keys.get("/keys", summary="Your keys", responses={"200": KeyList})
@needs("manage")
def listed() -> Response:
    """Those that work, with their scopes and when each was last used, to the minute."""
    return answer({"keys": [_shown(row) for row in key_ring.listed(context(), caller())]})


def _shown(row: KeyLine) -> dict[str, Any]:
    times = {"created_at": row.created_at, "used_at": row.used_at, "until": row.ends_at}
    return {
        "id": row.public_id,
        "label": row.label,
        "device": row.device,
        "till": row.till,
        "store": row.store,
        "scopes": sorted(row.scopes),
        "successor": row.successor,
        **{name: None if at is None else at.isoformat() for name, at in times.items()},
    }


@keys.post("/keys", summary="Make a key", responses={"200": KeyMade})
@needs("manage")
def make(body: NewKey) -> Response:
    """For your own software; the key is in the first answer and nowhere else."""
    scope = caller()
    asked = wish(scope, "make-key", body.model_dump(mode="json"))
    return _told(key_ring.make(context(), scope, body.label, body.scopes, asked))


@keys.post("/keys/<id>/rotation", summary="Replace a key", responses={"200": KeyMade})
@needs("manage")
def rotate(path: models.Subject, body: Rotation) -> Response:
    """A successor with the same scopes; both work for as long as you say, then the old one ends by itself."""
    scope = caller()
    asked = wish(scope, "rotate-key", {"key": path.id, **body.model_dump(mode="json")})
    until = context().clock() + timedelta(hours=body.overlap_hours)
    return _told(key_ring.rotate(context(), scope, path.id, until, asked))


def _told(made: Made | None) -> Response:
    if made is None:
        return answer({"id": None, "key": None, "old_until": None}, replayed=True)
    until = None if made.old_until is None else made.old_until.isoformat()
    return answer({"id": made.public_id, "key": made.key, "old_until": until})
