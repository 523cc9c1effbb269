import threading
from collections import Counter
from functools import partial

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from tests.conftest import mostly_on
from tests.examples import examples
from tests.letterbox import Letterbox
from tests.world import Holder, World, together
from wallet_server.actions.counter import till
from wallet_server.actions.counter.refunds import reverse_sale
from wallet_server.actions.operating import upkeep
from wallet_server.actions.people import leaving, merging, one_time, reaching
from wallet_server.actions.purse import holding
from wallet_server.errors import Conflict, NotFound, WalletError
from wallet_server.records.people import contacts, members
from wallet_server.records.people import journal as journal_rows
from wallet_server.records.purse import ledger, metrics
from wallet_server.records.schema import ledger_accounts, lots
from wallet_server.rules.people.contacts import EMAIL, Address
from wallet_server.rules.tiers.metrics import EVER

ACTS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["sell", "redeem", "reverse", "hold", "wait"]),
        st.integers(1, 90),
    ),
    min_size=1,
    max_size=7,
)
FIGURES = [("spend", EVER), ("orders", EVER), ("visits", EVER)]


def _join(world: World, kept: Holder, merged: Holder) -> dict:
    wish = world.wish("merge", {"kept": kept.member, "merged": merged.member})
    return merging.by_staff(world.ctx, world.merchant, kept.member, merged.member, "joined-twice", None, wish)[0]


def _lots(world: World, *holders: Holder) -> Counter:
    """What each member has left, by when it was earned and until when it counts."""
    query = (
        sa.select(lots.c.remaining, lots.c.earned_at, lots.c.expires_at, ledger_accounts.c.purpose)
        .join(ledger_accounts, ledger_accounts.c.id == lots.c.account_id)
        .where(ledger_accounts.c.owner_id.in_([h.member_id for h in holders]), lots.c.remaining != 0)
        .where(ledger_accounts.c.owner_kind == "member")
    )
    with world.ctx.look() as tx:
        return Counter(tuple(row) for row in tx.execute(query))


def _balance(world: World, holder: Holder) -> dict[str, int]:
    with world.ctx.look() as tx:
        return ledger.amounts(tx, [holder.member_id]).get(holder.member_id, {})


def _figures(world: World, holder: Holder) -> dict:
    with world.ctx.look() as tx:
        return metrics.of_members(tx, FIGURES, [holder.member_id], world.clock.at)[holder.member_id]


def _do(world: World, holder: Holder, what: str, amount: int, sold: list[str]) -> None:
    try:
        if what == "sell":
            sold.append(world.sell(holder, amount * 100)["id"])
        elif what == "redeem":
            world.redeem(holder, amount)
        elif what == "reverse" and sold:
            reverse_sale(world.ctx, world.till, sold.pop(0), None)
        elif what == "hold":
            wanted = holding.Wanted(holder.code, None, amount, world.number())
            holding.authorise(world.ctx, world.till, wanted, None)
        else:
            world.clock.forward(days=amount)
    except WalletError:
        return  # not enough of it: nothing was changed


