"""Owns the scope: who is asking, and therefore whose rows a query may see."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cashier:
    """Who stands at the till, with a shift that began there; `may` is what their role may do at a till."""

    staff_id: int
    public_id: str
    name: str
    role: str
    may: frozenset[str]
    shift: str


@dataclass(frozen=True)
class Scope:
    """A caller. Every query takes one; rows outside it do not exist for this caller.

    `principal` names the caller in the table of requests and outlives its keys (a rotated key must not count twice).
    `device` says that the key was given to one paired device, and not to a merchant's own software. `store` is the
    public id of the till's store. `mode` says whether the account trades (`live`) or tries things out (`test`), and
    `ahead_seconds` how far the clock of one that does is ahead. `cashier` is who stands at the till, where it said so.
    """

    account_id: int
    merchant_id: int
    principal: str
    key_id: str
    issuer_mark: str
    scopes: frozenset[str]
    store_id: int | None = None
    till_id: int | None = None
    zone: str = "UTC"
    device: bool = False
    store: str = ""
    mode: str = "live"
    ahead_seconds: int = 0
    cashier: Cashier | None = None
