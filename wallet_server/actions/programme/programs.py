"""Owns setting up: accounts, merchants, stores, tills, and publishing programme versions."""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from wallet_server.actions import keys
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.passes import cards
from wallet_server.actions.purse import reviewing
from wallet_server.actions.vendors import apple_limits, google_limits
from wallet_server.errors import Conflict, Fault, Invalid
from wallet_server.records import jobs, parties
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Lease
from wallet_server.records.operating import operating
from wallet_server.records.passes import passes
from wallet_server.records.people import members
from wallet_server.records.programme import programmes
from wallet_server.records.programme.programmes import ProgrammeRow
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.records.vendors import vendors
from wallet_server.rules.characters import CANNOT_BE_SHOWN, UNSHOWABLE, blank
from wallet_server.rules.counter import codes
from wallet_server.rules.programme.program import Currency, Programme, fingerprint, publishable

__all__ = [
    "REPUBLISH",
    "Founded",
    "NewStore",
    "ProgrammeRow",
    "add_store",
    "found",
    "keep_money",
    "publish_version",
    "republish",
]

REPUBLISH = "republish"
SLICE = 500


@dataclass(frozen=True)
class Founded:
    """A new account with everything that its first sale needs; the keys are shown this once."""

    account_id: int
    merchant_id: int
    merchant: str
    store: str
    till: str
    merchant_key: str
    till_key: str


@dataclass(frozen=True)
class NewStore:
    """A store: IANA zone, coordinates in degrees, and what a card says nearby."""

    name: str
    zone: str = "Europe/Paris"
    latitude: float | None = None
    longitude: float | None = None
    texts: Mapping[str, str] | None = None


def found(ctx: Context, name: str, store: NewStore, *, test: bool = False) -> Founded:
    """Open an account with one merchant, one store, one till and their keys; a `test` account has a clock that its
    merchant may move, and keys that are told apart."""
    _check_store(store)
    now = ctx.now()
    with ctx.change() as tx:
        mark = codes.mark_from_random(secrets.token_bytes(4), test=test)
        mode = parties.TEST if test else parties.LIVE
        account = parties.add_account(tx, new_id("acc"), name, mark, now, mode)
        merchant_public, store_public, till_public = new_id("mer"), new_id("sto"), new_id("till")
        merchant = parties.add_merchant(tx, merchant_public, account, name, now)
        store_id = _add_store(tx, store_public, merchant, store, now)
        till = parties.add_till(tx, till_public, store_id, "1", now)
        merchant_key = keys.make_key(tx, account, merchant, None, keys.MERCHANT, now)
        till_key = keys.make_key(tx, account, merchant, till, keys.TILL, now)
    return Founded(account, merchant, merchant_public, store_public, till_public, merchant_key, till_key)


def count_accounts(ctx: Context) -> int:
    """How many accounts this installation has."""
    with ctx.look() as tx:
        return parties.count_accounts(tx)


@functools.cache
def time_zones() -> frozenset[str]:
    """The names of every time zone (IANA), read once: they stand in some six hundred files."""
    return frozenset(available_timezones())


def _check_store(store: NewStore) -> None:
    faults = []
    if blank(store.name) or len(store.name) > 200:
        faults.append(Fault("name", "Give the store a name of at most 200 characters."))
    for place, text in (("name", store.name), *((f"texts.{tag}", said) for tag, said in (store.texts or {}).items())):
        if UNSHOWABLE.search(text):  # every card of the programme would carry it, and none could be signed
            faults.append(Fault(place, CANNOT_BE_SHOWN))
    if store.zone not in time_zones():
        faults.append(Fault("zone", "Give a time zone such as Europe/Paris."))
    if (store.latitude is None) != (store.longitude is None):
        faults.append(Fault("latitude", "Give both coordinates or neither."))
    if store.latitude is not None and not -90 <= store.latitude <= 90:
        faults.append(Fault("latitude", "A latitude is from -90 to 90 degrees."))
    if store.longitude is not None and not -180 <= store.longitude <= 180:
        faults.append(Fault("longitude", "A longitude is from -180 to 180 degrees."))
    if faults:
        raise Invalid("The store cannot be saved.", faults=faults)


def _add_store(tx: Tx, public_id: str, merchant_id: int, store: NewStore, at: datetime) -> int:
    return parties.add_store(
        tx, public_id, merchant_id, store.name, store.zone, store.latitude, store.longitude, store.texts, at
    )


