"""Owns what is known about pairing: once, within five minutes, for one device, and taken back at any time."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.world import World, founded, together
from wallet_server.actions import keys
from wallet_server.actions.counter import pairing
from wallet_server.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated, WalletError
from wallet_server.records.scope import Scope


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    """A merchant; where SQL is particular, a test takes both databases."""
    with founded(new_database("sqlite"), tmp_path) as made:
        yield made


@pytest.fixture
def owner(world: World) -> Scope:
    """An owner of the bakery, as the console knows one."""
    return replace(world.merchant, principal="staff:one", scopes=frozenset({"read", "manage"}))


def device() -> str:
    """The random text of one more device."""
    return secrets.token_urlsafe(32)


def invited(world: World, owner: Scope) -> str:
    """The secret of a fresh link to a fresh till."""
    till = pairing.make_till(world.ctx, owner, world.founded.store, "Caisse 1")
    return pairing.invite(world.ctx, owner, till).link.partition("#")[2]


def code_of(act: object, *given: object) -> str:
    with pytest.raises(WalletError) as refused:
        act(*given)  # type: ignore[operator]
    return refused.value.code


def test_a_device_gets_a_key_of_its_till_and_of_nothing_else(world: World, owner: Scope) -> None:
    till = pairing.make_till(world.ctx, owner, world.founded.store, "  Caisse   1 ")
    assert pairing.make_till(world.ctx, owner, world.founded.store, "caisse 1") == till, "asking twice makes one"
    invitation = pairing.invite(world.ctx, owner, till)
    link, _, secret = invitation.link.partition("#")
    assert link == f"{world.ctx.settings.base_url}/pair"
    place = pairing.greet(world.ctx, secret)
    assert (place.till, pairing.progress(world.ctx, owner, invitation.public_id).state) == ("Caisse 1", "waiting")
    made = pairing.pair(world.ctx, secret, device(), "Téléphone")
    scope = keys.authenticate(world.ctx, made.key)
    assert scope.scopes == {"till"}
    assert scope.store_id == world.till.store_id
    assert scope.till_id != world.till.till_id
    assert pairing.progress(world.ctx, owner, invitation.public_id) == pairing.Progress("used", "Téléphone", 300)
    (named,) = [one.devices for one in pairing.tills(world.ctx, owner) if one.row.public_id == till]
    assert [(one.name, one.used_at) for one in named] == [("Téléphone", None)]
    keys.Meter(60).count(world.ctx, scope)
    (named,) = [one.devices for one in pairing.tills(world.ctx, owner) if one.row.public_id == till]
    assert named[0].used_at == world.clock.at, "the owner sees when it was last used"


def test_a_lost_answer_is_asked_for_again_and_nobody_else_gets_the_key(world: World, owner: Scope) -> None:
    secret, mine = invited(world, owner), device()
    made = pairing.pair(world.ctx, secret, mine, "A")
    world.clock.forward(minutes=9)
    assert pairing.pair(world.ctx, secret, mine, "A again").key == made.key
    assert code_of(pairing.pair, world.ctx, secret, device(), "B") == "pairing-used"
    assert code_of(pairing.greet, world.ctx, secret) == "pairing-used"
    world.clock.forward(hours=1)
    assert code_of(pairing.pair, world.ctx, secret, mine, "A") == "pairing-used"


def test_a_code_lives_five_minutes(world: World, owner: Scope) -> None:
    secret = invited(world, owner)
    world.clock.forward(minutes=4, seconds=59)
    pairing.greet(world.ctx, secret)
    world.clock.forward(seconds=1)
    assert code_of(pairing.greet, world.ctx, secret) == "pairing-expired"
    assert code_of(pairing.pair, world.ctx, secret, device(), "A") == "pairing-expired"


def test_strangers_find_nothing(world: World, owner: Scope) -> None:
    secret, stranger = invited(world, owner), replace(owner, merchant_id=owner.merchant_id + 1)
    assert pairing.tills(world.ctx, stranger) == []
    till = pairing.tills(world.ctx, owner)[0].row.public_id
    made = pairing.invite(world.ctx, owner, till)
    paired = pairing.pair(world.ctx, secret, device(), "A").key.partition(".")[0]
    for act, given in (
        (pairing.invite, till),
        (pairing.progress, made.public_id),
        (pairing.revoke, paired),
    ):
        with pytest.raises(NotFound):
            act(world.ctx, stranger, given)  # type: ignore[operator]
    cashier = replace(owner, scopes=frozenset({"read-counter"}))
    with pytest.raises(Forbidden):
        pairing.invite(world.ctx, cashier, till)
    assert code_of(pairing.pair, world.ctx, "x" * 43, device(), "A") == "pairing-unknown"
    assert code_of(pairing.greet, world.ctx, "'; drop") == "pairing-unknown"


def test_an_unpaired_device_is_no_till_any_more(world: World, owner: Scope) -> None:
    secret, mine = invited(world, owner), device()
    made = pairing.pair(world.ctx, secret, mine, "A")
    api_key = world.till.key_id
    with pytest.raises(NotFound):
        pairing.revoke(world.ctx, owner, api_key)  # a key that was made by hand is no paired device
    pairing.revoke(world.ctx, owner, made.key.partition(".")[0])
    with pytest.raises(Unauthenticated):
        keys.authenticate(world.ctx, made.key)
    assert code_of(pairing.pair, world.ctx, secret, mine, "A") == "pairing-used"
    assert not any(one.devices for one in pairing.tills(world.ctx, owner))


@pytest.mark.parametrize("name", ["", " \n", "x" * 101, "a\x00b"])
def test_names_are_plain(world: World, owner: Scope, name: str) -> None:
    with pytest.raises(Invalid):
        pairing.make_till(world.ctx, owner, world.founded.store, name)
    with pytest.raises(Invalid):
        pairing.pair(world.ctx, invited(world, owner), device(), name)


def test_of_many_devices_at_once_one_is_paired(database_url: str, tmp_path: Path) -> None:
    with founded(database_url, tmp_path) as world:
        owner = replace(world.merchant, scopes=frozenset({"manage"}))
        secret = invited(world, owner)
        tries = [partial(pairing.pair, world.ctx, secret, device(), str(n)) for n in range(5)]
        answers = together(*tries)
        assert [one.code for one in answers if isinstance(one, Conflict)] == ["pairing-used"] * 4
        assert [len(one.devices) for one in pairing.tills(world.ctx, owner)] == [0, 1]
