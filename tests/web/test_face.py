"""How a card looks in a browser: money, coupons and tickets, in each language and by the clock of the venue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.wallets.gallery import GALLERY
from wallet_server.rules.passes.card import Event
from wallet_server.web.face import Face, face


def seen(design: str, sample: str, tongue: str = "fr") -> Face:
    return face(GALLERY[design][sample], "", tongue, "")


@pytest.mark.parametrize(
    ("sample", "tongue", "balance"),
    [
        ("euros", "fr", "42,50\u00a0€"),
        ("euros", "en", "€42.50"),
        ("empty", "en", "€0.00"),
        ("yen", "en", "JPY\u00a05,000"),
        ("dinar", "fr", "-12,345\u00a0TND"),
    ],
)
def test_a_balance_of_money_is_written_as_money(sample: str, tongue: str, balance: str) -> None:
    shown = seen("gift", sample, tongue)
    assert shown.balance == balance
    assert shown.spoken().startswith(f"{shown.balance_label}: {balance}")


def test_a_coupon_says_what_it_is_good_for_and_until_when() -> None:
    shown = seen("coupon", "welcome", "en")
    assert (shown.kind, shown.title) == ("coupon", "A free coffee")
    assert shown.terms == "Once, at any of our cafés, with any order."
    assert [(fact.label, fact.text) for fact in shown.facts] == [("Valid until", "24 December 2026")]
    assert shown.spoken().startswith("A free coffee. Once, at any of our cafés, with any order. Valid until: 24")


def test_a_ticket_says_the_hour_on_the_door_wherever_it_is_read() -> None:
    shown = seen("event", "evening")
    assert (shown.kind, shown.title) == ("ticket", "La nuit des galettes")
    assert [(fact.label, fact.text) for fact in shown.facts] == [
        ("Début", "6 janvier 2027, 19:00"),
        ("Lieu", "Atelier, 12 rue Lepic"),
        ("Entrée", "Porte B"),
    ]
    card = GALLERY["event"]["evening"]
    assert isinstance(card.event, Event)
    far = face(replace(card, event=replace(card.event, zone="Asia/Tokyo", entry=None)), "", "en", "")
    assert [fact.text for fact in far.facts] == ["7 January 2027, 03:00", "Workshop, 12 rue Lepic"]


def test_a_card_that_runs_out_says_when_and_others_have_no_facts() -> None:
    assert [fact.text for fact in seen("gift", "euros").facts] == ["31 décembre 2027"]
    plain = seen("points", "member")
    assert (plain.kind, plain.title, plain.facts) == ("card", "", ())
    assert plain.spoken().startswith("Points: 1\u202f234. Statut: Argent")
