"""The published examples of deferred revenue over the wire: units are sold and redeemed at the till for two years, the
product estimates from what it saw what will come, and report, file and page say each figure of the examples."""

from __future__ import annotations

import csv
import io
import json
import urllib.parse
import urllib.request
import zipfile
from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NewDatabase
from tests.stories.stage import Answer, Stage
from tests.stories.visiting import PASSWORD, Visitor
from wallet_server.actions import keys
from wallet_server.actions.books import accounting
from wallet_server.actions.staff import ACCOUNTANT, team

PRICE, UNITS, VISITS = 100_000, 10_000, 100


@dataclass(frozen=True)
class Example:
    """10,000 units sold for 100,000 in month `at` + 12; 4,500 of them redeemed in the month after, 4,000 in the next.

    What is expected rests on 10,000 units that were given away in month `at`: 4,500 of these and then `second` are
    redeemed a month and two months later, `late` only after fifteen. Of the sold ones it is told first what is expected
    of them after 4,500, and eleven months later after 8,500.
    """

    code: str
    at: int
    worth: tuple[int, int]
    second: int
    late: int
    expected: tuple[int, int]
    allocated: int
    recognised: tuple[int, int]

    @property
    def told(self) -> tuple[int, int]:
        """The last months of the two reports."""
        return self.at + 13, self.at + 24


EXAMPLES = [
    # KPMG, Revenue: IFRS 15 handbook, Examples 10A and 10B: a price of which 9,000 fall to units of which 9,700 are
    # expected; then 9,900 are, or 9,200.
    Example("more", 0, (8_827, 9_000), 5_200, 280, (9_700, 9_900), 9_000, (4_175, 3_552)),
    Example("fewer", 1, (8_827, 9_000), 5_200, 140, (9_700, 9_200), 9_000, (4_175, 4_140)),
    # IFRS 15, Illustrative Example 52: 9,500 are expected, then 9,700.
    Example("ifrs", 2, (1, 1), 5_000, 400, (9_500, 9_700), 8_676, (4_110, 3_493)),
]


@pytest.fixture
def stage(new_database: NewDatabase, tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, new_database("sqlite")) as raised:
        yield raised


def done(answer: Answer) -> Any:
    assert answer.status == 200, answer
    return answer.body


def publish(stage: Stage) -> None:
    """A currency for each example, which an event gives away, or a purchase of goods of its name brings."""
    programme = f"/v1/programmes/{stage.facts['programme']}"
    document = stage.merchant("GET", programme).body["document"]
    for name in ("welcome", "rewards", "conversions"):
        document.pop(name, None)
    document["earn"] = []
    for one in EXAMPLES:
        called = {"fr": one.code, "en": one.code}
        names = {tongue: {"one": one.code, "other": one.code} for tongue in called}
        worth = {"units": one.worth[0], "amount_minor": one.worth[1]}
        document["currencies"].append({"code": one.code, "kind": "points", "names": names, "worth": worth})
        event = {"name": one.code, "units": UNITS, "names": called}
        document["earn"] += [
            {"id": f"{one.code}-sold", "currency": one.code, "when": f"line.category == '{one.code}'",
             "per": {"amount_minor": PRICE, "points": UNITS}},
            {"id": f"{one.code}-given", "currency": one.code, "event": event},
        ]  # fmt: skip
    done(stage.merchant("POST", f"{programme}/versions", {"document": document}))


def card(member: dict[str, Any]) -> str:
    """The code on the card as it was downloaded once: no phone holds it."""
    with urllib.request.urlopen(member["download_url"], timeout=30) as got:  # noqa: S310 - loopback
        parts = zipfile.ZipFile(io.BytesIO(got.read()))
    return str(json.loads(parts.read("pass.json"))["barcodes"][0]["message"])


