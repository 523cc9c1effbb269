"""A pass whose bytes are at hand: it is still the phone's own, still today's, and its bytes do not pile up."""

from __future__ import annotations

import pytest

from tests.conftest import whole_module_mostly_on
from tests.phone import Phone
from tests.world import PASS_TYPE, World
from wallet_server.actions.context import Shelf
from wallet_server.actions.passes import devices
from wallet_server.errors import Unauthenticated

database_kind = whole_module_mostly_on("sqlite")


def test_bytes_at_hand_are_the_same_for_the_next_phone_and_nobody_elses(world: World) -> None:
    holder = world.enrol()
    Phone(world, holder).add()
    first, second = (devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, None) for _ in range(2))
    assert world.ctx.signed.holds((PASS_TYPE, holder.serial))
    assert first == second
    assert devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, first.last_modified).body is None
    for token in (None, "", holder.token[:-1], world.enrol().token):
        with pytest.raises(Unauthenticated):
            devices.fetch(world.ctx, PASS_TYPE, holder.serial, token, None)


def test_a_change_is_served_though_older_bytes_are_at_hand(world: World) -> None:
    holder = world.enrol()
    phone = Phone(world, holder).add()
    before = devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, None)
    world.sell(holder, 1000)
    world.work()
    after = devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, before.last_modified)
    assert after.body not in (None, before.body)
    assert phone.pull()
    assert phone.value("points") == 10


def test_a_shelf_forgets_names_with_their_bytes() -> None:
    shelf = Shelf(most_bytes=10)
    shelf.put((1,), b"12345", "one")
    shelf.put((2,), b"12345", "two")
    assert (shelf.holds("one"), shelf.holds("two")) == (True, True)
    shelf.put((3,), b"12345", "two")  # a newer version of two drives out the bytes of one
    assert (shelf.holds("one"), shelf.holds("two")) == (False, True)
    shelf.put((4,), b"12345")  # and now the older bytes of two go; the name means the newer
    assert shelf.get((2,)) is None
    assert shelf.holds("two")
    shelf.put((5,), b"1234567890")
    assert not shelf.holds("two")
