"""Owns the words for what is missing for a tier, and for why a member has the one they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal

from wallet_server.rules.programme.program import Event, Money, Plural, Programme
from wallet_server.rules.sentences import counted, money_text, noun_of, of, spoken
from wallet_server.rules.tiers.metrics import Missing

_NOUNS: Mapping[str, Mapping[str, Plural]] = {
    "orders": {"fr": Plural("commande", "commandes", feminine=True), "en": Plural("order", "orders")},
    "visits": {"fr": Plural("visite", "visites", feminine=True), "en": Plural("visit", "visits")},
    "referrals": {"fr": Plural("parrainage", "parrainages"), "en": Plural("referral", "referrals")},
    "tenure_days": {
        "fr": Plural("jour d’ancienneté", "jours d’ancienneté"),
        "en": Plural("day of membership", "days of membership"),
    },
}


def towards(name: str, missing: Sequence[Missing], programme: Programme, language: str) -> str:
    """What is missing for the tier of this name, and that it is reached where nothing is: `Allez, plus que 116 points
    et vous vous hisserez au statut de Gardien de la blancheur`."""
    tongue = spoken(language)
    if not missing:
        if tongue == "fr":
            return f"Le seuil {of(name)} est atteint, votre nouveau statut arrive"
        return f"You have reached {name}, your new status is on its way"
    said = [quantity(one, programme, tongue) for one in missing]
    if tongue == "en":
        return f"Only {_listed(said, 'and')} to go to reach {name}"
    comma = "," if len(said) > 1 else ""
    return f"Allez, {_only(_listed(said, 'et'))}{comma} et vous vous hisserez au statut {of(name)}"


def lacking(missing: Sequence[Missing], programme: Programme, language: str) -> str:
    """What is missing, and nothing else: `Il manque 116 € et une commande.`"""
    tongue = spoken(language)
    said = [quantity(one, programme, tongue) for one in missing]
    if not said:
        return "Il ne manque rien." if tongue == "fr" else "Nothing is missing."
    if tongue == "fr":
        return f"Il manque {_listed(said, 'et')}."
    return f"Missing: {_listed(said, 'and')}."


def quantity(one: Missing, programme: Programme, language: str) -> str:
    """So much of a metric: `116 points`, `une commande`, `116 €`, `2 visits`."""
    tongue = spoken(language)
    money = money_of(one.metric, programme)
    if money is not None:
        return short_money(one.units, money, tongue)
    noun = _noun(one.metric, programme, tongue)
    if one.units == 1 and tongue == "fr":
        return f"{'une' if noun.feminine else 'un'} {noun.one}"
    return counted(one.units, noun, tongue)


def money_of(metric: str, programme: Programme) -> Money | None:
    """The money that a metric counts in; None for what is no money."""
    if metric in ("spend", "pot"):
        return programme.money
    kind, _, code = metric.partition(":")
    if kind not in ("earned", "balance"):
        return None
    currency = programme.currency(code)
    return Money(currency.iso, currency.exponent) if currency.iso is not None else None


def short_money(amount_minor: int, money: Money, language: str) -> str:
    """Without decimals where there are none to tell: `116 €`, `116,50 €`."""
    major = 10**money.exponent
    if amount_minor % major:
        return money_text(amount_minor, money, language)
    return money_text(amount_minor // major, Money(money.iso, 0), language)


def _noun(metric: str, programme: Programme, tongue: str) -> Plural:
    known = _NOUNS.get(metric)
    if known is not None:
        return known[tongue]
    kind, _, code = metric.partition(":")
    if kind != "events":
        return noun_of(programme, code, tongue)
    ways = [rule.way for rule in programme.earn if isinstance(rule.way, Event) and rule.way.name == code]
    name = (ways[0].names.get(tongue) or next(iter(ways[0].names.values()))) if ways else code.replace("_", " ")
    if tongue == "fr":
        return Plural(f"fois «\u00a0{name}\u00a0»", f"fois «\u00a0{name}\u00a0»", feminine=True)
    return Plural(f"time “{name}”", f"times “{name}”")


def _listed(said: Sequence[str], last: str) -> str:
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} {last} {said[-1]}"


def _only(text: str) -> str:
    return f"plus qu’{text}" if text.startswith(("un ", "une ")) else f"plus que {text}"


_MONTHS = {
    "fr": (
        "janvier", "février", "mars", "avril", "mai", "juin",
        "juillet", "août", "septembre", "octobre", "novembre", "décembre",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip


def day_text(day: date, language: str) -> str:
    """A day as people write it: `1er janvier 2027`, `1 January 2027`."""
    tongue = spoken(language)
    number = "1er" if tongue == "fr" and day.day == 1 else str(day.day)
    return f"{number} {_MONTHS[tongue][day.month - 1]} {day.year}"


Why = Literal["everyone", "earned", "kept", "given", "trial"]


def why(kind: Why, name: str, reached: Sequence[Missing], until: date | None, programme: Programme, tongue: str) -> str:
    """Why a member has the tier of this name: `reached` is what it asks for, of an earned one, and `until` the last day
    of one that ends."""
    if spoken(tongue) == "fr":
        return _why_french(kind, name, [quantity(one, programme, "fr") for one in reached], until)
    return _why_english(kind, name, [quantity(one, programme, "en") for one in reached], until)


def _why_french(kind: Why, name: str, reached: Sequence[str], until: date | None) -> str:
    end = "" if until is None else f" jusqu’au {day_text(until, 'fr')}"
    match kind:
        case "everyone":
            return f"Statut {name}\u00a0: celui de tous les membres."
        case "earned":
            return f"Statut {name}, gagné avec {_listed(reached, 'et')}." if reached else f"Statut {name}, gagné."
        case "kept":
            return f"Statut {name}, gagné auparavant et gardé{end}."
        case "given":
            return f"Statut {name}, offert{end}."
        case _:
            return f"Statut {name}, à l’essai{end}."


def _why_english(kind: Why, name: str, reached: Sequence[str], until: date | None) -> str:
    end = "" if until is None else f" until {day_text(until, 'en')}"
    match kind:
        case "everyone":
            return f"{name}: every member’s status."
        case "earned":
            return f"{name}, reached with {_listed(reached, 'and')}." if reached else f"{name}, reached."
        case "kept":
            return f"{name}, reached before and kept{end}."
        case "given":
            return f"{name}, given{end}."
        case _:
            return f"{name}, on trial{end}."
