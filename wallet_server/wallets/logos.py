"""Owns the merchant's logo: a stranger's picture, read within limits, trimmed, fitted and written anew as PNG.

Nothing of the file that was given is kept but its pixels: no metadata, no profile, no second frame. What is made has
the sizes that a pass takes (developer.apple.com, "Creating the source for a pass": logo at most 160 x 50 points, icon
38 x 38, each at one, two and three pixels a point).
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from colorsys import rgb_to_hsv
from contextlib import contextmanager
from typing import Literal

from PIL import Image, ImageChops, ImageDraw, ImageOps

from wallet_server.errors import Invalid, Unavailable
from wallet_server.rules.passes.colours import RGB, contrast, rgb

MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 40_000_000
MAX_SIDE = 20_000
WIDTH, HEIGHT = 480, 150
ICON = 114
EMBLEM = 660

Plate = Literal["light", "dark"]
Shares = tuple[tuple[RGB, float], ...]
"""Colours of a logo and the share of its visible surface that each has, the largest first."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_WORKING = (1440, 1440)  # three times what is kept: enough to trim and scale well, small enough to be quick
_EVEN = 18  # of 255: what a JPEG makes of one colour
_VISIBLE = 24
_PLATES: Mapping[Plate, RGB] = {"light": (255, 255, 255), "dark": (23, 23, 23)}
_SHOWN = 2.0
_ENOUGH = 0.03
_COLOURS = 24
_WAIT_SECONDS = 10
# Forty million pixels take some 300 MB while they are read: one picture at a time in one process.
_turn = threading.BoundedSemaphore(1)


def made_of(raw: bytes) -> bytes:
    """The logo that a picture makes: a PNG 150 pixels high and 150 to 480 wide, transparent where nothing is.

    Raises `Invalid` with one of the codes `picture-too-heavy`, `picture-too-large`, `picture-drawn` (SVG),
    `picture-heic`, `not-a-picture`, `picture-empty`; `Unavailable` while others are being read.
    """
    _refuse_what_is_known(raw)
    if not _turn.acquire(timeout=_WAIT_SECONDS):
        raise Unavailable("Other pictures are being read; try again in a moment.")
    try:
        return _png(_fitted(_trimmed(_read(raw))))
    finally:
        _turn.release()


