"""Owns the sandbox's certificates: a root, a WWDR look-alike, pass-type certificates and a vendor's server certificate.

They are made on the spot, kept in one folder (private, mode 0700; each identity one PEM file of key and certificate,
mode 0600, renamed into place) and reused until they are about to expire. They imitate the shape of Apple's, so that
everything which checks a real certificate has something to check; nothing outside the sandbox trusts them.
"""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

ORGANISATION = "Apple Inc. (sandbox)"
ROOT_NAME = "Apple Root CA (sandbox)"
WWDR_NAME = "Apple Worldwide Developer Relations Certification Authority"
WWDR_GENERATION = "G4"

# Apple's own object identifiers, as found in its certificates: the mark of an intermediate of Worldwide Developer
# Relations, the pass type that a leaf may sign for, and the extended key usage "pass type".
_WWDR_MARK = ObjectIdentifier("1.2.840.113635.100.6.2.1")
_PASS_TYPE_MARK = ObjectIdentifier("1.2.840.113635.100.6.1.16")
_PASS_TYPE_USAGE = ObjectIdentifier("1.2.840.113635.100.4.14")

_AUTHORITY_DAYS = 3650
_LEAF_DAYS = 365
_RENEW_BEFORE = timedelta(days=30)
_CLOCK_SLACK = timedelta(hours=1)

_PASS_TYPE = re.compile(r"pass\.[A-Za-z0-9][A-Za-z0-9.-]{0,120}")
_TEAM = re.compile(r"[A-Z0-9]{10}")


