"""Owns a pass certificate with its key and intermediate: reading, checking, and sentences that say what to do.

Nothing here touches a file: private keys arrive and leave as bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from wallet_server.errors import Fault, Misconfigured
from wallet_server.wallets.apple import intermediates as apples
from wallet_server.wallets.apple.intermediates import DOWNLOAD, Trust
from wallet_server.wallets.apple.provider_token import TEAM, Provider
from wallet_server.wallets.apple.signing import Signer

Severity = Literal["error", "warning", "notice"]
WARN_DAYS = (1, 7, 14, 30, 60)
_MIN_KEY_BITS = 2048
_MAX_KEY_BITS = 8192
"""Of a greater one the arithmetic check alone takes minutes."""
MOST_INPUT_BYTES = 256 * 1024
_EXPORT = (
    "Export it again as a .p12 from Keychain Access, or take the key that was made together with the "
    "certificate request."
)


def days_left(ends: datetime, now: datetime) -> int:
    """Days that have begun until then: 1 on the last, 0 or less when it is over."""
    return math.ceil((ends - now) / timedelta(days=1))


def in_days(days: int) -> str:
    """When something ends that has so many days left, in words."""
    return "within a day" if days <= 1 else f"in {days} days"


def said_days(days: int) -> str:
    """So many days, in words."""
    return "1 day" if days == 1 else f"{days} days"


@dataclass(frozen=True)
class Finding:
    """One thing seen in a credential set. `code` is stable; an `error` means that no pass can be signed."""

    severity: Severity
    code: str
    sentence: str


@dataclass(frozen=True)
class Credentials:
    """What signs the passes of one pass type and opens the connection to APNs. `not_after` is UTC."""

    pass_type: str
    team: str
    not_before: datetime
    not_after: datetime
    certificate_pem: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)
    wwdr_pem: bytes = field(repr=False)
    signer: Signer = field(repr=False, compare=False)
    provider: Provider | None = field(default=None, repr=False, compare=False)
    """What opens the push service in the certificate's place."""
    nfc: bool = False
    """Whether phones open a card of this certificate that has a contactless part."""
    version: int | None = field(default=None, compare=False)
    """Which one of its set this is, where whoever keeps the set counts them."""

    @classmethod
    def load(
        cls,
        certificate_pem: bytes,
        key_pem: bytes,
        wwdr_pem: bytes,
        now: datetime,
        *,
        password: bytes | None = None,
        sandbox: bool = False,
        intermediates: Collection[str] = (),
        key_checked: bool = False,
        stored: bool = False,
    ) -> Credentials:
        """PEM, or DER as Apple's portal hands it out. Raises `Misconfigured` with every error of `check`, whose
        `intermediates` and `stored` these are.

        `key_checked` skips the arithmetic check of the key (some 40 ms): only for a key that passed it once before.
        """
        leaf, key, wwdr, findings = _read(certificate_pem, key_pem, wwdr_pem, password, key_checked)
        findings += _judge(leaf, key, wwdr, now, Trust(sandbox, intermediates, stored))
        errors = [finding for finding in findings if finding.severity == "error"]
        if leaf is None or key is None or wwdr is None or errors:
            faults = [Fault(finding.code, finding.sentence) for finding in errors]
            raise Misconfigured(errors[0].sentence, code="apple-credentials", faults=faults)
        return cls(
            pass_type=_name(leaf.subject, NameOID.USER_ID),
            team=_name(leaf.subject, NameOID.ORGANIZATIONAL_UNIT_NAME),
            not_before=max(leaf.not_valid_before_utc, wwdr.not_valid_before_utc),
            not_after=min(leaf.not_valid_after_utc, wwdr.not_valid_after_utc),
            certificate_pem=leaf.public_bytes(Encoding.PEM),
            key_pem=_key_pem(key),
            wwdr_pem=wwdr.public_bytes(Encoding.PEM),
            signer=Signer(key, leaf, wwdr),
            nfc=_allows_nfc(leaf),
        )


