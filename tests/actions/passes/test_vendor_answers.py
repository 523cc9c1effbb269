"""What the push service answers: rests are kept, dead phones forgotten, doubted ones tried at a pace of their own."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.phone import Phone, fields, opened
from tests.world import NOON, PASS_TYPE, World
from wallet_server.actions import outbox
from wallet_server.actions.passes import cards, devices, refresh
from wallet_server.records import jobs
from wallet_server.records.passes import devices as devices_records
from wallet_server.records.passes import passes
from wallet_server.records.schema import devices as devices_table
from wallet_server.wallets.port import Later, Refused, Report, Shown, Stale


def _devices(world: World) -> int:
    with world.ctx.look() as tx:
        return int(tx.execute(sa.select(sa.func.count()).select_from(devices_table)).scalar_one())


def test_a_vendors_rest_is_kept_counts_as_no_failure_and_ends_by_itself(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    world.told.verdict = lambda stale: Report(stale.ref, Later(120.0, "slow down"))
    world.sell(phone.holder, 100)
    world.work()
    (job,) = outbox.letters(world.ctx, dead=False)
    assert (job.kind, (job.due_at - world.clock()).total_seconds()) == (refresh.RING, 120)
    assert (job.failures, job.last_error) == (0, "slow down")
    world.told.verdict = lambda stale: Report(stale.ref, Shown())
    world.told.rung.clear()
    world.sell(phone.holder, 100)
    world.clock.forward(seconds=119)
    world.work()
    assert not phone.rung()
    (job,) = outbox.letters(world.ctx, dead=False)
    assert ((job.due_at - world.clock()).total_seconds(), job.last_error) == (1, "slow down")
    world.clock.forward(seconds=1)
    world.work()
    assert phone.rung()
    assert phone.pull()
    assert phone.value("points") == 2


def _served(world: World, phone: Phone) -> object:
    """The points on the card that anybody who asks just now is served."""
    serial, token = phone.holder.serial, phone.holder.token
    got = devices.fetch(world.ctx, PASS_TYPE, serial, token, None, taken=False)
    return fields(opened(got.body or b""))["points"]["value"]


def _number(world: World, phone: Phone) -> int:
    with world.ctx.look() as tx:
        return passes.published(tx, [phone.holder.pass_id])[phone.holder.pass_id].number


def test_a_rest_holds_back_the_ringing_alone_and_every_sale_is_published_at_once(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    refresh.raise_alarm(world.ctx, world.credential_set, "tokens", "APNs refused too many devices.")
    for sales in (1, 2):
        world.sell(phone.holder, 1000)
        world.work()
        assert _number(world, phone) == 1 + sales
        assert _served(world, phone) == 10 * sales
        assert world.told.rung == []
        (job,) = outbox.letters(world.ctx, dead=False)
        assert (job.kind, job.due_at) == (refresh.RING, NOON + refresh.REFUSED_REST)
        assert "refused too many" in str(job.last_error)
        world.clock.forward(seconds=world.ctx.settings.coalesce_seconds)
    world.clock.at = NOON + refresh.REFUSED_REST
    world.work()
    assert len(world.told.rung) == 1
    assert phone.rung()
    assert _number(world, phone) == 3
    assert phone.pull()
    assert (phone.value("points"), phone.versions) == (20, 1)
    assert outbox.letters(world.ctx, dead=False) == []


def test_a_phone_is_rung_once_for_a_version_however_often_its_card_is_looked_at(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    for _ in range(2):
        world.clock.forward(minutes=1)
        world.sell(phone.holder, 1000)
        world.work()
        assert phone.rung()
        with world.ctx.change() as tx:
            jobs.put(tx, [jobs.Put(cards.REFRESH, str(phone.holder.pass_id), jobs.COUNTER, world.clock())])
        world.work()
        assert not phone.rung()


def test_each_phone_that_waited_is_rung_once_when_the_rest_ends(world: World) -> None:
    phones = [Phone(world, world.enrol(), f"library-{n}", f"{n:064x}").add() for n in range(5)]
    refresh.raise_alarm(world.ctx, world.credential_set, "tokens", "APNs refused too many devices.")
    for phone in phones:
        world.sell(phone.holder, 100)
    world.work()
    world.clock.forward(minutes=5)
    refresh.raise_alarm(world.ctx, world.credential_set, "tokens", "APNs refused too many devices.")
    world.clock.forward(minutes=12)
    world.work()
    assert world.told.rung == []
    world.clock.forward(minutes=3)
    world.work()
    assert sorted(stale.ref for stale in world.told.rung) == sorted(phone.holder.pass_id for phone in phones)


def test_an_alert_that_was_held_back_gets_its_turn_though_the_phone_had_to_wait(world: World) -> None:
    phone = Phone(world, world.enrol(promotions=True)).add()
    world.told.verdict = lambda stale: Report(stale.ref, Later(600.0, "slow down"))
    world.sell(phone.holder, 1000)
    world.announce()
    world.work()
    world.told.verdict = lambda stale: Report(stale.ref, Shown())
    world.clock.forward(minutes=11)
    for _ in range(2):
        world.work()
        assert phone.rung()
        assert phone.pull()
        world.clock.forward(minutes=1)
    assert phone.heard == ["points", "news"]


def test_a_ring_that_was_given_up_is_run_again_by_the_operator_or_by_the_next_sale(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    world.told.verdict = lambda stale: Report(stale.ref, Later(60.0, "slow down"))
    world.sell(phone.holder, 100)
    world.work()
    world.clock.forward(seconds=60)

    def fail(stale: Stale) -> Report:
        raise RuntimeError("never foreseen")

    world.told.verdict = fail
    for _ in range(outbox.MOST_FAILURES):
        world.work()
        world.clock.forward(minutes=15)
    (dead,) = outbox.letters(world.ctx, dead=True)
    assert dead.kind == refresh.RING
    world.told.verdict = lambda stale: Report(stale.ref, Shown())
    world.told.rung.clear()
    world.sell(phone.holder, 100)
    world.work()
    assert phone.rung()
    assert outbox.revive(world.ctx, refresh.RING) == 1
    world.work()
    assert not phone.rung()
    assert outbox.counts(world.ctx) == {"due": 0, "waiting": 0, "dead": 0}


def test_a_refusal_rests_for_a_quarter_of_an_hour_and_an_alarm_rests_the_whole_credential_set(world: World) -> None:
    phone = Phone(world, world.enrol()).add()
    world.told.verdict = lambda stale: Report(stale.ref, Refused("BadCertificate"))
    world.sell(phone.holder, 100)
    world.work()
    (job,) = outbox.letters(world.ctx, dead=False)
    assert (job.kind, job.due_at) == (refresh.RING, world.clock() + refresh.REFUSED_REST)
    refresh.raise_alarm(world.ctx, world.credential_set, "configuration", "Apple refuses this certificate.")
    other = Phone(world, world.enrol(), "library-2", "cd" * 32).add()
    world.sell(other.holder, 100)
    world.told.rung.clear()
    world.work()
    assert world.told.rung == []
    world.told.verdict = lambda stale: Report(stale.ref, Shown())
    world.clock.forward(minutes=16)
    world.work()
    assert {stale.ref for stale in world.told.rung} == {phone.holder.pass_id, other.holder.pass_id}


def test_a_device_the_vendor_calls_dead_is_forgotten_unless_it_came_back_meanwhile(world: World) -> None:
    gone = Phone(world, world.enrol()).add()
    world.told.verdict = lambda stale: Report(stale.ref, Shown(), dead=tuple(h.ref for h in stale.handles))
    world.clock.forward(seconds=1)
    world.sell(gone.holder, 100)
    world.work()
    assert _devices(world) == 0
    back = Phone(world, world.enrol()).add()

    def answer(stale: Stale) -> Report:
        world.clock.forward(seconds=1)
        back.register()
        return Report(stale.ref, Shown(), dead=tuple(h.ref for h in stale.handles))

    world.told.verdict = answer
    world.sell(back.holder, 100)
    world.work()
    assert _devices(world) == 1


class Refusals:
    """A push service that says one thing to one phone, and takes everything else."""

    def __init__(self, world: World, phone: Phone) -> None:
        self.world, self.phone = world, phone
        self.word: str = "suspect"
        self.other = Phone(world, world.enrol(), "library-2", "cd" * 32).add()
        self.rung: list[str] = []
        world.told.verdict = self

    def __call__(self, stale: Stale) -> Report:
        self.rung += (handle.push_token for handle in stale.handles)
        meant = tuple(h.ref for h in stale.handles if h.push_token == self.phone.token)
        told = tuple(h.ref for h in stale.handles if h.ref not in meant)
        if self.word == "told":
            return Report(stale.ref, Shown(), told=told + meant)
        suspect, accused = (meant, ()) if self.word == "suspect" else ((), meant)
        return Report(stale.ref, Shown(), told=told, suspect=suspect, accused=accused)

    def sell(self, *phones: Phone, **after: float) -> None:
        self.world.clock.forward(**after)
        for phone in phones:
            self.world.sell(phone.holder, 100)
        self.world.work()

    def suspected(self) -> bool | None:
        """Whether the phone is suspected; None: it has been forgotten."""
        with self.world.ctx.look() as tx:
            held = devices_records.holders(tx, [self.phone.holder.pass_id])
        mine = (d for d in held.get(self.phone.holder.pass_id, []) if d.push_token == self.phone.token)
        return next((d.suspected for d in mine), None)


@pytest.fixture
def refusals(world: World) -> Refusals:
    made = Refusals(world, Phone(world, world.enrol()).add())
    made.sell(hours=1)
    made.rung.clear()
    return made


def test_a_suspect_is_forgotten_a_day_later_if_something_was_taken_with_the_second_refusal(refusals: Refusals) -> None:
    phone, other = refusals.phone, refusals.other
    refusals.sell(phone, other)
    refusals.sell(phone, other, hours=23)
    assert refusals.suspected() is True
    refusals.sell(phone, other, hours=1)
    assert refusals.suspected() is None


def test_a_suspect_is_forgotten_a_day_later_if_something_was_taken_between_the_refusals(refusals: Refusals) -> None:
    phone, other = refusals.phone, refusals.other
    refusals.sell(phone, other)
    refusals.sell(phone, hours=25)
    assert refusals.suspected() is True, "nothing was taken since the first refusal"
    refusals.sell(other, hours=5)
    refusals.sell(phone, hours=5)
    assert refusals.suspected() is None


def test_what_was_taken_before_the_first_refusal_vouches_for_nothing(refusals: Refusals) -> None:
    refusals.sell(refusals.other)
    for _ in range(5):
        refusals.sell(refusals.phone, hours=23)
    assert refusals.suspected() is True


def test_an_accusation_never_forgets_but_is_the_first_of_two_refusals(refusals: Refusals) -> None:
    phone, other = refusals.phone, refusals.other
    refusals.word = "accused"
    for _ in range(4):
        refusals.sell(phone, other, hours=20)
        assert refusals.suspected() is True
    refusals.word = "suspect"
    refusals.sell(phone, other, hours=1)
    assert refusals.suspected() is None


def test_a_suspect_that_is_told_or_registers_again_is_trusted(refusals: Refusals) -> None:
    phone, other = refusals.phone, refusals.other
    refusals.sell(phone, other)
    refusals.word = "told"
    refusals.sell(phone, hours=30)
    assert refusals.suspected() is False
    refusals.word = "suspect"
    refusals.sell(phone, other, hours=1)
    refusals.world.clock.forward(hours=1)
    phone.register()
    assert refusals.suspected() is False
    refusals.sell(phone, other, hours=30)
    assert refusals.suspected() is True


def test_a_doubted_phone_is_tried_at_a_pace_of_its_own_and_holds_back_neither_card_nor_circuit(
    refusals: Refusals,
) -> None:
    world, phone = refusals.world, refusals.phone
    sibling = Phone(world, phone.holder, "library-3", "ef" * 32).add()
    refusals.sell(hours=1)
    refusals.rung.clear()
    refusals.sell(phone)
    assert sorted(refusals.rung) == sorted([phone.token, sibling.token])
    hours = []
    for hour in range(1, 22):
        refusals.rung.clear()
        refusals.sell(hours=1)
        hours += [hour] * (phone.token in refusals.rung)
        assert sibling.token not in refusals.rung, "it has been told"
    assert hours == [1, 2, 4, 8, 14, 20]
    assert refusals.suspected() is True
    refusals.rung.clear()
    refusals.sell(phone)
    assert sorted(refusals.rung) == sorted([phone.token, sibling.token]), "a change of the card rings all at once"
    refresh.raise_alarm(world.ctx, world.credential_set, "tokens", "APNs refused too many devices.")
    refusals.rung.clear()
    refusals.sell(minutes=14)
    assert refusals.rung == []
    refusals.sell(hours=12)
    assert refusals.suspected() is None
    refusals.sell(hours=6)
    assert outbox.counts(world.ctx) == {"due": 0, "waiting": 0, "dead": 0}
