"""Three alerts for a card in any 24 hours, and the counter never waits for the news."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from wallet_server.rules.announcing import alert_budget

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
WISHES = st.lists(st.tuples(st.integers(0, 90_000), st.sampled_from(["points", "tier", "news", "msg_1"])), max_size=40)


@given(WISHES)
def test_no_day_ever_has_more_than_three_and_the_last_is_for_the_counter(wishes: list[tuple[int, str]]) -> None:
    at, spent = NOON, list[datetime]()
    for seconds, what in wishes:
        at += timedelta(seconds=seconds)
        if alert_budget.left(spent, what, at) > 0:
            spent.append(at)
            of_the_day = [one for one in spent if at - timedelta(hours=24) <= one]
            assert len(of_the_day) <= 3
            assert what in ("points", "tier") or len(of_the_day) <= 2
        elif what == "points":
            assert len([one for one in spent if at - alert_budget.WINDOW < one]) == 3


def test_what_was_spent_a_day_ago_comes_back() -> None:
    spent = [NOON, NOON + timedelta(hours=1), NOON + timedelta(hours=2)]
    assert alert_budget.left(spent, "points", NOON + timedelta(hours=24)) == 0
    assert alert_budget.left(spent, "points", NOON + timedelta(hours=24, minutes=1)) == 1
    assert alert_budget.left(spent, "news", NOON + timedelta(hours=24, minutes=1)) == 0
    assert alert_budget.left(spent, "news", NOON + timedelta(hours=25, minutes=1)) == 1
