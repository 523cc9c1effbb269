"""The optional parts of a card: they travel through JSON whole, and where there are none a card is what it was."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.test_card_composed import composed
from tests.wallets.samples import sample_card
from tests.wallets.test_stamp_card import stamp_card
from wallet_server.rules.passes.card import (
    ACTION_KINDS,
    Action,
    App,
    Balance,
    Beacon,
    Card,
    Event,
    Nfc,
    Offer,
    card_from_json,
    card_to_json,
)

SAID = st.fixed_dictionaries({"fr": st.text(max_size=8), "en": st.text(max_size=8)})
INSTANT = st.one_of(st.none(), st.just("2026-12-24T17:00:00Z"))
SHORT = st.integers(0, 65535)
PORT = st.one_of(st.none(), SHORT)

PARTS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["card", "coupon", "ticket"]),
        "expires_at": INSTANT,
        "offer": st.builds(Offer, SAID, SAID, INSTANT),
        "event": st.builds(
            Event, SAID, SAID, st.just("2026-12-24T17:00:00Z"), INSTANT, st.just("Europe/Paris"), st.none() | SAID
        ),
        "beacons": st.lists(st.builds(Beacon, st.just("A" * 36), PORT, PORT, SAID), max_size=3).map(tuple),
        "actions": st.lists(st.builds(Action, st.sampled_from(ACTION_KINDS), st.text(max_size=8)), max_size=2).map(
            tuple
        ),
        "nfc": st.builds(Nfc, st.text(max_size=8), st.booleans()),
        "app": st.builds(App, SHORT, st.none() | st.text(max_size=8)),
        "balance": st.builds(Balance, st.just("gift"), SAID, SHORT, st.sampled_from([None, "EUR"]), st.integers(0, 4)),
    },
)


@pytest.mark.parametrize(
    ("card", "fingerprint"),
    [
        (sample_card(), "d4413d4fc5de2a5bf1b1ddd0ac340b6812b554bce445f270741879e06a27f629"),
        (stamp_card(4), "2f5302c9eb63cea5da7dbf3fb68bbd5a53fc27eff0005b04c3e58b5fe097796a"),
        (composed(), "288f0148499f7e1c52b0bc5d5174f51381d915b484e4b45e064297604f0e6cca"),
    ],
)
def test_cards_of_the_first_release_keep_their_fingerprints(card: Card, fingerprint: str) -> None:
    """Written down before the optional parts came (the third anew when the gauge's sentence was): another one would
    refresh every card of every member."""
    assert card.fingerprint() == fingerprint


@given(PARTS)
def test_every_part_comes_back_and_changes_the_fingerprint(parts: dict[str, object]) -> None:
    card = replace(sample_card(), **parts)
    assert card_from_json(card_to_json(card)) == card
    assert (card.fingerprint() == sample_card().fingerprint()) is (card == sample_card())


def test_a_part_that_is_not_there_leaves_no_trace() -> None:
    known = json.loads(card_to_json(sample_card()))
    assert not known.keys() & {"kind", "expires_at", "offer", "event", "beacons", "actions", "nfc", "app"}
    assert known["balance"].keys() == {"key", "label", "value"}
    money = replace(sample_card(), balance=Balance("gift", {"fr": "Solde", "en": "Balance"}, 1250, "EUR", 2))
    assert json.loads(card_to_json(money))["balance"]["exponent"] == 2
