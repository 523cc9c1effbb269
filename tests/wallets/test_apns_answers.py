"""Owns the proof that APNs' answers are sorted as Apple documents them, and that many refusals are not believed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_server.wallets.apple.apns_answers import WINDOW, Kind, Standing, Target, sort

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


def target(number: int, *, suspected: bool = False) -> Target:
    return Target(f"{number:064x}", NOW, number, number, suspected)


def refuse(standing: Standing, *numbers: int, kind: Kind = Kind.BAD_TOKEN) -> list[bool]:
    """Whether each of these refusals raised an alarm."""
    return [standing.refused(kind, target(number)) is not None for number in numbers]


def take(standing: Standing, *numbers: int) -> None:
    for number in numbers:
        standing.took(target(number))


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
def test_where_nothing_was_ever_taken_no_device_is_held_to_be_dead_and_alarms_go_on(
    owners: list[int], kind: Kind
) -> None:
    standing = Standing(devices_gone=4)
    since: list[int] = []
    for owner in owners:
        (alarmed,) = refuse(standing, owner, kind=kind)
        since.append(owner)
        counted = len(set(since)) if kind is Kind.BAD_TOKEN else len(since)
        assert alarmed == (counted > 4)
        since = [] if alarmed else since
        assert not standing.believes(Kind.BAD_TOKEN, target(owner).token)


Event = tuple[bool, int, bool]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12), st.booleans()), max_size=2 * WINDOW))
def test_a_bad_token_is_believed_only_while_others_are_taken_and_after_an_alarm_only_three(events: list[Event]) -> None:
    standing = Standing()
    taken: set[int] = set()
    alarmed = False
    answers: list[int | None] = []
    for took, number, suspected in events:
        if took:
            standing.took(target(number))
            taken.add(number)
            answers.append(None)
            continue
        since = answers[max((n + 1 for n, one in enumerate(answers) if one == number), default=0) :]
        if standing.refused(Kind.BAD_TOKEN, target(number, suspected=suspected)) is not None:
            taken, answers, alarmed = set(), [], True
        else:
            answers.append(number)
            answers = answers[-WINDOW:]
        proven = not alarmed or len(taken) >= 3
        assert standing.believes(Kind.BAD_TOKEN, target(number).token) == (proven and None in since and answers != [])


def test_after_an_alarm_the_accused_raise_no_other_once_anything_was_taken_but_new_ones_do() -> None:
    standing = Standing()
    assert refuse(standing, 0, 1, 2, 3, 4) == [False] * 4 + [True]
    assert refuse(standing, 0, 1, 2, 3, 4) == [False] * 4 + [True], "nothing was taken since: it may be the setting"
    take(standing, 10)
    assert refuse(standing, *range(5), *range(5)) == [False] * 10
    assert standing.doubt
    take(standing, 10, 10, 11)
    assert standing.doubt, "two customers may be an accident"
    take(standing, 12)
    assert not standing.doubt
    assert refuse(standing, *range(5)) == [False] * 5
    assert standing.believes(Kind.BAD_TOKEN, target(0).token)
    refuse(standing, 0)
    assert not standing.believes(Kind.BAD_TOKEN, target(0).token), "nobody was told since it was refused before"
    assert refuse(standing, 5, 6, 7, 8, 9) == [False] * 4 + [True]
    assert all(standing.accuses(target(number).token) for number in range(10))
    take(standing, 3)
    assert not standing.accuses(target(3).token)


def test_devices_suspected_before_raise_no_alarm_while_something_is_taken() -> None:
    standing = Standing()
    take(standing, 100)
    suspects = [target(number, suspected=True) for number in range(20)]
    assert [standing.refused(Kind.BAD_TOKEN, one) for one in suspects] == [None] * 20
    fresh = Standing()
    alarms = [fresh.refused(Kind.BAD_TOKEN, one) is not None for one in suspects[:5]]
    assert alarms == [False] * 4 + [True], "where nothing is taken they may all be alive"


def test_a_device_that_is_not_believed_is_left_alone_for_ever_longer_until_something_is_taken() -> None:
    standing = Standing()
    rests = []
    for _ in range(8):
        refuse(standing, 1)
        rests.append(standing.doubt_seconds)
    assert rests == [30, 60, 120, 240, 480, 900, 900, 900]
    take(standing, 2)
    refuse(standing, 1)
    assert standing.doubt_seconds == 30


def test_dead_devices_are_no_alarm_unless_they_are_most_of_the_base() -> None:
    standing = Standing()
    for number in range(WINDOW // 2):
        take(standing, 1_000)
        assert refuse(standing, number, kind=Kind.GONE) == [False]
        assert standing.believes(Kind.GONE, target(number).token)
    assert any(refuse(standing, *range(5), kind=Kind.GONE))
    assert not standing.believes(Kind.GONE, target(0).token)
