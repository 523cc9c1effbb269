"""Owns who may do what: the roles, and for each the parts of the console, the scopes and what it may do at a till.

This is the only table of it: the door of the console, the tills and the keys read it here.
"""

from __future__ import annotations

OWNER, MARKETER, ACCOUNTANT, AUDITOR, CASHIER = "owner", "marketer", "accountant", "auditor", "cashier"
ROLES = (OWNER, MARKETER, ACCOUNTANT, AUDITOR, CASHIER)

SELL, REDEEM, REFUND, GESTURE, VOUCH = "sell", "redeem", "refund", "gesture", "vouch"
AT_TILL: dict[str, frozenset[str]] = {
    OWNER: frozenset({SELL, REDEEM, REFUND, GESTURE, VOUCH}),
    CASHIER: frozenset({SELL, REDEEM, REFUND, GESTURE, VOUCH}),
}
"""What each may do at a till: `vouch` for a member whose card is an older issue. Who is not here stands at none."""
