"""Owns what is known about a card of plastic that becomes one with a card on a phone: by whom, how often one tries."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import pytest

from tests.actions.counter.test_codes import barcode, rich, spend
from tests.actions.people.test_one_time import CLAIRE, _wrong
from tests.conftest import KINDS, whole_module_mostly_on
from tests.letterbox import Letterbox
from tests.phone import Phone
from tests.world import Holder, World, together
from wallet_server.actions import keys
from wallet_server.actions.counter import scanning, till
from wallet_server.actions.counter.scanning import Proof
from wallet_server.actions.once import Facts, asked
from wallet_server.actions.people import importing, plastic, recovery
from wallet_server.actions.people.importing import File
from wallet_server.actions.people.reaching import Wanted, put
from wallet_server.errors import Conflict, NotFound, TooMany, Unavailable, WalletError
from wallet_server.records.people import contacts
from wallet_server.records.people import plastic as numbers_of_plastic
from wallet_server.records.scope import Scope

database_kind = whole_module_mostly_on("sqlite")


@pytest.fixture
def box(world: World) -> Letterbox:
    box = Letterbox()
    world.ctx.channels = {"email": box}
    return box


def _link(world: World, code: str, number: str, proof: Proof | None = None, scope: Scope | None = None) -> Facts:
    said = asked(world.till, "plastic", {"code": code, "number": number}, None, f"{code}{number}"[-30:])
    return plastic.link(world.ctx, scope or world.till, code, number, said, proof)[0]


def _refusal(world: World, code: str, number: str, proof: Proof | None = None) -> str:
    with pytest.raises(WalletError) as refused:
        _link(world, code, number, proof)
    return refused.value.code


def _taken_over(world: World, lines: str) -> None:
    importing.take_over(
        world.ctx, world.merchant, world.programme, File("x.csv", f"card;email;points\n{lines}".encode(), {})
    )
    world.work()


def test_with_a_card_that_is_not_up_to_date_a_number_is_linked_by_a_second_proof(world: World, box: Letterbox) -> None:
    holder = rich(world)
    with world.ctx.change() as tx:
        contacts.prove(tx, 1, holder.member_id, CLAIRE.kind, CLAIRE.value, world.clock.at)
    phone = Phone(world, holder).add()
    spend(world, holder.code)
    world.work()
    assert phone.pull()
    world.clock.forward(minutes=11)
    assert _refusal(world, holder.code, "88001") == "second-proof-needed"
    scanning.send_proof(world.ctx, world.till, holder.code)
    world.carried()
    assert _refusal(world, holder.code, "88001", Proof("code", _wrong(box.code))) == "wrong-proof"
    facts = _link(world, holder.code, "88001", Proof("code", box.code))
    assert facts["member"] == holder.member == till.look_up(world.ctx, world.till, "88001").member
    assert _link(world, barcode(phone), "88002")["member"] == holder.member


def test_a_till_tries_no_numbers_one_after_the_other(world: World) -> None:
    holder, somebody = world.enrol(), world.enrol()
    done = _link(world, holder.code, "70000")
    _link(world, somebody.code, "70001")
    tried = 2
    while tried < scanning.WRONG_AT_TILL:
        assert _refusal(world, holder.code, "70001") == "number-in-use"
        tried += 1
    for ctx in (world.ctx, world.ctx.rehearsing()):
        with pytest.raises(TooMany) as refused:
            plastic.link(ctx, world.till, holder.code, "70002", asked(world.till, "plastic", {}, None, "x"))
        assert refused.value.code == "too-many-codes"
        assert 0 < refused.value.retry_after_seconds <= 600
    assert _link(world, holder.code, "70000") == done, "what was done is told again"
    world.clock.forward(minutes=10)
    assert _link(world, holder.code, "70002")["member"] == holder.member


def test_numbers_that_are_refused_on_the_page_count_too(world: World, box: Letterbox) -> None:
    old = world.enrol()
    token = world.ctx.link("card", old.pass_public_id).rsplit("/", 1)[1]
    recovery.by_link(world.ctx, world.ctx.link("recover", old.pass_public_id).rsplit("/", 1)[1], "form")
    for _ in range(5):
        with pytest.raises(NotFound):
            plastic.claim(world.ctx, token, "70001", None)
    with pytest.raises(TooMany):
        plastic.claim(world.ctx, token, "70001", None)


def _page(world: World, holder: Holder) -> str:
    return world.ctx.link("card", holder.pass_public_id).rsplit("/", 1)[1]


def test_an_old_card_is_proved_by_an_address_that_came_with_it_and_not_by_one_that_staff_typed(
    world: World, box: Letterbox
) -> None:
    _taken_over(world, "88001;old@example.com;40\n")
    member, carded = world.enrol(), world.enrol()
    _link(world, carded.code, "88002")
    put(world.ctx, world.merchant, carded.member, Wanted({"email": "b@example.com"}, {}, False), world.wish("contacts"))

    assert plastic.claim(world.ctx, _page(world, member), "88002", None).state == "shop"
    assert plastic.claim(world.ctx, _page(world, member), "88001", None).state == "sent"
    world.carried()
    for _ in range(5):
        with pytest.raises(NotFound):
            plastic.confirm(world.ctx, _page(world, member), "88001", _wrong(box.code))
    with pytest.raises(NotFound):
        plastic.confirm(world.ctx, _page(world, member), "88001", box.code)
    world.clock.forward(minutes=1)
    plastic.claim(world.ctx, _page(world, member), "88001", None)
    world.carried()
    assert plastic.confirm(world.ctx, _page(world, member), "88001", box.code)["moved"]["points"] == 40
    with pytest.raises((Conflict, NotFound)):
        plastic.confirm(world.ctx, _page(world, member), "88001", box.code)


@pytest.mark.parametrize("database_kind", KINDS)
def test_of_two_who_add_the_same_numbers_at_once_in_opposite_orders_one_has_them_all(world: World) -> None:
    holders = [world.enrol(), world.enrol()]
    numbers = [hashlib.sha256(str(n).encode()).digest() for n in range(800)]

    def add(holder: Holder, order: list[bytes]) -> bool:
        with world.ctx.change() as tx:
            return numbers_of_plastic.add_numbers(tx, dict.fromkeys(order, holder.member_id), world.clock())

    done = together(lambda: add(holders[0], numbers), lambda: add(holders[1], numbers[::-1]))
    assert sorted(done) == [False, True]
    with world.ctx.look() as tx:
        found = numbers_of_plastic.holders(tx, numbers)
    assert {key for key, _ in found.values()} == {holders[done.index(True)].member_id}
    assert len(found) == len(numbers)


@pytest.mark.parametrize("database_kind", KINDS)
def test_of_two_who_link_the_same_number_at_once_one_has_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    holders, second = [world.enrol(), world.enrol()], keys.authenticate(world.ctx, world.second_till())
    met, add = threading.Barrier(2), numbers_of_plastic.add_numbers

    def together_at_last(*said: Any) -> bool:
        if world.ctx.database.engine.dialect.name == "postgresql":  # of SQLite's writers one waits before it looks
            met.wait(30)
        return add(*said)

    monkeypatch.setattr(numbers_of_plastic, "add_numbers", together_at_last)
    tills = (world.till, second)
    done = together(
        *[lambda h=h, t=t: _link(world, h.code, "90001", scope=t) for h, t in zip(holders, tills, strict=True)]
    )
    monkeypatch.undo()
    first = next(n for n, one in enumerate(done) if isinstance(one, dict))
    assert isinstance(done[1 - first], (Unavailable, Conflict))
    assert _refusal(world, holders[1 - first].code, "90001") == "number-in-use"
    assert till.look_up(world.ctx, world.till, "90001").member == holders[first].member
