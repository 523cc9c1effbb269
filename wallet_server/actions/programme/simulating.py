"""Owns simulating: a sales file replayed through a draft, in one process or in several that share the customers.

Nothing of it touches the books or the database: it is the same in the command and in code that calls it.
"""

from __future__ import annotations

import codecs
import gc
import multiprocessing
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from wallet_server.errors import Invalid
from wallet_server.rules import simulation
from wallet_server.rules.programme.program import Programme, parse
from wallet_server.rules.simulation import Engine, Habit, Purchase, Report, Tally, Warned, sales_file
from wallet_server.rules.simulation.sales_columns import Columns, columns_of
from wallet_server.rules.simulation.sales_file import Histories, Reject
from wallet_server.rules.simulation.table_text import wide

MOST_JOBS = 64
HEAD = 200_000
CHUNK = 1 << 20
READING, REPLAYING = "reading", "replaying"
TOLD_EVERY = 50
"""Customers between two words of progress."""

Tell = Callable[[str, int, int], None]
"""What is being done (`READING` lines, `REPLAYING` customers), how much of it is done, of how much."""


@dataclass(frozen=True)
class Wish:
    """What to simulate: `columns` names columns by field where the guess is wrong (see `sales_columns.FIELDS`), `zone`
    is that of the store's clock, `jobs` how many processes share the customers."""

    file: Path
    programme: Programme
    columns: Mapping[str, str] = field(default_factory=dict)
    zone: str = "UTC"
    habit: Habit = "soon"
    jobs: int = 1


@dataclass(frozen=True)
class Simulated:
    """How the file was read, and what came of it. `rejects` are all lines that were left out, in their order."""

    columns: Columns
    rows: int
    rejects: tuple[Reject, ...]
    report: Report
    warnings: tuple[Warned, ...]


def simulate(wish: Wish, tell: Tell | None = None) -> Simulated:
    """Reads a sales file and replays it through a draft.

    Raises `Invalid` (`empty-export`, `unknown-column`, `unreadable-export`, `too-many-rows`, `bad-zone`, `bad-jobs`).
    """
    _check(wish)
    with _no_collector():
        return _simulate(wish, tell)


def _looked_at(wish: Wish) -> tuple[Columns, str, int]:
    """The columns of a file, its encoding, and how many lines it has."""
    encoding, lines = _written(wish.file)
    with wish.file.open(encoding=encoding, errors="replace") as file:
        return columns_of(file.read(HEAD), wish.columns), encoding, lines


@contextmanager
def _no_collector() -> Iterator[None]:
    """Millions of lines are made and none of them in a circle: Python need not look for circles again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _simulate(wish: Wish, tell: Tell | None) -> Simulated:
    said = tell or (lambda *_: None)
    if wish.jobs == 1:
        columns, encoding, lines = _looked_at(wish)
        found = _read(wish, columns, encoding, (0, 1), lambda done: said(READING, done, lines))
        said(READING, lines, lines)
        last = _last(found)
        whole = 0 if last is None else len(found.members)
        tally = _replay(wish, found, last, lambda done: said(REPLAYING, done, whole))
        rows, rejects = found.rows, found.rejects
    else:
        columns, tally, rows, rejects = _shared(wish, said)
    engine = Engine(wish.programme, wish.habit, wish.zone)
    report = simulation.report(engine, tally)
    told = simulation.warnings(wish.programme, report)
    return Simulated(columns, rows, tuple(sorted(rejects)), report, told)


def simulate_purchases(
    programme: Programme,
    members: Mapping[str, Sequence[Purchase]],
    unknown: Iterable[Purchase] = (),
    *,
    habit: Habit = "soon",
    zone: str = "UTC",
) -> tuple[Report, tuple[Warned, ...]]:
    """The same for purchases that are at hand already; each customer's are put in order of time."""
    histories = {name: sorted(purchases, key=lambda one: one.at) for name, purchases in members.items() if purchases}
    found = Histories(0, histories, sorted(unknown, key=lambda one: one.at))
    wish = Wish(Path(), programme, {}, zone, habit)
    report = simulation.report(Engine(programme, habit, zone), _replay(wish, found, _last(found), lambda _: None))
    return report, simulation.warnings(programme, report)


def read_document(file: Path) -> dict[str, Any]:
    """A programme document in TOML or JSON, by the end of its name. Raises `Invalid` (`unreadable-document`)."""
    try:
        text = file.read_text("utf-8")
        found = orjson.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as fault:
        raise Invalid(f"{file.name} cannot be read: {fault}.", code="unreadable-document", field="programme") from fault
    if not isinstance(found, dict):
        raise Invalid(f"{file.name} holds no programme; it begins with format = 1.", code="unreadable-document")
    return {name: _plain(part) for name, part in found.items()}


def read_programme(file: Path) -> Programme:
    """The programme of a document. Raises `Invalid` with all its faults."""
    return parse(read_document(file))


def _plain(part: Any) -> Any:
    """TOML has days of its own; a programme writes them as texts."""
    if isinstance(part, dict):
        return {name: _plain(one) for name, one in part.items()}
    if isinstance(part, list):
        return [_plain(one) for one in part]
    return part.isoformat() if isinstance(part, date) else part


