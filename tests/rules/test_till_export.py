"""A till's file is read whatever wrote it: encoding, separators, dates and amounts; what cannot be read is named."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_server.errors import Invalid
from wallet_server.rules.simulation import till_export
from wallet_server.rules.simulation.table_text import text_of
from wallet_server.rules.simulation.till_export import Layout, day_of, guess, minor_of, read
from wallet_server.rules.simulation.whatif import Row

FRENCH = (
    "Date;N° ticket;Quantité;Montant TTC;TVA;N° client\r\n"
    '13/01/2025 08:12;0001;2;"1 234,50 €";64,20;="0042"\r\n'
    "14/01/2025 09:00;0002;1;4,5;0,23;\r\n"
)
ENGLISH = "date,customer_id,total\n2025-01-13T08:12:00,42,1234.50\n2025-01-14,,4.5\n"


def day(year: int, month: int, number: int) -> int:
    return date(year, month, number).toordinal()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_french_export_in_any_encoding(encoding: str) -> None:
    text = text_of(FRENCH.encode(encoding))
    layout = guess(text)
    assert layout == Layout(";", True, 0, 3, 5, 1, "dmy", ",")
    found = read(text, layout)
    assert found.rows == (
        Row(day(2025, 1, 13), 123450, "0042", "0001"),
        Row(day(2025, 1, 14), 450, None, "0002"),
    )
    assert found.columns[3] == "Montant TTC"
    assert (found.unread, found.unread_count) == ((), 0)


def test_an_english_export() -> None:
    layout = guess(ENGLISH)
    assert layout == Layout(",", True, 0, 2, 1, None, "ymd", ".")
    assert read(ENGLISH, layout).rows == (
        Row(day(2025, 1, 13), 123450, "42", None),
        Row(day(2025, 1, 14), 450, None, None),
    )


def test_a_file_without_a_header_and_with_tabs() -> None:
    text = "12/31/2024\t3.20\n01/15/2025\t14.00\n"
    layout = guess(text)
    assert layout == Layout("\t", False, 0, 1, None, None, "mdy", ".")
    assert [row.amount_minor for row in read(text, layout).rows] == [320, 1400]


def test_what_cannot_be_read_is_named_by_its_line() -> None:
    text = (
        FRENCH.replace("\r\n", "\n")
        + "Total;;;1239,00;;\n31/02/2025;3;1;5,00;0;\n15/01/2025;4;1;cinq;0;\n16/01/2025;5\n"
    )
    found = read(text, guess(text))
    assert len(found.rows) == 2
    assert [(one.line, one.why) for one in found.unread] == [(4, "date"), (5, "date"), (6, "amount"), (7, "short")]
    assert found.unread_count == 4


def test_a_quotation_mark_that_nobody_closed_loses_its_lines_openly() -> None:
    text = ENGLISH + '2025-01-15,"7,1.00\n' + "2025-01-16,7,1.00\n" * 40
    found = read(text, guess(text))
    assert len(found.rows) == 2
    assert found.unread[0].why == "quote"
    assert found.unread_count >= 40


def test_an_amount_that_its_comma_cuts_in_two_is_left_out_and_named() -> None:
    text = "date,customer,amount\n2026-01-01,A,12,50\n2026-01-02,A,20,,\n2026-01-03,B,1,234.50\n"
    found = read(text, guess(text))
    assert [row.amount_minor for row in found.rows] == [2000]
    assert [(one.line, one.why, one.text) for one in found.unread] == [
        (2, "long", "2026-01-01,A,12,50"),
        (4, "long", "2026-01-03,B,1,234.50"),
    ]
    assert found.unread_count == 2


@pytest.mark.parametrize(
    ("cell", "order", "expected"),
    [
        ("05/04/2025", "dmy", (2025, 4, 5)),
        ("05/04/2025", "mdy", (2025, 5, 4)),
        ("2025-04-05", "dmy", (2025, 4, 5)),
        ("20250405", "dmy", (2025, 4, 5)),
        ("5.4.25", "dmy", (2025, 4, 5)),
        ("5 avr. 2025 10:15", "dmy", (2025, 4, 5)),
        ("12 Feb 2025", "mdy", (2025, 2, 12)),
        ("3 août 2025", "dmy", (2025, 8, 3)),
        ("31/04/2025", "dmy", None),
        ("01/01/1492", "dmy", None),
        ("12345", "dmy", None),
        ("", "dmy", None),
    ],
)
def test_dates(cell: str, order: till_export.DateOrder, expected: tuple[int, int, int] | None) -> None:
    assert day_of(cell, order) == (None if expected is None else day(*expected))


def test_a_month_in_words_is_not_taken_for_the_day_of_another_line() -> None:
    text = "date;total\n05 janv. 2025 10:00;1,00\n05 mars 2025 10:00;2,00\n"
    assert [row.day for row in read(text, guess(text)).rows] == [day(2025, 1, 5), day(2025, 3, 5)]


@pytest.mark.parametrize(
    ("cell", "decimal", "expected"),
    [
        ("12,30", ",", 1230),
        ("1.234,50", ",", 123450),
        ("1 234,5 €", ",", 123450),
        ("1,234.50", ".", 123450),
        ("-4.00", ".", -400),
        ("(4.00)", ".", -400),
        ("4,00-", ",", -400),
        ("\u22124,00", ",", -400),
        ("12.3000", ".", 1230),
        ("12.345", ".", None),
        ("1.23.4", ",", None),
        ("12,30", ".", None),
        ("=1+1", ",", None),
        ("", ",", None),
        ("9" * 30, ",", None),
        ("٣", ",", None),
    ],
)
def test_amounts(cell: str, decimal: till_export.Decimal, expected: int | None) -> None:
    assert minor_of(cell, decimal) == expected


@given(st.integers(-(10**9), 10**9), st.sampled_from([",", "."]), st.booleans())
def test_an_amount_as_written_is_the_amount_as_read(amount: int, decimal: till_export.Decimal, grouped: bool) -> None:
    whole, rest = divmod(abs(amount), 100)
    digits = f"{whole:,}".replace(",", "\u202f") if grouped else str(whole)
    assert minor_of(f"{'-' if amount < 0 else ''}{digits}{decimal}{rest:02d}", decimal) == amount


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_no_file_breaks_the_reading(body: bytes) -> None:
    try:
        text = text_of(body)
        found = read(text, guess(text))
    except Invalid as refusal:
        assert refusal.code in {"empty-export", "unreadable-export"}
    else:
        assert len(found.rows) + found.unread_count <= text.count("\n") + 1


def test_too_many_lines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(till_export, "MAX_ROWS", 100)
    text = "date,total\n" + "2025-01-01,1.00\n" * 101
    with pytest.raises(Invalid) as refused:
        read(text, guess(text))
    assert refused.value.code == "too-many-rows"
    assert len(read(text[:-16], guess(text)).rows) == 100
