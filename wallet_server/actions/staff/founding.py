"""Owns founding: the first owner of an installation, or anybody where that is open, makes an account of their own."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.programme import presets, programs
from wallet_server.actions.staff import attempts, links, sessions
from wallet_server.actions.staff.links import Newcomer
from wallet_server.actions.staff.person import checked_name
from wallet_server.actions.staff.roles import OWNER
from wallet_server.actions.staff.sessions import Entered
from wallet_server.errors import Invalid, NotFound
from wallet_server.records import parties
from wallet_server.records.database import Tx
from wallet_server.records.programme import programmes
from wallet_server.records.staff import deeds, invitations, staff
from wallet_server.records.vendors import credentials
from wallet_server.rules.counter import codes

FIRST, OPEN, CLOSED = "first", "open", "closed"
MOST_FOUNDED = 5
"""Accounts from one network address in an hour, where anybody may."""
ZONE = "Europe/Paris"
CARD = {"fr": "Carte de fidélité", "en": "Loyalty card"}
"""What a card from a preset is called: the presets have names of their own merchants."""


@dataclass(frozen=True)
class Founding:
    """A shop as typed: its name, its first store (the shop's name, if none is given), the store's IANA time zone; the
    shipped programme (`presets`) that it begins with, if any: that is published at once, under the shop's name."""

    shop: str
    store: str
    zone: str
    owner: Newcomer
    preset: str = ""


def first_link(ctx: Context) -> str | None:
    """A fresh link by which the first owner founds the first account, for the terminal alone; None once there is an
    account, or where founding is open or closed. The link before it ends."""
    with ctx.change() as tx:
        invitations.revoke_all(tx, links.FOUND, None, ctx.now())
        if ctx.settings.sign_up != FIRST or parties.count_accounts(tx):
            return None
        secret = links.new_secret()
        links.keep(ctx, tx, links.FOUND, secret, OWNER)
    return f"{ctx.settings.base_url}/start/{secret}"


def may_found(ctx: Context, secret: str | None) -> None:
    """Raises `NotFound` (`link-over`) where this link, or none, does not let anybody found."""
    if secret is None:
        if ctx.settings.sign_up != OPEN:
            raise NotFound("Ask whoever runs this service for an invitation.", code="link-over")
    else:
        links.look(ctx, secret, links.FOUND)


def found(ctx: Context, secret: str | None, wanted: Founding, device: str, address: str) -> Entered:
    """Found an account with a merchant, a store, a programme that has no version yet unless it begins with a preset,
    and its owner, signed in.

    Raises `NotFound` (`link-over`, `unknown-preset`), `Conflict` (`email-taken`), `Invalid` and `TooMany`.
    """
    if secret is None:
        may_found(ctx, None)
        attempts.check_address(ctx, address, MOST_FOUNDED, "founding")
    shop = checked_name(wanted.shop, "shop")
    store = checked_name(wanted.store or wanted.shop, "store")
    zone = wanted.zone or ZONE
    if zone not in programs.time_zones():
        raise Invalid("Give a time zone such as Europe/Paris.", code="bad-zone", field="zone")
    document = presets.preset(wanted.preset) | {"organisation": shop, "description": CARD} if wanted.preset else None
    owner, password_hash = links.checked(wanted.owner)

    def act() -> Entered:
        with ctx.change() as tx:
            if secret is not None:
                links.use(ctx, tx, secret, links.FOUND)
            else:
                attempts.count_address(ctx, tx, address, "founding")
            account, merchant = _account(ctx, tx, shop, store, zone, document)
            person = staff.by_id(tx, links.add_person(ctx, tx, owner, password_hash, account, merchant, OWNER))
            attempts.note("founded", person)
            by = f"staff:{person.public_id}"
            deeds.add_by(tx, person.merchant_id, by, deeds.FOUNDED, ctx.now(), staff_id=person.id)
            return sessions.begin(tx, person, device, True, ctx.now())

    return links.or_enter(ctx, act, wanted.owner, device, address)


def _account(
    ctx: Context, tx: Tx, shop: str, store: str, zone: str, document: Mapping[str, Any] | None
) -> tuple[int, int]:
    """The keys of a new account and its merchant, with a store and a programme to be filled."""
    now = ctx.now()
    account = parties.add_account(tx, new_id("acc"), shop, codes.mark_from_random(secrets.token_bytes(4)), now)
    merchant = parties.add_merchant(tx, new_id("mer"), account, shop, now)
    parties.add_store(tx, new_id("sto"), merchant, store, zone, None, None, None, now)
    papers = credentials.newest_of_platform(tx)
    programme = programmes.add_programme(tx, new_id("prog"), account, shop, secrets.token_hex(6), papers, now)
    programmes.join_programme(tx, programme, merchant, now)
    if document is not None:
        programs.begin_with(ctx, tx, programme, document)
    return account, merchant
