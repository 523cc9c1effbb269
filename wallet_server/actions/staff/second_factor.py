"""Owns the second factor that is typed: one-time codes of an authenticator app (TOTP, RFC 6238) and backup codes."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

import pyotp

from wallet_server.actions.context import Context
from wallet_server.actions.staff import attempts
from wallet_server.actions.staff.person import Person
from wallet_server.errors import Conflict, Invalid
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.staff import factors, staff
from wallet_server.records.staff.staff import StaffRow

STEP_SECONDS = 30
BACKUP_CODES = 8
_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_CODE_CHARACTERS = 12


@dataclass(frozen=True)
class Setup:
    """What an authenticator app needs: the secret to type, and the same as an address for a QR symbol."""

    secret: str
    address: str


@dataclass(frozen=True)
class Standing:
    """What a person has: an authenticator app (or one that was begun), and how many backup codes are left."""

    app: bool
    begun: bool
    codes_left: int


def standing(ctx: Context, person: Person) -> Standing:
    """What this person has set up."""
    with ctx.look() as tx:
        row = staff.by_id(tx, person.staff_id)
        left = factors.codes_left(tx, person.staff_id)
    confirmed = row.totp_confirmed_at is not None
    return Standing(confirmed, row.totp_cipher is not None and not confirmed, left)


def start(ctx: Context, person: Person) -> None:
    """Begin to set up an authenticator app, with a fresh secret. Raises `Conflict` (`has-factor`)."""
    secret = pyotp.random_base32()
    with ctx.change() as tx:
        row = staff.by_id(tx, person.staff_id)
        if row.totp_confirmed_at is not None:
            raise Conflict("There is an authenticator app already; remove it first.", code="has-factor")
        staff.change(tx, row.id, {"totp_cipher": ctx.keyring.seal(secret.encode(), _context(row)), "totp_step": 0})


def _context(row: StaffRow) -> str:
    return f"totp:{row.public_id}"


def setup(ctx: Context, person: Person) -> Setup | None:
    """What was begun, until it is confirmed."""
    with ctx.look() as tx:
        row = staff.by_id(tx, person.staff_id)
    if row.totp_cipher is None or row.totp_confirmed_at is not None:
        return None
    secret = ctx.keyring.open(row.totp_cipher, _context(row)).decode()
    return Setup(secret, pyotp.TOTP(secret).provisioning_uri(name=row.email, issuer_name=row.merchant))


def confirm(ctx: Context, person: Person, code: str) -> tuple[str, ...]:
    """The app's first code shows that it works; returns backup codes, which are shown this once.

    Raises `Invalid` (`wrong-code`).
    """
    with ctx.change() as tx:
        row = staff.by_id(tx, person.staff_id)
        if row.totp_confirmed_at is not None or not _fits(ctx, tx, row, code):
            raise Invalid("This code does not fit. Wait for the next one and type it.", code="wrong-code", field="code")
        staff.change(tx, row.id, {"totp_confirmed_at": ctx.now()})
        codes = _new_codes(ctx, tx, row)
    attempts.note("second factor set up", row, how="app")
    return codes


def remove(ctx: Context, person: Person) -> None:
    """Forget the authenticator app and the backup codes that came with it."""
    with ctx.change() as tx:
        row = staff.by_id(tx, person.staff_id)
        drop(ctx, tx, row)
    attempts.note("second factor removed", row, how="app")


def drop(ctx: Context, tx: Tx, row: StaffRow) -> None:
    """The same, within a transaction."""
    staff.change(tx, row.id, {"totp_cipher": None, "totp_confirmed_at": None, "totp_step": 0})
    factors.replace_codes(tx, row.id, (), ctx.now())


def renew_codes(ctx: Context, person: Person) -> tuple[str, ...]:
    """Eight fresh backup codes; the old ones end."""
    with ctx.change() as tx:
        row = staff.by_id(tx, person.staff_id)
        codes = _new_codes(ctx, tx, row)
    attempts.note("backup codes renewed", row)
    return codes


def _new_codes(ctx: Context, tx: Tx, row: StaffRow) -> tuple[str, ...]:
    codes = tuple("".join(secrets.choice(_ALPHABET) for _ in range(_CODE_CHARACTERS)) for _ in range(BACKUP_CODES))
    factors.replace_codes(tx, row.id, [code_hash(row, one) for one in codes], ctx.now())
    return tuple("-".join(one[place : place + 4] for place in range(0, _CODE_CHARACTERS, 4)) for one in codes)


def code_hash(row: StaffRow, code: str) -> bytes:
    """How a backup code is stored: each person's own way, however it was typed."""
    plain = "".join(letter for letter in code.upper()[:100] if letter in _ALPHABET)
    return digest(f"{row.public_id}:{plain}")


def accept(ctx: Context, tx: Tx, row: StaffRow, code: str) -> bool:
    """Whether this code lets in; it is used up then. No backup code does after one that chose the password."""
    if row.totp_confirmed_at is not None and _fits(ctx, tx, row, code):
        staff.change(tx, row.id, {"code_reset_at": None})
        return True
    if row.code_reset_at is not None:
        return False
    used = factors.use_code(tx, row.id, code_hash(row, code), ctx.now())
    if used:
        attempts.note("backup code used", row)
    return used


def _fits(ctx: Context, tx: Tx, row: StaffRow, code: str) -> bool:
    """One step early or late is forgiven, as clocks differ (RFC 6238, 5.2); each step is good once."""
    digits = "".join(letter for letter in code[:100] if letter.isascii() and letter.isdigit())
    if row.totp_cipher is None or len(digits) != 6:
        return False
    totp = pyotp.TOTP(ctx.keyring.open(row.totp_cipher, _context(row)).decode(), interval=STEP_SECONDS)
    now = int(ctx.now().timestamp()) // STEP_SECONDS
    right = [step for step in (now - 1, now, now + 1) if hmac.compare_digest(totp.generate_otp(step), digits)]
    return any(staff.take_step(tx, row.id, step) for step in right)
