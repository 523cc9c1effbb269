"""One alert per published version, and nothing loud lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.rules.passes.card import ALERT_ORDER, Facet
from wallet_server.rules.passes.publishing import TOGETHER, Decision, Facets, decide

ALL: frozenset[Facet] = frozenset(ALERT_ORDER)
OLD = Facets(points=100, tier="bronze", news="n1")
NEW = Facets(points=112, tier="silver", news="n2")

facets = st.builds(
    Facets,
    points=st.integers(0, 3),
    tier=st.sampled_from([None, "bronze", "silver", "gold"]),
    news=st.sampled_from([None, "n1", "n2", "n3"]),
)
louds = st.frozensets(st.sampled_from(ALERT_ORDER))


def differing(one: Facets, other: Facets) -> list[Facet]:
    return [facet for facet in ALERT_ORDER if one.value(facet) != other.value(facet)]


def test_the_first_version_shows_everything_and_rings_nothing() -> None:
    assert decide(None, NEW, ALL) == Decision(NEW, None, ())


def test_three_loud_changes_come_in_three_versions_in_the_written_order() -> None:
    first = decide(OLD, NEW, ALL)
    assert first == Decision(Facets(112, "bronze", "n1"), "points", ("tier", "news"))
    second = decide(first.shown, NEW, ALL)
    assert second == Decision(Facets(112, "silver", "n1"), "tier", ("news",))
    third = decide(second.shown, NEW, ALL)
    assert third == Decision(NEW, "news", ())
    assert decide(third.shown, NEW, ALL) == Decision(NEW, None, ())


def test_where_a_card_rings_as_a_whole_a_sale_has_one_alert_and_news_have_their_own() -> None:
    first = decide(OLD, NEW, ALL, TOGETHER)
    assert first == Decision(Facets(112, "silver", "n1"), "points", ("news",))
    assert decide(first.shown, NEW, ALL, TOGETHER) == Decision(NEW, "news", ())
    status = decide(OLD, Facets(100, "silver", "n2"), ALL, TOGETHER)
    assert status == Decision(Facets(100, "silver", "n1"), "tier", ("news",))


def test_silent_changes_never_wait_and_never_ring() -> None:
    assert decide(OLD, NEW, frozenset()) == Decision(NEW, None, ())
    assert decide(OLD, NEW, frozenset({"news"})) == Decision(NEW, "news", ())
    assert decide(OLD, NEW, frozenset({"tier", "news"})) == Decision(Facets(112, "silver", "n1"), "tier", ("news",))


@pytest.mark.parametrize("facet", ["tier", "news"])
def test_what_disappears_is_silent(facet: Facet) -> None:
    gone = Facets(100, None, "n1") if facet == "tier" else Facets(100, "bronze", None)
    assert decide(OLD, gone, ALL) == Decision(gone, None, ())


def test_a_recall_beside_a_sale_is_shown_with_it() -> None:
    wanted = Facets(112, "bronze", None)
    assert decide(OLD, wanted, ALL) == Decision(wanted, "points", ())


def test_a_new_sale_goes_before_news_that_wait_and_the_news_are_not_lost() -> None:
    waiting = decide(OLD, Facets(112, "bronze", "n2"), ALL)
    assert waiting.held == ("news",)
    again = decide(waiting.shown, Facets(120, "bronze", "n2"), ALL)
    assert again == Decision(Facets(120, "bronze", "n1"), "points", ("news",))
    assert decide(again.shown, Facets(120, "bronze", "n2"), ALL).alert == "news"


@settings(max_examples=examples(40))
@given(published=facets, wanted=facets, loud=louds)
def test_every_version_rings_for_exactly_the_loud_change_it_shows(
    published: Facets, wanted: Facets, loud: frozenset[Facet]
) -> None:
    decision = decide(published, wanted, loud)
    ringable = {f for f in differing(published, wanted) if f in loud and wanted.value(f) is not None}
    shown_now = {f for f in differing(published, decision.shown) if f in ringable}
    assert shown_now == ({decision.alert} if decision.alert else set())
    assert set(decision.held) == ringable - shown_now
    assert differing(decision.shown, wanted) == list(decision.held)
    assert "points" not in decision.held
    assert all(decision.shown.value(f) == published.value(f) for f in decision.held)


@given(published=facets, wanted=facets, loud=louds)
def test_at_most_three_versions_reach_what_is_true_and_each_loud_change_rings_once(
    published: Facets, wanted: Facets, loud: frozenset[Facet]
) -> None:
    rung: list[Facet] = []
    shown = published
    for _ in range(3):
        decision = decide(shown, wanted, loud)
        rung += [decision.alert] if decision.alert else []
        shown = decision.shown
    assert shown == wanted
    assert rung == [f for f in differing(published, wanted) if f in loud and wanted.value(f) is not None]


@settings(max_examples=examples(40))
@given(steps=st.lists(facets, min_size=1, max_size=12))
def test_under_a_stream_of_changes_no_version_rings_twice_and_the_end_is_true(steps: list[Facets]) -> None:
    shown = OLD
    for wanted in [*steps, steps[-1], steps[-1], steps[-1]]:
        decision = decide(shown, wanted, ALL)
        rings = [f for f in differing(shown, decision.shown) if decision.shown.value(f) is not None]
        assert len(rings) <= 1
        assert decision.shown.points == wanted.points
        shown = decision.shown
    assert shown == steps[-1]
