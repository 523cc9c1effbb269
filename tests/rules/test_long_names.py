"""Names of tiers that are too long for a place: where each wallet cuts them, and the short form that stands there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from wallet_server.rules.passes.card import card_from_json, card_to_json
from wallet_server.rules.passes.compose import Holding, compose
from wallet_server.rules.passes.fitting import fits_beside, fits_header, short_form, shortened, warnings
from wallet_server.rules.programme.program import Programme, default_document, parse

MANIAC, JEDI = "Maître maniaque perfectionniste", "Grand Maître Jedi du nettoyage"
FORTY = "Maître maniaque du propre et de la vapeur"[:40]
AT = datetime(2026, 11, 18, tzinfo=UTC)


def named(name: str, **more: Any) -> Programme:
    document = default_document("Pressing")
    document["tiers"]["levels"][1] |= {"names": {"fr": name, "en": name}, **more}
    return parse(document)


def card(programme: Programme) -> Any:
    return compose(programme, Holding({"status": 300}, None, None, None, (), 1, False, None, None), AT)[0]


def test_where_each_wallet_cuts_a_name_of_forty_letters_and_what_would_fit() -> None:
    programme = named(FORTY)
    said = {one.code: one.values for one in warnings({}, programme, [card(programme)], None) if one.field == "tier2_fr"}
    shown, shorter = said["apple_tier"]
    assert FORTY.startswith(shown.removesuffix("…"))
    assert fits_header(shown)
    assert said["google_tier_cut"] == ("Maître maniaque du…", "Maître maniaque")
    assert fits_header(shorter)
    assert fits_beside(shorter)
    assert said["short_offer"] == (shorter,)


def test_a_short_form_is_what_is_measured() -> None:
    programme = named(FORTY, short_names={"fr": "Maître", "en": "Master"})
    codes = {one.code for one in warnings({}, programme, [card(programme)], None) if one.field.startswith("tier2")}
    assert "apple_tier" not in codes
    assert "google_tier_cut" not in codes
    assert "short_offer" not in codes


@pytest.mark.parametrize(("name", "shorter"), [
    (MANIAC, "Maître maniaque"), (JEDI, "Grand Maître Jedi"), ("Or", "Or"),
    ("Anticonstitutionnellement", "Anticonstitutionnell"),
])  # fmt: skip
def test_the_short_form_that_is_offered(name: str, shorter: str) -> None:
    assert short_form(name) == shorter


def test_the_short_name_stands_where_there_is_no_room_and_the_whole_one_behind() -> None:
    whole = card(named(FORTY, short_names={"fr": "Maître", "en": "Master"}))
    assert whole.tier.name["fr"] == FORTY
    assert card_from_json(card_to_json(whole)) == whole
    short: Any = shortened(whole, fits_header)
    assert (short.tier.name["fr"], short.details[0].text["fr"]) == ("Maître", FORTY)
    assert shortened(whole, lambda _name: True) is whole
    plain = card(named(FORTY))
    assert shortened(plain, fits_header) is plain
    assert '"short"' not in card_to_json(plain), "cards of before stay the same"


def test_a_sentence_that_the_front_cuts_is_whole_behind() -> None:
    document = default_document("Pressing")
    document["tiers"]["levels"][1]["names"] = {"fr": MANIAC, "en": MANIAC}
    made, _ = compose(parse(document), Holding({}, None, None, None, (), 1, False, None, None), AT)
    assert made.gauge is not None
    assert [one.text for one in made.details if one.key == "way"] == [made.gauge.sentence]
    made, _ = compose(parse(default_document("Pressing")), Holding({}, None, None, None, (), 1, False, None, None), AT)
    assert [one for one in made.details if one.key == "way"] == []
