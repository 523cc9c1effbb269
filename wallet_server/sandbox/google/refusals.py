"""Owns the refusals of the simulated Google: statuses, reasons and bodies in the shape of the real ones.

Two shapes are real and both are kept: that of the API front end (`status`, `details`) for what never reaches Wallet,
and that of Wallet itself (`errors` with domain and reason). Sources: recorded answers in public issue trackers
(rest-samples#1, web-codelab#1, edutap.wallet_google#44). Where a wording is not on record it is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wallet_server.sandbox.google.schema import Fault

NOT_ALLOWLISTED = "Issuer not allowlisted for Merchant Locations. Please contact support."


@dataclass
class Refusal(Exception):
    """An answer that is no success. `body` is its JSON."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def wallet(status: int, message: str, reason: str, headers: Mapping[str, str] | None = None) -> Refusal:
    """A refusal of Wallet itself."""
    errors = [{"message": message, "domain": "walletobjects", "reason": reason}]
    return Refusal(status, {"error": {"code": status, "message": message, "errors": errors}}, headers or {})


def invalid(message: str) -> Refusal:
    return wallet(400, message, "invalidResource")


def unknown_resource(kind: str, id_: str) -> Refusal:
    reason = "classNotFound" if kind.endswith("Class") else "resourceNotFound"
    return wallet(404, f"The requested resource {id_} was not found.", reason)


def exists(id_: str) -> Refusal:
    return wallet(409, f"An object with ID {id_} already exists.", "existingResource")


def denied() -> Refusal:
    return wallet(403, "Permission denied.", "permissionDenied")


def over_quota(status: int, id_: str) -> Refusal:
    """Three notifications in 24 hours are spent. The live status is not on record: 403 unless told otherwise."""
    return wallet(status, f"Quota exceeded: at most 3 notifications in 24 hours for {id_}.", "quotaExceeded")


def front_end(status: int, message: str, word: str, headers: Mapping[str, str] | None = None) -> Refusal:
    """A refusal of the API front end."""
    return Refusal(status, {"error": {"code": status, "message": message, "status": word}}, headers or {})


def malformed(faults: Sequence[Fault]) -> Refusal:
    """A body that Google's schema does not take."""
    refusal = front_end(400, "\n".join(fault.description for fault in faults), "INVALID_ARGUMENT")
    violations = [
        {"field": fault.field, "description": fault.description} if fault.field else {"description": fault.description}
        for fault in faults
    ]
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}]
    refusal.body["error"]["details"] = details
    return refusal


def unsigned_in() -> Refusal:
    message = (
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential."
    )
    head = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'}
    return front_end(401, message, "UNAUTHENTICATED", head)


def busy(status: int, retry_after_seconds: int | None) -> Refusal:
    """What Google says when it takes no more (429) or is not well (5xx)."""
    words = {429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
    said = {
        429: "Quota exceeded for quota metric 'Requests' and limit 'Requests per second' of service "
        "'walletobjects.googleapis.com'.",
        503: "The service is currently unavailable.",
    }
    head = {"Retry-After": str(retry_after_seconds)} if retry_after_seconds is not None else {}
    return front_end(status, said.get(status, "Internal error encountered."), words.get(status, "INTERNAL"), head)


def nowhere() -> Refusal:
    return front_end(404, "Requested entity was not found.", "NOT_FOUND")
