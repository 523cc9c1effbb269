"""Owns the written form of a design: which keys `design.toml` and the strings files have, and what fits on each style.

The form is described in docs/designs.md. Capacities: developer.apple.com, "Creating a generic pass" and its siblings;
what is written beyond them a phone leaves out in silence.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticKnownError

from wallet_server.errors import Fault
from wallet_server.rules.characters import blank

Style = Literal["storeCard", "coupon", "eventTicket", "generic"]
Item = Literal[
    "points",
    "stamps",
    "balance",
    "tier",
    "gauge",
    "progress",
    "reward",
    "news",
    "details",
    "offer",
    "terms",
    "until",
    "event",
    "venue",
    "starts",
    "entry",
    "organisation",
]
Align = Literal["natural", "left", "centre", "right"]
StripDrawing = Literal["gauge", "stamps", "dial", "ribbon", "seal", "garland"]
BarcodeFormat = Literal["qr", "pdf417", "aztec", "code128", "ean13", "code39", "codabar", "i2of5"]
SlotName = Literal["header", "primary", "secondary", "auxiliary", "back", "additional", "footer"]

SLOT_NAMES: tuple[SlotName, ...] = ("header", "primary", "secondary", "auxiliary", "back", "additional", "footer")
KNOWN_TO_ALL: frozenset[BarcodeFormat] = frozenset({"qr", "pdf417", "aztec", "code128"})
"""Formats that every iPhone draws; the others came with iOS 27."""

LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_MAX_TEXT_BYTES = 64 * 1024
_BALANCES = frozenset({"points", "stamps", "balance"})
_LABELLED = ("points", "balance", "tier", "gauge", "progress", "news", "offer", "terms", "until", "venue", "starts")
"""Items that need a word beside them; an event, a seat or a name may stand alone, and stamps bear the balance's."""


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PlacementShape(_Document):
    """One item in a slot; `row` is for the auxiliary slot of a ticket, which has two rows."""

    item: Item
    align: Align = "natural"
    row: Annotated[int, Field(ge=0, le=1)] | None = None


Placements = list[Annotated[PlacementShape, BeforeValidator(lambda v: {"item": v} if isinstance(v, str) else v)]]


def _with_one_value(message: str) -> str:
    if message.count("%@") != 1:
        raise ValueError("write %@ exactly once: the phone puts the new value there")
    if message.count("%") > 1:
        raise ValueError("write no per cent sign but that of %@: a phone may put another value there")
    return message


def _seen(text: str) -> str:
    if blank(text):
        raise PydanticKnownError("string_too_short", {"min_length": 1})
    return text


_Sentence = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_seen)]
_ChangeMessage = Annotated[str, Field(max_length=200), AfterValidator(_with_one_value)]


class SlotsShape(_Document):
    """Which item stands where."""

    header: Placements = Field(default=[], max_length=3)
    primary: Placements = Field(default=[], max_length=1)
    secondary: Placements = Field(default=[], max_length=4)
    auxiliary: Placements = Field(default=[], max_length=8)
    back: Placements = Field(default=[], max_length=20)
    additional: Placements = Field(default=[], max_length=20)
    footer: Placements = Field(default=[], max_length=1)


class _Barcode(_Document):
    formats: list[BarcodeFormat] = Field(min_length=1, max_length=4)
    alt_text: Literal["none", "code"] = "none"
    legacy: bool = False


class _Strip(_Document):
    drawing: StripDrawing


class _Thumbnail(_Document):
    drawing: Literal["ring"]


class _Artwork(_Document):
    drawing: Literal["poster"]


class _Apple(_Document):
    logo_text: bool = True
    sharing: bool = False


class DesignShape(_Document):
    """design.toml"""

    version: int = Field(ge=1, le=999_999_999)
    style: Style = "storeCard"
    poster: bool = False
    languages: list[Annotated[str, Field(pattern=f"^{LANGUAGE.pattern}$")]] = Field(min_length=1, max_length=40)
    slots: SlotsShape
    barcode: _Barcode
    strip: _Strip | None = None
    thumbnail: _Thumbnail | None = None
    artwork: _Artwork | None = None
    apple: _Apple = _Apple()


class LabelsShape(_Document):
    """The word beside each item; needed for those that are placed."""

    points: _Sentence | None = None
    balance: _Sentence | None = None
    tier: _Sentence | None = None
    gauge: _Sentence | None = None
    progress: _Sentence | None = None
    news: _Sentence | None = None
    offer: _Sentence | None = None
    terms: _Sentence | None = None
    until: _Sentence | None = None
    event: _Sentence | None = None
    venue: _Sentence | None = None
    starts: _Sentence | None = None
    entry: _Sentence | None = None
    organisation: _Sentence | None = None


class _ChangeMessages(_Document):
    points: _ChangeMessage
    tier: _ChangeMessage
    news: _ChangeMessage


class _Placeholders(_Document):
    news: _Sentence


class StringsShape(_Document):
    """strings/<language>.toml"""

    labels: LabelsShape
    change_messages: _ChangeMessages
    placeholders: _Placeholders


# --- what fits -------------------------------------------------------------------------------------------------


