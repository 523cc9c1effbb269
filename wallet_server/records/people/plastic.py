"""Owns old cards of plastic: the numbers that are good, the files that they came from, and what became of each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.errors import NotFound
from wallet_server.records.database import Tx
from wallet_server.records.schema import card_import_rows as rows
from wallet_server.records.schema import card_imports as imports
from wallet_server.records.schema import codes, identities, members, participations, passes
from wallet_server.records.scope import Scope
from wallet_server.rules.people.matching import Person

KIND = "plastic"
WAITING, MADE, LINKED, DOUBTFUL, DIRTY, KNOWN = "waiting", "made", "linked", "doubtful", "dirty", "known"
"""Of a line: to be worked; a new member has it; a member who was certain to be the same; a new member who may be one of
others; unreadable; the number was good already."""
STATES = (WAITING, MADE, LINKED, DOUBTFUL, DIRTY, KNOWN)
MOST_CANDIDATES = 5000


@dataclass(frozen=True)
class ImportRow:
    """A file that was taken over, or is being."""

    id: int
    public_id: str
    programme_id: int
    merchant_id: int
    name: str
    currency: str | None
    lines: int
    created_at: datetime
    done_at: datetime | None


@dataclass(frozen=True)
class LineRow:
    """A line of it; `person` is sealed, `candidates` are {member, score, by}."""

    line: int
    state: str
    number: str | None
    points: int
    why: str | None
    params: Mapping[str, Any]
    person: str | None
    member_id: int | None
    candidates: Sequence[Mapping[str, Any]]


def is_somebody(tx: Tx, member_id: int) -> bool:
    """Whether a member is known by more than numbers of plastic: a card that stands, or an address that was proved."""
    own = sa.select(passes.c.id).where(passes.c.member_id == member_id, passes.c.state == "active")
    proved = sa.select(identities.c.id).where(
        identities.c.member_id == member_id, identities.c.verified_at.is_not(None)
    )
    return tx.execute(own.union_all(proved)).first() is not None


def holder(tx: Tx, lookup: bytes) -> int | None:
    """Whose number this is."""
    query = sa.select(codes.c.member_id).where(codes.c.lookup == lookup, codes.c.kind == KIND)
    return tx.execute(query).scalar()


def holders(tx: Tx, lookups: Sequence[bytes]) -> dict[bytes, tuple[int, bool]]:
    """Whose numbers these are, as far as they are anybody's, and whether that member stays."""
    query = (
        sa.select(codes.c.lookup, codes.c.member_id, members.c.left_at)
        .join(members, members.c.id == codes.c.member_id)
        .where(codes.c.lookup.in_(list(lookups)), codes.c.kind == KIND)
    )
    return {bytes(r.lookup): (r.member_id, r.left_at is None) for r in tx.execute(query)}


def add_numbers(tx: Tx, numbers: Mapping[bytes, int], at: datetime) -> bool:
    """These numbers are these members'; False where one of them is somebody's since the caller looked. In one order, so
    that of two who add the same ones neither waits for the other."""
    make = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    plain = {"cipher": "", "kind": KIND, "key_id": "0", "issue": 1, "valid_from": at, "pass_id": None}
    rows_ = [{"member_id": key, "lookup": lookup, **plain} for lookup, key in sorted(numbers.items())]
    if not rows_:
        return True
    made = make(codes).on_conflict_do_nothing(index_elements=["lookup"]).returning(codes.c.id)
    return len(tx.execute(made, rows_).all()) == len(rows_)


def brought(tx: Tx, programme_id: int, numbers: Sequence[str]) -> set[str]:
    """Those of these numbers whose points a line of a file of this programme brought already."""
    query = (
        sa.select(rows.c.number)
        .join(imports, imports.c.id == rows.c.import_id)
        .where(
            rows.c.number.in_(list(numbers)),
            rows.c.state.in_((MADE, LINKED, DOUBTFUL)),
            imports.c.programme_id == programme_id,
        )
    )
    return set(tx.execute(query).scalars())


def count_of(tx: Tx, member_id: int) -> int:
    """How many cards of plastic a member has."""
    query = sa.select(sa.func.count()).where(codes.c.member_id == member_id, codes.c.kind == KIND)
    return int(tx.execute(query).scalar_one())