def check(
    certificate_pem: bytes,
    key_pem: bytes,
    wwdr_pem: bytes,
    now: datetime,
    *,
    password: bytes | None = None,
    pass_type: str | None = None,
    team: str | None = None,
    sandbox: bool = False,
    intermediates: Collection[str] = (),
    stored: bool = False,
) -> list[Finding]:
    """Everything worth saying about a credential set, worst first. `pass_type` and `team` are what the operator
    expects it to be for, where known. In the sandbox the authority need not be Apple.

    `intermediates` are taken beside Apple's own (SHA-256 in hex). Of a set that is `stored` already, one that is not
    known is a warning: it was taken when names sufficed, and a merchant's cards must not go unsigned for a list that
    may lag behind Apple's."""
    return inspect(
        certificate_pem,
        key_pem,
        wwdr_pem,
        now,
        password=password,
        pass_type=pass_type,
        team=team,
        sandbox=sandbox,
        intermediates=intermediates,
        stored=stored,
    )[1]


def inspect(
    certificate_pem: bytes,
    key_pem: bytes,
    wwdr_pem: bytes,
    now: datetime,
    *,
    password: bytes | None = None,
    pass_type: str | None = None,
    team: str | None = None,
    sandbox: bool = False,
    intermediates: Collection[str] = (),
    stored: bool = False,
) -> tuple[bytes, list[Finding]]:
    """What `check` finds, and the key (PEM) opened, its arithmetic checked; empty when it cannot be used."""
    leaf, key, wwdr, findings = _read(certificate_pem, key_pem, wwdr_pem, password, key_checked=False)
    findings += _judge(leaf, key, wwdr, now, Trust(sandbox, intermediates, stored))
    if leaf is not None:
        findings += _expectations(leaf, pass_type, team)
    findings.sort(key=lambda finding: ("error", "warning", "notice").index(finding.severity))
    return b"" if key is None else _key_pem(key), findings


