"""Owns the proof that Android phones hold, show and ring as Google Wallet does, and forget nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from google.auth.transport.requests import AuthorizedSession

from tests.sandbox.google.conftest import ISSUER, Bench, Called, loyalty_class, loyalty_object
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import AndroidFleet, AndroidPhone, Discovery, GoogleServer, SaveRefused
from wallet_server.sandbox.google.phone import Held, code_of
from wallet_server.sandbox.google.view import Part, card_view, code_svg, lock_screen

RFC_KEY = "3132333435363738393031323334353637383930"
RINGING = {"notifyPreference": "NOTIFY_ON_UPDATE"}


@pytest.fixture
def androids(bench: Bench) -> Iterator[AndroidFleet]:
    with AndroidFleet(bench.google).in_thread() as fleet:
        yield fleet


def saved(bench: Bench, fleet: AndroidFleet, below: str, language: str = "en") -> AndroidPhone:
    phone = fleet.call(fleet.add_phone, language, "Ada")
    (held,) = bench.google.run(phone.open(f"https://pay.google.com/gp/v/save/{bench.link(below)}"))
    assert held.id == below
    return phone


def texts(phone: AndroidPhone) -> list[tuple[str, str]]:
    return [(one.title, one.text) for one in phone.lock_screen]


def test_a_saved_card_follows_and_rings_only_where_google_would(
    bench: Bench, session: AuthorizedSession, androids: AndroidFleet
) -> None:
    above, below = bench.made(session)
    phone = saved(bench, androids, below, "fr")
    url = bench.url(f"loyaltyObject/{below}")

    def points(value: int, **more: Any) -> None:
        assert session.patch(url, json={"loyaltyPoints": {"balance": {"int": value}}, **more}).ok

    points(11)
    assert phone.cards[below].body["loyaltyPoints"]["balance"] == {"int": 11}
    assert texts(phone) == [], "silently"
    points(12, **RINGING)
    assert texts(phone) == [("Brotclub", "Votre solde a changé")]
    loud = {"id": "m", "header": "News", "body": "Open", "messageType": "TEXT_AND_NOTIFY"}
    loud["localizedHeader"] = {  # type: ignore[assignment]
        "defaultValue": {"language": "en", "value": "News"},
        "translatedValues": [{"language": "fr", "value": "Nouvelles"}],
    }
    assert session.post(f"{url}/addMessage", json={"message": loud}).ok
    assert session.post(f"{url}/addMessage", json={"message": {"id": "n", "body": "quiet"}}).ok
    assert session.post(bench.url(f"loyaltyClass/{above}/addMessage"), json={"message": loud}).ok
    assert texts(phone)[1:] == [("Brotclub", "Nouvelles: Open")] * 2
    assert session.post(bench.url(f"loyaltyClass/{above}/addMessage"), json={"message": loud}).ok
    assert len(texts(phone)) == 3, "the day's three are spent: this phone stays dark"
    assert len(phone.cards[below].above["messages"]) == 2, "but shows it"
    assert lock_screen(phone)[0]["title"] == "Brotclub"


def test_a_phone_that_was_away_sees_everything_when_it_is_back(
    bench: Bench, session: AuthorizedSession, androids: AndroidFleet
) -> None:
    _, below = bench.made(session)
    phone = saved(bench, androids, below)
    androids.call(phone.offline)
    change = {"loyaltyPoints": {"balance": {"int": 77}}, **RINGING}
    assert session.patch(bench.url(f"loyaltyObject/{below}"), json=change).ok
    assert phone.cards[below].body["loyaltyPoints"]["balance"] == {"int": 10}
    with pytest.raises(SaveRefused, match="offline"):
        bench.google.run(phone.open("https://pay.google.com/gp/v/save/x"))
    androids.call(phone.online)
    assert phone.cards[below].body["loyaltyPoints"]["balance"] == {"int": 77}
    assert len(phone.lock_screen) == 1


def test_switched_off_notifications_ring_nothing(
    bench: Bench, session: AuthorizedSession, androids: AndroidFleet
) -> None:
    _, below = bench.made(session)
    phone = saved(bench, androids, below)
    phone.cards[below].notifications = False
    change = {"loyaltyPoints": {"balance": {"int": 5}}, **RINGING}
    assert session.patch(bench.url(f"loyaltyObject/{below}"), json=change).ok
    assert texts(phone) == []
    assert phone.cards[below].notifications is False, "an update leaves the switch"


def test_a_removed_card_is_gone_told_and_hears_no_more(
    bench: Bench, session: AuthorizedSession, androids: AndroidFleet, called: Called
) -> None:
    _, below = bench.made(session, callbackOptions={"url": called.url})
    phone = saved(bench, androids, below)
    androids.call(phone.remove, below)
    bench.google.run(bench.google.callbacks.settle())
    # Each goes its own way: which of two that are sent at once comes first is not said.
    assert sorted(b'"save' in one or b'\\"save' in one for one in called.bodies) == [False, True]
    shown = session.patch(bench.url(f"loyaltyObject/{below}"), json={"accountName": "Eve"}).json()
    assert shown["hasUsers"] is False
    assert phone.cards == {}


@pytest.mark.parametrize("way", ["page", "marked", "redirect"])
def test_the_button_of_a_page_leads_to_the_wallet(
    bench: Bench, session: AuthorizedSession, androids: AndroidFleet, way: str
) -> None:
    _, below = bench.made(session)
    target = f"https://pay.google.com/gp/v/save/{bench.link(below)}"

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there = self.path == "/go" or way == "redirect"
            body = {
                "page": f'<a href="/x">x</a><a href="{target}">Add</a>',
                "marked": '<a data-wallet="google" href="/go">',
            }
            self.send_response(302 if there else 200)
            self.send_header("Content-Type", "text/html")
            if there:
                self.send_header("Location", target)
            self.end_headers()
            self.wfile.write(b"" if there else body[way].encode())

        def log_message(self, *_: object) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as shop:
        Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        phone = androids.call(androids.add_phone)
        bench.google.run(phone.open(f"http://127.0.0.1:{shop.server_address[1]}/card"))
        shop.shutdown()
    assert list(phone.cards) == [below]


def test_a_link_that_leads_nowhere_says_so(bench: Bench, androids: AndroidFleet, called: Called) -> None:
    phone = androids.call(androids.add_phone)
    called.robots = ""
    for url, said in (
        (called.url, "did not lead to Google Wallet but to: 200"),
        ("http://127.0.0.1:9/", "could not be reached"),
        ("ftp://127.0.0.1/", "no web address"),
        ("https://pay.google.com/gp/v/save/a.b.c", "Invalid JWT"),
    ):
        with pytest.raises(SaveRefused, match=said):
            bench.google.run(phone.open(url))
    assert phone.cards == {}


@pytest.mark.parametrize(("seconds", "value"), [(59, "94287082"), (1111111109, "07081804"), (20000000000, "65353130")])
def test_a_rotating_code_turns_as_the_rfc_says(seconds: int, value: str) -> None:
    rotating = {
        "type": "QR_CODE",
        "valuePattern": "C-{totp_timestamp_seconds}-{totp_timestamp_millis}-{totp_value_0}",
        "totpDetails": {
            "algorithm": "TOTP_SHA1",
            "periodMillis": "30000",
            "parameters": [{"key": RFC_KEY, "valueLength": 8}],
        },
    }
    start = seconds // 30 * 30
    shown = code_of({"rotatingBarcode": rotating, "barcode": {"value": "still"}}, datetime.fromtimestamp(seconds, UTC))
    assert shown == f"C-{start}-{start}000-{value}"


def test_a_card_is_drawn_in_the_phones_language_from_its_template() -> None:
    at = datetime(2026, 11, 1, 12, tzinfo=UTC)
    above = loyalty_class("1.c") | {
        "hexBackgroundColor": "#ffe9a8",
        "localizedIssuerName": {
            "defaultValue": {"language": "en", "value": "Bakery"},
            "translatedValues": [{"language": "fr", "value": "Boulangerie"}],
        },
        "accountNameLabel": "Member",
        "messages": [
            {"header": "Old", "body": "x", "displayInterval": {"end": {"date": "2026-10-31T00:00:00Z"}}},
            {"header": "Soon", "body": "x", "displayInterval": {"start": {"date": "2026-11-02T00:00:00Z"}}},
            {"header": "Now", "body": 'See <a href="https://example.com">here</a><script>'},
        ],
    }
    body = loyalty_object("1.o", "1.c") | {
        "secondaryLoyaltyPoints": {"label": "Cash", "balance": {"money": {"currencyCode": "EUR", "micros": "5500000"}}},
        "linksModuleData": {"uris": [{"uri": "javascript:alert(1)"}, {"uri": "tel:+33", "description": "Call"}]},
    }
    offer = {"state": "ACTIVE", "validTimeInterval": {"end": {"date": "2026-12-24T00:00:00Z"}}}
    linked = [Held("offerObject", offer, {"title": "A coffee"})]
    view = card_view(Held("loyaltyObject", body, above), "fr-FR", at, linked)
    assert [one.label for one in view.offers] == ["A coffee"]
    assert "2026" in view.offers[0].value
    assert (view.issuer, view.title, view.dark) == ("Boulangerie", "Brotclub", False)
    assert view.rows == ((Part("Points", "10"), Part("Cash", "5,50\xa0€")),)
    assert [one.header for one in view.messages] == ["Now"]
    assert [(one.text, one.href) for one in view.messages[0].body] == [("See ", ""), ("here", "https://example.com")]
    assert [one.href for one in view.links] == ["tel:+33"]
    assert view.details[0] == Part("Member", "Ada")
    assert view.code is not None
    assert view.code.drawn
    assert b"<svg" in (code_svg(view.code.value) or b"")
    start = {"firstValue": {"fields": [{"fieldPath": "object.textModulesData['b']"}]}}
    end = {"firstValue": {"fields": [{"fieldPath": "object.loyaltyPoints.balance"}]}}
    start["firstValue"]["fields"].insert(0, {"fieldPath": "object.textModulesData['none']"})
    rows = [{"twoItems": {"startItem": start, "endItem": end}}]
    above["classTemplateInfo"] = {"cardTemplateOverride": {"cardRowTemplateInfos": rows}}
    view = card_view(Held("loyaltyObject", body, above), "fr", at + timedelta(days=2))
    assert view.rows == ((Part("B", "two"), Part("Points", "10")),)
    assert [one.header for one in view.messages] == ["Now", "Soon"]


def test_phones_and_what_they_hold_are_there_after_a_restart(
    tmp_path: Path, google_authority: Authority, discovery: Discovery
) -> None:
    async def life(first: bool) -> tuple[list[str], list[tuple[str, str]], bool]:
        async with (
            GoogleServer(google_authority, discovery=discovery, folder=tmp_path) as google,
            AndroidFleet(google, folder=tmp_path) as fleet,
        ):
            if first:
                account = google.issue_account(ISSUER)
                bench = Bench(google, None, "", account=account)  # type: ignore[arg-type]
                google.resources.insert("loyaltyClass", loyalty_class(f"{ISSUER}.c"))
                google.resources.insert("loyaltyObject", loyalty_object(f"{ISSUER}.o", f"{ISSUER}.c"))
                phone = fleet.add_phone("fr", "Ada")
                await phone.open(google.save_url + bench.link(f"{ISSUER}.o"))
            (phone,) = fleet.phones.values()
            change = {"loyaltyPoints": {"balance": {"int": 11 + (not first)}}, **RINGING}
            google.resources.patch("loyaltyObject", f"{ISSUER}.o", change)
            return list(phone.cards), texts(phone), (phone.name, phone.language) == ("Ada", "fr")

    cards, alerts, named = asyncio.run(life(first=True))
    assert (cards, len(alerts), named) == ([f"{ISSUER}.o"], 1, True)
    again = asyncio.run(life(first=False))
    assert (again[0], len(again[1]), again[2]) == (cards, 2, True)
