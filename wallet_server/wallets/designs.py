"""Owns card designs: the static, code-free half of a card, read once from a folder and checked whole.

A design is a folder `<name>` (or `<name>@<version>` for a version that is kept for cards already handed out) with
`design.toml`, `strings/<language>.toml` and the vendors' images. A programme pins name and version, so replacing a
folder never changes a card by itself.
"""

from __future__ import annotations

import re
import struct
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from wallet_server.errors import Fault, Invalid, Misconfigured
from wallet_server.rules.card import Alert, Facet, Texts

Item = Literal["points", "stamps", "tier", "gauge", "progress", "reward", "news", "details"]
Align = Literal["natural", "left", "centre", "right"]
Drawing = Literal["gauge", "stamps"]
BarcodeFormat = Literal["qr", "pdf417", "aztec", "code128"]
SlotName = Literal["header", "primary", "secondary", "auxiliary", "back"]

SLOT_NAMES: tuple[SlotName, ...] = ("header", "primary", "secondary", "auxiliary", "back")
_MAX_DESIGNS = 500
_MAX_TEXT_BYTES = 64 * 1024
_MAX_IMAGE_BYTES = 1024 * 1024
_FOLDER = re.compile(r"([a-z][a-z0-9-]{0,40})(?:@([1-9][0-9]{0,8}))?")
_IMAGE = re.compile(r"(icon|logo)(?:@([23])x)?\.png")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
# Points at one pixel each (developer.apple.com, "Creating the source for a pass"): the icon exactly, the logo at most.
_ICON_POINTS, _LOGO_POINTS = (38, 38), (160, 50)


@dataclass(frozen=True)
class Placement:
    """One item of the card in one slot of the design."""

    item: Item
    align: Align


@dataclass(frozen=True)
class Design:
    """One version of one design. `images` are the vendor's static files by name (`icon@2x.png`), ready to ship;
    `change_messages` hold exactly one `%@` each."""

    name: str
    version: int
    languages: tuple[str, ...]
    slots: Mapping[SlotName, tuple[Placement, ...]]
    barcode_formats: tuple[BarcodeFormat, ...]
    barcode_alt_text: Literal["none", "code"]
    strip: Drawing | None
    logo_text: bool
    labels: Mapping[str, Texts]
    change_messages: Mapping[Facet, Texts]
    placeholders: Mapping[str, Texts]
    images: Mapping[str, bytes] = field(repr=False)

    def alert(self, facet: Facet) -> Alert:
        """The alert of this facet in the design's own words."""
        return Alert(facet, self.change_messages[facet])


class Designs:
    """Every design that was loaded, by name and version."""

    def __init__(self, designs: Mapping[tuple[str, int], Design]) -> None:
        self._designs = dict(designs)

    def get(self, name: str, version: int) -> Design:
        """Raises `Misconfigured` when a programme pins a version whose folder is gone."""
        design = self._designs.get((name, version))
        if design is None:
            raise Misconfigured(
                f"Design {name} version {version} is not in the designs folder. Put the folder back "
                f"(as {name}@{version}), or move the programme to a version that is there.",
                code="unknown-design",
            )
        return design

    def newest(self, name: str) -> Design:
        """The highest version of that name; raises `Misconfigured` when there is none."""
        versions = [version for (known, version) in self._designs if known == name]
        return self.get(name, max(versions, default=1))

    def __iter__(self) -> Iterator[Design]:
        return iter(self._designs.values())

    def __len__(self) -> int:
        return len(self._designs)


def load_designs(folder: Traversable) -> Designs:
    """Read every design of a folder (a `Path` or an importlib.resources entry).

    Raises `Invalid` with every fault of every file at once; each path is `<folder>/<file>:<place in the file>`.
    """
    faults: list[Fault] = []
    designs: dict[tuple[str, int], Design] = {}
    entries = sorted((e for e in folder.iterdir() if e.is_dir()), key=lambda e: e.name) if folder.is_dir() else []
    if not entries:
        faults.append(Fault(str(folder), "No design was found here; the folder must hold one folder for each design."))
    if len(entries) > _MAX_DESIGNS:
        faults.append(Fault(str(folder), f"There are more than {_MAX_DESIGNS} designs; remove those nobody uses."))
    for entry in entries[:_MAX_DESIGNS]:
        design = _read_design(entry, faults)
        if design is None:
            continue
        if (design.name, design.version) in designs:
            faults.append(Fault(f"{entry.name}/design.toml:version", "Another folder has this name and version."))
        designs[design.name, design.version] = design
    if faults:
        raise Invalid(f"The card designs have faults, first: {faults[0].path}: {faults[0].sentence}", faults=faults)
    return Designs(designs)


