"""Owns the files of a pass beside pass.json: which pictures a style has, in which sizes, and what the language
folders may hold.

A file that a phone does not know makes it refuse the whole pass. A picture outside the language folders hides those
of the same name within (developer.apple.com/documentation/walletpasses, "Creating the source for a pass").
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from wallet_server.wallets.apple.rules.forms import POSTER
from wallet_server.wallets.apple.rules.sentences import Broken, broken

MAX_PASS_BYTES = 4 * 1024 * 1024
"""Apple names no limit for one pass. Every phone fetches the whole of it again at each change, over mobile data."""
MAX_BUNDLE_PASSES, MAX_BUNDLE_BYTES = 10, 150 * 1000 * 1000
"""Of a `.pkpasses` (developer.apple.com/documentation/walletpasses, "Distributing and updating a pass")."""

_FILE = re.compile(
    r"(?:(?P<language>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3})\.lproj/)?"
    r"(?:(?P<strings>pass\.strings)|(?P<picture>[a-z][A-Za-z]*)(?:@(?P<scale>[23])x)?\.png)"
)
_PICTURES = {
    "storeCard": {"icon", "logo", "strip"},
    "coupon": {"icon", "logo", "strip"},
    "generic": {"icon", "logo", "thumbnail"},
    "eventTicket": {"icon", "logo", "strip", "background", "thumbnail"},
    POSTER: {"artwork", "background", "primaryLogo", "secondaryLogo"},
}
_APPLE = {
    *(name for names in _PICTURES.values() for name in names),
    *("footer", "personalizationLogo", "venueMap"),
}
# Points (width, height): one of these exactly, the first being the one to draw today; or at most. A strip has been of
# three heights: 98 on event tickets, 123 on other styles, 144 since.
_EXACT = {"icon": ((38, 38), (29, 29)), "strip": ((375, 144), (375, 123), (375, 98)), "artwork": ((358, 448),)}
_MOST = {"logo": (160, 50), "primaryLogo": (126, 30), "secondaryLogo": (135, 12), "thumbnail": (90, 90)}
_SCALES = ("", "@2x", "@3x")
_STRING = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(rf"\s*(?:/\*.*?\*/\s*)*{_STRING}\s*=\s*{_STRING}\s*;\s*", re.DOTALL)


@lru_cache(maxsize=512)
def file_faults(names: tuple[str, ...], style: str, poster: bool) -> tuple[Broken, ...]:
    """Remembered: all passes of one design have the same names."""
    return tuple(_file_faults(names, style, poster))


def _file_faults(names: tuple[str, ...], style: str, poster: bool) -> Iterator[Broken]:
    allowed = _PICTURES[style] | (_PICTURES[POSTER] if poster else set())
    if "icon.png" not in names:
        yield broken("icon.png", "no-icon")
    roots: set[str] = set()
    localised: list[tuple[str, str]] = []
    for name in names:
        found = _FILE.fullmatch(name)
        if found is None or (found["strings"] and not found["language"]) or _unknown(found["picture"]):
            yield broken(name, "unknown-file")
        elif found["picture"] and found["picture"] not in allowed:
            yield broken(name, "no-picture", found["picture"])
        elif found["picture"] and found["language"]:
            localised.append((name, found["picture"]))
        elif found["picture"]:
            roots.add(found["picture"])
    for name, picture in localised:
        if picture in roots:
            yield broken(name, "overridden", picture)
    shown = roots | {picture for _, picture in localised}
    if style == "eventTicket" and "strip" in shown and shown & {"background", "thumbnail"}:
        yield broken("strip.png", "strip-or-background")


def _unknown(picture: str | None) -> bool:
    return picture is not None and picture not in _APPLE


def content_faults(document_bytes: int, files: Mapping[str, bytes]) -> Iterator[Broken]:
    """The same with the files at hand: pictures that are none, languages that lack a text, a pass too large."""
    texts: dict[str, set[str]] = {}
    for name, content in files.items():
        if name.endswith(".png") and _size(content) is None:
            yield broken(name, "not-png")
        elif name.endswith("pass.strings"):
            keys = _string_keys(content)
            if keys is None:
                yield broken(name, "not-strings")
            else:
                texts[name] = keys
    every: set[str] = set().union(*texts.values())
    for name, keys in texts.items():
        if missing := sorted(every - keys):
            yield broken(name, "strings-differ", len(missing), missing[0])
    yield from size_faults(document_bytes + sum(map(len, files.values())))


def size_faults(size: int) -> Iterator[Broken]:
    """`size` in bytes, of a whole pass."""
    if size > MAX_PASS_BYTES:
        yield broken("pass", "too-large", -(-size // 1024), MAX_PASS_BYTES // 1024)


def bundle_faults(sizes: Sequence[int]) -> list[Broken]:
    """What is wrong with a `.pkpasses`, given the sizes of its passes in bytes."""
    if not 1 <= len(sizes) <= MAX_BUNDLE_PASSES:
        return [broken("bundle", "bundle-count", MAX_BUNDLE_PASSES, len(sizes))]
    if sum(sizes) > MAX_BUNDLE_BYTES:
        return [broken("bundle", "too-large", -(-sum(sizes) // 1024), MAX_BUNDLE_BYTES // 1024)]
    return []


def picture_warnings(files: Mapping[str, bytes] | tuple[str, ...]) -> Iterator[Broken]:
    """Sizes that are missing or are not Apple's. None of them makes a phone refuse the pass."""
    stems = {re.sub(r"(@[23]x)?\.png$", "", name) for name in files if name.endswith(".png")}
    for stem in sorted(stems):
        for scale in _SCALES:
            if f"{stem}{scale}.png" not in files:
                yield broken(f"{stem}{scale}.png", "scale-missing", f"{stem}{scale}.png")
    for name, content in files.items() if isinstance(files, Mapping) else ():
        found, size = _FILE.fullmatch(name), _size(content)
        if found is not None and found["picture"] and size is not None:
            yield from _measured(name, found["picture"], int(found["scale"] or 1), size)


def _measured(name: str, picture: str, scale: int, size: tuple[int, int]) -> Iterator[Broken]:
    exact = [(width * scale, height * scale) for width, height in _EXACT.get(picture, ())]
    if exact and size not in exact:
        yield broken(name, "picture-size", _sides(size), _sides(exact[0]))
    if picture in _MOST:
        most = (_MOST[picture][0] * scale, _MOST[picture][1] * scale)
        if size[0] > most[0] or size[1] > most[1]:
            yield broken(name, "picture-size", _sides(size), f"<= {_sides(most)}")


def _sides(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _size(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, from the header of a PNG."""
    if len(content) < 33 or content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def _string_keys(content: bytes) -> set[str] | None:
    """The texts that a strings file translates; None when it is none."""
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
    except UnicodeDecodeError:
        return None
    keys: set[str] = set()
    position = 0
    while position < len(text):
        line = _LINE.match(text, position)
        if line is None:
            return None if text[position:].strip() else keys
        keys.add(line[1])
        position = line.end()
    return keys
