"""Owns the proof that APNs' answers are sorted as Apple documents them, and that many refusals are not believed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_server.wallets.apple.apns_answers import WINDOW, Kind, Standing, sort


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (410, "Unregistered", Kind.GONE),
        (410, "ExpiredToken", Kind.GONE),
        (400, "BadDeviceToken", Kind.BAD_TOKEN),
        (400, "DeviceTokenNotForTopic", Kind.WRONG_TOPIC),
        (400, "BadTopic", Kind.MISSET),
        (400, "TopicDisallowed", Kind.MISSET),
        (403, "BadCertificate", Kind.MISSET),
        (403, "BadCertificateEnvironment", Kind.MISSET),
        (403, "SomethingNew", Kind.MISSET),
        (404, "BadPath", Kind.MISSET),
        (413, "PayloadTooLarge", Kind.MISSET),
        (400, "IdleTimeout", Kind.UNWELL),
        (429, "TooManyRequests", Kind.BUSY),
        (500, "InternalServerError", Kind.UNWELL),
        (503, "Shutdown", Kind.UNWELL),
        (302, "", Kind.UNWELL),
    ],
)
def test_answers_are_sorted_as_documented(status: int, reason: str, kind: Kind) -> None:
    assert sort(status, f'{{"reason": "{reason}"}}'.encode()).kind is kind


def test_the_timestamp_of_a_410_is_in_milliseconds() -> None:
    said = sort(410, b'{"reason": "Unregistered", "timestamp": 1795348800123}')
    assert said.gone_at == datetime.fromtimestamp(1795348800.123, UTC)


@given(
    st.integers(100, 599),
    st.binary(max_size=200) | st.from_regex(rb'\{"reason":.*\}|\{"timestamp":.*\}', fullmatch=True),
)
def test_no_answer_whatever_breaks_the_sorting(status: int, body: bytes) -> None:
    assert sort(status, body).reason


@given(st.lists(st.none() | st.integers(0, 9), max_size=3 * WINDOW))
def test_an_alarm_comes_exactly_when_a_fifth_owner_is_refused_within_the_window(owners: list[int | None]) -> None:
    standing = Standing()
    window: list[int | None] = []
    for owner in owners:
        window = [*window, owner][-WINDOW:]
        if owner is None:
            standing.took()
            continue
        due = len({one for one in window if one is not None}) > 4
        assert (standing.refused(Kind.BAD_TOKEN, owner) is not None) == due
        if due:
            assert standing.doubt
            window = []


def test_refusals_are_believed_again_after_a_window_without_many() -> None:
    standing = Standing()
    alarms = [standing.refused(Kind.BAD_TOKEN, owner) for owner in range(5)]
    assert [alarm is not None for alarm in alarms] == [False, False, False, False, True]
    for _ in range(WINDOW - 1):
        standing.took()
    assert standing.doubt
    standing.took()
    assert not standing.doubt


def test_dead_devices_are_no_alarm_unless_they_are_most_of_the_base() -> None:
    standing = Standing()
    for number in range(WINDOW // 2):
        standing.took()
        assert standing.refused(Kind.GONE, number) is None
    alarms = [standing.refused(Kind.GONE, number) for number in range(5)]
    assert any(alarms)
