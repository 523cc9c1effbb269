"""Owns what a till may do with a code that was scanned: whose it is, whether it is good, and what more is needed to
spend with an older issue.

Whoever has an honest card is never refused: an older issue says who they are and earns like the newest. It spends, too,
while nobody is known to have a newer one. Else a second proof is asked for: a one-time code on the member's phone, or
the word of a cashier who may give it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from wallet_server.actions import code_keys
from wallet_server.actions.context import Context
from wallet_server.actions.counter import rotating
from wallet_server.actions.people import letters, one_time
from wallet_server.actions.staff.roles import VOUCH
from wallet_server.errors import Conflict, Forbidden, NotFound, TooMany
from wallet_server.records import database, limits
from wallet_server.records.database import Tx
from wallet_server.records.passes import issues
from wallet_server.records.people import members
from wallet_server.records.people.members import CodeState, MemberRow
from wallet_server.records.scope import Scope
from wallet_server.rules.counter import codes, scans
from wallet_server.rules.counter.scans import Scan

CODE, CASHIER = "code", "cashier"
WRONG_AT_TILL, WRONG_AT_MERCHANT = 20, 100
"""Codes of the short kind that were not found, within `WINDOW_MINUTES`: after so many no further one is looked up."""
WINDOW_MINUTES = 10


@dataclass(frozen=True)
class Proof:
    """What somebody shows besides an older card: the one-time code that was sent to them, or a cashier who knows
    them. `guess`: the code as it was tried (`tried`)."""

    kind: Literal["code", "cashier"]
    value: str = ""
    guess: one_time.Guess | None = field(default=None, repr=False)


def noted(proof: Proof | None) -> dict[str, str]:
    """What the books say of a second proof: its kind. Who vouched stands with what the cashiers did."""
    return {} if proof is None else {"proof": proof.kind}


def tried(ctx: Context, scope: Scope, text: str, proof: Proof | None) -> Proof | None:
    """The proof with its code tried, before the transaction in which it is to be good: the try counts whatever becomes
    of that one."""
    if proof is None or proof.kind != CODE:
        return proof
    with ctx.look() as tx:
        member = found_by(tx, scope, rotating.bare(text), ctx.now())
    if member is None:
        return proof
    return replace(proof, guess=one_time.guess(ctx, member.id, one_time.PROOF, proof.value))


@dataclass(frozen=True)
class Sent:
    """Where a one-time code went, as its owner knows the address and nobody else."""

    kind: str
    masked: str


def holder_of(
    ctx: Context, tx: Tx, scope: Scope, text: str, *, hold: bool = False, sold_at: datetime | None = None
) -> MemberRow:
    """Whose code this is, a card's or a coupon's; `sold_at` is when it was scanned, of what is sent later: what
    was cancelled or ran out since was good then.

    Raises `Invalid` (`unreadable-code`), `NotFound` (`other-merchant`, `test-card`, `unknown-card`), `Conflict`
    (`revoked-card`, `expired-card`, `code-stale`) and `TooMany` (`too-many-codes`).
    """
    bare = rotating.take(ctx, tx, scope, text, ctx.clock(), ctx.real(sold_at) if sold_at else None)
    # Known from the code alone, without a look-up: it does not say whether a stranger's card exists.
    scan = scans.read(bare, scope.issuer_mark, live=scope.mode == "live")
    if scan.guessable:
        _demand_few(ctx, tx, scope)
    member = _found(ctx, tx, scope, scan, hold=hold, since=sold_at)
    if member.code is not None and hold and member.code.issue > 1 and not member.code.shown:
        issues.mark_shown(tx, member.code.id, ctx.now())
    return member


def held_member(
    ctx: Context,
    tx: Tx,
    scope: Scope,
    text: str,
    *,
    spends: bool = False,
    proof: Proof | None = None,
    sold_at: datetime | None = None,
) -> MemberRow:
    """The holder of a card, whose row is held from here on. Who `spends` is told whether the card is good now that it
    is held: while this waited it may have been replaced or cancelled.

    A `proof` went through `tried` before. Raises as `holder_of` does, and `Conflict`: `coupon-code`; of what spends
    `replaced-card`, `needs-fresh-code`, `second-proof-needed` and `wrong-proof`.
    """
    member = holder_of(ctx, tx, scope, text, hold=True, sold_at=sold_at)
    if member.coupon_pass is not None:
        raise Conflict("This is the code of a coupon; scan the card.", code="coupon-code", field="code")
    if spends:
        # What was read before the row was held may be of before.
        scan = scans.read(rotating.bare(text), scope.issuer_mark)
        member = replace(_found(ctx, tx, scope, scan), purses=member.purses)
        _demand_good(ctx, tx, scope, member, scan, text, proof)
    return member


def send_proof(ctx: Context, scope: Scope, text: str) -> Sent:
    """Send a one-time code to whoever holds this card, to an address that they proved. Raises as `holder_of` does,
    `Conflict` (`not-reachable`) and `TooMany`."""
    with ctx.change() as tx:
        member = holder_of(ctx, tx, scope, text, hold=True)
        sent = one_time.send(ctx, tx, member.id, one_time.PROOF)
    ctx.ring()
    return Sent(sent.kind, sent.masked)


def found_by(tx: Tx, scope: Scope, text: str, now: datetime) -> MemberRow | None:
    """Whose code this is, however it stands: for the console, which asks about those who left too."""
    for key in scans.read(text, scope.issuer_mark).keys:
        member = members.member_by_code(tx, scope, rotating.hashed(key), now)
        if member is not None:
            return member
    return None


def _found(
    ctx: Context, tx: Tx, scope: Scope, scan: Scan, *, hold: bool = False, since: datetime | None = None
) -> MemberRow:
    for key in scan.keys:
        member = members.member_by_code(tx, scope, rotating.hashed(key), ctx.now(), hold=hold, since=since)
        if member is not None:
            _demand_alive(member.code)
            return member
    if scan.counts:
        now = ctx.clock()
        database.regardless(tx, lambda other: _count_wrong(other, scope, now))
    if scan.unknown:
        raise NotFound(scan.said, code="unknown-card", field="code")
    raise codes.unreadable(scan.said)


def _demand_alive(code: CodeState | None) -> None:
    standing = members.CURRENT if code is None else code.standing
    if standing == members.GONE:
        raise Conflict(members.LEFT, code="revoked-card", field="code")
    if standing == members.REVOKED:
        sentence = "This card was cancelled; the shop can give its holder a new one."
        raise Conflict(sentence, code="revoked-card", field="code")
    if standing == members.EXPIRED:
        raise Conflict("The time of this card is over; the shop can give a new one.", code="expired-card", field="code")


def in_place(member: MemberRow) -> bool:
    """Whether no other card is in the place of the one whose code was scanned."""
    return member.code is not None and member.code.standing != members.REPLACED


def demand_in_place(member: MemberRow) -> CodeState:
    """How the code stands of a card in whose place there is no other. Raises `Conflict` (`replaced-card`)."""
    if member.code is None or not in_place(member):
        sentence = "This card was replaced by a newer one: it collects. Ask for the newer card to spend."
        raise Conflict(sentence, code="replaced-card", field="code")
    return member.code


def _demand_good(
    ctx: Context, tx: Tx, scope: Scope, member: MemberRow, scan: Scan, text: str, proof: Proof | None
) -> None:
    code = demand_in_place(member)
    if proof is not None:
        _demand_proven(ctx, tx, scope, member, proof)
        if code.standing == members.OLDER and code.pass_id is not None and not _copied(tx, scope, code, scan):
            issues.mark_proven(tx, code.pass_id, code.id)
        return
    rotating.demand_fresh(ctx, tx, scope, text)
    copied = _copied(tx, scope, code, scan)
    older = code.standing == members.OLDER and code.pass_id is not None
    visit = ctx.now() - rotating.VISIT
    if copied or (older and issues.newer_is_out(tx, code.pass_id or 0, code.issue, scope.till_id, visit)):
        sentence = (
            "This card is not up to date: it collects. To spend, a second proof is needed: open the card on the phone "
            "and pull it down, then scan again; or send a code to the member; or somebody who may vouches for them."
        )
        known = proofs(ctx, tx, scope, member.id)
        raise Conflict(sentence, code="second-proof-needed", field="code", facts={"proofs": known})


def _copied(tx: Tx, scope: Scope, code: CodeState, scan: Scan) -> bool:
    """Whether what was scanned is not what the card was signed as."""
    if code.key_id == codes.UNSIGNED or scan.code is None:
        return False
    return not code_keys.genuine(tx, scope.account_id, scan.code)


def proofs(ctx: Context, tx: Tx, scope: Scope, member_id: int) -> list[str]:
    """Which second proofs this member and this till have."""
    reached = [kind for kind in one_time.reachable(tx, member_id) if letters.channel_of(ctx, kind) is not None]
    may = scope.cashier is not None and VOUCH in scope.cashier.may
    return [*([CODE] if reached else []), *([CASHIER] if may else [])]


def _demand_proven(ctx: Context, tx: Tx, scope: Scope, member: MemberRow, proof: Proof) -> None:
    if proof.kind == CODE:
        if not one_time.good(ctx, tx, proof.guess, member.id, one_time.PROOF):
            sentence = "This is not the code that was sent, or it is over; type it again, or send another."
            raise Conflict(sentence, code="wrong-proof", field="proof")
        return
    if scope.cashier is None:
        raise Forbidden("Say who vouches: choose your name and enter your PIN.", code="cashier-needed", field="proof")
    if VOUCH not in scope.cashier.may:
        raise Forbidden("Your role does not cover this; ask an owner of the shop.", code="not-your-role", field="proof")


@dataclass(frozen=True)
class Few:
    """How many numbers of plastic were tried; counted before any is looked up."""

    wait_seconds: int

    def demand(self) -> None:
        """Raises `TooMany` (`too-many-codes`) where they were too many."""
        if self.wait_seconds:
            sentence = "Too many numbers were tried. Wait some minutes, then type it again."
            raise TooMany(sentence, code="too-many-codes", retry_after_seconds=self.wait_seconds)


def count_number(ctx: Context, scope: Scope) -> Few:
    """One more number of plastic that somebody types at this till, in a transaction of its own: such numbers are
    printed in a row, and whoever tries one after the other would collect what others have."""
    now = ctx.clock()
    window, wait = _window(now), 0
    with ctx.database.change() as tx:
        for name, most in _counters(scope):
            if limits.take(tx, f"plastic:{name}", window, 1) > most:
                wait = (window + WINDOW_MINUTES) * 60 - int(now.timestamp())
    return Few(wait)


def _demand_few(ctx: Context, tx: Tx, scope: Scope) -> None:
    """Nobody tries numbers one after the other."""
    now = ctx.clock()
    window = _window(now)
    for name, most in _counters(scope):
        if limits.taken(tx, name, window) >= most:
            wait = (window + WINDOW_MINUTES) * 60 - int(now.timestamp())
            sentence = "Too many numbers were tried that are no card's. Wait some minutes, or scan the card."
            raise TooMany(sentence, code="too-many-codes", retry_after_seconds=wait)


def _count_wrong(tx: Tx, scope: Scope, now: datetime) -> None:
    for name, _ in _counters(scope):
        limits.take(tx, name, _window(now), 1)


def _counters(scope: Scope) -> list[tuple[str, int]]:
    till = [] if scope.till_id is None else [(f"codes:till:{scope.till_id}", WRONG_AT_TILL)]
    return [*till, (f"codes:merchant:{scope.merchant_id}", WRONG_AT_MERCHANT)]


def _window(now: datetime) -> int:
    minute = int(now.timestamp()) // 60
    return minute - minute % WINDOW_MINUTES
