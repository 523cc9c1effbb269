"""Owns which column of a sales file is what: guessed by names and contents, corrected by whoever knows better."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wallet_server.errors import Fault, Invalid
from wallet_server.rules.simulation import till_export
from wallet_server.rules.simulation.table_text import clean
from wallet_server.rules.simulation.till_export import DateOrder, Decimal, plain

FIELDS = ("date", "time", "amount", "price", "quantity", "tax", "customer", "receipt", "store", "sku", "category")
"""What a column may be. A line is worth its `amount`, or `price` times `quantity` where there is no amount."""

_NAMES: Mapping[str, tuple[str, ...]] = {
    "customer": ("household", "foyer", "acheteur", "adherent", "user", "e-mail", "email"),
    "receipt": ("basket", "panier", "bill", "document"),
    "quantity": ("quantit", "qte", "qty", "menge", "pieces"),
    "tax": ("tva", "vat", "tax", "mwst"),
    "store": ("magasin", "boutique", "store", "shop", "branch", "filiale", "point de vente"),
    "category": ("categor", "rayon", "famille", "family", "department", "groupe"),
    "sku": ("sku", "ean", "barcode", "code barre", "stockcode", "article", "produit", "product", "item", "plu", "ref"),
    "time": ("heure", "time", "hour", "uhrzeit"),
}
_UNIT = re.compile(r"price$|.*(unit|piece price|prix u|p\.u|\bpu(ht|ttc)?\b)")
"""How the price of one piece is called, where pieces have a column; `price` is the product's own word for it."""
_WHOLE = re.compile(r"(?!.*\bht\b).*(ttc|total|montant|amount|gross|betrag|somme)")
"""How what was paid for all pieces is called beside such a price."""


@dataclass(frozen=True)
class Columns:
    """How a file is to be read: `places` say for each field its column, counted from 0; `names` are all columns as the
    header has them, empty without one. `in_pieces`: quantities are written without decimals; a sign in one parts
    thousands."""

    delimiter: str
    header: bool
    names: tuple[str, ...]
    places: Mapping[str, int]
    date_order: DateOrder
    decimal: Decimal
    in_pieces: bool = False

    def place(self, field: str) -> int | None:
        """The column of a field, None where the file has none."""
        return self.places.get(field)

    def said(self) -> list[tuple[str, str]]:
        """Field and column as a person calls it, in the order of `FIELDS`."""
        return [(field, self._name(self.places[field])) for field in FIELDS if field in self.places]

    def _name(self, place: int) -> str:
        named = self.names[place] if place < len(self.names) else ""
        return named or f"column {place + 1}"


def columns_of(head: str, wanted: Mapping[str, str] | None = None) -> Columns:
    """How a file that begins so is to be read. `wanted` names columns by field, by their name or their number from 1;
    an empty name says that the file has none of it. Raises `Invalid` (`unknown-column`, `unreadable-export`) with every
    fault."""
    asked = dict(wanted or {})
    found = _guessed(head)
    places, faults = dict(found.places), []
    for field, name in asked.items():
        if field not in FIELDS:
            faults.append(Fault(field, f"There is no field “{field}”; choose among {', '.join(FIELDS)}."))
            continue
        place = _asked(found.names, name)
        if name.strip() and place is None:
            faults.append(Fault(field, f"There is no column “{name}”; the file has {_listed(found.names)}."))
        places.pop(field, None)
        if place is not None:
            # A column is one thing: who names it takes it from what was guessed.
            places = {other: at for other, at in places.items() if at != place or other in asked}
            places[field] = place
    if "amount" in asked and places.get("amount") is not None and "price" not in asked:
        places.pop("price", None)
    if faults:
        raise Invalid(
            "Columns were named that the file does not have.", code="unknown-column", field="map", faults=faults
        )
    if "date" not in places or ("amount" not in places and not {"price", "quantity"} <= places.keys()):
        raise Invalid(
            "No column with dates and none with amounts was found; name them: date=..., amount=... (or price=... and "
            "quantity=...).",
            code="unreadable-export",
            field="map",
        )
    return _read_as(head, replace(found, places=places))


