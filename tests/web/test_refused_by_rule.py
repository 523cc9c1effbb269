"""What a rule of the programme refuses says by which rule of which version, and why in the language that is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NewDatabase, whole_module_mostly_on
from tests.world import World, founded
from wallet_server.actions.programme import programs
from wallet_server.rules.programme.program_default import default_document

database_kind = whole_module_mostly_on("sqlite")

BON = {
    "title": {"fr": "Bon de 10 €", "en": "€10 voucher"},
    "terms": {"fr": "Dès 20 €.", "en": "From €20 on."},
    "value_minor": 1000,
    "minimum_minor": 2000,
    "valid_days": 90,
}


def document() -> dict[str, Any]:
    whole = default_document("Boulangerie")
    whole["rewards"] = [
        {"code": code, "names": {"fr": "une tasse", "en": "a mug"}, "cost": {"currency": "points", "amount": 5}, **more}
        for code, more in (("gone", {"stock": 0}), ("once", {"limit": {"count": 1, "window": "ever"}}), ("dear", {}))
    ]
    whole["rewards"][2]["cost"]["amount"] = 9_000
    whole["conversions"] = [{"id": "full", "currency": "points", "units": 500, "voucher": BON}]
    return whole


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path, document=document()) as made:
        yield made


def post(world: World, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = world.client().post(f"/v1/{path}", json=body, headers=world.bearer(world.founded.till_key))
    return answer.status_code, answer.get_json()


def test_every_refusal_of_a_rule_names_it_with_its_version_and_is_read_by_the_member(world: World) -> None:
    holder = world.enrol(language="fr")
    (voucher,) = world.sell(holder, 51_200)["vouchers"]
    anew = {**document(), "description": {"fr": "Carte", "en": "Card"}}
    programs.publish_version(world.ctx, world.merchant, world.programme, anew, world.wish("publish"))
    card = {"code": holder.code}
    sale = {**card, "currency": "EUR", "amount_minor": 1_999}
    assert post(world, "redemptions", {**card, "reward": "once", "reference": "O"})[0] == 200
    refused = {
        ("not-enough", "redeem", 2): ("redemptions", {**card, "amount": 10_000}),
        ("not-enough", "reward", 2): ("redemptions", {**card, "reward": "dear"}),
        ("not-enough", "hold", 2): ("holds", {**card, "amount": 10_000}),
        ("not-spendable", "redeem", 2): ("redemptions", {**card, "amount": 1, "currency": "status"}),
        ("out-of-stock", "reward", 2): ("redemptions", {**card, "reward": "gone"}),
        ("limit-reached", "reward", 2): ("redemptions", {**card, "reward": "once"}),
        ("basket-too-small", "conversion:full", 1): ("sales", {**sale, "vouchers": [voucher]}),
    }
    said = set()
    for number, ((code, rule, version), (path, body)) in enumerate(refused.items()):
        named = {**body, "receipt" if path == "sales" else "reference": f"N{number}"}
        status, told = post(world, path, named)
        assert (status, told["code"], told["rule"], told["version"]) == (409, code, rule, version)
        english = post(world, path, {**named, "language": "en"})[1]["sentence"]
        assert told["sentence"] != english
        said |= {told["sentence"], english}
    assert "Il n’y a pas assez sur la carte\u00a0: 7 sur 10000." in said
    assert "The basket is too small for this voucher." in said
    in_a_sale = {**sale, "receipt": "S", "rewards": ["gone"]}
    told = post(world, "sales", in_a_sale)[1]
    assert (told["code"], told["rule"], told["version"]) == ("out-of-stock", "reward", 2)
    assert told["sentence"].startswith("Cette récompense est épuisée")
    quoted = post(world, "quotes", {**card, "currency": "EUR", "lines": [{"amount_minor": 100}], "rewards": ["gone"]})[
        1
    ]
    assert (quoted["rule"], quoted["version"], quoted["sentence"]) == ("reward", 2, told["sentence"])


def test_a_reservation_that_is_over_says_so_to_the_member(world: World) -> None:
    holder = world.enrol(language="fr")
    world.sell(holder, 10_000)
    held = post(world, "holds", {"code": holder.code, "amount": 10, "reference": "H"})[1]["id"]
    over = post(world, f"holds/{held}/capture", {"amount": 11})[1]
    assert (over["code"], over["rule"], over["sentence"]) == (
        "more-than-held", "hold", "Moins est mis de côté\u00a0: 10, pas 11.",
    )  # fmt: skip
    assert post(world, f"holds/{held}/release", {})[0] == 200
    over = post(world, f"holds/{held}/capture", {})[1]
    assert (over["code"], over["sentence"]) == ("hold-over", "Cette réservation est terminée.")
