"""Owns reading a sales file line by line into the histories of its customers; what cannot be read is named, never lost.

A file may be read in shares, so that several processes have a part of the customers each: every line belongs to exactly
one share, and so does every line that is left out.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from fractions import Fraction
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from wallet_server.errors import Invalid
from wallet_server.rules.baskets.baskets import Line, contains
from wallet_server.rules.simulation.customers import Purchase
from wallet_server.rules.simulation.sales_columns import Columns
from wallet_server.rules.simulation.table_text import clean, is_long, records, width_of
from wallet_server.rules.simulation.till_export import (
    GROUPED,
    MAX_CELL,
    TIME,
    Decimal,
    bare,
    clock_in,
    day_of,
    minor_of,
)

MAX_ROWS = 20_000_000
MAX_MINOR = 10**12
MOST_KEPT = 200_000
TOLD_EVERY = 20_000
"""Lines between two words of progress."""

Why = Literal["date", "time", "amount", "price", "quantity", "tax", "short", "long", "quote", "too-large"]

_NUMBER = re.compile(r"([-+]?)(\d{0,12})(?:[.,](\d{0,6}))?")


_NEW: Callable[..., Line] = tuple.__new__
"""A million lines are made: without the call in between that checks their names."""


Owns = Callable[[str], tuple[bool, str]]


class Reject(NamedTuple):
    """A line that was left out: where it ends, why, and what stands there."""

    line: int
    why: Why
    text: str


@dataclass
class Histories:
    """What was read: each customer's purchases in order of time, those of nobody known, and what was left out."""

    rows: int = 0
    members: dict[str, list[Purchase]] = field(default_factory=dict)
    unknown: list[Purchase] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


class _Bad(Exception):
    def __init__(self, why: Why) -> None:
        self.why: Why = why


def read(
    lines: Iterable[str],
    columns: Columns,
    zone: str,
    exponent: int,
    share: tuple[int, int] = (0, 1),
    tell: Callable[[int], None] | None = None,
) -> Histories:
    """Reads the customers of one share: (which, of how many). Times are those of the store's zone.

    `tell` is called now and then with the number of lines read so far. Raises `Invalid` (`too-many-rows`).
    """
    reader = _Reader(columns, zone, exponent, share)
    owns = reader.owner() if share[1] > 1 else None
    sieve = _Sieve(lines, None if columns.header else owns)
    header, told = columns.header, 0
    for _, span, cells in records(sieve, columns.delimiter):
        sieve.ended = True
        if header and cells is not None:
            header = False
            sieve.owns = owns
            continue
        reader.take(sieve.number, span, cells)
        if sieve.number - told >= TOLD_EVERY and tell is not None:
            told = sieve.number
            tell(told)
        if sieve.number > MAX_ROWS:
            raise Invalid(f"This file has more than {MAX_ROWS:,} lines; export a shorter time.", code="too-many-rows")
    if tell is not None:
        tell(sieve.seen)
    return reader.done()


class _Sieve:
    """Lines of a file, without those of which it shows at once that they are another share's: what is parsed and thrown
    away takes as long as what is kept.

    `number` is that of the last line that was given, `seen` at the end that of the last of all. `ended` is set by
    whoever has read a record: while it is not, the record goes on in the next line, whatever that looks like.
    """

    def __init__(self, lines: Iterable[str], owns: Owns | None) -> None:
        self.owns, self.number, self.ended = owns, 0, True
        self.seen = 0
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        number, before, mine = 0, "", True
        for number, line in enumerate(self._lines, 1):
            # Quickest first: most lines of a file of shares are another's, and begin as the one before.
            if self.ended and self.owns is not None:
                if not before or not line.startswith(before):
                    mine, before = self.owns(line)
                if not mine and '"' not in line:
                    continue
            self.number, self.ended = number, False
            yield line
        self.seen = number


