"""Owns the pass doctor: why did this phone not update, why was nothing shown; from what the server knows of one card.

It changes nothing and asks nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from wallet_server.actions.context import Context
from wallet_server.actions.operating import doctor
from wallet_server.actions.passes import cards, pushed
from wallet_server.actions.vendors import credentials as vault
from wallet_server.errors import Misconfigured
from wallet_server.records import clocks, limits, parties
from wallet_server.records.announcing.announcements import SHOWN
from wallet_server.records.database import Tx
from wallet_server.records.passes import alerts, diagnosis, passes
from wallet_server.records.passes.diagnosis import Copy, Heard, Holder, Waiting, Whose
from wallet_server.records.passes.passes import Publication
from wallet_server.records.people import members
from wallet_server.records.people.members import PROMOTIONS
from wallet_server.records.purse import coupons
from wallet_server.records.scope import Scope
from wallet_server.records.vendors import credentials, vendors
from wallet_server.records.vendors.vendors import ClassKey
from wallet_server.rules.announcing import alert_budget
from wallet_server.rules.passes.card import ALERT_ORDER, card_from_json
from wallet_server.rules.passes.case import (
    Case,
    Event,
    Given,
    Ground,
    News,
    Papers,
    Phone,
    Said,
    Served,
    Work,
    timeline,
)
from wallet_server.rules.passes.diagnosis import Diagnosis, diagnose
from wallet_server.wallets.apple import phone_lines
from wallet_server.wallets.apple.checking import card_faults

MOST_COPIES = 5
MOST_LINES = 50
MOST_HEARD = 10
MOST_DEVICES_NAMED = 10
SOUND_NAME = 16
SHORTEST_NAME = 8
LINES_KEPT = timedelta(days=14)
CAUSE = timedelta(days=1)
"""How long before a version its cause may lie: a wave over all cards takes its time."""


@dataclass(frozen=True)
class Examined:
    """One copy of a member's card: what the server knows of it on a time line, and what is to be said of it."""

    pass_id: str
    state: str
    created_at: datetime
    diagnoses: tuple[Diagnosis, ...]
    timeline: tuple[Event, ...]


@dataclass(frozen=True)
class Chart:
    """A member with the copies of their card, the valid ones before the others, the newest first."""

    member: str
    at: datetime
    cards: tuple[Examined, ...]


def examine(ctx: Context, scope: Scope, member: str) -> Chart:
    """For the merchant: a member of their own. Raises `NotFound` for a stranger's."""
    with ctx.look() as tx:
        return _chart(ctx, tx, members.member_by_public(tx, scope, member).id)


def examine_any(ctx: Context, public_id: str) -> Chart:
    """For the operator: whom a member's id names, or the one copy that a pass's id names. Raises `NotFound`."""
    with ctx.look() as tx:
        chart = _chart(ctx, tx, diagnosis.member_behind(tx, public_id))
    named = tuple(card for card in chart.cards if card.pass_id == public_id)
    return Chart(chart.member, chart.at, named or chart.cards)


def _chart(ctx: Context, tx: Tx, member_id: int) -> Chart:
    """In everybody's time, by which phones are rung and certificates end, however far ahead the account's clock is."""
    with ctx.times.of_member(tx, member_id):
        ahead = clocks.ahead()
    with clocks.shifted(timedelta(0)):
        return _examined(ctx, tx, member_id, ahead)


def _examined(ctx: Context, tx: Tx, member_id: int, ahead: timedelta) -> Chart:
    whose, now = diagnosis.whose(tx, member_id), ctx.now()
    found = diagnosis.copies(tx, member_id, MOST_COPIES)
    served = passes.published(tx, [copy.id for copy in found])
    alive = {copy.id for copy in found if copy.state == passes.ACTIVE}
    slips = coupons.of_passes(tx, [copy.id for copy in found])
    # A card is replaced by a card: coupons stand beside it.
    cards = alive - slips.keys()
    examined = []
    for copy in found:
        case = _case(ctx, tx, whose, copy, served[copy.id], bool(cards - {copy.id}), now, ahead)
        case = replace(case, coupon=copy.id in slips)
        examined.append(Examined(copy.public_id, copy.state, copy.created_at, diagnose(case), timeline(case)))
    return Chart(whose.public_id, now, tuple(examined))


