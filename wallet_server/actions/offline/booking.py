"""Owns the booking of what a till did without a network: a sale earns as at its time, what was burned is booked.

What the till was allowed to do is booked, even where the member has less by now: the goods are gone. What it was not
allowed to do, and what cannot be booked, is for a person, who may still have it booked (`by_hand`).

What became of an event is written in the very transaction that books it (`Finish`): whoever is no longer the one to
settle it books nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

import orjson

from wallet_server.actions.context import Context
from wallet_server.actions.counter import rotating, scanning, till
from wallet_server.actions.counter.checkout import Pot, Uses
from wallet_server.actions.counter.dated import business_day, near
from wallet_server.actions.counter.scanning import Proof
from wallet_server.actions.counter.till import Redeemed, SaleLine, Sold
from wallet_server.actions.offline import burning
from wallet_server.actions.offline.burning import Burn
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.errors import Conflict, NotFound
from wallet_server.records import parties, requests
from wallet_server.records.counter import counter_deeds, sales, shifts
from wallet_server.records.database import Tx
from wallet_server.records.offline import arrivals
from wallet_server.records.offline.arrivals import APPLIED, EventRow, Fate
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Cashier, Scope

Finish = Callable[[Tx, Fate], None]
"""Writes what became of an event; raises where that is somebody else's to say by now, and so undoes what was booked."""


@dataclass(frozen=True)
class _Wanted:
    """What was read of a signed text."""

    said: Mapping[str, Any]
    allowance: str | None
    key: str | None
    cashier: str | None


def sale_said(sold: Sold) -> dict[str, Any]:
    """A sale in a form that JSON holds; see `_sold`."""
    return asdict(sold) | {
        "occurred_at": sold.occurred_at.isoformat() if sold.occurred_at else None,
        "business_day": sold.business_day.isoformat() if sold.business_day else None,
        "proof": None,
    }


def redemption_said(wanted: Redeemed) -> dict[str, Any]:
    """The same of a redemption."""
    return asdict(wanted) | {"proof": None}


def book(ctx: Context, event: EventRow, finish: Finish, *, by_hand: bool = False, word: Cashier | None = None) -> Fate:
    """Book an event and `finish` it in the same transaction, once however often this is called. `by_hand`: a person
    says that it is to be booked, whatever the till was allowed; `word` is that person where they may vouch for whoever
    holds an older issue of a card.

    Raises what selling and redeeming raise, what `finish` raises, and `Conflict` (`device-ended`, `earns-not-offline`,
    `spends-offline`, `receipt-taken`, and as `burning.burn` does).
    """
    key = parties.key(ctx.database, event.api_key, ctx.now())
    if key is None or (not key.live and not by_hand):
        raise Conflict("The key of this till was ended before this was counted.", code="device-ended")
    wanted = _read(ctx, event)
    one = _Booking(ctx, key.scope, event, wanted, finish, by_hand, word)
    return one.burn() if event.kind == arrivals.REDEMPTION else one.sell()


def _read(ctx: Context, event: EventRow) -> _Wanted:
    if event.cipher is None or event.kind == arrivals.UNREADABLE:
        raise Conflict("What the till wrote cannot be read.", code="unreadable-event")
    content = orjson.loads(ctx.keyring.open(event.cipher, f"offline:{event.public_id}"))
    return _Wanted(content["said"], content["allowance"], content.get("key"), content.get("cashier"))


def sold_of(said: Mapping[str, Any]) -> Sold:
    """A sale, of what `sale_said` made of it."""
    uses = said["uses"]
    pot = None if uses["pot"] is None else Pot(**uses["pot"])
    at, day = said["occurred_at"], said["business_day"]
    return Sold(
        **{
            **said,
            "lines": tuple(SaleLine(**line) for line in said["lines"]),
            "uses": Uses(uses["deals"], tuple(uses["vouchers"]), tuple(uses["rewards"]), pot),
            "occurred_at": None if at is None else datetime.fromisoformat(at),
            "business_day": None if day is None else date.fromisoformat(day),
        }
    )


