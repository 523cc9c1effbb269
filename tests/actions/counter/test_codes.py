"""The code on the card: signed, issued anew when something was spent, and what an older issue may do."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.actions.people.test_one_time import CLAIRE
from tests.conftest import whole_module_mostly_on
from tests.letterbox import Letterbox
from tests.phone import Phone
from tests.tills import hire
from tests.world import Holder, World
from wallet_server.actions import code_keys
from wallet_server.actions.counter import checkout, scanning, till
from wallet_server.actions.counter.scanning import Proof
from wallet_server.actions.keys import authenticate
from wallet_server.actions.passes import reissuing
from wallet_server.actions.people import leaving
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import NewStore
from wallet_server.actions.purse import holding
from wallet_server.actions.staff.roles import CASHIER, VOUCH
from wallet_server.errors import Conflict, WalletError
from wallet_server.records.passes import passes
from wallet_server.records.people import contacts, members
from wallet_server.records.schema import codes as code_table
from wallet_server.records.scope import Cashier, Scope
from wallet_server.rules.counter import codes, short_codes
from wallet_server.rules.counter.short_codes import Short

database_kind = whole_module_mostly_on("sqlite")


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(WalletError) as refusal:
        act()
    return refusal.value.code


def rich(world: World) -> Holder:
    holder = world.enrol()
    world.sell(holder, 10_000)
    return holder


def newest(world: World, holder: Holder) -> Holder:
    return world.holder(holder.pass_public_id)


def spend(world: World, code: str, amount: int = 10, proof: Proof | None = None, scope: Scope | None = None) -> Any:
    wanted = till.Redeemed(code, None, amount, world.number(), proof=proof)
    return till.redeem(world.ctx, scope or world.till, wanted, None)[0]


def barcode(phone: Phone) -> str:
    return str(phone.card["barcodes"][0]["message"])


def number_of(world: World, holder: Holder) -> int:
    with world.ctx.look() as tx:
        row = passes.newest_codes(tx, [holder.pass_id])[holder.pass_id]
    number = reissuing.opened(world.ctx, row.cipher, holder.serial)[1]
    assert number is not None
    return number


def issue_of(code: str) -> int:
    return codes.read(code).issue


def vouching(scope: Scope, *may: str) -> Scope:
    return replace(scope, cashier=Cashier(1, "stf_1", "Claire", CASHIER, frozenset(may), "shf_1"))


def test_new_cards_are_signed_and_whoever_has_the_public_key_may_verify_them(world: World) -> None:
    code = codes.read(world.enrol().code)
    (key,) = code_keys.public_keys(world.ctx, world.till)
    assert key["id"] == code.key_id == "1"
    public = base64.urlsafe_b64decode(key["public_key"] + "=")
    assert codes.verify(code, public)
    world.enrol()
    assert code_keys.public_keys(world.ctx, world.till) == [key], "one key of the account signs them all"


def test_a_new_key_is_known_to_tills_before_it_signs_and_the_old_one_verifies_for_ever(world: World) -> None:
    first = codes.read(world.enrol().code)
    made = code_keys.rotate(world.ctx, world.merchant)
    assert [key["id"] for key in code_keys.public_keys(world.ctx, world.till)] == ["1", "2"]
    assert (made.id, made.signs) == ("2", False)
    assert codes.read(world.enrol().code).key_id == "1"
    assert refused(lambda: code_keys.rotate(world.ctx, world.merchant)) == "key-waiting"
    world.clock.forward(hours=48)
    second = codes.read(world.enrol().code)
    assert second.key_id == "2"
    with world.ctx.look() as tx:
        account = world.till.account_id
        assert code_keys.genuine(tx, account, first)
        assert code_keys.genuine(tx, account, second)
        assert not code_keys.genuine(tx, account, replace(second, key_id="1"))
        assert not code_keys.genuine(tx, account, replace(second, key_id="9"))
    assert code_keys.rotate(world.ctx, world.merchant, at_once=True).signs
    assert codes.read(world.enrol().code).key_id == "3"


def test_after_a_redemption_the_card_has_its_next_issue_and_the_phone_follows(world: World) -> None:
    holder = rich(world)
    phone = Phone(world, holder).add()
    world.work()
    phone.pull()
    assert barcode(phone) == holder.code
    spend(world, holder.code)
    world.told.rung.clear()
    world.clock.forward(minutes=1)
    world.work()
    assert phone.rung()
    assert phone.pull()
    fresh = barcode(phone)
    assert issue_of(fresh) == 2
    with world.ctx.look() as tx:
        assert code_keys.genuine(tx, world.till.account_id, codes.read(fresh))
    assert fresh == newest(world, holder).code
    assert codes.read(fresh).reference == codes.read(holder.code).reference
    assert spend(world, fresh)["balances"]["points"] == 80


def test_units_put_aside_and_what_a_sale_uses_bring_the_next_issue_too(world: World) -> None:
    holder = rich(world)
    holding.authorise(world.ctx, world.till, holding.Wanted(holder.code, None, 10, "h1"), None)
    assert issue_of(newest(world, holder).code) == 2
    line = till.SaleLine(None, None, 1000, 500, 500, 0, False)
    plain = till.Sold(newest(world, holder).code, "r1", 500, (line,), "EUR", None)
    till.sell(world.ctx, world.till, replace(plain, uses=checkout.Uses(deals=True)), None)
    assert issue_of(newest(world, holder).code) == 2, "nothing of the member's was spent"


def test_a_phone_that_never_fetches_earns_and_spends_as_if_nothing_had_been(world: World) -> None:
    holder = rich(world)
    Phone(world, holder).add()
    for _ in range(3):
        spend(world, holder.code)
        world.work()
        world.clock.forward(days=1)
        world.sell(holder, 1000)
    found = till.look_up(world.ctx, world.till, holder.code)
    assert found.balances["points"] == 100 + 30 - 30
    assert not found.card_current
    assert issue_of(newest(world, holder).code) == 2, "nobody has the second: there is no need of a third"


def test_an_older_issue_earns_and_asks_for_a_second_proof_once_the_newer_is_out(world: World) -> None:
    holder = rich(world)
    phone = Phone(world, holder).add()
    spend(world, holder.code)
    world.work()
    assert phone.pull()
    world.clock.forward(minutes=11)
    with pytest.raises(Conflict) as refusal:
        spend(world, holder.code)
    assert refusal.value.code == "second-proof-needed"
    assert refusal.value.facts["proofs"] == [], "nothing but the card itself: it is opened on the phone"
    world.sell(holder, 1000)
    assert till.look_up(world.ctx, world.till, holder.code).balances["points"] == 100
    assert spend(world, barcode(phone))["balances"]["points"] == 90


def test_one_visit_may_spend_twice_with_what_was_scanned_once(world: World) -> None:
    holder = rich(world)
    phone = Phone(world, holder).add()
    spend(world, holder.code)
    world.work()
    assert phone.pull()
    assert spend(world, holder.code)["balances"]["points"] == 80
    elsewhere = authenticate(world.ctx, world.second_till())
    assert refused(lambda: spend(world, holder.code, scope=elsewhere)) == "second-proof-needed"
    world.clock.forward(minutes=10, seconds=1)
    assert refused(lambda: spend(world, holder.code)) == "second-proof-needed"


def test_a_till_that_saw_the_newer_issue_knows_the_older_for_a_copy(world: World) -> None:
    holder = rich(world)
    spend(world, holder.code)
    world.clock.forward(minutes=11)
    world.sell(newest(world, holder), 1000)
    assert refused(lambda: spend(world, holder.code)) == "second-proof-needed"


def test_the_word_of_a_cashier_is_a_second_proof_where_the_role_has_it(world: World) -> None:
    holder = rich(world)
    spend(world, holder.code)
    world.clock.forward(minutes=11)
    world.sell(newest(world, holder), 1000)
    proof = Proof("cashier")
    assert refused(lambda: spend(world, holder.code, proof=proof)) == "cashier-needed"
    assert refused(lambda: spend(world, holder.code, proof=proof, scope=vouching(world.till))) == "not-your-role"
    trusted = vouching(world.till, VOUCH)
    with pytest.raises(Conflict) as refusal:
        spend(world, holder.code, scope=trusted)
    assert refusal.value.facts["proofs"] == ["cashier"]


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_whoever_proved_once_is_not_asked_again_before_a_further_issue_is_out(world: World) -> None:
    holder = rich(world)
    first = holder.code
    person = hire(world, "Claire")
    knows_them = Cashier(person.staff_id, person.public_id, "Claire", CASHIER, frozenset({VOUCH}), "shf_1")
    trusted = replace(world.till, cashier=knows_them)
    spend(world, first)
    second = newest(world, holder).code
    world.clock.forward(minutes=11)
    world.sell(newest(world, holder), 1000)  # shown on the web page, say: the phone never fetches
    assert refused(lambda: spend(world, first)) == "second-proof-needed"
    spend(world, first, proof=Proof("cashier"), scope=trusted)
    third = newest(world, holder).code
    assert (issue_of(third), third == second) == (3, False), "what comes out from now on speaks against the first again"
    world.clock.forward(minutes=11)
    spend(world, first)
    assert issue_of(newest(world, holder).code) == 3
    # A picture of the second is none of theirs; and once the third is out, the first is asked again.
    world.sell(newest(world, holder), 1000)
    assert refused(lambda: spend(world, second)) == "second-proof-needed"
    assert refused(lambda: spend(world, first)) == "second-proof-needed"


def test_a_forged_code_is_trusted_no_more_for_the_word_of_a_cashier(world: World) -> None:
    holder = rich(world)
    spend(world, holder.code)
    world.clock.forward(minutes=11)
    world.sell(newest(world, holder), 1000)
    seen = codes.read(holder.code)
    forged = codes.write(codes.first(seen.issuer, seen.reference))
    with world.ctx.change() as tx:
        held = scanning.held_member(
            world.ctx, tx, vouching(world.till, VOUCH), forged, spends=True, proof=Proof("cashier")
        )
        assert held.public_id == holder.member
    assert refused(lambda: spend(world, forged)) == "second-proof-needed"
    assert refused(lambda: spend(world, holder.code)) == "second-proof-needed"


def test_a_code_sent_to_the_member_is_a_second_proof_once(world: World) -> None:
    holder = rich(world)
    box = Letterbox()
    world.ctx.channels = {"email": box}
    with world.ctx.change() as tx:
        programme = members.members_by_id(tx, [holder.member_id])[holder.member_id].programme_id
        contacts.prove(tx, programme, holder.member_id, CLAIRE.kind, CLAIRE.value, world.clock.at)
    spend(world, holder.code)
    world.clock.forward(minutes=11)
    world.sell(newest(world, holder), 1000)
    with pytest.raises(Conflict) as refusal:
        spend(world, holder.code)
    assert refusal.value.facts["proofs"] == ["code"]
    sent = scanning.send_proof(world.ctx, world.till, holder.code)
    assert sent.kind == "email"
    assert "claire@" not in sent.masked
    world.carried()
    wrong = "000000" if box.code != "000000" else "000001"
    assert refused(lambda: spend(world, holder.code, proof=Proof("code", wrong))) == "wrong-proof"
    assert spend(world, holder.code, proof=Proof("code", box.code))["balances"]["points"] == 90
    assert refused(lambda: spend(world, holder.code, proof=Proof("code", box.code))) == "wrong-proof"


def test_the_same_request_is_the_same_whether_it_came_with_its_proof_or_with_the_next_issue(world: World) -> None:
    holder = rich(world)
    wanted = till.Redeemed(holder.code, None, 10, "same")
    facts, _ = till.redeem(world.ctx, world.till, wanted, None)
    fresh = newest(world, holder).code
    for again in (replace(wanted, code=fresh), replace(wanted, proof=Proof("code", "123456"))):
        assert till.redeem(world.ctx, world.till, again, None) == (facts, True)


def test_nobody_makes_the_next_issue_out_of_one_that_they_saw(world: World) -> None:
    holder = rich(world)
    spend(world, holder.code)
    seen = codes.read(holder.code)
    unsigned = codes.write(replace(codes.first(seen.issuer, seen.reference), issue=2))
    lifted = codes.write(replace(seen, issue=2))
    for forged in (unsigned, lifted):
        assert refused(lambda text=forged: spend(world, text)) == "second-proof-needed"  # type: ignore[misc]
        world.sell(replace(holder, code=forged), 1000)
    assert spend(world, newest(world, holder).code)["balances"]["points"] == 100


def test_an_unsigned_card_of_before_is_good_as_ever_and_its_next_issue_is_signed(world: World) -> None:
    holder = rich(world)
    seen = codes.read(holder.code)
    old = codes.write(codes.first(seen.issuer, seen.reference))
    with world.ctx.change() as tx:
        cipher = world.ctx.keyring.seal(old.encode(), f"code:{holder.serial}")
        values = {"cipher": cipher, "key_id": "0", "short": None}
        tx.execute(sa.update(code_table).where(code_table.c.pass_id == holder.pass_id).values(**values))
    assert newest(world, holder).code == old
    assert spend(world, old)["balances"]["points"] == 90
    fresh = codes.read(newest(world, holder).code)
    assert (fresh.issue, fresh.key_id) == (2, "1")
    assert number_of(world, holder)


def test_the_short_forms_say_who_holds_the_card_and_follow_its_issues(world: World) -> None:
    holder = rich(world)
    number = number_of(world, holder)
    digits = short_codes.digits(Short(world.till.issuer_mark, number))
    for text in (digits, short_codes.manual(number), short_codes.manual(number).lower().replace("-", " ")):
        found = till.look_up(world.ctx, world.till, text)
        assert (found.member, found.card_current) == (holder.member, True)
    assert spend(world, digits)["balances"]["points"] == 90
    assert number_of(world, holder) != number
    assert not till.look_up(world.ctx, world.till, digits).card_current
    assert spend(world, short_codes.manual(number_of(world, holder)))["balances"]["points"] == 80
    world.clock.forward(minutes=11)
    assert refused(lambda: spend(world, digits)) == "second-proof-needed"


def test_a_card_of_plastic_is_the_same_account(world: World) -> None:
    holder = rich(world)
    number = short_codes.plastic_number("4000 1234 5678 9012")
    assert number is not None
    lookup = passes.lookup_hash(short_codes.plastic_key(world.till.issuer_mark, number))
    with world.ctx.change() as tx:
        row = {"member_id": holder.member_id, "lookup": lookup, "cipher": "", "kind": "plastic", "key_id": "0"}
        tx.execute(sa.insert(code_table).values(pass_id=None, issue=1, valid_from=world.clock(), **row))
    for text in ("4000123456789012", "4000-1234-5678-9012"):
        assert till.look_up(world.ctx, world.till, text).member == holder.member
    assert spend(world, "4000123456789012")["balances"]["points"] == 90
    assert issue_of(newest(world, holder).code) == 1, "what was not shown needs no further issue"
    assert refused(lambda: till.look_up(world.ctx, world.till, "4000123456789013")) == "unreadable-code"


def test_whoever_tries_numbers_is_stopped_at_the_till_and_then_at_the_merchant(world: World) -> None:
    holder = rich(world)
    good = short_codes.manual(number_of(world, holder))
    tills = [authenticate(world.ctx, world.second_till()) for _ in range(5)]

    def guess(at: Scope, number: int) -> str:
        return refused(lambda: till.look_up(world.ctx, at, short_codes.manual(number)))

    for turn in range(scanning.WRONG_AT_TILL):
        assert guess(world.till, turn) == "unknown-card"
    assert guess(world.till, 99) == "too-many-codes"
    assert refused(lambda: till.look_up(world.ctx, world.till, good)) == "too-many-codes"
    assert till.look_up(world.ctx, world.till, holder.code).member == holder.member, "the full code is nobody's guess"
    assert till.look_up(world.ctx, tills[0], good).member == holder.member
    for one in tills[:4]:
        for turn in range(scanning.WRONG_AT_TILL):
            assert guess(one, turn) == "unknown-card"
    assert guess(tills[4], 1) == "too-many-codes"
    world.clock.forward(minutes=scanning.WINDOW_MINUTES)
    assert till.look_up(world.ctx, world.till, good).member == holder.member


def test_a_cancelled_card_one_whose_time_is_over_and_one_of_who_left_are_told_apart(world: World) -> None:
    cancelled, over, gone = rich(world), rich(world), rich(world)
    leaving.cancel(world.ctx, world.merchant, cancelled.member, cancelled.pass_public_id)
    leaving.leave(world.ctx, world.merchant, gone.member)
    phone, ends = Phone(world, over).add(), world.clock() + timedelta(hours=1)
    leaving.limit(world.ctx, world.merchant, over.member, over.pass_public_id, ends)
    spend(world, over.code)
    world.work()
    assert phone.pull()
    assert phone.card["expirationDate"] == ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    over = newest(world, over)
    assert till.look_up(world.ctx, world.till, over.code).card_current
    world.clock.forward(hours=1)
    for holder, code in ((cancelled, "revoked-card"), (gone, "revoked-card"), (over, "expired-card")):
        assert refused(lambda text=holder.code: till.look_up(world.ctx, world.till, text)) == code  # type: ignore[misc]
        assert refused(lambda one=holder: world.sell(one, 100)) == code  # type: ignore[misc]


def test_of_another_accounts_card_nothing_is_asked_and_nothing_told(world: World) -> None:
    other = programs.found(world.ctx, "Librairie", NewStore("Nord"))
    test = programs.found(world.ctx, "Essai", NewStore("Sud"), test=True)
    theirs, trying = (authenticate(world.ctx, one.till_key) for one in (other, test))
    ours = rich(world)
    mark = world.till.issuer_mark
    there = [ours.code, short_codes.digits(Short(mark, number_of(world, ours)))]
    nowhere = [
        codes.write(codes.first(mark, "0" * 16)),
        short_codes.digits(Short(mark, number_of(world, ours) ^ 1)),
    ]
    heard: list[str] = []
    engine = world.ctx.database.engine

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        heard.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        for at, code in ((theirs, "other-merchant"), (trying, "other-merchant")):
            answers = set()
            for text in (*there, *nowhere):
                heard.clear()
                with pytest.raises(WalletError) as refusal:
                    till.look_up(world.ctx, at, text)
                answers.add((refusal.value.code, refusal.value.sentence, str(refusal.value.facts)))
                asked = [one for one in heard if "SELECT" in one.upper() and "members" in one]
                assert asked == [], "whether such a card exists was looked up"
                if "." in text:
                    assert [one for one in heard if not one.upper().startswith(("BEGIN", "COMMIT", "ROLLBACK"))] == []
            assert len(answers) == 1
            assert answers.pop()[0] == code
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def test_a_test_card_is_told_apart_at_a_till_that_trades(world: World) -> None:
    test = programs.found(world.ctx, "Essai", NewStore("Sud"), test=True)
    mark = authenticate(world.ctx, test.till_key).issuer_mark
    assert refused(lambda: till.look_up(world.ctx, world.till, codes.write(codes.first(mark, "0" * 16)))) == "test-card"
