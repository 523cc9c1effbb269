"""Owns who stands at a till: PINs, and the shifts that they begin.

A PIN is short, so it is good with a till's own key alone, its hash is sealed besides, and after a few wrong ones the
person waits at that till, longer and longer. The others of the shop do not wait, and nor does the person at another
till: whoever holds one stolen device keeps nobody from working. Whoever guesses at many tills makes the person wait at
all of them; that counts anew every few days (`SPAN`), so that nobody waits for what went wrong in a year.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.counter import watching
from wallet_server.actions.staff import attempts
from wallet_server.actions.staff.attempts import FAR, NEAR
from wallet_server.actions.staff.person import Person
from wallet_server.actions.staff.roles import AT_TILL
from wallet_server.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from wallet_server.records.counter import shifts
from wallet_server.records.counter.shifts import CashierRow
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.scope import Cashier, Scope
from wallet_server.records.staff import deeds, staff, waits

LASTS = timedelta(hours=4)
"""How long a shift goes without its PIN."""
KEPT = timedelta(days=30)
FEWEST, MOST = 4, 8
PIN = re.compile(rf"[0-9]{{{FEWEST},{MOST}}}")
HERE, ANYWHERE = "pin", "pin-all"
SPAN = timedelta(days=3)
"""For so long failures at all tills are counted together: one till alone cannot reach `FAR` in it, as there it waits an
hour for each try after the first few; many together come to no more than `FAR` in a span, and one an hour."""
_RUNS = ("01234567890", "09876543210")
_USUAL = frozenset({"2580", "0852", "1379", "7913", "1590", "1470", "3690", "147258", "159357", "112358"})
"""What a finger draws on the pad, beside runs, pairs and years."""
MOST_TOKEN, MOST_TYPED = 120, 20
# OWASP's least for argon2id: a queue waits behind whoever types. What keeps so few digits safe is the seal around the
# hash, and the waits.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@dataclass(frozen=True)
class Listed:
    """Somebody who may stand at this till."""

    public_id: str
    name: str
    has_pin: bool


@dataclass(frozen=True)
class Shift:
    """A shift that has begun; the token is shown this once."""

    token: str
    cashier: Cashier
    until: datetime


def anybody(ctx: Context, scope: Scope) -> bool:
    """Whether anybody who may stand at the caller's till has a PIN."""
    return any(one.has_pin for one in at_till(ctx, scope))


def at_till(ctx: Context, scope: Scope) -> list[Listed]:
    """Who may stand at the caller's till, by name. Raises `Forbidden` (`needs-till`)."""
    _till(scope)
    with ctx.look() as tx:
        rows = shifts.people(tx, scope, tuple(AT_TILL))
    return [Listed(row.public_id, row.name, row.pin_cipher is not None) for row in rows]


def _till(scope: Scope) -> int:
    if scope.till_id is None:
        raise Forbidden("This needs the key of a till; a merchant's key cannot sell.", code="needs-till")
    return scope.till_id


# ---------------------------------------------------------------------- shifts


def begin(ctx: Context, scope: Scope, cashier: str, pin: str, new_pin: str | None = None) -> Shift:
    """Somebody takes over the caller's till; whoever stood there goes. A PIN that somebody else chose is changed at
    once (`new_pin`).

    Raises `NotFound`, `Invalid` (`wrong-pin`, `bad-pin`, `weak-pin`), `TooMany` (`pin-rests`) and `Conflict` (`no-pin`,
    `pin-change-needed`).
    """
    till = _till(scope)
    with ctx.look() as tx:
        row = _one(tx, scope, cashier)
    if row.pin_cipher is None:
        raise Conflict("This person has no PIN yet; they choose one in the console.", code="no-pin")
    here, everywhere = f"{HERE}:{till}", f"{ANYWHERE}:{int(ctx.now().timestamp() // SPAN.total_seconds())}"
    locked = _count(ctx, row, (here, everywhere))
    if not _matches(_opened(ctx, row), pin):
        attempts.note("pin failed", cashier=row.public_id, till=till)
        raise Invalid("This is not the PIN of this person.", code="wrong-pin", field="pin")
    with ctx.change() as tx:
        waits.clear(tx, row.id, [here])
        # Not begun anew: whoever guesses elsewhere would have all those tries again with each shift that begins.
        waits.give_back(tx, row.id, everywhere, unlock=everywhere in locked)
    sealed = None
    if row.first:
        if new_pin is None:
            raise Conflict("Somebody else chose this PIN: choose one of your own.", code="pin-change-needed")
        if new_pin == pin:
            raise Invalid("Choose another PIN than the one you were given.", code="weak-pin", field="new_pin")
        sealed = _sealed(ctx, row.public_id, new_pin)
    return _begun(ctx, scope, row, sealed)


