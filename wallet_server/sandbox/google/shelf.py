"""Owns what the simulated Google holds: classes and objects by id, who saved them, and how they are answered."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from wallet_server.sandbox.google.refusals import invalid, unknown_resource
from wallet_server.sandbox.google.rules import moment
from wallet_server.sandbox.google.schema import Schemas

EPHEMERAL = "notifyPreference"
MESSAGE = "message:"
ECHOED = frozenset(("kind", "version", "classReference", "hasUsers", "hasLinkedDevice", "review", EPHEMERAL))
"""What an answer carries and a request cannot set."""


@dataclass
class Stored:
    """A class or an object. `body` has today's spellings; `holders` are the accounts that saved it; `alerts` the
    moments of the last day at which it rang."""

    kind: str
    body: dict[str, Any]
    version: int = 1
    holders: dict[str, int] = field(default_factory=dict)
    alerts: deque[datetime] = field(default_factory=deque)
    answer: tuple[bool, bytes] | None = None

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def class_id(self) -> str:
        return str(self.body.get("classId", ""))

    def put(self, body: dict[str, Any]) -> None:
        """What it is from now on."""
        self.body, self.version, self.answer = body, self.version + 1, None


@dataclass(frozen=True)
class Change:
    """Something that phones may see: a class or an object that changed. `rung`: why it rings, a field's path or
    `message:<id>`; None: silently. `silent`: the objects of a class whose day's alerts are spent."""

    kind: str
    id: str
    rung: str | None = None
    silent: frozenset[str] = frozenset()


def schema_of(kind: str) -> str:
    return kind[:1].upper() + kind[1:]


def class_kind(kind: str) -> str:
    """The kind of class that objects of this kind belong to."""
    return kind.removesuffix("Object") + "Class"


class Shelf:
    """Everything that was inserted. Its listeners hear of each change."""

    def __init__(self, schemas: Schemas, clock: Callable[[], datetime]) -> None:
        self.schemas = schemas
        self.clock = clock
        self.old_spelling = True
        self.listeners: list[Callable[[Change], None]] = []
        self._kinds: dict[str, dict[str, Stored]] = {}
        self._members: dict[str, dict[str, Stored]] = {}

    def find(self, kind: str, id_: str) -> Stored | None:
        found = self._kinds.get(kind, {}).get(id_)
        if found is not None:
            self._age(found)
        return found

    def get(self, kind: str, id_: str) -> Stored:
        """Raises Refusal (404)."""
        found = self.find(kind, id_)
        if found is None:
            raise unknown_resource(kind, id_)
        return found

    def anywhere(self, id_: str) -> Stored | None:
        """The object of this id, of whichever kind."""
        return next((one for kind in self._kinds if kind.endswith("Object") and (one := self.find(kind, id_))), None)

    def add(self, stored: Stored) -> None:
        self._kinds.setdefault(stored.kind, {})[stored.id] = stored
        if stored.class_id:
            self._members.setdefault(stored.class_id, {})[stored.id] = stored

    def moved(self, stored: Stored, class_before: str) -> None:
        """An object that went from one class to another."""
        if stored.class_id != class_before:
            self._members.get(class_before, {}).pop(stored.id, None)
            self._members.setdefault(stored.class_id, {})[stored.id] = stored

    def members(self, class_id: str) -> Iterable[Stored]:
        return self._members.get(class_id, {}).values()

    def everything(self) -> Iterator[Stored]:
        for kind in self._kinds.values():
            yield from kind.values()

    def tell(self, change: Change) -> None:
        for listener in self.listeners:
            listener(change)

    def answer(self, stored: Stored) -> bytes:
        """The resource as Google answers it, an object with its class."""
        own = self._own(stored)
        name = schema_of(stored.kind)
        above = self.find(class_kind(stored.kind), stored.class_id) if stored.class_id else None
        if above is None or not self.schemas.has(name, "classReference"):
            return own
        return own[:-1] + b',"classReference":' + self._own(above) + b"}"

    def page(self, found: Iterable[Stored], most: int | None, token: str) -> tuple[list[Stored], str]:
        """A page of a list by id, and the token of the next one ("" at the end). Raises Refusal (400)."""
        rows = sorted(found, key=lambda one: one.id)
        if token:
            after = _id_in(token)
            rows = [one for one in rows if one.id > after]
        if most is None or len(rows) <= most:
            return rows, ""
        return rows[:most], base64.urlsafe_b64encode(rows[most - 1].id.encode()).decode()

    def _own(self, stored: Stored) -> bytes:
        self._age(stored)
        if stored.answer is not None and stored.answer[0] == self.old_spelling:
            return stored.answer[1]
        name = schema_of(stored.kind)
        body = dict(stored.body)
        told = {"version": str(stored.version), "hasUsers": bool(stored.holders)}
        body |= {word: value for word, value in told.items() if self.schemas.has(name, word)}
        if self.old_spelling:
            body = self.schemas.write(name, body)
        stored.answer = self.old_spelling, orjson.dumps(body)
        return stored.answer[1]

    def _age(self, stored: Stored) -> None:
        """An object whose time has passed is expired."""
        end = stored.body.get("validTimeInterval", {}).get("end", {}).get("date")
        if end and stored.body.get("state") == "ACTIVE":
            ends = moment(end)
            if ends is not None and self.clock() >= ends:
                stored.put({**stored.body, "state": "EXPIRED"})


def _id_in(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except ValueError as fault:
        raise invalid(f"Invalid page token: {token[:100]}.") from fault
