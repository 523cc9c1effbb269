"""Owns whether a gesture fits a member now and what is left of its budgets, and what the till is told to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from wallet_server.rules.baskets.occasions import WEEKDAYS, local
from wallet_server.rules.conditions import conditions
from wallet_server.rules.conditions.conditions import Unanswerable
from wallet_server.rules.programme.gesture_parts import Budget, Gesture, Kind
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.programme.program_parts import Birthday, Privilege
from wallet_server.rules.sentences import counted, money_text, noun_of, spoken

NEVER_DAYS = 1_000_000
"""What is asked of a member who never came, or never had a gesture."""


class MemberFacts(NamedTuple):
    """A member, as the condition of a gesture asks about one."""

    tier: str | None
    tenure_days: int
    visits: int
    birthday_today: bool
    birthday_week: bool
    birthday_month: bool
    days_since_visit: int
    days_since_gesture: int


class Now(NamedTuple):
    """The moment by the clock of the store."""

    hour: int
    weekday: str
    date: str


class Place(NamedTuple):
    """The store."""

    id: str
    zone: str


@dataclass(frozen=True)
class Asked:
    """All that the condition of a gesture can ask."""

    member: MemberFacts
    now: Now
    store: Place


@dataclass(frozen=True)
class Used:
    """What was given within a span already, and not taken back."""

    count: int = 0
    units: int = 0
    cost_minor: int = 0


def moment(at: datetime, zone: str) -> Now:
    """This moment at the store."""
    here = local(at, zone)
    return Now(here.hour, WEEKDAYS[here.weekday()], here.date().isoformat())


def member_facts(
    tier: str | None,
    joined_at: datetime,
    visits: int,
    celebrates: frozenset[Birthday],
    last_visit: datetime | None,
    last_gesture: datetime | None,
    now: datetime,
    zone: str,
) -> MemberFacts:
    """What a condition may ask of a member; days are those of the store's calendar."""
    today = local(now, zone).date()

    def since(at: datetime | None) -> int:
        return NEVER_DAYS if at is None else (today - local(at, zone).date()).days

    around = ("day" in celebrates, "week" in celebrates, "month" in celebrates)
    return MemberFacts(tier, since(joined_at), visits, *around, since(last_visit), since(last_gesture))


def fits(gesture: Gesture, asked: Asked) -> bool:
    """Whether the gesture is for this member now; a condition without an answer says no."""
    if gesture.tiers is not None and asked.member.tier not in gesture.tiers:
        return False
    if gesture.when is None:
        return True
    try:
        return conditions.read(gesture.when, conditions.GESTURE).holds(asked)
    except Unanswerable:
        return False


def left(budget: Budget, used: Used, gesture: Gesture) -> int | None:
    """How many times more the gesture fits a budget of which so much is used; None: as often as wanted."""
    units = gesture.units.units if gesture.units is not None else 0
    found = [] if budget.count is None else [budget.count - used.count]
    if budget.units is not None and units:
        found.append((budget.units - used.units) // units)
    if budget.cost_minor is not None and gesture.cost_minor:
        found.append((budget.cost_minor - used.cost_minor) // gesture.cost_minor)
    return max(0, min(found)) if found else None


# ---------------------------------------------------------------------- what is said

_COLON = {"fr": "\u00a0: ", "en": ": "}
_DO: Mapping[Kind, Mapping[str, str]] = {
    "points": {"fr": "Créditez {what}.", "en": "Credit {what}."},
    "gift": {"fr": "Offrez{colon}{what}.", "en": "Give: {what}."},
    "upgrade": {"fr": "Surclassez{colon}{what}.", "en": "Upgrade: {what}."},
    "extra": {"fr": "Ajoutez gratuitement{colon}{what}.", "en": "Add for free: {what}."},
    "service": {"fr": "Ne facturez pas{colon}{what}.", "en": "Do not charge: {what}."},
}
_OFF = {"fr": "Déduisez {what} du ticket.", "en": "Take {what} off the bill."}
_VOUCHER = {
    "fr": "Offrez un bon{colon}{what}. Il sera sur la carte.",
    "en": "Give a voucher: {what}. It will be on the card.",
}
_DONE = {
    "points": {"fr": "{what} sur la carte.", "en": "{what} on the card."},
    "voucher": {"fr": "Le bon est sur la carte{colon}{what}.", "en": "The voucher is on the card: {what}."},
}
_UNDONE = {"fr": "Geste annulé{colon}{what}.", "en": "Gesture taken back: {what}."}


def title(gesture: Gesture, programme: Programme, language: str) -> str:
    """The gesture as the merchant named it, in this language or in the programme's first."""
    return named(gesture.names, programme, language)


def named(names: Mapping[str, str], programme: Programme, language: str) -> str:
    """A text of the document in this language, else in the programme's first."""
    return names.get(spoken(language)) or names[programme.languages[0]]


def sentence(gesture: Gesture, programme: Programme, language: str, *, done: bool = False) -> str:
    """What the cashier does: `Surclassez : une chambre avec vue.` With `done`, after it was booked."""
    tongue = spoken(language)
    name = title(gesture, programme, tongue)
    if gesture.units is not None:
        noun = noun_of(programme, gesture.units.currency, tongue)
        what = counted(gesture.units.units, noun, tongue)
        form = _DONE["points"] if done else _DO["points"]
        return form[tongue].format(what=f"+{what}" if done else what)
    if gesture.off_minor is not None:
        return _OFF[tongue].format(what=money_text(gesture.off_minor, programme.money, tongue))
    form = _DO[gesture.kind] if gesture.voucher is None else _DONE["voucher"] if done else _VOUCHER
    return form[tongue].format(what=name, colon=_COLON["fr"])


def undone_sentence(name: str, language: str) -> str:
    """That a gesture was taken back."""
    return _UNDONE[spoken(language)].format(what=name, colon=_COLON["fr"])


def privileges(programme: Programme, tier: str | None) -> tuple[Privilege, ...]:
    """What a member of this tier has that no money buys."""
    level = programme.ladder.level(tier) if programme.ladder else None
    return level.privileges if level else ()
