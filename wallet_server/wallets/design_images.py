"""Owns the pictures of a design: which files a style shows, and how large each may be.

Sizes in points (developer.apple.com, "Creating the source for a pass", and Apple's pass builder): a file is one, two or
three pixels for a point by its name. A picture in the folder itself hides one of the same name in a language's folder,
so a picture is either for all languages or for each.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from wallet_server.errors import Fault
from wallet_server.wallets.design_files import LANGUAGE, DesignShape

EMBLEM = 660
"""Pixels of the side of a logo for Google Wallet."""
_MAX_BYTES = 1024 * 1024
_FILE = re.compile(r"([a-zA-Z]+)(?:@([23])x)?\.png")
_FOLDER = re.compile(rf"({LANGUAGE.pattern})\.lproj")
_SCALES = ("", "@2x", "@3x")
_DAMAGED = "This PNG image is damaged or cut off; export it again."


@dataclass(frozen=True)
class _Rule:
    """The greatest size; `exact` where it is the only one."""

    width: int
    height: int
    exact: bool = False


_RULES: Mapping[str, _Rule] = {
    "icon": _Rule(38, 38, exact=True),
    "logo": _Rule(160, 50),
    "strip": _Rule(375, 144),
    "thumbnail": _Rule(90, 90),
    "background": _Rule(180, 220, exact=True),
    "artwork": _Rule(358, 448, exact=True),
    "primaryLogo": _Rule(126, 30),
    "secondaryLogo": _Rule(135, 12),
}
_TICKET_STRIP = _Rule(375, 98)
_POSTER_BACKGROUND = _Rule(345, 505, exact=True)
_SHOWN: Mapping[str, tuple[str, ...]] = {
    "storeCard": ("icon", "logo", "strip"),
    "coupon": ("icon", "logo", "strip"),
    "eventTicket": ("icon", "logo", "strip", "thumbnail", "background"),
    "generic": ("icon", "logo", "thumbnail"),
}
_POSTER = ("artwork", "background", "primaryLogo", "secondaryLogo")


def read_images(folder: Traversable, head: DesignShape, faults: list[Fault]) -> dict[str, bytes]:
    """The pictures of a design by their names in a pass (`icon@2x.png`, `fr.lproj/logo.png`)."""
    root = folder.joinpath("apple")
    found: dict[str, bytes] = {}
    for place, prefix in _places(root, folder.name, head, faults):
        for file in sorted(place.iterdir(), key=lambda f: f.name):
            if file.is_dir() and not prefix:
                continue
            raw = file.read_bytes() if file.is_file() else b""
            path = f"{folder.name}/apple/{prefix}{file.name}"
            sentence = _file_fault(file.name, raw, head)
            if sentence:
                faults.append(Fault(path, sentence))
            found[f"{prefix}{file.name}"] = raw
    faults.extend(_missing(folder.name, found, head))
    return found


def read_emblem(folder: Traversable, faults: list[Fault]) -> bytes | None:
    """google/logo.png, the square logo that Google Wallet cuts to a disc (brand guidelines: at least 660 x 660)."""
    file = folder.joinpath("google", "logo.png")
    if not file.is_file():
        return None
    raw = file.read_bytes()
    if len(raw) > _MAX_BYTES or len(raw) < 33 or raw[:8] != b"\x89PNG\r\n\x1a\n" or raw[12:16] != b"IHDR":
        sentence = f"This is not a PNG image of at most {_MAX_BYTES // 1024} KB; export it as PNG."
        faults.append(Fault(f"{folder.name}/google/logo.png", sentence))
        return None
    width, height = struct.unpack(">II", raw[16:24])
    if width != height or width < EMBLEM:
        measured = f"at least {EMBLEM} pixels; this one is {width} x {height}."
        faults.append(Fault(f"{folder.name}/google/logo.png", f"The logo for Google Wallet is a square of {measured}"))
        return None
    if not _is_whole(raw):
        faults.append(Fault(f"{folder.name}/google/logo.png", _DAMAGED))
        return None
    return raw


def _places(
    root: Traversable, design: str, head: DesignShape, faults: list[Fault]
) -> Iterator[tuple[Traversable, str]]:
    if not root.is_dir():
        return
    yield root, ""
    for entry in sorted(root.iterdir(), key=lambda e: e.name):
        if not entry.is_dir():
            continue
        named = _FOLDER.fullmatch(entry.name)
        if named and named[1] in head.languages:
            yield entry, f"{entry.name}/"
        else:
            sentence = "A folder of pictures is named after a language of the design, such as fr.lproj."
            faults.append(Fault(f"{design}/apple/{entry.name}", sentence))


def _allowed(head: DesignShape) -> tuple[str, ...]:
    return _SHOWN[head.style] + (_POSTER if head.poster else ())


def _file_fault(name: str, raw: bytes, head: DesignShape) -> str | None:
    named = _FILE.fullmatch(name)
    allowed = tuple(dict.fromkeys(_allowed(head)))
    if named is None or named[1] not in allowed:
        listed = ", ".join(allowed[:-1]) + f" and {allowed[-1]}"
        return f"A pass of this style holds no such file: only {listed} as .png, @2x.png and @3x.png."
    if len(raw) > _MAX_BYTES:
        return f"This image is larger than {_MAX_BYTES // 1024} KB; every pass carries it, make it smaller."
    if len(raw) < 33 or raw[:8] != b"\x89PNG\r\n\x1a\n" or raw[12:16] != b"IHDR":
        return "This is not a PNG image; export it as PNG."
    size: tuple[int, int] = struct.unpack(">II", raw[16:24])
    return _size_fault(named[1], int(named[2] or 1), size, head) or (None if _is_whole(raw) else _DAMAGED)


def _is_whole(raw: bytes) -> bool:
    """Whether every chunk of a PNG is there, up to the last, and is what its check sum says (PNG, 5.3): a phone shows
    nothing of a file that was cut off or altered on its way here, and refuses a pass whose icon is one."""
    at, drawn = 8, False
    while at + 12 <= len(raw):
        (size,) = struct.unpack_from(">I", raw, at)
        end = at + 12 + size
        if end > len(raw) or zlib.crc32(raw[at + 4 : end - 4]) != int.from_bytes(raw[end - 4 : end]):
            return False
        kind = raw[at + 4 : at + 8]
        drawn = drawn or kind == b"IDAT"
        if kind == b"IEND":
            return drawn
        at = end
    return False


def _size_fault(stem: str, scale: int, size: tuple[int, int], head: DesignShape) -> str | None:
    rule = _RULES[stem]
    if stem == "strip" and head.style == "eventTicket":
        rule = _TICKET_STRIP
    if stem == "background" and head.style != "eventTicket":
        rule = _POSTER_BACKGROUND
    width, height = rule.width * scale, rule.height * scale
    at_scale = f"{width} x {height} pixels at this scale; this one is {size[0]} x {size[1]}."
    if rule.exact and size != (width, height):
        return f"The {stem} must be {at_scale}"
    if size[0] > width or size[1] > height:
        return f"The {stem} may be {at_scale}"
    if stem == "strip" and size[0] != width:
        return f"The strip must be {width} pixels wide at this scale; this one is {size[0]}."
    if stem == "thumbnail" and not 2 * size[0] <= 3 * size[1] <= 4.5 * size[0]:
        return "The sides of a thumbnail are at most as 2 to 3; this one is longer."
    return None


def _missing(design: str, found: Collection[str], head: DesignShape) -> Iterator[Fault]:
    stems = {"icon"} | {name.rpartition("/")[2].partition("@")[0].removesuffix(".png") for name in found}
    folders = [f"{tag}.lproj/" for tag in dict.fromkeys(head.languages)]
    for stem in sorted(stems & set(_allowed(head))):
        spoken = [name for name in found if re.fullmatch(rf".*\.lproj/{stem}(@[23]x)?\.png", name)]
        at_root = [name for name in found if re.fullmatch(rf"{stem}(@[23]x)?\.png", name)]
        if spoken and at_root:
            sentence = "This picture hides those in the folders of the languages; keep one or the other."
            yield Fault(f"{design}/apple/{at_root[0]}", sentence)
        yield from _sizes(design, stem, folders if spoken and not at_root else [""], found)
    yield from _clashes(design, found, head)


def _sizes(design: str, stem: str, folders: Sequence[str], found: Collection[str]) -> Iterator[Fault]:
    for folder in folders:
        for scale in _SCALES:
            if f"{folder}{stem}{scale}.png" not in found:
                yield Fault(f"{design}/apple/{folder}{stem}{scale}.png", "This image is missing; each size is needed.")


def _clashes(design: str, found: Collection[str], head: DesignShape) -> Iterator[Fault]:
    has = {stem: any(name.rpartition("/")[2].startswith(stem) for name in found) for stem in _RULES}
    for stem, drawn in (("strip", head.strip), ("thumbnail", head.thumbnail), ("artwork", head.artwork)):
        if has[stem] and drawn:
            yield Fault(f"{design}/apple/{stem}.png", f"The {stem} is drawn by the product; keep one or the other.")
    strip, other = has["strip"] or head.strip, has["thumbnail"] or has["background"] or head.thumbnail
    if head.style == "eventTicket" and strip and other:
        sentence = "A ticket shows either a strip, or a background and a thumbnail; keep one or the other."
        yield Fault(f"{design}/apple", sentence)
    if head.poster and not (has["artwork"] or has["background"] or head.artwork):
        sentence = "A poster needs artwork.png (358 x 448 points), or drawn artwork; add one."
        yield Fault(f"{design}/apple", sentence)
