"""Owns how the sandbox's page is spoken to in JSON: bodies of a known shape in, refusals and answers out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web


async def body_of(request: web.Request, shape: Mapping[str, type]) -> dict[str, Any]:
    """The JSON object in the body, with no other keys than those of the shape. Raises web.HTTPException."""
    try:
        body = await request.json() if request.can_read_body else {}
    except (ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(text="The body is not JSON.") from error
    if not isinstance(body, dict) or not body.keys() <= shape.keys():
        raise web.HTTPUnprocessableEntity(text=f"The body is a JSON object with {', '.join(shape)}.")
    for name, value in body.items():
        if not isinstance(value, shape[name]):
            raise web.HTTPUnprocessableEntity(text=f"{name} must be of type {shape[name].__name__}.")
    return body


def number_of(request: web.Request, name: str, default: int, limit: int) -> int:
    """A number of the query, at most `limit`. Raises web.HTTPException."""
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise web.HTTPUnprocessableEntity(text=f"{name} must be a number.")
    return min(int(text), limit)


def answer(content: object, status: int = 200) -> web.Response:
    """An answer in JSON."""
    return web.json_response(content, status=status)
