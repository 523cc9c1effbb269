"""Owns what is known about passkeys: one is both factors, answers one question once, and is for one host alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.actions.staff.test_staff_sign_in import HOME, enter, fail, hire, locks, stored, visit
from tests.authenticator import Device
from tests.conftest import NewDatabase
from tests.world import World, founded
from wallet_server.actions.staff import attempts, passkeys, sessions
from wallet_server.actions.staff.passkeys import Party
from wallet_server.actions.staff.sessions import Entered
from wallet_server.errors import Invalid, NotFound, TooMany, Unauthenticated
from wallet_server.records.staff import staff

pytestmark = pytest.mark.usefixtures("cheap_passwords")
PARTY = Party("shop.example.com", "https://shop.example.com")


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    """A merchant, on SQLite."""
    with founded(new_database("sqlite"), tmp_path) as made:
        yield made


@pytest.fixture
def device(world: World) -> Device:
    """The phone of an owner, with a passkey for the shop."""
    hire(world)
    device, person = Device(PARTY.origin), visit(world, enter(world)).person
    question = passkeys.registration(world.ctx, person, PARTY)
    assert "marie@example.com" in question
    passkeys.register(world.ctx, person, PARTY, device.make(question), " My   phone ")
    return device


def sign_in(world: World, answer: str, party: Party = PARTY) -> Entered:
    return passkeys.sign_in(world.ctx, party, answer, "Safari", HOME, remember=True)


def ask(world: World) -> str:
    return passkeys.question(world.ctx, PARTY, HOME)


def test_a_passkey_signs_in_alone(world: World, device: Device) -> None:
    entered = sign_in(world, device.enter(ask(world)))
    here = visit(world, entered)
    assert not here.pending
    assert here.days_left is None, "it is a second factor, too"
    assert [one.name for one in passkeys.of(world.ctx, here.person)] == ["My phone"]
    assert enter(world).pending, "a password alone no longer lets in"


def test_an_answer_is_good_once_and_for_its_own_question(world: World, device: Device) -> None:
    question = ask(world)
    answer = device.enter(question)
    sign_in(world, answer)
    for stale in (answer, device.enter(question)):
        with pytest.raises(Unauthenticated):
            sign_in(world, stale)
    late = device.enter(ask(world))
    world.clock.forward(minutes=6)
    with pytest.raises(Unauthenticated):
        sign_in(world, late)
    sign_in(world, device.enter(ask(world)))


def test_another_host_another_key_and_no_finger_are_refused(world: World, device: Device) -> None:
    stranger = Device(PARTY.origin, credential=device.credential)
    elsewhere = replace(device, origin="https://shop.example.net")
    silent = replace(device, asks_for_finger=False)
    unknown = Device(PARTY.origin)
    for wrong in (stranger, elsewhere, silent, unknown):
        with pytest.raises(Unauthenticated) as refused:
            sign_in(world, wrong.enter(ask(world)))
        assert refused.value.code == "wrong-passkey"
    moved = Party("shop.example.net", "https://shop.example.net")
    with pytest.raises(Unauthenticated):
        sign_in(world, device.enter(ask(world)), moved)
    sign_in(world, device.enter(ask(world)))


def test_a_copied_passkey_is_noticed_by_its_counter(world: World, device: Device) -> None:
    copy = replace(device)
    sign_in(world, device.enter(ask(world)))
    with pytest.raises(Unauthenticated):
        sign_in(world, copy.enter(ask(world)))


def test_a_registration_is_its_persons_own(world: World, device: Device) -> None:
    hire(world, "zoe@example.com", "cashier")
    zoe = visit(world, enter(world, email="zoe@example.com")).person
    marie = visit(world, sign_in(world, device.enter(ask(world)))).person
    fresh = Device(PARTY.origin)
    answer = fresh.make(passkeys.registration(world.ctx, marie, PARTY))
    with pytest.raises(Invalid):
        passkeys.register(world.ctx, zoe, PARTY, answer, "hers")
    with pytest.raises(NotFound):
        passkeys.remove(world.ctx, zoe, passkeys.of(world.ctx, marie)[0].public_id)
    with pytest.raises(Invalid):
        passkeys.register(world.ctx, zoe, PARTY, device.make(passkeys.registration(world.ctx, zoe, PARTY)), "twice")
    passkeys.remove(world.ctx, marie, passkeys.of(world.ctx, marie)[0].public_id)
    with pytest.raises(Unauthenticated):
        sign_in(world, device.enter(ask(world)))


def test_who_waits_after_failures_comes_in_with_a_passkey(world: World, device: Device) -> None:
    fail(world, attempts.NEAR.free)
    assert locks(world)
    assert sessions.visit(world.ctx, sign_in(world, device.enter(ask(world))).secret)
    assert not locks(world)


def test_passwords_that_failed_in_a_network_hold_back_no_passkey(world: World, device: Device) -> None:
    for number in range(attempts.FROM_ADDRESS):
        fail(world, 1, f"nobody-{number}@example.com")
    with pytest.raises(TooMany):
        enter(world)
    assert sign_in(world, device.enter(ask(world)))


def test_after_a_password_by_a_backup_code_a_passkey_lets_in(world: World, device: Device) -> None:
    with world.ctx.change() as tx:
        staff.change(tx, stored(world).id, {"code_reset_at": world.clock()})
    assert not visit(world, sign_in(world, device.enter(ask(world)))).pending
    assert stored(world).code_reset_at is None


@pytest.mark.parametrize("answer", ["", "[]", "{}", "null", '{"response": {"clientDataJSON": "e30"}}', "x" * 30_000])
def test_what_is_no_answer_is_refused(world: World, answer: str) -> None:
    with pytest.raises(Invalid):
        sign_in(world, answer)


def test_questions_are_not_given_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passkeys, "MOST_CHALLENGES", 3)
    for _ in range(3):
        ask(world)
    with pytest.raises(TooMany):
        ask(world)
