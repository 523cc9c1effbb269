"""Owns https on the local network: a certificate authority of this installation alone, and the server's certificate.

Browsers give a page the camera over https only, and no public authority signs for an address on a local network. So
the product signs for itself, and each device is told once to trust it. The authority may sign for private addresses,
for names of the local network, and for the host of `WALLET_BASE_URL` with the names below it, and for nothing else (RFC
5280, 4.2.1.10), so that a device which trusts it risks nothing elsewhere on the internet, even if the key were stolen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wallet_server.actions.context import Context
from wallet_server.actions.operating.local_names import (
    Machine,
    beyond,
    constraints,
    covers,
    general,
    names_of,
    too_wide,
)
from wallet_server.errors import Misconfigured
from wallet_server.settings import Settings

AUTHORITY_DAYS = 730
SERVER_DAYS = 396
"""With the hour of slack before now, below the 397 days that browsers bear."""
RENEW_BEFORE = timedelta(days=30)
SLACK = timedelta(hours=1)
SEALED_AS = "tls-authority"
KEPT = "authority.key", "authority.pem"
"""The key first: a certificate without its key would be taken for an authority that can sign."""


@dataclass(frozen=True)
class Identity:
    """What https is served with. `file` holds certificate and private key (PEM, mode 0600). `left_out` are names that
    the authority may not sign for; `first` is true when the authority was made just now."""

    file: Path
    names: tuple[str, ...]
    left_out: tuple[str, ...]
    first: bool


@dataclass(frozen=True)
class Authority:
    """The public half of the authority: the certificate that devices are asked to trust."""

    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def name(self) -> str:
        """What the certificate is called in a device's settings."""
        return str(self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in words of four to compare by eye."""
        digits = self.certificate.fingerprint(hashes.SHA256()).hex().upper()
        return " ".join(digits[n : n + 4] for n in range(0, len(digits), 4))

    @property
    def beyond(self) -> tuple[str, ...]:
        """For what it may vouch outside the local network: a public host of `WALLET_BASE_URL`."""
        return beyond(self.certificate)


def folder(settings: Settings) -> Path:
    """Where all of it lies; of that, `KEPT` is what a backup holds, the key in its envelope."""
    return settings.data_dir / "tls"


def authority_of(ctx: Context) -> Authority | None:
    """The authority of this installation, or None when https is not served with one."""
    found = _read_certificate(folder(ctx.settings) / "authority.pem")
    return Authority(found) if found else None


def prepare(ctx: Context, machine: Machine) -> Identity:
    """The server's certificate for the names of today; what is missing, changed or near its end is made anew.

    The authority lasts two years and outlives every change of address. Raises `Misconfigured` when its key does not
    open (a lost secret key) or the folder cannot be written.
    """
    place, now = folder(ctx.settings), ctx.now()
    base_host = urlsplit(ctx.settings.base_url).hostname or ""
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = _kept_authority(ctx, place, now)
        certificate, key = kept or _make_authority(ctx, place, machine, base_host, now)
        wanted = names_of(machine, base_host)
        names = tuple(name for name in wanted if covers(certificate, name))
        file = place / "server.pem"
        if not _still_good(file, certificate, names, now):
            _make_server(file, certificate, key, names, now)
    except OSError as fault:
        raise Misconfigured(f"The certificate for https cannot be written to {place}: {fault}") from fault
    return Identity(file, names, tuple(name for name in wanted if name not in names), kept is None)


def renew(ctx: Context, machine: Machine) -> bool:
    """While the server runs: the server's certificate anew once fewer than 30 days of it are left; whether it was.

    The authority is never made anew here: nobody would be there to tell the devices. Raises as `prepare` does.
    """
    place, now = folder(ctx.settings), ctx.now()
    served = _read_certificate(place / "server.pem")
    if served is not None and served.not_valid_after_utc - RENEW_BEFORE >= now:
        return False
    if _kept_authority(ctx, place, now) is None:
        return False
    prepare(ctx, machine)
    return True


@dataclass(frozen=True)
class Standing:
    """What lies there: when authority and server's certificate end (UTC; None: there is none), whether the one signed
    the other, and why the authority cannot sign (None: it can)."""

    authority_ends: datetime | None
    server_ends: datetime | None
    signed: bool
    locked: str | None


def standing(ctx: Context) -> Standing:
    """Look and change nothing."""
    place = folder(ctx.settings)
    authority, served = _read_certificate(place / "authority.pem"), _read_certificate(place / "server.pem")
    return Standing(
        authority.not_valid_after_utc if authority else None,
        served.not_valid_after_utc if served else None,
        authority is not None and served is not None and _signed(served, authority),
        None if authority is None else locked(ctx),
    )


def locked(ctx: Context) -> str | None:
    """Why the authority cannot sign; None when it can."""
    certificate = _read_certificate(folder(ctx.settings) / "authority.pem")
    try:
        key = _open_key(ctx, folder(ctx.settings) / "authority.key")
    except FileNotFoundError:
        return "Its key is missing."
    except OSError as fault:
        return f"Its key cannot be read: {fault}."
    except (Misconfigured, ValueError) as fault:
        return fault.sentence if isinstance(fault, Misconfigured) else "Its key is damaged."
    if certificate is None or key is None or key.public_key() != certificate.public_key():
        return "Its key is another's."
    return None


def kept(settings: Settings) -> dict[str, bytes]:
    """What a backup holds of it, by file name: nothing, or authority and sealed key."""
    files = [folder(settings) / name for name in KEPT]
    return {file.name: file.read_bytes() for file in files} if all(file.is_file() for file in files) else {}


def put_back(settings: Settings, files: Mapping[str, bytes]) -> None:
    """Lay down what `kept` gave, unless an authority is there: that one is left as it is. Raises `OSError`."""
    place = folder(settings)
    if set(files) != set(KEPT) or (place / "authority.pem").exists():
        return
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in KEPT:
        _write(place / name, files[name])


def reseal(ctx: Context) -> bool:
    """Encrypt the authority's key under the current secret key; False when there is none or it was done before."""
    path = folder(ctx.settings) / "authority.key"
    if not path.exists() or ctx.keyring.is_current(path.read_text("ascii")):
        return False
    _write(path, ctx.keyring.seal(ctx.keyring.open(path.read_text("ascii"), SEALED_AS), SEALED_AS).encode())
    return True


# ---------------------------------------------------------------------- making and keeping


Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _kept_authority(ctx: Context, folder: Path, now: datetime) -> Pair | None:
    certificate = _read_certificate(folder / "authority.pem")
    sealed = folder / "authority.key"
    if certificate is None or not sealed.exists() or now > certificate.not_valid_after_utc - RENEW_BEFORE:
        return None
    if too_wide(certificate):
        return None
    reseal(ctx)
    key = _open_key(ctx, sealed)
    return (certificate, key) if key is not None and key.public_key() == certificate.public_key() else None


def _open_key(ctx: Context, sealed: Path) -> ec.EllipticCurvePrivateKey | None:
    key = serialization.load_der_private_key(ctx.keyring.open(sealed.read_text("ascii"), SEALED_AS), None)
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _make_authority(ctx: Context, folder: Path, machine: Machine, base_host: str, now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    shown = f"Loyalty cards on {machine.name.partition('.')[0] or 'this machine'}"[:50]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{shown} {now:%Y-%m-%d}")])
    usage = _usage(authority=True)
    certificate = (
        _builder(name, name, key, key, now, now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(constraints(machine, base_host), critical=True)
        .sign(key, hashes.SHA256())
    )
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(folder / "authority.key", ctx.keyring.seal(der, SEALED_AS).encode())
    _write(folder / "authority.pem", certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _make_server(
    file: Path,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    now: datetime,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    ends = min(now + timedelta(days=SERVER_DAYS), authority.not_valid_after_utc)
    certificate = (
        _builder(subject, authority.subject, key, authority_key, now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(list(map(general, names))), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(file, certificate.public_bytes(serialization.Encoding.PEM) + private)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
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


def _still_good(file: Path, authority: x509.Certificate, names: Sequence[str], now: datetime) -> bool:
    found = _read_certificate(file)
    if found is None or found.not_valid_after_utc - RENEW_BEFORE < now:
        return False
    try:
        stated = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    return _signed(found, authority) and set(stated) == set(map(general, names))


def _signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _read_certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing of it, and for this user alone."""
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)
