"""Owns how Google Wallet words values: the phone's language among those of a field, balances, money and dates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from babel.dates import format_date, format_datetime
from babel.numbers import UnknownCurrencyError, format_currency, format_decimal

from wallet_server.sandbox.google.rules import moment
from wallet_server.sandbox.passes.wording import locale_of

MICROS = 1_000_000


def localized(body: Mapping[str, Any], part: str, language: str) -> str:
    """A text field in the phone's language: the translation of its `localized` twin, else that one's default, else the
    plain field."""
    twin = body.get(f"localized{part[:1].upper()}{part[1:]}") or body.get(part)
    if not isinstance(twin, Mapping):
        return str(twin or "")
    chosen = translation(twin, language)
    plain = body.get(part)
    return chosen or (plain if isinstance(plain, str) else "")


def translation(text: Mapping[str, Any], language: str) -> str:
    """A LocalizedString in a language, or in its base, or in its default."""
    offered = {
        str(one.get("language", "")).lower(): str(one.get("value", "")) for one in text.get("translatedValues", ())
    }
    default = text.get("defaultValue", {})
    offered.setdefault(str(default.get("language", "")).lower(), str(default.get("value", "")))
    wanted = language.lower()
    return offered.get(wanted) or offered.get(wanted.split("-")[0]) or str(default.get("value", ""))


def balance(value: Mapping[str, Any], language: str) -> str:
    """A LoyaltyPointsBalance as it stands on the card."""
    if "string" in value:
        return str(value["string"])
    if "money" in value:
        return money(value["money"], language)
    number = value.get("int", value.get("double"))
    return "" if number is None else str(format_decimal(number, locale=locale_of(language)))


def money(value: Mapping[str, Any], language: str) -> str:
    amount, code = int(value.get("micros", 0)) / MICROS, str(value.get("currencyCode", ""))
    try:
        return str(format_currency(amount, code, locale=locale_of(language)))
    except (UnknownCurrencyError, ValueError):
        return f"{amount:g} {code}"


def date(text: str, language: str) -> str:
    """A date of Google's, with its time where it has one."""
    found = moment(text)
    if found is None:
        return text
    locale = locale_of(language)
    return str(format_datetime(found, "medium", locale=locale) if "T" in text else format_date(found, locale=locale))
