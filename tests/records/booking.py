"""Owns the books at their lowest: accounts, members and bookings without a till, in a transaction of the test's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

import sqlalchemy as sa

from tests.world import NOON, World
from wallet_server.actions.context import new_id
from wallet_server.records.counter import correcting
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.programme import programmes
from wallet_server.records.purse import ledger
from wallet_server.records.purse.ledger import Booking, Posted
from wallet_server.records.schema import balances, ledger_postings, lots

CURRENCIES = ("points", "status")


@dataclass(frozen=True)
class LotRow:
    """A lot as it stands."""

    id: int
    amount: int
    remaining: int
    expires_at: datetime | None


class Books:
    """Some members of one programme, and a clock of their own."""

    def __init__(self, world: World, tx: Tx, count_of_members: int) -> None:
        self.tx, self.now = tx, NOON
        row = programmes.programmes_of(tx, world.till)[0]
        self._scope, self._programme, self._version = world.till, row.id, row.version_id
        self._numbers = count(1)
        self.members = [
            members.add_member(tx, new_id("mem"), row.id, None, "fr", None, NOON) for _ in range(count_of_members)
        ]
        for member in self.members:
            ledger.open_all_purses(tx, row.id, member)

    def _name(self) -> str:
        return f"ent_{next(self._numbers)}"

    def booking(self, member: int, recorded_at: datetime | None = None) -> Booking:
        """The words of an entry about this member, now."""
        return Booking(
            public_id=self._name(),
            programme_id=self._programme,
            member_id=member,
            merchant_id=self._scope.merchant_id,
            programme_version_id=self._version,
            rule_id="test",
            reason="test",
            effective_at=self.now,
            recorded_at=recorded_at or self.now,
            store_id=self._scope.store_id,
            till_id=self._scope.till_id,
        )

    def purse(self, member: int, currency: str = "points") -> ledger.Purse:
        """The account and what stands on it."""
        return ledger.purses(self.tx, member)[currency]

    def award(
        self,
        member: int,
        amount: int,
        *,
        currency: str = "points",
        days: int | None = None,
        recorded_at: datetime | None = None,
    ) -> Posted:
        """Give so much; it expires in so many days."""
        expires = None if days is None else self.now + timedelta(days=days)
        given = ledger.Award(self.booking(member, recorded_at), self.purse(member, currency), amount, expires)
        return ledger.award(self.tx, [given])[0]

    def burn(self, member: int, amount: int, currency: str = "points") -> Posted:
        """Take so much."""
        return ledger.burn(self.tx, self.booking(member), self.purse(member, currency), amount)

    def reverse(self, member: int, posted: Posted) -> Posted:
        """Undo an entry; what is returned is the last of the entries that this took."""
        purse = self.purse(member, posted.currency)
        return correcting.reverse(self.tx, self.booking(member), purse, posted.entry_id, self._name)[-1]

    def lots(self, member: int, currency: str = "points") -> list[LotRow]:
        """The account's lots, oldest first."""
        rows = self.tx.execute(
            sa.select(lots).where(lots.c.account_id == self.purse(member, currency).account_id).order_by(lots.c.id)
        )
        return [LotRow(r.id, r.amount, r.remaining, r.expires_at) for r in rows]

    def three_sums(self, member: int, currency: str) -> tuple[int, int, int]:
        """Cached balance, sum of the postings, sum of the lots' remainders."""
        account = self.purse(member, currency).account_id
        cached = self.tx.execute(sa.select(balances.c.amount).where(balances.c.account_id == account)).scalar_one()
        posted = self.tx.execute(
            sa.select(sa.func.coalesce(sa.func.sum(ledger_postings.c.amount), 0)).where(
                ledger_postings.c.account_id == account
            )
        ).scalar_one()
        return cached, int(posted), sum(lot.remaining for lot in self.lots(member, currency))
