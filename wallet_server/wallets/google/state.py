"""Owns what is remembered of a body that Google took, and the difference that has to be sent.

What is remembered is a digest for each top-level field, never the body: the state of a card stays some hundred
characters, holds nothing of the member, and one PATCH carries exactly the fields that changed (Google merges a PATCH
field by field: lists are replaced whole, null removes).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

MAX_CHARACTERS = 4_000
_VERSION = 1
_DIGEST = 12
_VOLATILE = frozenset({"notifyPreference"})
"""Said anew with each update, and no part of what stands there."""
_READ_ONLY = frozenset({"kind", "version", "classReference", "hasUsers", "hasLinkedDevice", "review"})
"""What Google adds to its answers."""
_ENUMS = frozenset(
    {
        "state", "reviewStatus", "type", "messageType", "multipleDevicesAndHoldersAllowedStatus", "redemptionChannel",
        "animationType", "dateFormat", "screenshotEligibility", "viewUnlockRequirement", "notifyPreference",
        "renderEncoding", "algorithm",
    }
)  # fmt: skip
_ALIASES = {"QRCODE": "QR_CODE", "LIVE": "APPROVED"}
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9])")


@dataclass(frozen=True)
class Known:
    """What Google last accepted of one object or class. `kind` is the vertical; `news` are the id and the end of the
    message that shows the latest news, which keeps its end while it says the same. One that was `erased` stays so."""

    kind: str
    id: str
    belongs: str
    digests: Mapping[str, str] = field(default_factory=dict)
    news: tuple[str, str] | None = None
    erased: bool = False

    def written(self) -> str:
        """The state as text, at most `MAX_CHARACTERS`."""
        raw = {"v": _VERSION, "k": self.kind, "id": self.id, "c": self.belongs, "f": dict(self.digests), "n": self.news}
        if self.erased:
            raw["erased"] = True
        return json.dumps(raw, separators=(",", ":"), sort_keys=True)

    def sent(self, body: Mapping[str, Any], news: tuple[str, str] | None = None) -> Known:
        """After Google took this whole body."""
        return replace(self, belongs=str(body.get("classId", self.belongs)), digests=digests(body), news=news)


def read(text: str | None) -> Known | None:
    """Inverse of `Known.written`; None for nothing, and for a text of another form: then all is sent again."""
    if not text:
        return None
    try:
        raw = json.loads(text)
        if raw["v"] != _VERSION:
            return None
        news = None if raw["n"] is None else (raw["n"][0], raw["n"][1])
        return Known(raw["k"], raw["id"], raw["c"], raw["f"], news, raw.get("erased", False))
    except (ValueError, KeyError, TypeError, IndexError):
        return None


def digests(body: Mapping[str, Any]) -> dict[str, str]:
    """A digest of each top-level field."""
    return {name: _digest(value) for name, value in body.items() if name not in _VOLATILE}


def _digest(value: Any) -> str:
    written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(written, digest_size=_DIGEST // 2).hexdigest()


def changes(body: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """The PATCH that leads from what is known to this body: changed fields, and null for those that went. Empty where
    nothing changed."""
    now = digests(body)
    patch: dict[str, Any] = {name: _whole(name, body[name]) for name in now if known.get(name) != now[name]}
    patch.update(dict.fromkeys(name for name in known if name not in now))
    return patch


def difference(
    body: Mapping[str, Any], resource: Mapping[str, Any], ours: frozenset[str] | None = None
) -> dict[str, Any]:
    """The same against what Google says stands there. What it adds of its own is no difference, nor is an older
    spelling of an enum, nor a field that is none of `ours` (of an object: `OURS`)."""
    removable = OURS if ours is None else ours
    there = normalise(resource)
    lasting = {name: value for name, value in body.items() if name not in _VOLATILE}
    patch = {name: _whole(name, value) for name, value in lasting.items() if not _same(there.get(name), value)}
    patch.update({name: None for name, value in there.items() if name in removable - body.keys() and value})
    return patch


_Could = Mapping[str, Any]
_SPOKEN: _Could = {"translatedValues": {}}
_LABELLED: _Could = {
    "label": {},
    "localizedLabel": _SPOKEN,
    "balance": {form: {} for form in ("string", "int", "double", "money")},
}
_PICTURE: _Could = {"contentDescription": _SPOKEN}
_COULD: _Could = {
    "loyaltyPoints": _LABELLED,
    "secondaryLoyaltyPoints": _LABELLED,
    "barcode": {"alternateText": {}, "renderEncoding": {}},
    "rotatingBarcode": {"alternateText": {}, "renderEncoding": {}},
    "validTimeInterval": {"start": {}},
    "groupingInfo": {"sortIndex": {}},
    "appLinkData": {
        "androidAppLinkInfo": {"appTarget": {"targetUri": {}}},
        "webAppLinkInfo": {},
        "displayText": _SPOKEN,
    },
    "seatInfo": {"gate": _SPOKEN, "row": {}, "seat": {}, "section": {}},
    "dateTime": {"end": {}, "doorsOpen": {}},
    "venue": {"name": _SPOKEN, "address": _SPOKEN},
    "eventName": _SPOKEN,
    **dict.fromkeys(("heroImage", "programLogo", "titleImage", "logo"), _PICTURE),
}
"""Parts of a field that stand there for some cards and not for others: Google merges a PATCH within a field too, so one
that went has to be taken away by name."""


def _whole(name: str, value: Any) -> Any:
    """The value of a field as a PATCH has to say it so that nothing of the one before is left."""
    return _without(value, _SPOKEN if name.startswith("localized") else _COULD.get(name, {}))


def _without(value: Any, could: _Could) -> Any:
    if not isinstance(value, Mapping) or not could:
        return value
    said: dict[str, Any] = {part: _without(inner, could.get(part, {})) for part, inner in value.items()}
    said.update(dict.fromkeys(part for part in could if part not in value))
    return said


def _same(theirs: Any, ours: Any) -> bool:
    """Whether a field stands there as it was sent, with nothing left of an older one."""
    return covers(theirs, ours) and (not isinstance(ours, Mapping) or not _more(theirs, ours))


def _more(theirs: Any, ours: Mapping[str, Any]) -> bool:
    for part, inner in theirs.items():
        if part not in ours or (isinstance(ours[part], Mapping) and _more(inner, ours[part])):
            return True
    return False


OURS = frozenset(
    {
        "barcode", "rotatingBarcode", "heroImage", "textModulesData", "linksModuleData", "valueAddedModuleData",
        "appLinkData", "merchantLocations", "messages", "validTimeInterval", "groupingInfo", "passConstraints",
        "accountId", "accountName", "loyaltyPoints", "secondaryLoyaltyPoints", "linkedOfferIds", "seatInfo",
        "ticketHolderName", "balance", "imageModulesData",
    }
)  # fmt: skip
"""Fields of an object that the product sends for some cards: what stands in one that this card has not is old."""


OURS_OF_A_CLASS = frozenset(
    {
        "heroImage", "imageModulesData", "viewUnlockRequirement", "securityAnimation", "classTemplateInfo",
        "callbackOptions", "rewardsTier", "localizedRewardsTier", "rewardsTierLabel", "localizedRewardsTierLabel",
        "localizedProgramName", "localizedTitle", "shortTitle", "localizedShortTitle", "finePrint",
        "localizedFinePrint", "accountIdLabel", "localizedAccountIdLabel", "localizedAccountNameLabel",
        "localizedCardNumberLabel", "dateTime", "venue",
    }
)  # fmt: skip
"""The same of a class; its messages are told, not composed."""


def normalise(resource: Mapping[str, Any]) -> dict[str, Any]:
    """An answer of Google without what it adds, its enums in the spelling that is sent."""
    found = {name: _plain(name, value) for name, value in resource.items() if name not in _READ_ONLY}
    return {name: value for name, value in found.items() if value is not None}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(key, part) for key, part in value.items() if key != "kind"}
    if isinstance(value, list):
        return [_plain(name, part) for part in value]
    return enum(value) if name in _ENUMS and isinstance(value, str) else value


def enum(written: str) -> str:
    """Google's older spelling (`underReview`, `qrCode`) as the present one (`UNDER_REVIEW`, `QR_CODE`)."""
    said = written if written.isupper() and "_" in written else _WORD.sub("_", written).upper()
    return _ALIASES.get(said, said)


def covers(theirs: Any, ours: Any) -> bool:
    """Whether everything that was sent stands there."""
    if isinstance(ours, Mapping):
        return isinstance(theirs, Mapping) and all(covers(theirs.get(name), part) for name, part in ours.items())
    if isinstance(ours, list):
        return (
            isinstance(theirs, list)
            and len(theirs) == len(ours)
            and all(covers(one, other) for one, other in zip(theirs, ours, strict=True))
        )
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return abs(theirs - ours) < 1e-9
    return bool(theirs == ours)
