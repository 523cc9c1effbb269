"""Owns conditions: what a programme may ask of a basket, a member, a store or an event, in CEL.

A condition is read once, at publishing: every name is declared, every type is known, and what it may cost is bounded
(one walk through a list, nothing nested), so that no condition can stop a till. It becomes a chain of closures over the
facts themselves; no text is evaluated, and no basket is converted for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from wallet_server.rules.conditions import cel_syntax
from wallet_server.rules.conditions import condition_answers as answers
from wallet_server.rules.conditions.cel_syntax import (
    Binary,
    Call,
    Choice,
    Constant,
    Field,
    Flaw,
    Items,
    Name,
    Node,
    Unary,
)
from wallet_server.rules.conditions.condition_answers import Evaluate, Unanswerable

__all__ = ["EVENT", "GESTURE", "LINE", "SALE", "Condition", "Flaw", "Refused", "Unanswerable", "Variables", "read"]

Kind = Literal["number", "text", "truth", "lines", "fields", "anything", "unknown"]
"""`fields` are named by whoever reports an event, so that one of them may be `anything` simple; `unknown` is what has a
flaw already."""

Variables = Mapping[str, Mapping[str, Kind]]

LINE: Mapping[str, Kind] = {"sku": "text", "category": "text", "quantity_milli": "number", "amount_minor": "number"}
_MEMBER: Mapping[str, Kind] = {
    "tier": "text",
    "tenure_days": "number",
    "visits": "number",
    "birthday_today": "truth",
}
_STORE: Mapping[str, Kind] = {"id": "text", "zone": "text"}
_BASKET: Mapping[str, Kind] = {
    "amount_minor": "number",
    "lines": "lines",
    "line_count": "number",
    "hour": "number",
    "weekday": "text",
    "date": "text",
    "rewards_used": "truth",
}
SALE: Variables = {"basket": _BASKET, "member": _MEMBER, "store": _STORE, "line": LINE}
"""What a condition on sales may ask. One that names `line` is asked of each line, and is about those it holds for."""
EVENT: Variables = {"event": {"name": "text", "fields": "fields"}, "member": _MEMBER}
"""What a condition on events may ask."""
GESTURE: Variables = {
    "member": {
        **_MEMBER,
        "birthday_week": "truth",
        "birthday_month": "truth",
        "days_since_visit": "number",
        "days_since_gesture": "number",
    },
    "now": {"hour": "number", "weekday": "text", "date": "text"},
    "store": _STORE,
}
"""What the condition of a gesture may ask."""
_SAID: Mapping[Kind, str] = {
    "number": "a whole number",
    "text": "a text",
    "truth": "true or false",
    "lines": "a list of lines",
    "fields": "the fields of an event",
    "anything": "a field of an event",
}
_TEXT_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
}
_FUNCTIONS = "size, startsWith, endsWith, contains, exists and all"


class Refused(Exception):
    """A condition that may not be published, with every flaw."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__(flaws[0].sentence)
        self.flaws = tuple(flaws)


@dataclass(frozen=True)
class Condition:
    """A condition that was read. `asks` are the facts that it needs, such as `member.tier`; `per_line` whether it is
    asked of each line."""

    text: str
    asks: frozenset[str]
    per_line: bool
    _evaluate: Evaluate = field(repr=False, compare=False)

    def holds(self, facts: Any) -> bool:
        """Whether it holds. `facts` has an attribute for each variable, and takes one named `it` while a list is gone
        through. Raises `Unanswerable`."""
        return bool(self._evaluate(facts))


def read(text: str, variables: Variables) -> Condition:
    """A condition over these variables. Raises `Refused` with every flaw: where it cannot be read at all, the first."""
    try:
        tree = cel_syntax.read(text)
    except cel_syntax.Unreadable as stopped:
        raise Refused([stopped.flaw]) from None
    typed = _Typing(variables)
    kind, evaluate = typed.read(tree)
    if kind not in ("truth", "unknown"):
        typed.blame(1, f"A condition is true or false, and this is {_SAID[kind]}; compare it with something.")
    per_line = any(name.startswith("line.") for name in typed.asks)
    if per_line and typed.walks:
        typed.blame(1, "A condition about “line” is asked of each line already; it cannot go through basket.lines too.")
    if typed.flaws:
        raise Refused(sorted(typed.flaws, key=lambda flaw: flaw.at))
    return Condition(text, frozenset(typed.asks), per_line, evaluate)


Typed = tuple[Kind, Evaluate]


def _nothing(_facts: Any) -> None:
    """What a part with a flaw evaluates to; it never gets that far."""


_FLAWED: Typed = ("unknown", _nothing)


