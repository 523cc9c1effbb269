"""What a stranger brings is looked at in a process of its own: soundly, through pipes, and never longer than agreed."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from tests.wallets.samples import NOW, TAKEN, Authority
from wallet_server.wallets.apple import unlocking
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.papers import Upload
from wallet_server.wallets.apple.unlocking import examine_apart

PASSWORD = b"geheim"
STALL_SECONDS = 2.0
"""How long the other threads may stand still on a busy machine; what is guarded against takes many times that."""


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


def pem(der: bytes, label: str) -> bytes:
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(der) + f"-----END {label}-----\n".encode()


def of_mersenne_primes(one: int, other: int) -> bytes:
    """A sound RSA key whose primes anybody can write down, however great."""
    p, q = 2**one - 1, 2**other - 1
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = (0, p * q, 65537, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    return pem(tlv(0x30, b"".join(tlv(0x02, n.to_bytes(n.bit_length() // 8 + 1, "big")) for n in numbers)),
               "RSA PRIVATE KEY")  # fmt: skip


def tlv(tag: int, content: bytes) -> bytes:
    count = len(content)
    size = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes((tag, count)) + content if count < 0x80 else bytes((tag, 0x80 | len(size))) + size + content


@contextmanager
def longest_stall() -> Iterator[list[float]]:
    """The longest time for which another thread of this process did not get its turn."""
    worst, ended = [0.0], threading.Event()

    def beat() -> None:
        last = time.monotonic()
        while not ended.wait(0.01):
            now = time.monotonic()
            worst[0], last = max(worst[0], now - last), now

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        yield worst
    finally:
        ended.set()
        beating.join()


def codes(upload: Upload, seconds: float = 60) -> list[str]:
    papers, findings = examine_apart(upload, NOW, intermediates=TAKEN, seconds=seconds)
    assert papers is None
    return [one.code for one in findings]


@pytest.mark.parametrize("form", ["p12", "key", "bundle"])
@pytest.mark.slow
def test_what_is_opened_elsewhere_is_whole_and_open(authority: Authority, form: str) -> None:
    key = pem(locked(authority), "ENCRYPTED PRIVATE KEY")
    upload = {
        "p12": Upload(p12=p12(authority), password=PASSWORD),
        "key": Upload(certificate=authority.leaf(), key=key, wwdr=authority.wwdr(), password=PASSWORD),
        "bundle": Upload(certificate=key + authority.wwdr() + authority.leaf(), password=PASSWORD),
    }[form]
    papers, findings = examine_apart(upload, NOW, intermediates=TAKEN, seconds=60)
    assert papers is not None
    assert [one.severity for one in findings] == ["notice"]
    loaded = Credentials.load(papers.certificate, papers.key, papers.wwdr, NOW, intermediates=TAKEN, key_checked=True)
    assert load_pem_private_key(loaded.key_pem, None).private_numbers() == authority.leaf_key.private_numbers()  # type: ignore[union-attr]


def test_the_intermediate_is_looked_for_among_those_known(authority: Authority) -> None:
    upload = Upload(certificate=authority.leaf(), key=locked(authority), password=PASSWORD)
    known = authority.wwdr()
    papers, _ = examine_apart(upload, NOW, known=[known], intermediates=TAKEN, seconds=60)
    assert papers is not None
    assert papers.wwdr == known


def test_a_chain_that_merely_bears_apples_names_is_refused_there_as_well(authority: Authority) -> None:
    papers, findings = examine_apart(Upload(p12=p12(authority), password=PASSWORD), NOW, seconds=60)
    assert papers is None
    assert [one.code for one in findings] == ["wwdr-unknown"]


def test_a_wrong_password_is_told_in_the_same_words(authority: Authority) -> None:
    assert codes(Upload(p12=p12(authority), password=b"wrong")) == ["p12-unreadable"]
    upload = Upload(certificate=authority.leaf(), key=locked(authority), wwdr=authority.wwdr(), password=b"wrong")
    assert "key-unreadable" in codes(upload)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["key", "bundle"])
def test_a_key_that_would_take_an_hour_to_open_is_given_up(authority: Authority, form: str) -> None:
    key = pem(endless(locked(authority)), "ENCRYPTED PRIVATE KEY")
    upload = Upload(certificate=authority.leaf(), key=key, wwdr=authority.wwdr(), password=PASSWORD)
    if form == "bundle":
        upload = Upload(certificate=authority.leaf() + authority.wwdr() + key, password=PASSWORD)
    began = time.monotonic()
    with longest_stall() as worst:
        assert codes(upload, seconds=4) == ["too-slow"]
    assert 3.5 < time.monotonic() - began < 30
    assert worst[0] < STALL_SECONDS


def test_a_great_key_that_nobody_locked_holds_up_no_other_thread(authority: Authority) -> None:
    key = of_mersenne_primes(9689, 9941)
    upload = Upload(certificate=authority.leaf(), key=key, wwdr=authority.wwdr())
    with longest_stall() as worst:
        assert codes(upload)[0] == "key-long", "its size is told before its primes are tried"
    assert worst[0] < STALL_SECONDS


@pytest.mark.slow
def test_one_is_looked_at_at_a_time_and_the_next_is_told_at_once(authority: Authority) -> None:
    upload = Upload(certificate=authority.leaf(), key=endless(locked(authority)), password=PASSWORD)
    first = threading.Thread(target=examine_apart, args=(upload, NOW), kwargs={"seconds": 4})
    first.start()
    while not unlocking._one_at_a_time.locked() and first.is_alive():
        time.sleep(0.01)
    began = time.monotonic()
    assert codes(upload) == ["busy"]
    assert time.monotonic() - began < STALL_SECONDS
    first.join()
    assert codes(Upload(certificate=authority.leaf())) == ["key-missing", "wwdr-missing"]
