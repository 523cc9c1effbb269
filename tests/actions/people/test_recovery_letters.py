"""Owns what is known about the way back by a code that is sent: to whom an address leads, and that it does so once."""

from __future__ import annotations

import pytest

from tests.conftest import whole_module_mostly_on
from tests.letterbox import Letterbox
from tests.world import Holder, World
from wallet_server.actions.people import enrol, reaching, recovery_letters
from wallet_server.actions.people.reaching import Wanted
from wallet_server.errors import NotFound
from wallet_server.records.people import contacts, members
from wallet_server.records.schema import identities

database_kind = whole_module_mostly_on("sqlite")
CLAIRE = "claire@example.com"


@pytest.fixture
def box(world: World) -> Letterbox:
    box = Letterbox()
    world.ctx.channels = {"email": box}
    return box


def _joins(world: World, email: str | None) -> Holder:
    """Somebody joins on the page, with an address typed there."""
    return world.holder(enrol.join(world.ctx, world.join_code, enrol.Joining(email=email))["pass"])


def _proved(world: World, holder: Holder, email: str = CLAIRE) -> None:
    with world.ctx.change() as tx:
        programme = members.members_by_id(tx, [holder.member_id])[holder.member_id].programme_id
        assert contacts.prove(tx, programme, holder.member_id, "email", email, world.clock.at)


def _asked(world: World, box: Letterbox, email: str = CLAIRE) -> str | None:
    """The code that comes when somebody asks for one."""
    before = len(box.got)
    recovery_letters.ask(world.ctx, email, "en", None)
    world.carried()
    return box.code if len(box.got) > before else None


def _prove(world: World, code: str, form: str = "form") -> recovery_letters.Proved:
    return recovery_letters.prove(world.ctx, CLAIRE, code, form, None)


def _newest(world: World, holder: Holder) -> bool:
    """Whether the card is still its member's."""
    card = enrol.web_card(world.ctx, world.ctx.link("card", holder.pass_public_id).rsplit("/", 1)[1])
    return card.code != ""


def test_what_staff_or_a_system_typed_gives_nobody_a_card(world: World, box: Letterbox) -> None:
    world.enrol(email=CLAIRE)
    second = world.enrol()
    reaching.put(world.ctx, world.merchant, second.member, Wanted({"email": CLAIRE}, {}, False), world.wish("contacts"))
    own = _joins(world, CLAIRE)
    reaching.put(world.ctx, world.merchant, own.member, Wanted({"email": None}, {}, False), world.wish("contacts"))
    reaching.put(world.ctx, world.merchant, own.member, Wanted({"email": CLAIRE}, {}, False), world.wish("contacts"))

    assert _asked(world, box) is None


def test_the_address_that_a_member_joined_with_brings_the_card_back(world: World, box: Letterbox) -> None:
    typed, own = world.enrol(email=CLAIRE), _joins(world, CLAIRE)
    code = _asked(world, box)
    assert code is not None
    back = _prove(world, code).back

    assert back is not None
    assert world.holder(back["pass"]).member_id == own.member_id
    assert _newest(world, typed), "whose address a cashier typed keeps the card"
    with world.ctx.look() as tx:
        assert contacts.owner(tx, 1, "email", CLAIRE) == own.member_id


def test_whoever_proved_an_address_alone_is_meant_by_it(world: World, box: Letterbox) -> None:
    strangers = [_joins(world, CLAIRE) for _ in range(2)]
    claire = world.enrol()
    _proved(world, claire)
    code = _asked(world, box)
    assert code is not None
    back = _prove(world, code).back

    assert back is not None
    assert world.holder(back["pass"]).member_id == claire.member_id
    assert all(_newest(world, one) for one in strangers)


def test_a_code_gives_one_card_once(world: World, box: Letterbox) -> None:
    _joins(world, CLAIRE)
    code = _asked(world, box)
    assert code is not None
    first = _prove(world, code)
    assert _prove(world, code) == first, "a double tap"
    with pytest.raises(NotFound):
        _prove(world, code, "another form")
    world.clock.forward(seconds=61)
    with pytest.raises(NotFound):
        _prove(world, code)


def test_one_of_several_cards_comes_back_for_a_code(world: World, box: Letterbox) -> None:
    both = [_joins(world, CLAIRE) for _ in range(2)]
    code = _asked(world, box)
    assert code is not None
    proved = _prove(world, code)
    assert {one.member for one in proved.cards} == {one.member for one in both}
    again = _prove(world, code)
    made = recovery_letters.choose(world.ctx, proved.token, both[0].member, "one")
    assert recovery_letters.choose(world.ctx, proved.token, both[0].member, "one") == made, "a double tap"
    for token, chosen, form in (
        (proved.token, both[1], "two"),
        (again.token, both[1], "one"),
        (again.token, both[0], "three"),
    ):
        with pytest.raises(NotFound) as refused:
            recovery_letters.choose(world.ctx, token, chosen.member, form)
        assert refused.value.code == "wrong-sent-code"
    world.clock.forward(seconds=61)
    with pytest.raises(NotFound):
        recovery_letters.choose(world.ctx, proved.token, both[0].member, "one")
    assert _newest(world, both[1])


def test_a_choice_waits_ten_minutes_and_for_no_address_that_is_gone(world: World, box: Letterbox) -> None:
    both = [_joins(world, CLAIRE) for _ in range(2)]
    code = _asked(world, box)
    assert code is not None
    token = _prove(world, code).token
    with world.ctx.change() as tx:
        tx.execute(identities.delete().where(identities.c.member_id == both[0].member_id))
    with pytest.raises(NotFound):
        recovery_letters.choose(world.ctx, token, both[0].member, "one")
    world.clock.forward(minutes=10, seconds=1)
    with pytest.raises(NotFound):
        recovery_letters.choose(world.ctx, token, both[1].member, "two")
    assert all(_newest(world, one) for one in both)
