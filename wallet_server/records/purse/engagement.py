"""Owns what is kept of events: what members did that is no sale, as it was reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.schema import member_events, members


@dataclass(frozen=True)
class NewEvent:
    """An event to be kept, with what the decision about it used (`state`)."""

    public_id: str
    programme_id: int
    member_id: int
    merchant_id: int
    programme_version_id: int
    name: str
    occurred_at: datetime
    recorded_at: datetime
    proof: str | None
    fields: Mapping[str, int | str | bool]
    state: Mapping[str, Any]


def add_event(tx: Tx, event: NewEvent) -> None:
    """Keep it; it is never changed."""
    row = vars(event) | {"fields": dict(event.fields), "state": dict(event.state)}
    tx.execute(sa.insert(member_events).values(row))


def set_birthday(tx: Tx, member_id: int, birthday: str | None) -> None:
    """MM-DD, or None to forget it; the member is locked."""
    tx.execute(sa.update(members).where(members.c.id == member_id).values(birthday=birthday))
