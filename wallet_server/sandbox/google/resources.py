"""Owns what happens to classes and objects of the simulated Google: insert, patch, update, messages, links, lists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from wallet_server.sandbox.google import alerts, rules
from wallet_server.sandbox.google.accounts import Accounts
from wallet_server.sandbox.google.refusals import exists, invalid, malformed, over_quota, unknown_resource
from wallet_server.sandbox.google.schema import Schemas
from wallet_server.sandbox.google.shelf import ECHOED, EPHEMERAL, MESSAGE, Change, Shelf, Stored, class_kind, schema_of
from wallet_server.sandbox.google.switches import Switches

RING = "NOTIFY_ON_UPDATE"
MAX_LINKED = 50


class Resources:
    """The use cases. Every one raises Refusal and has then changed nothing."""

    def __init__(self, shelf: Shelf, accounts: Accounts, switches: Switches) -> None:
        self.shelf = shelf
        self.quota_refusals = 0
        self._accounts = accounts
        self._switches = switches

    @property
    def _schemas(self) -> Schemas:
        return self.shelf.schemas

    @property
    def _clock(self) -> Callable[[], datetime]:
        return self.shelf.clock

    def insert(self, kind: str, body: dict[str, Any]) -> Stored:
        body = self._read(schema_of(kind), body)
        rules.issuer_of(body["id"])
        if self.shelf.find(kind, body["id"]) is not None:
            raise exists(body["id"])
        stored = Stored(kind, self._judged(kind, body, None))
        self.shelf.add(stored)
        return stored

    def patch(self, kind: str, id_: str, body: dict[str, Any]) -> Stored:
        """Merge: parts of objects one by one, lists as a whole, null takes a field away."""
        stored = self.shelf.get(kind, id_)
        name = schema_of(kind)
        faults = self._schemas.faults(name, without_nulls(body), partial=True)
        if faults:
            raise malformed(faults)
        change = self._schemas.read(name, body)
        if rules.has_review(kind):
            rules.reviewed(stored.body.get("reviewStatus"), change.get("reviewStatus"))
        return self._replace(stored, merged(stored.body, change), change)

    def update(self, kind: str, id_: str, body: dict[str, Any]) -> Stored:
        """Replace: what is left out is gone."""
        stored = self.shelf.get(kind, id_)
        change = self._read(schema_of(kind), {"id": id_, **body})
        if rules.has_review(kind):
            rules.reviewed(stored.body.get("reviewStatus"), change.get("reviewStatus"))
        return self._replace(stored, change, change)

    def add_message(self, kind: str, id_: str, body: dict[str, Any]) -> Stored:
        """Not idempotent, as with Google: the same message again is there twice."""
        stored = self.shelf.get(kind, id_)
        message = self._read("AddMessageRequest", body).get("message")
        if not message:
            raise invalid("Missing required field: message")
        for fault in rules.message_faults(message):
            raise invalid(fault)
        if len(stored.body.get("messages", ())) >= rules.MOST_MESSAGES:
            raise invalid(f"At most {rules.MOST_MESSAGES} messages may be set.")
        rings = message.get("messageType") == "TEXT_AND_NOTIFY"
        change = self._ring(stored, f"{MESSAGE}{message.get('id', '')}") if rings else Change(kind, id_)
        stored.put({**stored.body, "messages": [*stored.body.get("messages", ()), message]})
        self.shelf.tell(change)
        return stored

    def link_offers(self, kind: str, id_: str, body: dict[str, Any]) -> Stored:
        stored = self.shelf.get(kind, id_)
        asked = self._read("ModifyLinkedOfferObjectsRequest", body).get("linkedOfferObjectIds", {})
        gone = set(asked.get("removeLinkedOfferObjectIds", ()))
        linked = [one for one in stored.body.get("linkedOfferIds", ()) if one not in gone]
        linked += [one for one in asked.get("addLinkedOfferObjectIds", ()) if one not in linked]
        body = {**stored.body, "linkedOfferIds": linked}
        self._check_links(body)
        stored.put(body)
        self.shelf.tell(Change(kind, id_))
        return stored

    def listed(self, kind: str, above: str, most: int | None, token: str) -> tuple[list[Stored], str]:
        """A page of an issuer's classes, or of a class's objects."""
        if kind.endswith("Object"):
            rows = [one for one in self.shelf.members(above) if one.kind == kind]
        else:
            rows = [one for one in self.shelf.everything() if one.kind == kind and one.id.startswith(f"{above}.")]
        return self.shelf.page(rows, most, token)

    def judge_complete(self, kind: str, body: dict[str, Any], brought: frozenset[str]) -> None:
        """Raises Refusal for a body that could not be inserted, but for its id being taken or its class being one of
        those that are brought along."""
        read = self._read(schema_of(kind), body)
        if read.get("classId") in brought:
            rules.judge(kind, {name: value for name, value in read.items() if name not in ECHOED}, allowlisted=True)
        else:
            self._judged(kind, read, None)

    # What a phone does

    def save(self, stored: Stored, holder: str) -> None:
        """An account took the object into its wallet. Raises Refusal (400) where the class allows one holder."""
        above = self.shelf.find(class_kind(stored.kind), stored.class_id)
        allowed = (above.body if above else {}).get("multipleDevicesAndHoldersAllowedStatus", "")
        if str(allowed).startswith("ONE_USER") and stored.holders.keys() - {holder}:
            raise invalid("This pass was saved by somebody else.")
        stored.holders[holder] = stored.holders.get(holder, 0) + 1
        stored.answer = None

    def unsave(self, stored: Stored, holder: str) -> None:
        stored.holders.pop(holder, None)
        stored.answer = None

    # Judging

    def _read(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """A complete body, nulls left out. Raises Refusal (400)."""
        plain = without_nulls(body)
        faults = self._schemas.faults(name, plain)
        if faults:
            raise malformed(faults)
        read: dict[str, Any] = self._schemas.read(name, plain)
        return read

    def _replace(self, stored: Stored, body: dict[str, Any], change: dict[str, Any]) -> Stored:
        if body.get("id") != stored.id:
            raise invalid(f"Invalid resource ID: {body.get('id')}.")
        faults = self._schemas.faults(schema_of(stored.kind), {k: v for k, v in body.items() if k not in ECHOED})
        if faults:
            raise malformed(faults)
        before, class_before = stored.body, stored.class_id
        judged = self._judged(stored.kind, body, stored)
        field = alerts.rung_by(stored.kind, before, judged) if change.get(EPHEMERAL) == RING else None
        seen = self._ring(stored, field) if field else Change(stored.kind, stored.id)
        stored.put(judged)
        self.shelf.moved(stored, class_before)
        self.shelf.tell(seen)
        return stored

    def _judged(self, kind: str, body: dict[str, Any], stored: Stored | None) -> dict[str, Any]:
        """What is kept of a complete body. Raises Refusal."""
        issuer = self._accounts.issuers.get(rules.issuer_of(body["id"]))
        kept = {name: value for name, value in body.items() if name not in ECHOED}
        rules.judge(kind, kept, issuer is None or issuer.locations)
        if kind.endswith("Object"):
            above = self.shelf.find(class_kind(kind), kept["classId"])
            if above is None:
                raise unknown_resource(class_kind(kind), kept["classId"])
            if rules.issuer_of(kept["classId"]) != rules.issuer_of(kept["id"]):
                raise invalid("An object belongs to a class of its own issuer.")
            if above.body.get("reviewStatus") in ("DRAFT", "REJECTED"):
                raise invalid(f"The class {above.id} is not approved.")
            linked = [*(stored.body.get("linkedObjectIds", ()) if stored else ()), *kept.get("linkedObjectIds", ())]
            if linked:  # what is linked is never unlinked, and what is beyond the limit is ignored
                kept["linkedObjectIds"] = list(dict.fromkeys(linked))[:MAX_LINKED]
            self._check_links(kept)
            return kept
        if rules.has_review(kind):
            rules.reviewed(stored.body.get("reviewStatus") if stored else None, kept.get("reviewStatus"))
            if kept["reviewStatus"] == "UNDER_REVIEW":
                kept["reviewStatus"], comment = self._switches.review
                if comment:
                    kept["review"] = {"comments": comment}
        return kept

    def _check_links(self, body: dict[str, Any]) -> None:
        for one in body.get("linkedOfferIds", ()):
            if self.shelf.find("offerObject", one) is None:
                raise unknown_resource("offerObject", one)
        for one in body.get("linkedObjectIds", ()):
            if one == body["id"] or self.shelf.anywhere(one) is None:
                raise unknown_resource("object", one)

    def _ring(self, stored: Stored, why: str) -> Change:
        """Spend an alert. Raises Refusal when none is left. One of a class counts for each of its objects that somebody
        holds; those that have none left stay silent."""
        now = self._clock()
        if alerts.left(stored.alerts, now) <= 0:
            self.quota_refusals += 1
            raise over_quota(self._switches.quota_status, stored.id)
        stored.alerts.append(now)
        silent = set()
        for one in self.shelf.members(stored.id):
            if one.holders and alerts.left(one.alerts, now) > 0:
                one.alerts.append(now)
            else:
                silent.add(one.id)
        return Change(stored.kind, stored.id, why, frozenset(silent))


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def merged(before: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396, as Google's "patch semantics" say it."""
    made = dict(before)
    for name, value in change.items():
        if value is None:
            made.pop(name, None)
        elif isinstance(value, dict):
            known = made.get(name)
            made[name] = merged(known if isinstance(known, dict) else {}, value)
        else:
            made[name] = without_nulls(value)
    return made