# --- the documents ---------------------------------------------------------------------------------------------


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Placement(_Document):
    item: Item
    align: Align = "natural"


_Placements = list[Annotated[_Placement, BeforeValidator(lambda v: {"item": v} if isinstance(v, str) else v)]]


def _with_one_value(message: str) -> str:
    if message.count("%@") != 1:
        raise ValueError("write %@ exactly once: the phone puts the new value there")
    return message


_Sentence = Annotated[str, Field(min_length=1, max_length=200)]
_ChangeMessage = Annotated[str, Field(max_length=200), AfterValidator(_with_one_value)]


class _Slots(_Document):
    header: _Placements = Field(default=[], max_length=3)
    primary: _Placements = Field(default=[], max_length=1)
    secondary: _Placements = Field(default=[], max_length=4)
    auxiliary: _Placements = Field(default=[], max_length=4)
    back: _Placements = Field(default=[], max_length=20)


class _Barcode(_Document):
    formats: list[BarcodeFormat] = Field(min_length=1, max_length=4)
    alt_text: Literal["none", "code"] = "none"


class _Strip(_Document):
    drawing: Drawing


class _Apple(_Document):
    logo_text: bool = True


class _DesignFile(_Document):
    version: int = Field(ge=1, le=999_999_999)
    languages: list[Annotated[str, Field(pattern=f"^{_LANGUAGE.pattern}$")]] = Field(min_length=1, max_length=40)
    slots: _Slots
    barcode: _Barcode
    strip: _Strip | None = None
    apple: _Apple = _Apple()


class _Labels(_Document):
    points: _Sentence
    tier: _Sentence
    gauge: _Sentence
    progress: _Sentence
    news: _Sentence


class _ChangeMessages(_Document):
    points: _ChangeMessage
    tier: _ChangeMessage
    news: _ChangeMessage


class _Placeholders(_Document):
    news: _Sentence


class _StringsFile(_Document):
    labels: _Labels
    change_messages: _ChangeMessages
    placeholders: _Placeholders


# --- reading ---------------------------------------------------------------------------------------------------

_Model = TypeVar("_Model", bound=_Document)


def _read_design(folder: Traversable, faults: list[Fault]) -> Design | None:
    """One design, or None when its faults (added to `faults`) leave nothing to build."""
    before = len(faults)
    named = _FOLDER.fullmatch(folder.name)
    if named is None:
        faults.append(Fault(folder.name, "Name the folder in small letters, digits and dashes, as in points or vip@2."))
    head = _read_toml(folder, ("design.toml",), _DesignFile, faults)
    if head is not None:
        faults.extend(_slot_faults(f"{folder.name}/design.toml", head.slots))
        if named and named[2] and int(named[2]) != head.version:
            sentence = f"The folder says version {named[2]} and this file {head.version}; make them agree."
            faults.append(Fault(f"{folder.name}/design.toml:version", sentence))
    languages = head.languages if head else []
    strings = {tag: _read_toml(folder, ("strings", f"{tag}.toml"), _StringsFile, faults) for tag in languages}
    images = _read_images(folder, faults)
    if len(faults) > before or head is None or named is None:
        return None
    said = {tag: found for tag, found in strings.items() if found is not None}
    return Design(
        name=named[1],
        version=head.version,
        languages=tuple(head.languages),
        slots=MappingProxyType({name: _placements(getattr(head.slots, name)) for name in SLOT_NAMES}),
        barcode_formats=tuple(head.barcode.formats),
        barcode_alt_text=head.barcode.alt_text,
        strip=head.strip.drawing if head.strip else None,
        logo_text=head.apple.logo_text,
        labels=_turn({tag: found.labels for tag, found in said.items()}),
        change_messages=_turn({tag: found.change_messages for tag, found in said.items()}),
        placeholders=_turn({tag: found.placeholders for tag, found in said.items()}),
        images=MappingProxyType(images),
    )


