"""Owns a vendor that cards are pushed to, in memory: it keeps what it was given, and counts every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tests.world import World
from wallet_server.actions.context import new_id
from wallet_server.errors import Invalid
from wallet_server.records.vendors import credentials
from wallet_server.rules.passes.card import Alert, Card
from wallet_server.wallets.port import (
    Audience,
    Copy,
    Identity,
    Issued,
    Message,
    Report,
    Roll,
    Shown,
    Stale,
    Template,
    TemplateReport,
    Verdict,
)

ISSUER = "3388000000022222222"


@dataclass
class Vendor:
    """Implements `wallets.port.Wallet`. `objects` are the cards that it holds, by serial; `calls` what it was asked, as
    (what, of which); `names` are those of the holders, `offers` what stands beside a card; `answer`
    may give another verdict than Shown, by the serial or the programme."""

    name: str = "google"
    pushes_cards: bool = True
    objects: dict[str, Card] = field(default_factory=dict)
    names: dict[str, str | None] = field(default_factory=dict)
    offers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    classes: dict[str, Template] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    alerts: list[tuple[str, str]] = field(default_factory=list)
    answer: Callable[[str], Verdict] = lambda _what: Shown()
    saved: bool | None = None
    messages: dict[str, Message] = field(default_factory=dict)
    holders: set[str] = field(default_factory=set)
    page: int = 2

    def publish(self, template: Template, at: datetime) -> TemplateReport:
        verdict = self.answer(template.programme)
        self.calls.append(("publish", template.programme))
        if isinstance(verdict, Shown):
            self.classes[template.programme] = template
        return TemplateReport(verdict, template.card.fingerprint())

    def issue(self, card: Card, alert: Alert | None, identity: Identity, at: datetime) -> Issued:
        return self.link([Copy(card, alert, identity, "")], at)

    def bundle(self, bodies: Sequence[bytes]) -> Issued:
        raise Invalid("There are no files here.", code="invalid-card")

    def link(self, copies: Sequence[Copy], at: datetime) -> Issued:
        serials = [one.identity.serial for one in copies]
        return Issued("text/html", b"", f"https://vendor.example/save/{'.'.join(serials)}")

    def refresh(self, stale: Sequence[Stale], at: datetime) -> Iterator[Report]:
        for one in stale:
            match one.ending:
                case "retire":
                    yield self.retire(one, at)
                case "erase":
                    yield self.erase(one, at)
                case None:
                    yield self._take(one)

    def tell(self, audience: Audience, message: Message) -> Verdict:
        verdict = self.answer(message.id)
        self.calls.append(("tell", message.id))
        if isinstance(verdict, Shown):
            self.messages[message.id] = message
        return verdict

    def untell(self, audience: Audience, message: str) -> Verdict:
        verdict = self.answer(message)
        self.calls.append(("untell", message))
        if isinstance(verdict, Shown):
            self.messages.pop(message, None)
        return verdict

    def roll(self, credential_set: int, programmes: Sequence[str], after: str | None) -> Roll | Verdict:
        verdict = self.answer("roll")
        rest = sorted(serial for serial in self.objects if after is None or serial > after)
        page = rest[: self.page]
        held = {serial: serial in self.holders for serial in page}
        return Roll(held, page[-1] if len(rest) > self.page else None) if isinstance(verdict, Shown) else verdict

    def retire(self, stale: Stale, at: datetime) -> Report:
        assert stale.copy is not None
        if stale.copy.identity.serial not in self.objects:
            return Report(stale.ref, self.answer(stale.copy.identity.serial))
        return self._take(stale._replace(copy=replace(stale.copy, card=replace(stale.copy.card, voided=True))))

    def erase(self, stale: Stale, at: datetime) -> Report:
        report = self.retire(stale, at)
        assert stale.copy is not None
        self.objects.pop(stale.copy.identity.serial, None)
        return report._replace(remote_state="erased")

    def _take(self, stale: Stale) -> Report:
        assert stale.copy is not None
        serial, card = stale.copy.identity.serial, stale.copy.card
        told = f"{card.fingerprint()}:{stale.copy.holder}:{stale.copy.offers}"
        if stale.remote_state == told:
            return Report(stale.ref, Shown(), stale.remote_state)
        verdict = self.answer(serial)
        self.calls.append(("patch" if serial in self.objects else "insert", serial))
        if not isinstance(verdict, Shown):
            return Report(stale.ref, verdict, stale.remote_state)
        self.objects[serial], self.names[serial] = card, stale.copy.holder
        self.offers[serial] = tuple(stale.copy.offers)
        alerted = None if stale.copy.alert is None else stale.alerts_left != 0
        if alerted and stale.copy.alert is not None:
            self.alerts.append((serial, stale.copy.alert.facet))
        return Report(stale.ref, Shown(), told, saved=self.saved, alerted=alerted)


def add_vendor(world: World, vendor: Vendor | None = None, issuer: str = ISSUER) -> Vendor:
    """Have the platform issue cards at this vendor, too."""
    vendor = vendor or Vendor()
    world.ctx.wallets = {**world.ctx.wallets, vendor.name: vendor}
    wide = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    sealed = world.ctx.keyring.seal(b"key", f"credential-key:{issuer}")
    with world.ctx.change() as tx:
        credentials.add(
            tx,
            new_id("cred"),
            None,
            vendor.name,
            issuer,
            "wallet@shop.iam.gserviceaccount.com",
            credentials.Material("", "", sealed, *wide),
            world.clock(),
        )
    return vendor
