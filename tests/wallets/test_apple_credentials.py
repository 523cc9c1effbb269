"""One finding for each thing that can be wrong with a pass certificate, its key and its intermediate."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from tests.wallets.samples import NOW, PASS_TYPE, TAKEN, TEAM, WWDR_NAME, Authority, pem, subject
from wallet_server.errors import Misconfigured
from wallet_server.wallets.apple import intermediates
from wallet_server.wallets.apple.credentials import Credentials, check, days_left, in_days, make_request, said_days

DAY = timedelta(days=1)


def found(authority: Authority, leaf: bytes = b"", key: bytes = b"", wwdr: bytes = b"", **more: object) -> list[str]:
    """What is said where every intermediate of this authority is one that the operator takes."""
    more = {"intermediates": TAKEN, **more}
    findings = check(leaf or authority.leaf(), key or authority.key, wwdr or authority.wwdr(), NOW, **more)  # type: ignore[arg-type]
    assert all(one.sentence.endswith(".") and len(one.sentence) > 30 for one in findings)
    return [f"{one.severity} {one.code}" for one in findings]


def loaded_from(leaf: bytes, key: bytes, wwdr: bytes, **more: object) -> Credentials:
    return Credentials.load(leaf, key, wwdr, NOW, intermediates=TAKEN, **more)  # type: ignore[arg-type]


def test_right_credentials_have_no_fault_but_honesty(authority: Authority) -> None:
    assert found(authority, pass_type=PASS_TYPE, team=TEAM) == ["notice apple-by-name"]


def test_loading_gives_names_and_dates_and_hides_the_key(authority: Authority) -> None:
    loaded = loaded_from(authority.leaf(), authority.key, authority.wwdr())
    assert (loaded.pass_type, loaded.team) == (PASS_TYPE, TEAM)
    assert loaded.not_after == NOW + timedelta(days=335, hours=1)
    assert loaded.key_pem == authority.key
    assert b"PRIVATE" not in repr(loaded).encode()
    again = loaded_from(loaded.certificate_pem, loaded.key_pem, loaded.wwdr_pem, key_checked=True)
    assert again == loaded
    older = authority.leaf(starts=NOW - timedelta(days=1000))
    begins = loaded_from(older, authority.key, authority.wwdr()).not_before
    assert begins == NOW - timedelta(days=900), "a chain is valid from when the younger of the two is"


def test_certificates_may_be_der_as_the_portal_gives_them(authority: Authority) -> None:
    leaf, wwdr = (x509.load_pem_x509_certificate(one).public_bytes(Encoding.DER) for one in _pair(authority))
    assert loaded_from(leaf, authority.key, wwdr).pass_type == PASS_TYPE


def _pair(authority: Authority) -> tuple[bytes, bytes]:
    return authority.leaf(), authority.wwdr()


def test_another_pass_type_or_team(authority: Authority) -> None:
    codes = found(authority, pass_type="pass.com.example.other", team="ZZZZZ99999")
    assert codes[:2] == ["error wrong-pass-type", "error wrong-team"]


def test_a_certificate_of_another_kind(authority: Authority) -> None:
    codes = found(authority, authority.leaf(subject("Apple Push Services: x", "", organisation="Example")))
    assert codes[:2] == ["error no-pass-type", "error no-team"]
    codes = found(authority, authority.leaf(subject("Pass Type ID: x", "abc", uid="com.example.card")))
    assert codes[:2] == ["error no-pass-type", "error no-team"], "no card of these would ever be signed"


def test_a_key_that_belongs_to_something_else(authority: Authority) -> None:
    assert "error key-mismatch" in found(authority, key=pem(authority.wwdr_key))


def test_an_intermediate_that_did_not_issue_the_certificate(authority: Authority) -> None:
    other = authority.leaf(issuer=subject("Somebody", "Else", organisation="Apple Inc."))
    assert "error issuer-mismatch" in found(authority, other)
    forged = authority.leaf(signed_by=authority.root_key)
    assert "error issuer-signature" in found(authority, forged)


@pytest.mark.parametrize(
    ("unit", "code"),
    [
        ("Apple Worldwide Developer Relations", "error wwdr-g1"),
        ("G3", "error wwdr-g3"),
        ("G7", "warning wwdr-generation"),
    ],
)
def test_the_generation_of_the_intermediate(authority: Authority, unit: str, code: str) -> None:
    name = subject(WWDR_NAME, unit)
    assert code in found(authority, authority.leaf(issuer=name), wwdr=authority.wwdr(name))


VECTORS = Path(os.environ.get("WALLET_TEST_VECTORS", "nowhere"))


@pytest.mark.parametrize("unit", ["G4", "G7", ""])
def test_apples_names_alone_are_not_believed(authority: Authority, unit: str) -> None:
    name = subject(WWDR_NAME, unit)
    leaf, wwdr = authority.leaf(issuer=name), authority.wwdr(name)
    own = x509.load_pem_x509_certificate(wwdr).fingerprint(hashes.SHA256()).hex()
    assert found(authority, leaf, wwdr=wwdr, intermediates=[]) == ["error wwdr-unknown"]
    assert "error wwdr-unknown" in found(authority, leaf, wwdr=wwdr, intermediates=["0" * 64])
    with pytest.raises(Misconfigured) as refused:
        Credentials.load(leaf, authority.key, wwdr, NOW)
    (fault,) = refused.value.faults
    assert fault.path == "wwdr-unknown"
    for said in (own, "https://www.apple.com/certificateauthority/", "WALLET_APPLE_INTERMEDIATES"):
        assert said in fault.sentence
    assert intermediates.doubtful(wwdr, [], sandbox=False)

    assert loaded_from(leaf, authority.key, wwdr).team == TEAM, "the operator names it"
    assert not intermediates.doubtful(wwdr, [own], sandbox=False)
    taken = ["notice apple-by-name"] if unit == "G4" else ["warning wwdr-generation"]
    assert found(authority, leaf, wwdr=wwdr, intermediates=[own]) == taken
    assert found(authority, leaf, wwdr=wwdr, intermediates=[], sandbox=True) == taken
    assert not intermediates.doubtful(wwdr, [], sandbox=True)


def test_a_set_that_was_stored_before_goes_on_signing_and_is_warned_of(authority: Authority) -> None:
    parts = authority.leaf(), authority.key, authority.wwdr()
    assert found(authority, *parts, intermediates=[], stored=True) == ["warning wwdr-unknown"]
    assert Credentials.load(*parts, NOW, stored=True).pass_type == PASS_TYPE
    name = subject("Sandbox WWDR", "G4", organisation="Sandbox")
    with pytest.raises(Misconfigured, match="not Apple's"):
        Credentials.load(authority.leaf(issuer=name), authority.key, authority.wwdr(name), NOW, stored=True)


@pytest.mark.parametrize(("unit", "code"), [("Apple Worldwide Developer Relations", "wwdr-g1"), ("G3", "wwdr-g3")])
def test_a_generation_that_is_past_is_told_rather_than_its_fingerprint(
    authority: Authority, unit: str, code: str
) -> None:
    name = subject(WWDR_NAME, unit)
    parts = authority.leaf(issuer=name), authority.key, authority.wwdr(name)
    assert found(authority, *parts, intermediates=[]) == [f"error {code}"]


def test_apples_own_is_known_by_its_fingerprint(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but Apple has the key of its G4: another one stands in its place here, by the fingerprint alone."""
    wwdr = authority.wwdr()
    own = x509.load_pem_x509_certificate(wwdr).fingerprint(hashes.SHA256()).hex()
    monkeypatch.setattr(intermediates, "G4", own)
    assert found(authority, wwdr=wwdr, intermediates=[]) == []
    assert Credentials.load(authority.leaf(), authority.key, wwdr, NOW).team == TEAM
    assert not intermediates.doubtful(wwdr, [], sandbox=False)


