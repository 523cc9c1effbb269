"""The ends of a member's cards on the console, and what became of a coupon in the member's history."""

from __future__ import annotations

import re

from flask.testing import FlaskClient

from tests.pages.console import sign_in
from tests.pages.house import House, Member, Shop
from tests.pages.test_coupon_browser import COUPON
from tests.pages.test_pages_served import text_of
from wallet_server.actions.keys import authenticate
from wallet_server.actions.once import asked
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.delivery.worker import run_once
from wallet_server.records import jobs
from wallet_server.rules.programme.program_default import default_document


def page_of(client: FlaskClient, email: str) -> str:
    """The path of the member with this address."""
    found = re.search(r"/console/members/(mem_[^\"?]+)", text_of(client.get(f"/console/members?q={email}")))
    assert found
    return f"/console/members/{found[1]}"


def test_a_marketer_ends_a_card_and_the_books_say_who(client: FlaskClient, house: House) -> None:
    member = house.member(email="ends@example.com")
    csrf = sign_in(client, house, "marketer")
    path = page_of(client, "ends@example.com")
    end = f"{path}/cards/{member.pass_id}/end"
    assert f'action="{end}"' in text_of(client.get(path))
    assert client.post(end).status_code == 403, "not without the page's own token"
    code = member.card.code
    assert not member.card.card.voided
    answer = client.post(end, data={"csrf": csrf})
    assert answer.status_code == 303
    house.deliver()
    assert member.card.card.voided
    till = {"Authorization": f"Bearer {house.shop.till_key}"}
    refused = house.app.test_client().post("/v1/lookups", json={"code": code}, headers=till)
    assert (refused.status_code, refused.json["code"]) == (409, "revoked-card"), "it buys nothing any more"
    page = text_of(client.get(answer.location))
    assert "It is over." in page
    assert "no longer valid" in page
    assert "Marketer ended a customer’s card." in page
    assert end not in page
    owner = house.app.test_client()
    sign_in(owner, house)
    deed = f'<a href="{path}">Marketer ended a customer’s card.</a>'
    assert deed in text_of(owner.get("/console/team?lang=en"))
    assert client.post(end, data={"csrf": csrf}).status_code == 303, "a double click"
    assert text_of(client.get(path)).count("Marketer ended a customer’s card.") == 1


def test_a_member_who_leaves_has_no_card_and_gets_no_word(client: FlaskClient, house: House) -> None:
    member = house.member(email="leaves@example.com", promotions=True)
    csrf = sign_in(client, house)
    path = page_of(client, "leaves@example.com")
    answer = client.post(f"{path}/leave", data={"csrf": csrf})
    house.deliver()
    page = text_of(client.get(answer.location))
    assert member.card.card.voided
    assert "The customer has left." in page
    assert "Owner took a customer out of the programme." in page
    assert "No announcements" in page
    assert "/note" not in page
    assert "/leave" not in page


def test_neither_a_cashier_nor_a_stranger_ends_anything(client: FlaskClient, house: House) -> None:
    member = house.member(email="stays@example.com")
    owner = house.app.test_client()
    sign_in(owner, house)
    path = page_of(owner, "stays@example.com")
    doors = (f"{path}/cards/{member.pass_id}/end", f"{path}/leave")
    csrf = sign_in(client, house, "cashier")
    assert [client.post(door, data={"csrf": csrf}).status_code for door in doors] == [403, 403]
    stranger = house.app.test_client()
    csrf = sign_in(stranger, house, merchant_key=house.stranger.merchant_key)
    assert [stranger.post(door, data={"csrf": csrf}).status_code for door in doors] == [404, 404]
    assert not member.card.card.voided


