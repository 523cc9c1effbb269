"""Owns how Google's schemas judge a body, spell its enums and fill in its kinds: compiled once, in Google's words.

The words and shapes of faults are those of Google's API front end, seen in public reports. Enums: every spelling of
the document is taken; answers carry the old one, as Google's recorded answers do ("state": "active",
"genericType": "genericTypeUnspecified").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wallet_server.sandbox.google.discovery import INT64, Discovery

MAX_FAULTS = 20
MAX_DEPTH = 24
_INT64 = re.compile(INT64)
_NAMES = {"string": "TYPE_STRING", "boolean": "TYPE_BOOL", "number": "TYPE_DOUBLE", "integer": "TYPE_INT32"}


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a body: where (Google's dotted path) and what."""

    field: str
    description: str


@dataclass
class _Node:
    """A compiled schema. `read` gives the present spelling of an enum's value, `written` the one of answers."""

    type: str
    properties: dict[str, _Node] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    items: _Node | None = None
    lowest: int = 0
    highest: int = 0
    read: dict[str, str] | None = None
    written: dict[str, str] = field(default_factory=dict)
    kind: str | None = None


class Schemas:
    """Every schema of the document, compiled when it is first asked for."""

    def __init__(self, discovery: Discovery) -> None:
        self._definitions = discovery.definitions
        self._nodes: dict[str, _Node] = {}

    def faults(self, name: str, body: object, *, partial: bool = False) -> list[Fault]:
        """What is wrong with a body without nulls; nothing is required of a partial one."""
        found: list[Fault] = []
        _judge(self._node(name), body, "", partial, 0, found)
        return found

    def read(self, name: str, body: Any) -> Any:
        """The body with the present spelling of each enum. Nulls pass."""
        return _spelled(self._node(name), body, answer=False)

    def write(self, name: str, body: Any) -> Any:
        """The body as an answer spells it: old enums, and the kind of each part that has one."""
        return _spelled(self._node(name), body, answer=True)

    def has(self, name: str, property_name: str) -> bool:
        """Whether a schema has a property."""
        return property_name in self._definitions.get(name, {}).get("properties", {})

    def _node(self, name: str) -> _Node:
        node = self._nodes.get(name)
        if node is None:
            node = self._nodes[name] = _Node("object")
            self._compile(node, self._definitions[name])
        return node

    def _compile(self, node: _Node, schema: Mapping[str, Any]) -> None:
        kind = schema["type"]
        node.type = "int64" if isinstance(kind, list) else kind
        node.required = tuple(schema.get("required", ()))
        node.kind = schema.get("x-kind")
        node.lowest, node.highest = schema.get("minimum", 0), schema.get("maximum", 0)
        if "enum" in schema:
            old = schema["x-old"]
            node.read = {value: old.get(value, value) for value in schema["enum"]}
            node.written = {value: _camel(value) for value in schema["enum"] if value not in old}
            node.written |= {new: value for value, new in reversed(old.items())}
        for name, one in schema.get("properties", {}).items():
            node.properties[name] = self._child(one)
        if "items" in schema:
            node.items = self._child(schema["items"])

    def _child(self, schema: Mapping[str, Any]) -> _Node:
        if "$ref" in schema:
            return self._node(schema["$ref"].removeprefix("#/$defs/"))
        node = _Node("")
        self._compile(node, schema)
        return node


def _camel(value: str) -> str:
    first, *rest = value.lower().split("_")
    return first + "".join(word.capitalize() for word in rest)


def _judge(node: _Node, value: object, path: str, partial: bool, depth: int, found: list[Fault]) -> None:
    if len(found) >= MAX_FAULTS:
        return
    match node.type:
        case "object":
            if not isinstance(value, dict) or depth > MAX_DEPTH:
                found.append(_mismatch(path, "object", value))
            else:
                _judge_object(node, value, path, partial, depth, found)
        case "array":
            if not isinstance(value, list) or node.items is None:
                found.append(_mismatch(path, "array", value))
            else:
                for index, item in enumerate(value):
                    _judge(node.items, item, f"{path}[{index}]", partial, depth + 1, found)
        case _:
            if not _fits(node, value):
                found.append(_mismatch(path, node.type if node.read is None else "enum", value))


def _judge_object(node: _Node, value: dict[str, Any], path: str, partial: bool, depth: int, found: list[Fault]) -> None:
    for name, item in value.items():
        below = node.properties.get(name)
        if below is None:
            at = f" at '{path}'" if path else ""
            found.append(Fault(path, f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'))
        else:
            _judge(below, item, f"{path}.{name}" if path else name, partial, depth + 1, found)
    if not partial:
        for name in node.required:
            if name not in value:
                at = f"{path}.{name}" if path else name
                found.append(Fault(at, f"Missing required field: {at}"))


def _fits(node: _Node, value: object) -> bool:
    if isinstance(value, bool):
        return node.type == "boolean"
    if node.read is not None:
        return isinstance(value, str) and value in node.read
    match node.type:
        case "string":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float)
        case "integer":
            return isinstance(value, int) and node.lowest <= value <= node.highest
        case "int64":
            return isinstance(value, int) or (isinstance(value, str) and _INT64.fullmatch(value) is not None)
        case _:
            return False


def _mismatch(path: str, wanted: str, value: object) -> Fault:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return Fault(path, f"Invalid value at '{path}' ({_NAMES.get(wanted, wanted)}), {shown[:200]}")


def _spelled(node: _Node, value: Any, *, answer: bool) -> Any:
    if isinstance(value, dict):
        made = {
            name: _spelled(node.properties[name], item, answer=answer) if name in node.properties else item
            for name, item in value.items()
        }
        return {"kind": node.kind, **made} if answer and node.kind else made
    if isinstance(value, list):
        return [_spelled(node.items, item, answer=answer) for item in value] if node.items else value
    if node.read is not None and isinstance(value, str):
        return node.written.get(value, value) if answer else node.read.get(value, value)
    return value
