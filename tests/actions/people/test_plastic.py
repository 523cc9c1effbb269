"""Owns what is known about a card of plastic that becomes one with a card on a phone: by whom, how often one tries."""

from __future__ import annotations

import pytest

from tests.actions.counter.test_codes import barcode, rich, spend
from tests.actions.people.test_one_time import CLAIRE, _wrong
from tests.conftest import whole_module_mostly_on
from tests.letterbox import Letterbox
from tests.phone import Phone
from tests.world import Holder, World
from wallet_server.actions.counter import scanning, till
from wallet_server.actions.counter.scanning import Proof
from wallet_server.actions.once import Facts, asked
from wallet_server.actions.people import importing, plastic, recovery
from wallet_server.actions.people.importing import File
from wallet_server.actions.people.reaching import Wanted, put
from wallet_server.errors import Conflict, NotFound, TooMany, WalletError
from wallet_server.records.people import contacts
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