def _case(
    ctx: Context,
    tx: Tx,
    whose: Whose,
    copy: Copy,
    served: Publication,
    others: bool,
    now: datetime,
    ahead: timedelta,
) -> Case:
    held = diagnosis.holders(tx, copy.id)
    jobs = diagnosis.waiting(tx, copy.id)
    consent = members.consents_of(tx, whose.id).get(PROMOTIONS)
    heard = diagnosis.heard(tx, whose.id, MOST_HEARD)
    return Case(
        at=now,
        state=copy.state,
        created_at=copy.created_at,
        replaced=others,
        left_at=whose.left_at,
        version=copy.version,
        loud=tuple(facet for n, facet in enumerate(ALERT_ORDER) if copy.loud & 1 << n),
        quiet_until=copy.quiet_until,
        served=_served(served),
        phones=tuple(Phone(one.push_kind, one.since, one.suspect_at) for one in held),
        departed=diagnosis.departure(tx, copy.id),
        refresh=_work(jobs.get("refresh"), now),
        ring=_work(jobs.get("ring"), now),
        circuit=limits.open_circuits(tx, now).get(f"{copy.wallet}:{copy.credential_set_id}"),
        papers=Papers(copy.pass_type, *diagnosis.papers(tx, copy.credential_set_id)),
        agreed=None if consent is None else (consent[0], consent[1]),
        ever_agreed=diagnosis.ever_agreed(tx, whose.id, PROMOTIONS),
        news=_news(whose, served, heard, ahead),
        silent=_silent(tx, whose, served, heard, ahead),
        ground=_ground(tx, whose, served),
        said=_said(tx, copy, held, now),
        tag_ahead=served.tag is not None and served.tag > passes.newest_tag(tx, copy.pass_type),
        unreachable=any(one.level == "error" for one in doctor.public_address(ctx.settings)),
        push_kept=timedelta(hours=ctx.settings.apns_expiration_hours),
        given=_given(tx, whose, copy, served, now) if ctx.pushes(copy.wallet) else None,
        unsignable=None if ctx.pushes(copy.wallet) else _unsignable(ctx, served),
        unopened=None if ctx.pushes(copy.wallet) else _unopened(ctx, tx, copy, served),
    )


def _unsignable(ctx: Context, served: Publication) -> str | None:
    """The first thing that keeps what is published from being signed, however it came to be published."""
    card = card_from_json(served.card)
    try:
        design = ctx.designs.get(card.design, card.design_version)
    except Misconfigured as fault:
        return fault.sentence
    return next((one.sentence for one in card_faults(card, design, cards.alert_of(served.alert))), None)


def _unopened(ctx: Context, tx: Tx, copy: Copy, served: Publication) -> str | None:
    """The first secret of a valid card that this server cannot open: whoever fetches it is turned away."""
    if copy.state != passes.ACTIVE:
        return None
    (row,) = passes.passes_by_id(tx, [copy.id])
    try:
        vault.private_key(ctx, credentials.credential_set(tx, copy.credential_set_id))
        cards.identity(ctx, tx, row)
        cards.card(ctx, tx, row, served)
    except Misconfigured as fault:
        return fault.sentence
    return None


def _given(tx: Tx, whose: Whose, copy: Copy, served: Publication, now: datetime) -> Given:
    """What a vendor says of a card, or of a coupon, that it holds, and what was sent there of alerts."""
    said = vendors.holdings(tx, [copy.id]).get(copy.id)
    slip = coupons.of_passes(tx, [copy.id]).get(copy.id)
    subject = passes.CARD if slip is None else pushed.subject_of(slip)
    above = vendors.class_of(tx, ClassKey(whose.programme_id, copy.credential_set_id, subject))
    spent = sorted(alerts.spent(tx, [copy.id], now - alert_budget.WINDOW).get(copy.id, ()))
    over = len(spent) >= alert_budget.MOST
    since = alerts.spent(tx, [copy.id], served.published_at - timedelta(microseconds=1)).get(copy.id, ())
    return Given(
        None if said is None else said.held,
        None if said is None else said.saved_at,
        None if said is None or said.held else said.removed_at,
        None if said is None else said.note,
        above.note,
        spent[-alert_budget.MOST] + alert_budget.WINDOW if over else None,
        rang=bool(since),
    )


def _said(tx: Tx, copy: Copy, held: Sequence[Holder], now: datetime) -> tuple[Said, ...]:
    """What phones reported of this copy, newest first, without what is not for the reader: the name of a device opens
    the list of all its cards, and other cards may be another shop's."""
    mine = [one.library_id for one in held]
    lines = diagnosis.lines(tx, copy.id, copy.serial, mine[:MOST_DEVICES_NAMED], now - LINES_KEPT, 2 * MOST_LINES)
    words = {word for _, line in lines for word in phone_lines.names(line) if len(word) >= SHORTEST_NAME}
    serials = diagnosis.serials_among(tx, words)
    secrets = serials | diagnosis.devices_among(tx, words) | set(mine)
    said = []
    for at, line in lines:
        if _is_about(line, copy, mine, serials):
            read = phone_lines.read(line)
            said.append(Said(at, read.meaning, read.status, phone_lines.veiled(line, copy.serial, secrets)))
    return tuple(said[:MOST_LINES])