def add_store(ctx: Context, scope: Scope, store: NewStore, wish: Asked) -> tuple[Facts, bool]:
    """A further store; every card of the programmes it takes part in is looked at anew, in slices."""
    _check_store(store)

    def act(tx: Tx) -> Facts:
        public_id = new_id("sto")
        _add_store(tx, public_id, scope.merchant_id, store, ctx.now())
        _republish_all(ctx, tx, scope)
        return {"store": public_id}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def move_store(ctx: Context, scope: Scope, public_id: str, store: NewStore, wish: Asked) -> tuple[Facts, bool]:
    """Change a store's name, place, zone or text; the cards that carry it follow."""
    _check_store(store)

    def act(tx: Tx) -> Facts:
        row = parties.store_in(tx, scope, public_id)
        parties.change_store(tx, row.id, {**vars(store), "texts": dict(store.texts) if store.texts else None})
        _republish_all(ctx, tx, scope)
        return {"store": public_id}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def _republish_all(ctx: Context, tx: Tx, scope: Scope) -> None:
    rows = programmes.programmes_of(tx, scope)
    jobs.put(tx, [jobs.Put(REPUBLISH, f"{row.id}:0", jobs.BULK, ctx.now()) for row in rows if row.version_id])


def stores(ctx: Context, scope: Scope) -> list[parties.StoreRow]:
    """The merchant's stores."""
    with ctx.look() as tx:
        return parties.stores_of(tx, scope)


def add_till(ctx: Context, scope: Scope, store: str, name: str, wish: Asked) -> tuple[Facts, bool]:
    """A further till and its key; a replay names the till but cannot show the key again."""
    shown: dict[str, str] = {}

    def act(tx: Tx) -> Facts:
        row = parties.store_in(tx, scope, store)
        public_id = new_id("till")
        till = parties.add_till(tx, public_id, row.id, name, ctx.now())
        shown["key"] = keys.make_key(tx, scope.account_id, scope.merchant_id, till, keys.TILL, ctx.now())
        return {"till": public_id, "store": store}

    facts, replayed = once(ctx, wish, act)
    return ({**facts, "key": shown["key"]} if not replayed else facts), replayed


