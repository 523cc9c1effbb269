"""Owns letters to people: the row is the letter, and a job carries it with no transaction open.

What a letter needs (to whom, which code) is sealed in its row; its text is written when it is sent. A week after it is
settled, and at once when its member leaves, both are erased. Whoever could make us write to a stranger again and again
is held up by three counts: per address, per member, per account.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import orjson
import structlog

from wallet_server.actions import outbox
from wallet_server.actions.context import Context, new_id
from wallet_server.actions.people import standing_words
from wallet_server.channels.port import Channel, Later, Letter, Refused, Taken
from wallet_server.errors import TooMany, Unavailable, WalletError
from wallet_server.records import jobs, limits
from wallet_server.records.database import Tx
from wallet_server.records.jobs import Again, Lease
from wallet_server.records.people import letters
from wallet_server.records.people.letters import LetterRow, NewLetter
from wallet_server.rules.people import letters as words
from wallet_server.rules.people.contacts import Address, hushed

SEND = "letter"
"""The kind of the job that carries one; its key is the letter's."""
KEPT = timedelta(days=7)
"""How long after a letter was settled it is known to whom it went."""
PER_ADDRESS_HOUR, PER_ADDRESS_DAY = 5, 12
PER_MEMBER_HOUR = 8
BUSY_REST = timedelta(seconds=1)
LONGEST_REST = timedelta(minutes=15)
ERASED_AT_ONCE = 500
_COURIER = {"email": -1, "phone": -2}
"""Below every merchant's address: the couriers of a channel are its own."""
_log = structlog.get_logger("letters")


def mark(ctx: Context, address: Address) -> bytes:
    """What stands for an address where it is only compared."""
    signed = ctx.keyring.sign("reached", f"{address.kind}:{address.value}")
    return hashlib.sha256(signed.encode()).digest()


def channel_of(ctx: Context, kind: str) -> Channel | None:
    """The channel that reaches addresses of this kind; None where the operator has set none up."""
    return ctx.channels.get(kind)


def seal(ctx: Context, said: dict[str, str], public_id: str) -> str:
    """The words of a letter as its row keeps them."""
    return ctx.keyring.seal(orjson.dumps(said), f"letter:{public_id}")


def opened(ctx: Context, row: LetterRow) -> dict[str, str]:
    """The inverse of `seal`; nothing where they were erased."""
    found: dict[str, str] = {}
    if row.words is not None:
        found = orjson.loads(ctx.keyring.open(row.words, f"letter:{row.public_id}"))
    return found


def count(ctx: Context, tx: Tx, address_mark: bytes) -> None:
    """One more letter to this address. Raises `TooMany`, and then nothing was counted."""
    now = ctx.clock()
    sentence = "Too many codes were sent there; wait an hour, then ask for one again."
    _take(ctx, tx, f"letters:to:{address_mark.hex()[:40]}", PER_ADDRESS_HOUR, sentence)
    if letters.since(tx, address_mark, now - timedelta(days=1)) >= PER_ADDRESS_DAY:
        raise TooMany("Too many codes were sent there today; ask for one tomorrow.", retry_after_seconds=3600)


def count_member(ctx: Context, tx: Tx, member_id: int, account_id: int) -> None:
    """One more letter to this member, from this account. Raises `TooMany`."""
    sentence = "Too many codes were sent to this member; wait an hour."
    _take(ctx, tx, f"letters:of:{member_id}", PER_MEMBER_HOUR, sentence)
    sentence = "So many letters were sent for this shop within the hour that the others wait; try again later."
    _take(ctx, tx, f"letters:from:{account_id}", ctx.settings.letters_per_hour, sentence)


def _take(ctx: Context, tx: Tx, name: str, most: int, sentence: str) -> None:
    second = int(ctx.clock().timestamp())
    window = second // 3600 * 60  # named by its first minute: the nightly clearing knows windows by minutes
    if limits.taken(tx, name, window) >= most or limits.take(tx, name, window, 1) > most:
        raise TooMany(sentence, retry_after_seconds=(window + 60) * 60 - second)