class _Typing:
    """Types a tree from its leaves up and makes its closures on the way; flaws are gathered, not raised."""

    def __init__(self, variables: Variables) -> None:
        self._variables = variables
        self._bound: str | None = None
        self.walks = 0
        self.flaws: list[Flaw] = []
        self.asks: set[str] = set()

    def blame(self, at: int, sentence: str) -> Typed:
        self.flaws.append(Flaw(at, sentence))
        return _FLAWED

    def read(self, node: Node) -> Typed:
        match node:
            case Constant(_, value):
                return _kind_of(value), lambda _facts: value
            case Name():
                return self._name(node)
            case Field():
                return self._field(node)
            case Call():
                return self._call(node)
            case Unary():
                return self._unary(node)
            case Choice():
                return self._choice(node)
            case Items():
                return self.blame(node.at, "A list of values stands behind “in”: member.tier in ['gold', 'silver'].")
        return self._contained(node) if node.sign == "in" else self._between(node)

    def _of(self, node: Node, kind: Kind, sentence: str) -> Evaluate | None:
        """What evaluates a part that must be of this kind; None where it is not, or has a flaw of its own."""
        found, evaluate = self.read(node)
        if found == kind:
            return evaluate
        if found != "unknown":
            self.blame(node.at, f"{sentence}; this is {_SAID[found]}.")
        return None

    def _name(self, node: Name) -> Typed:
        if node.name == self._bound or node.name in self._variables:
            fields = LINE if node.name == self._bound else self._variables[node.name]
            return self.blame(node.at, f"Say what of “{node.name}” is meant: {_listed(node.name, fields)}.")
        known = ", ".join([*self._variables, *([self._bound] if self._bound else [])])
        return self.blame(node.at, f"There is no “{node.name}” here; a condition knows {known}.")

    def _field(self, node: Field) -> Typed:
        of = node.of
        if isinstance(of, Name) and (of.name == self._bound or of.name in self._variables):
            fields = LINE if of.name == self._bound else self._variables[of.name]
            if node.name not in fields:
                known = _listed(of.name, fields)
                return self.blame(node.at, f"“{of.name}” has no “{node.name}”; it has {known}.")
            kind = fields[node.name]
            if of.name == self._bound:
                return kind, answers.field(f"it.{node.name}", text=kind == "text")
            self.asks.add(f"{of.name}.{node.name}")
            return kind, answers.field(f"{of.name}.{node.name}", text=kind == "text")
        kind, evaluate = self.read(of)
        if kind == "fields":
            return "anything", answers.reported(evaluate, node.name)
        if kind == "unknown":
            return _FLAWED
        return self.blame(node.at, f"“{node.name}” is asked of {_SAID[kind]}, which has no fields.")

    def _unary(self, node: Unary) -> Typed:
        if node.sign == "!":
            truth = self._of(node.of, "truth", "“!” turns true into false")
            return _FLAWED if truth is None else ("truth", lambda facts: not truth(facts))
        number = self._of(node.of, "number", "“-” stands before a number")
        return _FLAWED if number is None else ("number", lambda facts: answers.bounded(-number(facts)))

    def _choice(self, node: Choice) -> Typed:
        test = self._of(node.test, "truth", "Before “?” stands something that is true or false")
        (kind, yes), (other, no) = self.read(node.yes), self.read(node.no)
        if test is None or "unknown" in (kind, other):
            return _FLAWED
        if kind != other:
            return self.blame(node.at, f"Both sides of “:” are of one kind, not {_SAID[kind]} and {_SAID[other]}.")
        return kind, lambda facts: yes(facts) if test(facts) else no(facts)

    def _between(self, node: Binary) -> Typed:
        sign = node.sign
        if sign in ("&&", "||"):
            left = self._of(node.left, "truth", f"Beside “{sign}” stand things that are true or false")
            right = self._of(node.right, "truth", f"Beside “{sign}” stand things that are true or false")
            if left is None or right is None:
                return _FLAWED
            return "truth", answers.both(left, right) if sign == "&&" else answers.either(left, right)
        if sign in ("+", "-", "*", "/", "%"):
            first = self._of(node.left, "number", f"“{sign}” counts with numbers")
            second = self._of(node.right, "number", f"“{sign}” counts with numbers")
            return _FLAWED if first is None or second is None else ("number", answers.counted(sign, first, second))
        return self._compared(node)

    def _compared(self, node: Binary) -> Typed:
        (kind, left), (other, right) = self.read(node.left), self.read(node.right)
        if "unknown" in (kind, other):
            return _FLAWED
        kinds = {kind, other}
        for odd in ("lines", "fields"):
            if odd in kinds:
                return self.blame(node.at, f"“{node.sign}” cannot compare {_SAID[odd]}.")
        if "anything" in kinds:
            return "truth", answers.loosely(node.sign, left, right)
        if len(kinds) > 1:
            return self.blame(node.at, f"“{node.sign}” compares like with like, not {_SAID[kind]} with {_SAID[other]}.")
        if kind == "truth" and node.sign not in ("==", "!="):
            return self.blame(node.at, f"“{node.sign}” compares numbers or texts; true and false have no order.")
        if isinstance(node.right, Constant):
            return "truth", answers.comparison_with(node.sign, left, node.right.value)
        return "truth", answers.comparison(node.sign, left, right)

    def _contained(self, node: Binary) -> Typed:
        kind, value = self.read(node.left)
        if isinstance(node.right, Items):
            constants = [_constant(item) for item in node.right.items]
            kinds = {_kind_of(constant) for constant in constants if constant is not None}
            if None in constants or len(kinds) != 1:
                return self.blame(node.right.at, "Write the list out, of texts or of numbers: ['gold', 'silver'].")
            if kind == "unknown":
                return _FLAWED
            if kind not in kinds and kind != "anything":
                there = _SAID[kinds.pop()]
                return self.blame(
                    node.at, f"“in” looks for like in a list, not for {_SAID[kind]} where {there} stands."
                )
            return "truth", answers.among(value, constants)
        other, fields = self.read(node.right)
        if "unknown" in (kind, other):
            return _FLAWED
        if other != "fields" or kind != "text":
            return self.blame(node.at, "Behind “in” stands a list, such as ['gold', 'silver'].")
        return "truth", lambda facts: value(facts) in fields(facts)

    def _call(self, node: Call) -> Typed:
        if node.name in ("exists", "all") and node.of is not None:
            return self._walk(node, node.of)
        if node.name in _TEXT_TESTS and node.of is not None:
            return self._text_test(node, node.of)
        if node.name == "size" and len(node.given) + (node.of is not None) == 1:
            kind, value = self.read(node.of or node.given[0])
            if kind not in ("lines", "text", "unknown"):
                return self.blame(node.at, f"“size” is of a list or of a text, not of {_SAID[kind]}.")
            return _FLAWED if kind == "unknown" else ("number", lambda facts: len(value(facts)))
        if node.name in ("size", "exists", "all") or node.name in _TEXT_TESTS:
            return self.blame(node.at, f"“{node.name}” is written {_WRITTEN[node.name]}.")
        return self.blame(node.at, f"There is no function “{node.name}”; a condition may use {_FUNCTIONS}.")

    def _text_test(self, node: Call, of: Node) -> Typed:
        if len(node.given) != 1:
            return self.blame(node.at, f"“{node.name}” is written {_WRITTEN[node.name]}.")
        text = self._of(of, "text", f"“{node.name}” is asked of a text")
        part = self._of(node.given[0], "text", f"“{node.name}” looks for a text")
        if text is None or part is None:
            return _FLAWED
        test = _TEXT_TESTS[node.name]
        return "truth", lambda facts: test(text(facts), part(facts))

    def _walk(self, node: Call, of: Node) -> Typed:
        self.walks += 1
        if self._bound is not None:
            return self.blame(node.at, "One list is gone through inside another; a condition cannot do that.")
        if self.walks > 1:
            return self.blame(node.at, "A condition goes through a list once; make two rules of it, or ask once.")
        lines = self._of(of, "lines", f"“{node.name}” goes through a list of lines")
        if len(node.given) != 2 or not isinstance(node.given[0], Name):
            return self.blame(node.at, f"“{node.name}” is written {_WRITTEN[node.name]}.")
        name = node.given[0]
        if name.name in self._variables and name.name != "line":
            return self.blame(name.at, f"“{name.name}” has a meaning already; call a line something else: one.")
        self._bound = name.name
        test = self._of(node.given[1], "truth", "What is asked of each line is true or false")
        self._bound = None
        if lines is None or test is None:
            return _FLAWED
        return "truth", answers.found(lines, test) if node.name == "exists" else answers.throughout(lines, test)


_WRITTEN = {
    "size": "size(basket.lines)",
    "exists": "basket.lines.exists(one, one.category == 'books')",
    "all": "basket.lines.all(one, one.amount_minor > 0)",
    "startsWith": "store.zone.startsWith('Europe/')",
    "endsWith": "member.tier.endsWith('plus')",
    "contains": "basket.date.contains('-12-')",
}


def _kind_of(value: object) -> Kind:
    return "truth" if isinstance(value, bool) else "number" if isinstance(value, int) else "text"


def _listed(name: str, fields: Mapping[str, Kind]) -> str:
    return ", ".join(f"{name}.{known}" for known in fields)


def _constant(node: Node) -> int | str | None:
    """A text or a number as written, one below zero too; None for anything else."""
    if isinstance(node, Unary) and node.sign == "-":
        value = _constant(node.of)
        return -value if isinstance(value, int) else None
    return node.value if isinstance(node, Constant) and not isinstance(node.value, bool) else None
