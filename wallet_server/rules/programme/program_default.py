"""Owns the programme a new merchant starts from: one point per euro, a status beside it, three tiers."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from wallet_server.errors import Invalid

_DESCRIPTION = {"fr": "Carte de fidélité {}", "en": "{} loyalty card"}
_POINT = {"fr": {"one": "point", "other": "points"}, "en": {"one": "point", "other": "points"}}
_LEVELS: tuple[dict[str, Any], ...] = (
    {
        "code": "bronze",
        "threshold": 0,
        "names": {"fr": "Bronze", "en": "Bronze"},
        "palette": {"background": "#5a3823", "foreground": "#fff8f0", "label": "#f0c9a4"},
        "benefits": [
            {"fr": "Des points à chaque achat", "en": "Points on every purchase"},
        ],
    },
    {
        "code": "silver",
        "threshold": 300,
        "names": {"fr": "Argent", "en": "Silver"},
        "palette": {"background": "#dfe4ea", "foreground": "#1c2733", "label": "#48566a"},
        "benefits": [
            {"fr": "Des points à chaque achat", "en": "Points on every purchase"},
            {"fr": "Nos nouveautés en avant-première", "en": "Our new products before everyone else"},
        ],
    },
    {
        "code": "gold",
        "threshold": 1000,
        "names": {"fr": "Or", "en": "Gold"},
        "palette": {"background": "#e9bf4b", "foreground": "#2a1d00", "label": "#4f3a06"},
        "benefits": [
            {"fr": "Des points à chaque achat", "en": "Points on every purchase"},
            {"fr": "Nos nouveautés en avant-première", "en": "Our new products before everyone else"},
            {"fr": "Un accueil privilégié en boutique", "en": "A privileged welcome in our shops"},
        ],
    },
)


def default_document(organisation: str, languages: Sequence[str] = ("fr", "en")) -> dict[str, Any]:
    """A sound programme document for euros that `parse` accepts whenever it accepts the organisation's name.

    Points and status points are earned alike; the tiers rest on status, so that spending points costs no tier.
    Raises Invalid for a language the product does not speak.
    """
    unknown = [language for language in languages if language not in _DESCRIPTION]
    if unknown or not languages:
        raise Invalid(f"Choose languages among {', '.join(_DESCRIPTION)}.", field="languages")

    def spoken(texts: dict[str, Any]) -> dict[str, Any]:
        return {language: copy.deepcopy(texts[language]) for language in languages}

    def rule(name: str, currency: str) -> dict[str, Any]:
        per = {"amount_minor": 100, "points": 1}
        return {"id": name, "currency": currency, "per": per, "rounding": "down", "scope": "basket"}

    return {
        "format": 1,
        "organisation": organisation,
        "languages": list(languages),
        "money": {"iso": "EUR", "exponent": 2},
        "design": {"id": "points", "version": 1},
        "palette": {"background": "#12372a", "foreground": "#fbf7ec", "label": "#b9dcc4"},
        "description": {key: text.format(organisation) for key, text in spoken(_DESCRIPTION).items()},
        "currencies": [
            {"code": "points", "kind": "points", "names": spoken(_POINT)},
            {"code": "status", "kind": "points", "names": spoken(_POINT), "spendable": False},
        ],
        "balance_currency": "points",
        "earn": [rule("euro", "points"), rule("euro-status", "status")],
        "tiers": {"currency": "status", "levels": [_level(level, languages) for level in _LEVELS]},
    }


def _level(level: dict[str, Any], languages: Sequence[str]) -> dict[str, Any]:
    return {
        **level,
        "names": {language: level["names"][language] for language in languages},
        "palette": dict(level["palette"]),
        "benefits": [{language: benefit[language] for language in languages} for benefit in level["benefits"]],
    }
