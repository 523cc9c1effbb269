"""The command that prints the books: as CSV, as of now and of a day, of an account that is named by a merchant."""

from __future__ import annotations

import csv
import io

from tests.cli.conftest import House
from tests.conftest import whole_module_mostly_on
from wallet_server.actions import keys

database_kind = whole_module_mostly_on("sqlite")


def test_the_books_are_printed_as_csv(house: House) -> None:
    merchant = keys.authenticate(house.ctx, house.facts["merchant_key"]).principal
    now = house.run("books", merchant)
    assert now.exit_code == 0, now.output
    rows = list(csv.DictReader(io.StringIO(now.output)))
    assert {"points", "status"} <= {row["currency"] for row in rows}
    before = house.run("books", merchant, "--sheet", "trial-balance", "--as-of", "2001-01-31")
    assert before.output.splitlines() == ["as_of,programme,currency,owner,purpose,debit,credit"]
    assert house.run("books", merchant, "--as-of", "soon").exit_code == 2
    nobody = house.run("books", "mer_nobody")
    assert nobody.exit_code == 1
    assert house.run("books", merchant, "--as-of", "2999-01-01").exit_code == 1
