"""Owns the sentences that members and cashiers read: numbers, plurals and money, in each language the product speaks.

Plurals follow the Unicode CLDR rules for cardinals: in French 0 and 1 are singular and whole millions take "de"; in
English 1 alone is singular. A language that is not spoken here is answered in English.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Literal

from wallet_server.rules.baskets.factor_words import beside
from wallet_server.rules.baskets.reasons import REASONS
from wallet_server.rules.days import day_text
from wallet_server.rules.passes.card import Texts
from wallet_server.rules.programme.gifts import Gift, borrowed, english, french, spoken_in
from wallet_server.rules.programme.program import Event, Money, Plural, Programme, Reward

LANGUAGES = ("fr", "en")

Params = Mapping[str, int | str]
CashierKind = Literal[
    "sold", "visit-counted", "already-counted", "redeemed", "reversed", "returned", "insufficient", "event",
    "held", "captured", "released",
]  # fmt: skip

_OF_HOLDS = {
    "held": {"fr": "Mis de côté", "en": "Put aside"},
    "captured": {"fr": "Réservation utilisée", "en": "Reservation used"},
    "released": {"fr": "Rendu", "en": "Given back"},
}
_NARROW = "\u202f"
_FIXED = "\u00a0"
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}
_ASPIRATED = ("hall", "haut", "héro", "hibou", "homard", "hors", "huit")
_POINT = Plural("point", "points")


@lru_cache(maxsize=256)
def spoken(language: str) -> str:
    """The language the product answers in: `fr-CA` is answered in `fr`, an unknown one in `en`."""
    primary = language.replace("_", "-").partition("-")[0].lower()
    return primary if primary in LANGUAGES else "en"


def plural(language: str, count: int) -> Literal["one", "other"]:
    """Which form of a noun a count takes (CLDR cardinals)."""
    singular = abs(count) <= 1 if spoken(language) == "fr" else abs(count) == 1
    return "one" if singular else "other"


def number(count: int, language: str) -> str:
    """Digits in groups of three: a narrow no-break space between them in French, a comma in English."""
    return f"{count:,}".replace(",", _NARROW if spoken(language) == "fr" else ",")


def money_text(amount_minor: int, money: Money, language: str) -> str:
    """An amount of money as the language writes it: `12,34 €`, `€12.34`."""
    whole, rest = divmod(abs(amount_minor), 10**money.exponent)
    french = spoken(language) == "fr"
    decimals = f"{',' if french else '.'}{rest:0{money.exponent}d}" if money.exponent else ""
    sign = "-" if amount_minor < 0 else ""
    digits = f"{number(whole, language)}{decimals}"
    symbol = _SYMBOLS.get(money.iso)
    if french:
        return f"{sign}{digits}{_FIXED}{symbol or money.iso}"
    return f"{sign}{symbol}{digits}" if symbol else f"{sign}{money.iso}{_FIXED}{digits}"


def of(name: str) -> str:
    """French `de` before a name, elided where speech elides it: `d’Or`, `d’Argent`, `de Bronze`."""
    first = unicodedata.normalize("NFD", name.replace("œ", "o").replace("Œ", "O"))[:1].lower()
    mute = first == "h" and not name.lower().startswith(_ASPIRATED)
    return f"d’{name}" if mute or (first and first in "aeiou") else f"de {name}"


def counted(count: int, noun: Plural, language: str) -> str:
    """A count with its noun: `1 point`, `0 point` in French, `1 000 000 de points` in French; money as money."""
    if noun.money is not None:
        return money_text(count, noun.money, language)
    form = noun.one if plural(language, count) == "one" else noun.other
    if spoken(language) == "fr" and count and count % 1_000_000 == 0:
        form = of(form)
    return f"{number(count, language)} {form}"


def unit_params(programme: Programme, currency: str, language: str) -> dict[str, int | str]:
    """The noun of a currency, as the parameters `one`, `other`, `feminine` that `cashier_sentence` takes; of money its
    `iso` and `exponent` too."""
    noun = noun_of(programme, currency, language)
    params: dict[str, int | str] = {"one": noun.one, "other": noun.other, "feminine": int(noun.feminine)}
    return params if noun.money is None else {**params, "iso": noun.money.iso, "exponent": noun.money.exponent}


def noun_of(programme: Programme, currency: str, language: str) -> Plural:
    """The noun of a currency in a language; in the programme's default language where it lacks that one."""
    known = programme.currency(currency)
    noun = known.names.get(spoken(language)) or known.names[programme.languages[0]]
    return noun if known.iso is None else replace(noun, money=Money(known.iso, known.exponent))


def reward_sentences(programme: Programme) -> Texts:
    """What members get for what they collect, one sentence a reward, in the order of the rewards."""
    return {
        language: " ".join(f"{reward_sentence(reward, programme, language)}." for reward in programme.rewards)
        for language in programme.languages
    }


def reward_sentence(reward: Reward, programme: Programme, language: str) -> str:
    """One reward and its value, without a full stop: `10 stamps = a free coffee (worth €2.50)`."""
    tongue = spoken(language)
    cost = counted(reward.cost.units, noun_of(programme, reward.cost.currency, tongue), tongue)
    return f"{cost} = {gift(reward, programme, tongue).offered}{_worth(reward, programme, tongue)}"


def reward_name(reward: Reward, programme: Programme, language: str) -> str:
    """The reward as the merchant named it, in this language or in the programme's first."""
    return reward.names.get(spoken(language)) or reward.names[programme.languages[0]]


def gift(reward: Reward, programme: Programme, language: str) -> Gift:
    """The forms of a reward's name, by the grammar of the language that it is written in. The same name in several
    languages was written for one of them: for the one that its words tell, else for the programme's first."""
    first = programme.languages[0]
    tongue = spoken(language) if spoken(language) in reward.names else first
    name = reward.names[tongue]
    if len(reward.names) > 1 and all(name == other for other in reward.names.values()):
        written = spoken_in(name)
        if (written if written in reward.names else first) != tongue:
            return borrowed(name, tongue)
    return (french if tongue == "fr" else english)(name)


def _worth(reward: Reward, programme: Programme, tongue: str) -> str:
    if reward.value_minor is None:
        return ""
    value = money_text(reward.value_minor, programme.money, tongue)
    return f" (valeur {value})" if tongue == "fr" else f" (worth {value})"


def progress_sentence(reward: Reward, missing: int, programme: Programme, language: str) -> str:
    """What is missing for a reward (at least 1 unit): `Plus que 3 tampons et un café vous est offert`."""
    tongue = spoken(language)
    noun, present = noun_of(programme, reward.cost.currency, tongue), gift(reward, programme, tongue)
    if tongue == "en":
        return f"Only {counted(missing, noun, tongue)} to go and you get {present.offered}"
    left = f"{plus_que(missing, noun)}"
    if present.given is not None:
        return f"{left} et {present.given}"
    return f"{left} avant votre récompense{_FIXED}: {reward_name(reward, programme, tongue)}"


def plus_que(missing: int, noun: Plural) -> str:
    """French "only so many more": `Plus que 3 tampons`, `Plus qu’une étoile`."""
    if missing == 1:
        return f"Plus qu’{'une' if noun.feminine else 'un'} {noun.one}"
    return f"Plus que {counted(missing, noun, 'fr')}"


def waiting_sentence(reward: Reward, times: int, programme: Programme, language: str) -> str:
    """That a reward can be had now, so many times: `Votre café offert vous attend`."""
    tongue = spoken(language)
    present = gift(reward, programme, tongue)
    if times == 1:
        return present.waiting
    if tongue == "fr":
        return f"{times} récompenses vous attendent{_FIXED}: {times} fois {present.offered}"
    return f"{times} rewards are waiting: {times} times {present.offered}"


def reason_codes() -> frozenset[str]:
    """Every reason that an entry may have, by its code."""
    return frozenset(REASONS["en"])


def reason_sentence(code: str, params: Params, language: str, programme: Programme | None = None) -> str:
    """Why an entry stands in a member's history.

    `code` is a reason code of the ledger; of `params` it uses `basis_minor` (money that counted) and `reward` (its
    code), both said only when the programme is given, `refund_minor` likewise, `receipt`, `pending_until` and `pot`. An
    unknown code is shown as it is: a history never hides an entry.
    """
    tongue = spoken(language)
    reason = REASONS[tongue].get(code)
    if reason is None:
        return f"Autre mouvement ({code})." if tongue == "fr" else f"Other movement ({code})."
    basis = params.get("basis_minor")
    if code == "earn.sale" and basis == 0:
        # A stamp for coming, where nobody typed an amount.
        reason = "Visite" if tongue == "fr" else "Visit"
    came = basis if code == "earn.sale" else params.get("refund_minor")
    if came and programme is not None and isinstance(came, int):
        reason += f" {'de' if tongue == 'fr' else 'of'} {money_text(came, programme.money, tongue)}"
    if code == "earn.event" and programme is not None:
        reason += _event(str(params.get("event")), programme, tongue)
    if code == "reverse.redeem" and params.get("pot"):
        reason = REASONS[tongue]["reverse.pot"]
    reason += beside(params, tongue)
    known = programme.reward(str(params.get("reward"))) if code == "burn.reward" and programme is not None else None
    if known is not None and programme is not None:
        reason += f"{_FIXED if tongue == 'fr' else ''}: {reward_name(known, programme, tongue)}"
    if receipt := params.get("receipt"):
        reason += f", {'ticket' if tongue == 'fr' else 'receipt'} {receipt}"
    if until := params.get("pending_until"):
        when = day_text(datetime.fromisoformat(str(until)), tongue)
        reason += f", disponible le {when}" if tongue == "fr" else f", available on {when}"
    return reason + "."


