"""Owns the bakery of the tests of a real till: a server of its own over the product's https, under another name than
this machine's, and a phone with a camera on its network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from tests.chromium import ARGUMENTS, CHROMIUM
from tests.launching import launch, until_it_listens
from tests.stories.running import clean, free_pair
from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.actions.counter import pairing, till
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import Founded
from wallet_server.actions.vendors import credentials
from wallet_server.cli.opening import open_context
from wallet_server.records.scope import Scope
from wallet_server.rules.passes.card import Palette
from wallet_server.rules.programme.program_simple import stamp_document
from wallet_server.sandbox.authority import Authority
from wallet_server.settings import Settings


@dataclass(frozen=True)
class Bakery:
    """A bakery whose server runs in a process of its own and is called shop.test by everybody."""

    ctx: Context
    founded: Founded
    card: str
    pass_id: str
    folder: Path

    @property
    def base(self) -> str:
        return self.ctx.settings.base_url

    @property
    def owner(self) -> Scope:
        return owner_of(self.ctx, self.founded)

    def stamps(self) -> int:
        """What the books say."""
        code = enrol.web_card(self.ctx, self.card.rsplit("/", 1)[1]).code
        return till.look_up(self.ctx, keys.authenticate(self.ctx, self.founded.till_key), code).balances["stamps"]


@contextmanager
def bakery_in(folder: Path) -> Iterator[Bakery]:
    """The bakery, with all it keeps in this folder."""
    port = free_pair()
    authority = Authority.open(folder / "ca", datetime.now(UTC))
    variables = {
        "WALLET_ENVIRONMENT": "sandbox",
        "WALLET_DATA_DIR": str(folder),
        "WALLET_TLS": "local",
        "WALLET_BASE_URL": f"https://shop.test:{port}",
        "WALLET_PORT": str(port),
        "WALLET_TRUST_PORT": str(port + 1),
        "WALLET_APNS_URL": "https://localhost:1",
        "WALLET_APNS_CA": authority.root_pem.decode(),
    }
    ctx = open_context(Settings.from_env(variables))
    founded = programs.found(ctx, "Fournil", programs.NewStore("Centre", latitude=48.8, longitude=2.3))
    certificate, key = authority.pass_certificate("pass.test.card", "TEAM123456")
    credential = credentials.add(ctx, None, certificate, key, authority.wwdr_pem)
    names = {"fr": "un café", "en": "a coffee"}
    document = stamp_document("Fournil", palette=Palette("#12372a", "#fbf7ec", "#b9dcc4"), reward_names=names)
    made = programs.create_programme(ctx, founded.account_id, founded.merchant_id, document, credential)
    pass_id = enrol.join(ctx, made["join_code"], enrol.Joining())["pass"]
    with (folder / "log").open("wb") as log:
        process = launch("run", env={**clean(), **variables}, stdout=log, stderr=log)
    try:
        until_it_listens(process, port)
        yield Bakery(ctx, founded, enrol.card_link(ctx, pass_id), pass_id, folder)
    finally:
        process.terminate()
        process.wait(30)
        ctx.database.close()


@contextmanager
def phone_near(engine: Playwright, bakery: Bakery) -> Iterator[BrowserContext]:
    """A phone on the bakery's network that trusts its certificate; before its camera lies what `film` is."""
    served = x509.load_pem_x509_certificate((bakery.folder / "tls" / "server.pem").read_bytes())
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    trusted = base64.b64encode(hashlib.sha256(served.public_key().public_bytes(*form)).digest()).decode()
    arguments = [
        *ARGUMENTS,
        "--host-resolver-rules=MAP shop.test 127.0.0.1",
        f"--ignore-certificate-errors-spki-list={trusted}",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={bakery.folder / 'film.mjpeg'}",
    ]
    browser = engine.chromium.launch(executable_path=CHROMIUM, args=arguments)
    screen: Any = {"width": 360, "height": 740}
    context = browser.new_context(viewport=screen, has_touch=True, is_mobile=True, locale="fr-FR")
    context.set_default_timeout(20_000)
    yield context
    browser.close()


def owner_of(ctx: Context, founded: Founded) -> Scope:
    merchant = keys.authenticate(ctx, founded.merchant_key)
    return replace(merchant, principal="staff:one", scopes=frozenset({"read", "manage"}))


def pair(ctx: Context, founded: Founded, page: Page, name: str, place: str = "Fournil, Centre") -> None:
    """As a cashier does it, who scanned the code on the owner's screen."""
    owner = owner_of(ctx, founded)
    row = pairing.make_till(ctx, owner, founded.store, "Comptoir")
    link = pairing.invite(ctx, owner, row).link
    page.goto(link)
    expect(page.locator("#place")).to_have_text(f"{place}\u00a0: Comptoir")
    assert "#" not in page.url, "the secret leaves the address at once"
    page.get_by_label("Comment s’appelle cet appareil").fill(name)
    page.get_by_role("button", name="Oui, en faire une caisse").click()
    page.get_by_role("link", name="Ouvrir la caisse").click()
    expect(page.locator("#which")).to_have_text(f"Comptoir · {name}")
