"""What somebody had without an end who left before that ended it, ends when they left, on both databases."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from tests.records.test_issuers_of_before import NOON, Before
from wallet_server.records import database
from wallet_server.records.schema import lots

LEFT, LATER = NOON + timedelta(days=3), NOON + timedelta(days=90)
STAYS, LEAVES = 1, 2


def test_what_is_left_without_an_end_ended_when_its_member_left(fresh_database_url: str) -> None:
    before = Before(fresh_database_url, "0026")
    before.add("accounts", id=1)
    before.add("programmes", id=1, account_id=1)
    before.add("currencies", id=1, programme_id=1)
    before.add("members", id=STAYS, public_id="stays", left_at=None)
    before.add("members", id=LEAVES, public_id="leaves", left_at=LEFT)
    for key in (STAYS, LEAVES):
        before.add("ledger_accounts", id=key, owner_id=key)
        before.add("balances", account_id=key, member_id=key, amount=10)
        for number, (remaining, expires_at) in enumerate([(10, None), (10, LATER), (0, None), (-5, None)]):
            amount = -5 if remaining < 0 else 10
            said = {"account_id": key, "amount": amount, "remaining": remaining, "expires_at": expires_at}
            before.add("lots", id=10 * key + number, **said)
    database.upgrade(fresh_database_url)
    with before.engine.connect() as tx:
        rows = {r.id: r.expires_at for r in tx.execute(sa.select(lots.c.id, lots.c.expires_at))}
    assert rows == {10: None, 11: LATER, 12: None, 13: None, 20: LEFT, 21: LATER, 22: None, 23: None}