def post(
    ctx: Context,
    tx: Tx,
    address: Address,
    purpose: str,
    said: dict[str, str],
    good_until: datetime,
    *,
    language: str,
    member_id: int | None = None,
    account_id: int | None = None,
    state: str = letters.WAITING,
    kind: str = SEND,
) -> int:
    """Write a letter and the job that carries it, in the caller's transaction; the caller has counted it."""
    public_id = new_id("let")
    sealed = seal(ctx, {"to": address.value, **said}, public_id)
    new = NewLetter(
        public_id=public_id,
        account_id=account_id,
        member_id=member_id,
        kind=address.kind,
        address_mark=mark(ctx, address),
        purpose=purpose,
        language=language,
        words=sealed,
        state=state,
        created_at=ctx.clock(),
        good_until=good_until,
    )
    key = letters.add(tx, new)
    jobs.put(tx, [jobs.Put(kind, str(key), jobs.COUNTER, ctx.now())])
    return key


def carry(ctx: Context, leases: Sequence[Lease]) -> None:
    """Send off what waits, a round for each channel; waits for none of them."""
    now = ctx.clock()
    with ctx.look() as tx:
        rows = letters.by_id(tx, [int(lease.key) for lease in leases])
        resting = limits.open_circuits(tx, now)
    rounds: dict[str, list[tuple[Lease, LetterRow]]] = {}
    over: list[Lease] = []
    for lease in leases:
        row = rows.get(int(lease.key))
        if row is None or row.state != letters.WAITING:
            over.append(lease)
        else:
            rounds.setdefault(row.kind, []).append((lease, row))
    if over:
        with ctx.change() as tx:
            jobs.settle(tx, over)
    for kind, parcels in rounds.items():
        until = resting.get(circuit(kind))
        if until is not None:
            _leave(ctx, parcels, until[0], "the channel rests")
        elif not ctx.couriers.send_off(_COURIER[kind], False, partial(_round, ctx, kind, parcels)):
            _leave(ctx, parcels, now + BUSY_REST, "the channel is busy")


def circuit(kind: str) -> str:
    """Under which name a channel rests."""
    return f"channel:{kind}"


def _leave(ctx: Context, parcels: Sequence[tuple[Lease, LetterRow]], until: datetime, why: str) -> None:
    """Later, which is no failure of theirs; but a letter that would come too late is given up."""
    now = ctx.clock()
    with ctx.change() as tx:
        for lease, row in parcels:
            if row.good_until <= now:
                letters.settle(tx, row.id, letters.LATE, now, None, why)
                jobs.settle(tx, [lease])
            else:
                at = min(until, row.good_until) + BUSY_REST * random.random()  # noqa: S311
                jobs.rest(tx, lease, at, why, failed=False)


def _round(ctx: Context, kind: str, parcels: Sequence[tuple[Lease, LetterRow]]) -> None:
    ends = time.monotonic() + ctx.settings.lease_seconds * 0.4
    left = [lease for lease, _ in parcels]
    try:
        while left and time.monotonic() < ends and not ctx.couriers.stopping:
            lease = left.pop(0)
            try:
                going_on = _carry_one(ctx, kind, lease)
            except Exception as fault:  # noqa: BLE001 - one letter's fault is its own: the others go on
                going_on = True
                _set_aside(ctx, kind, lease, fault)
            if not going_on:
                break
        outbox.hand_back(ctx, left)
    except WalletError as away:
        _log.warning("letters left to their leases", why=str(away))


def _set_aside(ctx: Context, kind: str, lease: Lease, fault: Exception) -> None:
    """A letter that failed in a way nobody foresaw rests, and is left to an operator in the end."""
    # Its name alone: what a fault says may hold an address.
    why = type(fault).__name__
    _log.error("letter failed", channel=kind, letter=lease.key, fault=why)
    hopeless = not isinstance(fault, Unavailable)
    outbox.bury_or_rest(ctx, [lease], why, random.random(), hopeless=hopeless)  # noqa: S311


