"""Registrations: nobody misses a change, tokens are replaced, and neither devices nor their log lines grow for ever."""

from __future__ import annotations

import sqlalchemy as sa

from tests.phone import Phone
from tests.world import PASS_TYPE, World, together
from wallet_server.actions.passes import devices
from wallet_server.records import limits
from wallet_server.records.passes import passes
from wallet_server.records.schema import devices as devices_table
from wallet_server.records.schema import phone_logs, registrations
from wallet_server.wallets.port import Report, Shown, Stale


def _count(world: World, table: sa.Table) -> int:
    with world.ctx.look() as tx:
        return int(tx.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_a_card_that_changed_between_download_and_registration_rings_the_phone(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    phone.unregister()
    late = Phone(world, phone.holder, "library-2", "cd" * 32)
    late.card, late.modified = phone.card, phone.modified
    world.sell(phone.holder, 1000)
    world.work()
    assert not late.rung()
    assert late.register()
    world.work()
    assert late.rung()
    late.tag = phone.tag
    assert late.pull()
    assert late.value("points") == 10


def test_a_card_that_never_changed_rings_nobody_when_it_is_registered(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    assert world.work() == 0
    assert not phone.rung()


def test_an_old_file_opened_on_a_second_device_is_brought_up_to_date(world: World) -> None:
    """The first device has downloaded the newest version; that says nothing of a file that lay in a mailbox."""
    holder = world.enrol()
    second = Phone(world, holder, "library-2", "cd" * 32).add()
    second.unregister()
    world.sell(holder, 1000)
    world.work()
    first = Phone(world, holder).add()
    assert first.value("points") == 10
    world.work()
    first.rung()
    second.register()
    world.work()
    assert second.rung()
    assert second.pull()
    assert second.value("points") == 10


def test_asking_for_the_head_alone_says_nothing_of_what_the_phone_holds(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    world.sell(phone.holder, 1000)
    world.work()
    serial, token = phone.card["serialNumber"], phone.card["authenticationToken"]
    for taken, seen in ((False, 1), (True, 2)):
        devices.fetch(world.ctx, PASS_TYPE, serial, token, None, taken=taken)
        with world.ctx.look() as tx:
            assert passes.published(tx, [phone.holder.pass_id])[phone.holder.pass_id].seen == seen


def test_a_new_push_token_takes_the_place_of_the_old_one_and_rings(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    phone.token = "cd" * 32
    assert not phone.register()
    world.work()
    assert phone.rung()
    world.sell(phone.holder, 100)
    world.work()
    (stale,) = world.told.rung
    assert [handle.push_token for handle in stale.handles] == ["cd" * 32]
    assert _count(world, devices_table) == 1


def test_a_new_push_token_that_comes_while_the_old_one_is_being_rung_is_rung_too(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    restored = Phone(world, phone.holder, token="cd" * 32)
    came: list[bool] = []

    def answer(stale: Stale) -> Report:
        if not came:
            came.append(restored.register())
        return Report(stale.ref, Shown())

    world.told.verdict = answer
    world.sell(phone.holder, 100)
    world.work()
    assert came == [False]
    assert restored.rung()


def test_a_restored_phone_that_registers_all_its_cards_at_once_is_one_device(world: World) -> None:
    phones = [Phone(world, world.enrol()) for _ in range(6)]
    assert together(*[phone.register for phone in phones]) == [True] * 6
    assert (_count(world, devices_table), _count(world, registrations)) == (1, 6)
    assert together(*[phone.register for phone in phones]) == [False] * 6


def test_registering_and_removing_at_once_leave_no_device_without_a_card(world: World) -> None:
    phones = [Phone(world, world.enrol()) for _ in range(4)]
    for phone in phones[:2]:
        phone.register()
    results = together(*[phone.unregister for phone in phones[:2]], *[phone.register for phone in phones[2:]])
    assert results == [None, None, True, True]
    assert (_count(world, devices_table), _count(world, registrations)) == (1, 2)


def test_the_fifty_first_device_evicts_the_oldest(world: World) -> None:
    holder = world.enrol()
    for number in range(52):
        world.clock.forward(seconds=1)
        Phone(world, holder, f"library-{number}", f"{number:064x}").register()
    assert (_count(world, registrations), _count(world, devices_table)) == (50, 50)
    for number, listed in ((0, []), (1, []), (2, [holder.serial]), (51, [holder.serial])):
        assert Phone(world, holder, f"library-{number}").ask() == listed


def test_the_last_card_takes_its_device_with_it(world: World) -> None:
    one, two = Phone(world, world.enrol()).add(), Phone(world, world.enrol()).add()
    one.unregister()
    one.unregister()
    assert (_count(world, devices_table), one.ask()) == (1, [two.holder.serial])
    two.unregister()
    assert _count(world, devices_table) == 0


def test_a_device_of_another_protocol_is_listed_and_served_but_its_token_never_passes_for_apples(world: World) -> None:
    phone = Phone(world, world.enrol(), kind="androidpass", token="not-hex-at-all").add()
    world.sell(phone.holder, 100)
    world.work()
    (stale,) = world.told.rung
    assert [handle.kind for handle in stale.handles] == ["androidpass"]
    assert phone.pull()
    assert phone.value("points") == 1


def test_logs_are_bounded_in_length_number_and_rate(world: World) -> None:
    ctx = world.ctx
    devices.log(ctx, ["x" * 5000, "tab\there\x00", *["line"] * 100])
    assert _count(world, phone_logs) == devices.MAX_LOG_LINES
    with ctx.look() as tx:
        lines = list(tx.execute(sa.select(phone_logs.c.line).order_by(phone_logs.c.id)).scalars())
    assert lines[:2] == ["x" * 500, "tab\ufffdhere\ufffd"]
    with ctx.change() as tx:
        limits.take(tx, devices.LOG_WINDOW, int(world.clock().timestamp()) // 60, devices.MAX_LOG_LINES_A_MINUTE)
    devices.log(ctx, ["one too many"])
    assert _count(world, phone_logs) == devices.MAX_LOG_LINES
    world.clock.forward(minutes=1)
    devices.log(ctx, ["a minute later"])
    assert _count(world, phone_logs) == devices.MAX_LOG_LINES + 1


def test_the_log_keeps_the_newest_lines_alone(world: World) -> None:
    object.__setattr__(world.ctx.settings, "phone_log_lines", 25)
    for number in range(3):
        devices.log(world.ctx, [f"{number}.{n}" for n in range(20)])
    with world.ctx.look() as tx:
        lines = list(tx.execute(sa.select(phone_logs.c.line).order_by(phone_logs.c.id)).scalars())
    assert len(lines) == 25
    assert lines[-1] == "2.19"
