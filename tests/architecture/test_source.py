"""Owns the rules of style that no linter knows: where imports stand, what rules may ask, how long a file may be."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.source import TOP, name_of, statements, tree_of

PACKAGE = TOP / "wallet_server"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 60

LOADERS = ("app.py", "cli/__init__.py", "celery_app.py")
"""The modules that may load an optional extra by its name."""

CLOCKS = frozenset({"now", "utcnow", "today"})
IMPURE_MODULES = ("urllib.request", "urllib.error")
IMPURE_CALLS = frozenset({"open", "print", "input", "__import__", "exec", "eval"})

TEXT = ("*.py", "*.md", "*.toml", "*.lock", "*.sh", "*.json", "*.html", "*.js", "*.css", "Makefile", "run")
INDEX_OWNER = TOP / "scripts" / "bootstrap.py"
"""The one file that must know the standard package index; see DEFAULT_INDEX there."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def hidden_imports(tree: ast.AST) -> Iterator[int]:
    """Lines on which a function imports."""
    for function in statements(tree):
        if isinstance(function, Function):
            yield from (node.lineno for node in statements(function) if isinstance(node, ast.Import | ast.ImportFrom))


def imports_by_name(tree: ast.AST) -> Iterator[int]:
    """Lines that import through `importlib.import_module` or `__import__`, however it was brought in."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.alias(name=word):
                if word in {"import_module", "__import__"}:
                    yield node.lineno


def impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines on which a pure module asks the clock or the world."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            yield node.lineno, f".{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield node.lineno, node.func.id
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name in IMPURE_MODULES)
        elif isinstance(node, ast.ImportFrom):
            full = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            yield from ((node.lineno, str(name)) for name in full.intersection(IMPURE_MODULES))


def long_functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Functions that do not fit a screen, with their length in lines."""
    for node in statements(tree):
        if isinstance(node, Function) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > MOST_FUNCTION_LINES:
                yield node.name, length


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_keeps_the_habits(path: Path) -> None:
    text = path.read_text()
    tree = tree_of(path)
    assert ast.get_docstring(tree), "a module's docstring says what it owns"
    assert len(text.splitlines()) <= MOST_FILE_LINES, "split the file by subject"
    assert not list(hidden_imports(tree)), "imports stand at the top of the file"
    assert not list(long_functions(tree)), "a function fits a screen"
    if str(path.relative_to(PACKAGE)) not in LOADERS and re.search("import_module|__import__", text):
        assert not list(imports_by_name(tree)), f"only {', '.join(LOADERS)} load an extra by its name"


@pytest.mark.parametrize("path", [path for path in MODULES if path.is_relative_to(PACKAGE / "rules")], ids=name_of)
def test_rules_ask_neither_the_clock_nor_the_world(path: Path) -> None:
    assert not list(impurities(tree_of(path)))


def test_only_settings_read_the_environment() -> None:
    readers = {
        name_of(path)
        for path in MODULES
        if path != PACKAGE / "settings.py" and re.search("environ|getenv", path.read_text())
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
        if not (isinstance(node.value, ast.Name) and node.value.id == "request")  # what a request carries is none
    }
    # The sandbox imports nothing of the product, and starts the product's processes with an environment of its own.
    assert not {name for name in readers if not name.startswith("wallet_server/sandbox/")}


def test_the_package_is_found() -> None:
    assert len(MODULES) > 10, "the tests above would pass on an empty list"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f():\n    import os\n", [2]),
        ("class C:\n    async def f(self):\n        from os import path\n", [3]),
        ("import os\n\ndef f():\n    return os\n", []),
    ],
)
def test_a_hidden_import_is_seen(source: str, found: list[int]) -> None:
    assert list(hidden_imports(ast.parse(source))) == found


@pytest.mark.parametrize(
    "source",
    [
        "x = datetime.now(UTC)",
        "x = datetime.utcnow()",
        "x = date.today()",
        "clock = datetime.now",
        "import urllib.request",
        "from urllib import request",
        "from urllib.request import urlopen",
        "x = open('f')",
    ],
)
def test_an_impure_line_is_seen(source: str) -> None:
    assert list(impurities(ast.parse(source)))


def test_a_pure_line_is_let_through() -> None:
    source = "from urllib.parse import urlsplit\nx = datetime.fromtimestamp(0, UTC) + timedelta(days=1)"
    assert not list(impurities(ast.parse(source)))


def test_an_import_by_name_is_seen() -> None:
    assert list(imports_by_name(ast.parse("import importlib\nx = importlib.import_module('celery')"))) == [2]
    assert list(imports_by_name(ast.parse("from importlib import import_module as load\nx = load('celery')"))) == [1]
    assert list(imports_by_name(ast.parse("x = __import__('celery')"))) == [1]


def test_a_long_function_is_seen() -> None:
    body = "    x = 1\n" * MOST_FUNCTION_LINES
    assert list(long_functions(ast.parse(f"def f():\n{body}"))) == [("f", MOST_FUNCTION_LINES + 1)]


# ---------------------------------------------------------------------- what must not be written anywhere


@functools.cache
def texts() -> list[Path]:
    """Every text of the repository that is written by hand or shipped."""
    places = (
        "wallet_server", "docs", "tests", "benchmarks", "clients", "migrations", "passes", "scripts", "requirements",
        ".ci",
    )  # fmt: skip
    inside = {path for place in places for pattern in TEXT for path in (TOP / place).rglob(pattern)}
    return sorted(inside | {path for pattern in TEXT for path in TOP.glob(pattern)} - {Path(__file__)})


def names_a_place_of_this_machine(text: str) -> bool:
    """Whether a folder is named that exists for one person only, or this very checkout."""
    # Whatever begins so at all is looked at more closely: a plain search is many times quicker than a pattern.
    begins = {"/home/": "[a-z]", "/Users/": "[A-Za-z]", "/root/": "", f"{TOP}/": "", f"{Path.home()}/": ""}
    return any(
        place in text and re.search(rf"(?<![\w.]){re.escape(place)}{more}", text) for place, more in begins.items()
    )


@pytest.mark.slow
def test_no_text_names_a_place_of_this_machine() -> None:
    found = names_a_place_of_this_machine
    for personal in (f"see {TOP}/README.md", "cd /home/marie/x", "(/Users/Marie/x)", "'/root/x'", f"{Path.home()}/x"):
        assert found(personal), personal
    assert not found("https://shop.example/home/marie and ./root/x")
    assert not [name_of(path) for path in texts() if path != Path(__file__) and found(path.read_text())]


def test_no_text_names_a_package_index() -> None:
    hosts = ("pypi.org", "pythonhosted.org", "registry.npmjs.org", "crates.io", "proxy.golang.org")
    pattern = re.compile("|".join(map(re.escape, hosts)))
    assert pattern.search(INDEX_OWNER.read_text()), "the exception below is still needed"
    others = [path for path in texts() if path not in {INDEX_OWNER, Path(__file__)}]
    assert len(others) > 50
    assert not [name_of(path) for path in others if pattern.search(path.read_text())]
