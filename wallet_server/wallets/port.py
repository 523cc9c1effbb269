"""Owns the one port that every wallet implements, and the values that cross it.

Apple rings devices, which then pull; Google is pushed to; others are told and then pull. The port hides which: a
wallet that is pushed to says so (`pushes_cards`) and is given the card itself.
Expected failures are values (`Later`, `Refused`), never exceptions: the caller settles a job by the verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from wallet_server.rules.passes.card import Alert, Card, Texts


@dataclass(frozen=True)
class Identity:
    """What makes a pass this pass, fixed for life, and the secrets that are re-emitted in its bytes.

    `credential_set` names the certificate or service account that signs it; `code` is the text in its barcode, `typed`
    what a person types in its place, and `digits` what bars in one line hold; both empty where the code has no short
    form.
    """

    credential_set: int
    pass_type: str
    serial: str
    token: str = field(repr=False)
    code: str = field(repr=False)
    web_service_url: str | None
    typed: str = field(default="", repr=False)
    digits: str = field(default="", repr=False)

    @property
    def said(self) -> str:
        """What is written under the barcode."""
        return self.typed or self.code

    @property
    def brief(self) -> str:
        """What has to be short: bars in one line, and what a reader without contact is told."""
        return self.digits or self.code


class Handle(NamedTuple):
    """One device that holds a pass. `ref` is the caller's own key; `registered_at` is UTC; `kind` is the push
    service that understands `push_token` (`apns`, `androidpass`); `suspected`: it was reported `suspect` or
    `accused` before and has not been told anything since."""

    ref: int
    kind: str
    push_token: str
    registered_at: datetime
    suspected: bool = False

    def __repr__(self) -> str:
        """Without the token, which must not come into a log."""
        return f"Handle(ref={self.ref}, kind={self.kind!r}, suspected={self.suspected})"


@dataclass(frozen=True)
class Copy:
    """One member's card as it is to be shown, with everything that a wallet needs to push it. `alert` is the facet that
    may raise an alert in this version; `programme` is the public id of its programme, `offers` are the serials of the
    coupons that stand beside it (put there already), `holder` is the name to show, where the member gave one. `linked`
    are the serials of all that ever stood beside it, for a vendor that unlinks nothing. `remote_state` is what the
    vendor had of it, as in `Stale`: in a link it is named as what it is there."""

    card: Card
    alert: Alert | None
    identity: Identity
    programme: str
    offers: tuple[str, ...] = ()
    holder: str | None = None
    linked: tuple[str, ...] = ()
    remote_state: str | None = None


class Stale(NamedTuple):
    """A pass whose card has changed since the vendor (or the devices) last saw it. `ref` is the caller's own key;
    `remote_state` is what this wallet put into its last `Report`, opaque to everyone else. `copy` is there for a wallet
    that pushes cards, and `alerts_left` says how many alerts this pass may still raise today (0: go silently; None:
    nobody counts them). `uncertain`: a version after the one of `remote_state` may have been put there without anybody
    having heard so; then what stands there is looked at, never only remembered. `ending`: the pass is over, and this is
    to be done with it instead, as the method of that name says. `hurried`: somebody waits for it, and hears rather soon
    that it has to be `Later`."""

    ref: int
    credential_set: int
    pass_type: str
    handles: tuple[Handle, ...]
    remote_state: str | None = None
    copy: Copy | None = None
    alerts_left: int | None = None
    uncertain: bool = False
    ending: Literal["retire", "erase"] | None = None
    hurried: bool = False


@dataclass(frozen=True)
class Template:
    """What all cards of a programme have in common: `card` is a specimen of its present version, without any member's
    data, `issuer_name` who stands behind it, `callback_url` where the vendor tells of cards saved and removed;
    `hurried` as in `Stale`."""

    credential_set: int
    programme: str
    issuer_name: str
    card: Card
    remote_state: str | None = None
    callback_url: str | None = None
    hurried: bool = False


@dataclass(frozen=True)
class Audience:
    """Everybody who holds a card of one programme (its public id) that these credentials issued."""

    credential_set: int
    programme: str


@dataclass(frozen=True)
class Message:
    """One message to a whole audience. `id` is the caller's own, by which a message that was sent is recognised;
    it disappears at `ends_at` (UTC); `notify`: it may raise an alert."""

    id: str
    header: Texts
    body: Texts
    ends_at: datetime
    notify: bool


@dataclass(frozen=True)
class Roll:
    """A page of what a vendor says of its passes: serial number to whether somebody holds it; `after` is where the next
    page begins, None at the end."""

    held: Mapping[str, bool]
    after: str | None


@dataclass(frozen=True)
class Shown:
    """The vendor accepted it: every live device has been told (or there was none to tell); doubted ones may not."""


@dataclass(frozen=True)
class Later:
    """Not now: try again after `seconds`; `why` is for the operator. `of_issuer`: the vendor takes nothing of this
    issuer just now, whatever the card."""

    seconds: float
    why: str
    of_issuer: bool = False


@dataclass(frozen=True)
class Refused:
    """It will not work until a person changes something; `why` says what, in a sentence. `of_issuer`: the vendor takes
    nothing of this issuer at all, whatever the card."""

    why: str
    of_issuer: bool = False


@dataclass(frozen=True)
class NotOffered:
    """This wallet has no such thing."""


Verdict = Shown | Later | Refused | NotOffered


class Report(NamedTuple):
    """What became of one `Stale`. `told` handles took the notification; `dead` ones are gone for good (the vendor said
    so, later than their registration); `suspect` ones were refused in a way that a wrong setting would cause too, so
    only a second such answer a day later, with something taken under the credential meanwhile, means that the device is
    gone; `accused` ones were refused when a wrong setting was the likelier reason: worth noting, never a reason to
    forget. All are `Handle.ref`s. `saved`: whether the vendor says that somebody holds it (None: it did not say);
    `alerted`: whether an alert was raised (None: there was none to raise; False: it went silently, because the day's
    alerts are spent), or may have been, where no answer came; `note` is a sentence for the merchant about what had to
    be left out."""

    ref: int
    verdict: Verdict
    remote_state: str | None = None
    told: tuple[int, ...] = ()
    dead: tuple[int, ...] = ()
    suspect: tuple[int, ...] = ()
    accused: tuple[int, ...] = ()
    saved: bool | None = None
    alerted: bool | None = None
    note: str | None = None


@dataclass(frozen=True)
class TemplateReport:
    """What became of a `Template`; `remote_state` and `note` as in `Report`."""

    verdict: Verdict
    remote_state: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Issued:
    """What a customer needs to add the pass: the bytes of a file, or an address to open. `version` is that of the
    credentials that signed it, where they have one."""

    media_type: str
    body: bytes = field(repr=False)
    link: str | None = None
    version: int | None = None


class Wallet(Protocol):
    """One vendor's wallet. Built with its credentials and the loaded designs; safe to share between threads.
    `pushes_cards`: every `Stale` that it is given carries its `copy`, and a pass needs no handle to be told."""

    name: str
    pushes_cards: bool

    def publish(self, template: Template, at: datetime) -> TemplateReport:
        """Make the vendor ready for cards like this one (a class, a template), or bring what is there up to date;
        `NotOffered` where there is none. Nothing changed since `remote_state`: no call. Never raises for a vendor's
        answer or a network fault."""
        ...

    def issue(self, card: Card, alert: Alert | None, identity: Identity, at: datetime) -> Issued:
        """The card in the vendor's own form. `at` (UTC) is when it was published, and the signing time, unless the
        certificate that signs is younger: then that is when it began. Equal arguments give equal bytes. Raises
        `errors.Invalid` with every fault when the card breaks a rule of the vendor: nothing invalid is ever signed.
        Where cards are pushed it is a link to one that `refresh` has put there before."""
        ...

    def bundle(self, bodies: Sequence[bytes]) -> Issued:
        """Several passes of one customer, each as `issue` gave it, in the vendor's form for adding them at one tap.
        Raises `errors.Invalid` where they are too many or too large for that."""
        ...

    def link(self, copies: Sequence[Copy], at: datetime) -> Issued:
        """One address that adds several passes of one customer, all of them put there by `refresh` before. Raises
        `errors.Invalid` where there is no such thing, or where they are too many for one address."""
        ...

    def refresh(self, stale: Sequence[Stale], at: datetime) -> Iterator[Report]:
        """Tell the vendor (or the devices) that these passes changed; exactly one `Report` for each, in any order.
        Never raises for a vendor's answer or a network fault. Holds no database transaction."""
        ...

    def tell(self, audience: Audience, message: Message) -> Verdict:
        """One message to everybody at once, where the vendor has that; else `NotOffered`. Told twice, it is sent
        once."""
        ...

    def untell(self, audience: Audience, message: str) -> Verdict:
        """Take the message of this id back from everybody. Where it is not, nothing is changed."""
        ...

    def roll(self, credential_set: int, programmes: Sequence[str], after: str | None) -> Roll | Verdict:
        """A page of the passes that these credentials issued for these programmes (public ids), and whether somebody
        holds each; the first one without `after`. Where phones register themselves there is none: `NotOffered`."""
        ...

    def retire(self, stale: Stale, at: datetime) -> Report:
        """The pass is void from now on: tell whoever holds it; also where nobody knows whether it was put there."""
        ...

    def erase(self, stale: Stale, at: datetime) -> Report:
        """The same, and nothing of the member's own stays with the vendor."""
        ...
