"""Earning at the till and over the interface: limits that several tills share, birthdays, events, what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase, whole_module_mostly_on
from tests.world import NOON, Holder, World, founded, together
from wallet_server.actions import keys
from wallet_server.actions.counter import claims, till
from wallet_server.actions.people import leaving
from wallet_server.errors import Invalid
from wallet_server.records.schema import members
from wallet_server.rules.programme.program import default_document

database_kind = whole_module_mostly_on("sqlite")


def document() -> dict[str, Any]:
    euro = {"amount_minor": 100, "points": 1}
    return default_document("Boulangerie") | {
        "earn": [
            {"id": "euro", "currency": "points", "per": euro, "cap": {"units": 30, "window": "day"}},
            {"id": "gift", "currency": "status", "per": euro, "when": "member.birthday_today && member.visits >= 1"},
            {
                "id": "workshop",
                "currency": "points",
                "event": {
                    "name": "workshop",
                    "names": {"fr": "un atelier", "en": "a workshop"},
                    "units": 50,
                    "proof": True,
                },
                "cap": {"units": 80, "window": "month"},
                "when": "event.fields.hours >= 2",
            },
        ],
        "tiers": None,
        "design": {"id": "points", "version": 1},
    }


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path, database_kind: str) -> Iterator[World]:
    with founded(new_database(database_kind), tmp_path, document=document()) as made:
        yield made


def earned(facts: dict[str, Any]) -> dict[str, int]:
    return {entry["rule"]: entry["amount"] for entry in facts["entries"]}


def test_a_limit_of_a_day_is_shared_by_tills_given_back_by_reversals_and_new_at_midnight(world: World) -> None:
    holder = world.enrol()
    other = keys.authenticate(world.ctx, world.second_till())
    first, second = together(
        lambda: world.sell(holder, 2000), lambda: world.sell(holder, 2000, scope=other)
    )  # whoever comes second finds what is left
    assert sorted([earned(first)["euro"], earned(second)["euro"]]) == [10, 20]
    assert earned(world.sell(holder, 2000)) == {}
    till.reverse_sale(world.ctx, world.till, first["id"], None)
    assert earned(world.sell(holder, 5000))["euro"] == earned(first)["euro"]
    evening = datetime(NOON.year, NOON.month, NOON.day, 22, 59, tzinfo=UTC)  # the store is in Paris, in winter
    world.clock.forward(seconds=(evening - world.clock()).total_seconds())
    assert earned(world.sell(holder, 5000)) == {}
    world.clock.forward(seconds=60)
    assert earned(world.sell(holder, 5000))["euro"] == 30
    assert earned(world.sell(holder, 5000, occurred_at=evening)) == {}  # sent later, of the day before


def put_birthday(world: World, holder: Holder, birthday: str | None) -> int:
    answer = world.client().put(
        f"/v1/members/{holder.member}/birthday",
        json={"birthday": birthday},
        headers=world.bearer(world.founded.merchant_key, world.number()),
    )
    return answer.status_code


def test_a_birthday_counts_on_its_day_and_is_forgotten_by_whoever_leaves(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 1000)
    assert "gift" not in earned(world.sell(holder, 700))
    assert put_birthday(world, holder, "02-30") == 422
    assert put_birthday(world, holder, world.clock().strftime("%m-%d")) == 200
    assert earned(world.sell(holder, 700))["gift"] == 7
    leaving.leave(world.ctx, world.merchant, holder.member)
    with world.ctx.look() as tx:
        kept = tx.execute(sa.select(members.c.birthday).where(members.c.public_id == holder.member)).scalar()
    assert kept is None


def post(world: World, body: dict[str, Any], key: str | None = None) -> tuple[int, dict[str, Any]]:
    headers = world.bearer(world.founded.merchant_key, key or world.number())
    answer = world.client().post("/v1/events", json=body, headers=headers)
    return answer.status_code, answer.get_json()


def test_an_event_is_kept_once_and_earns_within_its_limit(world: World) -> None:
    holder = world.enrol()
    event = {"name": "workshop", "member": holder.member, "fields": {"hours": 3}, "proof": "https://example.org/7"}
    status, told = post(world, event, "one")
    assert (status, told["balances"]["points"], told["entries"][0]["sentence"]) == (200, 50, "Taking part: a workshop.")
    assert told["sentence"] == "+50 points, new balance 50"
    assert post(world, event, "one")[1] == told
    assert post(world, event | {"proof": "another"}, "one")[1]["code"] == "key-reused"
    status, told = post(world, event | {"member": None, "code": holder.code, "language": "fr"})
    assert told["entries"][0]["sentence"] == "Participation\u00a0: un atelier, limite atteinte."
    assert told["balances"]["points"] == 80
    status, told = post(world, event)
    assert (status, told["entries"], told["sentence"]) == (200, [], "Nothing for this event, balance 80")
    world.clock.forward(days=31)
    assert post(world, event)[1]["balances"]["points"] == 130
    assert post(world, event | {"fields": {"hours": 1}})[1]["entries"] == []


def test_an_event_may_fill_an_amount_that_becomes_a_voucher(new_database: NewDatabase, tmp_path: Path) -> None:
    title = {"fr": "Bon d’achat", "en": "Voucher"}
    voucher = {"title": title, "terms": title, "value_minor": 500, "valid_days": 30}
    conversions = [{"id": "bon", "currency": "points", "units": 40, "voucher": voucher}]
    with founded(new_database("sqlite"), tmp_path, document=document() | {"conversions": conversions}) as world:
        event = {"name": "workshop", "member": world.enrol().member, "fields": {"hours": 3}, "proof": "7"}
        status, told = post(world, event)
    assert (status, told["balances"]["points"], len(told["vouchers"])) == (200, 10, 1)
    assert [entry["amount"] for entry in told["entries"]] == [50, -40]


def test_what_is_no_sound_event_is_refused(world: World) -> None:
    holder = world.enrol()
    event = {"name": "workshop", "member": holder.member, "fields": {"hours": 3}, "proof": "7"}
    later = (world.clock() + timedelta(days=1)).isoformat()
    refusals = [
        (event | {"name": "workshops"}, 400, "unknown-event"),
        (event | {"proof": None}, 400, "proof-needed"),
        (event | {"occurred_at": later}, 400, "implausible-time"),
        (event | {"code": holder.code}, 422, "invalid"),
        (event | {"fields": {"hours": 1.5}}, 422, "invalid"),
        (event | {"fields": {"hours": [1]}}, 422, "invalid"),
        (event | {"member": "mem_0000000000"}, 404, "not-found"),
    ]
    for body, status, code in refusals:
        answered, problem = post(world, body)
        assert (answered, problem["code"]) == (status, code), body
    for value in (1.5, [1], 2**60, "\x00", "a" * 201, None):
        faults = post(world, event | {"fields": {"hours": value}})[1]["faults"]
        assert [one["path"] for one in faults] == ["fields.hours"], value
    assert world.client().post(
        "/v1/events", json=event, headers=world.bearer(world.founded.till_key, "k")
    ).status_code == 403  # fmt: skip


@pytest.mark.parametrize(
    ("day", "at", "taken"),
    [
        (date(1900, 1, 1), None, False),
        (date.max, None, False),
        (NOON.date() - timedelta(days=3), None, False),
        (NOON.date() + timedelta(days=3), None, False),
        (NOON.date() - timedelta(days=2), None, True),
        (NOON.date() + timedelta(days=2), None, True),
        (NOON.date(), NOON - timedelta(days=10), False),
        (NOON.date() - timedelta(days=9), NOON - timedelta(days=10), True),
    ],
)
def test_a_sale_counts_to_a_day_near_its_own(world: World, day: date, at: datetime | None, *, taken: bool) -> None:
    line = till.SaleLine(None, None, 1000, None, 500, 0, False)
    sold = till.Sold(world.enrol().code, "a", 500, (line,), "EUR", at, day)
    nobodys = replace(sold, code="", receipt="b")
    for act in (
        lambda: till.sell(world.ctx, world.till, sold, None),
        lambda: claims.keep(world.ctx, world.till, nobodys, None),
    ):
        if taken:
            act()
            continue
        with pytest.raises(Invalid) as refusal:
            act()
        assert (refusal.value.code, refusal.value.field) == ("implausible-time", "business_day")
