"""Owns what is known about pictures from strangers: whatever is sent, a logo of ours comes out or a sentence."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tests.examples import examples
from tests.world import World
from wallet_server.actions.programme import assets
from wallet_server.errors import Invalid, NotFound, TooMany
from wallet_server.records.scope import Scope
from wallet_server.wallets import logos

RED, FIR = (180, 30, 30), "#12372a"


def drawn(size: tuple[int, int] = (300, 200), ground: str | tuple[int, ...] = "white") -> Image.Image:
    """A red disc in the middle, well inside an even border."""
    picture = Image.new("RGB", size, ground)
    middle, reach = (size[0] / 2, size[1] / 2), min(size) * 0.3
    ImageDraw.Draw(picture).ellipse((middle[0] - reach, middle[1] - reach, middle[0] + reach, middle[1] + reach), RED)
    return picture


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png), formats=("PNG",))


def centre(png: bytes) -> tuple[int, ...]:
    picture = opened(png).convert("RGBA")
    found = picture.getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGB", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("1", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("I;16", "PNG"),
     ("CMYK", "JPEG"), ("L", "JPEG"), ("RGB", "JPEG"), ("P", "GIF"), ("RGBA", "WEBP"), ("RGB", "WEBP")],
)  # fmt: skip
def test_every_kind_of_picture_becomes_a_trimmed_logo(mode: str, kind: str) -> None:
    if mode == "I;16":
        grey = bytes(byte for level in drawn().convert("L").tobytes() for byte in (level, level))
        picture = Image.frombytes("I;16", (300, 200), grey)
    else:
        picture = drawn().convert(mode)
    made = logos.made_of(encoded(picture, kind))
    logo = opened(made)
    assert logo.mode == "RGBA"
    assert logo.height == 150
    assert logo.width in range(150, 160), "the border is gone but for what a JPEG smears"
    red, _, blue, alpha = centre(made)
    assert alpha == 255
    assert (red > 140 and blue < 90) if mode not in ("L", "LA", "1", "I;16") else red < 130


@pytest.mark.parametrize(
    ("size", "expected"), [((600, 100), (480, 150)), ((100, 600), (150, 150)), ((9, 9), (150, 150))]
)
def test_nothing_is_distorted(size: tuple[int, int], expected: tuple[int, int]) -> None:
    logo = opened(logos.made_of(encoded(Image.linear_gradient("L").resize(size), "PNG")))
    assert logo.size == expected
    box = logo.getchannel("A").point(lambda level: 255 if level > 127 else 0).getbbox()
    assert box is not None
    assert (box[2] - box[0]) / (box[3] - box[1]) == pytest.approx(size[0] / size[1], rel=0.06)


def test_a_photo_stands_upright_and_says_nothing_of_where_it_was_taken() -> None:
    picture = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(picture).rectangle((20, 20, 280, 60), "blue")
    ImageDraw.Draw(picture).rectangle((20, 140, 280, 180), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # the top of the picture is on the right
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 0.0)
    made = logos.made_of(encoded(picture, "JPEG", exif=exif, comment=b"secret"))
    logo = opened(made)
    left, right = (logo.convert("RGB").getpixel((x, 75)) for x in (45, 105))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert max(left[2], right[0]) < 120 < 140 < min(left[0], right[2]), (
        "turned by a quarter: red, which was below, is on the left"
    )
    assert not logo.getexif()
    assert set(logo.info) <= {"dpi", "gamma"}
    assert b"secret" not in made


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is so large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (bomb(8000, 5001), "picture-too-large"),
        (bomb(60_000, 60_000), "picture-too-large"),
        (bomb(25_000, 10), "picture-too-large"),
        (bomb(400, 400), "not-a-picture"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * logos.MAX_BYTES, "picture-too-heavy"),
        (b"", "not-a-picture"),
        (b'<?xml version="1.0"?><svg/>', "picture-drawn"),
        (b"\xef\xbb\xbf <SVG xmlns='x'>", "picture-drawn"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 100, "picture-heic"),
        (encoded(Image.new("RGB", (50, 50), "navy"), "PNG"), "picture-empty"),
        (encoded(Image.new("RGBA", (50, 50), (9, 9, 9, 0)), "PNG"), "picture-empty"),
        (encoded(drawn(), "BMP"), "not-a-picture"),
        (encoded(drawn(), "TIFF"), "not-a-picture"),
        (encoded(drawn(), "JPEG")[:1500], "not-a-picture"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(raw: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        logos.made_of(raw)
    assert refusal.value.code == code


SOUND = [encoded(drawn((60, 40)), kind) for kind in ("PNG", "JPEG", "GIF", "WEBP")]


@settings(max_examples=examples(50))
@given(
    st.sampled_from(SOUND), st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=6)), max_size=8), st.data()
)
@pytest.mark.slow
def test_a_broken_file_gives_a_logo_or_a_sentence(
    raw: bytes, spoils: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    spoilt = bytearray(raw)
    for place, junk in spoils:
        at = place % len(spoilt)
        spoilt[at : at + len(junk)] = junk
    cut = bytes(spoilt[: data.draw(st.integers(0, len(spoilt)))]) if data.draw(st.booleans()) else bytes(spoilt)
    try:
        made = logos.made_of(cut)
    except Invalid as refusal:
        assert refusal.code.startswith(("picture-", "not-a-picture"))
    else:
        assert opened(made).size[1] == logos.HEIGHT


@settings(max_examples=examples(40))
@given(st.binary(max_size=300))
def test_junk_is_no_picture(raw: bytes) -> None:
    with pytest.raises(Invalid):
        logos.made_of(raw)


def test_a_logo_that_hardly_shows_is_noticed_and_a_plate_helps() -> None:
    dark = Image.new("RGBA", (200, 100))
    ImageDraw.Draw(dark).rectangle((10, 10, 190, 90), fill=(16, 58, 42, 255))
    logo = logos.made_of(encoded(dark, "PNG"))
    assert not logos.shows(logos.shares(logo), FIR)
    assert logos.shows(logos.shares(logo), "#f3e3c3")
    assert logos.shows(logos.shares(logos.plated(logo, "light")), FIR)
    assert not logos.shows(logos.shares(logos.plated(logo, "dark")), "#171717")
    assert logos.grounds(logos.shares(logo)) == ("#103a2a",)
    assert logos.grounds(logos.shares(logos.made_of(encoded(drawn(), "PNG")))) == ("#b41e1e",), "and no soft edge"


def test_a_pass_gets_its_sizes() -> None:
    logo = logos.made_of(encoded(drawn((900, 300)), "PNG"))
    sizes = {name: opened(png).size for name, png in logos.files(logo, FIR).items()}
    assert sizes == {
        "logo.png": (50, 50), "logo@2x.png": (100, 100), "logo@3x.png": (150, 150),
        "icon.png": (38, 38), "icon@2x.png": (76, 76), "icon@3x.png": (114, 114),
    }  # fmt: skip


SCOPE = Scope(1, 1, "staff:stf_x", "ses_x", "00000000", frozenset())


def test_pictures_are_kept_once_under_their_content(world: World) -> None:
    ctx = world.ctx
    sha256 = assets.keep(ctx, SCOPE, encoded(drawn(), "PNG"))
    assert assets.keep(ctx, SCOPE, encoded(drawn(), "PNG", compress_level=1)) == sha256
    assert hashlib.sha256(assets.asset(ctx, sha256)).hexdigest() == sha256
    with pytest.raises(NotFound):
        assets.asset(ctx, "0" * 64)
    assert assets.picture(ctx, "../etc/passwd") is None


def test_a_shop_sends_so_many_an_hour(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MOST_AN_HOUR", 2)
    for _ in range(2):
        assets.keep(world.ctx, SCOPE, encoded(drawn(), "PNG"))
    with pytest.raises(TooMany) as refusal:
        assets.keep(world.ctx, SCOPE, encoded(drawn(), "PNG"))
    assert 0 < refusal.value.retry_after_seconds <= 3600
