"""The list of what changed: each phone is told of all that it may lack, whatever others have fetched meanwhile."""

from __future__ import annotations

from dataclasses import replace

from tests.phone import Phone
from tests.world import PASS_TYPE, World
from wallet_server.actions.passes import devices


def sold(world: World, phone: Phone, amount_minor: int = 1000) -> None:
    """A sale, published after the window in which changes are one update."""
    world.clock.forward(minutes=1)
    world.sell(phone.holder, amount_minor)
    world.work()


def test_a_list_holds_the_cards_of_its_pass_type_alone(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    assert devices.changed_since(world.ctx, phone.library, PASS_TYPE, None) == ([phone.holder.serial], "0")
    assert devices.changed_since(world.ctx, phone.library, "pass.test.other", None) is None
    assert devices.changed_since(world.ctx, "somebody-else", PASS_TYPE, None) is None


def test_a_version_that_was_fetched_before_it_was_listed_is_listed_once_more_and_no_more(world: World) -> None:
    """Published between a phone's question and its fetch: the phone has it ahead of the push that is for it. Its own
    tag is older, so the answer to its next question names the card, and the fetch finds it unchanged (Apple's phones
    write that down: "but the pass was unchanged"). A fetch does not say which device it is from, so the list cannot
    know."""
    phone = Phone(world, world.enrol()).add()
    sold(world, phone)
    assert phone.ask() == [phone.holder.serial]
    sold(world, phone)
    got = devices.fetch(world.ctx, PASS_TYPE, phone.holder.serial, phone.holder.token, phone.modified)
    assert got.body is not None
    phone.modified = got.last_modified
    assert phone.ask() == [phone.holder.serial]
    again = devices.fetch(world.ctx, PASS_TYPE, phone.holder.serial, phone.holder.token, phone.modified)
    assert (again.body, again.last_modified) == (None, got.last_modified)
    assert phone.ask() == []
    sold(world, phone)
    assert phone.pull(), "and the next change comes as ever"
    assert phone.value("points") == 30


def test_what_one_has_fetched_stays_on_the_list_of_whoever_may_lack_it(world: World) -> None:
    """The reason why the list leaves nothing out that was fetched by somebody."""
    phone = Phone(world, world.enrol()).add()
    old = replace(phone)
    sold(world, phone)
    # A copy of the card that is registered nowhere is pulled down upon.
    devices.fetch(world.ctx, PASS_TYPE, phone.holder.serial, phone.holder.token, None)
    assert phone.pull()
    assert phone.value("points") == 10
    # The same device comes back from a backup of before the sale.
    restored = replace(old, token="cd" * 32)
    assert not restored.register()
    world.work()
    assert restored.rung()
    assert restored.pull()
    assert restored.value("points") == 10
    # An answer that never arrived, though it was sent.
    sold(world, phone)
    devices.fetch(world.ctx, PASS_TYPE, phone.holder.serial, phone.holder.token, phone.modified)
    assert phone.pull()
    assert phone.value("points") == 20
