"""The designs folder: what the product ships loads, and everything wrong with a folder is said at once."""

from __future__ import annotations

import shutil
import struct
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
    edit(points / "strings" / "en.toml", "You now have %@ points", "You have points")
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


def test_faults_of_the_strings(folder: Path) -> None:
    points = folder / "points"
    edit(points / "strings" / "fr.toml", 'tier = "Statut"', "")
    edit(points / "strings" / "en.toml", "You now have %@ points", "You have points")
    assert faults(folder) == {
        "points/strings/fr.toml:labels.tier": "This key is missing; add it.",
        "points/strings/en.toml:change_messages.points": "Write %@ exactly once: the phone puts the new value there.",
    }
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


def test_an_empty_or_absent_folder_is_said(tmp_path: Path) -> None:
    assert "No design" in next(iter(faults(tmp_path / "absent").values()))
    assert "No design" in next(iter(faults(tmp_path).values()))
