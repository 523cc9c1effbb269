"""Owns the methods of the simulated Google's API: who calls, what is asked, what is answered."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from wallet_server.sandbox.google import partial
from wallet_server.sandbox.google.accounts import Accounts, Issuer
from wallet_server.sandbox.google.batch import Answer, Call
from wallet_server.sandbox.google.discovery import Discovery, Method
from wallet_server.sandbox.google.refusals import (
    Refusal,
    busy,
    denied,
    front_end,
    invalid,
    malformed,
    nowhere,
    unsigned_in,
)
from wallet_server.sandbox.google.resources import Resources, merged, without_nulls
from wallet_server.sandbox.google.rules import issuer_of
from wallet_server.sandbox.google.save_links import SaveLinks
from wallet_server.sandbox.google.shelf import Stored
from wallet_server.sandbox.google.switches import NOTHING, Order, Switches

JSON = {"Content-Type": "application/json; charset=UTF-8"}
KEPT_ENTRIES = 200_000
MOST_ROWS = 1000
READS = frozenset(("get", "list", "download"))


@dataclass(frozen=True)
class Entry:
    """One call that was answered: the method, the resource's id, the status."""

    method: str
    id: str
    status: int


@dataclass(frozen=True)
class _Asked:
    """A call, read: the method, who calls, the id in its address, its query and its body."""

    method: Method
    email: str
    id: str
    query: dict[str, str]
    body: dict[str, Any]

    @property
    def issuer(self) -> str:
        """The issuer that it is about; "" where that is not said."""
        match self.method.resource, self.method.verb:
            case (("issuer" | "permissions"), _):
                return self.id or str(self.body.get("issuerId", ""))
            case (("jwt" | "privatecontent"), _):
                return ""
            case _, "list":
                above = self.query.get("issuerId") or self.query.get("classId", "")
                return above.split(".")[0]
            case _:
                return issuer_of(self.id or self.body.get("id"))


