"""Owns what happens by itself: the nightly sums of the days, the booking of what has expired, and the throwing away of
what is no longer needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import groupby
from typing import TypeVar

import structlog

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter import rotating
from wallet_server.actions.offline import applying
from wallet_server.actions.passes import cards, pacing
from wallet_server.actions.people import letters
from wallet_server.actions.purse import coupons, holding, maturing, reviewing, standing
from wallet_server.actions.telling import webhooks
from wallet_server.actions.vendors import certificate_days, holders
from wallet_server.errors import WalletError
from wallet_server.records import clocks, jobs, limits
from wallet_server.records.books import audit, book_days
from wallet_server.records.clocks import shifted
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Again, Lease, Put
from wallet_server.records.passes import alerts, devices, passes
from wallet_server.records.people import members, one_time, plastic
from wallet_server.records.programme import programmes
from wallet_server.records.purse import expiry, ledger
from wallet_server.records.purse.expiry import Lapsed
from wallet_server.records.purse.ledger import Booking, Posted
from wallet_server.records.vendors import credentials, issuers
from wallet_server.rules.announcing import alert_budget

NIGHTLY = "nightly"
ALL, EXPIRY, COUPONS, OVER, ALERTS = "all", "expiry", "coupons", "over", "alerts"
DAYS, CLOCK, ANSWERS = "days", "clock", "answers"
"""Keys of the nightly job: the night, and the walks that it sets off. Each slice of a walk is a job of its own, whose
key says where it begins: `days:day:programme`, `expiry:lot`, `coupons:coupon` and `over:pass`;
`alerts` and `answers` have none. `clock:account` is the night of an account that is ahead of everybody's time."""
MOST_SLICES = 10_000
FILES_KEPT = timedelta(days=90)
"""How long it is kept what a file of old cards said of people, of lines that nobody settled."""
SLICE = 1000
EXPIRY_SLICE = 100
"""Lots booked off in one transaction: a till that waits for one of these members waits a fraction of a second."""
TOLD_FOR = timedelta(days=30)
"""How long a phone that has not shown that it knows is told that its card is over. The last version names no service,
so that most phones which have it say nothing more, not even that they no longer hold the card."""
OVERDUE = timedelta(days=2)
"""What ran out that long ago has been left alone by a whole night."""
RAN_OUT, LEFT = "expire.lot", "expire.left"
"""Why a lot is booked off: its day has passed, or its member left and it had none."""
UNREADABLE = (WalletError, ValueError, LookupError, TypeError, AttributeError)
"""What reading a document may raise that this version of the product, or an unsound one, has left in the database."""
_AT = time(1, 30, tzinfo=UTC)
Place = TypeVar("Place")
_log = structlog.get_logger("upkeep")


def schedule(ctx: Context) -> None:
    """See to it that the nightly job stands, and say which certificates end soon; called when a worker starts."""
    with ctx.change() as tx:
        if not jobs.stands(tx, NIGHTLY, ALL):
            jobs.put(tx, [jobs.Put(NIGHTLY, ALL, jobs.SERVICE, next_night(ctx.now()))])
    certificate_days.warn(ctx)


def next_night(now: datetime) -> datetime:
    """When the next night is looked after."""
    tonight = datetime.combine(now.date(), _AT)
    return tonight if tonight > now else tonight + timedelta(days=1)


def nightly(ctx: Context, leases: Sequence[Lease]) -> None:
    """The beginning of a night, and each slice of the walks that it sets off.

    A slice is one transaction, which also puts the job of the next: no lease has to outlast a whole walk, and a crash
    resumes where it stood.
    """
    for lease in leases:
        walk, _, place = lease.key.partition(":")
        if walk == DAYS:
            day, _, after = place.partition(":")
            _sum_days(ctx, lease, date.fromisoformat(day), int(after))
        elif walk == EXPIRY:
            _expire(ctx, lease, int(place) if place else None)
        elif walk == COUPONS:
            _expire_coupons(ctx, lease)
        elif walk == OVER:
            _release_over(ctx, lease, int(place) if place else 0)
        elif walk == ALERTS:
            _forget_more(ctx, lease, _forget_alerts)
        elif walk == ANSWERS:
            _forget_more(ctx, lease, webhooks.forget)
        elif walk == CLOCK:
            run_due(ctx, int(place))
            with ctx.change() as tx:
                jobs.settle(tx, [lease])
        else:
            _night(ctx, lease)
    ctx.ring()


