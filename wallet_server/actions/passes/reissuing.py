"""Owns the issues of a card's code: the first, and a further one whenever something was spent with the one before.

Whoever copied a card (a photograph, a screenshot) has an issue that is older as soon as its owner spends with it. Older
ones go on saying who somebody is, and earn: a phone that was off has not fetched the newer one.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from wallet_server.actions import code_keys
from wallet_server.actions.context import Context
from wallet_server.records.database import Tx
from wallet_server.records.passes import issues, passes
from wallet_server.records.passes.passes import PASS_CODE
from wallet_server.records.people.members import MemberRow
from wallet_server.records.scope import Scope
from wallet_server.rules.counter import codes, short_codes
from wallet_server.rules.counter.codes import Code
from wallet_server.rules.counter.short_codes import Short

MOST_DRAWS = 20


def draw(tx: Tx, mark: str) -> tuple[int, bytes]:
    """A number for the short form of a code that no other of the account has, and what it is found by."""
    for _ in range(MOST_DRAWS):
        number = short_codes.number_from_random(secrets.token_bytes(5))
        short = passes.lookup_hash(short_codes.short_key(Short(mark, number)))
        if not issues.short_is_taken(tx, short):
            break
    return number, short


def sealed(ctx: Context, code: Code, number: int, serial: str) -> str:
    """A code and the number of its short form, as the row of a pass keeps them."""
    return ctx.keyring.seal(f"{codes.write(code)}\n{number}".encode(), f"code:{serial}")


def opened(ctx: Context, cipher: str, serial: str) -> tuple[str, int | None]:
    """The same, opened: the text of the code, and the number; None where the code is older than short forms are."""
    text, _, number = ctx.keyring.open(cipher, f"code:{serial}").decode().partition("\n")
    return text, int(number) if number else None


@dataclass(frozen=True)
class Shown:
    """A code in the ways in which a card shows it: in full, to be typed, and in digits alone. The latter are empty
    where the code is older than short forms are."""

    text: str
    typed: str
    digits: str


def shown(ctx: Context, cipher: str, serial: str) -> Shown:
    """What a card shows of its code, as the row of its pass keeps it."""
    text, number = opened(ctx, cipher, serial)
    if number is None:
        return Shown(text, "", "")
    short = Short(text.split(".", 2)[1], number)
    return Shown(text, short_codes.manual(number), short_codes.digits(short))


def follow(ctx: Context, tx: Tx, scope: Scope, member: MemberRow, now: datetime) -> None:
    """Something was spent with this card: it gets its next issue. The caller holds the member, and makes the card
    stale in the same transaction.

    While nobody has the newest issue there is no need of a further one; nor while somebody has it who did not show it
    here, unless they have proved to be the same. A coupon has one use, plastic one code.
    """
    state = member.code
    if state is None or state.pass_id is None or state.kind != PASS_CODE:
        return
    newest = issues.newest(tx, state.pass_id)
    if newest.issue > state.issue and newest.issue > issues.same_upto(tx, state.id):
        return
    read = codes.read(opened(ctx, newest.cipher, newest.serial)[0])
    code = code_keys.signed(ctx, tx, scope.account_id, replace(read, issue=read.issue + 1))
    number, short = draw(tx, code.issuer)
    lookup = passes.lookup_hash(codes.lookup_key(code))
    issues.add_next(
        tx, newest, lookup, short, sealed(ctx, code, number, newest.serial), code.key_id, now, scope.till_id
    )
