"""Owns what is known about joining: a small page, nothing asked, the right way for each device, and no oracle."""

from __future__ import annotations

import datetime as dt
import io
import random
import re
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from tests.pages.console import sign_in
from tests.pages.house import House, Member, Shop
from tests.pages.test_pages_served import ANDROID, IPHONE, text_of
from wallet_server.actions.keys import authenticate
from wallet_server.actions.once import asked
from wallet_server.actions.people import pages
from wallet_server.actions.programme import assets, programs
from wallet_server.app import create_app
from wallet_server.rules.passes.card import Palette
from wallet_server.rules.passes.fitting import Logo, warnings
from wallet_server.rules.programme.program_simple import stamp_document
from wallet_server.web.console.wording import Wording
from wallet_server.web.visitor import seen

MOST_BYTES = 50_000
DESK = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
INSTAGRAM = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Instagram 388.0"
FILE = re.compile(r'(?:src|href)="(/(?:static|palette|asset)/[^"]+)"')


def whole(client: FlaskClient, path: str, **headers: str) -> dict[str, int]:
    """Everything that a browser fetches to show the page, with its size in bytes as it is."""
    page = client.get(path, headers=headers)
    sizes = {path: len(page.get_data())}
    for address in FILE.findall(text_of(page)):
        found = client.get(address.replace("&amp;", "&"))
        assert found.status_code == 200, address
        sizes[address] = len(found.get_data())
    return sizes


def noise(width: int, height: int) -> bytes:
    """A picture that no format makes small."""
    body = io.BytesIO()
    Image.frombytes("RGB", (width, height), random.Random(5).randbytes(3 * width * height)).save(body, "PNG")
    return body.getvalue()


@pytest.fixture(scope="module")
def stamped(house: House) -> Shop:
    """A shop with ten stamps for a coffee, a welcome gift, and a logo."""
    made = programs.found(house.ctx, "Chez Marie", programs.NewStore("Rue des Halles"))
    logo = assets.keep(house.ctx, authenticate(house.ctx, made.merchant_key), noise(320, 100))
    document = stamp_document(
        "Chez Marie",
        palette=Palette("#5b2333", "#fff6ef", "#f0c4b0"),
        reward_names={"fr": "un café", "en": "a coffee"},
        reward_value_minor=250,
        welcome=1,
        logo=logo,
    )
    programme = programs.create_programme(house.ctx, made.account_id, made.merchant_id, document, 1)
    return Shop(programme["join_code"], made.merchant_key, made.till_key)


@pytest.mark.parametrize("agent", [IPHONE, ANDROID, DESK, INSTAGRAM])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_whole_join_page_is_under_50_kilobytes(
    client: FlaskClient, house: House, stamped: Shop, agent: str, language: str
) -> None:
    headers = {"User-Agent": agent, "Accept-Language": language}
    for shop in (house.shop, stamped):
        sizes = whole(client, f"/join/{shop.join_code}", **headers)
        assert len(sizes) >= 5
        assert sum(sizes.values()) < MOST_BYTES, sizes


def test_rule_reward_value_gift_and_card_stand_before_the_form(client: FlaskClient, stamped: Shop) -> None:
    text = text_of(client.get(f"/join/{stamped.join_code}"))
    asked_from = text.index("<form")
    for said in (
        "1 stamp for each visit", "10 stamps = a free coffee (worth €2.50)", "A welcome gift: 1 stamp,",
        "Only 10 stamps to go and you get a free coffee",
    ):  # fmt: skip
        assert 0 < text.find(said) < asked_from, said
    assert text.count('<span class="free') == 10
    fields = re.findall(r'<(?:input|select|textarea)(?![^>]*type="hidden")[^>]*name="(\w+)"', text)
    assert fields == ["promotions", "email"], "one field at most, and the consent"
    assert text.index("<details") < text.index('name="email"')


def test_a_heavy_logo_waits_for_the_card(client: FlaskClient, house: House, stamped: Shop) -> None:
    assert "/asset/" not in text_of(client.get(f"/join/{stamped.join_code}"))
    card = text_of(client.get(house.member(stamped).path))
    logo = re.search(r'<img src="(/asset/[^"]+)" alt=""', card)
    assert logo
    assert client.get(logo[1]).mimetype == "image/png"


