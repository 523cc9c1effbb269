"""However the queues of several tills come, in portions, copies and with clocks that are wrong: one order, one book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from wallet_server.rules.offline import order
from wallet_server.rules.offline.order import Device, Patience, Turn, Waiting

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=60)
LISTED = 3
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
    came: dict[int, datetime] = field(default_factory=dict)
    at: dict[int, datetime] = field(default_factory=dict)
    floor: datetime | None = None
    applied: set[int] = field(default_factory=set)

    def known(self) -> Device:
        """As a server that lists a few at a time knows it."""
        numbers = sorted(self.delivered - self.applied)
        waiting = tuple(Waiting(n, self.at[n]) for n in numbers[:LISTED])
        missing = order.next_sequence(1, self.delivered)
        since = min((self.came[n] for n in self.delivered if n > missing), default=None)
        more = len(numbers) > LISTED
        return Device(self.name, f"dev_{self.name}", self.horizon, missing, False, self.floor, waiting, since, more)


@dataclass
class Server:
    """Receives and applies, as `actions.offline.exchange` does with tables."""

    tills: dict[str, Till]
    books: list[Turn] = field(default_factory=list)
    when: dict[Turn, datetime] = field(default_factory=dict)

    def sync(self, till: Till, numbers: Sequence[int], now: datetime) -> None:
        """Some of a queue arrives; with it the device says how long its queue is, and what its clock shows."""
        ahead = order.skew(now + till.ahead, now)
        for number in numbers:
            if number not in till.delivered:
                said = till.queue[number - 1] + till.ahead
                till.at[number] = order.happened(said, ahead, till.horizon, now)
                till.delivered.add(number)
                till.came[number] = now
        if order.next_sequence(1, till.delivered) > len(till.queue):
            till.horizon = now
        self.apply(now)

    def apply(self, now: datetime) -> None:
        for _ in range(100):
            found = order.ready([till.known() for till in self.tills.values()], Patience(WINDOW, now))
            for turn in found:
                till = self.tills[turn.till]
                till.applied.add(turn.sequence)
                till.floor = turn.at if till.floor is None else max(till.floor, turn.at)
                self.books.append(turn)
                self.when[turn] = now
            if not found:
                return
        raise AssertionError("it never ends")


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


@given(days(), st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_nothing_waits_for_longer_than_the_window_though_a_till_with_a_gap_goes_on_being_heard_of(
    day: tuple[list[timedelta], list[tuple[float, str, str]]], lost: list[int]
) -> None:
    skews, story = day
    server = Server({name: Till(name, ahead) for name, ahead in zip(TILLS, skews, strict=False)})
    first = next(iter(server.tills.values()))
    deeds = iter(story)
    upcoming = next(deeds, None)
    for now in range(0, 130, 5):  # each is heard of regularly; the first can never bring some of its numbers
        while upcoming is not None and upcoming[0] <= now:
            server.tills[upcoming[1]].queue.append(minute(upcoming[0]))
            upcoming = next(deeds, None)
        for till in server.tills.values():
            had = range(1, len(till.queue) + 1)
            server.sync(till, [n for n in had if till is not first or n not in lost], minute(now))
    for turn, at in server.when.items():
        assert at <= server.tills[turn.till].came[turn.sequence] + WINDOW, "an event waits for the window at most"
    brought = sorted((t.name, n) for t in server.tills.values() for n in t.delivered)
    assert sorted((turn.till, turn.sequence) for turn in server.books) == brought, "each once, none is left"
    for till in server.tills.values():
        own = [turn.sequence for turn in server.books if turn.till == till.name]
        assert own == sorted(own)


SOON = Patience(WINDOW, minute(10))


def test_a_device_that_may_still_bring_something_earlier_is_waited_for() -> None:
    mine = Device("till_a", "dev_a", minute(5), 2, waiting=(Waiting(1, minute(3)),))
    other = Device("till_b", "dev_b", minute(2), 1)
    assert order.ready([mine, other], SOON) == []
    assert order.waits_for([mine, other], SOON) == minute(62)
    assert [one.sequence for one in order.ready([mine, replace(other, horizon=minute(4))], SOON)] == [1]
    assert [one.sequence for one in order.ready([mine, replace(other, ended=True)], SOON)] == [1]
    assert order.ready([mine], SOON) == order.ready([mine, replace(other, ended=True)], SOON)
    later = Patience(WINDOW, minute(62))
    assert [one.sequence for one in order.ready([mine, other], later)] == [1]
    assert order.waits_for([other], later) is None


def test_at_one_instant_the_till_decides_and_then_the_number() -> None:
    seconds = tuple(Waiting(n, minute(1)) for n in range(1, 43))
    a = Device("till_a", "dev_a", minute(2), 43, waiting=seconds)
    b = Device("till_b", "dev_b", minute(2), 43, waiting=seconds)
    found = order.ready([b, a], SOON)
    assert [(one.till, one.sequence) for one in found] == [
        (till, n) for till in ("till_a", "till_b") for n in range(1, 43)
    ]


def test_a_gap_is_waited_for_until_the_window_is_over_and_once() -> None:
    waiting = (Waiting(1, minute(1)), Waiting(3, minute(2)))
    device = Device("till_a", "dev_a", minute(0), 2, waiting=waiting, missing_since=minute(5))
    assert [one.sequence for one in order.ready([device], SOON)] == [1]
    assert [one.sequence for one in order.ready([device], Patience(WINDOW, minute(64)))] == [1], "others wait no more"
    assert order.waits_for([device], Patience(WINDOW, minute(64))) == minute(65)
    assert [one.sequence for one in order.ready([device], Patience(WINDOW, minute(65)))] == [1, 3]
    assert [one.sequence for one in order.ready([replace(device, ended=True)], SOON)] == [1, 3]
    further = replace(device, waiting=(Waiting(9, minute(70)),))
    assert [one.sequence for one in order.ready([further], Patience(WINDOW, minute(70)))] == [9]


def test_of_a_long_queue_nothing_is_overtaken_that_is_not_listed_yet() -> None:
    listed = Device("till_a", "dev_a", minute(9), 9, waiting=(Waiting(1, minute(1)), Waiting(2, minute(2))), more=True)
    other = Device("till_b", "dev_b", minute(9), 2, waiting=(Waiting(1, minute(3)),))
    assert [(one.till, one.sequence) for one in order.ready([listed, other], SOON)] == [("till_a", 1), ("till_a", 2)]
    long_ago = Patience(WINDOW, minute(600))
    assert [one.till for one in order.ready([listed, other], long_ago)] == ["till_a"] * 2
    assert [one.till for one in order.ready([replace(listed, more=False), other], SOON)][-1] == "till_b"


def test_a_device_keeps_its_own_order_when_its_clock_is_set_back() -> None:
    device = Device("till_a", "dev_a", minute(0), 3, waiting=(Waiting(1, minute(9)), Waiting(2, minute(4))))
    assert [(one.sequence, one.at) for one in order.ready([device], SOON)] == [(1, minute(9)), (2, minute(9))]


def test_what_a_device_says_is_corrected_and_bounded() -> None:
    ahead = timedelta(minutes=10)
    assert order.happened(minute(30), ahead, minute(0), minute(60)) == minute(20)
    assert order.happened(minute(5), ahead, minute(0), minute(60)) == minute(0), "not before it had brought all"
    assert order.happened(minute(90), ahead, minute(0), minute(60)) == minute(60), "not in the future"
    assert order.happened(datetime.min.replace(tzinfo=UTC), ahead, minute(0), minute(60)) == minute(0)
    assert order.skew(minute(10), minute(0)) == ahead
    assert order.skew(None, minute(0)) == timedelta(0)
