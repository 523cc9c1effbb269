"""Owns what is known about the sandbox's page and API: what it shows, what it does, whom it refuses."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from wallet_server.sandbox.panel import Panel, Sandbox
from wallet_server.sandbox.panel_page import choose
from wallet_server.sandbox.phones.view import _attributed, card_id, full

KEY = ("pass.example.card", "S1")


class Plug:
    """Stands for the supervisor: counts, and takes as long as it is told."""

    def __init__(self):
        self.state, self.starts, self.kills = "running", 1, 0
        self.may_return = asyncio.Event()

    async def kill_and_restart(self):
        self.state = "killed"
        await self.may_return.wait()
        self.state, self.kills, self.starts = "running", self.kills + 1, self.starts + 1


class Switches:
    """Stands for the APNs server: remembers what it was told."""

    def __init__(self):
        self.told, self.order, self.up = [], None, True

    def tell(self, answer, token=None):
        self.order = answer

    def say_goodbye(self, after=0):
        self.told.append("goodbye")

    async def start(self):
        self.up = True

    async def stop(self):
        self.up = False


@pytest.fixture
def watch(play):
    """Run `async def story(bench, ask, sandbox)`, where `ask(method, path, body)` gives status, JSON and headers."""

    def run(story):
        async def whole(bench):
            sandbox = Sandbox(bench.fleet, Plug(), Switches(), {"Join": f"{bench.service.base}/join"})
            async with Panel(sandbox) as panel, aiohttp.ClientSession() as session:

                async def ask(method, path, body=None, **headers):
                    data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
                    sent = {"Content-Type": "application/json"} | {
                        name.replace("_", "-"): text for name, text in headers.items()
                    }
                    data = data if method != "GET" else None
                    async with session.request(method, panel.url + path, data=data, headers=sent) as answer:
                        raw = await answer.read()
                        is_json = answer.content_type == "application/json"
                        return answer.status, json.loads(raw) if is_json else raw, answer.headers

                ask.panel, ask.session = panel, session
                await story(bench, ask, sandbox)

        play(whole)

    return run


def test_a_phone_is_added_opens_a_link_and_is_shown(watch):
    async def story(bench, ask, _sandbox):
        bench.service.put(bench.card())
        status, phone, _ = await ask("POST", "/phones", {"language": "fr", "name": "Ada"})
        assert (status, phone["name"], phone["language"], phone["passes"]) == (201, "Ada", "fr", [])
        path = f"/phones/{phone['id']}"
        status, _, _ = await ask("POST", path + "/open", {"url": f"{bench.service.base}/short/S1"})
        assert status == 200
        await bench.change(bench.card(points=25))
        _, phone, _ = await ask("GET", path)
        (card,) = phone["passes"]
        assert card["fields"]["primary"][0]["value"] == "25"
        assert card["fields"]["header"][0]["value"] == "Argent"
        assert card["colours"] == {"background": "rgb(24, 44, 82)", "foreground": "rgb(255, 255, 255)", "label": None}
        assert card["registered"]
        assert [(alert["title"], alert["text"]) for alert in phone["lock_screen"]] == [
            ("Corner Café", "Vous avez 25 points")
        ]
        status, drawing, headers = await ask("GET", card["code"]["image"])
        assert (status, headers["Content-Type"], drawing[:4]) == (200, "image/svg+xml", b"<svg")
        assert (await ask("GET", card["images"]["icon"]))[0] == 200
        assert "strip" not in card["images"]
        assert (await ask("GET", path + f"/cards/{card['id']}/strip.png"))[0] == 404
        _, listed, _ = await ask("GET", "/phones?limit=1")
        assert (listed["total"], listed["phones"][0]["alerts"]) == (1, 1)

    watch(story)


def test_what_the_owner_can_do_can_be_done_here(watch):
    async def story(bench, ask, _sandbox):
        phone = await bench.phone_with()
        path, card = f"/phones/{phone.device_id}", f"/phones/{phone.device_id}/cards/{card_id(KEY)}"
        assert (await ask("POST", path + "/offline"))[1]["online"] is False
        assert (await ask("POST", path + "/online"))[1]["online"] is True
        before = phone.push_token
        assert (await ask("POST", path + "/restore"))[1]["push_token"] != before
        assert bench.service.registered[phone.device_id, *KEY] == phone.push_token
        await ask("POST", path + "/settings", {"notifications": False})
        await ask("POST", card + "/settings", {"automatic_updates": False})
        await bench.change(bench.card(points=11))
        assert not phone.lock_screen
        assert phone.cards[KEY].file.fields("primaryFields")[0]["value"] == 10
        await ask("POST", card + "/refresh")
        assert phone.cards[KEY].file.fields("primaryFields")[0]["value"] == 11
        assert not phone.lock_screen
        await ask("POST", path + "/reboot")
        assert (await ask("POST", card + "/remove"))[1]["passes"] == []
        assert bench.service.registered == {}
        assert (await ask("DELETE", path))[1] == {"phones": 0}
        assert (await ask("GET", path))[0] == 404

    watch(story)


def test_refusals_are_sentences(watch):
    async def story(bench, ask, _sandbox):
        phone = bench.fleet.add_phone()
        path = f"/phones/{phone.device_id}"
        for body, status, words in (
            ({"url": f"{bench.service.base}/nowhere"}, 422, "did not answer with a pass"),
            ({"url": "file:///etc/passwd"}, 422, "web address"),
            ({"url": 7}, 422, "must be of type str"),
            ({"address": "x"}, 422, "JSON object"),
            (b"{", 400, "not JSON"),
            (b"[]", 422, "JSON object"),
            (b" " * 20_000, 413, "exceeded"),
        ):
            answer = await ask("POST", path + "/open", body)
            assert (answer[0], words in answer[1]["error"]) == (status, True), (body, answer)
        assert (await ask("GET", "/phones?limit=-1"))[0] == 422
        assert (await ask("POST", path + "/cards/0123456789abcdef/remove"))[0] == 404
        assert (await ask("POST", path + "/explode"))[0] == 404

    watch(story)


def test_foreign_pages_and_foreign_names_are_refused(watch):
    async def story(bench, ask, _sandbox):
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Host": "evil.example"},
        ):
            assert (await ask("POST", "/phones", {}, **headers))[0] == 403, headers
        assert (await ask("GET", "/phones", Host="evil.example:80"))[0] == 403
        assert (await ask("POST", "/phones", {}, Content_Type="text/plain"))[0] == 415
        assert len(bench.fleet.phones) == 0
        own = {"Origin": ask.panel.url, "Sec_Fetch_Site": "same-origin"}
        assert (await ask("POST", "/phones", {}, **own))[0] == 201

    watch(story)


def test_the_page_binds_loopback_unless_asked():
    with pytest.raises(ValueError, match="loopback"):
        Panel(Sandbox(None), host="192.0.2.1")
    assert Panel(Sandbox(None), host="192.0.2.1", beyond_loopback=True).host == "192.0.2.1"


def test_apns_is_switched(watch):
    async def story(_bench, ask, sandbox):
        switches = sandbox.apns
        for mode, status in {"gone": 410, "busy": 429, "error": 500, "unavailable": 503, "bad_token": 400}.items():
            assert (await ask("POST", "/apns", {"mode": mode}))[1]["apns"] == mode
            assert switches.order.status == status
        await ask("POST", "/apns", {"mode": "slow"})
        assert switches.order.delay_seconds > 0
        await ask("POST", "/apns", {"mode": "down"})
        assert not switches.up
        await ask("POST", "/apns", {"mode": "normal"})
        assert (switches.up, switches.order) == (True, None)
        await ask("POST", "/apns", {"mode": "goodbye"})
        assert switches.told == ["goodbye"]
        assert (await ask("POST", "/apns", {"mode": "sideways"}))[0] == 422

    watch(story)


def test_the_plug_is_pulled_once_at_a_time_and_everybody_sees_it(watch):
    async def story(_bench, ask, sandbox):
        first = asyncio.create_task(ask("POST", "/plug"))
        while sandbox.supervisor.state != "killed":  # noqa: ASYNC110 - the stand-in has no event to wait for
            await asyncio.sleep(0.005)
        assert (await ask("GET", "/state"))[1]["server"] == {"state": "killed", "starts": 1, "kills": 0}
        assert (await ask("POST", "/plug"))[0] == 409
        sandbox.supervisor.may_return.set()
        assert (await first)[1]["server"] == {"state": "running", "starts": 2, "kills": 1}

    watch(story)


@pytest.mark.slow
def test_what_happens_is_streamed(watch):
    async def story(bench, ask, _sandbox):
        async with ask.session.get(ask.panel.url + "/events") as stream:
            assert stream.headers["Content-Type"] == "text/event-stream"

            async def next_of(kind):
                while (line := (await stream.content.readline()).decode()) != f"event: {kind}\n":
                    assert line
                return json.loads((await stream.content.readline())[len("data: ") :])

            assert (await next_of("state"))["phones"] == 0
            phone = await bench.phone_with()
            assert phone.device_id in (await next_of("phones"))["ids"]
            assert (await next_of("state"))["counters"]["added"] == 1

    watch(story)


def test_the_page_is_sealed_and_speaks_both_languages(watch):
    async def story(_bench, ask, _sandbox):
        status, page, headers = await ask("GET", "/", Accept_Language="fr-CA,fr;q=0.9,en;q=0.5")
        assert (status, b'<html lang="fr">' in page, b"D\xc3\xa9brancher" in page) == (200, True, True)
        assert b'<html lang="en">' in (await ask("GET", "/?lang=en", Accept_Language="fr"))[1]
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert b"<style" not in page
        assert b"style=" not in page
        assert b" onclick" not in page
        assert (await ask("GET", "/static/panel.js"))[2]["X-Content-Type-Options"] == "nosniff"
        assert (await ask("GET", "/health"))[1] == {"status": "ok"}
        assert (await ask("GET", "/static/../panel.py"))[0] == 404

    watch(story)


def test_both_languages_have_the_same_words(watch):
    async def story(_bench, ask, _sandbox):
        words = (await ask("GET", "/static/words.json"))[1]

        def shape(node):
            return {name: shape(child) for name, child in node.items()} if isinstance(node, dict) else None

        assert shape(words["en"]) == shape(words["fr"])

    watch(story)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("de, fr;q=0.3, en;q=0.7", "en"),
        ("de", "en"),
        ("fr;q=0", "en"),
        ("en;q=junk, fr-BE", "fr"),
    ],
)
def test_the_language_is_chosen_by_the_header(accepted, language):
    assert choose(accepted) == language


def test_links_on_the_back_are_links_and_other_markup_is_not(play):
    assert _attributed('<b>Stop</b> <a href="https://e.example/x">here</a><a href="javascript:x">no</a>') == [
        {"text": "Stop"},
        {"text": " "},
        {"text": "here", "href": "https://e.example/x"},
        {"text": "no"},
    ]

    async def story(bench):
        phone = await bench.phone_with()
        card = bench.card()
        card["storeCard"]["backFields"].append({"key": "web", "value": "See https://e.example/a?b=1. Or call."})
        await bench.change(card)
        assert full(phone)["passes"][0]["fields"]["back"][1]["parts"] == [
            {"text": "See "},
            {"text": "https://e.example/a?b=1", "href": "https://e.example/a?b=1"},
            {"text": ". Or call."},
        ]

    play(story)


def test_a_voided_pass_shows_no_code_to_scan(play):
    async def story(bench):
        phone = await bench.phone_with()
        await bench.change(bench.card(voided=True))
        (card,) = full(phone)["passes"]
        assert card["voided"]
        assert card["code"]["image"] is None

    play(story)


def test_each_style_is_told_with_its_buttons_and_unsafe_addresses_lead_nowhere(play):
    async def story(bench):
        phone = await bench.phone_with()
        ticket = bench.card(
            featuredActions=[
                {"identifier": "a", "type": "shop", "url": "https://shop.example/"},
                {"identifier": "b", "type": "order", "url": "javascript:alert(1)"},
            ]
        )
        ticket["eventTicket"] = ticket.pop("storeCard")
        await bench.change(ticket)
        (card,) = full(phone)["passes"]
        assert card["style"] == "eventTicket"
        assert card["actions"] == [{"kind": "shop", "href": "https://shop.example/"}, {"kind": "order", "href": ""}]
        ticket["posterGeneric"] = {"primaryFields": [{"key": "poster.points", "value": "Ten"}]}
        await bench.change(ticket)
        (card,) = full(phone)["passes"]
        assert (card["style"], card["fields"]["primary"][0]["value"]) == ("posterGeneric", "Ten")
        assert card["fields"]["header"] == []

    play(story)
