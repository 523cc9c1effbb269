from dataclasses import replace

import pytest

from tests.conftest import whole_module_mostly_on
from tests.letterbox import Letterbox
from tests.world import Holder, World, together
from wallet_server.actions.counter import till
from wallet_server.actions.counter.scanning import Proof
from wallet_server.actions.people import letters, one_time
from wallet_server.channels.port import Later, Refused
from wallet_server.errors import Conflict, TooMany
from wallet_server.records.envelope import Keyring
from wallet_server.records.people import contacts, members
from wallet_server.records.people import letters as letter_rows
from wallet_server.rules.people.contacts import Address

database_kind = whole_module_mostly_on("sqlite")
CLAIRE = Address("email", "claire@example.com")
SOMEBODY = Address("email", "somebody@example.com")


@pytest.fixture
def box(world: World) -> Letterbox:
    box = Letterbox()
    world.ctx.channels = {"email": box}
    return box


def _claire(world: World) -> Holder:
    claire = world.enrol()
    with world.ctx.change() as tx:
        programme = members.members_by_id(tx, [claire.member_id])[claire.member_id].programme_id
        contacts.prove(tx, programme, claire.member_id, CLAIRE.kind, CLAIRE.value, world.clock.at)
    return claire


def _send(world: World, holder: Holder) -> one_time.Sent:
    with world.ctx.change() as tx:
        sent = one_time.send(world.ctx, tx, holder.member_id, one_time.PROOF)
    world.carried()
    return sent


def _check(world: World, holder: Holder, value: str, purpose: str = one_time.PROOF) -> bool:
    tried = one_time.guess(world.ctx, holder.member_id, purpose, value)
    with world.ctx.change() as tx:
        return one_time.good(world.ctx, tx, tried, holder.member_id, purpose)


def _refuse(world: World, holder: Holder, value: str) -> None:
    tried = one_time.guess(world.ctx, holder.member_id, one_time.PROOF, value)
    with world.ctx.change() as tx:
        if not one_time.good(world.ctx, tx, tried, holder.member_id, one_time.PROOF):
            raise Conflict("This is not the code.")


def _wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_a_code_is_sent_to_the_proved_address_and_is_good_once(world: World, box: Letterbox):
    claire = _claire(world)

    sent = _send(world, claire)

    assert sent == one_time.Sent("c•••@example.com", "email")
    assert [one.to for one in box.got] == [CLAIRE.value]
    assert not _check(world, claire, _wrong(box.code))
    assert not _check(world, claire, box.code, one_time.MERGE), "a code of one purpose proves another"
    assert not _check(world, world.enrol(), box.code), "a code of one member proves another"
    assert _check(world, claire, f" {box.code[:3]} {box.code[3:]}")
    assert not _check(world, claire, box.code)


def test_a_wrong_code_counts_even_where_its_refusal_undoes_the_transaction(world: World, box: Letterbox):
    claire = _claire(world)
    _send(world, claire)

    for _ in range(one_time.MOST_TRIES):
        with pytest.raises(Conflict):
            _refuse(world, claire, _wrong(box.code))

    assert not _check(world, claire, box.code)


def test_however_many_guesses_come_at_once_five_are_compared(world: World, box: Letterbox, monkeypatch):
    claire = _claire(world)
    _send(world, claire)
    compared, verify = [], Keyring.verify

    def seen(keyring: Keyring, purpose: str, text: str, said: str) -> bool:
        compared.extend([text] * (purpose == "one-time"))
        return verify(keyring, purpose, text, said)

    monkeypatch.setattr(Keyring, "verify", seen)
    guesses = [f"{(int(box.code) + n) % 10**6:06d}" for n in range(1, 8)]
    done = together(*(lambda guess=guess: _refuse(world, claire, guess) for guess in guesses))

    assert {type(one) for one in done} == {Conflict}
    assert len(compared) == one_time.MOST_TRIES
    assert not _check(world, claire, box.code)


def test_a_right_code_is_good_for_one_of_two_who_type_it_at_once(world: World, box: Letterbox):
    claire = _claire(world)
    _send(world, claire)
    code = box.code
    both = [one_time.guess(world.ctx, claire.member_id, one_time.PROOF, code) for _ in range(2)]
    good = []
    for tried in both:
        with world.ctx.change() as tx:
            good.append(one_time.good(world.ctx, tx, tried, claire.member_id, one_time.PROOF))
    assert good == [True, False]


def test_who_practises_at_the_till_guesses_no_more_than_others(world: World, box: Letterbox):
    claire = _claire(world)
    _send(world, claire)
    practising = world.ctx.rehearsing()
    wanted = till.Redeemed(claire.code, None, 1, "R1", proof=Proof("code", _wrong(box.code)))
    for _ in range(one_time.MOST_TRIES):
        with pytest.raises(Conflict) as refused:
            till.redeem(practising, world.till, wanted, None)
        assert refused.value.code == "wrong-proof"
    assert not _check(world, claire, box.code)


def test_a_code_is_good_for_ten_minutes(world: World, box: Letterbox):
    claire = _claire(world)
    _send(world, claire)
    code = box.code
    world.clock.forward(minutes=9, seconds=59)
    assert not _check(world, claire, _wrong(code))

    world.clock.forward(seconds=1)

    assert not _check(world, claire, code)


