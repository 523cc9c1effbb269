"""Saying yes at the till: what is offered, what each kind does, budgets that hold, a minute to take it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase, mostly_on
from tests.tills import on_shift
from tests.world import Holder, World, founded, together
from wallet_server.actions.counter import till
from wallet_server.actions.counter.checkout import Uses
from wallet_server.actions.operating import upkeep
from wallet_server.actions.people import leaving, merging
from wallet_server.actions.purse import engaging
from wallet_server.actions.telling import webhooks
from wallet_server.errors import Invalid
from wallet_server.records.passes import passes
from wallet_server.records.schema import gesture_complaints, refused_gestures
from wallet_server.records.staff import deeds
from wallet_server.rules.programme.program import parse
from wallet_server.rules.programme.program_default import default_document


def both(fr: str, en: str) -> dict[str, str]:
    return {"fr": fr, "en": en}


def gesture(name: str, kind: str, fr: str, en: str, **more: Any) -> dict[str, Any]:
    reasons = [{"id": "late", "names": both("livraison en retard", "the delivery was late")}]
    return {"id": name, "kind": kind, "names": both(fr, en), "reasons": reasons, **more}


VOUCHER = {"title": both("Bon de 5 €", "€5 voucher"), "terms": both("Une fois.", "Once."), "value_minor": 500}
GESTURES = [
    gesture("points", "points", "50 points", "50 points", units=50),
    gesture("discount", "points", "Une remise", "A discount", off_minor=500, cost_minor=500),
    gesture("voucher", "points", "Un bon de 5 €", "A €5 voucher", voucher="bon"),
    gesture("coffee", "gift", "un café", "a coffee", when="member.birthday_today"),
    gesture("room", "upgrade", "une chambre avec vue", "a room with a view", tiers=["gold"]),
    gesture("scoop", "extra", "une boule de plus", "one more scoop"),
    gesture("delivery", "service", "la livraison", "the delivery", after={"event": "delivery_late", "days": 14}),
]


def document(budgets: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    plain = default_document("Boulangerie")
    code = plain["currencies"][0]["code"]
    more: dict[str, Any] = {"gestures": GESTURES}
    more["conversions"] = [{"id": "bon", "currency": code, "units": 100_000, "voucher": VOUCHER}]
    more["tiers"] = {
        "levels": [
            {"code": "bronze", "names": both("Bronze", "Bronze"), "threshold": 0},
            {
                "code": "gold",
                "names": both("Or", "Gold"),
                "threshold": 500,
                "privileges": [{"code": "priority", "names": both("PRIORITAIRE", "PRIORITY"), "colour": "#FFD54A"}],
            },
        ]
    }
    return plain | more | ({} if budgets is None else {"gesture_budgets": budgets})


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[World]:
    with founded(database_url, tmp_path, document=document()) as made:
        yield made


@pytest.fixture
def generous(database_url: str, tmp_path: Path) -> Iterator[World]:
    with founded(database_url, tmp_path, document=document([])) as made:
        yield made


Headers = dict[str, str]


def prompts(world: World, holder: Holder, headers: Headers) -> dict[str, dict[str, Any]]:
    answer = world.client().post("/v1/lookups", json={"code": holder.code, "language": "fr"}, headers=headers)
    assert answer.status_code == 200, answer.json
    return {one["gesture"]: one for one in answer.json["gestures"]}


def give(world: World, holder: Holder, headers: Headers, name: str, **more: Any) -> Any:
    body = {"code": holder.code, "gesture": name, "reference": world.number(), "language": "fr", **more}
    return world.client().post("/v1/gestures", json=body, headers=headers)


def undo(world: World, given: str, headers: Headers) -> Any:
    return world.client().post(f"/v1/gestures/{given}/undo", json={"language": "fr"}, headers=headers)


@mostly_on("sqlite")
def test_each_kind_shows_its_own_words_at_the_till(generous: World) -> None:
    world = generous
    _, headers = on_shift(world, "Anna")
    holder = world.enrol()
    engaging.keep_birthday(world.ctx, world.merchant, holder.member, f"{world.clock():%m-%d}", world.wish("day"))
    event = {"name": "delivery_late", "member": holder.member}
    merchant = world.bearer(world.founded.merchant_key, world.number())
    assert world.client().post("/v1/events", json=event, headers=merchant).status_code == 200
    world.sell(holder, 60_000)
    offered = prompts(world, holder, headers)
    assert {name: one["sentence"] for name, one in offered.items()} == {
        "points": "Créditez 50 points.",
        "discount": "Déduisez 5,00\xa0€ du ticket.",
        "voucher": "Offrez un bon\xa0: Un bon de 5 €. Il sera sur la carte.",
        "coffee": "Offrez\xa0: un café.",
        "room": "Surclassez\xa0: une chambre avec vue.",
        "scoop": "Ajoutez gratuitement\xa0: une boule de plus.",
        "delivery": "Ne facturez pas\xa0: la livraison.",
    }
    done = {name: give(world, holder, headers, name).json for name in offered}
    assert done["points"]["sentence"] == "+50 points sur la carte."
    assert done["voucher"]["sentence"] == "Le bon est sur la carte\xa0: Un bon de 5 €."
    assert done["room"]["sentence"] == offered["room"]["sentence"]
    assert (len(done["points"]["entries"]), len(done["voucher"]["vouchers"])) == (1, 1)
    assert all(one["entries"] == [] for name, one in done.items() if name != "points")
    assert "delivery" not in prompts(world, holder, headers), "once for each event"
    assert upkeep.book_faults(world.ctx) == []


@mostly_on("sqlite")
def test_what_does_not_fit_is_neither_offered_nor_given(shop: World) -> None:
    _, headers = on_shift(shop, "Anna")
    holder = shop.enrol()
    assert set(prompts(shop, holder, headers)) == {"points", "discount", "voucher", "scoop"}
    for name, code in (("coffee", "gesture-not-now"), ("room", "gesture-not-now"), ("delivery", "gesture-not-now")):
        assert give(shop, holder, headers, name).json["code"] == code
    assert give(shop, holder, headers, "flowers").json["code"] == "unknown-gesture"
    assert give(shop, holder, headers, "points", reason="love").json["code"] == "unknown-reason"
    alone = shop.bearer(shop.founded.till_key)
    assert prompts(shop, holder, alone) == {}
    assert give(shop, holder, alone, "points").json["code"] == "cashier-needed"


@pytest.mark.slow
def test_the_sixth_gesture_of_a_week_is_refused_and_noted_with_the_name(shop: World) -> None:
    _, headers = on_shift(shop, "Anna")
    for left in (5, 4, 3, 2, 1):
        holder = shop.enrol()
        assert prompts(shop, holder, headers)["points"]["left"] == min(left, 2)
        assert give(shop, holder, headers, "points").status_code == 200
    holder = shop.enrol()
    assert prompts(shop, holder, headers) == {}
    refused = give(shop, holder, headers, "points")
    assert (refused.status_code, refused.json["code"], refused.json["budget"]) == (409, "budget-spent", "cashier:week")
    with shop.ctx.look() as tx:
        noted = [row for row in deeds.of_merchant(tx, shop.merchant, 50) if row.what == deeds.GESTURE_REFUSED]
        rows = tx.execute(sa.select(refused_gestures.c.gesture, refused_gestures.c.budget)).all()
    assert [(row.who, row.about, row.detail) for row in noted] == [("Anna", holder.member, "points, cashier:week")]
    assert [tuple(row) for row in rows] == [("points", "cashier:week")]
    # A colleague has a budget of their own, and the next week is another one.
    _, colleague = on_shift(shop, "Bruno")
    assert give(shop, holder, colleague, "points").status_code == 200
    shop.clock.forward(days=7)
    _, later = on_shift(shop, "Anna2")
    assert give(shop, shop.enrol(), later, "points").status_code == 200


@mostly_on("sqlite")
def test_what_two_members_had_counts_for_the_one_that_they_became(shop: World) -> None:
    _, headers = on_shift(shop, "Anna")
    kept, merged = shop.enrol(), shop.enrol()
    for holder in (kept, merged):
        assert give(shop, holder, headers, "scoop").status_code == 200
    assert prompts(shop, kept, headers)["scoop"]["left"] == 1
    wish = shop.wish("merge")
    merging.by_staff(shop.ctx, shop.merchant, kept.member, merged.member, "joined-twice", None, wish)
    assert prompts(shop, kept, headers) == {}
    assert give(shop, kept, headers, "scoop").json["budget"] == "member:month"


@pytest.mark.slow
def test_two_tills_never_both_give_the_last_of_a_budget(database_url: str, tmp_path: Path) -> None:
    budgets = [{"whose": "programme", "window": "day", "count": 3}]
    with founded(database_url, tmp_path, document=document(budgets)) as world:
        tills = [on_shift(world, f"C{n}", key=world.second_till())[1] for n in range(5)]
        holders = [world.enrol() for _ in tills]
        pairs = list(zip(holders, tills, strict=True))
        answers = together(*[lambda pair=pair: give(world, *pair, "points") for pair in pairs])
        assert sorted(one.status_code for one in answers) == [200, 200, 200, 409, 409]
        assert upkeep.book_faults(world.ctx) == []


def test_within_a_minute_it_is_taken_back_and_the_budget_has_room_again(shop: World) -> None:
    _, headers = on_shift(shop, "Anna")
    hook, _ = webhooks.add(shop.ctx, shop.merchant, "https://example.com/", ["goodwill.undone"], shop.wish("add"))
    holder = shop.enrol()
    before = prompts(shop, holder, headers)["points"]["left"]
    given = {name: give(shop, holder, headers, name).json for name in ("points",)}
    assert prompts(shop, holder, headers)["points"]["left"] == before - 1
    taken = undo(shop, given["points"]["id"], headers)
    assert taken.json["balances"]["points"] == 0
    assert taken.json["sentence"] == "Geste annulé\xa0: 50 points."
    assert undo(shop, given["points"]["id"], headers).headers["Idempotency-Replayed"] == "true"
    assert prompts(shop, holder, headers)["points"]["left"] == before
    voucher = give(shop, holder, headers, "voucher").json
    assert undo(shop, voucher["id"], headers).status_code == 200
    told = [row.body for row, _ in webhooks.sent(shop.ctx, shop.merchant, hook["webhook"]).rows]
    assert {orjson.loads(body)["data"]["id"] for body in told} == {given["points"]["id"], voucher["id"]}
    scoop = give(shop, holder, headers, "scoop").json
    shop.clock.forward(seconds=70)
    assert undo(shop, scoop["id"], headers).json["code"] == "undo-over"
    other = shop.bearer(shop.founded.till_key)
    assert undo(shop, scoop["id"], other).json["code"] == "cashier-needed"
    assert upkeep.book_faults(shop.ctx) == []


@mostly_on("sqlite")
def test_the_member_reads_the_reason_until_it_is_taken_back_and_words_go_with_the_member(shop: World) -> None:
    _, headers = on_shift(shop, "Anna")
    holder = shop.enrol()
    given = give(shop, holder, headers, "scoop", complaint="T-17").json
    shop.work()
    assert "livraison en retard" in _card(shop, holder)
    undo(shop, given["id"], headers)
    shop.clock.forward(seconds=40)
    shop.work()
    assert "livraison en retard" not in _card(shop, holder)
    with shop.ctx.look() as tx:
        assert tx.execute(sa.select(gesture_complaints.c.complaint)).scalars().all() == ["T-17"]
    leaving.leave(shop.ctx, shop.merchant, holder.member)
    with shop.ctx.look() as tx:
        assert tx.execute(sa.select(gesture_complaints.c.complaint)).scalars().all() == []


def _card(world: World, holder: Holder) -> str:
    """What the published card says, in French."""
    with world.ctx.look() as tx:
        return str(passes.published(tx, [holder.pass_id])[holder.pass_id].card)


def _settle(world: World) -> None:
    """A new status has a version of the card to itself, after that of the points."""
    for _ in range(3):
        world.clock.forward(minutes=1)
        world.work()


@mostly_on("sqlite")
def test_a_privilege_shows_at_the_till_and_is_gone_after_a_downgrade(shop: World) -> None:
    holder, headers = shop.enrol(), shop.bearer(shop.founded.till_key)

    def privileges() -> list[dict[str, str]]:
        body = {"code": holder.code, "language": "fr"}
        shown: list[dict[str, str]] = shop.client().post("/v1/lookups", json=body, headers=headers).json["privileges"]
        return shown

    assert privileges() == []
    assert "PRIORITAIRE" not in _card(shop, holder)
    sale = shop.sell(holder, 60_000)
    assert privileges() == [{"code": "priority", "name": "PRIORITAIRE", "colour": "#ffd54a"}]
    _settle(shop)
    assert ("PRIORITAIRE" in _card(shop, holder), "#ffd54a" in _card(shop, holder)) == (True, True)
    path = f"/v1/sales/{sale['id']}/reversal"
    assert shop.client().post(path, json={}, headers=headers).status_code == 200
    assert privileges() == []
    _settle(shop)
    assert ("PRIORITAIRE" in _card(shop, holder), "#ffd54a" in _card(shop, holder)) == (False, False)


def test_a_gesture_with_strings_is_refused() -> None:
    """A gift obliges to nothing: no smallest basket, no end within ninety days."""
    for strings in ({"minimum_minor": 1000}, {"valid_days": 89}):
        spoilt = document()
        spoilt["conversions"][0]["voucher"] = VOUCHER | strings
        with pytest.raises(Invalid) as refused:
            parse(spoilt)
        assert [fault.path for fault in refused.value.faults] == ["gestures.2.voucher"]
    fine = document()
    fine["conversions"][0]["voucher"] = VOUCHER | {"valid_days": 90}
    assert parse(fine).gestures[2].voucher == "bon"


@mostly_on("sqlite")
def test_a_gesture_whose_units_were_used_is_not_taken_back_and_its_budget_stays_used(shop: World) -> None:
    _, headers = on_shift(shop, "Anna")
    spender, saver = shop.enrol(), shop.enrol()
    for holder, before in ((spender, 0), (saver, 20_00)):
        if before:
            shop.sell(holder, before)
        given = give(shop, holder, headers, "points", reference=f"P-{holder.member}").json
        shop.redeem(holder, 10)
        back = undo(shop, given["id"], headers)
        assert (back.status_code, back.json.get("code")) == (
            (409, "already-spent") if holder is spender else (200, None)
        )
    again = give(shop, saver, headers, "points", reference=f"P-{saver.member}")
    assert (again.status_code, again.json["code"]) == (409, "gesture-undone")
    assert upkeep.book_faults(shop.ctx) == []


def test_a_voucher_that_a_gestures_units_became_goes_back_with_it_unless_it_was_used(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    own = document()
    own["conversions"][0]["units"] = 50
    with founded(new_database("sqlite"), tmp_path, document=own) as world:
        _, headers = on_shift(world, "Anna")
        for used in (False, True):
            holder = world.enrol()
            given = give(world, holder, headers, "points").json
            if used:
                line = till.SaleLine(None, None, 1000, 600, 600, 0, False)
                uses = Uses(vouchers=tuple(given["vouchers"]))
                till.sell(world.ctx, world.till, till.Sold(holder.code, "V-1", 600, (line,), "EUR", uses=uses), None)
            back = undo(world, given["id"], headers)
            assert back.status_code == (409 if used else 200), back.json
        assert upkeep.book_faults(world.ctx) == []


@mostly_on("sqlite")
def test_a_gesture_is_the_same_whichever_issue_of_the_card_it_is_sent_with(shop: World) -> None:
    _, headers = on_shift(shop, "Anna")
    holder = shop.enrol()
    shop.sell(holder, 10_000)
    first = give(shop, holder, headers, "scoop", reference="Z-1").json
    shop.redeem(holder, 3)
    newer = shop.holder(holder.pass_public_id)
    assert newer.code != holder.code
    assert give(shop, newer, headers, "scoop", reference="Z-1").json["id"] == first["id"]
