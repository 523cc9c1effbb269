"""Owns one-time codes: six digits sent to an address that is somebody's, good for ten minutes, five tries and once.

A code proves a member (`send`, `guess`), or an address alone (`ask`, `guess_of_address`): whoever asks in the latter
way gets the same answer whether anybody has that address, because only the job that sends the letter looks.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.people import letters
from wallet_server.errors import Conflict, TooMany
from wallet_server.records import jobs
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Lease
from wallet_server.records.people import contacts, members, one_time
from wallet_server.records.people import letters as letter_rows
from wallet_server.records.people.letters import LetterRow
from wallet_server.records.people.one_time import CodeRow
from wallet_server.records.programme import programmes
from wallet_server.rules.people.contacts import Address, masked
from wallet_server.rules.people.letters import CONTACT, MERGE, PROOF, RECOVER

__all__ = [
    "CONTACT",
    "MERGE",
    "PROOF",
    "RECOVER",
    "Guess",
    "Sent",
    "ask",
    "good",
    "guess",
    "guess_of_address",
    "reachable",
    "send",
    "waiting",
]

GOOD = timedelta(minutes=10)
MOST_TRIES = 5
ASKED = "letter-asked"
"""The kind of the job that looks whether anybody is meant by an address; its key is the letter's."""
_PURPOSE = "one-time"


@dataclass(frozen=True)
class Sent:
    """Where a code went, as its owner knows the address and nobody else: c•••@example.com."""

    masked: str
    kind: str


def reachable(tx: Tx, member_id: int) -> list[str]:
    """In which ways (`phone`, `email`) a code reaches this member: by what was proved, and nothing else."""
    return list(dict.fromkeys(one.kind for one in contacts.proved(tx, member_id)))


def send(ctx: Context, tx: Tx, member_id: int, purpose: str, to: Address | None = None) -> Sent:
    """Send a code to the member, or to an address that it is to prove: a row and a job in the caller's transaction.

    Raises `Conflict` (`not-reachable`) where there is no address or no channel that reaches it, and `TooMany`.
    """
    address = to or _best(ctx, tx, member_id)
    if address is None or letters.channel_of(ctx, address.kind) is None:
        sentence = "No code can be sent: this member has no address that was confirmed."
        if address is not None:
            sentence = f"No code can be sent by {'e-mail' if address.kind == 'email' else 'short message'} from here."
        raise Conflict(sentence, code="not-reachable")
    member = members.members_by_id(tx, [member_id])[member_id]
    programme = programmes.programme_by_id(tx, member.programme_id)
    address_mark = letters.mark(ctx, address)
    letters.count(ctx, tx, address_mark)
    letters.count_member(ctx, tx, member_id, programme.account_id)
    code = _new(ctx, tx, member_id, purpose, address)
    letters.post(
        ctx,
        tx,
        address,
        purpose,
        _said(code, programme.name),
        ctx.clock() + GOOD,
        language=member.language,
        member_id=member_id,
        account_id=programme.account_id,
    )
    return Sent(masked(address), address.kind)


def _best(ctx: Context, tx: Tx, member_id: int) -> Address | None:
    found = [Address(one.kind, one.value) for one in contacts.proved(tx, member_id)]
    open_ways = [one for one in found if letters.channel_of(ctx, one.kind) is not None]
    return next(iter(open_ways or found), None)


@dataclass(frozen=True)
class Guess:
    """A code that somebody typed, counted as a try of every code that it might have been; `address` is where the one
    that it is was sent to, None where it is none. It proves nothing before `good` says so."""

    member_id: int | None
    purpose: str
    address: Address | None
    ids: tuple[int, ...] = ()


def guess(ctx: Context, member_id: int, purpose: str, value: str) -> Guess:
    """Try this as a code that was sent to the member.

    In a transaction of its own, so that a code has been tried before anything is compared, and stays tried whatever
    becomes of the request: however many come at once, five are compared.
    """
    with ctx.database.change() as tx:  # of those who practise, too
        rows = one_time.of_member(tx, member_id, purpose, ctx.clock(), MOST_TRIES)
        one_time.count_try(tx, [row.id for row in rows])
    found = _match(ctx, rows, value)
    address = None if found is None else Address(found.kind, _opened(ctx, found))
    return Guess(member_id, purpose, address, tuple(row.id for row in rows) if found else ())


def guess_of_address(ctx: Context, address: Address, purpose: str, value: str) -> Guess:
    """Try it as a code that was sent to this address."""
    with ctx.database.change() as tx:
        rows = one_time.of_address(tx, letters.mark(ctx, address), purpose, ctx.clock(), MOST_TRIES)
        one_time.count_try(tx, [row.id for row in rows])
    found = _match(ctx, rows, value)
    return Guess(None, purpose, address, tuple(row.id for row in rows)) if found else Guess(None, purpose, None)