def test_nobody_is_flooded(world: World, box: Letterbox):
    claire = _claire(world)
    for _ in range(letters.PER_ADDRESS_HOUR):
        _send(world, claire)
    with pytest.raises(TooMany) as of_member:
        _send(world, claire)
    with pytest.raises(TooMany), world.ctx.change() as tx:
        one_time.ask(world.ctx, tx, CLAIRE, one_time.RECOVER, "fr")
    assert 0 < of_member.value.retry_after_seconds <= 3600
    world.clock.forward(hours=1)
    _send(world, claire)

    for hours in range(1, 4):
        world.clock.forward(hours=hours)
        with world.ctx.look() as tx:
            sent = letter_rows.since(tx, letters.mark(world.ctx, CLAIRE), world.clock.at - one_time.GOOD * 6 * 24)
        for _ in range(min(letters.PER_ADDRESS_HOUR, letters.PER_ADDRESS_DAY - sent)):
            _send(world, claire)
    with pytest.raises(TooMany):
        _send(world, claire)
    assert len(box.got) == letters.PER_ADDRESS_DAY


def test_whoever_has_no_proved_address_is_sent_nothing(world: World, box: Letterbox):
    claire = world.enrol(email=CLAIRE.value)

    with pytest.raises(Conflict) as refused:
        _send(world, claire)

    assert (refused.value.code, box.got) == ("not-reachable", [])


def test_an_address_that_nobody_has_is_written_to_by_nobody(world: World, box: Letterbox):
    claire = _claire(world)
    for address in (CLAIRE, SOMEBODY):
        with world.ctx.change() as tx:
            one_time.ask(world.ctx, tx, address, one_time.RECOVER, "en")
    world.carried()

    assert [(one.to, one.language) for one in box.got] == [(CLAIRE.value, "en")]
    assert not _check(world, claire, box.code, one_time.RECOVER)
    for address in (SOMEBODY, CLAIRE):
        tried = one_time.guess_of_address(world.ctx, address, one_time.RECOVER, box.code)
        with world.ctx.change() as tx:
            assert one_time.good(world.ctx, tx, tried, None, one_time.RECOVER) == (address == CLAIRE)


def test_a_letter_is_tried_again_until_it_would_come_too_late(world: World, box: Letterbox):
    claire = _claire(world)
    box.says = [Later(60, "greylisted"), Later(60, "the server is away", all_wait=True)]
    _send(world, claire)
    assert len(box.got) == 1
    world.clock.forward(seconds=61)
    world.carried()
    assert len(box.got) == 2
    world.clock.forward(seconds=30)
    second = world.enrol()
    with world.ctx.change() as tx:
        one_time.send(world.ctx, tx, second.member_id, one_time.CONTACT, SOMEBODY)
    world.carried()
    assert len(box.got) == 2, "the channel rests"

    world.clock.forward(seconds=32)
    world.carried()
    assert sorted(one.to for one in box.got[2:]) == [CLAIRE.value, SOMEBODY.value]
    assert box.got[2].id in {box.got[0].id, box.got[3].id}
    box.says = [Later(60, "away", all_wait=True)] * 30
    _send(world, claire)
    for _ in range(12):
        world.clock.forward(minutes=1)
        world.carried()
    with world.ctx.look() as tx:
        assert letter_rows.of_member(tx, claire.member_id, 1)[0].state == letter_rows.LATE


def test_a_refused_letter_is_not_sent_again(world: World, box: Letterbox):
    claire = _claire(world)
    box.says = [Refused("550 no such mailbox")]
    _send(world, claire)
    world.clock.forward(minutes=5)
    world.carried()

    with world.ctx.look() as tx:
        row = letter_rows.of_member(tx, claire.member_id, 1)[0]
    assert (len(box.got), row.state, row.why) == (1, letter_rows.REFUSED, "550 no such mailbox")


def test_what_a_letter_said_is_forgotten(world: World, box: Letterbox):
    claire = _claire(world)
    _send(world, claire)
    with world.ctx.look() as tx:
        row = letter_rows.of_member(tx, claire.member_id, 1)[0]
    assert letters.opened(world.ctx, row) == {"to": CLAIRE.value}, "the code went with the sending"

    world.clock.forward(days=7, seconds=1)

    assert letters.erase_old(world.ctx) == 1
    with world.ctx.look() as tx:
        assert letter_rows.of_member(tx, claire.member_id, 1)[0].words is None


def test_what_one_account_sends_in_an_hour_is_bounded(world: World, box: Letterbox):
    world.ctx.settings = replace(world.ctx.settings, letters_per_hour=2)
    for number in range(2):
        _ask_of_new(world, Address("email", f"x{number}@example.com"))

    with pytest.raises(TooMany):
        _ask_of_new(world, Address("email", "x2@example.com"))


def _ask_of_new(world: World, address: Address) -> None:
    holder = world.enrol()
    with world.ctx.change() as tx:
        one_time.send(world.ctx, tx, holder.member_id, one_time.CONTACT, address)
