"""When a member may be told something: consent, limits, quiet hours, and the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.errors import Invalid
from wallet_server.rules.announcing.announcing import AnnouncePolicy, Limits, Quiet, Send, Skip, Wait, decide

PARIS = "Europe/Paris"
NIGHT = Quiet(time(21), time(9))
USUAL = AnnouncePolicy(Limits(1, 3), NIGHT)
ANY_HOUR = AnnouncePolicy(Limits(1, 3), None)
NOON = datetime(2026, 3, 10, 11, tzinfo=UTC)
HOUR = timedelta(hours=1)


def asked(at: datetime, policy: AnnouncePolicy = USUAL, zone: str = PARIS, *sent: datetime) -> Send | Wait | Skip:
    return decide(True, True, sent, zone, at, policy)


def local(text: str, zone: str = PARIS, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def test_at_noon_it_goes() -> None:
    assert asked(NOON) == Send()


def test_nobody_is_told_without_consent_or_a_phone() -> None:
    assert decide(False, False, [], PARIS, NOON, USUAL) == Skip("no-consent")
    assert decide(True, False, [], PARIS, NOON, USUAL) == Skip("not-reachable")


def test_a_word_for_one_member_has_a_day_of_its_own_and_counts_in_the_week() -> None:
    today, days = NOON - HOUR, [NOON - timedelta(days=n) for n in (2, 3)]
    assert decide(True, True, [today], PARIS, NOON, USUAL, word=True) == Send()
    assert decide(True, True, [], PARIS, NOON, USUAL, [today]) == Send(), "nor does an announcement wait for a word"
    second = decide(True, True, [], PARIS, NOON, ANY_HOUR, [today], word=True)
    assert second == Wait(today + timedelta(days=1), "per-day")
    for sent, words in ((days, [today - timedelta(days=1)]), ([today - timedelta(days=1)], days)):
        full = decide(True, True, sent, PARIS, NOON, ANY_HOUR, words, word=True)
        assert full == Wait(NOON + timedelta(days=4), "per-week")
    night = local("2026-03-10T22:00")
    assert decide(True, True, [], PARIS, night, USUAL, word=True) == Wait(local("2026-03-11T09:00"), "quiet-hours")


@pytest.mark.parametrize("limits", [Limits(0, 3), Limits(1, 0)])
def test_a_limit_of_none_turns_announcements_off(limits: Limits) -> None:
    assert asked(NOON, AnnouncePolicy(limits, NIGHT)) == Skip("announcing-off")


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-03-10T20:59:59", None),
        ("2026-03-10T21:00:00", "2026-03-11T09:00:00"),
        ("2026-03-10T23:59:59", "2026-03-11T09:00:00"),
        ("2026-03-11T00:00:00", "2026-03-11T09:00:00"),
        ("2026-03-11T08:59:59.999999", "2026-03-11T09:00:00"),
        ("2026-03-11T09:00:00", None),
    ],
)
def test_quiet_hours_cross_midnight(at: str, until: str | None) -> None:
    expected = Send() if until is None else Wait(local(until), "quiet-hours")
    assert asked(local(at)) == expected


def test_quiet_hours_within_a_day() -> None:
    nap = AnnouncePolicy(Limits(1, 3), Quiet(time(12, 30), time(14)))
    assert asked(local("2026-03-10T12:29"), nap) == Send()
    assert asked(local("2026-03-10T12:30"), nap) == Wait(local("2026-03-10T14:00"), "quiet-hours")
    assert asked(local("2026-03-10T14:00"), nap) == Send()


def test_quiet_hours_are_those_of_the_store() -> None:
    at = datetime(2026, 3, 10, 3, tzinfo=UTC)
    assert asked(at, USUAL, "Asia/Tokyo") == Send()
    assert asked(at, USUAL, PARIS) == Wait(local("2026-03-10T09:00"), "quiet-hours")
    assert asked(at, USUAL, "Asia/Kathmandu") == Wait(datetime(2026, 3, 10, 3, 15, tzinfo=UTC), "quiet-hours")


def test_the_night_of_the_lost_hour_is_one_hour_shorter() -> None:
    at = local("2026-03-28T22:00")
    wait = asked(at)
    assert wait == Wait(local("2026-03-29T09:00"), "quiet-hours")
    assert isinstance(wait, Wait)
    assert wait.until - at == 10 * HOUR


def test_the_night_of_the_extra_hour_is_one_hour_longer() -> None:
    at = local("2026-10-24T22:00")
    wait = asked(at)
    assert isinstance(wait, Wait)
    assert wait.until == local("2026-10-25T09:00")
    assert wait.until - at == 12 * HOUR


def test_quiet_hours_that_end_inside_the_lost_hour_end_when_it_is_skipped() -> None:
    late = AnnouncePolicy(Limits(1, 3), Quiet(time(22), time(2, 30)))
    assert asked(local("2026-03-28T23:00"), late) == Wait(datetime(2026, 3, 29, 1, tzinfo=UTC), "quiet-hours")


def test_quiet_hours_that_end_inside_the_repeated_hour_are_quiet_twice() -> None:
    late = AnnouncePolicy(Limits(1, 3), Quiet(time(22), time(2, 30)))
    first, second = local("2026-10-25T02:30"), local("2026-10-25T02:30", fold=1)
    assert asked(local("2026-10-24T23:00"), late) == Wait(first, "quiet-hours")
    assert asked(first, late) == Send()
    assert asked(local("2026-10-25T02:00", fold=1), late) == Wait(second, "quiet-hours")


def test_one_a_day_counts_the_last_24_hours_and_not_the_date() -> None:
    sent = local("2026-03-10T20:00")
    assert asked(local("2026-03-11T09:00"), USUAL, PARIS, sent) == Wait(local("2026-03-11T20:00"), "per-day")
    assert asked(local("2026-03-11T19:59:59"), USUAL, PARIS, sent) == Wait(local("2026-03-11T20:00"), "per-day")
    assert asked(local("2026-03-11T20:00"), USUAL, PARIS, sent) == Send()


def test_three_a_week_counts_seven_times_24_hours() -> None:
    sent = [NOON, NOON + 30 * HOUR, NOON + 60 * HOUR]
    assert asked(NOON + 120 * HOUR, ANY_HOUR, PARIS, *sent) == Wait(NOON + 168 * HOUR, "per-week")
    assert asked(NOON + 168 * HOUR, ANY_HOUR, PARIS, *reversed(sent)) == Send()
    assert asked(NOON + 61 * HOUR, ANY_HOUR, PARIS, *sent) == Wait(NOON + 168 * HOUR, "per-week")


def test_a_wait_for_the_limit_does_not_end_in_the_night() -> None:
    sent = local("2026-03-10T20:59")
    early = AnnouncePolicy(Limits(1, 3), Quiet(time(20), time(9)))
    assert asked(local("2026-03-11T12:00"), early, PARIS, sent) == Wait(local("2026-03-12T09:00"), "per-day")


def test_an_unknown_zone_is_refused_in_words() -> None:
    for zone in ("Europe/Atlantis", "", "../etc/passwd", "/etc/localtime", "\x00", "Europe"):
        with pytest.raises(Invalid, match="time zone") as refusal:
            asked(NOON, USUAL, zone)
        assert refusal.value.field == "zone"


def test_a_time_without_a_zone_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="zone"):
        asked(NOON.replace(tzinfo=None))


instants = st.integers(1_700_000_000, 1_900_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
clocks = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))
zones = st.sampled_from(
    [PARIS, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "UTC"]
)
policies = st.builds(
    AnnouncePolicy,
    st.builds(Limits, st.integers(1, 3), st.integers(3, 6)),
    st.none() | st.builds(Quiet, clocks, clocks).filter(lambda quiet: quiet.start != quiet.end),
)


@settings(max_examples=examples(40))
@given(
    at=instants, zone=zones, policy=policies, ago=st.lists(st.integers(0, 200 * 3600), max_size=8), data=st.data()
)  # fmt: skip
def test_the_wait_ends_at_the_first_moment_that_is_allowed(
    at: datetime, zone: str, policy: AnnouncePolicy, ago: list[int], data: st.DataObject
) -> None:
    sent = [at - timedelta(seconds=seconds) for seconds in ago]

    def allowed(moment: datetime) -> bool:
        """Word for word what the rule says, asked of one moment."""
        day = sum(1 for past in sent if past > moment - timedelta(hours=24))
        week = sum(1 for past in sent if past > moment - timedelta(days=7))
        wall = moment.astimezone(ZoneInfo(zone)).time()
        quiet = policy.quiet
        silent = quiet is not None and (
            (quiet.start <= wall < quiet.end) if quiet.start < quiet.end else not (quiet.end <= wall < quiet.start)
        )
        return day < policy.limits.per_day and week < policy.limits.per_week and not silent

    answer = asked(at, policy, zone, *sent)
    if isinstance(answer, Send):
        assert allowed(at)
        return
    assert isinstance(answer, Wait)
    assert answer.until > at
    assert allowed(answer.until)
    assert not allowed(answer.until - timedelta(microseconds=1))
    share = data.draw(st.integers(0, 999))
    assert not allowed(at + (answer.until - at) * share // 1000)


@settings(max_examples=examples(40))
@given(days=st.integers(0, 365), minute=st.integers(0, 1439), zone=zones, start=clocks, end=clocks)
def test_around_clock_changes_the_end_is_found_to_the_second(
    days: int, minute: int, zone: str, start: time, end: time
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days, minutes=minute)
    quiet = Quiet(start, end)
    answer = asked(at, AnnouncePolicy(Limits(1, 3), quiet), zone)
    moment = at
    while quiet.covers(moment.astimezone(ZoneInfo(zone)).time()):
        moment += timedelta(minutes=1)
    assert answer == (Send() if moment == at else Wait(moment, "quiet-hours"))