def _check(wish: Wish) -> None:
    try:
        ZoneInfo(wish.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        sentence = f"There is no time zone “{wish.zone}”; write one such as Europe/Paris."
        raise Invalid(sentence, code="bad-zone", field="zone") from None
    if not 1 <= wish.jobs <= MOST_JOBS:
        raise Invalid(f"Write a number of processes from 1 to {MOST_JOBS}.", code="bad-jobs", field="jobs")


def _written(file: Path) -> tuple[str, int]:
    """The encoding of a file (UTF-8, UTF-16, Windows-1252), and how many lines it has."""
    lines, encoding = 0, "utf-8-sig"
    decoder = codecs.getincrementaldecoder("utf-8")()
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            if not lines and encoding == "utf-8-sig":
                encoding = "utf-16" if chunk.startswith((b"\xff\xfe", b"\xfe\xff")) else wide(chunk[:2000]) or encoding
            lines += chunk.count(b"\n")
            if encoding == "utf-8-sig":
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    encoding = "cp1252"
    if not file.stat().st_size:
        raise Invalid("This file is empty; export the sales again.", code="empty-export", field="file")
    return encoding, lines + 1


def _read(
    wish: Wish, columns: Columns, encoding: str, share: tuple[int, int], tell: Callable[[int], None]
) -> Histories:
    with wish.file.open(encoding=encoding, errors="replace") as lines:
        return sales_file.read(lines, columns, wish.zone, wish.programme.money.exponent, share, tell)


def _last(found: Histories) -> datetime | None:
    """The moment of the last purchase of all."""
    ends = [purchases[-1].at for purchases in found.members.values()]
    return max([*ends, *(one.at for one in found.unknown[-1:])], default=None)


def _replay(wish: Wish, found: Histories, last: datetime | None, tell: Callable[[int], None]) -> Tally:
    """Every customer of what was read; `last` is the end of the whole file, not of this share alone."""
    engine, tally = Engine(wish.programme, wish.habit, wish.zone), Tally()
    if last is None:
        return tally
    for number, (customer, purchases) in enumerate(found.members.items(), 1):
        simulation.play(engine, tally, customer, purchases, last)
        tally.traits.append(simulation.traits(customer, purchases, last))
        if number % TOLD_EVERY == 0 or number == len(found.members):
            tell(number)
    simulation.pass_by(tally, found.unknown)
    return tally


# ---------------------------------------------------------------------- several processes


def _shared(wish: Wish, said: Tell) -> tuple[Columns, Tally, int, list[Reject]]:
    """Each process reads the file and keeps its customers. They meet once, to know when the last purchase was. While
    they begin, which takes as long as reading some hundred thousand lines, the file is looked at here."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(wish.jobs)]
    workers = [
        context.Process(target=_work, args=(wish, (which, wish.jobs), theirs), daemon=True)
        for which, (_, theirs) in enumerate(pipes)
    ]
    try:
        for worker, (_, theirs) in zip(workers, pipes, strict=True):
            worker.start()
            theirs.close()
        ours = [mine for mine, _ in pipes]
        columns, encoding, lines = _looked_at(wish)
        _tell_all(ours, (columns, encoding))
        first = _gather(ours, lambda counts: said(READING, min(counts), lines))
        last = max((one[0] for one in first if one[0] is not None), default=None)
        whole = sum(one[1] for one in first)
        _tell_all(ours, last)
        tally, rows, rejects = Tally(), 0, []
        for part, count, left_out in _gather(ours, lambda counts: said(REPLAYING, sum(counts), whole)):
            tally.add(part)
            rows += count
            rejects += left_out
        # In the order of names, whoever had them: so any number of processes gives the same report.
        return columns, tally, rows, rejects
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
            worker.join(10)


def _tell_all(pipes: Sequence[Connection], word: object) -> None:
    try:
        for pipe in pipes:
            pipe.send(word)
    except OSError:
        raise _ended() from None


def _ended() -> Invalid:
    return Invalid("A process of the simulation ended before its time; try one process.", code="process-ended")


def _gather(pipes: Sequence[Connection], tell: Callable[[list[int]], None]) -> list[Any]:
    """Waits until each process has answered; words of progress come before."""
    answers: dict[int, Any] = {}
    counts = [0] * len(pipes)
    while len(answers) < len(pipes):
        waiting = [pipe for number, pipe in enumerate(pipes) if number not in answers]
        for ready in wait(waiting):
            number = pipes.index(ready)
            try:
                kind, told = pipes[number].recv()
            except EOFError:
                raise _ended() from None
            if kind == "refused":
                raise Invalid(told, code="too-many-rows")
            if kind == "told":
                counts[number] = told
                tell(counts)
            else:
                answers[number] = told
    return [answers[number] for number in range(len(pipes))]


def _work(wish: Wish, share: tuple[int, int], pipe: Connection) -> None:
    """What one of several processes does."""
    gc.disable()
    try:
        columns, encoding = pipe.recv()
        found = _read(wish, columns, encoding, share, lambda done: pipe.send(("told", done)))
        pipe.send(("done", (_last(found), len(found.members))))
        last = pipe.recv()
        tally = _replay(wish, found, last, lambda done: pipe.send(("told", done)))
        pipe.send(("done", (tally, found.rows, found.rejects)))
    except Invalid as fault:
        pipe.send(("refused", fault.sentence))
