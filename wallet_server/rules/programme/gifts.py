"""Owns the grammar of what is given: a reward's name as a merchant types it, put into a sentence with its article.

French needs the gender and the number ("un café offert", "une brioche offerte"), which the article tells; a name that
does not tell them gets a form that needs neither. English needs the number alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_FREE_FR = re.compile(r"\s+(?:offert|gratuit)(e?)(s?)$", re.IGNORECASE)
_ALREADY_FR = re.compile(r"%|\b(?:offert|gratuit|remises?|réductions?|rabais|cadeaux?|surprises?)", re.IGNORECASE)
_ALREADY_EN = re.compile(r"%|\b(?:free|gifts?|discounts?|off|surprises?)\b", re.IGNORECASE)
_ARTICLE_FR = re.compile(
    r"(?P<article>une?|l[ea]s?|des|deux|trois|quatre|cinq|six|\d+)\s+(?P<noun>\S.*)|(?P<elided>l['’])(?P<rest>\S.*)",
    re.IGNORECASE,
)
_ARTICLE_EN = re.compile(r"(?P<article>an?|one|the|two|three|four|five|six|\d+)\s+(?P<noun>\S.*)", re.IGNORECASE)
_ONE = frozenset({"un", "une", "le", "la", "1", "a", "an", "one", "the"})
_MASCULINE, _FEMININE = frozenset({"un", "le"}), frozenset({"une", "la"})


@dataclass(frozen=True)
class Gift:
    """One name in its forms. `offered`: "un café offert", "a free coffee". `given`: "un café vous est offert", in
    French alone and None where the name does not tell its gender. `waiting`: the sentence that it can be had."""

    offered: str
    given: str | None
    waiting: str


@lru_cache(maxsize=1024)
def french(name: str) -> Gift:
    """The French forms of a name such as `un café`, `une brioche offerte`, `2 baguettes`, `10 % de remise`."""
    name = name.strip().rstrip(".").replace("'", "’")
    said = _FREE_FR.search(name)
    bare = name[: said.start()] if said else name
    ending = f"{said[1].lower()}{said[2].lower()}" if said else None
    found = _ARTICLE_FR.fullmatch(bare)
    if _ALREADY_FR.search(bare):
        return Gift(name, None, f"Votre récompense vous attend\u00a0: {name}")
    if found is None:
        if said:
            return Gift(_small(name), None, f"Votre récompense vous attend\u00a0: {_small(name)}")
        return Gift(f"un cadeau\u00a0: {name}", None, f"Votre récompense vous attend\u00a0: {name}")
    article, noun = (found["article"] or found["elided"]).lower(), found["noun"] or found["rest"]
    named = f"{article}{noun}" if found["elided"] else f"{article} {noun}"
    several = article not in _ONE and not found["elided"]
    if ending is None and not several:
        ending = "" if article in _MASCULINE else "e" if article in _FEMININE else None
    if ending is None:
        free, given = "", None
    else:
        free, given = f" offert{ending}", f"{named} vous {'sont' if several else 'est'} offert{ending}"
    count = f"{article} " if several and article not in ("les", "des") else ""
    waiting = f"Vos {count}{noun}{free} vous attendent" if several else f"Votre {noun}{free} vous attend"
    return Gift(f"{named}{free or ' en cadeau'}", given, waiting)


@lru_cache(maxsize=1024)
def english(name: str) -> Gift:
    """The English forms of a name such as `a coffee`, `two free croissants`, `10% off`."""
    name = name.strip().rstrip(".")
    found = _ARTICLE_EN.fullmatch(name)
    free = "" if _ALREADY_EN.search(name) else "free "
    if found is None:
        offered = f"{free}{_small(name)}" if free else name
        return Gift(offered, None, f"Waiting for you: {offered}")
    article, noun = found["article"].lower(), found["noun"]
    if article == "the":
        offered = f"the {noun}{', free' if free else ''}"
        return Gift(offered, None, f"Waiting for you: {offered}")
    several = article not in _ONE
    # Before "free" an indefinite article is always "a".
    named = "a" if free and article == "an" else article
    count = f"{article} " if several else ""
    return Gift(f"{named} {free}{noun}", None, f"Your {count}{free}{noun} {'are' if several else 'is'} waiting")


def spoken_in(name: str) -> str | None:
    """The one language in which a name has an article or says that it is given: `fr`, `en`, None where it tells none
    or both ("Cappuccino", "2 cookies")."""
    name = name.strip().rstrip(".").replace("'", "’")
    said = {
        "fr": _ARTICLE_FR.fullmatch(name) or _FREE_FR.search(name),
        "en": _ARTICLE_EN.fullmatch(name) or _ALREADY_EN.search(name),
    }
    known = [tongue for tongue, found in said.items() if found]
    return known[0] if len(known) == 1 else None


def borrowed(name: str, tongue: str) -> Gift:
    """A name that was written for another language, in a sentence of this one: it stands as it is in its own words,
    with no grammar of ours around it."""
    written = spoken_in(name)
    plain = name.strip().rstrip(".")
    offered = french(name).offered if written == "fr" else english(name).offered if written == "en" else plain
    waiting = "Votre récompense vous attend\u00a0" if tongue == "fr" else "Waiting for you"
    return Gift(offered, None, f"{waiting}: {offered}")


def _small(text: str) -> str:
    """Without the capital of a beginning; a text with further capitals (a proper noun) stays as it is."""
    return text[:1].lower() + text[1:] if text[1:] == text[1:].lower() else text
