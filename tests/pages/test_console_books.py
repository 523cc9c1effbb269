"""The page of the books: for owners and accountants alone, in both languages, as of a day, with files to keep; an owner
closes, an accountant reads."""

from __future__ import annotations

import datetime as dt

from flask.testing import FlaskClient

from tests.pages.console import sign_in
from tests.pages.house import House
from tests.pages.test_coupon_browser import COUPON
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.rules.programme.program_default import default_document


def text_of(client: FlaskClient, path: str, **query: str) -> str:
    answer = client.get(path, query_string=query or None)
    assert answer.status_code == 200, answer.get_data(as_text=True)[:400]
    return answer.get_data(as_text=True)


def test_an_accountant_reads_what_is_owed_and_nothing_else(client: FlaskClient, house: House) -> None:
    house.member().buy("books-1", 4200)
    csrf = sign_in(client, house, "accountant")
    assert client.get("/console").location.endswith("/console/books")
    page = text_of(client, "/console/books")
    assert "The trial balance is even" in page
    assert "There are too few data to estimate" in page
    assert "Nobody said what a unit is worth" in page
    assert "Members: available" in page
    assert "Close up to" not in page
    assert client.post("/console/books/closes", data={"csrf": csrf, "through": "2020-01-01"}).status_code == 403
    assert client.get("/console/members").status_code == 403
    french = text_of(client, "/console/books", lang="fr")
    assert "La balance est juste" in french
    assert "Membres\u00a0: disponible" in french


def test_beside_what_coupons_come_to_it_says_which_count_as_nothing(client: FlaskClient, house: House) -> None:
    made = programs.found(house.ctx, "Chez Pia", programs.NewStore("Quai"))
    document = default_document("Chez Pia") | {"welcome": {"coupon": COUPON}}
    programme = programs.create_programme(house.ctx, made.account_id, made.merchant_id, document, 1)
    sign_in(client, house, "owner", made.merchant_key)
    assert "so many percent" not in text_of(client, "/console/books"), "where there are none"
    enrol.join(house.ctx, programme["join_code"], enrol.Joining())
    assert "A coupon of so many percent, or without a value, counts as nothing" in text_of(client, "/console/books")
    assert "Un bon en pourcentage" in text_of(client, "/console/books", lang="fr")


def test_the_books_as_of_a_day_before_the_shop_are_empty(client: FlaskClient, house: House) -> None:
    sign_in(client, house, "owner")
    page = text_of(client, "/console/books", as_of="2020-01-31")
    assert "Nothing is written down up to that day." in page
    sheet = text_of(client, "/console/books/trial-balance.csv", as_of="2020-01-31")
    assert sheet.splitlines() == ["as_of,programme,currency,owner,purpose,debit,credit"]


def test_a_day_that_is_none_is_said_and_today_is_shown(client: FlaskClient, house: House) -> None:
    sign_in(client, house, "owner")
    answer = client.get("/console/books?as_of=soon")
    assert answer.status_code == 400
    assert "Choose a day." in answer.get_data(as_text=True)
    answer = client.get("/console/books?merchant=mer_none")
    assert "This merchant is not known here." in answer.get_data(as_text=True)


def test_files_hold_what_the_page_shows(client: FlaskClient, house: House) -> None:
    house.member().buy("books-2", 1000)
    sign_in(client, house, "accountant")
    answer = client.get("/console/books/liability.csv")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="liability-')
    rows = [line.split(",") for line in answer.get_data(as_text=True).splitlines()]
    outstanding = next(row[5] for row in rows if row[3:5] == ["standing", "outstanding"])
    assert f"<strong>{int(outstanding):,}</strong>" in text_of(client, "/console/books")


def test_an_owner_closes_once_and_reads_that_nothing_moved(client: FlaskClient, house: House) -> None:
    csrf = sign_in(client, house, "owner", house.stranger.merchant_key)
    yesterday = (house.ctx.now() - dt.timedelta(days=2)).date().isoformat()
    assert "Close up to" in text_of(client, "/console/books", as_of=yesterday)
    form = {"csrf": csrf, "through": yesterday}
    first = client.post("/console/books/closes", data=form)
    assert (first.status_code, first.location.rpartition("?")[2]) == (303, "closed=1")
    assert client.post("/console/books/closes", data=form).location == first.location
    page = text_of(client, first.location)
    assert "Period no. 1 is closed." in page
    link = page.partition('href="/console/books/closes/')[2].partition('"')[0]
    assert "nothing has moved since" in text_of(client, f"/console/books/closes/{link}")
    again = client.post("/console/books/closes", data={"csrf": csrf, "through": "2020-01-01"})
    assert "This day is closed already." in again.get_data(as_text=True)
    today = client.post("/console/books/closes", data={"csrf": csrf, "through": house.ctx.now().date().isoformat()})
    assert "This day is not over" in today.get_data(as_text=True)
    assert "closed the period up to" in text_of(client, "/console/team")


def test_what_has_no_worth_is_no_money(client: FlaskClient, house: House) -> None:
    house.member().buy("books-3", 3000)
    sign_in(client, house, "accountant")
    page = text_of(client, "/console/books")
    assert "€0.00" not in page
    assert page.count("Nobody said what a unit is worth") == 2  # of all that is owed, and of points
    status = page.partition("Points (status)")[2].partition("</section>")[0]
    assert "cannot be spent: nothing is owed for them" in status
    assert "expected to be redeemed" not in status
    assert "too few data" not in status


def test_an_address_puts_no_words_on_the_page(client: FlaskClient, house: House) -> None:
    sign_in(client, house, "accountant")
    assert "call this number" not in text_of(client, "/console/books", closed="call this number")
