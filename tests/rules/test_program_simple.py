"""The two programmes of the form: what is typed becomes a sound document, and comes back as it was typed."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.rules.passes.card import Palette
from wallet_server.rules.programme.program import default_document, parse
from wallet_server.rules.programme.program_simple import (
    PointsForm,
    SimpleReward,
    StampForm,
    carry_over,
    document_of,
    points_document,
    simple_form_of,
    stamp_document,
)

PALETTE = Palette("#12372a", "#fbf7ec", "#b9dcc4")
NAMES = {"fr": "un café", "en": "a coffee"}


def stamps(**more: Any) -> dict[str, Any]:
    return stamp_document("Chez Marie", palette=PALETTE, **{"reward_names": NAMES} | more)


@settings(max_examples=examples(30))
@given(data=st.data())
def test_a_stamp_card_comes_back_as_it_was_typed(data: st.DataObject) -> None:
    languages = data.draw(st.sampled_from([("fr",), ("en",), ("fr", "en"), ("en", "fr")]))
    per = data.draw(st.sampled_from(["visit", "item"]))
    answers = {
        "stamps": data.draw(st.integers(2, 20)),
        "reward_names": {tag: NAMES[tag] for tag in languages},
        "reward_value_minor": data.draw(st.none() | st.integers(1, 10_000)),
        "per": per,
        "minimum_minor": data.draw(st.integers(0, 10_000)) if per == "visit" else 0,
        "interval_minutes": data.draw(st.integers(0, 600)) if per == "visit" else 10,
        "welcome": data.draw(st.integers(0, 3)),
        "languages": languages,
        "logo": data.draw(st.none() | st.just("ab" * 32)),
    }
    document = stamps(**answers)
    form = simple_form_of(document)
    assert isinstance(form, StampForm)
    assert {name: getattr(form, name) for name in answers} == answers
    assert document_of(form) == document


@settings(max_examples=examples(30))
@given(
    points=st.integers(1, 20),
    tiers=st.booleans(),
    welcome=st.integers(0, 100),
    rewards=st.lists(
        st.builds(SimpleReward, st.just(NAMES), st.integers(1, 999), st.none() | st.just(250)), max_size=4
    ),
)
def test_a_points_card_comes_back_as_it_was_typed(
    points: int, tiers: bool, welcome: int, rewards: list[SimpleReward]
) -> None:
    document = points_document(
        "Chez Marie", palette=PALETTE, points=points, tiers=tiers, welcome=welcome, rewards=rewards
    )
    form = simple_form_of(document)
    assert isinstance(form, PointsForm)
    assert (form.points, form.amount_minor, form.tiers, form.welcome) == (points, 100, tiers, welcome)
    assert form.rewards == tuple(rewards)
    assert parse(document_of(form)) == parse(document)


def test_the_default_programme_is_a_points_card() -> None:
    form = simple_form_of(default_document("Chez Marie"))
    assert isinstance(form, PointsForm)
    assert (form.points, form.amount_minor, form.tiers, form.rewards) == (1, 100, True, ())
    assert parse(document_of(form)) == parse(default_document("Chez Marie"))


def test_a_programme_that_promises_more_has_no_form() -> None:
    excluded = stamps()
    excluded["earn"][0]["excluded_categories"] = ["tobacco"]
    two = stamps()
    two["rewards"].append(two["rewards"][0] | {"code": "cake"})
    other_tiers = default_document("Chez Marie")
    other_tiers["tiers"]["levels"][1]["threshold"] = 301
    for document in (excluded, two, other_tiers, {}, stamps(stamps=21), default_document("X") | {"earn": []}):
        assert simple_form_of(document) is None


def test_what_the_form_does_not_ask_for_is_carried_over() -> None:
    before = default_document("Chez Marie") | {
        "links": {"website": "https://marie.example"},
        "announce": {"per_day": 2, "per_week": 5, "quiet": None},
        "description": {"fr": "La carte de Marie", "en": "Marie's card"},
    }
    document = carry_over(stamps(), before)
    programme = parse(document)
    assert programme.website == "https://marie.example"
    assert programme.announce.limits.per_day == 2
    assert programme.description == {"fr": "La carte de Marie", "en": "Marie's card"}
    assert [currency.code for currency in programme.currencies] == ["stamps", "points", "status"]
    form = simple_form_of(document)
    assert isinstance(form, StampForm)
    assert parse(carry_over(document_of(form), document)) == programme


def test_a_new_name_is_in_the_description_too() -> None:
    renamed = carry_over(stamp_document("Chez Léa", palette=PALETTE, reward_names=NAMES), stamps())
    assert "Chez Léa" in renamed["description"]["fr"]
    french_only = stamps(languages=("fr",))
    assert set(carry_over(french_only, stamps() | {"description": {"fr": "A", "en": "B"}})["description"]) == {"fr"}
