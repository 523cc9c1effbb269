"""Owns what is known about the console's pages of old cards and of members who are one, as served and in a browser."""

from __future__ import annotations

import io
import re

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser

from tests.axe import violations
from tests.pages.console import PASSWORD, hire, sign_in
from tests.pages.house import House
from tests.pages.test_console_desk import INLINE, said
from wallet_server.actions import keys
from wallet_server.actions.counter import till
from wallet_server.delivery.worker import run_once
from wallet_server.records.jobs import SERVICE

HEAD = "Card;First name;Name;E-mail;Points\n"


def _upload(house: House, client: FlaskClient, csrf: str, programme: str, text: str) -> str:
    """Look at a file and take it over; the address of what became of it."""
    file = (io.BytesIO(text.encode()), "old.csv")
    data = {"csrf": csrf, "programme": programme, "file": file}
    looked = client.post("/console/imports/look", data=data, content_type="multipart/form-data")
    assert looked.status_code == 200, said(looked)
    page = looked.get_data(as_text=True)
    assert not INLINE.search(page)
    assert ("Line 3 · E-mail" in said(looked)) == ("nope@@" in text), "what is left out is said beforehand"
    held = re.search(r'<textarea name="text"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert held
    chosen = {
        f"column-{field}": value
        for field, value in re.findall(r'name="column-(\w+)">.*?<option selected>([^<]+)<', page, re.DOTALL)
    }
    form = {"csrf": csrf, "programme": programme, "name": "old.csv", "text": held[1], **chosen}
    done = client.post("/console/imports", data=form)
    assert done.status_code == 303, said(done)
    while run_once(house.ctx, SERVICE):
        pass
    return str(done.location)


def _programme(client: FlaskClient) -> str:
    found = re.search(r'name="programme" value="([^"]+)"', client.get("/console/imports").get_data(as_text=True))
    assert found
    return found[1]


def _points(house: House, code: str) -> int:
    scope = keys.authenticate(house.ctx, house.shop.till_key)
    return till.look_up(house.ctx, scope, code).balances["points"]


def test_a_file_is_looked_at_taken_over_and_its_doubts_settled(client: FlaskClient, house: House) -> None:
    csrf = sign_in(client, house)
    programme = _programme(client)
    claire = house.member(first_name="Claire", email="claire.imports@example.com")
    claire.buy("imports-1", 200)
    text = HEAD + "IMP1;Marc;Dubois;claire.imports@example.com;30\nIMP2;;;nope@@;5\n;;;;1\n"

    where = _upload(house, client, csrf, programme, text)

    page = client.get(where)
    assert "Doubtful: you say whose 1" in said(page)
    assert "there is no number" in said(page)
    assert "claire.imports@example.com" in said(page)
    choice = re.search(r'name="member" value="(mem_[^"]+)"', page.get_data(as_text=True))
    line = re.search(r'action="([^"]+/lines/\d+)"', page.get_data(as_text=True))
    assert choice
    assert line
    assert client.post(line[1], data={"csrf": csrf, "member": "mem_00000000aa"}).status_code == 409
    assert client.post(line[1], data={"csrf": csrf, "member": choice[1]}).status_code == 303
    assert _points(house, "IMP1") == _points(house, claire.card.code) == 32
    assert client.post(line[1], data={"csrf": csrf, "member": ""}).status_code == 409
    assert "Doubtful: you say whose 0" in said(client.get(where))
    imported = client.get("/console/members?q=IMP2")
    assert imported.status_code == 200
    taken = re.search(r"/console/members/mem_\w+", imported.get_data(as_text=True))
    assert taken
    assert "No announcements with old cards that were taken over" in said(client.get(taken[0]))
    assert client.get("/console/members").status_code == 200, "a member without a phone is shown too"
    bad = client.post("/console/imports", data={"csrf": csrf, "programme": programme, "text": "a;b\n1;2\n"})
    assert bad.status_code == 422
    assert "No column with card numbers" in said(bad)


def test_two_customers_are_joined_by_an_owner_with_a_reason(client: FlaskClient, house: House) -> None:
    csrf = sign_in(client, house)
    kept, other = house.member(email="kept@example.com"), house.member(email="gone@example.com")
    other.buy("imports-2", 700)
    named = {m.pass_id: till.look_up(house.ctx, keys.authenticate(house.ctx, house.shop.till_key), m.card.code).member
             for m in (kept, other)}  # fmt: skip
    path = f"/console/members/{named[kept.pass_id]}/merge"
    assert path in client.get(f"/console/members/{named[kept.pass_id]}").get_data(as_text=True)
    page = client.get(path, query_string={"q": "gone@example.com"})
    assert "7 points" in said(page)
    data = {"csrf": csrf, "merged": named[other.pass_id], "reason": "joined-twice"}
    assert client.post(path, data={**data, "reason": "because"}).status_code == 409

    done = client.post(path, data=data)

    assert done.status_code == 303
    assert "They are one customer now" in said(client.get(done.location))
    assert _points(house, kept.card.code) == 7
    assert client.post(path, data=data).status_code == 409, "they are one already"
    assert "joined two customers" in said(client.get("/console/team"))


@pytest.mark.parametrize("role", ["marketer", "cashier"])
def test_who_may_not_change_members_may_not_join_them(client: FlaskClient, house: House, role: str) -> None:
    csrf = sign_in(client, house, role)
    assert client.get("/console/imports").status_code == 403
    assert client.post("/console/imports", data={"csrf": csrf}).status_code == 403
    assert client.post("/console/members/mem_00000000aa/merge", data={"csrf": csrf}).status_code == 403


def test_the_pages_can_be_used_by_everybody(browser: Browser, house: House, axe: str, client: FlaskClient) -> None:
    csrf = sign_in(client, house)
    house.member(email="axe@example.com", first_name="Ada")
    where = _upload(house, client, csrf, _programme(client), HEAD + "AXE1;Ned;Other;axe@example.com;3\n;;;;1\n")
    member = house.member()
    page = browser.new_page()
    page.goto(f"{house.base}/console/sign-in?lang=fr")
    page.fill("[name=email]", hire(house))
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    page.wait_for_url("**/console/**")
    for path in ("/console/imports", where):
        page.goto(f"{house.base}{path}?lang=fr")
        assert violations(page, axe) == []
    page.goto(f"{house.base}/console/imports?lang=en")
    page.set_input_files("#file", {"name": "a.csv", "mimeType": "text/csv", "buffer": (HEAD + "A9;B;C;;1\n").encode()})
    page.click("main button.primary")
    assert violations(page, axe) == []
    page.goto(f"{house.base}{member.path}/reach?lang=fr")
    assert violations(page, axe) == []
    page.goto(f"{house.base}/recover?lang=en")
    assert violations(page, axe) == []
    page.close()
