"""Owns the signature of a pass: a detached CMS SignedData (RFC 5652) over its manifest, written straight as DER.

Apple's own tools produce the same shape: SHA-256, the signed attributes contentType, signingTime and
messageDigest, RSA PKCS #1 v1.5, the leaf and the WWDR intermediate, no root. Everything but time, digest and
signature is fixed for a key, so it is built once; what remains per pass is two hashes and one RSA operation.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

_SEQUENCE, _SET, _OCTETS, _INTEGER, _NULL = 0x30, 0x31, 0x04, 0x02, b"\x05\x00"
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_DIGEST_BYTES = 32
_OID_DATA = bytes.fromhex("06092a864886f70d010701")
_OID_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_OID_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
_OID_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
_OID_SIGNING_TIME = bytes.fromhex("06092a864886f70d010905")
_OID_RSA = bytes.fromhex("06092a864886f70d010101")
_OID_SHA256 = bytes.fromhex("0609608648016503040201")
# RFC 5280 4.1.2.5: UTCTime up to and including 2049, GeneralizedTime from 2050.
_LAST_UTC_TIME_YEAR = 2049


class Signer:
    """One pass certificate with its key, ready to sign; safe to share between threads. Holds the private key:
    never logged, never pickled."""

    def __init__(self, key: rsa.RSAPrivateKey, leaf: x509.Certificate, wwdr: x509.Certificate) -> None:
        self._key = key
        self._padding = padding.PKCS1v15()
        self._hash = hashes.SHA256()
        # RFC 5754 2: the parameters of a SHA-2 algorithm identifier are absent; RSA's are NULL.
        sha256 = _tlv(_SEQUENCE, _OID_SHA256)
        content_type = _tlv(_SEQUENCE, _OID_CONTENT_TYPE + _tlv(_SET, _OID_DATA))
        issuer_and_serial = _tlv(_SEQUENCE, leaf.issuer.public_bytes() + _integer(leaf.serial_number))
        # DER orders the elements of a SET OF by their encodings.
        certificates = b"".join(sorted(c.public_bytes(Encoding.DER) for c in (leaf, wwdr)))
        self._attributes_head = content_type
        self._body_head = _integer(1) + _tlv(_SET, sha256) + _tlv(_SEQUENCE, _OID_DATA) + _tlv(0xA0, certificates)
        self._signer_head = _integer(1) + issuer_and_serial + sha256
        self._signer_middle = _tlv(_SEQUENCE, _OID_RSA + _NULL) + _header(_OCTETS, key.key_size // 8)
        self._signature_bytes = key.key_size // 8
        self._heads: dict[int, tuple[bytes, bytes, bytes, bytes]] = {}

    def sign(self, manifest: bytes, at: datetime) -> bytes:
        """The content of the file `signature`. `at` is UTC, to the second; equal arguments give equal bytes."""
        moment = _time(at)
        attributes_bytes, head, before, middle = self._heads.get(len(moment)) or self._prepare(len(moment))
        attributes = b"".join((before, moment, middle, hashlib.sha256(manifest).digest()))
        # RFC 5652 5.4: the signature covers the attributes as a SET OF, although they travel as [0].
        signature = self._key.sign(attributes_bytes + attributes, self._padding, self._hash)
        return b"".join((head, attributes, self._signer_middle, signature))

    def _prepare(self, time_bytes: int) -> tuple[bytes, bytes, bytes, bytes]:
        """All that does not change as long as the time is written with so many bytes (there are two ways): the header
        of the signed SET, everything before the attributes, the attributes up to the time, and from it to the digest.
        """
        # Sorted as DER wants it: the three attributes differ first in their length octet, 0x18 < 0x1c, 0x1e < 0x2f.
        time = _tlv(_SEQUENCE, _OID_SIGNING_TIME + _tlv(_SET, bytes(time_bytes)))
        digest = _tlv(_SEQUENCE, _OID_MESSAGE_DIGEST + _tlv(_SET, _tlv(_OCTETS, bytes(_DIGEST_BYTES))))
        before, middle = self._attributes_head + time[:-time_bytes], digest[:-_DIGEST_BYTES]
        whole = len(self._attributes_head) + len(time) + len(digest)
        made = self._heads[time_bytes] = _header(_SET, whole), self._head(whole), before, middle
        return made

    def _head(self, attribute_bytes: int) -> bytes:
        """Everything before the attributes; depends on them by their length alone."""
        attributes_header = _header(0xA0, attribute_bytes)
        signer_bytes = (
            len(self._signer_head)
            + len(attributes_header)
            + attribute_bytes
            + len(self._signer_middle)
            + self._signature_bytes
        )
        signer_header = _header(_SEQUENCE, signer_bytes)
        signers_header = _header(_SET, len(signer_header) + signer_bytes)
        body_bytes = len(self._body_head) + len(signers_header) + len(signer_header) + signer_bytes
        body_header = _header(_SEQUENCE, body_bytes)
        explicit_header = _header(0xA0, len(body_header) + body_bytes)
        whole = len(_OID_SIGNED_DATA) + len(explicit_header) + len(body_header) + body_bytes
        parts = (
            _header(_SEQUENCE, whole),
            _OID_SIGNED_DATA,
            explicit_header,
            body_header,
            self._body_head,
            signers_header,
            signer_header,
            self._signer_head,
            attributes_header,
        )
        return b"".join(parts)


def _header(tag: int, length: int) -> bytes:
    if length < 0x80:
        return bytes((tag, length))
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets


def _tlv(tag: int, content: bytes) -> bytes:
    return _header(tag, len(content)) + content


def _integer(value: int) -> bytes:
    return _tlv(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _time(at: datetime) -> bytes:
    at = at.astimezone(UTC)
    rest = f"{at.month:02}{at.day:02}{at.hour:02}{at.minute:02}{at.second:02}Z"
    if at.year <= _LAST_UTC_TIME_YEAR:
        return _tlv(_UTC_TIME, f"{at.year % 100:02}{rest}".encode())
    return _tlv(_GENERALIZED_TIME, f"{at.year:04}{rest}".encode())
