"""Owns how a phone reads a list of changed passes, insists on an answer, and reports faults to the server's log."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from wallet_server.sandbox.phones.model import Retry, World
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


def log_unchanged(serial: str, since: str | None, listed: bool) -> str | None:
    """What iOS logs about a pass that came whole although nothing changed; None when nobody is to blame."""
    if since is not None:
        return (
            f"Server ignored the 'if-modified-since' header ({since}) and returned the full unchanged pass data "
            f"for serial number '{serial}'."
        )
    return f"Server requested update to serial number '{serial}', but the pass was unchanged." if listed else None


async def insist(
    attempt: Callable[[], Awaitable[Answer]],
    retry: Retry,
    is_online: Callable[[], bool],
    failed: Callable[[str], None],
) -> Answer | None:
    """Try until there is an answer that a retry would not change. None: no network; a bad last answer as it is."""
    answer = None
    for number in range(retry.attempts):
        if not is_online():
            return None
        answer = await attempt()
        if not answer.worth_retrying or number + 1 == retry.attempts:
            break
        failed(answer.reason or f"status {answer.status}")
        pause = min(retry.first_seconds * 2**number, retry.limit_seconds)
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))
    return answer


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
