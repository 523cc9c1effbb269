"""Owns what a merchant may look up of its members: who they are, which cards and phones they have, what was booked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.passes.devices import APNS
from wallet_server.records.people.lineage import line_of
from wallet_server.records.purse.ledger import MOVES
from wallet_server.records.schema import (
    consents,
    currencies,
    devices,
    identities,
    ledger_accounts,
    ledger_entries,
    ledger_postings,
    members,
    participations,
    pass_holdings,
    passes,
    programme_versions,
    publications,
    registrations,
    sales,
    stores,
    tills,
)
from wallet_server.records.scope import Scope
from wallet_server.records.vendors.credentials import APPLE


@dataclass(frozen=True)
class Listed:
    """A member in a list."""

    id: int
    public_id: str
    programme_id: int
    language: str
    tier: str | None
    joined_at: datetime
    left_at: datetime | None


@dataclass(frozen=True)
class CardRow:
    """One card of a member: its serial (to open its code), how current its phones are, and which they are.

    `seen_at` is when a phone first had the version that it holds; `behind` whether a newer one waits to be fetched
    since `behind_since`. `phones` are (since when, whether it can be rung, whether the push service doubts it); a
    vendor that says that somebody saved the card counts as one.
    """

    id: int
    public_id: str
    serial: str
    state: str
    wallet: str
    created_at: datetime
    seen_at: datetime | None
    behind: bool
    behind_since: datetime
    phones: tuple[tuple[datetime, bool, bool], ...]
    kind: str


@dataclass(frozen=True)
class ConsentRow:
    """A line of the record of consent."""

    purpose: str
    granted: bool
    source: str
    at: datetime


@dataclass(frozen=True)
class Line:
    """An entry of a member's history with all that a person asks about it; amounts are the member's own.

    `version` is the number of the programme's version, `rule` the id of its rule. `reversed_by` and `reverses` are
    public ids of entries.
    """

    id: int
    public_id: str
    kind: str
    currency: str
    amount: int
    reason: str
    params: Mapping[str, Any]
    version_id: int
    version: int
    rule: str
    effective_at: datetime
    recorded_at: datetime
    own: bool
    store: str | None
    till: str | None
    receipt: str | None
    sale: str | None
    sale_minor: int | None
    reverses: str | None
    reversed_by: str | None


def _mine(scope: Scope) -> sa.Select[tuple[int]]:
    return sa.select(participations.c.programme_id).where(
        participations.c.merchant_id == scope.merchant_id, participations.c.left_at.is_(None)
    )


_LISTED = sa.select(
    members.c.id,
    members.c.public_id,
    members.c.programme_id,
    members.c.language,
    members.c.tier,
    members.c.joined_at,
    members.c.left_at,
)


def newest(tx: Tx, scope: Scope, before: int | None, most: int) -> list[Listed]:
    """The members of the merchant's programmes, newest first, those after key `before` in that order."""
    query = _LISTED.where(members.c.programme_id.in_(_mine(scope))).order_by(members.c.id.desc()).limit(most)
    if before is not None:
        query = query.where(members.c.id < before)
    return [Listed(**r._mapping) for r in tx.execute(query)]


def with_identity(tx: Tx, scope: Scope, kind: str, value: str, most: int) -> list[Listed]:
    """Members with this identity (a normalised e-mail address, say), newest first."""
    query = (
        _LISTED.join(identities, identities.c.member_id == members.c.id)
        .where(
            identities.c.programme_id.in_(_mine(scope)),
            identities.c.kind == kind,
            identities.c.value == value,
        )
        .order_by(members.c.id.desc())
        .limit(most)
    )
    return [Listed(**r._mapping) for r in tx.execute(query)]


def listed(tx: Tx, scope: Scope, ids: Sequence[int]) -> list[Listed]:
    """These members, as far as they are in the merchant's programmes."""
    query = _LISTED.where(members.c.programme_id.in_(_mine(scope)), members.c.id.in_(list(ids)))
    return [Listed(**r._mapping) for r in tx.execute(query)]


def count(tx: Tx, scope: Scope) -> int:
    """How many members the merchant's programmes have, those who left not counted."""
    query = sa.select(sa.func.count()).where(members.c.programme_id.in_(_mine(scope)), members.c.left_at.is_(None))
    return int(tx.execute(query).scalar_one())


def emails_of(tx: Tx, member_ids: Sequence[int]) -> dict[int, str]:
    """Member key to the newest e-mail address."""
    rows = tx.execute(
        sa.select(identities.c.member_id, identities.c.value)
        .where(identities.c.member_id.in_(list(member_ids)), identities.c.kind == "email")
        .order_by(identities.c.id)
    )
    return {r.member_id: r.value for r in rows}


def last_visits(tx: Tx, scope: Scope, member_ids: Sequence[int]) -> dict[int, datetime]:
    """Member key to the time of the last sale at this merchant."""
    rows = tx.execute(
        sa.select(sales.c.member_id, sa.func.max(sales.c.occurred_at).label("at"))
        .where(sales.c.member_id.in_(list(member_ids)), sales.c.merchant_id == scope.merchant_id)
        .group_by(sales.c.member_id)
    )
    return {r.member_id: r.at for r in rows}


def consents_of(tx: Tx, member_id: int, most: int) -> list[ConsentRow]:
    """The record of consent, newest line first."""
    rows = tx.execute(
        sa.select(consents.c.purpose, consents.c.granted, consents.c.source, consents.c.at)
        .where(consents.c.member_id == member_id)
        .order_by(consents.c.id.desc())
        .limit(most)
    )
    return [ConsentRow(**r._mapping) for r in rows]


