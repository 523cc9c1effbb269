"""Owns reading what a till exports: its encoding, its columns, its dates and amounts, guessed and open to correction.

What cannot be read is counted and named by its line, never guessed at. Nothing in a file is ever carried out: a cell
that begins like a formula is a text as any other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from wallet_server.errors import Invalid
from wallet_server.rules.simulation.table_text import clean, is_long, records_of, width_of
from wallet_server.rules.simulation.whatif import Row

MAX_ROWS = 300_000
MAX_COLUMNS = 100
MAX_CELL = 200
SAMPLE = 300
SHOWN_UNREAD = 20
DELIMITERS = (";", ",", "\t", "|")
DECIMALS = 2

DateOrder = Literal["dmy", "mdy", "ymd"]
Decimal = Literal[",", "."]
Fault = Literal["date", "amount", "short", "long", "quote"]


@dataclass(frozen=True)
class Layout:
    """How a file is to be read; columns count from 0."""

    delimiter: str
    header: bool
    date: int
    amount: int
    customer: int | None
    receipt: int | None
    date_order: DateOrder
    decimal: Decimal


@dataclass(frozen=True)
class Unread:
    """A record that was left out: the line on which it ends, why, and what stands there."""

    line: int
    why: Fault
    text: str


@dataclass(frozen=True)
class _Seen:
    days: dict[str, int]
    amounts: dict[str, int]


@dataclass(frozen=True)
class Export:
    """A file as read: `rows` in the file's order; `unread` are the first of the `unread_count` left out."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    unread: tuple[Unread, ...]
    unread_count: int


# ---------------------------------------------------------------------- one cell

_DATE = re.compile(r"(\d{1,4})\s*[-/. ]\s*(\d{1,2}|[^\W\d_]{3,9}\.?)\s*[-/. ]\s*(\d{2,4})(?!\d)")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?!\d)")
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan", "feb fev", "mar", "apr avr", "may mai", "jun juin", "jul juil", "aug aou", "sep", "oct", "nov", "dec"),
        1,
    )
    for name in names.split()
}
TIME = re.compile(r"(\d{1,2})\s*[:hH]\s*(\d{2})(?::(\d{2}))?(?:[.,]\d+)?\s*([AaPp]\.?[Mm])?")
_CLOCKS = (re.compile(r"(\d{1,2})(\d{2})?(\d{2})?()"), re.compile(r"(?!0\.)(\d{1,2})\.(\d{2})(?:\.(\d{2}))?()"))
_NUMBER = {
    ",": re.compile(r"(\d{1,3}(?:\.\d{3})+|\d+)?(?:,(\d*))?"),
    ".": re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)?(?:\.(\d*))?"),
}
_NOISE = re.compile(r"[\s'’€$£]|EUR|USD|GBP|CHF", re.IGNORECASE)
MAX_DIGITS = 12
GROUPED: dict[Decimal, re.Pattern[str]] = {
    ",": re.compile(r"[-+]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d*)?"),
    ".": re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?"),
}
"""A number whose thousands are parted, by what stands before the decimals."""


def day_of(cell: str, order: DateOrder) -> int | None:
    """The day of a date, with or without a time after it, as `date.toordinal`; None when it is none.

    A year of four digits in front is always read as year, month, day.
    """
    found = _COMPACT.match(cell) or _DATE.match(cell)
    if found is None:
        return None
    first, second, third = found.groups()
    if len(first) >= 3 or order == "ymd":
        year, month, day = first, second, third
    elif order == "mdy" and second.isdigit():
        month, day, year = first, second, third
    else:
        day, month, year = first, second, third
    number = int(month) if month.isdigit() else _month(month)
    whole = int(year) + (2000 if len(year) <= 2 else 0)
    if not number or not 1970 <= whole <= 2100:
        return None
    try:
        return date(whole, number, int(day)).toordinal()
    except ValueError:
        return None


def clock_in(cell: str) -> re.Match[str] | None:
    """Hour, minute, second and half of the day in a column that holds nothing but times, with or without a colon."""
    found = next((one for clock in _CLOCKS if (one := clock.fullmatch(cell))), None) or TIME.search(cell)
    return found if found is not None and int(found[1]) < 24 and int(found[2] or 0) < 60 else None


def _month(name: str) -> int:
    short = plain(name)
    return _MONTHS.get(short[:4]) or _MONTHS.get(short[:3]) or 0


def bare(cell: str) -> str:
    """A number without blanks and signs of money."""
    return _NOISE.sub("", cell).replace("\u2212", "-")


def minor_of(cell: str, decimal: Decimal) -> int | None:
    """An amount in hundredths; None when it is none, or is finer than that. A minus may stand behind; brackets are
    one too."""
    text = bare(cell)
    negative = False
    if text.startswith("(") and text.endswith(")"):
        negative, text = True, text[1:-1]
    if text.startswith(("-", "+")):
        negative, text = negative or text[0] == "-", text[1:]
    elif text.endswith("-"):
        negative, text = True, text[:-1]
    found = _NUMBER[decimal].fullmatch(text)
    if found is None or len(text) > MAX_DIGITS + 4:
        return None
    whole, parts = found.group(1) or "", found.group(2) or ""
    if (not whole and not parts) or parts[DECIMALS:].strip("0") or not (whole + parts).isascii():
        return None
    digits = whole.replace(".", "").replace(",", "")
    amount = int(digits or "0") * 100 + int(parts[:DECIMALS].ljust(DECIMALS, "0"))
    return -amount if negative else amount


# ---------------------------------------------------------------------- guessing

_AMOUNT_NAMES = ("ttc", "total", "montant", "amount", "gross", "betrag", "somme", "value", "prix", "price", "net")
NOT_AMOUNT = ("tva", "vat", "tax", "qt", "quant", "remise", "discount", "rendu", "change", "solde", "balance")
_CUSTOMER_NAMES = ("client", "customer", "carte", "card", "membre", "member", "loyal", "fidel", "kunde", "buyer")
_RECEIPT_NAMES = ("ticket", "receipt", "recu", "facture", "invoice", "transaction", "bon", "order", "commande", "vente")


def plain(name: str) -> str:
    """In small letters, without accents."""
    apart = unicodedata.normalize("NFD", name.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).strip()


def guess(text: str) -> Layout:
    """How this file is probably to be read. Raises `Invalid` (`unreadable-export`) when no date or amount is found."""
    delimiter = delimiter_of(text)
    sample = [cells for _, _, cells in some(text, delimiter) if cells]
    width = max((len(cells) for cells in sample), default=0)
    first = [clean(cell) for cell in sample[0]] if sample else []
    header = not any(is_day(cell) for cell in first)
    body = sample[1:] if header else sample
    columns = [[clean(cells[n])[:MAX_CELL] for cells in body if n < len(cells)] for n in range(width)]
    names = [plain(first[n]) if header and n < len(first) else "" for n in range(width)]
    days = [ratio_of(column, is_day) for column in columns]
    when = max(range(width), key=lambda n: days[n], default=0)
    amounts = [_amount_score(names[n], columns[n]) if n != when and days[n] < 0.5 else -1.0 for n in range(width)]
    how_much = max(range(width), key=lambda n: amounts[n], default=0)
    if width < 2 or days[when] < 0.5 or amounts[how_much] <= 0:
        raise Invalid(
            "No column with dates and none with amounts was found; export the sales with both, one sale a line.",
            code="unreadable-export",
        )
    customer = named(names, _CUSTOMER_NAMES, (when, how_much))
    receipt = named(names, _RECEIPT_NAMES, (when, how_much, customer))
    return Layout(
        delimiter,
        header,
        when,
        how_much,
        customer,
        receipt,
        date_order_of(columns[when]),
        decimal_of(columns[how_much], delimiter),
    )


def some(text: str, delimiter: str) -> Iterator[tuple[int, int, list[str] | None]]:
    """The first records. A head alone: a file of 300,000 lines is not read twice for a guess."""
    head = text[: SAMPLE * 400]
    for number, record in enumerate(records_of(head, delimiter)):
        if number >= SAMPLE:
            return
        yield record


def delimiter_of(text: str) -> str:
    """What stands between the cells."""
    return max(DELIMITERS, key=lambda one: _regular(text, one))


def _regular(text: str, delimiter: str) -> tuple[int, int]:
    """How many cells stand in the records that have the same number of them (more than one), and how many these are."""
    counts: dict[int, int] = {}
    for _, _, cells in some(text, delimiter):
        if cells and len(cells) <= MAX_COLUMNS:
            counts[len(cells)] = counts.get(len(cells), 0) + 1
    return max(((many * (width - 1), many) for width, many in counts.items() if width > 1), default=(0, 0))


def is_day(cell: str) -> bool:
    """Whether this may be a date."""
    return day_of(cell, "dmy") is not None or day_of(cell, "mdy") is not None


def is_amount(cell: str) -> bool:
    """Whether this may be an amount."""
    return minor_of(cell, ",") is not None or minor_of(cell, ".") is not None


def ratio_of(column: Sequence[str], test: object) -> float:
    """The part of the filled cells that pass a test."""
    filled = [cell for cell in column if cell]
    return sum(map(test, filled)) / len(filled) if filled and callable(test) else 0.0


def _amount_score(name: str, column: Sequence[str]) -> float:
    """Above zero for what may be an amount; a telling name and decimals speak for it."""
    if (share := ratio_of(column, is_amount)) < 0.5:
        return -1.0
    named = next((len(_AMOUNT_NAMES) - n for n, part in enumerate(_AMOUNT_NAMES) if part in name), 0)
    other = any(part in name for part in (*NOT_AMOUNT, *_CUSTOMER_NAMES, *_RECEIPT_NAMES))
    decimals = ratio_of(column, lambda cell: bool(re.search(r"[.,]\d{1,2}\D*$", cell)))
    return share + decimals + named - (20 if other and not named else 10 if other else 0) + 25


def named(names: Sequence[str], parts: Sequence[str], taken: Sequence[int | None]) -> int | None:
    """The first column, not taken yet, whose name (as `plain` has it) holds one of these parts."""
    return next((n for part in parts for n, name in enumerate(names) if part in name and n not in taken), None)


def date_order_of(column: Sequence[str]) -> DateOrder:
    """Day first, unless that cannot be and month first can."""
    by_day = sum(day_of(cell, "dmy") is not None for cell in column)
    by_month = sum(day_of(cell, "mdy") is not None for cell in column)
    if column and sum(bool(re.match(r"\d{4}", cell)) for cell in column) * 2 > len(column):
        return "ymd"
    return "mdy" if by_month > by_day else "dmy"


def decimal_of(column: Sequence[str], delimiter: str) -> Decimal:
    """Comma or point before the decimals."""
    commas = sum(bool(re.search(r",\d{1,2}\D*$", cell)) for cell in column)
    points = sum(bool(re.search(r"\.\d{1,2}\D*$", cell)) for cell in column)
    if commas == points:
        return "," if delimiter == ";" and not points else "."
    return "," if commas > points else "."


# ---------------------------------------------------------------------- the whole file


def read(text: str, layout: Layout) -> Export:
    """Every record of a file. Raises `Invalid` (`too-many-rows`)."""
    rows: list[Row] = []
    unread: list[Unread] = []
    left_out = 0
    columns: tuple[str, ...] = ()
    width: int | None = None
    seen = _Seen({}, {})
    need = max(layout.date, layout.amount)
    for line, span, cells in records_of(text, layout.delimiter):
        if not columns and cells is not None:
            columns = _column_names(cells, layout.header)
            width = width_of(cells, layout.header)
            if layout.header:
                continue
        found = "quote" if cells is None else _misfit(cells, need, width) or _row(cells, layout, seen)
        if isinstance(found, Row):
            rows.append(found)
        else:
            left_out += span if cells is None else 1
            if len(unread) < SHOWN_UNREAD:
                unread.append(Unread(line, found, layout.delimiter.join(cells or ())[:MAX_CELL]))
        if len(rows) + len(unread) > MAX_ROWS or left_out > MAX_ROWS:
            raise Invalid(f"This file has more than {MAX_ROWS:,} lines; export a shorter time.", code="too-many-rows")
    return Export(columns, tuple(rows), tuple(unread), left_out)


def _misfit(cells: Sequence[str], need: int, width: int | None) -> Fault | None:
    return "short" if len(cells) <= need else "long" if is_long(cells, width) else None


def _column_names(cells: Sequence[str], header: bool) -> tuple[str, ...]:
    return tuple(clean(cell)[:60] if header else "" for cell in cells[:MAX_COLUMNS])


def _row(cells: Sequence[str], layout: Layout, seen: _Seen) -> Row | Fault:
    cell = cells[layout.date]
    # Nearly every date and many amounts come again: what was read once is not read again.
    head = cell.partition(" ")[0] if ":" in cell else cell
    if (day := seen.days.get(head)) is None:
        if (day := day_of(clean(head)[:40], layout.date_order)) is not None:
            seen.days[head] = day
        elif (day := day_of(clean(cell)[:40], layout.date_order)) is None:
            return "date"
    cell = cells[layout.amount]
    if (amount := seen.amounts.get(cell)) is None:
        amount = minor_of(clean(cell)[:40], layout.decimal)
        if amount is None:
            return "amount"
        seen.amounts[cell] = amount
    return Row(day, amount, _key(cells, layout.customer), _key(cells, layout.receipt))


def _key(cells: Sequence[str], column: int | None) -> str | None:
    if column is None or column >= len(cells):
        return None
    return clean(cells[column])[:MAX_CELL] or None