def _carry_one(ctx: Context, kind: str, lease: Lease) -> bool:
    """Send one letter and note what became of it; False when the channel is to be left alone now."""
    with ctx.look() as tx:  # now, not when the round set off: its member may have left since
        row = letters.by_id(tx, [int(lease.key)]).get(int(lease.key))
    if row is None or row.state != letters.WAITING or row.words is None:
        with ctx.change() as tx:
            jobs.settle(tx, [lease])
        return True
    now, channel = ctx.clock(), channel_of(ctx, kind)
    if row.good_until <= now:
        verdict: Taken | Later | Refused = Later(0, row.why or "it came too late")
    elif channel is None:
        verdict = Later(LONGEST_REST.total_seconds(), "nothing is set up for this channel", all_wait=True)
    else:
        letter = _written(ctx, row)
        if letter is None:
            with ctx.change() as tx:
                letters.settle(tx, row.id, letters.NOBODY, now, None, "it is wanted no more")
                jobs.settle(tx, [lease])
            return True
        verdict = _hushed(channel.send(letter), Address(kind, letter.to))
    return _conclude(ctx, lease, row, verdict)


def _hushed(verdict: Taken | Later | Refused, to: Address) -> Taken | Later | Refused:
    """What the other side said, without the address: it is kept longer than the letter, and logged."""
    if isinstance(verdict, Taken):
        return Taken(hushed(verdict.id, to))
    return replace(verdict, why=hushed(verdict.why, to))


def _written(ctx: Context, row: LetterRow) -> Letter | None:
    said = opened(ctx, row)
    if row.purpose == standing_words.STANDING:
        return standing_words.written(ctx, row, said)
    text = words.of_code(row.purpose, row.language, said)
    short = words.short_code(row.purpose, row.language, said)
    return Letter(row.public_id, said["to"], said["shop"], text.subject, text.plain, text.html, short, row.language)


def _conclude(ctx: Context, lease: Lease, row: LetterRow, verdict: Taken | Later | Refused) -> bool:
    now = ctx.clock()
    kept = seal(ctx, {"to": opened(ctx, row).get("to", "")}, row.public_id)
    with ctx.change() as tx:
        if isinstance(verdict, Taken):
            letters.settle(tx, row.id, letters.SENT, now, kept, remote=verdict.id)
            limits.close_circuit(tx, circuit(row.kind))
            jobs.settle(tx, [lease])
            return True
        if isinstance(verdict, Refused):
            letters.settle(tx, row.id, letters.REFUSED, now, kept, verdict.why)
            jobs.settle(tx, [lease])
            _log.warning("letter refused", channel=row.kind, letter=row.public_id, why=verdict.why)
            return True
        rest = min(timedelta(seconds=verdict.seconds), LONGEST_REST)
        if row.good_until <= now + rest / 10:
            letters.settle(tx, row.id, letters.LATE, now, kept, verdict.why)
            jobs.settle(tx, [lease])
        else:
            again = min(now + rest, row.good_until)
            letters.note_try(tx, row.id, verdict.why)
            jobs.settle(tx, [lease], {lease.id: Again(again, jobs.COUNTER)})
        if verdict.all_wait:
            limits.open_circuit(tx, circuit(row.kind), now + rest, verdict.why, now)
            _log.warning("channel rests", channel=row.kind, seconds=rest.total_seconds(), why=verdict.why)
    return not verdict.all_wait


def erase_old(ctx: Context) -> int:
    """Forget to whom letters went that were settled a while ago; returns how many."""
    erased = 0
    for _ in range(1000):
        with ctx.change() as tx:
            some = letters.erase_settled(tx, ctx.clock() - KEPT, ERASED_AT_ONCE)
        erased += some
        if some < ERASED_AT_ONCE:
            break
    return erased
