"""How long telling cards one by one takes: counted in requests, behind what waits, at the rate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wallet_server.rules.announcing.campaigns import Work, in_time, seconds


def test_a_million_silent_changes_at_fifteen_a_second_are_eighteen_and_a_half_hours() -> None:
    assert round(seconds(Work(1_000_000, silent=1_000_000), 0, 15.0) / 3600, 1) == 18.5
    assert seconds(Work(10), 0, 10.0) == 2.0
    assert seconds(Work(10, with_news=5), 5, 10.0) == 3.0
    assert seconds(Work(0), 0, 15.0) == 0


@given(st.integers(1, 10**6), st.integers(0, 10**5), st.floats(0.5, 500), st.floats(0, 10**7), st.data())
def test_in_time_are_all_of_them_when_the_whole_is_through_and_never_more(
    cards: int, waiting: int, rate: float, within: float, data: st.DataObject
) -> None:
    silent = data.draw(st.integers(0, cards))
    work = Work(cards, data.draw(st.integers(0, cards - silent)), silent)
    told = in_time(work, waiting, rate, within)
    assert 0 <= told <= cards
    whole = seconds(work, waiting, rate)
    assert in_time(work, waiting, rate, whole * 1.001 + 1) == cards
    assert told <= in_time(work, waiting, rate, within + 1)
    if within < waiting / rate:
        assert told == 0
