"""Owns phones on disk: one folder each, a JSON file and the passes beside it, so that phones outlive the sandbox.

A pass is written before the JSON that names it, and the JSON is replaced in one step: whenever the power goes, a phone
comes back as it was at some moment, never half.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from wallet_server.sandbox.passes import PassRefused, open_pass
from wallet_server.sandbox.phones.lockscreen import Alert
from wallet_server.sandbox.phones.model import Card
from wallet_server.sandbox.phones.phone import Phone

Fill = Callable[[Phone], None]
FLUSH_SECONDS = 0.3
MAX_LOADED = 100_000


class PhoneStore:
    """Writes changed phones a moment later, in a thread, many at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._dirty: dict[str, Phone] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._flush()

    def mark(self, phone: Phone) -> None:
        self._dirty[phone.device_id] = phone

    def forget(self, device_id: str) -> None:
        self._dirty.pop(device_id, None)
        shutil.rmtree(self._folder / device_id, ignore_errors=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self._flush()

    async def _flush(self) -> None:
        dirty, self._dirty = self._dirty, {}
        pictures = [(device_id, *_picture(phone)) for device_id, phone in dirty.items()]
        if pictures:
            await asyncio.shield(asyncio.to_thread(self._write, pictures))

    def _write(self, pictures: list[tuple[str, dict[str, Any], dict[str, bytes]]]) -> None:
        for device_id, document, passes in pictures:
            folder = self._folder / device_id
            folder.mkdir(parents=True, exist_ok=True)
            for name, raw in passes.items():
                if not (folder / name).exists():
                    _replace(folder / name, raw)
            _replace(folder / "phone.json", json.dumps(document, indent=1).encode())
            for stale in folder.glob("*.pkpass"):
                if stale.name not in passes:
                    stale.unlink()

    def load(self) -> list[tuple[str, str, Fill]]:
        """Device id, push token and what fills the phone again. A folder that cannot be read is left alone."""
        found: list[tuple[str, str, Fill]] = []
        for path in sorted(self._folder.glob("*/phone.json"))[:MAX_LOADED]:
            with suppress(OSError, ValueError, KeyError, TypeError, PassRefused):
                document = json.loads(path.read_bytes())
                cards = [(_card(path.parent, item), item) for item in document["cards"]]
                found.append((document["device_id"], document["push_token"], _filler(document, cards)))
        found.sort(key=lambda item: item[0])
        return found


def _picture(phone: Phone) -> tuple[dict[str, Any], dict[str, bytes]]:
    names = {key: hashlib.sha256(card.file.raw).hexdigest()[:32] + ".pkpass" for key, card in phone.cards.items()}
    document = {
        "device_id": phone.device_id,
        "push_token": phone.push_token,
        "language": phone.language,
        "name": phone.name,
        "is_online": phone.is_online,
        "settings": vars(phone.settings),
        "tags": [[base, pass_type, tag] for (base, pass_type), tag in phone.tags.items()],
        "lock_screen": [
            [alert.at.isoformat(), alert.title, alert.text, alert.pass_type, alert.serial]
            for alert in phone.lock_screen
        ],
        "cards": [
            {"file": names[key], **{name: getattr(card, name) for name in _NOTES}} for key, card in phone.cards.items()
        ],
    }
    return document, {names[key]: card.file.raw for key, card in phone.cards.items()}


_NOTES = ("last_modified", "registered", "refused", "owed", "notifications", "automatic_updates")


def _card(folder: Path, item: dict[str, Any]) -> Card:
    name = Path(item["file"]).name
    file = open_pass((folder / name).read_bytes(), None)
    return Card(file, **{note: item[note] for note in _NOTES})


def _filler(document: dict[str, Any], cards: list[tuple[Card, dict[str, Any]]]) -> Fill:
    def fill(phone: Phone) -> None:
        phone.language, phone.name = document["language"], document["name"]
        phone.is_online = document["is_online"]
        phone.settings.notifications = document["settings"]["notifications"]
        phone.settings.automatic_updates = document["settings"]["automatic_updates"]
        phone.tags.update({(base, pass_type): tag for base, pass_type, tag in document["tags"]})
        phone.cards.update({card.key: card for card, _ in cards})
        for at, *rest in document["lock_screen"]:
            phone.lock_screen.append(Alert(datetime.fromisoformat(at), *rest))

    return fill


def _replace(path: Path, raw: bytes) -> None:
    draft = path.with_suffix(".part")
    draft.write_bytes(raw)
    draft.replace(path)