def candidates(
    tx: Tx, programme_id: int, emails: set[str], heads: set[str], phones: set[str], postcodes: set[str]
) -> dict[int, Person]:
    """Members of the programme whom a file may speak of: who have one of these addresses, one that begins alike, or a
    postcode of these. At most `MOST_CANDIDATES`."""
    i = identities.c
    near = [
        sa.and_(i.kind == "email", i.value.in_(sorted(emails))) if emails else None,
        sa.and_(i.kind == "phone", i.value.in_(sorted(phones))) if phones else None,
        sa.and_(i.kind == "postcode", i.value.in_(sorted(postcodes))) if postcodes else None,
        *(sa.and_(i.kind == "email", i.value >= head, i.value < head + "\uffff") for head in sorted(heads)[:200]),
    ]
    found: dict[int, None] = {}
    for each in near:  # who has the very address first: of too many, those are kept
        if each is not None:
            query = sa.select(i.member_id).where(i.programme_id == programme_id, each).distinct().limit(MOST_CANDIDATES)
            found |= dict.fromkeys(tx.execute(query.order_by(i.member_id)).scalars())
    return people(tx, list(found)[:MOST_CANDIDATES])


def people(tx: Tx, member_ids: Sequence[int]) -> dict[int, Person]:
    """What is known of these members, who stay."""
    said: dict[int, dict[str, str]] = {}
    for first in range(0, len(member_ids), 500):
        query = (
            sa.select(identities.c.member_id, identities.c.kind, identities.c.value)
            .join(members, members.c.id == identities.c.member_id)
            .where(identities.c.member_id.in_(list(member_ids[first : first + 500])), members.c.left_at.is_(None))
            .order_by(identities.c.verified_at.is_not(None), identities.c.id.desc())
        )
        for r in tx.execute(query):
            said.setdefault(r.member_id, {})[r.kind] = r.value
    return {
        key: Person(
            of.get("email"),
            of.get("phone"),
            " ".join(filter(None, (of.get("first_name"), of.get("name")))) or None,
            of.get("address"),
            of.get("postcode"),
        )
        for key, of in said.items()
    }


def add_import(
    tx: Tx, scope: Scope, public_id: str, programme_id: int, staff_id: int | None, sha256: bytes, **said: Any
) -> ImportRow:
    """A file whose lines are about to be worked."""
    row = {"programme_id": programme_id, "merchant_id": scope.merchant_id, "staff_id": staff_id, "file_sha256": sha256}
    made = tx.execute(sa.insert(imports).returning(imports), {"public_id": public_id, **row, **said}).one()
    return _import(made)


def same_file(tx: Tx, scope: Scope, programme_id: int, sha256: bytes) -> ImportRow | None:
    """The merchant's import of this very file, if there was one."""
    mine = sa.and_(imports.c.programme_id == programme_id, imports.c.merchant_id == scope.merchant_id)
    r = tx.execute(sa.select(imports).where(mine, imports.c.file_sha256 == sha256)).first()
    return None if r is None else _import(r)


def import_in(tx: Tx, scope: Scope, public_id: str) -> ImportRow:
    """One of the caller's merchant, in a programme that it takes part in. Others of the programme have no business with
    a merchant's file, which names people. Raises `NotFound`."""
    mine = sa.select(participations.c.programme_id).where(
        participations.c.merchant_id == scope.merchant_id, participations.c.left_at.is_(None)
    )
    query = sa.select(imports).where(
        imports.c.public_id == public_id,
        imports.c.merchant_id == scope.merchant_id,
        imports.c.programme_id.in_(mine),
    )
    r = tx.execute(query).first()
    if r is None:
        raise NotFound("There is no such import.", field="import")
    return _import(r)


def import_by_id(tx: Tx, key: int) -> ImportRow | None:
    """One by its key, for work that the product itself does."""
    r = tx.execute(sa.select(imports).where(imports.c.id == key)).first()
    return None if r is None else _import(r)


def imports_of(tx: Tx, scope: Scope, most: int) -> list[ImportRow]:
    """The merchant's imports, the newest first."""
    query = sa.select(imports).where(imports.c.merchant_id == scope.merchant_id).order_by(imports.c.id.desc())
    return [_import(r) for r in tx.execute(query.limit(most))]


def _import(r: sa.Row) -> ImportRow:  # type: ignore[type-arg]
    return ImportRow(
        r.id, r.public_id, r.programme_id, r.merchant_id, r.name, r.currency, r.lines, r.created_at, r.done_at
    )


