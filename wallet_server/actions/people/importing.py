"""Owns taking over old cards of plastic from a file: looked at first, then line by line, each once.

Every sound number works at the till at once, with its points. Whom it belongs to is certain (the member has it beside
the card on the phone), unknown (a member without a phone), or doubtful: then it has a member of its own, and a person
says later whether that is one of those it may be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.people import taking_over
from wallet_server.actions.people.taking_over import SOURCE, Line
from wallet_server.errors import Invalid
from wallet_server.records import jobs
from wallet_server.records.jobs import Again, Lease
from wallet_server.records.people import plastic
from wallet_server.records.people.plastic import ImportRow, LineRow
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.rules.people import card_file
from wallet_server.rules.people.card_file import CardLine
from wallet_server.rules.people.matching import Person
from wallet_server.rules.programme.program import Programme

WORK = "card-import"
"""The kind of the job that works the lines of a file; its key is the import's."""
SLICE, STORED_AT_ONCE = 40, 500
SHOWN = 20


@dataclass(frozen=True)
class File:
    """What is to be taken over: the file as it is, which column is what where the guess is wrong, and of which currency
    the points are (None: that on the card)."""

    name: str
    body: bytes
    columns: Mapping[str, str]
    currency: str | None = None


@dataclass(frozen=True)
class Preview:
    """What would become of a file: the columns as they are read, how many lines in which state, the first sound lines
    and the first dirty ones; `noted` are the first sound ones of which something was left out."""

    columns: Mapping[str, str]
    names: tuple[str, ...]
    counts: Mapping[str, int]
    sound: tuple[CardLine, ...]
    dirty: tuple[CardLine, ...]
    noted: tuple[CardLine, ...]


def preview(ctx: Context, scope: Scope, programme: str, file: File) -> Preview:
    """Look at a file; nothing is stored. Raises `Invalid` (`unknown-column`, `unknown-currency`, `empty-export`,
    `export-too-large`)."""
    text, columns = card_file.open_file(file.body, file.columns)
    counts = dict.fromkeys((*plastic.STATES[1:], "points"), 0)
    sound: list[CardLine] = []
    dirty: list[CardLine] = []
    noted: list[CardLine] = []
    with ctx.look() as tx:
        row = programmes.programme_in(tx, scope, programme)
        _currency(ctx.programme(tx, row.version_id), file.currency)
        for some in _some(card_file.lines(text, columns, ctx.settings.phone_region), STORED_AT_ONCE):
            sound_ones = [_sound(one) for one in some if not one.why]
            states = {each.line.line: each.state for each in taking_over.plan(tx, row, sound_ones)}
            for one in some:
                state = states.get(one.line, plastic.DIRTY)
                counts[state] += 1
                counts["points"] += one.points if state in (plastic.MADE, plastic.LINKED, plastic.DOUBTFUL) else 0
                for shown in (dirty,) if one.why else (sound, noted) if one.notes else (sound,):
                    if len(shown) < SHOWN:
                        shown.append(one)
    return Preview(columns.said(), columns.names, counts, tuple(sound), tuple(dirty), tuple(noted))


def _sound(one: CardLine) -> Line:
    return Line(one.line, one.number or "", one.points, one.person, one.first_name)


def take_over(ctx: Context, scope: Scope, programme: str, file: File, staff_id: int | None = None) -> ImportRow:
    """Take a file over: its lines are stored, and a job works them, a few in each transaction. The same file again goes
    on where it stood, and changes nothing where it was done. Raises as `preview` does."""
    text, columns = card_file.open_file(file.body, file.columns)
    sha256 = hashlib.sha256(file.body).digest()
    with ctx.change() as tx:
        row = programmes.programme_in(tx, scope, programme)
        programmes.lock_programme(tx, row.id)
        currency = _currency(ctx.programme(tx, row.version_id), file.currency)
        made = plastic.same_file(tx, scope, row.id, sha256)
        if made is None:
            every = list(card_file.lines(text, columns, ctx.settings.phone_region))
            said = {"name": file.name[:200], "columns": dict(columns.said()), "currency": currency, "lines": len(every)}
            made = plastic.add_import(tx, scope, new_id("imp"), row.id, staff_id, sha256, created_at=ctx.now(), **said)
            for some in _some(iter(every), STORED_AT_ONCE):
                plastic.add_lines(tx, made.id, [_stored(ctx, made, one) for one in some])
            deeds.add(tx, scope, deeds.IMPORTED, ctx.now(), about=made.public_id, detail=file.name[:80])
        if made.done_at is None:
            jobs.put(tx, [jobs.Put(WORK, str(made.id), jobs.SERVICE, ctx.now())])
    ctx.ring()
    return made


