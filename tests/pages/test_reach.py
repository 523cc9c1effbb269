"""Owns what is known about being reached: an address is proved by a code, and nobody learns whose it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.letterbox import Letterbox
from tests.pages.console import sign_in
from tests.pages.house import House, Member
from tests.pages.test_pages_served import text_of
from wallet_server.actions import keys
from wallet_server.actions.people import importing
from wallet_server.delivery.worker import run_once
from wallet_server.records.passes import passes

CLAIRE = "claire@example.com"


@pytest.fixture
def box(house: House) -> Iterator[Letterbox]:
    box = Letterbox()
    house.ctx.channels = {"email": box}
    yield box
    house.ctx.channels = {}


def _carried(house: House) -> None:
    for _ in range(3):
        run_once(house.ctx, 0)
        assert house.ctx.couriers.wait(5)


def _proved(client: FlaskClient, house: House, box: Letterbox, member: Member, address: str) -> str:
    client.post(f"{member.path}/reach", data={"address": address})
    _carried(house)
    return text_of(client.post(f"{member.path}/reach/code", data={"code": box.code}))


def _agreed(house: House, address: str) -> list[str]:
    """The record of consent as the console shows it, the newest first."""
    owner = house.app.test_client()
    sign_in(owner, house)
    found = re.search(r"/console/members/mem_\w+", text_of(owner.get(f"/console/members?q={address}")))
    assert found
    lines = text_of(owner.get(found[0])).partition('<h2 id="consents">')[2].partition("</ul>")[0]
    return [" ".join(line) for line in re.findall(r"<span>([^<]*)</span> <small>([^<]*)</small>", lines)]


def test_a_lost_card_comes_back_by_a_code_and_nobody_learns_who_has_one(
    client: FlaskClient, house: House, box: Letterbox
) -> None:
    member = house.member()
    member.buy("reach-1", 700)
    assert "is confirmed" in _proved(client, house, box, member, CLAIRE)
    assert _agreed(house, CLAIRE) == [
        "Agreed to messages about the card, by e-mail or SMS on the web card",
        "No announcements on the page to join",
    ]
    box.got.clear()
    answers = [client.post("/recover/letter", data={"address": one}) for one in (CLAIRE, "nobody@example.com")]
    said = [text_of(one).replace("n•••@", "c•••@").replace("nobody@", "claire@") for one in answers]
    assert {one.status_code for one in answers} == {200}
    hidden = [re.sub(r'name="form" value="[^"]+"', "", one) for one in said]
    assert hidden[0] == hidden[1]
    _carried(house)
    assert [one.to for one in box.got] == [CLAIRE]
    wrong = [
        client.post("/recover/letter/code", data={"address": one, "code": "000000"})
        for one in (CLAIRE, "nobody@example.com")
    ]
    assert {one.status_code for one in wrong} == {404}
    fresh = client.post("/recover/letter/code", data={"address": CLAIRE.upper(), "code": box.code})
    assert fresh.status_code == 303
    card = text_of(client.get(fresh.location))
    assert "Here is your card again" in card
    assert ">7</strong>" in card
    assert "This card is no longer valid." in text_of(client.get(member.path))


def test_of_several_cards_one_is_chosen(client: FlaskClient, house: House, box: Letterbox) -> None:
    first, second = house.member(email="two@example.com"), house.member(email="two@example.com")
    second.buy("reach-2", 300)
    client.post("/recover/letter", data={"address": "two@example.com"})
    _carried(house)
    page = text_of(client.post("/recover/letter/code", data={"address": "two@example.com", "code": box.code}))
    offered = re.findall(r'name="member" value="([^"]+)"', page)
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert len(offered) == 2
    assert token
    with house.ctx.look() as tx:
        row = passes.pass_by_public(tx, second.pass_id)
    answer = client.post("/recover/letter/card", data={"member": offered[1], "token": token[1]})
    assert row is not None
    assert ">3</strong>" in text_of(client.get(answer.location))
    assert "no longer valid" not in text_of(client.get(first.path))
    forged = client.post("/recover/letter/card", data={"member": offered[0], "token": token[1][:-4] + "AAAA"})
    assert forged.status_code == 404


def test_an_address_of_another_card_joins_both(client: FlaskClient, house: House, box: Letterbox) -> None:
    first, second = house.member(), house.member()
    first.buy("reach-3", 200)
    second.buy("reach-4", 500)
    _proved(client, house, box, first, "both@example.com")
    page = _proved(client, house, box, second, "both@example.com")
    offer = re.search(r'name="offer" value="([^"]+)"', page)
    assert offer
    done = client.post(f"{second.path}/reach/join", data={"offer": offer[1]})
    assert "Both cards are one now" in text_of(done)
    for member in (first, second):
        assert ">7</strong>" in text_of(client.get(member.path))
    again = client.post(f"{first.path}/reach/join", data={"offer": offer[1]})
    assert again.status_code == 200, "the other card is the same member by now: nothing more happens"


def test_an_old_card_is_proved_by_the_address_that_came_with_it(
    client: FlaskClient, house: House, box: Letterbox
) -> None:
    scope = keys.authenticate(house.ctx, house.shop.merchant_key)
    bearer = {"Authorization": f"Bearer {house.shop.merchant_key}"}
    programme = client.get("/v1/programmes", headers=bearer).json["programmes"][0]["id"]
    text = b"card;email;points\n88001;old@example.com;40\n88002;;9\n"
    made = importing.take_over(house.ctx, scope, programme, importing.File("x.csv", text, {}))
    importing.finish(house.ctx, made.public_id, scope)
    member = house.member()
    sent = text_of(client.post(f"{member.path}/reach/plastic", data={"number": "88001"}))
    assert "o•••@example.com" in sent
    for number in ("88002", "99999"):
        shop = text_of(client.post(f"{member.path}/reach/plastic", data={"number": number}))
        assert "Show both cards in the shop" in shop
    _carried(house)
    data = {"number": "88001", "code": "000000"}
    assert client.post(f"{member.path}/reach/plastic/code", data=data).status_code == 404
    done = client.post(f"{member.path}/reach/plastic/code", data={"number": "88001", "code": box.code})
    assert "belongs to this one now" in text_of(done)
    assert ">40</strong>" in text_of(client.get(member.path))
    assert client.post(f"{member.path}/reach/plastic", data={"number": "#"}).status_code == 422


def test_letters_about_the_status_are_asked_for_on_the_card_and_end_by_a_link(
    client: FlaskClient, house: House, box: Letterbox
) -> None:
    member, address = house.member(), "status@example.com"
    assert 'id="letters"' not in text_of(client.get(f"{member.path}/reach"))
    page = _proved(client, house, box, member, address)
    assert "an e-mail to s•••@example.com says what is missing" in page
    box.got.clear()
    page = text_of(client.post(f"{member.path}/reach/letters", data={"letters": "yes"}))
    assert "A first e-mail is on its way" in page
    assert "you get an e-mail at s•••@example.com" in page
    _carried(house)
    assert [one.to for one in box.got] == [address]
    assert _agreed(house, address)[0] == "Agreed to e-mails about the status on the web card"

    stop = box.got[0].stop.removeprefix(house.base)
    assert stop.startswith("/letters/")
    asked = text_of(client.get(stop))
    assert "Stop the e-mails about a new status at Boulangerie &amp; Fils?" in asked
    assert "Agreed" in _agreed(house, address)[0], "looking changes nothing"
    done = client.post(stop, data={"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200, "a mail program follows no redirect"
    for page in (done, client.get(stop)):
        assert "You will get no more of these e-mails" in text_of(page)
    assert _agreed(house, address)[0] == "No e-mails about the status any more by the link in an e-mail"
    page = text_of(client.post(f"{member.path}/reach/letters", data={"letters": "yes"}))
    page = text_of(client.post(f"{member.path}/reach/letters", data={"letters": "no"}))
    assert "Whenever you reach a new status" in page
    for _ in range(20):
        again = client.post(f"{member.path}/reach/letters", data={"letters": "yes"})
        client.post(f"{member.path}/reach/letters", data={"letters": "no"})
    assert again.status_code == 429
    assert "Too many codes" in text_of(again)
    assert client.get("/letters/pass_no.k1.00").status_code == 404