@pytest.mark.skipif(
    not (VECTORS / "AppleWWDRCAG4.cer").exists(), reason="WALLET_TEST_VECTORS names no folder with Apple's G4"
)
def test_the_g4_that_apple_hands_out_is_the_one_that_is_known(authority: Authority) -> None:
    wwdr = (VECTORS / "AppleWWDRCAG4.cer").read_bytes()
    assert found(authority, wwdr=wwdr, intermediates=[]) == ["error issuer-mismatch"], "this leaf is not Apple's"
    assert intermediates.fingerprint(x509.load_der_x509_certificate(wwdr)) == intermediates.G4


def test_an_authority_that_is_not_apples_is_for_the_sandbox_alone(authority: Authority) -> None:
    name = subject("Sandbox WWDR", "G4", organisation="Sandbox")
    leaf, wwdr = authority.leaf(issuer=name), authority.wwdr(name)
    assert "error not-apple" in found(authority, leaf, wwdr=wwdr)
    assert found(authority, leaf, wwdr=wwdr, sandbox=True) == []
    with pytest.raises(Misconfigured, match="not Apple's"):
        loaded_from(leaf, authority.key, wwdr)
    assert Credentials.load(leaf, authority.key, wwdr, NOW, sandbox=True).team == TEAM
    under_another_root = authority.wwdr(root_name=subject("Other root", "x", organisation="Other"))
    assert "error not-apple" in found(authority, wwdr=under_another_root)


