"""Owns what a class or an object of Google Wallet may hold: the one list of limits, which judges every body before
it is sent.

Google's own schema names fields and types alone; what it does not hold (ranges, numbers of items, one form of several,
addresses, whose identifier it is) is told by Google's servers one fault at a time, or not at all. Here all are told at
once. Lengths that Google calls recommended are `warnings`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wallet_server.wallets.google.form_parts import MAX_MESSAGES, MAX_PLACES
from wallet_server.wallets.google.forms import KINDS, Kind, check_of
from wallet_server.wallets.google.sentences import SENTENCES, Broken, broken, said

__all__ = ["KINDS", "MAX_MESSAGES", "MAX_PLACES", "SENTENCES", "Broken", "Kind", "faults", "said", "warnings"]

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CODES: Mapping[str, str] = {
    "id": "id",
    "classId": "id",
    "linkedOfferIds": "id",
    "linkedObjectIds": "id",
    "state": "state",
    "reviewStatus": "review",
    "hexBackgroundColor": "colour",
    "balance": "balance",
    "int": "int32",
    "sortIndex": "int32",
    "micros": "int64",
    "currencyCode": "currency",
    "latitude": "latitude",
    "longitude": "longitude",
    "date": "date",
    "doorsOpen": "date",
    "start": "date",
    "end": "date",
    "validTimeInterval": "interval",
    "displayInterval": "interval",
    "language": "language",
    "barcode": "barcode-value",
    "rotatingBarcode": "rotating",
    "valuePattern": "rotating",
    "totpDetails": "rotating",
    "cardRowTemplateInfos": "rows",
    "heroImage": "image",
    "programLogo": "image",
    "titleImage": "image",
    "logo": "image",
    "mainImage": "image",
    "image": "image",
    "url": "https",
}
"""The key to the code of its sentence, where a value of it is wrong; `parent.key` goes first."""
_IN_PLACE: Mapping[str, str] = {
    "textModulesData.id": "module-id",
    "imageModulesData.id": "module-id",
    "messages.id": "module-id",
    "uris.id": "module-id",
    "uris.uri": "link",
    "sourceUri.uri": "https",
    "targetUri.uri": "https",
    "valueAddedModuleData.uri": "https",
    "barcode.type": "barcode-type",
    "barcode.value": "barcode",
    "rotatingBarcode.type": "rotating",
    "parameters.key": "rotating",
    "totpDetails.periodMillis": "rotating",
}


def kind(name: str) -> Kind:
    """The kind of this name. Raises ValueError."""
    return KINDS[KINDS.index(name)]


def faults(body: Mapping[str, Any], kind: Kind, issuer: str | None = None, *, sandbox: bool = False) -> list[Broken]:
    """Everything that Google would refuse, or leave out in silence, of one whole body; `issuer` is whose it must be. In
    the sandbox alone addresses may be plain http."""
    found: list[Broken] = []
    try:
        check_of(kind)(body)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        found += _explained(body, [one for one in errors if not sandbox or not _plain_http(one)])
    found += _agreements(body, kind, issuer)
    found += _unshowable(body)
    return found


def _unshowable(body: Mapping[str, Any]) -> Iterator[Broken]:
    """Texts with controls that nobody sees. Writing the body tells at once that there are none; only then each is
    looked at."""
    try:
        written = orjson.dumps(body)
    except orjson.JSONEncodeError:
        return  # halves of characters, which were named, or no JSON at all
    if b"\\u00" in written or b"\x7f" in written:
        yield from (broken(path, "unshowable") for path, text in _texts(body, "") if _CONTROLS.search(text))


def _texts(found: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(found, str):
        yield path, found
    elif isinstance(found, Mapping):
        for name, value in found.items():
            yield from _texts(value, f"{path}.{name}" if path else str(name))
    elif isinstance(found, Sequence):
        for index, value in enumerate(found):
            yield from _texts(value, f"{path}.{index}")


def _plain_http(error: ErrorDetails) -> bool:
    value = error["input"]
    return error["type"] == "string_pattern_mismatch" and isinstance(value, str) and value.startswith("http://")


def _explained(body: Mapping[str, Any], errors: Sequence[ErrorDetails]) -> Iterator[Broken]:
    seen: set[tuple[str, str]] = set()
    for error in errors:
        one = _one(body, error)
        if (one.path, one.code) not in seen:
            seen.add((one.path, one.code))
            yield one


def _one(body: Mapping[str, Any], error: ErrorDetails) -> Broken:
    where = error["loc"]
    path = ".".join(map(str, where))
    names = [str(part) for part in where if isinstance(part, str)]
    last, parent = (names or [""])[-1], names[-2] if len(names) > 1 else ""
    match error["type"]:
        case "missing":
            code = "message-end" if last == "end" else "missing"
            return broken(path, code, last)
        case "extra_forbidden":
            return broken(path, "unknown-key", last)
        case "string_unicode":
            return broken(path, "unshowable")
        case "too_long":
            context = error["ctx"]
            return broken(
                path,
                "rows" if last == "cardRowTemplateInfos" else "too-many",
                context["max_length"],
                context["actual_length"],
            )
        case "string_too_long":
            return broken(path, "too-long", error["ctx"]["max_length"])
        case "too_short":
            return broken(path, "empty")
        case "string_too_short" if f"{parent}.{last}" not in _IN_PLACE:
            return broken(path, "empty-text")
    if error["type"] == "value_error" and last == "displayInterval" and "end" not in _at(body, where):
        return broken(path, "message-end")
    code = _IN_PLACE.get(f"{parent}.{last}") or _CODES.get(last, "malformed")
    if code == "barcode-value":
        return broken(path, code, _at(body, where).get("value", ""))
    return broken(path, code, last)


def _at(body: Any, where: Sequence[int | str]) -> Mapping[str, Any]:
    for part in where:
        try:
            body = body[part]
        except (KeyError, IndexError, TypeError):
            return {}
    return body if isinstance(body, Mapping) else {}


def _agreements(body: Mapping[str, Any], kind: Kind, issuer: str | None) -> Iterator[Broken]:
    """Whose the identifiers are, and that no module is there twice."""
    if kind == "message":
        return
    identifier = body.get("id")
    whose = issuer or (identifier.partition(".")[0] if isinstance(identifier, str) else "")
    mark = f"{whose}."
    for name in ("id", "classId"):
        if isinstance(body.get(name), str) and not body[name].startswith(mark):
            yield broken(name, "issuer", whose)
    for name in ("linkedOfferIds", "linkedObjectIds"):
        linked = body.get(name)
        if isinstance(linked, list):
            for index, one in enumerate(linked):
                if isinstance(one, str) and not one.startswith(mark):
                    yield broken(f"{name}.{index}", "issuer", whose)
    modules = body.get("textModulesData")
    if isinstance(modules, list):
        names = [one.get("id") for one in modules if isinstance(one, Mapping)]
        if len(set(map(str, names))) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            yield broken("textModulesData", "module-twice", twice)


# --- what is taken, but does not show well -----------------------------------------------------------------------

_RECOMMENDED: Mapping[str, int] = {
    "accountId": 20,
    "accountName": 20,
    "accountIdLabel": 15,
    "accountNameLabel": 15,
    "issuerName": 20,
    "programName": 20,
    "rewardsTier": 7,
    "rewardsTierLabel": 9,
    "provider": 12,
    "shortTitle": 20,
    "title": 60,
    "merchantName": 20,
    "loyaltyPoints.label": 9,
    "secondaryLoyaltyPoints.label": 9,
    "textModulesData.header": 35,
    "textModulesData.body": 500,
    "uris.description": 20,
}
"""Characters, in the words of the discovery document, that small screens show."""


def warnings(body: Mapping[str, Any]) -> list[Broken]:
    """Texts of a body without faults that small phones cut, in every language in which they are too long."""
    return [*_long(body, "", "")]


def _long(found: Any, path: str, parent: str) -> Iterator[Broken]:
    if isinstance(found, list):
        for index, one in enumerate(found):
            yield from _long(one, f"{path}.{index}", parent)
    if not isinstance(found, Mapping):
        return
    for name, value in found.items():
        where = f"{path}.{name}" if path else name
        plain = name[9:10].lower() + name[10:] if name.startswith("localized") else name
        most = _RECOMMENDED.get(f"{parent}.{plain}") or _RECOMMENDED.get(plain)
        if most is None:
            yield from _long(value, where, name)
        elif isinstance(value, str):
            if len(value) > most:
                yield broken(where, "long", most, len(value))
        elif isinstance(value, Mapping):
            for each in value.get("translatedValues", ()):
                if len(each["value"]) > most:
                    yield broken(f"{where}.{each['language']}", "long", most, len(each["value"]))
