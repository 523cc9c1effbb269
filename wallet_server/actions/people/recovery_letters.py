"""Owns recovery by a code that is sent: whoever has lost the card and its code still has the mailbox or the number.

Asking answers alike, and as fast, whether the address is anybody's: only a job looks. Who types the code proves the
address, and gets the card that named it back, or chooses among several: one card for each code. An address that nobody
proved leads to a card only where its member typed it on the join page (`contacts.led_to`).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

import orjson

from wallet_server.actions.context import Context
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.people import letters, one_time, recovery, visitors
from wallet_server.actions.people.visitors import Allowed
from wallet_server.errors import Conflict, Invalid, Misconfigured, NotFound, WalletError
from wallet_server.records.database import Tx
from wallet_server.records.people import contacts, members
from wallet_server.records.programme import programmes
from wallet_server.records.requests import Claim
from wallet_server.rules.people.contacts import Address, masked, typed
from wallet_server.rules.people.letters import RECOVER

CHOOSING = timedelta(minutes=10)
"""How long after the code was typed one may choose among several cards."""
AGAIN = timedelta(minutes=1)
"""For so long the same form, sent again, gets what it got."""
MOST_CARDS = 20
_CHOICE = "recover-choice"


@dataclass(frozen=True)
class Offered:
    """One of several cards that an address leads to: the member's public id, the shop, and since when."""

    member: str
    shop: str
    since: str


@dataclass(frozen=True)
class Proved:
    """What a code that was typed led to: the card that is back, or cards to choose from with a token for the choice."""

    back: Facts | None
    cards: tuple[Offered, ...] = ()
    token: str = ""


def ways(ctx: Context) -> tuple[str, ...]:
    """By which kinds of address codes can be sent from here."""
    return tuple(sorted(ctx.channels))


def ask(ctx: Context, text: str, tongue: str, visitor: str | None) -> str:
    """Have a code sent to whoever has a card under this address: how the address is shown. Nothing tells whether
    anybody has. Raises `Invalid` (`bad-address`, `no-channel`) and `TooMany`."""
    address = _address(ctx, text)
    with ctx.change() as tx:
        visitors.count(ctx, tx, _asking(ctx), "all", visitor)
        one_time.ask(ctx, tx, address, RECOVER, tongue)
    ctx.ring()
    return masked(address)


def prove(ctx: Context, text: str, value: str, form: str, visitor: str | None) -> Proved:
    """Type the code: the one card of this address is back, or there is a choice. A code does that once; a form that is
    sent twice in one go (a double tap) gets the same. Raises `NotFound` (`wrong-sent-code`), in the same words whether
    the address is anybody's, and `TooMany`."""
    address = _address(ctx, text)
    with ctx.change() as tx:
        visitors.count(ctx, tx, _guesses(ctx), "all", visitor)
    tried = one_time.guess_of_address(ctx, address, RECOVER, value)

    def act(tx: Tx) -> Facts:
        meant = _meant(tx, address)
        if not meant or not one_time.good(ctx, tx, tried, None, RECOVER):
            raise _wrong()
        if len(meant) > 1:
            return _timed(ctx, {"members": meant, "choice": secrets.token_urlsafe(18)})
        return _timed(ctx, _back(ctx, tx, meant[0], address))

    facts = _in_one_go(ctx, once(ctx, _wish(f"{address.value}\0{value}", form), act))
    ctx.ring()
    if "members" not in facts:
        return Proved(facts)
    return Proved(None, _offered(ctx, facts["members"]), _token(ctx, address, facts))


