"""What must not matter: a server killed, a push service away, a phone restored, a queue of a hundred thousand."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPException

from tests.conftest import mostly_on
from tests.stories.conftest import MakeStage
from tests.stories.stage import Stage, balance, of_google, shown
from wallet_server.records import jobs
from wallet_server.sandbox.apns import Answer
from wallet_server.sandbox.phones.phone import Phone

# A thousand, on both databases, take minutes; WALLET_TEST_ALL=1 asks for them.
SALES = 24
CROWD = 1000 if os.environ.get("WALLET_TEST_ALL") else 250


def _sell_through_anything(stage: Stage, code: str, count: int, amount_minor: int, name: str) -> None:
    """A till that sends each sale until it is answered, always under the same receipt number."""
    for number in range(count):
        for attempt in range(400):
            try:
                if stage.sell(code, amount_minor, receipt=f"{name}-{number}").status == 200:
                    break
            except (OSError, HTTPException):  # not there, or gone in the middle of its answer
                pass
            time.sleep(min(0.05 * (attempt + 1), 0.5))
        else:
            raise AssertionError("the sale was never answered")


@mostly_on("postgresql")
def test_killed_in_the_middle_nothing_is_lost_and_nothing_doubled(make_stage: MakeStage) -> None:
    stage = make_stage(coalesce_seconds=0.3, google=True)
    members = [stage.enrol() for _ in range(4)]
    phones, androids = [stage.phone(one) for one in members], [stage.android(one) for one in members[:2]]
    with ThreadPoolExecutor(len(phones)) as tills:
        sold = [
            tills.submit(_sell_through_anything, stage, stage.code(phone), SALES, 100, f"t{n}")
            for n, phone in enumerate(phones)
        ]
        for _ in range(2):
            time.sleep(0.4)
            stage.kill()
            time.sleep(0.1)
            stage.start()
        for till in sold:
            till.result(120)

    stage.until(lambda: all(shown(phone, "points") == SALES for phone in phones), "every phone shows every point")
    stage.until(lambda: all(balance(phone) == SALES for phone in androids), "and so does every Android phone")
    assert stage.book_faults() == []


@mostly_on("postgresql")
def test_a_worker_killed_in_the_middle_leaves_its_work_to_another(make_stage: MakeStage) -> None:
    settings = {"WALLET_WORKER": "none", "WALLET_LEASE_SECONDS": "3"}
    stage = make_stage(coalesce_seconds=0.2, extra=settings, google=True)
    phones = stage.crowd(20)
    androids = [stage.android(stage.enrol()) for _ in range(6)]
    first, _ = stage.worker(), stage.worker()
    for one in phones:
        stage.apns.tell(Answer(200, delay_seconds=0.5), one.push_token)
    with ThreadPoolExecutor(4) as tills:
        list(tills.map(lambda phone: stage.sell(stage.code(phone), 800).status, phones))
        codes = [android.code(of_google(android)["id"], datetime.now(UTC)) for android in androids]
        list(tills.map(lambda code: stage.sell(code, 800).status, codes))
    stage.until(lambda: stage.apns.counts.accepted > 0, "the workers are ringing")

    first.kill()

    stage.until(lambda: all(shown(phone, "points") == 8 for phone in phones), "every phone shows 8 points", 60)
    stage.until(lambda: all(balance(phone) == 8 for phone in androids), "and so does every Android phone", 60)
    assert stage.book_faults() == []


@mostly_on("sqlite")
def test_push_service_away_and_back(make_stage: MakeStage) -> None:
    stage = make_stage(coalesce_seconds=0.2)
    phone = stage.phone(stage.enrol())
    stage.run(stage.apns.stop())
    assert stage.sell(stage.code(phone), 700).status == 200
    time.sleep(1.5)
    assert shown(phone, "points") == 0

    stage.run(stage.apns.start())

    stage.until(lambda: shown(phone, "points") == 7, "the phone catches up", 60)


@mostly_on("sqlite")
def test_a_restored_phone_is_rung_under_its_new_token(make_stage: MakeStage) -> None:
    stage = make_stage(coalesce_seconds=0.2)
    phone = stage.phone(stage.enrol())
    old = phone.push_token
    stage.run(stage.fleet.restore(phone.device_id))
    assert phone.push_token != old

    assert stage.sell(stage.code(phone), 900).status == 200

    stage.until(lambda: shown(phone, "points") == 9, "the restored phone shows 9 points")


@mostly_on("postgresql")
def test_a_queue_of_a_hundred_thousand_does_not_delay_the_counter(make_stage: MakeStage) -> None:
    stage = make_stage(coalesce_seconds=0.2)
    bulk: list[Phone] = [stage.phone(stage.enrol()) for _ in range(3)]
    phone = stage.phone(stage.enrol())
    now = datetime.now(UTC)
    for one in bulk:
        stage.apns.tell(Answer(200, delay_seconds=1.0), one.push_token)
    for first in range(0, 100_000, 10_000):
        with stage.ctx.change() as tx:
            jobs.put(
                tx,
                [jobs.Put("refresh", str(10_000_000 + n), jobs.BULK, now) for n in range(first, first + 10_000)],
            )
    for one in bulk:
        stage.sell(stage.code(one), 100)

    begun = time.monotonic()
    assert stage.sell(stage.code(phone), 300).status == 200
    stage.until(lambda: shown(phone, "points") == 3, "the counter's phone shows 3 points", 10)

    assert time.monotonic() - begun < 5
    with stage.ctx.look() as tx:
        assert jobs.counts(tx, now + timedelta(hours=1))["due"] > 1000


@mostly_on("sqlite")
def test_a_crowd_of_phones_a_sale_and_an_announcement_at_once(make_stage: MakeStage) -> None:
    stage = make_stage(coalesce_seconds=2.0)
    _speak_at_any_hour(stage)
    phones = stage.crowd(CROWD, promotions=True)
    text = "Fresh bread until seven"
    drafted = stage.merchant(
        "POST",
        "/v1/announcements",
        {
            "programme": stage.facts["programme"],
            "texts": {"fr": "Du pain frais jusqu'à sept heures", "en": text},
            "ends_at": (datetime.now(UTC) + timedelta(days=2)).isoformat(),
        },
    )
    stage.merchant("POST", f"/v1/announcements/{drafted.body['announcement']}/confirmation")
    with ThreadPoolExecutor(8) as tills:
        sold = list(tills.map(lambda phone: stage.sell(stage.code(phone), 500).status, phones))
    assert set(sold) == {200}

    stage.until(
        lambda: all(shown(p, "points") == 5 and any(a.text == text for a in p.lock_screen) for p in phones),
        "every phone shows the points and has heard the news",
        120,
    )
    said = {alert.text for phone in phones for alert in phone.lock_screen}
    assert not any("changed" in text for text in said), said


def _speak_at_any_hour(stage: Stage) -> None:
    path = f"/v1/programmes/{stage.facts['programme']}"
    document = stage.merchant("GET", path).body["document"]
    document["announce"] = {"per_day": 3, "per_week": 9, "quiet": None}
    assert stage.merchant("POST", f"{path}/versions", {"document": document}).status == 200
