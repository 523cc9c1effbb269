"""Owns what is known about https on the local network: who may be signed for, what is renewed, and what is served."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import plistlib
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from flask import Blueprint
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.launching import until_it_listens
from tests.stories.running import clean, free_pair
from wallet_server.actions.operating import local_tls
from wallet_server.actions.operating.local_names import Machine, general, local
from wallet_server.errors import Misconfigured
from wallet_server.records.envelope import Keyring, new_key_line
from wallet_server.settings import Settings
from wallet_server.web.trust import plain_door

NOW = dt.datetime(2026, 11, 22, 6, 0, tzinfo=dt.UTC)
BAKERY = Machine("fournil", (ipaddress.ip_address("192.168.1.20"),))


class Place:
    """As much of an installation as certificates need: settings, secret keys and a clock."""

    def __init__(self, folder: Path, base_url: str = "https://192.168.1.20:8080") -> None:
        self.keys = new_key_line("k1")
        self.at = NOW
        self.settings = Settings(data_dir=folder, base_url=base_url, tls="local")

    @property
    def keyring(self) -> Keyring:
        return Keyring.parse(self.keys)

    def now(self) -> dt.datetime:
        return self.at

    def prepare(self, machine: Machine = BAKERY) -> local_tls.Identity:
        return local_tls.prepare(self, machine)  # type: ignore[arg-type]

    def renew(self) -> bool:
        return local_tls.renew(self, BAKERY)  # type: ignore[arg-type]

    def authority(self) -> x509.Certificate:
        found = local_tls.authority_of(self)  # type: ignore[arg-type]
        assert found is not None
        return found.certificate


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def server_certificate(identity: local_tls.Identity) -> x509.Certificate:
    return x509.load_pem_x509_certificate(identity.file.read_bytes())


def test_the_certificate_names_everything_by_which_a_browser_comes(place: Place) -> None:
    identity = place.prepare()
    assert identity.names == ("localhost", "192.168.1.20", "fournil.local", "127.0.0.1", "::1")
    assert identity.first
    certificate = server_certificate(identity)
    for name in ("localhost", "fournil.local"):
        verifier(place).build_server_verifier(x509.DNSName(name)).verify(certificate, [])
    address = x509.IPAddress(ipaddress.ip_address("192.168.1.20"))
    verifier(place).build_server_verifier(address).verify(certificate, [])
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life <= dt.timedelta(days=397), "browsers refuse more"
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


def verifier(place: Place) -> PolicyBuilder:
    return PolicyBuilder().store(Store([place.authority()])).time(place.at)


@pytest.mark.parametrize("stolen_for", ["bank.example", "fournil.example", "8.8.8.8", "till.local"])
def test_trusting_the_authority_is_safe_even_if_its_key_were_stolen(place: Place, stolen_for: str) -> None:
    place.prepare()
    forged = _forged(place, stolen_for)
    check = verifier(place).build_server_verifier(general(stolen_for))
    if stolen_for.endswith(".local"):
        check.verify(forged, [])  # so that what refuses the others is nothing but their names
        return
    with pytest.raises(VerificationError):
        check.verify(forged, [])


def _forged(place: Place, stolen_for: str) -> x509.Certificate:
    """What whoever has the authority's key would make."""
    authority = place.authority()
    sealed = (place.settings.data_dir / "tls" / "authority.key").read_text()
    stolen = serialization.load_der_private_key(place.keyring.open(sealed, local_tls.SEALED_AS), None)
    name = general(stolen_for)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = local_tls._builder(x509.Name([]), authority.subject, key, stolen, NOW, NOW + dt.timedelta(days=9))  # type: ignore[arg-type]
    forged = (
        builder.add_extension(x509.SubjectAlternativeName([name]), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(stolen, hashes.SHA256())  # type: ignore[arg-type]
    )
    forged.verify_directly_issued_by(authority)
    return forged


LABEL = st.from_regex(r"[a-z]([a-z0-9]{0,10})", fullmatch=True)


@settings(max_examples=12, deadline=None)
@given(machine=st.lists(LABEL, min_size=1, max_size=3).map(".".join), site=LABEL)
@example(machine="shop", site="www.someones-bank")
@example(machine="co.uk", site="www.someones-bank")
def test_however_a_machine_is_called_no_site_under_that_name_is_vouched_for(machine: str, site: str) -> None:
    assume(not local(machine))
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), f"https://{machine.partition('.')[0]}:8080")
        identity = place.prepare(Machine(machine, ()))
        assert machine not in identity.names
        for name in (f"{site}.{machine}", machine):
            with pytest.raises(VerificationError):
                verifier(place).build_server_verifier(x509.DNSName(name)).verify(_forged(place, name), [])


