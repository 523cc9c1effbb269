"""Owns who may do what: the roles, and for each the parts of the console, the scopes and what it may do at a till.

This is the only table of it: the door of the console, the tills and the keys read it here.
"""

from __future__ import annotations

from dataclasses import dataclass

OWNER, MARKETER, ACCOUNTANT, AUDITOR, CASHIER = "owner", "marketer", "accountant", "auditor", "cashier"
ROLES = (OWNER, MARKETER, ACCOUNTANT, AUDITOR, CASHIER)

SELL, REDEEM, REFUND, GESTURE, VOUCH = "sell", "redeem", "refund", "gesture", "vouch"
AT_TILL: dict[str, frozenset[str]] = {
    OWNER: frozenset({SELL, REDEEM, REFUND, GESTURE, VOUCH}),
    CASHIER: frozenset({SELL, REDEEM, REFUND, GESTURE, VOUCH}),
}
"""What each may do at a till: `vouch` for a member whose card is an older issue. Who is not here stands at none."""


@dataclass(frozen=True)
class Rights:
    """Who sees a part of the console, and who changes something there."""

    see: tuple[str, ...]
    change: tuple[str, ...] = ()


_SHOP, _OFFICE = (OWNER, MARKETER), (OWNER, ACCOUNTANT, AUDITOR)
PARTS: dict[str, Rights] = {
    "today": Rights((OWNER, MARKETER, CASHIER, AUDITOR)),
    "card": Rights((*_SHOP, AUDITOR), _SHOP),
    "announce": Rights((*_SHOP, AUDITOR), _SHOP),
    "addressees": Rights(_SHOP),
    "members": Rights(_SHOP, _SHOP),
    "tickets": Rights(_SHOP, _SHOP),
    "imports": Rights((OWNER,), (OWNER,)),
    "poster": Rights(_SHOP),
    "what_if": Rights(_SHOP, _SHOP),
    "tills": Rights((OWNER, AUDITOR), (OWNER,)),
    "keys": Rights((OWNER, AUDITOR), (OWNER,)),
    "webhooks": Rights((OWNER, AUDITOR), (OWNER,)),
    "team": Rights((OWNER, AUDITOR), (OWNER,)),
    "certificates": Rights((OWNER, AUDITOR), (OWNER,)),
    "books": Rights(_OFFICE, (OWNER,)),
    "watch": Rights(_OFFICE, (OWNER,)),
    "offline": Rights(_OFFICE, (OWNER,)),
    "home": Rights(ROLES, ROLES),
    "account": Rights(ROLES, ROLES),
    "pin": Rights(tuple(AT_TILL), tuple(AT_TILL)),
}
"""The parts of the console. An auditor reads all of it but what is of single members: their page, what they wrote, and
who was told something."""
SCOPES: dict[str, frozenset[str]] = {
    OWNER: frozenset({"read", "manage", "enrol", "announce", "staff", "read-counter", "read-books"}),
    MARKETER: frozenset({"read", "announce", "enrol"}),
    ACCOUNTANT: frozenset({"read-books"}),
    AUDITOR: frozenset({"read-books"}),
    CASHIER: frozenset({"read-counter"}),
}
"""What the actions let each do, as a key's scopes do."""
