"""Owns what a card says to its member as news: the last announcement, a new voucher, a gesture, or a
warning that units run out, whichever is newest.

A voucher or a gesture speaks for a week. Its words are made when the card is composed: only their codes are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from wallet_server.actions.context import Context
from wallet_server.actions.purse import purse_notes
from wallet_server.records import parties
from wallet_server.records.announcing import announcements
from wallet_server.records.announcing.announcements import NewsRow
from wallet_server.records.counter import gestures, given_gestures
from wallet_server.records.counter.gestures import Gesture
from wallet_server.records.counter.given_gestures import GivenRow
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.purse import coupons
from wallet_server.records.purse.coupons import CouponRow
from wallet_server.rules.counter import coupons as rules

LAST = timedelta(days=7)
_YES = "gst_"
_VOUCHER = {"fr": "Nouveau bon\u00a0: {}", "en": "New voucher: {}"}
_GESTURE = {"fr": "Geste commercial\u00a0: {}", "en": "Goodwill gesture: {}"}


def of_members(
    ctx: Context, tx: Tx, member_ids: Sequence[int], now: datetime, warned: Mapping[int, NewsRow]
) -> dict[int, NewsRow]:
    """Member key to what their card says; `warned` are the warnings of units that run out."""
    found = announcements.news_of(tx, member_ids, now)
    vouchers = coupons.given_lately(tx, member_ids, now - LAST)
    told = [(key, _of_voucher(ctx, tx, public_id)) for key, public_id in vouchers.items()]
    told += [(key, _of_gesture(one)) for key, one in gestures.newest(tx, member_ids, now - LAST).items()]
    yes = given_gestures.newest(tx, member_ids, now - LAST)
    told += [(key, _of_yes(ctx, tx, one)) for key, one in yes.items()]
    told += warned.items()
    for key, notice in told:
        old = found.get(key)
        if notice is not None and (old is None or notice.since >= old.since):
            found[key] = notice
    return found


def vouchers_of(ctx: Context, tx: Tx, member_ids: Sequence[int], now: datetime) -> dict[int, tuple[rules.Voucher, ...]]:
    """Member key to the vouchers on the back of their card, the first to run out first."""
    found = {}
    for key, standing in coupons.standing(tx, member_ids, now).items():
        listed = []
        for one in standing:
            promise = rules.promise_of(ctx.programme(tx, one.version_id), one.promise)
            day = None if one.valid_to is None else one.valid_to.astimezone(ZoneInfo(zone_of(tx, key))).date()
            listed.append(rules.Voucher(promise.title, day, one.many))
        found[key] = tuple(listed)
    return found


def zone_of(tx: Tx, member_id: int) -> str:
    """The time zone of the member's store, else of the first store of the programme."""
    member = members.members_by_id(tx, [member_id])[member_id]
    home = member.home_store_id
    stores = (
        parties.stores_by_id(tx, [home]) if home is not None else parties.stores_of_programme(tx, member.programme_id)
    )
    return min(stores, key=lambda store: store.id).zone if stores else "UTC"


def stands(tx: Tx, public_id: str, now: datetime) -> bool:
    """Whether this may stay on a card."""
    if public_id.startswith("ann_"):
        return announcements.stands(tx, public_id, now)
    if public_id.startswith(purse_notes.PREFIX):
        return purse_notes.stands(tx, public_id, now)
    if public_id.startswith(_YES):
        yes = given_gestures.by_public(tx, public_id)
        return yes is not None and not yes.undone and yes.at > now - LAST
    gesture = gestures.about(tx, public_id)
    if gesture is not None:
        return gesture.at > now - LAST
    coupon = coupons.by_public(tx, public_id)
    good = coupon is not None and rules.standing(coupon.state, coupon.valid_to, now) == rules.ISSUED
    return coupon is not None and good and coupon.issued_at > now - LAST


def texts(ctx: Context, tx: Tx, public_id: str) -> Mapping[str, str] | None:
    """What it says, whatever became of it since: a card may still show it."""
    if public_id.startswith("ann_"):
        return announcements.texts(tx, public_id)
    if public_id.startswith(purse_notes.PREFIX):
        return purse_notes.texts(ctx, tx, public_id)
    if public_id.startswith(_YES):
        yes = given_gestures.by_public(tx, public_id)
        said = None if yes is None else _of_yes(ctx, tx, yes)
        return None if said is None else said.texts
    gesture = gestures.about(tx, public_id)
    notice = _of_voucher(ctx, tx, public_id) if gesture is None else _of_gesture(gesture)
    return None if notice is None else notice.texts


def _of_voucher(ctx: Context, tx: Tx, public_id: str) -> NewsRow | None:
    coupon = coupons.by_public(tx, public_id)
    return None if coupon is None else _said(ctx, tx, coupon)


def _said(ctx: Context, tx: Tx, coupon: CouponRow) -> NewsRow:
    promise = rules.promise_of(ctx.programme(tx, coupon.version_id), coupon.promise)
    said = {tag: _VOUCHER[tag].format(title) for tag, title in promise.title.items()}
    return NewsRow(coupon.public_id, said, coupon.issued_at + LAST, coupon.issued_at)


def _of_yes(ctx: Context, tx: Tx, one: GivenRow) -> NewsRow | None:
    """The reason that a cashier chose, in the words of the version under which the gesture was made."""
    programme = ctx.programme(tx, one.programme_version_id)
    gesture = programme.gesture(one.gesture)
    reason = None if gesture is None else gesture.reason(one.reason)
    if reason is None:
        return None
    said = {tag: _GESTURE[tag].format(text) for tag, text in reason.names.items()}
    return NewsRow(one.public_id, said, one.at + LAST, one.at)


def _of_gesture(one: Gesture) -> NewsRow:
    said = {tag: form.format(one.text) for tag, form in _GESTURE.items()}
    return NewsRow(one.about, said, one.at + LAST, one.at)