def test_an_authority_for_a_whole_top_level_domain_is_not_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = x509.NameConstraints([x509.DNSName("local"), x509.DNSName("fournil")], None)
    with monkeypatch.context() as older:
        older.setattr(local_tls, "constraints", lambda *_: wide)
        place.prepare()
    before = place.authority()
    assert place.prepare().first
    assert place.authority() != before
    assert not place.prepare().first


def test_the_trust_page_names_what_is_vouched_for_beyond_the_local_network(tmp_path: Path) -> None:
    said = {}
    for base in ("https://fournil.local:8080", "https://cards.example.com:8443", "https://203.0.113.9:8443"):
        place = Place(tmp_path / (urlsplit(base).hostname or ""), base)
        place.prepare()
        door = plain_door(place, Blueprint("files", __name__), ()).test_client()  # type: ignore[arg-type]
        said[base] = [door.get(f"/trust?lang={tongue}").get_data(as_text=True) for tongue in ("fr", "en")]
    french, english = said["https://fournil.local:8080"]
    assert "garant d’aucun site d’internet" in french
    assert "vouch for any site on the internet" in english
    french, english = said["https://cards.example.com:8443"]
    assert "et pour cards.example.com avec tous les noms" in french
    assert "and for cards.example.com with every name below it" in english
    french, english = said["https://203.0.113.9:8443"]
    assert "et pour l’adresse 203.0.113.9" in french
    assert "and for the address 203.0.113.9" in english


def test_a_start_changes_nothing_until_it_must(place: Place) -> None:
    first = place.prepare()
    authority, served = place.authority(), first.file.read_bytes()
    again = place.prepare()
    assert (again.first, again.file.read_bytes()) == (False, served)
    moved = place.prepare(Machine("fournil", (ipaddress.ip_address("192.168.7.9"),)))
    assert "192.168.7.9" in moved.names
    assert moved.file.read_bytes() != served
    assert place.authority() == authority, "no device has to trust anything anew"
    served = place.prepare().file.read_bytes()
    place.at = server_certificate(place.prepare()).not_valid_after_utc - dt.timedelta(days=29)
    assert place.renew(), "while the server runs"
    assert not place.renew()
    assert first.file.read_bytes() != served
    assert place.authority() == authority
    place.at = authority.not_valid_after_utc - dt.timedelta(days=29)
    assert not place.renew(), "nobody would be there to tell the devices"
    assert place.prepare().first
    assert place.authority() != authority


def test_a_name_that_the_authority_may_not_sign_for_is_left_out_and_told(tmp_path: Path) -> None:
    named = Place(tmp_path / "named", "https://shop.test:8443")
    assert "shop.test" in named.prepare().names, "the operator names it, so the authority is made for it"
    later = Place(tmp_path / "named", "https://other.test:8443")
    later.keys = named.keys
    assert later.prepare().left_out == ("other.test",)


def test_private_keys_are_for_this_user_alone_and_the_authoritys_is_sealed(place: Place) -> None:
    identity = place.prepare()
    for file in identity.file.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    assert b"PRIVATE" not in (identity.file.parent / "authority.key").read_bytes()
    authority = place.authority()
    old = place.keys
    place.keys = f"{new_key_line('k2')}\n{old}"
    assert local_tls.reseal(place)  # type: ignore[arg-type]
    place.keys = place.keys.splitlines()[0]
    assert not place.prepare().first
    assert place.authority() == authority
    place.keys = new_key_line("k3")
    with pytest.raises(Misconfigured):
        place.prepare()


@pytest.mark.parametrize(
    "given",
    [
        {"WALLET_TLS": "local"},
        {"WALLET_TLS": "files", "WALLET_BASE_URL": "https://a.example"},
        {"WALLET_TLS_CERTIFICATE": "/a", "WALLET_TLS_KEY": "/b"},
        {"WALLET_TLS": "local", "WALLET_BASE_URL": "https://a.local", "WALLET_TRUST_PORT": "8080"},
    ],
)
def test_settings_that_contradict_each_other_stop_the_start(given: dict[str, str]) -> None:
    with pytest.raises(Misconfigured):
        Settings.from_env(given)


