"""From a key and a request to a certificate in the vault; what is wrong is said, and nothing is ever overwritten."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    load_pem_private_key,
    pkcs12,
)

from tests.cli.conftest import House
from tests.conftest import whole_module_mostly_on
from wallet_server.actions.programme.demo import PASS_TYPE, TEAM
from wallet_server.actions.vendors import apple_setup
from wallet_server.actions.vendors import credentials as vault
from wallet_server.actions.vendors.apple_setup import files_of
from wallet_server.errors import Invalid
from wallet_server.sandbox.authority import Authority

database_kind = whole_module_mostly_on("sqlite")

OTHER = "pass.com.example.other"


@pytest.fixture(scope="session")
def other(authority: Authority) -> tuple[bytes, bytes]:
    """A certificate of another pass type."""
    return authority.pass_certificate(OTHER, "TEAM999999")


@pytest.fixture
def papers(house: House, other: tuple[bytes, bytes]) -> dict[str, str]:
    """What the portal gives, as files: DER, as it comes."""
    files = {}
    for name, pem in (("certificate", other[0]), ("wwdr", house.authority.wwdr_pem)):
        path = house.folder / f"{name}.cer"
        path.write_bytes(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER))
        files[name] = str(path)
    files["key"] = str(house.folder / "key.pem")
    Path(files["key"]).write_bytes(other[1])
    return files


def options(files: dict[str, str]) -> list[str]:
    return [word for name, path in files.items() for word in (f"--{name}", path)]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_request_makes_a_private_key_and_never_overwrites_it(house: House) -> None:
    folder = house.folder / "certs"
    words = ("setup", "apple", "--folder", str(folder), "request", "--email", "a@example.com", "--name", "My card")
    made = house.run(*words)
    assert made.exit_code == 0, made.output
    key, request = folder / "my-card.key.pem", folder / "my-card.certSigningRequest"
    assert str(request) in made.output
    assert {stat.S_IMODE(path.stat().st_mode) for path in (key, request)} == {0o600}
    wanted = x509.load_pem_x509_csr(request.read_bytes())
    assert wanted.is_signature_valid
    private = load_pem_private_key(key.read_bytes(), None)
    assert wanted.public_key() == private.public_key()
    before = key.read_bytes()

    again = house.run(*words)
    assert (again.exit_code, "never overwritten" in again.output) == (1, True)
    request.unlink()
    assert house.run(*words).exit_code == 1
    assert key.read_bytes() == before
    assert house.run(*words[:-4], "--email", "nobody", "--name", "b").exit_code == 1


def test_installing_puts_a_set_into_the_vault_and_lets_it_sign(house: House, papers: dict[str, str]) -> None:
    expected = ("--pass-type", OTHER, "--team", "TEAM999999", "--programme", house.facts["programme"])
    done = house.run("setup", "apple", "install", *options(papers), *expected)
    assert done.exit_code == 0, done.output
    assert "is installed" in done.output
    old, new = vault.all_sets(house.ctx)
    assert (old.pass_type, new.pass_type, new.team) == (PASS_TYPE, OTHER, "TEAM999999")
    assert b"PRIVATE KEY" in vault.private_key(house.ctx, new)
    with house.ctx.look() as tx:
        assert tx.exec_driver_sql("SELECT credential_set_id FROM programmes").scalar_one() == new.id
    assert house.run("doctor").exit_code == 0


def test_a_set_of_the_same_pass_type_is_renewed(house: House) -> None:
    certificate, key = Authority.open(house.folder / "later", datetime.now(UTC)).pass_certificate(PASS_TYPE, TEAM)
    chain = Authority.open(house.folder / "later", datetime.now(UTC)).wwdr_pem
    bundle = pkcs12.serialize_key_and_certificates(
        None,
        load_pem_private_key(key, None),  # type: ignore[arg-type]
        x509.load_pem_x509_certificate(certificate),
        None,
        BestAvailableEncryption(b"opened"),
    )
    files = {"p12": str(house.folder / "a.p12"), "wwdr": str(house.folder / "w.pem")}
    (house.folder / "a.p12").write_bytes(bundle)
    (house.folder / "w.pem").write_bytes(chain)
    closed = house.run("setup", "apple", "install", *options(files))
    assert (closed.exit_code, "password" in closed.output) == (1, True)
    (house.folder / "password").write_text("opened\n")
    done = house.run("setup", "apple", "install", *options(files), "--password-file", str(house.folder / "password"))
    assert done.exit_code == 0, done.output
    assert "is renewed" in done.output
    (only,) = vault.all_sets(house.ctx)
    assert only.certificate.encode() == certificate
    assert house.run("doctor").exit_code == 0


@pytest.mark.parametrize(
    ("name", "stem"),
    [("Café", "cafe"), ("Œuvre Straße", "oeuvre-strasse"), ("Łódź Ærø", "lodz-aero"), ("喫茶", "card")],
)
def test_a_name_keeps_its_letters_in_the_names_of_its_files(name: str, stem: str) -> None:
    assert files_of(Path("certs"), name).key.name == f"{stem}.key.pem"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_papers_that_do_not_fit_are_refused_with_sentences(house: House, papers: dict[str, str]) -> None:
    stranger = house.folder / "stranger.pem"
    stranger.write_bytes(vault.private_key(house.ctx, vault.all_sets(house.ctx)[0]))
    empty = house.folder / "empty"
    empty.touch()
    install = ("setup", "apple", "install")
    for changed, more, said in (
        ({"key": str(stranger)}, (), "does not belong to the pass certificate"),
        ({"wwdr": papers["certificate"]}, (), "intermediate"),
        ({"certificate": str(empty)}, (), "is empty"),
        ({"certificate": "missing.cer"}, (), "cannot be read"),
        ({}, ("--pass-type", "pass.com.example.mine"), "not for pass.com.example.mine"),
        ({}, ("--team", "AAAAA00000"), "team"),
        ({}, ("--programme", "prog_none"), "no programme prog_none"),
    ):
        refused = house.run(*install, *options({**papers, **changed}), *more)
        assert (refused.exit_code, said in refused.output) == (1, True), refused.output
    live = {"WALLET_ENVIRONMENT": "live", "WALLET_APNS_URL": "https://api.push.apple.com"}
    del house.variables["WALLET_APNS_CA"]
    refused = house.run(*install, *options(papers), **live)
    assert (refused.exit_code, "not Apple's" in refused.output) == (1, True)
    assert house.run(*install, "--wwdr", papers["wwdr"]).exit_code == 2
    assert len(vault.all_sets(house.ctx)) == 1


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_person_is_led_through_it_and_may_err(
    house: House, papers: dict[str, str], other: tuple[bytes, bytes]
) -> None:
    folder = house.folder / "certs"
    words = ("setup", "apple", "--folder", str(folder))
    left = house.run(*words, typed="Wallet card\na@example.com\n")  # and goes to the portal
    assert "Create Certificate" in left.output
    key = folder / "wallet-card.key.pem"
    assert key.exists()
    key.write_bytes(other[1])  # what the portal signed is the other fixture's key

    wrong, right = f"{papers['wwdr']}\n{papers['wwdr']}\n", f"{papers['certificate']}\n{papers['wwdr']}\n"
    done = house.run(*words, typed=f"Wallet card\n\n\n{wrong}{right}1\n")
    assert done.exit_code == 0, done.output
    assert "Going on with" in done.output
    assert "Let us try again" in done.output
    assert "is installed" in done.output
    assert "0: of every programme that has no certificate" in done.output
    assert [row.pass_type for row in vault.all_sets(house.ctx)] == [PASS_TYPE, OTHER]


@pytest.mark.parametrize("name", ["", " ", "\u200b\u2060"], ids=ascii)
def test_a_request_needs_a_name_that_can_be_seen(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="Give a name of 1 to 64 characters"):
        apple_setup.make(tmp_path, name, "lea@example.com")
    assert list(tmp_path.iterdir()) == []