def choose(ctx: Context, token: str, member: str, form: str) -> Facts:
    """The card that was chosen is back: {pass, join_code}. One choice for each code that was typed. Raises `NotFound`
    (`wrong-sent-code`) when the choice is over, or was made."""
    try:
        said = orjson.loads(ctx.keyring.open(token[:4000], _CHOICE))
    except (WalletError, ValueError) as fault:
        raise _wrong() from fault
    address = Address(said["kind"], said["value"])

    def act(tx: Tx) -> Facts:
        found = members.members_by_id(tx, said["members"])
        key = next((row.id for row in found.values() if row.public_id == member), None)
        # The address may lead elsewhere since: its member removed it, or another proved it.
        if key is None or said["until"] < ctx.clock().timestamp() or key not in _meant(tx, address):
            raise _wrong()
        return _timed(ctx, _back(ctx, tx, key, address))

    choice = f"choice:{said['choice']}"
    wish = _wish(f"{choice}\0{member}", form)
    try:
        done = once(ctx, replace(wish, claims=(*wish.claims, Claim("recover", choice))), act)
    except Conflict as fault:
        raise _wrong() from fault
    facts = _in_one_go(ctx, done)
    ctx.ring()
    return facts


def _meant(tx: Tx, address: Address) -> list[int]:
    return list(contacts.led_to(tx, address.kind, address.value))[:MOST_CARDS]


def _timed(ctx: Context, facts: Facts) -> Facts:
    return facts | {"at": ctx.clock().timestamp()}


def _in_one_go(ctx: Context, done: tuple[Facts, bool]) -> Facts:
    """What was done, for the form that did it; whoever sends that form later (a page that is loaded again on a computer
    that others use) gets nothing. Raises `NotFound` (`wrong-sent-code`)."""
    facts, replayed = done
    if replayed and facts["at"] + AGAIN.total_seconds() < ctx.clock().timestamp():
        raise _wrong()
    return facts


def _back(ctx: Context, tx: Tx, member_id: int, address: Address) -> Facts:
    try:
        facts = recovery.replaced(ctx, tx, member_id)
    except NotFound as fault:
        raise _wrong() from fault
    # The code came from that mailbox: the address is proved, unless it is another member's already.
    programme_id = members.members_by_id(tx, [member_id])[member_id].programme_id
    contacts.prove(tx, programme_id, member_id, address.kind, address.value, ctx.clock())
    return facts


def _offered(ctx: Context, keys: list[int]) -> tuple[Offered, ...]:
    with ctx.look() as tx:
        found = members.members_by_id(tx, keys)
        return tuple(
            Offered(
                row.public_id,
                programmes.programme_by_id(tx, row.programme_id).name,
                row.joined_at.date().isoformat(),
            )
            for row in (found[key] for key in keys if key in found)
        )


def _token(ctx: Context, address: Address, facts: Facts) -> str:
    until = facts["at"] + CHOOSING.total_seconds()
    said = {"kind": address.kind, "value": address.value, "until": until}
    return ctx.keyring.seal(orjson.dumps(said | {name: facts[name] for name in ("members", "choice")}), _CHOICE)


def _address(ctx: Context, text: str) -> Address:
    address = typed(text, ctx.settings.phone_region)
    if letters.channel_of(ctx, address.kind) is None:
        if not ctx.channels:
            raise Misconfigured("No code can be sent from here; see WALLET_SMTP_HOST and WALLET_SMS_URL.")
        way = "e-mail" if address.kind == "phone" else "short message"
        raise Invalid(f"Codes are sent by {way} alone here.", code="no-channel", field="address")
    return address


def _asking(ctx: Context) -> Allowed:
    return Allowed("recover-ask", ctx.settings.guesses_per_hour, 120, "Too many codes were asked for from here; wait.")


def _guesses(ctx: Context) -> Allowed:
    return Allowed(
        "recover-sent",
        ctx.settings.guesses_per_hour,
        recovery.GUESSES_PER_MINUTE,
        "Too many codes were tried from here; wait an hour.",
    )


def _wish(what: str, form: str) -> Asked:
    # By the form as it was shown, as for the other ways back; neither address nor code is stored in it.
    name = hashlib.sha256(f"letter\0{what}\0{form}".encode())
    return Asked("recover", name.digest(), (Claim("recover", f"form:{name.hexdigest()}"),))


def _wrong() -> NotFound:
    sentence = "This is not the code that was sent, or its ten minutes are over. Type it again, or ask for a new one."
    return NotFound(sentence, code="wrong-sent-code")
