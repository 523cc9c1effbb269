"""The way of a real till: over the product's own https from another name than this machine's, paired by a link, and
cards that phones show are read by the camera; a cashier's whole day."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from PIL import Image, ImageFilter
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from tests.chromium import ARGUMENTS, CHROMIUM
from tests.launching import Launched, launch
from tests.pages.browsing import NEEDS_CHROMIUM
from tests.pages.console import hire
from tests.pages.filming import Shown, film, shown
from tests.pages.house import House
from tests.stories.running import clean, free_pair
from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.actions.counter import cashiers, pairing, till
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import Founded
from wallet_server.actions.staff.person import person_of
from wallet_server.actions.vendors import credentials
from wallet_server.cli.opening import open_context
from wallet_server.records.scope import Scope
from wallet_server.records.staff import staff
from wallet_server.rules.passes.card import Palette
from wallet_server.rules.programme.program_default import default_document
from wallet_server.rules.programme.program_simple import stamp_document
from wallet_server.sandbox.authority import Authority
from wallet_server.settings import Settings

PICTURE = (640, 480)
FRAMES = 4

pytestmark = NEEDS_CHROMIUM


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


@pytest.fixture(scope="module")
def bakery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bakery]:
    folder, port = tmp_path_factory.mktemp("bakery"), free_pair()
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
        _listening(process, port)
        yield Bakery(ctx, founded, enrol.card_link(ctx, pass_id), pass_id, folder)
    finally:
        process.terminate()
        process.wait(30)
        ctx.database.close()


def _listening(process: Launched, port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None
        time.sleep(0.1)
    raise AssertionError("nothing listens")


@pytest.fixture(scope="module")
def device(engine: Playwright, bakery: Bakery) -> Iterator[BrowserContext]:
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


def film_screen(bakery: Bakery, shot: bytes) -> None:
    """What the camera sees: the customer's screen, a little small, a little turned, a little blurred."""
    screen = Image.open(io.BytesIO(shot)).convert("RGB").resize((250, 250))
    scene = Image.new("RGB", PICTURE, "#6d6a64")
    turned = screen.rotate(9, expand=True, fillcolor="#6d6a64").filter(ImageFilter.GaussianBlur(0.8))
    scene.paste(turned, ((PICTURE[0] - turned.width) // 2 + 15, (PICTURE[1] - turned.height) // 2 - 10))
    frame = io.BytesIO()
    scene.save(frame, "JPEG", quality=80)
    (bakery.folder / "film.mjpeg").write_bytes(frame.getvalue() * FRAMES)


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


def test_a_paired_phone_reads_a_card_with_its_camera_and_stamps_it(bakery: Bakery, device: BrowserContext) -> None:
    faults: list[str] = []
    page = device.new_page()
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(bakery.card)
    film_screen(bakery, page.locator(".card .code").screenshot())

    pair(bakery.ctx, bakery.founded, page, "Téléphone")
    device.grant_permissions(["camera"], origin=bakery.base)
    answer = page.locator("#answer")
    expect(answer).to_contain_text("Scannez une carte")
    page.get_by_role("button", name="Utiliser la caméra").click()
    expect(answer).to_contain_text("Carte trouvée")
    expect(page.get_by_role("img", name="Tampons\u00a0: 0 sur 10")).to_be_visible()
    page.get_by_role("button", name="Donner un tampon").click()
    expect(answer).to_contain_text("+1 tampon")
    expect(page.get_by_role("img", name="Tampons\u00a0: 1 sur 10")).to_be_visible()
    assert bakery.stamps() == 1
    page.get_by_role("button", name="Carte suivante").click()
    page.wait_for_timeout(800)  # the same card still lies there: it is not read again by itself
    expect(answer).to_contain_text("Prêt")
    assert faults == []

    page.reload()
    expect(page.locator("#which")).to_have_text("Comptoir · Téléphone")
    expect(answer).to_contain_text("Carte trouvée")  # the camera starts by itself from now on
    (found,) = [one for one in pairing.tills(bakery.ctx, bakery.owner) if one.devices]
    assert found.devices[0].used_at is not None
    pairing.revoke(bakery.ctx, bakery.owner, found.devices[0].public_id)
    page.get_by_role("button", name="Donner un tampon").click()
    expect(answer).to_contain_text("n’est plus associé")
    assert bakery.stamps() == 1
    page.close()


def test_over_plain_http_the_page_says_why_there_is_no_camera(
    house: House, device: BrowserContext, bakery: Bakery
) -> None:
    page = device.new_page()
    page.goto(f"{house.base.replace('127.0.0.1', 'shop.test')}/till#key={house.shop.till_key}")
    expect(page.get_by_text("en http simple, et les navigateurs")).to_be_visible()
    expect(page.get_by_role("button", name="Utiliser la caméra")).to_be_hidden()
    page.get_by_role("link", name="Comment avoir la caméra").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Faire confiance au serveur de la boutique")
    expect(page.get_by_text("WALLET_TLS=local")).to_be_visible()
    page.goto(f"http://shop.test:{bakery.ctx.settings.port + 1}/trust")
    expect(page.get_by_text("Cet appareil fait confiance au serveur.")).to_be_visible()
    page.close()


def test_the_till_alone_may_use_the_camera_and_run_the_reader(house: House) -> None:
    client = house.app.test_client()
    for path in ("/till", "/pair", "/trust", house.member().path, f"/join/{house.shop.join_code}", "/console/sign-in"):
        headers = client.get(path).headers
        alone = path == "/till"
        assert ("camera=(self)" in headers["Permissions-Policy"]) is alone, path
        assert ("wasm-unsafe-eval" in headers["Content-Security-Policy"]) is alone, path
        assert "'unsafe-eval'" not in headers["Content-Security-Policy"]


# ---------------------------------------------------------------------- a cashier's whole day

PIN = "4826"
BOTH = {"fr": "un café", "en": "a coffee"}
TWO_EUROS = {"title": {"fr": "Bon de 2 €", "en": "€2 voucher"}, "terms": {"fr": "Une fois.", "en": "Once."}}


def day_document(symbol: str) -> dict[str, Any]:
    """A programme whose passes show this symbol, with all that a day may bring."""
    document: dict[str, Any] = default_document("Chez Ada")
    euro = {"one": "euro", "other": "euros"}
    document["design"]["barcode"] = symbol
    document["currencies"].append({"code": "pot", "kind": "money", "names": {"fr": euro, "en": euro}})
    document["earn"].append({"id": "back", "currency": "pot", "per": {"amount_minor": 100, "points": 10}})
    cost = {"currency": "points", "amount": 5}
    voucher = {**TWO_EUROS, "valid_days": 90, "value_minor": 200}
    document["rewards"] = [{"code": "bon", "kind": "voucher", "names": BOTH, "cost": cost, "voucher": voucher}]
    reasons = [{"id": "late", "names": {"fr": "livraison en retard", "en": "late delivery"}}]
    document["gestures"] = [{"id": "coffee", "kind": "gift", "names": BOTH, "reasons": reasons}]
    document["gesture_budgets"] = [{"whose": "cashier", "window": "day", "count": 1}]
    document["offline"] = {"earn": True, "burn_units_per_card": 10, "allowance_units": 100, "window_minutes": 60}
    return document


@dataclass(frozen=True)
class Day:
    """A shop with a member for each symbol, a friend of the first, and the device at its counter."""

    ctx: Context
    founded: Founded
    page: Page
    film: Path
    passes: dict[str, str]

    def code(self, symbol: str) -> Shown:
        return shown(self.ctx, self.passes[symbol])

    def see(self, code: Shown, **how: float) -> None:
        """A customer holds a phone before the camera."""
        if self.page.locator("#next").is_visible():
            self.page.locator("#next").click()
        expect(self.page.locator("[data-till]")).not_to_have_attribute("data-camera", "starting")
        if self.page.locator("#camera-off").is_visible():
            self.page.locator("#camera-off").click()
        film(self.film, code, **how)
        self.page.locator("#camera-on").click()

    def reopen(self) -> None:
        """The page anew, with its camera off: one that starts by itself would film what lay there before."""
        self.page.evaluate("localStorage.setItem('till-camera', 'off')")
        self.page.reload()

    def says(self, text: str) -> None:
        expect(self.page.locator("#answer")).to_contain_text(text)

    def sells(self, amount: str) -> None:
        self.page.locator("#amount").fill(amount)
        self.page.locator("#sale > button.primary").click()

    def balances(self, symbol: str) -> dict[str, int]:
        scope = keys.authenticate(self.ctx, self.founded.till_key)
        return dict(till.look_up(self.ctx, scope, self.code(symbol).message).balances)


@pytest.fixture
def day(bakery: Bakery, device: BrowserContext) -> Iterator[Day]:
    ctx = bakery.ctx
    founded = programs.found(ctx, "Chez Ada", programs.NewStore("Quai"))
    passes = {}
    for symbol in ("qr", "aztec", "pdf417", "code128"):
        document = day_document(symbol)
        made = programs.create_programme(ctx, founded.account_id, founded.merchant_id, document, 1)
        for name in (symbol, "friend")[: 2 if symbol == "qr" else 1]:
            passes[name] = enrol.join(ctx, made["join_code"], enrol.Joining())["pass"]
    page = device.new_page()
    device.grant_permissions(["camera"], origin=bakery.base)
    faults: list[str] = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    pair(ctx, founded, page, "Tablette", "Chez Ada, Quai")
    expect(page.locator('[data-network="up"]')).to_be_attached()
    yield Day(ctx, founded, page, bakery.folder / "film.mjpeg", passes)
    page.close()
    assert faults == []


def test_a_cashiers_day(day: Day, bakery: Bakery, device: BrowserContext) -> None:
    scans_and_an_answer_that_is_lost(day)
    day.see(shown(bakery.ctx, bakery.pass_id))
    day.says("Refusé · d’un autre commerçant")
    uses_a_voucher_and_part_of_the_pot(day)
    takes_goods_back(day)
    knows_who_forgot_the_phone(day)
    goes_on_without_a_network(day, device)
    says_yes_once_and_not_twice(day)
    without_network = [day.balances(symbol)["points"] for symbol in ("pdf417", "code128")]
    assert without_network == [7, 3], "what was kept without a network is counted, and once"


READS_ITSELF = """
window.BarcodeDetector = class {
  static async getSupportedFormats() { return FORMATS; }
  async detect() { return FOUND; }
};
"""


@pytest.mark.parametrize("every", [True, False], ids=["every symbol", "QR codes alone"])
def test_the_browsers_own_reader_is_taken_where_it_reads_every_symbol(day: Day, every: bool) -> None:
    formats = ["qr_code", "aztec", "pdf417", "code_128", "ean_13"] if every else ["qr_code", "ean_13"]
    found = [{"rawValue": day.code("friend").message}] if every else []
    script = READS_ITSELF.replace("FORMATS", json.dumps(formats)).replace("FOUND", json.dumps(found))
    day.page.add_init_script(script)
    day.reopen()
    day.says("Scannez une carte")
    day.see(day.code("aztec"))
    day.says("Carte trouvée")
    read = day.code("friend" if every else "aztec").message
    expect(day.page.locator("#holder-code")).to_have_text(read)


LOSE_FIRST = """() => {
  const whole = window.fetch;
  window.asked = 0;
  window.fetch = async (address, ...more) => {
    const answer = await whole(address, ...more);
    if (!String(address).endsWith("/v1/sales")) return answer;
    window.asked += 1;
    if (window.asked > 1) window.fetch = whole;
    else throw new TypeError("the network went");
    return answer;
  };
}"""


def scans_and_an_answer_that_is_lost(day: Day) -> None:
    """The sale is counted, its answer gets lost, and the same sale is sent again."""
    day.page.evaluate(LOSE_FIRST)
    day.see(day.code("qr"))
    day.says("Carte trouvée")
    day.sells("20")
    day.says("Déjà compté à ")
    assert day.page.evaluate("window.asked") == 2
    assert day.balances("qr") == {"points": 20, "status": 20, "pot": 200}


def uses_a_voucher_and_part_of_the_pot(day: Day) -> None:
    page = day.page
    day.see(day.code("aztec"), turned=8)
    day.says("Carte trouvée")
    day.sells("50")
    day.says("+50 points")
    page.get_by_role("button", name="Offrir\u00a0: un café").click()
    page.locator("#sure button[value=yes]").click()
    day.says("-5 points")
    page.locator("#amount").fill("10")
    page.get_by_role("button", name="Que peut-on utiliser avec").click()
    page.get_by_label("Bon de 2 €").check()
    expect(page.locator("#to-pay")).to_have_text(re.compile(r"8,00"))
    page.locator("#pot-part").fill("1,20")
    page.get_by_role("button", name="Utiliser cette part").click()
    expect(page.locator("#to-pay")).to_have_text(re.compile(r"6,80"))
    page.locator("#count").click()
    day.says("6,80")
    assert day.balances("aztec")["pot"] == 500 - 120 + 80


def takes_goods_back(day: Day) -> None:
    day.page.get_by_role("button", name="Reprendre des articles").click()
    back = day.page.get_by_role("dialog", name="Reprendre des articles")
    back.locator("#back-amount").fill("4")
    back.get_by_role("button", name="Reprendre").click()
    day.says("Retour")


def knows_who_forgot_the_phone(day: Day) -> None:
    if day.page.locator("#next").is_visible():
        day.page.locator("#next").click()
    day.page.locator("#code").fill(day.code("aztec").typed)
    day.page.locator("#scan button").click()
    day.says("Carte trouvée")


def goes_on_without_a_network(day: Day, device: BrowserContext) -> None:
    page = day.page
    device.set_offline(True)
    expect(page.locator('[data-network="down"]')).to_be_attached()
    day.see(day.code("pdf417"), turned=-4, light=0.45)
    day.says("Carte authentique")
    day.sells("7")
    day.says("Gardé")
    day.see(day.code("code128"), light=0.6)
    day.says("Pas vérifiée")
    expect(page.locator("#spend")).to_be_hidden()
    day.sells("3")
    day.says("Gardé")
    assert (day.balances("pdf417")["points"], day.balances("code128")["points"]) == (0, 0)
    page.locator("#waits").click()
    device.set_offline(False)  # from here on it may bring them by itself, and the way to this list goes
    page.locator("#sync").click()
    expect(page.locator("#waiting-list .badge.on")).to_have_count(2)
    page.keyboard.press("Escape")
    assert (day.balances("pdf417")["points"], day.balances("code128")["points"]) == (7, 3)


def says_yes_once_and_not_twice(day: Day) -> None:
    page = day.page
    everybody: Any = day
    email = hire(everybody, "cashier", day.founded.merchant_key)
    with day.ctx.look() as tx:
        row = staff.by_email(tx, email)
    assert row
    cashiers.choose_own(day.ctx, person_of(row, "session"), PIN)
    day.reopen()
    page.locator("#who").click()
    page.locator("#cashiers button").click()
    page.locator("#pin").fill(PIN)
    page.locator("#pin-form button.primary").click()
    day.says("Cashier sert")
    for symbol, offered in (("qr", True), ("friend", False)):  # the budget is one a day
        day.see(day.code(symbol))
        day.says("Carte trouvée")
        gestures = page.locator("#gestures button")
        expect(gestures).to_have_count(int(offered))
        if offered:
            gestures.click()
            day.says("un café")
            expect(gestures).to_have_count(0)
