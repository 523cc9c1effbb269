"""The letter that says where a member stands: the sentence of the card, the bar as text, and what waits there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes

import pytest

from wallet_server.channels.email import written
from wallet_server.channels.port import Letter
from wallet_server.rules.passes.card import Card
from wallet_server.rules.passes.compose import Holding, compose
from wallet_server.rules.people.standing_letter import Links, of_standing
from wallet_server.rules.programme.program import parse
from wallet_server.rules.programme.program_default import default_document

LINKS = Links("https://cards.example.com/card/x.y?a=1&b=2", "https://cards.example.com/letters/x.y")


def card(points: int, organisation: str = "Boulangerie") -> Card:
    document = default_document(organisation)
    document["tiers"]["levels"][2]["reward"] = {"fr": "Un pain <offert>", "en": "A free loaf"}
    balances = {"points": points, "status": points}
    holding = Holding(balances, None, None, None, (), 1, False, None, None)
    return compose(parse(document), holding, datetime(2026, 11, 22, tzinfo=UTC))[0]


@pytest.mark.parametrize(
    ("points", "bar"),
    [(0, "▱▱▱▱▱▱▱▱▱▱ 0 / 300"), (299, "▰▰▰▰▰▰▰▰▰▱ 299 / 300"), (884, "▰▰▰▰▰▰▰▰▱▱ 884 / 1\u202f000")],
)
def test_the_bar_as_text_is_never_fuller_than_it_is(points: int, bar: str) -> None:
    assert bar in of_standing(card(points), "fr", LINKS).plain.split("\n")


def test_the_letter_is_whole_in_both_languages() -> None:
    french = of_standing(card(884), "fr", LINKS).plain
    assert french.split("\n\n") == [
        "Votre statut\u00a0: Argent",
        "Vos avantages au statut Argent\n• Des points à chaque achat\n• Nos nouveautés en avant-première",
        "▰▰▰▰▰▰▰▰▱▱ 884 / 1\u202f000",
        "Allez, plus que 116 points et vous vous hisserez au statut d’Or",
        "Ce qui vous attend au statut d’Or\u00a0: Un pain <offert>",
        f"Votre carte\u00a0: {LINKS.card}",
        f"Ne plus recevoir ces e-mails\u00a0: {LINKS.stop}",
        "Boulangerie\n",
    ]
    english = of_standing(card(884), "en", LINKS)
    assert english.subject == "Your status at Boulangerie: Silver"
    assert "What waits for you at Gold: A free loaf" in english.plain
    assert of_standing(card(884), "de", LINKS).subject == of_standing(card(884), "fr", LINKS).subject


def test_nothing_in_a_name_is_read_as_a_tag() -> None:
    html = of_standing(card(884, "Chez <b>Marie</b> & Fils"), "fr", LINKS).html
    assert "<b>" not in html
    assert "Un pain &lt;offert&gt;" in html
    assert 'href="https://cards.example.com/card/x.y?a=1&amp;b=2"' in html
    assert '<td width="88%"' in html
    assert 'width="0%"' not in of_standing(card(0), "fr", LINKS).html


def test_mail_programs_can_stop_such_letters_and_no_others() -> None:
    letter = Letter("let_1", "claire@example.com", "Chez Marie", "Subject", "Plain", "<p>", "", "fr", LINKS.stop)
    message = message_from_bytes(written(letter, "cards@shop.example"))
    assert message["List-Unsubscribe"] == f"<{LINKS.stop}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "List-Unsubscribe" not in message_from_bytes(written(replace(letter, stop=""), "cards@shop.example"))
