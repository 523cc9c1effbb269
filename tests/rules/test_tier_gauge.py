"""Tiers and the gauge towards the next one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.rules.passes.card import Gauge
from wallet_server.rules.programme.program import Ladder, Programme, default_document, parse
from wallet_server.rules.tiers.tiers import gauge, level_after, level_for

LANGUAGES = ("fr", "en")


def standard(names: dict[str, Any] | None = None) -> Programme:
    document = default_document("Boulangerie Claire")
    if names is not None:
        document["currencies"][1]["names"] = names
    return parse(document)


def ladder_of(programme: Programme) -> Ladder:
    assert programme.ladder is not None
    return programme.ladder


def drawn(value: int, shown: str, programme: Programme | None = None) -> Gauge:
    programme = programme or standard()
    level = ladder_of(programme).level(shown)
    assert level is not None
    progress = gauge(programme, value, level, LANGUAGES)
    assert progress is not None
    return progress


@pytest.mark.parametrize(
    ("value", "reached", "after"),
    [
        (-5, "bronze", "silver"), (0, "bronze", "silver"), (299, "bronze", "silver"), (300, "silver", "gold"),
        (999, "silver", "gold"), (1000, "gold", None), (2**53, "gold", None),
    ],
)  # fmt: skip
def test_a_tier_begins_at_its_threshold(value: int, reached: str, after: str | None) -> None:
    ladder = ladder_of(standard())
    following = level_after(ladder, level_for(ladder, value))
    assert level_for(ladder, value).code == reached
    assert (following.code if following else None) == after


def test_the_gauge_counts_from_zero_and_rounds_down() -> None:
    progress = drawn(884, "silver")
    assert (progress.percent, progress.value, progress.goal) == (88, 884, 1000)
    assert drawn(999, "silver").percent == 99
    assert drawn(0, "bronze").percent == 0
    assert drawn(-40, "bronze").percent == 0


def test_the_sentence_says_what_is_missing() -> None:
    assert drawn(184, "bronze").sentence == {
        "fr": "Allez, plus que 116 points et vous vous hisserez au statut d’Argent",
        "en": "Only 116 points to go to reach Silver",
    }
    assert drawn(299, "bronze").sentence == {
        "fr": "Allez, plus qu’un point et vous vous hisserez au statut d’Argent",
        "en": "Only 1 point to go to reach Silver",
    }
    assert drawn(-1000, "bronze").sentence == {
        "fr": "Allez, plus que 1\u202f300 points et vous vous hisserez au statut d’Argent",
        "en": "Only 1,300 points to go to reach Silver",
    }


def test_the_last_star_is_feminine_in_french() -> None:
    stars = {
        "fr": {"one": "étoile", "other": "étoiles", "feminine": True},
        "en": {"one": "star", "other": "stars"},
    }
    assert drawn(299, "bronze", standard(stars)).sentence == {
        "fr": "Allez, plus qu’une étoile et vous vous hisserez au statut d’Argent",
        "en": "Only 1 star to go to reach Silver",
    }


@pytest.mark.parametrize("value", [1000, 1001, 5000])
def test_a_goal_passed_while_the_new_tier_waits_is_a_full_gauge(value: int) -> None:
    progress = drawn(value, "silver")
    assert (progress.percent, progress.value, progress.goal) == (100, value, 1000)
    assert progress.sentence == {
        "fr": "Le seuil d’Or est atteint, votre nouveau statut arrive",
        "en": "You have reached Gold, your new status is on its way",
    }


def test_no_gauge_at_the_top_nor_without_a_ladder() -> None:
    programme = standard()
    top = ladder_of(programme).levels[-1]
    assert gauge(programme, 1000, top, LANGUAGES) is None
    bare = parse(default_document("Boulangerie Claire") | {"tiers": None})
    assert gauge(bare, 10, top, LANGUAGES) is None


@settings(max_examples=examples(40))
@given(
    value=st.integers(-10, 3000),
    steps=st.lists(st.integers(1, 900), min_size=1, max_size=6),
    shown=st.integers(0, 6),
)
def test_full_means_reached_and_only_reached(value: int, steps: list[int], shown: int) -> None:
    document = default_document("Boulangerie Claire")
    names = {"fr": "Palier", "en": "Step"}
    levels = [{"code": f"l{n}", "threshold": sum(steps[:n]), "names": names} for n in range(len(steps) + 1)]
    document["tiers"]["levels"] = levels
    programme = parse(document)
    ladder = ladder_of(programme)
    level = ladder.levels[min(shown, len(steps))]
    progress = gauge(programme, value, level, LANGUAGES)
    if level is ladder.levels[-1]:
        assert progress is None
        return
    assert progress is not None
    assert 0 <= progress.percent <= 100
    assert (progress.percent == 100) == (value >= progress.goal)
    assert ("Allez, plus qu" in progress.sentence["fr"]) == (value < progress.goal)
    reached = level_for(ladder, value)
    assert reached.threshold <= max(value, 0)
    following = level_after(ladder, reached)
    assert following is None or value < following.threshold
