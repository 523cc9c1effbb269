"""The books of a shop over the wire: the till sells and redeems, the month is closed, a late correction falls into the
open one, and an accountant reads, downloads and trusts it."""

from __future__ import annotations

import csv
import io
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.actions.books.test_accounting import florist
from tests.conftest import NewDatabase, mostly_on
from tests.stories.stage import Stage
from tests.stories.visiting import PASSWORD, Visitor
from wallet_server.actions import keys
from wallet_server.actions.books import accounting
from wallet_server.actions.purse import coupons
from wallet_server.actions.staff import ACCOUNTANT, team

COFFEE = {
    "title": {"fr": "Un café offert", "en": "A free coffee"},
    "terms": {"fr": "Une fois.", "en": "Once."},
    "valid_days": 90,
    "value_minor": 250,
}


@pytest.fixture
def stage(database_kind: str, new_database: NewDatabase, tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, new_database(database_kind)) as raised:
        yield raised


def books(stage: Stage, path: str, **query: str) -> Any:
    answer = stage.merchant("GET", f"/v1/books/{path}?{urllib.parse.urlencode(query)}")
    assert answer.status == 200, answer
    return answer.body


def points(stage: Stage, **query: str) -> Any:
    (found,) = books(stage, "liability", currency="points", **query)["currencies"]
    return found


def coffees(stage: Stage, **query: str) -> tuple[int, list[Any]]:
    """What is owed by coupons, and what merchants took of each other's."""
    (found,) = books(stage, "liability", **query)["coupons"]
    return found["owed_minor"], found["honoured"]


def worth(stage: Stage) -> None:
    """From now on 400 points are 2 euros, and whoever joins has a coffee for 2.50."""
    programme = f"/v1/programmes/{stage.facts['programme']}"
    document = stage.merchant("GET", programme).body["document"]
    one = next(one for one in document["currencies"] if one["code"] == "points")
    one["worth"] = {"units": 400, "amount_minor": 200}
    document["welcome"] = {"coupon": COFFEE}
    assert stage.merchant("POST", f"{programme}/versions", {"document": document}).status == 200


@mostly_on("sqlite")
def test_an_accountant_signs_a_month_and_finds_it_unmoved(stage: Stage) -> None:
    worth(stage)
    member, reference = stage.enrol(), str(uuid4())[:8]
    phone = stage.phone(member)
    code = stage.code(phone)
    today = datetime.now(UTC).date()
    sold = stage.sell(code, 10_000).body
    spent = {"code": code, "amount": 40, "reference": reference}
    assert stage.call("POST", "/v1/redemptions", spent, stage.facts["till_key"]).status == 200

    # Deferred by its share of the price: 10,000 x 50 / 10,050; of 100 points 40 are redeemed, and earn their part.
    now = points(stage)
    assert (now["outstanding"], now["amounts"]["deferred_minor"]) == (60, 30)
    assert now["estimate"]["why_not"] == "too-few-months"
    assert books(stage, "trial-balance")["even"]
    scope = keys.authenticate(stage.ctx, stage.facts["merchant_key"])
    (baker,) = accounting.merchants(stage.ctx, scope)
    assert coffees(stage) == coffees(stage, merchant=baker) == (250, [])

    # A florist of the same programme takes the coffee: the baker owes it no more, and the two settle it.
    second = florist(stage.ctx, scope)
    stage.run(phone.open(member["coupons"][0]["download_url"]))
    (coffee,) = [one.file.document for one in phone.cards.values() if one.file.style == "coupon"]
    coupons.use(stage.ctx, second, coupons.Using(coffee["barcodes"][0]["message"], "F-1"), None)
    taken = {"issuer": baker, "merchant": "mer_fleuriste", "amount_minor": 250, "times": 1}
    for query in ({}, {"merchant": baker}, {"merchant": "mer_fleuriste"}):
        assert coffees(stage, **query) == (0, [taken]), query

    # The shop's clock goes on; the first night sums the day; what it came to is the same as before.
    then = books(stage, "liability")
    assert stage.merchant("POST", "/sandbox/clock", {"advance_seconds": 40 * 86_400}).status == 200
    through = (today + timedelta(days=1)).isoformat()
    closed = stage.merchant("POST", "/v1/books/closes", {"through": through})
    assert closed.status == 200, closed
    assert points(stage, as_of=then["as_of"].replace("+00:00", "Z"))["movement"] == now["movement"]

    # A correction comes late: the closed month stays, the open one tells it.
    reversal = f"/v1/sales/{sold['id']}/reversal"
    assert stage.call("POST", reversal, {}, stage.facts["till_key"]).status == 200
    whole = books(stage, f"closes/{closed.body['id']}")
    assert whole["moved"] == []
    assert whole["figures"]["liability"]["currencies"][0]["outstanding"] == 60
    late = points(stage, **{"from": (today + timedelta(days=2)).isoformat()})
    assert (late["movement"]["opening"], late["movement"]["closing"]) == (60, -40)
    assert stage.book_faults() == []

    # The accountant reads the same on the page, and keeps it as files.
    link = team.invite_by_operator(stage.ctx, baker, ACCOUNTANT)
    visitor = Visitor(stage.base)
    path = f"/invite/{link.rsplit('/', 1)[1]}"
    visitor.send(path, name="Ada", email="ada@example.com", password=PASSWORD)
    days = f"as_of={through}&from={today - timedelta(days=1)}"
    page = visitor.get(f"/console/books?{days}&lang=en")
    assert "The trial balance is even" in page
    assert "<strong>60</strong>" in page
    assert "No. 1" in page.replace("\u00a0", " ")
    assert "Taken by Fleuriste of what" in page
    rows = list(csv.DictReader(io.StringIO(visitor.get(f"/console/books/liability.csv?{days}"))))
    assert {"part": "standing", "item": "outstanding", "units": "60"}.items() <= next(
        row.items() for row in rows if row["currency"] == "points"
    )
    (settled,) = [row for row in rows if row["item"].startswith("taken by mer_fleuriste of mer_")]
    assert {"part": "coupons", "units": "1", "amount_minor": "250", "money": "EUR"}.items() <= settled.items()
    sheet = list(csv.DictReader(io.StringIO(visitor.get(f"/console/books/trial-balance.csv?as_of={through}"))))
    assert sum(int(row["credit"]) - int(row["debit"]) for row in sheet) == 0
