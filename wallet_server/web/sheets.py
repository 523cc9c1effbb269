"""Owns the books as CSV (RFC 4180, UTF-8, one header line): what an accountant's own tools read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Response

from wallet_server.actions.books.accounting import Report, Trial
from wallet_server.actions.books.documents import document, trial_document

TRIAL = ("as_of", "programme", "currency", "owner", "purpose", "debit", "credit")
LIABILITY = ("as_of", "programme", "currency", "part", "item", "units", "amount_minor", "money")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def trial_sheet(found: Trial) -> str:
    """One line an account."""
    told = trial_document(found)
    return _sheet(TRIAL, ([told["as_of"], *(line[name] for name in TRIAL[1:])] for line in told["lines"]))


def liability_sheet(found: Report) -> str:
    """One line a figure: which part of the report, which item of it, units, money."""
    told = document(found)
    rows = [row for one in told["currencies"] for row in _currency(one)]
    rows += [row for one in told["coupons"] for row in _coupons(one)]
    return _sheet(LIABILITY, ([told["as_of"], *row] for row in rows))


def _currency(one: dict[str, Any]) -> list[list[Any]]:
    amounts = one["amounts"] or {}
    head, money = [one["programme"], one["currency"]], one["money"]
    rows = [["standing", name, one[name], None] for name in ("outstanding", "expected", "breakage")]
    rows += [["amounts", name, None, amount] for name, amount in amounts.items()]
    moves = one["movement"]
    rows += [["movement", "opening", moves["opening"], None]]
    rows += [["movement", f"granted {reason}", units, None] for reason, units in moves["granted"].items()]
    rows += [["movement", name, moves[name], None] for name in ("redeemed", "expired", "moved", "closing")]
    for age in one["ageing"]:
        upto = "" if age["to_months"] is None else age["to_months"]
        rows.append(["ageing", f"{age['from_months']}-{upto} months", age["outstanding"], age["liability_minor"]])
    rows += [["months", point["month"], point["outstanding"], point["liability_minor"]] for point in one["months"]]
    found = one["estimate"]
    rows += [["estimate", f"{name} {found[name]}", None, None] for name in ("share", "low", "high", "used")]
    return [[*head, *row, money if row[3] is not None else None] for row in rows]


def _coupons(one: dict[str, Any]) -> list[list[Any]]:
    rows = [["opening", None, one["opening_minor"]]]
    rows += [[kind, None, amount] for kind, amount in one["moved_minor"].items()]
    rows += [["owed", one["good"], one["owed_minor"]]]
    for each in one["honoured"]:
        rows.append([f"taken by {each['merchant']} of {each['issuer']}", each["times"], each["amount_minor"]])
    return [[one["programme"], None, "coupons", *row, one["money"]] for row in rows]


def _sheet(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()


def cell(value: Any) -> Any:
    """What begins like a formula is a text to every spreadsheet; numbers are numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def download(text: str, name: str) -> Response:
    """A file to keep, under a name of ASCII letters."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(text, mimetype="text/csv", headers=headers)
