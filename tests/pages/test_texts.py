"""Owns what is known about the texts of the pages: both languages say everything, in whole sentences."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from wallet_server.rules.counter import refusals
from wallet_server.web.rendering import FOLDER, LANGUAGES, Press, Words

PLACE = re.compile(r"\{\w*\}")
CODE = re.compile(r'code="([a-z-]+)"')


def texts(language: str) -> dict[str, str]:
    """Every text by its name; where the number decides, each form is one."""
    flat: dict[str, str] = {}
    for file in sorted((FOLDER / "texts" / language).glob("*.po")):
        with file.open("rb") as lines:
            for message in read_po(lines):
                if isinstance(message.id, tuple):
                    flat |= {f"{file.stem}.{message.id[0]}[{n}]": form for n, form in enumerate(message.string)}
                elif message.id:
                    flat[f"{file.stem}.{message.id}"] = str(message.string)
    return flat


def test_both_languages_have_the_same_texts_with_the_same_places() -> None:
    french, english = texts("fr"), texts("en")
    assert french.keys() == english.keys()
    assert len(french) > 100
    for name, text in french.items():
        assert text.strip()
        assert sorted(PLACE.findall(text)) == sorted(PLACE.findall(english[name])), name


def test_no_text_was_left_in_the_other_language() -> None:
    french, english = texts("fr"), texts("en")
    same = {name for name in french if french[name] == english[name] and len(french[name]) > 3}
    assert same == {"site.product", "card.messages"}


def test_french_puts_its_spaces() -> None:
    for name, text in texts("fr").items():
        assert not re.search(r" [?!;:»]|« |[^\s\u202f][?!;](?:\s|$)", text), name


def test_every_text_is_used_somewhere() -> None:
    written = "".join(
        file.read_text("utf-8") for kind in ("templates/**/*.*", "static/*.js", "**/*.py") for file in FOLDER.glob(kind)
    )
    words = set(re.findall(r"\w+", written))  # one pass over all files, not one for each text

    def used(name: str) -> bool:
        return name in words if name.isidentifier() else re.search(rf"\b{re.escape(name)}\b", written) is not None

    by_name = (
        "till.script.problems.",
        "pair.script.problems.",
        "join.faults.",
        "errors.",
        "doctor.events.",
        "doctor.levels.",
        "announce.groups.",
        "announce.standing.",
        "announce.why.",
        "keys.overlaps.",
        "keys.scopes.",
        "sign.start.presets.",
        "webhooks.events.",
        "webhooks.states.",
        "webhooks.why.",
        "webhooks.done.",
        "imports.fields.",
        "imports.why.",
        "watch.odd.",
        "watch.budgets.",
        "watch.limits.",
    )  # looked up by a code
    by_role = ("team.roles.", "team.may.", "team.deeds.", "team.by.", "sign.invited.as.")
    unused = [
        name
        for name in texts("en")
        if not (name.startswith((*by_name, *by_role)) or ".faults." in name)
        and not used(name.split(".")[-1].partition("[")[0])
    ]
    assert not unused


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_till_has_words_for_every_refusal_it_may_meet(language: str) -> None:
    package = Path(FOLDER).parent
    places = (
        "actions/counter/till.py",
        "actions/counter/reversal.py",
        "actions/once.py",
        "actions/keys.py",
        "records/purse/ledger.py",
    )
    places += (
        "rules/counter/codes.py",
        "rules/counter/scans.py",
        "actions/counter/scanning.py",
        "actions/counter/gestures.py",
        "actions/counter/cashiers.py",
    )
    places += ("actions/counter/checkout.py", "actions/purse/catalogue.py", "actions/counter/rotating.py")
    codes = {code for place in places for code in CODE.findall((package / place).read_text())}
    known = {name.rsplit(".", 1)[1] for name in texts(language) if name.startswith("till.script.problems.")}
    elsewhere = {"no-such-key", "not-at-tills"}  # in the console, as are the keys that are rotated there
    elsewhere |= {"bad-overlap", "key-replaced", "name-needed", "bad-scopes", "device-key"}
    assert "not-enough" in codes
    assert codes - known - elsewhere == set()
    assert texts(language)["till.script.problems.expired-card"] == refusals.said("expired-card", language, {})


def test_a_text_that_does_not_exist_is_no_blank() -> None:
    words = Press().words["fr"]
    assert isinstance(words.join, Words)
    with pytest.raises(AttributeError):
        words.join.nonsense  # noqa: B018


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_certificates_has_words_for_whatever_can_be_wrong_with_one(language: str) -> None:
    folder = Path(FOLDER).parent / "wallets" / "apple"
    source = "".join((folder / name).read_text() for name in ("credentials.py", "papers.py", "unlocking.py"))
    codes = set(re.findall(r'(?:Finding\(\s*"error", |_certificate\([a-z]+, )"([a-z0-9-]+)"', source))
    codes |= {f"{what}-{fault}" for what in ("certificate", "wwdr") for fault in ("expired", "not-yet-valid")}
    codes -= {"wrong-pass-type", "wrong-team"}  # the page expects none in particular
    assert len(codes) > 20
    known = {name.split(".", 2)[2] for name in texts(language) if name.startswith("certificates.faults.")}
    assert codes - known == set()
