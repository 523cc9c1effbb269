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

from wallet_server.actions import cards, conversions, hooks, standing
from wallet_server.actions.bookings import counter_booking
from wallet_server.actions.context import Context, new_id
from wallet_server.errors import Invalid
from wallet_server.records import contacts, deeds, jobs, ledger, members, passes, plastic, programmes
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Again, Lease
from wallet_server.records.members import PROMOTIONS, MemberRow
from wallet_server.records.plastic import ImportRow, LineRow
from wallet_server.records.programmes import ProgrammeRow
from wallet_server.records.scope import Scope
from wallet_server.rules import card_file, earning, matching, short_codes, tiers
from wallet_server.rules.card_file import CardLine
from wallet_server.rules.matching import Person
from wallet_server.rules.program import Programme

WORK = "card-import"
"""The kind of the job that works the lines of a file; its key is the import's."""
SLICE, STORED_AT_ONCE = 10, 500
SHOWN = 20
RULE, REASON, SOURCE = "opening", "earn.opening", "import"
MOST_CHOICES = 5


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
    and the first dirty ones."""

    columns: Mapping[str, str]
    names: tuple[str, ...]
    counts: Mapping[str, int]
    sound: tuple[CardLine, ...]
    dirty: tuple[CardLine, ...]


def preview(ctx: Context, scope: Scope, programme: str, file: File) -> Preview:
    """Look at a file; nothing is stored. Raises `Invalid` (`unknown-column`, `unknown-currency`, `empty-export`,
    `export-too-large`)."""
    text, columns = card_file.open_file(file.body, file.columns)
    counts = dict.fromkeys((*plastic.STATES[1:], "points"), 0)
    sound: list[CardLine] = []
    dirty: list[CardLine] = []
    with ctx.look() as tx:
        row = programmes.programme_in(tx, scope, programme)
        _currency(ctx.programme(tx, row.version_id), file.currency)
        for some in _some(card_file.lines(text, columns, ctx.settings.phone_region), STORED_AT_ONCE):
            near = _near(tx, row.id, [one.person for one in some])
            for one in some:
                state = plastic.DIRTY if one.why else _foreseen(tx, row, one, near)
                counts[state] += 1
                counts["points"] += one.points if state in (plastic.MADE, plastic.LINKED, plastic.DOUBTFUL) else 0
                shown = dirty if one.why else sound
                if len(shown) < SHOWN:
                    shown.append(one)
    return Preview(columns.said(), columns.names, counts, tuple(sound), tuple(dirty))


def take_over(ctx: Context, scope: Scope, programme: str, file: File, staff_id: int | None = None) -> ImportRow:
    """Take a file over: its lines are stored, and a job works them, a few in each transaction. The same file again goes
    on where it stood, and changes nothing where it was done. Raises as `preview` does."""
    text, columns = card_file.open_file(file.body, file.columns)
    sha256 = hashlib.sha256(file.body).digest()
    with ctx.change() as tx:
        row = programmes.programme_in(tx, scope, programme)
        programmes.lock_programme(tx, row.id)
        currency = _currency(ctx.programme(tx, row.version_id), file.currency)
        made = plastic.same_file(tx, row.id, sha256)
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
            _work_lines(ctx, tx, scope, row, made, some)
    return True


def _work_lines(
    ctx: Context, tx: Tx, scope: Scope, row: ProgrammeRow, made: ImportRow, some: Sequence[LineRow]
) -> None:
    programme = ctx.programme(tx, row.version_id)
    people = {one.line: said_of(ctx, made, one) for one in some}
    near = _near(tx, row.id, [told.person for told in people.values()])
    for one in some:
        member_id = _work(ctx, tx, scope, row, programme, made, one, people[one.line], near)
        if member_id is not None:
            near[member_id] = people[one.line].person


def _work(
    ctx: Context,
    tx: Tx,
    scope: Scope,
    row: ProgrammeRow,
    programme: Programme,
    made: ImportRow,
    one: LineRow,
    told: SaidOf,
    near: Mapping[int, Person],
) -> int | None:
    """Give the number to the member whose it is, or to a new one, who is returned."""
    person = told.person
    lookup = passes.lookup_hash(short_codes.plastic_key(row.issuer_mark, one.number or ""))
    has = plastic.holder(tx, lookup)
    if has is not None:
        plastic.conclude(tx, made.id, one.line, state=plastic.KNOWN, member_id=has, person=None, settled_at=ctx.now())
        return None
    sure, doubts = matching.decide(person, near) if person.known else (None, [])
    member_id = sure or _new_member(ctx, tx, row, programme, person, told.first_name)
    member = members.members_by_id(tx, [member_id])[member_id]
    members.lock_member(tx, member_id)
    plastic.add_number(tx, member_id, lookup, ctx.now())
    if sure is not None:
        ledger.open_all_purses(tx, member.programme_id, member_id)
        _complete(tx, member, person)
    if one.points:
        _open_balance(ctx, tx, scope, programme, member, made, one)
    else:
        cards.changed(tx, member_id, (), ctx.now())
    if sure is not None or not doubts:
        state = plastic.LINKED if sure is not None else plastic.MADE
        plastic.conclude(tx, made.id, one.line, state=state, member_id=member_id, person=None, settled_at=ctx.now())
        return None if sure is not None else member_id
    names = members.members_by_id(tx, [key for key, _ in doubts[:MOST_CHOICES]])
    choices = [
        {"member": names[key].public_id, "score": like.score, "by": like.by}
        for key, like in doubts[:MOST_CHOICES]
        if key in names
    ]
    plastic.conclude(tx, made.id, one.line, state=plastic.DOUBTFUL, member_id=member_id, candidates=choices)
    return member_id


def _new_member(
    ctx: Context, tx: Tx, row: ProgrammeRow, programme: Programme, person: Person, first_name: str | None
) -> int:
    tier = tiers.level_for(programme.ladder, 0).code if programme.ladder else None
    public_id, now = new_id("mem"), ctx.now()
    member_id = members.add_member(tx, public_id, row.id, None, programme.languages[0], tier, now)
    # Whoever had a card of plastic was asked for nothing by us.
    members.record_consent(tx, member_id, PROMOTIONS, False, SOURCE, now)
    last = (person.name or "").removeprefix(first_name or "").strip()
    said = {"first_name": first_name, "email": person.email, "phone": person.phone, "name": last}
    said |= {"address": person.address, "postcode": _postcode(person)}
    contacts.say_first(tx, row.id, member_id, {kind: value for kind, value in said.items() if value})
    ledger.open_all_purses(tx, row.id, member_id)
    joined: dict[str, Any] = {
        "member": public_id,
        "programme": row.public_id,
        "pass": None,
        "tier": tier,
        "coupons": [],
    }
    hooks.tell(ctx, tx, hooks.JOINED, row.id, None, now, joined)
    return member_id


def _complete(tx: Tx, member: MemberRow, person: Person) -> None:
    """What the file knows of a member and we did not."""
    known = {one.kind for one in contacts.of_member(tx, member.id)}
    said = {"email": person.email, "phone": person.phone, "address": person.address, "postcode": _postcode(person)}
    for kind, value in said.items():
        if value and kind not in known:
            contacts.say(tx, member.programme_id, member.id, kind, value)


def _postcode(person: Person) -> str | None:
    return "".join(person.postcode.split()).upper() if person.postcode else None


def _open_balance(
    ctx: Context, tx: Tx, scope: Scope, programme: Programme, member: MemberRow, made: ImportRow, one: LineRow
) -> None:
    """Units that the old scheme owed are owed by the merchant from now on: given for nothing, dated today."""
    code, now = made.currency or programme.balance_currency, ctx.now()
    purse = ledger.purses(tx, member.id, scope.merchant_id)[code]
    booking = counter_booking(scope, member, RULE, REASON, "", member.tier, now)
    said = dict(vars(booking)) | {"receipt": None, "store_id": None, "till_id": None}
    said |= {"params": {"import": made.public_id, "line": one.line}}
    like = ledger.Booking(**said)
    posted = ledger.award(tx, [ledger.Award(like, purse, one.points, earning.expiry(programme, code, now))])
    balances = ledger.amounts(tx, [member.id]).get(member.id, {})
    brought = conversions.settle(ctx, tx, programme, member.version_id, like, balances)
    entries, _, _ = brought.told(posted, balances, {})
    after = standing.settle_tier(ctx, tx, programme, member.id, member.tier, entries)
    cards.changed(tx, member.id, standing.loud(programme, entries, member.tier, after), now)


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


def _near(tx: Tx, programme_id: int, people: Sequence[Person]) -> dict[int, Person]:
    return plastic.candidates(tx, programme_id, *matching.keys_of(people))


def _foreseen(tx: Tx, row: ProgrammeRow, one: CardLine, near: Mapping[int, Person]) -> str:
    lookup = passes.lookup_hash(short_codes.plastic_key(row.issuer_mark, one.number or ""))
    if plastic.holder(tx, lookup) is not None:
        return plastic.KNOWN
    sure, doubts = matching.decide(one.person, near) if one.person.known else (None, [])
    return plastic.LINKED if sure is not None else plastic.DOUBTFUL if doubts else plastic.MADE


def _currency(programme: Programme, wanted: str | None) -> str:
    code = wanted or programme.balance_currency
    if all(one.code != code for one in programme.currencies):
        raise Invalid(f"This programme has no currency called {code}.", code="unknown-currency", field="currency")
    return code
