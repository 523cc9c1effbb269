"""Owns the sentences of a simulation, in French and English: warnings, figures, the portrait of the best customers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

from wallet_server.rules.passes.card import Texts
from wallet_server.rules.programme.program import Money, Programme
from wallet_server.rules.sentences import counted, money_text, noun_of, number, spoken
from wallet_server.rules.simulation import advice
from wallet_server.rules.simulation.advice import Warned
from wallet_server.rules.simulation.customers import CATEGORY, Portrait, Trait
from wallet_server.rules.simulation.engine import Habit
from wallet_server.rules.simulation.report import Report
from wallet_server.rules.simulation.tally import DEALS, REWARDS, UNITS, VOUCHERS

_FIXED = "\u00a0"

HABIT_WORDS: Mapping[Habit, Texts] = {
    "soon": {
        "fr": "Chaque membre montre sa carte à chaque achat et prend une récompense dès que possible.",
        "en": "Every member shows the card at each purchase and takes a reward as soon as possible.",
    },
    "save": {
        "fr": "Chaque membre montre sa carte à chaque achat et attend la récompense la plus chère.",
        "en": "Every member shows the card at each purchase and saves for the dearest reward.",
    },
    "never": {
        "fr": "Chaque membre montre sa carte à chaque achat et ne dépense rien de ce qui s’accumule.",
        "en": "Every member shows the card at each purchase and spends nothing of what is collected.",
    },
}
COST_WORDS: Mapping[str, Texts] = {
    REWARDS: {"fr": "récompenses prises", "en": "rewards taken"},
    VOUCHERS: {"fr": "bons utilisés", "en": "vouchers used"},
    DEALS: {"fr": "offres immédiates", "en": "deals at the till"},
    UNITS: {"fr": "payé avec la carte", "en": "paid with the card"},
}
_TRAITS: Mapping[str, Texts] = {
    "purchases": {"fr": "nombre d’achats", "en": "purchases"},
    "basket_minor": {"fr": "panier moyen", "en": "average basket"},
    "lines": {"fr": "lignes par achat", "en": "lines a purchase"},
    "pieces": {"fr": "articles par achat", "en": "items a purchase"},
    "skus": {"fr": "articles différents", "en": "different articles"},
    "categories": {"fr": "rayons différents", "en": "different categories"},
    "stores": {"fr": "boutiques fréquentées", "en": "shops visited"},
    "interval_days": {"fr": "jours entre deux achats", "en": "days between two purchases"},
    "months": {"fr": "mois avec un achat", "en": "months with a purchase"},
    "tenure_days": {"fr": "jours du premier au dernier achat", "en": "days from the first purchase to the last"},
    "recency_days": {"fr": "jours depuis le dernier achat", "en": "days since the last purchase"},
    "weekend": {"fr": "part des achats le week-end", "en": "share of purchases at weekends"},
    "evening": {"fr": "part des achats après 17 h", "en": "share of purchases after 5 p.m."},
    "taken_back": {"fr": "part des retours", "en": "share of returns"},
}
_SHARES = ("weekend", "evening", "taken_back")


def decimal(value: Fraction, places: int, language: str) -> str:
    """A number with so many decimals, rounded half up, as the language writes it."""
    french = spoken(language) == "fr"
    scaled = (abs(value) * 10**places + Fraction(1, 2)).__floor__()
    whole, rest = divmod(scaled, 10**places)
    text = number(whole, language)
    if places:
        text += f"{',' if french else '.'}{rest:0{places}d}"
    return f"-{text}" if value < 0 and scaled else text


def percent_text(share: Fraction, language: str, places: int = 2) -> str:
    """A share as a percentage: `0,30 %`, `0.30%`."""
    return decimal(share * 100, places, language) + (f"{_FIXED}%" if spoken(language) == "fr" else "%")


def money_of(minor: Fraction | int, money: Money, language: str) -> str:
    """An amount, to the minor unit, half up."""
    whole = (abs(Fraction(minor)) + Fraction(1, 2)).__floor__()
    return money_text(-whole if minor < 0 else whole, money, language)


# ---------------------------------------------------------------------- warnings


def warning_sentence(warned: Warned, programme: Programme, language: str) -> str:
    """What a warning says, and what to do about it."""
    said = _SAID[warned.code](warned, programme, spoken(language) == "fr")
    return said.replace(" :", f"{_FIXED}:") if spoken(language) == "fr" else said


def _tier_name(programme: Programme, code: object, tongue: str) -> str:
    level = None if programme.ladder is None else programme.ladder.level(str(code))
    if level is None:
        return str(code)
    return level.names.get(tongue) or level.names[programme.languages[0]]


def _first_tier(warned: Warned, programme: Programme, french: bool) -> str:
    tongue, p = "fr" if french else "en", warned.params
    name, mean = _tier_name(programme, p["tier"], tongue), money_of(Fraction(p["mean_minor"]), programme.money, tongue)
    if "spend_minor" in p:
        goal = money_of(Fraction(p["spend_minor"]), programme.money, tongue)
        better = money_of(2 * Fraction(p["mean_minor"]), programme.money, tongue)
    else:
        noun = None if programme.ladder is None else noun_of(programme, programme.ladder.currency, tongue)
        least = -(-2 * Fraction(p["units"]) // 1)
        goal = counted(int(p["threshold"]), noun, tongue) if noun else str(p["threshold"])
        better = counted(int(least), noun, tongue) if noun else str(least)
    if french:
        return (
            f"Le premier statut ({name}, dès {goal}) s’atteint en moins de 2 paniers moyens (< 2 paniers de {mean}) : "
            f"on y arrive par hasard le premier jour. Placez-le à {better} ou plus."
        )
    return (
        f"The first tier ({name}, from {goal}) takes less than two average baskets (< 2 baskets of {mean}): people get "
        f"there by accident on the first day. Set it at {better} or more."
    )


def _rare_tier(warned: Warned, programme: Programme, french: bool) -> str:
    tongue = "fr" if french else "en"
    name = _tier_name(programme, warned.params["tier"], tongue)
    reached, members = (number(int(warned.params[key]), tongue) for key in ("reached", "members"))
    if french:
        return (
            f"Moins de 1{_FIXED}% des membres (< 1{_FIXED}% : {reached} sur {members}) atteignent le statut {name}. "
            f"Abaissez son seuil, ou faites-en un statut sur invitation."
        )
    return (
        f"Less than 1% of the members (< 1%: {reached} of {members}) reach {name}. Lower its threshold, or make it a "
        f"tier by invitation."
    )


def _low_rate(warned: Warned, programme: Programme, french: bool) -> str:
    tongue = "fr" if french else "en"
    rate = percent_text(Fraction(warned.params["rate"]), tongue)
    median = warned.params.get("median_year_minor")
    each = "" if median is None else money_of(Fraction(median), programme.money, tongue)
    if french:
        half = f", soit {each} par an pour le membre médian" if each else ""
        return (
            f"Le programme rend {rate} de ce que les membres dépensent{half} : quelques euros de remise une fois par "
            f"an ne font revenir personne. Visez au moins 0,5{_FIXED}%."
        )
    half = f", {each} a year for the median member" if each else ""
    return (
        f"The programme gives back {rate} of what members spend{half}: a little off once a year brings nobody back. "
        f"Aim at 0.5% or more."
    )


def _complicated(warned: Warned, _programme: Programme, french: bool) -> str:
    rules, limit = warned.params["rules"], int(warned.params["limit"]) - 1
    if french:
        return f"Trop compliqué : {rules} règles, que personne ne peut expliquer en caisse. Gardez-en {limit} au plus."
    return f"Too complicated: {rules} rules, which nobody can explain at a till. Keep {limit} at most."


def _rare_visits(warned: Warned, _programme: Programme, french: bool) -> str:
    days = warned.params.get("interval_days")
    if french:
        gap = "Presque personne ne revient" if days is None else (
            f"Entre deux achats, la moitié des clients attend {decimal(Fraction(days), 0, 'fr')} jours ou plus"
        )  # fmt: skip
        return f"{gap} : récompenser les visites ne convient pas. Récompensez l’ancienneté ou le parrainage."
    gap = "Hardly anybody comes twice" if days is None else (
        f"Half of the customers wait {decimal(Fraction(days), 0, 'en')} days or more between two purchases"
    )  # fmt: skip
    return f"{gap}: rewarding visits does not fit. Reward tenure or referrals."


def _nobody(_warned: Warned, _programme: Programme, french: bool) -> str:
    if french:
        return (
            "Le fichier ne dit pas qui a acheté : sans clients, on ne connaît que les paniers. Indiquez leur colonne."
        )
    return (
        "The file does not say who bought: without customers only baskets are known. Name the column of the customer."
    )


def _no_value(warned: Warned, _programme: Programme, french: bool) -> str:
    code = warned.params["reward"]
    if french:
        return (
            f"Rien ne dit ce que vaut la récompense « {code} » : elle compte pour 0. Écrivez sa valeur (value_minor)."
        )
    return f"Nothing says what the reward “{code}” is worth: it counts as 0. Write its value (value_minor)."


def _never(warned: Warned, _programme: Programme, french: bool) -> str:
    tongue = "fr" if french else "en"
    never, members = (number(int(warned.params[key]), tongue) for key in ("never", "members"))
    if french:
        return f"Plus de la moitié des membres ({never} sur {members}) ne reçoivent jamais rien : abaissez un seuil."
    return f"More than half of the members ({never} of {members}) are never rewarded: lower a threshold."


_SAID: Mapping[str, Callable[[Warned, Programme, bool], str]] = {
    advice.FIRST_TIER_LOW: _first_tier,
    advice.TIER_RARE: _rare_tier,
    advice.LOW_RATE: _low_rate,
    advice.COMPLICATED: _complicated,
    advice.RARE_VISITS: _rare_visits,
    advice.NOBODY_KNOWN: _nobody,
    advice.NO_VALUE: _no_value,
    advice.NEVER_OFTEN: _never,
}


# ---------------------------------------------------------------------- figures


def trait_sentence(trait: Trait, money: Money, language: str) -> str:
    """One trait of the best customers: what they have, and what the rest have."""
    french = spoken(language) == "fr"
    best, rest = _amount(trait, trait.best, money, language), _amount(trait, trait.rest, money, language)
    if trait.name.startswith(CATEGORY):
        name = trait.name.removeprefix(CATEGORY)
        return f"achètent « {name} » : {best} contre {rest}" if french else f"buy “{name}”: {best} against {rest}"
    name = _TRAITS[trait.name]["fr" if french else "en"]
    return f"{name} : {best} contre {rest}" if french else f"{name}: {best} against {rest}"


def _amount(trait: Trait, value: Fraction, money: Money, language: str) -> str:
    if trait.name.startswith(CATEGORY) or trait.name in _SHARES:
        return percent_text(value, language, 0)
    if trait.name == "basket_minor":
        return money_of(value, money, language)
    return decimal(value, 0 if value.denominator == 1 else 1, language)


def portrait_sentence(found: Portrait, language: str) -> str:
    """Of whom the portrait is."""
    best, customers = number(found.best, language), number(found.customers, language)
    if spoken(language) == "fr":
        return f"Portrait-robot des {best} meilleurs clients (le dixième de {customers}), face aux autres :"
    return f"Portrait of the {best} best customers (a tenth of {customers}), beside the others:"


def figures(found: Report, programme: Programme, language: str) -> list[tuple[str, str]]:
    """The figures as (what it is, how much)."""
    french, money = spoken(language) == "fr", programme.money

    def say(fr: str, en: str) -> str:
        return fr if french else en

    def cash(minor: Fraction | int | None) -> str:
        return "–" if minor is None else money_of(minor, money, language)

    def share(part: Fraction | None) -> str:
        return "–" if part is None else percent_text(part, language)

    def many(count: int) -> str:
        return number(count, language)

    once = f"{say('dont', 'of whom')} {many(found.never.once)} {say('venus une fois', 'came once')}"
    rows = [
        (say("Période", "Period"), f"{found.first} – {found.last} ({many(found.days)} {say('jours', 'days')})"),
        (say("Achats, lignes, retours", "Purchases, lines, returns"),
         f"{many(found.baskets.count)}, {many(found.baskets.lines)}, {many(found.baskets.returns)}"),
        (say("Panier moyen, médian", "Average basket, median"),
         f"{cash(found.baskets.mean_minor)}, {cash(found.baskets.median_minor)}"),
        (say("Chiffre d’affaires", "Turnover"), cash(found.turnover_minor)),
        (say("Clients connus", "Known customers"), f"{many(found.members)} ({cash(found.member_minor)})"),
    ]  # fmt: skip
    if found.unknown_purchases:
        text = f"{many(found.unknown_purchases)} ({cash(found.unknown_minor)})"
        rows.append((say("Achats sans client", "Purchases of nobody known"), text))
    rows += [(f"{say('Coût', 'Cost')}: {COST_WORDS[kind]['fr' if french else 'en']}", cash(minor))
             for kind, minor in found.costs.items() if minor]  # fmt: skip
    rows += [
        (say("Encore dû à la fin", "Still owed at the end"), cash(found.held_minor)),
        (say("Donné en tout", "Given in all"), cash(found.given_minor)),
        (say("Taux de retour", "Give-back rate"), share(found.rate)),
        (say("Par membre et par an (médiane)", "Per member and year (median)"), cash(found.median_year_minor)),
        (say("Dépense d’un membre, médiane et 9e décile", "Spend of a member, p50 and p90"),
         f"{cash(found.spend_p50_minor)}, {cash(found.spend_p90_minor)}"),
        (say("Jamais récompensés", "Never rewarded"), f"{many(found.never.members)} {once}"),
        (say("Entre deux achats (médiane)", "Between two purchases (median)"),
         "–" if found.interval_days is None else f"{decimal(found.interval_days, 0, language)} {say('jours', 'days')}"),
        (say(f"Les 20{_FIXED}% meilleurs clients", "The top 20% of customers"),
         f"{share(found.top.share)} {say('du chiffre d’affaires', 'of the turnover')}"),
    ]  # fmt: skip
    return rows