def work(ctx: Context, leases: Sequence[Lease]) -> None:
    """The next lines of each file, and once more while any are left."""
    for lease in leases:
        left = _work_some(ctx, int(lease.key))
        with ctx.change() as tx:
            jobs.settle(tx, [lease], {lease.id: Again(ctx.now(), jobs.SERVICE)} if left else {})
    ctx.ring()


def finish(ctx: Context, import_id: str, scope: Scope) -> ImportRow:
    """Work every line that is left at once, for who waits for it at a terminal; the job finds nothing to do."""
    with ctx.look() as tx:
        key = plastic.import_in(tx, scope, import_id).id
    for _ in range(card_file.MOST_LINES // SLICE + 2):
        if not _work_some(ctx, key):
            break
    with ctx.look() as tx:
        return plastic.import_in(tx, scope, import_id)


def _work_some(ctx: Context, key: int) -> bool:
    """Work the next lines; False when none is left."""
    with ctx.change() as tx:
        made = plastic.import_by_id(tx, key)
        if made is None:
            return False
        # Whoever works the same file too waits here, and finds the lines that are left.
        row = programmes.programme_by_id(tx, made.programme_id)
        programmes.lock_programme(tx, row.id)
        some = plastic.waiting(tx, made.id, SLICE)
        if not some:
            if made.done_at is None:
                plastic.finish(tx, made.id, ctx.now())
            return False
        with ctx.times.of_account(tx, row.account_id):
            scope = Scope(row.account_id, made.merchant_id, SOURCE, SOURCE, row.issuer_mark, frozenset())
            taking_over.work(ctx, tx, scope, row, made, [_line(ctx, made, one) for one in some])
    return True


def _line(ctx: Context, made: ImportRow, one: LineRow) -> Line:
    told = said_of(ctx, made, one)
    return Line(one.line, one.number or "", one.points, told.person, told.first_name)


def _some(every: Iterator[CardLine], most: int) -> Iterator[list[CardLine]]:
    while some := list(islice(every, most)):
        yield some


def _stored(ctx: Context, made: ImportRow, one: CardLine) -> dict[str, Any]:
    # What cannot be read is kept as it stands in the file: whoever mends it there needs to see it. Sealed, as it may
    # name somebody.
    said = {**vars(one.person), "first_name": one.first_name, "text": one.text if one.why else None}
    told = {name: value for name, value in said.items() if value}
    return {
        "line": one.line,
        "state": plastic.DIRTY if one.why else plastic.WAITING,
        "number": one.number,
        "points": one.points,
        "why": one.why,
        "params": {"notes": list(one.notes)},
        "person": ctx.keyring.seal(orjson.dumps(told), f"import:{made.public_id}") if told else None,
        "settled_at": None,
    }


@dataclass(frozen=True)
class SaidOf:
    """What a line says of its holder; `text` of one that could not be read."""

    person: Person
    first_name: str | None
    text: str


def said_of(ctx: Context, made: ImportRow, one: LineRow) -> SaidOf:
    if one.person is None:
        return SaidOf(Person(), None, "")
    told = orjson.loads(ctx.keyring.open(one.person, f"import:{made.public_id}"))
    first, text = told.pop("first_name", None), told.pop("text", "")
    return SaidOf(Person(**told), first, text)


def _currency(programme: Programme, wanted: str | None) -> str:
    code = wanted or programme.balance_currency
    if all(one.code != code for one in programme.currencies):
        raise Invalid(f"This programme has no currency called {code}.", code="unknown-currency", field="currency")
    return code
