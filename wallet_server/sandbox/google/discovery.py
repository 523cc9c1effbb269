"""Owns Google's own description of the Wallet API: the discovery document that its client package carries, its routes
and its schemas as JSON Schema.

Nothing of that package is run: the document is read as a file. Source: google-api-python-client, discovery_cache.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Self

PLACE = "discovery_cache/documents/walletobjects.v1.json"
MISSING = "For Android phones too, install the extra: pip install 'wallet-server[sandbox]'."
INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1}
INT64 = r"^-?[0-9]{1,19}$"

_KIND = re.compile(r'Value: the fixed string `"(walletobjects#\w+)"`')


class NoDiscovery(Exception):
    """Google's document is not installed; the text says how to get it."""


@dataclass(frozen=True)
class Method:
    """One method of the API. `resource` and `verb` are the last words of its id, in Google's spelling and small
    letters; `kind` is the resource's segment in the address, such as loyaltyObject."""

    id: str
    http: str
    path: str
    resource: str
    verb: str
    kind: str
    request: str | None
    response: str | None
    queries: frozenset[str]


@dataclass
class _Fork:
    """A segment of an address: what may follow it, and the methods that end here."""

    named: dict[str, _Fork] = field(default_factory=dict)
    any: _Fork | None = None
    ends: dict[str, Method] = field(default_factory=dict)


class Discovery:
    """The document. Make it with `Discovery.load()`, once: its routes and schemas are compiled then."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.revision = str(document["revision"])
        self.methods = _methods(document)
        self.definitions = {name: _converted(schema) for name, schema in document["schemas"].items()}
        self._root = _Fork()
        for method in self.methods:
            self._plant(method, method.path)
        for path, method in _uploads(document, self.methods):
            self._plant(method, path)

    @classmethod
    def load(cls) -> Self:
        """The installed document. Raises NoDiscovery."""
        try:
            text = (files("googleapiclient") / PLACE).read_text("utf-8")
        except (ModuleNotFoundError, FileNotFoundError) as fault:
            raise NoDiscovery(MISSING) from fault
        return cls(json.loads(text))

    def find(self, http: str, path: str) -> tuple[Method, str] | tuple[None, bool]:
        """The method behind an address without its query, and the resource's id in it ("" without one); or None, and
        whether the address is there for another word than `http`."""
        fork, resource = self._root, ""
        for segment in path.strip("/").split("/")[:8]:
            if segment in fork.named:
                fork = fork.named[segment]
            elif fork.any is not None and segment:
                fork, resource = fork.any, segment
            else:
                return None, False
        method = fork.ends.get(http)
        return (method, resource) if method else (None, bool(fork.ends))

    def json_schema(self, name: str, *, partial: bool = False) -> dict[str, Any]:
        """A schema of the document as JSON Schema 2020-12. `partial`: as for PATCH, where nothing is required."""
        definitions = self.definitions
        if partial:
            definitions = {
                name: {key: value for key, value in one.items() if key != "required"}
                for name, one in definitions.items()
            }
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": f"#/$defs/{name}",
            "$defs": definitions,
        }

    def _plant(self, method: Method, path: str) -> None:
        fork = self._root
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                fork.any = fork = fork.any or _Fork()
            else:
                fork = fork.named.setdefault(segment, _Fork())
        fork.ends[method.http] = method


def _methods(document: Mapping[str, Any]) -> tuple[Method, ...]:
    found = []
    shared = frozenset(document["parameters"])
    forests = [document["resources"]]
    while forests:
        for resource in forests.pop().values():
            forests.append(resource.get("resources", {}))
            for raw in resource.get("methods", {}).values():
                own = {name for name, one in raw.get("parameters", {}).items() if one["location"] == "query"}
                path = raw.get("flatPath") or raw["path"]
                *_, owner, verb = raw["id"].split(".")
                found.append(
                    Method(
                        id=raw["id"],
                        http=raw["httpMethod"],
                        path=path,
                        resource=owner.lower(),
                        verb=verb.lower(),
                        kind=path.split("/")[2],
                        request=raw.get("request", {}).get("$ref"),
                        response=raw.get("response", {}).get("$ref"),
                        queries=shared | own,
                    )
                )
    return tuple(found)


def _uploads(document: Mapping[str, Any], methods: tuple[Method, ...]) -> list[tuple[str, Method]]:
    """The second address of whatever takes a file."""
    raw = document["resources"].get("media", {}).get("methods", {}).get("upload")
    by_id = {method.id: method for method in methods}
    return [(raw["mediaUpload"]["protocols"]["simple"]["path"], by_id[raw["id"]])] if raw else []


def _converted(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of the discovery format as JSON Schema. What only Google's prose says of it goes along: whether it is
    required, the `kind` that its answers carry (`x-kind`) and the old spellings of an enum (`x-old`)."""
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{schema['$ref']}"}
    match schema["type"], schema.get("format"):
        case "object", _:
            return _object(schema)
        case "array", _:
            return {"type": "array", "items": _converted(schema["items"])}
        case "integer", "int32":
            return {"type": "integer", **INT32}
        case "integer", _:
            return {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
        case "string", "int64" | "uint64":
            return {"type": ["string", "integer"], "pattern": INT64}
        case kind, _:
            return {"type": kind, **_enum(schema)}


def _object(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    made: dict[str, Any] = {
        "type": "object",
        "properties": {name: _converted(one) for name, one in properties.items()},
        "additionalProperties": False,
    }
    # The document marks a required field in no other way than by the first word of its description.
    required = [name for name, one in properties.items() if one.get("description", "").startswith("Required.")]
    if required:
        made["required"] = required
    named = _KIND.search(properties.get("kind", {}).get("description", ""))
    return made | ({"x-kind": named[1]} if named else {})


def _enum(schema: Mapping[str, Any]) -> dict[str, Any]:
    values = schema.get("enum")
    if not values:
        return {}
    old, said = {}, schema.get("enumDescriptions", ())
    for value, text in zip(values, said, strict=False):
        named = re.search(r"Legacy alias for `(\w+)`", text)
        if named:
            old[value] = named[1]
    return {"enum": list(values), "x-old": old}
