"""Owns what a card says of units that are on their way, put aside, or about to run out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from wallet_server.rules.card import Detail, Texts
from wallet_server.rules.days import day_text
from wallet_server.rules.program import Programme
from wallet_server.rules.program_parts import Money
from wallet_server.rules.sentences import counted, money_text, noun_of, plural, spoken

_LABELS: dict[str, Texts] = {
    "pending": {"fr": "En attente", "en": "On its way"},
    "held": {"fr": "Mis de côté", "en": "Put aside"},
    "expiring": {"fr": "À utiliser bientôt", "en": "Use soon"},
}
_FROM = {"fr": "{} à partir du {}", "en": "{} from {}"}
_ENDS = {
    "fr": {"one": "{} expire le {}", "other": "{} expirent le {}"},
    "en": {"one": "{} expires on {}", "other": "{} expire on {}"},
}


@dataclass(frozen=True)
class Aside:
    """Units of a currency: `amount` of them, from or until which day; None for those that are put aside."""

    currency: str
    amount: int
    day: date | None = None


def units_text(programme: Programme, code: str, amount: int, language: str) -> str:
    """So many units as they are spoken of: `12 points`, `2,00 €`."""
    currency = programme.currency(code)
    if currency.kind == "money" and currency.iso is not None:
        return money_text(amount, Money(currency.iso, currency.exponent), language)
    return counted(amount, noun_of(programme, code, language), language)


def ends(programme: Programme, one: Aside, language: str) -> str:
    """That units run out on a day, without a full stop."""
    tongue = spoken(language)
    units = units_text(programme, one.currency, one.amount, tongue)
    return _ENDS[tongue][plural(tongue, one.amount)].format(units, day_text(one.day, tongue) if one.day else "")


def ends_texts(programme: Programme, one: Aside) -> Texts:
    """The same as a sentence, in every language of the programme."""
    return {tag: f"{ends(programme, one, tag)}." for tag in programme.languages}


def details(
    programme: Programme, pending: Sequence[Aside], held: Sequence[Aside], expiring: Sequence[Aside]
) -> tuple[Detail, ...]:
    """The lines on the back of a card; none where there is nothing to say. Units of a currency that the version no
    longer has are left out."""
    known = {one.code for one in programme.currencies}
    found = []
    for key, listed in (("expiring", expiring), ("pending", pending), ("held", held)):
        shown = [one for one in listed if one.currency in known and one.amount > 0]
        if shown:
            text = {tag: "\n".join(_line(programme, key, one, tag) for one in shown) for tag in programme.languages}
            found.append(Detail(key, {tag: _LABELS[key][spoken(tag)] for tag in programme.languages}, text))
    return tuple(found)


def _line(programme: Programme, key: str, one: Aside, language: str) -> str:
    tongue = spoken(language)
    if key == "expiring":
        return ends(programme, one, tongue)
    units = units_text(programme, one.currency, one.amount, tongue)
    return units if one.day is None else _FROM[tongue].format(units, day_text(one.day, tongue))
