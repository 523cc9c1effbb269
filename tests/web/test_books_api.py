"""The books' routes: as of any moment, by merchant, as CSV, and the closing of a period; for merchants' keys alone."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

from tests.conftest import whole_module_mostly_on
from tests.world import NOON, World

database_kind = whole_module_mostly_on("sqlite")


def get(world: World, path: str, key: str | None = None, **query: str) -> Any:
    return world.client().get(path, query_string=query, headers=world.bearer(key or world.founded.merchant_key))


def post(world: World, through: str, key: str | None = None) -> Any:
    headers = world.bearer(world.founded.merchant_key, key or world.number())
    return world.client().post("/v1/books/closes", json={"through": through}, headers=headers)


def lines(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def test_the_trial_balance_is_even_on_every_day(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 5000)
    world.clock.forward(days=1)
    world.redeem(holder, 20)
    now = get(world, "/v1/books/trial-balance").json
    assert now["even"]
    assert {(one["owner"], one["purpose"]): one["credit"] - one["debit"] for one in now["lines"] if
            one["currency"] == "points"} == {("member", "available"): 30, ("merchant", "issued"): -50,
                                             ("merchant", "redeemed"): 20}  # fmt: skip
    then = get(world, "/v1/books/trial-balance", as_of="2026-11-18", currency="points").json
    assert [one["credit"] for one in then["lines"]] == [50, 0]
    before = get(world, "/v1/books/trial-balance", as_of="2026-11-18T11:59:59Z").json
    assert before["lines"] == []
    sheet = lines(get(world, "/v1/books/trial-balance.csv", currency="points"))
    assert [(one["owner"], one["debit"], one["credit"]) for one in sheet] == [
        ("member", "0", "30"), ("merchant", "50", "0"), ("merchant", "0", "20")]  # fmt: skip


def test_the_liability_moves_with_what_is_sold_and_redeemed(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 10_000)
    world.clock.forward(days=1)
    world.redeem(holder, 20)
    found = get(world, "/v1/books/liability", **{"from": "2026-11-19"}, currency="points").json
    (points,) = found["currencies"]
    assert points["movement"] == {"opening": 100, "granted": {}, "redeemed": 20, "expired": 0, "moved": 0,
                                  "closing": 80}  # fmt: skip
    assert (points["outstanding"], points["expected"], points["breakage"]) == (80, 80, 0)
    assert points["estimate"]["why_not"] == "too-few-months"
    assert points["amounts"] is None  # nobody said what a point is worth
    assert points["ageing"][0] == {"from_months": 0, "to_months": 3, "outstanding": 80, "liability_minor": None}
    sheet = lines(get(world, "/v1/books/liability.csv", currency="points"))
    assert {"outstanding": "80"}.items() <= {one["item"]: one["units"] for one in sheet}.items()


def test_a_period_is_closed_once_and_only_when_it_is_over(world: World) -> None:
    world.sell(world.enrol(), 5000)
    assert post(world, "2026-11-18").json["code"] == "period-open"
    world.clock.forward(days=1)
    first = post(world, "2026-11-18", "close-1")
    assert (first.status_code, first.json["number"], first.json["from"]) == (200, 1, None)
    assert post(world, "2026-11-18", "close-1").headers["Idempotency-Replayed"] == "true"
    assert post(world, "2026-11-18").json["code"] == "already-closed"
    assert post(world, "2026-11-17").json["code"] == "already-closed"
    world.sell(world.enrol(), 3000)
    world.clock.forward(days=30)
    second = post(world, "2026-11-30").json
    assert (second["number"], second["from"]) == (2, first.json["to"])
    assert [one["number"] for one in get(world, "/v1/books/closes").json["closes"]] == [2, 1]
    whole = get(world, f"/v1/books/closes/{first.json['id']}").json
    assert whole["moved"] == []
    assert whole["figures"]["trial_balance"]["even"]


def test_what_cannot_be_asked_is_said(world: World) -> None:
    world.sell(world.enrol(), 100)
    tomorrow = (NOON + timedelta(days=1)).isoformat()
    for query, code in [
        ({"as_of": "yesterday"}, "bad-date"),
        ({"as_of": "2026-11-18T10:00:00"}, "bad-date"),
        ({"as_of": tomorrow}, "not-yet"),
        *(({field: day}, "bad-date") for field in ("as_of", "from") for day in ("0001-01-01T00:00:00Z", "0001-01-02")),
        ({"from": "2026-11-18", "as_of": "2026-11-17"}, "bad-period"),
        ({"merchant": "mer_00000000000000000000"}, "not-found"),
        ({"currency": "gold"}, "not-found"),
        ({"nonsense": "1"}, "invalid"),
    ]:
        assert get(world, "/v1/books/liability", **query).json["code"] == code, query
    assert get(world, "/v1/books/liability", world.founded.till_key).json["code"] == "needs-scope"
    assert get(world, "/v1/books/closes/close_00000000000000000000").status_code == 404