def _is_about(line: str, copy: Copy, library_ids: Sequence[str], serials: Collection[str]) -> bool:
    """Whether a line is about this copy: it names its serial number; or it names no pass, and a device that holds the
    copy by its whole name, which must be long enough to be nobody else's."""
    words = phone_lines.names(line)
    if copy.serial in words:
        return True
    if phone_lines.serials(line) or not words.isdisjoint(serials):
        return False
    return any(name in words for name in library_ids if len(name) >= SOUND_NAME)


def _served(row: Publication) -> Served:
    return Served(
        row.number,
        row.of_version,
        row.alert,
        row.seen,
        row.seen_at,
        row.rung,
        row.published_at,
        row.last_modified,
        row.pushed_at,
        row.pushes,
        row.pushes_since,
    )


def _work(job: Waiting | None, now: datetime) -> Work | None:
    if job is None:
        return None
    leased = job.leased_until is not None and job.leased_until > now
    return Work(job.due_at, job.rest_until, job.why, leased, job.dead)


def _news(whose: Whose, served: Publication, heard: Sequence[Heard], ahead: timedelta) -> News | None:
    if not heard:
        return None
    last, repeats = heard[0], _repeats(whose, served, [one for one in heard if one.outcome == SHOWN])
    return News(last.decided_at, last.outcome, last.why, last.ends_at - ahead, last.recalled_at, repeats)


def _repeats(whose: Whose, served: Publication, shown: Sequence[Heard]) -> bool:
    """Whether the last announcement that was shown reads on this card as the one before did, which stood there until
    then. A phone shows one language: the member's, where the card has it; else whichever, and all must be alike."""
    if len(shown) < 2 or served.news not in (shown[0].public_id, shown[1].public_id):
        return False
    last, before = shown[:2]
    if _end(before, timedelta(0))[0] <= last.decided_at:
        return False
    languages = card_from_json(served.card).languages
    read = [whose.language] if whose.language in languages else languages
    return all(_in(last.texts, tag, languages[0]) == _in(before.texts, tag, languages[0]) for tag in read)


def _in(texts: Mapping[str, str], language: str, first: str) -> str | None:
    """What a card says in this language: what was not written in it, it says in the programme's first."""
    return texts.get(language) or texts.get(first)


_BOOKED = {"reverse": "correction", "expire": "expiry"}
_OF_VOUCHERS = {"expired": "expiry"}


def _silent(tx: Tx, whose: Whose, served: Publication, heard: Sequence[Heard], ahead: timedelta) -> str | None:
    """What made a version that rings for nobody: the last thing that happened before it, if that is kept. A programme
    is blamed where nothing that is this member's own happened since it was published."""
    if served.alert is not None:
        return None
    booked, voucher = diagnosis.last_booking(tx, whose.id), diagnosis.last_of_vouchers(tx, whose.id)
    causes: list[tuple[datetime | None, str]] = [
        (diagnosis.version_published_at(tx, served.programme_version_id), "programme"),
        (diagnosis.tier_since(tx, whose.id), ""),
        (voucher[0] if voucher else None, _OF_VOUCHERS.get(voucher[1], "") if voucher else ""),
        (booked[0] if booked else None, _BOOKED.get(booked[1], "") if booked else ""),
    ]
    causes += _gone([one for one in heard if one.outcome == SHOWN], ahead)
    happened = [(at, why) for at, why in causes if at is not None and timedelta(0) <= served.published_at - at <= CAUSE]
    return (max(happened, key=lambda one: one[0])[1] or None) if happened else None


def _gone(shown: Sequence[Heard], ahead: timedelta) -> list[tuple[datetime, str]]:
    """When announcements left the card, and why; those that a later one had taken the place of are left out."""
    spans = [(one.decided_at, *_end(one, ahead)) for one in shown]
    return [
        (end, why)
        for n, (_, end, why) in enumerate(spans)
        if not any(begun <= end < later for begun, later, _ in spans[:n])
    ]


def _end(one: Heard, ahead: timedelta) -> tuple[datetime, str]:
    ends_at = one.ends_at - ahead
    return (ends_at, "expiry") if one.recalled_at is None or ends_at < one.recalled_at else (one.recalled_at, "recall")


def _ground(tx: Tx, whose: Whose, served: Publication) -> Ground:
    card = card_from_json(served.card)
    stores = parties.stores_of_programme(tx, whose.programme_id)
    located = sum(one.latitude is not None and one.longitude is not None for one in stores)
    return Ground(len(card.places), located, whose.home_closed, card.max_distance_metres)
