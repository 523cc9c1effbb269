"""Owns what cashiers are told of a basket: what one more piece would do, what came off, what to do with a reward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wallet_server.rules.baskets.deals import Hint
from wallet_server.rules.programme.program import Money, Programme
from wallet_server.rules.programme.program_parts import Deal, Reward, RewardKind
from wallet_server.rules.sentences import money_text, reward_name, spoken

_MORE = {
    "fr": ("Encore un article et il est offert", "Encore un article et il est à -{} %"),
    "en": ("One more and it is free", "One more and it is {}% off"),
}
_COLON = {"fr": "\u00a0: ", "en": ": "}
_DO: Mapping[RewardKind, Mapping[str, str]] = {
    "product": {"fr": "Remettez{colon}{name}.", "en": "Hand over: {name}."},
    "service": {"fr": "Assurez ce service{colon}{name}.", "en": "Do this service: {name}."},
    "voucher": {
        "fr": "Rien à remettre{colon}le bon est sur la carte du client ({name}).",
        "en": "Nothing to hand over: the voucher is on the customer’s card ({name}).",
    },
    "percent": {"fr": "Déduisez {percent} % du ticket.", "en": "Take {percent}% off the bill."},
    "amount": {"fr": "Déduisez {value} du ticket.", "en": "Take {value} off the bill."},
    "refund": {"fr": "Rendez {value} au client.", "en": "Pay {value} back to the customer."},
    "privilege": {"fr": "Accordez cet avantage{colon}{name}.", "en": "Grant this privilege: {name}."},
}
_DONE = {
    "percent": {"fr": "{percent} % sont déduits du ticket.", "en": "{percent}% is taken off the bill."},
    "amount": {"fr": "{value} sont déduits du ticket.", "en": "{value} is taken off the bill."},
}

_UNDO = {
    "product": {"fr": "Reprenez{colon}{name}.", "en": "Take back: {name}."},
    "refund": {"fr": "Reprenez {value} au client.", "en": "Take {value} back from the customer."},
}
_TAKEN_OFF = {
    "fr": "Montant déduit{colon}{value}, déjà remis au client.",
    "en": "Already taken off: {value} that the customer was paid.",
}


def deal_name(deal: Deal, language: str) -> str:
    """The deal as the merchant named it, in this language or in the first that it has."""
    return deal.names.get(spoken(language)) or next(iter(deal.names.values()))


def hint_sentence(hint: Hint, deal: Deal, article: str | None, language: str) -> str:
    """What one piece more of this article would do: `Encore un article et il est offert : baguette (3 baguettes pour
    le prix de 2)`. Without an article the deal alone says what it is about."""
    tongue = spoken(language)
    free, less = _MORE[tongue]
    said = free if hint.percent == 100 else less.format(hint.percent)
    name = deal_name(deal, tongue)
    return f"{said}{_COLON[tongue]}{f'{article} ({name})' if article else name}."


def instruction(reward: Reward, programme: Programme, language: str, *, deducted: bool = False) -> str:
    """What the till has to do with a reward: the merchant's own words, else what its kind asks for. `deducted` where
    the sale has taken it off already."""
    tongue = spoken(language)
    told = reward.instruction or {}
    own = told.get(tongue) or next(iter(told.values()), None)
    if own:
        return own
    form = (_DONE if deducted and reward.kind in _DONE else _DO)[reward.kind][tongue]
    value = money_text(reward.value_minor or 0, programme.money, tongue)
    if tongue == "fr" and deducted and reward.kind == "amount" and (reward.value_minor or 0) < 2 * _major(programme):
        form = form.replace("sont déduits", "est déduit")
    return form.format(
        name=reward_name(reward, programme, tongue), percent=reward.percent or 0, value=value, colon=_COLON["fr"]
    )


def undoing(returned: Mapping[str, Any], money: Money, language: str, *, deducted: bool = False) -> str | None:
    """What the till has to do about a reward that is given back (its `kind`, `names` and `cash_minor`), None where that
    is nothing. `deducted` where the money was taken off already what the customer gets."""
    if returned["kind"] not in _UNDO:
        return None
    tongue, names = spoken(language), returned["names"]
    form = (_TAKEN_OFF if deducted and returned["cash_minor"] else _UNDO[returned["kind"]])[tongue]
    name, value = names.get(tongue) or next(iter(names.values())), money_text(returned["cash_minor"], money, tongue)
    return form.format(name=name, value=value, colon=_COLON["fr"])


def to_pay_sentence(amount_minor: int, money: Money, language: str) -> str:
    """What the customer pays: `À payer : 12,40 €`."""
    tongue = spoken(language)
    return f"{'À payer' if tongue == 'fr' else 'To pay'}{_COLON[tongue]}{money_text(amount_minor, money, tongue)}"


def vouchers_sentence(count: int, language: str) -> str:
    """That so many vouchers (at least 1) were made."""
    if spoken(language) == "fr":
        return "un nouveau bon est sur la carte" if count == 1 else f"{count} nouveaux bons sont sur la carte"
    return "a new voucher is on the card" if count == 1 else f"{count} new vouchers are on the card"


def _major(programme: Programme) -> int:
    return int(10**programme.money.exponent)
