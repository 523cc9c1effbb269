"""What tills bring waits for others, for what is missing and for a limit that was reached, and for none of them longer
than is said."""

from __future__ import annotations

import pytest

from tests.actions.counter.test_codes import number_of
from tests.conftest import mostly_on
from tests.offline_world import device_of, entries, states
from tests.world import World
from wallet_server.actions.counter import till
from wallet_server.actions.counter.scanning import WINDOW_MINUTES, WRONG_AT_TILL
from wallet_server.errors import TooMany
from wallet_server.records.offline import arrivals
from wallet_server.rules.counter import short_codes


def test_a_till_with_a_gap_that_goes_on_being_heard_of_holds_nobody_up_for_longer_than_the_window(world: World) -> None:
    holder = world.enrol()
    broken, other = device_of(world), device_of(world, world.second_till())
    for receipt in ("LOST", "AFTER"):
        world.clock.forward(minutes=1)
        broken.sell(holder.code, receipt, 100)
    assert states(broken.send(broken.queue[1:])) == [("waiting", None)]
    world.clock.forward(minutes=1)
    other.sell(holder.code, "OTHER", 100)
    assert other.sync() == ["waiting"]
    for _ in range(5):  # signs of life, but never the first
        world.clock.forward(minutes=10)
        assert broken.send([])["next_sequence"] == 1
        assert other.sync() == ["waiting"]
    world.clock.forward(minutes=8)
    assert states(broken.send(broken.queue[1:])) == [("waiting", None)], "for its own first that is missing"
    assert other.sync() == ["applied"]
    world.clock.forward(minutes=2)
    assert states(broken.send(broken.queue[1:])) == [("applied", None)]
    broken.sell(holder.code, "LATER", 100)
    world.clock.forward(minutes=1)
    other.sync()
    assert states(broken.send(broken.queue[2:])) == [("applied", None)], "what comes after that does not wait again"
    assert states(broken.send(broken.queue[:1])) == [("applied", None)]
    assert [receipt for receipt, _ in entries(world)] == ["OTHER", "AFTER", "LATER", "LOST"]
    world.clock.forward(minutes=1)
    other.sell(holder.code, "SOON", 100)
    world.clock.forward(minutes=1)
    assert other.sync()[-1] == "waiting", "it is waited for again"
    broken.send([])
    assert other.sync()[-1] == "applied"


@mostly_on("sqlite")
def test_of_long_queues_none_is_overtaken_by_another_till(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "MOST_OF_ONE", 3)
    monkeypatch.setattr(arrivals, "_WAITING", arrivals.listing(3))
    holder = world.enrol()
    one, two, silent = (device_of(world, key) for key in (None, world.second_till(), world.second_till()))
    happened = []
    for number in range(14):
        at = world.clock.forward(minutes=1)
        (two if number == 7 else one).sell(holder.code, f"R{number}", 100)
        happened.append((f"R{number}", at))
    world.clock.forward(minutes=1)
    assert set(one.sync() + two.sync()) == {"waiting"}
    world.clock.forward(minutes=1)
    silent.sync()
    assert set(one.sync() + two.sync()) <= {"applied", "waiting"}
    world.work()
    assert entries(world) == happened


def guess(number: int) -> str:
    return short_codes.manual(number)


def test_wrong_numbers_of_a_till_without_a_network_are_guesses_and_no_honest_sale_is_refused_for_being_many(
    world: World,
) -> None:
    holder = world.enrol()
    trying, honest = device_of(world), device_of(world, world.second_till())
    short = guess(number_of(world, holder))
    for number in range(WRONG_AT_TILL + 1):
        trying.sell(guess(number), f"G{number}", 100)
    trying.sell(short, "HERE", 100)
    trying.sell(holder.code, "AFTER", 100)
    world.clock.forward(minutes=1)
    honest.sell(short, "THERE", 100)
    world.clock.forward(minutes=1)
    honest.sync()
    answer = trying.send(trying.queue)
    assert states(answer) == [*[("conflict", "unknown-card")] * WRONG_AT_TILL, *[("waiting", None)] * 3]
    assert honest.sync() == ["applied"], "the others go on"
    with pytest.raises(TooMany):
        till.look_up(world.ctx, world.till, short)
    world.clock.forward(minutes=WINDOW_MINUTES)
    world.work()
    assert states(trying.send(trying.queue))[WRONG_AT_TILL:] == [("conflict", "unknown-card"), *[("applied", None)] * 2]
    assert [receipt for receipt, _ in entries(world)] == ["THERE", "HERE", "AFTER"]


@mostly_on("sqlite")
def test_a_wrong_number_under_the_receipt_of_another_sale_is_a_guess_too(world: World) -> None:
    holder, device = world.enrol(), device_of(world)
    world.sell(holder, 1200, receipt="R1")
    for number in range(WRONG_AT_TILL + 1):
        device.sell(guess(number), "R1", 1200)
    found = states(device.send(device.queue))
    assert ("conflict", "receipt-taken") in found
    assert found[-1] == ("waiting", None)
