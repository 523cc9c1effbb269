"""Owns partial answers: the `fields` parameter, which names what of an answer is wanted.

Source: Google, "Improve performance: partial response": names with commas, parts with slashes or parentheses, `*`.
"""

from __future__ import annotations

import re
from typing import Any

from wallet_server.sandbox.google.refusals import front_end

LONGEST = 2000
Mask = dict[str, "Mask"]
_TOKEN = re.compile(r"\s*([\w.$@-]+|[*/(),])")


def cut(body: Any, fields: str) -> Any:
    """What the mask leaves of a body. Raises Refusal (400) for a mask that is none."""
    return _cut(body, _mask(fields))


def _mask(fields: str) -> Mask:
    tokens, place = [], 0
    while place < len(fields):
        found = _TOKEN.match(fields, place)
        if found is None or len(fields) > LONGEST:
            raise _fault(fields)
        tokens.append(found[1])
        place = found.end()
    mask, rest = _names(tokens)
    if rest or not mask:
        raise _fault(fields)
    return mask


def _names(tokens: list[str]) -> tuple[Mask, list[str]]:
    """The names up to a closing parenthesis or the end, and what follows."""
    mask: Mask = {}
    while tokens and tokens[0] != ")":
        at, wanted = mask, True
        while tokens and wanted:
            name, *tokens = tokens
            at = at.setdefault(name, {})
            wanted = bool(tokens) and tokens[0] == "/"
            tokens = tokens[1:] if wanted else tokens
        if tokens and tokens[0] == "(":
            inside, tokens = _names(tokens[1:])
            at.update(inside)
            if not tokens or tokens[0] != ")":
                raise _fault("(")
            tokens = tokens[1:]
        if tokens and tokens[0] == ",":
            tokens = tokens[1:]
    return mask, tokens


def _cut(body: Any, mask: Mask) -> Any:
    if not mask or "*" in mask:
        return body
    if isinstance(body, list):
        return [_cut(item, mask) for item in body]
    if not isinstance(body, dict):
        return body
    return {name: _cut(value, mask[name]) for name, value in body.items() if name in mask}


def _fault(fields: str) -> Exception:
    return front_end(400, f"Invalid field selection {fields[:100]}", "INVALID_ARGUMENT")
