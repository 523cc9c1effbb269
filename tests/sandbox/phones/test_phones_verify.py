"""Owns what is known about the passes a phone refuses, and why."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import io
import subprocess
import time
import zipfile

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.sandbox.passes import PassRefused, Trust, open_pass
from wallet_server.sandbox.passes.signature import SignatureRefused
from wallet_server.sandbox.passes.signature import _read as signature_parts

DAY = dt.timedelta(days=1)


@pytest.fixture
def trust(authority):
    return Trust(authority.root_pem)


def refuse(raw, trust, code, text=""):
    with pytest.raises(PassRefused, match=text or None) as refusal:
        open_pass(raw, trust)
    assert refusal.value.code == code


def rezip(raw, change):
    """The same archive after `change` had its way with a dict of its files."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_a_good_pass_is_read(make_pass, trust):
    card = open_pass(make_pass(), trust)
    assert (card.pass_type, card.serial, card.style) == ("pass.example.card", "S1", "storeCard")
    assert card.signer is not None
    assert card.signer.team == "ABCDE12345"
    assert card.image("icon", "fr")


def test_openssl_agrees_about_the_passes_of_this_bench(make_pass, authority, tmp_path):
    """The bench signs what the independent judge accepts, so the refusals below are for the reason named."""
    with zipfile.ZipFile(io.BytesIO(make_pass())) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    command = (
        "openssl cms -verify -binary -inform DER -in signature -content manifest.json -CAfile root.pem -purpose any"
    )
    done = subprocess.run([*command.split(), "-out", "/dev/null"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_changed_file_is_refused(make_pass, trust):
    raw = rezip(make_pass(), lambda files: files.update({"icon.png": b"another"}))
    refuse(raw, trust, "hash", "icon.png")


def test_a_changed_manifest_is_refused(make_pass, trust):
    raw = rezip(make_pass(), lambda files: files.update({"manifest.json": files["manifest.json"] + b" "}))
    refuse(raw, trust, "signature", "changed after it was signed")


def test_an_unlisted_file_is_refused(make_pass, trust):
    refuse(make_pass(add={".DS_Store": b"x"}), trust, "unlisted", "DS_Store")


def test_a_listed_but_absent_file_is_refused(make_pass, trust):
    refuse(make_pass(manifest=lambda listing: listing.update({"logo.png": "0" * 40})), trust, "missing", "logo.png")


@pytest.mark.parametrize("name", ["pass.json", "manifest.json", "signature"])
def test_a_missing_part_is_refused(make_pass, trust, name):
    refuse(rezip(make_pass(), lambda files: files.pop(name)), trust, "missing", name)


def test_a_folder_at_the_top_is_refused(make_pass, trust):
    def nest(files):
        for name in list(files):
            files[f"card/{name}"] = files.pop(name)

    refuse(rezip(make_pass(), nest), trust, "missing")


def test_another_pass_type_than_the_certificate_is_refused(make_pass, authority, trust):
    leaf = authority.pass_certificate(pass_type="pass.example.other")
    refuse(make_pass(leaf=leaf), trust, "identity", "may not match your certificate")


def test_another_team_than_the_certificate_is_refused(make_pass, authority, trust):
    refuse(make_pass(leaf=authority.pass_certificate(team="ZZZZZ99999")), trust, "identity")


def test_an_expired_certificate_is_refused(make_pass, authority, trust):
    refuse(make_pass(leaf=authority.pass_certificate(days=(-30, -1))), trust, "signature", "expired")


def test_an_expired_intermediate_is_refused(make_pass, authority, trust):
    old = authority.certificate("Test WWDR", authority.wwdr_key, authority.root, authority.root_key, True, (-30, -1))
    refuse(make_pass(chain=[old]), trust, "signature", "expired")


def test_a_pass_signed_in_the_future_is_refused(make_pass, authority):
    early = Trust(authority.root_pem, lambda: dt.datetime.now(dt.UTC) - DAY)
    refuse(make_pass(), early, "signature", "signing time")


def test_a_missing_intermediate_is_refused(make_pass, trust):
    refuse(make_pass(chain=[]), trust, "signature", "WWDR")


def test_a_certificate_straight_from_the_root_is_refused(make_pass, authority, trust):
    subject = list(authority.leaf.subject)[1:]
    leaf = authority.certificate("Pass", authority.key, authority.root, authority.root_key, extra=subject)
    refuse(make_pass(leaf=leaf), trust, "signature", "not issued by an intermediate")


def test_an_intermediate_that_is_no_authority_is_refused(make_pass, authority, trust):
    fake = authority.certificate("Test WWDR", authority.wwdr_key, authority.root, authority.root_key, ca=False)
    refuse(make_pass(chain=[fake]), trust, "signature")


def test_an_intermediate_of_the_right_name_but_another_root_is_refused(make_pass, authority, trust):
    key = ec.generate_private_key(ec.SECP256R1())
    foreign_root = authority.certificate("Test Root", key, None, None, ca=True)
    foreign = authority.certificate("Test WWDR", authority.wwdr_key, foreign_root, key, ca=True)
    refuse(make_pass(chain=[foreign]), trust, "signature", "trust chain")


def test_a_foreign_key_is_refused(make_pass, authority, trust):
    """The certificate is the right one, but somebody else signed."""
    raw = make_pass()
    other = make_pass(key=authority.key, leaf=authority.pass_certificate())
    with zipfile.ZipFile(io.BytesIO(raw)) as mine, zipfile.ZipFile(io.BytesIO(other)) as theirs:
        signature, tail = bytearray(mine.read("signature")), theirs.read("signature")
    signature[-20:] = bytes(255 - byte for byte in tail[-20:])
    refuse(rezip(raw, lambda files: files.update({"signature": bytes(signature)})), trust, "signature", "does not fit")


def test_an_attached_signature_is_refused(make_pass, trust):
    refuse(make_pass(options=()), trust, "signature", "attached")


def test_a_signature_without_signed_attributes_is_refused(make_pass, trust):
    options = (PKCS7Options.DetachedSignature, PKCS7Options.NoAttributes)
    refuse(make_pass(options=options), trust, "signature")


def test_another_digest_than_sha256_is_refused(make_pass, trust):
    refuse(make_pass(digest=SHA384), trust, "signature", "SHA-256")


def test_signed_attributes_out_of_order_are_refused(make_pass, trust):
    raw = make_pass()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        signature = archive.read("signature")
    attributes = signature_parts(signature).attributes
    swapped = b"".join(item.outer for item in reversed(attributes.children()))
    spoilt = signature.replace(attributes.value, swapped)
    assert spoilt != signature
    refuse(rezip(raw, lambda files: files.update(signature=spoilt)), trust, "signature", "not in DER order")


def test_an_elliptic_key_is_accepted(make_pass, authority, trust):
    key = ec.generate_private_key(ec.SECP256R1())
    assert open_pass(make_pass(leaf=authority.pass_certificate(key=key), key=key), trust).serial == "S1"


def test_what_is_not_an_archive_is_refused(trust):
    for raw in (b"", b"<html>Not found</html>", b"PK\x03\x04 cut off"):
        refuse(raw, trust, "archive")


def test_an_archive_that_grows_without_end_is_refused(trust):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pass.json", b"\0" * (11 * 1024 * 1024))
    refuse(out.getvalue(), trust, "archive", "too much data")


def test_a_missing_icon_is_refused(make_pass, trust):
    refuse(make_pass(files={"icon.png": None}), trust, "keys", "icon")


FAULTS = {
    "formatVersion": {"formatVersion": 2},
    "serialNumber": {"serialNumber": 7},
    "organizationName": {"organizationName": None},
    "description": {"description": ""},
    "given together": {"webServiceURL": "https://example.com"},
    "16 characters": {"webServiceURL": "https://example.com", "authenticationToken": "short"},
    "web address": {"webServiceURL": "ftp://example.com", "authenticationToken": "sixteen-or-more-c"},
    "backgroundColor": {"backgroundColor": "navy"},
    "no style": {"storeCard": None},
    "must be a list": {"storeCard": {"backFields": {}}},
    "needs a messageEncoding": {"barcodes": [{"format": "PKBarcodeFormatQR", "message": "x"}]},
    "messageEncoding": {"barcodes": [{"format": "PKBarcodeFormatQR", "message": "x", "messageEncoding": "klingon"}]},
    "barcodes must be": {"barcodes": {}},
    "used twice": {"storeCard": {"backFields": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]}},
    "has no value": {"storeCard": {"backFields": [{"key": "a"}]}},
    "not a number": {"storeCard": {"backFields": [{"key": "a", "value": "1", "numberStyle": "PKNumberStyleDecimal"}]}},
    "textAlignment": {
        "storeCard": {"primaryFields": [{"key": "a", "value": "1", "textAlignment": "PKTextAlignmentLeft"}]}
    },
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_in_pass_json_is_refused(make_card, make_pass, trust, text):
    refuse(make_pass(make_card(**copy.deepcopy(FAULTS[text]))), trust, "keys", text)


@settings(max_examples=examples(150), deadline=None)
@given(data=st.data())
def test_no_changed_byte_goes_unnoticed(authority, data):
    """Junk in the signature is refused in words, never with another exception, and never accepted as the same."""
    manifest = b'{"pass.json": "0"}'
    trust = Trust(authority.root_pem)
    signature = bytearray(_signed_once(authority, manifest))
    at = data.draw(st.integers(0, len(signature) - 1))
    signature[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(SignatureRefused):
        # Some bytes no check covers, such as the version number or an algorithm's empty parameters.
        assert trust.verify(manifest, bytes(signature)) == trust.verify(manifest, _signed_once(authority, manifest))


_ONCE = {}


def _signed_once(authority, manifest):
    if manifest not in _ONCE:
        _ONCE[manifest] = authority.sign(manifest)
    return _ONCE[manifest]


def test_verification_keeps_up_with_thousands_of_phones(make_pass, trust):
    raw = make_pass()
    open_pass(raw, trust)
    began = time.perf_counter()
    for _ in range(200):
        open_pass(raw, trust)
    assert (time.perf_counter() - began) / 200 < 0.005
