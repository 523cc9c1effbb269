"""A text is blank when nothing of it can be seen, and is refused as an empty one is."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from wallet_server.errors import Invalid
from wallet_server.rules.characters import blank
from wallet_server.rules.passes import card_form
from wallet_server.rules.programme.program import default_document, parse, publishable

UNSEEN = ["", "  ", "\u00a0\u202f", "\u200b", "\u2060", "\ufeff", "\u00ad", " \u200d\u200c\u200f\t\n", "\u2028"]
UNSEEN += ["\u3164", "\u2800", "\u115f\u1160", "\ufe0f", "\U000e0061\U000e007f", "\u061c", "\u2066\u2069"]
SEEN = ["a", "\u200ba", "می\u200cخواهم", "\U0001f469\u200d\U0001f467", "\u200fשלום\u200f", "क\u094d\u200dष", "❤\ufe0f"]
SEEN += [".", "0", "한\u3164", "\u0301"]


@pytest.mark.parametrize("text", UNSEEN, ids=ascii)
def test_what_cannot_be_seen_is_blank(text: str) -> None:
    assert blank(text)
    assert card_form.cleaned(text) == ""


@pytest.mark.parametrize("text", SEEN, ids=ascii)
def test_what_only_joins_parts_or_directs_does_not_make_a_text_blank(text: str) -> None:
    assert not blank(text)
    assert card_form.cleaned(text) == unicodedata.normalize("NFC", text)


def test_no_letter_figure_or_mark_of_punctuation_is_blank_but_the_fillers() -> None:
    every = map(chr, range(sys.maxunicode + 1))
    blanks = {one for one in every if unicodedata.category(one)[0] in "LNP" and blank(one)}
    assert blanks == {"\u115f", "\u1160", "\u3164", "\uffa0"}


@pytest.mark.parametrize("text", UNSEEN, ids=ascii)
def test_the_form_misses_a_name_that_cannot_be_seen(text: str) -> None:
    typed = {**card_form.DEFAULTS, "name": text, "reward_fr": text, "reward_en": text}
    found = {(one.field, one.code) for one in card_form.read(typed, None).faults}
    assert {("name", "name_missing"), ("reward_fr", "reward_missing")} <= found


def test_no_programme_is_published_with_such_a_name_and_one_of_before_stays_readable() -> None:
    document = default_document("Boulangerie")
    publishable(document)
    document["organisation"] = "\u200b\u2060"
    document["tiers"]["levels"][0]["names"]["fr"] = "\u3164"
    with pytest.raises(Invalid) as refused:
        publishable(document)
    places = {"organisation", "tiers.levels.0.names.fr"}
    assert {(one.path, "blank" in one.sentence) for one in refused.value.faults} == {(place, True) for place in places}
    assert parse(document).organisation == "\u200b\u2060"
