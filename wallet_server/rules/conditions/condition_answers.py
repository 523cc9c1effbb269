"""Owns how the parts of a condition are answered: closures over the facts, with CEL's own rules for what has no answer.

A part without an answer does not spoil what the other parts decide (`&&`, `||`, `exists` and `all` are indifferent to
the order of their parts; doc/langdef.md, "Logical Operators").
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Evaluate = Callable[[Any], Any]
"""Takes the facts, gives a value."""

_LEAST, _MOST = -(2**63), 2**63 - 1


_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Unanswerable(Exception):
    """The facts give this condition no answer: a division by zero, a number too large, a field that is not there."""


def field(path: str, *, text: bool) -> Evaluate:
    """What reads a fact such as `basket.amount_minor`; a text that is not known reads as an empty one."""
    read = operator.attrgetter(path)
    return (lambda facts: read(facts) or "") if text else read


def _kind(value: object) -> type:
    return bool if isinstance(value, bool) else int if isinstance(value, int) else str


def bounded(number: int) -> int:
    if not _LEAST <= number <= _MOST:
        raise Unanswerable("A number grew too large.")
    return number


def counted(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    def divided(facts: Any) -> int:
        by, of = right(facts), left(facts)
        if by == 0:
            raise Unanswerable("Something is divided by zero.")
        whole = abs(of) // abs(by)
        whole = whole if (of < 0) == (by < 0) else -whole
        return bounded(whole if sign == "/" else of - by * whole)

    match sign:
        case "+":
            return lambda facts: bounded(left(facts) + right(facts))
        case "-":
            return lambda facts: bounded(left(facts) - right(facts))
        case "*":
            return lambda facts: bounded(left(facts) * right(facts))
    return divided


def comparison(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    """Two values compared."""
    compare = _COMPARED[sign]
    return lambda facts: compare(left(facts), right(facts))


def comparison_with(sign: str, left: Evaluate, constant: int | str | bool) -> Evaluate:
    """A value compared with a constant: what most conditions are made of, so without a call for the constant."""
    compare = _COMPARED[sign]
    return lambda facts: compare(left(facts), constant)


def loosely(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    """A comparison with what may be of any kind: unlike things are not equal, and have no order."""
    compare = _COMPARED[sign]

    def run(facts: Any) -> bool:
        pair = left(facts), right(facts)
        kinds = {_kind(pair[0]), _kind(pair[1])}
        if len(kinds) > 1 and sign in ("==", "!="):
            return sign == "!="
        if len(kinds) > 1 or (kinds == {bool} and sign not in ("==", "!=")):
            raise Unanswerable("Unlike things have no order.")
        return compare(*pair)

    return run


def reported(fields: Evaluate, name: str) -> Evaluate:
    def run(facts: Any) -> Any:
        value = fields(facts).get(name)
        if not isinstance(value, (int, str)):
            raise Unanswerable(f"The event has no field {name}.")
        return value

    return run


def among(value: Evaluate, constants: Sequence[Any]) -> Evaluate:
    known = frozenset(constants)

    def run(facts: Any) -> bool:
        found = value(facts)
        return found in known and not isinstance(found, bool)  # True is no 1

    return run


def both(left: Evaluate, right: Evaluate) -> Evaluate:
    """Either side being false decides, even where the other has no answer (CEL: `&&` is commutative)."""

    def run(facts: Any) -> bool:
        try:
            if not left(facts):
                return False
        except Unanswerable:
            if not right(facts):
                return False
            raise
        return bool(right(facts))

    return run


def either(left: Evaluate, right: Evaluate) -> Evaluate:
    def run(facts: Any) -> bool:
        try:
            if left(facts):
                return True
        except Unanswerable:
            if right(facts):
                return True
            raise
        return bool(right(facts))

    return run


def found(lines: Evaluate, test: Evaluate) -> Evaluate:
    def run(facts: Any) -> bool:
        unanswered = None
        for line in lines(facts):
            facts.it = line
            try:
                if test(facts):
                    return True
            except Unanswerable as fault:
                unanswered = fault
        if unanswered is not None:
            raise unanswered
        return False

    return run


def throughout(lines: Evaluate, test: Evaluate) -> Evaluate:
    def run(facts: Any) -> bool:
        unanswered = None
        for line in lines(facts):
            facts.it = line
            try:
                if not test(facts):
                    return False
            except Unanswerable as fault:
                unanswered = fault
        if unanswered is not None:
            raise unanswered
        return True

    return run
