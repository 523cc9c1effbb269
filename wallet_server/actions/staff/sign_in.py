"""Owns signing in: address and password first, what else is needed after that, and the answer to those who fail."""

from __future__ import annotations

from wallet_server.actions.context import Context
from wallet_server.actions.staff import attempts, passwords, second_factor, sessions
from wallet_server.actions.staff.person import checked_email, normal_email
from wallet_server.actions.staff.sessions import Entered, Visit
from wallet_server.errors import Invalid, Unauthenticated
from wallet_server.records.database import Tx
from wallet_server.records.staff import deeds, factors, invitations, staff, waits
from wallet_server.records.staff import sessions as stored
from wallet_server.records.staff.staff import StaffRow

WRONG = "The address or the password is not right, or there were too many tries."


def with_password(
    ctx: Context, email: str, password: str, device: str, address: str, *, remember: bool, known: str = ""
) -> Entered:
    """Sign in; the session is pending where there is a second factor. `known` is what the browser keeps (`browsers`).

    Raises `Unauthenticated` (`wrong-sign-in`), the same and as late for an address that nobody has, for a wrong
    password, and for who has to wait; and `TooMany`.
    """
    with ctx.look() as tx:
        row = staff.by_email(tx, normal_email(email))
    trying = attempts.begin(ctx, row, address, "password", known)
    right = passwords.matches(row.password_hash if row else None, password)
    if row is None or not right or row.disabled_at is not None or trying.held:
        attempts.failed(ctx, trying)
        raise Unauthenticated(WRONG, code="wrong-sign-in")
    renewed = passwords.hashed(password) if passwords.outdated(row.password_hash or "") else None
    with ctx.change() as tx:
        if renewed:
            staff.change(tx, row.id, {"password_hash": renewed})
        if row.secured:
            attempts.give_back(ctx, tx, trying)
        else:
            attempts.passed(ctx, tx, trying, known)
        return sessions.begin(tx, row, device, remember, ctx.now(), pending=row.secured)


def with_code(ctx: Context, waiting: Visit, code: str, device: str, address: str, known: str = "") -> Entered:
    """The second factor of a pending session: a one-time code or a backup code. The session is a new one.

    After a password that a backup code chose, no further one will do. Raises `Unauthenticated` (`wrong-code`,
    `codes-rest`) and `TooMany`.
    """
    now = ctx.now()
    with ctx.look() as tx:
        row = staff.by_id(tx, waiting.person.staff_id)
    trying = attempts.begin_second(ctx, row, address, known)
    entered: Entered | None = None
    if waiting.pending and not trying.held:
        with ctx.change() as tx:
            if second_factor.accept(ctx, tx, row, code):
                attempts.passed(ctx, tx, trying, known)
                stored.end(tx, waiting.session_id, now)
                entered = sessions.begin(tx, row, device, waiting.remembered, now)
    if entered is None:
        attempts.failed(ctx, trying)
        if row.code_reset_at is not None:
            raise Unauthenticated(
                "A backup code chose your password, so only your app or a passkey lets you in now.", code="codes-rest"
            )
        raise Unauthenticated("This code does not fit, or was used before. Wait for the next one.", code="wrong-code")
    return entered


def reset_by_backup_code(ctx: Context, email: str, code: str, password: str, address: str, known: str = "") -> None:
    """A new password for who is alone and has forgotten theirs: a backup code shows who they are; it is used up.

    Until they have signed in with their app or a passkey, no other backup code lets in: a sheet of codes is one factor
    and not both. Ends every session.

    Raises `Unauthenticated` (`wrong-reset`), `Invalid` for a weak password, and `TooMany`.
    """
    email = checked_email(email)
    passwords.check(password, email)
    fresh = passwords.hashed(password)
    now = ctx.now()
    with ctx.look() as tx:
        row = staff.by_email(tx, email)
    trying = attempts.begin(ctx, row, address, "backup code", known)
    done = False
    # A sheet that outlived app and passkeys would be all that it takes: it opens nothing then.
    if row is not None and row.secured and row.disabled_at is None and not trying.held:
        with ctx.change() as tx:
            done = factors.use_code(tx, row.id, second_factor.code_hash(row, code), now)
            if done:
                set_password(ctx, tx, row, fresh)
                staff.change(tx, row.id, {"code_reset_at": now})
                by = f"staff:{row.public_id}"
                deeds.add_by(tx, row.merchant_id, by, deeds.PASSWORD, now, staff_id=row.id)
                attempts.passed(ctx, tx, trying, known)
    if not done:
        attempts.failed(ctx, trying)
        raise Unauthenticated("The address or the code is not right, or there were too many tries.", code="wrong-reset")


def set_password(ctx: Context, tx: Tx, row: StaffRow, fresh: str, *, but: int | None = None) -> None:
    """Put a hash in the place of the old one. The person's sessions end, but for the one named, and so do links that
    would choose another password."""
    staff.change(tx, row.id, {"password_hash": fresh, "code_reset_at": None})
    stored.end_of(tx, row.id, ctx.now(), but=but)
    for purpose in invitations.RESETTING:
        invitations.revoke_all(tx, purpose, row.id, ctx.now())
    waits.clear(tx, row.id)
    attempts.note("password changed", row)


def change_password(ctx: Context, here: Visit, old: str, new: str, address: str) -> None:
    """Change one's own password; the other sessions end. Raises `Invalid` (`wrong-password` and the weak ones)."""
    with ctx.look() as tx:
        row = staff.by_id(tx, here.person.staff_id)
    confirm(ctx, row, old, address)
    passwords.check(new, row.email)
    fresh = passwords.hashed(new)
    with ctx.change() as tx:
        set_password(ctx, tx, row, fresh, but=here.session_id)


def confirm(ctx: Context, row: StaffRow, password: str, address: str) -> None:
    """Whoever is signed in says the password once more before something that matters. Raises `Invalid`
    (`wrong-password`); failures lead to waits, as in signing in."""
    trying = attempts.begin_inside(ctx, row, address)
    right = passwords.matches(row.password_hash, password)
    if right and not trying.held:
        with ctx.change() as tx:
            attempts.passed(ctx, tx, trying)
    else:
        attempts.failed(ctx, trying)
        raise Invalid("This is not your password.", code="wrong-password", field="password")
