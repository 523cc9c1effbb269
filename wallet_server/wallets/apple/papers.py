"""Owns sorting what an operator brings into certificate, key and intermediate, in whatever form it comes.

PEM or DER, one thing in a file or several, a .p12 of any age (Keychain Access still writes RC2 and triple DES). Only
in memory; what is wrong is said of everything at once, and what is right is judged by `credentials`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import NameOID

from wallet_server.wallets.apple.credentials import MOST_INPUT_BYTES, Finding, inspect

MOST_CERTIFICATES = 10
_BEGIN = b"-----BEGIN"


@dataclass(frozen=True)
class Upload:
    """What was brought; what was not is empty. `password` opens the key, or the .p12."""

    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    p12: bytes = field(default=b"", repr=False)
    wwdr: bytes = field(default=b"", repr=False)
    password: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Papers:
    """A certificate, its intermediate, and its key (PEM): opened, its arithmetic checked."""

    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)
    wwdr: bytes = field(repr=False)


def examine(
    upload: Upload,
    now: datetime,
    *,
    known: Sequence[bytes] = (),
    pass_type: str | None = None,
    team: str | None = None,
    sandbox: bool = False,
    intermediates: Collection[str] = (),
) -> tuple[Papers | None, list[Finding]]:
    """The papers in an upload, if they can be installed, and everything worth saying of them, worst first: what is
    missing, what cannot be read and what does not fit, all at once. Where no intermediate was brought, the one that
    issued the certificate is looked for beside it, in the .p12, and among those `known` (PEM)."""
    parts, password, missing = _gather(upload, known)
    opened, seen = inspect(
        *parts,
        now,
        password=password,
        pass_type=pass_type,
        team=team,
        sandbox=sandbox,
        intermediates=intermediates,
    )
    codes = ("certificate-unreadable", "key-unreadable", "wwdr-unreadable")
    absent = {code for code, part in zip(codes, parts, strict=True) if not part}
    findings = missing + [one for one in seen if one.code not in absent]
    whole = all(parts) and not any(one.severity == "error" for one in findings)
    return (Papers(parts[0], opened, parts[2]) if whole else None), findings


Parts = tuple[bytes, bytes, bytes]


def _gather(upload: Upload, known: Sequence[bytes]) -> tuple[Parts, bytes | None, list[Finding]]:
    """Certificate, key and intermediate as they came, and what opens the key."""
    findings: list[Finding] = []
    beside: list[bytes] = []
    certificate, key, password = upload.certificate, upload.key, upload.password
    if upload.p12 and (certificate or key):
        sentence = "Give the .p12 file or a certificate with its key, not both: it could not be told which one counts."
        return (b"", b"", b""), None, [Finding("error", "too-much", sentence)]
    if upload.p12:
        opened = _open_p12(upload.p12, password, findings)
        certificate, key, beside = opened or (b"", b"", [])
        password = None
    elif certificate.count(_BEGIN) > 1:
        certificate, beside, inside = _bundle(certificate)
        key = key or inside
    if not certificate and not findings:
        sentence = "There is no certificate: give pass.cer from Apple's developer portal, or the .p12 with its key."
        findings.append(Finding("error", "certificate-missing", sentence))
    if not key and not upload.p12:
        sentence = "There is no private key: give the one that was made together with the certificate request."
        findings.append(Finding("error", "key-missing", sentence))
    wwdr = upload.wwdr or _issuer(certificate, [*beside, *known])
    if not wwdr and _read(certificate) is not None:
        sentence = (
            "The WWDR intermediate is not known here yet, and it did not come with the certificate. Download "
            "'Worldwide Developer Relations - G4' from https://www.apple.com/certificateauthority/ and give it as well."
        )
        findings.append(Finding("error", "wwdr-missing", sentence))
    return (certificate, key, wwdr), password, findings


def _open_p12(raw: bytes, password: bytes | None, findings: list[Finding]) -> tuple[bytes, bytes, list[bytes]] | None:
    """Certificate, key and further certificates (PEM, the key open) out of a .p12; None, with a finding, for none."""
    if len(raw) > MOST_INPUT_BYTES:
        findings.append(Finding("error", "p12-too-large", "This file is too large to be a .p12 export."))
        return None
    try:
        # What is not text in UTF-8 opens nothing, and the library does not bear it, least of all a NUL.
        if password is not None and "\0" in password.decode("utf-8"):
            raise ValueError("a NUL")
        found = pkcs12.load_pkcs12(raw, password or None)
    except (ValueError, UnsupportedAlgorithm):
        sentence = (
            "The .p12 file cannot be opened: give the password that was set when it was exported, and see that it is a "
            ".p12 file."
        )
        findings.append(Finding("error", "p12-unreadable", sentence))
        return None
    if found.key is None or found.cert is None:
        sentence = (
            "The .p12 file holds no key with its certificate: in Keychain Access choose the certificate together with "
            "the key below it, and export both."
        )
        findings.append(Finding("error", "p12-incomplete", sentence))
        return None
    if not isinstance(found.key, rsa.RSAPrivateKey):
        sentence = "The key in the .p12 file is not an RSA key: make a new certificate request."
        findings.append(Finding("error", "key-not-rsa", sentence))
        return None
    key = found.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    others = [one.certificate for one in found.additional_certs[:MOST_CERTIFICATES]]
    return found.cert.certificate.public_bytes(Encoding.PEM), key, [one.public_bytes(Encoding.PEM) for one in others]


def _bundle(raw: bytes) -> tuple[bytes, list[bytes], bytes]:
    """A PEM file that holds several things: the pass certificate (the one with a UID), the others, and a key."""
    key = b"".join(_blocks(raw, b"PRIVATE KEY")[:1])
    blocks = _blocks(raw, b"CERTIFICATE")[:MOST_CERTIFICATES]
    leaf = next((one for one in blocks if _names_a_pass_type(one)), blocks[0] if blocks else raw)
    return leaf, [one for one in blocks if one is not leaf], key


def _blocks(raw: bytes, label: bytes) -> list[bytes]:
    found = []
    for part in raw.split(_BEGIN)[1:]:
        head, dashes, _ = part.partition(b"-----")
        end = b"-----END" + head + b"-----"
        if dashes and head.endswith(label) and end in part:
            found.append(_BEGIN + part[: part.index(end)] + end + b"\n")
    return found


def _names_a_pass_type(pem: bytes) -> bool:
    found = _read(pem)
    return found is not None and bool(found.subject.get_attributes_for_oid(NameOID.USER_ID))


def _issuer(certificate: bytes, candidates: Sequence[bytes]) -> bytes:
    """Who signed this certificate: its signature decides, not the name alone (two generations share one)."""
    leaf = _read(certificate)
    if leaf is None:
        return b""
    for one in candidates:
        found = _read(one)
        if found is None or found.subject != leaf.issuer:
            continue
        try:
            leaf.verify_directly_issued_by(found)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            continue
        return one
    return b""


def _read(raw: bytes) -> x509.Certificate | None:
    try:
        found = x509.load_pem_x509_certificate(raw) if _BEGIN in raw else x509.load_der_x509_certificate(raw)
        _ = found.subject, found.issuer
    except ValueError:
        return None
    return found
