"""Owns sales of nobody yet: a code on the receipt, by which a member claims the sale later, once.

It then earns as at its own time, by the version of the programme under which it was sold. The code is 40 random bits
and two characters that check them: a wrong character is told from a guess, and guesses are counted.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter import rotating, till
from wallet_server.actions.counter.dated import business_day
from wallet_server.actions.counter.scanning import held_member
from wallet_server.actions.counter.till import Sold, at_till
from wallet_server.actions.offline.booking import sale_said, sold_of
from wallet_server.actions.once import Facts, asked, once
from wallet_server.actions.people import visitors
from wallet_server.actions.people.enrol import pass_of_link, still_good
from wallet_server.actions.people.visitors import Allowed
from wallet_server.errors import Conflict, Invalid, NotFound, TooMany
from wallet_server.records import database, limits, parties
from wallet_server.records.counter import sales, unclaimed
from wallet_server.records.counter.unclaimed import NewUnclaimed, UnclaimedRow
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.people.members import MemberRow
from wallet_server.records.programme import programmes
from wallet_server.records.programme.programmes import ProgrammeRow
from wallet_server.records.scope import Scope
from wallet_server.rules.counter import codes, short_codes

WRONG_AT_TILL, WRONG_AT_MERCHANT = 20, 100
"""Codes that were on no receipt, within `WINDOW_MINUTES`: after so many no further one is looked up."""
WINDOW_MINUTES = 10
TRIES_PER_HOUR, TRIES_PER_MINUTE = 10, 5
MOST_DRAWS = 20


def keep(ctx: Context, scope: Scope, sold: Sold, key: str | None) -> tuple[Facts, str | None, bool]:
    """Keep a sale of nobody (its `code` is empty): (its id, programme and until when it can be claimed; the code, None
    once it was claimed or ended; whether this is a replay).

    Raises as `till.sell` does, and `Invalid` (`needs-card`) where it would use what a member has.
    """
    till_id, store_id = at_till(scope)
    now = ctx.now()
    occurred = sold.occurred_at or now
    till.plausible(scope, sold, now)
    if sold.uses:
        raise Invalid("Deals, vouchers, rewards and a pot need a card; scan it.", code="needs-card", field="code")

    drawn: list[str] = []

    def act(tx: Tx) -> Facts:
        row = _programme(ctx, tx, scope, sold)
        days = ctx.programme(tx, row.version_id).claim_days
        public_id, number = new_id("usal"), _draw(tx, row.id)
        drawn[:] = [short_codes.manual(number)]
        new = NewUnclaimed(
            public_id=public_id,
            merchant_id=scope.merchant_id,
            store_id=store_id,
            till_id=till_id,
            programme_id=row.id,
            programme_version_id=row.version_id,
            code_sha256=_sha256(number),
            code_cipher=ctx.keyring.seal(drawn[0].encode(), f"claim:{public_id}"),
            receipt=sold.receipt,
            business_day=business_day(scope, sold.business_day, occurred),
            occurred_at=occurred,
            recorded_at=now,
            said=sale_said(sold),
            expires_at=now + timedelta(days=days),
        )
        unclaimed.add(tx, new)
        until = new.expires_at.isoformat()
        return {"id": public_id, "programme": row.public_id, "until": until, "recorded_at": now.isoformat()}

    facts, replayed = once(ctx, till.ask_to_sell(scope, sold, key, now), act)
    # Not in what is stored of the answer.
    return facts, _code_of(ctx, scope, facts["id"]) if replayed else drawn[0], replayed


def _programme(ctx: Context, tx: Tx, scope: Scope, sold: Sold) -> ProgrammeRow:
    """The first programme of the caller's that counts in this money. Raises `Invalid` (`wrong-currency`)."""
    for row in programmes.programmes_of(tx, scope):
        if row.version_id and ctx.programme(tx, row.version_id).money.iso == sold.money:
            return row
    raise Invalid(f"No programme here counts in {sold.money}.", code="wrong-currency", field="currency")


def _draw(tx: Tx, programme_id: int) -> int:
    for _ in range(MOST_DRAWS):
        number = short_codes.number_from_random(secrets.token_bytes(5))
        if not unclaimed.is_taken(tx, programme_id, _sha256(number)):
            break
    return number


def _sha256(number: int) -> bytes:
    return hashlib.sha256(f"claim#{number}".encode()).digest()


def _code_of(ctx: Context, scope: Scope, sale: str) -> str | None:
    with ctx.look() as tx:
        row = unclaimed.sale_in(tx, scope, sale)
    return None if row.code_cipher is None else ctx.keyring.open(row.code_cipher, f"claim:{row.public_id}").decode()


def claim(ctx: Context, scope: Scope, code: str, text: str, key: str | None) -> tuple[Facts, bool]:
    """At a till, the card in hand: the sale is its holder's. Raises as `scanning.held_member` does, `Invalid`
    (`bad-claim`), `NotFound` (`unknown-claim`), `Conflict` (`claim-used`, `claim-over`, and `sale-undone` when what was
    claimed was taken back since) and `TooMany` (`too-many-codes`)."""
    at_till(scope)
    number = _read(text)
    stem = codes.stem(rotating.bare(code))
    name = hashlib.sha256(f"{stem}\0{number}".encode()).hexdigest()
    wish = asked(scope, "claim", {"code": stem, "claim": number}, key, f"claim:{name}")

    def act(tx: Tx) -> Facts:
        _demand_few(ctx, tx, scope)
        member = held_member(ctx, tx, scope, code)
        row = unclaimed.hold(tx, member.programme_id, _sha256(number))
        if row is None or row.merchant_id != scope.merchant_id:
            now = ctx.clock()
            database.regardless(tx, lambda other: _count_wrong(other, scope, now))
            raise _unknown()
        return _count(ctx, tx, scope, member, row)

    answer = once(ctx, wish, act)
    if answer[1]:
        _still_counts(ctx, answer[0]["id"])
    ctx.ring()
    return answer