def test_dates_that_rule_the_certificates_out(authority: Authority) -> None:
    assert "error certificate-expired" in found(authority, authority.leaf(ends=NOW - DAY))
    early = authority.leaf(starts=NOW + DAY, ends=NOW + 90 * DAY)
    assert "error certificate-not-yet-valid" in found(authority, early)
    assert "error wwdr-expired" in found(authority, wwdr=authority.wwdr(days=-1))


@pytest.mark.parametrize(
    ("left", "within"),
    [(61 * DAY, None), (60 * DAY, 60), (30 * DAY, 30), (15 * DAY, 30), (14 * DAY, 14), (7 * DAY, 7), (DAY, 1)],
)
def test_warnings_before_the_end(authority: Authority, left: timedelta, within: int | None) -> None:
    warnings = [one for one in found(authority, authority.leaf(ends=NOW + left)) if one.startswith("warning")]
    assert warnings == ([] if within is None else [f"warning certificate-expires-within-{within}-days"])


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(), "within a day"),
        (timedelta(seconds=1), "within a day"),
        (DAY - timedelta(minutes=1), "within a day"),
        (DAY, "within a day"),
        (DAY + timedelta(minutes=1), "in 2 days"),
        (30 * DAY - timedelta(minutes=1), "in 30 days"),
    ],
)
def test_days_that_have_begun_are_left(authority: Authority, left: timedelta, words: str) -> None:
    ends = NOW + left
    (seen,) = [
        one.sentence
        for one in check(authority.leaf(ends=ends), authority.key, authority.wwdr(), NOW, intermediates=TAKEN)
        if one.severity == "warning"
    ]
    assert f"expires on {ends:%d %B %Y}, {words}. " in seen
    assert in_days(days_left(ends, NOW)) == words
    assert [said_days(days) for days in (0, 1, 2)] == ["0 days", "1 day", "2 days"]


def test_an_nfc_certificate_is_noticed(authority: Authority) -> None:
    name = subject(f"Pass Type ID with NFC: {PASS_TYPE}", TEAM, organisation="Example", uid=PASS_TYPE)
    assert "notice nfc" in found(authority, authority.leaf(name))


def test_files_that_cannot_be_read(authority: Authority) -> None:
    codes = found(authority, b"not a certificate", b"not a key", b"-----BEGIN CERTIFICATE-----\nAAAA\n")
    assert codes == ["error certificate-unreadable", "error wwdr-unreadable", "error key-unreadable"]
    with pytest.raises(Misconfigured) as caught:
        Credentials.load(b"x", b"y", b"z", NOW)
    assert len(caught.value.faults) == 3


def test_an_encrypted_key_needs_its_password(authority: Authority) -> None:
    locked = authority.leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    assert found(authority, key=locked) == ["error key-encrypted", "notice apple-by-name"]
    assert found(authority, key=locked, password=b"wrong") == ["error key-unreadable", "notice apple-by-name"]
    assert found(authority, key=locked, password=b"secret") == ["notice apple-by-name"]
    assert found(authority, password=b"for no reason") == ["notice apple-by-name"]
    loaded = loaded_from(authority.leaf(), locked, authority.wwdr(), password=b"secret")
    assert loaded.key_pem == authority.key


def test_keys_that_passes_do_not_use(authority: Authority) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    assert found(authority, authority.leaf(key=curve), pem(curve)) == ["error key-not-rsa", "notice apple-by-name"]
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - the point of the test
    assert "error key-short" in found(authority, authority.leaf(key=small), pem(small))


def test_a_request_carries_its_names_and_is_signed_by_its_key() -> None:
    key_pem, request_pem = make_request("Léa", "lea@example.com")
    request = x509.load_pem_x509_csr(request_pem)
    key = load_pem_private_key(key_pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048
    assert request.is_signature_valid
    assert request.public_key() == key.public_key()
    names = {one.oid: one.value for one in request.subject}
    assert names == {NameOID.COMMON_NAME: "Léa", NameOID.EMAIL_ADDRESS: "lea@example.com"}
    assert re.search(b"BEGIN PRIVATE KEY", key_pem)
