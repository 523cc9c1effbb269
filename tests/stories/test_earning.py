"""What sales and events earn, told at the till and shown on the phone: amounts, visits, events, happy hours, and goods
that earn nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.stories.stage import Stage, shown
from wallet_server.sandbox.phones.phone import Phone

PARIS = ZoneInfo("Europe/Paris")
EURO = {"amount_minor": 100, "points": 1}
STAMP = {"fr": {"one": "tampon", "other": "tampons"}, "en": {"one": "stamp", "other": "stamps"}}


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("earning")
    with Stage(folder, f"sqlite:///{folder}/wallet.db") as raised:
        yield raised


def publish(stage: Stage, *earn: dict[str, Any], **parts: Any) -> None:
    programme = f"/v1/programmes/{stage.facts['programme']}"
    document = stage.merchant("GET", programme).body["document"] | {"earn": list(earn), "tiers": None, **parts}
    if not any(currency["code"] == "stamps" for currency in document["currencies"]):
        document["currencies"].append({"code": "stamps", "kind": "stamps", "names": STAMP})
    answer = stage.merchant("POST", f"{programme}/versions", {"document": document})
    assert answer.status == 200, answer


def sell(stage: Stage, phone: Phone, *lines: dict[str, Any], at: datetime | None = None) -> dict[str, Any]:
    """A sale of these lines; what it gave."""
    body = {
        "code": stage.code(phone),
        "receipt": f"E{next(stage.receipts)}",
        "currency": "EUR",
        "lines": list(lines),
        **({} if at is None else {"occurred_at": at.isoformat()}),
    }
    answer = stage.call("POST", "/v1/sales", body, stage.facts["till_key"])
    assert answer.status == 200, answer
    return dict(answer.body)


def gave(told: dict[str, Any]) -> dict[str, int]:
    return {entry["rule"]: entry["amount"] for entry in told["entries"]}


def withheld(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["rule"], one["why"]) for one in told["withheld"]]


def goods(amount_minor: int, category: str | None = None, tax_minor: int = 0) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "category": category, "tax_minor": tax_minor}


def test_a_basket_earns_by_its_amount_and_goods_that_are_excluded_earn_nothing(stage: Stage) -> None:
    rules = [
        {"id": f"{scope}-{rounding}-{tax}", "currency": "status", "per": EURO, "scope": scope, "rounding": rounding,
         "tax": tax}
        for scope, rounding, tax in (("line", "down", "in"), ("basket", "up", "in"), ("basket", "down", "out"))
    ]  # fmt: skip
    publish(stage, {"id": "euro", "currency": "points", "per": EURO}, *rules, excluded={"categories": ["medicine"]})
    phone = stage.phone(stage.enrol(language="en"))
    told = sell(stage, phone, goods(1450, tax_minor=242), goods(1549, tax_minor=258))
    assert gave(told) == {"euro": 29, "line-down-in": 29, "basket-up-in": 30, "basket-down-out": 24}
    assert told["entries"][0]["sentence"].startswith("Purchase of €29.99")
    stage.until(lambda: shown(phone, "points") == 29, "29.99 euros are 29 points on the phone")

    # A pharmacy's basket: medicine earns nothing, whatever the rule, and the rest earns as if it were alone.
    told = sell(stage, phone, goods(2650, "medicine"), goods(1020, "soap"))
    assert gave(told) == {"euro": 10, "line-down-in": 10, "basket-up-in": 11, "basket-down-out": 10}
    assert "€10.20" in told["entries"][0]["sentence"]
    nothing = sell(stage, phone, goods(9900, "medicine"))
    assert (gave(nothing), {why for _, why in withheld(nothing)}) == ({}, {"goods"})
    stage.until(lambda: shown(phone, "points") == 39, "the rest alone is on the phone")

    # Nor does anything that the member has buy medicine: it is refused, and stays the member's.
    name = {"fr": "une remise de 2 €", "en": "a €2 discount"}
    cost = {"currency": "points", "amount": 5}
    two = {"code": "two", "kind": "amount", "names": name, "cost": cost, "value_minor": 200}
    publish(stage, {"id": "euro", "currency": "points", "per": EURO}, rewards=[two])
    body = {"code": stage.code(phone), "currency": "EUR", "rewards": ["two"]}
    medicine, mixed = [goods(9900, "medicine")], [goods(9900, "medicine"), goods(500, "soap")]
    refused = stage.call("POST", "/v1/sales", {**body, "receipt": "M1", "lines": medicine}, stage.facts["till_key"])
    assert (refused.status, refused.body["code"], refused.body["rule"]) == (409, "nothing-off", "reward")
    paid = stage.call("POST", "/v1/sales", {**body, "receipt": "M2", "lines": mixed}, stage.facts["till_key"])
    assert (paid.body["to_pay_minor"], paid.body["discounts"][0]["line"]) == (10200, 2)
    assert gave(paid.body) == {"reward": -5, "euro": 3}
    stage.until(lambda: shown(phone, "points") == 37, "five were spent once")
    assert stage.book_faults() == []


def test_a_visit_counts_once_and_an_event_counts_too(stage: Stage) -> None:
    visit = {"id": "visit", "currency": "stamps", "visit": {"units": 1, "minimum_minor": 200, "interval_minutes": 60}}
    names = {"fr": "un atelier", "en": "a workshop"}
    event = {"name": "workshop_attended", "names": names, "units": 50, "proof": True}
    rule = {"id": "workshop", "currency": "points", "event": event, "cap": {"units": 80, "window": "year"}}
    publish(stage, visit, rule)
    phone = stage.phone(stage.enrol(language="en"))
    now = datetime.now(UTC)
    assert gave(sell(stage, phone, goods(250), at=now - timedelta(days=2))) == {"visit": 1}
    small = sell(stage, phone, goods(199), at=now - timedelta(days=1))
    assert (gave(small), withheld(small)) == ({}, [("visit", "minimum")])
    assert small["withheld"][0]["sentence"] == "The purchase is below the smallest one that counts, €2.00."
    assert gave(sell(stage, phone, goods(250), at=now - timedelta(seconds=60))) == {"visit": 1}
    again = sell(stage, phone, goods(250), at=now)
    assert (gave(again), again["counted_before"], withheld(again)) == ({}, True, [("visit", "visit")])

    attended = {"name": "workshop_attended", "code": stage.code(phone), "proof": "sheet 12, line 3"}
    told = stage.merchant("POST", "/v1/events", attended)
    assert (told.status, gave(told.body)) == (200, {"workshop": 50})
    stage.until(lambda: shown(phone, "points") == 50, "the workshop is on the phone")
    stage.until(lambda: any("50" in alert.text for alert in phone.lock_screen), "and the phone says so")
    assert gave(stage.merchant("POST", "/v1/events", attended).body) == {"workshop": 30}
    over = stage.merchant("POST", "/v1/events", attended | {"language": "fr"}).body
    assert (gave(over), withheld(over)) == ({}, [("workshop", "limit")])
    assert over["withheld"][0]["sentence"] == "La limite est atteinte."
    assert over["withheld"][0]["version"] == over["version"]
    refused = stage.merchant("POST", "/v1/events", attended | {"proof": None})
    assert (refused.status, refused.body["code"]) == (400, "proof-needed")


def spring(after: date) -> date:
    """The next day on which clocks in Europe go forward: the last Sunday of March."""
    for year in (after.year, after.year + 1):
        last = date(year, 3, 31)
        sunday = last - timedelta(days=(last.weekday() + 1) % 7)
        if sunday > after:
            return sunday
    raise AssertionError("there is a spring every year")


def test_happy_hour_is_by_the_clock_of_the_store_also_when_it_changes(stage: Stage) -> None:
    happy = {"id": "happy", "factor": [2, 1], "hours": {"from": "17:00", "to": "19:00"}}
    night = {"id": "night", "factor": [3, 1], "hours": {"from": "02:00", "to": "03:00"}, "days": ["sun"]}
    publish(stage, {"id": "euro", "currency": "points", "per": EURO}, multipliers=[happy, night])
    phone = stage.phone(stage.enrol(language="en"))

    def points(day: date, hour: int, minute: int, second: int = 0) -> int:
        at = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=PARIS)
        return gave(sell(stage, phone, goods(1000), at=at))["euro"]

    yesterday = datetime.now(PARIS).date() - timedelta(days=1)
    assert [points(yesterday, 16, 59, 59), points(yesterday, 17, 0), points(yesterday, 18, 59, 59)] == [10, 20, 20]
    assert points(yesterday, 19, 0) == 10
    stage.until(lambda: shown(phone, "points") == 60, "all of it is on the phone")
    back = next(iter(phone.cards.values())).file
    texts = [str(field["value"]) for field in back.all_fields()]
    assert any("Les points sont multipliés par 2 de 17\u00a0h à 19\u00a0h." in text for text in texts), texts
    said = back.strings("en").values()
    assert any("Points are multiplied by 2 from 17:00 to 19:00." in sentence for sentence in said), said

    # The merchant's own clock is put beyond the next change: the wall clock of the store decides on that day, too.
    sunday = spring(yesterday)
    beyond = datetime(sunday.year, sunday.month, sunday.day, 22, 0, tzinfo=PARIS)
    assert stage.merchant("POST", "/sandbox/clock", {"to": beyond.isoformat()}).status == 200
    assert [points(sunday, 1, 59, 59), points(sunday, 3, 0)] == [10, 10]  # two o'clock never comes
    assert [points(sunday, 16, 59, 59), points(sunday, 17, 0)] == [10, 20]
    week = sunday - timedelta(days=7)
    assert points(week, 2, 30) == 30
    stage.until(lambda: shown(phone, "points") == 60 + 80, "and so it is on the phone")
    assert stage.book_faults() == []
