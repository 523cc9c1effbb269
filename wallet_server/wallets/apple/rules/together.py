"""Owns what several keys of a pass must agree on. It reads documents whose values are of the right kind (`sound`); any
of them may still be absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from wallet_server.wallets.apple.rules.forms import MAX_BEACONS, POSTER, instant
from wallet_server.wallets.apple.rules.sentences import Broken, broken

ROW_CAPACITY = 4
LONGEST_SPAN = timedelta(hours=24)
SLOTS = frozenset(
    {
        "headerFields",
        "primaryFields",
        "secondaryFields",
        "auxiliaryFields",
        "footerFields",
        "backFields",
        "additionalInfoFields",
    }
)
_DATED = frozenset({"dateStyle", "timeStyle", "ignoresTimeZone", "isRelative"})
_NUMBERED = ("numberStyle", "currencyCode")
# What changes how a phone writes a value, and with it what %@ becomes.
_WRITTEN = ("value", "changeMessage", *_NUMBERED, *_DATED)
_SPECIAL = frozenset({"changeMessage", "semantics", *_NUMBERED, *_DATED})


# --- the web service -------------------------------------------------------------------------------------------


def service_faults(document: Mapping[str, Any], sandbox: bool) -> Iterator[Broken]:
    """Address and token, of the document as it is: a token of the wrong form is a token."""
    url, token = document.get("webServiceURL"), document.get("authenticationToken")
    if document.get("voided") is True and (url is not None or token is not None):
        yield broken("voided", "voided-service")
    if (token is None) != (url is None):
        yield broken("webServiceURL", "service-and-token")
    code = _service_fault(url, sandbox) if isinstance(url, str) else None
    if code is not None:
        yield broken("webServiceURL", code)


@lru_cache(maxsize=256)
def _service_fault(url: str, sandbox: bool) -> str | None:
    parts = _split(url)
    if parts is None or not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        return "service-address"
    if parts.scheme != "https" and not (sandbox and parts.scheme == "http"):
        return "service-plain"
    return "service-slash" if parts.path.endswith("/") else None


def _split(url: str) -> SplitResult | None:
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


# --- fields ----------------------------------------------------------------------------------------------------


def field_faults(document: Mapping[str, Any], style: str) -> list[Broken]:
    """Keys, the one alert, numbers and dates, rows. Keys are one pool for the whole pass: the poster's too."""
    parts = (style, POSTER) if POSTER in document else (style,)
    return [] if _agree(document, parts) else _disagreements(document, parts)


def _agree(document: Mapping[str, Any], parts: tuple[str, ...]) -> bool:
    """Whether there is nothing to say: the way of nearly every pass, so it only counts."""
    try:
        fields = [field for part in parts for fields in document[part].values() for field in fields]
        special = [field for field in fields if not _SPECIAL.isdisjoint(field)]
        return (
            len({field["key"] for field in fields}) == len(fields)
            and len([field for field in special if "changeMessage" in field]) < 2
            and not [field for field in special if _special_fault(field)]
            and not any(_rows(document, parts[0]))
        )
    except (KeyError, TypeError, AttributeError):
        return False  # parts of it are not there: look at what is


def _disagreements(document: Mapping[str, Any], parts: tuple[str, ...]) -> list[Broken]:
    found: list[Broken] = []
    seen: set[str] = set()
    alerting: dict[str, list[Mapping[str, Any]]] = {}
    for part, slot, index, field in _placed(document, parts):
        path, key = f"{part}.{slot}.{index}.", field.get("key")
        if key in seen:
            found.append(broken(f"{path}key", "duplicate-key", key))
        elif key is not None:
            seen.add(key)
        if "changeMessage" in field:
            alerting.setdefault(part, []).append(field)
        if (wrong := _special_fault(field)) is not None:
            found.append(broken(path + wrong[0], wrong[1]))
    return [*found, *_alerts(parts[0], alerting), *_rows(document, parts[0])]


def _placed(document: Mapping[str, Any], parts: tuple[str, ...]) -> Iterator[tuple[str, str, int, Mapping[str, Any]]]:
    for part in parts:
        for slot, fields in document.get(part, {}).items():
            if slot in SLOTS and isinstance(fields, list):
                yield from ((part, slot, index, field) for index, field in enumerate(fields))


def _special_fault(field: Mapping[str, Any]) -> tuple[str, str] | None:
    """What is wrong with a field that is a number, a date or an event: the key within it, and the code."""
    value = field.get("value")
    if "numberStyle" in field or "currencyCode" in field:
        if "numberStyle" in field and "currencyCode" in field:
            return "currencyCode", "currency-and-style"
        if isinstance(value, str):
            return "value", "not-a-number"
    if not _DATED.isdisjoint(field) and value is not None and not (isinstance(value, str) and instant(value)):
        return "value", "not-a-date"
    if "semantics" in field and not _in_order(field["semantics"]):
        return "semantics.eventEndDate", "event-order"
    return None