def _event(name: str, programme: Programme, tongue: str) -> str:
    ways = (rule.way for rule in programme.earn)
    names = next((way.names for way in ways if isinstance(way, Event) and way.name == name), None)
    said = name if names is None else names.get(tongue) or names[programme.languages[0]]
    return f"{_FIXED if tongue == 'fr' else ''}: {said}"


def cashier_sentence(kind: CashierKind, params: Params, language: str) -> str:
    """What the till shows after a call.

    `params`: `amount` (units; what was earned, spent, asked for, or for `reversed` and `returned` the signed
    correction), `balance` (units after the call) and, for a currency that is not called points, what `unit_params`
    gives; for `redeemed` the name of the `reward` that was given, if one was; for `already-counted` the time of day
    `at` which it was, if that is known.
    Raises KeyError when amount or balance is missing.
    """
    tongue = spoken(language)
    noun = _cashier_noun(params)
    amount, balance = int(params["amount"]), _figure(int(params["balance"]), noun, tongue)
    french = tongue == "fr"
    after = f"nouveau solde {balance}" if french else f"new balance {balance}"
    still = f"solde {balance}" if french else f"balance {balance}"
    if kind == "insufficient":
        asked = _figure(amount, noun, tongue)
        if french:
            needed = f"{asked} nécessaire" + ("s" if amount > 1 else "")
            return f"Pas assez {of(noun.other)}{_FIXED}: {balance} sur la carte, {needed}"
        return f"Not enough {noun.other}: {balance} on the card, {asked} needed"
    if kind == "sold":
        return f"{_signed(amount, noun, tongue)}, {after}" if amount else f"{_nothing(noun, tongue)}, {still}"
    if kind == "event":
        none = "Rien pour cette participation" if french else "Nothing for this event"
        return f"{_signed(amount, noun, tongue)}, {after}" if amount else f"{none}, {still}"
    if kind == "visit-counted" and not amount:
        return f"Visite déjà comptée, {still}" if french else f"This visit was counted already, {still}"
    if kind == "visit-counted":
        return f"{_signed(amount, noun, tongue)}, {after}"
    if kind == "redeemed":
        name = str(params.get("reward", ""))
        given = f"{name[:1].upper()}{name[1:]}{_FIXED if french else ''}: " if name else ""
        return f"{given}{_signed(-amount, noun, tongue)}, {after}"
    if kind == "reversed" and not amount:
        return f"Annulé{_FIXED}: rien n’avait été donné, {still}" if french else f"Reversed: nothing was given, {still}"
    if kind == "reversed":
        return f"{f'Annulé{_FIXED}' if french else 'Reversed'}: {_signed(amount, noun, tongue)}, {after}"
    if kind in _OF_HOLDS:
        said = _OF_HOLDS[kind][tongue]
        return f"{said}{_FIXED if french else ''}: {counted(amount, noun, tongue)}, {still}"
    if kind == "returned" and not amount:
        return f"Retour noté{_FIXED}: rien à reprendre, {still}" if french else f"Returned: nothing to take, {still}"
    if kind == "returned":
        return f"{f'Retour{_FIXED}' if french else 'Returned'}: {_signed(amount, noun, tongue)}, {after}"
    if kind == "already-counted":
        at = f" {'à' if french else 'at'} {params['at']}" if "at" in params else ""
        said = f"Déjà compté{at}{_FIXED}" if french else f"Already counted{at}"
        return f"{said}: {_signed(amount, noun, tongue)}, {still}"
    raise ValueError(f"no cashier sentence of kind {kind}")


def linked_sentence(language: str) -> str:
    """That an old card is the holder's from now on."""
    if spoken(language) == "fr":
        return "L’ancienne carte appartient maintenant à celle-ci."
    return "The old card belongs to this card now."


def already(said: str, at: str | None, language: str) -> str:
    """What the till shows of something that was done before and is only told again: `said`, what it was; `at`, the time
    of day of then, if that is known."""
    french = spoken(language) == "fr"
    when = "" if at is None else f" {'à' if french else 'at'} {at}"
    return f"Déjà fait{when}{_FIXED}: {said}" if french else f"Already done{when}: {said}"


def _cashier_noun(params: Params) -> Plural:
    if "one" not in params:
        return _POINT
    money = Money(str(params["iso"]), int(params["exponent"])) if "iso" in params else None
    return Plural(str(params["one"]), str(params["other"]), bool(params.get("feminine", 0)), money)


def _figure(units: int, noun: Plural, tongue: str) -> str:
    """A number of units without their noun; money has its sign even so."""
    return number(units, tongue) if noun.money is None else money_text(units, noun.money, tongue)


def _signed(amount: int, noun: Plural, tongue: str) -> str:
    return f"{'+' if amount > 0 else ''}{counted(amount, noun, tongue)}"


def _nothing(noun: Plural, tongue: str) -> str:
    if tongue == "fr":
        return f"{'Aucune' if noun.feminine else 'Aucun'} {noun.one} pour cet achat"
    return f"No {noun.other} for this sale"
