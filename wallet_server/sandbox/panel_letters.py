"""Owns the letterboxes on the sandbox's page: what came by e-mail and short message, and how the two servers answer."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from wallet_server.sandbox.letterboxes import MODES, Letterboxes
from wallet_server.sandbox.panel_json import answer, body_of, number_of

SHOWN, MOST_SHOWN, MOST_TEXT = 20, 500, 2000


class LetterRooms:
    """What the page asks about letters."""

    def __init__(self, boxes: Letterboxes) -> None:
        self._boxes = boxes

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/letters", self._letters), web.post("/letters", self._tell)]

    def state(self) -> dict[str, Any]:
        """What /state says of letters: how many came, and how each server answers."""
        return {"came": self._boxes.came, "modes": dict(self._boxes.modes)}

    async def _letters(self, request: web.Request) -> web.Response:
        """`?to=` asks for one address; the newest first."""
        most = number_of(request, "limit", SHOWN, MOST_SHOWN)
        found = self._boxes.letters(request.query.get("to", ""))[::-1][:most]
        shown = [
            {
                "number": one.number,
                "at": one.at.isoformat(),
                "kind": one.kind,
                "to": one.to,
                "from": one.sender,
                "subject": one.subject,
                "text": one.text[:MOST_TEXT],
            }
            for one in found
        ]
        return answer({"letters": shown, "came": self._boxes.came})

    async def _tell(self, request: web.Request) -> web.Response:
        asked = await body_of(request, {"kind": str, "mode": str})
        try:
            self._boxes.tell(asked.get("kind", ""), asked.get("mode", ""))
        except ValueError as fault:
            raise web.HTTPUnprocessableEntity(text=f"{fault} kind is email or phone; {len(MODES)} modes.") from fault
        return answer(self.state())
