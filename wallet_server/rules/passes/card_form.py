"""Owns the live form of a card: what a shopkeeper typed, what is wrong with it, the document it makes, and back.

A document is made whatever was typed, with a stand-in where a field is empty or wrong, so that the card can be drawn
from the first letter on; it may be published only when there is no fault.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from wallet_server.errors import Invalid
from wallet_server.rules.characters import blank
from wallet_server.rules.passes.card import Palette
from wallet_server.rules.passes.colours import inked, is_colour
from wallet_server.rules.programme.program import Programme, Promise, parse
from wallet_server.rules.programme.program_default import default_document
from wallet_server.rules.programme.program_simple import (
    EURO,
    PointsForm,
    SimpleReward,
    StampForm,
    carry_over,
    points_document,
    simple_form_of,
    stamp_document,
)

Typed = Mapping[str, str]
"""What stands in each field of the form, as it was typed."""

STAMPS = range(2, 21)
MAX_TITLE = 60
MAX_TIER, MAX_SHORT = 40, 20
MAX_TYPED = MAX_TERMS = 400
MAX_DAYS = 3660
LANGUAGES = ("fr", "en")
TIERS = (1, 2, 3)
DEFAULTS: Typed = {
    "name": "",
    "logo": "",
    "bare": "",  # the logo before a plate was put behind it
    "colour": "#12372a",
    "kind": "stamps",
    "stamps": "10",
    "reward_fr": "",
    "reward_en": "",
    "value": "",
    "each": "visit",
    "minimum": "",
    "interval": "10",
    "welcome": "",
    "coupon_fr": "",
    "coupon_en": "",
    "terms_fr": "",
    "terms_en": "",
    "days": "",
    "points": "1",
    "spend": "1",
    "cost": "100",
    "tiers": "yes",
    "paint": "rise",
    "tier1_fr": "Bronze",
    "tier1_en": "Bronze",
    "tier2_fr": "Argent",
    "tier2_en": "Silver",
    "tier2_at": "300",
    "tier3_fr": "Or",
    "tier3_en": "Gold",
    "tier3_at": "1000",
    **{f"tier{number}_short_{tag}": "" for number in (1, 2, 3) for tag in ("fr", "en")},
    "tab": "",  # the window in which it was typed
}
"""Every field with what a new form holds."""
_OF_COUPON = ("coupon_fr", "coupon_en", "terms_fr", "terms_en", "days")
_PAINTS = ("rise", "metals", "none")
_MOST_MONEY = 100_000_00
_MOST_POINTS = 1_000_000
_STAND_IN = {"fr": "votre récompense", "en": "your reward"}
TERMS = {"fr": "Une fois, dans notre boutique.", "en": "Once, in our shop."}
"""The terms of a coupon for which none were written."""
_MONEY = re.compile(r"(\d{1,7})(?:[.,](\d{1,3}))?")


@dataclass(frozen=True)
class Wrong:
    """One thing wrong with a field, or worth knowing: a code for the page's words, and what goes into them."""

    field: str
    code: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """A form as it was understood; without `faults` the document may be published."""

    document: dict[str, Any]
    programme: Programme
    faults: tuple[Wrong, ...]


@dataclass
class _Reader:
    """Takes field after field, gathering faults."""

    typed: Typed
    exponent: int
    faults: list[Wrong] = field(default_factory=list)

    def text(self, name: str, most: int, otherwise: str, missing: str | None) -> str:
        found = cleaned(self.typed.get(name, ""))
        if len(found) > most:
            self.faults.append(Wrong(name, "too_long", (str(most), str(len(found)))))
            return found[:most].strip()
        if not found and missing:
            self.faults.append(Wrong(name, missing))
        return found or otherwise

    def whole(self, name: str, least: int, most: int, otherwise: int, *, empty: int | None = None) -> int:
        found = re.sub(r"\s", "", self.typed.get(name, ""))
        if not found and empty is not None:
            return empty
        if found.isascii() and found.isdigit() and len(found) <= 9 and least <= int(found) <= most:
            return int(found)
        self.faults.append(Wrong(name, "number", (str(least), str(most))))
        return otherwise

    def money(self, name: str, otherwise: int | None) -> int | None:
        """Minor units; nothing typed is `otherwise`."""
        found = re.sub(r"[\s€$£]", "", self.typed.get(name, ""))
        if not found:
            return otherwise
        parts = _MONEY.fullmatch(found) if found.isascii() else None
        if parts is not None and len(parts[2] or "") <= self.exponent:
            minor: int = int(parts[1]) * 10**self.exponent + int((parts[2] or "").ljust(self.exponent, "0") or "0")
            if 0 < minor <= _MOST_MONEY:
                return minor
        self.faults.append(Wrong(name, "money"))
        return otherwise

    def names(self, name: str, most: int, otherwise: Mapping[str, str], missing: str | None) -> dict[str, str]:
        """A text in both languages: where one is empty, the other stands for it as it is."""
        given = {tag: self.text(f"{name}_{tag}", most, "", None) for tag in LANGUAGES}
        said = next((text for text in given.values() if text), "")
        if not said and missing:
            self.faults.append(Wrong(f"{name}_fr", missing))
        return {tag: given[tag] or said or otherwise[tag] for tag in LANGUAGES}


