"""A file is simulated the same by one process and by several; real data give what an independent count gives."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
import pytest

from tests.sales_files import cdnow, complete_journey, shop_file
from wallet_server.actions.programme.presets import preset
from wallet_server.actions.programme.simulating import (
    READING,
    REPLAYING,
    Wish,
    read_document,
    simulate,
    simulate_purchases,
)
from wallet_server.errors import Invalid
from wallet_server.rules.baskets.baskets import Line
from wallet_server.rules.programme.program import Programme, parse
from wallet_server.rules.programme.program_default import default_document
from wallet_server.rules.simulation import Purchase, traits


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop_file(tmp_path_factory.mktemp("shop") / "sales.csv")


def draft(**parts: Any) -> Programme:
    return parse(preset("bubbles") | parts)


def test_a_file_is_read_whole_and_progress_is_told(shop: Path) -> None:
    told: list[tuple[str, int, int]] = []
    found = simulate(Wish(shop, draft(), zone="Europe/Paris"), lambda *one: told.append(one))

    lines = len(shop.read_text("utf-8").splitlines())
    assert found.rows == lines - 1
    assert [(one.line, one.why) for one in found.rejects] == [
        (lines - 2, "date"),
        (lines - 1, "amount"),
        (lines, "short"),
    ]
    assert found.report.baskets.lines == found.rows - 3
    assert {what for what, _, _ in told} == {READING, REPLAYING}
    assert told[-1][1] == told[-1][2] == found.report.members


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same(shop: Path) -> None:
    alone, shared = (simulate(Wish(shop, draft(), zone="Europe/Paris", jobs=jobs)) for jobs in (1, 3))
    assert shared == alone


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_files_of_every_usual_encoding_are_read(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "sales.csv"
    file.write_bytes("date;montant;client\r\n03/01/2025;12,00;Zoé\r\n".encode(encoding))
    found = simulate(Wish(file, draft()))
    assert (found.rows, found.rejects, found.report.members) == (1, (), 1)
    assert found.report.never.named == (("Zoé", 1_200),)


@pytest.mark.parametrize(
    ("wish", "code"),
    [({"zone": "Mars/Olympus"}, "bad-zone"), ({"jobs": 0}, "bad-jobs"), ({"columns": {"date": "x"}}, "unknown-column")],
)
def test_what_cannot_be_done_is_refused(shop: Path, wish: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        simulate(Wish(shop, draft(), **wish))
    assert refused.value.code == code


def test_an_empty_file_and_a_broken_document_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.touch()
    with pytest.raises(Invalid, match="empty"):
        simulate(Wish(file, draft()))
    document = tmp_path / "draft.toml"
    document.write_text("format = ", "utf-8")
    with pytest.raises(Invalid, match=r"draft\.toml cannot be read"):
        read_document(document)
    document.write_text("dates = { from = 2026-12-01 }\n", "utf-8")
    assert read_document(document) == {"dates": {"from": "2026-12-01"}}


# ---------------------------------------------------------------------- real purchases


@pytest.mark.slow
def test_cdnow_has_the_share_the_tenure_and_the_purchases_that_polars_finds() -> None:
    rows = pl.DataFrame(
        [line.split() for line in cdnow().read_text("ascii").splitlines()[1:] if line.strip()],
        schema=["customer", "day", "discs", "dollars"],
        orient="row",
    ).with_columns(
        pl.col("day").str.to_date("%Y%m%d"),
        (pl.col("dollars").cast(pl.Float64) * 100).round().cast(pl.Int64).alias("cents"),
        pl.col("discs").cast(pl.Int64),
    )
    histories: dict[str, list[Purchase]] = {}
    for customer, day, discs, cents in rows.select("customer", "day", "discs", "cents").iter_rows():
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        bought = Purchase(at, "", [Line(None, None, 1000 * discs, cents, 0, False)], timed=False)
        histories.setdefault(customer, []).append(bought)
    found, _ = simulate_purchases(draft(), histories)

    each = rows.group_by("customer").agg(
        pl.col("cents").sum(), pl.len().alias("purchases"),
        (pl.col("day").max() - pl.col("day").min()).dt.total_days().alias("tenure"),
    )  # fmt: skip
    assert found.members == each.height == 23_570
    spends = each["cents"].sort(descending=True)
    assert found.top.brought_minor == spends.head(-(-each.height // 5)).sum()
    assert found.top.share == Fraction(int(found.top.brought_minor), int(spends.sum()))
    assert found.baskets.mean_minor == Fraction(int(rows["cents"].sum()), rows.height)
    days = rows.select("customer", "day").unique().sort("customer", "day")
    gaps = days.with_columns(pl.col("day").diff().over("customer").dt.total_days().alias("gap"))["gap"].drop_nulls()
    assert found.interval_days == Fraction(median(gaps.to_list()))
    last = max(one.at for purchases in histories.values() for one in purchases)
    for name, tenure, purchases in (
        each.select("customer", "tenure", "purchases").sort("customer").head(300).iter_rows()
    ):
        mine = traits(name, sorted(histories[name], key=lambda one: one.at), last).numbers
        assert (mine["tenure_days"], mine["purchases"]) == (tenure * 1000, purchases * 1000)


@pytest.mark.slow
def test_a_slice_of_the_complete_journey_gives_what_polars_finds(tmp_path: Path) -> None:
    complete_journey()
    baskets = pytest.importorskip("benchmarks.replay.baskets")
    households = list(range(1, 80))
    rows = (
        pl.scan_parquet(baskets.data_file("transactions"))
        .filter(pl.col("household_id").is_in(households))
        .select(
            "transaction_timestamp", "store_id", "basket_id", "household_id", "product_id", "quantity", "sales_value"
        )
        .collect()
    )
    file = tmp_path / "year.csv"
    rows.write_csv(file, float_precision=2)
    document = default_document("Year") | {"money": {"iso": "USD", "exponent": 2}}
    found = simulate(Wish(file, parse(document)))

    assert (found.rows, found.rejects) == (rows.height, ())
    cents = (pl.col("sales_value") * 100).round().cast(pl.Int64)
    per_basket = rows.group_by("household_id", "basket_id").agg(cents.sum().alias("cents"))
    assert found.report.baskets.count == per_basket.height
    assert found.report.baskets.mean_minor == Fraction(int(per_basket["cents"].sum()), per_basket.height)
    assert found.report.months[-1].outstanding["points"] == (per_basket["cents"] // 100).sum()
    points = per_basket.group_by("household_id").agg((pl.col("cents") // 100).sum().alias("points"))["points"]
    reached = [sum(points >= threshold) for threshold in (0, 300, 1000)]
    assert [tier.reached for tier in found.report.tiers] == reached
    spends = per_basket.group_by("household_id").agg(pl.col("cents").sum())["cents"].sort(descending=True)
    assert found.report.top.brought_minor == spends.head(-(-len(spends) // 5)).sum()
