"""Owns whose each line of a file of old cards is and what it brings: some lines in one transaction, which holds the
programme, so that no other file is worked meanwhile.

All that is asked of the database is asked for all of these lines at once. The members concerned are held in the order
of their keys, as by everybody who holds several.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter.bookings import counter_booking
from wallet_server.actions.passes import cards
from wallet_server.actions.purse import conversions, standing
from wallet_server.actions.telling import hooks
from wallet_server.errors import Unavailable, WalletError
from wallet_server.records.database import Tx
from wallet_server.records.passes import passes
from wallet_server.records.people import contacts, members, newcomers, plastic
from wallet_server.records.people.members import MemberRow
from wallet_server.records.people.newcomers import Newcomer
from wallet_server.records.people.plastic import ImportRow
from wallet_server.records.programme.programmes import ProgrammeRow
from wallet_server.records.purse import ledger
from wallet_server.records.scope import Scope
from wallet_server.rules.baskets import earning
from wallet_server.rules.counter import short_codes
from wallet_server.rules.people import matching
from wallet_server.rules.people.matching import Crowd, Likeness, Person
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.tiers import tiers

RULE, REASON, SOURCE = "opening", "earn.opening", "import"
MOST_CHOICES = 5
_NEW = 1 << 62
"""From here on keys stand for members who are not made yet."""


@dataclass(frozen=True)
class Line:
    """A sound line: a number, its points, and what the file says of its holder."""

    line: int
    number: str
    points: int
    person: Person
    first_name: str | None


@dataclass(frozen=True)
class Plan:
    """What is to become of a line: `member` holds the number from now on (a key, or one that stands for a new member),
    or did before where it is `known`."""

    line: Line
    lookup: bytes
    state: str
    member: int
    doubts: Sequence[tuple[int, Likeness]] = ()
    has_number: bool = False

    @property
    def new(self) -> bool:
        return self.member == _NEW + self.line.line

    @property
    def gives(self) -> bool:
        return self.state != plastic.KNOWN


def plan(tx: Tx, row: ProgrammeRow, some: Sequence[Line], gone: Collection[int] = ()) -> list[Plan]:
    """Whose these numbers are, as things stand. `gone` are members who left meanwhile.

    A number that is good already is known, and brings nothing a second time; but one that was linked at the counter
    before its line was worked still brings its points, to whoever holds it now.
    """
    lookups = [passes.lookup_hash(short_codes.plastic_key(row.issuer_mark, one.number)) for one in some]
    holders = plastic.holders(tx, lookups)
    taken = [one.number for one, lookup in zip(some, lookups, strict=True) if lookup in holders]
    brought = plastic.brought(tx, row.id, taken) if taken else set()
    near = plastic.candidates(tx, row.id, *matching.keys_of([one.person for one in some]))
    crowd = Crowd({key: person for key, person in near.items() if key not in gone})
    plans = []
    for one, lookup in zip(some, lookups, strict=True):
        has, stays = holders.get(lookup, (None, False))
        if has is not None:
            counts = one.number not in brought and stays and has not in gone
            state = plastic.LINKED if counts else plastic.KNOWN
            plans.append(Plan(one, lookup, state, has, has_number=True))
            continue
        sure, doubts = matching.decide(one.person, crowd.near(one.person)) if one.person.known else (None, [])
        if sure is not None:
            plans.append(Plan(one, lookup, plastic.LINKED, sure))
            continue
        state = plastic.DOUBTFUL if doubts else plastic.MADE
        plans.append(Plan(one, lookup, state, _NEW + one.line, doubts))
        crowd.add(_NEW + one.line, one.person)
    return plans


def work(ctx: Context, tx: Tx, scope: Scope, row: ProgrammeRow, made: ImportRow, some: Sequence[Line]) -> None:
    """Give each number to the member whose it is, or to a new one, with its points."""
    programme = ctx.programme(tx, row.version_id)
    plans = _held(tx, row, some)
    keys, names = _newcomers(ctx, tx, row, programme, plans)
    plans = [replace(one, member=keys.get(one.member, one.member)) for one in plans]
    numbers = {one.lookup: one.member for one in plans if not one.has_number}
    if not plastic.add_numbers(tx, numbers, ctx.now()):
        raise Unavailable("One of these numbers was linked at a counter just now; the lines are worked again.")
    rows = members.members_by_id(tx, list({one.member for one in plans if one.gives}))
    for one in plans:
        if one.gives:
            rows[one.member] = _give(ctx, tx, scope, programme, rows[one.member], made, one)
    _conclude(ctx, tx, made, plans, names)


def _held(tx: Tx, row: ProgrammeRow, some: Sequence[Line]) -> list[Plan]:
    """What is to become of these lines, with every member held whom they concern."""
    gone: set[int] = set()
    for _ in range(3):
        plans = plan(tx, row, some, gone)
        left = set()
        for key in sorted({one.member for one in plans if one.gives and one.member < _NEW}):
            try:
                members.lock_member(tx, key)
            except WalletError:
                left.add(key)
        if not left:
            return plans
        gone |= left
    raise Unavailable("Members of these lines leave while they are worked; they are worked again.")


def _newcomers(
    ctx: Context, tx: Tx, row: ProgrammeRow, programme: Programme, plans: Sequence[Plan]
) -> tuple[dict[int, int], dict[int, str]]:
    """Make the new members: what stood for each to its key, and to its public id."""
    tier = tiers.level_for(programme.ladder, 0).code if programme.ladder else None
    now = ctx.now()
    names = {one.member: new_id("mem") for one in plans if one.new}
    new = [Newcomer(names[one.member], _said(one.line)) for one in plans if one.new]
    # Whoever had a card of plastic was asked for nothing by us: they agreed to nothing.
    made = newcomers.add(tx, row.id, new, programme.languages[0], tier, SOURCE, now)
    for one in new:
        joined: dict[str, Any] = {
            "member": one.public_id,
            "programme": row.public_id,
            "pass": None,
            "tier": tier,
            "coupons": [],
        }
        hooks.tell(ctx, tx, hooks.JOINED, row.id, None, now, joined)
    return {key: made[name] for key, name in names.items()}, names


def _said(one: Line) -> dict[str, str]:
    last = (one.person.name or "").removeprefix(one.first_name or "").strip()
    named = {"first_name": one.first_name or "", "name": last}
    return {kind: value for kind, value in named.items() if value} | _reached(one.person)


def _reached(person: Person) -> dict[str, str]:
    """Under which addresses, each in the form in which it is kept."""
    postcode = "".join((person.postcode or "").split()).upper()
    said = {"email": person.email, "phone": person.phone, "address": person.address, "postcode": postcode}
    return {kind: value for kind, value in said.items() if value}


def _give(
    ctx: Context,
    tx: Tx,
    scope: Scope,
    programme: Programme,
    member: MemberRow,
    made: ImportRow,
    one: Plan,
) -> MemberRow:
    """The points of the line, and, to a member who was there before, what the file knows of them; the member after."""
    fresh = one.state != plastic.LINKED
    if not fresh:
        ledger.open_all_purses(tx, member.programme_id, member.id)
        _complete(tx, member, one.line.person)
    if one.line.points:
        return replace(member, tier=_open_balance(ctx, tx, scope, programme, member, made, one.line, fresh=fresh))
    if not fresh:
        cards.changed(tx, member.id, (), ctx.now())
    return member


def _complete(tx: Tx, member: MemberRow, person: Person) -> None:
    """What the file knows of a member and we did not."""
    known = {one.kind for one in contacts.of_member(tx, member.id)}
    for kind, value in _reached(person).items():
        if kind not in known:
            contacts.say(tx, member.programme_id, member.id, kind, value)


def _open_balance(
    ctx: Context,
    tx: Tx,
    scope: Scope,
    programme: Programme,
    member: MemberRow,
    made: ImportRow,
    one: Line,
    *,
    fresh: bool,
) -> str | None:
    """Units that the old scheme owed are owed by the merchant from now on: given for nothing, dated today. Returns the
    tier that stands then."""
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
    if not fresh or brought.vouchers:  # a new member has no card that would change
        cards.changed(tx, member.id, standing.loud(programme, entries, member.tier, after), now)
    return after


def _conclude(ctx: Context, tx: Tx, made: ImportRow, plans: Sequence[Plan], names: Mapping[int, str]) -> None:
    asked = {key for one in plans for key, _ in one.doubts[:MOST_CHOICES] if key < _NEW}
    stood = members.members_by_id(tx, list(asked))
    public = {key: row.public_id for key, row in stood.items()} | dict(names)
    said = []
    for one in plans:
        choices = [
            {"member": public[key], "score": like.score, "by": like.by}
            for key, like in one.doubts[:MOST_CHOICES]
            if key in public
        ]
        doubtful = one.state == plastic.DOUBTFUL
        fate = (choices, None) if doubtful else (None, ctx.now())
        said.append(plastic.Concluded(one.line.line, one.state, one.member, *fate))
    plastic.conclude_many(tx, made.id, said)
