"""The designs folder: what the product ships loads, and everything wrong with a folder is said at once."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import pytest

from tests.wallets.samples import TEMPLATES
from wallet_server.errors import Invalid, Misconfigured
from wallet_server.wallets.designs import Designs, load_designs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(TEMPLATES / "points", tmp_path / "points")
    return tmp_path


def faults(folder: Path) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        load_designs(folder)
    return {fault.path: fault.sentence for fault in caught.value.faults}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_designs_of_the_product_load(designs: Designs) -> None:
    points = designs.get("points", 1)
    assert points is designs.newest("points")
    assert points.languages == ("fr", "en")
    assert [placed.item for placed in points.slots["primary"]] == ["points"]
    assert points.labels["tier"] == {"fr": "Statut", "en": "Status"}
    assert points.alert("tier").message["en"] == "You reached %@"
    assert points.images["icon@2x.png"][:4] == b"\x89PNG"
    assert len(designs) == len(list(designs)) >= 1


def test_the_stamp_card_shows_the_balance_in_its_own_form(designs: Designs, folder: Path) -> None:
    stamps = designs.get("stamps", 1)
    assert stamps.strip == "stamps"
    assert [placed.item for placed in stamps.slots["header"]] == ["stamps"]
    edit(folder / "points" / "design.toml", 'header = ["tier"]', 'header = ["stamps"]')
    assert "two forms of the balance" in faults(folder)["points/design.toml:slots.primary.0"]


def test_a_kept_version_stands_beside_the_new_one(folder: Path) -> None:
    shutil.copytree(folder / "points", folder / "points@1")
    edit(folder / "points" / "design.toml", "version = 1", "version = 2")
    designs = load_designs(folder)
    assert designs.newest("points").version == 2
    assert designs.get("points", 1).version == 1
    with pytest.raises(Misconfigured, match="points version 3"):
        designs.get("points", 3)
    with pytest.raises(Misconfigured):
        designs.newest("vip")


def test_two_folders_of_one_version_or_a_folder_that_lies(folder: Path) -> None:
    shutil.copytree(folder / "points", folder / "points@1")
    shutil.copytree(folder / "points", folder / "points@7")
    found = faults(folder)
    assert "Another folder" in found["points@1/design.toml:version"]
    assert "version 7" in found["points@7/design.toml:version"]


def test_all_faults_of_all_files_come_at_once(folder: Path) -> None:
    points = folder / "points"
    edit(points / "design.toml", "version = 1", 'version = "1"\ncolour = "red"')
    edit(points / "design.toml", 'formats = ["qr"]', 'formats = ["ean-13"]')
    edit(points / "strings" / "fr.toml", 'tier = "Statut"', "")
    edit(points / "strings" / "en.toml", "You now have %@ {unit}", "You have points")
    (points / "apple" / "icon@3x.png").unlink()
    (points / "apple" / ".DS_Store").write_bytes(b"")
    (folder / "Points 2").mkdir()
    found = faults(folder)
    assert found["points/design.toml:version"] == "Input should be a valid integer."
    assert found["points/design.toml:colour"] == "This key is not known; check its spelling or remove it."
    assert "points/design.toml:barcode.formats.0" in found
    assert "points/apple/icon@3x.png" in found
    assert "points/apple/.DS_Store" in found
    assert "Points 2" in found
    assert "Points 2/design.toml" in found


@pytest.mark.parametrize("text", ["", "  ", "\u200b", "\ufeff\u00ad"], ids=ascii)
def test_a_word_of_which_nothing_can_be_seen_is_an_empty_one(folder: Path, text: str) -> None:
    edit(folder / "points" / "strings" / "fr.toml", 'tier = "Statut"', f'tier = "{text}"')
    sentence = "String should have at least 1 character."
    assert faults(folder) == {"points/strings/fr.toml:labels.tier": sentence}


def test_faults_of_the_strings(folder: Path) -> None:
    points = folder / "points"
    edit(points / "strings" / "fr.toml", 'tier = "Statut"', "")
    edit(points / "strings" / "en.toml", "You now have %@ {unit}", "You have points")
    assert faults(folder) == {
        "points/strings/fr.toml:labels.tier": "This key is missing; add it.",
        "points/strings/en.toml:change_messages.points": "Write %@ exactly once: the phone puts the new value there.",
    }
    edit(points / "strings" / "en.toml", "You have points", "%@ of 100 %: %d {unit}")
    told = faults(folder)["points/strings/en.toml:change_messages.points"]
    assert told == "Write no per cent sign but that of %@: a phone may put another value there."
    (points / "strings" / "en.toml").unlink()
    assert faults(folder)["points/strings/en.toml"].startswith("This file is missing")
    (points / "strings" / "en.toml").write_bytes(b"\xff\xfe")
    assert faults(folder)["points/strings/en.toml"] == "Save this file as UTF-8 text."
    (points / "strings" / "en.toml").write_text("x = ")
    assert faults(folder)["points/strings/en.toml"].startswith("This is not valid TOML")
    edit(points / "design.toml", '["fr", "en"]', '["fr", "EN"]')
    assert faults(folder)["points/design.toml:languages.1"] == "Write a language tag such as fr, en or pt-BR."


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('header = ["tier"]', 'header = ["tier", "points"]', "slots.primary.0"),
        ('header = ["tier"]', 'header = ["details"]', "slots.header.0"),
        ('header = ["tier"]', 'header = ["money"]', "slots.header.0.item"),
        ('header = ["tier"]', 'header = [{ item = "tier", align = "justified" }]', "slots.header.0.align"),
        ('primary = ["points"]', 'primary = [{ item = "points", align = "left" }]', "slots.primary.0"),
        ('primary = ["points"]', 'primary = ["points", "news"]', "slots.primary"),
        ("[strip]", "[strap]", "strap"),
    ],
)
def test_faults_of_the_slots(folder: Path, old: str, new: str, where: str) -> None:
    edit(folder / "points" / "design.toml", old, new)
    assert f"points/design.toml:{where}" in faults(folder)


@pytest.mark.parametrize("tags", [("fr", "fr"), ("fr-CA", "fr-ca")])
def test_a_language_that_is_listed_twice_is_one_fault(folder: Path, tags: tuple[str, str]) -> None:
    points = folder / "points"
    edit(points / "design.toml", '["fr", "en"]', f'["{tags[0]}", "en", "{tags[1]}"]')
    for tag in {*tags} - {"fr"}:
        shutil.copy(points / "strings" / "fr.toml", points / "strings" / f"{tag}.toml")
    with pytest.raises(Invalid) as refused:
        load_designs(folder)
    assert [(fault.path, fault.sentence) for fault in refused.value.faults] == [
        ("points/design.toml:languages.2", f"'{tags[1]}' is listed twice; remove one of the two.")
    ]


def test_what_is_missing_in_a_language_that_is_listed_twice_is_said_once(folder: Path) -> None:
    points = folder / "points"
    edit(points / "design.toml", '["fr", "en"]', '["fr", "en", "fr"]')
    (points / "strings" / "fr.toml").unlink()
    with pytest.raises(Invalid) as refused:
        load_designs(folder)
    assert sorted(fault.path for fault in refused.value.faults) == [
        "points/design.toml:languages.2",
        "points/strings/fr.toml",
    ]


@pytest.mark.parametrize(("old", "line"), [("news =", "news = 'x'\n"), ("[labels]", "[labels]\n[labels]\n")])
def test_a_word_that_is_written_twice_is_said_in_words(folder: Path, old: str, line: str) -> None:
    edit(folder / "points" / "strings" / "fr.toml", old, f"{line}{old}" if "=" in old else line)
    (sentence,) = faults(folder).values()
    assert sentence.startswith("Something is written twice in this file (at line "), sentence
    assert sentence.endswith("); keep one.")


def test_a_logo_may_be_left_out_but_not_one_of_its_sizes(folder: Path) -> None:
    apple = folder / "points" / "apple"
    (apple / "logo@2x.png").unlink()
    assert set(faults(folder)) == {"points/apple/logo@2x.png"}
    for name in ("logo.png", "logo@3x.png"):
        (apple / name).unlink()
    assert not [name for name in load_designs(folder).newest("points").images if "logo" in name]


def test_images_of_another_size_or_kind(folder: Path) -> None:
    apple = folder / "points" / "apple"
    (apple / "icon.png").write_bytes((apple / "icon@2x.png").read_bytes())
    (apple / "icon@2x.png").write_bytes(b"GIF89a")
    header = bytearray((apple / "logo.png").read_bytes())
    header[16:24] = struct.pack(">II", 161, 50)
    (apple / "logo.png").write_bytes(bytes(header))
    found = faults(folder)
    assert "38 x 38" in found["points/apple/icon.png"]
    assert "not a PNG" in found["points/apple/icon@2x.png"]
    assert "161 x 50" in found["points/apple/logo.png"]


@pytest.mark.parametrize("harm", ["cut to its header", "cut in its pixels", "without its end", "one bit", "a length"])
@pytest.mark.parametrize("name", ["apple/icon.png", "apple/logo@3x.png", "google/logo.png"])
def test_a_damaged_image_is_no_image(folder: Path, name: str, harm: str) -> None:
    file = folder / "points" / name
    whole = file.read_bytes()
    broken = bytearray(whole)
    match harm:
        case "cut to its header":
            del broken[33:]
        case "cut in its pixels":
            del broken[len(broken) // 2 :]
        case "without its end":
            del broken[-12:]
        case "one bit":
            broken[len(broken) // 2] ^= 1
        case "a length":
            broken[33:37] = b"\xff\xff\xff\xff"
    file.write_bytes(bytes(broken))
    assert faults(folder) == {f"points/{name}": "This PNG image is damaged or cut off; export it again."}
    file.write_bytes(whole)
    assert load_designs(folder)


def test_an_empty_or_absent_folder_is_said(tmp_path: Path) -> None:
    assert "No design" in next(iter(faults(tmp_path / "absent").values()))
    assert "No design" in next(iter(faults(tmp_path).values()))


# --- styles, posters and their pictures ------------------------------------------------------------------------


def png(width: int, height: int) -> bytes:
    rows = zlib.compress((b"\0" + bytes(width)) * height)
    chunks = [b"IHDR" + struct.pack(">II5B", width, height, 8, 0, 0, 0, 0), b"IDAT" + rows, b"IEND"]
    framed = (struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def put(folder: Path, stem: str, width: int, height: int) -> None:
    folder.mkdir(exist_ok=True)
    for scale in (1, 2, 3):
        suffix = "" if scale == 1 else f"@{scale}x"
        (folder / f"{stem}{suffix}.png").write_bytes(png(width * scale, height * scale))


def shipped(tmp_path: Path, name: str) -> Path:
    return Path(shutil.copytree(TEMPLATES / name, tmp_path / name))


@pytest.mark.parametrize(
    ("design", "old", "new", "where", "word"),
    [
        ("points", 'formats = ["qr"]', 'formats = ["ean13"]', ":barcode.formats", "iOS 27"),
        ("points", "[strip]", '[thumbnail]\ndrawing = "ring"\n[strip]', ":thumbnail", "generic"),
        ("points", 'drawing = "gauge"', 'drawing = "garland"', ":strip.drawing", "ticket"),
        ("points", 'back = ["news"', 'footer = ["organisation"]\nback = ["news"', ":slots.footer", "poster"),
        ("points", "[apple]", '[artwork]\ndrawing = "poster"\n[apple]', ":artwork", "poster = true"),
        ("points", 'header = ["tier"]', 'header = [{ item = "tier", row = 1 }]', ":slots.header.0", "rows"),
        ("event", 'drawing = "garland"', 'drawing = "ribbon"', ":strip.drawing", "lower"),
        (
            "event",
            'auxiliary = ["venue"',
            'auxiliary = ["offer", "terms", "until", "venue"',
            ":slots.auxiliary",
            "four",
        ),
        ("club", '[thumbnail]\ndrawing = "ring"', '[strip]\ndrawing = "dial"', ":strip", "no strip"),
        ("club", '[artwork]\ndrawing = "poster"', "", "/apple", "artwork.png"),
    ],
)
def test_what_a_style_has_no_room_for(tmp_path: Path, design: str, old: str, new: str, where: str, word: str) -> None:
    edit(shipped(tmp_path, design) / "design.toml", old, new)
    found = faults(tmp_path)
    path = f"{design}{where}" if where.startswith("/") else f"{design}/design.toml{where}"
    assert word in found[path]


def test_a_ticket_has_two_rows_of_auxiliary_fields(tmp_path: Path) -> None:
    event = shipped(tmp_path, "event")
    edit(event / "design.toml", '"venue", {', '"venue", { item = "organisation", row = 1 }, {')
    slots = load_designs(tmp_path).newest("event").slots
    assert [(placed.item, placed.row) for placed in slots["auxiliary"]] == [
        ("venue", None), ("organisation", 1), ("entry", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("design", "stem", "size", "sentence"),
    [
        ("gift", "thumbnail", (90, 90), "no such file"),
        ("club", "strip", (375, 144), "no such file"),
        ("club", "primaryLogo", (127, 30), "126 x 30"),
        ("club", "secondaryLogo", (135, 13), "135 x 12"),
        ("club", "background", (345, 500), "345 x 505"),
    ],
)
def test_a_picture_that_the_style_does_not_show_or_has_no_room_for(
    tmp_path: Path, design: str, stem: str, size: tuple[int, int], sentence: str
) -> None:
    put(shipped(tmp_path, design) / "apple", stem, *size)
    assert sentence in faults(tmp_path)[f"{design}/apple/{stem}.png"]


@pytest.mark.parametrize(
    ("stem", "size", "sentence"),
    [
        ("strip", (375, 99), "375 x 98"),
        ("strip", (374, 98), "375 pixels wide"),
        ("thumbnail", (90, 40), "2 to 3"),
        ("background", (180, 219), "180 x 220"),
    ],
)
def test_the_pictures_of_a_ticket(tmp_path: Path, stem: str, size: tuple[int, int], sentence: str) -> None:
    event = shipped(tmp_path, "event")
    edit(event / "design.toml", '[strip]\ndrawing = "garland"', "")
    put(event / "apple", stem, *size)
    assert sentence in faults(tmp_path)[f"event/apple/{stem}.png"]


def test_a_ticket_has_a_strip_or_a_background_not_both(tmp_path: Path) -> None:
    event = shipped(tmp_path, "event")
    put(event / "apple", "background", 180, 220)
    assert "either a strip" in faults(tmp_path)["event/apple"]
    edit(event / "design.toml", '[strip]\ndrawing = "garland"', "")
    assert "background@3x.png" in load_designs(tmp_path).newest("event").images


def test_a_strip_is_drawn_or_brought_along_not_both(tmp_path: Path) -> None:
    gift = shipped(tmp_path, "gift")
    put(gift / "apple", "strip", 375, 144)
    assert "drawn by the product" in faults(tmp_path)["gift/apple/strip.png"]
    edit(gift / "design.toml", '[strip]\ndrawing = "ribbon"', "")
    assert load_designs(tmp_path).newest("gift").strip is None


def test_pictures_of_a_language_are_there_for_each_and_not_hidden(tmp_path: Path) -> None:
    apple = shipped(tmp_path, "gift") / "apple"
    put(apple / "fr.lproj", "logo", 100, 50)
    assert "hides those" in faults(tmp_path)["gift/apple/logo.png"]
    for scale in ("", "@2x", "@3x"):
        (apple / f"logo{scale}.png").unlink()
    assert set(faults(tmp_path)) == {f"gift/apple/en.lproj/logo{scale}.png" for scale in ("", "@2x", "@3x")}
    put(apple / "en.lproj", "logo", 100, 50)
    assert "en.lproj/logo@2x.png" in load_designs(tmp_path).newest("gift").images
    put(apple / "de.lproj", "logo", 100, 50)
    assert "language of the design" in faults(tmp_path)["gift/apple/de.lproj"]


def test_a_word_is_needed_for_what_is_placed_and_for_nothing_else(tmp_path: Path) -> None:
    gift = shipped(tmp_path, "gift")
    edit(gift / "strings" / "en.toml", 'until = "Valid until"\n', "")
    assert faults(tmp_path) == {"gift/strings/en.toml:labels.until": "This key is missing; add it."}
    edit(gift / "design.toml", 'secondary = ["until"]', "")
    assert load_designs(tmp_path).newest("gift").labels["balance"]["en"] == "Balance"


def test_the_texts_are_looked_at_while_the_design_itself_cannot_be_read(folder: Path) -> None:
    edit(folder / "points" / "design.toml", "version = 1", "version = 1\nnobody_knows = true")
    edit(folder / "points" / "strings" / "en.toml", "%@", "it")
    assert {path.partition(":")[0] for path in faults(folder)} == {"points/design.toml", "points/strings/en.toml"}
