"""Banners and square logos: their size, that they show what they measure, and that they come out equal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.wallets.samples import TEMPLATES
from wallet_server.errors import Invalid
from wallet_server.rules.passes.card import Palette
from wallet_server.wallets import logos
from wallet_server.wallets.banner import Banners
from wallet_server.wallets.designs import Designs, load_designs
from wallet_server.wallets.drawing import Drawn

NAVY = Palette("#1f3a5f", "#ffffff", "#f2b84b")


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


@pytest.mark.parametrize(
    ("drawing", "state"),
    [("gauge", 62), ("dial", None), ("stamps", (7, 10)), ("ribbon", None), ("seal", None), ("garland", None)],
)
def test_a_banner_has_googles_size_stands_on_the_cards_colour_and_is_light(drawing: str, state: Drawn) -> None:
    png = Banners().picture(drawing, NAVY, state)
    assert opened(png).size == (1032, 336)
    ground = opened(png).getpixel((2, 300 if drawing != "ribbon" else 20))
    assert isinstance(ground, tuple)
    assert max(abs(a - b) for a, b in zip(ground, (0x1F, 0x3A, 0x5F), strict=True)) < 40
    assert len(png) < 40_000
    assert png == Banners().picture(drawing, NAVY, state), "its address is that of its content"


def test_a_banner_shows_how_far_it_is_and_is_drawn_once() -> None:
    banners = Banners()
    assert banners.picture("gauge", NAVY, 10) != banners.picture("gauge", NAVY, 90)
    assert banners.picture("stamps", NAVY, (3, 10)) != banners.picture("stamps", NAVY, (4, 10))
    assert banners.picture("dial", NAVY, 140) is banners.picture("dial", NAVY, 100)
    with pytest.raises(ValueError, match="color"):
        banners.picture("gauge", Palette("blue-ish", "#000000", "#000000"), 10)


def test_every_shipped_design_has_a_square_logo(designs: Designs) -> None:
    for design in designs:
        assert design.emblem is not None
        assert opened(design.emblem).size == (660, 660)


def test_a_merchants_logo_stays_clear_of_the_rim_that_google_cuts_away() -> None:
    file = io.BytesIO()
    Image.new("RGB", (400, 400), "#cc2222").save(file, "PNG")
    bare = Image.new("RGBA", (400, 200), (0, 0, 0, 0))
    bare.paste((204, 34, 34, 255), (20, 20, 380, 180))
    file = io.BytesIO()
    bare.save(file, "PNG")
    emblem = opened(logos.emblem_of(logos.made_of(file.getvalue()), "#ffffff"))
    assert emblem.size == (660, 660)
    assert emblem.crop((0, 0, 660, 98)).getcolors() == [(660 * 98, (255, 255, 255))]
    assert emblem.getpixel((330, 330)) == (204, 34, 34)


def test_faults_of_the_folder_for_google_are_told_with_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "points"
    folder.mkdir()
    for file in (TEMPLATES / "points").rglob("*"):
        if file.is_file():
            place = folder / file.relative_to(TEMPLATES / "points")
            place.parent.mkdir(exist_ok=True, parents=True)
            place.write_bytes(file.read_bytes())
    (folder / "google" / "google.toml").write_text('banner = "fireworks"\nrows = [["points"], [], ["tier"]]\nx = 1\n')
    small = io.BytesIO()
    Image.new("RGB", (600, 600)).save(small, "PNG")
    (folder / "google" / "logo.png").write_bytes(small.getvalue())
    with pytest.raises(Invalid) as caught:
        load_designs(tmp_path)
    found = {fault.path: fault.sentence for fault in caught.value.faults}
    assert set(found) == {
        "points/google/google.toml:banner",
        "points/google/google.toml:rows.1",
        "points/google/google.toml:x",
        "points/google/logo.png",
    }
    assert "600 x 600" in found["points/google/logo.png"]
    (folder / "google" / "logo.png").unlink()
    (folder / "google" / "google.toml").unlink()
    assert load_designs(tmp_path).newest("points").google.rows == []
