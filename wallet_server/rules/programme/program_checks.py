"""Owns what one part of a programme document demands of another: known currencies, rising thresholds, all languages.

The checks look at the raw document and pass over whatever has not the right type, so that they can run beside the
check of the shape and a person sees all faults at once, not the second half after mending the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import get_args

from wallet_server.errors import Fault
from wallet_server.rules.addresses import encoded, is_web_address
from wallet_server.rules.programme.document_reading import MOST, column, known_currency, repeats, table
from wallet_server.rules.programme.document_reading import rows as rows_of
from wallet_server.rules.programme.document_reading import texts as texts_of
from wallet_server.rules.programme.document_types import Language
from wallet_server.rules.programme.engine_checks import engine_faults, places_of_texts
from wallet_server.rules.programme.gesture_checks import gesture_faults, gesture_texts

_EXPONENTS = {
    **dict.fromkeys(("AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HUF", "INR", "MAD", "MXN"), 2),
    **dict.fromkeys(("NOK", "NZD", "PLN", "RON", "SEK", "SGD", "TRY", "USD", "ZAR"), 2),
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "RWF", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Decimals of the commoner currencies (ISO 4217); a wrong one would make every amount ten or a hundred times off."""

WELCOME = "welcome"
"""The rule under which the welcome gift stands in the books."""

STAMP_BOXES = range(2, 21)
"""How many boxes a stamp card can show."""

_WAYS = ("per", "visit", "item", "event")


def cross_faults(document: Mapping[str, object]) -> list[Fault]:
    """Every contradiction between the parts of a document."""
    return [
        *_money_faults(document),
        *_language_faults(document),
        *_currency_faults(document),
        *_earn_faults(document),
        *_tier_faults(document),
        *_reward_faults(document),
        *_welcome_faults(document),
        *_stamp_faults(document),
        *_text_faults(document),
        *_announce_faults(document),
        *_design_faults(document),
        *_apple_faults(document),
        *engine_faults(document),
        *gesture_faults(document),
    ]


def address_faults(document: Mapping[str, object]) -> list[Fault]:
    """The web addresses of a sound document that no vendor can be given. Apps have schemes of their own."""
    apple = table(document.get("apple"))
    written = [("links.website", table(document.get("links")).get("website"))]
    written.append(("apple.app.launch_link", table(apple.get("app")).get("launch_link")))
    app = table(table(document.get("google")).get("app"))
    written.append(("google.app.link", app.get("link")))
    written += [(f"apple.actions.{n}.link", row.get("link")) for n, row in enumerate(rows_of(apple.get("actions")))]
    return [
        Fault(path, "No phone can be given this address: write a whole web address that begins with https://.")
        for path, link in written
        if isinstance(link, str) and link[:6].lower() == "https:" and encoded(link) is None
    ]


def _exponent_fault(path: str, money: Mapping[object, object]) -> Iterator[Fault]:
    iso, exponent = money.get("iso"), money.get("exponent")
    known = _EXPONENTS.get(iso) if isinstance(iso, str) else None
    if known is not None and type(exponent) is int and exponent != known:
        yield Fault(f"{path}.exponent", f"{iso} has {known} decimals; write {known}.")


def _money_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    yield from _exponent_fault("money", table(document.get("money")))


def _language_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    for index, language in repeats(texts_of(document.get("languages"))):
        yield Fault(f"languages.{index}", f"“{language}” stands here twice; remove one.")


def _currency_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    rows = rows_of(document.get("currencies"))
    for index, code in repeats(column(rows, "code")):
        yield Fault(f"currencies.{index}.code", f"Two currencies have the code “{code}”; give one another code.")
    for index, row in enumerate(rows):
        path = f"currencies.{index}"
        stated = [name for name in ("iso", "exponent") if row.get(name) is not None]
        if row.get("kind") == "money":
            if len(stated) == 1:
                yield Fault(path, "Give iso and exponent both, or neither for the money of the programme.")
            yield from _exponent_fault(path, row)
        elif row.get("kind") in ("points", "stamps"):
            for name in stated:
                yield Fault(f"{path}.{name}", "Only a currency of kind money has this; remove it.")
    yield from known_currency("balance_currency", document.get("balance_currency"), document)


