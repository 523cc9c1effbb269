"""Owns what is known about "what would it have cost me?" as served: a file in, numbers out, nothing kept."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.pages.console import sign_in
from tests.pages.house import House
from tests.pages.test_console_desk import INLINE, said
from wallet_server.actions.programme import whatif as replaying
from wallet_server.records.schema import metadata

PATH = "/console/what-if"
HEAD = "Date;Ticket;Client;Montant\n"
STAMPS = {"kind": "stamps", "paid": "10", "gift": "3,00", "minimum": ""}


def export(customers: int = 3, visits: int = 21, *, known: bool = True) -> str:
    """One visit a week of each customer, at 4.50."""
    return HEAD + "".join(
        f"{1 + week % 28:02d}/{1 + week // 4 % 12:02d}/2025;{week}-{one};{f'C{one}' if known else ''};4,50\n"
        for week in range(visits)
        for one in range(customers)
    )


def sent(client: FlaskClient, token: str, text: str | bytes, form: Any = None, headers: Any = None) -> TestResponse:
    body = text if isinstance(text, bytes) else text.encode("cp1252")
    data = STAMPS | (form or {}) | {"csrf": token, "file": (io.BytesIO(body), "ventes.csv")}
    return client.post(PATH, data=data, headers=headers or {}, content_type="multipart/form-data")


def mark(page: TestResponse) -> str:
    found = re.search(r'name="of" value="(\w+)"', page.get_data(as_text=True))
    assert found
    return found.group(1)


def test_a_file_is_counted_and_nothing_of_it_is_kept(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    assert "The answer appears here" in said(client.get(PATH))
    with house.ctx.look() as tx:
        before = {table.name: tx.exec_driver_sql(f'SELECT COUNT(*) FROM "{table.name}"').scalar()
                  for table in metadata.sorted_tables}  # fmt: skip
    page = sent(client, token, export() + "x;1;C1;2,00\n05/01/2025;2;<b>;deux\n")
    text = said(page)
    assert page.status_code == 200
    for piece in (
        "You would have given away €18.00",
        "That is 6.35% of your turnover of €283.50",
        "6 gifts",
        "3 known customers",
        "63 lines read",
        "2 lines could not be read",
        "Line 65:",
        "no date that can be read",
        "no amount that can be read",
    ):
        assert piece in text, piece
    assert "&lt;b&gt;" in page.get_data(as_text=True)
    assert not INLINE.search(page.get_data(as_text=True))
    with house.ctx.look() as tx:
        after = {name: tx.exec_driver_sql(f'SELECT COUNT(*) FROM "{name}"').scalar() for name in before}
    assert {name for name in before if before[name] != after[name]} <= {"rate_windows"}


def test_points_without_customers_are_a_range_and_the_script_gets_a_part(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    points = {"kind": "points", "points": "1", "worth": "0,05"}
    page = sent(client, token, export(known=False), points, {"HX-Request": "true"})
    text = said(page)
    assert "<html" not in page.get_data(as_text=True)
    # 63 purchases of 4.50 give 4 points each; 2 of 5 purchases with the card give 100 of these 252.
    assert "between €5.00 and €12.60" in text
    assert "does not say who buys" in text


def test_what_was_guessed_is_corrected_for_this_file_alone(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    text = "when,shop,a,b\n" + "".join(f"2025-01-{day:02d},9,1.00,2.00\n" for day in range(1, 29))
    first = sent(client, token, text)
    fixed = {"of": mark(first), "delimiter": "1", "header": "yes", "order": "ymd", "decimal": ".", "column-date": "0"}
    second = sent(client, token, text, fixed | {"column-amount": "3", "column-customer": "1"})
    assert "turnover of €56.00" in said(second)
    assert "1 known customer" in said(second)
    other = sent(client, token, text.replace("2.00", "3.00"), fixed | {"column-amount": "3"})
    assert "turnover of €28.00" in said(other)
    assert "1 known customer" not in said(other)


def test_what_half_of_the_customers_would_have_had_is_true_as_it_is_said(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house, merchant_key=house.stranger.merchant_key)
    once = HEAD + "".join(f"{1 + one % 28:02d}/01/2025;{one};C{one};4,50\n" for one in range(60))
    assert "At least half of your customers would have had none in a year." in said(sent(client, token, once))
    regular = said(sent(client, token, export()))
    assert re.search(r"at most \d+\.\d gifts a year \(€\d+\.\d\d\)", regular)
    assert "fewer than" not in regular


def test_a_column_of_thousands_of_digits_is_no_column(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house, merchant_key=house.stranger.merchant_key)
    first = sent(client, token, export())
    for digits in ("0000" + "9" * 5000, "0" * 5000, "100"):
        form = {"of": mark(first), "delimiter": "0", "column-date": digits, "column-amount": "3"}
        page = sent(client, token, export(), form)
        assert page.status_code == 200
        assert "63 lines read" in said(page), "the columns are guessed as before"


@pytest.mark.parametrize(
    ("text", "form", "sentence"),
    [
        ("", {}, "Choose the file that your till exported"),
        ("\n\n", {}, "This file is empty"),
        ("a;b\nc;d\n", {}, "We found no column of dates"),
        (export(1, 2), {"paid": "0"}, "a number of purchases from 1 to 100"),
        (export(1, 2), {"gift": "much"}, "what the gift is worth"),
        (export(1, 2), {"kind": "points", "points": "1", "worth": "-1"}, "what one point is worth"),
        (bytes(range(256)) * 50, {}, "We found no column of dates"),
    ],
)
def test_what_is_wrong_is_said_in_words(
    client: FlaskClient, house: House, text: str | bytes, form: Any, sentence: str
) -> None:
    token = sign_in(client, house, merchant_key=house.stranger.merchant_key)
    page = sent(client, token, text, form)
    assert page.status_code == 400
    assert sentence in said(page)


def test_a_large_file_is_refused_and_a_cashier_does_not_ask(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sign_in(client, house)
    monkeypatch.setattr(replaying, "MAX_BYTES", 3000)
    page = sent(client, token, export(10, 40))
    assert (page.status_code, "more than 10 MB" in said(page)) == (400, True)
    cashier = house.app.test_client()
    other = sign_in(cashier, house, "cashier")
    assert sent(cashier, other, export(1, 2)).status_code == 403
    monkeypatch.setattr(replaying, "PER_MINUTE", 0)
    assert sent(client, token, export(1, 2)).status_code == 429
