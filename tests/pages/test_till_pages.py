"""Owns what is known about the pages around the till without a browser: the console's tills, pairing, trust."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests.pages.console import sign_in, token_in
from tests.pages.house import House
from wallet_server.actions import keys
from wallet_server.actions.counter import pairing

DEVICE = "d" * 43


def test_an_owner_makes_a_till_pairs_a_phone_and_unpairs_it(client: FlaskClient, house: House) -> None:
    csrf = sign_in(client, house)
    store = pairing.stores(house.ctx, keys.authenticate(house.ctx, house.shop.merchant_key))[0][0]
    made = client.post("/console/tills", data={"csrf": csrf, "store": store, "name": "<b>Comptoir</b>"})
    assert made.status_code == 303
    till = made.location.rsplit("#", 1)[1]
    page = client.get("/console/tills").get_data(as_text=True)
    assert "&lt;b&gt;Comptoir" in page
    assert "No device is paired with this till." in page
    shown = client.post(f"/console/tills/{till}/pairing", data={"csrf": csrf})
    assert shown.headers["Cache-Control"] == "no-store"
    drawn = shown.get_data(as_text=True)
    assert "<svg" in drawn
    assert re.search(r'href="/pair#[\w-]{43}"', drawn), "a baker alone with a phone makes that very phone the till"
    assert "answers to this machine alone" in drawn
    progress = re.search(r'data-pairing="([^"]+)"', drawn)
    assert progress
    assert client.get(progress[1]).json["state"] == "waiting"

    owner = keys.authenticate(house.ctx, house.shop.merchant_key)
    secret = pairing.invite(house.ctx, owner, till).link.partition("#")[2]
    phone = house.app.test_client()
    greeting = phone.post("/pair/greeting", json={"secret": secret})
    assert greeting.json == {"merchant": "Boulangerie & Fils", "store": "Centre", "till": "<b>Comptoir</b>"}
    asked = {"secret": secret, "device": DEVICE, "name": "Phone"}
    paired, repeated = (phone.post("/pair/key", json=asked).json for _ in range(2))
    assert paired == repeated
    bearer = {"Authorization": f"Bearer {paired['key']}"}
    counter = phone.get("/till/counter", headers=bearer).json
    assert (counter["store"], counter["till"]) == ("Centre", "<b>Comptoir</b>")
    assert phone.get("/v1/stores", headers=bearer).status_code == 403, "a till's key is for the counter"
    page = client.get("/console/tills").get_data(as_text=True)
    assert "Phone" in page
    end = re.search(r'action="([^"]+/end)"', page)
    assert end
    assert client.post(end[1], data={"csrf": csrf}).status_code == 303
    assert phone.get("/till/counter", headers=bearer).status_code == 401


def test_the_console_lets_owners_alone_at_tills_and_no_forged_form(client: FlaskClient, house: House) -> None:
    sign_in(client, house)
    assert client.post("/console/tills", data={"name": "x"}).status_code == 403
    till = pairing.tills(house.ctx, keys.authenticate(house.ctx, house.shop.merchant_key))[0].row.public_id
    for role, shop in (("marketer", house.shop), ("cashier", house.shop), ("owner", house.stranger)):
        other = house.app.test_client()
        other.environ_base["HTTP_ACCEPT"] = "text/html"
        csrf = sign_in(other, house, role, shop.merchant_key)
        expected = 404 if shop is house.stranger else 403
        assert other.post(f"/console/tills/{till}/pairing", data={"csrf": csrf}).status_code == expected
        if role != "owner":
            assert other.get("/console/tills").status_code == 403


def test_a_till_needs_a_name(client: FlaskClient, house: House) -> None:
    csrf = sign_in(client, house)
    refused = client.post("/console/tills", data={"csrf": csrf, "name": " ", "store": "x"})
    assert refused.status_code == 400
    assert "Give the till a name" in refused.get_data(as_text=True)
    assert token_in(refused)


@pytest.mark.parametrize("body", [None, [], {"secret": 1}, {"secret": "x" * 201}, {"secret": "x" * 43}, {"secret": ""}])
def test_whatever_is_sent_instead_of_a_secret_is_refused(client: FlaskClient, body: object) -> None:
    for path in ("/pair/greeting", "/pair/key"):
        answer = client.post(path, json=body)
        assert answer.status_code in (400, 404)
        assert answer.json
        assert answer.json["code"] in ("invalid", "pairing-unknown")


def test_the_page_can_be_put_on_a_home_screen(client: FlaskClient) -> None:
    manifest = client.get("/till/app.webmanifest?lang=fr")
    assert manifest.json
    assert (manifest.json["name"], manifest.json["display"]) == ("Caisse", "standalone")
    for icon in manifest.json["icons"]:
        assert client.get(icon["src"]).status_code == 200
    assert client.get("/static/zxing.wasm").mimetype == "application/wasm", "browsers compile it only under this type"


def test_without_an_authority_of_ours_there_is_nothing_to_trust(client: FlaskClient) -> None:
    page = client.get("/trust")
    assert "There is no certificate to trust here." in page.get_data(as_text=True)
    for name in ("certificate.crt", "certificate.pem", "profile.mobileconfig"):
        assert client.get(f"/trust/{name}").status_code == 404