def test_the_poster_brings_the_store_along(client: FlaskClient, house: House) -> None:
    scope = authenticate(house.ctx, house.stranger.merchant_key)
    store, _ = programs.add_store(house.ctx, scope, programs.NewStore("Halles"), asked(scope, "store", {}, "halles"))
    path = f"/join/{house.stranger.join_code}?store={store['store']}"
    text = text_of(client.get(path))
    assert "Your shop: Halles" in text
    assert "<select" not in text
    action = re.search(r'action="([^"]+)"', text)
    assert action
    answer = client.post(action[1].replace("&amp;", "&"), data={})
    card = Member(house, answer.location.split("/card/")[1].split(".")[0])
    with house.ctx.look() as tx:
        rows = tx.exec_driver_sql(
            "SELECT s.name FROM stores s JOIN members m ON m.home_store_id = s.id JOIN passes p ON p.member_id = m.id "
            f"WHERE p.public_id = '{card.pass_id}'"
        ).all()
    assert [row[0] for row in rows] == ["Halles"]
    closed = f"/join/{house.stranger.join_code}?store=sto_00000000000000000000"
    assert client.get(closed).status_code == 200, "a store that has closed since the poster was printed"
    assert client.post(closed, data={}).status_code == 303


@pytest.mark.parametrize(
    ("agent", "device", "app"),
    [
        (IPHONE, "iphone", None),
        (IPHONE.replace("Version/18.5", "CriOS/140.0"), "iphone", None),
        (ANDROID, "android", None),
        (DESK, "desk", None),
        (INSTAGRAM, "iphone", "Instagram"),
        (f"{IPHONE} [FBAN/FBIOS;FBAV/480.0]", "iphone", "Facebook"),
        (f"{ANDROID} musical_ly_2024 BytedanceWebview", "android", "TikTok"),
        (f"{IPHONE} Snapchat/13.2", "iphone", "Snapchat"),
        (f"{IPHONE} Line/15.1", "iphone", "LINE"),
        (f"{ANDROID} WhatsApp/2.25", "android", "WhatsApp"),
        (IPHONE.replace(" Safari", " GSA/350.0 Safari"), "iphone", "Google"),
        (IPHONE.replace(" Safari", ""), "iphone", ""),
        (ANDROID.replace("Pixel 9", "Pixel 9; wv"), "android", ""),
        ("Online/1.0 (X11)", "desk", None),
    ],
)
def test_who_holds_the_page_is_seen(agent: str, device: str, app: str | None) -> None:
    found = seen(agent)
    assert (found.device, found.app if found.inside else None) == (device, app)


def test_each_device_is_told_its_own_way(client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def page(path: str, agent: str) -> str:
        return text_of(client.get(path, headers={"User-Agent": agent}))

    path = f"/join/{house.shop.join_code}?store=none"
    inside = page(path, INSTAGRAM)
    assert "Open this page in Safari" in inside
    assert "Instagram shows this page in a window of its own." in inside
    assert f'readonly value="{house.base}/join/{house.shop.join_code}"' in inside
    assert inside.index("Open this page in Safari") < inside.index("<form")
    assert "Better on your phone" not in inside
    desk = page(path, DESK)
    assert "Better on your phone" not in desk, "a code would lead a phone to itself"
    assert "make run" not in desk
    assert "<svg" not in desk
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, base_url="http://192.0.2.7:8080"))
    desk = page(path, DESK)
    assert "Better on your phone" in desk
    assert "make run" not in desk
    assert desk.count("<svg") == 1
    for agent in (IPHONE, ANDROID):
        text = page(path, agent)
        assert "Open this page in" not in text
        assert "<svg" not in text
    card = house.member().path
    assert "Open this page in Chrome" in page(card, ANDROID.replace("Pixel 9", "Pixel 9; wv"))
    assert "Open this page in Safari" in page(card, INSTAGRAM)
    assert ">Add to Apple Wallet<" not in page(card, INSTAGRAM)


# ---------------------------------------------------------------------- what joining gives away


def joined(client: FlaskClient, house: House, **form: str) -> TestResponse:
    return client.post(f"/join/{house.shop.join_code}", data=form)


