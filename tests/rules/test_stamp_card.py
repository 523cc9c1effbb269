"""The stamp card: which boxes are filled, what waits, and what the card says at each stamp."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.rules.test_card_composed import AT, PLAIN
from wallet_server.rules.passes.card import Card, Palette, Stamps, card_from_json, card_to_json
from wallet_server.rules.passes.compose import compose
from wallet_server.rules.passes.stamps import Chance, chances, stamps
from wallet_server.rules.programme.program import Programme, default_document, parse
from wallet_server.rules.programme.program_simple import stamp_document

FIXED = "\u00a0"


def document(**more: Any) -> dict[str, Any]:
    answers: dict[str, Any] = {"reward_names": {"fr": "un café", "en": "a coffee"}, "reward_value_minor": 250} | more
    return stamp_document("Chez Marie", palette=Palette("#12372a", "#fbf7ec", "#b9dcc4"), **answers)


def two_rewards() -> Programme:
    made = document()
    roll = {"code": "roll", "names": {"fr": "un croissant", "en": "a croissant"}}
    made["rewards"].append(roll | {"cost": {"currency": "stamps", "amount": 4}})
    return parse(made)


def at(balance: int, programme: Programme | None = None) -> Stamps:
    found = stamps(programme or parse(document()), {"stamps": balance})
    assert found is not None
    return found


def test_the_card_fills_stays_full_and_begins_anew() -> None:
    seen = [(at(n).filled, at(n).total, at(n).ready) for n in (-2, 0, 1, 9, 10, 11, 19, 20, 21, 45)]
    assert seen == [
        (0, 10, 0), (0, 10, 0), (1, 10, 0), (9, 10, 0), (10, 10, 1),
        (1, 10, 1), (9, 10, 1), (10, 10, 2), (1, 10, 2), (5, 10, 4),
    ]  # fmt: skip


@given(balance=st.integers(0, 10_000), total=st.integers(2, 20))
def test_what_is_shown_and_what_waits_come_to_the_balance(balance: int, total: int) -> None:
    found = at(balance, parse(document(stamps=total)))
    full = found.filled == total
    assert found.ready * total + (0 if full else found.filled) == balance
    assert 0 <= found.filled <= total


def test_the_promise_and_its_worth_stand_on_the_card_from_the_first_stamp_on() -> None:
    for balance in (0, 1, 9, 10, 11):
        assert at(balance).label == {
            "fr": f"10 tampons = un café offert (valeur 2,50{FIXED}€)",
            "en": "10 stamps = a free coffee (worth €2.50)",
        }


def test_each_stamp_says_what_comes_next() -> None:
    said = {n: at(n).sentence["fr"] for n in (0, 7, 9, 10, 11, 20)}
    assert said == {
        0: "Plus que 10 tampons et un café vous est offert",
        7: "Plus que 3 tampons et un café vous est offert",
        9: "Plus qu’un tampon et un café vous est offert",
        10: "Votre café offert vous attend",
        11: "Votre café offert vous attend",
        20: f"2 récompenses vous attendent{FIXED}: 2 fois un café offert",
    }


def test_of_two_rewards_the_dearest_makes_the_boxes_and_the_nearest_is_said() -> None:
    programme = two_rewards()
    assert at(1, programme).total == 10
    assert at(1, programme).sentence["en"] == "Only 3 stamps to go and you get a free croissant"
    assert at(4, programme).sentence["en"] == "Your free croissant is waiting"
    assert at(10, programme).sentence["en"] == "Your free coffee is waiting"
    assert chances(programme, {"stamps": 9}) == (
        Chance(programme.rewards[0], 1, 0),
        Chance(programme.rewards[1], 0, 2),
    )
    assert chances(programme, {"stamps": -3})[0] == Chance(programme.rewards[0], 13, 0)


def test_a_card_without_stamps_or_with_too_many_shows_none() -> None:
    assert stamps(parse(default_document("Claire")), {"points": 7}) is None
    many = document(stamps=21) | {"design": {"id": "points", "version": 1}}
    assert stamps(parse(many), {"stamps": 7}) is None


def composed(balance: int) -> Card:
    programme = parse(document(logo="ab" * 32))
    return compose(programme, PLAIN.__class__(**{**vars(PLAIN), "balances": {"stamps": balance}}), AT)[0]


def test_the_composed_card_has_stamps_logo_and_rewards_on_its_back() -> None:
    card = composed(7)
    assert card.stamps == at(7)
    assert card.logo == "ab" * 32
    assert (card.balance.label["fr"], card.balance.value) == ("Tampons", 7)
    back = {detail.key: detail for detail in card.details}
    assert back["rules"].text["fr"] == "1 tampon à chaque visite."
    assert back["rewards"].label == {"fr": "Vos récompenses", "en": "Your rewards"}
    assert back["rewards"].text["en"] == "10 stamps = a free coffee (worth €2.50)."
    assert card_from_json(card_to_json(card)) == card
    assert card.fingerprint() != composed(8).fingerprint()


def test_a_card_that_has_neither_is_written_as_it_was_before_there_were_any() -> None:
    """Else an update of the product would change every card that is already on a phone."""
    plain = compose(parse(default_document("Claire")), PLAIN, AT)[0]
    assert not json.loads(card_to_json(plain)).keys() & {"stamps", "logo"}
    assert card_from_json(card_to_json(plain)) == plain
