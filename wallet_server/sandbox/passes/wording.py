"""Owns what a phone makes of the words in a pass: pass.strings, and numbers and dates in the phone's language.

Fields are formatted as documented in Apple's PassFieldContent. A number without a style is written with the decimal
mark of the language and without grouping; Apple does not say, and no test should lean on it. Spelled-out numbers
(PKNumberStyleSpellOut) and relative dates are shown as plain numbers and dates: CLDR data for them is not at hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import UnknownCurrencyError, format_currency, format_decimal, format_percent, format_scientific

_TOKEN = re.compile(
    r"\s+|/\*.*?\*/|//[^\n]*|"
    r'"(?P<key>(?:[^"\\]|\\.)*)"\s*=\s*"(?P<value>(?:[^"\\]|\\.)*)"\s*;',
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:U([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_STYLES = {"Short": "short", "Medium": "medium", "Long": "long", "Full": "full"}
MAX_STRINGS = 5000


@lru_cache(maxsize=256)
def parse_strings(raw: bytes) -> Mapping[str, str]:
    """Read a pass.strings file, UTF-16 with a byte order mark or UTF-8. A broken file gives no strings at all,
    so that the raw keys show on the card and somebody notices. Cards of one design share the result.
    """
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return {}
    found: dict[str, str] = {}
    at = 0
    while at < len(text) and len(found) < MAX_STRINGS:
        token = _TOKEN.match(text, at)
        if token is None:
            return {}
        if token["key"] is not None:
            found[_unescape(token["key"])] = _unescape(token["value"])
        at = token.end()
    return found


def _unescape(text: str) -> str:
    plain = {"n": "\n", "t": "\t", "r": "\r"}
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else plain.get(m[2], m[2]), text)


def choose_language(language: str, offered: Mapping[str, object]) -> str | None:
    """The folder of `offered` (without .lproj) that serves a phone set to `language`: exact, then without its region,
    then English, as the language of last resort. None: the pass is not localised for this phone.
    """
    wanted = language.replace("_", "-").lower()
    by_name = {name.replace("_", "-").lower(): name for name in offered}
    for candidate in (wanted, wanted.split("-")[0], "en"):
        if candidate in by_name:
            return by_name[candidate]
    return None


def locale_of(language: str) -> Locale:
    try:
        return Locale.parse(language.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def field_text(field: Mapping[str, object], strings: Mapping[str, str], locale: Locale, zone: tzinfo = UTC) -> str:
    """The value of a field as the phone writes it, in its language and time zone."""
    value = field.get("value")
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return _number(value, field, locale)
    text = str(value) if value is not None else ""
    if field.get("dateStyle") or field.get("timeStyle"):
        moment = _moment(text)
        if moment is not None:
            return _date(moment, field, locale, zone)
    return strings.get(text, text)


def _number(value: int | float, field: Mapping[str, object], locale: Locale) -> str:
    currency, style = field.get("currencyCode"), field.get("numberStyle")
    if isinstance(currency, str) and len(currency) == 3:
        try:
            return str(format_currency(value, currency.upper(), locale=locale))
        except UnknownCurrencyError:
            return f"{currency} {value}"
    if style == "PKNumberStylePercent":
        return str(format_percent(value, locale=locale))
    if style == "PKNumberStyleScientific":
        return str(format_scientific(value, locale=locale))
    return str(format_decimal(value, locale=locale, group_separator=style == "PKNumberStyleDecimal"))


def _moment(text: str) -> datetime | None:
    """A date with a zone; without one it is not a date to Wallet."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None and "T" in text else None


def _date(moment: datetime, field: Mapping[str, object], locale: Locale, zone: tzinfo) -> str:
    here = moment if field.get("ignoresTimeZone") is True else moment.astimezone(zone)
    day = _STYLES.get(str(field.get("dateStyle", "")).removeprefix("PKDateStyle"))
    hour = _STYLES.get(str(field.get("timeStyle", "")).removeprefix("PKDateStyle"))
    if day and hour:
        pattern = locale.datetime_formats[day]
        parts = {"{1}": format_date(here, day, locale), "{0}": format_time(here, hour, locale=locale)}
        return re.sub(r"\{[01]\}", lambda m: parts[m[0]], str(pattern)).replace("'", "")
    if day:
        return str(format_date(here, day, locale))
    if hour:
        return str(format_time(here, hour, locale=locale))
    return str(format_datetime(here, "short", locale=locale))


def zone_of(name: str) -> tzinfo:
    """The named zone, UTC when there is no such zone."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC
