"""Owns the text of a table that a till exports: its encoding, its records, and which cells are of no column."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

from wallet_server.errors import Invalid

MAX_SPAN = 20
"""A record over more lines than this is a quotation mark that nobody closed."""


def text_of(body: bytes) -> str:
    """The text of a file in UTF-8, UTF-16 (with or without its mark) or Windows-1252. Raises `Invalid`."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = body.decode("utf-16", errors="replace")
    elif (order := wide(body[:2000])) is not None:
        text = body.decode(order, errors="replace")
    else:
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = body.decode("cp1252", errors="replace")
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    if not text.strip():
        raise Invalid("This file is empty; export the sales again and send that file.", code="empty-export")
    return text


def wide(head: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of what a till writes is 0 then."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    many = len(head) // 5
    if odd > many and odd > 4 * even:
        return "utf-16-le"
    return "utf-16-be" if even > many and even > 4 * odd else None


def records_of(text: str, delimiter: str) -> Iterator[tuple[int, int, list[str] | None]]:
    """The records of a whole text."""
    # Lines are ended by LF alone: `splitlines` would also cut at characters that stand in the midst of a cell.
    return records((line + "\n" for line in text.split("\n")), delimiter)


def records(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, int, list[str] | None]]:
    """(line, lines it spans, cells or None) of each record that is not blank."""
    reader = csv.reader(lines, delimiter=delimiter)
    before = 0
    while True:
        try:
            cells: list[str] | None = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = None
        span, before = reader.line_num - before, reader.line_num
        if cells is not None and len(cells) <= 1 and (not cells or not cells[0].strip() or _marks(cells[0])):
            continue
        yield before, span, None if span > MAX_SPAN else cells


def _marks(cell: str) -> bool:
    """Excel's own first line, `sep=;`."""
    return cell.lower().startswith("sep=") and len(cell) <= 5


def clean(cell: str) -> str:
    """Without blanks around it and without the formula by which tables keep leading zeros: `="0012"`."""
    text = cell.strip()
    if text.startswith('="') and text.endswith('"') and len(text) >= 3:
        text = text[2:-1].strip()
    return text


def width_of(first: Sequence[str], header: bool) -> int | None:
    """How many columns the first record names; None without a header, or where it is the title of the table."""
    named = [place for place, cell in enumerate(first, 1) if cell.strip()]
    return named[-1] if header and len(named) > 1 else None


def is_long(cells: Sequence[str], width: int | None) -> bool:
    """Whether something stands beyond the last column: an amount whose comma parted it, and all behind it has moved."""
    return width is not None and len(cells) > width and any(cell.strip() for cell in cells[width:])
