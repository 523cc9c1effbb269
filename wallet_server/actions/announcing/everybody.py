"""Owns announcements that go to everybody who has a card with a vendor as one message, where that is the same to all.

An announcement goes to those who agreed, in their hours and not too often. So the members are asked first; only where
each of those who have a card of one issuer is to be told now does one message stand for a change of each card. While
they are asked, cards of that issuer do not show the text; where it turns out that somebody is not to be told, it goes
card by card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from wallet_server.actions.context import Context
from wallet_server.actions.passes import cards
from wallet_server.records import jobs, limits
from wallet_server.records.announcing import announcements, class_messages
from wallet_server.records.announcing.announcements import CONFIRMED, DONE, SHOWN, WAITING, AnnouncementRow
from wallet_server.records.announcing.class_messages import ASKING, CARDS, GOING, RECALLED, TOLD, ClassMessage
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Lease, Put, Rest
from wallet_server.records.passes import alerts, passes
from wallet_server.records.programme import programmes
from wallet_server.records.vendors import credentials
from wallet_server.rules.announcing import alert_budget, campaigns, personal
from wallet_server.wallets.port import Audience, Later, Message, NotOffered, Refused, Verdict


@dataclass(frozen=True)
class Through:
    """What telling cards that are pushed will take: how many, as one message or one by one, in how many seconds (of the
    slowest issuer) from its beginning on, and how many of them are told before the announcement is over; `silent`: one
    message, but it rings nobody, because the day's alerts are spent."""

    cards: int
    together: bool
    seconds: float
    in_time: int
    silent: bool = False


TELL, ONE_BY_ONE = "announce-everybody", "announce-cards"
"""Kinds of jobs; their keys are announcement and set, of the latter with the last card."""
SLICE = 500
REFUSED_REST = timedelta(minutes=15)
TURN_REST, IN_TURN = timedelta(seconds=1), "Another message to everybody is on its way; this one follows."
SPENT = "The three alerts of these 24 hours were spent: it went silently."


def issuers(ctx: Context, tx: Tx, row: AnnouncementRow) -> list[int]:
    """Of which sets an announcement may be one message, as things stand. It looks at every card: not for a transaction
    that writes."""
    wallets = [name for name in ctx.wallets if ctx.pushes(name)]
    if not wallets or not _alike(row):
        return []
    sets = class_messages.issuers(tx, row.programme_id, wallets)
    return [one for one in sets if not class_messages.anyone_apart(tx, row.programme_id, one)]


def begin(ctx: Context, tx: Tx, row: AnnouncementRow, sets: Sequence[int]) -> None:
    """An announcement was confirmed: it may be one message of these `issuers`."""
    class_messages.ask(tx, row.id, sets, ctx.now())


def decide(ctx: Context, tx: Tx, row: AnnouncementRow) -> None:
    """The members were asked, all of them or those whose time had come: whether it is one message is a job's to see."""
    asking = [one for one in class_messages.of(tx, row.id) if one.state == ASKING]
    jobs.put(tx, [Put(TELL, f"{row.id}:{one.credential_set_id}", jobs.SERVICE, ctx.now()) for one in asking])


def _judge(ctx: Context, announcement_id: int, set_id: int) -> None:
    """Decide of an announcement of which all members were asked. Where everybody waits, as in the night, it stays
    open. Every card is looked at, so the transaction that writes is another one."""
    with ctx.look() as tx:
        row, now = announcements.announcement(tx, announcement_id), ctx.now()
        message = next((one for one in class_messages.of(tx, row.id) if one.credential_set_id == set_id), None)
        if message is None or message.state != ASKING or row.state != DONE:
            return
        found = class_messages.outcomes(tx, row.id, row.programme_id, set_id) - {""}
        apart = class_messages.anyone_apart(tx, row.programme_id, set_id)
        if found == {WAITING} and not apart:
            return
        whole = found == {SHOWN} and not apart and not _budget(ctx, tx, row, set_id, now).by_card
    with ctx.change() as tx:
        if class_messages.move(tx, message, GOING if whole else CARDS, now) and not whole:
            jobs.put(tx, [Put(ONE_BY_ONE, f"{row.id}:{set_id}:0", jobs.BULK, now)])


@dataclass(frozen=True)
class _Budget:
    """What the alerts that were raised leave of one message to all of a set: whether it rings, and whether it had
    better go by card, because only some have had their three and it is soon through: then all the others are rung."""

    rings: bool
    by_card: bool


def _budget(ctx: Context, tx: Tx, row: AnnouncementRow, set_id: int, now: datetime) -> _Budget:
    since, this = now - alert_budget.WINDOW, row.public_id
    many, spent = class_messages.spent(tx, row.programme_id, set_id, since, alert_budget.MOST, this)
    to_all = alerts.spent_by_class(tx, row.programme_id, set_id, since, this)
    soon = campaigns.seconds(campaigns.Work(many), 0, ctx.settings.google_requests_per_second)
    return _Budget(
        spent == 0 and alert_budget.left(to_all, "message", now) > 0,
        0 < spent < many and soon <= campaigns.SOON_SECONDS,
    )


