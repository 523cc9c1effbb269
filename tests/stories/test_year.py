"""A merchant tries drafts on a year of real baskets (the Complete Journey: 155,848 of 2,469 households) with the
product's own command; what the report says is counted again here from the data, by what shares no code with it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.conftest import NewDatabase
from tests.launching import ran
from tests.sales_files import cdnow, complete_journey
from tests.stories.stage import Stage

POINT = {tongue: {"one": "point", "other": "points"} for tongue in ("fr", "en")}
ROUNDED = ("down", "half_up", "half_even", "up")
CENTS = "cents"
"""A currency that gives a unit for each cent, so that nothing is rounded."""


def points() -> dict[str, Any]:
    """One point a euro or dollar, a currency for each way of rounding; the rules differ in nothing else."""
    each = [
        {"id": code, "currency": code, "per": {"amount_minor": 100, "points": 1}, "rounding": code} for code in ROUNDED
    ]
    return {
        "currencies": [{"code": code, "kind": "points", "names": POINT} for code in (*ROUNDED, CENTS)],
        "earn": [*each, {"id": CENTS, "currency": CENTS, "per": {"amount_minor": 1, "points": 1}}],
    }


def draft() -> dict[str, Any]:
    """All ways of rounding side by side, a first tier at 50 dollars and one at 10,000."""
    levels = (("bronze", "Bronze", 0), ("silver", "Silver", 50), ("gold", "Gold", 10_000))
    return {
        "format": 1,
        "organisation": "A year of baskets",
        "languages": ["en", "fr"],
        "money": {"iso": "USD", "exponent": 2},
        "design": {"id": "points", "version": 1},
        "palette": {"background": "#12372a", "foreground": "#fbf7ec", "label": "#b9dcc4"},
        "description": {"en": "Card", "fr": "Carte"},
        "balance_currency": "down",
        **points(),
        "tiers": {
            "currency": "down",
            "levels": [
                {"code": code, "threshold": threshold, "names": {"en": name, "fr": name}}
                for code, name, threshold in levels
            ],
        },
    }


def simulated(*words: object) -> dict[str, Any]:
    found = ran("simulate", *map(str, words), "--json", "--jobs", "2", env=os.environ, timeout=300)
    assert found.returncode == 0, found.stderr
    return dict(json.loads(found.stdout))


@pytest.fixture(scope="module")
def lines() -> pl.DataFrame:
    """Every line of the year, with its cents."""
    complete_journey()
    baskets = pytest.importorskip("benchmarks.replay.baskets")
    products = pl.scan_parquet(baskets.data_file("products")).select("product_id", "product_category")
    return (
        pl.scan_parquet(baskets.data_file("transactions"))
        .join(products, on="product_id", how="left", maintain_order="left")
        .select(
            pl.col("transaction_timestamp").alias("date"),
            pl.col("basket_id").alias("receipt"),
            pl.col("product_id").alias("sku"),
            pl.col("product_category").alias("category"),
            "quantity",
            pl.col("sales_value").alias("amount"),
            pl.col("household_id").alias("customer"),
            (pl.col("sales_value") * 100).round().cast(pl.Int64).alias("cents"),
        )
        .collect()
    )


@pytest.fixture(scope="module")
def report(lines: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the product says of the year, replayed once."""
    folder = tmp_path_factory.mktemp("year")
    sales, document = folder / "sales.csv", folder / "draft.json"
    lines.drop("cents").write_csv(sales, float_precision=2)
    document.write_text(json.dumps(draft()), "utf-8")
    yield simulated(sales, document)
    sales.unlink()


@pytest.fixture
def stage(new_database: NewDatabase, tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, new_database("sqlite")) as raised:
        yield raised


def test_29_99_at_the_till_in_each_way_of_rounding(stage: Stage) -> None:
    programme = f"/v1/programmes/{stage.facts['programme']}"
    document = stage.merchant("GET", programme).body["document"]
    for part, more in points().items():
        document[part] += more
    assert stage.merchant("POST", f"{programme}/versions", {"document": document}).status == 200
    code = stage.code(stage.phone(stage.enrol()))
    for amount, expected in ((2_999, (29, 30, 30, 30, 2_999)), (2_950, (58, 60, 60, 60, 5_949))):
        sold = stage.sell(code, amount)
        assert sold.status == 200, sold
        assert tuple(sold.body["balances"][one] for one in (*ROUNDED, CENTS)) == expected
    assert stage.sell(code, 3_050).body["balances"]["half_even"] == 90, "30.50 is 30 where a half goes to the even"