def add_lines(tx: Tx, import_id: int, new: Sequence[Mapping[str, Any]]) -> None:
    """Store lines as they are to be worked."""
    if new:
        tx.execute(sa.insert(rows), [{"import_id": import_id, **one} for one in new])


def waiting(tx: Tx, import_id: int, most: int) -> list[LineRow]:
    """The next lines to be worked."""
    return lines(tx, import_id, (WAITING,), 0, most)


def lines(tx: Tx, import_id: int, states: Sequence[str], after: int, most: int) -> list[LineRow]:
    """Lines in one of these states, in the order of the file."""
    query = (
        sa.select(rows)
        .where(rows.c.import_id == import_id, rows.c.state.in_(list(states)), rows.c.line > after)
        .order_by(rows.c.line)
        .limit(most)
    )
    return [_line(r) for r in tx.execute(query)]


def line(tx: Tx, import_id: int, number: int, *, hold: bool = False) -> LineRow:
    """One line. Raises `NotFound`."""
    query = sa.select(rows).where(rows.c.import_id == import_id, rows.c.line == number)
    r = tx.execute(query.with_for_update() if hold else query).first()
    if r is None:
        raise NotFound("There is no such line.", field="line")
    return _line(r)


def _line(r: sa.Row) -> LineRow:  # type: ignore[type-arg]
    return LineRow(
        r.line, r.state, r.number, int(r.points), r.why, r.params, r.person, r.member_id, tuple(r.candidates or ())
    )


def conclude(tx: Tx, import_id: int, number: int, **said: Any) -> None:
    """What became of a line."""
    tx.execute(sa.update(rows).where(rows.c.import_id == import_id, rows.c.line == number).values(**said))


@dataclass(frozen=True)
class Concluded:
    """What became of a line, and whose it is; the candidates are of a doubtful one, which nobody has settled yet."""

    line: int
    state: str
    member_id: int
    candidates: Sequence[Mapping[str, Any]] | None
    settled_at: datetime | None


_CONCLUDE = (
    sa.update(rows)
    .where(rows.c.import_id == sa.bindparam("of_import"), rows.c.line == sa.bindparam("of_line"))
    .values(
        state=sa.bindparam("new_state"),
        member_id=sa.bindparam("new_member"),
        candidates=sa.bindparam("new_candidates", type_=rows.c.candidates.type),
        settled_at=sa.bindparam("new_settled_at"),
        person=sa.case((sa.bindparam("doubtful", type_=sa.Boolean), rows.c.person), else_=sa.null()),
    )
)


def conclude_many(tx: Tx, import_id: int, all_: Sequence[Concluded]) -> None:
    """What became of these lines; what the file said of people stays with the doubtful ones alone."""
    if all_:
        tx.execute(
            _CONCLUDE,
            [
                {
                    "of_import": import_id,
                    "of_line": one.line,
                    "new_state": one.state,
                    "new_member": one.member_id,
                    "new_candidates": one.candidates,
                    "new_settled_at": one.settled_at,
                    "doubtful": one.state == DOUBTFUL,
                }
                for one in all_
            ],
        )


def finish(tx: Tx, import_id: int, at: datetime) -> None:
    """Every line was worked."""
    tx.execute(sa.update(imports).where(imports.c.id == import_id).values(done_at=at))


def tally(tx: Tx, import_id: int) -> dict[str, int]:
    """State to how many lines are in it, and `points` to what was brought in."""
    query = (
        sa.select(rows.c.state, sa.func.count(), sa.func.coalesce(sa.func.sum(rows.c.points), 0))
        .where(rows.c.import_id == import_id)
        .group_by(rows.c.state)
    )
    found = dict.fromkeys(STATES, 0) | {"points": 0}
    for state, count, points in tx.execute(query):
        found[state] = count
        found["points"] += int(points) if state in (MADE, LINKED, DOUBTFUL) else 0
    return found


def forget(tx: Tx, before: datetime) -> int:
    """What files said of people, of lines that nobody mended or settled since then; returns how many."""
    old = sa.select(imports.c.id).where(imports.c.created_at < before)
    gone = sa.update(rows).where(rows.c.import_id.in_(old), rows.c.person.is_not(None), rows.c.state != WAITING)
    return tx.execute(gone.values(person=None)).rowcount