class Api:
    """Answers calls. `save_base` is what stands before the JWT in links that it makes."""

    def __init__(self, discovery: Discovery, resources: Resources, accounts: Accounts, switches: Switches) -> None:
        self.links = SaveLinks(accounts, resources)
        self.save_base = ""
        self.counts: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        self.journal: deque[Entry] = deque(maxlen=KEPT_ENTRIES)
        self._discovery = discovery
        self._resources = resources
        self._accounts = accounts
        self._switches = switches
        self._uploads: dict[str, bytes] = {}

    def answer(self, call: Call) -> tuple[Answer, float]:
        """The answer to a call, and after how many seconds it goes out. The change, if any, is made at once."""
        method, order = "unknown", NOTHING
        resource = ""
        try:
            asked = self._read(call)
            method, resource = f"{asked.method.resource}.{asked.method.verb}", asked.id
            order = self._switches.next(asked.issuer, asked.method.verb)
            answer = Answer(200, self._ordered(asked, order, call.body), JSON, order.lost)
            resource = resource or str(asked.body.get("id", ""))
            if asked.method.verb not in READS:
                self.writes[resource] += 1
        except Refusal as refusal:
            answer = Answer(refusal.status, orjson.dumps(refusal.body), {**JSON, **refusal.headers})
        self.counts[f"{method} {answer.status}"] += 1
        self.journal.append(Entry(method, resource, answer.status))
        return answer, order.delay_seconds

    def _read(self, call: Call) -> _Asked:
        parts = urlsplit(call.target)
        method, found = self._discovery.find(call.http, parts.path)
        if method is None:
            raise nowhere() if not found else front_end(405, "Method not allowed.", "UNIMPLEMENTED")
        email = self._accounts.who(call.headers.get("authorization", ""))
        if email is None:
            raise unsigned_in()
        if self._switches.spent(email):
            raise busy(429, None)
        query = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=50))
        for name in query.keys() - method.queries:
            words = f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.'
            raise front_end(400, f"{words} Field '{name}' could not be found in request message.", "INVALID_ARGUMENT")
        body = _parsed(call.body) if method.request and method.resource != "media" else {}
        return _Asked(method, email, unquote(str(found)), query, body)

    def _ordered(self, asked: _Asked, order: Order, raw: bytes) -> bytes:
        match order.status:
            case 200:
                pass
            case 401:
                self._accounts.forget_tokens()
                raise unsigned_in()
            case 403:
                raise denied()
            case status:
                raise busy(status, order.retry_after_seconds)
        write = asked.method.verb not in READS
        open_door = asked.method.id.endswith(("issuer.insert", "issuer.list")) or not asked.issuer
        if not open_door and not self._accounts.may(asked.email, asked.issuer, write=write):
            raise denied()
        done = self._done(asked, raw)
        mask = asked.query.get("fields")
        return orjson.dumps(partial.cut(orjson.loads(done), mask)) if mask else done

    def _done(self, asked: _Asked, raw: bytes) -> bytes:
        match asked.method.resource:
            case "issuer":
                return orjson.dumps(self._issuer(asked))
            case "permissions":
                return orjson.dumps(self._permissions(asked))
            case "jwt":
                return self._jwt(asked)
            case "media" | "smarttap" | "privatecontent":
                return self._beside(asked, raw)
            case _:
                return self._resource(asked)

    def _resource(self, asked: _Asked) -> bytes:
        kind, books, shelf = asked.method.kind, self._resources, self._resources.shelf
        match asked.method.verb:
            case "insert":
                return shelf.answer(books.insert(kind, asked.body))
            case "get":
                return shelf.answer(shelf.get(kind, asked.id))
            case "patch":
                return shelf.answer(books.patch(kind, asked.id, asked.body))
            case "update":
                return shelf.answer(books.update(kind, asked.id, asked.body))
            case "addmessage":
                return b'{"resource":' + shelf.answer(books.add_message(kind, asked.id, asked.body)) + b"}"
            case "modifylinkedofferobjects":
                return shelf.answer(books.link_offers(kind, asked.id, asked.body))
            case _:
                return self._listed(kind, asked.query)

    def _listed(self, kind: str, query: dict[str, str]) -> bytes:
        above = query.get("classId" if kind.endswith("Object") else "issuerId", "")
        if not above:
            raise invalid("A list is asked for with the issuer's or the class's id.")
        most = query.get("maxResults", "")
        if most and not (most.isascii() and most.isdigit() and 0 < int(most[:9]) <= MOST_ROWS):
            raise invalid(f"maxResults is a number from 1 to {MOST_ROWS}.")
        rows, token = self._resources.listed(kind, above, int(most) if most else None, query.get("token", ""))
        pages = {"kind": "walletobjects#pagination", "resultsPerPage": len(rows)}
        pages |= {"nextPageToken": token} if token else {}
        return _many("resources", [self._resources.shelf.answer(one) for one in rows], pages)

    def _issuer(self, asked: _Asked) -> dict[str, Any]:
        issuers = self._accounts.issuers
        if asked.method.verb == "list":
            mine = [one.about for one in issuers.values() if self._accounts.may(asked.email, one.id, write=False)]
            return {"resources": mine}
        body = without_nulls(asked.body)
        self._judge(str(asked.method.response), body, partial=True)
        if asked.method.verb == "insert":
            made = self._accounts.issuer(self._accounts.new_issuer_id())
            made.roles[asked.email] = "OWNER"
            made.about |= {**body, "issuerId": made.id}
            return made.about
        issuer = issuers[asked.id]
        if asked.method.verb == "patch":
            issuer.about = {**merged(issuer.about, asked.body), "issuerId": issuer.id}
        elif asked.method.verb == "update":
            issuer.about = {**body, "issuerId": issuer.id}
        return issuer.about

    def _permissions(self, asked: _Asked) -> dict[str, Any]:
        issuer: Issuer = self._accounts.issuers[asked.id]
        if asked.method.verb == "update":
            body = self._resources.shelf.schemas.read("Permissions", without_nulls(asked.body))
            self._judge("Permissions", body)
            issuer.roles = {str(one.get("emailAddress")): str(one.get("role")) for one in body.get("permissions", ())}
        rows = [{"emailAddress": email, "role": role} for email, role in issuer.roles.items()]
        return {"issuerId": issuer.id, "permissions": rows}

    def _jwt(self, asked: _Asked) -> bytes:
        self._judge(str(asked.method.request), asked.body)
        if asked.method.verb == "validate":
            self.links.validate(asked.body)
            return b"{}"
        name, saved = self.links.shortened(asked.body["jwt"])
        lists: dict[str, list[bytes]] = {}
        for stored in saved:
            lists.setdefault(f"{stored.kind}s", []).append(self._resources.shelf.answer(stored))
        inside = b",".join(orjson.dumps(key) + b":[" + b",".join(rows) + b"]" for key, rows in lists.items())
        return b'{"saveUri":' + orjson.dumps(f"{self.save_base}{name}") + b',"resources":{' + inside + b"}}"

    def _beside(self, asked: _Asked, raw: bytes) -> bytes:
        """What loyalty does without: transit's code values are kept and given back, the rest is judged and echoed."""
        if asked.method.resource == "media":
            stored: Stored = self._resources.shelf.get("transitObject", asked.id)
            if asked.method.verb == "download":
                return self._uploads.get(stored.id, b"{}")
            self._uploads[stored.id] = raw
            return b"{}"
        self._judge(str(asked.method.request), asked.body)
        return orjson.dumps(asked.body) if asked.method.resource == "smarttap" else b"{}"

    def _judge(self, name: str, body: dict[str, Any], *, partial: bool = False) -> None:
        faults = self._resources.shelf.schemas.faults(name, body, partial=partial)
        if faults:
            raise malformed(faults)


def _many(name: str, rows: list[bytes], pages: dict[str, Any]) -> bytes:
    return b'{"' + name.encode() + b'":[' + b",".join(rows) + b'],"pagination":' + orjson.dumps(pages) + b"}"


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw or b"{}")
    except ValueError as fault:
        raise front_end(400, "Invalid JSON payload received. Unexpected token.", "INVALID_ARGUMENT") from fault
    if not isinstance(body, dict):
        words = 'Invalid JSON payload received. Unknown name "": Root element must be a message.'
        raise front_end(400, words, "INVALID_ARGUMENT")
    return body
