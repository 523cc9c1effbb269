"""Owns what is known about Android phones on the sandbox's page: its interface, the fragments that it shows, and a
person who follows a phone in a browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from PIL import Image
from playwright.async_api import async_playwright

from tests.chromium import ARGUMENTS, CHROMIUM
from tests.sandbox.google.conftest import ISSUER, Bench, loyalty_class, loyalty_object
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import AndroidFleet, Discovery, GoogleServer
from wallet_server.sandbox.panel import Panel, Sandbox
from wallet_server.sandbox.panel_android import MODES
from wallet_server.sandbox.phones import Fleet

RINGING = {"notifyPreference": "NOTIFY_ON_UPDATE"}
Ask = Callable[..., Awaitable[tuple[int, Any]]]


@dataclass
class Room:
    """A page over phones of both kinds, a shop that has a logo, and a card in Google's hands."""

    google: GoogleServer
    androids: AndroidFleet
    panel: Panel
    ask: Ask
    link: str
    object_id: str


async def _logo(_request: web.Request) -> web.Response:
    out = BytesIO()
    Image.new("RGB", (660, 660), "#7a4b1e").save(out, "PNG")
    return web.Response(body=out.getvalue(), content_type="image/png")


@asynccontextmanager
async def open_room(authority: Authority, discovery: Discovery) -> AsyncIterator[Room]:
    shop = web.Application()
    shop.router.add_get("/logo.png", _logo)
    runner = web.AppRunner(shop)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    logo = f"http://127.0.0.1:{runner.addresses[0][1]}/logo.png"
    async with (
        GoogleServer(authority, discovery=discovery) as google,
        AndroidFleet(google) as androids,
        Fleet(authority.root_pem) as fleet,
        Panel(Sandbox(fleet, android=androids, links={"base_url": logo.removesuffix("/logo.png")})) as panel,
        aiohttp.ClientSession() as session,
    ):

        async def ask(method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
            data, head = (
                (json.dumps(body or {}), {"Content-Type": "application/json"}) if method != "GET" else (None, {})
            )
            async with session.request(method, panel.url + path, data=data, headers=head) as answer:
                raw = await answer.read()
                return answer.status, json.loads(raw) if answer.content_type == "application/json" else raw

        account = google.issue_account(ISSUER)
        above = loyalty_class(f"{ISSUER}.club") | {
            "programLogo": {"sourceUri": {"uri": logo}},
            "heroImage": {"sourceUri": {"uri": logo}},
            "hexBackgroundColor": "#4a2f14",
            "messages": [{"header": "<b>Hello</b>", "body": 'Read <a href="https://example.com/a">this</a>'}],
        }
        google.resources.insert("loyaltyClass", above)
        body = loyalty_object(f"{ISSUER}.o", above["id"])
        body["secondaryLoyaltyPoints"] = {"label": "Tier", "balance": {"string": "Gold"}}
        google.resources.insert("loyaltyObject", body)
        jwt = Bench(google, None, "", account=account).link(body["id"])  # type: ignore[arg-type]
        yield Room(google, androids, panel, ask, f"{panel.url}/gp/v/save/{jwt}", body["id"])
    await runner.cleanup()


@pytest.fixture
def visit(google_authority: Authority, discovery: Discovery) -> Callable[[Callable[[Room], Awaitable[None]]], None]:
    def run(story: Callable[[Room], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with open_room(google_authority, discovery) as room:
                await story(room)

        asyncio.run(whole())

    return run


Visit = Callable[[Callable[[Room], Awaitable[None]]], None]


def test_a_phone_is_added_opens_a_link_is_shown_and_thrown_away(visit: Visit) -> None:
    async def story(room: Room) -> None:
        status, phone = await room.ask("POST", "/androids", {"language": "fr", "name": "Ada"})
        assert status == 201
        place = f"/androids/{phone['id']}"
        status, refused = await room.ask("POST", f"{place}/open", {"url": "https://pay.google.com/gp/v/save/a.b.c"})
        assert (status, "Invalid JWT" in refused["error"]) == (422, True)
        status, phone = await room.ask("POST", f"{place}/open", {"url": room.link})
        (shown,) = phone["passes"]
        assert shown["rows"] == [[{"label": "Points", "value": "10"}, {"label": "Tier", "value": "Gold"}]]
        html = shown["html"]
        assert "&lt;b&gt;Hello&lt;/b&gt;" in html, "nothing of a card is mark-up here"
        assert 'href="https://example.com/a"' in html
        assert 'lang="fr"' in html
        assert "Supprimer la carte" in html
        assert "style=" not in html, "the page's policy would drop it"
        assert (await room.ask("GET", f"{place}/cards/{shown['id']}/code.svg"))[1].startswith(b"<svg")
        assert (await room.ask("GET", f"{place}/cards/{shown['id']}/pictures/0"))[1].startswith(b"\x89PNG")
        assert (await room.ask("GET", f"{place}/cards/{shown['id']}/pictures/7"))[0] == 404
        assert (await room.ask("POST", f"{place}/cards/{shown['id']}/settings", {"notifications": False}))[0] == 200
        room.google.resources.patch("loyaltyObject", room.object_id, {"state": "INACTIVE"})
        (shown,) = (await room.ask("GET", place))[1]["passes"]
        assert "Inactive" in shown["html"]
        assert "code.svg" not in shown["html"]
        assert shown["notifications"] is False
        assert (await room.ask("POST", f"{place}/offline"))[1]["online"] is False
        assert (await room.ask("POST", f"{place}/online"))[1]["online"] is True
        assert (await room.ask("POST", f"{place}/cards/{shown['id']}/remove"))[1]["passes"] == []
        assert (await room.ask("GET", "/androids"))[1]["total"] == 1
        assert (await room.ask("DELETE", place))[1] == {"phones": 0}
        assert (await room.ask("GET", place))[0] == 404

    visit(story)


def test_google_is_told_how_to_behave_and_says_so(visit: Visit) -> None:
    async def story(room: Room) -> None:
        for mode in MODES:
            status, said = await room.ask("POST", "/google", {"mode": mode})
            assert (status, said["mode"]) == (200, mode)
            assert (await room.ask("GET", "/state"))[1]["android"]["mode"] == mode
            assert room.google.accounts.issuers[ISSUER].locations is (mode != "no_locations")
            assert room.google.switches.duplicates == (2 if mode == "duplicates" else 1)
            order = room.google.switches.next(ISSUER, "patch")
            assert (order.status, order.lost) == (MODES[mode].status if MODES[mode] else 200, mode == "lost")
        assert (await room.ask("POST", "/google", {"mode": "strange"}))[0] == 422
        assert (await room.ask("POST", "/google", {"mode": "normal"}))[0] == 200
        async with aiohttp.ClientSession() as session, session.get(room.google.keys_url, ssl=False) as answer:
            assert answer.status == 200, "it is back after it was down"

    visit(story)


def test_a_page_without_android_says_how_to_get_them(google_authority: Authority) -> None:
    async def story() -> None:
        async with (
            Fleet(google_authority.root_pem) as fleet,
            Panel(Sandbox(fleet)) as panel,
            aiohttp.ClientSession() as session,
        ):
            async with session.get(panel.url) as answer:
                text = await answer.text()
            async with session.get(f"{panel.url}/androids") as answer:
                assert answer.status == 404
        assert "wallet-server[sandbox]" in text
        assert 'id="androids"' not in text

    asyncio.run(story())


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_person_follows_an_android_phone_in_the_browser(visit: Visit, tmp_path: Path) -> None:
    async def story(room: Room) -> None:
        async with async_playwright() as engine:
            browser = await engine.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = await browser.new_page(viewport={"width": 390, "height": 844}, locale="fr-FR", color_scheme="dark")
            faults: list[str] = []
            page.on("console", lambda one: faults.append(one.text) if one.type == "error" else None)
            page.on("pageerror", lambda error: faults.append(str(error)))
            await page.goto(room.link)
            card = page.get_by_role("article", name="Brotclub")
            await card.get_by_text("10", exact=True).wait_for()
            assert page.url == f"{room.panel.url}/", "the link is out of the address"
            change = {"loyaltyPoints": {"balance": {"int": 236}}, **RINGING}
            room.google.resources.patch("loyaltyObject", room.object_id, change)
            phone = page.get_by_role("article", name="Android 1")
            await phone.get_by_role("log").get_by_text("Votre solde a changé").wait_for()
            await card.get_by_text("236", exact=True).wait_for()
            assert await card.get_by_role("img", name="Code à scanner").is_visible()
            assert (
                await card.evaluate("e => getComputedStyle(e.querySelector('.gface')).backgroundColor")
                == "rgb(74, 47, 20)"
            )
            await card.get_by_text("Détails").click()
            await page.screenshot(path=tmp_path / "android.png", full_page=True)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
            await card.get_by_role("button", name="Supprimer la carte").click()
            await phone.get_by_text("Pas encore de carte").wait_for()
            await phone.get_by_role("button", name="Jeter").click()
            await page.get_by_text("Pas encore de téléphone Android").wait_for()
            assert faults == []
            await browser.close()

    visit(story)