# ---------------------------------------------------------------------- served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """`wallet-server run` with https of its own, called shop.test by its operator; it looks at its certificate twice a
    second instead of twice a day."""
    with running(tmp_path_factory.mktemp("https")) as one:
        yield one


@contextmanager
def running(folder: Path) -> Iterator[Any]:
    port = free_pair()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        trust_port = free.getsockname()[1]
    variables = {
        "WALLET_DATA_DIR": str(folder),
        "WALLET_TLS": "local",
        "WALLET_BASE_URL": f"https://shop.test:{port}",
        "WALLET_PORT": str(port),
        "WALLET_TRUST_PORT": str(trust_port),
    }
    often = "from wallet_server.cli import main, renewing; renewing.LOOK_EVERY_SECONDS = 0.5; main()"
    command = [sys.executable, "-c", often, "run"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env={**clean(), **variables}, stdout=log, stderr=log)
    try:
        until_it_listens(process, port)
        yield SimpleNamespace(port=port, plain=f"http://127.0.0.1:{trust_port}", folder=folder, variables=variables)
        process.terminate()
        assert process.wait(30) == 0, (folder / "log").read_text()
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.slow
def test_https_is_served_and_the_plain_door_leads_to_it(served: Any) -> None:
    with httpx.Client(base_url=served.plain, trust_env=False) as plain:
        page = plain.get("/trust", headers={"User-Agent": "iPhone", "Accept-Language": "fr"})
        assert page.status_code == 200
        der = plain.get("/trust/certificate.crt").content
        shown = x509.load_der_x509_certificate(der).fingerprint(hashes.SHA256()).hex().upper()
        words = " ".join(shown[n : n + 4] for n in range(0, 64, 4))
        assert words in page.text
        assert words in (served.folder / "log").read_text(), "the operator's screen shows what to compare with"
        assert f"{served.plain.replace('127.0.0.1', 'shop.test')}/trust" in (served.folder / "log").read_text()
        assert page.text.index("Réglages de confiance") < page.text.index("Android"), "this device's guide comes first"
        profile = plistlib.loads(plain.get("/trust/profile.mobileconfig").content)
        assert profile["PayloadContent"][0]["PayloadContent"] == der
        for path in ("/v1/lookups", "/join/abc?x=1", "/till"):
            answer = plain.get(path, headers={"Host": "shop.test:1"})
            expected = f"https://shop.test:{served.port}{path}"
            assert (answer.status_code, answer.headers["Location"]) == (307, expected)
        stranger = plain.get("/till", headers={"Host": "evil.example"})
        assert stranger.headers["Location"] == f"https://shop.test:{served.port}/till", "it leads nowhere else"

    trusting = ssl.create_default_context(cadata=der)
    with trusting.wrap_socket(reach(served.port), server_hostname="shop.test") as secure:
        secure.sendall(b"GET /health HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
        assert b" 200 " in secure.recv(4096).splitlines()[0]
    with pytest.raises(ssl.SSLCertVerificationError), reach(served.port) as line:
        ssl.create_default_context().wrap_socket(line, server_hostname="shop.test")


@pytest.mark.slow
def test_a_certificate_that_nears_its_end_is_renewed_while_the_server_runs(served: Any) -> None:
    wanted = Settings.from_env(served.variables)
    keyring = Keyring.parse((served.folder / "secret.keys").read_text())
    authority = (served.folder / "tls" / "authority.pem").read_bytes()
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=local_tls.SERVER_DAYS - 20)
    then = SimpleNamespace(settings=wanted, keyring=keyring, now=lambda: before)
    (served.folder / "tls" / "server.pem").unlink()
    local_tls.prepare(then, BAKERY)  # type: ignore[arg-type]
    left = x509.load_pem_x509_certificate((served.folder / "tls" / "server.pem").read_bytes()).not_valid_after_utc
    assert left < dt.datetime.now(dt.UTC) + dt.timedelta(days=21)
    trusting = ssl.create_default_context(cadata=authority.decode())

    def shown() -> str:
        with trusting.wrap_socket(reach(served.port), server_hostname="shop.test") as secure:
            secure.sendall(b"GET /health HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
            assert b" 200 " in secure.recv(4096).splitlines()[0], "it answers all the while"
            return hashlib.sha256(secure.getpeercert(binary_form=True) or b"").hexdigest()

    first, end = shown(), time.monotonic() + 40
    while shown() == first:
        assert time.monotonic() < end, (served.folder / "log").read_text()
        time.sleep(0.2)
    assert (served.folder / "tls" / "authority.pem").read_bytes() == authority
    assert "was renewed" in (served.folder / "log").read_text()


def reach(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)
