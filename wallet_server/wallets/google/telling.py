"""Owns messages to everybody: one on the class of a programme reaches every holder, with one call.

Sending is not harmless twice, so the message is looked for first; a class holds ten messages, so the oldest go before a
new one comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wallet_server.wallets.google import limits, objects, state
from wallet_server.wallets.google.answers import Fault
from wallet_server.wallets.google.api import path_of
from wallet_server.wallets.google.pushing import Push
from wallet_server.wallets.google.rolls import listed
from wallet_server.wallets.google.texts import Body, Speaker
from wallet_server.wallets.port import Message, Refused, Shown, Verdict

MOST_KEPT = 8
"""Messages that stay on a class beside a new one."""
MOST_CLASSES = 200
CLASSES, MOST_PAGES = 1000, 100
"""Classes asked for at once, and so many pages of them at most."""
_KINDS = ("loyaltyClass", "giftCardClass")


def tell(push: Push, issuer: str, programme: str, message: Message) -> Verdict:
    """Put the message on the classes of a programme where it is not yet. Raises `pushing.Stopped`."""
    speaker = Speaker(list(dict.fromkeys([*message.header, *message.body])))
    body = objects.message(message.id, message.header, message.body, message.ends_at, message.notify, speaker)
    found = limits.faults(body, "message")
    if found:
        return Refused(f"Google Wallet would refuse this message: {found[0].sentence}")
    there = [*_classes(push, issuer, programme)]
    if not there:
        return Refused("Google Wallet knows no class of this programme yet; it is made with the first card.")
    for kind, resource in there:
        _tell(push, kind, resource, body)
    return Shown()


def untell(push: Push, issuer: str, programme: str, message: str) -> Verdict:
    """Take a message off the classes of a programme. Raises `pushing.Stopped`."""
    for kind, resource in _classes(push, issuer, programme):
        there: list[Body] = state.normalise(resource).get("messages") or []
        # They have rung: standing there again they must not ring once more.
        kept = [{**one, "messageType": "TEXT"} for one in there if one.get("id") != message]
        if len(kept) < len(there):
            push.change_class(kind, str(resource["id"]), {"messages": kept})
    return Shown()


def _classes(push: Push, issuer: str, programme: str) -> list[tuple[str, Mapping[str, Any]]]:
    """All that hold, or have held, cards of the programme: its class of either kind, and those of its statuses. A
    design that changed its kind of class has left cards on the old one."""
    base, found = f"{issuer}.{programme}", []
    for kind in _KINDS:
        given = push.ask("GET", path_of(kind, base))
        if given.fault is None:
            found.append((kind, given.body))
        elif given.fault is not Fault.UNKNOWN:
            push.refuse(given)
    token = ""
    for _ in range(MOST_PAGES):
        page = listed(push, "loyaltyClass", {"issuerId": issuer, "maxResults": CLASSES}, token)
        found += [("loyaltyClass", one) for one in page["resources"] if str(one.get("id")).startswith(f"{base}_tier_")]
        token = page["next"]
        if not token:
            break
    return found[:MOST_CLASSES]


def _tell(push: Push, kind: str, resource: Mapping[str, Any], message: Body) -> None:
    path = path_of(kind, str(resource["id"]))
    # As they come they may be in a spelling that Google itself does not take.
    there: list[Body] = state.normalise(resource).get("messages") or []
    if any(one.get("id") == message["id"] for one in there):
        return
    if len(there) > MOST_KEPT:
        # They have rung: standing there again they must not ring once more.
        quiet = [{**one, "messageType": "TEXT"} for one in there[-MOST_KEPT:]]
        push.change_class(kind, str(resource["id"]), {"messages": quiet})
    given = push.ask("POST", f"{path}/addMessage", {"message": message})
    if given.fault is Fault.ALERTS_SPENT:
        push.success("POST", f"{path}/addMessage", {"message": {**message, "messageType": "TEXT"}})
    elif given.fault is not None:
        push.refuse(given)
