"""Card designs checked from the command line: all that is wrong at once, and nothing of a database is needed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import click.testing
import pytest

from tests.wallets.samples import TEMPLATES
from wallet_server.cli import main


def run(*words: str, **variables: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(main, ["check-design", *words], env=variables)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two of the shipped designs."""
    for name in ("points", "coupon"):
        shutil.copytree(TEMPLATES / name, tmp_path / name)
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def say(file: Path, section: str, key: str, text: str) -> None:
    """Other words for one key of a strings file."""
    head, mark, rest = file.read_text("utf-8").partition(f"[{section}]")
    changed, count = re.subn(rf'(?m)^{key} = ".*"$', lambda _: f'{key} = "{text}"', rest, count=1)
    assert mark
    assert count == 1
    file.write_text(head + mark + changed, "utf-8")


def test_the_shipped_designs_are_without_fault_and_without_warning() -> None:
    done = run()
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert len(lines) == len([entry for entry in TEMPLATES.iterdir() if entry.is_dir()])
    assert all(line.endswith(": nothing to say against it") for line in lines), done.output


def test_a_design_is_named_by_its_folder_or_among_those_that_are_used(folder: Path) -> None:
    assert run("stamps").output.startswith("stamps@1 (storeCard, fr, en): ")
    assert run(str(folder / "coupon")).output.startswith("coupon@1 (coupon, fr, en): ")
    assert len(run(str(folder)).output.splitlines()) == 2
    assert run(WALLET_DESIGNS_DIR=str(folder)).output.count("\n") == 2
    unknown = run("nothing", WALLET_DESIGNS_DIR=str(folder))
    assert unknown.exit_code == 2
    assert "coupon, points" in unknown.output


def test_every_fault_of_files_and_cards_is_told_at_once(folder: Path) -> None:
    edit(folder / "points" / "design.toml", "version = 1", "version = 1\nversoin = 2")
    (folder / "points" / "apple" / "icon@2x.png").unlink()
    say(folder / "coupon" / "strings" / "fr.toml", "placeholders", "news", "Rien\\u0007")
    done = run(str(folder))
    assert done.exit_code == 1
    assert "points/design.toml:versoin: " in done.output
    assert "points/apple/icon@2x.png: " in done.output
    assert "coupon@1 (coupon, fr, en): " in done.output
    assert "a character that cannot be shown" in done.output
    assert "(new" in done.output, "the state in which the placeholder is seen"


def test_what_does_not_fit_is_a_warning(folder: Path) -> None:
    long = "Le nombre de points que vous avez gagnés depuis votre tout premier passage dans nos boutiques"
    say(folder / "points" / "strings" / "fr.toml", "labels", "progress", long)
    done = run(str(folder / "points"), "--json")
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.output)
    assert told["files"] == []
    (design,) = told["designs"]
    assert (design["name"], design["style"], design["faults"]) == ("points", "storeCard", [])
    assert [(one["path"], one["code"], one["states"]) for one in design["warnings"] if one["wallet"] == "apple"] == [
        ("storeCard.secondaryFields", "will-not-fit", ["new", "half", "voided"])
    ]
    assert {one["code"] for one in design["warnings"] if one["wallet"] == "google"} == {"long"}
    assert design["warnings"][0]["sentence"].endswith("(fr).")
    assert design["warnings"][0]["sentence_fr"].startswith("Ceci sera sans doute coupé")


def test_a_card_without_news_or_without_a_logo_is_a_warning(folder: Path) -> None:
    for name in ("points", "coupon"):
        edit(folder / name / "design.toml", '"news", ', "")
        for logo in (folder / name / "apple").glob("logo*.png"):
            logo.unlink()
    done = run(str(folder), "--json")
    assert done.exit_code == 0, done.output
    told = {one["name"]: one for one in json.loads(done.output)["designs"]}
    codes = {name: [(one["path"], one["code"]) for one in design["warnings"]] for name, design in told.items()}
    assert codes["points"] == [("logo.png", "no-logo"), ("slots", "no-news")]
    assert codes["coupon"] == [("logo.png", "no-logo")], "coupons are told no news"
    assert not any(design["faults"] for design in told.values())
    (_, news) = told["points"]["warnings"]
    assert "never ring" in news["sentence"]
    assert "n’alertent jamais" in news["sentence_fr"]


def test_news_on_the_poster_alone_ring_nowhere(tmp_path: Path) -> None:
    shutil.copytree(TEMPLATES / "club", tmp_path / "club")
    edit(tmp_path / "club" / "design.toml", '"news", ', "")
    edit(tmp_path / "club" / "design.toml", "back =", 'additional = ["news"]\nback =')
    assert "  warning  slots: No field shows the news" in run(str(tmp_path / "club")).output


def test_what_a_design_makes_for_google_wallet_is_judged_too(folder: Path) -> None:
    say(folder / "points" / "strings" / "en.toml", "labels", "progress", "Progress\\u0007")
    done = run(str(folder / "points"))
    assert done.exit_code == 1
    assert "  fault    Google Wallet: loyaltyObject.textModulesData." in done.output
    told = [one for one in json.loads(run(str(folder), "--json").output)["designs"] if one["name"] == "points"]
    google = [one for one in told[0]["faults"] if one["wallet"] == "google"]
    assert {one["code"] for one in google} == {"unshowable"}
    assert {one["sentence_fr"] for one in google} == {
        "Ce texte contient un caractère qui ne peut pas être affiché ; réécrivez-le."
    }
    say(folder / "points" / "strings" / "en.toml", "labels", "progress", "What you have collected since January")
    long = run(str(folder / "points"))
    assert long.exit_code == 0
    assert "  warning  Google Wallet: loyaltyObject.textModulesData." in long.output
    assert "only the first 35 characters of this text show; it has 37. (" in long.output


def test_a_fault_in_json_ends_with_status_1(folder: Path) -> None:
    (folder / "points" / "strings" / "en.toml").unlink()
    done = run(str(folder), "--json")
    assert done.exit_code == 1
    told = json.loads(done.output)
    assert [one["path"] for one in told["files"]] == ["points/strings/en.toml"]
    assert [one["name"] for one in told["designs"]] == ["coupon"]


def test_a_folder_without_a_design_is_named_as_it_was_given(tmp_path: Path) -> None:
    told = run(str(tmp_path))
    assert (told.exit_code, told.output.partition(": ")[0]) == (1, f"fault    {tmp_path}")