@dataclass(frozen=True)
class _Identity:
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def issued_by(self, issuer: _Identity) -> bool:
        try:
            self.certificate.verify_directly_issued_by(issuer.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


class _Outspoken(ssl.SSLObject):
    """TLS that tells the other side why it refuses it, as vendors do. asyncio hangs up as soon as a handshake fails,
    the alert unsent; while the handshake only waits, it sends what there is."""

    _refusal: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self._refusal is not None:
            raise self._refusal
        try:
            super().do_handshake()
        except ssl.SSLWantReadError:
            raise
        except ssl.SSLError as refusal:
            self._refusal = refusal
            raise ssl.SSLWantReadError from refusal


class Authority:
    """The sandbox's certificate authority, kept in a folder. Open it with `Authority.open`; safe between threads and
    processes (a lock file serialises whoever makes something new)."""

    def __init__(self, folder: Path, now: datetime, root: _Identity, wwdr: _Identity) -> None:
        self._folder = folder
        self._now = now
        self._root = root
        self._wwdr = wwdr

    @classmethod
    def open(cls, folder: Path, now: datetime) -> Authority:
        """The authority of this folder, made where it is missing, damaged or within 30 days of its end. `now` is UTC.
        Raises OSError when the folder cannot be written."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(folder):
            root = _load(folder / "root.pem", now)
            if root is None:
                root = _make_root(now)
                _save(folder / "root.pem", root)
            wwdr = _load(folder / "wwdr.pem", now)
            if wwdr is None or not wwdr.issued_by(root):
                wwdr = _make_wwdr(root, now)
                _save(folder / "wwdr.pem", wwdr)
        return cls(folder, now, root, wwdr)

    @property
    def root_pem(self) -> bytes:
        return self._root.certificate_pem

    @property
    def wwdr_pem(self) -> bytes:
        return self._wwdr.certificate_pem

    def pass_certificate(self, pass_type: str, team: str) -> tuple[bytes, bytes]:
        """The certificate and the private key (PEM) that sign passes of this type and ring its devices, for a year.
        Raises ValueError for a pass type or team identifier that Apple would not give out."""
        if not _PASS_TYPE.fullmatch(pass_type):
            raise ValueError(f"a pass type identifier looks like pass.com.example.card, not {pass_type!r}")
        if not _TEAM.fullmatch(team):
            raise ValueError(f"a team identifier is ten capital letters and digits, not {team!r}")
        return self._leaf(f"{pass_type}~{team}.pem", self._wwdr, _pass_leaf(pass_type, team))

    def renewed_certificate(self, pass_type: str, team: str) -> tuple[bytes, bytes]:
        """As the portal does when a new certificate is made for the same pass type: the old one stays valid beside it,
        and `pass_certificate` gives the new one from now on. Raises ValueError as that does."""
        self.pass_certificate(pass_type, team)
        with _alone(self._folder):
            fresh = _sign(_pass_leaf(pass_type, team), self._wwdr, self._now)
            _save(self._folder / f"{pass_type}~{team}.pem", fresh)
        return fresh.certificate_pem, fresh.key_pem

    def issued(self) -> list[tuple[str, str]]:
        """The pass types that were certified, each with its team."""
        names = (path.stem.rpartition("~") for path in sorted(self._folder.glob("pass.*~*.pem")))
        return [(pass_type, team) for pass_type, _, team in names]

    def server_identity(self) -> tuple[bytes, bytes]:
        """The certificate and the private key (PEM) with which sandbox servers answer on localhost, 127.0.0.1, ::1."""
        return self._leaf("server.pem", self._root, _server_leaf())

    def push_key(self, team: str) -> tuple[str, bytes]:
        """The id and the private key (PEM, as in a .p8 file) with which this team signs provider tokens; the file
        AuthKey_<id>.p8 in the folder. Raises ValueError for a team identifier that Apple would not give out."""
        if not _TEAM.fullmatch(team):
            raise ValueError(f"a team identifier is ten capital letters and digits, not {team!r}")
        kid = hashlib.sha256(f"push key of {team}".encode()).hexdigest()[:10].upper()
        path = self._folder / f"AuthKey_{kid}.p8"
        with _alone(self._folder):
            if not path.exists():
                key = ec.generate_private_key(ec.SECP256R1())
                pem = key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
                _write(path, pem)
        return kid, path.read_bytes()

    def server_context(self, *, certificate_required: bool = True) -> ssl.SSLContext:
        """TLS for a sandbox vendor: HTTP/2 only, with a client certificate of this authority (as APNs does), or without
        one, where that is not required because tokens are taken too."""
        self.server_identity()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sslobject_class = _Outspoken
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._folder / "server.pem")
        context.load_verify_locations(cadata=(self.root_pem + self.wwdr_pem).decode())
        context.verify_mode = ssl.CERT_REQUIRED if certificate_required else ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["h2"])
        return context

    def https_context(self) -> ssl.SSLContext:
        """TLS for a sandbox vendor that speaks HTTP/1.1 and asks for no certificate."""
        self.server_identity()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._folder / "server.pem")
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _leaf(self, name: str, issuer: _Identity, leaf: _Leaf) -> tuple[bytes, bytes]:
        with _alone(self._folder):
            found = _load(self._folder / name, self._now)
            if found is None or not found.issued_by(issuer):
                found = _sign(leaf, issuer, self._now)
                _save(self._folder / name, found)
        return found.certificate_pem, found.key_pem


@dataclass(frozen=True)
class _Leaf:
    subject: x509.Name
    days: int
    authority: bool
    usages: tuple[ObjectIdentifier, ...]
    extensions: tuple[x509.ExtensionType, ...]


def _name(*parts: tuple[ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _pass_leaf(pass_type: str, team: str) -> _Leaf:
    subject = _name(
        (NameOID.USER_ID, pass_type),
        (NameOID.COMMON_NAME, f"Pass Type ID: {pass_type}"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, team),
        (NameOID.ORGANIZATION_NAME, "Sandbox merchant"),
        (NameOID.COUNTRY_NAME, "US"),
    )
    text = pass_type.encode()
    mark = x509.UnrecognizedExtension(_PASS_TYPE_MARK, bytes([0x0C, len(text)]) + text)  # DER UTF8String, < 128 bytes
    return _Leaf(subject, _LEAF_DAYS, False, (ExtendedKeyUsageOID.CLIENT_AUTH, _PASS_TYPE_USAGE), (mark,))


def _server_leaf() -> _Leaf:
    subject = _name((NameOID.COMMON_NAME, "localhost"), (NameOID.ORGANIZATION_NAME, ORGANISATION))
    loopback = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), *map(x509.IPAddress, loopback)])
    return _Leaf(subject, _LEAF_DAYS, False, (ExtendedKeyUsageOID.SERVER_AUTH,), (names,))


def _make_root(now: datetime) -> _Identity:
    subject = _name(
        (NameOID.COUNTRY_NAME, "US"), (NameOID.ORGANIZATION_NAME, ORGANISATION), (NameOID.COMMON_NAME, ROOT_NAME)
    )
    return _sign(_Leaf(subject, _AUTHORITY_DAYS, True, (), ()), None, now)


def _make_wwdr(root: _Identity, now: datetime) -> _Identity:
    subject = _name(
        (NameOID.COMMON_NAME, WWDR_NAME),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, WWDR_GENERATION),
        (NameOID.ORGANIZATION_NAME, ORGANISATION),
        (NameOID.COUNTRY_NAME, "US"),
    )
    mark = x509.UnrecognizedExtension(_WWDR_MARK, b"\x05\x00")  # DER NULL
    return _sign(_Leaf(subject, _AUTHORITY_DAYS, True, (), (mark,)), root, now)


def _sign(leaf: _Leaf, issuer: _Identity | None, now: datetime) -> _Identity:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    issuer_name = issuer.certificate.subject if issuer else leaf.subject
    issuer_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(leaf.subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now + timedelta(days=leaf.days))
        .add_extension(x509.BasicConstraints(ca=leaf.authority, path_length=None), critical=True)
        .add_extension(_key_usage(leaf.authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if leaf.usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(leaf.usages), critical=False)
    for extension in leaf.extensions:
        builder = builder.add_extension(extension, critical=False)
    return _Identity(builder.sign(issuer_key, hashes.SHA256()), key)


def _key_usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _load(path: Path, now: datetime) -> _Identity | None:
    """What lies there, or None when it is missing, damaged, not yet valid, or within 30 days of its end."""
    try:
        content = path.read_bytes()
        key = serialization.load_pem_private_key(content, password=None)
        certificate = x509.load_pem_x509_certificate(content)
    except (OSError, ValueError):
        return None
    if not isinstance(key, rsa.RSAPrivateKey) or certificate.public_key() != key.public_key():
        return None
    if now < certificate.not_valid_before_utc or now > certificate.not_valid_after_utc - _RENEW_BEFORE:
        return None
    return _Identity(certificate, key)


def _save(path: Path, identity: _Identity) -> None:
    _write(path, identity.key_pem + identity.certificate_pem)


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One writer at a time. The lock is on an open file, so the system lets go of it when a process dies."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