def test_what_ways_of_rounding_come_to_in_a_year(report: dict[str, Any], lines: pl.DataFrame) -> None:
    given = report["months"][-1]["outstanding"]
    each = lines.group_by("receipt").agg(pl.col("cents").sum())["cents"].to_list()
    assert report["file"]["rows"] == report["purchases"]["lines"] == lines.height
    assert given == {
        "down": sum(cents // 100 for cents in each),
        "half_up": sum((cents + 50) // 100 for cents in each),
        "half_even": sum(round(Decimal(cents) / 100) for cents in each),
        "up": sum(-(-cents // 100) for cents in each),
        CENTS: sum(each),
    }
    # Against rounding down a half up gives 77,020 points more, and nothing rounded at all 76,105.58 (summed as binary
    # floats that comes out at 76,107 or beyond: baskets of whole dollars end a hair below and lose a point each).
    assert given["half_up"] - given["down"] == 77_020
    assert given["half_even"] - given["down"] == 75_275
    assert given[CENTS] - 100 * given["down"] == 7_610_558


def test_a_first_tier_too_low_and_a_last_one_too_high_on_real_baskets(
    report: dict[str, Any], lines: pl.DataFrame
) -> None:
    each = lines.group_by("receipt").agg(pl.col("cents").sum())["cents"]
    assert report["purchases"]["count"] == each.len() == 155_848
    assert Decimal(report["purchases"]["mean_minor"]).quantize(Decimal(1)) == 2_949
    assert Decimal(report["purchases"]["mean_minor"]) == round(Decimal(int(each.sum())) / each.len(), 6)
    assert Decimal(report["purchases"]["median_minor"]) == 1_750

    spends = sorted(lines.group_by("customer").agg(pl.col("cents").sum())["cents"].to_list())
    nearest = [spends[-(-len(spends) * part // 100) - 1] for part in (50, 90)]
    members = report["members"]
    assert [members["spend_p50_minor"], members["spend_p90_minor"]] == nearest == [121_002, 436_391]

    said = {one["code"]: one for one in report["warnings"]}
    low, rare = said["first-tier-low"], said["tier-rare"]
    assert low["params"]["tier"] == "silver"
    assert "< 2 baskets of $29.49" in low["en"]
    assert "< 2 paniers de 29,49" in low["fr"]
    earned = lines.group_by("customer", "receipt").agg(pl.col("cents").sum() // 100)
    reached = sum(one >= 10_000 for one in earned.group_by("customer").agg(pl.col("cents").sum())["cents"])
    assert rare["params"] == {"tier": "gold", "reached": reached, "members": 2_469}
    assert f"(< 1%: {reached} of 2,469)" in rare["en"]
    assert "< 1\u00a0%" in rare["fr"]


def test_what_tells_the_best_households_from_the_rest(report: dict[str, Any], lines: pl.DataFrame) -> None:
    days = lines.select("customer", pl.col("date").dt.date()).unique().sort("customer", "date")
    between = days.with_columns(pl.col("date").diff().over("customer").dt.total_days().alias("gap"))
    each = (
        lines.group_by("customer")
        .agg(
            pl.col("cents").sum(),
            pl.col("receipt").n_unique().alias("purchases"),
            pl.col("sku").n_unique().alias("skus"),
            pl.col("category").drop_nulls().n_unique().alias("categories"),
            (pl.col("date").dt.date().max() - pl.col("date").dt.date().min()).dt.total_days().alias("tenure_days"),
            pl.col("date").dt.truncate("1mo").n_unique().alias("months"),
        )
        .join(between.group_by("customer").agg(pl.col("gap").median().alias("interval_days")), on="customer")
        .sort("cents", descending=True)
        .with_row_index()
        .with_columns(pl.col("index") < 247)
    )
    assert (report["portrait"]["customers"], report["portrait"]["best"]) == (each.height, 247)
    traits = report["portrait"]["traits"]
    names = ["skus", "categories", "purchases", "interval_days", "tenure_days"]
    assert [one["name"] for one in traits] == names
    strengths = []
    for name in (*names, "months"):
        known = each.drop_nulls(name).with_columns(pl.col(name).rank("average").alias("rank"))
        best, rest = (known.filter(pl.col("index") == is_best) for is_best in (True, False))
        likelihood = (best["rank"].sum() - best.height * (best.height + 1) / 2) / (best.height * rest.height)
        strengths.append(abs(likelihood - 0.5))
        told = next((one for one in traits if one["name"] == name), None)
        if told is not None:
            assert float(told["likelihood"]) == pytest.approx(likelihood, abs=1e-6)
            assert (float(told["best"]), float(told["rest"])) == (best[name].median(), rest[name].median())
            assert told["en"]
            assert told["fr"]
    assert strengths == sorted(strengths, reverse=True)


def top_share(spends: list[int]) -> Decimal:
    """Of the turnover, by the top fifth, rounded up."""
    ranked = sorted(spends, reverse=True)
    return round(Decimal(sum(ranked[: -(-len(ranked) // 5)])) / sum(ranked), 6)


def test_the_share_of_the_top_fifth_of_the_year(report: dict[str, Any], lines: pl.DataFrame) -> None:
    expected = top_share(lines.group_by("customer").agg(pl.col("cents").sum())["cents"].to_list())
    assert Decimal(report["top_fifth"]["share"]) == expected == Decimal("0.545705")


def test_the_share_of_the_top_fifth_of_cdnow(tmp_path: Path) -> None:
    sales, spent = tmp_path / "cdnow.csv", dict[str, int]()
    with sales.open("w", encoding="ascii") as file:
        file.write("date,customer,quantity,amount\n")
        for line in cdnow().read_text("ascii").splitlines()[1:]:
            if line.strip():
                customer, day, discs, dollars = line.split()
                file.write(f"{day[:4]}-{day[4:6]}-{day[6:]},{customer},{discs},{dollars}\n")
                spent[customer] = spent.get(customer, 0) + int(Decimal(dollars) * 100)
    told = simulated(sales, "tens")
    assert told["members"]["count"] == len(spent) == 23_570
    assert told["file"]["left_out"] == 0
    assert Decimal(told["top_fifth"]["share"]) == top_share(list(spent.values()))
