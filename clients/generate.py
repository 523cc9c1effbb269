"""Owns the typed client: writes `clients/python/wallet_client/api.py` out of the server's own OpenAPI document.

python -m clients.generate              # write it
python -m clients.generate --check      # exit status 1 where it is not what the document says
"""

from __future__ import annotations

import argparse
import keyword
import re
import subprocess
import sys
import tempfile
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wallet_server.app import create_app
from wallet_server.settings import Settings

FILE = Path(__file__).resolve().parent / "python/wallet_client/api.py"
PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
HEAD = '''"""Owns the operations of the loyalty interface and the forms of what they take and give; written by
`python -m clients.generate` out of the server's OpenAPI document. Do not edit it."""

from __future__ import annotations

from collections.abc import Mapping
from ssl import SSLContext
from typing import Any, Literal, NotRequired, TypedDict, Unpack, cast
from urllib.parse import quote

from wallet_client.transport import Transport

'''
FOOT = '''
class Client(Transport):
    """Everything that a key may do, by subject. Raises `Problem` and `Unreachable`."""

    def __init__(
        self, base: str, key: str, *, headers: Mapping[str, str] | None = None, tls: SSLContext | None = None,
        tries: int = 4, seconds: float = 10.0,
    ) -> None:
        super().__init__(base, key, headers=headers, tls=tls, tries=tries, seconds=seconds)
'''


