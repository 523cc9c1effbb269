"""Owns what is known about the pages as a browser without scripts gets them: what they say, change and never do."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from dataclasses import replace
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.pages.house import ORGANISATION, House
from wallet_server.actions.keys import authenticate
from wallet_server.actions.once import asked
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs

MOST_BYTES = 50_000
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari"
ANDROID = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)
ADDRESS = re.compile(r"(?:src|href|action)=\"(https?://[^\"]+)\"")


def text_of(page: TestResponse) -> str:
    return page.get_data(as_text=True)


def every_page(house: House) -> dict[str, str]:
    member = house.member(promotions=True)
    return {
        "home": f"/?join={house.shop.join_code}&phones=http://127.0.0.1:9/",
        "join": f"/join/{house.shop.join_code}",
        "card": member.path,
        "new card": f"{member.path}?new=1",
        "stop": member.stop_path,
        "recover": urlsplit(house.ctx.link("recover", member.pass_id)).path,
        "recovery code": "/recover",
        "rate": urlsplit(house.ctx.link("rate", member.pass_id)).path,
        "till": "/till",
        "nothing": "/nothing/here",
        "bad card": "/card/pass_no.k1.00",
        "bad file": "/passes/pass_no.1.k1.00/card.pkpass",
    }


def test_every_page_is_small_whole_and_guarded(client: FlaskClient, house: House) -> None:
    for name, path in every_page(house).items():
        for language in ("fr", "en"):
            page = client.get(path, headers={"Accept-Language": language})
            text = text_of(page)
            assert page.mimetype == "text/html", name
            assert f'<html lang="{language}">' in text, name
            assert page.headers["Content-Language"] == language
            assert len(page.get_data()) < MOST_BYTES, name
            assert not INLINE.search(text), (name, INLINE.search(text))
            assert not [one for one in ADDRESS.findall(text) if not one.startswith((house.base, "http://127.0.0.1:9/"))]
            policy = page.headers["Content-Security-Policy"]
            # The till alone compiles its reader of codes; that no other page may is tested with the camera.
            assert "unsafe" not in (policy.replace("'wasm-unsafe-eval'", "") if path.startswith("/till") else policy)
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert page.headers["Referrer-Policy"] == "no-referrer"
            assert page.headers["X-Frame-Options"] == "DENY"
            assert page.headers["X-Content-Type-Options"] == "nosniff"
            assert "geolocation=()" in page.headers["Permissions-Policy"]
            assert page.headers["Cache-Control"] == "no-store"
            assert "Set-Cookie" not in page.headers
            for other in ("fr", "en"):
                assert re.search(rf'<link rel="alternate" hreflang="{other}" href="[^"]*lang={other}', text), name


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", "fr-CA,fr;q=0.8,en;q=0.5", "fr"),
        ("", "de,en;q=0.5", "en"),
        ("?lang=fr", "en", "fr"),
        ("?lang=xx", "fr", "fr"),
        ("", "de", "fr"),  # the programme's own first language
        ("", "", "fr"),
    ],
)
def test_the_language_is_the_visitors(
    client: FlaskClient, house: House, query: str, header: str, language: str
) -> None:
    page = client.get(f"/join/{house.shop.join_code}{query}", headers={"Accept-Language": header})
    assert f'<html lang="{language}">' in text_of(page)


def test_static_files_are_kept_by_their_fingerprint(client: FlaskClient, house: House) -> None:
    text = text_of(client.get("/till"))
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', text)
    assert {re.sub(r"\?.*", "", one) for one in addresses} == {
        "/static/wallet.css", "/static/icon.svg", "/static/till.css", "/static/till-192.png", "/static/till.js"
    }  # fmt: skip
    for address in addresses:
        assert "immutable" in client.get(address).headers["Cache-Control"]
        assert len(client.get(address).get_data()) < MOST_BYTES
    assert "immutable" not in client.get("/static/wallet.css?v=older").headers["Cache-Control"]
    for path in ("/static/../pages.py", "/static/none.css", "/palette/red.css", "/palette/12372a-fbf7ec-b9dcc4}.css"):
        assert client.get(path).status_code == 404


# ---------------------------------------------------------------------- joining


def test_the_offer_is_shown_before_anything_is_asked(client: FlaskClient, house: House) -> None:
    text = text_of(client.get(f"/join/{house.shop.join_code}"))
    assert "The Boulangerie &amp; Fils loyalty card" in text
    assert "1 point per euro spent, rounded down." in text
    for words in ("Bronze", "from the start", "Silver", "from 300 points", "A privileged welcome in our shops"):
        assert words in text
    assert text.index("Only 300 points to go to reach Silver") < text.index("<form")
    assert not re.search(r"<(?:input|select)[^>]* required", text)
    assert " checked" not in text
    assert "home_store" not in text  # there is one store only
    assert "At most 1 a day and 3 a week." in text


def test_joining_needs_nothing_and_assumes_nothing(client: FlaskClient, house: House) -> None:
    answer = client.post(f"/join/{house.shop.join_code}", data={})
    assert answer.status_code == 303
    assert answer.location.startswith("/card/"), "relative: whoever came by another name of this host stays there"
    card = text_of(client.get(answer.location))
    assert "Your card is ready" in card
    assert "You receive no news from Boulangerie &amp; Fils." in card
    shown = enrol.web_card(house.ctx, answer.location.split("/card/")[1].split("?")[0])
    assert shown.language == "en"
    assert not shown.promotions


def test_consent_is_what_was_ticked(client: FlaskClient, house: House) -> None:
    answer = client.post(f"/join/{house.shop.join_code}?lang=fr", data={"promotions": "yes"})
    assert answer.location.endswith("&lang=fr")
    shown = enrol.web_card(house.ctx, answer.location.split("/card/")[1].split("?")[0])
    assert shown.promotions
    assert shown.language == "fr"


def test_a_form_sent_twice_joins_once(client: FlaskClient, house: House) -> None:
    path = f"/join/{house.shop.join_code}"
    forms = [re.search(r'name="form" value="([^"]+)"', text_of(client.get(path))) for _ in range(2)]
    first, second = (found.group(1) for found in forms if found)
    assert first != second
    again = [client.post(path, data={"form": first}).location for _ in range(2)]
    assert again[0] == again[1]
    assert client.post(path, data={"form": second}).location != again[0]


def test_a_wrong_address_is_told_beside_its_field(client: FlaskClient, house: House) -> None:
    path = f"/join/{house.shop.join_code}"
    wrong = client.post(path, data={"email": "nobody", "promotions": "yes"})
    assert wrong.status_code == 400
    assert 'aria-invalid="true"' in text_of(wrong)
    assert "does not look like an address" in text_of(wrong)
    assert 'value="nobody"' in text_of(wrong)
    assert " checked" in text_of(wrong), "what was ticked stays ticked"


def test_several_stores_may_be_chosen_from(client: FlaskClient, house: House) -> None:
    scope = authenticate(house.ctx, house.stranger.merchant_key)
    programs.add_store(house.ctx, scope, programs.NewStore("Gare <Nord>"), asked(scope, "store", {}, "gare"))
    path = f"/join/{house.stranger.join_code}"
    text = text_of(client.get(path))
    assert "Gare &lt;Nord&gt;" in text
    stores = re.findall(r'<option value="(sto_[^"]+)">', text)
    assert len(stores) >= 2
    assert client.post(path, data={"home_store": stores[1]}).status_code == 303
    refused = client.post(path, data={"home_store": "sto_00000000000000000000"})
    assert refused.status_code == 400
    assert refused.mimetype == "text/html"


@pytest.mark.parametrize(
    ("agent", "first", "absent"),
    [
        (IPHONE, "Add to Apple Wallet", "Open it on your phone"),
        (ANDROID, "Download the card for a wallet app", "Add to Apple Wallet"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "Open it on your phone", "Download the card for a wallet app"),
    ],
)
def test_each_device_is_offered_its_own_way(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch, agent: str, first: str, absent: str
) -> None:
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, base_url="https://cards.example.com"))
    text = text_of(client.get(house.member().path, headers={"User-Agent": agent}))
    assert first in text
    assert absent not in text
    link = re.search(r'href="(/passes/[^"]+/card\.pkpass)"', text)
    assert link is None if "Linux x86" in agent and "Apple" not in text else link


# ---------------------------------------------------------------------- the pass file


def test_the_pass_file_is_what_a_phone_expects(client: FlaskClient, house: House) -> None:
    member = house.member()
    answer = client.get(member.file_path)
    assert answer.headers["Content-Type"] == "application/vnd.apple.pkpass"
    assert answer.headers["Content-Disposition"] == "attachment; filename=card.pkpass"
    assert answer.headers["Cache-Control"] == "no-store"
    assert parsedate_to_datetime(answer.headers["Last-Modified"]) <= dt.datetime.now(dt.UTC)
    names = zipfile.ZipFile(io.BytesIO(answer.get_data())).namelist()
    assert {"pass.json", "manifest.json", "signature"} <= set(names)


def test_a_link_that_has_run_out_says_how_to_get_another(client: FlaskClient, house: House) -> None:
    path = house.member().file_path
    clock = house.ctx.clock
    try:
        house.ctx.clock = lambda: clock() + dt.timedelta(minutes=house.ctx.settings.link_minutes + 1)
        late = client.get(path)
    finally:
        house.ctx.clock = clock
    assert late.status_code == 404
    assert "This link has run out" in text_of(late)
    links = re.findall(r'href="(/(?:passes|card)/[^"?]+)', text_of(late))
    assert set(links) <= {path}, "a link of minutes does not turn into a new one, or a lasting one, by itself"
    forged = client.get(path.replace("pass_", "pass_0"))
    assert forged.status_code == 404
    assert "There is nothing here" in text_of(forged)


# ---------------------------------------------------------------------- the card


def test_the_state_of_the_card_changes_with_what_was_published(client: FlaskClient, house: House) -> None:
    member = house.member()
    state = client.get(f"{member.path}/state")
    tag = state.headers["ETag"]
    assert state.headers["Cache-Control"] == "no-store"
    assert client.get(f"{member.path}/state", headers={"If-None-Match": tag}).status_code == 304
    member.buy("state-1", 4200)
    fresh = client.get(f"{member.path}/state", headers={"If-None-Match": tag})
    assert fresh.status_code == 200
    assert fresh.json["mark"] != state.json["mark"]
    assert ">42</strong>" in fresh.json["parts"]["front"]
    assert "Points: 42" in fresh.json["says"]
    assert ">42</strong>" in text_of(client.get(member.path))
    in_french = client.get(f"{member.path}/state?lang=fr", headers={"If-None-Match": fresh.headers["ETag"]})
    assert "Votre carte a changé" in in_french.json["says"]


def test_pages_show_the_books_while_the_phone_waits_for_its_turn(client: FlaskClient, house: House) -> None:
    member = house.member()
    member.buy("turn-1", 4200)
    seen = client.get(f"{member.path}/state")
    sale = {"code": member.card.code, "receipt": "turn-2", "currency": "EUR", "amount_minor": 800}
    house.call("/v1/sales", sale)  # nothing is published: its turn has not come
    fresh = client.get(f"{member.path}/state", headers={"If-None-Match": seen.headers["ETag"]})
    assert fresh.status_code == 200
    assert ">50</strong>" in fresh.json["parts"]["front"]
    assert ">50</strong>" in text_of(client.get(member.path))
    recover = urlsplit(house.ctx.link("recover", member.pass_id)).path
    assert ">50</strong>" in text_of(client.get(recover))
    with zipfile.ZipFile(io.BytesIO(client.get(member.file_path).get_data())) as packed:
        served = packed.read("pass.json").decode()
    assert "42" in served, "the phone's file is that of the published version"
    house.deliver()
    after = client.get(f"{member.path}/state", headers={"If-None-Match": fresh.headers["ETag"]})
    assert after.status_code == 304, "published in the meantime, and nothing new to say"


def test_a_card_that_was_replaced_says_nothing_of_what_its_member_did_since(client: FlaskClient, house: House) -> None:
    member = house.member()
    member.buy("since-1", 700)
    form = {"form": "s" * 20}
    link = urlsplit(house.ctx.link("recover", member.pass_id)).path
    found = client.post(link, data=form).location.split("/card/")[1].split("?")[0]
    sale = {"code": enrol.web_card(house.ctx, found).code, "receipt": "since-2"}
    house.call("/v1/sales", sale | {"currency": "EUR", "amount_minor": 900})
    assert ">16</strong>" in text_of(client.get(f"/card/{found}"))
    assert ">7</strong>" in text_of(client.get(member.path))


def test_a_bad_link_is_a_page_for_people_and_a_problem_for_scripts(client: FlaskClient) -> None:
    assert client.get("/card/pass_x.k1.00").mimetype == "text/html"
    assert client.get("/card/pass_x.k1.00/state").mimetype == "application/problem+json"
    assert client.get("/nothing/here").status_code == 404
    assert client.get("/nothing/here", headers={"Accept": "*/*"}).mimetype == "application/problem+json"
    for path in ("/v1/nothing", "/apple/v1/nothing", "/v1/stores"):
        assert client.get(path).mimetype == "application/problem+json", path


def test_links_are_good_for_their_own_purpose_only(client: FlaskClient, house: House) -> None:
    member = house.member()
    card, stop = member.path.rsplit("/", 1)[1], member.stop_path.rsplit("/", 1)[1]
    assert client.get(f"/card/{stop}").status_code == 404
    assert client.get(f"/stop/{card}").status_code == 404
    assert client.post(f"/stop/{card}").status_code == 404
    assert client.post(f"/card/{stop}/messages", data={"promotions": "yes"}).status_code == 404


def test_the_switch_on_the_card_is_consent_given_and_taken_back(client: FlaskClient, house: House) -> None:
    member = house.member()
    on = client.post(f"{member.path}/messages", data={"promotions": "yes"})
    assert on.status_code == 303
    assert member.card.promotions
    assert "Done: you will receive news." in text_of(client.get(on.location))
    off = client.post(f"{member.path}/messages", data={"promotions": "no"})
    assert not member.card.promotions
    assert "Done: you will receive no more messages." in text_of(client.get(off.location))


def test_only_a_press_of_the_button_stops_messages(client: FlaskClient, house: House) -> None:
    member = house.member(promotions=True)
    client.get(member.stop_path)
    client.head(member.stop_path)
    assert member.card.promotions, "programs that read mail open links in advance"
    stopped = client.post(member.stop_path, data={"do": "stop"})
    assert stopped.status_code == 303
    assert not member.card.promotions
    text = text_of(client.get(stopped.location))
    assert "Done. You will receive no more messages" in text
    assert text.count("<button") == 1
    client.post(member.stop_path, data={"do": "resume"})
    assert member.card.promotions
    # RFC 8058: what a mail program sends for its own button.
    client.post(member.stop_path, data={"List-Unsubscribe": "One-Click"})
    assert not member.card.promotions


# ---------------------------------------------------------------------- till, first page, documents


def test_a_till_learns_where_it_stands(client: FlaskClient, house: House) -> None:
    def ask(key: str) -> TestResponse:
        return client.get("/till/counter", headers={"Authorization": f"Bearer {key}"})

    facts = ask(house.shop.till_key).json
    assert facts["store"] == "Centre"
    (programme,) = facts["programmes"].values()
    assert programme["organisation"] == ORGANISATION
    assert (programme["iso"], programme["exponent"]) == ("EUR", 2)
    assert programme["unit"]["fr"] == ["point", "points"]
    assert programme["join_link"] == f"{house.base}/join/{house.shop.join_code}"
    assert ask(house.shop.merchant_key).status_code == 403
    assert ask("key_0.none").status_code == 401
    assert client.get("/till/counter").status_code == 401


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://127.0.0.1:9/x", True),
        ("http://localhost:9", True),
        ("https://evil.example", False),
        ("javascript:alert(1)", False),
        ("http://[", False),
    ],
)
def test_the_first_page_links_to_phones_on_this_machine_only(client: FlaskClient, address: str, shown: bool) -> None:
    assert (f'href="{address}"' in text_of(client.get("/", query_string={"phones": address}))) == shown


def test_the_first_page_offers_what_exists(client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, base_url="https://cards.example.com"))
    text = text_of(client.get(f"/?join={house.shop.join_code}&join=none&join=../x"))
    assert text.count("<svg") == 1
    assert f'href="/join/{house.shop.join_code}"' in text


def test_in_earnest_the_first_page_says_little(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, environment="live"))
    text = text_of(client.get(f"/?join={house.shop.join_code}"))
    assert "/till" not in text
    assert house.shop.join_code not in re.sub(r'href="/\?[^"]*"', "", text)


def test_a_path_before_ours_is_kept(client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = "https://cards.example.com/loyalty"
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, base_url=behind))
    page = client.get(f"/join/{house.shop.join_code}")
    ours = re.findall(r'(?:src|href|action)="(/[^"]*)"', text_of(page))
    assert ours
    assert all(address.startswith("/loyalty/") for address in ours), ours
    answer = client.post(f"/join/{house.shop.join_code}")
    assert answer.location.startswith("/loyalty/card/")
    card = client.get(answer.location.removeprefix("/loyalty"))
    assert all(
        one.startswith("/loyalty/") for one in re.findall(r'(?:src|href|action|data-card)="(/[^"]*)"', text_of(card))
    )


def test_the_page_to_try_the_api_has_its_own_policy(client: FlaskClient) -> None:
    page = client.get("/openapi/swagger")
    assert page.status_code == 200
    assert "script-src 'self' 'unsafe-inline'" in page.headers["Content-Security-Policy"]
    assert not re.search(r"(?:src|href)=\"https?:", text_of(page))
    assert "validatorUrl" in text_of(page)
    document = client.get("/openapi/openapi.json")
    assert document.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_fault_of_ours_is_told_kindly(client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.ctx, "look", lambda: 1 / 0)
    page = client.get(f"/join/{house.shop.join_code}")
    assert page.status_code == 500
    assert "Something went wrong on our side" in text_of(page)
    assert page.headers["X-Request-Id"] in text_of(page)
    assert "ZeroDivision" not in text_of(page)
