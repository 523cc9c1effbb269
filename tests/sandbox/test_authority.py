"""Owns the proof that the sandbox's certificates have the shape of Apple's, are private and are reused."""

from __future__ import annotations

import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wallet_server.sandbox.authority import ROOT_NAME, WWDR_NAME, Authority

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PASS_TYPE = "pass.com.example.card"
TEAM = "ABCDE12345"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("authority") / "certificates"
    authority = Authority.open(place, NOW)
    authority.pass_certificate(PASS_TYPE, TEAM)
    authority.server_identity()
    return place


def _one(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    (attribute,) = name.get_attributes_for_oid(oid)
    return str(attribute.value)


def test_a_pass_certificate_names_its_pass_type_and_team_as_apples_do(folder: Path) -> None:
    certificate_pem, key_pem = Authority.open(folder, NOW).pass_certificate(PASS_TYPE, TEAM)
    leaf = x509.load_pem_x509_certificate(certificate_pem)
    assert _one(leaf.subject, NameOID.USER_ID) == PASS_TYPE
    assert _one(leaf.subject, NameOID.COMMON_NAME) == f"Pass Type ID: {PASS_TYPE}"
    assert _one(leaf.subject, NameOID.ORGANIZATIONAL_UNIT_NAME) == TEAM
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.CLIENT_AUTH in usage
    assert leaf.not_valid_after_utc - NOW == timedelta(days=365)
    assert b"PRIVATE KEY" in key_pem


def test_the_intermediate_looks_like_apples_fourth_generation(folder: Path) -> None:
    authority = Authority.open(folder, NOW)
    wwdr = x509.load_pem_x509_certificate(authority.wwdr_pem)
    assert _one(wwdr.subject, NameOID.COMMON_NAME) == WWDR_NAME
    assert _one(wwdr.subject, NameOID.ORGANIZATIONAL_UNIT_NAME) == "G4"
    assert _one(wwdr.issuer, NameOID.COMMON_NAME) == ROOT_NAME


def test_openssl_verifies_the_whole_chain_from_leaf_to_root(folder: Path, tmp_path: Path) -> None:
    authority = Authority.open(folder, NOW)
    (tmp_path / "root").write_bytes(authority.root_pem)
    (tmp_path / "wwdr").write_bytes(authority.wwdr_pem)
    (tmp_path / "leaf").write_bytes(authority.pass_certificate(PASS_TYPE, TEAM)[0])
    (tmp_path / "server").write_bytes(authority.server_identity()[0])
    at = ["-attime", str(int(NOW.timestamp()))]
    for purpose, extra, name in (
        ("sslclient", ["-untrusted", "wwdr"], "leaf"),
        ("sslserver", ["-verify_ip", "127.0.0.1", "-verify_hostname", "localhost"], "server"),
    ):
        command = ["openssl", "verify", *at, "-x509_strict", "-purpose", purpose, "-CAfile", "root", *extra, name]
        said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20)
        assert said.returncode == 0, said.stderr


def test_private_keys_are_readable_by_their_owner_alone(folder: Path) -> None:
    holding_keys = [path for path in folder.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert len(holding_keys) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in holding_keys} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.slow
def test_certificates_are_reused_until_they_are_about_to_expire(folder: Path) -> None:
    first = Authority.open(folder, NOW).pass_certificate(PASS_TYPE, TEAM)
    assert Authority.open(folder, NOW + timedelta(days=300)).pass_certificate(PASS_TYPE, TEAM) == first
    late = Authority.open(folder, NOW + timedelta(days=340))
    renewed = x509.load_pem_x509_certificate(late.pass_certificate(PASS_TYPE, TEAM)[0])
    assert renewed.not_valid_after_utc > NOW + timedelta(days=600)
    assert late.root_pem == Authority.open(folder, NOW).root_pem


@pytest.mark.slow
def test_a_damaged_intermediate_is_made_again_and_its_leaves_with_it(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path, NOW)
    before = authority.pass_certificate(PASS_TYPE, TEAM)[0]
    (tmp_path / "wwdr.pem").write_bytes(b"not a certificate")
    mended = Authority.open(tmp_path, NOW)
    leaf = x509.load_pem_x509_certificate(mended.pass_certificate(PASS_TYPE, TEAM)[0])
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(mended.wwdr_pem))
    assert mended.root_pem == authority.root_pem
    assert leaf != x509.load_pem_x509_certificate(before)


@pytest.mark.parametrize("pass_type", ["com.example.card", "pass.", "pass.../../etc", "pass.a/b", "pass.a\n"])
def test_a_pass_type_that_apple_would_not_give_out_is_refused(folder: Path, pass_type: str) -> None:
    with pytest.raises(ValueError, match="pass type identifier"):
        Authority.open(folder, NOW).pass_certificate(pass_type, TEAM)


def test_a_team_that_is_no_team_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="team identifier"):
        Authority.open(folder, NOW).pass_certificate(PASS_TYPE, "../x")
