"""Owns the two programmes that a shop sets up in one form: a stamp card, and points for money spent.

`stamp_document` and `points_document` write the programme document, `simple_form_of` reads such a document back into
the answers of the form, and `carry_over` keeps what only the document says when the form is published again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from wallet_server.errors import Invalid
from wallet_server.rules.passes.card import Palette, Texts
from wallet_server.rules.programme.program import Amount, Item, Money, Per, Programme, Promise, Reward, Visit, parse
from wallet_server.rules.programme.program_default import default_document

EURO = Money("EUR", 2)
VISIT_MINUTES = 10
"""Sales of one member within so many minutes are one visit: a basket in two parts, a card scanned twice."""

_STAMP = {"fr": {"one": "tampon", "other": "tampons"}, "en": {"one": "stamp", "other": "stamps"}}
_STAMPS, _POINTS, _REWARD = "stamps", "points", "reward"
_KEPT = ("links", "announce", "useful_distance_metres", "max_distance_metres", "apple")
"""Fields that the form does not ask for: they stay as they are."""


@dataclass(frozen=True)
class SimpleReward:
    """A reward of the form: its name by language, what it costs in points, and its worth in minor units of money."""

    names: Texts
    cost: int
    value_minor: int | None = None


@dataclass(frozen=True)
class StampForm:
    """The answers of a stamp card. `reward_names` by language; `welcome` is so many stamps for joining, 0 for none, and
    `coupon` what else a new member is given."""

    organisation: str
    palette: Palette
    logo: str | None
    stamps: int
    reward_names: Texts
    reward_value_minor: int | None
    per: Literal["visit", "item"]
    minimum_minor: int
    interval_minutes: int
    welcome: int
    languages: tuple[str, ...]
    money: Money
    coupon: Promise | None = None


@dataclass(frozen=True)
class PointsForm:
    """The answers of a points card: so many points for each `amount_minor` spent, with or without the three tiers."""

    organisation: str
    palette: Palette
    logo: str | None
    points: int
    amount_minor: int
    tiers: bool
    rewards: tuple[SimpleReward, ...]
    welcome: int
    languages: tuple[str, ...]
    money: Money
    coupon: Promise | None = None


def stamp_document(
    organisation: str,
    *,
    palette: Palette,
    reward_names: Texts,
    logo: str | None = None,
    stamps: int = 10,
    reward_value_minor: int | None = None,
    per: Literal["visit", "item"] = "visit",
    minimum_minor: int = 0,
    interval_minutes: int = VISIT_MINUTES,
    welcome: int = 0,
    languages: Sequence[str] = ("fr", "en"),
    money: Money = EURO,
    coupon: Promise | None = None,
) -> dict[str, Any]:
    """The document of "10 stamps = 1 reward". `minimum_minor` and `interval_minutes` count for visits alone.

    Checks nothing but the languages: `program.parse` names every fault of what was typed.
    """
    way: dict[str, Any] = {"units": 1}
    if per == "visit":
        way |= {"minimum_minor": minimum_minor, "interval_minutes": interval_minutes}
    document = _frame(organisation, palette, logo, languages, money)
    reward = SimpleReward(reward_names, stamps, reward_value_minor)
    return document | {
        "design": {"id": "stamps", "version": 1},
        "currencies": [{"code": _STAMPS, "kind": "stamps", "names": {tag: dict(_STAMP[tag]) for tag in languages}}],
        "balance_currency": _STAMPS,
        "earn": [{"id": per, "currency": _STAMPS, per: way}],
        "tiers": None,
        "rewards": [_reward(_REWARD, _STAMPS, reward, languages)],
        "welcome": _welcome(_STAMPS, welcome, coupon, languages),
    }


def points_document(
    organisation: str,
    *,
    palette: Palette,
    logo: str | None = None,
    points: int = 1,
    amount_minor: int = 100,
    tiers: bool = True,
    rewards: Sequence[SimpleReward] = (),
    welcome: int = 0,
    languages: Sequence[str] = ("fr", "en"),
    money: Money = EURO,
    coupon: Promise | None = None,
) -> dict[str, Any]:
    """The document of "1 point per euro", with the tiers of the default programme if asked; checks as little."""
    document = _frame(organisation, palette, logo, languages, money)
    kept = len(document["currencies"]) if tiers else 1
    per = {"amount_minor": amount_minor, "points": points}
    return document | {
        "currencies": document["currencies"][:kept],
        "earn": [{**rule, "per": dict(per)} for rule in document["earn"][:kept]],
        "tiers": document["tiers"] if tiers else None,
        "rewards": [_reward(f"{_REWARD}-{n}", _POINTS, one, languages) for n, one in enumerate(rewards, 1)],
        "welcome": _welcome(_POINTS, welcome, coupon, languages),
    }


def document_of(form: StampForm | PointsForm) -> dict[str, Any]:
    """The document that these answers make."""
    answers = dict(vars(form))
    organisation = answers.pop("organisation")
    write = stamp_document if isinstance(form, StampForm) else points_document
    return write(organisation, **answers)


def simple_form_of(document: Mapping[str, Any]) -> StampForm | PointsForm | None:
    """The answers that make this document; None when it promises something that the form cannot say.

    What `carry_over` keeps is left out of the comparison. A document that is not sound has no form either.
    """
    try:
        programme = parse(document)
    except Invalid:
        return None
    form = _stamp_form(programme) or _points_form(programme)
    if form is None:
        return None
    written = parse(carry_over(document_of(form), document))
    return form if written == programme else None


def carry_over(document: Mapping[str, Any], previous: Mapping[str, Any]) -> dict[str, Any]:
    """The document with what the form does not ask for taken from the version before: links, messages, distances, a
    description of its own, and the currencies in which members may hold a balance already."""
    kept = {name: previous[name] for name in _KEPT if name in previous}
    if previous.get("description") != _described(previous) and previous.get("languages") == document["languages"]:
        kept["description"] = previous["description"]
    codes = {currency["code"] for currency in document["currencies"]}
    held = [currency for currency in previous.get("currencies", []) if currency["code"] not in codes]
    return {**document, **kept, "currencies": [*document["currencies"], *held]}


def _described(document: Mapping[str, Any]) -> Any:
    """The description that a document of this organisation has by itself."""
    return default_document(document["organisation"], document["languages"])["description"]


def _frame(
    organisation: str, palette: Palette, logo: str | None, languages: Sequence[str], money: Money
) -> dict[str, Any]:
    return default_document(organisation, languages) | {
        "money": {"iso": money.iso, "exponent": money.exponent},
        "palette": dict(vars(palette)),
        "branding": {"logo": logo},
    }


def _reward(code: str, currency: str, reward: SimpleReward, languages: Sequence[str]) -> dict[str, Any]:
    names = {tag: reward.names[tag] for tag in languages if tag in reward.names}
    cost = {"currency": currency, "amount": reward.cost}
    return {"code": code, "names": names, "cost": cost, "value_minor": reward.value_minor}


def _welcome(currency: str, units: int, coupon: Promise | None, languages: Sequence[str]) -> dict[str, Any] | None:
    welcome: dict[str, Any] = {"currency": currency, "amount": units} if units else {}
    if coupon is not None:
        words = {"title": coupon.title, "terms": coupon.terms}
        told = {name: {tag: texts[tag] for tag in languages if tag in texts} for name, texts in words.items()}
        welcome["coupon"] = {**told, "valid_days": coupon.valid_days, "value_minor": coupon.value_minor}
    return welcome or None


def _stamp_form(programme: Programme) -> StampForm | None:
    if len(programme.rewards) != 1 or len(programme.earn) != 1 or programme.balance_currency != _STAMPS:
        return None
    (reward,), way = programme.rewards, programme.earn[0].way
    if isinstance(way, Per):
        return None
    visit = way if isinstance(way, Visit) else None
    return StampForm(
        organisation=programme.organisation,
        palette=programme.palette,
        logo=programme.logo,
        stamps=reward.cost.units,
        reward_names=reward.names,
        reward_value_minor=reward.value_minor,
        per="item" if isinstance(way, Item) else "visit",
        minimum_minor=visit.minimum_minor if visit else 0,
        interval_minutes=int(visit.interval.total_seconds()) // 60 if visit else VISIT_MINUTES,
        welcome=_units(programme.welcome),
        languages=programme.languages,
        money=programme.money,
        coupon=programme.welcome_coupon,
    )


def _points_form(programme: Programme) -> PointsForm | None:
    way = programme.earn[0].way if programme.earn else None
    if not isinstance(way, Per):
        return None
    points, minor = way.rate.numerator, way.rate.denominator
    major = 10**programme.money.exponent
    if major % minor == 0:
        # As a person says it: 2 points per euro, not 1 point for every 50 cents.
        points, minor = points * (major // minor), major
    return PointsForm(
        organisation=programme.organisation,
        palette=programme.palette,
        logo=programme.logo,
        points=points,
        amount_minor=minor,
        tiers=programme.ladder is not None,
        rewards=tuple(_simple(reward) for reward in programme.rewards),
        welcome=_units(programme.welcome),
        languages=programme.languages,
        money=programme.money,
        coupon=programme.welcome_coupon,
    )


def _simple(reward: Reward) -> SimpleReward:
    return SimpleReward(reward.names, reward.cost.units, reward.value_minor)


def _units(amount: Amount | None) -> int:
    return 0 if amount is None else amount.units
