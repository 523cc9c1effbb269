"""Owns the one port that every wallet implements, and the values that cross it.

Apple rings devices, which then pull; Google is pushed to; others are told and then pull. The port hides which.
Expected failures are values (`Later`, `Refused`), never exceptions: the caller settles a job by the verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from wallet_server.rules.card import Alert, Card, Texts


@dataclass(frozen=True)
class Identity:
    """What makes a pass this pass, fixed for life, and the secrets that are re-emitted in its bytes.

    `credential_set` names the certificate or service account that signs it; `code` is the text in its barcode.
    """

    credential_set: int
    pass_type: str
    serial: str
    token: str = field(repr=False)
    code: str = field(repr=False)
    web_service_url: str | None


@dataclass(frozen=True)
class Handle:
    """One device that holds a pass. `ref` is the caller's own key; `registered_at` is UTC; `kind` is the push
    service that understands `push_token` (`apns`, `androidpass`); `suspected`: it was reported `suspect` or
    `accused` before and has not been told anything since."""

    ref: int
    kind: str
    push_token: str = field(repr=False)
    registered_at: datetime
    suspected: bool = False


@dataclass(frozen=True)
class Stale:
    """A pass whose card has changed since the vendor (or the devices) last saw it. `ref` is the caller's own key;
    `remote_state` is what this wallet put into its last `Report`, opaque to everyone else."""

    ref: int
    credential_set: int
    pass_type: str
    handles: tuple[Handle, ...]
    remote_state: str | None = None


@dataclass(frozen=True)
class Shown:
    """The vendor accepted it: every live device has been told (or there was none to tell); doubted ones may not."""


@dataclass(frozen=True)
class Later:
    """Not now: try again after `seconds`; `why` is for the operator."""

    seconds: float
    why: str


@dataclass(frozen=True)
class Refused:
    """It will not work until a person changes something; `why` says what, in a sentence."""

    why: str


@dataclass(frozen=True)
class NotOffered:
    """This wallet has no such thing."""


Verdict = Shown | Later | Refused | NotOffered


@dataclass(frozen=True)
class Report:
    """What became of one `Stale`. `told` handles took the notification; `dead` ones are gone for good (the vendor said
    so, later than their registration); `suspect` ones were refused in a way that a wrong setting would cause too, so
    only a second such answer a day later, with something taken under the credential meanwhile, means that the device is
    gone; `accused` ones were refused when a wrong setting was the likelier reason: worth noting, never a reason to
    forget. All are `Handle.ref`s."""

    ref: int
    verdict: Verdict
    remote_state: str | None = None
    told: tuple[int, ...] = ()
    dead: tuple[int, ...] = ()
    suspect: tuple[int, ...] = ()
    accused: tuple[int, ...] = ()


@dataclass(frozen=True)
class Issued:
    """What a customer needs to add the pass: the bytes of a file, or an address to open. `version` is that of the
    credentials that signed it, where they have one."""

    media_type: str
    body: bytes = field(repr=False)
    link: str | None = None
    version: int | None = None


class Wallet(Protocol):
    """One vendor's wallet. Built with its credentials and the loaded designs; safe to share between threads."""

    name: str

    def publish(self, programme: str, card: Card) -> Verdict:
        """Make the vendor ready for cards like this one (a class, a template); `NotOffered` where there is none."""
        ...

    def issue(self, card: Card, alert: Alert | None, identity: Identity, at: datetime) -> Issued:
        """The card in the vendor's own form. `at` (UTC) is when it was published, and the signing time, unless the
        certificate that signs is younger: then that is when it began. Equal arguments give equal bytes. Raises
        `errors.Invalid` with every fault when the card breaks a rule of the vendor: nothing invalid is ever signed."""
        ...

    def bundle(self, bodies: Sequence[bytes]) -> Issued:
        """Several passes of one customer, each as `issue` gave it, in the vendor's form for adding them at one tap.
        Raises `errors.Invalid` where they are too many or too large for that."""
        ...

    def refresh(self, stale: Sequence[Stale], at: datetime) -> Iterator[Report]:
        """Tell the vendor (or the devices) that these passes changed; exactly one `Report` for each, in any order.
        Never raises for a vendor's answer or a network fault. Holds no database transaction."""
        ...

    def tell(self, audience: str, message: Texts) -> Verdict:
        """One message to everybody at once, where the vendor has that; else `NotOffered`."""
        ...

    def retire(self, stale: Stale, at: datetime) -> Report:
        """The pass is void from now on: tell whoever holds it."""
        ...
