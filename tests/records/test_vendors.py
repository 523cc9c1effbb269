"""What processes share of a vendor: one bucket of requests, each message once, each rotating code once."""

from __future__ import annotations

import math
from collections import deque
from datetime import timedelta

import pytest

from tests.world import NOON, World
from wallet_server.records.passes import alerts, passes
from wallet_server.records.passes.rung import Rung, mark_rung
from wallet_server.records.people import members
from wallet_server.records.vendors import issuers, vendors
from wallet_server.records.vendors.issuers import Taken
from wallet_server.records.vendors.vendors import Class, ClassKey


def test_a_bucket_gives_its_rate_whoever_asks_and_a_pause_makes_no_flood(world: World) -> None:
    took, at = 0, NOON
    with world.ctx.change() as tx:
        for _ in range(100):
            granted, seconds = issuers.draw(tx, "338", 100, 15.0, at)
            took += granted
            assert seconds > 0
            at += timedelta(seconds=seconds)
        elapsed = (at - NOON).total_seconds()
        # What was in the bucket at first comes once; afterwards it is the rate to the request.
        assert abs(took - 15 * elapsed) <= 15 * issuers.DEEP_SECONDS + 1
        later = at + timedelta(hours=1)
        assert issuers.draw(tx, "338", 100, 15.0, later)[0] == 3
        assert issuers.draw(tx, "338", 100, 15.0, later)[0] == 0
        assert issuers.draw(tx, "338", 1, 15.0, later)[0] == 1, "somebody at the counter does not wait for the others"
        assert issuers.draw(tx, "338", 100, 15.0, NOON)[0] == 0
        assert issuers.draw(tx, "339", 1, 15.0, at)[0] == 1
        assert issuers.draw(tx, "340", 1, 100_000.0, at)[0] == 1, "nor does the first one of all"


class Bucket:
    """A bucket that workers draw from, at times in microseconds, and the busiest second that the vendor saw."""

    def __init__(self, rate: int) -> None:
        self.rate, self.held, self.as_of = float(rate), 0, -60_000_000
        self.taken, self.draws, self.busiest, self.made = 0, 0, 0, deque[int]()

    def draw(self, at: int, want: int) -> tuple[int, int]:
        """How many, and microseconds until it is worth asking again."""
        found = issuers.pour(self.held, at - self.as_of, want, self.rate)
        if found.granted:
            self.held, self.as_of = found.left, at - found.early
            self.taken, self.draws = self.taken + found.granted, self.draws + 1
            self.made.extend([at] * found.granted)
        while self.made and at - self.made[0] >= 1_000_000:
            self.made.popleft()
        self.busiest = max(self.busiest, len(self.made))
        return found.granted, math.ceil(found.seconds * 1_000_000)


@pytest.mark.parametrize("late_micros", [0, 3_000])
def test_a_batch_gets_any_rate_that_can_be_set_and_no_second_sees_more_than_the_limit(late_micros: int) -> None:
    for rate in (*range(1, 26), 33, 50, 77, 100):
        bucket, at = Bucket(rate), 0
        while at < 60_000_000:
            at += max(1, bucket.draw(at, 1_000)[1]) + late_micros
        assert abs(bucket.taken - 60 * rate) <= max(0.02 * 60 * rate, 2), (rate, bucket.taken)
        assert bucket.busiest <= max(issuers.PUBLISHED + int(rate == issuers.PUBLISHED), issuers.PEAK * rate), rate


@pytest.mark.parametrize("rate", [15, 19, 21, 50, 200])
def test_a_drain_that_stumbles_makes_up_for_it_and_no_second_sees_more_than_the_limit(rate: int) -> None:
    """Two workers with batches of 25, each busy with the database in between, whom a disk holds up for most of a second
    now and then; somebody at the counter asks for one all the while."""
    bucket, turns = Bucket(rate), [0, 1000, 2000]
    left = [25, 25]
    while min(turns) < 60_000_000:
        one = turns.index(min(turns))
        at = turns[one]
        if one == 2:
            bucket.draw(at, 1)
            turns[2] += 1_000_000
            continue
        granted, wait = bucket.draw(at, left[one])
        left[one] -= granted
        spent = 4_000 * granted
        if not left[one]:
            left[one], spent = 25, spent + 60_000
        stalls = rate > issuers.PUBLISHED and at // 9_000_000 != (at + 100_000) // 9_000_000
        turns[one] += max(2_000, wait) + spent + (850_000 if stalls else 0)
    allowed = 0.02 if rate > issuers.PUBLISHED else 0.05
    assert abs(bucket.taken - 60 * rate) <= allowed * 60 * rate, bucket.taken
    assert bucket.busiest <= (issuers.PEAK * rate if rate > issuers.PUBLISHED else issuers.PUBLISHED)
    assert bucket.draws <= 60 * 12 or rate <= issuers.PUBLISHED, "not a transaction for each request"


