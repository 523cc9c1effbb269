"""A merchant tries a draft on the sales of last year before anybody is promised anything; then a brand's own word for
its points reaches a phone."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NewDatabase
from tests.launching import ran
from tests.sales_files import rare_file, shop_file
from tests.stories.stage import Stage, shown
from wallet_server.actions.programme.presets import preset
from wallet_server.rules.programme.program_simple import carry_over

DRAFT = """
format = 1
organisation = "Boulangerie Claire"
languages = ["fr", "en"]
money = { iso = "EUR", exponent = 2 }
design = { id = "points", version = 1 }
palette = { background = "#12372a", foreground = "#fbf7ec", label = "#b9dcc4" }
description = { fr = "Carte", en = "Card" }
balance_currency = "points"

[[currencies]]
code = "points"
kind = "points"
names = { fr = { one = "point", other = "points" }, en = { one = "point", other = "points" } }
worth = { units = 1000, amount_minor = 300 }

[[currencies]]
code = "status"
kind = "points"
names = { fr = { one = "étoile", other = "étoiles", feminine = true }, en = { one = "star", other = "stars" } }
spendable = false

[[earn]]
id = "euro"
currency = "points"
per = { amount_minor = 100, points = 1 }

[[earn]]
id = "euro-status"
currency = "status"
per = { amount_minor = 100, points = 1 }

[tiers]
currency = "status"

[[tiers.levels]]
code = "bronze"
threshold = 0
names = { fr = "Bronze", en = "Bronze" }

[[tiers.levels]]
code = "silver"
threshold = 10
names = { fr = "Argent", en = "Silver" }