def test_what_became_of_a_coupon_stands_in_the_history_page_by_page(client: FlaskClient, house: House) -> None:
    made = programs.found(house.ctx, "Chez Zoé", programs.NewStore("Quai", latitude=48.8, longitude=2.3))
    document = default_document("Chez Zoé") | {"welcome": {"coupon": COUPON}}
    programme = programs.create_programme(house.ctx, made.account_id, made.merchant_id, document, 1)
    shop = Shop(programme["join_code"], made.merchant_key, made.till_key)
    facts = enrol.join(house.ctx, shop.join_code, enrol.Joining())
    card, coupon = Member(house, facts["pass"]), Member(house, facts["coupons"][0])
    used = house.call("/v1/coupon-uses", {"code": coupon.card.code, "reference": "R-1"}, shop.till_key)
    for number in range(25):
        card.buy(f"H-{number}", 100, shop)
    house.call(f"/v1/coupon-uses/{used['id']}/reversal", {}, shop.till_key)
    sign_in(client, house, merchant_key=shop.merchant_key)
    path = f"/console/members/{facts['member']}"
    first = text_of(client.get(path))
    older = re.search(r'href="([^"]+\?before=\d+)#history"', first)
    assert older
    last = text_of(client.get(older[1]))
    told = [re.findall(r"<span>(Coupon [^<]+)</span>", page) for page in (first, last)]
    assert told == [
        ["Coupon given back: A free coffee"],
        ["Coupon used: A free coffee", "Coupon received: A free coffee"],
    ]
    assert re.search(r"Coupon used: A free coffee</span>\s*<small>Quai · 1", last), "where it was used"


def test_each_line_of_the_history_names_its_rule_and_its_version(client: FlaskClient, house: House) -> None:
    made = programs.found(house.ctx, "Chez Bo", programs.NewStore("Quai", latitude=48.8, longitude=2.3))
    document = default_document("Chez Bo") | {"welcome": {"coupon": COUPON}}
    programme = programs.create_programme(house.ctx, made.account_id, made.merchant_id, document, 1)
    shop = Shop(programme["join_code"], made.merchant_key, made.till_key)
    facts = enrol.join(house.ctx, shop.join_code, enrol.Joining())
    card = Member(house, facts["pass"])
    card.buy("V-1", 100, shop)
    owner = authenticate(house.ctx, made.merchant_key)
    wish = asked(owner, "publish", {}, "second")
    double = document | {"earn": [{**one, "id": f"{one['id']}-2"} for one in document["earn"]]}
    programs.publish_version(house.ctx, owner, programme["programme"], double, wish)
    card.buy("V-2", 100, shop)
    sign_in(client, house, merchant_key=made.merchant_key)
    path = f"/console/members/{facts['member']}"
    lines = text_of(client.get(path)).split("<li id=")
    ids = [one["id"] for one in document["earn"]]
    for sale, ending, version in (("V-1", "", 1), ("V-2", "-2", 2)):
        told = [one for one in lines if f"receipt {sale}." in one]
        assert {found[1] for one in told if (found := re.search(rf"rule (\S+), version {version}<", one))} == {
            f"{one}{ending}" for one in ids
        }
    (given,) = [one for one in lines if "Coupon received" in one]
    assert "rule welcome, version 1<" in given
    assert "règle welcome, version 1<" in text_of(client.get(f"{path}?lang=fr"))


def test_a_second_word_of_the_day_waits_for_the_first_and_for_no_announcement(house: House) -> None:
    made = programs.found(house.ctx, "Chez Ana", programs.NewStore("Quai", latitude=48.8, longitude=2.3))
    document = default_document("Chez Ana") | {"announce": {"per_day": 1, "per_week": 3, "quiet": None}}
    programme = programs.create_programme(house.ctx, made.account_id, made.merchant_id, document, 1)
    facts = enrol.join(house.ctx, programme["join_code"], enrol.Joining(promotions=True))
    Member(house, facts["pass"]).add_to_phone()
    client = house.app.test_client()
    csrf = sign_in(client, house, merchant_key=made.merchant_key)
    said = []
    for number in range(2):
        form = {"csrf": csrf, "form": f"{number}" * 20, "text": f"Bonjour {number}"}
        note = client.post(f"/console/members/{facts['member']}/note", data=form).location
        said.append([text_of(client.get(f"{note}?lang={tongue}")) for tongue in ("en", "fr")])
        client.post(f"{note}/send", data={"csrf": csrf})
        run_once(house.ctx, jobs.BULK)
    assert "Told at once" in said[0][0]
    assert "Had a word from you today" in said[1][0]
    assert "A déjà eu un mot de vous aujourd’hui" in said[1][1]
    after = text_of(client.get(f"{note}?lang=en"))
    assert "They are told 24 hours after the word before." in after
    assert "announcement of the day" not in after + said[1][0]
    assert "Had a word from you today" in text_of(client.get(f"{note}/members/waiting:per-day?lang=en"))