def test_a_nonce_and_a_rotating_code_are_taken_once(world: World) -> None:
    holder = world.enrol()
    with world.ctx.change() as tx:
        assert issuers.hear(tx, "ab" * 32, NOON + timedelta(hours=1))
        assert not issuers.hear(tx, "ab" * 32, NOON + timedelta(hours=2))
        assert issuers.forget_heard(tx, NOON + timedelta(hours=1)) == 1
        assert issuers.hear(tx, "ab" * 32, NOON + timedelta(hours=2))
        used = [issuers.use_number(tx, holder.pass_id, Taken(counter, None, NOON)) for counter in (7, 7, 6, 8)]
        assert used == [True, False, True, True]
        assert sorted(one.counter for one in issuers.taken(tx, holder.pass_id, NOON, NOON)) == [6, 7, 8]
        assert issuers.forget_numbers(tx, NOON) == 0
        assert issuers.forget_numbers(tx, NOON + timedelta(hours=1)) == 3
        issuers.learn_locations(tx, "338", True, NOON)
        issuers.learn_locations(tx, "338", False, NOON + timedelta(days=1))
        assert issuers.locations(tx, "338") == (False, NOON + timedelta(days=1))


def test_alerts_of_a_pass_and_of_its_programme_count_together(world: World) -> None:
    first, second = world.enrol(), world.enrol()
    with world.ctx.change() as tx:
        programme = members.members_by_id(tx, [first.member_id])[first.member_id].programme_id
        alerts.spend(tx, [(first.pass_id, "points")], NOON)
        for _ in range(2):
            alerts.spend_class(tx, programme, world.credential_set, "ann_1", NOON + timedelta(hours=1))
        alerts.spend_class(tx, programme, world.credential_set, "ann_0", NOON - timedelta(hours=1))
        both = [first.pass_id, second.pass_id]
        assert alerts.spent(tx, both, NOON - timedelta(days=1)) == {
            first.pass_id: [NOON, NOON + timedelta(hours=1)],
            second.pass_id: [NOON + timedelta(hours=1)],
        }
        assert len(alerts.spent_by_class(tx, programme, world.credential_set, NOON)) == 1
        assert alerts.forget(tx, NOON, 10) == 1
        assert alerts.spent(tx, both, NOON - timedelta(days=1))[first.pass_id] == [NOON + timedelta(hours=1)]


def test_what_a_vendor_was_given_and_what_it_said_is_kept(world: World) -> None:
    holder = world.enrol()
    with world.ctx.change() as tx:
        programme = members.members_by_id(tx, [holder.member_id])[holder.member_id].programme_id
        found = vendors.issuer_of(tx, programme, "apple")
        assert found is not None
        assert found.credential_set_id == world.credential_set
        assert vendors.issuer_of(tx, programme, "google") is None
        vendors.choose(tx, programme, world.credential_set, "apple", NOON)
        key = ClassKey(programme, world.credential_set, "card")
        assert vendors.class_of(tx, key) == Class(None, None, None)
        vendors.keep_class(tx, key, "apple", Class(None, "{}", "No places."), NOON)
        assert vendors.class_of(tx, key) == Class(None, "{}", "No places.")
        assert vendors.card_of(tx, holder.member_id, "apple") == holder.pass_id
        assert not vendors.held_by(tx, holder.member_id)
        vendors.say(tx, holder.pass_id, NOON, held=True, note="No places.")
        vendors.say(tx, holder.pass_id, NOON + timedelta(hours=1), held=True)
        assert vendors.held_by(tx, holder.member_id)
        vendors.say(tx, holder.pass_id, NOON + timedelta(hours=2), held=False, note="")
        said = vendors.holdings(tx, [holder.pass_id])[holder.pass_id]
        assert (said.saved_at, said.removed_at, said.held, said.note) == (NOON, NOON + timedelta(hours=2), False, None)


def test_what_was_left_with_a_vendor_is_noted_for_each_card(world: World) -> None:
    holders = [world.enrol() for _ in range(6)]
    keys = [one.pass_id for one in holders]
    with world.ctx.change() as tx:
        for at in (None, NOON):
            before = {key: one.rung for key, one in passes.published(tx, keys).items()}
            mark_rung(tx, [Rung(key, 1, before[key], f"state {key}", at) for key in reversed(keys)])
        mark_rung(tx, [Rung(key, 9, 7, "of another list", None) for key in keys])
        served = passes.published(tx, keys)
    assert {key: one.remote_state for key, one in served.items()} == {key: f"state {key}" for key in keys}
    assert {(one.rung, one.pushed_at, one.pushes) for one in served.values()} == {(1, NOON, 1)}
