"""Owns Google Wallet as one of the wallets: cards are composed, judged, and put to Google over its REST API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed, wait
from dataclasses import replace
from datetime import datetime, timedelta

from wallet_server.errors import Invalid, WalletError
from wallet_server.rules.passes.card import Alert, Card
from wallet_server.wallets.banner import Banners
from wallet_server.wallets.designs import Design, Designs
from wallet_server.wallets.google import classes, limits, objects, state
from wallet_server.wallets.google.api import (
    API,
    TOKEN,
    Account,
    Where,
    check_where,
    path_of,
)
from wallet_server.wallets.google.issuers import Hands, Rates
from wallet_server.wallets.google.link import SAVE, save_link
from wallet_server.wallets.google.offices import BATCH_SECONDS, PATIENCE_SECONDS, Batch, Capabilities, Offices, Patience
from wallet_server.wallets.google.options import Vertical
from wallet_server.wallets.google.pictures import Gallery, Pictured, Placed, no_pictures
from wallet_server.wallets.google.pushing import PLACES_NOTE, Push, Stopped, Wish
from wallet_server.wallets.google.rolls import page
from wallet_server.wallets.google.state import Known
from wallet_server.wallets.google.telling import tell, untell
from wallet_server.wallets.google.texts import Body
from wallet_server.wallets.port import (
    Audience,
    Copy,
    Identity,
    Issued,
    Later,
    Message,
    Refused,
    Report,
    Roll,
    Shown,
    Stale,
    Template,
    TemplateReport,
    Verdict,
)

NEWS_DAYS = 30
"""How long news stay among a card's messages."""
_OWN_CLASS = frozenset({"offer", "eventTicket"})


