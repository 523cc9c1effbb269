"""Owns what became of a file of old cards: its lines by state, and a person who says whose a doubtful one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wallet_server.actions.context import Context
from wallet_server.actions.people import importing, merging
from wallet_server.errors import Conflict, Invalid
from wallet_server.records.database import Tx
from wallet_server.records.people import members, plastic
from wallet_server.records.people.members import MemberRow
from wallet_server.records.people.plastic import ImportRow, LineRow
from wallet_server.records.scope import Scope
from wallet_server.records.staff import deeds
from wallet_server.rules.people.matching import Person


def settle(
    ctx: Context, scope: Scope, import_id: str, line: int, member: str | None, staff_id: int | None
) -> dict[str, Any]:
    """A person says whose a doubtful card is: one of the candidates (the two become one), or nobody else's (None).

    Saying the same again changes nothing. Raises `NotFound`, `Conflict` (`already-settled`) and `Invalid`
    (`no-candidate`).
    """
    with ctx.change() as tx:
        made = plastic.import_in(tx, scope, import_id)
        one = plastic.line(tx, made.id, line)
        kept = members.member_by_public(tx, scope, member) if member and member in _choices(one) else None
        if kept is not None and one.member_id is not None:
            merging.hold_both(tx, kept.id, one.member_id)  # before the line, as by whoever leaves
        one = plastic.line(tx, made.id, line, hold=True)
        if one.state != plastic.DOUBTFUL or one.member_id is None:
            raise Conflict("This line is settled already.", code="already-settled")
        if member is None:
            state = plastic.MADE
        elif kept is None or member not in _choices(one):
            raise Invalid("This member is none of those it may be.", code="no-candidate", field="member")
        else:
            if kept.id != one.member_id:
                merging.join(ctx, tx, kept.id, one.member_id, merging.PLASTIC, staff_id, made.merchant_id)
            state = plastic.LINKED
        settled = {"candidates": None, "person": None, "settled_by": staff_id, "settled_at": ctx.now()}
        plastic.conclude(tx, made.id, line, state=state, **settled)
        deeds.add(tx, scope, deeds.IMPORT_SETTLED, ctx.now(), about=made.public_id, detail=f"line {line}: {state}")
        told = plastic.line(tx, made.id, line)
        holder = members.members_by_id(tx, [told.member_id] if told.member_id else [])
    ctx.ring()
    return {"line": line, "state": state, "member": next((row.public_id for row in holder.values()), None)}


def _choices(one: LineRow) -> set[str]:
    return {choice["member"] for choice in one.candidates}


def report(ctx: Context, scope: Scope, import_id: str) -> tuple[ImportRow, dict[str, int]]:
    """An import and how many lines are in which state. Raises `NotFound`."""
    with ctx.look() as tx:
        made = plastic.import_in(tx, scope, import_id)
        return made, plastic.tally(tx, made.id)


@dataclass(frozen=True)
class Shown:
    """A line as a person who settles it reads it: the holder as the file describes them, and who they may be."""

    line: int
    state: str
    number: str | None
    points: int
    why: str | None
    text: str
    notes: tuple[str, ...]
    person: Person
    member: str | None
    candidates: tuple[tuple[str, Person, int, str], ...]


def lines(
    ctx: Context, scope: Scope, import_id: str, states: Sequence[str], after: int = 0, most: int = 100
) -> list[Shown]:
    """Lines in these states. Raises `NotFound`."""
    with ctx.look() as tx:
        made = plastic.import_in(tx, scope, import_id)
        found = plastic.lines(tx, made.id, states, after, most)
        names = members.members_by_id(tx, [one.member_id for one in found if one.member_id is not None])
        return [_shown(ctx, tx, scope, made, one, names) for one in found]


def _shown(ctx: Context, tx: Tx, scope: Scope, made: ImportRow, one: LineRow, names: Mapping[int, MemberRow]) -> Shown:
    choices = []
    for choice in one.candidates:
        row = members.member_by_public(tx, scope, choice["member"])
        known = plastic.people(tx, [row.id]).get(row.id, Person())
        choices.append((choice["member"], known, int(choice["score"]), str(choice["by"])))
    holder, told = names.get(one.member_id or 0), importing.said_of(ctx, made, one)
    return Shown(
        one.line,
        one.state,
        one.number,
        one.points,
        one.why,
        told.text,
        tuple(one.params.get("notes", ())),
        told.person,
        None if holder is None else holder.public_id,
        tuple(choices),
    )


def imports(ctx: Context, scope: Scope, most: int = 20) -> list[tuple[ImportRow, dict[str, int]]]:
    """The merchant's imports, the newest first, each with how many lines are in which state."""
    with ctx.look() as tx:
        return [(one, plastic.tally(tx, one.id)) for one in plastic.imports_of(tx, scope, most)]
