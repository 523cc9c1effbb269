"""Owns the verification of a pass signature: detached CMS (RFC 5652) over manifest.json, up to one trusted root.

The signature is read with a small DER reader and checked in process, because a fleet of phones verifies thousands of
passes a second; starting the openssl program would cost some 6 ms for each. The chain of a pass is the same for all
passes of a certificate, so it is verified once and remembered.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

OID_DATA = bytes.fromhex("2a864886f70d010701")
OID_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
OID_CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")
OID_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
OID_SIGNING_TIME = bytes.fromhex("2a864886f70d010905")
OID_SHA256 = bytes.fromhex("608648016503040201")

SEQUENCE, SET, OCTETS, OID, UTC_TIME, GENERALIZED_TIME, CONTEXT_0 = 0x30, 0x31, 0x04, 0x06, 0x17, 0x18, 0xA0
MAX_SIGNATURE_BYTES = 64 * 1024
MAX_CHAIN = 4
REMEMBERED_CHAINS = 64
CLOCK_TOLERANCE = timedelta(minutes=5)


# What `cryptography` raises over certificates that are broken or of a kind it does not know.
_UNREADABLE = (
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class SignatureRefused(Exception):
    """The signature does not prove that the holder of a pass certificate signed this manifest."""


@dataclass(frozen=True)
class Signer:
    """Who signed: the pass type (UID) and team (OU) of the certificate, and the signing time that was signed along."""

    pass_type: str
    team: str
    signed_at: datetime


@dataclass(frozen=True)
class _Chain:
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    pass_type: str
    team: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class _Element:
    tag: int
    outer: bytes
    value: bytes

    def children(self) -> list[_Element]:
        return list(_elements(self.value))


@dataclass(frozen=True)
class _Signed:
    certificates: tuple[bytes, ...]
    sid: bytes
    signature: bytes
    attributes: _Element


def _elements(data: bytes) -> Iterator[_Element]:
    """Walk the elements of one DER value. Indefinite lengths and long tags are BER or foreign here: refused."""
    at, end = 0, len(data)
    while at < end:
        if end - at < 2 or data[at] & 0x1F == 0x1F:
            raise SignatureRefused("the signature is not DER")
        size, body = data[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4 or body + count > end:
                raise SignatureRefused("the signature is not DER")
            size, body = int.from_bytes(data[body : body + count], "big"), body + count
        if body + size > end:
            raise SignatureRefused("the signature is cut off")
        yield _Element(data[at], data[at : body + size], data[body : body + size])
        at = body + size


def _only(data: bytes, tag: int) -> _Element:
    found = list(_elements(data))
    if len(found) != 1 or found[0].tag != tag:
        raise SignatureRefused("the signature has an unexpected shape")
    return found[0]


def _part(parts: list[_Element], index: int, tag: int) -> _Element:
    if index >= len(parts) or parts[index].tag != tag:
        raise SignatureRefused("the signature has an unexpected shape")
    return parts[index]


def _read(signature: bytes) -> _Signed:
    """Take ContentInfo and SignedData apart (RFC 5652 sections 3 and 5.1)."""
    if len(signature) > MAX_SIGNATURE_BYTES:
        raise SignatureRefused("the signature is larger than any real one")
    info = _only(signature, SEQUENCE).children()
    if _part(info, 0, OID).value != OID_SIGNED_DATA:
        raise SignatureRefused("the signature is not CMS SignedData")
    signed = _only(_part(info, 1, CONTEXT_0).value, SEQUENCE).children()
    content = _part(signed, 2, SEQUENCE).children()
    if _part(content, 0, OID).value != OID_DATA:
        raise SignatureRefused("the signature is over something other than data")
    if len(content) > 1:
        raise SignatureRefused("the signature is attached: it must be detached")
    certificates = tuple(item.outer for item in _part(signed, 3, CONTEXT_0).children() if item.tag == SEQUENCE)
    signers = signed[-1].children() if signed[-1].tag == SET else []
    if len(signers) != 1:
        raise SignatureRefused("the signature must have exactly one signer")
    signer = signers[0].children()
    digest = _part(signer, 2, SEQUENCE).children()
    if _part(digest, 0, OID).value != OID_SHA256:
        raise SignatureRefused("the digest of the signature is not SHA-256")
    attributes = _part(signer, 3, CONTEXT_0)
    return _Signed(certificates, _part(signer, 1, SEQUENCE).outer, _part(signer, 5, OCTETS).value, attributes)


def _attributes(element: _Element) -> dict[bytes, _Element]:
    """The signed attributes by object id. RFC 5652 section 5.4 asks for DER, so a SET that is not sorted is refused."""
    items = element.children()
    if [item.outer for item in items] != sorted(item.outer for item in items):
        raise SignatureRefused("the signed attributes are not in DER order")
    found: dict[bytes, _Element] = {}
    for item in items:
        parts = item.children()
        values = _part(parts, 1, SET).children()
        name = _part(parts, 0, OID).value
        if len(values) != 1 or name in found:
            raise SignatureRefused("a signed attribute has several values")
        found[name] = values[0]
    return found


def _time(element: _Element) -> datetime:
    """UTCTime or GeneralizedTime as RFC 5652 section 11.3 restricts them: with seconds and Z."""
    text = element.value.decode("ascii", "replace")
    shape = {UTC_TIME: "%y%m%d%H%M%SZ", GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}.get(element.tag)
    try:
        return datetime.strptime(text, shape or "").replace(tzinfo=UTC)
    except ValueError as error:
        raise SignatureRefused("the signing time cannot be read") from error


def _name(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    values = certificate.subject.get_attributes_for_oid(oid)
    return str(values[0].value) if len(values) == 1 else ""


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


class Trust:
    """What a phone trusts: one root certificate, as iOS trusts Apple's.

    `clock` gives aware UTC times; a certificate outside its dates is refused, which is at least as strict as iOS.
    """

    def __init__(self, root_pem: bytes, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._root = x509.load_pem_x509_certificate(root_pem)
        self._clock = clock
        self._chains: OrderedDict[bytes, _Chain] = OrderedDict()

    def verify(self, manifest: bytes, signature: bytes) -> Signer:
        """Prove that the certificate in the signature signed `manifest`, and that the root vouches for it.

        Raises SignatureRefused with the reason.
        """
        signed = _read(signature)
        chain = self._chain(signed)
        attributes = _attributes(signed.attributes)
        for name in (OID_CONTENT_TYPE, OID_MESSAGE_DIGEST, OID_SIGNING_TIME):
            if name not in attributes:
                raise SignatureRefused("content type, message digest and signing time must be signed along")
        if attributes[OID_CONTENT_TYPE].value != OID_DATA:
            raise SignatureRefused("the signed content type is not data")
        if attributes[OID_MESSAGE_DIGEST].value != hashlib.sha256(manifest).digest():
            raise SignatureRefused("the manifest was changed after it was signed")
        # The signature is over the attributes as a SET; in the message they carry the tag [0] (RFC 5652 section 5.4).
        self._check(chain, signed.signature, bytes([SET]) + signed.attributes.outer[1:])
        signed_at = _time(attributes[OID_SIGNING_TIME])
        now = self._clock()
        if not chain.not_before <= now <= chain.not_after:
            raise SignatureRefused("a certificate of the trust chain has expired or is not valid yet")
        if not chain.not_before <= signed_at <= min(chain.not_after, now + CLOCK_TOLERANCE):
            raise SignatureRefused("the signing time is outside the dates of the certificate, or in the future")
        return Signer(chain.pass_type, chain.team, signed_at)

    @staticmethod
    def _check(chain: _Chain, signature: bytes, message: bytes) -> None:
        try:
            if isinstance(chain.key, rsa.RSAPublicKey):
                chain.key.verify(signature, message, padding.PKCS1v15(), SHA256())
            else:
                chain.key.verify(signature, message, ec.ECDSA(SHA256()))
        except InvalidSignature as error:
            raise SignatureRefused("the signature does not fit the certificate") from error

    def _chain(self, signed: _Signed) -> _Chain:
        name = hashlib.sha256(b"\0".join((*signed.certificates, signed.sid))).digest()
        known = self._chains.get(name)
        if known is None:
            try:
                known = self._build(signed)
            except _UNREADABLE as error:
                raise SignatureRefused("the certificate trust chain could not be verified") from error
            self._chains[name] = known
            if len(self._chains) > REMEMBERED_CHAINS:
                self._chains.popitem(last=False)
        return known

    def _build(self, signed: _Signed) -> _Chain:
        """Find the signer's certificate and climb through the included intermediates to the root."""
        included = [x509.load_der_x509_certificate(item) for item in signed.certificates[: MAX_CHAIN + 1]]
        leaf = next((item for item in included if _issuer_and_serial(item) == signed.sid), None)
        if leaf is None:
            raise SignatureRefused("the signer's certificate is not in the signature")
        path = [leaf]
        while len(path) <= MAX_CHAIN and path[-1].issuer != self._root.subject:
            above = next((item for item in included if item.subject == path[-1].issuer and item not in path), None)
            if above is None or not _is_authority(above):
                raise SignatureRefused("the intermediate certificate (WWDR) that issued the certificate is missing")
            path.append(above)
        if len(path) < 2:
            raise SignatureRefused("the certificate was not issued by an intermediate (WWDR)")
        path.append(self._root)
        for below, above in itertools.pairwise(path):
            below.verify_directly_issued_by(above)
        key = leaf.public_key()
        if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            raise SignatureRefused("the key of the certificate is of an unknown kind")
        not_before = max(item.not_valid_before_utc for item in path)
        not_after = min(item.not_valid_after_utc for item in path)
        pass_type, team = _name(leaf, NameOID.USER_ID), _name(leaf, NameOID.ORGANIZATIONAL_UNIT_NAME)
        return _Chain(key, pass_type, team, not_before, not_after)


def _issuer_and_serial(certificate: x509.Certificate) -> bytes:
    """IssuerAndSerialNumber (RFC 5652 section 10.2.4) of a certificate, as DER."""
    serial = certificate.serial_number
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big", signed=True)
    body = certificate.issuer.public_bytes() + bytes([0x02, len(number)]) + number
    head = bytes([len(body)]) if len(body) < 0x80 else _long_length(len(body))
    return bytes([SEQUENCE]) + head + body


def _long_length(size: int) -> bytes:
    raw = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(raw)]) + raw
