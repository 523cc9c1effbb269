"""Owns the case of one card: all that the records know of it when somebody asks why a phone did not follow, and the
same on a time line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

Value = datetime | int | str

APNS = "apns"


@dataclass(frozen=True)
class Phone:
    """A device that holds the card: its kind of push, since when it holds the card, since when its pushes have been
    refused (None: they are not)."""

    kind: str
    since: datetime
    suspect_at: datetime | None


@dataclass(frozen=True)
class Work:
    """A job that waits for this card: when it is due, until when a vendor's answer holds it back and why, whether a
    worker has it in hand or it was given up."""

    due_at: datetime
    rest_until: datetime | None
    why: str
    leased: bool
    dead: bool


@dataclass(frozen=True)
class Served:
    """What is published of the card, what of it phones were told and what they have."""

    number: int
    of_version: int
    alert: str | None
    seen: int
    seen_at: datetime | None
    rung: int
    published_at: datetime
    last_modified: datetime
    pushed_at: datetime | None
    pushes: int
    pushes_since: datetime | None


@dataclass(frozen=True)
class Papers:
    """The certificate under which the card is signed and its phones are rung; `told_at` is when any phone last took a
    push under it, up to an hour too early."""

    pass_type: str
    not_before: datetime
    not_after: datetime
    told_at: datetime | None


@dataclass(frozen=True)
class News:
    """The announcement that was last decided for this member; `repeats`: the last that was shown says, to who holds
    this card, what the one before said."""

    decided_at: datetime
    outcome: str
    why: str | None
    ends_at: datetime
    recalled_at: datetime | None
    repeats: bool


@dataclass(frozen=True)
class Ground:
    """Why the card may come forward near a shop: places on the card, open stores with coordinates, whether the home
    store has closed, within how many metres (None: as the phone sees fit)."""

    on_card: int
    open_stores: int
    home_closed: bool
    metres: int | None


@dataclass(frozen=True)
class Said:
    """A line that a phone reported: `meaning` is the wallet's reading of it, `status` the HTTP status it names."""

    at: datetime
    meaning: str
    status: int | None
    line: str


@dataclass(frozen=True)
class Given:
    """A card that a vendor holds: whether somebody has it there (None: nobody said), since when or until when; what had
    to be left out of it, what the vendor has against its class; until when the day's alerts are spent, if so; and
    whether the newest version rang there: it may have gone silently though it was worth an alert."""

    held: bool | None
    saved_at: datetime | None
    removed_at: datetime | None
    note: str | None
    class_note: str | None
    silent_until: datetime | None
    rang: bool = True


@dataclass(frozen=True)
class Case:
    """All that the records know of one card, `at` one moment (UTC). `loud` are the changes that wait for an alert;
    `silent` is why a version without an alert was made ("recall", "expiry", "correction", "programme"; None where the
    records do not tell); `unreachable`: the public address of this service is none that phones reach; `push_kept`: how
    long the push service keeps a push for a phone that is off; `given`: a vendor holds the card, no phone registers;
    `coupon`: it is none, but a coupon beside one; `unsignable` is what keeps its published version from being
    signed, `unopened` what keeps this server from opening the secrets that go into it."""

    at: datetime
    state: str
    created_at: datetime
    replaced: bool
    left_at: datetime | None
    version: int
    loud: tuple[str, ...]
    quiet_until: datetime | None
    served: Served
    phones: tuple[Phone, ...]
    departed: tuple[datetime, str] | None
    refresh: Work | None
    ring: Work | None
    circuit: tuple[datetime, str] | None
    papers: Papers
    agreed: tuple[bool, datetime] | None
    ever_agreed: bool
    news: News | None
    silent: str | None
    ground: Ground
    said: tuple[Said, ...]
    tag_ahead: bool
    unreachable: bool
    push_kept: timedelta
    given: Given | None = None
    coupon: bool = False
    unsignable: str | None = None
    unopened: str | None = None


@dataclass(frozen=True)
class Event:
    """One moment of a card's life as the server knows it; `facts` fill its sentence. Those to come lie after now."""

    at: datetime
    code: str
    facts: Mapping[str, Value]


def timeline(case: Case) -> tuple[Event, ...]:
    """What the server knows, the oldest first."""
    return tuple(sorted((one for one in _moments(case) if one is not None), key=lambda one: one.at))


def _event(at: datetime | None, code: str, **facts: Value) -> Event | None:
    return None if at is None else Event(at, code, facts)


def _moments(case: Case) -> Iterator[Event | None]:
    served = case.served
    yield _event(case.created_at, "made")
    for phone in case.phones:
        yield _event(phone.since, "registered" if phone.kind == APNS else "registered-android")
        yield _event(phone.suspect_at, "refused")
    if case.given is not None:
        yield _event(case.given.saved_at, "saved")
        yield _event(case.given.removed_at, "unsaved")
    if case.departed is not None:
        why = case.departed[1]
        yield _event(case.departed[0], f"departed-{why}" if why in DEPARTURES else "departed")
    if served.number > 1:
        loud = served.alert and (case.given is None or case.given.rang)
        yield _event(served.published_at, "published-loud" if loud else "published", number=served.number)
    yield _event(served.pushed_at, "pushed", pushes=served.pushes)
    if served.seen:
        yield _event(served.seen_at, "fetched", number=served.seen)
    if case.agreed is not None:
        yield _event(case.agreed[1], "agreed" if case.agreed[0] else "declined")
    if case.news is not None:
        outcome = case.news.outcome
        yield _event(case.news.decided_at, f"news-{outcome}" if outcome in OUTCOMES else "news-skipped")
        yield _event(case.news.recalled_at, "news-recalled")
    yield _event(case.left_at, "left")
    for said in case.said:
        yield _event(said.at, "said", line=said.line)
    for work, code in ((case.refresh, "next-version"), (case.ring, "next-ring")):
        if work is not None and not work.dead and work.due_at > case.at:
            yield _event(work.due_at, code)


DEPARTURES = ("removed", "gone", "refused", "evicted", "over")
OUTCOMES = ("shown", "waiting", "skipped")