def _earn_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    rows = rows_of(document.get("earn"))
    for index, name in repeats(column(rows, "id")):
        yield Fault(f"earn.{index}.id", f"Two rules have the id “{name}”; give one another id.")
    for index, row in enumerate(rows):
        yield from known_currency(f"earn.{index}.currency", row.get("currency"), document)
        if row.get("id") == WELCOME:
            yield Fault(f"earn.{index}.id", f"“{WELCOME}” names the welcome gift in the books; write another id.")
        yield from _way_faults(f"earn.{index}", row)
        item = table(row.get("item"))
        for name, named in (
            ("excluded_categories", row.get("excluded_categories")),
            ("excluded_skus", row.get("excluded_skus")),
            ("item.categories", item.get("categories")),
            ("item.skus", item.get("skus")),
        ):
            for place, text in repeats(texts_of(named)):
                yield Fault(f"earn.{index}.{name}.{place}", f"“{text}” stands here twice; remove one.")


def _way_faults(path: str, row: Mapping[object, object]) -> Iterator[Fault]:
    ways = [way for way in _WAYS if row.get(way) is not None]
    if len(ways) != 1 and row:
        yield Fault(path, "Say in exactly one way how this rule earns: per, visit, item or event.")
    elif ways != ["per"]:
        for name in ("rounding", "scope", "tax"):
            if name in row:
                yield Fault(f"{path}.{name}", "Only a rule with per has this; remove it.")


def _tier_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    tiers = table(document.get("tiers"))
    yield from known_currency("tiers.currency", tiers.get("currency"), document)
    rows = rows_of(tiers.get("levels"))
    for index, code in repeats(column(rows, "code")):
        yield Fault(f"tiers.levels.{index}.code", f"Two tiers have the code “{code}”; give one another code.")
    below: int | None = None
    for index, row in enumerate(rows):
        threshold = row.get("threshold")
        if type(threshold) is not int or row.get("needs") is not None:
            continue
        path = f"tiers.levels.{index}.threshold"
        if index == 0 and threshold != 0:
            yield Fault(path, "The first tier is everyone's; write 0.")
        elif below is not None and threshold <= below:
            yield Fault(path, f"Each tier starts higher than the one before; write more than {below}.")
        below = threshold if below is None else max(below, threshold)


def _reward_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    rows = rows_of(document.get("rewards"))
    for index, code in repeats(column(rows, "code")):
        yield Fault(f"rewards.{index}.code", f"Two rewards have the code “{code}”; give one another code.")
    currencies = [row for row in rows_of(document.get("currencies")) if _is_code(row)]
    unspendable = {row["code"] for row in currencies if row.get("spendable") is False}
    for index, row in enumerate(rows):
        currency = table(row.get("cost")).get("currency")
        yield from known_currency(f"rewards.{index}.cost.currency", currency, document)
        if isinstance(currency, str) and currency in unspendable:
            yield Fault(f"rewards.{index}.cost.currency", f"“{currency}” cannot be spent; choose another currency.")


def _welcome_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    welcome = document.get("welcome")
    if not isinstance(welcome, Mapping):
        return
    yield from known_currency("welcome.currency", welcome.get("currency"), document)
    missing = [name for name in ("currency", "amount") if welcome.get(name) is None]
    if len(missing) == 1:
        yield Fault(f"welcome.{missing[0]}", "A gift of units needs both a currency and an amount; add this.")
    elif missing and welcome.get("coupon") is None:
        yield Fault("welcome", "Promise units (currency and amount), a coupon, or both; or remove this.")


def _stamp_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    if table(document.get("design")).get("id") != "stamps":
        return
    shown = document.get("balance_currency")
    kinds = {row.get("code"): row.get("kind") for row in rows_of(document.get("currencies")) if _is_code(row)}
    if not isinstance(shown, str) or not isinstance(document.get("rewards", []), list):
        return
    costs = [table(row.get("cost")) for row in rows_of(document.get("rewards"))]
    if kinds.get(shown) in ("points", "money"):
        yield Fault("balance_currency", "The design “stamps” shows a currency of kind stamps; choose one.")
    elif not any(cost.get("currency") == shown and cost.get("amount") in STAMP_BOXES for cost in costs):
        least, most = STAMP_BOXES[0], STAMP_BOXES[-1]
        sentence = (
            f"The design “stamps” needs a reward that costs {least} to {most} “{shown}”: that many boxes it draws."
        )
        yield Fault("rewards", sentence)


def _is_code(row: Mapping[object, object]) -> bool:
    return isinstance(row.get("code"), str)


