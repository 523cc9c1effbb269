"""Owns what Google's answers mean: which of them is worth another try, which one a person has to see to.

Statuses and reasons: developers.google.com/wallet, "Error codes", and recorded answers. Where the status of a spent
allowance is not on record, both 403 and 429 are read by their words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

from wallet_server.wallets.port import Later, Refused

LONGEST_REST = 3600.0
_ALERTS = re.compile("notif", re.IGNORECASE)
_QUOTA = re.compile("quota|rate.?limit|too many|resource_exhausted", re.IGNORECASE)
_PLACES = re.compile("not allowlisted for merchant locations", re.IGNORECASE)


class Fault(Enum):
    """Why an answer is no success."""

    AWAY = "away"
    BUSY = "busy"
    ALERTS_SPENT = "alerts"
    DENIED = "denied"
    SIGNED_OUT = "signed-out"
    UNKNOWN = "unknown"
    EXISTS = "exists"
    NO_PLACES = "places"
    WRONG = "wrong"


@dataclass(frozen=True)
class Answer:
    """One answer. `status` 0: none came; `unheard`: the request went out, though, and nobody knows whether the change
    was made. `said` is what went wrong."""

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""
    reason: str = ""
    retry_after_seconds: float | None = None
    unheard: bool = False

    @property
    def fault(self) -> Fault | None:
        """None for a success."""
        words = f"{self.said} {self.reason}"
        match self.status:
            case status if 200 <= status < 300:
                return None
            case 400 if _PLACES.search(self.said):
                return Fault.NO_PLACES
            case 401:
                return Fault.SIGNED_OUT
            case 403 | 429 if _QUOTA.search(words) and _ALERTS.search(words):
                return Fault.ALERTS_SPENT
            case 429:
                return Fault.BUSY
            case 403:
                return Fault.BUSY if _QUOTA.search(words) else Fault.DENIED
            case 404:
                return Fault.UNKNOWN
            case 409:
                return Fault.EXISTS
            case 0 | 408:
                return Fault.AWAY
            case status if status >= 500:
                return Fault.AWAY
        return Fault.WRONG


def answer(status: int, body: Any, retry_after: str | None, now_seconds: float) -> Answer:
    """An answer as it came: `body` is its JSON, or anything; `retry_after` the header (RFC 9110, 10.2.3)."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        said = "" if status < 400 else f"status {status}"
        return Answer(status, body if isinstance(body, dict) else {}, said, "", rest(retry_after, now_seconds))
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    reason = f"{first.get('reason', '')} {error.get('status', '')}".strip()
    return Answer(status, {}, str(error.get("message", ""))[:300], reason[:100], rest(retry_after, now_seconds))


def rest(header: str | None, now_seconds: float) -> float | None:
    """The seconds of a Retry-After, a number or a date; at most `LONGEST_REST`."""
    if not header:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return min(float(header.strip()[:9]), LONGEST_REST)
    try:
        until = parsedate_to_datetime(header).timestamp()
    except (ValueError, TypeError):
        return None
    return min(max(0.0, until - now_seconds), LONGEST_REST)


def verdict(given: Answer, email: str, issuer: str, backoff_seconds: float) -> Later | Refused:
    """What an answer without success means for the card. `backoff_seconds` is the rest where Google names none."""
    seconds = backoff_seconds if given.retry_after_seconds is None else max(given.retry_after_seconds, 1.0)
    match given.fault:
        case Fault.AWAY:
            return Later(seconds, f"Google Wallet does not answer ({given.said or given.status}).")
        case Fault.BUSY:
            return Later(seconds, "Google Wallet takes no more requests of this issuer just now.", of_issuer=True)
        case Fault.ALERTS_SPENT:
            return Later(seconds, "Google Wallet raises no more alerts for this card today.")
        case Fault.SIGNED_OUT:
            return Refused(
                f"Google does not know the service account {email} or its key any more. Make a new key in the Google "
                "Cloud console and give it to `wallet-server setup google`.",
                of_issuer=True,
            )
        case Fault.DENIED:
            return Refused(
                f"Google does not let {email} write for issuer {issuer}. Add it under Users in the Google Pay & Wallet "
                f"Console of that issuer. Google says: {given.said}"
            )
    return Refused(f"Google Wallet refuses this card: {given.said or given.status}")
