"""What is drawn behind the words of each kind of card: its sizes, its states, and that any palette shows it."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.examples import examples
from wallet_server.rules.passes.card import Palette
from wallet_server.wallets.drawing import Drawing, Drawings
from wallet_server.wallets.inks import LEGIBLE, RGB, colour, contrast

NAVY = Palette("#16284a", "#ffffff", "#f2b84b")
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
SIZES: dict[Drawing, tuple[int, int]] = {
    "dial": (375, 144),
    "ribbon": (375, 144),
    "seal": (375, 144),
    "garland": (375, 98),
    "ring": (90, 90),
    "poster": (358, 448),
}
DIALS: tuple[Drawing, ...] = ("dial", "ring", "poster")
FLAT: tuple[Drawing, ...] = ("ribbon", "seal", "garland")
# In points: the middle of the part that carries the drawing, on its main ink.
MARKS: dict[Drawing, tuple[float, float]] = {
    "dial": (287, 82),
    "seal": (309, 100),
    "ribbon": (262, 62),
    "ring": (45, 49),
}
WORDS = (0, 10, 180, 90)
"""Where a phone sets its words."""


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


STORE = Drawings()


def drawn(drawing: Drawing, percent: int | None = 50, palette: Palette = NAVY) -> tuple[bytes, ...]:
    return STORE.picture(drawing, "any", 1, palette, percent).pngs


@pytest.mark.parametrize("drawing", SIZES)
def test_each_drawing_has_its_size_at_each_scale_and_is_light(drawing: Drawing) -> None:
    width, height = SIZES[drawing]
    pngs = drawn(drawing)
    assert [opened(png).size for png in pngs] == [(width * scale, height * scale) for scale in (1, 2, 3)]
    assert sum(map(len, pngs)) < 160_000


@pytest.mark.parametrize("drawing", SIZES)
def test_equal_states_are_equal_bytes_in_another_store_too(drawing: Drawing) -> None:
    assert drawn(drawing) == Drawings().picture(drawing, "other", 2, NAVY, 50).pngs


@pytest.mark.slow
@pytest.mark.parametrize("drawing", DIALS)
def test_a_dial_fills_with_the_percent_and_is_full_where_nothing_is_left(drawing: Drawing) -> None:
    filled = [_inked(drawn(drawing, percent)[0]) for percent in (0, 25, 50, 75)]
    assert filled == sorted(set(filled))
    assert drawn(drawing, None) == drawn(drawing, 100)
    assert _inked(drawn(drawing, 100)[0]) > filled[-1]
    assert drawn(drawing, 180) == drawn(drawing, 100)
    assert drawn(drawing, -5) == drawn(drawing, 0)


def _inked(png: bytes) -> int:
    """Pixels of the accent."""
    counted = opened(png).getcolors(1 << 20)
    assert counted
    return sum(count for count, pixel in counted if pixel == colour(NAVY.label))


@pytest.mark.parametrize("drawing", FLAT)
def test_an_ornament_is_the_same_for_every_member(drawing: Drawing) -> None:
    assert drawn(drawing, 3) == drawn(drawing, 97) == drawn(drawing, None)


@pytest.mark.slow
@settings(max_examples=examples(10), deadline=None)
@given(palette=st.builds(Palette, COLOURS, COLOURS, COLOURS), drawing=st.sampled_from(sorted(MARKS)))
@example(palette=Palette("#0000ed", "#000000", "#000000"), drawing="dial")
def test_any_palette_shows_it_and_leaves_the_words_alone(palette: Palette, drawing: Drawing) -> None:
    picture, ground = opened(drawn(drawing, 100, palette)[0]), colour(palette.background)
    x, y = MARKS[drawing]
    near = _pixels(picture, (round(x) - 4, round(y) - 4, round(x) + 4, round(y) + 4))
    assert max(contrast(pixel, ground) for pixel in near) >= LEGIBLE - 0.1
    if picture.width == 375:
        assert max(contrast(pixel, ground) for pixel in _pixels(picture, WORDS)) < 1.9


def _pixels(picture: Image.Image, box: tuple[int, int, int, int]) -> list[RGB]:
    part = picture.crop(box)
    return [(red, green, blue) for _, (red, green, blue) in part.getcolors(part.width * part.height) or ()]  # type: ignore[misc]


def test_a_colour_that_is_none_is_refused() -> None:
    for drawing in SIZES:
        with pytest.raises(ValueError, match="colour|color"):
            drawn(drawing, 5, Palette("blue-ish", "#ffffff", "#ffffff"))
