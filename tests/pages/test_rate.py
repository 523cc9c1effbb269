"""Owns what is known about the page that asks how a visit was: it works without scripts and takes one answer."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask.testing import FlaskClient

from tests.pages.house import House, Member
from tests.pages.test_pages_served import text_of
from wallet_server.actions.counter import rating
from wallet_server.actions.keys import authenticate


def path_of(house: House, member: Member) -> str:
    return urlsplit(house.ctx.link("rate", member.pass_id)).path


def test_a_visit_is_rated_once_and_kindly(client: FlaskClient, house: House) -> None:
    member = house.member()
    path = path_of(house, member)
    assert path in text_of(client.get(member.path)), "from the web card, and the back of the card"
    assert "Nothing to rate just now" in text_of(client.get(path))
    member.buy("rate-1", 500)
    text = text_of(client.get(path))
    assert len(re.findall(r'type="radio" name="mark" value="([1-5])"', text)) == 5
    assert " checked" not in text
    assert re.search(r"On \d+ \w+, Centre", text)
    sale = re.search(r'name="sale" value="([^"]+)"', text)
    assert sale

    none = client.post(path, data={"sale": sale[1], "text": "<b>hm</b>"})
    assert none.status_code == 400
    assert "Choose one of the five answers." in text_of(none)
    assert "&lt;b&gt;hm&lt;/b&gt;</textarea>" in text_of(none), "what was written is not lost"

    answer = client.post(path, data={"sale": sale[1], "mark": "2", "text": "Slow"})
    assert answer.status_code == 303
    assert "will look into what went wrong" in text_of(client.get(answer.location))
    again = client.post(path, data={"sale": sale[1], "mark": "5"})
    assert again.status_code == 303
    assert "Your mark for this visit: 2 out of 5. It stays as it is." in text_of(client.get(again.location))
    scope = authenticate(house.ctx, house.shop.merchant_key)
    assert [(one.mark, one.text) for one in rating.tickets(house.ctx, scope)].count((2, "Slow")) == 1


def test_what_is_no_answer_changes_nothing(client: FlaskClient, house: House) -> None:
    member = house.member()
    path = path_of(house, member)
    assert client.post(path, data={"mark": "5"}).status_code == 303, "nothing to rate is no error"
    member.buy("rate-2", 500)
    for mark in ("6", "0", "٣", "", "1.0"):
        assert client.post(path, data={"mark": mark}).status_code == 400, mark
    for _ in range(2):
        assert "Send</button>" in text_of(client.get(path))
    assert client.get("/rate/pass_no.k1.00").status_code == 404
    assert client.post("/rate/pass_no.k1.00", data={"mark": "5"}).status_code == 404
