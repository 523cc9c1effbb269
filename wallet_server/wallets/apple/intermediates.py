"""Owns which intermediates are Apple's own: they are known by their fingerprint, as anybody can copy their names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes

G4 = "ea4757885538dd8cb59ff4556f676087d83c85e70902c122e42c0808b5bce14c"
"""SHA-256 of 'Worldwide Developer Relations - G4' (DER), which is valid until 10 December 2030."""
DOWNLOAD = (
    "Download 'Worldwide Developer Relations - G4' from https://www.apple.com/certificateauthority/ "
    "and use it as the intermediate."
)
UNKNOWN = (
    "The intermediate carries Apple's names, which anybody can copy, and is none that is known to be Apple's: its "
    f"SHA-256 fingerprint is {{}}. {DOWNLOAD} Where Apple has begun to issue with another one, whoever runs this "
    "installation names its fingerprint in WALLET_APPLE_INTERMEDIATES."
)


@dataclass(frozen=True)
class Trust:
    """How far an intermediate is believed: see `credentials.check`."""

    sandbox: bool
    intermediates: Collection[str]
    stored: bool


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 over the DER, in lower-case hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def doubtful(chain_pem: bytes, further: Collection[str], *, sandbox: bool) -> bool:
    """Whether an intermediate that is installed is none of Apple's own nor of the `further` ones, so that the team and
    the pass type of what it issued are mere claims. In the sandbox none is."""
    if sandbox:
        return False
    try:
        return fingerprint(x509.load_pem_x509_certificate(chain_pem)) not in (G4, *further)
    except ValueError:
        return True
