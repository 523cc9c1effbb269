"""The pace of a mass change grows while the server is at ease and falls below what it serves once requests wait."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wallet_server.rules.announcing import pacing
from wallet_server.rules.announcing.pacing import Second

seconds = st.builds(
    Second, told=st.integers(0, 5_000), served=st.integers(0, 5_000), in_hand=st.floats(0, 64, allow_nan=False)
)


def _pace_of_a_wave(capacity: int, delay: int, ceiling: int = 10_000, length: int = 60) -> list[Second]:
    """A server that serves so many cards a second, and phones that come back after so many seconds."""
    past: list[Second] = []
    waiting = 0
    for number in range(length):
        told = pacing.per_second(past, 1, ceiling)
        waiting += past[number - delay].told if number >= delay else 0
        served = min(waiting, capacity)
        waiting -= served
        past.append(Second(told, served, min(8.0, served / capacity + waiting / capacity * 4)))
    return past


def test_a_wave_begins_slowly_and_reaches_what_the_server_can_serve() -> None:
    wave = _pace_of_a_wave(capacity=1_000, delay=1)
    assert wave[0].told == pacing.FIRST
    late = wave[20:]
    assert sum(s.served for s in late) / len(late) > 700
    assert all(s.told <= 1_000 * pacing.GROWTH**3 for s in late)


def test_a_server_that_is_slower_is_told_to_fewer() -> None:
    slow, quick = (_pace_of_a_wave(capacity, delay=1)[20:] for capacity in (300, 3_000))
    assert sum(s.told for s in slow) * 5 < sum(s.told for s in quick)
    assert sum(s.told for s in slow) <= sum(s.served for s in slow) * 1.1


def test_phones_that_never_come_back_do_not_hold_up_the_others() -> None:
    past: list[Second] = []
    for _ in range(30):
        past.append(Second(pacing.per_second(past, 1, 2_000), 0, 0.0))
    assert past[-1].told == 2_000


@given(st.lists(seconds, max_size=5), st.integers(1, 64), st.integers(1, 100_000))
def test_the_pace_never_stops_and_never_passes_its_ceiling(before: list[Second], servers: int, ceiling: int) -> None:
    assert 1 <= pacing.per_second(before, servers, ceiling) <= ceiling


@given(st.lists(seconds, min_size=2, max_size=5), st.integers(1, 64))
def test_a_crowded_server_is_told_to_fewer_than_it_serves(before: list[Second], servers: int) -> None:
    crowded = [Second(s.told, s.served, pacing.CROWDED * servers + 1) for s in before]
    served = sum(s.served for s in crowded[-pacing.LOOK_BACK :]) / pacing.LOOK_BACK
    assert pacing.per_second(crowded, servers, 100_000) <= max(1.0, served)


@given(st.integers(1, 10_000), st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=40))
def test_a_second_is_shared_out_over_its_length(rate: int, moments: list[float]) -> None:
    told = 0
    for into in sorted(moments):
        told += pacing.allowance(rate, told, into)
        assert told <= rate * (into + 1 / pacing.STEPS) + 1
    assert told + pacing.allowance(rate, told, 0.999) == rate
