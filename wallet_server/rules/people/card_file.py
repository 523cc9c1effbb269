"""Owns reading a file of old cards: which column is what, and of every line what is sound and what is not.

No line is dropped: one that cannot be read is named with its reason, and what is wrong beside a sound number (an
address without an @) is said while the card is taken over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wallet_server.errors import Fault, Invalid
from wallet_server.rules.counter import short_codes
from wallet_server.rules.people import contacts
from wallet_server.rules.people.matching import Person
from wallet_server.rules.simulation.table_text import clean, records, text_of
from wallet_server.rules.simulation.till_export import MAX_CELL, delimiter_of, plain

FIELDS = ("number", "points", "email", "phone", "first_name", "last_name", "address", "postcode", "city")
_GROUPED = re.compile(r"[0-9]{1,3}(?:([.,])[0-9]{3})(?:\1[0-9]{3})*")
_WHOLE = re.compile(r"[0-9]{1,13}(?:[.,]0{1,4})?")
MOST_LINES = 200_000
MOST_POINTS = 10**12
_NAMES: Mapping[str, tuple[str, ...]] = {
    "email": ("e-mail", "email", "mail", "courriel"),
    "phone": ("telephone", "phone", "mobile", "portable", "tel", "gsm"),
    "postcode": ("code postal", "codepostal", "postcode", "postal code", "zip", "cp"),
    "points": ("points", "solde", "balance", "cagnotte"),
    "first_name": ("prenom", "first", "given"),
    "last_name": ("nom", "last", "surname", "family", "name"),
    "address": ("adresse", "address", "rue", "street", "voie"),
    "city": ("ville", "city", "town", "commune"),
    "number": ("carte", "card", "numero", "number", "code", "ean", "barcode", "no"),
}
"""Looked for in this order, in the names of the columns: `code postal` is a postcode before it is a code."""


@dataclass(frozen=True)
class Columns:
    """How the file is read: field to column, counted from 0; `names` as the header has them."""

    delimiter: str
    names: tuple[str, ...]
    places: Mapping[str, int]

    def said(self) -> dict[str, str]:
        """Field to the name of its column."""
        return {field: self.names[place] for field, place in self.places.items()}


@dataclass(frozen=True)
class CardLine:
    """A line: what it says of the card and its holder. `why` it cannot be taken over (`no-number`, `bad-number`,
    `twice`, `bad-points`, `short`, `quote`), and `notes` on what of it was left out (`bad-email`, `bad-phone`)."""

    line: int
    number: str | None
    points: int = 0
    person: Person = Person()
    first_name: str | None = None
    why: str | None = None
    text: str = ""
    notes: tuple[str, ...] = ()


def open_file(body: bytes, wanted: Mapping[str, str] | None = None) -> tuple[str, Columns]:
    """The text of a file and its columns; `wanted` names columns by field where the guess is wrong (an empty name: the
    file has none of it). Raises `Invalid` (`unknown-column`, `empty-export`)."""
    text = text_of(body)
    delimiter = delimiter_of(text)
    head = next((cells for _, _, cells in _records(text, delimiter) if cells), None) or []
    names = tuple(clean(cell)[:MAX_CELL] for cell in head)
    places = _guessed(names)
    faults = []
    for field, name in (wanted or {}).items():
        if field not in FIELDS:
            faults.append(Fault(field, f"There is no field “{field}”; choose among {', '.join(FIELDS)}."))
        elif not name.strip():
            places.pop(field, None)
        elif name in names:
            places = {other: at for other, at in places.items() if at != names.index(name)}
            places[field] = names.index(name)
        else:
            faults.append(Fault(field, f"There is no column “{name}”; the file has {', '.join(names)[:300]}."))
    if not faults and "number" not in places:
        faults.append(Fault("number", "No column with card numbers was found; name it. The first line has the names."))
    if faults:
        raise Invalid("The columns do not fit the file.", code="unknown-column", field="columns", faults=faults)
    return text, Columns(delimiter, names, places)


def lines(text: str, columns: Columns, region: str) -> Iterator[CardLine]:
    """Every line after the header. Raises `Invalid` (`export-too-large`) beyond `MOST_LINES`."""
    seen: set[str] = set()
    first = True
    for number, (line, _span, cells) in enumerate(_records(text, columns.delimiter)):
        if number > MOST_LINES:
            raise Invalid(f"A file has at most {MOST_LINES} cards; cut it in two.", code="export-too-large")
        if first:
            first = False
            continue
        if cells is None:
            yield CardLine(line, None, why="quote", text="")
            continue
        one = _line(line, cells, columns, region)
        if one.why is None and one.number in seen:
            one = CardLine(line, one.number, why="twice", text=one.text)
        if one.number is not None:
            seen.add(one.number)
        yield one


def _records(text: str, delimiter: str) -> Iterator[tuple[int, int, list[str] | None]]:
    return records((line + "\n" for line in text.split("\n")), delimiter)


def _guessed(names: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    known = [plain(name) for name in names]
    for field, parts in _NAMES.items():
        place = next(
            (at for part in parts for at, name in enumerate(known) if _says(name, part) and at not in found.values()),
            None,
        )
        if place is not None:
            found[field] = place
    return found


def _says(name: str, part: str) -> bool:
    return name == part or (len(part) > 2 and part in name)


def _line(line: int, cells: Sequence[str], columns: Columns, region: str) -> CardLine:
    said = " ".join(" ".join(cells).split())[:MAX_CELL]
    got = {field: clean(cells[at])[:MAX_CELL] for field, at in columns.places.items() if at < len(cells)}
    if columns.places["number"] >= len(cells):
        return CardLine(line, None, why="short", text=said)
    if not got["number"]:
        return CardLine(line, None, why="no-number", text=said)
    number = short_codes.plastic_number(got["number"])
    if number is None:
        return CardLine(line, None, why="bad-number", text=said)
    points = _points(got.get("points", ""))
    if points is None:
        return CardLine(line, number, why="bad-points", text=said)
    person, notes = _person(got, region)
    return CardLine(line, number, points, person, got.get("first_name") or None, None, said, notes)


def _points(cell: str) -> int | None:
    """Whole units; blanks and the marks of thousands are forgiven, a fraction that is zero too."""
    text = "".join(one for one in cell if not one.isspace() and one not in "'’\u202f")
    if not text:
        return 0
    if _GROUPED.fullmatch(text):
        whole = text.replace(",", "").replace(".", "")
    elif _WHOLE.fullmatch(text):
        whole = text.replace(",", ".").partition(".")[0]
    else:
        return None
    return int(whole) if int(whole) <= MOST_POINTS else None


def _person(got: Mapping[str, str], region: str) -> tuple[Person, tuple[str, ...]]:
    notes: list[str] = []
    email = phone = None
    if got.get("email"):
        try:
            email = contacts.email(got["email"]).value
        except Invalid:
            notes.append("bad-email")
    if got.get("phone"):
        try:
            phone = contacts.phone(got["phone"], region).value
        except Invalid:
            notes.append("bad-phone")
    name = " ".join(filter(None, (got.get("first_name"), got.get("last_name")))) or None
    address = " ".join(filter(None, (got.get("address"), got.get("city")))) or None
    return Person(email, phone, name, address, got.get("postcode") or None), tuple(notes)