def _alerts(style: str, alerting: Mapping[str, list[Mapping[str, Any]]]) -> Iterator[Broken]:
    """One change is announced for each version of a card. Two would collapse into a text of the phone's own.

    Beside a poster the same change may be announced twice, once in each dictionary, by fields with different keys
    (keys are one pool): iOS 27 shows the poster and compares its fields, every older phone the classic ones, and
    both must ring. They are one change only as long as the value, the way it is written, and the message are the
    same; labels may differ, for they are not announced.
    """
    for part, fields in alerting.items():
        if len(fields) > 1:
            yield broken(part, "two-alerts")
    mine, poster = alerting.get(style, [{}])[0], alerting.get(POSTER, [{}])[0]
    if mine and poster and any(mine.get(key) != poster.get(key) for key in _WRITTEN):
        yield broken(POSTER, "alerts-differ")


def _rows(document: Mapping[str, Any], style: str) -> Iterator[Broken]:
    part = document.get(style, {})
    if style in ("storeCard", "coupon"):
        if len(part.get("secondaryFields", ())) + len(part.get("auxiliaryFields", ())) > ROW_CAPACITY:
            yield broken(style, "one-row", ROW_CAPACITY)
    elif style == "eventTicket" and len(part.get("auxiliaryFields", ())) > ROW_CAPACITY:
        rows = [field.get("row", 0) for field in part["auxiliaryFields"]]
        if max(rows.count(0), rows.count(1)) > ROW_CAPACITY:
            yield broken(f"{style}.auxiliaryFields", "crowded-row", ROW_CAPACITY)


# --- what only some passes have --------------------------------------------------------------------------------


def _beacons(document: Mapping[str, Any]) -> Iterator[Broken]:
    beacons = document["beacons"]
    uuids = {one.get("proximityUUID", "").lower() for one in beacons}
    if len(uuids) > MAX_BEACONS:
        yield broken("beacons", "too-many-beacons", MAX_BEACONS, len(uuids))
    for index, one in enumerate(beacons):
        if "minor" in one and "major" not in one:
            yield broken(f"beacons.{index}.minor", "beacon-minor-alone")


def _dates(document: Mapping[str, Any]) -> Iterator[Broken]:
    for index, one in enumerate(document["relevantDates"]):
        path = f"relevantDates.{index}"
        single, span = one.keys() & {"date", "relevantDate"}, one.keys() & {"startDate", "endDate"}
        if span if single else len(span) < 2:
            yield broken(path, "date-or-span")
        elif single:
            if len(single) > 1 and one["date"] != one["relevantDate"]:
                yield broken(path, "date-both")
        else:
            start, end = instant(one["startDate"]), instant(one["endDate"])
            if start and end and not timedelta(0) < end - start <= LONGEST_SPAN:
                yield broken(path, "span")


def _actions(document: Mapping[str, Any]) -> Iterator[Broken]:
    seen: set[str] = set()
    for index, one in enumerate(document["featuredActions"]):
        path = f"featuredActions.{index}"
        name, kind, url = one.get("identifier"), one.get("type"), one.get("url")
        if name is not None and name in seen:
            yield broken(f"{path}.identifier", "action-twice", name)
        seen.add(name)
        match kind:
            case "call":
                number = (url or "").removeprefix("tel:").lstrip("+")
                if not (url or "").startswith("tel:") or not number or set(number) - set("0123456789-.()"):
                    yield broken(f"{path}.url", "action-call")
            case "place":
                if url is not None or "placeIdentifier" not in one:
                    yield broken(f"{path}.placeIdentifier", "action-place")
            case str():
                parts = _split(url or "")
                if parts is None or parts.scheme != "https" or not parts.hostname or "placeIdentifier" in one:
                    yield broken(f"{path}.url", "action-link")


def _app(document: Mapping[str, Any]) -> Iterator[Broken]:
    parts = _split(document["appLaunchURL"])
    if parts is None or not parts.scheme or not (parts.netloc or parts.path):
        yield broken("appLaunchURL", "app-link")
    if "associatedStoreIdentifiers" not in document:
        yield broken("appLaunchURL", "app-link-alone")


def _in_order(semantics: Mapping[str, Any]) -> bool:
    start, end = instant(semantics.get("eventStartDate", "")), instant(semantics.get("eventEndDate", ""))
    return start is None or end is None or start < end


def _event(document: Mapping[str, Any]) -> Iterator[Broken]:
    if not _in_order(document["semantics"]):
        yield broken("semantics.eventEndDate", "event-order")


def date_warnings(document: Mapping[str, Any]) -> Iterator[Broken]:
    """Single dates that either newer or older phones leave alone."""
    for index, one in enumerate(document.get("relevantDates", ())):
        if len(one.keys() & {"date", "relevantDate"}) == 1:
            yield broken(f"relevantDates.{index}", "date-once")


_RARE: tuple[tuple[str, Callable[[Mapping[str, Any]], Iterator[Broken]]], ...] = (
    ("beacons", _beacons),
    ("relevantDates", _dates),
    ("featuredActions", _actions),
    ("appLaunchURL", _app),
    ("semantics", _event),
)


def rare_faults(document: Mapping[str, Any], nfc: bool) -> list[Broken]:
    """Beacons, dates, buttons, the app, the event, and the contactless part, which the certificate must allow."""
    found = [fault for key, look in _RARE if key in document for fault in look(document)]
    if "nfc" in document and not nfc:
        found.append(broken("nfc", "nfc-not-allowed"))
    return found
