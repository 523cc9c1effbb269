"""Owns what is known about the console's door: who gets in, who is sent away, and requests that others forge."""

from __future__ import annotations

from flask.testing import FlaskClient

from tests.pages.console import PASSWORD, hire, sign_in, token_in
from tests.pages.house import House


def test_an_owner_signs_in_and_out(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    page = client.get("/console/more")
    assert page.status_code == 200
    assert "Boulangerie &amp; Fils" in page.get_data(as_text=True)
    assert client.post("/console/sign-out", data={"csrf": token}).status_code == 303
    answer = client.get("/console/more")
    assert answer.status_code == 303
    assert answer.location == "/console/sign-in?next=%2Fconsole%2Fmore"


def test_a_wrong_password_and_a_stranger_are_told_the_same(client: FlaskClient, house: House) -> None:
    email = hire(house)
    token = token_in(client.get("/console/sign-in"))
    answers = [
        client.post("/console/sign-in", data={"csrf": token, "email": one, "password": "no such word"})
        for one in (email, "nobody@example.com")
    ]
    assert [one.status_code for one in answers] == [400, 400]
    first, second = (one.get_data(as_text=True) for one in answers)
    assert first.replace(email, "") == second.replace("nobody@example.com", "")
    assert PASSWORD not in first


def test_a_post_without_its_token_changes_nothing(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    assert client.post("/console/sign-out").status_code == 403
    assert client.post("/console/sign-out", data={"csrf": token[:-1] + "0"}).status_code in (303, 403)
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/console/sign-out", data={"csrf": token}, headers=foreign).status_code == 403
