"""Owns the sandbox's page and its small JSON API: phones with their cards and lock screens, live, and the switches.

Whoever reaches this server can drive the sandbox, so it listens on loopback unless told otherwise, answers only to the
names it listens on (a page elsewhere that points its own name at 127.0.0.1 gets nothing), and changes something only
for JSON sent from its own pages or from a script.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from aiohttp import web

from wallet_server.sandbox.apns import Answer
from wallet_server.sandbox.google.fleet import AndroidFleet
from wallet_server.sandbox.letterboxes import Letterboxes
from wallet_server.sandbox.panel_android import AndroidRooms
from wallet_server.sandbox.panel_json import answer, body_of, number_of
from wallet_server.sandbox.panel_letters import LetterRooms
from wallet_server.sandbox.panel_page import Pages
from wallet_server.sandbox.phones import Card, Fleet, LinkRefused, PassRefused, Phone
from wallet_server.sandbox.phones.view import IMAGES, card_of, code_svg, full, summary
from wallet_server.sandbox.supervisor import ServerFailed, Supervisor

STATIC = Path(__file__).parent / "static"
BODY_LIMIT = 16 * 1024
PAGE_OF_PHONES = 100
MAX_STREAMS = 50
GATHER_SECONDS = 0.1
QUIET_SECONDS = 0.5
SLOW_SECONDS = 3.0
PATIENCE_SECONDS = 5.0
PING_AFTER = 30
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Apns(Protocol):
    """What the panel asks of an APNs server: ApnsServer offers it."""

    def tell(self, answer: Answer | None, token: str | None = None) -> None: ...
    def say_goodbye(self, after: int = 0) -> None: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True)
class Sandbox:
    """What the panel shows and drives. `links` are named addresses shown at the top of the page and in /state."""

    fleet: Fleet
    supervisor: Supervisor | None = None
    apns: Apns | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    android: AndroidFleet | None = None
    letters: Letterboxes | None = None


class Panel:
    """The panel's server. Use as `async with Panel(sandbox, port=...) as panel`; `panel.url` is its address."""

    def __init__(
        self, sandbox: Sandbox, *, host: str = "127.0.0.1", port: int = 0, beyond_loopback: bool = False
    ) -> None:
        """Raises ValueError when `host` is not a loopback address, unless `beyond_loopback` asks for it."""
        if not (beyond_loopback or ipaddress.ip_address(host).is_loopback):
            raise ValueError(f"The sandbox page listens on loopback only, not on {host}.")
        self.host, self.port = host, port
        self.apns_mode = "normal"
        self._sandbox = sandbox
        self._any_name = beyond_loopback
        self._pages = Pages(STATIC)
        self._rooms = AndroidRooms(sandbox.android) if sandbox.android else None
        self._letters = LetterRooms(sandbox.letters) if sandbox.letters else None
        self._streams = 0
        self._runner: web.AppRunner | None = None
        self._plug: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://{_in_url(self.host)}:{self.port}"

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._plug is not None:
            await asyncio.gather(self._plug, return_exceptions=True)

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_LIMIT, middlewares=[self._guard])
        app.router.add_static("/static/", STATIC)
        phone = "/phones/{phone:[0-9a-f]{32}}"
        card = phone + "/cards/{card:[0-9a-f]{16}}"
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/health", self._health),
                web.get("/state", self._state),
                web.get("/events", self._events),
                web.get("/phones", self._phones),
                web.post("/phones", self._add),
                web.get(phone, self._phone),
                web.delete(phone, self._discard),
                web.post(phone + "/open", self._open),
                web.post(phone + "/settings", self._settings),
                web.post(phone + "/{deed:online|offline|restore|reboot}", self._deed),
                web.post(card + "/{deed:remove|refresh}", self._card_deed),
                web.post(card + "/settings", self._card_settings),
                web.get(card + "/code.svg", self._code),
                web.get(card + "/{image}.png", self._image),
                web.post("/apns", self._apns),
                web.post("/plug", self._pull_the_plug),
            ]
        )
        if self._rooms is not None:
            app.add_routes([web.get("/gp/v/save/{jwt}", self._page), *self._rooms.routes()])
        if self._letters is not None:
            app.add_routes(self._letters.routes())
        return app

    # At the door

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse foreign names and foreign pages; turn refusals into sentences; send the safety headers."""
        try:
            self._let_in(request)
            response = await handler(request)
        except web.HTTPException as refusal:
            response = answer({"error": refusal.text or refusal.reason}, refusal.status)
        except (LinkRefused, PassRefused) as refusal:
            response = answer({"error": str(refusal)}, 422)
        if not response.prepared:
            response.headers.update({name: text for name, text in HEADERS.items() if name not in response.headers})
        return response

    def _let_in(self, request: web.Request) -> None:
        name = urlsplit(f"//{request.host}").hostname or ""
        if not self._any_name and name not in ("localhost", "127.0.0.1", "::1", self.host):
            raise web.HTTPForbidden(text="This page is reached as localhost or 127.0.0.1.")
        if request.method in ("GET", "HEAD"):
            return
        origin = request.headers.get("Origin")
        foreign = origin is not None and urlsplit(origin).netloc != request.host
        if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise web.HTTPForbidden(text="Only the sandbox's own page may ask for this.")
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="Send JSON, with Content-Type: application/json.")

    def _find(self, request: web.Request) -> Phone:
        phone = self._sandbox.fleet.phones.get(request.match_info["phone"])
        if phone is None:
            raise web.HTTPNotFound(text="There is no such phone.")
        return phone

    def _find_card(self, request: web.Request) -> tuple[Phone, Card]:
        phone = self._find(request)
        card = card_of(phone, request.match_info["card"])
        if card is None:
            raise web.HTTPNotFound(text="There is no such card on this phone.")
        return phone, card

    # What there is to see

    async def _page(self, request: web.Request) -> web.Response:
        asked = request.query.get("lang", "") or request.headers.get("Accept-Language") or ""
        whole = self._sandbox
        has = {"server": whole.supervisor, "apns": whole.apns, "android": whole.android, "letters": whole.letters}
        html = self._pages.render(asked, whole.links, {name for name, one in has.items() if one is not None})
        return web.Response(text=html, content_type="text/html", headers={"Vary": "Accept-Language"})

    async def _health(self, _request: web.Request) -> web.Response:
        return answer({"status": "ok"})

    async def _state(self, _request: web.Request) -> web.Response:
        return answer(self._now())

    def _now(self) -> dict[str, Any]:
        supervisor, fleet = self._sandbox.supervisor, self._sandbox.fleet
        server = (
            {"state": supervisor.state, "starts": supervisor.starts, "kills": supervisor.kills} if supervisor else None
        )
        return {
            "server": server,
            "apns": self.apns_mode if self._sandbox.apns else None,
            "android": self._rooms.state() if self._rooms else None,
            "letters": self._letters.state() if self._letters else None,
            "phones": len(fleet.phones),
            "counters": dict(fleet.counters),
            "links": dict(self._sandbox.links),
        }

    async def _phones(self, request: web.Request) -> web.Response:
        offset, limit = (
            number_of(request, "offset", 0, 10**6),
            number_of(request, "limit", PAGE_OF_PHONES, PAGE_OF_PHONES),
        )
        phones = list(self._sandbox.fleet.phones.values())
        shown = [summary(phone) for phone in phones[::-1][offset : offset + limit]]
        return answer({"phones": shown, "total": len(phones)})

    async def _phone(self, request: web.Request) -> web.Response:
        return answer(full(self._find(request)))

    async def _image(self, request: web.Request) -> web.Response:
        phone, card = self._find_card(request)
        name = request.match_info["image"]
        raw = card.file.image(name, phone.language) if name in IMAGES else None
        if raw is None:
            raise web.HTTPNotFound(text="The pass has no such picture.")
        return web.Response(body=raw, content_type="image/png", headers={"Cache-Control": "private, max-age=3600"})

    async def _code(self, request: web.Request) -> web.Response:
        _, card = self._find_card(request)
        drawing = code_svg(card.file)
        if drawing is None:
            raise web.HTTPNotFound(text="The pass has no QR code.")
        return web.Response(
            body=drawing, content_type="image/svg+xml", headers={"Cache-Control": "private, max-age=3600"}
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: `phones` names phones that changed, `state` is the answer of /state."""
        if self._streams >= MAX_STREAMS:
            raise web.HTTPServiceUnavailable(text="Too many pages follow the sandbox; close some.")
        response = web.StreamResponse(headers=HEADERS | {"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self._streams += 1
        try:
            await self._follow(response)
        except (ConnectionError, asyncio.CancelledError):
            return response
        finally:
            self._streams -= 1
        return response

    async def _follow(self, response: web.StreamResponse) -> None:
        told, quiet = "", 0
        with self._sandbox.fleet.subscribe() as happenings:
            while True:
                notice = await happenings.next(QUIET_SECONDS)
                if notice is not None:
                    await asyncio.sleep(GATHER_SECONDS)
                    changed = {notice.device_id: None}
                    lost = notice.lost
                    while (more := happenings.next_now()) is not None:
                        changed[more.device_id] = None
                        lost += more.lost
                    await _tell(response, "phones", {"ids": list(changed), "lost": lost})
                quiet = 0 if notice is not None else quiet + 1
                state = json.dumps(self._now())
                if state != told or quiet % PING_AFTER == PING_AFTER - 1:
                    told = state
                    await _tell(response, "state", self._now())

    # What there is to do

    async def _add(self, request: web.Request) -> web.Response:
        asked = await body_of(request, {"language": str, "name": str})
        try:
            phone = self._sandbox.fleet.add_phone(asked.get("language", "en")[:20], asked.get("name", "")[:60])
        except ValueError as error:
            raise web.HTTPConflict(text=str(error)) from error
        return answer(full(phone), 201)

    async def _discard(self, request: web.Request) -> web.Response:
        self._sandbox.fleet.remove_phone(self._find(request).device_id)
        return answer({"phones": len(self._sandbox.fleet.phones)})

    async def _open(self, request: web.Request) -> web.Response:
        phone, asked = self._find(request), await body_of(request, {"url": str})
        if urlsplit(asked.get("url", "")).scheme not in ("http", "https"):
            raise web.HTTPUnprocessableEntity(text="Give the web address of a pass, as url.")
        await phone.open(asked["url"])
        return answer(full(phone))

    async def _deed(self, request: web.Request) -> web.Response:
        """Answers after PATIENCE_SECONDS at the latest: a phone may go on trying to reach a server that is away."""
        phone, fleet = self._find(request), self._sandbox.fleet
        match request.match_info["deed"]:
            case "online":
                work = fleet.spawn(phone.online())
            case "restore":
                work = fleet.spawn(fleet.restore(phone.device_id))
            case "reboot":
                work = fleet.spawn(phone.reboot())
            case _:
                phone.offline()
                return answer(full(phone))
        await asyncio.wait([work], timeout=PATIENCE_SECONDS)
        return answer(full(phone))

    async def _settings(self, request: web.Request) -> web.Response:
        phone = self._find(request)
        asked = await body_of(request, {"notifications": bool, "automatic_updates": bool})
        phone.settings.notifications = asked.get("notifications", phone.settings.notifications)
        if "automatic_updates" in asked:
            phone.set_automatic_updates(asked["automatic_updates"])
        return answer(full(phone))

    async def _card_deed(self, request: web.Request) -> web.Response:
        phone, card = self._find_card(request)
        deed = phone.remove if request.match_info["deed"] == "remove" else phone.pull_to_refresh
        await asyncio.wait([self._sandbox.fleet.spawn(deed(card.key))], timeout=PATIENCE_SECONDS)
        return answer(full(phone))

    async def _card_settings(self, request: web.Request) -> web.Response:
        phone, card = self._find_card(request)
        asked = await body_of(request, {"notifications": bool, "automatic_updates": bool})
        card.notifications = asked.get("notifications", card.notifications)
        if "automatic_updates" in asked:
            phone.set_card_updates(card.key, asked["automatic_updates"])
        return answer(full(phone))

    async def _apns(self, request: web.Request) -> web.Response:
        asked, apns = await body_of(request, {"mode": str}), self._sandbox.apns
        mode = asked.get("mode", "")
        if apns is None:
            raise web.HTTPNotFound(text="There is no APNs server here.")
        if mode == "goodbye":
            apns.say_goodbye()
            return answer(self._now())
        orders = _orders()
        if mode not in orders:
            raise web.HTTPUnprocessableEntity(text=f"mode is one of {', '.join([*orders, 'goodbye'])}.")
        apns.tell(orders[mode])
        if mode == "down" and self.apns_mode != "down":
            await apns.stop()
        elif mode != "down" and self.apns_mode == "down":
            await apns.start()
        self.apns_mode = mode
        return answer(self._now())

    async def _pull_the_plug(self, _request: web.Request) -> web.Response:
        """Kill the server and start it again; answers when it is back. 409 while that is going on."""
        supervisor = self._sandbox.supervisor
        if supervisor is None:
            raise web.HTTPNotFound(text="There is no server here whose plug could be pulled.")
        if self._plug is not None and not self._plug.done():
            raise web.HTTPConflict(text="The plug is pulled already; the server is coming back.")
        self._plug = asyncio.create_task(supervisor.kill_and_restart())
        try:
            await asyncio.shield(self._plug)
        except ServerFailed as error:
            raise web.HTTPBadGateway(text=str(error)) from error
        return answer(self._now())


def _orders() -> dict[str, Answer | None]:
    """What APNs is told in each mode; `down` takes it off the network besides."""
    return {
        "normal": None,
        "slow": Answer(delay_seconds=SLOW_SECONDS),
        "silent": Answer(silent=True),
        "gone": Answer(410, "Unregistered", timestamp=datetime.now(UTC)),
        "bad_token": Answer(400, "BadDeviceToken"),
        "busy": Answer(429, "TooManyRequests", retry_after_seconds=2),
        "error": Answer(500, "InternalServerError"),
        "unavailable": Answer(503, "ServiceUnavailable"),
        "forbidden": Answer(403, "BadCertificate"),
        "down": None,
    }


async def _tell(response: web.StreamResponse, event: str, content: object) -> None:
    await response.write(f"event: {event}\ndata: {json.dumps(content)}\n\n".encode())


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