@dataclass(frozen=True)
class _Booking:
    """One event on its way into the books."""

    ctx: Context
    scope: Scope
    event: EventRow
    wanted: _Wanted
    finish: Finish
    by_hand: bool
    word: Cashier | None

    @property
    def proof(self) -> Proof | None:
        """The word of whoever has it booked, for what spends."""
        return None if self.word is None else Proof("cashier")

    def sell(self) -> Fate:
        at, sold = self.event.at, sold_of(self.wanted.said)
        if (facts := self._online(till.ask_to_sell(self.scope, sold, None, at))) is not None:
            return self._finished(_told(facts, counted_online=True))
        if sold.uses.spends and not self.by_hand:
            sentence = "A sale that pays with what the member has was made without a network."
            raise Conflict(sentence, code="spends-offline")
        # A clock that was wrong was wrong about the day as well.
        told = sold.business_day is not None and near(self.scope, sold.business_day, at)
        own = replace(sold, occurred_at=at, business_day=sold.business_day if told else None)
        try:
            return self._count(own)
        except Conflict as refusal:
            if refusal.code != "key-reused":
                raise
            facts = self._same_sale(own)
            if facts is not None:
                return self._finished(_told(facts, counted_online=True))
            if not self.by_hand:
                raise Conflict("This receipt number stands for another sale.", code="receipt-taken") from refusal
            return self._count(replace(own, receipt=self._own_number(sold.receipt)))

    def _count(self, sold: Sold) -> Fate:
        """Count it by the version that stood when it was made, as at its own time."""
        ctx, now, spends = self.ctx, self.ctx.now(), sold.uses.spends
        sold = replace(sold, proof=self.proof) if spends else sold
        asking = replace(self.scope, cashier=self.word)
        till.plausible(self.scope, sold, now)
        wish = till.ask_to_sell(self.scope, sold, None, now)

        def act(tx: Tx) -> Facts:
            scanned_at = None if spends else self.event.at
            member = scanning.held_member(
                ctx, tx, asking, sold.code, spends=spends, proof=sold.proof, sold_at=scanned_at
            )
            stood = programmes.version_at(tx, member.programme_id, self.event.at)
            version = member.version_id if stood is None else stood.id
            if not self.by_hand and not ctx.programme(tx, version).offline.earn:
                raise Conflict("In this programme nothing is earned without a network.", code="earns-not-offline")
            facts = till.count(ctx, tx, self.scope, member, sold, version, now)
            self._done(tx, wish, facts)
            return facts

        facts, replayed = once(ctx, wish, act)
        return self._finished(_told(facts)) if replayed else _told(facts)

    def burn(self) -> Fate:
        redeemed, event = Redeemed(**self.wanted.said), self.event
        wish = till.ask_to_redeem(self.scope, redeemed, None, event.at)
        if (facts := self._online(wish)) is not None:
            return self._finished(_told(facts, counted_online=True))
        one = Burn(event.id, event.device_id, redeemed, event.at, self.wanted.allowance, self.by_hand, self.proof)
        try:
            return self._burn(one, wish)
        except Conflict as refusal:
            if refusal.code != "key-reused" or not self.by_hand:
                raise
            own = replace(redeemed, reference=self._own_number(redeemed.reference))
            return self._burn(replace(one, wanted=own), wish)

    def _burn(self, one: Burn, wish: Asked) -> Fate:
        facts, replayed = burning.burn(self.ctx, self.scope, one, lambda tx, facts: self._done(tx, wish, facts))
        return self._finished(_told(facts)) if replayed else _told(facts)

    def _own_number(self, number: str) -> str:
        """Of what a person has booked though its number stands for something else."""
        return f"{number[:60]} ({self.event.device[-6:]}-{self.event.sequence})"

    def _done(self, tx: Tx, wish: Asked, facts: Facts) -> None:
        """What else is written with what was booked: whose deed it was, and what became of the event."""
        cashier = self._cashier(tx)
        if cashier is not None:
            there = replace(self.scope, cashier=cashier)
            counter_deeds.add(tx, there, wish.route, facts["id"], facts["member"], self.event.at)
        self.finish(tx, _told(facts))

    def _cashier(self, tx: Tx) -> Cashier | None:
        """Who stood at the till, as it says: one of the merchant's people, whatever has become of them since."""
        if self.wanted.cashier is None:
            return None
        row = shifts.person(tx, self.scope, self.wanted.cashier)
        return None if row is None else Cashier(row.id, row.public_id, row.name, row.role, frozenset(), "")

    def _finished(self, fate: Fate) -> Fate:
        """Of what was booked before."""
        with self.ctx.change() as tx:
            self.finish(tx, fate)
        return fate

    def _online(self, wish: Asked) -> Facts | None:
        """What was answered when the till sent this very request while it still had a network; by the key under which
        it did, whatever day it is by now."""
        key, own = self.wanted.key, parties.principals(self.scope)[0]
        tried = [] if key is None else [requests.Claim(own, f"key:{key}")]
        with self.ctx.look() as tx:
            held = requests.answered(tx, (*wish.claims, *tried))
        if tried and tried[0] in held:
            return dict(orjson.loads(held[tried[0]].answer))
        same = next((one for one in held.values() if one.request_hash == wish.request_hash), None)
        return None if same is None else dict(orjson.loads(same.answer))

    def _same_sale(self, sold: Sold) -> Facts | None:
        """What was answered when this sale was counted, though its request differed in words: the same till, day,
        receipt, member and amount."""
        day = business_day(self.scope, sold.business_day, self.event.at)
        claim = requests.Claim(parties.principals(self.scope)[0], f"about:sale:{day.isoformat()}:{sold.receipt}")
        with self.ctx.look() as tx:
            held = requests.answered(tx, [claim]).get(claim)
        if held is None:
            return None
        facts: Facts = orjson.loads(held.answer)
        return facts if self._is_same(sold, facts["id"]) else None

    def _is_same(self, sold: Sold, sale: str) -> bool:
        try:
            # A change, since a number that is nobody's counts as a guess here as everywhere.
            with self.ctx.change() as tx:
                row = sales.sale_in(tx, self.scope, sale)
                amount = sales.worth(tx, row.id)
                member = scanning.holder_of(self.ctx, tx, self.scope, rotating.bare(sold.code))
        except NotFound:
            return False
        return (row.member_id, amount) == (member.id, sold.amount_minor)


def _told(facts: Facts, *, counted_online: bool = False) -> Fate:
    """What is kept of an answer: ids and numbers."""
    params: dict[str, Any] = {"member": facts["member"], "programme": facts["programme"], "version": facts["version"]}
    params["entries"] = [{"currency": one["currency"], "amount": one["amount"]} for one in facts["entries"]]
    params["balances"] = facts["balances"]
    if counted_online:
        params["counted_before"] = True
    if facts.get("owed"):
        params["owed"] = facts["owed"]
    return Fate(APPLIED, None, params, facts["id"])
