"""Owns what is known about the pages that give a card back: one button or one field, and nothing told to guessers."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from tests.pages.house import House, Member
from tests.pages.test_pages_served import text_of
from wallet_server.actions.counter import rating
from wallet_server.actions.keys import authenticate
from wallet_server.actions.people import recovery


def link_path(house: House, member: Member) -> str:
    return urlsplit(house.ctx.link("recover", member.pass_id)).path


def code_of(client: FlaskClient, member: Member) -> str:
    """As a person reads it on the web card."""
    found = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", text_of(client.get(member.path)))
    assert found
    return found[0]


def test_the_link_shows_the_card_and_one_button_and_looking_changes_nothing(client: FlaskClient, house: House) -> None:
    member = house.member()
    member.buy("recover-1", 700)
    path = link_path(house, member)
    for _ in range(2):
        page = client.get(path)
        text = text_of(page)
        assert page.status_code == 200
        assert ">7</strong>" in text
        assert text.count("<button") == 1
        assert not re.search(r'<input(?![^>]*type="hidden")', text)
        assert member.card.code not in text
    form = re.search(r'name="form" value="([^"]+)"', text)
    assert form
    answers = [client.post(path, data={"form": form[1]}) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {303}
    assert answers[0].location == answers[1].location
    card = text_of(client.get(answers[0].location))
    assert "Here is your card again" in card
    assert ">7</strong>" in card
    assert "This card is no longer valid." not in card
    old = text_of(client.get(member.path))
    assert "This card is no longer valid." in old
    assert not re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", old)
    spent = client.get(path)
    assert spent.status_code == 404
    assert "This link was already used" in text_of(spent)
    assert 'action="/recover"' in text_of(spent)
    assert "Open my card" in text_of(client.get(f"/join/{house.shop.join_code}")), "this browser has it from now on"


def test_the_code_of_the_web_card_gives_it_back(client: FlaskClient, house: House) -> None:
    member = house.member()
    code = code_of(client, member)
    page = text_of(client.get("/recover"))
    assert page.count('type="text"') == 1
    answer = client.post("/recover", data={"code": code.lower().replace("-", " ")})
    assert answer.status_code == 303
    fresh = client.get(answer.location)
    assert "Here is your card again" in text_of(fresh)
    wrong = [client.post("/recover", data={"code": text}) for text in (code, "4444-4444-4444", "<b>", "")]
    assert {one.status_code for one in wrong} == {404}
    said = {re.search(r'id="code-fault"[^>]*>([^<]+)<', text_of(one))[1] for one in wrong}  # type: ignore[index]
    assert len(said) == 1, "used, unknown, impossible and missing are told alike"
    assert "&lt;b&gt;" in text_of(wrong[2])


def test_too_many_guesses_from_one_address_wait(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, guesses_per_hour=2))
    client.environ_base["REMOTE_ADDR"] = "8.8.8.8"
    assert [client.post("/recover", data={"code": "x"}).status_code for _ in range(2)] == [404, 404]
    late = client.post("/recover", data={"code": code_of(client, house.member())})
    assert late.status_code == 429
    assert int(late.headers["Retry-After"]) > 0
    assert "Too many tries over this connection." in text_of(late)


def test_a_forged_link_is_nothing(client: FlaskClient, house: House) -> None:
    member = house.member()
    card = member.path.rsplit("/", 1)[1]
    for path in (f"/recover/{card}", "/recover/pass_no.k1.00", "/recover/x"):
        assert client.get(path).status_code == 404
        assert client.post(path).status_code == 404
    assert member.card.code


def test_whoever_holds_the_card_that_was_replaced_says_nothing_for_its_member(
    client: FlaskClient, house: House
) -> None:
    member = house.member()
    rate = urlsplit(house.ctx.link("rate", member.pass_id)).path
    made = recovery.by_link(house.ctx, link_path(house, member).rsplit("/", 1)[1], "f" * 20)
    fresh = Member(house, made["pass"])
    fresh.buy("recover-finder", 1200)

    for path in (member.path, member.stop_path):
        assert not re.search(r"<button[^>]*>(Receive|Undo)", text_of(client.get(path))), path
    granting = (
        (f"{member.path}/messages", {"promotions": "yes"}),
        (member.stop_path, {"do": "resume"}),
    )
    for path, form in granting:
        assert client.post(path, data=form).status_code == 404
        assert not fresh.card.promotions
    page = text_of(client.get(rate))
    assert "This card was replaced" in page
    assert "Centre" not in page, "where the member was last is nobody's business"
    answer = client.post(rate, data={"mark": "1", "text": "the finder"})
    assert "This card was replaced" in text_of(client.get(answer.location))
    scope = authenticate(house.ctx, house.shop.merchant_key)
    assert "the finder" not in [ticket.text for ticket in rating.tickets(house.ctx, scope)]

    # To have peace is the member's wish whichever card is at hand.
    client.post(f"{fresh.path}/messages", data={"promotions": "yes"})
    assert fresh.card.promotions
    stopped = client.post(f"{member.path}/messages", data={"promotions": "no"})
    assert not fresh.card.promotions
    page = text_of(client.get(stopped.location))
    assert "Done: you will receive no more messages." in page
    assert "Receive news" not in page
