"""Owns the proof that APNs' answers are sorted as Apple documents them, and that many refusals are not believed."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_server.wallets.apple.apns_answers import WINDOW, Kind, Standing, Target, is_token, sort

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


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


SOMETHING_LIKE_A_TOKEN = st.text("09afAFgx \n_+é", max_size=8) | st.integers(0, 101).map(lambda size: "0a" * size)


@given(SOMETHING_LIKE_A_TOKEN)
def test_a_token_is_bytes_in_hexadecimal(text: str) -> None:
    assert is_token(text) == (re.fullmatch(r"(?:[0-9a-fA-F]{2}){1,100}", text) is not None)


def target(number: int, *, suspected: bool = False) -> Target:
    return Target(f"{number:064x}", NOW, number, number, suspected)


def refuse(standing: Standing, *numbers: int, kind: Kind = Kind.BAD_TOKEN) -> list[bool]:
    """Whether each of these refusals raised an alarm."""
    return [standing.refused(kind, target(number)) is not None for number in numbers]


def take(standing: Standing, *numbers: int) -> None:
    for number in numbers:
        standing.took([target(number)])


@given(st.lists(st.none() | st.integers(0, 9), max_size=3 * WINDOW))
def test_the_first_alarm_comes_exactly_when_a_fifth_owner_is_refused_within_the_window(
    owners: list[int | None],
) -> None:
    standing = Standing()
    window: list[int | None] = []
    for owner in owners:
        window = [*window, owner][-WINDOW:]
        if owner is None:
            take(standing, 10)
            continue
        due = len({one for one in window if one is not None}) > 4
        assert refuse(standing, owner) == [due]
        assert standing.doubt == due
        if due:
            return


@given(st.lists(st.integers(0, 30), max_size=3 * WINDOW), st.sampled_from([Kind.BAD_TOKEN, Kind.GONE]))
def test_where_nothing_is_taken_alarms_go_on_for_every_five_that_are_new(owners: list[int], kind: Kind) -> None:
    standing = Standing(devices_gone=4)
    since: list[int] = []
    for owner in owners:
        (alarmed,) = refuse(standing, owner, kind=kind)
        since.append(owner)
        counted = len(set(since)) if kind is Kind.BAD_TOKEN else len(since)
        assert alarmed == (counted > 4)
        since = [] if alarmed else since


@given(st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, 30)), max_size=WINDOW), st.booleans())
def test_devices_suspected_before_raise_no_alarm_whether_or_not_anything_is_taken(
    answers: list[tuple[Kind, int]], taken: bool
) -> None:
    standing = Standing(devices_gone=4)
    for kind, number in answers:
        if taken:
            take(standing, 100)
        assert standing.refused(kind, target(number, suspected=True)) is None
    assert refuse(standing, *range(40, 45)) == [False] * 4 + [True], "but new ones do"


def test_doubt_ends_when_three_customers_or_twenty_notifications_were_taken() -> None:
    for owners in ([10, 10, 11, 12], [10] * 20, [10, 11] * 10):
        standing = Standing()
        assert any(refuse(standing, *range(5)))
        for owner in owners:
            assert standing.doubt
            take(standing, owner)
        assert not standing.doubt


def test_each_alarm_begins_the_doubt_anew() -> None:
    standing = Standing()
    refuse(standing, *range(5))
    take(standing, *[10] * 19)
    assert any(refuse(standing, *range(20, 25)))
    take(standing, 10)
    assert standing.doubt
    take(standing, *[10] * 19)
    assert not standing.doubt


def test_dead_devices_are_no_alarm_unless_they_are_most_of_the_base() -> None:
    standing = Standing()
    for number in range(WINDOW // 2):
        take(standing, 1_000)
        assert refuse(standing, number, kind=Kind.GONE) == [False]
    assert not standing.doubt
    assert any(refuse(standing, *range(5), kind=Kind.GONE))
    assert standing.doubt


@given(st.lists(st.none() | st.integers(1, 2 * WINDOW), max_size=12))
def test_many_that_were_taken_together_count_as_one_after_the_other(answers: list[int | None]) -> None:
    """A number is so many that were taken, None a refusal of another owner each."""
    one, other = Standing(), Standing()
    for owner, taken in enumerate(answers):
        if taken is None:
            assert refuse(one, owner) == refuse(other, owner)
        else:
            devices = [target(10_000 + owner * 1_000 + number) for number in range(taken)]
            one.took(devices)
            for device in devices:
                other.took([device])
        assert (one.proven, one.doubt, one.failures) == (other.proven, other.doubt, other.failures)
