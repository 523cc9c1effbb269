"""Owns what may become of a coupon: until when it is good, whether it can be used, and how it is spoken of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from wallet_server.errors import Conflict
from wallet_server.rules.days import day_text
from wallet_server.rules.passes.card import Texts
from wallet_server.rules.programme.program import Money, Programme, Promise
from wallet_server.rules.sentences import money_text

ISSUED, USED, EXPIRED, VOID = "issued", "used", "expired", "void"
UNDONE = "undone"
"""An event, and no state: it makes a used coupon an issued one again."""

Said = Literal["issued", "used", "expired", "void", "taken", "given-back"]
"""What a cashier is told: what a coupon is, that it was just taken, or given back."""

WELCOME, CONVERSION, REWARD, GOODWILL = "welcome", "conversion", "reward", "goodwill"
"""Why a coupon was given: for joining, for units that became it, for units that bought it, as a gesture."""

_SAID: Mapping[Said, Texts] = {
    "issued": {"fr": "{}", "en": "{}"},
    "used": {"fr": "Déjà utilisé\u00a0: {}", "en": "Used already: {}"},
    "expired": {"fr": "Expiré\u00a0: {}", "en": "Expired: {}"},
    "void": {"fr": "Annulé\u00a0: {}", "en": "Cancelled: {}"},
    "taken": {"fr": "Bon utilisé\u00a0: {}", "en": "Coupon used: {}"},
    "given-back": {"fr": "Bon rendu\u00a0: {}", "en": "Coupon given back: {}"},
}
_EVENTS: Mapping[str, Texts] = {
    ISSUED: {"fr": "Bon reçu\u00a0: {}", "en": "Coupon received: {}"},
    USED: _SAID["taken"],
    UNDONE: _SAID["given-back"],
    EXPIRED: {"fr": "Bon expiré\u00a0: {}", "en": "Coupon expired: {}"},
    VOID: {"fr": "Bon annulé\u00a0: {}", "en": "Coupon cancelled: {}"},
}
_PROMISED = {
    "fr": ("Bon de bienvenue\u00a0: {}. {}", " Valable {} jours.", " Valable un jour."),
    "en": ("Welcome coupon: {}. {}", " Valid for {} days.", " Valid for one day."),
}


def promises(programme: Programme) -> dict[str, Promise]:
    """Every voucher that a version promises besides that for joining, by name: `conversion:ID`, `reward:CODE`."""
    made = {f"{CONVERSION}:{one.id}": one.voucher for one in programme.conversions}
    return made | {f"{REWARD}:{one.code}": one.voucher for one in programme.rewards if one.voucher is not None}


def promise_of(programme: Programme, name: str | None) -> Promise:
    """The promise of this name, that for joining where there is none. Raises `LookupError`."""
    found = programme.welcome_coupon if name is None else promises(programme).get(name)
    if found is None:
        raise LookupError(f"this version promises no coupon {name or WELCOME}")
    return found


def short_name(name: str) -> str:
    """The name of a promise in eight letters, for places that have no more."""
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def promise_called(programme: Programme, short: str) -> Promise:
    """The promise of this short name, that for joining where it is empty. Raises `LookupError`."""
    return promise_of(programme, next((name for name in promises(programme) if short_name(name) == short), None))


def last_instant(issued_at: datetime, valid_days: int | None, zone: str) -> datetime | None:
    """The last second at which a coupon can be used: the end of the day in the shop's own time zone on which its days
    are over. None for one that does not run out."""
    if valid_days is None:
        return None
    here = ZoneInfo(zone)
    following = issued_at.astimezone(here).date() + timedelta(days=valid_days + 1)
    midnight = datetime(following.year, following.month, following.day, tzinfo=here)
    return midnight.astimezone(UTC) - timedelta(seconds=1)


def standing(state: str, valid_to: datetime | None, now: datetime) -> str:
    """What a coupon is at this moment: one that has run out is expired, whether or not that was noted."""
    if state == ISSUED and valid_to is not None and now >= valid_to + timedelta(seconds=1):
        return EXPIRED
    return state


def demand_good(state: str, valid_to: datetime | None, now: datetime) -> None:
    """Raises `Conflict` (`coupon-used`, `coupon-expired`, `coupon-void`) for one that cannot be used."""
    match standing(state, valid_to, now):
        case "used":
            raise Conflict("This coupon was used already.", code="coupon-used", field="code")
        case "expired":
            raise Conflict("This coupon has run out.", code="coupon-expired", field="code")
        case "void":
            raise Conflict("This coupon was cancelled.", code="coupon-void", field="code")


def demand_enough(minimum_minor: int, basket_minor: int | None, money: Money, field: str = "amount_minor") -> None:
    """Raises `Conflict` for a coupon of which a basket of `minimum_minor` or more is asked: `basket-too-small`, and
    `basket-needed` where nobody says what the basket comes to."""
    if not minimum_minor or (basket_minor is not None and basket_minor >= minimum_minor):
        return
    facts: dict[str, str | int] = {"minimum_minor": minimum_minor}
    sentence = f"This voucher is good for baskets of {money_text(minimum_minor, money, 'en')} or more."
    if basket_minor is None:
        sentence += " Say what the basket comes to."
        raise Conflict(sentence, code="basket-needed", field=field, facts=facts)
    facts["amount_minor"] = basket_minor
    raise Conflict(sentence, code="basket-too-small", field=field, facts=facts)


def promised(promise: Promise, language: str) -> str:
    """The promise in one or two sentences, before it is kept."""
    whole, days, one_day = _PROMISED[language]
    text = whole.format(promise.title[language], promise.terms[language])
    if promise.valid_days is None:
        return text
    return text + (one_day if promise.valid_days == 1 else days.format(promise.valid_days))


def cashier_sentence(said: Said, title: str, language: str) -> str:
    """What the till shows of a coupon of this title."""
    return _SAID[said][language].format(title)


def event_sentence(kind: str, title: str, language: str) -> str:
    """What a member's history says of an event of a coupon of this title."""
    return _EVENTS[kind][language].format(title)


def effect(kind: str, value_minor: int | None) -> int:
    """By how much an event changes what the merchant owes, in minor units."""
    worth = value_minor or 0
    return worth if kind in (ISSUED, UNDONE) else -worth


@dataclass(frozen=True)
class Voucher:
    """So many equal vouchers that a member can use, until the end of `day` (None: they do not run out)."""

    title: Texts
    day: date | None
    many: int


MOST_LISTED = 10
"""Lines of vouchers on the back of a card."""


def listed(vouchers: Sequence[Voucher], language: str) -> str:
    """The vouchers of a member, a line for each kind: `2 × Bon de 10 €, jusqu’au 16 février 2027`."""
    until = ", jusqu’au {}" if language == "fr" else ", until {}"
    lines = []
    for one in vouchers[:MOST_LISTED]:
        times = f"{one.many}\u00a0× " if one.many > 1 else ""
        last = "" if one.day is None else until.format(day_text(one.day, language))
        title = one.title.get(language) or next(iter(one.title.values()))
        lines.append(f"{times}{title}{last}")
    return "\n".join(lines)


def written(at: datetime | None) -> str | None:
    """An instant as a card holds it: ISO 8601, UTC with Z, to the second."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