def design_faults(path: str, head: DesignShape) -> Iterator[Fault]:
    """What the parts of design.toml demand of each other, and what the style has no room for."""
    yield from _language_faults(path, head)
    yield from _placement_faults(path, head)
    yield from _room_faults(path, head)
    if not KNOWN_TO_ALL.intersection(head.barcode.formats):
        sentence = "Only phones with iOS 27 draw these formats; add qr or code128 after them for all others."
        yield Fault(f"{path}:barcode.formats", sentence)
    if head.thumbnail and head.style not in ("generic", "eventTicket"):
        yield Fault(f"{path}:thumbnail", "Only the styles generic and eventTicket show a thumbnail; remove it.")
    if head.strip and head.style == "generic":
        yield Fault(f"{path}:strip", "The style generic shows no strip; write thumbnail instead.")
    if head.strip and (head.strip.drawing == "garland") is not (head.style == "eventTicket"):
        yield Fault(
            f"{path}:strip.drawing", "A ticket's strip is lower than others: garland is for it, and for it alone."
        )
    if head.artwork and not head.poster:
        yield Fault(f"{path}:artwork", "Only a poster shows artwork; write poster = true, or remove it.")


def _language_faults(path: str, head: DesignShape) -> Iterator[Fault]:
    spoken = [tag.lower() for tag in head.languages]  # a phone tells no fr-CA from fr-ca
    for index, tag in enumerate(spoken):
        if tag in spoken[:index]:
            yield Fault(
                f"{path}:languages.{index}", f"'{head.languages[index]}' is listed twice; remove one of the two."
            )


def _placement_faults(path: str, head: DesignShape) -> Iterator[Fault]:
    seen: set[str] = set()
    for name in SLOT_NAMES:
        for index, placed in enumerate(getattr(head.slots, name)):
            where = f"{path}:slots.{name}.{index}"
            if placed.item in seen:
                yield Fault(where, f"'{placed.item}' is placed twice; a field of a card must be unique.")
            seen.add(placed.item)
            if placed.item in _BALANCES and len(seen & _BALANCES) > 1:
                forms = "', '".join(sorted(seen & _BALANCES))
                yield Fault(where, f"'{forms}' are two forms of the balance; place one of them.")
            if placed.item == "details" and name != "back":
                yield Fault(where, "Details have room on the back only; move them to slots.back.")
            if placed.align != "natural" and name in ("primary", "back"):
                yield Fault(where, "Fields of the primary slot and of the back cannot be aligned; remove align.")
            if placed.row is not None and (head.style, name) != ("eventTicket", "auxiliary"):
                yield Fault(where, "Only the auxiliary slot of an eventTicket has rows; remove row.")


def _room_faults(path: str, head: DesignShape) -> Iterator[Fault]:
    slots = head.slots
    if head.style in ("storeCard", "coupon") and len(slots.secondary) + len(slots.auxiliary) > 4:
        yield Fault(f"{path}:slots", "Secondary and auxiliary fields share one row of four; remove some.")
    for row in (0, 1):
        if sum((placed.row or 0) == row for placed in slots.auxiliary) > 4:
            yield Fault(f"{path}:slots.auxiliary", "A row holds four fields at most; remove some, or use row = 1.")
    for name in ("additional", "footer"):
        if getattr(slots, name) and not head.poster:
            yield Fault(f"{path}:slots.{name}", "Only a poster has this slot; write poster = true, or remove it.")


def label_faults(path: str, head: DesignShape, strings: StringsShape) -> Iterator[Fault]:
    """A word that is missing in one language for an item that is placed."""
    placed = {one.item for name in SLOT_NAMES for one in getattr(head.slots, name)}
    for item in _LABELLED:
        if item in placed and getattr(strings.labels, item) is None:
            yield Fault(f"{path}:labels.{item}", "This key is missing; add it.")


# --- reading ---------------------------------------------------------------------------------------------------

_Model = TypeVar("_Model", bound=BaseModel)


def read_toml(folder: Traversable, parts: tuple[str, ...], model: type[_Model], faults: list[Fault]) -> _Model | None:
    """One file of a design; None when it is not sound, its faults then added to `faults`."""
    path = "/".join((folder.name, *parts))
    file = folder.joinpath(*parts)
    if not file.is_file():
        faults.append(Fault(path, "This file is missing; each design needs it."))
        return None
    raw = file.read_bytes()
    if len(raw) > _MAX_TEXT_BYTES:
        faults.append(Fault(path, f"This file is larger than {_MAX_TEXT_BYTES // 1024} KB; it cannot be a design."))
        return None
    try:
        return model.model_validate(tomllib.loads(raw.decode("utf-8")))
    except UnicodeDecodeError:
        faults.append(Fault(path, "Save this file as UTF-8 text."))
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(path, _misread(error)))
    except ValidationError as error:
        faults.extend(_explain(path, error))
    return None


_TWICE = re.compile(r"Cannot (?:overwrite|declare|mutate) .*\((at .+)\)")


def _misread(error: tomllib.TOMLDecodeError) -> str:
    twice = _TWICE.fullmatch(str(error))
    return (
        f"Something is written twice in this file ({twice[1]}); keep one."
        if twice
        else f"This is not valid TOML: {error}."
    )


def _explain(path: str, error: ValidationError) -> Iterator[Fault]:
    for one in error.errors(include_url=False):
        where = f"{path}:{'.'.join(str(part) for part in one['loc'])}"
        match one["type"]:
            case "extra_forbidden":
                sentence = "This key is not known; check its spelling or remove it."
            case "missing":
                sentence = "This key is missing; add it."
            case "value_error":
                sentence = one["msg"].removeprefix("Value error, ").capitalize() + "."
            case "string_pattern_mismatch":
                sentence = "Write a language tag such as fr, en or pt-BR."
            case _:
                sentence = f"{one['msg']}."
        yield Fault(where, sentence)


def written_labels(strings: Mapping[str, StringsShape]) -> dict[str, dict[str, Any]]:
    """Language to the labels that it has."""
    return {tag: one.labels.model_dump(exclude_none=True) for tag, one in strings.items()}