def plated(logo: bytes, plate: Plate) -> bytes:
    """A logo of ours on a light or dark plate with round corners, for a card in whose colour it would not show."""
    bare = _trimmed(_ours(logo))
    room = ImageOps.contain(bare, (WIDTH - 48, HEIGHT - 36), Image.Resampling.LANCZOS)
    width = _thirds(max(HEIGHT, room.width + 48))
    ground = Image.new("L", (width * 2, HEIGHT * 2))
    ImageDraw.Draw(ground).rounded_rectangle((0, 0, width * 2 - 1, HEIGHT * 2 - 1), radius=48, fill=255)
    canvas = Image.new("RGBA", (width, HEIGHT), (*_PLATES[plate], 0))
    canvas.putalpha(ground.reduce(2))
    canvas.alpha_composite(room, ((width - room.width) // 2, (HEIGHT - room.height) // 2))
    return _png(canvas)


def icon_of(logo: bytes, ground: str) -> bytes:
    """A logo of ours as the icon that stands beside a message: 114 pixels square, on the card's colour (`#rrggbb`), or
    on white where it would not show on that."""
    return _square(logo, ground, ICON, ICON - 16)


def emblem_of(logo: bytes, ground: str) -> bytes:
    """A logo of ours as Google Wallet shows it: 660 pixels square, cut to a disc there, so that nothing stands in the
    outer 15 % (Google's brand guidelines)."""
    return _square(logo, ground, EMBLEM, EMBLEM * 70 // 100)


def _square(logo: bytes, ground: str, side: int, most: int) -> bytes:
    """In the middle of a square of this side, at most so large."""
    bare = _trimmed(_ours(logo))
    colour = rgb(ground)
    if not shows(shares(logo), ground):
        colour = _PLATES["light"] if shows(shares(logo), "#ffffff") else _PLATES["dark"]
    canvas = Image.new("RGBA", (side, side), (*colour, 255))
    room = ImageOps.contain(bare, (most, most), Image.Resampling.LANCZOS)
    canvas.alpha_composite(room, ((side - room.width) // 2, (side - room.height) // 2))
    return _png(canvas.convert("RGB"))


def files(logo: bytes, ground: str) -> dict[str, bytes]:
    """The logo and its icon as a pass carries them: `logo.png`, `logo@2x.png`, ... at three sizes each."""
    with Image.open(io.BytesIO(icon_of(logo, ground))) as file:
        icon: Image.Image = file.copy()
    made = {}
    for name, picture in (("logo", _ours(logo)), ("icon", icon)):
        for scale in (1, 2, 3):
            size = (picture.width * scale // 3, picture.height * scale // 3)
            sized = picture if scale == 3 else picture.resize(size, Image.Resampling.LANCZOS)
            made[f"{name}.png" if scale == 1 else f"{name}@{scale}x.png"] = _png(sized)
    return made


def width_of(logo: bytes) -> int:
    """The pixels across a logo of ours: three to a point."""
    return _ours(logo).width


def shares(logo: bytes) -> Shares:
    """What a logo of ours is made of, in at most two dozen colours."""
    small = _ours(logo)
    small.thumbnail((160, 50), Image.Resampling.BOX)
    raw = small.tobytes()
    pixels = [raw[at : at + 3] for at in range(0, len(raw), 4) if raw[at + 3] >= _VISIBLE * 4]
    if not pixels:
        return ()
    strip = Image.frombytes("RGB", (len(pixels), 1), b"".join(pixels))
    few = strip.quantize(_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    colours = few.getpalette() or []
    # In a picture with a palette a colour is one number, its place in the palette.
    found = few.getcolors(_COLOURS) or ()
    counted = sorted(((count, int(index)) for count, index in found if not isinstance(index, tuple)), reverse=True)
    return tuple(
        ((colours[3 * index], colours[3 * index + 1], colours[3 * index + 2]), count / len(pixels))
        for count, index in counted
    )


def shows(parts: Shares, ground: str) -> bool:
    """Whether enough of a logo stands out from a ground (`#rrggbb`) to be made out."""
    colour = rgb(ground)
    return sum(share for part, share in parts if contrast(part, colour) >= _SHOWN) >= _ENOUGH


def grounds(parts: Shares, most: int = 3) -> tuple[str, ...]:
    """Colours of the logo that would make a card: the strongest first, no near-white, near-black or grey, no two
    alike; as `#rrggbb`."""
    found: list[RGB] = []
    for part, _ in sorted(parts, key=lambda one: one[1] * _strength(one[0]) ** 2, reverse=True):
        if _strength(part) >= 0.16 and not any(_alike(part, other) for other in found):
            found.append(part)
    return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in found[:most])


def _strength(colour: RGB) -> float:
    """How much of a colour it is: 0 for white, black and greys, up to 1."""
    return (max(colour) - min(colour)) / 255


def _alike(one: RGB, other: RGB) -> bool:
    """Whether both are one colour, the one perhaps lighter: the soft edge of a shape, mixed with its ground."""
    hue, other_hue = (rgb_to_hsv(*(part / 255 for part in colour))[0] for colour in (one, other))
    return min(abs(hue - other_hue), 1 - abs(hue - other_hue)) < 0.07


# --- reading ---------------------------------------------------------------------------------------------------


def _refuse_what_is_known(raw: bytes) -> None:
    if len(raw) > MAX_BYTES:
        raise Invalid("The picture is larger than 8 MB; send a smaller one.", code="picture-too-heavy")
    head = raw[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<svg", b"<?xml", b"<!doctype svg")):
        sentence = "An SVG is a drawing, not a picture; export it as PNG and send that."
        raise Invalid(sentence, code="picture-drawn")
    if raw[4:8] == b"ftyp" and raw[8:12] in (b"heic", b"heix", b"heif", b"mif1", b"msf1", b"hevc", b"avif"):
        sentence = "HEIC pictures cannot be read here; send a JPEG (a screenshot of it will do)."
        raise Invalid(sentence, code="picture-heic")


@contextmanager
def _reading() -> Iterator[None]:
    """Decoders answer a broken file with errors of any kind; each means that this is no picture of ours."""
    try:
        yield
    except Invalid:
        raise
    except Image.DecompressionBombError as fault:
        raise _too_large() from fault
    except Exception as fault:
        sentence = "This file cannot be read as a picture; send a PNG, JPEG, WebP or GIF."
        raise Invalid(sentence, code="not-a-picture") from fault


def _too_large() -> Invalid:
    return Invalid("The picture has more than 40 million pixels; send a smaller one.", code="picture-too-large")


def _read(raw: bytes) -> Image.Image:
    """The first frame, upright, in RGBA, at most `_WORKING` large."""
    with _reading(), Image.open(io.BytesIO(raw), formats=_FORMATS) as file:
        # Only the head was read so far: nothing has been unpacked.
        if file.width * file.height > MAX_PIXELS or max(file.size) > MAX_SIDE:
            raise _too_large()
        picture: Image.Image = file
        if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
            picture = _eight_bits(picture)
        elif picture.mode not in ("RGB", "L", "CMYK", "YCbCr"):
            picture = picture.convert("RGBA")
        if max(picture.size) > max(_WORKING):
            # A JPEG is unpacked at a smaller size at once.
            picture.thumbnail(_WORKING, Image.Resampling.LANCZOS, reducing_gap=2.0)
        return ImageOps.exif_transpose(picture).convert("RGBA")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Grey of sixteen bits, as scanners write it; anything else is stretched to what it holds."""
    # One band, so one pair of numbers.
    least, most = (one if isinstance(one, (int, float)) else float(one[0]) for one in picture.getextrema())
    top = 65535.0 if picture.mode.startswith("I") and most > 255 else max(1.0, most)
    low = min(0.0, least)
    scaled = picture.convert("F").point(lambda value: (value - low) * (255.0 / (top - low)) + 0.0)
    grey = scaled.convert("L")
    exif = picture.getexif()
    if exif:
        grey.info["exif"] = exif.tobytes()
    return grey


def _ours(logo: bytes) -> Image.Image:
    """A picture that this module wrote."""
    with Image.open(io.BytesIO(logo), formats=("PNG",)) as file:
        return file.convert("RGBA")


# --- shaping ---------------------------------------------------------------------------------------------------


def _trimmed(picture: Image.Image) -> Image.Image:
    """Without its even border, be it transparent or of one colour. Raises `Invalid` when nothing is left."""
    alpha = picture.getchannel("A").point(lambda value: 255 if value >= _VISIBLE else 0)
    box = alpha.getbbox()
    if box is None:
        raise Invalid("The picture is empty; choose another.", code="picture-empty")
    if box != (0, 0, *picture.size):
        return picture.crop(box)
    return _without_frame(picture)


def _without_frame(picture: Image.Image) -> Image.Image:
    corners = [
        picture.getpixel((x, y)) for x in (0, picture.width - 1) for y in (0, picture.height - 1)
    ]  # fmt: skip
    first = corners[0]
    if not isinstance(first, tuple) or any(
        isinstance(one, tuple) and max(abs(a - b) for a, b in zip(one[:3], first[:3], strict=True)) > _EVEN
        for one in corners
    ):
        return picture
    flat = Image.new("RGB", picture.size, first[:3])
    red, green, blue = ImageChops.difference(picture.convert("RGB"), flat).split()
    apart = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    box = apart.point(lambda value: 255 if value > _EVEN else 0).getbbox()
    if box is None:
        raise Invalid("The picture has one colour only; choose another.", code="picture-empty")
    # A little of the border stays, or a light logo on white would touch its edge.
    margin = max(2, min(picture.size) // 50)
    left, top, right, bottom = box
    return picture.crop(
        (
            max(0, left - margin), max(0, top - margin),
            min(picture.width, right + margin), min(picture.height, bottom + margin),
        )
    )  # fmt: skip


def _fitted(picture: Image.Image) -> Image.Image:
    """As large as it can be, nothing distorted, in the middle of a canvas from square to wide."""
    fitted = ImageOps.contain(picture, (WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    width = _thirds(max(HEIGHT, fitted.width))
    canvas = Image.new("RGBA", (width, HEIGHT), (255, 255, 255, 0))
    canvas.paste(fitted, ((width - fitted.width) // 2, (HEIGHT - fitted.height) // 2))
    return canvas


def _thirds(width: int) -> int:
    """Rounded up so that a point is three whole pixels."""
    return min(WIDTH, -(-width // 3) * 3)


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