class Load:
    """Adds up, slice by slice, what an announcement will take of each issuer."""

    def __init__(self, ctx: Context, row: AnnouncementRow) -> None:
        self._ctx, self._row = ctx, row
        self._wallets = [name for name in ctx.wallets if ctx.pushes(name)]
        self._work: dict[int, campaigns.Work] = {}

    def add(self, tx: Tx, member_ids: Sequence[int], now: datetime) -> None:
        """These members would be told now."""
        given = class_messages.given_cards(tx, member_ids, self._wallets)
        spent = alerts.spent(tx, [one.pass_id for one in given], now - alert_budget.WINDOW) if given else {}
        for one in given:
            silent = alert_budget.left(spent.get(one.pass_id, ()), "news", now) == 0
            before = self._work.get(one.credential_set_id, campaigns.Work(0))
            self._work[one.credential_set_id] = campaigns.Work(
                before.cards + 1,
                before.with_news + int(one.shows_news and not silent),
                before.silent + int(silent),
            )

    def through(self, tx: Tx, *, together: bool) -> Through | None:
        """All of it; `together`: nobody of the audience waits or is left out. None where no card is pushed."""
        if not self._work:
            return None
        row, now, rate = self._row, self._ctx.now(), float(self._ctx.settings.google_requests_per_second)
        asked = {one: _budget(self._ctx, tx, row, one, now) for one in self._work} if together and _alike(row) else {}
        whole = {one: budget for one, budget in asked.items() if not budget.by_card}
        if len(whole) == len(self._work):
            silent = not all(budget.rings for budget in whole.values())
            return Through(self._cards(), True, 1 / rate, self._cards(), silent)
        longest, in_time = 0.0, 0
        for set_id, work in self._work.items():
            if set_id in whole:
                longest, in_time = max(longest, 1 / rate), in_time + work.cards
                continue
            waiting = class_messages.waiting(tx, set_id, now + timedelta(minutes=1))
            longest = max(longest, campaigns.seconds(work, waiting, rate))
            in_time += campaigns.in_time(work, waiting, rate, (row.ends_at - now).total_seconds())
        return Through(self._cards(), False, longest, in_time)

    def _cards(self) -> int:
        return sum(one.cards for one in self._work.values())


def _alike(row: AnnouncementRow) -> bool:
    """Whether it says the same to everybody."""
    if row.audience_tier is not None or row.audience_member_id is not None:
        return False
    return not any(personal.names(text) for text in row.texts.values())


def recall(ctx: Context, tx: Tx, row: AnnouncementRow) -> None:
    """An announcement was recalled: take the messages back, those too of which nobody knows whether they went."""
    told = [one for one in class_messages.of(tx, row.id) if one.state in (GOING, TOLD)]
    jobs.put(tx, [Put(TELL, f"{row.id}:{one.credential_set_id}", jobs.SERVICE, ctx.now()) for one in told])


def tell(ctx: Context, leases: Sequence[Lease]) -> None:
    """Decide of these messages, send them, or take them back; with no transaction open while the vendor is asked."""
    for lease in leases:
        announcement_id, _, set_id = lease.key.partition(":")
        _carry(ctx, lease, int(announcement_id), int(set_id), leases)
    ctx.ring()


@dataclass(frozen=True)
class _Errand:
    """What is to be done of a message, whether it may ring and was counted as such before, and until when the issuer
    rests, or another message goes first."""

    row: AnnouncementRow
    message: ClassMessage
    audience: Audience
    wallet: str
    organisation: str
    languages: Sequence[str]
    notify: bool
    counted: bool
    resting: tuple[datetime, str] | None


def _errand(ctx: Context, tx: Tx, announcement_id: int, set_id: int) -> _Errand | None:
    row = announcements.announcement(tx, announcement_id)
    message = next((one for one in class_messages.of(tx, row.id) if one.credential_set_id == set_id), None)
    now = ctx.now()
    sending = row.state in (CONFIRMED, DONE) and row.ends_at > now
    wanted = (GOING,) if sending else (GOING, TOLD) if row.state == announcements.RECALLED else ()
    if message is None or message.state not in wanted:
        return None
    issuer = credentials.credential_set(tx, set_id)
    programme = programmes.programme_by_id(tx, row.programme_id)
    says = ctx.programme(tx, programme.version_id)
    before = alerts.class_spent_at(tx, row.programme_id, set_id, row.public_id)
    # What was counted a while ago may have rung, and whoever rang a card since then counted with it.
    counted = before is not None and before > now - alert_budget.WINDOW
    return _Errand(
        row,
        message,
        Audience(set_id, programme.public_id),
        issuer.wallet,
        says.organisation,
        says.languages,
        sending and (counted or _budget(ctx, tx, row, set_id, now).rings),
        counted,
        limits.open_circuits(tx, now).get(f"{issuer.wallet}:{set_id}"),
    )


