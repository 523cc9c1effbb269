"""Owns what is known about recovery: everything is on the new card, and the old one, its code and its link are over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.phone import Phone, fields, opened
from tests.world import PASS_TYPE, Holder, World, founded, together
from wallet_server.actions.counter import till
from wallet_server.actions.keys import authenticate
from wallet_server.actions.passes import devices
from wallet_server.actions.people import card_return, enrol, recovery
from wallet_server.actions.programme import programs
from wallet_server.errors import Conflict, Invalid, NotFound, TooMany
from wallet_server.records.people import recovery as codes
from wallet_server.records.schema import codes as code_table
from wallet_server.records.schema import passes, publications
from wallet_server.rules.passes.card import Palette
from wallet_server.rules.people import recovering
from wallet_server.rules.programme.program_simple import stamp_document

STAMPS = stamp_document(
    "Boulangerie",
    palette=Palette("#12372a", "#fbf7ec", "#b9dcc4"),
    reward_names={"fr": "un café", "en": "a coffee"},
    interval_minutes=0,
)


@pytest.fixture
def bakery(database_url: str, tmp_path: Path) -> Iterator[World]:
    """A bakery with ten stamps for a coffee, once on each database."""
    with founded(database_url, tmp_path, document=STAMPS) as made:
        yield made


def code_of(world: World, holder: Holder) -> str:
    """What is written on the back of this card now."""
    with world.ctx.look() as tx:
        row = codes.codes_of(tx, [holder.member_id])[holder.member_id]
    return world.ctx.keyring.open(row.cipher, f"recovery:{row.member_public_id}").decode()


def link_of(world: World, holder: Holder) -> str:
    return world.ctx.link("recover", holder.pass_public_id).rsplit("/", 1)[1]


def stamped(world: World, times: int = 7) -> Holder:
    """A member of nobody knows whom, with so many stamps."""
    holder = world.holder(enrol.join(world.ctx, world.join_code, enrol.Joining())["pass"])
    for _ in range(times):
        world.sell(holder, 300)
        world.clock.forward(minutes=1)
    return holder


def stamps_on(world: World, holder: Holder) -> int:
    (amount,) = till.look_up(world.ctx, world.till, holder.code).balances.values()
    return amount


def by_code(world: World, code: str, form: str = "form", address: str | None = None) -> Holder:
    return world.holder(recovery.by_code(world.ctx, code, form, address)["pass"])


def test_seven_stamps_a_card_deleted_and_seven_stamps_again(bakery: World) -> None:
    old = stamped(bakery)
    phone = Phone(bakery, old).add()
    assert phone.value("detail.recover_code") == code_of(bakery, old), "on the back of the card, for a piece of paper"
    new = by_code(bakery, phone.value("detail.recover_code"))
    assert new.member == old.member
    assert new.serial != old.serial
    assert stamps_on(bakery, new) == 7
    fresh = Phone(bakery, new, "library-2", "cd" * 32).add()
    assert fresh.card.get("voided") is None
    assert fresh.value("detail.recover_code") != phone.value("detail.recover_code")

    # The old code says who, and still collects; it burns nothing.
    assert till.look_up(bakery.ctx, bakery.till, old.code).member == old.member
    for _ in range(3):
        bakery.sell(old, 300)
    assert stamps_on(bakery, new) == 10
    with pytest.raises(Conflict) as refused:
        bakery.redeem(old, 10)
    assert refused.value.code == "replaced-card"
    assert stamps_on(bakery, new) == 10
    bakery.redeem(new, 10)
    assert stamps_on(bakery, new) == 0

    # A phone that still holds the old card shows it as replaced, without a sound.
    bakery.work()
    assert phone.pull()
    assert phone.card["voided"] is True
    assert phone.heard == []
    assert "detail.recover_code" not in fields(phone.card)
    assert code_of(bakery, new) not in str(phone.card)


def test_the_link_on_the_back_does_the_same(bakery: World) -> None:
    old = stamped(bakery, 2)
    link = link_of(bakery, old)
    assert link in Phone(bakery, old).add().card["storeCard"]["backFields"][-3]["attributedValue"]
    lost = recovery.lost(bakery.ctx, link)
    assert lost.card.balance.value == 2, "the books, though the sales have not been delivered yet"
    new = bakery.holder(recovery.by_link(bakery.ctx, link, "form")["pass"])
    assert stamps_on(bakery, new) == 2


def test_what_the_lost_phone_shows_opens_nothing_any_more(bakery: World) -> None:
    old = stamped(bakery, 1)
    code, link = code_of(bakery, old), link_of(bakery, old)
    new = by_code(bakery, code)
    with pytest.raises(NotFound) as refused:
        by_code(bakery, code, "another form")
    assert refused.value.code == "wrong-recovery-code"
    for again in (lambda: recovery.lost(bakery.ctx, link), lambda: recovery.by_link(bakery.ctx, link, "third")):
        with pytest.raises(NotFound) as spent:
            again()
        assert spent.value.code == "already-recovered"
    bakery.ctx.signed.__init__()  # type: ignore[misc]
    served = devices.fetch(bakery.ctx, PASS_TYPE, old.serial, old.token, None).body
    assert served
    assert "detail.recover_code" not in fields(opened(served)), "not even before its last version is published"
    web = enrol.web_card(bakery.ctx, bakery.ctx.link("card", old.pass_public_id).rsplit("/", 1)[1])
    assert web.code == ""
    assert code_of(bakery, new) not in str(web)
    assert enrol.card_of_browser(
        bakery.ctx, bakery.join_code, enrol.token_of_browser(bakery.ctx, old.pass_public_id)
    ) is None, "nor does the browser of the lost phone"  # fmt: skip
    with pytest.raises(NotFound):
        enrol.download(bakery.ctx, enrol.download_link(bakery.ctx, old.pass_public_id).split("/")[-2])


def test_a_double_click_makes_one_card(bakery: World) -> None:
    old = stamped(bakery, 1)
    code = code_of(bakery, old)
    made = together(*[lambda: by_code(bakery, code, "one form") for _ in range(3)])
    assert len({one.pass_public_id for one in made}) == 1
    link = link_of(bakery, made[0])
    again = together(*[lambda: recovery.by_link(bakery.ctx, link, "other form")["pass"] for _ in range(3)])
    assert len(set(again)) == 1
    with bakery.ctx.look() as tx:
        active = tx.execute(sa.select(passes.c.public_id).where(passes.c.state == "active")).scalars().all()
    assert active == [again[0]]


def test_of_two_who_hold_the_same_code_one_gets_the_card(bakery: World) -> None:
    code = code_of(bakery, stamped(bakery, 1))
    first, second = together(lambda: by_code(bakery, code, "finder"), lambda: by_code(bakery, code, "loser"))
    kinds = sorted(type(one).__name__ for one in (first, second))
    assert kinds == ["Holder", "NotFound"]


@pytest.mark.parametrize(
    "spoilt", ["4444-4444-4444", "", "x", "0OIL-1111-5555", "4KTA-9RCW-X6EH-4", "\u0664" * 12, "é" * 61]
)
def test_whatever_is_wrong_with_a_code_is_said_in_the_same_words(bakery: World, spoilt: str) -> None:
    stamped(bakery, 0)
    used = code_of(bakery, stamped(bakery, 0))
    by_code(bakery, used)
    said = set()
    for text in (used, spoilt):
        with pytest.raises(NotFound) as refused:
            by_code(bakery, text, "again")
        said.add((refused.value.code, refused.value.sentence))
    assert len(said) == 1


def test_guesses_are_limited_and_wrong_ones_count(bakery: World) -> None:
    bakery.ctx.settings = replace(bakery.ctx.settings, guesses_per_hour=3)
    code = code_of(bakery, stamped(bakery, 1))
    for n in range(3):
        with pytest.raises(NotFound):
            by_code(bakery, "4444-4444-4444", f"guess {n}", "8.8.8.8")
    with pytest.raises(TooMany) as refused:
        by_code(bakery, code, "right at last", "8.8.8.8")
    assert 0 < refused.value.retry_after_seconds <= 3600
    assert by_code(bakery, code, "from elsewhere", "8.8.4.4").member
    bakery.clock.forward(hours=1)
    with pytest.raises(NotFound):
        by_code(bakery, code, "an hour later", "8.8.8.8")


def test_no_table_holds_a_recovery_code_in_the_clear(bakery: World) -> None:
    holder = stamped(bakery, 1)
    bakery.work()
    code = code_of(bakery, holder)
    Phone(bakery, holder).add()
    with bakery.ctx.look() as tx:
        for table in (code_table, publications):
            stored = " ".join(str(value) for row in tx.execute(sa.select(table)) for value in row)
            assert "recover" in stored  # the search would find it
            assert code not in stored
            assert code.replace("-", "") not in stored


def test_a_stranger_with_a_link_of_another_kind_recovers_nothing(bakery: World) -> None:
    holder = stamped(bakery, 0)
    for purpose in ("card", "stop", "rate"):
        with pytest.raises(NotFound):
            recovery.by_link(bakery.ctx, bakery.ctx.link(purpose, holder.pass_public_id).rsplit("/", 1)[1], "form")
    elsewhere = programs.found(bakery.ctx, "Voisin", programs.NewStore("Centre"))
    with pytest.raises(NotFound):
        till.look_up(bakery.ctx, authenticate(bakery.ctx, elsewhere.till_key), holder.code)
    with pytest.raises(Invalid):
        till.look_up(bakery.ctx, bakery.till, code_of(bakery, holder))


def test_codes_are_read_as_people_write_them() -> None:
    code = recovering.from_random(bytes(range(16)))
    assert recovering.read(code) == code
    plain = code.replace("-", "")
    for written in (
        plain,
        plain.lower(),
        f" {code} ",
        code.replace("-", " "),
        code.replace("-", "\u2013"),
        ".".join(plain),
    ):
        assert recovering.read(written) == code, written
    assert {len(set(pair) & set(recovering.ALPHABET)) for pair in ("0OQ", "1IL", "2Z", "5S", "8B", "UV")} <= {0, 1}


# --- given back by the shop ------------------------------------------------------------------------------------


def given_back(world: World, holder: Holder) -> str:
    """The token of a link that the shop made for this member."""
    return card_return.offer(world.ctx, world.merchant, holder.member).address.rsplit("/", 1)[1]


def test_the_shop_gives_a_card_back_to_whoever_has_neither_link_nor_code(bakery: World) -> None:
    old = stamped(bakery)
    token = given_back(bakery, old)
    assert recovery.lost(bakery.ctx, token).language
    made = recovery.by_link(bakery.ctx, token, "form")
    assert recovery.by_link(bakery.ctx, token, "form") == made, "the same form sent twice is one card"
    new = bakery.holder(made["pass"])
    assert (new.member, stamps_on(bakery, new)) == (old.member, 7)
    assert not till.look_up(bakery.ctx, bakery.till, old.code).card_current
    for again in (lambda: recovery.by_link(bakery.ctx, token, "other"), lambda: recovery.lost(bakery.ctx, token)):
        with pytest.raises(NotFound) as refused:
            again()
        assert refused.value.code == "return-over"
    (told,) = card_return.made(bakery.ctx, bakery.merchant, old.member)
    assert (told.created_at, told.used_at) == (bakery.clock(), bakery.clock())


def test_such_a_link_lives_for_a_quarter_of_an_hour_and_until_the_next(bakery: World) -> None:
    holder = stamped(bakery, 1)
    first = given_back(bakery, holder)
    bakery.clock.forward(minutes=1)
    second = given_back(bakery, holder)
    with pytest.raises(NotFound):
        recovery.by_link(bakery.ctx, first, "form")
    bakery.clock.forward(minutes=15)
    with pytest.raises(NotFound) as refused:
        recovery.by_link(bakery.ctx, second, "form")
    assert refused.value.code == "return-over"
    assert bakery.holder(holder.pass_public_id).code == holder.code
    third = given_back(bakery, holder)
    made = together(*[lambda n=n: recovery.by_link(bakery.ctx, third, f"form-{n}") for n in range(3)])
    assert sorted(isinstance(one, NotFound) for one in made) == [False, True, True]
    with pytest.raises(NotFound):
        recovery.by_link(bakery.ctx, "ret_" + "A" * 43, "form")


def test_another_shop_gives_no_card_of_ours(bakery: World) -> None:
    stranger = programs.found(bakery.ctx, "Other", programs.NewStore("There"))
    with pytest.raises(NotFound):
        card_return.offer(bakery.ctx, authenticate(bakery.ctx, stranger.merchant_key), stamped(bakery, 1).member)