def good(ctx: Context, tx: Tx, tried: Guess | None, member_id: int | None, purpose: str) -> bool:
    """Whether what was typed was a code that was sent to this member (None: to the address alone) for this. Good once,
    and only where the caller's transaction is kept; all that was sent for it is over then."""
    if tried is None or tried.address is None or (tried.member_id, tried.purpose) != (member_id, purpose):
        return False
    return one_time.use(tx, tried.ids, ctx.clock()) == len(tried.ids)


def waiting(ctx: Context, tx: Tx, member_id: int, purpose: str) -> Address | None:
    """To which address a code for this is on its way, or there, and not typed yet."""
    row = one_time.newest(tx, member_id, purpose, ctx.clock())
    return None if row is None else Address(row.kind, _opened(ctx, row))


def ask(ctx: Context, tx: Tx, address: Address, purpose: str, language: str) -> None:
    """Somebody says that this is their address: whether anybody has it is looked up by a job. Raises `TooMany`."""
    letters.count(ctx, tx, letters.mark(ctx, address))
    until = ctx.clock() + GOOD
    letters.post(ctx, tx, address, purpose, {}, until, language=language, state=letter_rows.ASKED, kind=ASKED)


def answer(ctx: Context, leases: Sequence[Lease]) -> None:
    """Look whether anybody is meant by what was asked; who is, is sent a code."""
    for lease in leases:
        with ctx.change() as tx:
            row = letter_rows.by_id(tx, [int(lease.key)]).get(int(lease.key))
            if row is not None and row.state == letter_rows.ASKED:
                _answer(ctx, tx, row)
            jobs.settle(tx, [lease])
    ctx.ring()


def _answer(ctx: Context, tx: Tx, row: LetterRow) -> None:
    now = ctx.clock()
    address = Address(row.kind, letters.opened(ctx, row).get("to", ""))
    member_id = _meant(tx, address)
    if member_id is None or row.good_until <= now:
        letter_rows.settle(tx, row.id, letter_rows.NOBODY, now, None)
        return
    member = members.members_by_id(tx, [member_id])[member_id]
    programme = programmes.programme_by_id(tx, member.programme_id)
    try:
        letters.count_member(ctx, tx, member_id, programme.account_id)
    except TooMany as fault:
        letter_rows.settle(tx, row.id, letter_rows.LATE, now, None, fault.code)
        return
    code = _new(ctx, tx, None, row.purpose, address)
    words = letters.seal(ctx, {"to": address.value, **_said(code, programme.name)}, row.public_id)
    letter_rows.found(tx, row.id, member_id, words)
    jobs.put(tx, [jobs.Put(letters.SEND, str(row.id), jobs.COUNTER, ctx.now())])


def _meant(tx: Tx, address: Address) -> int | None:
    """Of whose card the letter speaks, who is held: who leaves in this moment is sent nothing."""
    member_id = next(iter(contacts.led_to(tx, address.kind, address.value)), None)
    if member_id is not None:
        members.hold(tx, member_id)
        if member_id not in contacts.led_to(tx, address.kind, address.value):
            return None
    return member_id


def _new(ctx: Context, tx: Tx, member_id: int | None, purpose: str, address: Address) -> str:
    code, public_id, now = f"{secrets.randbelow(10**6):06d}", new_id("otc"), ctx.clock()
    one_time.add(
        tx,
        public_id,
        member_id,
        purpose,
        address.kind,
        letters.mark(ctx, address),
        ctx.keyring.seal(address.value.encode(), f"one-time:{public_id}"),
        ctx.keyring.sign(_PURPOSE, f"{public_id}:{code}"),
        now,
        now + GOOD,
    )
    return code


def _opened(ctx: Context, row: CodeRow) -> str:
    return "" if row.address is None else ctx.keyring.open(row.address, f"one-time:{row.public_id}").decode()


def _said(code: str, shop: str) -> dict[str, str]:
    return {"code": code, "shop": shop, "minutes": str(GOOD // timedelta(minutes=1))}


def _match(ctx: Context, rows: Sequence[CodeRow], value: str) -> CodeRow | None:
    """The row whose code this is. All are compared, each in constant time, and one more where there is none: how long
    it takes tells nothing."""
    typed = "".join(one for one in value[:20] if one.isdigit())
    fits = [row for row in rows if ctx.keyring.verify(_PURPOSE, f"{row.public_id}:{typed}", row.secret)]
    if not rows:
        hmac.compare_digest(ctx.keyring.sign(_PURPOSE, typed), ctx.keyring.sign(_PURPOSE, "nothing"))
    return fits[-1] if fits else None
