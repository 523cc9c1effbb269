"""Owns the rules of a programme in words: one plain sentence for each way to earn and each factor.

What a rule asks, leaves out or limits is part of its sentence; see `occasions_spoken` for when and for whom.
"""

from __future__ import annotations

from datetime import timedelta

from wallet_server.rules.baskets.factor_words import factor_text
from wallet_server.rules.passes.card import Texts
from wallet_server.rules.programme.occasions_spoken import (
    SOMETIMES,
    birthday_said,
    calendar_said,
    condition_said,
    goods_said,
    joined,
    tiers_said,
)
from wallet_server.rules.programme.program import EarnRule, Event, Item, Money, Per, Plural, Programme, Visit
from wallet_server.rules.programme.program_parts import Cap, Multiplier, Span
from wallet_server.rules.sentences import counted, money_text, noun_of, spoken

_FIXED = "\u00a0"
_MAJOR = {
    "EUR": {"fr": Plural("euro", "euros"), "en": Plural("euro", "euros")},
    "USD": {"fr": Plural("dollar", "dollars"), "en": Plural("dollar", "dollars")},
    "CAD": {"fr": Plural("dollar", "dollars"), "en": Plural("dollar", "dollars")},
    "GBP": {"fr": Plural("livre", "livres", feminine=True), "en": Plural("pound", "pounds")},
    "CHF": {"fr": Plural("franc", "francs"), "en": Plural("franc", "francs")},
}

LONG_VISIT = timedelta(hours=1)
"""Sales nearer to each other than this are one visit in everybody's eyes: a shorter interval needs no word."""

_SPANS = {
    "fr": ((1440, "jour", "jours"), (60, "heure", "heures"), (1, "minute", "minutes")),
    "en": ((1440, "day", "days"), (60, "hour", "hours"), (1, "minute", "minutes")),
}
_ROUNDING = {
    "fr": {
        "down": "arrondi à l’inférieur",
        "up": "arrondi au supérieur",
        "half_up": "arrondi au plus proche",
        "half_even": "arrondi au plus proche (au nombre pair à égalité)",
    },
    "en": {
        "down": "rounded down",
        "up": "rounded up",
        "half_up": "rounded to the nearest",
        "half_even": "rounded to the nearest (to even when halfway)",
    },
}
_WINDOWS: dict[str, dict[Span, str]] = {
    "fr": {
        "sale": "par achat",
        "day": "par jour",
        "week": "par semaine",
        "month": "par mois",
        "year": "par an",
        "ever": "en tout",
    },
    "en": {
        "sale": "for each sale",
        "day": "a day",
        "week": "a week",
        "month": "a month",
        "year": "a year",
        "ever": "in all",
    },
}


def rule_sentences(programme: Programme) -> Texts:
    """How members earn: one sentence a rule, those that read alike (points and status) said once, then one a factor,
    and what earns nothing at all."""
    return {language: " ".join(dict.fromkeys(_sentences(programme, language))) for language in programme.languages}


def _sentences(programme: Programme, language: str) -> list[str]:
    said = [rule_sentence(rule, programme, language) for rule in programme.earn]
    said += [multiplier_sentence(one, programme, language) for one in programme.multipliers]
    named = programme.excluded.categories | programme.excluded.skus
    if named:
        colon = f"{_FIXED}:" if spoken(language) == "fr" else ":"
        never = "Ne comptent jamais" if spoken(language) == "fr" else "Never counted"
        said.append(f"{never}{colon} {_listed(named)}.")
    return said


def rule_sentence(rule: EarnRule, programme: Programme, language: str) -> str:
    """One rule in words: `1 point per euro spent, rounded down.`, `1 stamp for each visit.`"""
    tongue = spoken(language)
    way = rule.way
    if isinstance(way, Per):
        words = _per(way, rule, programme, tongue)
    else:
        earned = counted(way.units, noun_of(programme, rule.currency, tongue), tongue)
        words = [f"{earned} {_occasion(way, programme.money, tongue)}"]
    if rule.without_tax:
        words.append("hors taxes" if tongue == "fr" else "without tax")
    if rule.when is not None:
        words.append(SOMETIMES[tongue] if isinstance(way, Event) else condition_said(rule.when, programme, tongue))
    if rule.not_with_rewards:
        words.append("sauf avec un bon ou une récompense" if tongue == "fr" else "not with a voucher or a reward")
    if rule.cap is not None:
        words.append(_limit(rule.cap, noun_of(programme, rule.currency, tongue), tongue))
    sentence = ", ".join(words) + "."
    excluded = rule.excluded_categories | rule.excluded_skus
    if excluded:
        sentence += f" Hors{_FIXED}: " if tongue == "fr" else " Not counted: "
        sentence += f"{_listed(excluded)}."
    return sentence


def _limit(cap: Cap, noun: Plural, tongue: str) -> str:
    most = counted(cap.units, noun, tongue)
    return f"{'au plus' if tongue == 'fr' else 'at most'} {most} {_WINDOWS[tongue][cap.window]}"


