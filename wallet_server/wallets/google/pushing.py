"""Owns one card's way to Google: inserted where it is new, patched where it changed, alerted where it may.

Every call but a message may be made twice without harm, so an answer that was lost costs one more look. A message is
looked for before it is sent. What was taken is remembered even where the rest has to wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn

from wallet_server.wallets.google import state
from wallet_server.wallets.google.answers import Answer, Fault, verdict
from wallet_server.wallets.google.api import Method, Session, path_of
from wallet_server.wallets.google.issuers import Turn
from wallet_server.wallets.google.sentences import NOTES
from wallet_server.wallets.google.state import Known
from wallet_server.wallets.google.texts import Body
from wallet_server.wallets.port import Later, Refused, Report, Shown

PLACES_NOTE = next(iter(NOTES))
RINGING = ("loyaltyPoints", "secondaryLoyaltyPoints")
"""The fields of an object whose change Google can raise an alert for."""
LINKS = ("linkedOfferIds", "linkedObjectIds")
_STEPS = 6
"""Tries for the object of one card: its class, its coupons and its places may each be missing."""
_REST = 60.0
_NEVER = Refused(
    "Google Wallet takes this card in no form; look at it, and at its class, in the Google Wallet console."
)


class Stopped(Exception):
    """The card waits, or is refused; what was taken so far stays remembered."""

    def __init__(self, found: Later | Refused) -> None:
        super().__init__(found.why)
        self.verdict = found


@dataclass(frozen=True)
class Wish:
    """What is to stand at Google: the whole body, its class (made when it is asked for), the end of its news, and what
    is to be told the merchant. `alert`: a change of the balances, or the message, that may raise one; `spent`: it may
    not any more today."""

    vertical: str
    body: Body
    class_body: Callable[[], Body]
    news: tuple[str, str] | None
    alert: Literal["balance", "message"] | None
    spent: bool
    note: str | None


class Push:
    """One card, one turn. `learn` is told whether the issuer may name places."""

    def __init__(self, session: Session, turn: Turn, learn: Callable[[bool], None], *, hurried: bool = False) -> None:
        self._session, self._turn, self._learn, self._hurried = session, turn, learn, hurried
        self._saved: bool | None = None
        self._alerted: bool | None = None
        self._note: str | None = None
        self._look = self._unheard = False

    def put(self, ref: int, wish: Wish, known: Known | None, remote_state: str | None, *, look: bool = False) -> Report:
        """Bring the object to what is wished; `look`: from what stands there, which may not be what is known. Never
        raises for what Google or the network do."""
        kept, self._note, self._look = remote_state, wish.note, look
        try:
            if known is None:
                kept = self._insert(wish).written()
            elif self._rings_by_message(wish, known):
                fresh = self._patch(wish, known, frozenset({"messages"}))
                kept = fresh.written()
                kept = self._announce(wish, fresh).written()
            else:
                kept = self._patch(wish, known).written()
        except Stopped as stopped:
            return Report(ref, stopped.verdict, kept, saved=self._saved, alerted=self._unheard or None, note=self._note)
        return Report(ref, Shown(), kept, saved=self._saved, alerted=self._alerted, note=self._note)

    @staticmethod
    def _rings_by_message(wish: Wish, known: Known) -> bool:
        told = known.news is not None and wish.news is not None and known.news[0] == wish.news[0]
        return wish.alert == "message" and not wish.spent and wish.news is not None and not told

    # --- the object -------------------------------------------------------------------------------------------

    def _insert(self, wish: Wish) -> Known:
        """Insert; where its class is not there yet, that first; where it is there already, the difference."""
        body, asked = wish.body, False
        for _ in range(_STEPS):
            given = self.ask("POST", path_of(f"{wish.vertical}Object"), body)
            match given.fault:
                case None:
                    return self._took(wish, body, given)
                case Fault.EXISTS:
                    return self._adjust(wish, body)
                case Fault.UNKNOWN if not asked:
                    asked = True
                    self.ensure(f"{wish.vertical}Class", wish.class_body())
                case fault:
                    body = self._lesser(body, given, fault)
        raise Stopped(_NEVER)

    def _adjust(self, wish: Wish, body: Body) -> Known:
        """The object is there, in a state that nobody remembers: look, and send the difference alone."""
        path = path_of(f"{wish.vertical}Object", body["id"])
        for _ in range(_STEPS):
            given = self.success("GET", path)
            patch = state.difference(body, given.body)
            given = self.ask("PATCH", path, patch) if patch else given
            if given.fault is None:
                return self._took(wish, body, given)
            body = self._lesser(body, given, given.fault)
        raise Stopped(_NEVER)

    def _patch(self, wish: Wish, known: Known, later: frozenset[str] = frozenset()) -> Known:
        """Send what changed, but for the fields that are sent `later`; nothing where nothing did."""
        if self._look:
            there = self.ask("GET", path_of(f"{wish.vertical}Object", known.id))
            if there.fault is Fault.UNKNOWN:
                return self._insert(wish)
            if there.fault is not None:
                self.refuse(there)
            known = self._seen(known, wish, there, later)
        body, asked = {name: part for name, part in wish.body.items() if name not in later}, False
        kept = {name: digest for name, digest in known.digests.items() if name in later}
        for _ in range(_STEPS):
            patch = state.changes(body, {name: one for name, one in known.digests.items() if name not in later})
            if not patch:
                return replace(known, news=known.news if later else wish.news)
            self._may_ring(wish, patch)
            given = self.ask("PATCH", path_of(f"{wish.vertical}Object", known.id), patch)
            match given.fault:
                case None:
                    self._alerted = True if "notifyPreference" in patch else self._alerted
                    taken = self._took(wish, body, given)
                    news = known.news if later else wish.news
                    return replace(taken, digests={**taken.digests, **kept}, news=news)
                case Fault.ALERTS_SPENT if "notifyPreference" in patch:
                    self._alerted = False
                case Fault.UNKNOWN if "classId" in patch and not asked:
                    asked = True
                    self.ensure(f"{wish.vertical}Class", wish.class_body())
                case Fault.UNKNOWN if not any(patch.get(name) for name in LINKS):
                    return self._insert(wish)
                case fault:
                    body = self._lesser(body, given, fault)
        raise Stopped(_NEVER)

    def _seen(self, known: Known, wish: Wish, there: Answer, later: frozenset[str]) -> Known:
        """What is known after a look: what stands otherwise than it should is to be sent, whatever was sent before. An
        alert that nobody has heard of is counted now."""
        for one in there.body.get("messages") or ():
            if isinstance(one, Mapping) and state.enum(str(one.get("messageType", ""))) == "TEXT_AND_NOTIFY":
                unheard = known.news is None or one.get("id") != known.news[0]
                self._alerted = True if unheard and "messages" not in later else self._alerted
        found, patch = state.digests(wish.body), state.difference(wish.body, there.body)
        digests = {name: "" if name in patch else digest for name, digest in found.items()}
        digests |= {name: "" for name in patch if name not in found}
        digests |= {name: known.digests[name] for name in later if name in known.digests}
        self._note_saved(there)
        return replace(known, belongs=str(wish.body["classId"]), digests=digests)

    def _may_ring(self, wish: Wish, patch: Body) -> None:
        """Ask for an alert where the change is one that may raise it, and one is left."""
        changed = "messages" in patch if wish.alert == "message" else any(name in patch for name in RINGING)
        if wish.alert is None or not changed or self._alerted is False:
            return
        if wish.spent:
            self._alerted = False
        elif wish.alert == "balance":
            patch["notifyPreference"] = "NOTIFY_ON_UPDATE"

    def _lesser(self, body: Body, given: Answer, fault: Fault) -> Body:
        """The body without the part that Google does not take of this issuer, where it may go without."""
        if fault is Fault.NO_PLACES and "merchantLocations" in body:
            self._learn(False)
            self._note = PLACES_NOTE
            return {name: part for name, part in body.items() if name != "merchantLocations"}
        if fault is Fault.UNKNOWN and any(name in body for name in LINKS):
            # A coupon that is not there yet: the card must not wait for it, and its next change brings the link.
            return {name: part for name, part in body.items() if name not in LINKS}
        raise Stopped(self._verdict(given))

    def _took(self, wish: Wish, body: Body, given: Answer) -> Known:
        self._note_saved(given)
        if "merchantLocations" in body:
            self._learn(True)
        return Known(wish.vertical, body["id"], body["classId"]).sent(body, wish.news)

    def _note_saved(self, given: Answer) -> None:
        held = given.body.get("hasUsers")
        self._saved = held if isinstance(held, bool) else self._saved

    def _announce(self, wish: Wish, known: Known) -> Known:
        """Raise an alert with the news. Sending is not harmless twice, so it is looked for first."""
        path = path_of(f"{wish.vertical}Object", known.id)
        quiet: Body = wish.body["messages"][0]
        told = known.sent({**wish.body}, wish.news)
        told = replace(told, digests={**known.digests, "messages": told.digests["messages"]}, belongs=known.belongs)
        there = self.success("GET", path).body.get("messages") or []
        if any(isinstance(one, Mapping) and one.get("id") == quiet["id"] for one in there):
            self._alerted = True
            return told
        if there:
            self.success("PATCH", path, {"messages": []})
        loud = {**quiet, "messageType": "TEXT_AND_NOTIFY"}
        given = self.ask("POST", f"{path}/addMessage", {"message": loud})
        if given.fault is Fault.ALERTS_SPENT:
            self._alerted = False
            self.success("PATCH", path, {"messages": [quiet]})
            return told
        if given.fault is not None:
            raise Stopped(self._verdict(given))
        self._alerted = True
        return told

    # --- classes ----------------------------------------------------------------------------------------------

    def ensure(self, kind: str, body: Body) -> None:
        """The class is there; one that was there stays as it is. Raises `Stopped`."""
        given = self.ask("POST", path_of(kind), body)
        if given.fault not in (None, Fault.EXISTS):
            raise Stopped(self._verdict(given))

    def align(self, kind: str, body: Body, keep: frozenset[str] = frozenset()) -> Mapping[str, Any]:
        """The class stands as it is said here, but for the fields to `keep`; what Google made of it. Raises
        `Stopped`."""
        given = self.ask("GET", path_of(kind, body["id"]))
        if given.fault is Fault.UNKNOWN:
            given = self.ask("POST", path_of(kind), body)
            if given.fault is None:
                return given.body
            given = self.ask("GET", path_of(kind, body["id"])) if given.fault is Fault.EXISTS else given
        if given.fault is not None:
            raise Stopped(self._verdict(given))
        # What became of the review is Google's to say.
        reviewed = {**body, "reviewStatus": state.enum(str(given.body.get("reviewStatus", "")))}
        reviewed |= {name: given.body[name] for name in keep if name in given.body}
        patch = state.difference(reviewed, given.body, state.OURS_OF_A_CLASS)
        return self.change_class(kind, body["id"], patch) if patch else given.body

    def change_class(self, kind: str, identifier: str, patch: Body) -> Mapping[str, Any]:
        """A PATCH of a class, which has to say UNDER_REVIEW again. Raises `Stopped`."""
        return self.success("PATCH", path_of(kind, identifier), {**patch, "reviewStatus": "UNDER_REVIEW"}).body

    # --- calls ------------------------------------------------------------------------------------------------

    def ask(self, method: Method, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """One call within the issuer's rate. Raises `Stopped` for what is not this card's own fault."""
        waits = self._turn.wait()
        if waits is not None:
            raise Stopped(waits)
        given = self._session.call(method, path, body, hurried=self._hurried)
        # An alert that may have been raised counts as raised; a message is found again.
        self._unheard = self._unheard or (given.unheard and body is not None and "notifyPreference" in body)
        found = self._turn.heard(given, _subject(path, body), reads=method == "GET")
        if found is not None:
            raise Stopped(found)
        return given

    def success(self, method: Method, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """The same, of which anything but a success is the end. Raises `Stopped`."""
        given = self.ask(method, path, body)
        if given.fault is not None:
            raise Stopped(self._verdict(given))
        return given

    def deactivate(self, path: str) -> bool:
        """Whether there is this object, which is inactive now; it may be gone or never have been there. Raises
        `Stopped`."""
        given = self.ask("PATCH", path, {"state": "INACTIVE", "messages": []})
        if given.fault not in (None, Fault.UNKNOWN):
            self.refuse(given)
        return given.fault is None

    def overwrite(self, path: str, body: Body) -> Body:
        """Put this body in the place of the whole object, in the class where it stands; what was put there. One that is
        not there needs nothing. Raises `Stopped`."""
        there = self.ask("GET", path)
        if there.fault is Fault.UNKNOWN:
            return body
        if there.fault is not None:
            self.refuse(there)
        body = {**body, "classId": there.body.get("classId", body["classId"])}
        self.success("PUT", path, body)
        return body

    def refuse(self, given: Answer) -> NoReturn:
        """Raises `Stopped` with what this answer means."""
        raise Stopped(self._verdict(given))

    def _verdict(self, given: Answer) -> Later | Refused:
        account = self._session.account
        return verdict(given, account.email, account.issuer_id, _REST)


def _subject(path: str, body: Mapping[str, Any] | None) -> str:
    """The object or the class that a call is about, whatever its verb."""
    kind, _, rest = path.partition("/")
    return f"{kind}/{rest.partition('/')[0] or (body or {}).get('id', '')}"