def cards_of(tx: Tx, member_ids: Sequence[int]) -> dict[int, list[CardRow]]:
    """Member key to the cards, newest first, and after them the coupons."""
    phones: dict[int, list[tuple[datetime, bool, bool]]] = {}
    held = (
        sa.select(registrations.c.pass_id, registrations.c.registered_at, devices.c.push_kind, devices.c.suspect_at)
        .join(devices, devices.c.id == registrations.c.device_id)
        .join(passes, passes.c.id == registrations.c.pass_id)
        .where(passes.c.member_id.in_(list(member_ids)))
        .order_by(registrations.c.registered_at)
    )
    for r in tx.execute(held):
        phones.setdefault(r.pass_id, []).append((r.registered_at, r.push_kind == APNS, r.suspect_at is not None))
    saved = sa.select(pass_holdings.c.pass_id, pass_holdings.c.saved_at).join(passes).where(
        passes.c.member_id.in_(list(member_ids)), pass_holdings.c.has_users.is_(True)
    )  # fmt: skip
    for pass_id, saved_at in tx.execute(saved):
        phones.setdefault(pass_id, []).append((saved_at, True, False))
    query = (
        sa.select(passes, publications.c.seen_at, publications.c.seen, publications.c.number, publications.c.rung)
        .add_columns(publications.c.unseen_since, publications.c.published_at)
        .join(publications, publications.c.pass_id == passes.c.id)
        .where(passes.c.member_id.in_(list(member_ids)))
        .order_by(sa.case((passes.c.kind == "card", 0), else_=1), passes.c.id.desc())
    )
    found: dict[int, list[CardRow]] = {}
    for r in tx.execute(query):
        held_by = tuple(phones.get(r.id, ()))
        # A vendor has the version that it took; a phone the one that it fetched.
        given = r.wallet != APPLE
        behind = (r.rung if given else r.seen) < r.number
        row = CardRow(
            r.id,
            r.public_id,
            r.serial,
            r.state,
            r.wallet,
            r.created_at,
            r.published_at if given and not behind else r.seen_at,
            behind,
            r.unseen_since,
            held_by,
            r.kind,
        )
        found.setdefault(r.member_id, []).append(row)
    return found


def history(tx: Tx, scope: Scope, member_id: int, before: int | None, most: int) -> list[Line]:
    """What was booked for a member, newest first, of all merchants of the programme: the store, till, sale and receipt
    of another merchant are not told."""
    undone = ledger_entries.alias("undone")
    undoing = ledger_entries.alias("undoing")
    query = (
        sa.select(
            ledger_entries,
            currencies.c.code,
            ledger_postings.c.amount,
            stores.c.name.label("store"),
            tills.c.name.label("till"),
            sales.c.public_id.label("sale"),
            sales.c.amount_minor.label("sale_minor"),
            undone.c.public_id.label("reverses"),
            undoing.c.public_id.label("reversed_by"),
            programme_versions.c.number.label("version"),
        )
        .join(programme_versions, programme_versions.c.id == ledger_entries.c.programme_version_id)
        .join(ledger_postings, ledger_postings.c.entry_id == ledger_entries.c.id)
        .join(ledger_accounts, ledger_accounts.c.id == ledger_postings.c.account_id)
        .join(currencies, currencies.c.id == ledger_postings.c.currency_id)
        .outerjoin(stores, stores.c.id == ledger_entries.c.store_id)
        .outerjoin(tills, tills.c.id == ledger_entries.c.till_id)
        .outerjoin(sales, sales.c.id == ledger_entries.c.sale_id)
        .outerjoin(undone, undone.c.id == ledger_entries.c.reverses_id)
        .outerjoin(undoing, undoing.c.reverses_id == ledger_entries.c.id)
        .where(
            ledger_entries.c.member_id.in_(line_of(member_id)),
            ledger_entries.c.programme_id.in_(_mine(scope)),
            ledger_accounts.c.owner_kind == "member",
            # The member has as many as before.
            ledger_entries.c.kind.not_in(MOVES),
        )
        .order_by(ledger_entries.c.id.desc())
        .limit(most)
    )
    if before is not None:
        query = query.where(ledger_entries.c.id < before)
    return [_line(r, scope) for r in tx.execute(query)]


def recorded_at(tx: Tx, member_id: int, entry_id: int) -> datetime | None:
    """When this entry of the member's was booked; None for one that is not the member's."""
    query = sa.select(ledger_entries.c.recorded_at).where(
        ledger_entries.c.id == entry_id, ledger_entries.c.member_id.in_(line_of(member_id))
    )
    return tx.execute(query).scalar_one_or_none()


def _line(r: sa.Row, scope: Scope) -> Line:  # type: ignore[type-arg]
    own = r.merchant_id == scope.merchant_id
    params = dict(r.params) if own else {name: value for name, value in r.params.items() if name != "receipt"}
    return Line(
        r.id,
        r.public_id,
        r.kind,
        r.code,
        r.amount,
        r.reason,
        params,
        r.programme_version_id,
        r.version,
        r.rule_id,
        r.effective_at,
        r.recorded_at,
        own,
        r.store if own else None,
        r.till if own else None,
        r.receipt if own else None,
        r.sale if own else None,
        r.sale_minor if own else None,
        r.reverses,
        r.reversed_by,
    )
