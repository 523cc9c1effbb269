"""Owns how a raw document is looked through beside the check of its shape: whatever has not the right type is passed
over, so that a person sees all faults at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wallet_server.errors import Fault

MOST = 300
"""No list of a sound document is longer; of a longer one we check the beginning, the shape refuses it anyway."""


def table(value: object) -> Mapping[object, object]:
    """The table that stands there, an empty one where none does."""
    return value if isinstance(value, Mapping) else {}


def rows(value: object) -> list[Mapping[object, object]]:
    """The tables of a list."""
    return [table(row) for row in value[:MOST]] if isinstance(value, list) else []


def texts(value: object) -> list[str | None]:
    """The texts of a list; None for what is none."""
    return [item if isinstance(item, str) else None for item in value[:MOST]] if isinstance(value, list) else []


def repeats(values: list[str | None]) -> Iterator[tuple[int, str]]:
    """Where a text stands that stood before, and which."""
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value is not None and value in seen:
            yield index, value
        elif value is not None:
            seen.add(value)


def column(rows: list[Mapping[object, object]], name: str) -> list[str | None]:
    """One field of every table."""
    return texts([row.get(name) for row in rows])


def known_currency(path: str, code: object, document: Mapping[str, object]) -> Iterator[Fault]:
    """The fault that a currency is named which the document does not have."""
    codes = [known for known in column(rows(document.get("currencies")), "code") if known is not None]
    if isinstance(code, str) and codes and code not in codes:
        yield Fault(path, f"There is no currency “{code}”; this programme has {', '.join(codes)}.")
