"""Owns why a rule gave nothing for a sale or an event, and the sentence that says so in each language.

A rule for certain goods of which the basket has none has nothing to say.
"""

from __future__ import annotations

from typing import Literal

from wallet_server.rules.baskets.baskets import Basket
from wallet_server.rules.baskets.rating_tally import Tally
from wallet_server.rules.programme.program import EarnRule, Item, Programme, Visit
from wallet_server.rules.sentences import money_text, spoken

Why = Literal["condition", "rewards", "goods", "minimum", "visit", "too-little", "limit"]

_SAID = {
    "en": {
        "condition": "The condition of this rule does not hold.",
        "rewards": "It gives nothing on a purchase that uses a voucher or a reward.",
        "goods": "None of these goods count.",
        "minimum": "The purchase is below the smallest one that counts, {minimum}.",
        "visit": "This visit was counted already.",
        "too-little": "The purchase is too small.",
        "limit": "The limit was reached.",
    },
    "fr": {
        "condition": "La condition de cette règle n’est pas remplie.",
        "rewards": "Elle ne donne rien sur un achat qui utilise un bon ou une récompense.",
        "goods": "Aucun de ces articles ne compte.",
        "minimum": "L’achat est en dessous du plus petit qui compte, {minimum}.",
        "visit": "Cette visite est déjà comptée.",
        "too-little": "L’achat est trop petit.",
        "limit": "La limite est atteinte.",
    },
}


def why_nothing(rule: EarnRule, bit: int, tally: Tally, basket: Basket) -> Why | None:
    """Why a rule whose condition holds comes to no unit; None where the basket has nothing that it is for."""
    counted = [amount for kind, amount in tally.amounts.items() if kind & bit]
    if not counted:
        return None if isinstance(rule.way, Item) or not basket.lines else "goods"
    if isinstance(rule.way, Visit):
        return "minimum" if sum(counted) < rule.way.minimum_minor else "visit"
    return "too-little"


def sentence(rule_id: str, why: str, programme: Programme, language: str) -> str:
    """What a person reads."""
    tongue = spoken(language)
    rule = next((one for one in programme.earn if one.id == rule_id), None)
    least = rule.way.minimum_minor if rule is not None and isinstance(rule.way, Visit) else 0
    return _SAID[tongue][why].format(minimum=money_text(least, programme.money, tongue))