class _Reader:
    def __init__(self, columns: Columns, zone: str, exponent: int, share: tuple[int, int]) -> None:
        self._columns, self._zone = columns, ZoneInfo(zone)
        self._which, self._of = share
        self._found = Histories()
        self._open: dict[tuple[str | None, str, int, str | None], list[Line]] = {}
        self._before: tuple[object, ...] | None = None
        self._lines: list[Line] = []
        self._names: dict[str, str] = {}
        self._shares: dict[str, int] = {}
        self._moments: dict[str, tuple[datetime, bool]] = {}
        self._amounts: dict[str, int] = {}
        self._pieces: dict[str, int] = {}
        self._scale = 10**exponent
        self._places = frozenset(columns.places.values())
        place = columns.places.get
        self._date, self._time, self._amount = columns.places["date"], place("time"), place("amount")
        self._price, self._quantity, self._tax = place("price"), place("quantity"), place("tax")
        self._customer, self._receipt, self._store = place("customer"), place("receipt"), place("store")
        self._sku, self._category = place("sku"), place("category")
        money = [self._price, self._quantity] if self._amount is None else [self._amount]
        self._width = width_of(columns.names, columns.header)
        self._need = max(one for one in (self._date, *money) if one is not None)

    def take(self, line: int, span: int, cells: list[str] | None) -> None:
        """Reads a record, if it is of this share; one that is none has `span` lines, all of them left out."""
        if self._of > 1 and self._share(cells) != self._which:
            return
        if cells is None or (span > 1 and self._swallowed(cells)):
            self._found.rows += span
            self._found.rejects += [Reject(each, "quote", "") for each in range(line - span + 1, line + 1)]
            return
        customer = self._name(cells, self._customer)
        self._found.rows += 1
        try:
            if len(cells) <= self._need:
                raise _Bad("short")
            if is_long(cells, self._width):
                raise _Bad("long")
            self._row(cells, customer)
        except _Bad as bad:
            text = self._columns.delimiter.join(cells)[:MAX_CELL]
            self._found.rejects.append(Reject(line, bad.why, text))

    def _swallowed(self, cells: list[str]) -> bool:
        """Whether a record of several lines is none: a quotation mark was closed by chance, by one of another line."""
        return len(cells) <= self._need or any("\n" in cells[one] for one in self._places if one < len(cells))

    def owner(self) -> Owns:
        """What tells whether a line without any quotation mark is of this share, and how other such lines begin of
        which the same is true: up to and with their customer."""
        place, delimiter, known, which = self._customer, self._columns.delimiter, self._shares.get, self._which
        if place is None:
            return lambda _line: (which == 0, "")
        after = place + 1

        def owns(line: str) -> tuple[bool, str]:
            cells = line.split(delimiter, after)
            if len(cells) <= after:  # the last column, or a line that is too short for it
                return self._share(line.rstrip("\r\n").split(delimiter)) == which, ""
            found = known(cells[place])
            return (self._share(cells) if found is None else found) == which, line[: -len(cells[after]) or None]

        return owns

    def _share(self, cells: list[str] | None) -> int:
        """Whose line this is: that of its customer, the first's where there is none."""
        if cells is None or self._customer is None or self._customer >= len(cells):
            return 0
        raw = cells[self._customer]
        share = self._shares.get(raw)
        if share is None:
            customer = _text(cells, self._customer)
            share = 0 if customer is None else zlib.crc32(customer.encode()) % self._of
            if len(self._shares) < MOST_KEPT:
                self._shares[raw] = share
        return share

    def _row(self, cells: list[str], customer: str | None) -> None:
        quantity = 1000 if self._quantity is None else self._thousandths(cells[self._quantity], "quantity")
        amount = self._worth(cells, quantity)
        tax = 0 if self._tax is None or not cells[self._tax].strip() else self._minor(cells[self._tax], "tax")
        if quantity < 0 < amount:  # goods that come back, written with the amount that they cost
            amount, tax = -amount, -abs(tax)
        if tax and not contains(amount, tax):
            raise _Bad("tax")
        goods = self._name(cells, self._sku), self._name(cells, self._category)
        bought: Line = _NEW(Line, (*goods, quantity, amount, tax, False))
        # Nearly every line is of the receipt of the line before.
        shop = None if self._store is None else cells[self._store :][:1]
        raw = None if self._receipt is None else (customer, cells[self._date], shop, *cells[self._receipt :][:1])
        if raw is not None and raw == self._before:
            self._lines.append(bought)
            return
        at, timed = self._moment(cells)
        receipt = _text(cells, self._receipt)
        if receipt is None and not timed:
            self._begin(customer, at, cells, [bought], timed)
            return
        # Each shop counts its receipts for itself.
        key = (customer, receipt or at.isoformat(), at.toordinal(), _text(cells, self._store))
        found = self._open.get(key)
        if found is None:
            found = self._open[key] = [bought]
            self._begin(customer, at, cells, found, timed)
        else:
            found.append(bought)
        self._before, self._lines = (raw if receipt is not None else None), found

    def _name(self, cells: list[str], place: int | None) -> str | None:
        """The same object for the same goods."""
        if place is None or place >= len(cells):
            return None
        raw = cells[place]
        name = self._names.get(raw)
        if name is None:
            name = _text(cells, place)
            if name is not None and len(self._names) < MOST_KEPT:
                self._names[raw] = name
        return name

    def _begin(self, customer: str | None, at: datetime, cells: list[str], lines: list[Line], timed: bool) -> None:
        purchase = Purchase(at, _text(cells, self._store) or "", lines, timed)
        if customer is None:
            self._found.unknown.append(purchase)
        else:
            self._found.members.setdefault(customer, []).append(purchase)

    # ---------------------------------------------------------------------- cells

    def _moment(self, cells: list[str]) -> tuple[datetime, bool]:
        cell, clock = cells[self._date], ""
        if self._time is not None and self._time < len(cells):
            clock = cells[self._time]
        key = f"{cell}\n{clock}"
        found = self._moments.get(key)
        if found is None:
            found = self._read_moment(clean(cell)[:60], clean(clock)[:60])
            if len(self._moments) >= MOST_KEPT:
                self._moments.clear()
            self._moments[key] = found
        return found

    def _read_moment(self, cell: str, clock: str) -> tuple[datetime, bool]:
        """Of a date, which may have the time behind it, and of the time where that has a column of its own."""
        day = day_of(cell, self._columns.date_order)
        if day is None:
            raise _Bad("date")
        text = f"{cell} {clock}".rstrip()
        if len(text) > 10 and text[4:5] == "-" and (not clock or ":" in clock):
            try:
                whole = datetime.fromisoformat(text)
            except ValueError:
                pass
            else:
                local = whole.replace(tzinfo=self._zone) if whole.tzinfo is None else whole.astimezone(self._zone)
                return local, True
        found = clock_in(clock) if clock else TIME.search(cell, 6)
        if found is None:
            if clock or ":" in cell:
                raise _Bad("time")
            return datetime.combine(date.fromordinal(day), time(12), self._zone), False
        return datetime.combine(date.fromordinal(day), _clock(found), self._zone), True

    def _worth(self, cells: list[str], quantity: int) -> int:
        if self._amount is not None:
            return self._minor(cells[self._amount], "amount")
        price = _exact(cells[self._price or 0], self._columns.decimal)
        if price is None:
            raise _Bad("price")
        exact = price * self._scale * quantity / 1000
        amount: int = (abs(exact) + Fraction(1, 2)).__floor__()
        if amount > MAX_MINOR:
            raise _Bad("too-large")
        return -amount if exact < 0 else amount

    def _minor(self, cell: str, what: Why) -> int:
        amount = self._amounts.get(cell)
        if amount is None:
            hundredths = minor_of(clean(cell)[:40], self._columns.decimal)
            if hundredths is None:
                raise _Bad(what)
            amount, rest = divmod(hundredths * self._scale, 100)
            if rest:
                raise _Bad(what)
            if abs(amount) > MAX_MINOR:
                raise _Bad("too-large")
            if len(self._amounts) < MOST_KEPT:
                self._amounts[cell] = amount
        return amount

    def _thousandths(self, cell: str, what: Why) -> int:
        pieces = self._pieces.get(cell)
        if pieces is None:
            decimal = self._columns.decimal if self._columns.in_pieces else None
            exact = Fraction(1) if not cell.strip() else _exact(cell, decimal)
            if exact is None or (exact * 1000).denominator != 1:
                raise _Bad(what)
            if abs(exact) > MAX_MINOR:
                raise _Bad("too-large")
            pieces = int(exact * 1000)
            if len(self._pieces) < MOST_KEPT:
                self._pieces[cell] = pieces
        return pieces

    def done(self) -> Histories:
        """Everything, each customer's purchases in order of time."""
        for purchases in self._found.members.values():
            purchases.sort(key=_when)
        self._found.unknown.sort(key=_when)
        return self._found