def _still_counts(ctx: Context, sale: str) -> None:
    """The first answer is no longer true when the goods were taken back."""
    with ctx.look() as tx:
        if sales.is_taken_back(tx, sale):
            raise Conflict("This purchase was claimed, and taken back since: it gives nothing.", code="sale-undone")


def claim_by_card(ctx: Context, token: str, text: str, visitor: str | None) -> Facts:
    """A member types the code on the page of their card. Once is enough; again says the same. Raises as `claim` does,
    and `NotFound` (`card-replaced`)."""
    number = _read(text)
    with ctx.change() as tx:  # for itself, so that a wrong one counts
        visitors.count(ctx, tx, _trying(), pass_of_link(ctx, tx, "card", token).public_id, visitor)
    with ctx.change() as tx:
        card = pass_of_link(ctx, tx, "card", token)
        with ctx.times.of_member(tx, card.member_id):
            tier = members.lock_member(tx, card.member_id)
            still_good(tx, card)
            member = replace(members.members_by_id(tx, [card.member_id])[card.member_id], tier=tier)
            row = unclaimed.hold(tx, member.programme_id, _sha256(number))
            if row is None:
                raise _unknown()
            if row.member_id == member.id:
                return {"id": row.booked, "entries": [], "replayed": True}
            account = programmes.programme_by_id(tx, member.programme_id)
            facts = _count(ctx, tx, _as_card(account, card.public_id), member, row)
    ctx.ring()
    return facts


def _as_card(programme: ProgrammeRow, card: str) -> Scope:
    """Whoever holds this card, who may do nothing but this."""
    return Scope(programme.account_id, 0, f"card:{card}", "card", programme.issuer_mark, frozenset())


def _count(ctx: Context, tx: Tx, scope: Scope, member: MemberRow, row: UnclaimedRow) -> Facts:
    now = ctx.now()
    if row.booked is not None:
        raise Conflict("This purchase was claimed before.", code="claim-used", field="claim")
    if row.expires_at <= now:
        raise Conflict("The time for claiming this purchase is over.", code="claim-over", field="claim")
    sold = replace(sold_of(row.said), occurred_at=row.occurred_at, business_day=row.business_day)
    store = parties.stores_by_id(tx, [row.store_id])[0]
    there = replace(
        scope,
        merchant_id=row.merchant_id,
        store_id=row.store_id,
        till_id=row.till_id,
        zone=store.zone,
        store=store.public_id,
    )
    facts = till.count(ctx, tx, there, member, sold, row.programme_version_id, now)
    unclaimed.claimed(tx, row.id, member.id, facts["id"], now)
    return facts


def end(ctx: Context, scope: Scope, sale: str) -> None:
    """The goods came back before anybody claimed the sale: nobody can any more. Done once, it is done. Raises
    `NotFound` and `Conflict` (`claim-used`, with the `sale` to be reversed)."""
    at_till(scope)
    with ctx.change() as tx:
        row = unclaimed.sale_in(tx, scope, sale, hold=True)
        if row.booked is not None:
            sentence = "This purchase was claimed; reverse the sale that it became."
            raise Conflict(sentence, code="claim-used", facts={"sale": row.booked})
        if row.expires_at > ctx.now():
            unclaimed.end(tx, row.id, ctx.now())


def _read(text: str) -> int:
    number = short_codes.read_manual(text[:80])
    if number is None:
        raise Invalid("A character of the code is wrong; look at the receipt again.", code="bad-claim", field="claim")
    return number


def _unknown() -> NotFound:
    return NotFound("No purchase waits under this code; look at the receipt again.", code="unknown-claim")


def _trying() -> Allowed:
    return Allowed("claim", TRIES_PER_HOUR, TRIES_PER_MINUTE, "Too many codes were tried; wait an hour.")


def _demand_few(ctx: Context, tx: Tx, scope: Scope) -> None:
    window = _window(ctx.clock())
    for name, most in _counters(scope):
        if limits.taken(tx, name, window) >= most:
            wait = (window + WINDOW_MINUTES) * 60 - int(ctx.clock().timestamp())
            sentence = "Too many codes were tried that are on no receipt; wait some minutes."
            raise TooMany(sentence, code="too-many-codes", retry_after_seconds=wait)


def _count_wrong(tx: Tx, scope: Scope, now: datetime) -> None:
    for name, _ in _counters(scope):
        limits.take(tx, name, _window(now), 1)


def _counters(scope: Scope) -> list[tuple[str, int]]:
    found: list[Any] = [(f"claims:till:{scope.till_id}", WRONG_AT_TILL)]
    return [*found, (f"claims:merchant:{scope.merchant_id}", WRONG_AT_MERCHANT)]


def _window(now: datetime) -> int:
    minute = int(now.timestamp()) // 60
    return minute - minute % WINDOW_MINUTES
