"""Owns a phone for tests of the use cases: it keeps tags, pass and Last-Modified as Apple's protocol wants it.

No network and no signature check: the sandbox's phones do that, in the stories.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.world import PASS_TYPE, Holder, World
from wallet_server.actions.passes import devices
from wallet_server.actions.people import enrol

STYLES = ("headerFields", "primaryFields", "secondaryFields", "auxiliaryFields", "backFields")


def opened(body: bytes) -> dict[str, Any]:
    """pass.json of a pass file."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return dict(json.loads(archive.read("pass.json")))


def fields(card: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every field of a store card by its key."""
    return {one["key"]: one for style in STYLES for one in card["storeCard"].get(style, [])}


def ringing(card: dict[str, Any]) -> list[str]:
    """The keys of the fields that carry a changeMessage."""
    return [key for key, one in fields(card).items() if "changeMessage" in one]


@dataclass
class Phone:
    """One device with one card; `heard` lists the keys whose change was announced on its screen, in order."""

    world: World
    holder: Holder
    library: str = "library-1"
    token: str = "ab" * 32
    kind: str = "apns"
    tag: str | None = None
    modified: datetime | None = None
    card: dict[str, Any] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    versions: int = 0

    def add(self) -> Phone:
        """Download the pass through its link and register."""
        link = enrol.download_link(self.world.ctx, self.holder.pass_public_id)
        body, _, self.modified = enrol.download(self.world.ctx, link.split("/passes/")[1].split("/")[0])
        self.card = opened(body)
        self.register()
        return self

    def register(self) -> bool:
        """Tell the service that the pass is held here."""
        ctx, holder = self.world.ctx, self.holder
        return devices.register(ctx, self.library, PASS_TYPE, holder.serial, holder.token, self.kind, self.token)

    def unregister(self) -> None:
        """The pass was removed."""
        devices.unregister(self.world.ctx, self.library, PASS_TYPE, self.holder.serial, self.holder.token)

    def rung(self) -> bool:
        """Whether the service would have rung this phone since it was last asked."""
        tokens = {handle.push_token for stale in self.world.told.rung for handle in stale.handles}
        self.world.told.rung.clear()
        return self.token in tokens

    def ask(self) -> list[str]:
        """Serial numbers that changed since the phone last asked."""
        found = devices.changed_since(self.world.ctx, self.library, PASS_TYPE, self.tag)
        if found is None:
            return []
        serials, self.tag = found
        return serials

    def pull(self) -> bool:
        """Ask, and fetch the card if it is listed; True when a new version came."""
        if self.holder.serial not in self.ask():
            return False
        got = devices.fetch(self.world.ctx, PASS_TYPE, self.holder.serial, self.holder.token, self.modified)
        if got.body is None:
            return False
        new = opened(got.body)
        before, after = fields(self.card), fields(new)
        changed = [key for key in ringing(new) if key in before and before[key]["value"] != after[key]["value"]]
        assert len(ringing(new)) <= 1, "two alerts in one version collapse into a generic one"
        assert self.modified is None or got.last_modified > self.modified
        self.heard += changed
        self.card, self.modified = new, got.last_modified
        self.versions += 1
        return True

    def value(self, key: str) -> Any:
        """What a field shows."""
        return fields(self.card)[key]["value"]
