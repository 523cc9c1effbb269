"""What a sales file says stays a text: no spreadsheet reckons with it, and no terminal obeys it."""

from __future__ import annotations

import csv
from pathlib import Path

from click.testing import CliRunner

from wallet_server.cli.simulate import simulate


def test_a_line_with_more_cells_than_columns_is_told_with_what_to_do(tmp_path: Path) -> None:
    sales = tmp_path / "sales.csv"
    sales.write_text("date,customer,amount\n2026-01-01,A,12,50\n2026-01-02,A,10.00\n", "utf-8")
    said = CliRunner().invoke(simulate, [str(sales), "voucher-400"]).output
    assert "2: more cells than columns; put amounts that hold a comma in quotation marks: 2026-01-01,A,12,50" in said


def test_lines_that_were_left_out_are_texts_wherever_they_are_shown(tmp_path: Path) -> None:
    sales, rejects = tmp_path / "sales.csv", tmp_path / "rejects.csv"
    formula, escape = "=HYPERLINK(0)", "\x1b[2Jsoon"
    good = [(f"2026-01-{day:02d}", "a", "10.00") for day in range(1, 21)]
    rows = [("date", "customer", "amount"), *good, (formula, "a", "1"), (escape, "b", "1")]
    with sales.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    done = CliRunner().invoke(simulate, [str(sales), "voucher-400", "--rejects", str(rejects)])
    assert done.exit_code == 0, done.output
    with rejects.open(encoding="utf-8") as file:
        texts = [one["text"] for one in csv.DictReader(file)]
    assert texts == [f"'{formula},a,1", f"{escape},b,1"]
    assert "\x1b" not in done.output
    assert "[2Jsoon" in done.output