def test_an_address_that_is_known_gets_the_same_answer_as_one_that_is_not(client: FlaskClient, house: House) -> None:
    first, again, other = (
        joined(house.app.test_client(), house, email=email)
        for email in ("ada@example.com", "ADA@example.com ", "grace@example.com")
    )
    assert {answer.status_code for answer in (first, again, other)} == {303}
    shapes = {re.sub(r"pass_[^?]+", "", answer.location) for answer in (first, again, other)}
    assert len(shapes) == 1
    assert len({answer.location for answer in (first, again, other)}) == 3, "each has a card of its own"


def test_the_same_phone_is_offered_its_old_card_first(client: FlaskClient, house: House) -> None:
    path = f"/join/{house.shop.join_code}"
    assert "You already have a card here" not in text_of(client.get(path))
    answer = joined(client, house)
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert f"Path={path};" in f"{cookie};"
    assert f"Max-Age={180 * 24 * 3600}" in cookie
    assert "Secure" not in cookie, "this house is served over plain http"
    text = text_of(client.get(path))
    assert "You already have a card here" in text
    assert text.index("Open my card") < text.index("Make another card") < text.index("<form")
    assert answer.location.split("?")[0] in text
    assert joined(client, house).location != answer.location, "who wants another one gets it"
    for elsewhere in (f"/join/{house.stranger.join_code}", "/", "/till"):
        assert "You already have a card here" not in text_of(client.get(elsewhere))


def test_a_cookie_that_nobody_signed_offers_nothing(client: FlaskClient, house: House) -> None:
    member = house.member()
    card_link = member.path.rsplit("/", 1)[1]
    path = f"/join/{house.shop.join_code}"
    for value in (card_link, member.pass_id, f"{member.pass_id}.k1.00", "", "\u00e9.k1.00"):
        client.set_cookie("card", value, path=path)
        assert "You already have a card here" not in text_of(client.get(path)), value


def test_a_cookie_is_for_https_where_the_service_is(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, base_url="https://cards.example.com"))
    assert "Secure" in joined(client, house).headers["Set-Cookie"]


# ---------------------------------------------------------------------- how many


def test_one_address_makes_so_many_cards_an_hour_and_another_is_not_held_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, joins_per_hour=3))

    def join(address: str, form: str = "") -> TestResponse:
        client = house.app.test_client()
        client.environ_base.update({"HTTP_ACCEPT_LANGUAGE": "en", "REMOTE_ADDR": address})
        return client.post(f"/join/{house.stranger.join_code}", data={"form": form, "promotions": "yes"})

    assert [join("8.8.4.1", f"form-of-the-visitor-{n}").status_code for n in range(4)] == [303, 303, 303, 429]
    assert join("8.8.4.1", "form-of-the-visitor-2").status_code == 303, "a double tap is answered, not refused"
    refused = join("8.8.4.1")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    text = text_of(refused)
    assert re.search(r"Too many cards were just made over this connection. Try again in \d+ minute", text)
    assert " checked" in text, "what was ticked stays ticked"
    assert join("8.8.4.2").status_code == 303
    networks = [join(f"2a00:1450:4001:{n}::{n}") for n in (1, 1, 1, 1, 2)]
    assert [answer.status_code for answer in networks] == [303, 303, 303, 429, 303], "a household has a /64"
    for address in ("127.0.0.1", "10.0.0.7", "::1"):
        assert {join(address).status_code for _ in range(5)} == {303}, "a proxy nobody told of is not one visitor"


