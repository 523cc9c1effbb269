"""Owns Google's batch requests: several calls as parts of one multipart body, answered part by part.

Source: Google, "Batching requests"; each part is a whole HTTP request of type application/http.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.parser import BytesParser
from http import HTTPStatus

from wallet_server.sandbox.google.refusals import front_end

MOST_CALLS = 1000


@dataclass(frozen=True)
class Call:
    """One call of a batch: its id, word, address, headers in small letters and body."""

    id: str
    http: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """The answer to one call. `lost`: the change is made and nobody is told."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    lost: bool = False


def read(content_type: str, body: bytes, outer: Mapping[str, str]) -> list[Call]:
    """The calls of a batch. Headers of the batch hold for each part that has not its own. Raises Refusal (400)."""
    message = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = message.get_payload()
    if not message.is_multipart() or not isinstance(parts, list) or len(parts) > MOST_CALLS:
        raise front_end(400, f"A batch is multipart/mixed with at most {MOST_CALLS} calls.", "INVALID_ARGUMENT")
    shared = {name: outer[name] for name in ("authorization",) if name in outer}
    calls = []
    for part in parts:
        if isinstance(part, str):
            continue
        raw = part.get_payload(decode=True)
        if not isinstance(raw, bytes) or part.get_content_type() != "application/http":
            raise front_end(400, "Each part of a batch is of type application/http.", "INVALID_ARGUMENT")
        calls.append(_call(str(part.get("Content-ID", "")), raw, shared))
    return calls


def _call(name: str, raw: bytes, shared: Mapping[str, str]) -> Call:
    first, _, rest = raw.lstrip().partition(b"\n")
    words = first.decode("latin-1").split()
    if len(words) != 3:
        raise front_end(400, "A part of a batch begins with a request line.", "INVALID_ARGUMENT")
    inner = BytesParser().parsebytes(rest)
    payload = inner.get_payload(decode=True)
    headers = {key.lower(): str(value) for key, value in inner.items()}
    return Call(name, words[0], words[1], {**shared, **headers}, payload if isinstance(payload, bytes) else b"")


def written(calls: Sequence[Call], answers: Sequence[Answer]) -> tuple[str, bytes]:
    """Content type and body of the answer."""
    boundary = f"batch_{secrets.token_urlsafe(16)}"
    lines = []
    for call, answer in zip(calls, answers, strict=True):
        name = f"<response-{call.id.strip('<>')}>" if call.id else ""
        head = [f"--{boundary}", "Content-Type: application/http", *([f"Content-ID: {name}"] if name else []), ""]
        phrase = HTTPStatus(answer.status).phrase
        inner = [f"HTTP/1.1 {answer.status} {phrase}", *(f"{key}: {value}" for key, value in answer.headers.items())]
        inner += [f"Content-Length: {len(answer.body)}", "", ""]
        lines.append("\r\n".join([*head, *inner]).encode() + answer.body + b"\r\n")
    return f"multipart/mixed; boundary={boundary}", b"".join(lines) + f"--{boundary}--\r\n".encode()
