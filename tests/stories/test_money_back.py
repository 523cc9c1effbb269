"""Points and money come and go over the wire: earned on both phones, taken back with the goods, on their way for some
days, spent in part, put aside, and run out with a warning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NewDatabase
from tests.stories.stage import Answer, Stage, shown
from wallet_server.sandbox.google import AndroidPhone
from wallet_server.sandbox.phones.phone import Phone

ANDROID = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
DAY = 86_400
EURO = {"fr": {"one": "euro", "other": "euros"}, "en": {"one": "euro", "other": "euros"}}
POT = {"code": "pot", "kind": "money", "names": EURO, "pending_days": 14}
FIVE_PERCENT = {"id": "five", "currency": "pot", "per": {"amount_minor": 100, "points": 5}}


@pytest.fixture
def stage(new_database: NewDatabase, tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, new_database("sqlite"), google=True) as raised:
        yield raised


def publish(stage: Stage, **changes: Any) -> None:
    programme = f"/v1/programmes/{stage.facts['programme']}"
    document = stage.merchant("GET", programme).body["document"]
    for name in ("welcome", "rewards"):
        document.pop(name, None)
    months = changes.pop("months", None)
    for one in document["currencies"]:
        if months is not None and one["code"] == "points":
            one["expires_after_months"] = months
    # A warning waits for the morning where there are quiet hours: this story is the same at every hour of the day.
    document.setdefault("announce", {})["quiet"] = None
    document["currencies"] += changes.pop("currencies", [])
    document["earn"] += changes.pop("earn", [])
    answer = stage.merchant("POST", f"{programme}/versions", {"document": {**document, **changes}})
    assert answer.status == 200, answer


def till(stage: Stage, path: str, body: dict[str, Any]) -> Answer:
    return stage.call("POST", f"/v1/{path}", body, stage.facts["till_key"])


def done(answer: Answer) -> Any:
    assert answer.status == 200, answer
    return answer.body


def advance(stage: Stage, days: float) -> None:
    done(stage.merchant("POST", "/sandbox/clock", {"advance_seconds": int(days * DAY)}))


def back_of(phone: Phone, key: str) -> str | None:
    """As the programme's first language has it: the file of the pass names its texts by that."""
    value = shown(phone, f"detail.{key}")
    return None if value is None else str(value).replace("\u00a0", " ")


def test_points_follow_the_goods_on_both_phones_and_run_out_with_a_warning(stage: Stage) -> None:
    publish(stage, months=3)
    member = stage.enrol()
    phone, other = stage.phone(member), stage.android(member)
    code = stage.code(phone)

    def both(points: int) -> None:
        stage.until(lambda: shown(phone, "points") == points, f"{points} points are on the iPhone")
        stage.until(lambda: str(points) in _front(other), f"{points} points are on the Android phone")

    lines = [
        {"sku": "lamp", "quantity": 3, "unit_amount_minor": 1000},
        {"sku": "bulb", "quantity": 1, "amount_minor": 550},
    ]
    sale = {"code": code, "receipt": "R1", "currency": "EUR", "lines": lines}
    sold = done(till(stage, "sales", sale))
    assert sold["balances"]["points"] == 35
    both(35)

    # One lamp comes back, under the till's own number: 25.50 euros are left, which are 25 points.
    refunds = f"sales/{sold['id']}/refunds"
    first = {"reference": "B1", "lines": [{"number": 1, "quantity": 1}], "language": "fr"}
    told = done(till(stage, refunds, first))
    assert (told["amount_minor"], told["left_minor"], told["balances"]["points"]) == (1000, 2550, 25)
    assert told["sentence"] == "Retour\u00a0: -10 points, nouveau solde 25"
    (points, *_) = [one for one in told["entries"] if one["currency"] == "points"]
    assert (points["amount"], points["sentence"]) == (-10, "Retour d’achat de 10,00\u00a0€, ticket B1.")
    both(25)
    assert till(stage, refunds, first).headers["Idempotency-Replayed"] == "true"
    assert till(stage, refunds, {**first, "lines": [{"number": 2}]}).body["code"] == "key-reused"
    far = till(stage, refunds, {"reference": "B2", "lines": [{"number": 1, "quantity": 2.5}]})
    assert (far.status, far.body["code"]) == (409, "more-than-sold")
    assert done(till(stage, refunds, {"reference": "B3", "amount_minor": 60}))["balances"]["points"] == 24
    both(24)

    # What is left of it runs out in three months; both phones say so before, and show what is left after.
    advance(stage, 65)
    stage.until(lambda: "24 points expirent le" in (back_of(phone, "expiring") or ""), "the iPhone names the day")
    stage.until(lambda: any("24 points" in one.text for one in phone.lock_screen), "and says it once aloud")
    advance(stage, 30)
    both(0)
    rest = till(stage, f"sales/{sold['id']}/reversal", {})
    assert done(rest)["balances"]["points"] == 0, "what had run out is not taken twice"
    assert till(stage, refunds, {"reference": "B4", "amount_minor": 1}).body["code"] == "already-reversed"
    assert stage.book_faults() == []


