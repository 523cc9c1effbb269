"""Two years pass in a moment and the points are gone from the phone; a merchant who trades has no such clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.stories.stage import Stage, shown

MONTHS_25 = 25 * 31 * 24 * 3600


@pytest.fixture
def stage(new_database: NewDatabase, tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, new_database("sqlite")) as raised:
        yield raised


def expiring(stage: Stage) -> None:
    programme = f"/v1/programmes/{stage.facts['programme']}"
    document = stage.merchant("GET", programme).body["document"]
    for currency in document["currencies"]:
        if currency["code"] == "points":
            currency["expires_after_months"] = 24
    answer = stage.merchant("POST", f"{programme}/versions", {"document": document})
    assert answer.status == 200, answer


def test_two_years_pass_in_a_moment(stage: Stage) -> None:
    assert stage.facts["merchant_key"].startswith("testkey_")
    expiring(stage)
    phone, other = stage.phone(stage.enrol()), stage.phone(stage.enrol())
    balance = stage.sell(stage.code(phone), 5_000).body["balances"]["points"]
    stage.until(lambda: str(shown(phone, "points")).startswith(str(balance)), "the sale is on the card")

    moved = stage.merchant("POST", "/sandbox/clock", {"advance_seconds": MONTHS_25}, Idempotency_Key="c-1")
    assert (moved.status, moved.body["ahead_seconds"]) == (200, MONTHS_25)
    stage.until(lambda: str(shown(phone, "points")).startswith("0"), "the points are gone", 5)
    again = stage.merchant("POST", "/sandbox/clock", {"advance_seconds": MONTHS_25}, Idempotency_Key="c-1")
    assert (again.body, again.headers["Idempotency-Replayed"]) == (moved.body, "true")
    assert stage.merchant("GET", "/sandbox/clock").body["ahead_seconds"] == MONTHS_25

    # From here on the till counts in that time, and what it gives is good for two years more.
    sold = stage.sell(stage.code(other), 3_000)
    assert sold.status == 200
    then = datetime.fromisoformat(stage.merchant("GET", "/sandbox/clock").body["now"])
    assert timedelta(seconds=MONTHS_25 - 60) < then - datetime.now(UTC) < timedelta(seconds=MONTHS_25 + 60)
    stage.until(lambda: str(shown(other, "points")).startswith(str(sold.body["balances"]["points"])), "it is shown", 5)
    back = stage.merchant("POST", "/sandbox/clock", {"to": datetime.now(UTC).isoformat()})
    assert (back.status, back.body["code"]) == (409, "clock-backwards")
    far = stage.merchant("POST", "/sandbox/clock", {"advance_seconds": 9 * 366 * 86400})
    assert (far.status, far.body["code"]) == (400, "clock-too-far")
    to = stage.merchant("POST", "/sandbox/clock", {"to": (then + timedelta(days=800)).isoformat()})
    assert to.status == 200, to
    stage.until(lambda: str(shown(other, "points")).startswith("0"), "these are gone, too", 5)
    # What the phones hold is signed today, and good.
    for one in (phone, other):
        (card,) = one.cards.values()
        assert not card.file.voided
        assert [event for event in one.events if event.kind == "refused"] == []

    # A till may not, and a merchant who trades has no such clock.
    till = stage.call("POST", "/sandbox/clock", {"advance_seconds": 1}, stage.facts["till_key"])
    assert (till.status, till.body["code"]) == (403, "needs-scope")
    founded = json.loads(stage.command("found", "Le vrai").stdout)
    assert founded["merchant_key"].startswith("key_")
    body = {"advance_seconds": 60}
    live = stage.call("POST", "/sandbox/clock", body, founded["merchant_key"], Idempotency_Key="c-2")
    assert (live.status, live.body["code"]) == (403, "clock-live")
    assert stage.book_faults() == []


def test_tiers_are_reviewed_and_birthdays_come_by_the_clock_that_was_moved(stage: Stage) -> None:
    programme = f"/v1/programmes/{stage.facts['programme']}"
    document = stage.merchant("GET", programme).body["document"]
    month = {"metric": "spend", "at_least": 10_000, "window": "rolling-30-days"}
    bronze, gold = ({"code": code, "names": dict.fromkeys(("fr", "en"), code.title())} for code in ("bronze", "gold"))
    document["tiers"] = {"currency": "status", "levels": [{**bronze, "threshold": 0}, {**gold, "needs": month}]}
    document["multipliers"] = [{"id": "feast", "factor": [2, 1], "birthday": "day", "rules": ["euro"]}]
    document["earn"] = [{"id": "euro", "currency": "points", "per": {"amount_minor": 100, "points": 1}}]
    answer = stage.merchant("POST", f"{programme}/versions", {"document": document})
    assert answer.status == 200, answer

    feast = (datetime.now(UTC) + timedelta(days=40)).replace(hour=12)
    member = stage.enrol()
    birthday = {"birthday": f"{feast:%m-%d}"}
    assert stage.merchant("PUT", f"/v1/members/{member['member']}/birthday", birthday).status == 200
    phone = stage.phone(member)
    sold = stage.sell(stage.code(phone), 15_000).body
    assert (sold["tier"], sold["entries"][0]["amount"]) == ("gold", 150)
    stage.until(lambda: shown(phone, "tier") == "Gold", "the phone shows the tier")

    assert stage.merchant("POST", "/sandbox/clock", {"to": feast.isoformat()}).status == 200
    stage.until(lambda: shown(phone, "tier") == "Bronze", "what was spent is more than thirty days ago", 5)
    assert stage.sell(stage.code(phone), 1_000).body["entries"][0]["amount"] == 20
    stage.until(lambda: "170" in str(shown(phone, "points")), "a birthday counts twice")
    assert stage.book_faults() == []