def make_request(common_name: str, email: str) -> tuple[bytes, bytes]:
    """A new RSA-2048 key and the certificate signing request to upload at Apple's portal, both PEM. Apple replaces
    the names by its own; the key must be kept."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    names = [
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        x509.NameAttribute(NameOID.EMAIL_ADDRESS, email),
    ]
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(key, hashes.SHA256())
    return _key_pem(key), request.public_bytes(Encoding.PEM)


# --- reading ---------------------------------------------------------------------------------------------------


_NOT_RSA = (
    "The key is not an RSA key, and pass certificates are RSA in practice: make a new certificate request with "
    "`wallet-server setup apple`."
)


def _read(
    certificate: bytes, key: bytes, wwdr: bytes, password: bytes | None, key_checked: bool
) -> tuple[x509.Certificate | None, rsa.RSAPrivateKey | None, x509.Certificate | None, list[Finding]]:
    findings: list[Finding] = []
    leaf = _certificate(certificate, "certificate-unreadable", "pass certificate", findings)
    issuer = _certificate(wwdr, "wwdr-unreadable", "WWDR intermediate", findings)
    return leaf, _key(key, password, key_checked, findings), issuer, findings


def _certificate(raw: bytes, code: str, what: str, findings: list[Finding]) -> x509.Certificate | None:
    try:
        if len(raw) > MOST_INPUT_BYTES:
            raise ValueError("too large")
        found = x509.load_pem_x509_certificate(raw) if b"-----BEGIN" in raw else x509.load_der_x509_certificate(raw)
        # Names are parsed lazily: a certificate whose names cannot be read is no use later either.
        _ = found.subject, found.issuer
        return found
    except ValueError:
        sentence = f"The {what} cannot be read: give the .cer or .pem file from Apple's developer portal."
        findings.append(Finding("error", code, sentence))
        return None


def _key(raw: bytes, password: bytes | None, checked: bool, findings: list[Finding]) -> rsa.RSAPrivateKey | None:
    try:
        load = serialization.load_pem_private_key if b"-----BEGIN" in raw else serialization.load_der_private_key
        key = load(raw[:MOST_INPUT_BYTES], password=password, unsafe_skip_rsa_key_validation=True)
        if isinstance(key, rsa.RSAPrivateKey):
            if key.key_size > _MAX_KEY_BITS:
                sentence = f"The key has {key.key_size} bits; make a new request with {_MIN_KEY_BITS}."
                findings.append(Finding("error", "key-long", sentence))
                return None
            if not checked:
                # Only now that its size is known, and without hashing its password a second time.
                plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
                key = serialization.load_der_private_key(plain, password=None)
    except TypeError:
        if password is None:
            sentence = "The private key is encrypted: give its password as well."
            findings.append(Finding("error", "key-encrypted", sentence))
            return None
        return _key(raw, None, checked, findings)
    except (ValueError, UnsupportedAlgorithm):
        wrong = " or its password is wrong" if password is not None else ""
        findings.append(Finding("error", "key-unreadable", f"The private key cannot be read{wrong}. {_EXPORT}"))
        return None
    if not isinstance(key, rsa.RSAPrivateKey):
        findings.append(Finding("error", "key-not-rsa", _NOT_RSA))
        return None
    return key


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


# --- judging ---------------------------------------------------------------------------------------------------


def _judge(
    leaf: x509.Certificate | None,
    key: rsa.RSAPrivateKey | None,
    wwdr: x509.Certificate | None,
    now: datetime,
    trust: Trust,
) -> Iterator[Finding]:
    """What can be said of the parts that there are: one that is missing keeps nothing else from being looked at."""
    if leaf is not None:
        yield from _subject(leaf)
    if key is not None:
        yield from _own_key(leaf, key)
    if leaf is not None and wwdr is not None:
        yield from _chain(leaf, wwdr)
    if wwdr is not None:
        yield from _authority(wwdr, trust)
    if leaf is not None:
        yield from _dates(leaf, "certificate", "pass certificate", now, _RENEW)
    if wwdr is not None:
        yield from _dates(wwdr, "wwdr", "WWDR intermediate", now, DOWNLOAD)


_RENEW = (
    "Make a new one for the same pass type at https://developer.apple.com/account/resources/certificates "
    "(`wallet-server setup apple` leads you through it): cards already on phones go on working with it."
)


_PASS_TYPE = re.compile(r"pass(\.[A-Za-z0-9-]+)+")


def _subject(leaf: x509.Certificate) -> Iterator[Finding]:
    if not _PASS_TYPE.fullmatch(_name(leaf.subject, NameOID.USER_ID)):
        sentence = (
            "The certificate names no pass type (a UID such as pass.com.example.card), so it is no Pass Type ID "
            "certificate: make one of that kind."
        )
        yield Finding("error", "no-pass-type", sentence)
    if not TEAM.fullmatch(_name(leaf.subject, NameOID.ORGANIZATIONAL_UNIT_NAME)):
        sentence = (
            "The certificate names no team (an OU of ten letters and digits), so it is no Pass Type ID certificate: "
            "make one of that kind."
        )
        yield Finding("error", "no-team", sentence)
    if _allows_nfc(leaf):
        yield Finding("notice", "nfc", "This certificate also allows contactless (NFC) passes.")


def _allows_nfc(leaf: x509.Certificate) -> bool:
    return "with NFC" in _name(leaf.subject, NameOID.COMMON_NAME)


def _own_key(leaf: x509.Certificate | None, key: rsa.RSAPrivateKey) -> Iterator[Finding]:
    if leaf is not None and not _belongs(leaf, key):
        sentence = f"The private key does not belong to the pass certificate. {_EXPORT}"
        yield Finding("error", "key-mismatch", sentence)
    if key.key_size < _MIN_KEY_BITS:
        sentence = f"The key has {key.key_size} bits; make a new request with at least {_MIN_KEY_BITS}."
        yield Finding("error", "key-short", sentence)


def _belongs(leaf: x509.Certificate, key: rsa.RSAPrivateKey) -> bool:
    try:
        public = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(public, rsa.RSAPublicKey) and public.public_numbers() == key.public_key().public_numbers()


def _chain(leaf: x509.Certificate, wwdr: x509.Certificate) -> Iterator[Finding]:
    if leaf.issuer != wwdr.subject:
        sentence = f"The pass certificate was not issued by this WWDR intermediate. {DOWNLOAD}"
        yield Finding("error", "issuer-mismatch", sentence)
        return
    try:
        leaf.verify_directly_issued_by(wwdr)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        sentence = "The WWDR intermediate has the right name but did not sign the pass certificate. "
        yield Finding("error", "issuer-signature", sentence + DOWNLOAD)


def _authority(wwdr: x509.Certificate, trust: Trust) -> Iterator[Finding]:
    organisations = [_name(name, NameOID.ORGANIZATION_NAME) for name in (wwdr.subject, wwdr.issuer)]
    if organisations != ["Apple Inc.", "Apple Inc."]:
        if not trust.sandbox:
            sentence = "The intermediate is not Apple's, so no phone would open the card. " + DOWNLOAD
            yield Finding("error", "not-apple", sentence)
        return
    unit, mark = _name(wwdr.subject, NameOID.ORGANIZATIONAL_UNIT_NAME), apples.fingerprint(wwdr)
    if mark == apples.G4:
        return
    if unit == "Apple Worldwide Developer Relations":
        yield Finding("error", "wwdr-g1", f"This is the first WWDR intermediate, which expired in 2023. {DOWNLOAD}")
    elif unit == "G3":
        sentence = f"This is the WWDR intermediate G3, which did not issue pass certificates since 2022. {DOWNLOAD}"
        yield Finding("error", "wwdr-g3", sentence)
    elif not trust.sandbox and mark not in trust.intermediates:
        unknown = Finding("error", "wwdr-unknown", apples.UNKNOWN.format(mark))
        yield replace(unknown, severity="warning") if trust.stored else unknown
    elif unit == "G4":
        sentence = (
            "The intermediate carries Apple's names, is not the one that is known as G4, and is taken because "
            f"{'this is the sandbox' if trust.sandbox else 'WALLET_APPLE_INTERMEDIATES names it'}: that it leads to "
            "Apple's root is known for certain only when a phone opens a card."
        )
        yield Finding("notice", "apple-by-name", sentence)
    else:
        sentence = f"The WWDR intermediate is of generation '{unit}'; G4 is known to work. {DOWNLOAD}"
        yield Finding("warning", "wwdr-generation", sentence)


def _dates(certificate: x509.Certificate, code: str, what: str, now: datetime, renew: str) -> Iterator[Finding]:
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < starts:
        sentence = f"The {what} is valid only from {starts:%d %B %Y, %H:%M} UTC: check the clock of this machine."
        yield Finding("error", f"{code}-not-yet-valid", sentence)
    if now > ends:
        yield Finding("error", f"{code}-expired", f"The {what} expired on {ends:%d %B %Y}. {renew}")
        return
    left = days_left(ends, now)
    reached = next((days for days in WARN_DAYS if left <= days), None)
    if reached is not None:
        sentence = f"The {what} expires on {ends:%d %B %Y}, {in_days(left)}. {renew}"
        yield Finding("warning", f"{code}-expires-within-{reached}-days", sentence)


def _expectations(leaf: x509.Certificate, pass_type: str | None, team: str | None) -> Iterator[Finding]:
    uid, unit = _name(leaf.subject, NameOID.USER_ID), _name(leaf.subject, NameOID.ORGANIZATIONAL_UNIT_NAME)
    if pass_type is not None and uid and uid != pass_type:
        sentence = f"The certificate is for {uid}, not for {pass_type}: use the certificate of that pass type."
        yield Finding("error", "wrong-pass-type", sentence)
    if team is not None and unit and unit != team:
        sentence = f"The certificate belongs to team {unit}, not {team}: correct the team, or use its certificate."
        yield Finding("error", "wrong-team", sentence)


def _name(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""
