"""Owns card designs: the static, code-free half of a card, read once from a folder and checked whole.

A design is a folder `<name>` (or `<name>@<version>` for a version that is kept for cards already handed out) with
`design.toml`, `strings/<language>.toml` and the vendors' images. A programme pins name and version, so replacing a
folder never changes a card by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any, Literal

from wallet_server.errors import Fault, Invalid, Misconfigured
from wallet_server.rules.passes.card import Alert, Facet, Texts
from wallet_server.wallets.design_files import (
    SLOT_NAMES,
    Align,
    BarcodeFormat,
    DesignShape,
    Item,
    Placements,
    SlotName,
    StringsShape,
    Style,
    design_faults,
    label_faults,
    read_toml,
    written_labels,
)
from wallet_server.wallets.design_images import read_emblem, read_images
from wallet_server.wallets.drawing import Drawing
from wallet_server.wallets.google.options import DEFAULT, GoogleShape

__all__ = [
    "SLOT_NAMES",
    "Align",
    "BarcodeFormat",
    "Design",
    "Designs",
    "Drawing",
    "Item",
    "Placement",
    "SlotName",
    "Style",
    "load_designs",
]

_MAX_DESIGNS = 500
_FOLDER = re.compile(r"([a-z][a-z0-9-]{0,40})(?:@([1-9][0-9]{0,8}))?")


@dataclass(frozen=True)
class Placement:
    """One item of the card in one slot of the design."""

    item: Item
    align: Align
    row: int | None = None


@dataclass(frozen=True)
class Design:
    """One version of one design. `images` are the vendor's static files by name (`icon@2x.png`, `fr.lproj/logo.png`),
    ready to ship; `change_messages` hold exactly one `%@` each. `poster` adds the style posterGeneric of iOS 27;
    `legacy_barcode` repeats the code for readers that know one barcode alone. `google` is what it says for Google
    Wallet, `emblem` its logo there (a square PNG), if it has one of its own."""

    name: str
    version: int
    style: Style
    poster: bool
    languages: tuple[str, ...]
    slots: Mapping[SlotName, tuple[Placement, ...]]
    barcode_formats: tuple[BarcodeFormat, ...]
    barcode_alt_text: Literal["none", "code"]
    legacy_barcode: bool
    strip: Drawing | None
    thumbnail: Drawing | None
    artwork: Drawing | None
    logo_text: bool
    sharing: bool
    labels: Mapping[str, Texts]
    change_messages: Mapping[Facet, Texts]
    placeholders: Mapping[str, Texts]
    images: Mapping[str, bytes] = field(repr=False)
    google: GoogleShape = DEFAULT
    emblem: bytes | None = field(default=None, repr=False)

    @cached_property
    def shown(self) -> frozenset[str]:
        """Every item that it places anywhere."""
        items = {one.item for slot in self.slots.values() for one in slot}
        return frozenset(items.union(*self.google.rows))

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


def _read_design(folder: Traversable, faults: list[Fault]) -> Design | None:
    """One design, or None when its faults (added to `faults`) leave nothing to build."""
    before = len(faults)
    named = _FOLDER.fullmatch(folder.name)
    if named is None:
        faults.append(Fault(folder.name, "Name the folder in small letters, digits and dashes, as in points or vip@2."))
    path = f"{folder.name}/design.toml"
    head = read_toml(folder, ("design.toml",), DesignShape, faults)
    if head is not None:
        faults.extend(design_faults(path, head))
        if named and named[2] and int(named[2]) != head.version:
            sentence = f"The folder says version {named[2]} and this file {head.version}; make them agree."
            faults.append(Fault(f"{path}:version", sentence))
    strings = _read_strings(folder, head, faults)
    images = read_images(folder, head or _UNREAD, faults)
    google, emblem = _read_google(folder, faults)
    if len(faults) > before or head is None or named is None:
        return None
    return replace(_design(named[1], head, strings, images), google=google, emblem=emblem)


def _read_google(folder: Traversable, faults: list[Fault]) -> tuple[GoogleShape, bytes | None]:
    """What it says for Google Wallet; a design without that folder is shown there all the same."""
    place = folder.joinpath("google")
    written = place.joinpath("google.toml").is_file()
    said = read_toml(folder, ("google", "google.toml"), GoogleShape, faults) if written else None
    return said or DEFAULT, read_emblem(folder, faults)


# Stands in for a design.toml that cannot be read, so that its pictures are still looked at.
_UNREAD = DesignShape.model_validate(
    {"version": 1, "languages": ["en"], "slots": {}, "barcode": {"formats": ["qr"]}, "poster": False}
)


def _read_strings(folder: Traversable, head: DesignShape | None, faults: list[Fault]) -> dict[str, StringsShape]:
    said: dict[str, StringsShape] = {}
    for tag in dict.fromkeys(head.languages) if head else _written(folder):
        found = read_toml(folder, ("strings", f"{tag}.toml"), StringsShape, faults)
        if found is not None and head is not None:
            faults.extend(label_faults(f"{folder.name}/strings/{tag}.toml", head, found))
            said[tag] = found
    return said


def _written(folder: Traversable) -> list[str]:
    """The languages that have a file, where nothing else says which there are."""
    place = folder.joinpath("strings")
    return sorted(one.name[:-5] for one in place.iterdir() if one.name.endswith(".toml")) if place.is_dir() else []


def _design(name: str, head: DesignShape, strings: Mapping[str, StringsShape], images: Mapping[str, bytes]) -> Design:
    return Design(
        name=name,
        version=head.version,
        style=head.style,
        poster=head.poster,
        languages=tuple(head.languages),
        slots=MappingProxyType({slot: _placements(getattr(head.slots, slot)) for slot in SLOT_NAMES}),
        barcode_formats=tuple(head.barcode.formats),
        barcode_alt_text=head.barcode.alt_text,
        legacy_barcode=head.barcode.legacy,
        strip=head.strip.drawing if head.strip else None,
        thumbnail=head.thumbnail.drawing if head.thumbnail else None,
        artwork=head.artwork.drawing if head.artwork else None,
        logo_text=head.apple.logo_text,
        sharing=head.apple.sharing,
        labels=_turn(written_labels(strings)),
        change_messages=_turn({tag: one.change_messages.model_dump() for tag, one in strings.items()}),
        placeholders=_turn({tag: one.placeholders.model_dump() for tag, one in strings.items()}),
        images=MappingProxyType(dict(images)),
    )


def _placements(found: Placements) -> tuple[Placement, ...]:
    return tuple(Placement(one.item, one.align, one.row) for one in found)


def _turn(by_language: Mapping[str, Mapping[str, str]]) -> Mapping[Any, Texts]:
    """From language -> name -> text to name -> language -> text. A word that one language lacks is left out there."""
    names = dict.fromkeys(name for said in by_language.values() for name in said)
    return MappingProxyType(
        {
            name: MappingProxyType({tag: said[name] for tag, said in by_language.items() if name in said})
            for name in names
        }
    )