def read_document(text_or_mapping: Mapping[str, Any]) -> tuple[Programme, str, str]:
    """Parse a programme document that is to be published: (programme, canonical JSON, fingerprint). Raises
    `Invalid` with every fault."""
    programme = publishable(text_or_mapping)
    canonical = json.dumps(text_or_mapping, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return programme, canonical, fingerprint(text_or_mapping)


def create_programme(
    ctx: Context,
    account_id: int,
    merchant_id: int,
    document: Mapping[str, Any],
    credential_set_id: int | None,
) -> Facts:
    """A programme of an account with its first published version and its first merchant."""
    programme, canonical, mark = read_document(document)
    now = ctx.now()
    with ctx.change() as tx:
        public_id, join_code = new_id("prog"), secrets.token_hex(6)
        programme_id = programmes.add_programme(
            tx, public_id, account_id, programme.organisation, join_code, credential_set_id, now
        )
        programmes.join_programme(tx, programme_id, merchant_id, now)
        apple_limits.demand(ctx, tx, programme_id, programme)
        google_limits.demand(ctx, tx, programme_id, programme)
        _store_version(tx, programme_id, 1, programme, canonical, mark, now)
    return {"programme": public_id, "join_code": join_code, "version": 1}


def _store_version(
    tx: Tx, programme_id: int, number: int, programme: Programme, canonical: str, mark: str, now: datetime
) -> None:
    rows = [(c.code, c.kind, c.iso, c.exponent) for c in programme.currencies]
    programmes.publish_version(tx, programme_id, number, canonical, mark, rows, now)


def publish_version(
    ctx: Context, scope: Scope, programme_public: str, document: Mapping[str, Any], wish: Asked
) -> tuple[Facts, bool]:
    """A further version, or the first of a programme that was only drafted; the cards follow in slices. Raises
    `Invalid`, and `Conflict` (`no-change`)."""
    programme, canonical, mark = read_document(document)

    def act(tx: Tx) -> Facts:
        row = programmes.programme_in(tx, scope, programme_public)
        programmes.lock_programme(tx, row.id)
        row = programmes.programme_by_id(tx, row.id)
        if row.version_id and programmes.version(tx, row.version_id).document == canonical:
            raise Conflict("This is the version that stands already.", code="no-change")
        if row.version_id:
            current = ctx.programme(tx, row.version_id)
            keep_money(tx, row.id, current, programme)
            _keep_currencies(current, programme)
        apple_limits.demand(ctx, tx, row.id, programme)
        google_limits.demand(ctx, tx, row.id, programme)
        _store_version(tx, row.id, row.version + 1, programme, canonical, mark, ctx.now())
        deeds.add(tx, scope, deeds.PUBLISHED, ctx.now(), about=row.public_id, detail=str(row.version + 1))
        jobs.put(tx, [jobs.Put(REPUBLISH, f"{row.id}:0", jobs.BULK, ctx.now())])
        return {"programme": row.public_id, "version": row.version + 1}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def begin_with(ctx: Context, tx: Tx, programme_id: int, document: Mapping[str, Any]) -> None:
    """The first version of a programme that is being made. Raises `Invalid`."""
    programme, canonical, mark = read_document(document)
    apple_limits.demand(ctx, tx, programme_id, programme)
    google_limits.demand(ctx, tx, programme_id, programme)
    _store_version(tx, programme_id, 1, programme, canonical, mark, ctx.now())


def keep_money(tx: Tx, programme_id: int, old: Programme, new: Programme) -> None:
    """Raises `Invalid` where a further version has other money than sales and vouchers stand in: what is owed would be
    worth something else."""
    if new.money == old.money or not programmes.has_money(tx, programme_id):
        return
    sentence = f"Sales or vouchers stand in {old.money.iso}: keep it here, and make a new programme for another money."
    raise Invalid("The new version would change what is owed.", faults=[Fault("money", sentence)])


def _keep_currencies(old: Programme, new: Programme) -> None:
    kept = {c.code: c for c in new.currencies}
    faults = [Fault("currencies", why) for c in old.currencies if (why := _lost(c, kept.get(c.code)))]
    if faults:
        raise Invalid("The new version would lose balances.", faults=faults)


def _lost(old: Currency, new: Currency | None) -> str | None:
    """Why balances in this currency would be lost."""
    if new is None:
        return f"{old.code} has balances already: it cannot be dropped."
    if new.kind != old.kind:
        return f"{old.code} has balances already: it cannot change its kind."
    if (new.iso, new.exponent) != (old.iso, old.exponent):
        return f"{old.code} has balances in {old.iso} already: keep it, and make a new programme for another money."
    return None


def programme_facts(ctx: Context, scope: Scope, public_id: str) -> tuple[ProgrammeRow, dict[str, Any]]:
    """A programme and its current document."""
    with ctx.look() as tx:
        row = programmes.programme_in(tx, scope, public_id)
        return row, json.loads(programmes.version(tx, row.version_id).document) if row.version_id else {}


def programme_told(ctx: Context, facts: Facts) -> Programme:
    """The programme version by which something was booked: its own words for what it gave."""
    return ctx.told.get((facts["programme"], facts["version"]), lambda: _version(ctx, facts))


def _version(ctx: Context, facts: Facts) -> Programme:
    with ctx.look() as tx:
        return ctx.programme(tx, programmes.version_id(tx, facts["programme"], facts["version"]))


def list_programmes(ctx: Context, scope: Scope) -> list[ProgrammeRow]:
    """The programmes that the caller's merchant takes part in."""
    with ctx.look() as tx:
        return programmes.programmes_of(tx, scope)


def tell_every_phone(ctx: Context) -> None:
    """After a restore: phones may show what came after the backup, so each is asked to fetch its card anew; and vendors
    to whom cards are pushed may have what came after it, so that is looked at, too."""
    with ctx.change() as tx:
        passes.ring_everybody(tx)
        vendors.forget_classes(tx)
        rows = operating.all_programmes(tx)
        jobs.put(tx, [jobs.Put(REPUBLISH, f"{row.id}:0", jobs.BULK, ctx.now()) for row in rows if row.version_id])


def republish(ctx: Context, leases: list[Lease]) -> None:
    """Walk a programme's members in slices, each its own transaction, leaving a refresh job for every card.

    The key is `programme:member`; each slice ends by putting the job of the next one, so a crash resumes there.
    """
    for lease in leases:
        programme_id, _, after = lease.key.partition(":")
        with ctx.change() as tx:
            ids = members.next_members(tx, int(programme_id), int(after), SLICE)
            risen = reviewing.resettle(ctx, tx, int(programme_id), ids)
            cards.changed_many(tx, risen, ("tier",), ctx.now(), pushed=ctx.pushed)
            cards.changed_many(tx, [key for key in ids if key not in risen], (), ctx.now(), pushed=ctx.pushed)
            if len(ids) == SLICE:
                jobs.put(tx, [jobs.Put(REPUBLISH, f"{programme_id}:{ids[-1]}", jobs.BULK, ctx.now())])
            jobs.settle(tx, [lease])
    ctx.ring()
