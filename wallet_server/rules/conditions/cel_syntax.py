"""Owns the syntax of conditions: the part of CEL that the product takes, from text to a tree.

The grammar is that of the Common Expression Language (github.com/google/cel-spec, doc/langdef.md), less what no
condition of a programme needs: floating point, unsigned numbers, bytes, null, maps, messages, reading a list by its
index. Nothing is typed here; see `rules.conditions.conditions`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

MOST_CHARACTERS = 500
MOST_NODES = 60
MOST_DEPTH = 12
LARGEST = 2**53 - 1

_RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "true",
        "false",
        "null",
        "var",
        "void",
        "while",
    ]
)
_TOKEN = re.compile(
    r"""(?P<space>[\t\n\f\r ]+)
    |(?P<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|\.[0-9]+|[0-9]+[eE][+-]?[0-9]+)
    |(?P<number>0[xX][0-9a-fA-F]+|[0-9]+)(?P<unsigned>[uU])?
    |(?P<prefixed>[rRbB]{1,2}(?=["']))
    |(?P<text>"(?:[^"\\\n\r]|\\[^\n\r])*"|'(?:[^'\\\n\r]|\\[^\n\r])*')
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[<>+\-*/%!?:.,()\[\]])""",
    re.VERBOSE,
)
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPED = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a condition, and at which of its characters (the first is 1)."""

    at: int
    sentence: str


class Unreadable(Exception):
    """Not a condition that can be read; holds the flaw at which reading stopped."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.sentence)
        self.flaw = flaw


@dataclass(frozen=True, slots=True)
class Constant:
    """A whole number, a text, true or false."""

    at: int
    value: int | str | bool


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field of something: `basket.amount_minor`."""

    at: int
    of: Node
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function: `size(x)`, or with the value that it is asked of: `x.exists(line, ...)`."""

    at: int
    name: str
    of: Node | None
    given: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`!` or `-` before a value."""

    at: int
    sign: str
    of: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """Two values and the sign between them."""

    at: int
    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Choice:
    """`test ? yes : no`."""

    at: int
    test: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class Items:
    """A list written out: `['gold', 'silver']`."""

    at: int
    items: tuple[Node, ...]


Node = Constant | Name | Field | Call | Unary | Binary | Choice | Items

_LEVELS = (("||",), ("&&",), ("<", "<=", ">=", ">", "==", "!=", "in"), ("+", "-"), ("*", "/", "%"))
"""Signs between two values, loosest first; each groups from the left."""


def read(text: str) -> Node:
    """The tree of a condition. Raises `Unreadable` at the first place that cannot be read, and beyond the bounds."""
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(Flaw(MOST_CHARACTERS + 1, f"A condition has at most {MOST_CHARACTERS} characters."))
    reader = _Reader(_tokens(text), len(text) + 1)
    node = reader.whole()
    reader.finish()
    return node


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def _refuse(at: int, sentence: str) -> NoReturn:
    raise Unreadable(Flaw(at, sentence))


def _tokens(text: str) -> list[_Token]:
    found, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        at = place + 1
        if match is None:
            quote = text[place] in "'\""
            _refuse(at, "This text has no closing quote." if quote else f"“{text[place]}” has no meaning here.")
        kind = match.lastgroup or ""
        if kind == "float":
            _refuse(at, "Numbers are whole here: write amounts of money in minor units, 1050 for 10.50.")
        if kind == "unsigned":
            _refuse(at, "Write the number without a letter behind it.")
        if kind == "prefixed":
            _refuse(at, "Write the text without a letter before its quote.")
        if kind != "space":
            found.append(_Token(kind, match.group(), at))
        place = match.end()
    return found


class _Reader:
    """Goes through the tokens once, from left to right."""

    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens, self._end = tokens, end
        self._place = self._depth = self._nodes = 0

    def whole(self) -> Node:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            _refuse(self._at(), f"This is nested more than {MOST_DEPTH} deep; write it more plainly.")
        node = self._between(0)
        if self._taken("?"):
            at = self._tokens[self._place - 1].at
            yes = self._between(0)
            self._demand(":", "After “? …” a choice needs “: …”.")
            node = self._counted(Choice(at, node, yes, self.whole()))
        self._depth -= 1
        return node

    def finish(self) -> None:
        if self._place < len(self._tokens):
            token = self._tokens[self._place]
            _refuse(token.at, f"“{token.text}” was not expected here.")

    def _counted(self, node: Node) -> Node:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            _refuse(node.at, f"A condition has at most {MOST_NODES} parts; write it shorter.")
        return node

    def _at(self) -> int:
        return self._tokens[self._place].at if self._place < len(self._tokens) else self._end

    def _peek(self) -> str:
        if self._place == len(self._tokens):
            return ""
        token = self._tokens[self._place]
        return "" if token.kind in ("text", "number") else token.text

    def _taken(self, *signs: str) -> str | None:
        seen = self._peek()
        if seen and seen in signs:
            self._place += 1
            return seen
        return None

    def _demand(self, sign: str, sentence: str) -> None:
        if not self._taken(sign):
            _refuse(self._at(), sentence)

    def _between(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._between(level + 1)
        while sign := self._taken(*_LEVELS[level]):
            at = self._tokens[self._place - 1].at
            node = self._counted(Binary(at, sign, node, self._between(level + 1)))
        return node

    def _unary(self) -> Node:
        places = []
        sign = self._peek()
        while sign in ("!", "-") and self._peek() == sign:
            places.append(self._at())
            self._place += 1
        node = self._member()
        for at in reversed(places):
            node = self._counted(Unary(at, sign, node))
        return node

    def _member(self) -> Node:
        node = self._primary()
        while True:
            at = self._at()
            if self._taken("."):
                node = self._selected(node, at)
            elif self._peek() == "[":
                _refuse(at, "A list is not read by its index; ask of its lines with exists or all.")
            else:
                return node

    def _selected(self, of: Node, at: int) -> Node:
        token = self._tokens[self._place] if self._place < len(self._tokens) else None
        if token is None or token.kind != "name" or token.text in _RESERVED:
            _refuse(self._at(), "After a full stop comes the name of a field.")
        self._place += 1
        if self._taken("("):
            return self._counted(Call(at, token.text, of, self._given(")")))
        return self._counted(Field(at, of, token.text))

    def _given(self, close: str) -> tuple[Node, ...]:
        if self._taken(close):
            return ()
        given = [self.whole()]
        while self._taken(","):
            given.append(self.whole())
        self._demand(close, f"“{close}” is missing here.")
        return tuple(given)

    def _primary(self) -> Node:
        at = self._at()
        if self._place == len(self._tokens):
            _refuse(at, "Something is missing at the end.")
        token = self._tokens[self._place]
        self._place += 1
        if token.kind == "number":
            value = int(token.text, 16 if token.text[:2].lower() == "0x" else 10)
            if value > LARGEST:
                _refuse(at, f"No number is larger than {LARGEST}.")
            return self._counted(Constant(at, value))
        if token.kind == "text":
            return self._counted(Constant(at, _unescaped(token)))
        if token.text == "(":
            node = self.whole()
            self._demand(")", "“)” is missing here.")
            return node
        if token.text == "[":
            return self._counted(Items(at, self._given("]")))
        if token.text in ("true", "false"):
            return self._counted(Constant(at, token.text == "true"))
        if token.kind != "name" or token.text in _RESERVED:
            _refuse(at, f"“{token.text}” was not expected here.")
        if self._taken("("):
            return self._counted(Call(at, token.text, None, self._given(")")))
        return self._counted(Name(at, token.text))


def _unescaped(token: _Token) -> str:
    def meant(match: re.Match[str]) -> str:
        what = match[1]
        if what[0] == "u" and len(what) == 5 and not 0xD800 <= int(what[1:], 16) <= 0xDFFF:
            return chr(int(what[1:], 16))
        if what not in _ESCAPES:
            _refuse(token.at + 1 + match.start(), f"“\\{what}” has no meaning in a text; write \\\\ for a backslash.")
        return _ESCAPES[what]

    return _ESCAPED.sub(meant, token.text[1:-1])
