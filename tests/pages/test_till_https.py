"""The way of a real till: over the product's own https from another name than this machine's, paired by a link, and
cards that phones show are read by the camera."""

from __future__ import annotations

import io

from PIL import Image, ImageFilter
from playwright.sync_api import BrowserContext, expect

from tests.pages.bakery import Bakery, pair
from tests.pages.browsing import NEEDS_CHROMIUM
from tests.pages.house import House
from wallet_server.actions.counter import pairing

PICTURE = (640, 480)
FRAMES = 4

pytestmark = NEEDS_CHROMIUM


def film_screen(bakery: Bakery, shot: bytes) -> None:
    """What the camera sees: the customer's screen, a little small, a little turned, a little blurred."""
    screen = Image.open(io.BytesIO(shot)).convert("RGB").resize((250, 250))
    scene = Image.new("RGB", PICTURE, "#6d6a64")
    turned = screen.rotate(9, expand=True, fillcolor="#6d6a64").filter(ImageFilter.GaussianBlur(0.8))
    scene.paste(turned, ((PICTURE[0] - turned.width) // 2 + 15, (PICTURE[1] - turned.height) // 2 - 10))
    frame = io.BytesIO()
    scene.save(frame, "JPEG", quality=80)
    (bakery.folder / "film.mjpeg").write_bytes(frame.getvalue() * FRAMES)


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
