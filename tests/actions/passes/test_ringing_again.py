"""A worker that starts rings the phones that may have come while nobody was there."""

from __future__ import annotations

from tests.phone import Phone
from tests.world import PASS_TYPE, World
from wallet_server.actions.passes import devices, refresh


def told(world: World) -> Phone:
    """A phone that was rung for a sale and has not fetched it."""
    phone = Phone(world, world.enrol()).add()
    world.work()
    world.clock.forward(minutes=1)
    world.sell(phone.holder, 1000)
    world.work()
    assert phone.rung()
    return phone


def test_a_phone_that_came_in_vain_is_rung_once_more_and_then_left_alone(world: World) -> None:
    phone = told(world)
    world.clock.forward(minutes=1)

    assert refresh.ring_unheard(world.ctx) == 1
    world.work()
    assert phone.rung()
    assert phone.pull()
    assert phone.value("points") == 10

    assert refresh.ring_unheard(world.ctx) == 0
    world.work()
    assert not phone.rung()


def test_a_download_that_was_not_noted_is_noted_when_the_phone_comes_again(world: World) -> None:
    phone = told(world)
    world.ctx.notes = lambda _pass, _number: None  # the process ends before it writes its notes
    assert phone.pull()
    world.ctx.notes = None

    assert refresh.ring_unheard(world.ctx) == 1
    world.work()
    assert phone.rung()
    assert phone.ask() == [phone.holder.serial]
    again = devices.fetch(world.ctx, PASS_TYPE, phone.holder.serial, phone.holder.token, phone.modified)
    assert again.body is None
    assert refresh.ring_unheard(world.ctx) == 0


def test_what_was_told_long_ago_or_fetched_is_not_told_again(world: World) -> None:
    fetched, away = told(world), told(world)
    fetched.pull()
    world.clock.forward(minutes=16)

    assert refresh.ring_unheard(world.ctx) == 0
    world.work()
    assert not away.rung()


def test_a_card_that_no_phone_holds_is_passed_over(world: World) -> None:
    holder = world.enrol()
    world.clock.forward(minutes=1)
    world.sell(holder, 1000)
    world.work()

    assert refresh.ring_unheard(world.ctx) == 0