def first_of(start: date, months: int) -> date:
    whole = start.year * 12 + start.month - 1 + months
    return date(whole // 12, whole % 12 + 1, 1)


def last_of(start: date, months: int) -> date:
    first = first_of(start, months)
    return first.replace(day=monthrange(first.year, first.month)[1])


def played(stage: Stage) -> date:
    """All that happens, month by month, on the account's clock; the first of the months."""
    given, sold = stage.enrol(), stage.enrol()
    old, new = card(given), card(sold)
    numbers = iter(range(10_000))

    def redeem(code: str, currency: str, amount: int) -> Callable[[], Answer]:
        body = {"code": code, "currency": currency, "amount": amount, "reference": f"V{next(numbers)}"}
        return lambda: stage.call("POST", "/v1/redemptions", body, stage.facts["till_key"])

    def give(currency: str) -> Callable[[], Answer]:
        return lambda: stage.merchant("POST", "/v1/events", {"name": currency, "member": given["member"]})

    def sell(currency: str) -> Callable[[], Answer]:
        line = {"sku": "1", "category": currency, "quantity": 1, "amount_minor": PRICE}
        body = {"code": new, "receipt": currency, "currency": "EUR", "lines": [line]}
        return lambda: stage.call("POST", "/v1/sales", body, stage.facts["till_key"])

    plan: defaultdict[int, list[Callable[[], Answer]]] = defaultdict(list)
    for one in EXAMPLES:
        plan[one.at].append(give(one.code))
        plan[one.at + 1] += [redeem(old, one.code, 4_500 // VISITS) for _ in range(VISITS)]
        plan[one.at + 2] += [redeem(old, one.code, one.second // VISITS) for _ in range(VISITS)]
        plan[one.at + 12].append(sell(one.code))
        plan[one.at + 13].append(redeem(new, one.code, 4_500))
        plan[one.at + 14].append(redeem(new, one.code, 4_000))
        plan[one.at + 15].append(redeem(old, one.code, one.late))
    plan[max(one.told[1] for one in EXAMPLES) + 1] = []

    start = first_of(datetime.now(UTC).date(), 1)
    for month in sorted(plan):
        noon = datetime.combine(first_of(start, month).replace(day=10), datetime.min.time(), UTC).replace(hour=12)
        done(stage.merchant("POST", "/sandbox/clock", {"to": noon.isoformat()}))
        for step in plan[month]:
            done(step())
    return start


def test_what_published_examples_defer_and_recognise_is_told_to_the_unit(stage: Stage) -> None:
    publish(stage)
    start = played(stage)
    visitor = Visitor(stage.base)
    scope = keys.authenticate(stage.ctx, stage.facts["merchant_key"])
    (baker,) = accounting.merchants(stage.ctx, scope)
    link = team.invite_by_operator(stage.ctx, baker, ACCOUNTANT)
    visitor.send(f"/invite/{link.rsplit('/', 1)[1]}", name="Ada", email="ada@example.com", password=PASSWORD)

    for one in EXAMPLES:
        begins, left = one.at + 12, one.allocated
        periods = zip(one.told, (4_500, 8_500), one.expected, one.recognised, strict=True)
        for ends, redeemed, expected, recognised in periods:
            days = {"from": first_of(start, begins).isoformat(), "as_of": last_of(start, ends).isoformat()}
            query = urllib.parse.urlencode(days)
            (told,) = done(stage.merchant("GET", f"/v1/books/liability?currency={one.code}&{query}"))["currencies"]
            assert told["estimate"]["why_not"] is None, told["estimate"]
            assert redeemed + told["expected"] == expected
            amounts, left = told["amounts"], left - recognised
            assert (amounts["allocated_minor"], amounts["recognised_in_period_minor"]) == (one.allocated, recognised)
            assert (amounts["deferred_minor"], amounts["provision_minor"]) == (left, 0)

            rows = list(csv.DictReader(io.StringIO(visitor.get(f"/console/books/liability.csv?{query}"))))
            sheet = {row["item"]: row["amount_minor"] for row in rows if row["currency"] == one.code}
            assert sheet["recognised_in_period_minor"] == str(recognised)
            page = visitor.get(f"/console/books?{query}&lang=en")
            assert f"€{recognised / 100:,.2f}" in page
            assert f"€{left / 100:,.2f}" in page
            begins = ends + 1
    assert stage.book_faults() == []