def test_a_programme_makes_so_many_cards_a_minute(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, joins_per_minute=2))
    later = house.ctx.clock() + dt.timedelta(days=1)
    monkeypatch.setattr(house.ctx, "clock", lambda: later)
    answers = [house.app.test_client().post(f"/join/{house.shop.join_code}") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [303, 303, 429]
    assert house.app.test_client().post(f"/join/{house.stranger.join_code}").status_code == 303


def test_a_proxy_is_believed_only_where_the_settings_say_so(house: House) -> None:
    settings = replace(house.ctx.settings, joins_per_hour=1)
    told, untold = (create_app(replace(settings, trusted_proxies=hops)) for hops in (1, 0))

    def join(app: Flask, forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        return app.test_client().post(f"/join/{house.stranger.join_code}", headers=headers).status_code

    visits = ["9.9.9.1", "6.6.6.6, 9.9.9.1", "9.9.9.2"]
    assert [join(told, forwarded) for forwarded in visits] == [303, 429, 303], "what the visitor adds is not believed"
    assert [join(untold, "9.9.9.1") for _ in range(2)] == [303, 303]


def test_no_address_is_stored(house: House) -> None:
    client = house.app.test_client()
    client.post(f"/join/{house.shop.join_code}", environ_base={"REMOTE_ADDR": "9.9.9.9"})
    with house.ctx.look() as tx:
        names = [row[0] for row in tx.exec_driver_sql("SELECT name FROM rate_windows").all()]
    assert [name for name in names if name.startswith("join:")]
    assert not [name for name in names if "9.9.9.9" in name]


def test_the_gift_is_spoken_of_until_the_card_is_in_a_phone(client: FlaskClient, house: House, stamped: Shop) -> None:
    member = house.member(stamped)
    for path in (member.path, f"{member.path}?new=1"):
        assert "A welcome gift: 1 stamp, as soon as the card is in your phone." in text_of(client.get(path))
    assert "Put it on your phone now" in text_of(client.get(f"{member.path}?new=1"))
    member.add_to_phone()
    assert "A welcome gift" not in text_of(client.get(f"{member.path}?new=1")), "it is given, and is not promised twice"
    assert "A welcome gift" not in text_of(client.get(house.member().path)), "nothing was promised there"


def test_the_card_says_that_it_is_in_the_wallet(client: FlaskClient, house: House) -> None:
    member = house.member()
    before = client.get(f"{member.path}/state")
    assert before.json["in_wallet"] is False
    assert re.search(r'id="held" hidden', text_of(client.get(member.path)))
    member.add_to_phone()
    after = client.get(f"{member.path}/state", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.json["in_wallet"] is True
    assert after.headers["ETag"] != before.headers["ETag"]
    page = text_of(client.get(member.path))
    assert re.search(r'id="held">In your phone<', page)
    fresh = text_of(client.get(f"{member.path}?new=1"))
    assert "Put it on your phone now" not in fresh
    assert "Your card is in your phone: it updates by itself" in fresh
    assert (
        fresh.index('<details class="more" id="another">') < fresh.index('class="wallet"') < fresh.index("</details>")
    )
    assert urlsplit(member.path).path in page


def test_nobody_on_a_live_page_reads_the_name_of_a_setting(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = house.member()
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, environment="live"))
    for path in (f"/join/{house.shop.join_code}", f"{member.path}?new=1"):
        page = text_of(client.get(path))
        assert "an address that phones reach" not in page, "nor what only who runs the server can mend"
        assert "WALLET_" not in page
        assert "make run" not in page


def test_the_first_of_a_month_is_written_as_the_french_do() -> None:
    say = Wording("fr", "Europe/Paris")
    first = dt.date(2026, 8, 1)
    assert (say.day(first), say.day(first, "d MMMM y")) == ("samedi 1er août", "1er août 2026")
    assert say.day(dt.date(2026, 8, 11), "d MMMM y") == "11 août 2026"
    assert Wording("en").day(first, "d MMMM y") == "1 August 2026"


def test_a_stamp_without_an_amount_is_a_visit_in_the_history(client: FlaskClient, house: House, stamped: Shop) -> None:
    member = house.member(stamped, email="visit@example.com")
    member.buy("visit-1", 0, stamped)
    sign_in(client, house, merchant_key=stamped.merchant_key)
    found = re.search(r"/console/members/mem_[^\"?]+", text_of(client.get("/console/members?q=visit@example.com")))
    assert found
    for lang, word in (("en", "visit"), ("fr", "passage")):
        page = text_of(client.get(f"{found[0]}?lang={lang}"))
        assert re.search(rf"<small>[^<]* · {word}</small>", page)
        assert "€0.00" not in page
        assert "0,00" not in page


def test_a_name_that_a_wide_logo_cuts_is_told_with_its_remedy(house: House, stamped: Shop) -> None:
    offer = pages.offer(house.ctx, stamped.join_code)

    def told(name: str, logo: Logo) -> list[str]:
        found = warnings({}, replace(offer.programme, organisation=name), [offer.card], logo)
        return [one.code for one in found if one.field == "name"]

    assert told("Boulangerie Zéphyr", Logo(160, True)) == ["apple_name_logo"]
    assert told("Boulangerie Zéphyr", Logo(50, True)) == [], "the remedy is one"
    assert told("Boulangerie-pâtisserie Zéphyr", Logo(160, True)) == ["apple_name", "google_name"]
