"""Owns Apple Wallet behind the port: passes are signed when a device asks, devices are rung when a card changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from wallet_server.errors import Invalid, Misconfigured
from wallet_server.rules.passes.card import Alert, Card
from wallet_server.wallets.apple import archive, rules
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.passfile import MEDIA_TYPE, Pictures, Press, no_pictures
from wallet_server.wallets.apple.push import Alarm, Bell, ring_all
from wallet_server.wallets.designs import Designs
from wallet_server.wallets.drawing import Drawings
from wallet_server.wallets.port import (
    Audience,
    Copy,
    Identity,
    Issued,
    Message,
    NotOffered,
    Report,
    Roll,
    Stale,
    Template,
    TemplateReport,
    Verdict,
)

BUNDLE_TYPE = "application/vnd.apple.pkpasses"

CredentialsOf = Callable[[int], Credentials]
"""Credential set to credentials; may raise `errors.Misconfigured`."""

OnAlarm = Callable[[int, Alarm], None]
"""Hears once for each batch that was stopped, with its credential set."""


class AppleWallet:
    """Implements `wallets.port.Wallet`. In the sandbox, and there alone, cards may name a plain http service."""

    name = "apple"
    pushes_cards = False

    def __init__(
        self,
        designs: Designs,
        drawings: Drawings,
        credentials: CredentialsOf,
        bell: Bell,
        *,
        pictures: Pictures = no_pictures,
        on_alarm: OnAlarm | None = None,
        sandbox: bool = False,
    ) -> None:
        self._designs = designs
        self._press = Press(drawings, pictures=pictures, sandbox=sandbox)
        self._credentials = credentials
        self._bell = bell
        self._on_alarm = on_alarm

    def publish(self, template: Template, at: datetime) -> TemplateReport:
        """Apple knows no programmes: each pass carries everything."""
        return TemplateReport(NotOffered())

    def issue(self, card: Card, alert: Alert | None, identity: Identity, at: datetime) -> Issued:
        """See the port. Raises `Misconfigured` for credentials that cannot sign this pass, `Invalid` for a card
        that breaks a rule."""
        design = self._designs.get(card.design, card.design_version)
        credentials = self._credentials(identity.credential_set)
        if credentials.pass_type != identity.pass_type:
            raise Misconfigured(
                f"This pass is of type {identity.pass_type}, but its certificate is for {credentials.pass_type}. "
                "Put the certificate of that pass type back.",
                code="apple-credentials",
            )
        if at > credentials.not_after:
            raise Misconfigured(
                f"The Apple certificate expired on {credentials.not_after:%d %B %Y}; cards cannot be signed until it "
                "is renewed. `wallet-server setup apple` leads you through it.",
                code="apple-credentials",
            )
        # A card that was published before its certificate was renewed: the chain is judged at the time of signing.
        signed_at = max(at, credentials.not_before)
        body = self._press.make(card, alert, identity, design, credentials, signed_at)
        if found := [*rules.size_faults(len(body))]:
            raise Invalid(found[0].sentence, code="invalid-card", faults=found)
        return Issued(MEDIA_TYPE, body, version=credentials.version)

    def bundle(self, bodies: Sequence[bytes]) -> Issued:
        """A .pkpasses: a zip of passes (Apple, "Distributing and updating a pass"). See the port."""
        found = rules.bundle_faults([len(body) for body in bodies])
        if found:
            raise Invalid(found[0].sentence, code="invalid-card", faults=found)
        return Issued(BUNDLE_TYPE, archive.bundle(bodies))

    def link(self, copies: Sequence[Copy], at: datetime) -> Issued:
        """Apple's passes are files: see `bundle`."""
        raise Invalid("An iPhone adds its cards from a file.", code="invalid-card")

    def refresh(self, stale: Sequence[Stale], at: datetime) -> Iterator[Report]:
        """Ring the devices; they come and fetch. See the port."""
        return ring_all(self._bell, self._credentials, stale, at, self._on_alarm)

    def tell(self, audience: Audience, message: Message) -> Verdict:
        """Apple has no message to everybody; news travel on the card."""
        return NotOffered()

    def untell(self, audience: Audience, message: str) -> Verdict:
        """Nothing was told."""
        return NotOffered()

    def roll(self, credential_set: int, programmes: Sequence[str], after: str | None) -> Roll | Verdict:
        """Apple keeps no list; phones register."""
        return NotOffered()

    def retire(self, stale: Stale, at: datetime) -> Report:
        """Ring the devices once more: they fetch a voided card that names no service, and never ask again."""
        return next(self.refresh((stale,), at))

    def erase(self, stale: Stale, at: datetime) -> Report:
        """Apple keeps no card: a voided one is all that a phone can still fetch."""
        return self.retire(stale, at)
