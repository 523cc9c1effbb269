"""Owns the team: who belongs to a merchant, as what, how somebody joins or leaves, and help for who is locked out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.staff import attempts, links
from wallet_server.actions.staff.person import Person, checked_email, normal_email
from wallet_server.actions.staff.roles import OWNER, ROLES
from wallet_server.errors import Conflict, Invalid, NotFound
from wallet_server.records.counter import pairings
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.operating import operating
from wallet_server.records.people import card_returns
from wallet_server.records.staff import deeds, invitations, sessions, staff, waits
from wallet_server.records.staff.staff import StaffRow

MOST_OPEN = 50
"""Invitations of one merchant that nobody has answered."""


@dataclass(frozen=True)
class Colleague:
    """Somebody of the team. `state` is active, locked or disabled; `secured` when there is a second factor."""

    public_id: str
    name: str
    email: str
    role: str
    state: str
    secured: bool
    last_seen_at: datetime | None


@dataclass(frozen=True)
class Invited:
    """An invitation that waits for its answer."""

    public_id: str
    role: str
    email: str | None
    created_at: datetime
    expires_at: datetime


def people(ctx: Context, person: Person) -> list[Colleague]:
    """Everybody of the merchant, disabled people last."""
    now = ctx.now()
    with ctx.look() as tx:
        rows = staff.all_in(tx, person.scope)
        held = waits.waiting_in(tx, person.scope, now)
    return [
        Colleague(r.public_id, r.name, r.email, r.role, _state(r, r.id in held), r.secured, seen) for r, seen in rows
    ]


def _state(row: StaffRow, held: bool) -> str:
    if row.disabled_at is not None:
        return "disabled"
    return "locked" if held else "active"


def waiting(ctx: Context, person: Person) -> list[Invited]:
    """The merchant's open invitations."""
    with ctx.look() as tx:
        rows = invitations.open_in(tx, person.scope, links.JOIN, ctx.now())
    return [Invited(r.public_id, r.role, r.email, r.created_at, r.expires_at) for r in rows]


def invite(ctx: Context, person: Person, role: str, email: str, secret: str) -> str:
    """The link by which somebody joins the team. The page gives the secret, so that sending it twice invites once.

    Raises `Invalid` (`bad-role`, `bad-email`, `bad-link`) and `Conflict` (`many-invitations`).
    """
    if role not in ROLES:
        raise Invalid("Choose a role.", code="bad-role", field="role")
    to = checked_email(email) if email.strip() else None
    with ctx.change() as tx:
        known = invitations.by_secret(tx, digest(secret))
        if known is not None and (known.merchant_id, known.role) != (person.scope.merchant_id, role):
            raise Invalid("Open the page again and repeat this.", code="bad-link")
        if known is None:
            if len(invitations.open_in(tx, person.scope, links.JOIN, ctx.now())) >= MOST_OPEN:
                raise Conflict("Too many invitations wait for an answer; take some back.", code="many-invitations")
            where = {"account_id": person.scope.account_id, "merchant_id": person.scope.merchant_id}
            links.keep(ctx, tx, links.JOIN, secret, role, invited_by=person.staff_id, email=to, **where)
            deeds.add(tx, person.scope, deeds.INVITED, ctx.now(), detail=role)
    return f"{ctx.settings.base_url}/invite/{secret}"


def take_back(ctx: Context, person: Person, invitation: str) -> None:
    """End an invitation. Raises `NotFound`."""
    with ctx.change() as tx:
        if invitations.revoke(tx, person.scope, invitation, ctx.now()):
            deeds.add(tx, person.scope, deeds.TAKEN_BACK, ctx.now(), about=invitation)


def give_role(ctx: Context, person: Person, public_id: str, role: str) -> None:
    """Change what somebody may do, from their next page on.

    Raises `NotFound`, `Invalid` (`bad-role`) and `Conflict` (`last-owner`).
    """
    if role not in ROLES:
        raise Invalid("Choose a role.", code="bad-role", field="role")
    with ctx.change() as tx:
        row = staff.in_team(tx, person.scope, public_id)
        if row.role == OWNER and role != OWNER:
            _keep_an_owner(tx, row)
            _end_what_they_opened(ctx, tx, row)
        staff.change(tx, row.id, {"role": role})
        if role != row.role:
            card_returns.end_made_by(tx, row.id, ctx.now())
            deeds.add(tx, person.scope, deeds.ROLE, ctx.now(), whom=row.id, detail=role)
    attempts.note("role changed", row, role=role, by=person.public_id)


def _keep_an_owner(tx: Tx, row: StaffRow) -> None:
    if row.disabled_at is None and not set(staff.active_owners(tx, row.merchant_id, OWNER)) - {row.id}:
        raise Conflict("This is the only owner; make somebody else an owner first.", code="last-owner")


def _end_what_they_opened(ctx: Context, tx: Tx, row: StaffRow) -> None:
    """Links and pairings are an owner's to make: whoever no longer is one comes back through none of theirs."""
    invitations.revoke_made_by(tx, row.id, ctx.now())
    pairings.drop_made_by(tx, row.id)