def multiplier_sentence(one: Multiplier, programme: Programme, language: str) -> str:
    """One factor in words: `Points are multiplied by 2 on Tuesdays, from 17:00 to 19:00.`"""
    tongue = spoken(language)
    rules = [rule for rule in programme.earn if not isinstance(rule.way, Event)]
    meant = dict.fromkeys(rule.currency for rule in rules if one.rules is None or rule.id in one.rules)
    nouns = [noun_of(programme, currency, tongue) for currency in meant] or [Plural("point", "points")]
    words = _occasions(one, programme, tongue)
    what = joined([f"les {noun.other}" if tongue == "fr" else noun.other for noun in nouns], tongue)
    verb = "are multiplied by"
    if tongue == "fr":
        verb = f"sont multiplié{'e' if all(noun.feminine for noun in nouns) else ''}s par"
    said = f"{what} {verb} {factor_text(one.factor, tongue)}"
    return f"{said[:1].upper()}{said[1:]}{' ' if words else ''}{', '.join(words)}."


def _occasions(one: Multiplier, programme: Programme, tongue: str) -> list[str]:
    words = [] if one.tiers is None else [tiers_said(sorted(one.tiers), programme, tongue)]
    if one.goods:
        words.append(goods_said(one.goods, tongue))
    words += calendar_said(one.calendar, tongue)
    if one.birthday is not None:
        words.append(birthday_said(one.birthday, tongue))
    if one.stores is not None:
        words.append("dans certaines boutiques" if tongue == "fr" else "in some shops")
    if one.when is not None:
        words.append(condition_said(one.when, programme, tongue))
    return words


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)[:10])


def _per(way: Per, rule: EarnRule, programme: Programme, tongue: str) -> list[str]:
    units, spent = _proportion(way, programme.money, tongue)
    words = [f"{counted(units, noun_of(programme, rule.currency, tongue), tongue)} {spent}"]
    if way.rate.denominator != 1:
        words.append(_ROUNDING[tongue][way.rounding])
        if way.scope == "line":
            words.append("article par article" if tongue == "fr" else "line by line")
    return words


def _occasion(way: Visit | Item | Event, money: Money, tongue: str) -> str:
    if isinstance(way, Visit):
        return _visit(way, money, tongue)
    if isinstance(way, Item):
        return _item(way, tongue)
    name = way.names.get(tongue) or next(iter(way.names.values()))
    return f"pour {name}" if tongue == "fr" else f"for {name}"


def _visit(way: Visit, money: Money, tongue: str) -> str:
    words = "à chaque visite" if tongue == "fr" else "for each visit"
    if way.minimum_minor:
        least = money_text(way.minimum_minor, money, tongue)
        words += f" dès {least} d’achat" if tongue == "fr" else f" of {least} or more"
    if way.interval >= LONG_VISIT:
        words += (
            f", au plus une fois {_every(way.interval, tongue)}"
            if tongue == "fr"
            else (f", at most once {_every(way.interval, tongue)}")
        )
    return words


def _every(span: timedelta, tongue: str) -> str:
    minutes = int(span.total_seconds()) // 60
    # One day is said as 24 hours: "a day" would be heard as "once every calendar day".
    size, one, several = next(
        unit for unit in _SPANS[tongue] if minutes % unit[0] == 0 and (minutes, unit[0]) != (1440, 1440)
    )
    count = minutes // size
    if count == 1:
        return f"par {one}" if tongue == "fr" else f"{'an' if one == 'hour' else 'a'} {one}"
    if tongue == "en":
        return f"every {count} {several}"
    return f"{'toutes' if several.endswith('es') else 'tous'} les {count} {several}"


def _item(way: Item, tongue: str) -> str:
    named = _listed(way.categories | way.skus)
    if tongue == "fr":
        return f"par article acheté parmi{_FIXED}: {named}" if named else "par article acheté"
    return f"for each item bought among: {named}" if named else "for each item bought"


def _proportion(way: Per, money: Money, tongue: str) -> tuple[int, str]:
    """Units, and the money they are given for, in the roundest words: per euro, per 10 euros, for every 1.50."""
    units, minor = way.rate.numerator, way.rate.denominator
    major = 10**money.exponent
    if major % minor == 0:
        units, minor = units * (major // minor), major
    noun = _MAJOR.get(money.iso, {}).get(tongue)
    whole, rest = divmod(minor, major)
    if rest or noun is None:
        amount = money_text(minor, money, tongue)
        return units, f"par tranche de {amount}" if tongue == "fr" else f"for every {amount} spent"
    if whole == 1:
        past = "dépensée" if noun.feminine else "dépensé"
        return units, f"par {noun.one} {past}" if tongue == "fr" else f"per {noun.one} spent"
    amount = counted(whole, noun, tongue)
    return units, f"par tranche de {amount}" if tongue == "fr" else f"for every {amount} spent"
