"""Owns how the tests read source: a module's tree, and its statements without a walk through every expression."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


def name_of(path: Path) -> str:
    """How a file is called in messages and test ids."""
    return str(path.relative_to(TOP))


def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(), name_of(path))


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement inside `node`, however deep. Expressions hold none, and are nine nodes in ten."""
    for part in ("body", "orelse", "finalbody", "handlers", "cases"):
        inner = getattr(node, part, ())
        for one in inner if isinstance(inner, list) else ():
            if isinstance(one, ast.stmt):
                yield one
            yield from statements(one)
