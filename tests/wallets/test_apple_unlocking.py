"""What somebody locked is opened in a process of its own: soundly, through pipes, and never for longer than agreed."""

from __future__ import annotations

import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    pkcs12,
)

from tests.wallets.samples import NOW, Authority
from wallet_server.wallets.apple.papers import Upload, examine
from wallet_server.wallets.apple.unlocking import unlock

PASSWORD = b"geheim"


def p12(authority: Authority) -> bytes:
    leaf, wwdr = (x509.load_pem_x509_certificate(one) for one in (authority.leaf(), authority.wwdr()))
    return pkcs12.serialize_key_and_certificates(
        b"p", authority.leaf_key, leaf, [wwdr], BestAvailableEncryption(PASSWORD)
    )


def locked(authority: Authority) -> bytes:
    return authority.leaf_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD))


def endless(raw: bytes) -> bytes:
    """The same key with two thousand million rounds where it says 2048: two bytes more, as each length before says."""
    at = raw.index(bytes.fromhex("02020800"))
    longer = bytearray(raw[:at] + bytes.fromhex("02047fffffff") + raw[at + 4 :])
    for length in (3, 5, 18, 20, 33):
        longer[length] += 2
    return bytes(longer)


@pytest.mark.parametrize("form", ["p12", "key"])
def test_what_is_opened_elsewhere_is_as_good_as_opened_here(authority: Authority, form: str) -> None:
    upload = Upload(p12=p12(authority), password=PASSWORD)
    if form == "key":
        upload = Upload(certificate=authority.leaf(), key=locked(authority), wwdr=authority.wwdr(), password=PASSWORD)
    opened, findings = unlock(upload)
    assert findings == []
    assert opened.password is None
    papers, seen = examine(opened, NOW)
    assert papers is not None
    assert [one.severity for one in seen] == ["notice"]


def test_a_wrong_password_is_told_in_the_same_words(authority: Authority) -> None:
    _, findings = unlock(Upload(p12=p12(authority), password=b"wrong"))
    assert [one.code for one in findings] == ["p12-unreadable"]
    opened, findings = unlock(Upload(certificate=authority.leaf(), key=locked(authority), password=b"wrong"))
    assert findings == []
    assert "key-unreadable" in [one.code for one in examine(opened, NOW)[1]]


def test_a_key_that_would_take_an_hour_to_open_is_given_up(authority: Authority) -> None:
    upload = Upload(certificate=authority.leaf(), key=endless(locked(authority)), password=PASSWORD)
    began = time.monotonic()
    _, findings = unlock(upload, seconds=4)
    assert [one.code for one in findings] == ["too-slow"]
    assert 3.5 < time.monotonic() - began < 30
