"""The gauge: its size, its legibility on any palette, its cache."""

from __future__ import annotations

import io
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.examples import examples
from wallet_server.rules.passes.card import Palette
from wallet_server.wallets.drawing import LEGIBLE, Drawings, Kept, contrast

NAVY = Palette("#1f3a5f", "#ffffff", "#f2b84b")
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def pixels(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def at(picture: Image.Image, x: int, y: int) -> tuple[int, int, int]:
    found = picture.getpixel((x, y))
    assert isinstance(found, tuple)
    return found[0], found[1], found[2]


def test_each_scale_has_its_size() -> None:
    strip = Drawings().gauge("points", 1, NAVY, 40)
    assert [pixels(png).size for png in strip.pngs] == [(375, 144), (750, 288), (1125, 432)]
    assert sum(map(len, strip.pngs)) < 80_000


def test_equal_input_gives_equal_bytes_and_other_input_others() -> None:
    made = [Drawings().gauge("points", 1, NAVY, percent) for percent in (40, 40, 41, None)]
    assert made[0] == made[1]
    assert len({strip.pngs for strip in made}) == 3
    assert Drawings().gauge("points", 1, Palette("#000000", "#ffffff", "#f2b84b"), 40) != made[0]


def test_percents_beyond_the_ends_are_the_ends() -> None:
    drawings = Drawings()
    assert drawings.gauge("points", 1, NAVY, 140) is drawings.gauge("points", 1, NAVY, 100)
    assert drawings.gauge("points", 1, NAVY, -3) is drawings.gauge("points", 1, NAVY, 0)


@settings(max_examples=examples(8))
@given(COLOURS, COLOURS, COLOURS)
def test_the_filled_part_stands_out_on_any_palette(background: str, foreground: str, label: str) -> None:
    picture = pixels(Drawings().gauge("points", 1, Palette(background, foreground, label), 50).pngs[0])
    filled, empty = at(picture, 30, 124), at(picture, 300, 124)
    assert contrast(filled, empty) >= LEGIBLE
    middle = at(picture, 145, 124)
    assert contrast(middle, empty) >= LEGIBLE


def test_the_bar_is_as_long_as_the_percent_says() -> None:
    """Left of the knob it is filled, right of it empty; the knob's middle lies between 21 and 325 points."""
    for percent in (10, 50, 90):
        picture = pixels(Drawings().gauge("points", 1, NAVY, percent).pngs[0])
        track = at(picture, 324, 124)
        filled = [x for x in range(18, 328) if contrast(at(picture, x, 120), track) > 1.6]
        middle = round(21 + 304 * percent / 100)
        assert middle - 10 <= max(filled) <= middle + 10


def test_a_full_gauge_lights_the_goal_and_none_has_no_bar() -> None:
    drawings = Drawings()
    almost, full, none = (pixels(drawings.gauge("points", 1, NAVY, p).pngs[0]) for p in (99, 100, None))
    assert contrast(at(full, 349, 124), at(almost, 349, 124)) >= LEGIBLE
    assert contrast(at(none, 100, 124), at(none, 100, 100)) < 1.3


def test_a_colour_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"colou?r"):
        Drawings().gauge("points", 1, Palette("navyish", "#fff", "#fff"), 1)


def test_the_cache_forgets_what_was_not_used_for_longest() -> None:
    kept: Kept[str, list[str]] = Kept(2)
    first = kept.get("a", lambda: ["a"])
    kept.get("b", lambda: ["b"])
    assert kept.get("a", lambda: ["new"]) is first
    kept.get("c", lambda: ["c"])
    assert kept.get("b", lambda: ["b again"]) == ["b again"]
    assert len(kept) == 2


def test_threads_share_one_cache() -> None:
    drawings = Drawings(limit=3)
    wrong: list[int] = []
    expected = {percent: Drawings().gauge("points", 1, NAVY, percent) for percent in (1, 2)}

    def draw() -> None:
        wrong.extend(p for p in (1, 2, 1) if drawings.gauge("points", 1, NAVY, p) != expected[p])

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert wrong == []
    assert not any(thread.is_alive() for thread in threads)