def _carry(ctx: Context, lease: Lease, announcement_id: int, set_id: int, mine: Sequence[Lease]) -> None:
    _judge(ctx, announcement_id, set_id)
    with ctx.look() as tx:
        errand, now = _errand(ctx, tx, announcement_id, set_id), ctx.now()
        # Of two who change one list of messages at the same time the later takes the other's away.
        if errand is not None and class_messages.under_way(tx, TELL, set_id, lease, mine, now):
            errand = replace(errand, resting=(now + TURN_REST, IN_TURN))
    if errand is None or errand.wallet not in ctx.wallets:
        with ctx.change() as tx:
            jobs.settle(tx, [lease])
        return
    if errand.resting is None and errand.notify:
        errand = _counted(ctx, errand)
    verdict = _said(ctx, errand) if errand.resting is None else None
    with ctx.change() as tx:
        now = ctx.now()
        if errand.notify and not errand.counted and isinstance(verdict, Refused | NotOffered):
            alerts.unspend_class(tx, errand.row.programme_id, set_id, errand.row.public_id)
        rests = {}
        if verdict is None and errand.resting is not None:
            rests = {lease.id: Rest(*errand.resting)}
        elif isinstance(verdict, Later):
            rests = {lease.id: Rest(now + timedelta(seconds=verdict.seconds), verdict.why)}
        elif isinstance(verdict, Refused):
            rests = {lease.id: Rest(now + REFUSED_REST, verdict.why)}
        elif verdict is not None:
            _note(tx, errand, verdict, now)
        jobs.settle(tx, [lease], rests=rests)


def _counted(ctx: Context, errand: _Errand) -> _Errand:
    """Count its alert before it is sent, unless another message has taken the last one meanwhile."""
    row, set_id = errand.row, errand.message.credential_set_id
    with ctx.change() as tx:
        now = ctx.now()
        programmes.lock_programme(tx, row.programme_id)
        to_all = alerts.spent_by_class(tx, row.programme_id, set_id, now - alert_budget.WINDOW, row.public_id)
        if not errand.counted and alert_budget.left(to_all, "message", now) == 0:
            return replace(errand, notify=False)
        alerts.spend_class(tx, row.programme_id, set_id, row.public_id, now)
        return errand


def _said(ctx: Context, errand: _Errand) -> Verdict:
    row, wallet = errand.row, ctx.wallets[errand.wallet]
    if row.state == announcements.RECALLED:
        return wallet.untell(errand.audience, row.public_id)
    # The programme's first language before the others: it is shown to whoever reads none of them.
    texts = {tag: row.texts[tag] for tag in errand.languages if tag in row.texts} or row.texts
    header = dict.fromkeys(texts, errand.organisation)
    return wallet.tell(errand.audience, Message(row.public_id, header, texts, row.ends_at, errand.notify))


def _note(tx: Tx, errand: _Errand, verdict: Verdict, now: datetime) -> None:
    """The vendor took it. One that knows no such messages gets the cards."""
    row, message = errand.row, errand.message
    if isinstance(verdict, NotOffered):
        class_messages.move(tx, message, CARDS, now)
        jobs.put(tx, [Put(ONE_BY_ONE, f"{row.id}:{message.credential_set_id}:0", jobs.BULK, now)])
    elif row.state == announcements.RECALLED:
        class_messages.move(tx, message, RECALLED, now)
    else:
        class_messages.move(tx, message, TOLD, now, alerted=errand.notify, why=None if errand.notify else SPENT)


def one_by_one(ctx: Context, leases: Sequence[Lease]) -> None:
    """A slice of the cards that are to show an announcement after all: they are told again, with it."""
    for lease in leases:
        announcement_id, set_id, after = (int(part) for part in lease.key.split(":"))
        with ctx.change() as tx:
            row = announcements.lock(tx, announcement_id)
            keys: list[int] = []
            if row.state in (CONFIRMED, DONE) and row.ends_at > ctx.now():
                keys = class_messages.cards_after(tx, row.id, set_id, SHOWN, after, SLICE)
            for key in keys:
                passes.ring_again(tx, key, new_tag=False)
            puts = [Put(cards.REFRESH, str(key), jobs.BULK, ctx.now()) for key in keys]
            if len(keys) == SLICE:
                puts.append(Put(ONE_BY_ONE, f"{row.id}:{set_id}:{keys[-1]}", jobs.BULK, ctx.now()))
            jobs.put(tx, puts)
            jobs.settle(tx, [lease])
    ctx.ring()
