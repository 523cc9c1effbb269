"""Owns what the people who announce are shown: where they may write, what phones make of a text, who received it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from wallet_server.actions.announcing import offers
from wallet_server.actions.announcing.offers import Foretold
from wallet_server.actions.context import Context
from wallet_server.actions.people import journal
from wallet_server.errors import Invalid
from wallet_server.records import parties
from wallet_server.records.announcing import announcements, class_messages, reception
from wallet_server.records.announcing.announcements import AnnouncementRow
from wallet_server.records.announcing.class_messages import ClassMessage
from wallet_server.records.database import Tx
from wallet_server.records.people import members
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.rules.programme.program import Programme

PAGE = 50
NEWEST = 20
GROUPS = (
    ("taken", ("rang", "silent")),
    ("coming", ("sending", "unanswered")),
    ("later", ("waiting:quiet-hours", "waiting:per-day", "waiting:per-week")),
    (
        "untold",
        (
            "no-phone",
            "unringable",
            "replaced",
            "recalled",
            "over",
            "waiting:recalled",
            "waiting:over",
            "skipped:no-consent",
            "skipped:not-reachable",
            "skipped:announcing-off",
        ),
    ),
)
"""Every standing, in the order in which it is told."""
KNOWN = frozenset(code for _, codes in GROUPS for code in codes)


@dataclass(frozen=True)
class Column:
    """A programme in which one may announce: its zone is that of the merchant's first store."""

    public_id: str
    name: str
    programme: Programme
    zone: str


@dataclass(frozen=True)
class Item:
    """An announcement with how far it came: members asked of the whole audience, shown, and fetched by a phone.

    `standings` says for how many it stands how (see `reception`); `to_ask` is the audience before the walk is
    through, else those asked. `alone`: it is for one member, who is `called` that, if the shop knows. `everybody`:
    where it goes, or may go, as one message to all.
    """

    public_id: str
    programme: Programme
    zone: str
    texts: Mapping[str, str]
    tier: str | None
    alone: bool
    state: str
    created_at: datetime
    confirmed_at: datetime | None
    ends_at: datetime
    over: bool
    asked: int
    shown: int
    fetched: int
    to_ask: int
    standings: Mapping[str, int]
    called: str | None = None
    everybody: tuple[ClassMessage, ...] = ()


@dataclass(frozen=True)
class Addressee:
    """A member in a list: how the shop may call them, and when a phone took the announcement."""

    public_id: str
    card: str
    fetched_at: datetime | None


def columns(ctx: Context, scope: Scope) -> list[Column]:
    """The merchant's published programmes, oldest first."""
    with ctx.look() as tx:
        zone = _zone(tx, scope)
        return [
            Column(row.public_id, row.name, ctx.programme(tx, row.version_id), zone)
            for row in programmes.programmes_of(tx, scope)
            if row.version_id
        ]


def zone_of(ctx: Context, scope: Scope) -> str:
    """The zone in which a merchant's people read times: that of the first store."""
    with ctx.look() as tx:
        return _zone(tx, scope)


def _zone(tx: Tx, scope: Scope) -> str:
    stores = parties.stores_of(tx, scope)
    return stores[0].zone if stores else scope.zone


def end_of(day: str, zone: str) -> datetime:
    """The end of a day as a form gives it (YYYY-MM-DD), in a zone, as UTC. Raises `Invalid` (`bad-date`)."""
    try:
        wanted = date.fromisoformat(day)
        end = datetime.combine(wanted + timedelta(days=1), time(), ZoneInfo(zone))
        return end.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid("Choose the last day on which it is to be shown.", code="bad-date", field="ends") from None


def item(ctx: Context, scope: Scope, public_id: str) -> Item:
    """One of the merchant's announcements, with everybody's standing. Raises `NotFound`."""
    with ctx.look() as tx:
        row = announcements.announcement_in(tx, scope, public_id)
        drafted = row.state == announcements.DRAFT
        standings = {} if drafted else reception.standings(tx, row, ctx.now())
        audience = reception.audience(tx, row)
        asked, shown, fetched = reception.results(tx, scope, [row.id]).get(row.id, (0, 0, 0))
        walking = row.state == announcements.CONFIRMED
        programme = ctx.programme(tx, programmes.programme_by_id(tx, row.programme_id).version_id)
        zone = _zone(tx, scope)
        one = row.audience_member_id
        called = members.first_names(tx, [one]).get(one) if one is not None else None
        together = tuple(class_messages.of(tx, row.id))
    to_ask = max(asked, audience) if walking or drafted else asked
    found = _item(row, programme, zone, ctx.now(), (asked, shown, fetched), to_ask, standings)
    return replace(found, called=called, everybody=together)


def _item(
    row: AnnouncementRow,
    programme: Programme,
    zone: str,
    now: datetime,
    results: tuple[int, int, int],
    to_ask: int,
    standings: Mapping[str, int],
) -> Item:
    return Item(
        row.public_id,
        programme,
        zone,
        row.texts,
        row.audience_tier,
        row.audience_member_id is not None,
        row.state,
        row.created_at,
        row.confirmed_at,
        row.ends_at,
        row.ends_at <= now,
        *results,
        to_ask,
        standings,
    )


def past(ctx: Context, scope: Scope) -> list[Item]:
    """The merchant's newest announcements, drafts too."""
    with ctx.look() as tx:
        rows = announcements.announcements_of(tx, scope, NEWEST)
        results = reception.results(tx, scope, [row.id for row in rows])
        zone = _zone(tx, scope)
        versions = {key: programmes.programme_by_id(tx, key).version_id for key in {row.programme_id for row in rows}}
        known = {key: ctx.programme(tx, version) for key, version in versions.items()}
    return [
        _item(row, known[row.programme_id], zone, ctx.now(), (found := results.get(row.id, (0, 0, 0))), found[0], {})
        for row in rows
    ]


def last_texts(ctx: Context, scope: Scope) -> Mapping[str, str]:
    """What the newest announcement that went out says: a phone does not light up for the same words again."""
    with ctx.look() as tx:
        rows = announcements.announcements_of(tx, scope, NEWEST)
    sent = (row.texts for row in rows if row.state in (announcements.CONFIRMED, announcements.DONE))
    return next(sent, {})


def addressees(
    ctx: Context, scope: Scope, public_id: str, standing: str, after: int
) -> tuple[list[Addressee], int | None]:
    """A page of the members of one standing, and the key to go on after (None at the end)."""
    with ctx.look() as tx:
        row = announcements.announcement_in(tx, scope, public_id)
        found = reception.received(tx, row, standing, after, PAGE + 1, ctx.now())
        shown = found[:PAGE]
        names = journal.card_names(ctx, tx, [one.member_id for one in shown])
    people = [Addressee(one.public_id, names.get(one.member_id, ""), one.fetched_at) for one in shown]
    return people, shown[-1].member_id if len(found) > PAGE else None


def counted(ctx: Context, scope: Scope, public_id: str) -> Foretold:
    """The dry run, and how long it will take."""
    return offers.foretell(ctx, scope, public_id)
