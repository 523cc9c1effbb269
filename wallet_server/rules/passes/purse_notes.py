"""Owns what a card says of units beside its balance: of other currencies, on their way, put aside, about to run out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from wallet_server.rules.days import day_text
from wallet_server.rules.passes.card import Detail, Texts
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.programme.program_parts import Money
from wallet_server.rules.sentences import counted, money_text, noun_of, plural, spoken

_LABELS: dict[str, Texts] = {
    "pending": {"fr": "En attente", "en": "On its way"},
    "held": {"fr": "Mis de côté", "en": "Put aside"},
    "expiring": {"fr": "À utiliser bientôt", "en": "Use soon"},
}
_BESIDE: Texts = {"fr": "Vous avez aussi", "en": "You also have"}
_TO_SPEND = {"fr": "{} à dépenser", "en": "{} to spend"}
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


def beside(programme: Programme, balances: Mapping[str, int]) -> tuple[Detail, ...]:
    """What the member can spend of other currencies than the one that the card shows; none where there is nothing."""
    owned = others(programme, balances)
    if not owned:
        return ()
    text = {
        tag: "\n".join(_named(programme, code, amount, tag) for code, amount in owned) for tag in programme.languages
    }
    return (Detail("beside", {tag: _BESIDE[spoken(tag)] for tag in programme.languages}, text),)


def others(programme: Programme, balances: Mapping[str, int]) -> list[tuple[str, int]]:
    """Code and amount of the currencies that can be spent beside the one that the card shows, where there is any."""
    return [
        (one.code, balances[one.code])
        for one in programme.currencies
        if one.spendable and one.code != programme.balance_currency and balances.get(one.code)
    ]


def _named(programme: Programme, code: str, amount: int, language: str) -> str:
    """Money alone would say nothing; other units have a name of their own."""
    units = units_text(programme, code, amount, language)
    return _TO_SPEND[spoken(language)].format(units) if programme.currency(code).kind == "money" else units


def _line(programme: Programme, key: str, one: Aside, language: str) -> str:
    tongue = spoken(language)
    if key == "expiring":
        return ends(programme, one, tongue)
    units = units_text(programme, one.currency, one.amount, tongue)
    return units if one.day is None else _FROM[tongue].format(units, day_text(one.day, tongue))
