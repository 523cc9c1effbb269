"""Owns what a merchant's address may be told, in which form, where such an address may lie, and when it is tried again.

Form and signature: Standard Webhooks specification 1.0.0 (github.com/standard-webhooks/standard-webhooks).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from wallet_server.errors import Invalid

JOINED, MERGED, SAVED, REMOVED = "member.joined", "member.merged", "pass.saved", "pass.removed"
COUNTED, REFUNDED, TIER, REDEEMED = "sale.counted", "sale.refunded", "tier.changed", "reward.redeemed"
ISSUED, USED, EXPIRING = "voucher.issued", "voucher.used", "points.expiring"
GOODWILL = "goodwill.given"
UNREDEEMED, UNUSED, UNGIVEN = "reward.undone", "voucher.undone", "goodwill.undone"
KINDS = (
    *(JOINED, MERGED, SAVED, REMOVED, COUNTED, REFUNDED, TIER, REDEEMED, UNREDEEMED),
    *(ISSUED, USED, UNUSED, GOODWILL, UNGIVEN, EXPIRING),
)
"""What an address may ask to be told."""
TEST = "webhook.test"
"""What is sent at a merchant's wish, asked for or not."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with
SECRET_BYTES = 32
PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Between the tries of one message, a little longer each (`next_try`): ten tries over three days and more."""
SPREAD = 0.2
LONGEST_WAIT = timedelta(hours=24)
"""However long an address asks for."""
FAILURES_TO_REST = 3
FIRST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=15)
GIVEN_UP_AFTER = timedelta(days=5)
"""An address that has taken nothing for so long is told nothing more."""
OVERLAP = timedelta(hours=24)
"""How long messages are signed under the secret before, too, unless the merchant says otherwise."""
MOST_URL = 1000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SPECIAL = tuple(ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20"))
"""No public host has these (IANA's registries of special purpose), though Python calls some of them global."""
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?|[0-9A-Fa-f:.]+")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def may_be_reached(text: str, sandbox: bool) -> bool:
    """Whether a message may go to this IP address: a public one, or in the sandbox the machine itself. An address that
    carries another one inside (mapped, 6to4, NAT64) is judged by that."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inner = _inside(address)
    if inner.is_loopback:
        return sandbox
    # Site-local (RFC 3879) is called global, though no network ever carried it across.
    local = isinstance(inner, ipaddress.IPv6Address) and (inner.teredo is not None or inner.is_site_local)
    local = local or any(inner in network for network in _SPECIAL)
    return inner.is_global and not (inner.is_multicast or inner.is_reserved or inner.is_unspecified or local)


def _inside(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def demand_address(url: str, sandbox: bool) -> str:
    """The address as it is kept, if messages may go there. Where its name leads is looked at each time one is sent.
    Raises `Invalid` (`webhook-address`)."""
    why = _wrong_with(url, sandbox)
    if why is not None:
        raise Invalid(why, code="webhook-address", field="url")
    return url


def _wrong_with(url: str, sandbox: bool) -> str | None:
    schemes = ("https", "http") if sandbox else ("https",)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "This is not a web address."
    if len(url) > MOST_URL or not url.isascii() or not url.isprintable() or " " in url or not _HOST.fullmatch(host):
        return f"Give a web address of at most {MOST_URL} characters, written in ASCII."
    if parts.scheme not in schemes:
        return "Give an address that begins with https://."
    if parts.username is not None or parts.password is not None or "#" in url or port == 0:
        return "Give an address without a user's name and without a fragment."
    literal = host.replace(".", "").isdigit() or ":" in host
    local = host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
    if (literal and not may_be_reached(host, sandbox)) or (local and not sandbox):
        return "Give an address on the public internet: messages are not sent into private networks."
    return None


def demand_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """The kinds asked for, once each, in our order; none: all of them. Raises `Invalid` (`webhook-event`)."""
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        known = ", ".join(KINDS)
        raise Invalid(f"There is no event {unknown[0]}; there are {known}.", code="webhook-event", field="events")
    return tuple(kind for kind in KINDS if kind in kinds) if kinds else KINDS


def body(
    event_id: str,
    kind: str,
    at: datetime,
    mode: str,
    merchant: str | None,
    programme: str | None,
    data: Mapping[str, Any],
) -> str:
    """What is sent, and signed, byte for byte the same at every try."""
    written = {
        "id": event_id,
        "type": kind,
        "timestamp": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "mode": mode,
        "merchant": merchant,
        "programme": programme,
        "data": dict(data),
    }
    return orjson.dumps(written).decode()


def shown_secret(secret: bytes) -> str:
    """A secret as the merchant keeps it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def headers(event_id: str, at: datetime, text: str, secrets: Sequence[bytes]) -> dict[str, str]:
    """What goes with a message: one signature for each secret that is good, the newest first."""
    second = int(at.timestamp())
    signed = f"{event_id}.{second}.{text}".encode()
    marks = (base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in secrets)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(second),
        "webhook-signature": " ".join(f"v1,{mark}" for mark in marks),
    }


def next_try(tries: int, jitter: float, retry_after: timedelta | None) -> timedelta | None:
    """The pause after so many tries that failed; None when it was the last. `jitter` from 0 to 1 spreads those that
    failed together; what the address asks for is waited at least."""
    if tries > len(PAUSES):
        return None
    pause = PAUSES[tries - 1] * (1 + SPREAD * jitter)
    return pause if retry_after is None else max(pause, retry_after)


def retry_after(text: str | None, now: datetime) -> timedelta | None:
    """What an address asks for (RFC 9110, 10.2.3), a day at most; None where it says nothing that can be read."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(timedelta(seconds=int(text)), LONGEST_WAIT)
    try:
        until: datetime = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a zone may be any number
        return None
    until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
    return min(max(until - now, timedelta(0)), LONGEST_WAIT)


def rest(failures: int) -> timedelta | None:
    """How long an address is left alone after so many failures in a row."""
    if failures < FAILURES_TO_REST:
        return None
    return min(FIRST_REST * (1 << min(failures - FAILURES_TO_REST, 20)), LONGEST_REST)
