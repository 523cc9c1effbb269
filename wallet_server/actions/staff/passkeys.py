"""Owns passkeys (WebAuthn Level 2): something that one has and that asks for finger, face or PIN is both factors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
import webauthn
from webauthn.helpers import base64url_to_bytes, options_to_json, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.staff import attempts, sessions
from wallet_server.actions.staff.person import Person
from wallet_server.actions.staff.sessions import Entered
from wallet_server.errors import Conflict, Invalid, NotFound, Unauthenticated
from wallet_server.records.staff import factors, staff

REGISTER, SIGN_IN = "register", "sign-in"
LIVES = timedelta(minutes=5)
MOST_PASSKEYS = 20
MOST_ANSWER = 20_000
MOST_CHALLENGES = 300
"""For signing in from one network address in an hour."""


@dataclass(frozen=True)
class Party:
    """For whom a passkey is: the host's name (a passkey knows no network address), and the origin of the pages."""

    id: str
    origin: str


@dataclass(frozen=True)
class Passkey:
    """One of a person's passkeys, for their own list."""

    public_id: str
    name: str
    created_at: datetime
    used_at: datetime | None


def of(ctx: Context, person: Person) -> list[Passkey]:
    """This person's passkeys."""
    with ctx.look() as tx:
        rows = factors.passkeys_of(tx, person.staff_id)
    return [Passkey(r.public_id, r.name, r.created_at, r.used_at) for r in rows]


def registration(ctx: Context, person: Person, party: Party) -> str:
    """What the browser needs to make a passkey, as JSON. Raises `Conflict` (`many-passkeys`)."""
    with ctx.look() as tx:
        known = factors.passkeys_of(tx, person.staff_id)
    if len(known) >= MOST_PASSKEYS:
        raise Conflict(f"There are {MOST_PASSKEYS} passkeys already; remove one first.", code="many-passkeys")
    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name=person.merchant,
        user_id=person.public_id.encode(),
        user_name=person.email,
        user_display_name=person.name,
        timeout=int(LIVES.total_seconds() * 1000),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential) for one in known],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    with ctx.change() as tx:
        factors.add_challenge(tx, person.staff_id, REGISTER, options.challenge, ctx.now() + LIVES)
    return options_to_json(options)


def register(ctx: Context, person: Person, party: Party, answer: str, name: str) -> None:
    """Keep the passkey that the browser made. Raises `Invalid` (`bad-passkey`)."""
    challenge = _challenge(answer)
    with ctx.change() as tx:
        ours = factors.take_challenge(tx, person.staff_id, REGISTER, challenge, ctx.now())
    try:
        if not ours:
            raise Invalid("This took too long; try again.", code="bad-passkey")
        made = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError) as fault:
        raise Invalid("The passkey was not made; try again.", code="bad-passkey") from fault
    with ctx.change() as tx:
        row = staff.by_id(tx, person.staff_id)
        if factors.passkey(tx, made.credential_id) is not None:
            raise Invalid("This passkey is known already.", code="bad-passkey")
        values = {"public_id": new_id("pk"), "staff_id": row.id, "name": " ".join(name.split())[:100] or "—"}
        values |= {"credential": made.credential_id, "public_key": made.credential_public_key}
        factors.add_passkey(tx, values | {"sign_count": made.sign_count, "created_at": ctx.now()})
    attempts.note("second factor set up", row, how="passkey")


def remove(ctx: Context, person: Person, public_id: str) -> None:
    """Forget a passkey. Raises `NotFound`."""
    with ctx.change() as tx:
        row = staff.by_id(tx, person.staff_id)
        if not factors.drop_passkey(tx, person.staff_id, public_id):
            raise NotFound("There is no such passkey.")
    attempts.note("second factor removed", row, how="passkey")


def question(ctx: Context, party: Party, address: str) -> str:
    """What the browser needs to sign in with any passkey that it has for us, as JSON. Raises `TooMany`."""
    attempts.check_address(ctx, address, MOST_CHALLENGES, "passkey")
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        timeout=int(LIVES.total_seconds() * 1000),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    now = ctx.now()
    with ctx.change() as tx:
        attempts.count_address(ctx, tx, address, "passkey")
        factors.add_challenge(tx, None, SIGN_IN, options.challenge, now + LIVES)
    return options_to_json(options)


def sign_in(
    ctx: Context, party: Party, answer: str, device: str, address: str, *, remember: bool, known: str = ""
) -> Entered:
    """Sign in with a passkey alone. Raises `Unauthenticated` (`wrong-passkey`).

    Nothing that failed before holds it back: a passkey cannot be guessed, and whoever mistypes somebody's password must
    not lock them out. The questions alone are limited.
    """
    challenge, now = _challenge(answer), ctx.now()
    with ctx.change() as tx:
        ours = factors.take_challenge(tx, None, SIGN_IN, challenge, now)
    with ctx.change() as tx:
        key = factors.passkey(tx, _credential(answer))
        row = staff.by_id(tx, key.staff_id) if key else None
        if ours and key and row and row.disabled_at is None:
            try:
                seen = webauthn.verify_authentication_response(
                    credential=answer,
                    expected_challenge=challenge,
                    expected_rp_id=party.id,
                    expected_origin=party.origin,
                    credential_public_key=key.public_key,
                    credential_current_sign_count=key.sign_count,
                    require_user_verification=True,
                )
            except (WebAuthnException, ValueError):
                row = None
            else:
                factors.use_passkey(tx, key.id, seen.new_sign_count, now)
                staff.change(tx, row.id, {"code_reset_at": None})
                attempts.let_in(ctx, tx, row, address, known)
                return sessions.begin(tx, row, device, remember, now)
    attempts.note("sign-in failed", how="passkey", address=address)
    raise Unauthenticated("This passkey is not known here. Sign in with your password.", code="wrong-passkey")


def _challenge(answer: str) -> bytes:
    try:
        given = _read(answer)["response"]["clientDataJSON"]
        return parse_client_data_json(base64url_to_bytes(given)).challenge
    except (WebAuthnException, ValueError, KeyError, TypeError) as fault:
        raise Invalid("This is no answer of a passkey.", code="bad-passkey") from fault


def _credential(answer: str) -> bytes:
    try:
        return base64url_to_bytes(_read(answer)["rawId"])
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise Invalid("This is no answer of a passkey.", code="bad-passkey") from fault


def _read(answer: str) -> dict:  # type: ignore[type-arg]
    if len(answer) > MOST_ANSWER:
        raise ValueError("too long")
    found = orjson.loads(answer)
    if not isinstance(found, dict):
        raise TypeError("not an object")
    return found
