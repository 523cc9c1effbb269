"""The routes of tiers: how a member stands and why, tiers that are given, and what a draft would change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import whole_module_mostly_on
from tests.world import Holder, World
from wallet_server.actions.books import accounting
from wallet_server.actions.books.accounting import Question
from wallet_server.actions.programme import dry_run
from wallet_server.actions.purse import holding
from wallet_server.rules.programme.program import default_document

database_kind = whole_module_mostly_on("sqlite")


def ask(world: World, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
    headers = world.bearer(world.founded.merchant_key, key or world.number())
    got = world.client().open(path, method=method, json=body, headers=headers)
    return got.status_code, got.json


def standing(world: World, holder: Holder, query: str = "") -> Any:
    status, found = ask(world, "GET", f"/v1/members/{holder.member}/standing{query}")
    assert status == 200, found
    return found


def give(world: World, holder: Holder, **body: Any) -> Any:
    return ask(world, "POST", f"/v1/members/{holder.member}/tier", {"reason": "press", **body})


def test_how_a_member_stands_and_why(world: World) -> None:
    holder = world.enrol(language="fr")
    first = standing(world, holder)
    assert (first["tier"], first["source"]) == ("bronze", "earned")
    assert first["why"] == "Statut Bronze\u00a0: celui de tous les membres."
    world.sell(holder, 88_400)
    found = standing(world, holder)
    assert (found["tier"], found["tier_name"], found["earned"]) == ("silver", "Argent", "silver")
    assert found["why"] == "Statut Argent, gagné avec 300 points."
    assert found["metrics"] == [{"metric": "balance:status", "window": "ever", "value": 884}]
    assert found["next"] == {
        "tier": "gold",
        "tier_name": "Or",
        "percent": 88,
        "missing": [{"metric": "balance:status", "amount": 116, "text": "116 points"}],
        "reward": None,
        "sentence": "Allez, plus que 116 points et vous vous hisserez au statut d’Or",
        "lacking": "Il manque 116 points.",
    }
    assert standing(world, holder, "?language=en")["why"] == "Silver, reached with 300 points."


def test_a_tier_for_a_while_and_what_was_earned_when_it_ends(world: World) -> None:
    holder = world.enrol()
    until = world.clock() + timedelta(days=10)
    status, given = give(world, holder, tier="gold", until=until.isoformat(), trial=True)
    assert (status, given["tier"], given["source"]) == (200, "gold", "trial")
    world.sell(holder, 30_000)
    found = standing(world, holder)
    assert (found["tier"], found["earned"], found["until"]) == ("gold", "silver", until.isoformat())
    assert found["why"] == "Statut Or, à l’essai jusqu’au 28 novembre 2026."
    assert [one["reason"] for one in found["given"]] == ["press"]
    world.work()
    world.clock.forward(days=10)
    world.work()
    found = standing(world, holder)
    assert (found["tier"], found["source"], found["until"]) == ("silver", "earned", None)


def test_a_gift_is_for_good_until_it_is_taken_back(world: World) -> None:
    holder = world.enrol()
    assert give(world, holder, tier="gold")[1]["until"] is None
    world.sell(holder, 1_000)
    assert standing(world, holder)["why"] == "Statut Or, offert."
    body = {"reason": "mistake", "tier": None}
    status, taken = ask(world, "POST", f"/v1/members/{holder.member}/tier", body, "once")
    assert (status, taken["tier_before"], taken["tier"]) == (200, "gold", "bronze")
    assert ask(world, "POST", f"/v1/members/{holder.member}/tier", body, "once")[1] == taken
    assert len(standing(world, holder)["given"]) == 2


def test_what_cannot_be_given_is_refused(world: World) -> None:
    holder = world.enrol()
    assert give(world, holder, tier="platinum")[1]["code"] == "unknown-tier"
    assert give(world, holder, tier="bronze")[1]["code"] == "unknown-tier"
    assert give(world, holder, tier="gold", trial=True)[0] == 400
    assert give(world, holder, tier="gold", until="2020-01-01T00:00:00Z")[0] == 400
    assert give(world, holder, tier="gold", reason="Mme Dupont")[0] == 422
    bare = default_document("Boulangerie") | {"tiers": None}
    assert ask(world, "POST", f"/v1/programmes/{world.programme}/versions", {"document": bare})[0] == 200
    assert give(world, holder, tier="gold")[1]["code"] == "no-tiers"


def test_who_was_a_customer_before(world: World) -> None:
    made = default_document("Boulangerie")
    silver = made["tiers"]["levels"][1]
    del silver["threshold"]
    silver["needs"] = {"metric": "tenure_days", "at_least": 365}
    ask(world, "POST", f"/v1/programmes/{world.programme}/versions", {"document": made})
    path = f"/v1/programmes/{world.programme}/members"
    assert ask(world, "POST", path, {"customer_since": "2020-02-29"})[1]["tier"] == "silver"
    assert ask(world, "POST", path, {"customer_since": "2026-02-28"})[1]["tier"] == "bronze"
    assert ask(world, "POST", path, {"customer_since": "2027-02-28"})[1]["code"] == "implausible-time"


def test_a_dry_run_tells_what_publishing_would_do_and_writes_nothing(world: World) -> None:
    low, high = world.enrol(), world.enrol()
    world.sell(low, 35_000)
    world.sell(high, 120_000)
    draft = default_document("Boulangerie")
    draft["tiers"]["levels"][1]["threshold"] = 400
    draft["currencies"][0]["worth"] = {"units": 100, "amount_minor": 100}
    status, found = ask(world, "POST", f"/v1/programmes/{world.programme}/dry-run", {"document": draft})
    assert status == 200, found
    assert (found["members"], found["of"], found["complete"]) == (2, 2, True)
    assert (found["tiers"]["up"], found["tiers"]["down"]) == (0, 1)
    assert found["tiers"]["losing"] == [{"member": low.member, "tier": "silver", "tier_then": "bronze"}]
    assert found["stuck"] == []
    points = next(one for one in found["liability"] if one["currency"] == "points")
    assert (points["units"], points["minor_then"]) == (1550, 1550)
    assert points["change_minor"] == 1550 - points["minor"]
    assert standing(world, low)["tier"] == "silver"
    draft["currencies"][0]["spendable"] = False
    draft["rewards"] = []
    del draft["currencies"][0]["worth"]
    stuck = ask(world, "POST", f"/v1/programmes/{world.programme}/dry-run", {"document": draft})[1]["stuck"]
    assert stuck == [{"currency": "points", "why": "not-spendable", "units": 1550, "members": 2}]


def test_of_more_members_than_one_call_looks_at_a_sample_from_all_over_is_tried(world: World) -> None:
    crowd = [world.enrol() for _ in range(12)]
    for one in crowd[6:]:
        world.sell(one, 35_000)
    draft = default_document("Boulangerie")
    draft["tiers"]["levels"][1]["threshold"] = 400
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dry_run, "SLICE", 2)
        found = dry_run.run(world.ctx, world.merchant, world.programme, draft, 4)
        assert (found["members"], found["of"], found["complete"]) == (4, 12, False)
        assert found["tiers"]["down"] == 2, "from the older half and from the newer"
        whole = dry_run.run(world.ctx, world.merchant, world.programme, draft, 12)
        assert (whole["members"], whole["complete"], whole["tiers"]["down"]) == (12, True, 6)


def test_a_dry_run_counts_what_waits_and_what_is_put_aside(world: World) -> None:
    made = default_document("Boulangerie")
    points = made["currencies"][0]
    points |= {"pending_days": 14, "worth": {"units": 100, "amount_minor": 100}}
    made["holds"] = {"minutes": 60}
    path = f"/v1/programmes/{world.programme}"
    assert ask(world, "POST", f"{path}/versions", {"document": made})[0] == 200
    holder = world.enrol()
    world.sell(holder, 5_000)
    late = {"reason": "late", "code": "delay", "amount": 30}
    assert ask(world, "POST", f"/v1/members/{holder.member}/goodwill", late)[0] == 200
    holding.authorise(world.ctx, world.till, holding.Wanted(holder.code, None, 12, world.number()), None)
    found = ask(world, "POST", f"{path}/dry-run", {"document": made})[1]
    owed = next(one for one in found["liability"] if one["currency"] == "points")
    books = accounting.report(world.ctx, world.merchant, Question())
    assert owed["units"] == 80 == next(one.told.outstanding for one in books.currencies if one.code == "points")
    made["currencies"][0]["spendable"] = False
    made["rewards"] = []
    del points["worth"]
    stuck = ask(world, "POST", f"{path}/dry-run", {"document": made})[1]["stuck"]
    assert stuck == [{"currency": "points", "why": "not-spendable", "units": 80, "members": 1}]