def _text_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    stated = texts_of(document.get("languages"))
    languages = [language for language in stated if language in get_args(Language)]
    foreign = [] if len(languages) < len(stated) else languages  # a misspelt language is blamed once, not in each text
    for path, text in _places_of_texts(document):
        if not isinstance(text, Mapping):
            continue
        for language in dict.fromkeys(languages):
            if language not in text:
                yield Fault(f"{path}.{language}", f"The text in “{language}” is missing; add it.")
        for language in list(text)[:MOST]:
            if foreign and language not in foreign:
                sentence = f"“{language}” is not among the languages of this programme; add it there or remove this."
                yield Fault(f"{path}.{language}", sentence)


def _places_of_texts(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    yield "description", document.get("description")
    for index, row in enumerate(rows_of(document.get("currencies"))):
        yield f"currencies.{index}.names", row.get("names")
    for index, row in enumerate(rows_of(table(document.get("tiers")).get("levels"))):
        yield f"tiers.levels.{index}.names", row.get("names")
        for place, benefit in enumerate(rows_of(row.get("benefits"))):
            yield f"tiers.levels.{index}.benefits.{place}", benefit
    for index, row in enumerate(rows_of(document.get("rewards"))):
        yield f"rewards.{index}.names", row.get("names")
    yield from places_of_texts(document)
    yield from gesture_texts(document)
    coupon = table(table(document.get("welcome")).get("coupon"))
    for name in ("title", "terms"):
        yield f"welcome.coupon.{name}", coupon.get(name)
    for index, row in enumerate(rows_of(table(document.get("apple")).get("beacons"))):
        yield f"apple.beacons.{index}.texts", row.get("texts")


def _announce_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    announce = table(document.get("announce"))
    quiet = table(announce.get("quiet"))
    if isinstance(quiet.get("from"), str) and quiet.get("from") == quiet.get("to"):
        sentence = "Quiet hours that end when they begin could mean none or all day; write quiet: null for none."
        yield Fault("announce.quiet.to", sentence)
    per_day, per_week = announce.get("per_day", 1), announce.get("per_week", 3)
    if type(per_day) is int and type(per_week) is int and per_day > per_week:
        yield Fault("announce.per_week", f"A week allows at least as many as a day; write {per_day} or more.")


def _design_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    """What a shipped design must have to show."""
    design = table(document.get("design")).get("id")
    if design in ("coupon", "event"):
        yield Fault("design.id", f"The design “{design}” is not for members' cards; choose one that shows a balance.")
    if design in ("tiers", "club", "ranks") and "tiers" in document and document["tiers"] is None:
        yield Fault("design.id", f"The design “{design}” shows the status of a member; add tiers or choose another.")
    kinds = {row.get("code"): row.get("kind") for row in rows_of(document.get("currencies")) if _is_code(row)}
    shown = document.get("balance_currency")
    if design == "gift" and isinstance(shown, str) and kinds.get(shown) in ("points", "stamps"):
        yield Fault("balance_currency", "The design “gift” shows an amount of money; choose a currency of kind money.")


def _apple_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    apple = table(document.get("apple"))
    actions = rows_of(apple.get("actions"))
    for index, twice in repeats(column(actions, "kind")):
        yield Fault(f"apple.actions.{index}.kind", f"“{twice}” stands here twice; remove one.")
    for index, row in enumerate(actions):
        kind, link = row.get("kind"), row.get("link")
        if not isinstance(kind, str) or not isinstance(link, str):
            continue
        sentence = _link_fault(kind, link)
        if sentence:
            yield Fault(f"apple.actions.{index}.link", sentence)
    for index, row in enumerate(rows_of(apple.get("beacons"))):
        if row.get("minor") is not None and row.get("major") is None:
            yield Fault(f"apple.beacons.{index}.minor", "A minor number counts within a major one; write major too.")


_TELEPHONE = re.compile(r"tel:\+?[0-9][0-9().-]{1,30}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9]{1,100}")


def _link_fault(kind: str, link: str) -> str | None:
    match kind:
        case "call":
            return None if _TELEPHONE.fullmatch(link) else "Write a telephone number as tel:+33140000000."
        case "place":
            return None if _IDENTIFIER.fullmatch(link) else "Write the identifier of the place in Apple Maps."
    return None if is_web_address(link) else "Write a whole web address that begins with https://."
