"""Owns how a phone reads a list of changed passes, and how it reports faults to the server's /v1/log."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from wallet_server.sandbox.phones.model import World
from wallet_server.sandbox.phones.webservice import Answer

MAX_SERIALS = 10_000
MAX_LINES = 50
GATHER_SECONDS = 0.05


@dataclass(frozen=True)
class Listing:
    """What changed: serial numbers, and the tag to ask with next time (None keeps the last one)."""

    serials: tuple[str, ...]
    tag: str | None


def read_listing(answer: Answer) -> Listing | str:
    """The list in an answer to "what changed?", or the fault as iOS would word it.

    A list whose lastUpdated is not a text is refused: Apple asks for a string.
    """
    if answer.status == 204:
        return Listing((), None)
    if answer.status != 200:
        return f"Unexpected response code {answer.status}" if answer.status else answer.reason
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "The response is not JSON"
    if not isinstance(body, dict) or not isinstance(body.get("lastUpdated"), str):
        return "The response has no lastUpdated string"
    serials = body.get("serialNumbers")
    if not isinstance(serials, list) or not all(isinstance(item, str) for item in serials):
        return "The response has no serialNumbers"
    return Listing(tuple(serials[:MAX_SERIALS]), body["lastUpdated"])


class LogBook:
    """Lines that wait to be sent to a server's log: gathered for a moment, sent once, never retried."""

    def __init__(self, world: World, device_id: str) -> None:
        self._world = world
        self._device_id = device_id
        self._lines: dict[str, list[str]] = {}

    def write(self, base: str, line: str) -> None:
        lines = self._lines.setdefault(base, [])
        if not lines:
            self._world.spawn(self._send(base))
        if len(lines) < MAX_LINES:
            lines.append(f"[{self._world.now():%Y-%m-%d %H:%M:%S} +0000] {line}")

    async def _send(self, base: str) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        await self._world.web.log(base, self._lines.pop(base, []))