def _placements(found: _Placements) -> tuple[Placement, ...]:
    return tuple(Placement(one.item, one.align) for one in found)


def _turn(by_language: Mapping[str, _Document]) -> Mapping[Any, Texts]:
    """From language -> name -> text to name -> language -> text; every language has the same names by now."""
    names = next(iter(by_language.values())).model_dump()
    return MappingProxyType(
        {name: MappingProxyType({tag: getattr(part, name) for tag, part in by_language.items()}) for name in names}
    )


def _slot_faults(path: str, slots: _Slots) -> Iterator[Fault]:
    seen: set[str] = set()
    for name in SLOT_NAMES:
        for index, placed in enumerate(getattr(slots, name)):
            where = f"{path}:slots.{name}.{index}"
            if placed.item in seen:
                yield Fault(where, f"'{placed.item}' is placed twice; a field of a card must be unique.")
            seen.add(placed.item)
            if seen >= {"points", "stamps"} and placed.item in ("points", "stamps"):
                yield Fault(where, "'points' and 'stamps' are two forms of the balance; place one of them.")
            if placed.item == "details" and name != "back":
                yield Fault(where, "Details have room on the back only; move them to slots.back.")
            if placed.align != "natural" and name in ("primary", "back"):
                yield Fault(where, "Fields of the primary slot and of the back cannot be aligned; remove align.")
    if len(slots.secondary) + len(slots.auxiliary) > 4:
        yield Fault(f"{path}:slots", "Secondary and auxiliary fields share one row of four; remove some.")


def _read_toml(folder: Traversable, parts: tuple[str, ...], model: type[_Model], faults: list[Fault]) -> _Model | None:
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
        faults.append(Fault(path, f"This is not valid TOML: {error}."))
    except ValidationError as error:
        faults.extend(_explain(path, error))
    return None


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


# --- images ----------------------------------------------------------------------------------------------------


def _read_images(folder: Traversable, faults: list[Fault]) -> dict[str, bytes]:
    place = folder.joinpath("apple")
    found: dict[str, bytes] = {}
    for file in sorted(place.iterdir(), key=lambda f: f.name) if place.is_dir() else ():
        path = f"{folder.name}/apple/{file.name}"
        named = _IMAGE.fullmatch(file.name)
        if named is None:
            faults.append(Fault(path, "A pass holds no such file: only icon and logo as .png, @2x.png and @3x.png."))
            continue
        found[file.name] = raw = file.read_bytes()
        sentence = _image_fault(raw, named[1], int(named[2] or 1))
        if sentence:
            faults.append(Fault(path, sentence))
    needed = [f"{stem}{scale}.png" for stem in ("icon", "logo") for scale in ("", "@2x", "@3x")]
    faults.extend(
        Fault(f"{folder.name}/apple/{name}", "This image is missing; each size is needed.")
        for name in needed
        if name not in found
    )
    return found


def _image_fault(raw: bytes, stem: str, scale: int) -> str | None:
    if len(raw) > _MAX_IMAGE_BYTES:
        return f"This image is larger than {_MAX_IMAGE_BYTES // 1024} KB; every pass carries it, make it smaller."
    if len(raw) < 33 or raw[:8] != b"\x89PNG\r\n\x1a\n" or raw[12:16] != b"IHDR":
        return "This is not a PNG image; export it as PNG."
    size: tuple[int, int] = struct.unpack(">II", raw[16:24])
    icon, logo = (tuple(side * scale for side in points) for points in (_ICON_POINTS, _LOGO_POINTS))
    if stem == "icon" and size != icon:
        return f"The icon must be {icon[0]} x {icon[1]} pixels at this scale; this one is {size[0]} x {size[1]}."
    if stem == "logo" and (size[0] > logo[0] or size[1] > logo[1]):
        return f"The logo may be {logo[0]} x {logo[1]} pixels at this scale; this one is {size[0]} x {size[1]}."
    return None
