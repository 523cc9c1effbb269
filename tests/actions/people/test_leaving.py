"""A card that is over says so once, in its last version; whoever asks again is refused, and nobody is rung any more."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.phone import Phone
from tests.world import PASS_TYPE, Holder, World
from wallet_server.actions import keys
from wallet_server.actions.counter import till
from wallet_server.actions.keys import Scope
from wallet_server.actions.once import asked
from wallet_server.actions.operating import upkeep
from wallet_server.actions.passes import devices
from wallet_server.actions.people import leaving, recovery
from wallet_server.actions.programme.programs import NewStore, found
from wallet_server.errors import Conflict, NotFound, Unauthenticated
from wallet_server.records import jobs
from wallet_server.records.schema import departures, registrations
from wallet_server.records.schema import devices as device_rows


def cancel(world: World, holder: Holder) -> None:
    leaving.cancel(world.ctx, world.merchant, holder.member, holder.pass_public_id)


def stranger(world: World) -> Scope:
    other = found(world.ctx, "Ailleurs", NewStore("Ailleurs"))
    return keys.authenticate(world.ctx, other.merchant_key)


def test_a_cancelled_card_is_void_at_once_and_its_phone_hears_of_it_once(world: World) -> None:
    holder = world.enrol()
    phone = Phone(world, holder).add()
    world.sell(holder, 1000)
    world.work()
    phone.pull()
    world.told.rung.clear()
    cancel(world, holder)
    world.work()
    assert [stale.ref for stale in world.told.rung] == [holder.pass_id]
    assert phone.pull()
    assert phone.card["voided"] is True
    assert not {"webServiceURL", "authenticationToken"} & phone.card.keys()
    assert phone.heard == ["points"]
    # The phone says that it knows: it is neither listed nor served nor rung again, whatever its member does elsewhere.
    world.told.rung.clear()
    assert phone.ask() == []
    with pytest.raises(Unauthenticated):
        devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, phone.modified)
    phone.tag = None
    assert phone.ask() == []
    cancel(world, holder)
    world.announce()
    world.clock.forward(days=8)
    world.work()
    assert world.told.rung == []
    with world.ctx.look() as tx:
        assert tx.execute(sa.select(departures.c.why)).scalars().all() == ["over"]


def test_a_last_version_lost_on_its_way_is_offered_again_until_the_phone_has_it(world: World) -> None:
    holder = world.enrol()
    phone = Phone(world, holder).add()
    asked_with = phone.tag
    cancel(world, holder)
    world.work()
    assert phone.ask() == [holder.serial]
    # The server answers, and the connection breaks; somebody else's copy, never registered, fetches it too.
    assert devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, phone.modified).body
    assert devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, None).body
    world.told.rung.clear()
    world.clock.forward(days=8)
    world.work()
    assert world.told.rung == [], "it is rung no oftener for that"
    phone.tag = asked_with
    assert phone.pull()
    assert phone.card["voided"] is True
    with pytest.raises(Unauthenticated):
        devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, phone.modified)
    phone.tag = asked_with
    assert phone.ask() == []


def test_what_is_long_over_is_told_to_nobody_and_what_is_valid_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "SLICE", 2)
    holders = [world.enrol() for _ in range(5)]
    phones = [Phone(world, one, f"library-{n}", f"{n}{n}" * 32).add() for n, one in enumerate(holders)]
    for one in holders[1:]:
        cancel(world, one)
    world.work()
    assert phones[1].pull()
    upkeep.schedule(world.ctx)
    world.clock.forward(days=29)
    late = Phone(world, holders[4], "library-late", "ef" * 32)
    assert late.register()
    assert all(phone.ask() for phone in phones[2:])
    world.work()
    for phone in phones:
        phone.tag = None
    assert [bool(phone.ask()) for phone in phones] == [True] * 5, "a month is not over"
    world.clock.forward(days=2)
    world.work()
    for phone in phones:
        phone.tag = None
    assert [bool(phone.ask()) for phone in [*phones, late]] == [True, False, False, False, False, True]
    with world.ctx.look() as tx:
        assert set(tx.execute(sa.select(departures.c.why)).scalars()) == {"over"}
        assert tx.execute(sa.select(sa.func.count()).select_from(registrations)).scalar_one() == 2
        assert tx.execute(sa.select(sa.func.count()).select_from(device_rows)).scalar_one() == 2


def test_a_second_device_is_told_too_and_whoever_comes_late_still_gets_the_last_version(world: World) -> None:
    holder = world.enrol()
    first, second = Phone(world, holder).add(), Phone(world, holder, "library-2", "cd" * 32).add()
    cancel(world, holder)
    world.work()
    assert first.pull()
    assert second.pull()
    assert second.card["voided"] is True
    restored = Phone(world, holder, "library-3", "ef" * 32)
    assert restored.register()
    world.told.rung.clear()
    world.work()
    assert restored.rung()
    assert restored.ask() == [holder.serial]
    assert devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, None).body


def test_a_card_that_is_over_is_published_once_though_its_news_end_later(world: World) -> None:
    holder = world.enrol(promotions=True)
    Phone(world, holder).add()
    Phone(world, holder, "library-2", "cd" * 32).add()
    world.announce(days=3)
    world.work()
    cancel(world, holder)
    world.work()
    world.told.rung.clear()
    world.clock.forward(days=4)
    with world.ctx.change() as tx:
        jobs.put(tx, [jobs.Put("refresh", str(holder.pass_id), jobs.COUNTER, world.clock())])
    world.work()
    assert world.told.rung == []


def test_the_code_of_a_cancelled_card_spends_nothing_and_recovers_nothing(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 10_000)
    phone = Phone(world, holder).add()
    noted = phone.value("detail.recover_code")
    cancel(world, holder)
    with pytest.raises(Conflict) as refused:
        world.redeem(holder, 10)
    assert refused.value.code == "revoked-card"
    with pytest.raises(NotFound):
        recovery.by_code(world.ctx, noted, "form")
    wish = world.wish("issue-card")
    facts, replayed = leaving.issue(world.ctx, world.merchant, holder.member, wish)
    assert leaving.issue(world.ctx, world.merchant, holder.member, wish) == (facts, True)
    assert not replayed
    fresh = world.holder(facts["pass"])
    assert world.redeem(fresh, 10)["balances"]["points"] == 90
    assert Phone(world, fresh, "library-2", "cd" * 32).add().value("detail.recover_code") != noted


def test_who_leaves_has_no_card_no_announcement_and_no_sale(world: World) -> None:
    holder = world.enrol(promotions=True)
    phone = Phone(world, holder).add()
    left = leaving.leave(world.ctx, world.merchant, holder.member)
    world.clock.forward(hours=1)
    assert leaving.leave(world.ctx, world.merchant, holder.member) == left
    world.work()
    assert phone.pull()
    assert phone.card["voided"] is True
    with pytest.raises(Conflict) as refused:
        world.sell(holder, 1000)
    assert refused.value.code == "revoked-card"
    with pytest.raises(NotFound):
        leaving.issue(world.ctx, world.merchant, holder.member, world.wish("issue-card"))
    cancel(world, holder)


def test_a_strangers_member_and_anothers_card_are_not_found(world: World) -> None:
    holder, other = world.enrol(), world.enrol()
    who = stranger(world)
    for refused in (
        lambda: leaving.leave(world.ctx, who, holder.member),
        lambda: leaving.cancel(world.ctx, who, holder.member, holder.pass_public_id),
        lambda: leaving.cancel(world.ctx, world.merchant, holder.member, other.pass_public_id),
        lambda: leaving.issue(world.ctx, who, holder.member, asked(who, "issue-card", {}, "k")),
    ):
        with pytest.raises(NotFound):
            refused()
    assert till.look_up(world.ctx, world.till, holder.code).card_current


def test_the_interface_says_so(world: World) -> None:
    holder = world.enrol()
    client, headers = world.client(), world.bearer(world.founded.merchant_key)
    address = f"/v1/members/{holder.member}"
    for _ in range(2):
        answer = client.delete(f"{address}/passes/{holder.pass_public_id}", headers=headers)
        assert (answer.status_code, answer.get_json()["state"]) == (200, "retired")
    made = client.post(f"{address}/passes", headers=world.bearer(world.founded.merchant_key, world.number()))
    assert made.status_code == 200
    assert client.get(made.get_json()["download_url"].removeprefix(world.ctx.settings.base_url)).status_code == 200
    assert client.delete(address, headers=headers).status_code == 200
    assert client.delete(address, headers=world.bearer(world.founded.till_key)).status_code == 403
