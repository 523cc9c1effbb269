"""Owns letters to people as rows: written with the change that causes them, settled by whoever carried them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Tx
from wallet_server.records.schema import letters, members, programmes

ASKED, WAITING, SENT, REFUSED, LATE, NOBODY = "asked", "waiting", "sent", "refused", "late", "nobody"
"""`asked`: it is not known yet whether anybody is meant; `late`: it could not be sent while it was good; `nobody`:
nobody was meant."""
OPEN = (ASKED, WAITING)


@dataclass(frozen=True)
class LetterRow:
    """A letter; `words` is sealed, and None once it is erased."""

    id: int
    public_id: str
    account_id: int | None
    member_id: int | None
    kind: str
    purpose: str
    language: str
    words: str | None
    state: str
    tries: int
    why: str | None
    created_at: datetime
    good_until: datetime


@dataclass(frozen=True)
class NewLetter:
    """What is written of a letter when somebody wants it; `address_mark` stands for the address."""

    public_id: str
    account_id: int | None
    member_id: int | None
    kind: str
    address_mark: bytes
    purpose: str
    language: str
    words: str
    state: str
    created_at: datetime
    good_until: datetime


def add(tx: Tx, new: NewLetter) -> int:
    """The key of the letter."""
    return int(tx.execute(sa.insert(letters).returning(letters.c.id), vars(new)).scalar_one())


_BY_ID = sa.select(letters).where(letters.c.id.in_(b("ids", expanding=True)))


def by_id(tx: Tx, ids: Sequence[int]) -> dict[int, LetterRow]:
    """Letters by key."""
    return {r.id: _row(r) for r in tx.execute(_BY_ID, {"ids": list(ids)})}


def of_member(tx: Tx, member_id: int, most: int) -> list[LetterRow]:
    """A member's letters, the newest first."""
    query = sa.select(letters).where(letters.c.member_id == member_id).order_by(letters.c.id.desc()).limit(most)
    return [_row(r) for r in tx.execute(query)]


def _row(r: sa.Row) -> LetterRow:  # type: ignore[type-arg]
    return LetterRow(
        r.id,
        r.public_id,
        r.account_id,
        r.member_id,
        r.kind,
        r.purpose,
        r.language,
        r.words,
        r.state,
        r.tries,
        r.why,
        r.created_at,
        r.good_until,
    )


_COUNT = sa.select(sa.func.count()).where(letters.c.address_mark == b("mark"), letters.c.created_at > b("since"))


def since(tx: Tx, address_mark: bytes, at: datetime) -> int:
    """How many letters to this address were wanted since then."""
    return int(tx.execute(_COUNT, {"mark": address_mark, "since": at}).scalar_one())


_OF_PURPOSE = sa.select(sa.func.count()).where(
    letters.c.member_id == b("member"), letters.c.purpose == b("purpose"), letters.c.created_at > b("since")
)


def wanted_since(tx: Tx, member_id: int, purpose: str, at: datetime) -> int:
    """How many letters for this were wanted for the member since then."""
    values = {"member": member_id, "purpose": purpose, "since": at}
    return int(tx.execute(_OF_PURPOSE, values).scalar_one())


_LATER = sa.select(letters.c.id).where(
    letters.c.member_id == b("member"),
    letters.c.purpose == b("purpose"),
    letters.c.id > b("letter"),
    letters.c.state == WAITING,
)


def later_waits(tx: Tx, row: LetterRow) -> bool:
    """Whether a later letter of the same purpose waits for the same member."""
    values = {"member": row.member_id, "purpose": row.purpose, "letter": row.id}
    return tx.execute(_LATER, values).first() is not None


def found(tx: Tx, letter_id: int, member_id: int, words: str) -> None:
    """Somebody is meant: the letter is theirs, with these words, and goes."""
    account = (
        sa.select(programmes.c.account_id)
        .join(members, members.c.programme_id == programmes.c.id)
        .where(members.c.id == member_id)
    )
    values = {"member_id": member_id, "words": words, "state": WAITING, "account_id": account.scalar_subquery()}
    tx.execute(sa.update(letters).where(letters.c.id == letter_id).values(**values))


def settle(
    tx: Tx, letter_id: int, state: str, at: datetime, words: str | None, why: str | None = None, remote: str = ""
) -> None:
    """What became of it; `words` are what is kept of it, unless they were erased meanwhile: then nothing is."""
    kept = sa.case((letters.c.words.is_not(None), sa.literal(words, sa.Text())), else_=sa.null())
    values = {"state": state, "settled_at": at, "words": kept, "why": (why or "")[:200] or None}
    tx.execute(
        sa.update(letters)
        .where(letters.c.id == letter_id)
        .values(**values, remote_id=remote[:200] or None, tries=letters.c.tries + 1)
    )


def note_try(tx: Tx, letter_id: int, why: str) -> None:
    """It was tried and is to be tried again."""
    tx.execute(sa.update(letters).where(letters.c.id == letter_id).values(why=why[:200], tries=letters.c.tries + 1))


def erase_settled(tx: Tx, before: datetime, most: int) -> int:
    """Forget to whom and what was written, of letters settled before then; returns how many."""
    old = (
        sa.select(letters.c.id).where(letters.c.settled_at < before, letters.c.words.is_not(None)).limit(most)
    ).scalar_subquery()
    return tx.execute(sa.update(letters).where(letters.c.id.in_(old)).values(words=None)).rowcount


def erase_of(tx: Tx, member_ids: Sequence[int], at: datetime) -> None:
    """The same at once for members who leave; what has not gone out stays."""
    mine = letters.c.member_id.in_(list(member_ids))
    tx.execute(sa.update(letters).where(mine, letters.c.state.in_(OPEN)).values(state=LATE, settled_at=at))
    tx.execute(sa.update(letters).where(mine).values(words=None))


def counts(tx: Tx, since_at: datetime) -> dict[tuple[str, str], int]:
    """(Kind, state) to how many letters were wanted since then."""
    query = (
        sa.select(letters.c.kind, letters.c.state, sa.func.count())
        .where(letters.c.created_at > since_at)
        .group_by(letters.c.kind, letters.c.state)
    )
    return {(kind, state): count for kind, state, count in tx.execute(query)}
