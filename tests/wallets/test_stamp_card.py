"""The boxes of a stamp card: where they stand, how they look on any palette, and what the pass says beside them."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.examples import examples
from tests.wallets.opened import Opened, open_pass, verify
from tests.wallets.samples import NOW
from wallet_server.rules.passes.card import Alert, Card, Palette
from wallet_server.rules.passes.compose import Holding, compose
from wallet_server.rules.programme.program import parse
from wallet_server.rules.programme.program_simple import stamp_document
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.push import Bell
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.designs import Designs
from wallet_server.wallets.drawing import Drawings
from wallet_server.wallets.inks import LEGIBLE, colour, contrast
from wallet_server.wallets.port import Identity
from wallet_server.wallets.stamp_card import boxes

GREEN = Palette("#12372a", "#fbf7ec", "#b9dcc4")
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
SIZE = (375, 144)
RGB = tuple[int, int, int]


def stamp_card(balance: int, palette: Palette = GREEN, **answers: Any) -> Card:
    given_up: dict[str, Any] = {"reward_names": {"fr": "un café", "en": "a coffee"}, "reward_value_minor": 250}
    programme = parse(stamp_document("Chez Marie", palette=palette, **given_up | answers))
    holding = Holding({"stamps": balance}, None, None, None, (), 1, False, None, None)
    return compose(programme, holding, datetime(2026, 3, 14, 9, 26, tzinfo=UTC))[0]


def pixels(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def pixel(picture: Image.Image, x: float, y: float) -> RGB:
    found = picture.getpixel((round(x), round(y)))
    assert isinstance(found, tuple)
    return found[0], found[1], found[2]


# --- where the boxes stand -------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", range(2, 21))
def test_the_boxes_lie_on_the_strip_apart_and_in_reading_order(total: int) -> None:
    placed = boxes(total, *SIZE)
    assert len(placed) == total
    side = placed[0].side
    assert side >= 30
    for box in placed:
        assert 16 - 1e-6 <= box.x - side / 2 <= box.x + side / 2 <= SIZE[0] - 16 + 1e-6
        assert 12 - 1e-6 <= box.y - side / 2 <= box.y + side / 2 <= SIZE[1] - 12 + 1e-6
    for first, second in pairwise(placed):
        assert second.y - first.y >= side + 8 - 1e-6 or (second.y == first.y and second.x - first.x >= side + 8 - 1e-6)


@pytest.mark.parametrize(("total", "rows"), [(2, [2]), (5, [5]), (10, [5, 5]), (11, [6, 5]), (20, [7, 7, 6])])
def test_the_rows_are_as_even_as_they_can_be(total: int, rows: list[int]) -> None:
    heights = [box.y for box in boxes(total, *SIZE)]
    assert [heights.count(height) for height in sorted(set(heights))] == rows


@pytest.mark.parametrize("total", [-1, 0, 1, 21])
def test_no_other_number_of_boxes_is_drawn(total: int) -> None:
    with pytest.raises(ValueError, match="2 to 20"):
        Drawings().stamps("stamps", 1, GREEN, 1, total)


# --- how they look ---------------------------------------------------------------------------------------------


def test_each_scale_has_its_size_and_small_files() -> None:
    for total in (10, 20):
        strip = Drawings().stamps("stamps", 1, GREEN, 7, total)
        assert [pixels(png).size for png in strip.pngs] == [(375, 144), (750, 288), (1125, 432)]
        assert sum(map(len, strip.pngs)) < 90_000


def test_equal_cards_are_equal_pictures_and_every_stamp_makes_another() -> None:
    drawings = Drawings()
    seen = [drawings.stamps("stamps", 1, GREEN, filled, 6) for filled in range(7)]
    assert len({strip.pngs for strip in seen}) == 7
    assert Drawings().stamps("stamps", 1, GREEN, 3, 6) == seen[3]
    assert drawings.stamps("stamps", 1, GREEN, 3, 6) is seen[3]
    assert drawings.stamps("stamps", 1, GREEN, -4, 6) is seen[0]
    assert drawings.stamps("stamps", 1, GREEN, 99, 6) is seen[6]


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_the_first_boxes_are_stamped_and_the_others_are_not(scale: int) -> None:
    """A quarter of the side beside the middle, a stamp has its ink and an empty box its ground."""
    filled, total = 7, 10
    picture = pixels(Drawings().stamps("stamps", 1, GREEN, filled, total).pngs[scale - 1])
    ink = colour(GREEN.foreground)
    stamped = [
        contrast(pixel(picture, box.x * scale, (box.y + 0.27 * box.side) * scale), ink) < 1.2
        for box in boxes(total, *SIZE)
    ]
    assert stamped == [True] * filled + [False] * (total - filled)


def share(picture: Image.Image, x: float, y: float, side: float, ground: RGB) -> float:
    """The part of a square around a point that stands out from a colour."""
    reach = round(side / 2)
    square = picture.crop((round(x) - reach, round(y) - reach, round(x) + reach, round(y) + reach))
    found = square.getcolors(square.width * square.height)
    assert found is not None
    out = sum(count for count, one in found if isinstance(one, tuple) and contrast(one[:3], ground) >= LEGIBLE)  # type: ignore[arg-type]
    return out / (square.width * square.height)


@settings(max_examples=examples(8))
@given(COLOURS, COLOURS, COLOURS)
def test_stamped_and_empty_boxes_and_both_gifts_show_on_any_palette(back: str, front: str, label: str) -> None:
    drawings, palette = Drawings(), Palette(back, front, label)
    placed = boxes(5, *SIZE)
    picture, full = (pixels(drawings.stamps("stamps", 1, palette, filled, 5).pngs[0]) for filled in (3, 5))
    for shown, box in ((picture, placed[0]), (picture, placed[3]), (picture, placed[4]), (full, placed[4])):
        assert share(shown, box.x, box.y, box.side, colour(back)) > 0.04
    for shown, box in ((picture, placed[0]), (full, placed[4])):
        stamp = pixel(shown, box.x, box.y + 0.27 * box.side)
        assert share(shown, box.x, box.y, box.side / 2, stamp) > 0.1


def test_the_last_box_shows_the_gift_before_and_after_it_is_reached() -> None:
    drawings = Drawings()
    box = boxes(5, *SIZE)[-1]
    pictures = [pixels(drawings.stamps("stamps", 1, GREEN, filled, 5).pngs[2]) for filled in (4, 5)]
    for picture in pictures:
        # The ribbon between the two halves of the gift: three colours side by side.
        row = [pixel(picture, (box.x + dx * box.side) * 3, (box.y + 0.12 * box.side) * 3) for dx in (-0.1, 0, 0.1)]
        assert row[0] == row[2] != row[1]


# --- the pass --------------------------------------------------------------------------------------------------


def issue(wallet: AppleWallet, card: Card, identity: Identity, alert: Alert | None = None) -> Opened:
    return open_pass(wallet.issue(card, alert, identity, NOW).body)


def test_openssl_accepts_a_stamp_card_up_to_the_root(
    wallet: AppleWallet, identity: Identity, chain_file: Path, tmp_path: Path
) -> None:
    verify(issue(wallet, stamp_card(10), identity), chain_file, tmp_path, int(NOW.timestamp()))


def test_the_front_says_how_many_what_for_and_what_comes_next(wallet: AppleWallet, identity: Identity) -> None:
    opened = issue(wallet, stamp_card(7), identity)
    front, english = opened.document["storeCard"], opened.fields()
    assert [field["value"] for field in front["headerFields"]] == ["7 / 10"]
    assert "primaryFields" not in front
    assert opened.said(english["points"]["label"], "en") == "Stamps"
    assert opened.said(english["reward"]["label"], "en") == "10 stamps = a free coffee (worth €2.50)"
    assert opened.said(english["reward"]["value"], "en") == "Only 3 stamps to go and you get a free coffee"
    assert english["reward"]["value"] == "Plus que 3 tampons et un café vous est offert"
    assert english["detail.rewards"]["value"] == "10 tampons = un café offert (valeur 2,50\u00a0€)."


def test_the_strip_of_the_pass_is_the_drawing_of_its_state(
    wallet: AppleWallet, identity: Identity, drawings: Drawings
) -> None:
    for balance, filled in ((0, 0), (7, 7), (10, 10), (11, 1), (20, 10)):
        opened = issue(wallet, stamp_card(balance), identity)
        strip = drawings.stamps("stamps", 1, GREEN, filled, 10)
        assert tuple(opened.files[f"strip{s}.png"] for s in ("", "@2x", "@3x")) == strip.pngs
        assert opened.fields()["points"]["value"] == f"{filled} / 10"


def test_the_alert_counts_the_stamps_says_what_comes_next_and_nothing_else_rings(
    wallet: AppleWallet, identity: Identity
) -> None:
    for balance in (7, 10):
        opened = issue(wallet, stamp_card(balance), identity, Alert("points", {}))
        ringing = {key: field["changeMessage"] for key, field in opened.fields().items() if "changeMessage" in field}
        assert list(ringing) == ["points"]
        following = "Only 3 stamps to go and you get a free coffee" if balance == 7 else "Your free coffee is waiting"
        assert opened.said(ringing["points"], "en") == f"You have %@ stamps. {following}"
        assert opened.said(ringing["points"], "fr").startswith("Vous avez %@ tampons. ")


def test_an_alert_holds_no_second_per_cent_sign(wallet: AppleWallet, identity: Identity) -> None:
    names = {"fr": "10 % de remise", "en": "a treat"}
    opened = issue(wallet, stamp_card(7, reward_names=names), identity, Alert("points", {}))
    assert opened.fields()["points"]["changeMessage"] == "Vous avez %@ tampons"
    own = issue(wallet, stamp_card(7), identity, Alert("points", {"fr": "Bravo : %@", "en": "Well done: %@"}))
    assert own.fields()["points"]["changeMessage"] == "Bravo : %@"


def test_the_longest_reward_a_merchant_can_type_is_issued(wallet: AppleWallet, identity: Identity) -> None:
    names = {"fr": "une " + "m" * 56, "en": "a 10% %@ " + "m" * 51}
    opened = issue(wallet, stamp_card(19, reward_names=names, stamps=20), identity)
    assert opened.fields()["points"]["value"] == "19 / 20"


# --- the logo --------------------------------------------------------------------------------------------------


def picture(size: tuple[int, int] = (300, 150), ink: str = "#d02030") -> bytes:
    file = io.BytesIO()
    drawn = Image.new("RGBA", size, ink)
    drawn.paste("#1030c0", (0, 0, size[0] // 3, size[1]))
    drawn.save(file, "PNG")
    return file.getvalue()


def test_the_merchants_logo_takes_the_place_of_the_designs(
    designs: Designs, credentials: Credentials, identity: Identity
) -> None:
    asked: list[str] = []

    def pictures(sha256: str) -> bytes | None:
        asked.append(sha256)
        return picture() if sha256 == "ab" * 32 else None

    wallet = AppleWallet(designs, Drawings(), lambda _: credentials, Bell(), pictures=pictures)
    plain = issue(wallet, stamp_card(3), identity)
    branded = issue(wallet, stamp_card(3, logo="ab" * 32), identity)
    assert [pixels(branded.files[f"logo{s}.png"]).size for s in ("", "@2x", "@3x")] == [
        (100, 50),
        (200, 100),
        (300, 150),
    ]
    assert pixel(pixels(branded.files["logo.png"]), 70, 25) == (0xD0, 0x20, 0x30)
    assert branded.files["icon.png"] != plain.files["icon.png"]
    assert issue(wallet, stamp_card(4, logo="ab" * 32), identity).files["logo.png"] == branded.files["logo.png"]
    assert asked == ["ab" * 32], "fitted once, for all states of all cards"
    missing = issue(wallet, stamp_card(3, logo="cd" * 32), identity)
    assert missing.files["logo@2x.png"] == plain.files["logo@2x.png"]


def test_a_logo_that_cannot_be_read_gives_way_to_the_designs(
    designs: Designs, credentials: Credentials, identity: Identity
) -> None:
    wallet = AppleWallet(designs, Drawings(), lambda _: credentials, Bell(), pictures=lambda _: b"no picture")
    opened = issue(wallet, stamp_card(3, logo="ab" * 32), identity)
    assert opened.files["logo.png"] == issue(wallet, stamp_card(3), identity).files["logo.png"]


def test_a_card_of_the_points_design_has_the_merchants_logo_too(
    designs: Designs, credentials: Credentials, identity: Identity, card: Card
) -> None:
    wallet = AppleWallet(designs, Drawings(), lambda _: credentials, Bell(), pictures=lambda _: picture((150, 150)))
    branded = issue(wallet, replace(card, logo="ab" * 32), identity)
    assert pixels(branded.files["logo@3x.png"]).size == (150, 150)
    assert branded.files["strip.png"] == issue(wallet, card, identity).files["strip.png"]
