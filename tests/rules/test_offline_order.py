"""However the queues of several tills come, in portions, copies and with clocks that are wrong: one order, one book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from wallet_server.rules import offline
from wallet_server.rules.offline import Device, Turn, Waiting

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=60)
TILLS = ("till_a", "till_b", "till_c")


def minute(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


@dataclass
class Till:
    """A device with a clock of its own, as the test plays it, and what the server knows of it."""

    name: str
    ahead: timedelta
    queue: list[datetime] = field(default_factory=list)
    delivered: set[int] = field(default_factory=set)
    horizon: datetime = NOON
    heard: datetime = NOON
    at: dict[int, datetime] = field(default_factory=dict)
    floor: datetime | None = None
    applied: set[int] = field(default_factory=set)

    def known(self, now: datetime) -> Device:
        waiting = tuple(Waiting(n, self.at[n]) for n in self.delivered - self.applied)
        missing = offline.next_sequence(1, self.delivered)
        closed = self.heard + WINDOW <= now
        return Device(self.name, f"dev_{self.name}", self.horizon, missing, closed, self.floor, waiting)


@dataclass
class Server:
    """Receives and applies, as `actions.offline` does with tables."""

    tills: dict[str, Till]
    books: list[Turn] = field(default_factory=list)

    def sync(self, till: Till, numbers: Sequence[int], now: datetime) -> None:
        """Some of a queue arrives; with it the device says how long its queue is, and what its clock shows."""
        ahead = offline.skew(now + till.ahead, now)
        for number in numbers:
            if number not in till.delivered:
                said = till.queue[number - 1] + till.ahead
                till.at[number] = offline.happened(said, ahead, till.horizon, now)
                till.delivered.add(number)
        till.heard = now
        if offline.next_sequence(1, till.delivered) > len(till.queue):
            till.horizon = now
        self.apply(now)

    def apply(self, now: datetime) -> None:
        for turn in offline.ready([till.known(now) for till in self.tills.values()]):
            till = self.tills[turn.till]
            till.applied.add(turn.sequence)
            till.floor = turn.at if till.floor is None else max(till.floor, turn.at)
            self.books.append(turn)


@st.composite
def days(draw: st.DrawFn) -> tuple[list[timedelta], list[tuple[float, str, str]]]:
    """How far each clock is off, and what happens: sales, and syncs that bring a part, a copy or everything."""
    count = draw(st.integers(2, 3))
    off = st.integers(-600, 600).map(lambda seconds: timedelta(seconds=seconds))
    skews = draw(st.lists(off, min_size=count, max_size=count))
    moments = sorted(draw(st.lists(st.integers(0, 50), min_size=3, max_size=20)))
    deeds = st.sampled_from(["sale", "sale", "part", "copy", "gap", "all"])
    return skews, [(float(at), draw(st.sampled_from(TILLS[:count])), draw(deeds)) for at in moments]


def play(skews: Sequence[timedelta], story: Sequence[tuple[float, str, str]]) -> Server:
    server = Server({name: Till(name, ahead) for name, ahead in zip(TILLS, skews, strict=False)})
    for at, name, deed in story:
        till, now = server.tills[name], minute(at)
        known = len(till.queue)
        if deed == "sale":
            till.queue.append(now)
        elif deed == "part":  # the network is cut in the middle
            server.sync(till, range(1, known // 2 + 1), now)
        elif deed == "copy":
            server.sync(till, [*range(known, 0, -1), *range(1, known + 1)], now)
        elif deed == "gap":
            server.sync(till, range(2, known + 1), now)
        else:
            server.sync(till, range(1, known + 1), now)
    for till in server.tills.values():
        server.sync(till, range(1, len(till.queue) + 1), minute(55))
    for till in server.tills.values():
        server.sync(till, [], minute(56))
    return server


@given(days())
def test_copies_portions_gaps_and_wrong_clocks_leave_one_order(
    day: tuple[list[timedelta], list[tuple[float, str, str]]],
) -> None:
    skews, story = day
    server = play(skews, story)
    truth = [
        Turn(at, till.name, f"dev_{till.name}", number)
        for till in server.tills.values()
        for number, at in enumerate(till.queue, 1)
    ]
    assert server.books == sorted(truth)
    at_once = play(skews, [one for one in story if one[2] == "sale"])
    assert server.books == at_once.books


@given(days(), st.integers(0, 40))
def test_whoever_is_silent_for_longer_than_the_window_holds_nobody_up_and_nothing_is_lost_or_doubled(
    day: tuple[list[timedelta], list[tuple[float, str, str]]], later: int
) -> None:
    skews, story = day
    server = Server({name: Till(name, ahead) for name, ahead in zip(TILLS, skews, strict=False)})
    silent, *others = server.tills.values()
    for at, name, _ in story:
        server.tills[name].queue.append(minute(at))
    for till in others:
        server.sync(till, range(1, len(till.queue) + 1), minute(55))
    over = minute(61 + later)
    for till in others:
        server.sync(till, [], over)
    assert len(server.books) == sum(len(till.queue) for till in others), "nobody waits for the silent one any more"
    server.sync(silent, range(1, len(silent.queue) + 1), over)
    for till in server.tills.values():
        server.sync(till, [], over + timedelta(minutes=1))
    brought = [(turn.till, turn.sequence) for turn in server.books]
    assert sorted(brought) == sorted((t.name, n) for t in server.tills.values() for n in range(1, len(t.queue) + 1))


def test_a_device_that_may_still_bring_something_earlier_is_waited_for() -> None:
    mine = Device("till_a", "dev_a", minute(5), 2, waiting=(Waiting(1, minute(3)),))
    other = Device("till_b", "dev_b", minute(2), 1)
    assert offline.ready([mine, other]) == []
    assert [one.sequence for one in offline.ready([mine, replace(other, horizon=minute(4))])] == [1]
    assert [one.sequence for one in offline.ready([mine, replace(other, closed=True)])] == [1]
    assert offline.ready([mine]) == offline.ready([mine, replace(other, closed=True)])


def test_at_one_instant_the_till_decides_and_then_the_number() -> None:
    seconds = tuple(Waiting(n, minute(1)) for n in range(1, 43))
    a = Device("till_a", "dev_a", minute(2), 43, waiting=seconds)
    b = Device("till_b", "dev_b", minute(2), 43, waiting=seconds)
    found = offline.ready([b, a])
    assert [(one.till, one.sequence) for one in found] == [
        (till, n) for till in ("till_a", "till_b") for n in range(1, 43)
    ]


def test_a_gap_is_waited_for_until_the_window_is_over() -> None:
    device = Device("till_a", "dev_a", minute(0), 2, waiting=(Waiting(1, minute(1)), Waiting(3, minute(2))))
    assert [one.sequence for one in offline.ready([device])] == [1]
    assert [one.sequence for one in offline.ready([replace(device, closed=True)])] == [1, 3]


def test_a_device_keeps_its_own_order_when_its_clock_is_set_back() -> None:
    device = Device("till_a", "dev_a", minute(0), 3, waiting=(Waiting(1, minute(9)), Waiting(2, minute(4))))
    assert [(one.sequence, one.at) for one in offline.ready([device])] == [(1, minute(9)), (2, minute(9))]


def test_what_a_device_says_is_corrected_and_bounded() -> None:
    ahead = timedelta(minutes=10)
    assert offline.happened(minute(30), ahead, minute(0), minute(60)) == minute(20)
    assert offline.happened(minute(5), ahead, minute(0), minute(60)) == minute(0), "not before it had brought all"
    assert offline.happened(minute(90), ahead, minute(0), minute(60)) == minute(60), "not in the future"
    assert offline.happened(datetime.min.replace(tzinfo=UTC), ahead, minute(0), minute(60)) == minute(0)
    assert offline.skew(minute(10), minute(0)) == ahead
    assert offline.skew(None, minute(0)) == timedelta(0)
