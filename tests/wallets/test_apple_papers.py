"""Whatever form certificate, key and intermediate are brought in, the right three come out, or everything is said."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from tests.wallets.samples import NOW, PASS_TYPE, TAKEN, TEAM, WWDR_NAME, Authority, pem, subject
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.papers import Papers, Upload, examine

PASSWORD = b"s\xc3\xa9same"


def loaded(papers: Papers | None) -> Credentials:
    assert papers is not None
    return Credentials.load(papers.certificate, papers.key, papers.wwdr, NOW, intermediates=TAKEN, key_checked=True)


def codes(upload: Upload, *known: bytes) -> list[str]:
    papers, findings = examine(upload, NOW, known=known, intermediates=TAKEN)
    assert papers is None
    assert all(one.sentence.endswith(".") and len(one.sentence) > 30 for one in findings)
    return [one.code for one in findings if one.severity == "error"]


def p12(authority: Authority, password: bytes | None, *, chain: bool) -> bytes:
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    leaf = x509.load_pem_x509_certificate(authority.leaf())
    others = [x509.load_pem_x509_certificate(authority.wwdr())] if chain else None
    return pkcs12.serialize_key_and_certificates(b"pass", authority.leaf_key, leaf, others, lock)


@pytest.mark.parametrize("password", [PASSWORD, None])
def test_a_p12_brings_certificate_key_and_its_own_intermediate(authority: Authority, password: bytes | None) -> None:
    papers, findings = examine(
        Upload(p12=p12(authority, password, chain=True), password=password), NOW, intermediates=TAKEN
    )
    assert [one.severity for one in findings] == ["notice"]
    assert (loaded(papers).pass_type, loaded(papers).team) == (PASS_TYPE, TEAM)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
@pytest.mark.parametrize("legacy", [True, False])
def test_a_p12_as_keychain_access_and_openssl_export_it(authority: Authority, tmp_path: Path, legacy: bool) -> None:
    files = {"leaf": authority.leaf(), "key": authority.key, "wwdr": authority.wwdr()}
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    command = ["openssl", "pkcs12", "-export", *(["-legacy"] if legacy else []), "-in", "leaf", "-inkey", "key"]
    command += ["-certfile", "wwdr", "-passout", "pass:geheim", "-out", "out.p12"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    raw = (tmp_path / "out.p12").read_bytes()
    rc2 = bytes.fromhex("060a2a864886f70d010c0106")  # pbeWithSHA1And40BitRC2-CBC
    assert (rc2 in raw) is legacy
    papers, _ = examine(Upload(p12=raw, password=b"geheim"), NOW, intermediates=TAKEN)
    assert loaded(papers).pass_type == PASS_TYPE
    assert codes(Upload(p12=raw, password=b"wrong")) == ["p12-unreadable"]


def test_a_chain_that_merely_bears_apples_names_brings_no_papers(authority: Authority) -> None:
    brought = Upload(p12=p12(authority, PASSWORD, chain=True), password=PASSWORD)
    bare = Upload(certificate=authority.leaf(), key=authority.key)
    for upload, known in ((brought, []), (bare, [authority.wwdr()])):
        papers, findings = examine(upload, NOW, known=known)
        assert papers is None
        assert [one.code for one in findings] == ["wwdr-unknown"]


def test_an_intermediate_that_is_known_here_need_not_be_brought(authority: Authority) -> None:
    bare = Upload(certificate=authority.leaf(), key=authority.key)
    assert codes(bare) == ["wwdr-missing"]
    impostor = authority.wwdr(days=90, key=authority.root_key)  # of the same name
    assert codes(bare, impostor, b"junk") == ["wwdr-missing"]
    papers, _ = examine(bare, NOW, known=(impostor, b"junk", authority.wwdr()), intermediates=TAKEN)
    assert loaded(papers).pass_type == PASS_TYPE
    assert codes(Upload(p12=p12(authority, PASSWORD, chain=False), password=PASSWORD)) == ["wwdr-missing"]


def test_one_pem_file_may_hold_everything(authority: Authority) -> None:
    for order in (
        (authority.wwdr(), authority.leaf(), authority.key),
        (authority.key, authority.leaf(), authority.wwdr()),
    ):
        papers, _ = examine(Upload(certificate=b"Bag Attributes\n" + b"\n".join(order)), NOW, intermediates=TAKEN)
        assert loaded(papers).pass_type == PASS_TYPE


def test_der_of_everything(authority: Authority) -> None:
    leaf, wwdr = (
        x509.load_pem_x509_certificate(one).public_bytes(Encoding.DER) for one in (authority.leaf(), authority.wwdr())
    )
    key = load_pem_private_key(authority.key, None).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    papers, _ = examine(Upload(certificate=leaf, key=key, wwdr=wwdr), NOW, intermediates=TAKEN)
    assert loaded(papers).pass_type == PASS_TYPE


def test_everything_that_is_wrong_is_said_at_once(authority: Authority) -> None:
    stale = authority.leaf(ends=NOW - timedelta(days=1))
    wrong = Upload(certificate=stale, key=pem(authority.wwdr_key), wwdr=authority.wwdr(subject(WWDR_NAME, "G3")))
    assert codes(wrong) == ["key-mismatch", "issuer-mismatch", "wwdr-g3", "certificate-expired"]
    assert codes(Upload(certificate=stale)) == ["key-missing", "wwdr-missing", "certificate-expired"]
    assert codes(Upload(key=b"junk")) == ["certificate-missing", "key-unreadable"]
    assert codes(Upload()) == ["certificate-missing", "key-missing"]
    assert codes(Upload(p12=b"junk", certificate=stale)) == ["too-much"]
    assert codes(Upload(p12=b"junk")) == ["p12-unreadable"]
    assert codes(Upload(p12=bytes(300_000))) == ["p12-too-large"]
    leaf = x509.load_pem_x509_certificate(stale)
    alone = pkcs12.serialize_key_and_certificates(b"c", None, leaf, None, BestAvailableEncryption(PASSWORD))
    assert codes(Upload(p12=alone, password=PASSWORD)) == ["p12-incomplete"]


def test_nothing_that_is_brought_is_written_out(authority: Authority) -> None:
    upload = Upload(certificate=authority.leaf(), key=authority.key, wwdr=authority.wwdr(), password=PASSWORD)
    papers, _ = examine(upload, NOW, intermediates=TAKEN)
    for shown in (repr(upload), repr(papers)):
        assert "PRIVATE" not in shown
        assert "same" not in shown


def test_a_kind_of_key_that_nobody_knows_is_told_and_breaks_nothing(authority: Authority) -> None:
    rsa, strange = bytes.fromhex("06092a864886f70d010101"), bytes.fromhex("06092a864886f70d010163")
    wwdr = x509.load_pem_x509_certificate(authority.wwdr()).public_bytes(Encoding.DER)
    other = wwdr.replace(rsa, strange)
    assert other != wwdr
    bare = Upload(certificate=authority.leaf(), key=authority.key)
    brought = Upload(certificate=authority.leaf(), key=authority.key, wwdr=other)
    assert codes(brought) == ["issuer-signature", "wwdr-unknown"]
    assert codes(bare, other) == ["wwdr-missing"]
    papers, _ = examine(bare, NOW, known=[other, authority.wwdr()], intermediates=TAKEN)
    assert loaded(papers).pass_type == PASS_TYPE


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_a_password_in_another_encoding_is_a_wrong_one(authority: Authority, encoding: str) -> None:
    """As in a file that another program has written; in UTF-16 every second byte is a NUL."""
    for password in (PASSWORD, b"plain"):
        other = password.decode().encode(encoding)
        if other != password:
            assert codes(Upload(p12=p12(authority, password, chain=True), password=other)) == ["p12-unreadable"]