def _begun(ctx: Context, scope: Scope, row: CashierRow, fresh_pin: str | None) -> Shift:
    now, secret, public_id = ctx.now(), secrets.token_urlsafe(32), new_id("shf")
    with ctx.change() as tx:
        now_row = _one(tx, scope, row.public_id)
        if now_row.pin_cipher != row.pin_cipher:
            raise Invalid("This is not the PIN of this person.", code="wrong-pin", field="pin")
        if fresh_pin is not None:
            shifts.set_pin(tx, row.id, fresh_pin, now, first=False)
            by = f"staff:{row.public_id}"
            deeds.add_by(tx, scope.merchant_id, by, deeds.PIN, now, staff_id=row.id, whom=row.id)
        shifts.add(tx, public_id, row.id, scope, digest(secret), now, now + LASTS)
        shifts.forget(tx, ctx.clock() - KEPT)  # of everybody, so not in this account's own time
        watching.set_off(tx, scope.merchant_id, now)
    who = Cashier(row.id, row.public_id, row.name, now_row.role, AT_TILL[now_row.role], public_id)
    return Shift(f"{public_id}.{secret}", who, now + LASTS)


def end(ctx: Context, scope: Scope) -> bool:
    """Nobody stands at the caller's till any more; whether anybody did."""
    _till(scope)
    with ctx.change() as tx:
        return shifts.end_at(tx, scope, ctx.now()) > 0


def cashier_of(ctx: Context, scope: Scope, token: str) -> Cashier | None:
    """Who stands at the caller's till by this token; None where it is over, or is not of this till's key."""
    public_id, _, secret = token.partition(".")
    if not secret or len(token) > MOST_TOKEN:
        return None
    row = shifts.shift(ctx.database, public_id)
    stored = row.secret_sha256 if row else bytes(32)
    if not hmac.compare_digest(digest(secret), stored) or row is None:
        return None
    # A rotated key is another key: the next one asks for the PIN again.
    if row.ended or row.disabled or row.key != scope.key_id or row.merchant_id != scope.merchant_id:
        return None
    if row.expires_at <= ctx.now() or row.role not in AT_TILL:
        return None
    return Cashier(row.staff_id, row.staff, row.name, row.role, AT_TILL[row.role], row.public_id)


def demand(scope: Scope, what: str) -> Cashier:
    """Who stands at the caller's till, if they may do this. Raises `Forbidden` (`cashier-needed`, `not-your-role`)."""
    if scope.cashier is None:
        raise Forbidden("Say who stands at the till: choose your name and enter your PIN.", code="cashier-needed")
    if what not in scope.cashier.may:
        raise Forbidden("Your role does not cover this; ask an owner of the shop.", code="not-your-role")
    return scope.cashier


def _count(ctx: Context, row: CashierRow, places: tuple[str, ...]) -> set[str]:
    """A try counts before it is looked at, so that many at once count as they do one after another; at which of the
    places it is waited from now on. A try that is not looked at counts nowhere. Raises `TooMany` (`pin-rests`)."""
    now, until = ctx.now(), None
    counted: list[str] = []
    locked: set[str] = set()
    with ctx.change() as tx:
        waits.forget(tx, row.id, now - attempts.FORGOTTEN)
        for place, patience in zip(places, (NEAR, FAR), strict=True):
            failures = waits.count(tx, row.id, place, now)
            if failures is None:
                until = waits.locked_at(tx, row.id, now)[place]
                break
            counted.append(place)
            wait = patience.wait(failures)
            if wait is not None:
                waits.lock(tx, row.id, place, now + wait)
                locked.add(place)
        if until is not None:
            for place in counted:
                waits.give_back(tx, row.id, place)
    if until is not None:
        seconds = max(1, int((until - now).total_seconds()) + 1)
        sentence = f"Too many wrong PINs. Wait {seconds} seconds, or let a colleague take the till."
        raise TooMany(sentence, code="pin-rests", retry_after_seconds=seconds)
    return locked


