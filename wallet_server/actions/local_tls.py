"""Owns https on the local network: a certificate authority of this installation alone, and the server's certificate.

Browsers give a page the camera over https only, and no public authority signs for an address on a local network. So
the product signs for itself, and each device is told once to trust it. The authority may sign for private addresses
and for names of the local network and of this machine, and for nothing else (RFC 5280, 4.2.1.10), so that a device
which trusts it risks nothing on the internet, even if the key were stolen.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Sequence
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
from wallet_server.errors import Misconfigured

AUTHORITY_DAYS = 730
SERVER_DAYS = 396
"""With the hour of slack before now, below the 397 days that browsers bear."""
RENEW_BEFORE = timedelta(days=30)
SLACK = timedelta(hours=1)
SEALED_AS = "tls-authority"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRIVATE = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 127.0.0.0/8 ::1/128 fc00::/7 fe80::/10"
PRIVATE: tuple[Network, ...] = tuple(map(ipaddress.ip_network, _PRIVATE.split()))
LOCAL_NAMES = ("local", "home.arpa", "localhost")
# Routes to these tell by which of its own addresses this machine would go there; nothing is sent.
PROBES = ("192.0.2.1", "10.255.255.254", "172.31.255.254", "192.168.255.254")
HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")


@dataclass(frozen=True)
class Machine:
    """What this machine is called and reached by on its network."""

    name: str
    addresses: tuple[Address, ...]


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


def this_machine() -> Machine:
    """This machine's name, and its private addresses as its routes have them; nothing is sent."""
    found: dict[Address, None] = {}
    for probe in PROBES:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            try:
                line.connect((probe, 9))
                found[ipaddress.ip_address(str(line.getsockname()[0]))] = None
            except OSError:
                continue
    return Machine(socket.gethostname().lower(), tuple(filter(_private, found)))


def _private(address: Address) -> bool:
    return any(address.version == net.version and address in net for net in PRIVATE)


def authority_of(ctx: Context) -> Authority | None:
    """The authority of this installation, or None when https is not served with one."""
    found = _read_certificate(_folder(ctx) / "authority.pem")
    return Authority(found) if found else None


def prepare(ctx: Context, machine: Machine) -> Identity:
    """The server's certificate for the names of today; what is missing, changed or near its end is made anew.

    The authority lasts two years and outlives every change of address. Raises `Misconfigured` when its key does not
    open (a lost secret key) or the folder cannot be written.
    """
    folder, now = _folder(ctx), ctx.now()
    base_host = urlsplit(ctx.settings.base_url).hostname or ""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = _kept_authority(ctx, folder, now)
        certificate, key = kept or _make_authority(ctx, folder, machine, base_host, now)
        wanted = _names(machine, base_host)
        names = tuple(name for name in wanted if _covers(certificate, name))
        file = folder / "server.pem"
        if not _still_good(file, certificate, names, now):
            _make_server(file, certificate, key, names, now)
    except OSError as fault:
        raise Misconfigured(f"The certificate for https cannot be written to {folder}: {fault}") from fault
    return Identity(file, names, tuple(name for name in wanted if name not in names), kept is None)


def reseal(ctx: Context) -> bool:
    """Encrypt the authority's key under the current secret key; False when there is none or it was done before."""
    path = _folder(ctx) / "authority.key"
    if not path.exists() or ctx.keyring.is_current(path.read_text("ascii")):
        return False
    _write(path, ctx.keyring.seal(ctx.keyring.open(path.read_text("ascii"), SEALED_AS), SEALED_AS).encode())
    return True


def _folder(ctx: Context) -> Path:
    return ctx.settings.data_dir / "tls"


# ---------------------------------------------------------------------- names


def _names(machine: Machine, base_host: str) -> tuple[str, ...]:
    """Everything by which a browser may come here: names first, then addresses."""
    short = machine.name.partition(".")[0]
    names = ["localhost", base_host, machine.name, short, f"{short}.local"]
    addresses = ["127.0.0.1", "::1", *map(str, machine.addresses)]
    asked = dict.fromkeys(filter(None, map(_plain, names))) | dict.fromkeys(addresses)
    return tuple(asked)


def _plain(name: str) -> str:
    """A name as certificates write it, or nothing when it is none."""
    if _address(name):
        return str(_address(name))
    try:
        ascii_name = name.encode("idna").decode() if name else ""
    except UnicodeError:
        return ""
    return ascii_name if HOST_NAME.fullmatch(ascii_name) else ""


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _general(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.IPAddress(address) if address else x509.DNSName(name)


def _constraints(machine: Machine, base_host: str) -> x509.NameConstraints:
    own = [name for name in _names(machine, base_host) if not _address(name)]
    names = [name for name in own if not name.endswith(tuple(f".{one}" for one in LOCAL_NAMES))]
    permitted: list[x509.GeneralName] = [x509.DNSName(name) for name in dict.fromkeys([*LOCAL_NAMES, *names])]
    permitted += [x509.IPAddress(net) for net in PRIVATE]
    address = _address(base_host)
    if address and not _private(address):
        permitted.append(x509.IPAddress(ipaddress.ip_network(address)))  # that one, because the operator names it
    return x509.NameConstraints(permitted, None)


def _covers(authority: x509.Certificate, name: str) -> bool:
    """Whether the authority may sign for this name; browsers refuse what it may not."""
    allowed = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    address = _address(name)
    if address is None:
        given = [one.value for one in allowed if isinstance(one, x509.DNSName)]
        return any(name == one or name.endswith(f".{one}") for one in given)
    nets = [one.value for one in allowed if isinstance(one, x509.IPAddress)]
    return any(not isinstance(net, Address) and net.version == address.version and address in net for net in nets)


# ---------------------------------------------------------------------- making and keeping


Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _kept_authority(ctx: Context, folder: Path, now: datetime) -> Pair | None:
    certificate = _read_certificate(folder / "authority.pem")
    sealed = folder / "authority.key"
    if certificate is None or not sealed.exists() or now > certificate.not_valid_after_utc - RENEW_BEFORE:
        return None
    reseal(ctx)
    key = serialization.load_der_private_key(ctx.keyring.open(sealed.read_text("ascii"), SEALED_AS), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return certificate, key


def _make_authority(ctx: Context, folder: Path, machine: Machine, base_host: str, now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    shown = f"Loyalty cards on {machine.name.partition('.')[0] or 'this machine'}"[:50]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{shown} {now:%Y-%m-%d}")])
    usage = _usage(authority=True)
    certificate = (
        _builder(name, name, key, key, now, now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(_constraints(machine, base_host), critical=True)
        .sign(key, hashes.SHA256())
    )
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    # The key first: a certificate without its key would be taken for an authority that can sign.
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
        .add_extension(x509.SubjectAlternativeName(list(map(_general, names))), critical=False)
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
        found.verify_directly_issued_by(authority)
        stated = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (InvalidSignature, ValueError, x509.ExtensionNotFound):
        return False
    return set(stated) == set(map(_general, names))


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
