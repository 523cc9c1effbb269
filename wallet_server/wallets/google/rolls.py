"""Owns the walk over the objects that Google has of an issuer: which of them somebody holds.

Google lists objects by class and classes by issuer, both in pages; a place in the walk is a class kind, the page of
classes, the class in it and the page of its objects, so that a walk goes on after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from wallet_server.wallets.google.pushing import Push
from wallet_server.wallets.port import Roll

KINDS = ("loyalty", "giftCard", "offer", "eventTicket")
CLASSES, OBJECTS = 100, 200
"""Classes and objects asked for at once."""
MOST_CHARACTERS = 4000


@dataclass(frozen=True)
class _Place:
    kind: int = 0
    classes: str = ""
    number: int = 0
    objects: str = ""

    def written(self) -> str:
        return json.dumps([self.kind, self.classes, self.number, self.objects])


def page(push: Push, issuer: str, programmes: Sequence[str], after: str | None) -> Roll:
    """The next objects, of classes of these programmes alone; a place of another form begins anew. Raises
    `pushing.Stopped`."""
    place = _read(after)
    kind = KINDS[place.kind]
    there = listed(push, f"{kind}Class", {"issuerId": issuer, "maxResults": CLASSES}, place.classes)
    ours = [name for one in there["resources"] if _ours(name := str(one.get("id", "")), issuer, programmes)]
    if place.number >= len(ours):
        following = _after_classes(place, there["next"])
        return Roll({}, None if following is None else following.written())
    found = listed(push, f"{kind}Object", {"classId": ours[place.number], "maxResults": OBJECTS}, place.objects)
    mark = f"{issuer}."
    held = {
        str(one["id"]).removeprefix(mark): one["hasUsers"]
        for one in found["resources"]
        if str(one.get("id", "")).startswith(mark) and isinstance(one.get("hasUsers"), bool)
    }
    if found["next"]:
        following = _Place(place.kind, place.classes, place.number, found["next"])
    elif place.number + 1 < len(ours):
        following = _Place(place.kind, place.classes, place.number + 1)
    else:
        following = _after_classes(place, there["next"])
    return Roll(held, None if following is None else following.written())


def _after_classes(place: _Place, token: str) -> _Place | None:
    if token:
        return _Place(place.kind, token)
    return _Place(place.kind + 1) if place.kind + 1 < len(KINDS) else None


def _ours(class_id: str, issuer: str, programmes: Sequence[str]) -> bool:
    name = class_id.removeprefix(f"{issuer}.")
    return any(name == one or name.startswith(f"{one}_") for one in programmes)


def listed(push: Push, kind: str, query: Mapping[str, Any], token: str) -> dict[str, Any]:
    """A page of Google's: `resources`, and the token of the `next` page, empty for the last. Raises
    `pushing.Stopped`."""
    asked = {**query, "token": token} if token else dict(query)
    body = push.success("GET", f"{kind}?{urlencode(asked)}").body
    rows, pages = body.get("resources"), body.get("pagination")
    following = pages.get("nextPageToken") if isinstance(pages, dict) else None
    return {
        "resources": [one for one in rows if isinstance(one, dict)] if isinstance(rows, list) else [],
        "next": following if isinstance(following, str) and following != token else "",
    }


def _read(after: str | None) -> _Place:
    try:
        kind, classes, number, objects = json.loads((after or "")[:MOST_CHARACTERS] or '[0,"",0,""]')
        place = _Place(int(kind), str(classes), int(number), str(objects))
    except (ValueError, TypeError):
        return _Place()
    return place if 0 <= place.kind < len(KINDS) and place.number >= 0 else _Place()