def cleaned(text: str) -> str:
    """On one line, in composed letters, without controls or space at its ends; empty where nothing can be seen."""
    flat = "".join(" " if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") else one for one in text)
    flat = flat.replace("\ufffe", "").replace("\uffff", "")  # no phone shows these
    return "" if blank(flat) else re.sub(r" {2,}", " ", unicodedata.normalize("NFC", flat)).strip()


def kept(given: Mapping[str, str]) -> dict[str, str]:
    """The known fields of what a browser sent, each cut to a sane length; what is missing has its default."""
    return {
        name: given.get(name, default)[:MAX_TYPED].encode("utf-8", "replace").decode()
        for name, default in DEFAULTS.items()
    }


def resumed(form: Mapping[str, str], document: Mapping[str, Any] | None) -> dict[str, str]:
    """A draft as it was kept; what was not asked for when it was kept is as the document that stands has it."""
    stands = typed_of(document) if document and not form.keys() >= DEFAULTS.keys() else None
    return kept({**(stands or {}), **form})


def begun(organisation: str) -> dict[str, str]:
    """The form of a shop that has published nothing: only the reward's name is missing."""
    return {**DEFAULTS, "name": cleaned(organisation)[:MAX_TITLE]}


def read(typed: Typed, base: Mapping[str, Any] | None, language: str = "fr") -> Reading:
    """Understand the form. `base` is the document that stands (what the form does not ask for stays), None for the
    first; `language` is then the programme's first."""
    tongues = tuple(base["languages"]) if base else tuple(sorted(LANGUAGES, key=lambda tag: tag != language))
    money = parse(base).money if base else EURO
    reader = _Reader(typed, money.exponent)
    organisation = reader.text("name", MAX_TITLE, "…", "name_missing")
    colour = typed.get("colour", "")
    if not is_colour(colour):
        reader.faults.append(Wrong("colour", "colour"))
        colour = DEFAULTS["colour"]
    logo = typed.get("logo") or None
    if logo is not None and not re.fullmatch("[0-9a-f]{64}", logo):
        logo = None
    frame: dict[str, Any] = {"palette": _palette(colour, base), "logo": logo, "languages": tongues, "money": money}
    frame["coupon"] = _coupon(reader, base)
    write = _stamps if typed.get("kind") != "points" else _points
    document = write(organisation, reader, frame)
    return _checked(carry_over(document, base) if base else document, reader.faults)


def _coupon(reader: _Reader, base: Mapping[str, Any] | None) -> Promise | None:
    """The coupon for joining, if something was written for one; what it is worth at the till stays as it was."""
    asked = any(cleaned(reader.typed.get(name, "")) for name in _OF_COUPON)
    titles = reader.names("coupon", MAX_TITLE, _STAND_IN, "coupon_missing" if asked else None)
    if not asked:
        return None
    terms = reader.names("terms", MAX_TERMS, TERMS, None)
    days = reader.whole("days", 1, MAX_DAYS, 0, empty=0) or None
    before = parse(base).welcome_coupon if base else None
    return Promise(titles, terms, days, before.value_minor if before else None)


def _palette(colour: str, base: Mapping[str, Any] | None) -> Palette:
    """Inks for this ground; those of the document that stands as long as it has the same ground."""
    stands = Palette(**{name: str(ink).lower() for name, ink in base["palette"].items()}) if base else None
    return stands if stands is not None and stands.background == colour.lower() else inked(colour)


def _checked(document: dict[str, Any], faults: list[Wrong]) -> Reading:
    """What the validator of programmes says comes beside the field that it is about."""
    try:
        return Reading(document, parse(document), tuple(faults))
    except Invalid as refusal:
        places = tuple(Wrong(_field_of(fault.path), "validator", (fault.sentence,)) for fault in refusal.faults)
    plain = stamp_document("…", palette=inked(DEFAULTS["colour"]), reward_names=_STAND_IN)
    return Reading(document, parse(plain), (*faults, *places))


_FIELDS = (
    (re.compile(r"organisation|description"), "name"),
    (re.compile(r"palette"), "colour"),
    (re.compile(r"branding"), "logo"),
    (re.compile(r"rewards\.\d+\.names\.(\w+)"), "reward_{}"),
    (re.compile(r"rewards\.\d+\.cost"), "cost"),
    (re.compile(r"rewards\.\d+\.value"), "value"),
    (re.compile(r"rewards"), "stamps"),
    (re.compile(r"tiers\.levels\.\d+\.names"), "tier1_fr"),
    (re.compile(r"tiers\.levels\.1"), "tier2_at"),
    (re.compile(r"tiers"), "tier3_at"),
    (re.compile(r"welcome\.coupon\.title\.(\w+)"), "coupon_{}"),
    (re.compile(r"welcome\.coupon\.terms\.(\w+)"), "terms_{}"),
    (re.compile(r"welcome\.coupon"), "coupon_fr"),
    (re.compile(r"welcome"), "welcome"),
    (re.compile(r"earn"), "points"),
)


def _field_of(path: str) -> str:
    for pattern, name in _FIELDS:
        if found := pattern.match(path):
            return name.format(*found.groups())
    return "name"


def _stamps(organisation: str, reader: _Reader, frame: dict[str, Any]) -> dict[str, Any]:
    stamps = reader.whole("stamps", STAMPS[0], STAMPS[-1], 10)
    names = reader.names("reward", MAX_TITLE, _STAND_IN, "reward_missing")
    each: Literal["visit", "item"] = "item" if reader.typed.get("each") == "item" else "visit"
    return stamp_document(
        organisation,
        reward_names=names,
        stamps=stamps,
        reward_value_minor=reader.money("value", None),
        per=each,
        minimum_minor=(reader.money("minimum", 0) or 0) if each == "visit" else 0,
        interval_minutes=reader.whole("interval", 0, 24 * 60, 10, empty=0) if each == "visit" else 10,
        welcome=reader.whole("welcome", 0, STAMPS[-1], 0, empty=0),
        **frame,
    )


def _points(organisation: str, reader: _Reader, frame: dict[str, Any]) -> dict[str, Any]:
    names = reader.names("reward", MAX_TITLE, {"fr": "", "en": ""}, None)
    cost, value = reader.whole("cost", 1, _MOST_POINTS, 100), reader.money("value", None)
    rewards = [SimpleReward(names, cost, value)] if names["fr"] else []
    tiers = reader.typed.get("tiers") == "yes"
    document = points_document(
        organisation,
        points=reader.whole("points", 1, 1000, 1),
        amount_minor=reader.money("spend", 10 ** frame["money"].exponent) or 1,
        tiers=tiers,
        rewards=rewards,
        welcome=reader.whole("welcome", 0, _MOST_POINTS, 0, empty=0),
        **frame,
    )
    if tiers:
        document["tiers"]["levels"] = _levels(reader, document["tiers"]["levels"], frame["languages"])
    return document


def _levels(reader: _Reader, standard: list[dict[str, Any]], tongues: tuple[str, ...]) -> list[dict[str, Any]]:
    """The tiers that have a name, with the codes, benefits and colours of the standard ones."""
    levels: list[dict[str, Any]] = []
    below = 0
    paint = reader.typed.get("paint", "rise")
    for number, level in zip(TIERS, standard, strict=True):
        named = any(cleaned(reader.typed.get(f"tier{number}_{tag}", "")) for tag in LANGUAGES)
        if not named and number > 1:
            continue
        names = reader.names(f"tier{number}", MAX_TIER, {"fr": "Bronze", "en": "Bronze"}, "tier_missing")
        threshold = 0
        if number > 1:
            at = f"tier{number}_at"
            threshold = reader.whole(at, 1, _MOST_POINTS * 100, below + 100 * number)
            if threshold <= below:
                reader.faults.append(Wrong(at, "tier_order", (str(below),)))
                threshold = below + 1
        below = threshold
        plain = paint == "none" or (paint != "metals" and number == 1)
        painted = {**level, "names": {tag: names[tag] for tag in tongues}, "threshold": threshold}
        short = {tag: reader.text(f"tier{number}_short_{tag}", MAX_SHORT, "", None) for tag in tongues}
        if any(short.values()):
            painted["short_names"] = {tag: short[tag] or names[tag] for tag in tongues}
        levels.append({name: value for name, value in painted.items() if not (plain and name == "palette")})
    return levels


# --- back from a document ----------------------------------------------------------------------------------------


def typed_of(document: Mapping[str, Any]) -> dict[str, str] | None:
    """The form that makes this document, or None when the form cannot say all of it."""
    try:
        programme = parse(document)
    except Invalid:
        return None
    form = simple_form_of(_with_standard_tiers(document, programme))
    if form is None:
        return None
    typed = {**DEFAULTS, "name": form.organisation, "logo": form.logo or "", "bare": form.logo or ""}
    typed |= {"colour": form.palette.background, "welcome": str(form.welcome or "")}
    typed |= _of_coupon(form.coupon)
    typed |= _of_stamps(form) if isinstance(form, StampForm) else _of_points(form, programme)
    reading = read(typed, document)
    return typed if not reading.faults and reading.programme == programme else None


def _with_standard_tiers(document: Mapping[str, Any], programme: Programme) -> Mapping[str, Any]:
    """The document with the tiers of the standard form in place of its own: those the form reads by itself."""
    if programme.ladder is None or len(programme.ladder.levels) > len(TIERS):
        return document
    return {**document, "tiers": default_document("…", programme.languages)["tiers"]}


def _of_coupon(coupon: Promise | None) -> dict[str, str]:
    if coupon is None:
        return {}
    words = {f"coupon_{tag}": coupon.title.get(tag, "") for tag in LANGUAGES}
    words |= {f"terms_{tag}": coupon.terms.get(tag, "") for tag in LANGUAGES}
    return {**words, "days": str(coupon.valid_days or "")}


def _of_stamps(form: StampForm) -> dict[str, str]:
    return {
        "kind": "stamps",
        "stamps": str(form.stamps),
        "value": _amount(form.reward_value_minor, form.money.exponent),
        "each": form.per,
        "minimum": _amount(form.minimum_minor or None, form.money.exponent),
        "interval": str(form.interval_minutes),
        **{f"reward_{tag}": form.reward_names.get(tag, "") for tag in LANGUAGES},
    }


def _of_points(form: PointsForm, programme: Programme) -> dict[str, str]:
    reward = form.rewards[0] if form.rewards else None
    typed = {
        "kind": "points",
        "points": str(form.points),
        "spend": _amount(form.amount_minor, form.money.exponent),
        "cost": str(reward.cost) if reward else DEFAULTS["cost"],
        "value": _amount(reward.value_minor if reward else None, form.money.exponent),
        "tiers": "yes" if form.tiers else "",
        **{f"reward_{tag}": reward.names.get(tag, "") if reward else "" for tag in LANGUAGES},
    }
    levels = programme.ladder.levels if programme.ladder else ()
    typed |= {f"tier{number}_{tag}": "" for number in TIERS for tag in LANGUAGES} if levels else {}
    for number, level in zip(TIERS, levels, strict=False):
        typed |= {f"tier{number}_{tag}": level.names.get(tag, "") for tag in LANGUAGES}
        for tag, short in (level.short_names or {}).items():
            typed[f"tier{number}_short_{tag}"] = short if short != level.names[tag] else ""
        if number > 1:
            typed[f"tier{number}_at"] = str(level.threshold)
    if levels:
        plain = [level.palette is None for level in levels]
        typed["paint"] = "none" if all(plain) else "rise" if plain[0] else "metals"
    return typed


def _amount(minor: int | None, exponent: int) -> str:
    """Minor units as a person types them: `2`, `2,50`."""
    if minor is None:
        return ""
    whole, rest = divmod(minor, 10**exponent)
    return f"{whole},{rest:0{exponent}d}" if rest else str(whole)