def document() -> dict[str, Any]:
    """The OpenAPI document that a server of this version serves."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_env({"WALLET_DATA_DIR": folder, "WALLET_ENVIRONMENT": "sandbox"})
        found: dict[str, Any] = create_app(settings).test_client().get("/openapi/openapi.json").get_json()
    return found


def written(api: dict[str, Any]) -> str:
    """The module, as ruff formats it."""
    forms = api["components"]["schemas"]
    parts = [HEAD, *(_form(name, forms[name]) for name in sorted(_reached(api)))]
    groups = defaultdict(list)
    for path, item in sorted(api["paths"].items()):
        for method, operation in item.items():
            group, point, name = operation["operationId"].partition(".")
            if point:
                groups[group].append(_method(name, method, path, operation))
    for group, methods in groups.items():
        about = group.replace("-", " ").replace("_", " ")
        parts.append(f'class {_class(group)}:\n    """Operations of the subject “{about}”."""\n')
        parts.append("    def __init__(self, transport: Transport) -> None:\n        self._transport = transport\n")
        parts += methods
    parts.append(FOOT)
    parts += [f"        self.{_name(group)} = {_class(group)}(self)\n" for group in groups]
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(FILE), "-"]
    done = subprocess.run(command, input="\n".join(parts), capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def _reached(api: dict[str, Any]) -> set[str]:
    """The forms that some operation with a name takes or gives, but for the problem, which is an exception."""
    todo = [item for path in api["paths"].values() for item in path.values() if "." in item["operationId"]]
    found: set[str] = set()
    while todo:
        for name in _refs(todo.pop()):
            if name not in found and name != "Problem":
                found.add(name)
                todo.append(api["components"]["schemas"][name])
    return found


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value.rpartition("/")[2]
            else:
                yield from _refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _refs(value)


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    kind = schema.get("type")
    if kind == "array":
        return f"list[{_type(schema.get('items', {}))}]"
    if kind == "object":
        more = schema.get("additionalProperties")
        return f"dict[str, {_type(more) if isinstance(more, dict) else 'Any'}]"
    return PLAIN.get(str(kind), "Any")


def _form(name: str, schema: dict[str, Any]) -> str:
    """A TypedDict; what has a default may be left out."""
    required = set(schema.get("required", ()))
    fields = {
        field: _type(one) if field in required else f"NotRequired[{_type(one)}]"
        for field, one in schema.get("properties", {}).items()
    }
    if not all(field.isidentifier() and not keyword.iskeyword(field) for field in fields):
        inside = ", ".join(f"{field!r}: {_late(kind)}" for field, kind in fields.items())
        return f"{name} = TypedDict({name!r}, {{{inside}}})\n"
    told = [f"class {name}(TypedDict):", *_doc(schema.get("description", ""), 4)]
    for field, one in schema.get("properties", {}).items():
        told.append(f"    {field}: {fields[field]}")
        told += _doc(one.get("description", ""), 4)
    if not fields:
        told.append("    pass")
    return "\n".join(told) + "\n"


def _late(kind: str) -> str:
    """Of a form that is made when the module is read: other forms may stand below it."""
    return repr(kind)


def _method(name: str, method: str, path: str, operation: dict[str, Any]) -> str:
    places = re.findall(r"\{(\w+)\}", path)
    asked = [one for one in operation.get("parameters", ()) if one["in"] == "query"]
    queries = {one["name"]: f"{_type(one['schema']).removesuffix(' | None')} | None" for one in asked}
    content = operation.get("requestBody", {}).get("content", {})
    body = _type(content["application/json"]["schema"]) if "application/json" in content else None
    good = operation["responses"].get("200", {}).get("content", {})
    gives = _type(good["application/json"]["schema"]) if "application/json" in good else "str"
    asks = ["self", *(f"{_place(place)}: str" for place in places)]
    if places:
        asks.append("/")
    more = [f"{_name(query)}: {kind} = None" for query, kind in queries.items()]
    if method != "get":
        more.append("idempotency_key: str | None = None")
    if more:
        asks += ["*", *more]
    if body is not None:
        asks.append(f"**body: Unpack[{body}]")
    place = re.sub(r"\{(\w+)\}", lambda found: f'{{quote({_place(found[1])}, safe="")}}', path)
    given = [repr(method.upper()), f"f{place!r}" if places else repr(path)]
    if queries:
        given.append("query={" + ", ".join(f"{query!r}: {_name(query)}" for query in queries) + "}")
    if body is not None:
        given.append("body=body")
    if method != "get":
        given.append("idempotency_key=idempotency_key")
    about = operation.get("summary", "") + ". " + operation.get("description", "")
    told = [f"    def {_name(name)}({', '.join(asks)}) -> {gives}:", *_doc(about.replace("?.", "?"), 8)]
    told.append(f"        return cast({gives!r}, self._transport.call({', '.join(given)}))")
    return "\n".join(told) + "\n"


def _doc(text: str, indent: int) -> list[str]:
    plain = re.sub(r"\s+", " ", text.replace("<br/>", " ")).strip().replace("\\", "\\\\").replace('"""', "'''")
    if not plain:
        return []
    lines = textwrap.wrap(f'"""{plain}' + ('"""' if plain[-1] != '"' else ' """'), 116 - indent)
    return [" " * indent + line for line in lines]


def _name(text: str) -> str:
    name = re.sub(r"\W", "_", text)
    return f"{name}_" if keyword.iskeyword(name) else name


def _place(name: str) -> str:
    """The name of a part of the path, which is given by its place: `id` is a builtin of Python."""
    return "public_id" if name == "id" else name


def _class(group: str) -> str:
    # Forms and subjects share the module: a subject's class has the longer name.
    return "".join(word.capitalize() for word in re.split(r"[-_]", group)) + "Operations"


def main() -> int:
    """Write the module, or compare."""
    parser = argparse.ArgumentParser(description="Write the typed client out of the server's OpenAPI document.")
    parser.add_argument("--check", action="store_true", help="only say whether it is what the document says")
    options = parser.parse_args()
    text = written(document())
    if options.check:
        same = FILE.exists() and FILE.read_text("utf-8") == text
        print("the client is what the document says" if same else "stale: run python -m clients.generate")
        return 0 if same else 1
    FILE.write_text(text, "utf-8")
    print(f"{FILE}: {len(text.splitlines()):,} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
