"""Which stores go on a card."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.rules.passes.places import Store, distance_metres, nearest


def store(ref: str, latitude: float | None = None, longitude: float | None = None) -> Store:
    return Store(ref.title(), latitude, longitude, None, ref)


LILLE = store("lille", 50.6292, 3.0573)
PARIS = store("paris", 48.8566, 2.3522)
NICE = store("nice", 43.7102, 7.2620)
VERSAILLES = store("versailles", 48.8049, 2.1204)
ONLINE = store("online")

stores = st.builds(
    Store,
    name=st.just("x"),
    latitude=st.none() | st.floats(-90, 90),
    longitude=st.none() | st.floats(-180, 180),
    text=st.none(),
    ref=st.text("abc", max_size=3),
)


@pytest.mark.parametrize(("a", "b", "km"), [(PARIS, LILLE, 204), (PARIS, NICE, 686), (PARIS, VERSAILLES, 18)])
def test_known_distances(a: Store, b: Store, km: int) -> None:
    metres = distance_metres(a, b)
    assert metres is not None
    assert metres == pytest.approx(km * 1000, rel=0.01)


def test_a_quarter_and_half_of_the_way_round_the_earth() -> None:
    pole, antipole, equator = store("n", 90, 0), store("s", -90, 55), store("e", 0, 77)
    assert distance_metres(pole, antipole) == round(math.pi * 6_371_008.8)
    assert distance_metres(pole, equator) == round(math.pi * 6_371_008.8 / 2)
    assert distance_metres(store("w", 0, -179.5), store("x", 0, 179.5)) == round(math.radians(1) * 6_371_008.8)


def test_nearest_first_within_the_useful_distance() -> None:
    everywhere = [NICE, LILLE, ONLINE, PARIS, VERSAILLES]
    assert nearest(PARIS, everywhere, useful_metres=50_000) == (PARIS, VERSAILLES)
    assert nearest(PARIS, everywhere, useful_metres=1_000_000) == (PARIS, VERSAILLES, LILLE, NICE)
    assert nearest(PARIS, everywhere, 2, useful_metres=1_000_000) == (PARIS, VERSAILLES)
    assert nearest(NICE, everywhere, useful_metres=0) == (NICE,)


def test_at_the_useful_distance_is_near_enough() -> None:
    metres = distance_metres(PARIS, VERSAILLES)
    assert metres is not None
    assert nearest(PARIS, [VERSAILLES], useful_metres=metres) == (VERSAILLES,)
    assert nearest(PARIS, [VERSAILLES], useful_metres=metres - 1) == ()


@pytest.mark.parametrize("home", [None, ONLINE])
def test_without_a_place_to_measure_from_the_order_is_by_reference(home: Store | None) -> None:
    assert nearest(home, [PARIS, ONLINE, NICE, LILLE], 2, useful_metres=1) == (LILLE, NICE)


def test_stores_equally_far_are_ordered_by_reference() -> None:
    east, west = store("b", 48.0, 2.1), store("a", 48.0, 1.9)
    home = store("home", 48.0, 2.0)
    assert nearest(home, [east, west], useful_metres=50_000) == (west, east)


@settings(max_examples=examples(40))
@given(home=st.none() | stores, several=st.lists(stores, max_size=20), useful=st.integers(1, 20_100_000))
def test_the_chosen_are_the_nearest_whatever_the_order(home: Store | None, several: list[Store], useful: int) -> None:
    chosen = nearest(home, several, useful_metres=useful)
    assert len(chosen) <= 10
    assert [s.ref for s in nearest(home, several[::-1], useful_metres=useful)] == [s.ref for s in chosen]
    assert all(s.latitude is not None and s.longitude is not None for s in chosen)
    if home is None or home.latitude is None or home.longitude is None:
        return
    distances = [distance_metres(home, s) or 0 for s in chosen]
    assert distances == sorted(distances)
    assert all(metres <= useful for metres in distances)
    if len(chosen) == 10:
        rest = list(several)
        for one in chosen:
            rest.remove(one)
        left = [metres for s in rest if (metres := distance_metres(home, s)) is not None]
        assert all(metres >= distances[-1] for metres in left)