def _asked(names: Sequence[str], name: str) -> int | None:
    text = name.strip()
    exact = next((place for place, one in enumerate(names) if one == text), None)
    if exact is None and text:
        exact = next((place for place, one in enumerate(names) if plain(one) == plain(text)), None)
    if exact is None and text.isascii() and text.isdigit() and 1 <= int(text) <= till_export.MAX_COLUMNS:
        return int(text) - 1
    return exact


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"“{name}”" for name in names if name) or "no names: count columns from 1"


def _guessed(head: str) -> Columns:
    """By names and contents; what cannot be found is left out."""
    try:
        layout = till_export.guess(head)
    except Invalid:
        delimiter = till_export.delimiter_of(head)
        first = next((cells for _, _, cells in till_export.some(head, delimiter) if cells), [])
        header = not any(till_export.is_day(clean(cell)) for cell in first)
        names = tuple(clean(cell) for cell in first) if header else ()
        return Columns(delimiter, header, names, {}, "dmy", ".")
    first = next((cells for _, _, cells in till_export.some(head, layout.delimiter) if cells), [])
    names = tuple(clean(cell)[:60] for cell in first) if layout.header else ()
    places = {"date": layout.date, "amount": layout.amount}
    if layout.customer is not None:
        places["customer"] = layout.customer
    if layout.receipt is not None:
        places["receipt"] = layout.receipt
    short = [plain(name) for name in names]
    for field, parts in _NAMES.items():
        if field in places:
            continue
        place = till_export.named(short, parts, tuple(places.values()))
        if place is not None and (
            field != "time"
            or till_export.ratio_of(_column(head, layout.delimiter, layout.header, place), _is_time) >= 0.5
        ):
            places[field] = place
    if "quantity" in places and names and _UNIT.match(short[layout.amount]):
        whole = _whole_amount(head, layout.delimiter, short, set(places.values()))
        places |= {"price": places.pop("amount")} if whole is None else {"amount": whole}
    return Columns(layout.delimiter, layout.header, names, places, layout.date_order, layout.decimal)


def _whole_amount(head: str, delimiter: str, short: Sequence[str], taken: set[int]) -> int | None:
    """The column of what was paid for all pieces, beside one with the price of each."""
    called = [
        place
        for place, name in enumerate(short)
        if place not in taken and _WHOLE.match(name) and not _UNIT.match(name)
        and not any(part in name for part in till_export.NOT_AMOUNT)
    ]  # fmt: skip
    ratio, is_amount = till_export.ratio_of, till_export.is_amount
    return next((one for one in called if ratio(_column(head, delimiter, True, one), is_amount) >= 0.5), None)


def _column(head: str, delimiter: str, header: bool, place: int) -> list[str]:
    rows = [cells for _, _, cells in till_export.some(head, delimiter) if cells][int(header) :]
    return [clean(cells[place])[: till_export.MAX_CELL] for cells in rows if place < len(cells)]


def _is_time(cell: str) -> bool:
    return till_export.clock_in(cell) is not None


def _read_as(head: str, columns: Columns) -> Columns:
    """The order of dates and the sign of decimals, as the columns that are now named have them."""

    def of(place: int) -> list[str]:
        return _column(head, columns.delimiter, columns.header, place)

    amounts = columns.places.get("amount", columns.places.get("price", 0))
    decimal = till_export.decimal_of(of(amounts), columns.delimiter)
    pieces = of(columns.places["quantity"]) if "quantity" in columns.places else []
    return replace(
        columns,
        date_order=till_export.date_order_of(of(columns.places["date"])),
        decimal=decimal,
        in_pieces=_in_pieces([one for one in pieces if one], decimal),
    )


def _in_pieces(cells: Sequence[str], decimal: Decimal) -> bool:
    """Whether nothing has decimals and something no sign at all: what is written with decimals is so in every line."""
    plain_ones = [one for one in cells if "," not in one and "." not in one]
    return bool(plain_ones) and all(
        one in plain_ones or till_export.GROUPED[decimal].fullmatch(till_export.bare(one)) for one in cells
    )
