"""The page by which a shop gives a card back: for those who look after members, once, with the name of who did it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask.testing import FlaskClient

from tests.pages.console import sign_in
from tests.pages.house import House
from tests.pages.test_pages_served import text_of
from wallet_server.records.schema import staff


def test_a_marketer_gives_a_card_back_and_the_page_says_who(client: FlaskClient, house: House) -> None:
    member = house.member(email="lost@example.com")
    member.buy("return-1", 700)
    csrf = sign_in(client, house, "marketer")
    found = re.search(r"/console/members/(mem_[^\"?]+)", text_of(client.get("/console/members?q=lost@example.com")))
    assert found
    path = f"/console/members/{found[1]}"
    assert client.post(f"{path}/card-back").status_code == 403, "not without the page's own token"
    page = client.post(f"{path}/card-back", data={"csrf": csrf})
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    link = re.search(r'value="([^"]+/recover/ret_[^"]+)"', text_of(page))
    assert link
    assert "by Marketer" in text_of(client.get(path))
    assert "not used" in text_of(client.get(path))
    owner = house.app.test_client()
    sign_in(owner, house)
    deed = f'<a href="{path}">Marketer made a code to give a customer the card back.</a>'
    assert deed in text_of(owner.get("/console/team?lang=en"))

    phone = house.app.test_client()
    phone.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    there = urlsplit(link[1]).path
    assert ">7</strong>" in text_of(phone.get(there))
    answer = phone.post(there, data={"form": "f" * 20})
    assert ">7</strong>" in text_of(phone.get(answer.location))
    assert "This card is no longer valid." in text_of(phone.get(member.path))
    assert "used on" in text_of(client.get(path))
    spent = phone.get(there)
    assert spent.status_code == 404
    assert "Ask in the shop for a new one" in text_of(spent)
    assert 'action="/recover"' in text_of(spent)


def test_who_is_dismissed_takes_no_card_along(client: FlaskClient, house: House) -> None:
    house.member(email="lost@example.com")
    csrf = sign_in(client, house, "marketer")
    found = re.search(r"/console/members/(mem_[^\"?]+)", text_of(client.get("/console/members?q=lost@example.com")))
    assert found
    page = client.post(f"/console/members/{found[1]}/card-back", data={"csrf": csrf})
    link = re.search(r'value="([^"]+/recover/ret_[^"]+)"', text_of(page))
    assert link
    there = urlsplit(link[1]).path
    assert house.app.test_client().get(there).status_code == 200
    owner = house.app.test_client()
    token = sign_in(owner, house)
    with house.app.extensions["wallet"].look() as tx:
        newest = sa.select(staff.c.public_id).where(staff.c.role == "marketer").order_by(staff.c.id.desc()).limit(1)
        marketer = tx.execute(newest).scalar_one()
    assert owner.post(f"/console/team/{marketer}/disable", data={"csrf": token}).status_code == 303
    assert house.app.test_client().get(there).status_code == 404


def test_a_cashier_gives_no_card_back(client: FlaskClient, house: House) -> None:
    house.member(email="kept@example.com")
    owner = house.app.test_client()
    sign_in(owner, house)
    found = re.search(r"/console/members/(mem_[^\"?]+)", text_of(owner.get("/console/members?q=kept@example.com")))
    assert found
    csrf = sign_in(client, house, "cashier")
    answer = client.post(f"/console/members/{found[1]}/card-back", data={"csrf": csrf})
    assert answer.status_code == 403


def test_the_join_page_says_what_the_address_is_for(client: FlaskClient, house: House) -> None:
    assert "So that the shop finds your card" in text_of(client.get(f"/join/{house.shop.join_code}?lang=en"))
    assert "vous la rende sur place" in text_of(client.get(f"/join/{house.shop.join_code}?lang=fr"))
