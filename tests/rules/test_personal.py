"""What a text says to one person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_server.rules.announcing.personal import names, personal

PLACES = ("@prénom", "@Prenom", "@firstname", "@first_name", "{first_name}", "{prénom}")


@pytest.mark.parametrize("place", PLACES)
def test_the_name_stands_where_it_belongs(place: str) -> None:
    assert personal(f"{place}, un café vous attend", "Claire") == "Claire, un café vous attend"
    assert names(f"Bonjour {place} !")


@pytest.mark.parametrize(
    ("text", "neutral"),
    [
        ("@prénom, un café vous attend", "Un café vous attend"),
        ("@prénom : un café vous attend", "Un café vous attend"),
        ("Bonjour @prénom, un café vous attend", "Bonjour, un café vous attend"),
        ("Merci @prénom\u202f!", "Merci\u202f!"),
        ("Hello {first_name}!\n@firstname, come in", "Hello!\nCome in"),
        ("Pour vous, @prénom, -20 %", "Pour vous, -20 %"),
        ("Entrez, @prénom\u00a0!", "Entrez\u00a0!"),
        ("Come in, @firstname", "Come in"),
        ("Venez, @prénom et compagnie", "Venez, et compagnie"),
        ("Écrivez à marie@example.com", "Écrivez à marie@example.com"),
    ],
)
def test_without_a_name_the_sentence_stays_whole(text: str, neutral: str) -> None:
    assert personal(text, None) == neutral


@given(
    st.lists(st.sampled_from([*PLACES, "Bonjour", ",", " ", "!", "\n", "café", "@", "{", "}"]), max_size=12).map(
        "".join
    )
)
def test_no_place_is_ever_left(text: str) -> None:
    assert not names(personal(text, "Zoé"))
    assert not names(personal(text, None)) or not names(personal(personal(text, None), None))
    if not names(text):
        assert personal(text, None) == text
