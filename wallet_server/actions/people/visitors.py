"""Owns what strangers may do through the public pages: so much from one address and so much in one programme."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from wallet_server.actions.context import Context
from wallet_server.errors import TooMany
from wallet_server.records import limits
from wallet_server.records.database import Tx


@dataclass(frozen=True)
class Allowed:
    """How often a thing may be done: from one address in an hour, and under one subject (a programme) in a minute."""

    name: str
    per_address_hour: int
    per_subject_minute: int
    sentence: str


def count(ctx: Context, tx: Tx, allowed: Allowed, subject: str, address: str | None) -> None:
    """One more, in the caller's transaction. Raises `TooMany`; then nothing was counted.

    Addresses are stored as an authenticator, never as they are, and the counters go with the night.
    """
    marked = mark(ctx, address)
    if marked is not None:
        _take(ctx, tx, f"{allowed.name}:{subject}:{marked}"[:80], 60, allowed.per_address_hour, allowed.sentence)
    _take(ctx, tx, f"{allowed.name}:{subject}"[:80], 1, allowed.per_subject_minute, allowed.sentence)


def _take(ctx: Context, tx: Tx, name: str, minutes: int, most: int, sentence: str) -> None:
    second = int(ctx.now().timestamp())
    # Named by its first minute, whatever its length: the nightly clearing knows windows by minutes.
    window = second // 60 - second // 60 % minutes
    if limits.taken(tx, name, window) >= most or limits.take(tx, name, window, 1) > most:
        raise TooMany(sentence, retry_after_seconds=(window + minutes) * 60 - second)


def mark(ctx: Context, address: str | None) -> str | None:
    """What stands for an address: for IPv6 its network, as a household has a /64 to itself. None for one that is not
    of the internet: that is a proxy nobody told us of, or a network at home, and not one visitor."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    if not found.is_global:
        return None
    network = ipaddress.ip_network((found, 64), strict=False) if found.version == 6 else found
    return ctx.keyring.sign("address", str(network)).rpartition(".")[2]
