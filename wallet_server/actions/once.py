"""Owns the promise that a write from outside happens once, however often it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from wallet_server.actions.context import Context
from wallet_server.errors import Conflict, Invalid, Unavailable, WalletError
from wallet_server.records import parties, requests
from wallet_server.records.database import Tx
from wallet_server.records.requests import AlreadyClaimed, Claim
from wallet_server.records.scope import Scope

Facts = dict[str, Any]
"""What a write answers: ids and numbers; sentences are made when it is read."""
MAX_TRIES = 3


@dataclass(frozen=True)
class Asked:
    """A write as it was asked: its route, the hash of its validated body, and the names under which it is claimed.

    `new` where it hardly ever comes twice, so that nobody looks first whether it did: the claims themselves say so.
    """

    route: str
    request_hash: bytes
    claims: tuple[Claim, ...]
    echoes: tuple[Claim, ...] = ()
    new: bool = False


ECHO = timedelta(minutes=15)
"""How long after a write the same one, sent again under the next date, is still taken for its echo."""


def asked(
    scope: Scope,
    route: str,
    body: Mapping[str, Any],
    key: str | None,
    *natural: str,
    dated: bool = False,
    echoes: Sequence[str] = (),
) -> Asked:
    """Name a write: by its Idempotency-Key, if it has one, and by what it is about (a till's receipt).

    A `dated` write (its body says when it happened) with a key is claimed by the merchant too, together with its body:
    a till server that sends the same sale again through another of its tills gets the first answer, while two tills
    that number their keys alike stay apart. `echoes` are names that the same write would have had a moment ago (a till
    that resends over midnight what carries no date). Raises `Invalid` (`not-storable`).
    """
    try:
        canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as fault:
        raise Invalid("The request holds a text or a number that cannot be stored.", code="not-storable") from fault
    request_hash = hashlib.sha256(route.encode() + b"\0" + canonical).digest()
    own, merchant = parties.principals(scope)
    claims = [Claim(own, f"about:{name}") for name in natural]
    if key is not None and dated:
        claims = [Claim(merchant, _shared(key, request_hash)), *claims]
    if key is not None:
        claims = [Claim(own, f"key:{key}"), *claims]
    return Asked(route, request_hash, tuple(claims), tuple(Claim(own, f"about:{name}") for name in echoes))


def _shared(key: str, request_hash: bytes) -> str:
    return "same:" + hashlib.sha256(key.encode() + b"\0" + request_hash).hexdigest()


def once(ctx: Context, wish: Asked, act: Callable[[Tx], Facts]) -> tuple[Facts, bool]:
    """Do it, or replay what was answered when it was done: (facts, whether this is a replay).

    Raises `Conflict` (`key-reused`) when a claim stands for something else, and whatever `act` raises: then nothing
    was changed and the claims are free.
    """
    for _ in range(MAX_TRIES):
        refusal: WalletError | None = None
        try:
            with ctx.change() as tx:
                held = {} if wish.new else requests.answered(tx, (*wish.claims, *wish.echoes))
                if any(claim in held for claim in wish.claims):
                    raise AlreadyClaimed
                echo = next((held[claim] for claim in wish.echoes if claim in held), None)
                if echo is not None and _is_echo(wish, echo, ctx.now()):
                    return _replay(wish, echo), True
                facts = act(tx)
                answer = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS).decode()
                requests.claim(tx, wish.claims, wish.route, wish.request_hash, 200, answer, ctx.now())
            return facts, False
        except AlreadyClaimed:
            pass
        except Unavailable:
            raise
        except WalletError as fault:
            # The same request may have been carried out while this one waited for the member's lock.
            refusal = fault
        with ctx.look() as tx:
            held = requests.answered(tx, wish.claims)
        found = next((held[claim] for claim in wish.claims if claim in held), None)
        if found is not None:
            return _replay(wish, found), True
        if refusal is not None:
            raise refusal
    raise Unavailable("The same request is being worked on; please try again in a moment.")


def _is_echo(wish: Asked, found: requests.Answered, now: datetime) -> bool:
    return found.request_hash == wish.request_hash and now - found.at <= ECHO


def _replay(wish: Asked, found: requests.Answered) -> Facts:
    if found.request_hash != wish.request_hash:
        raise Conflict(
            "This key or receipt number was already used for something else; send a new one.", code="key-reused"
        )
    facts: Facts = orjson.loads(found.answer)
    return facts
