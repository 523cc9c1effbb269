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
from wallet_server.records.counter import counter_deeds
from wallet_server.records.database import Tx
from wallet_server.records.requests import AlreadyClaimed, Answered, Claim
from wallet_server.records.scope import Scope

Facts = dict[str, Any]
"""What a write answers: ids and numbers; sentences are made when it is read."""
MAX_TRIES = 3


@dataclass(frozen=True)
class Asked:
    """A write as it was asked: its route, the hash of its validated body, and the names under which it is claimed.

    `new` where it hardly ever comes twice, so that nobody looks first whether it did: the claims themselves say so.
    `by` is whose deed it is, where a cashier said who stands at the till.
    """

    route: str
    request_hash: bytes
    claims: tuple[Claim, ...]
    echoes: tuple[Claim, ...] = ()
    new: bool = False
    by: Scope | None = None


ECHO = timedelta(minutes=15)
"""How long after a write the same one, sent again under another date, is still taken for its echo."""


def asked(
    scope: Scope,
    route: str,
    body: Mapping[str, Any],
    key: str | None,
    *natural: str,
    dated: bool = False,
    echoes: Sequence[str] = (),
    new: bool = False,
) -> Asked:
    """Name a write: by its Idempotency-Key, if it has one, and by what it is about (a till's receipt).

    A `dated` write (its body says when it happened) with a key is claimed by the merchant too, together with its body:
    a till server that sends the same sale again through another of its tills gets the first answer, while two tills
    that number their keys alike stay apart. `echoes` are names that the same write would have a moment before or after
    (a till that resends over midnight what carries no date); whoever gives any holds, in what it does, a row that the
    same write holds too. Raises `Invalid` (`not-storable`).
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
    by = scope if scope.cashier is not None else None
    others = tuple(Claim(own, f"about:{name}") for name in echoes)
    return Asked(route, request_hash, tuple(claims), others, new, by)


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
                if not wish.new and _first(tx, wish, ctx.now()) is not None:
                    raise AlreadyClaimed
                facts = act(tx)
                if wish.by is not None:
                    counter_deeds.add(tx, wish.by, wish.route, facts.get("id"), facts.get("member"), ctx.now())
                # An echo has another name, at which the claims would not meet. Whatever was in flight when this looked
                # first is there by now: `act` waited for the row that it held.
                if wish.echoes and _echo(wish, requests.answered(tx, wish.echoes), ctx.now()) is not None:
                    raise AlreadyClaimed
                answer = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS).decode()
                requests.claim(tx, wish.claims, wish.route, wish.request_hash, 200, answer, ctx.now())
            return facts, False
        except AlreadyClaimed:
            pass
        except Unavailable as fault:
            if not wish.new:
                raise
            # Nobody has looked yet: what was done long ago is told even while its member cannot be had.
            refusal = fault
        except WalletError as fault:
            # The same request may have been carried out while this one waited for the member's lock.
            refusal = fault
        with ctx.look() as tx:
            found = _first(tx, wish, ctx.now())
        if found is not None:
            return _replay(wish, found), True
        if refusal is not None:
            raise refusal
    raise Unavailable("The same request is being worked on; please try again in a moment.")


def _first(tx: Tx, wish: Asked, now: datetime) -> Answered | None:
    """What was answered when this write was done, or when something else was under one of its names; None where nothing
    stands."""
    held = requests.answered(tx, (*wish.claims, *wish.echoes))
    found = next((held[claim] for claim in wish.claims if claim in held), None)
    return found or _echo(wish, held, now)


def _echo(wish: Asked, held: Mapping[Claim, Answered], now: datetime) -> Answered | None:
    alike = (held[claim] for claim in wish.echoes if claim in held)
    return next((one for one in alike if one.request_hash == wish.request_hash and now - one.at <= ECHO), None)


def _replay(wish: Asked, found: Answered) -> Facts:
    if found.request_hash != wish.request_hash:
        raise Conflict(
            "This key or receipt number was already used for something else; send a new one.", code="key-reused"
        )
    facts: Facts = orjson.loads(found.answer)
    return facts
