"""Owns the look at one issuer's standing with Google: sign-in, permission, classes and their review, save links.

It changes nothing there. Each thing is said in a sentence with what to do; where one fails, what hangs on it is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from wallet_server.errors import WalletError
from wallet_server.wallets.google import state
from wallet_server.wallets.google.answers import Answer, Fault
from wallet_server.wallets.google.api import Account, Session, Where, path_of
from wallet_server.wallets.google.link import MAX_CHARACTERS, save_link
from wallet_server.wallets.google.options import Vertical
from wallet_server.wallets.google.state import Known

CONSOLE = "https://pay.google.com/business/console"
MOST_CLASSES = 50


@dataclass(frozen=True)
class Seen:
    """One thing looked at, and what to do unless it is well."""

    level: Literal["ok", "warning", "error"]
    sentence: str


@dataclass(frozen=True)
class Given:
    """What the product has given Google of this issuer, as it is remembered: its classes (`TemplateReport`), where each
    is told to call, and the objects of one customer, if there is one (`Report`)."""

    classes: Sequence[str]
    callback_url: str | None
    objects: Sequence[str]


def look(account: Account, where: Where, save_base: str, given: Given, at: datetime) -> Iterator[Seen]:
    """Everything of one issuer, over the network; never raises for what Google or the network do."""
    try:
        session = Session(account, where)
        sample = _objects(given) or [("loyalty", f"{account.issuer_id}.{'0' * 32}")]
        link = save_link(account.email, account.key_pem, sample, at, save_base)
    except WalletError as fault:
        yield Seen("error", fault.sentence)
        return
    try:
        answer = session.call("GET", path_of("issuer", account.issuer_id))
        yield _issuer(answer, account)
        if answer.fault is None:
            for one in given.classes[:MOST_CLASSES]:
                known = state.read(one)
                if known is not None:
                    yield from _class(session, known, given.callback_url)
            yield _link(session, link, bool(_objects(given)))
    finally:
        session.close()


def _objects(given: Given) -> list[tuple[Vertical, str]]:
    kinds: dict[str, Vertical] = {one: one for one in get_args(Vertical)}
    known = [found for one in given.objects if (found := state.read(one)) is not None and not found.erased]
    return [(kinds[one.kind], one.id) for one in known if one.kind in kinds]


def _issuer(answer: Answer, account: Account) -> Seen:
    issuer, email = account.issuer_id, account.email
    match answer.fault:
        case None:
            name = str(answer.body.get("name", "")) or "without a name"
            return Seen("ok", f"Google knows issuer {issuer} ({name}) and lets {email} look at it.")
        case Fault.SIGNED_OUT:
            return Seen(
                "error",
                f"Google gives {email} no token: the service account or its key is gone. Make a new key in the Google "
                f"Cloud console and give it to `wallet-server setup google`. Google says: {answer.said}",
            )
        case Fault.DENIED:
            return Seen(
                "error",
                f"Permission is missing: invite {email} under Users in the console of issuer {issuer} ({CONSOLE}), and "
                f"see that the Google Wallet API is enabled in its project. Google says: {answer.said}",
            )
        case Fault.UNKNOWN:
            return Seen(
                "error",
                f"Google knows no issuer {issuer}: compare the number with the one in the console ({CONSOLE}), then "
                "run `wallet-server setup google`.",
            )
        case Fault.AWAY | Fault.BUSY:
            return Seen("warning", f"Google does not answer just now for {issuer} ({answer.said or answer.status}).")
    return Seen("error", f"Google refuses to look at issuer {issuer}: {answer.said or answer.status}.")


def _class(session: Session, known: Known, callback_url: str | None) -> Iterator[Seen]:
    answer = session.call("GET", path_of(f"{known.kind}Class", known.id))
    if answer.fault is Fault.UNKNOWN:
        yield Seen("warning", f"Google has no class {known.id} any more; the next card makes it anew.")
        return
    if answer.fault is not None:
        yield Seen("warning", f"Google does not show class {known.id}: {answer.said or answer.status}.")
        return
    yield _review(known.id, answer.body)
    told = answer.body.get("callbackOptions")
    called = told.get("url") if isinstance(told, dict) else None
    if callback_url is None:
        yield Seen(
            "warning",
            f"Class {known.id} names no address to call back: nobody learns at once who saved a card. Give "
            "WALLET_BASE_URL the public https address.",
        )
    elif called != callback_url:
        yield Seen(
            "warning",
            f"Class {known.id} calls back at {called or 'no address'}, not at {callback_url}: publish the programme "
            "anew, and the class is brought up to date.",
        )


def _review(name: str, body: Mapping[str, Any]) -> Seen:
    status = state.enum(str(body.get("reviewStatus", "")))
    review = body.get("review")
    said = str(review.get("comments", "")) if isinstance(review, dict) else ""
    match status:
        case "APPROVED":
            return Seen("ok", f"Class {name} is approved.")
        case "UNDER_REVIEW":
            return Seen("ok", f"Class {name} is under review; its cards work meanwhile.")
        case "REJECTED":
            return Seen(
                "error",
                f"Google has rejected class {name}: {said or 'it gives no reason'}. No card of it can be saved: mend "
                "that in the design or the texts of the programme, then publish it anew.",
            )
    return Seen("error", f"Class {name} is {status or 'in no state'}: a class in draft has no cards. Publish anew.")


def _link(session: Session, link: str, real: bool) -> Seen:
    length = f"A link to Google Wallet has {len(link)} characters, of {MAX_CHARACTERS} that are safe"
    if not real:
        return Seen("ok", f"{length}. There is no card yet that Google could judge it by.")
    answer = session.call("POST", "jwt/validate", {"jwtResource": {"jwt": link.rpartition("/")[2]}})
    if answer.fault is None:
        return Seen("ok", f"{length}; Google finds it valid.")
    if answer.fault in (Fault.AWAY, Fault.BUSY):
        return Seen("warning", f"{length}; Google does not say just now whether it is valid.")
    return Seen("error", f"{length}; Google does not take it: {answer.said or answer.status}. Run `setup google` anew.")
