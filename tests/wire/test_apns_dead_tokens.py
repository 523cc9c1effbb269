"""Owns the proof that dead tokens rest a small shop once and never for ever, and that a wrong certificate forgets
nobody however long it stands: sales, jobs and database of the product, over real connections to the sandbox's APNs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import whole_module_mostly_on
from tests.phone import Phone
from tests.world import PASS_TYPE, TEAM, World, founded
from wallet_server.actions import outbox
from wallet_server.actions.passes import refresh
from wallet_server.records import jobs
from wallet_server.records.schema import devices as devices_table
from wallet_server.sandbox.apns import Answer, ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.wallets.apple.push import Alarm, Bell, ring_all
from wallet_server.wallets.port import Report, Stale

database_kind = whole_module_mostly_on("sqlite")

MEMBERS = 10
SECOND = timedelta(seconds=1)
MOST_STEPS = 500


@dataclass(frozen=True)
class Pair:
    certificate_pem: bytes
    key_pem: bytes
    pass_type: str = PASS_TYPE
    provider: None = None


@dataclass
class Shop:
    """Ten members with a phone each, rung through a bell that can be replaced as a restart replaces it."""

    world: World
    apns: ApnsServer
    authority: Authority
    heard: list[str]
    phones: list[Phone] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(MEMBERS):
            phone = Phone(self.world, self.world.enrol(), f"library-{number}", f"{number:064x}").add()
            self.phones.append(phone)
        self.pair = Pair(*self.authority.pass_certificate(PASS_TYPE, TEAM))
        self.bell, self.other = self._bell(), self._bell()
        self.world.told.refresh = self._refresh  # type: ignore[method-assign]

    def _bell(self) -> Bell:
        return Bell(address=self.apns.address, trust_pem=self.authority.root_pem, sandbox=True)

    def restart(self) -> None:
        """A new process: it knows what the database knows."""
        self.bell.close()
        self.bell = self._bell()

    def change_process(self) -> None:
        """Have another process ring, which has its own memory and keeps it."""
        self.bell, self.other = self.other, self.bell

    def _refresh(self, stale: Sequence[Stale], at: datetime) -> Iterator[Report]:
        return ring_all(self.bell, lambda _set: self.pair, stale, datetime.now(UTC), self._alarm)

    def _alarm(self, credential_set: int, alarm: Alarm) -> None:
        self.alarms.append(alarm)
        refresh.raise_alarm(self.world.ctx, credential_set, alarm.kind, alarm.sentence)

    def sell(self, *numbers: int, each: bool = True) -> None:
        for number in numbers:
            self.world.sell(self.phones[number].holder, 100)
            if each:
                self.world.work()
        self.world.work()

    def wait(self, **time: float) -> None:
        """Let time pass, from one job that is due to the next."""
        end = self.world.clock() + timedelta(**time)
        for _ in range(MOST_STEPS):
            self.world.work()
            if self.world.clock() >= end:
                return
            with self.world.ctx.look() as tx:
                due = [letter.due_at for letter in jobs.letters(tx, dead=False, most=1)]
            self.world.clock.at = min([end, *(max(at, self.world.clock() + SECOND) for at in due)])
        raise AssertionError("jobs run on and on")

    def refuse(self, *numbers: int) -> None:
        for number in numbers:
            self.apns.tell(Answer(400, "BadDeviceToken"), self.phones[number].token)

    def known(self) -> dict[int, bool]:
        """The phones that are not forgotten, and whether they are suspected."""
        with self.world.ctx.look() as tx:
            rows = list(tx.execute(sa.select(devices_table.c.library_id, devices_table.c.suspect_at)))
        return {int(row.library_id.split("-")[1]): row.suspect_at is not None for row in rows}

    def told(self) -> set[int]:
        """Which phones were rung since this was last asked."""
        numbers = {int(token, 16) for token in self.heard}
        self.heard.clear()
        return numbers


@contextmanager
def opened(database_url: str, folder: Path, authority: Authority) -> Iterator[Shop]:
    heard: list[str] = []
    with (
        founded(database_url, folder) as world,
        ApnsServer(authority, on_push=lambda token, *_: heard.append(token)).in_thread() as apns,
    ):
        shop = Shop(world, apns, authority, heard)
        world.clock.forward(minutes=1)
        yield shop
        shop.bell.close()
        shop.other.close()


@pytest.fixture
def shop(database_url: str, tmp_path: Path, apns_authority: Authority) -> Iterator[Shop]:
    with opened(database_url, tmp_path, apns_authority) as made:
        yield made


DEAD, LIVE = range(5), range(5, MEMBERS)


@pytest.mark.parametrize("each", [True, False], ids=["one by one", "all at once"])
def test_a_shop_with_five_dead_tokens_rests_once_and_then_tells_every_living_phone(shop: Shop, each: bool) -> None:
    shop.refuse(*DEAD)
    shop.sell(*DEAD, *LIVE, each=each)
    assert [alarm.kind for alarm in shop.alarms] == ["tokens"]
    assert shop.known() == {number: number in DEAD for number in range(MEMBERS)}, "noted, and nobody forgotten"
    shop.wait(minutes=20)
    assert shop.told() == set(LIVE)
    shop.wait(hours=23)
    assert set(shop.known()) == set(range(MEMBERS)), "for a day at least"
    shop.sell(*LIVE, *DEAD, each=each)
    shop.wait(hours=7)
    assert shop.told() == set(LIVE)
    assert len(shop.alarms) == 1
    assert shop.known() == dict.fromkeys(LIVE, False)


@pytest.mark.parametrize("restarts", [False, True], ids=["one process", "restarted"])
def test_the_one_customer_of_a_quiet_shop_is_told_of_every_sale_beside_dead_phones_and_a_dead_tablet(
    shop: Shop, restarts: bool
) -> None:
    shop.refuse(*DEAD)
    shop.sell(*DEAD, each=False)
    assert len(shop.alarms) == 1
    tablet = Phone(shop.world, shop.phones[9].holder, f"library-{MEMBERS}", f"{MEMBERS:064x}").add()
    shop.apns.tell(Answer(400, "BadDeviceToken"), tablet.token)
    shop.sell(9)
    shop.wait(minutes=15)
    assert shop.told() == {9}, "one rest of the credential set is the most"
    for day in range(3):
        for _ in range(4):
            shop.wait(minutes=3)
            shop.sell(9)
            assert shop.told() == {9}, day
        if restarts:
            shop.restart()
        shop.wait(hours=24)
        assert shop.told() == set(), "a doubted device is no reason to ring its sibling"
    assert len(shop.alarms) == 1
    assert shop.known() == dict.fromkeys(LIVE, False)
    assert outbox.counts(shop.world.ctx) == {"due": 0, "waiting": 0, "dead": 0}


def test_a_phone_that_was_refused_by_mistake_is_told_of_what_it_missed_within_hours(shop: Shop) -> None:
    shop.refuse(1)
    shop.sell(1, 2)
    assert (shop.told(), shop.known()[1]) == ({2}, True)
    shop.wait(hours=2)
    shop.apns.tell(None, shop.phones[1].token)
    shop.wait(hours=6)
    assert shop.told() == {1}
    assert not any(shop.known().values())
    assert outbox.counts(shop.world.ctx) == {"due": 0, "waiting": 0, "dead": 0}


NextDay = Callable[[Shop], None]
PROCESSES: dict[str, NextDay] = {
    "one process": lambda _: None,
    "restarted": Shop.restart,
    "two processes": Shop.change_process,
}


@pytest.fixture(params=list(PROCESSES))
def next_day(request: pytest.FixtureRequest) -> NextDay:
    return PROCESSES[request.param]


def test_the_few_customers_of_a_quiet_shop_are_not_forgotten_for_a_wrong_certificate(
    shop: Shop, next_day: NextDay
) -> None:
    """So few that no alarm is ever raised: what was taken on the day before must not vouch for their refusals."""
    shop.sell(*range(MEMBERS))
    next_day(shop)
    shop.wait(hours=2)
    shop.sell(*range(MEMBERS))
    shop.apns.tell(Answer(400, "BadDeviceToken"))
    for _ in range(4):
        shop.wait(hours=23)
        shop.sell(0, 1, 2)
        next_day(shop)
        assert len(shop.known()) == MEMBERS
    assert shop.alarms == []
    shop.told()
    shop.apns.tell(None)
    shop.wait(hours=6)
    assert shop.told() == {0, 1, 2}
    assert shop.known() == dict.fromkeys(range(MEMBERS), False)


def test_a_wrong_certificate_forgets_nobody_in_three_days_and_everybody_is_told_afterwards(
    shop: Shop, next_day: NextDay
) -> None:
    shop.sell(*range(MEMBERS))
    assert shop.told() == set(range(MEMBERS))
    shop.apns.tell(Answer(400, "BadDeviceToken"))
    for day in range(4):
        shop.sell(*range(MEMBERS), each=day % 2 == 0)
        shop.wait(hours=1)
        assert shop.alarms, "the operator hears of it"
        assert "certificate" in shop.alarms[0].sentence
        next_day(shop)
        shop.wait(hours=24)
        assert len(shop.known()) == MEMBERS
    assert len(shop.alarms) <= 2, "each phone is news once"
    assert shop.told() == set()
    shop.apns.tell(None)
    shop.wait(hours=6)
    assert shop.told() == set(range(MEMBERS))
    assert shop.known() == dict.fromkeys(range(MEMBERS), False)


def test_a_stray_token_of_another_topic_rests_a_quiet_shop_once_whatever_restarts(shop: Shop) -> None:
    """Where nothing was taken it looks like a certificate of another pass type."""
    shop.apns.tell(Answer(400, "DeviceTokenNotForTopic"), shop.phones[0].token)
    for _ in range(3):
        shop.sell(0)
        shop.wait(hours=1)
        shop.restart()
    assert [alarm.kind for alarm in shop.alarms] == ["configuration"]
    assert shop.known()[0]
    shop.sell(1)
    assert shop.told() == {1}
