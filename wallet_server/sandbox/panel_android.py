"""Owns the Android half of the sandbox's page: phones with their passes and lock screens, and Google's behaviour."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from wallet_server.sandbox.google.drawing import Drawing
from wallet_server.sandbox.google.fleet import AndroidFleet
from wallet_server.sandbox.google.phone import AndroidPhone, Held, SaveRefused
from wallet_server.sandbox.google.switches import Order
from wallet_server.sandbox.google.view import card_view, code_svg, held_by, lock_screen, summary
from wallet_server.sandbox.panel_json import answer, body_of, number_of

PAGE_OF_PHONES = 100
SHOWN_EVENTS = 30
SLOW_SECONDS = 3.0
MAX_LINK = 8000
MODES: dict[str, Order | None] = {
    "normal": None,
    "slow": Order(delay_seconds=SLOW_SECONDS),
    "busy": Order(429, retry_after_seconds=2),
    "crowded": Order(429),
    "error": Order(500),
    "unavailable": Order(503, retry_after_seconds=2),
    "lost": Order(lost=True),
    "denied": Order(403),
    "no_locations": None,
    "duplicates": None,
    "down": None,
}


class AndroidRooms:
    """What the page asks about Android phones and about Google. `mode` is one of MODES."""

    def __init__(self, fleet: AndroidFleet) -> None:
        self.mode = "normal"
        self._fleet = fleet
        self._drawing = Drawing()

    def routes(self) -> list[web.RouteDef]:
        phone = "/androids/{phone:[0-9a-f]{32}}"
        card = phone + "/cards/{card:[0-9a-f]{16}}"
        return [
            web.get("/androids", self._phones),
            web.post("/androids", self._add),
            web.get(phone, self._phone),
            web.delete(phone, self._discard),
            web.post(phone + "/open", self._open),
            web.post(phone + "/settings", self._settings),
            web.post(phone + "/{deed:online|offline}", self._deed),
            web.post(card + "/remove", self._remove),
            web.post(card + "/settings", self._card_settings),
            web.get(card + "/code.svg", self._code),
            web.get(card + "/pictures/{number:[0-9]{1,2}}", self._picture),
            web.post("/google", self._google),
        ]

    def state(self) -> dict[str, Any]:
        """What /state says of Android phones."""
        google = self._fleet.google
        return {
            "mode": self.mode,
            "phones": len(self._fleet.phones),
            "changes": self._fleet.changes,
            "alerts": self._fleet.counters["alert"],
            "updates": self._fleet.counters["updated"],
            "calls": sum(google.counts.values()),
            "callbacks": google.callbacks.counts["sent"],
            "callbacks_failed": google.callbacks.counts["failed"] + google.callbacks.counts["forbidden"],
        }

    # What there is to see

    def _full(self, phone: AndroidPhone) -> dict[str, Any]:
        now = self._fleet.google.clock()
        views = [card_view(held, phone.language, now, phone.linked(held)) for held in phone.cards.values()]
        base = f"/androids/{phone.device_id}/cards"
        return summary(phone) | {
            "notifications": phone.notifications,
            "lock_screen": lock_screen(phone),
            "events": [
                {"at": one.at.isoformat(), "kind": one.kind, "text": one.text}
                for one in list(phone.events)[: -SHOWN_EVENTS - 1 : -1]
            ],
            "passes": [
                {
                    "id": view.id,
                    "object_id": view.object_id,
                    "title": view.title,
                    "state": view.state,
                    "rows": [[{"label": part.label, "value": part.value} for part in row] for row in view.rows],
                    "code": view.code.value if view.code else None,
                    "messages": [
                        {"header": note.header, "body": "".join(part.text for part in note.body)}
                        for note in view.messages
                    ],
                    "notifications": view.notifications,
                    "images": {"icon": f"{base}/{view.id}/pictures/0?v={view.version}" if view.logo else None},
                    "html": self._drawing.card(view, f"{base}/{view.id}"),
                }
                for view in views
            ],
        }

    async def _phones(self, request: web.Request) -> web.Response:
        offset, limit = (
            number_of(request, "offset", 0, 10**6),
            number_of(request, "limit", PAGE_OF_PHONES, PAGE_OF_PHONES),
        )
        phones = list(self._fleet.phones.values())
        return answer({"phones": [summary(one) for one in phones[::-1][offset : offset + limit]], "total": len(phones)})

    async def _phone(self, request: web.Request) -> web.Response:
        return answer(self._full(self._find(request)))

    async def _code(self, request: web.Request) -> web.Response:
        phone, held = self._find_card(request)
        view = card_view(held, phone.language, self._fleet.google.clock(), phone.linked(held))
        drawing = code_svg(view.code.value) if view.code and view.code.drawn else None
        if drawing is None:
            raise web.HTTPNotFound(text="The pass has no QR code.")
        return web.Response(body=drawing, content_type="image/svg+xml")

    async def _picture(self, request: web.Request) -> web.Response:
        phone, held = self._find_card(request)
        images = card_view(held, phone.language, self._fleet.google.clock()).images
        number = int(request.match_info["number"])
        found = await self._fleet.picture(images[number]) if number < len(images) else None
        if found is None:
            raise web.HTTPNotFound(text="The pass has no such picture, or it cannot be fetched.")
        return web.Response(body=found[1], content_type=found[0], headers={"Cache-Control": "private, max-age=3600"})

    # What there is to do

    async def _add(self, request: web.Request) -> web.Response:
        asked = await body_of(request, {"language": str, "name": str})
        try:
            phone = self._fleet.add_phone(asked.get("language", "en")[:20], asked.get("name", "")[:60])
        except ValueError as error:
            raise web.HTTPConflict(text=str(error)) from error
        return answer(self._full(phone), 201)

    async def _discard(self, request: web.Request) -> web.Response:
        self._fleet.remove_phone(self._find(request).device_id)
        return answer({"phones": len(self._fleet.phones)})

    async def _open(self, request: web.Request) -> web.Response:
        phone, asked = self._find(request), await body_of(request, {"url": str})
        try:
            await phone.open(asked.get("url", "")[:MAX_LINK])
        except SaveRefused as refused:
            raise web.HTTPUnprocessableEntity(text=str(refused)) from refused
        return answer(self._full(phone))

    async def _settings(self, request: web.Request) -> web.Response:
        phone, asked = self._find(request), await body_of(request, {"notifications": bool})
        phone.notifications = asked.get("notifications", phone.notifications)
        self._fleet.told(phone, "settings")
        return answer(self._full(phone))

    async def _deed(self, request: web.Request) -> web.Response:
        phone = self._find(request)
        if request.match_info["deed"] == "online":
            phone.online()
        else:
            phone.offline()
        return answer(self._full(phone))

    async def _remove(self, request: web.Request) -> web.Response:
        phone, held = self._find_card(request)
        phone.remove(held.id)
        return answer(self._full(phone))

    async def _card_settings(self, request: web.Request) -> web.Response:
        phone, held = self._find_card(request)
        asked = await body_of(request, {"notifications": bool})
        held.notifications = asked.get("notifications", held.notifications)
        self._fleet.told(phone, "settings")
        return answer(self._full(phone))

    async def _google(self, request: web.Request) -> web.Response:
        asked, google = await body_of(request, {"mode": str}), self._fleet.google
        mode = asked.get("mode", "")
        if mode not in MODES:
            raise web.HTTPUnprocessableEntity(text=f"mode is one of {', '.join(MODES)}.")
        google.tell(MODES[mode])
        google.switches.duplicates = 2 if mode == "duplicates" else 1
        for issuer in google.accounts.issuers:
            google.allow_locations(issuer, allowed=mode != "no_locations")
        if mode == "down" and self.mode != "down":
            await google.stop()
        elif mode != "down" and self.mode == "down":
            await google.start()
        self.mode = mode
        return answer(self.state())

    def _find(self, request: web.Request) -> AndroidPhone:
        phone = self._fleet.phones.get(request.match_info["phone"])
        if phone is None:
            raise web.HTTPNotFound(text="There is no such phone.")
        return phone

    def _find_card(self, request: web.Request) -> tuple[AndroidPhone, Held]:
        phone = self._find(request)
        held = held_by(phone, request.match_info["card"])
        if held is None:
            raise web.HTTPNotFound(text="There is no such pass on this phone.")
        return phone, held