# ---------------------------------------------------------------------- PINs


def checked_pin(pin: str, field: str = "pin") -> str:
    """A PIN that may be stored. Raises `Invalid` (`bad-pin`, `weak-pin`)."""
    if not PIN.fullmatch(pin):
        raise Invalid(f"A PIN has from {FEWEST} to {MOST} digits.", code="bad-pin", field=field)
    if _weak(pin):
        raise Invalid("Others would guess this PIN; choose another.", code="weak-pin", field=field)
    return pin


def _weak(pin: str) -> bool:
    """Runs, one or two digits over and over, the same half twice, a mirror, years and days of birth, a usual one."""
    half = len(pin) // 2
    again = len(pin) % 2 == 0 and pin[:half] == pin[half:]
    dated = len(pin) == 4 and pin[:2] in ("19", "20")
    dated = dated or (len(pin) in (6, 8) and 1 <= int(pin[:2]) <= 31 and 1 <= int(pin[2:4]) <= 12)
    dated = dated or (len(pin) == 8 and pin[:2] in ("19", "20"))
    run = any(pin in one * 2 for one in _RUNS)
    return len(set(pin)) < 3 or again or pin == pin[::-1] or dated or run or pin in _USUAL


def choose_own(ctx: Context, person: Person, pin: str) -> None:
    """Somebody chooses their own PIN, in the console. Raises `Invalid` (`bad-pin`, `weak-pin`) and `Forbidden`."""
    if person.role not in AT_TILL:
        raise Forbidden("Your role does not cover this; ask an owner of the shop.", code="not-your-role")
    sealed = _sealed(ctx, person.public_id, checked_pin(pin))
    with ctx.change() as tx:
        _set(ctx, tx, person, person.staff_id, sealed, first=False)


def give(ctx: Context, person: Person, colleague: str, pin: str) -> None:
    """An owner gives somebody a PIN, who changes it at its first use; what they failed at is forgotten.

    Raises `NotFound`, `Invalid` (`bad-pin`, `weak-pin`) and `Conflict` (`not-at-tills`).
    """
    sealed = _sealed(ctx, colleague, checked_pin(pin))
    with ctx.change() as tx:
        row = staff.in_team(tx, person.scope, colleague)
        if row.role not in AT_TILL or row.disabled_at is not None:
            raise Conflict("This person does not stand at tills; change their role first.", code="not-at-tills")
        _set(ctx, tx, person, row.id, sealed, first=row.id != person.staff_id)


def _set(ctx: Context, tx: Tx, person: Person, staff_id: int, sealed: str, *, first: bool) -> None:
    now = ctx.now()
    shifts.set_pin(tx, staff_id, sealed, now, first=first)
    shifts.end_of(tx, staff_id, now)
    failed = [place for place in waits.places(tx, staff_id) if place.partition(":")[0] in (HERE, ANYWHERE)]
    waits.clear(tx, staff_id, failed)
    deeds.add(tx, person.scope, deeds.PIN, now, whom=staff_id)


def _sealed(ctx: Context, public_id: str, pin: str) -> str:
    return ctx.keyring.seal(_hasher.hash(checked_pin(pin)).encode(), f"pin:{public_id}")


def _matches(stored: str, pin: str) -> bool:
    try:
        return _hasher.verify(stored, pin[:MOST_TYPED])
    except VerifyMismatchError:
        return False


def _opened(ctx: Context, row: CashierRow) -> str:
    return ctx.keyring.open(row.pin_cipher or "", f"pin:{row.public_id}").decode()


def _one(tx: Tx, scope: Scope, public_id: str) -> CashierRow:
    found = next((row for row in shifts.people(tx, scope, tuple(AT_TILL)) if row.public_id == public_id), None)
    if found is None:
        raise NotFound("Nobody of this shop's tills is called that.")
    return found
