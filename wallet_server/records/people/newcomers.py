"""Owns members who come many at a time, out of a file: their rows in a few statements for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wallet_server.records.database import Tx
from wallet_server.records.people.members import PROMOTIONS
from wallet_server.records.purse.ledger import AVAILABLE, MEMBER
from wallet_server.records.schema import balances, consents, currencies, identities, ledger_accounts, members


@dataclass(frozen=True)
class Newcomer:
    """Somebody of whom nothing stands yet; `said` is what is known of them, value by kind."""

    public_id: str
    said: Mapping[str, str]


def add(
    tx: Tx, programme_id: int, people: Sequence[Newcomer], language: str, tier: str | None, source: str, at: datetime
) -> dict[str, int]:
    """Make them members who agreed to no announcements, each with an empty account of every currency: public id to
    key."""
    if not people:
        return {}
    plain = {"programme_id": programme_id, "home_store_id": None, "language": language, "tier": tier, "joined_at": at}
    new = sa.insert(members).returning(members.c.public_id, members.c.id)
    made = tx.execute(new, [{"public_id": one.public_id, **plain} for one in people])
    keys = {r.public_id: r.id for r in made}
    consent = {"purpose": PROMOTIONS, "granted": False, "source": source, "at": at}
    tx.execute(sa.insert(consents), [{"member_id": key, **consent} for key in keys.values()])
    said = [
        {"programme_id": programme_id, "member_id": keys[one.public_id], "kind": kind, "value": value}
        for one in people
        for kind, value in one.said.items()
    ]
    if said:
        tx.execute(sa.insert(identities), said)
    _open_accounts(tx, programme_id, list(keys.values()))
    return keys


def _open_accounts(tx: Tx, programme_id: int, keys: Sequence[int]) -> None:
    every = tx.execute(sa.select(currencies.c.id).where(currencies.c.programme_id == programme_id)).scalars().all()
    if not every:
        return
    plain = {"programme_id": programme_id, "owner_kind": MEMBER, "purpose": AVAILABLE}
    wanted = [{"owner_id": key, "currency_id": currency, **plain} for key in keys for currency in every]
    account = ledger_accounts.c
    made = tx.execute(sa.insert(ledger_accounts).returning(account.id, account.owner_id, account.currency_id), wanted)
    opened = [
        {"account_id": r.id, "member_id": r.owner_id, "currency_id": r.currency_id, "amount": 0} for r in made.all()
    ]
    tx.execute(sa.insert(balances), opened)
