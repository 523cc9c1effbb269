"""Owns the composing of cards from the books: what a batch of them needs is read once for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from wallet_server.actions.context import Context
from wallet_server.actions.passes import notices
from wallet_server.actions.purse import figures, purse_notes
from wallet_server.records import parties
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.passes.passes import PassRow
from wallet_server.records.people import members
from wallet_server.records.purse import coupons, ledger
from wallet_server.rules.announcing.personal import personal
from wallet_server.rules.counter.coupons import promise_of
from wallet_server.rules.passes.card import Card
from wallet_server.rules.passes.compose import Holding, Slip, Store, compose, compose_coupon
from wallet_server.rules.passes.publishing import Facets
from wallet_server.rules.programme.program import Programme


class Desk:
    """What composing a batch of cards needs, read once for the batch."""

    def __init__(self, ctx: Context, tx: Tx, rows: Sequence[PassRow], now: datetime) -> None:
        self._ctx, self._tx, self._now = ctx, tx, now
        member_ids = sorted({row.member_id for row in rows})
        self._members = members.members_by_id(tx, member_ids)
        self._purses = ledger.amounts(tx, member_ids)
        self._figures = figures.of_members(tx, self._members, lambda key: ctx.programme(tx, key), now)
        self._notes = purse_notes.of_members(ctx, tx, self._members, now)
        self._news = notices.of_members(ctx, tx, member_ids, now, self._notes.news)
        self._names = members.first_names(tx, member_ids) if self._news else {}
        self._vouchers = notices.vouchers_of(ctx, tx, member_ids, now)
        self._codes = passes.newest_codes(tx, [row.id for row in rows])
        self._coupons = coupons.of_passes(tx, [row.id for row in rows if row.kind == coupons.COUPON])
        self._stores = {
            programme_id: tuple(_store(s) for s in parties.stores_of_programme(tx, programme_id))
            for programme_id in sorted({m.programme_id for m in self._members.values()})
        }
        self._homes = {s.id: _store(s) for s in parties.stores_by_id(tx, self._home_ids())}

    def _home_ids(self) -> list[int]:
        return sorted({m.home_store_id for m in self._members.values() if m.home_store_id is not None})

    def ended(self, row: PassRow) -> PassRow:
        """The pass as it is from now on: that of a coupon whose use can no longer be taken back is over."""
        coupon = self._coupons.get(row.id)
        if coupon is None or row.state != passes.ACTIVE or coupon.over_at is None or coupon.over_at > self._now:
            return row
        passes.retire_pass(self._tx, row.id)
        return replace(row, state=passes.RETIRED, version=row.version + 1, loud=0)

    def version_id(self, row: PassRow) -> int:
        coupon = self._coupons.get(row.id)
        return self._members[row.member_id].version_id if coupon is None else coupon.version_id

    def issue(self, row: PassRow) -> int:
        """Of the code that this pass shows."""
        return self._codes[row.id].issue

    def _programme(self, row: PassRow) -> Programme:
        return self._ctx.programme(self._tx, self.version_id(row))

    def wanted(self, row: PassRow) -> Facets:
        """What the books say that this card should show."""
        if row.id in self._coupons:
            return Facets(0, None, None)
        member, news = self._members[row.member_id], self._news.get(row.member_id)
        points = self._purses.get(member.id, {}).get(self._programme(row).balance_currency, 0)
        return Facets(points, member.tier, news.public_id if news else None)

    def _said_to(self, member_id: int, texts: Mapping[str, str]) -> Mapping[str, str]:
        return {language: personal(text, self._names.get(member_id)) for language, text in texts.items()}

    def stands(self, news: str | None) -> bool:
        """Whether this may stay on a card: neither recalled nor over."""
        return news is not None and notices.stands(self._tx, news, self._now)

    def compose(self, row: PassRow, shown: Facets) -> tuple[Card, datetime | None]:
        """The card with these facets, whether they are what the books say or what stays while that is held back."""
        if row.id in self._coupons:
            return self._coupon(row, self._coupons[row.id])
        member, news = self._members[row.member_id], self._news.get(row.member_id)
        programme = self._programme(row)
        own = self._figures.get(member.id)
        kept = shown.news is not None and (news is None or shown.news != news.public_id)
        text = notices.texts(self._ctx, self._tx, shown.news) if shown.news and kept else news.texts if news else None
        holding = Holding(
            balances=self._purses.get(member.id, {}),
            tier=shown.tier,
            news=None if shown.news is None or text is None else self._said_to(member.id, text),
            home=self._homes.get(member.home_store_id or 0),
            stores=self._stores[member.programme_id],
            code_issue=self.issue(row),
            good_until=self._codes[row.id].valid_to,
            voided=row.state != passes.ACTIVE,
            stop_link=self._ctx.link("stop", row.public_id),
            web_link=self._ctx.link("card", row.public_id),
            rate_link=self._ctx.link("rate", row.public_id),
            recover_link=self._ctx.link("recover", row.public_id),
            figures=None if own is None else own.found,
            vouchers=self._vouchers.get(member.id, ()),
            notes=self._notes.on_back.get(member.id, ()),
        )
        turns = [news.ends_at if news else None, own.changes_at if own else None]
        return compose(programme, holding, self._now, [at for at in turns if at is not None])

    def _coupon(self, row: PassRow, coupon: coupons.CouponRow) -> tuple[Card, datetime | None]:
        member, programme = self._members[row.member_id], self._programme(row)
        promise = promise_of(programme, coupon.promise)
        slip = Slip(
            state=coupon.state,
            valid_to=coupon.valid_to,
            used_at=coupon.used_at,
            home=self._homes.get(member.home_store_id or 0),
            stores=self._stores[member.programme_id],
            code_issue=self.issue(row),
            voided=row.state != passes.ACTIVE,
            web_link=self._ctx.link("card", row.public_id),
            valid_from=coupon.issued_at,
        )
        return compose_coupon(programme, promise, slip), coupon.over_at if not slip.voided else None


def _store(row: parties.StoreRow) -> Store:
    return Store(row.name, row.latitude, row.longitude, row.texts, row.public_id)