[[tiers.levels]]
code = "gold"
threshold = 9000
names = { fr = "Or", en = "Gold" }
"""


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return ran(*map(str, words), env=os.environ, timeout=120)


def simulated(*words: object) -> dict[str, Any]:
    found = command("simulate", *words, "--json")
    assert found.returncode == 0, found.stderr
    return dict(json.loads(found.stdout))


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop_file(tmp_path_factory.mktemp("sales") / "ventes.csv")


def test_a_draft_is_tried_on_the_sales_of_last_year(sales: Path, tmp_path: Path) -> None:
    draft = tmp_path / "draft.toml"
    draft.write_text(DRAFT, "utf-8")
    rejects, out = tmp_path / "rejects.csv", tmp_path / "out"
    report = simulated(sales, draft, "--zone", "Europe/Paris", "--rejects", rejects, "--out", out)

    # No line is lost: what could not be read is named, with its number and why.
    lines = sales.read_text("utf-8").splitlines()
    assert report["file"]["rows"] == len(lines) - 1
    with rejects.open(encoding="utf-8") as opened:
        left = list(csv.DictReader(opened))
    assert [(int(one["line"]), one["why"]) for one in left] == [
        (len(lines) - 2, "date"), (len(lines) - 1, "amount"), (len(lines), "short"),
    ]  # fmt: skip
    assert report["purchases"]["lines"] == len(lines) - 1 - 3

    # Give-back of 0.3 %, a first tier that one gets by accident, and one that hardly anybody reaches.
    said = {one["code"]: one for one in report["warnings"]}
    assert Decimal("0.0025") < Decimal(report["cost"]["give_back_rate"]) <= Decimal("0.003")
    assert "rend 0,28\u00a0%" in said["low-rate"]["fr"]
    assert report["members"]["median_reward_year_minor"] is not None
    assert "< 2 paniers" in said["first-tier-low"]["fr"]
    assert "Silver" in said["first-tier-low"]["en"]
    assert "< 1\u00a0%" in said["tier-rare"]["fr"]
    assert said["tier-rare"]["params"]["tier"] == "gold"

    # What is owed follows from what is earned and spent, month by month, and stands in a picture.
    months, points = report["months"], 0
    assert len(months) >= 12
    for month in months:
        points += sum(sign * month[name].get("points", 0) for name, sign in (("earned", 1), ("spent", -1)))
        assert (month["outstanding"]["points"], month["owed_minor"]) == (points, points * 300 // 1000)
    assert points > 0
    assert {file.name for file in out.iterdir()} == {"owed.svg", "tiers.svg", "top.svg"}
    assert "Where members end" in (out / "tiers.svg").read_text("utf-8")

    text = command("simulate", sales, draft, "--language", "fr", "--zone", "Europe/Paris")
    assert text.returncode == 0, text.stderr
    assert "Colonnes: date = date, amount = amount, quantity = quantity, customer = customer" in text.stdout
    assert "Lignes laissées de côté: 3" in text.stdout
    assert "Jamais récompensés" in text.stdout


def test_who_buys_beds_is_not_asked_to_come_often(tmp_path: Path) -> None:
    beds = rare_file(tmp_path / "beds.csv")
    said = {name: {one["code"] for one in simulated(beds, name)["warnings"]} for name in ("bakery", "furniture")}
    assert "rare-visits" in said["bakery"]
    assert "rare-visits" not in said["furniture"]
    printed = command("presets", "furniture").stdout
    assert "visit = " not in printed
    assert "furniture" in command("presets").stdout


def test_the_best_customers_have_a_portrait_and_a_share(sales: Path) -> None:
    report = simulated(sales, "voucher-400")

    traits = report["portrait"]["traits"]
    assert len(traits) == 5
    by_name = {one["name"]: one for one in traits}
    # The file is made so that the best come often, in the evening, for gifts.
    assert {"purchases", "evening", "category:gifts"} & by_name.keys()
    assert all(one["fr"] and one["en"] for one in traits)

    spent: defaultdict[str, int] = defaultdict(int)
    with sales.open(encoding="utf-8") as opened:
        for row in list(csv.DictReader(opened, delimiter=";"))[:-3]:
            if row["customer"]:
                spent[row["customer"]] += int(Decimal(row["amount"].replace(",", ".")) * 100)
    ranked = sorted(spent.values(), reverse=True)
    top = sum(ranked[: -(-len(ranked) // 5)])
    assert report["top_fifth"]["brought_minor"] == top
    assert Decimal(report["top_fifth"]["share"]) == round(Decimal(top) / sum(ranked), 6)


@pytest.fixture
def stage(new_database: NewDatabase, tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, new_database("sqlite")) as raised:
        yield raised


def test_a_brand_calls_its_points_bubbles_everywhere(stage: Stage) -> None:
    programme = f"/v1/programmes/{stage.facts['programme']}"
    before = stage.merchant("GET", programme).body["document"]
    answer = stage.merchant("POST", f"{programme}/versions", {"document": carry_over(preset("bubbles"), before)})
    assert answer.status == 200, answer
    phone = stage.phone(stage.enrol(language="fr"), "fr")

    body = {
        "code": stage.code(phone), "receipt": "B-1", "currency": "EUR", "amount_minor": 100, "language": "fr",
    }  # fmt: skip
    one = stage.call("POST", "/v1/sales", body, stage.facts["till_key"])
    assert one.status == 200, one
    assert one.body["sentence"].startswith("+1 bulle,")
    many = stage.call("POST", "/v1/sales", body | {"receipt": "B-2", "amount_minor": 8_300}, stage.facts["till_key"])
    assert many.body["sentence"].startswith("+83 bulles,")
    stage.until(lambda: shown(phone, "points") == 84, "the card has 84 bubbles")

    card = next(iter(phone.cards.values())).file
    fields = [field for part in card.document["storeCard"].values() for field in part]
    labels = {field["key"]: field.get("label", "") for field in fields}
    assert labels["points"].upper() == "BULLES"
    said = [str(field[name]) for field in fields for name in ("label", "value", "changeMessage") if name in field]
    assert any("plus que 16 gouttes" in text.lower() for text in said), "; ".join(said)
    assert any("1 bulle par euro" in text for text in said)
    assert not [text for text in said if "point" in text.lower()]
    stage.until(lambda: any("bulles" in message.text for message in phone.lock_screen), "the alert says it too")
