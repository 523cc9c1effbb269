"""Owns what is known about the console's pages of the day, of members, of announcing and of tickets, as served."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.pages.console import sign_in
from tests.pages.house import House
from wallet_server.actions import keys
from wallet_server.actions.counter import rating
from wallet_server.actions.once import asked
from wallet_server.actions.programme import programs
from wallet_server.actions.telling import webhooks
from wallet_server.delivery.worker import run_once
from wallet_server.records.jobs import BULK
from wallet_server.records.telling import webhooks as endpoints

INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)
CLEAR = re.compile(r"[\s\u00a0\u202f]+")


def said(page: TestResponse) -> str:
    """What a page says, without its tags."""
    text = re.sub(r"<(head|script)\b.*?</\1>", " ", page.get_data(as_text=True), flags=re.DOTALL)
    return CLEAR.sub(" ", re.sub(r"<[^>]+>", " ", text))


def address(page: TestResponse, pattern: str) -> str:
    """The first link that looks like this."""
    found = re.search(rf'(?:href|action|hx-get)="({pattern})"', page.get_data(as_text=True))
    assert found, page.get_data(as_text=True)
    return found.group(1).replace("&amp;", "&")


@pytest.mark.parametrize("path", ["today", "members", "announce", "tickets"])
def test_each_page_stands_in_both_languages_and_asks_who_is_there(client: FlaskClient, house: House, path: str) -> None:
    assert client.get(f"/console/{path}").status_code == 303
    sign_in(client, house)
    for lang in ("fr", "en"):
        page = client.get(f"/console/{path}?lang={lang}")
        text = page.get_data(as_text=True)
        assert (page.status_code, page.headers["Content-Language"]) == (200, lang)
        assert not INLINE.search(text), INLINE.search(text)
        assert text.count("<h1") == 1
    cashier = house.app.test_client()
    sign_in(cashier, house, "cashier")
    seen = cashier.get(f"/console/{path}")
    assert seen.status_code == (200 if path == "today" else 403)
    if path != "today":
        assert '<a class="button" href="/console">To the console</a>' in seen.get_data(as_text=True)


def test_the_day_fills_itself_and_says_nothing_while_nothing_happens(client: FlaskClient, house: House) -> None:
    sign_in(client, house)
    page = client.get("/console/today")
    poll = address(page, r"/console/today/now\?was=\w+&amp;lang=\w+")
    assert client.get(poll).status_code == 204
    member = house.member()
    member.buy("desk-1", 1250)
    fresh = client.get(poll)
    assert fresh.status_code == 200
    end = member.card.code.split(".")[3][-4:]
    assert f"Card …{end}" in said(fresh)
    assert "€12.50" in said(fresh) or "€" in said(fresh)
    assert client.get(address(fresh, r"/console/today/now\?was=\w+&amp;lang=\w+")).status_code == 204
    cashier = house.app.test_client()
    sign_in(cashier, house, "cashier")
    seen = cashier.get("/console/today")
    assert "/console/members/" not in seen.get_data(as_text=True)
    assert "messages sent" not in said(seen)
    auditor = house.app.test_client()
    sign_in(auditor, house, "auditor")
    for one in (said(seen), said(auditor.get("/console/today"))):
        assert "Sales of the last 14 days" in one
        assert "Who came" not in one, "single members are not for them"
        assert f"Card …{end}" not in one


def test_stores_on_different_days_are_named_by_their_day(house: House) -> None:
    """Kiritimati and Samoa are 25 hours apart: there is no hour at which they have the same day."""
    made = programs.found(house.ctx, "Two Oceans", programs.NewStore("London", "Pacific/Kiritimati"))
    scope = keys.authenticate(house.ctx, made.merchant_key)
    far = programs.NewStore("Pago Pago", "Pacific/Pago_Pago")
    programs.add_store(house.ctx, scope, far, asked(scope, "store", {}, "store"))
    client = house.app.test_client()
    sign_in(client, house, merchant_key=made.merchant_key)
    leads = re.findall(r'<p class="lead">([^<]*)</p>', client.get("/console/today").get_data(as_text=True))
    assert [lead.partition(" · ")[2] for lead in leads] == ["London", "Pago Pago"]
    assert len({lead.partition(" · ")[0] for lead in leads}) == 2


def test_a_stranger_shop_begins_with_three_steps(client: FlaskClient, house: House) -> None:
    sign_in(client, house, merchant_key=house.stranger.merchant_key)
    page = said(client.get("/console/today"))
    assert "Your first three steps" in page
    assert "Nobody yet today" in page


def test_a_member_is_found_and_told_with_reasons(client: FlaskClient, house: House) -> None:
    sign_in(client, house)
    member = house.member(email="zoe@example.com", promotions=True)
    member.buy("desk-2", 2000)
    found = client.get("/console/members?q=Zoe@example.com")
    assert "zoe@example.com" in said(found)
    path = address(found, r"/console/members/mem_\w+")
    one = said(client.get(path))
    for piece in ("20 points", "+20 points", "Purchase of €20.00, receipt desk-2.", "Centre", "Agreed to announcements",
                  "on the page to join", "in no phone"):  # fmt: skip
        assert piece in one, piece
    assert "Achat de 20,00 €, ticket desk-2." in said(client.get(f"{path}?lang=fr"))
    assert "Nobody matches" in said(client.get("/console/members?q=<script>"))
    assert client.get(f"{path}?before=x").status_code == 200
    stranger = house.app.test_client()
    sign_in(stranger, house, merchant_key=house.stranger.merchant_key)
    assert stranger.get(path).status_code == 404
    assert "zoe@example.com" not in said(stranger.get("/console/members?q=zoe@example.com"))


def test_an_announcement_from_the_first_word_to_the_recall(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    house.member(promotions=True)
    house.member()
    page = client.get("/console/announce")
    form = re.search(r'name="form" value="([^"]+)"', page.get_data(as_text=True))
    assert form
    ends = re.search(r'name="ends" type="date" value="([^"]+)"', page.get_data(as_text=True))
    assert ends
    typed = {"csrf": token, "form": form.group(1), "text-fr": "Demain : tout au seigle", "ends": ends.group(1)}
    preview = said(client.post("/console/announce/preview", data=typed | {"text-fr": "x" * 200}))
    assert "Cut after about 178 of 200 characters" in preview
    assert "Without a text in this language the card shows the one in French" in preview
    refused = client.post("/console/announce", data=typed | {"text-fr": " "})
    assert refused.status_code == 400
    assert "Write the text in French too" in said(refused)
    assert re.search(r'for="text-fr">[^/]*\(needed\)', page.get_data(as_text=True))
    made = client.post("/console/announce", data=typed)
    assert made.status_code == 303
    assert client.post("/console/announce", data=typed).location == made.location, "a double tap is one draft"
    draft = client.get(made.location)
    beforehand = r"Card in no phone .*0 told on a phone, \d+ without the card in a phone|Wait for the end of the quiet"
    assert re.search(beforehand, said(draft))
    assert re.search(r"Send: the text on \d+ card|Send: \d+ customer", said(draft)), "nobody's phone is promised"
    assert not re.search(r"Send to \d+ customer", said(draft))
    assert "Did not agree to announcements" in said(draft)
    assert client.post(f"{made.location}/send").status_code == 403
    for _ in range(2):
        assert client.post(f"{made.location}/send", data={"csrf": token}).status_code == 303
    run_once(house.ctx, BULK)
    sent = said(client.get(made.location))
    assert re.search("cards? that carr(y|ies) the text", sent)
    people = client.get(f"{made.location}/members/skipped:no-consent")
    assert "Card …" in said(people)
    assert client.get(f"{made.location}/progress").status_code == 200
    assert "Demain" in said(client.get("/console/announce"))
    assert client.post(f"{made.location}/recall", data={"csrf": token}).status_code == 303
    gone = said(client.get(made.location))
    assert "recalled" in gone
    assert re.search("cards? that carried the text", gone)
    assert not re.search("carr(y|ies) the text|web card shows the text", gone.replace("shows the text no more", ""))
    stranger = house.app.test_client()
    other = sign_in(stranger, house, merchant_key=house.stranger.merchant_key)
    for path in (made.location, f"{made.location}/progress", f"{made.location}/count", f"{made.location}/members/rang"):
        assert stranger.get(path).status_code == 404
    for verb in ("send", "recall"):
        assert stranger.post(f"{made.location}/{verb}", data={"csrf": other}).status_code == 404


def test_a_low_mark_waits_until_somebody_closes_it(client: FlaskClient, house: House) -> None:
    token = sign_in(client, house)
    member = house.member()
    member.buy("desk-3", 900)
    assert rating.rate(house.ctx, house.ctx.link("rate", member.pass_id).rsplit("/", 1)[1], 1, "Froid & <dur>")
    assert "unhappy customer" in said(client.get("/console/today"))
    page = client.get("/console/tickets")
    assert "Froid &amp; &lt;dur&gt;" in page.get_data(as_text=True)
    close = address(page, r"/console/tickets/tic_\w+/close")
    stranger = house.app.test_client()
    other = sign_in(stranger, house, merchant_key=house.stranger.merchant_key)
    assert stranger.post(close, data={"csrf": other}).status_code == 404
    assert client.post(close, data={"csrf": token, "note": "A croissant on the house"}).status_code == 303
    after = said(client.get("/console/tickets?done=1"))
    assert "A croissant on the house" in after
    assert "Nobody waits" in after


def test_a_members_page_says_why_a_phone_did_not_follow(client: FlaskClient, house: House) -> None:
    sign_in(client, house)
    house.member()
    path = address(client.get("/console/members"), r"/console/members/mem_\w+").partition("?")[0]
    for lang, says in (("en", "No phone has ever registered this card"), ("fr", "Aucun téléphone n’a enregistré")):
        page = client.get(f"{path}?lang={lang}")
        assert page.status_code == 200
        assert says in said(page)
    assert not INLINE.search(page.get_data(as_text=True))


def test_the_owner_is_told_of_a_system_that_hears_nothing_any_more(client: FlaskClient, house: House) -> None:
    scope = keys.authenticate(house.ctx, house.shop.merchant_key)
    wish = asked(scope, "add-webhook", {}, "hook-1")
    made, _ = webhooks.add(house.ctx, scope, "https://hooks.example.com/in", [], wish)
    sign_in(client, house)
    assert "hooks.example.com" not in said(client.get("/console/today?lang=en"))
    with house.ctx.change() as tx:
        row = endpoints.endpoint_in(tx, scope, made["webhook"])
        endpoints.change_endpoint(tx, row.id, enabled=False, disabled_why="failing", disabled_at=house.ctx.now())
    page = said(client.get("/console/today?lang=en"))
    assert "https://hooks.example.com/in is told nothing any more. It has taken nothing for five days." in page
    assert "n’est plus prévenu de rien" in said(client.get("/console/today?lang=fr"))
    cashier = house.app.test_client()
    sign_in(cashier, house, "cashier")
    assert "hooks.example.com" not in said(cashier.get("/console/today?lang=en"))
    webhooks.remove(house.ctx, scope, made["webhook"])
