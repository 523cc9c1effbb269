"""Owns save links: the JWT behind "Add to Google Wallet", what it must say, and what it puts into a wallet.

Claims: Google, reference "Jwt". A link above 1,800 characters may be cut by browsers, so it is refused here, which the
real page does not promise; `/jwt` makes a short one of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wallet_server.sandbox.google.accounts import Accounts, BadJwt
from wallet_server.sandbox.google.refusals import denied, invalid, unknown_resource
from wallet_server.sandbox.google.resources import Resources
from wallet_server.sandbox.google.rules import issuer_of
from wallet_server.sandbox.google.shelf import Stored

LONGEST = 1800
MOST_PASSES = 20
MOST_KEPT = 10_000
KINDS = ("loyalty", "offer", "giftCard", "eventTicket", "flight", "generic", "transit")
TYPES = ("savetowallet", "savetoandroidpay")


@dataclass(frozen=True)
class Wanted:
    """What a link puts into a wallet: classes that it brings along and objects, each with its kind and its body."""

    classes: tuple[tuple[str, Mapping[str, Any]], ...]
    objects: tuple[tuple[str, Mapping[str, Any]], ...]


class SaveLinks:
    """Reads links, and keeps the long ones that were shortened."""

    def __init__(self, accounts: Accounts, resources: Resources) -> None:
        self._accounts = accounts
        self._resources = resources
        self._short: dict[str, str] = {}

    def opened(self, jwt: str, *, short_of: int = LONGEST) -> list[Stored]:
        """What a link saves; classes and objects that it brings along are made. Raises Refusal for a link that the
        page would refuse: then nothing is made but what stood before the fault."""
        wanted = self.read(self._short.get(jwt, jwt), short_of=0 if jwt in self._short else short_of)
        for kind, body in wanted.classes:
            self._made(kind, body)
        return [self._made(kind, body) for kind, body in wanted.objects]

    def preview(self, jwt: str) -> list[dict[str, Any]]:
        """What a link would save, as far as it is known; nothing is made. Raises Refusal."""
        known = jwt in self._short
        wanted = self.read(self._short.get(jwt, jwt), short_of=0 if known else LONGEST)
        shelf, shown = self._resources.shelf, []
        for kind, body in wanted.objects:
            found = shelf.find(kind, str(body.get("id")))
            if found is None and set(body) == {"id"}:
                raise unknown_resource(kind, str(body["id"]))
            shown.append(json.loads(shelf.answer(found)) if found else dict(body))
        return shown

    def read(self, jwt: str, *, short_of: int = 0) -> Wanted:
        """The contents of a link, verified. `short_of` is the greatest length; 0: any. Raises Refusal."""
        if short_of and len(jwt) > short_of:
            raise invalid(f"The link has {len(jwt)} characters; at most {short_of} are safe.")
        try:
            email, claims = self._accounts.verified(jwt)
        except BadJwt as fault:
            raise invalid(str(fault)) from fault
        if claims.get("aud") != "google":
            raise invalid("Invalid JWT: aud is google.")
        if str(claims.get("typ", "")).lower() not in TYPES:
            raise invalid("Invalid JWT: typ is savetowallet.")
        if not isinstance(claims.get("iat"), int | float):
            raise invalid("Invalid JWT: iat is a number of seconds.")
        wanted = contents(claims.get("payload"))
        for _, body in (*wanted.classes, *wanted.objects):
            if not self._accounts.may(email, issuer_of(body.get("id")), write=True):
                raise denied()
        return wanted

    def shortened(self, jwt: str) -> tuple[str, list[Stored]]:
        """A name that stands for a long JWT in a link, and what it saves. Raises Refusal."""
        found = self.opened(jwt, short_of=0)
        name = hashlib.sha256(jwt.encode()).hexdigest()[:40]
        if len(self._short) < MOST_KEPT:
            self._short[name] = jwt
        return name, found

    def validate(self, body: Mapping[str, Any]) -> None:
        """`jwt/validate`: raises Refusal for what is not valid, changes nothing."""
        jwt, plain = body.get("jwtResource"), body.get("jsonResource")
        if (jwt is None) == (plain is None):
            raise invalid("Exactly one of jwtResource and jsonResource is set.")
        wanted = self.read(str(jwt["jwt"])) if jwt is not None else contents(_parsed(plain))
        brought = frozenset(str(one.get("id")) for _, one in wanted.classes)
        for kind, one in (*wanted.classes, *wanted.objects):
            if set(one) == {"id"}:
                self._resources.shelf.get(kind, str(one["id"]))
            else:
                self._resources.judge_complete(kind, dict(one), brought)

    def _made(self, kind: str, body: Mapping[str, Any]) -> Stored:
        stored = self._resources.shelf.find(kind, str(body.get("id")))
        if stored is not None:
            return stored
        if set(body) == {"id"}:
            raise unknown_resource(kind, str(body["id"]))
        return self._resources.insert(kind, dict(body))


def contents(payload: object) -> Wanted:
    """Classes and objects of a payload, in Google's order of kinds. Raises Refusal."""
    if not isinstance(payload, dict):
        raise invalid("Invalid JWT: payload is an object.")
    found: dict[str, list[tuple[str, Mapping[str, Any]]]] = {"Class": [], "Object": []}
    plurals = (("Class", "Classes"), ("Object", "Objects"))
    known = {f"{kind}{plural}": (kind, one) for kind in KINDS for one, plural in plurals}
    for name, items in payload.items():
        if name not in known or not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise invalid(f"Invalid JWT: {name} is no list of passes that Wallet knows.")
        kind, one = known[name]
        found[one] += [(f"{kind}{one}", item) for item in items]
    if not found["Object"] or len(found["Object"]) > MOST_PASSES:
        raise invalid(f"A link saves one pass or more, at most {MOST_PASSES}.")
    return Wanted(tuple(found["Class"]), tuple(found["Object"]))


def _parsed(resource: Mapping[str, Any] | None) -> object:
    try:
        found = json.loads((resource or {}).get("json", ""))
    except (ValueError, RecursionError) as fault:
        raise invalid("Invalid JSON.") from fault
    return found["payload"] if isinstance(found, dict) and isinstance(found.get("payload"), dict) else found