class GoogleWallet:
    """Implements `wallets.port.Wallet`. `accounts` gives the service account of a set of credentials, or raises
    `Misconfigured`; `picture_url` puts a picture where everybody can fetch it and returns its https address;
    `callback_url` is where Google tells of cards of a set that were saved and removed."""

    name = "google"
    pushes_cards = True

    def __init__(
        self,
        designs: Designs,
        banners: Banners,
        accounts: Callable[[int], Account],
        *,
        picture_url: Placed,
        rates: Rates,
        capabilities: Capabilities,
        pictures: Pictured = no_pictures,
        callback_url: Callable[[int], str | None] = lambda _set: None,
        api: str = API,
        token_url: str = TOKEN,
        save_base: str = SAVE,
        trust_pem: bytes | None = None,
        sandbox: bool = False,
        patience_seconds: float = PATIENCE_SECONDS,
        read_seconds: float = 15.0,
        batch_seconds: float = BATCH_SECONDS,
    ) -> None:
        """Raises `Misconfigured` for addresses or a root that are not Google's, unless `sandbox`: there alone pictures
        may be served over plain http, too."""
        where = Where(api, token_url, trust_pem, read_seconds=read_seconds)
        check_where(where, save_base, sandbox, (API, TOKEN, SAVE))
        self._designs = designs
        self._offices = Offices(accounts, where, rates, capabilities, Patience(patience_seconds, batch_seconds))
        self._gallery = Gallery(banners, pictures, picture_url)
        self._save_base, self._sandbox = save_base, sandbox
        self._callback_url = callback_url
        self._aligned: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()
        self._hands = Hands()

    def close(self) -> None:
        """Let go of the connections."""
        self._offices.close()

    # --- links ------------------------------------------------------------------------------------------------

    def issue(self, card: Card, alert: Alert | None, identity: Identity, at: datetime) -> Issued:
        """A link to the object that `refresh` put there. See the port."""
        return self.link((Copy(card, alert, identity, ""),), at)

    def link(self, copies: Sequence[Copy], at: datetime) -> Issued:
        """One address for several cards of one customer. See the port."""
        if not copies:
            raise Invalid("There is no card to add.", code="invalid-card")
        account = self._offices.account(copies[0].identity.credential_set, copies[0].identity.pass_type)
        if any(one.identity.pass_type != account.issuer_id for one in copies):
            raise Invalid("One address adds the cards of one issuer only.", code="invalid-card")
        named = [(self._vertical(one), f"{account.issuer_id}.{one.identity.serial}") for one in copies]
        address = save_link(account.email, account.key_pem, named, at, self._save_base)
        return Issued("text/html", b"", address, version=account.version)

    def bundle(self, bodies: Sequence[bytes]) -> Issued:
        """Google's cards are no files: see `link`."""
        raise Invalid("An Android phone adds its cards from an address.", code="invalid-card")

    def _vertical(self, copy: Copy) -> Vertical:
        return objects.vertical_of(copy.card, self._design(copy.card, state.read(copy.remote_state)))

    def _design(self, card: Card, known: Known | None = None) -> Design:
        """The design of this card; what Google has of it stays of its kind."""
        design = self._designs.get(card.design, card.design_version)
        return design if known is None else objects.staying(card, design, known.kind)

    # --- what all cards share ---------------------------------------------------------------------------------

    def publish(self, template: Template, at: datetime) -> TemplateReport:
        """The class of a programme, of an offer or of an event. See the port."""
        try:
            account, session = self._offices.session(template.credential_set)
            design = self._designs.get(template.card.design, template.card.design_version)
            vertical = objects.vertical_of(template.card, design)
            identifier = objects.class_id(account.issuer_id, template.programme, template.card, design)
            pictures = self._gallery.of_class(template.card, design)
            body = classes.compose(
                template.card, design, identifier, template.issuer_name, pictures, callback_url=template.callback_url
            )
            self._judge(body, f"{vertical}Class", account.issuer_id)
        except WalletError as refused:
            return TemplateReport(Refused(refused.sentence), template.remote_state)
        known = state.read(template.remote_state)
        if known is not None and known.id == identifier and not state.changes(body, known.digests):
            return TemplateReport(Shown(), template.remote_state)
        push = self._offices.push(session, 3, template.hurried)
        try:
            made = push.align(f"{vertical}Class", body)
        except Stopped as stopped:
            return TemplateReport(stopped.verdict, template.remote_state)
        fresh = Known(vertical, identifier, "").sent(body)
        return TemplateReport(Shown(), fresh.written(), _reviewed(made))

    def tell(self, audience: Audience, message: Message) -> Verdict:
        """One message on the class of the programme, and on those of its statuses. See the port."""
        try:
            account, session = self._offices.session(audience.credential_set)
        except WalletError as refused:
            return Refused(refused.sentence)
        try:
            return tell(self._offices.push(session, 3), account.issuer_id, audience.programme, message)
        except Stopped as stopped:
            return stopped.verdict

    def untell(self, audience: Audience, message: str) -> Verdict:
        """Off the same classes. See the port."""
        try:
            account, session = self._offices.session(audience.credential_set)
        except WalletError as refused:
            return Refused(refused.sentence)
        try:
            return untell(self._offices.push(session, 3), account.issuer_id, audience.programme, message)
        except Stopped as stopped:
            return stopped.verdict

    def roll(self, credential_set: int, programmes: Sequence[str], after: str | None) -> Roll | Verdict:
        """A page of the objects of these programmes' classes. See the port."""
        try:
            account, session = self._offices.session(credential_set)
        except WalletError as refused:
            return Refused(refused.sentence)
        try:
            return page(self._offices.push(session, 2), account.issuer_id, programmes, after)
        except Stopped as stopped:
            return stopped.verdict

    # --- cards ------------------------------------------------------------------------------------------------

    def refresh(self, stale: Sequence[Stale], at: datetime) -> Iterator[Report]:
        """Put these cards to Google, several at a time. See the port."""
        batch = self._offices.batch(len(stale), any(one.hurried for one in stale))
        if len(stale) == 1:
            yield self._put(stale[0], at, batch)
            return
        work = [self._hands.threads.submit(self._put, one, at, batch) for one in stale]
        try:
            for done in as_completed(work):
                yield done.result()
        finally:
            wait([one for one in work if not one.cancel()])

    def retire(self, stale: Stale, at: datetime) -> Report:
        """The object becomes inactive, in the words of a card that is over. See the port."""
        return self._put(stale._replace(ending="retire"), at, self._offices.batch(1))

    def erase(self, stale: Stale, at: datetime) -> Report:
        """Google deletes no object: this one is overwritten by one that says nothing of anybody. See the port."""
        return self._put(stale._replace(ending="erase"), at, self._offices.batch(1))

    def _put(self, stale: Stale, at: datetime, batch: Batch) -> Report:
        if batch.over:
            return Report(stale.ref, Later(1.0, "Google Wallet is slow; these cards follow."), stale.remote_state)
        match stale.ending:
            case "retire":
                return self._retired(stale, at, batch)
            case "erase":
                return self._erased(stale, batch)
        return self._refreshed(stale, at, batch)

    def _retired(self, stale: Stale, at: datetime, batch: Batch) -> Report:
        copy, known = stale.copy, state.read(stale.remote_state)
        if known is not None and copy is not None:
            over = replace(copy, card=replace(copy.card, voided=True), alert=None)
            return self._refreshed(stale._replace(copy=over), at, batch)
        if known is None and copy is not None:
            known = self._known(copy)  # the answer to its insert may have been lost
        return (
            Report(stale.ref, Shown(), stale.remote_state) if known is None else self._over(stale, known, None, batch)
        )

    def _erased(self, stale: Stale, batch: Batch) -> Report:
        known = state.read(stale.remote_state)
        if known is None:
            if stale.copy is None:
                return Report(stale.ref, Shown(), stale.remote_state)
            known = self._known(stale.copy)
        body: Body = {"id": known.id, "classId": known.belongs, "state": "INACTIVE"}
        if known.kind == "giftCard":
            body["cardNumber"] = "-"
        return self._over(stale, known, body, batch)

    def _known(self, copy: Copy) -> Known:
        """The object of a card of which nobody remembers what was sent."""
        design = self._designs.get(copy.card.design, copy.card.design_version)
        issuer = copy.identity.pass_type
        belongs = objects.class_id(issuer, copy.programme, copy.card, design)
        return Known(objects.vertical_of(copy.card, design), f"{issuer}.{copy.identity.serial}", belongs)

    def _over(self, stale: Stale, known: Known, body: Body | None, batch: Batch) -> Report:
        """Make the object inactive, or overwrite it with this body: then nothing is ever sent of it again."""
        try:
            account, session = self._offices.session(stale.credential_set)
        except WalletError as refused:
            return Report(stale.ref, Refused(refused.sentence), stale.remote_state)
        push, path = (
            self._offices.push_in(session, self._offices.turn_in(batch, stale.credential_set, account)),
            path_of(f"{known.kind}Object", known.id),
        )
        try:
            if body is None:
                if not push.deactivate(path):
                    return Report(stale.ref, Shown())
                fresh = replace(known, digests={}, news=None)
            else:
                fresh = replace(known.sent(push.overwrite(path, body)), erased=True)
        except Stopped as stopped:
            return Report(stale.ref, stopped.verdict, stale.remote_state)
        return Report(stale.ref, Shown(), fresh.written())

    def _refreshed(self, stale: Stale, at: datetime, batch: Batch) -> Report:
        copy = stale.copy
        if copy is None:
            return Report(stale.ref, Refused("The card itself is missing; this is a fault of the server."))
        known = state.read(stale.remote_state)
        if known is not None and known.erased:
            return Report(stale.ref, Shown(), stale.remote_state)
        try:
            account, session = self._offices.session(stale.credential_set, copy.identity.pass_type)
            turn = self._offices.turn_in(batch, stale.credential_set, account)
            wish = self._wish(stale, copy, account, known, at)
        except WalletError as refused:
            return Report(stale.ref, Refused(refused.sentence), stale.remote_state)
        if known is not None and known.kind != wish.vertical:
            known = None  # it can be of that kind no more: that is another object
        if known is not None and not stale.uncertain and not state.changes(wish.body, known.digests):
            return Report(stale.ref, Shown(), stale.remote_state, note=wish.note)
        push = self._offices.push_in(session, turn, stale.hurried)
        try:
            self._align(push, copy, wish)
        except Stopped as stopped:
            return Report(stale.ref, stopped.verdict, stale.remote_state)
        return push.put(stale.ref, wish, known, stale.remote_state, look=stale.uncertain)

    def _wish(self, stale: Stale, copy: Copy, account: Account, known: Known | None, at: datetime) -> Wish:
        """What is to stand at Google. Raises `WalletError` for a card that breaks a rule."""
        card, issuer = copy.card, account.issuer_id
        design = self._design(card, known)
        vertical = objects.vertical_of(card, design)
        sticky = known is not None and known.kind == vertical and vertical in _OWN_CLASS
        belongs = known.belongs if known is not None and sticky else None
        places = self._offices.places(issuer)
        ends = (at + timedelta(days=NEWS_DAYS)).replace(microsecond=0)
        message = objects.news(card, design, ends, notify=False)
        if message is not None and known is not None and known.news is not None and known.news[0] == message["id"]:
            message["displayInterval"]["end"]["date"] = known.news[1]
        body = objects.compose(
            copy,
            design,
            issuer,
            at,
            banner=self._gallery.of_object(card, design),
            wide=self._gallery.among_details(card, design),
            places=places,
            message=message,
            belongs=belongs,
        )
        self._judge(body, f"{vertical}Object", issuer)
        facet = None if copy.alert is None else copy.alert.facet
        return Wish(
            vertical=vertical,
            body=body,
            class_body=lambda: self._class_body(copy, design, body["classId"]),
            news=None if message is None else (message["id"], message["displayInterval"]["end"]["date"]),
            alert=None if facet is None else "message" if facet == "news" else "balance",
            spent=stale.alerts_left is not None and stale.alerts_left <= 0,
            note=PLACES_NOTE if not places and card.places and not card.voided else None,
        )

    def _class_body(self, copy: Copy, design: Design, identifier: str) -> Body:
        card = copy.card
        pictures = self._gallery.of_class(card, design)
        callback = self._callback_url(copy.identity.credential_set)
        return classes.compose(card, design, identifier, card.organisation, pictures, callback_url=callback)

    def _align(self, push: Push, copy: Copy, wish: Wish) -> None:
        """A class that is all about what this card says (an event that was moved, a status with new colours) is looked
        at once by each process. Raises `Stopped`."""
        if wish.vertical != "eventTicket" and not objects.by_tier(copy.card, self._design(copy.card)):
            return
        body = wish.class_body()
        digests = state.digests(body)
        if self._aligned.get(body["id"]) != digests:
            push.align(f"{wish.vertical}Class", body, keep=frozenset({"issuerName", "callbackOptions"}))
            with self._lock:
                self._aligned[body["id"]] = digests

    def _judge(self, body: Body, kind: str, issuer: str) -> None:
        found = limits.faults(body, limits.kind(kind), issuer, sandbox=self._sandbox)
        if found:
            raise Invalid(
                f"Google Wallet would refuse this card: {found[0].sentence}", code="invalid-card", faults=found
            )


def _reviewed(made: object) -> str | None:
    """What Google's review said against a class."""
    if not isinstance(made, dict) or state.enum(str(made.get("reviewStatus", ""))) != "REJECTED":
        return None
    comments = made.get("review")
    said = comments.get("comments", "") if isinstance(comments, dict) else ""
    return f"Google has refused the look of these cards: {said or 'it gives no reason'}"[:500]