def _night(ctx: Context, lease: Lease) -> None:
    """Forget old rate windows and keys that nobody can go back to, say which certificates end soon, begin the sums
    of yesterday and the expiry; runs again tomorrow."""
    now = ctx.now()
    certificate_days.warn(ctx)
    letters.erase_old(ctx)
    with ctx.change() as tx:
        credentials.forget_previous(tx, now)
        limits.forget_windows(tx, int(now.timestamp()) // 60 - 60)
        one_time.forget(tx, now - timedelta(days=1))
        plastic.forget(tx, now - FILES_KEPT)
        pacing.forget(tx, int(now.timestamp()) - 60)
        issuers.forget_heard(tx, now)
        issuers.forget_numbers(tx, now - rotating.REMEMBERED)
        offline = applying.nudge(ctx, tx)
        more = [ALERTS] if _forget_alerts(tx, now) else []
        more += [ANSWERS] if webhooks.forget(tx, now) else []
        jobs.settle(tx, [lease], {lease.id: Again(next_night(now), lease.lane)})
        yesterday = now.date() - timedelta(days=1)
        ahead = [f"{CLOCK}:{account}" for account in clocks.everyone(tx)]
        keys = (_days_key(yesterday, 0), EXPIRY, COUPONS, OVER, *ahead, *more)
        walks = [Put(NIGHTLY, key, jobs.BULK, now) for key in keys]
        jobs.put(tx, [*walks, *offline, *holders.begin(ctx, tx), *reviewing.begin(ctx), *maturing.begin(ctx)])


def _forget_alerts(tx: Tx, now: datetime) -> bool:
    """Throw away a slice of the alerts that count for nothing any more; whether there may be others."""
    return alerts.forget(tx, now - 2 * alert_budget.WINDOW, SLICE) == SLICE


def _forget_more(ctx: Context, lease: Lease, forget: Callable[[Tx, datetime], bool]) -> None:
    now = ctx.now()
    with ctx.change() as tx:
        more = forget(tx, now)
        jobs.settle(tx, [lease], {lease.id: Again(now, lease.lane)} if more else {})


def _days_key(day: date, after: int) -> str:
    return f"{DAYS}:{day.isoformat()}:{after}"


def _sum_days(ctx: Context, lease: Lease, day: date, after: int) -> None:
    """What the days up to this one came to, a programme and at most a month at a time."""
    with ctx.change() as tx:
        programme = programmes.next_programme(tx, after)
        done = programme is None or book_days.sum_days(tx, programme, day)
        # The same slice again, as long as older days wait; its key stands already, so it is run again and not put.
        again = {} if done else {lease.id: Again(ctx.now(), lease.lane)}
        jobs.settle(tx, [lease], again)
        if programme is not None and done:
            jobs.put(tx, [Put(NIGHTLY, _days_key(day, programme), jobs.BULK, ctx.now())])


def _expire(ctx: Context, lease: Lease, after: int | None) -> None:
    now = ctx.now()
    with ctx.change() as tx:
        last = book_expired(ctx, tx, now, EXPIRY_SLICE, after)
        jobs.settle(tx, [lease])
        if last is not None:
            jobs.put(tx, [Put(NIGHTLY, f"{EXPIRY}:{last}", jobs.BULK, now)])


def _expire_coupons(ctx: Context, lease: Lease) -> None:
    now = ctx.now()
    with ctx.change() as tx:
        last = coupons.expire(tx, now)
        jobs.settle(tx, [lease])
        if last is not None:
            jobs.put(tx, [Put(NIGHTLY, f"{COUPONS}:{last}", jobs.BULK, now)])


def _release_over(ctx: Context, lease: Lease, after: int) -> None:
    """Cards that have long been over are no longer told to phones, whether these know or will never come again."""
    now = ctx.now()
    with ctx.change() as tx:
        found, last = devices.long_over(tx, now - TOLD_FOR, after, SLICE)
        if found:
            passes.lock_passes(tx, found)
            devices.release_all(tx, found, now - TOLD_FOR, now)
        jobs.settle(tx, [lease])
        if last is not None:
            jobs.put(tx, [Put(NIGHTLY, f"{OVER}:{last}", jobs.BULK, now)])


def book_expired(
    ctx: Context,
    tx: Tx,
    now: datetime,
    most: int = EXPIRY_SLICE,
    after: int | None = None,
    account_id: int | None = None,
) -> int | None:
    """Book off up to `most` lots that have run out, from beyond the lot `after`, and of one account if it is named; the
    last one looked at when there may be more.

    Each lot by an entry of its own, from the member to the breakage of the merchant that gave it, effective when the
    lot ran out, also of those who left: what they had is owed no longer than what others have. Locks the members in the
    order of their keys; a lot that another worker has booked off meanwhile is found empty and left alone. The cards
    follow without a sound, a tier that is lost by it too. A member whose programme cannot be read is left alone and
    named in the log (see `unbooked`); the others are booked.
    """
    found = expiry.lapsed(tx, now, most, after, account_id)
    tiers, gone = members.hold_all(tx, [one.member_id for one in found])
    _open_breakage(tx, found)
    holders = members.members_by_id(tx, list(tiers))
    moved: list[int] = []
    for key, own in groupby(sorted(found, key=lambda one: (one.member_id, one.expires_at, one.lot_id)), _holder):
        try:
            with expiry.apart(tx):
                posted = _book(tx, own, tiers[key], now)
                if posted and key not in gone:
                    standing.settle_tier(ctx, tx, ctx.programme(tx, holders[key].version_id), key, tiers[key], posted)
                    moved.append(key)
        except UNREADABLE as fault:
            holder, why = holders[key], f"{type(fault).__name__}: {fault}"[:300]
            _log.error("expiry skipped", member=holder.public_id, programme=holder.programme_public_id, why=why)
    cards.changed_many(tx, moved, (), now, pushed=ctx.pushed)
    return found[-1].lot_id if len(found) == most else None


def _holder(one: Lapsed) -> int:
    return one.member_id


def _open_breakage(tx: Tx, found: Sequence[Lapsed]) -> None:
    """In one order for everybody: two workers that open such accounts for the first time must not wait crosswise."""
    for programme_id, currency_id, merchant_id in sorted(
        {(one.programme_id, one.purse.currency_id, one.merchant_id) for one in found}
    ):
        ledger.contra_account(tx, programme_id, currency_id, merchant_id, ledger.BREAKAGE)


def _book(tx: Tx, own: Iterable[Lapsed], tier: str | None, now: datetime) -> list[Posted]:
    posted = (
        ledger.expire(
            tx,
            Booking(
                public_id=new_id("ent"),
                programme_id=one.programme_id,
                member_id=one.member_id,
                merchant_id=one.merchant_id,
                programme_version_id=one.programme_version_id,
                rule_id=one.rule_id,
                reason=LEFT if one.left else RAN_OUT,
                params={"entry": one.award, "earned_at": one.earned_at.isoformat()},
                state={"tier": tier},
                effective_at=one.expires_at,
                recorded_at=now,
            ),
            one.purse,
            one.lot_id,
        )
        for one in own
    )
    return [one for one in posted if one is not None]


def _expire_own(ctx: Context, account_id: int, now: datetime) -> None:
    _slices(ctx, lambda tx, after: book_expired(ctx, tx, now, EXPIRY_SLICE, after, account_id))


def _expire_own_coupons(ctx: Context, account_id: int, now: datetime) -> None:
    _slices(ctx, lambda tx, _: coupons.expire(tx, now, account_id=account_id))


def _review_own(ctx: Context, account_id: int, _now: datetime) -> None:
    with ctx.look() as tx:
        own = programmes.of_account(tx, account_id)
    for key in own:
        _slices(ctx, partial(_review_slice, ctx, key))


def _review_slice(ctx: Context, programme_id: int, tx: Tx, after: int | None) -> int | None:
    return reviewing.look(ctx, tx, programme_id, after or 0)


def _slices(ctx: Context, work: Callable[[Tx, Place | None], Place | None]) -> None:
    """A transaction for each slice, each from where the one before ended."""
    after: Place | None = None
    for _ in range(MOST_SLICES):
        with ctx.change() as tx:
            after = work(tx, after)
        if after is None:
            return


def _mature_own(ctx: Context, account_id: int, now: datetime) -> None:
    _slices(ctx, lambda tx, after: maturing.confirm_due(ctx, tx, now, account_id=account_id, after=after))


def _end_own_holds(ctx: Context, account_id: int, now: datetime) -> None:
    _slices(ctx, lambda tx, _: holding.lapse_due(ctx, tx, now, account_id=account_id) or None)


DUE: tuple[Callable[[Context, int, datetime], object], ...] = (
    *(_mature_own, _end_own_holds, _expire_own, _expire_own_coupons),
    *(maturing.warn_own, _review_own, applying.run_own),
)
"""What is due by time alone, for one account (its key) by its own time: each works all of it in transactions of its
own, and does no harm when it is run again. Whoever makes something else due by time adds it here."""


def run_due(ctx: Context, account_id: int) -> None:
    """Do what is due by time alone in an account that is ahead. The caller rings."""
    with ctx.look() as tx:
        offset = clocks.of_account(tx, account_id)
    with shifted(offset):
        for one in DUE:
            one(ctx, account_id, ctx.now())


def book_faults(ctx: Context) -> list[str]:
    """Sentences for everything in the books that does not add up; empty when they are true."""
    with ctx.look() as tx:
        return list(audit.faults(tx))


def unbooked(ctx: Context) -> list[str]:
    """Sentences for the programmes in which what has run out is not booked off, and why; empty when every night could.

    Not a fault of the books: they add up, but the members' cards show what is gone.
    """
    now, said = ctx.now(), []
    with ctx.look() as tx:
        for one in expiry.unbooked(tx, now):
            row = programmes.programme_by_id(tx, one.programme_id)
            try:
                ctx.programme(tx, row.version_id)
            except UNREADABLE as fault:
                why = f"its version {row.version} cannot be read ({type(fault).__name__}: {fault}). Publish a sound one"
            else:
                if one.since > now - OVERDUE:
                    continue
                why = "is `wallet-server run` or `worker` up? If so, its log says what it skipped"
            said.append(
                f"{row.name} ({row.public_id}): {one.lots} awards have run out, the first on {one.since:%d %B %Y}, and "
                f"are not booked off, among them those of {one.member}: {why}."
            )
    return said


def trial_balance(ctx: Context) -> list[audit.TrialLine]:
    """The sums of every kind of account; per currency they add up to zero."""
    with ctx.look() as tx:
        return audit.trial_balance(tx)