def _when(purchase: Purchase) -> datetime:
    return purchase.at


def _text(cells: Sequence[str], place: int | None) -> str | None:
    if place is None or place >= len(cells):
        return None
    text = cells[place]
    if text[:1] == "=" or text[:1] <= " " or text[-1:] <= " ":
        text = clean(text)
    return text[:MAX_CELL] or None


def _exact(cell: str, decimal: Decimal | None) -> Fraction | None:
    """A number; where it is known what stands before its decimals (`decimal`), the other sign parts thousands."""
    text = bare(clean(cell)[:40])
    if decimal is not None:
        text = text.replace("." if decimal == "," else ",", "") if GROUPED[decimal].fullmatch(text) else text
    found = _NUMBER.fullmatch(text)
    if found is None or not (found.group(2) or found.group(3)):
        return None
    parts = found.group(3) or ""
    value = Fraction(int((found.group(2) or "") + parts or "0"), 10 ** len(parts))
    return -value if found.group(1) == "-" else value


def _clock(found: re.Match[str]) -> time:
    hour, minute, second = int(found.group(1)), int(found.group(2) or 0), int(found.group(3) or 0)
    half = (found.group(4) or "").replace(".", "").lower()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        return time(hour, minute, second)
    except ValueError:
        raise _Bad("time") from None