def _front(phone: AndroidPhone) -> str:
    return str(phone.cards)


def test_cashback_waits_for_the_days_of_return_and_is_spent_in_part(stage: Stage) -> None:
    publish(stage, currencies=[POT], earn=[FIVE_PERCENT], balance_currency="pot")
    member = stage.enrol()
    phone = stage.phone(member)
    code = stage.code(phone)
    kept = stage.sell(code, 20_000)
    returned = done(stage.sell(code, 4_000))
    cashback = [one["amount"] for one in returned["entries"] if one["currency"] == "pot"]
    assert (cashback, returned["balances"]["pot"]) == ([200], 0), "2.00 of 40.00, on their way"
    stage.until(
        lambda: (back_of(phone, "pending") or "").startswith("12,00 € à partir du"), "the card says what is on its way"
    )
    refused = till(stage, "redemptions", {"code": code, "amount": 1, "currency": "pot", "reference": "S0"})
    assert (refused.status, refused.body["code"]) == (409, "not-enough")

    # The goods of the second sale come back within the days; of the first they stay.
    done(till(stage, f"sales/{returned['id']}/refunds", {"reference": "B1", "amount_minor": 4_000}))
    stage.until(lambda: (back_of(phone, "pending") or "").startswith("10,00 € à partir du"), "it is gone from there")
    advance(stage, 14.5)
    assert kept.status == 200
    stage.until(lambda: str(shown(phone, "points")) in ("10.0", "10", "10.00"), "10.00 can be spent")
    assert back_of(phone, "pending") is None

    # 3.50 of 10.00 are spent, 5.00 put aside for an order that takes 2.00 of them.
    spend = {"code": code, "amount": 350, "currency": "pot", "reference": "S1"}
    assert done(till(stage, "redemptions", spend))["balances"]["pot"] == 650
    stage.until(lambda: float(shown(phone, "points")) == 6.5, "6.50 are left")
    order = {"code": code, "amount": 500, "currency": "pot", "reference": "O1", "language": "fr"}
    held = done(till(stage, "holds", order))
    assert (held["hold"]["state"], held["balances"]["pot"]) == ("open", 150)
    stage.until(lambda: back_of(phone, "held") == "5,00 €", "the card says what is put aside")
    twice = till(stage, "redemptions", {"code": code, "amount": 151, "currency": "pot", "reference": "S2"})
    assert twice.body["code"] == "not-enough"
    sent = done(till(stage, f"holds/{held['id']}/capture", {"amount": 200}))
    assert (sent["hold"]["captured"], sent["balances"]["pot"]) == (200, 450)
    stage.until(lambda: float(shown(phone, "points")) == 4.5 and back_of(phone, "held") is None, "the rest is back")
    assert till(stage, f"holds/{held['id']}/release", {}).body["code"] == "hold-over"
    other = done(till(stage, "holds", {**order, "amount": 100, "reference": "O2", "minutes": 10}))
    advance(stage, 0.01)
    assert till(stage, f"holds/{other['id']}/capture", {}).body["code"] == "hold-over"
    stage.until(lambda: float(shown(phone, "points")) == 4.5, "its time was over")
    assert stage.book_faults() == []