@pytest.mark.slow
@hypothesis.settings(max_examples=examples(6), deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(acts=ACTS, after=ACTS)
def test_every_unit_moves_with_its_dates_and_the_books_stay_true(world: World, acts: list, after: list):
    kept, merged = world.enrol(), world.enrol()
    sold: list[str] = []
    for who, what, amount in acts:
        _do(world, (kept, merged)[who], what, amount, sold)
    before = _lots(world, kept, merged)
    both = {code: a + _balance(world, merged)[code] for code, a in _balance(world, kept).items()}
    sums, figures = upkeep.trial_balance(world.ctx), [_figures(world, one) for one in (kept, merged)]

    facts = _join(world, kept, merged)

    assert upkeep.book_faults(world.ctx) == []
    assert _lots(world, kept) == before
    assert _lots(world, merged) == Counter()
    assert _balance(world, kept) == both
    assert upkeep.trial_balance(world.ctx) == sums, "what the merchant owes is what it was"
    joined = _figures(world, kept)
    for figure in (("spend", EVER), ("orders", EVER)):
        assert joined[figure] == sum(one[figure] for one in figures)
    assert joined["visits", EVER] <= sum(one["visits", EVER] for one in figures)
    assert facts["merged"] == merged.member
    for _, what, amount in after:
        _do(world, merged, what, amount, sold)
        assert upkeep.book_faults(world.ctx) == []
    assert _lots(world, merged) == Counter()


def test_both_codes_are_one_member_and_a_sale_of_the_other_is_given_back(world: World):
    kept, merged = world.enrol(), world.enrol()
    world.sell(kept, 1000)
    sale = world.sell(merged, 700)
    _join(world, kept, merged)

    seen = [till.look_up(world.ctx, world.till, holder.code) for holder in (kept, merged)]
    assert {one.member for one in seen} == {kept.member}
    assert seen[0].balances == seen[1].balances
    assert seen[0].balances["points"] == 17
    assert world.sell(merged, 100)["member"] == kept.member
    back = reverse_sale(world.ctx, world.till, sale["id"], None)[0]

    assert back["member"] == kept.member
    assert _balance(world, kept)["points"] == 11
    with world.ctx.look() as tx:
        row = members.member_by_public(tx, world.merchant, merged.member)
        lines = journal_rows.history(tx, world.merchant, kept.member_id, None, 20)
    assert row.public_id == kept.member, "who knows the other name finds the one"
    assert [one.amount for one in lines if one.currency == "points"] == [-7, 1, 7, 10]
    world.work()
    assert upkeep.book_faults(world.ctx) == []


def test_doing_it_again_changes_nothing_and_what_cannot_be_is_refused(world: World):
    kept, merged, third = world.enrol(), world.enrol(), world.enrol()
    world.sell(merged, 700)
    first = _join(world, kept, merged)
    with pytest.raises(Conflict) as same:
        _join(world, kept, merged)
    with world.ctx.change() as tx:
        again = merging.join(world.ctx, tx, kept.member_id, merged.member_id, "other", None, None)
    _join(world, third, kept)

    assert same.value.code == "same-member", "the other name is the same member by now"
    assert (first["moved"], again["moved"]) == ({"points": 7, "status": 7}, {})
    assert till.look_up(world.ctx, world.till, merged.code).member == third.member
    assert _figures(world, third)["spend", EVER] == 700
    gone = world.enrol()
    leaving.leave(world.ctx, world.merchant, gone.member)
    with pytest.raises(NotFound):
        _join(world, third, gone)


def test_the_better_tier_stands_by_the_history_of_both(world: World):
    kept, merged = world.enrol(), world.enrol()
    for holder in (kept, merged):
        world.sell(holder, 15_000)
    with world.ctx.look() as tx:
        before = members.members_by_id(tx, [kept.member_id])[kept.member_id].tier

    _join(world, kept, merged)

    with world.ctx.look() as tx:
        row = members.members_by_id(tx, [kept.member_id])[kept.member_id]
        ladder = world.ctx.programme(tx, row.version_id).ladder
    names = [level.code for level in ladder.levels]
    assert names.index(row.tier) > names.index(before)


def test_addresses_come_along_and_leaving_erases_those_of_both(world: World):
    kept, merged = world.enrol(first_name="Claire"), world.enrol(first_name="Klaire")
    with world.ctx.change() as tx:
        programme = members.members_by_id(tx, [kept.member_id])[kept.member_id].programme_id
        for holder, address in ((kept, "a@example.com"), (merged, "b@example.com")):
            contacts.prove(tx, programme, holder.member_id, EMAIL, address, world.clock.at)
    _join(world, kept, merged)

    with world.ctx.look() as tx:
        found = contacts.of_member(tx, kept.member_id)
    assert {one.value for one in found} == {"a@example.com", "b@example.com", "Claire"}
    leaving.leave(world.ctx, world.merchant, merged.member)
    with world.ctx.look() as tx:
        assert contacts.of_member(tx, kept.member_id) == contacts.of_member(tx, merged.member_id) == []
        assert members.left_at(tx, kept.member_id) is not None


@mostly_on("postgresql")
def test_a_sale_in_the_middle_of_it_is_counted_once(world: World):
    for _ in range(3):
        kept, merged = world.enrol(), world.enrol()
        world.sell(merged, 500)
        calls = [lambda m=merged: world.sell(m, 100) for _ in range(4)]
        done = together(lambda k=kept, m=merged: _join(world, k, m), *calls)

        assert [one for one in done if isinstance(one, Exception)] == []
        assert _balance(world, kept)["points"] == 9
    assert upkeep.book_faults(world.ctx) == []


@mostly_on("postgresql")
def test_two_who_merge_the_same_pair_in_opposite_directions_do_not_wait_for_each_other(world: World):
    for _ in range(3):
        one, other = world.enrol(), world.enrol()
        done = together(lambda a=one, b=other: _join(world, a, b), lambda a=one, b=other: _join(world, b, a))
        _assert_one_of_two(done)


@mostly_on("postgresql")
def test_two_who_prove_the_address_of_each_other_do_not_wait_for_each_other(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    box = Letterbox()
    world.ctx.channels = {"email": box}
    both = [world.enrol(), world.enrol()]
    with world.ctx.change() as tx:
        for n, holder in enumerate(both):
            contacts.prove(tx, 1, holder.member_id, EMAIL, f"{n}@example.com", world.clock.at)
    codes = [_asked(world, box, holder, f"{1 - n}@example.com") for n, holder in enumerate(both)]
    met, owner, mine = threading.Barrier(2), contacts.owner, threading.local()

    def together_at_first(*said):
        if not getattr(mine, "met", False):  # each of the two holds what it holds by now
            mine.met = True
            met.wait(30)
        return owner(*said)

    monkeypatch.setattr(contacts, "owner", together_at_first)
    calls = [
        partial(reaching.verify, world.ctx, world.merchant, one.member, code, join=True, wish=world.wish("verify"))
        for one, code in zip(both, codes, strict=True)
    ]
    done = together(*calls)
    _assert_one_of_two([one[0] if isinstance(one, tuple) else one for one in done])


@pytest.mark.parametrize("join", [False, True])
def test_of_two_who_prove_the_same_address_at_once_one_has_it_and_the_other_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, join: bool
):
    box = Letterbox()
    world.ctx.channels = {"email": box}
    both = [world.enrol(), world.enrol()]
    codes = [_asked(world, box, holder, "claire@example.com") for holder in both]
    met, prove = threading.Barrier(2), contacts.prove

    def together_at_last(*said):
        if world.ctx.database.engine.dialect.name == "postgresql":  # of SQLite's writers one waits before it looks
            met.wait(30)
        return prove(*said)

    monkeypatch.setattr(contacts, "prove", together_at_last)
    calls = [
        partial(reaching.verify, world.ctx, world.merchant, one.member, code, join=join, wish=world.wish("verify"))
        for one, code in zip(both, codes, strict=True)
    ]
    done = together(*calls)
    first = next(n for n, one in enumerate(done) if isinstance(one, tuple) and one[0]["merged"] is None)
    second = done[1 - first]
    if join:
        assert second[0]["merged"] == both[first].member
    else:
        assert isinstance(second, Conflict)
        assert second.code == "address-taken"
    with world.ctx.look() as tx:
        assert contacts.owner(tx, 1, EMAIL, "claire@example.com") == both[1 - first if join else first].member_id
        assert contacts.of_member(tx, both[first if join else 1 - first].member_id) == []


def _asked(world: World, box: Letterbox, holder: Holder, address: str) -> str:
    """The code that goes to the address that this member says is theirs."""
    with world.ctx.change() as tx:
        one_time.send(world.ctx, tx, holder.member_id, one_time.CONTACT, Address(EMAIL, address))
    world.carried()
    return box.code


def _assert_one_of_two(done: list) -> None:
    """One of two was carried out; the other was told in the product's own words that it is done."""
    assert sorted(isinstance(one, (Conflict, NotFound)) for one in done) == [False, True], done
    assert [one["merged"] is not None for one in done if isinstance(one, dict)] == [True], done


def test_a_member_takes_up_only_their_own_offer_and_in_time(world: World):
    kept, merged, other = world.enrol(), world.enrol(), world.enrol()
    token = merging.offer(world.ctx, kept.member_id, merged.member_id)
    with pytest.raises(NotFound):
        merging.by_member(world.ctx, token, other.member_id)
    with pytest.raises(NotFound):
        merging.by_member(world.ctx, token[:-4] + "AAAA", kept.member_id)
    assert merging.by_member(world.ctx, token, kept.member_id)["member"] == kept.member
    late = merging.offer(world.ctx, kept.member_id, other.member_id)
    world.clock.forward(minutes=15, seconds=1)
    with pytest.raises(NotFound):
        merging.by_member(world.ctx, late, kept.member_id)