def disable(ctx: Context, person: Person, public_id: str) -> None:
    """Keep somebody out; their sessions end, and the links that they made.

    Raises `NotFound` and `Conflict` (`last-owner`)."""
    with ctx.change() as tx:
        row = staff.in_team(tx, person.scope, public_id)
        if row.role == OWNER:
            _keep_an_owner(tx, row)
        if row.disabled_at is None:
            staff.change(tx, row.id, {"disabled_at": ctx.now()})
            deeds.add(tx, person.scope, deeds.DISABLED, ctx.now(), whom=row.id)
        sessions.end_of(tx, row.id, ctx.now())
        _end_what_they_opened(ctx, tx, row)
        card_returns.end_made_by(tx, row.id, ctx.now())
        for purpose in invitations.RESETTING:
            invitations.revoke_all(tx, purpose, row.id, ctx.now())
    attempts.note("disabled", row, by=person.public_id)


def enable(ctx: Context, person: Person, public_id: str) -> None:
    """Let somebody in again, and end the wait of who failed too often. Raises `NotFound`."""
    with ctx.change() as tx:
        row = staff.in_team(tx, person.scope, public_id)
        staff.change(tx, row.id, {"disabled_at": None})
        waits.clear(tx, row.id)
        what = deeds.UNLOCKED if row.disabled_at is None else deeds.ENABLED
        deeds.add(tx, person.scope, what, ctx.now(), whom=row.id)
    attempts.note("let in again", row, by=person.public_id)


def reset_link(ctx: Context, person: Person, public_id: str, secret: str, *, lost: bool) -> str:
    """The link by which a colleague chooses a new password; one that was made before ends. With `lost`, opening it also
    forgets the second factor that the colleague has lost. Raises `NotFound` and `Invalid` (`bad-link`, `own-link`)."""
    if public_id == person.public_id:
        raise Invalid("Change your own password on your account's page.", code="own-link")
    with ctx.change() as tx:
        row = staff.in_team(tx, person.scope, public_id)
        known = invitations.by_secret(tx, digest(secret))
        if known is not None and known.staff_id != row.id:
            raise Invalid("Open the page again and repeat this.", code="bad-link")
        if known is None:
            _reset(ctx, tx, row, secret, person.staff_id, lost=lost)
            deeds.add(tx, person.scope, deeds.RECOVER if lost else deeds.RESET, ctx.now(), whom=row.id)
    attempts.note("reset link made", row, by=person.public_id, lost=lost)
    return f"{ctx.settings.base_url}/reset/{secret}"


def _reset(ctx: Context, tx: Tx, row: StaffRow, secret: str, by: int | None, *, lost: bool) -> None:
    for purpose in invitations.RESETTING:
        invitations.revoke_all(tx, purpose, row.id, ctx.now())
    purpose = links.RECOVER if lost else links.RESET
    links.keep(
        ctx,
        tx,
        purpose,
        secret,
        row.role,
        account_id=row.account_id,
        merchant_id=row.merchant_id,
        invited_by=by,
        staff_id=row.id,
    )


# ---------------------------------------------------------------------- from the command line


def reset_by_operator(ctx: Context, email: str, *, lost: bool) -> str:
    """The same link, for whoever has the server. Raises `NotFound`."""
    secret = links.new_secret()
    with ctx.change() as tx:
        row = staff.by_email(tx, normal_email(email))
        if row is None:
            raise NotFound("Nobody signs in with this address.")
        _reset(ctx, tx, row, secret, None, lost=lost)
        what = deeds.RECOVER if lost else deeds.RESET
        deeds.add_by(tx, row.merchant_id, deeds.OPERATOR, what, ctx.now(), whom=row.id)
    attempts.note("reset link made", row, by="operator", lost=lost)
    return f"{ctx.settings.base_url}/reset/{secret}"


def invite_by_operator(ctx: Context, merchant: str, role: str) -> str:
    """A link by which somebody joins a merchant's team, for whoever has the server. Raises `NotFound`."""
    secret = links.new_secret()
    with ctx.change() as tx:
        row = operating.merchant(tx, merchant)
        links.keep(ctx, tx, links.JOIN, secret, role, account_id=row.account_id, merchant_id=row.id)
        deeds.add_by(tx, row.id, deeds.OPERATOR, deeds.INVITED, ctx.now(), detail=role)
    return f"{ctx.settings.base_url}/invite/{secret}"


def demo_link(ctx: Context, merchant: str, name: str, email: str) -> str:
    """A link that enters the sandbox's demonstration shop as its owner, who is made when there is none."""
    secret = links.new_secret()
    with ctx.change() as tx:
        row = operating.merchant(tx, merchant)
        known = staff.by_email(tx, email)
        if known is None:
            values = {"public_id": new_id("stf"), "account_id": row.account_id, "merchant_id": row.id, "role": OWNER}
            staff.add(tx, values | {"email": email, "name": name, "language": "fr", "created_at": ctx.now()})
            known = staff.by_email(tx, email)
        invitations.revoke_all(tx, links.ENTER, known.id if known else None, ctx.now())
        links.keep(ctx, tx, links.ENTER, secret, OWNER, merchant_id=row.id, staff_id=known.id if known else None)
    return secret
