"""Cards that were published before their certificate was renewed: signed by the new one, at a time when it existed."""

from __future__ import annotations

import io
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from structlog.testing import capture_logs

from tests.actions.vendors.test_vault import current, fresh
from tests.world import PASS_TYPE, Holder, World, authority
from wallet_server import resources
from wallet_server.actions.operating import doctor
from wallet_server.actions.passes import devices
from wallet_server.actions.people import enrol
from wallet_server.actions.vendors import credentials as vault
from wallet_server.actions.vendors import push_keys
from wallet_server.errors import Misconfigured
from wallet_server.records.schema import push_keys as kept_keys
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.push import Bell
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.designs import load_designs
from wallet_server.wallets.drawing import Drawings

WAYS = ("service", "link")


@pytest.fixture
def vaulted(world: World) -> World:
    """A world whose cards are signed by what its vault holds."""
    bell = Bell(address="https://localhost:1", sandbox=True)
    opened = vault.Vault(world.ctx)
    wallet = AppleWallet(load_designs(resources.templates()), Drawings(), opened, bell, sandbox=True)
    world.ctx.wallets = {"apple": wallet}
    return world


def served(world: World, holder: Holder, way: str = "service") -> bytes:
    """The pass as its phone fetches it anew, or as its link gives it."""
    if way == "service":
        body = devices.fetch(world.ctx, PASS_TYPE, holder.serial, holder.token, None).body
        assert body is not None
        return body
    link = enrol.download_link(world.ctx, holder.pass_public_id)
    return enrol.download(world.ctx, link.split("/passes/")[1].split("/")[0])[0]


def part(body: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return archive.read(name)


def leaf(body: bytes) -> x509.Certificate:
    found = pkcs7.load_der_pkcs7_certificates(part(body, "signature"))
    return next(one for one in found if one.subject.get_attributes_for_oid(x509.NameOID.USER_ID))


def openssl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["openssl", "cms", *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def signing_time(body: bytes, folder: Path) -> datetime:
    """As OpenSSL reads it."""
    (folder / "signature").write_bytes(part(body, "signature"))
    told = openssl(folder, "-cmsout", "-print", "-inform", "DER", "-in", "signature")
    line = next(one for one in told.split("signingTime", 1)[1].splitlines() if "UTCTIME:" in one)
    return datetime.strptime(line.split("UTCTIME:")[1].strip(), "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)


def install(world: World, new: Credentials) -> None:
    vault.install(world.ctx, new, vault.Claim())
    world.clock.forward(seconds=vault.KEPT_SECONDS)


@pytest.mark.parametrize("way", WAYS)
def test_a_card_older_than_its_certificate_is_signed_when_that_began(vaulted: World, tmp_path: Path, way: str) -> None:
    holder = vaulted.enrol()
    published = vaulted.clock.at
    assert signing_time(served(vaulted, holder, way), tmp_path) == published
    vaulted.clock.forward(days=300)
    new = fresh(vaulted.clock.at, tmp_path / "later")
    install(vaulted, new)
    body = served(vaulted, holder, way)
    at = signing_time(body, tmp_path)
    assert published < at == new.not_before <= vaulted.clock.at

    found = pkcs7.load_der_pkcs7_certificates(part(body, "signature"))
    (tmp_path / "trusted.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in found))
    (tmp_path / "manifest").write_bytes(part(body, "manifest.json"))
    verify = ("-verify", "-binary", "-inform", "DER", "-in", "signature", "-content", "manifest", "-out", "out")
    trust = ("-CAfile", "trusted.pem", "-partial_chain", "-purpose", "any")
    openssl(tmp_path, *verify, *trust, "-attime", str(int(at.timestamp())))

    vaulted.ctx.signed.__init__()  # type: ignore[misc]  # another process, with nothing in its cache
    vaulted.clock.forward(days=3)
    assert served(vaulted, holder, way) == body, "the same bytes whenever and wherever they are signed"


def test_a_card_published_after_the_end_of_its_certificate_is_refused(vaulted: World) -> None:
    holder = vaulted.enrol()
    vaulted.clock.at = current(vaulted).not_after + timedelta(seconds=1)
    with pytest.raises(Misconfigured, match="expired"):
        served(vaulted, holder)


@pytest.mark.parametrize("way", WAYS)
def test_a_swap_reaches_cards_that_were_signed_already(vaulted: World, tmp_path: Path, way: str) -> None:
    holder = vaulted.enrol()
    first = served(vaulted, holder, way)
    assert served(vaulted, holder, way) is first, "signed once"
    vaulted.clock.forward(days=30)
    served(vaulted, vaulted.enrol(), way)  # the old one is loaded just now
    new = fresh(vaulted.clock.at, tmp_path)
    vault.install(vaulted.ctx, new, vault.Claim())
    meanwhile = served(vaulted, holder, way)
    assert meanwhile == first, "whoever has loaded the old one goes on for seconds"
    vaulted.clock.forward(seconds=vault.KEPT_SECONDS)
    second = served(vaulted, holder, way)
    assert leaf(second) == x509.load_pem_x509_certificate(new.certificate_pem) != leaf(first)
    assert served(vaulted, holder, way) is second, "signed once again, not each time"
    vault.swap_back(vaulted.ctx, PASS_TYPE)
    vaulted.clock.forward(seconds=vault.KEPT_SECONDS)
    assert served(vaulted, holder, way) == first


def test_a_push_key_that_cannot_be_opened_keeps_no_card_from_being_signed(vaulted: World) -> None:
    row = current(vaulted)
    kid, pem = authority().push_key(row.team)
    push_keys.install(vaulted.ctx, pem, kid, row.team)
    vaulted.clock.forward(seconds=vault.KEPT_SECONDS)
    assert vault.Vault(vaulted.ctx)(row.id).provider is not None
    with vaulted.ctx.change() as tx:
        tx.execute(sa.update(kept_keys).values(key_cipher="k0:AAAA"))
    opened = vault.Vault(vaulted.ctx)
    with capture_logs() as logs:
        assert opened(row.id).provider is None, "the certificate rings in its place"
    assert [(one["log_level"], one["pass_type"]) for one in logs] == [("error", PASS_TYPE)]
    assert served(vaulted, vaulted.enrol())
    said = [one for one in doctor.examine(vaulted.ctx) if one.check == "push-key"]
    assert [one.level for one in said] == ["error"]
    assert "rung by the certificate" in said[0].sentence
