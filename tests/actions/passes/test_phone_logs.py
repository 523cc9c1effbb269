"""A line that a phone reports is joined to a pass only when it names the pass and a device that holds it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.phone import Phone
from tests.world import PASS_TYPE, World
from wallet_server.actions.operating import upkeep
from wallet_server.actions.passes import devices
from wallet_server.records.schema import phone_logs, rate_windows

SERVICE = "with web service url https://cards.example/apple"
DEVICE = "0123456789abcdef0123456789abcdef"


def _kept(world: World) -> list[tuple[str, int | None]]:
    with world.ctx.look() as tx:
        rows = tx.execute(sa.select(phone_logs.c.line, phone_logs.c.pass_id).order_by(phone_logs.c.id))
        return [(r.line, r.pass_id) for r in rows]


@pytest.fixture
def phone(world: World) -> Phone:
    """One device with one card, beside another device with another card."""
    Phone(world, world.enrol(), "library-2", "cd" * 32).add()
    return Phone(world, world.enrol(), DEVICE).add()


def test_a_line_that_names_the_pass_and_its_device_is_joined_to_the_pass(world: World, phone: Phone) -> None:
    what = f"for device {DEVICE}, pass type {PASS_TYPE}, serial number {phone.holder.serial}"
    lines = [
        f"[2026-11-18 13:00:00 +0100] Register task ({what}; {SERVICE}) encountered error: Authentication failure",
        f"[2026-11-18 13:00:01 +0100] Unregister task ({what}; {SERVICE}) encountered error: Authentication failure",
        f"Register task ({what}; {SERVICE}) " + "x" * 5000,
    ]
    assert world.client().post("/apple/v1/log", json={"logs": lines}).status_code == 200
    assert _kept(world) == [(line[:500], phone.holder.pass_id) for line in lines]


def test_a_line_that_names_one_of_them_or_does_not_fit_is_joined_to_none(world: World, phone: Phone) -> None:
    serial, other = phone.holder.serial, world.enrol().serial
    device, kind, failed = (
        f"for device {DEVICE}",
        f"pass type {PASS_TYPE}",
        "encountered error: Unexpected response code 5",
    )
    said = f"Server requested update to serial number '{serial}', but the pass was unchanged."
    lines = [
        f"[2026-11-18 13:00:00 +0100] Get serial #s task ({device}, {kind}, last updated (null); {SERVICE}) {failed}",
        f"Get pass task ({kind}, serial number {serial}, if-modified-since (null); {SERVICE}) {failed}",
        f"Web service error for {PASS_TYPE} (https://cards.example/apple): {said}",
        f"Register task (for device {DEVICE}, pass type {PASS_TYPE}, serial number {other}; {SERVICE}) failed",
        f"Register task (for device library-2, pass type {PASS_TYPE}, serial number {serial}; {SERVICE}) failed",
        f"Register task (for device {DEVICE}, pass type pass.test.other, serial number {serial}; {SERVICE}) failed",
        f"Register task (for device {DEVICE}, pass type {PASS_TYPE}, serial number {serial}",
        f"Register task (for device {DEVICE}\x00, pass type {PASS_TYPE}, serial number {serial}; {SERVICE}) failed",
        f"Register task (for device , pass type {PASS_TYPE}, serial number {serial}; {SERVICE}) failed",
        f"Register task (for device {'9' * 200}, pass type {PASS_TYPE}, serial number {serial}; {SERVICE}) failed",
    ]
    devices.log(world.ctx, lines)
    kept = _kept(world)
    assert len(kept) == len(lines)
    assert [line for line, key in kept if key is not None] == []


def test_a_pass_that_was_removed_is_joined_to_nothing_any_more(world: World, phone: Phone) -> None:
    line = (
        f"Unregister task (for device {DEVICE}, pass type {PASS_TYPE}, serial number {phone.holder.serial}; {SERVICE})"
    )
    devices.log(world.ctx, [line])
    phone.unregister()
    devices.log(world.ctx, [line])
    assert [key for _, key in _kept(world)] == [phone.holder.pass_id, None]


def _about(phone: Phone, library_id: str = DEVICE) -> str:
    what = f"for device {library_id}, pass type {PASS_TYPE}, serial number {phone.holder.serial}"
    return f"Register task ({what}; {SERVICE})"


def test_a_flood_of_strangers_silences_no_phone_that_holds_the_card(world: World, phone: Phone) -> None:
    for _ in range(devices.MAX_LOG_LINES_A_MINUTE // devices.MAX_LOG_LINES + 2):
        devices.log(world.ctx, ["noise"] * devices.MAX_LOG_LINES)
    assert len(_kept(world)) == devices.MAX_LOG_LINES_A_MINUTE
    devices.log(world.ctx, ["one more", _about(phone), "and one"])
    assert [line for line, _ in _kept(world)][devices.MAX_LOG_LINES_A_MINUTE :] == [_about(phone)]
    assert _kept(world)[-1][1] == phone.holder.pass_id


def test_a_phone_that_repeats_itself_silences_neither_another_nor_strangers(world: World) -> None:
    loud, quiet = (Phone(world, world.enrol(), name, 32 * byte).add() for name, byte in (("a", "cd"), ("b", "ef")))
    for _ in range(devices.MAX_LOG_LINES_OF_A_PASS // devices.MAX_LOG_LINES + 2):
        devices.log(world.ctx, [_about(loud, "a")] * devices.MAX_LOG_LINES)
    assert len(_kept(world)) == devices.MAX_LOG_LINES_OF_A_PASS
    devices.log(world.ctx, [_about(loud, "a"), _about(quiet, "b"), "a stranger"])
    assert [key for _, key in _kept(world)][devices.MAX_LOG_LINES_OF_A_PASS :] == [quiet.holder.pass_id, None]
    world.clock.forward(minutes=1)
    devices.log(world.ctx, [_about(loud, "a")])
    assert _kept(world)[-1] == (_about(loud, "a"), loud.holder.pass_id)


@pytest.mark.parametrize("keep", [25, 300])
def test_strangers_lines_take_the_place_of_strangers_alone(world: World, phone: Phone, keep: int) -> None:
    object.__setattr__(world.ctx.settings, "phone_log_lines", keep)
    devices.log(world.ctx, [_about(phone)])
    for number in range(20):
        devices.log(world.ctx, [f"{number}.{n}" for n in range(20)])
    kept = _kept(world)
    assert kept[0] == (_about(phone), phone.holder.pass_id)
    assert len(kept) == 1 + keep
    for _ in range(keep // 20 + 2):
        devices.log(world.ctx, [_about(phone)] * 20)
        world.clock.forward(minutes=1)
    assert len(_kept(world)) == 2 * keep
    assert sum(key is not None for _, key in _kept(world)) == keep


def test_the_counts_of_each_pass_are_forgotten_overnight(world: World, phone: Phone) -> None:
    devices.log(world.ctx, [_about(phone), "a stranger"])

    def counted() -> list[str]:
        with world.ctx.look() as tx:
            names = sa.select(rate_windows.c.name).where(rate_windows.c.name.startswith(devices.LOG_WINDOW))
            return sorted(tx.execute(names).scalars())

    assert counted() == [devices.LOG_WINDOW, f"{devices.LOG_WINDOW}:{phone.holder.pass_id}"]
    upkeep.schedule(world.ctx)
    world.clock.forward(days=2)
    world.work()
    assert counted() == []
