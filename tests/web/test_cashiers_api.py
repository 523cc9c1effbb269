"""Who stands at a till: PINs, shifts, what is written down of them, and calls that are only practised."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.actions.counter.test_gestures import document
from tests.actions.counter.test_pairing import device, invited
from tests.conftest import mostly_on
from tests.tills import PIN, hire, on_shift, take_over
from tests.world import World, founded, together
from wallet_server.actions.counter import cashiers, pairing
from wallet_server.actions.keys import authenticate
from wallet_server.actions.staff import team
from wallet_server.errors import Conflict, Invalid, TooMany
from wallet_server.records.counter import counter_deeds
from wallet_server.records.schema import COUNTER_FACTS, metadata
from wallet_server.records.staff import waits


@mostly_on("sqlite")
def test_a_pin_begins_a_shift_that_the_next_one_ends(world: World) -> None:
    anna, first = on_shift(world, "Anna")
    client, holder = world.client(), world.enrol()
    listed = client.get("/v1/cashiers", headers=world.bearer(world.founded.till_key)).json
    assert listed == {"cashiers": [{"id": anna.public_id, "name": "Anna", "has_pin": True}]}
    assert client.post("/v1/lookups", json={"code": holder.code}, headers=first).status_code == 200
    _, second = on_shift(world, "Bruno")
    assert client.post("/v1/lookups", json={"code": holder.code}, headers=first).json["code"] == "shift-over"
    assert client.post("/v1/lookups", json={"code": holder.code}, headers=second).status_code == 200
    elsewhere = world.bearer(world.second_till()) | {"X-Cashier": second["X-Cashier"]}
    assert client.post("/v1/lookups", json={"code": holder.code}, headers=elsewhere).json["code"] == "shift-over"
    world.clock.forward(hours=4)
    assert client.post("/v1/lookups", json={"code": holder.code}, headers=second).json["code"] == "shift-over"
    alone = world.bearer(world.founded.till_key)
    assert client.delete("/v1/cashiers/shift", headers=alone).json == {"ended": True}
    assert client.delete("/v1/cashiers/shift", headers=alone).json == {"ended": False}


@mostly_on("sqlite")
def test_wrong_pins_make_that_person_wait_at_that_till_alone(world: World) -> None:
    anna, bruno = hire(world, "Anna"), hire(world, "Bruno")
    for one in (anna, bruno):
        cashiers.choose_own(world.ctx, one, PIN)
    for _ in range(5):
        assert take_over(world, anna, "9999").json["code"] == "wrong-pin"
    rests = take_over(world, anna)
    assert (rests.status_code, rests.json["code"]) == (429, "pin-rests")
    assert 1 <= int(rests.headers["Retry-After"]) <= 61
    assert take_over(world, bruno).status_code == 200
    assert take_over(world, anna, key=world.second_till()).status_code == 200
    # Practising is no way round it.
    training = world.bearer(world.founded.till_key) | {"X-Training": "1"}
    path = f"/v1/cashiers/{anna.public_id}/shift"
    assert world.client().post(path, json={"pin": PIN}, headers=training).json["code"] == "pin-rests"
    world.clock.forward(minutes=2)
    assert take_over(world, anna).status_code == 200


@mostly_on("sqlite")
def test_a_pin_that_an_owner_gave_is_changed_at_its_first_use(world: World) -> None:
    owner, anna, clerk = hire(world, "Olga", "owner"), hire(world, "Anna"), hire(world, "Karl", "accountant")
    assert take_over(world, anna).json["code"] == "no-pin"
    cashiers.give(world.ctx, owner, anna.public_id, PIN)
    assert take_over(world, anna).json["code"] == "pin-change-needed"
    assert take_over(world, anna, new_pin=PIN).json["code"] == "weak-pin"
    assert take_over(world, anna, new_pin="1234").json["code"] == "weak-pin"
    assert take_over(world, anna, new_pin="8164").status_code == 200
    assert take_over(world, anna, "8164").status_code == 200
    assert take_over(world, anna).json["code"] == "wrong-pin"
    with pytest.raises(Conflict) as refused:
        cashiers.give(world.ctx, owner, clerk.public_id, PIN)
    assert refused.value.code == "not-at-tills"
    assert take_over(world, clerk).status_code == 404


@mostly_on("sqlite")
def test_whoever_leaves_the_team_or_the_role_leaves_the_till(world: World) -> None:
    owner = hire(world, "Olga", "owner")
    for name, leave in (
        ("Anna", lambda one: team.disable(world.ctx, owner, one.public_id)),
        ("Bruno", lambda one: team.give_role(world.ctx, owner, one.public_id, "marketer")),
        ("Chloe", lambda one: cashiers.give(world.ctx, owner, one.public_id, "7306")),
    ):
        person, headers = on_shift(world, name)
        ask = {"path": "/v1/lookups", "json": {"code": world.enrol().code}, "headers": headers}
        assert world.client().post(**ask).status_code == 200
        leave(person)
        assert world.client().post(**ask).json["code"] == "shift-over", name


@pytest.mark.parametrize(
    "pin",
    ["0000", "1111", "1234", "9876", "7890", "1212", "6776", "1987", "2025", "2580", "31121999", "123456", "1122"],
)
def test_pins_that_others_would_guess_are_refused(pin: str) -> None:
    with pytest.raises(Invalid) as refused:
        cashiers.checked_pin(pin)
    assert refused.value.code == "weak-pin"


@pytest.mark.parametrize("pin", ["123", "123456789", "12a4", "", "12 34", "٠١٢٣"])
def test_a_pin_has_from_four_to_eight_digits(pin: str) -> None:
    with pytest.raises(Invalid) as refused:
        cashiers.checked_pin(pin)
    assert refused.value.code == "bad-pin"


def _rows(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """All that the database holds."""
    with world.ctx.look() as tx:
        return {
            name: [tuple(row) for row in tx.execute(sa.select(table).order_by(*table.primary_key.columns))]
            for name, table in metadata.tables.items()
        }


@pytest.mark.slow
def test_what_is_practised_answers_as_in_earnest_and_changes_nothing(database_url: str, tmp_path: Path) -> None:
    """Of every call of a till, beside a webhook that wants to be told everything."""
    with founded(database_url, tmp_path, document=document()) as world:
        _, plain = on_shift(world, "Anna")
        hook = {"url": "http://127.0.0.1:9/hook", "events": []}
        merchants = world.bearer(world.founded.merchant_key, world.number())
        assert world.client().post("/v1/webhooks", json=hook, headers=merchants).status_code == 200
        holder = world.enrol()
        sale, redemption = world.sell(holder, 40_000), world.redeem(holder, 10)
        client, code = world.client(), holder.code
        given = {"code": code, "gesture": "voucher", "reference": "E1"}
        gesture = client.post("/v1/gestures", json=given, headers=plain).json
        held = client.post("/v1/holds", json={"code": code, "amount": 5, "reference": "E2"}, headers=plain).json
        rung: list[int] = []
        world.ctx.ring = lambda: rung.append(1)
        before = _rows(world)
        calls: list[tuple[str, dict[str, Any]]] = [
            ("lookups", {"code": code}),
            ("quotes", {"code": code, "currency": "EUR", "lines": [{"amount_minor": 500}]}),
            ("sales", {"code": code, "receipt": "T1", "currency": "EUR", "amount_minor": 1000}),
            ("redemptions", {"code": code, "amount": 1, "reference": "T2"}),
            ("gestures", {"code": code, "gesture": "points", "reference": "T3"}),
            (f"gestures/{gesture['id']}/undo", {}),
            (f"sales/{sale['id']}/refunds", {"reference": "T4", "amount_minor": 100}),
            (f"sales/{sale['id']}/reversal", {}),
            (f"redemptions/{redemption['id']}/reversal", {}),
            ("holds", {"code": code, "amount": 5, "reference": "T5"}),
            (f"holds/{held['id']}/capture", {}),
            (f"holds/{held['id']}/release", {}),
        ]
        for path, body in calls:
            answer = client.post(f"/v1/{path}", json=body, headers=plain | {"X-Training": "1"})
            assert (answer.status_code, answer.json.get("training")) == (200, True), (path, answer.json)
            assert _rows(world) == before, path
        assert rung == []
        for path, body in calls[2:]:
            answer = client.post(f"/v1/{path}", json=body, headers=plain)
            assert "training" not in answer.json, path
        assert {name for name, rows in _rows(world).items() if rows != before[name]} >= {
            *("sales", "ledger_entries", "requests", "jobs", "webhook_events", "counter_deeds", "given_gestures"),
        }
        assert rung
        del merchants["Idempotency-Key"]
        refused = client.get("/v1/stores", headers=merchants | {"X-Training": "1"})
        assert refused.json["code"] == "no-training"


@mostly_on("sqlite")
def test_what_a_cashier_does_is_written_down_with_their_name(world: World) -> None:
    _, headers = on_shift(world, "Anna")
    holder, client = world.enrol(), world.client()
    body = {"code": holder.code, "receipt": "7", "currency": "EUR", "amount_minor": 1000}
    sale = client.post("/v1/sales", json=body, headers=headers).json["id"]
    assert client.post("/v1/sales", json=body, headers=headers).headers["Idempotency-Replayed"] == "true"
    client.post(f"/v1/sales/{sale}/reversal", json={}, headers=world.bearer(world.founded.till_key))
    with world.ctx.look() as tx:
        done = counter_deeds.about(tx, world.till, sale)
    assert [(one.what, one.who) for one in done] == [("sell", "Anna")]


def test_what_was_done_at_tills_is_never_edited(world: World) -> None:
    _, headers = on_shift(world, "Anna")
    body = {"code": world.enrol().code, "receipt": "7", "currency": "EUR", "amount_minor": 1000}
    assert world.client().post("/v1/sales", json=body, headers=headers).status_code == 200
    for statement in ("UPDATE counter_deeds SET what = 'x'", "DELETE FROM counter_deeds"):
        with pytest.raises(sa.exc.DBAPIError, match="never changed"), world.ctx.change() as tx:
            tx.exec_driver_sql(statement)
    kind = "tbl_name" if world.ctx.database.sqlite else "event_object_table"
    where = "sqlite_master WHERE type = 'trigger'" if world.ctx.database.sqlite else "information_schema.triggers"
    with world.ctx.look() as tx:
        guarded = set(tx.exec_driver_sql(f"SELECT {kind} FROM {where}").scalars())
    assert guarded >= set(COUNTER_FACTS)


def test_many_wrong_pins_at_once_count_as_one_after_another(world: World) -> None:
    anna = hire(world, "Anna")
    cashiers.choose_own(world.ctx, anna, PIN)
    scope = world.till
    answers = together(*[lambda: cashiers.begin(world.ctx, scope, anna.public_id, "9998") for _ in range(8)])
    codes = sorted(getattr(one, "code", "none") for one in answers)
    assert codes == ["pin-rests"] * 3 + ["wrong-pin"] * 5
    world.clock.forward(seconds=timedelta(minutes=1, seconds=1).total_seconds())
    assert cashiers.begin(world.ctx, scope, anna.public_id, PIN).cashier.name == "Anna"


def _failed_elsewhere(world: World, staff_id: int, times: int) -> None:
    """So often at other tills, all together."""
    with world.ctx.change() as tx:
        place = f"{cashiers.ANYWHERE}:{int(world.clock().timestamp() // cashiers.SPAN.total_seconds())}"
        for _ in range(times):
            waits.count(tx, staff_id, place, world.clock())


@mostly_on("sqlite")
def test_who_waits_everywhere_waits_nowhere_longer_for_it_and_begins_anew_after_some_days(world: World) -> None:
    anna, other = hire(world, "Anna"), world.second_till()
    cashiers.choose_own(world.ctx, anna, PIN)
    _failed_elsewhere(world, anna.staff_id, 99)
    assert take_over(world, anna, "9999").json["code"] == "wrong-pin"
    for _ in range(8):
        rests = take_over(world, anna, key=other)
        assert rests.json["code"] == "pin-rests"
        assert int(rests.headers["Retry-After"]) > 3000, "nothing was looked at, and nothing counted at this till"
    world.clock.forward(hours=1, seconds=1)
    assert take_over(world, anna, key=other).status_code == 200
    assert take_over(world, anna, "9999", key=other).json["code"] == "wrong-pin"
    assert take_over(world, anna, key=other).json["code"] == "pin-rests", "a shift that begins forgives no other try"
    world.clock.at += cashiers.SPAN
    assert take_over(world, anna, "9999", key=other).json["code"] == "wrong-pin"
    assert take_over(world, anna, key=other).status_code == 200, "what went wrong long ago holds nobody up"


@mostly_on("sqlite")
def test_a_shift_that_begins_lifts_no_wait_that_another_try_led_to(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, other = hire(world, "Anna"), authenticate(world.ctx, world.second_till())
    cashiers.choose_own(world.ctx, anna, PIN)
    _failed_elsewhere(world, anna.staff_id, 98)
    matches = cashiers._matches

    def guessed_meanwhile(stored: str, pin: str) -> bool:
        if pin == PIN:
            with pytest.raises(Invalid):
                cashiers.begin(world.ctx, other, anna.public_id, "9998")
        return matches(stored, pin)

    monkeypatch.setattr(cashiers, "_matches", guessed_meanwhile)
    assert cashiers.begin(world.ctx, world.till, anna.public_id, PIN).cashier.name == "Anna"
    with pytest.raises(TooMany):
        cashiers.begin(world.ctx, other, anna.public_id, "9997")


@mostly_on("sqlite")
def test_an_owner_who_gives_a_pin_forgets_what_went_wrong(world: World) -> None:
    anna, olga = hire(world, "Anna"), hire(world, "Olga", "owner")
    cashiers.choose_own(world.ctx, anna, PIN)
    for _ in range(2):
        for _ in range(4):
            assert take_over(world, anna, "9999").json["code"] == "wrong-pin"
        cashiers.give(world.ctx, olga, anna.public_id, "8264")


@mostly_on("sqlite")
def test_on_a_paired_device_what_takes_and_what_comes_back_bears_a_name_once_somebody_has_a_pin(world: World) -> None:
    owner = replace(world.merchant, principal="staff:one", scopes=frozenset({"read", "manage"}))
    paired = pairing.pair(world.ctx, invited(world, owner), device(), "Tablet").key
    client, plain, holder = world.client(), world.bearer(paired), world.enrol()

    def sold(**more: Any) -> Any:
        body = {"code": holder.code, "receipt": world.number(), "currency": "EUR", "amount_minor": 5000, **more}
        return client.post("/v1/sales", json=body, headers=plain)

    def takes(headers: dict[str, str]) -> list[int]:
        sale = sold().json["id"]
        ask = {"code": holder.code, "amount": 1, "reference": world.number()}
        paths = {
            "redemptions": ask,
            "holds": ask,
            f"sales/{sale}/refunds": {"reference": world.number(), "amount_minor": 100},
            f"sales/{sale}/reversal": {},
        }
        found = [client.post(f"/v1/{path}", json=body, headers=headers) for path, body in paths.items()]
        assert {one.json["code"] for one in found if one.status_code == 403} <= {"cashier-needed"}
        return [one.status_code for one in found]

    assert takes(plain) == [200] * 4, "nobody has a PIN"
    anna = hire(world, "Anna")
    cashiers.choose_own(world.ctx, anna, PIN)
    assert takes(plain) == [403] * 4
    assert sold().status_code == 200, "a sale takes nothing"
    assert sold(pot={}).json["code"] == "cashier-needed"
    token = take_over(world, anna, key=paired).json["token"]
    assert takes(plain | {"X-Cashier": token}) == [200] * 4
    assert takes(world.bearer(world.founded.till_key)) == [200] * 4, "a till's own software has people of its own"
