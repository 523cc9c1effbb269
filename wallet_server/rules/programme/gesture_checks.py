"""Owns what gestures and privileges demand of the rest of a programme document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wallet_server.errors import Fault
from wallet_server.rules.conditions import conditions
from wallet_server.rules.programme.document_reading import column, known_currency, repeats, table, texts
from wallet_server.rules.programme.document_reading import rows as rows_of
from wallet_server.rules.programme.engine_checks import condition_faults

FEWEST_DAYS = 90
"""A gift obliges to nothing: a voucher that runs out sooner, or asks for a basket, is a sale in disguise."""
_POINTS = ("units", "off_minor", "voucher")
_BOUNDS = ("count", "units", "cost_minor")


def gesture_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    """Every contradiction in what staff may give."""
    rows = rows_of(document.get("gestures"))
    for index, name in repeats(column(rows, "id")):
        yield Fault(f"gestures.{index}.id", f"Two gestures have the id “{name}”; give one another id.")
    levels = [code for code in column(rows_of(table(document.get("tiers")).get("levels")), "code") if code]
    for index, row in enumerate(rows):
        path = f"gestures.{index}"
        yield from _kind_faults(path, row)
        yield from known_currency(f"{path}.currency", row.get("currency"), document)
        yield from _voucher_faults(path, row, document)
        if isinstance(text := row.get("when"), str):
            yield from condition_faults(f"{path}.when", text, conditions.GESTURE)
        for place, code in enumerate(texts(row.get("tiers"))):
            if code is not None and code not in levels:
                yield Fault(f"{path}.tiers.{place}", f"There is no tier “{code}”; add it to tiers.levels or remove it.")
        for place, name in repeats(column(rows_of(row.get("reasons")), "id")):
            yield Fault(f"{path}.reasons.{place}.id", f"Two reasons have the id “{name}”; give one another id.")
        yield from _budget_faults(f"{path}.budgets", row.get("budgets"))
    yield from _budget_faults("gesture_budgets", document.get("gesture_budgets"))
    yield from _privilege_faults(document)


def _kind_faults(path: str, row: Mapping[object, object]) -> Iterator[Fault]:
    given = [name for name in _POINTS if row.get(name) is not None]
    kind = row.get("kind")
    if kind == "points" and len(given) != 1:
        yield Fault(path, "A gesture of kind points gives exactly one of units, off_minor and voucher.")
    elif kind == "gift" and given not in ([], ["voucher"]):
        yield Fault(path, "A gift is handed over, or is a voucher; for units or money write kind points.")
    elif kind in ("upgrade", "extra", "service") and given:
        yield Fault(path, f"A gesture of kind {kind} is done at the counter; remove {' and '.join(given)}.")
    if row.get("currency") is not None and row.get("units") is None:
        yield Fault(f"{path}.currency", "Only units have a currency; remove this.")


def _voucher_faults(path: str, row: Mapping[object, object], document: Mapping[str, object]) -> Iterator[Fault]:
    called = row.get("voucher")
    if not isinstance(called, str):
        return
    known = {one.get("id"): table(one.get("voucher")) for one in rows_of(document.get("conversions"))}
    known |= {
        one.get("code"): table(one.get("voucher"))
        for one in rows_of(document.get("rewards"))
        if one.get("voucher") is not None
    }
    if called not in known:
        yield Fault(f"{path}.voucher", f"No conversion and no reward has a voucher called “{called}”.")
        return
    minimum, days = known[called].get("minimum_minor"), known[called].get("valid_days")
    strings = (type(minimum) is int and minimum > 0) or (type(days) is int and days < FEWEST_DAYS)
    if strings:
        sentence = f"What is given out of goodwill has no smallest basket and lasts {FEWEST_DAYS} days or more."
        yield Fault(f"{path}.voucher", sentence)


def _budget_faults(path: str, budgets: object) -> Iterator[Fault]:
    for index, row in enumerate(rows_of(budgets)):
        if row and all(row.get(name) is None for name in _BOUNDS):
            yield Fault(f"{path}.{index}", "A budget bounds something: write count, units or cost_minor.")


def _privilege_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    for index, level in enumerate(rows_of(table(document.get("tiers")).get("levels"))):
        for place, code in repeats(column(rows_of(level.get("privileges")), "code")):
            path = f"tiers.levels.{index}.privileges.{place}.code"
            yield Fault(path, f"Two privileges have the code “{code}”; give one another code.")


def gesture_texts(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Where gestures and privileges hold texts that are needed in each language."""
    for index, row in enumerate(rows_of(document.get("gestures"))):
        yield f"gestures.{index}.names", row.get("names")
        for place, reason in enumerate(rows_of(row.get("reasons"))):
            yield f"gestures.{index}.reasons.{place}.names", reason.get("names")
    for index, level in enumerate(rows_of(table(document.get("tiers")).get("levels"))):
        for place, row in enumerate(rows_of(level.get("privileges"))):
            yield f"tiers.levels.{index}.privileges.{place}.names", row.get("names")
