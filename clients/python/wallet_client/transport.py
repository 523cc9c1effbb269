"""Owns the requests: one connection, one Idempotency-Key for all tries of a write, problems as exceptions."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ssl import SSLContext, create_default_context
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

AGAIN = (429, 502, 503, 504)
"""Answers after which the same request is sent again: the server did not do it, or says that it can be asked twice."""
MOST_BYTES = 50_000_000
WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Unreachable(Exception):
    """No answer, after all tries. A write may have been done: send it again with the same `idempotency_key`."""

    def __init__(self, why: str, idempotency_key: str | None) -> None:
        super().__init__(why)
        self.idempotency_key = idempotency_key


class Problem(Exception):
    """A refusal (RFC 9457). `code` is stable, `title` a sentence for people, `field` what it is about."""

    def __init__(self, status: int, document: Mapping[str, Any], retry_after: float | None) -> None:
        self.status, self.document, self.retry_after = status, document, retry_after
        self.code = str(document.get("code", status))
        self.title = str(document.get("title", "The server refused."))
        self.field: str | None = document.get("field")
        self.request_id: str | None = document.get("request_id")
        super().__init__(f"{self.title} ({self.code})")


class Transport:
    """Sends requests with a key; safe between threads, one request at a time.

    `tries`: how often a request is sent before `Unreachable`; `seconds`: how long one try may take. A write is sent
    again with the very Idempotency-Key of its first try, so it is done once.
    """

    def __init__(
        self,
        base: str,
        key: str,
        *,
        headers: Mapping[str, str] | None = None,
        tls: SSLContext | None = None,
        tries: int = 4,
        seconds: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        place = urlsplit(base)
        if place.scheme not in ("http", "https") or not place.hostname:
            raise ValueError(f"{base} is not the address of a server")
        self._place, self._tls, self._seconds = place, tls, seconds
        self._tries, self._sleep = max(1, tries), sleep
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json", **(headers or {})}
        self._line: HTTPConnection | None = None
        self._lock = threading.Lock()

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """The JSON of the answer, or its text where it is none. Raises `Problem` and `Unreachable`."""
        headers = dict(self._headers)
        if method in WRITES:
            idempotency_key = idempotency_key or str(uuid4())
            headers["Idempotency-Key"] = idempotency_key
        sent = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            sent = json.dumps(body, ensure_ascii=False).encode()
        asked = urlencode({name: value for name, value in (query or {}).items() if value is not None})
        target = self._place.path.rstrip("/") + path + (f"?{asked}" if asked else "")
        why = "no answer"
        for tried in range(self._tries):
            if tried:
                self._sleep(random.uniform(0.5, 1.0) * min(8.0, 0.25 * 2**tried))  # noqa: S311 - only a wait
            try:
                status, kind, after, text = self._once(method, target, sent, headers)
            except (OSError, HTTPException) as fault:
                why = f"{type(fault).__name__}: {fault}"
                continue
            if status < 300:
                return json.loads(text) if "json" in kind else text.decode()
            problem = Problem(status, _document(kind, text), after)
            if status not in AGAIN or tried + 1 == self._tries or (after or 0) > 30:
                raise problem
            self._sleep(after or 0.0)
        raise Unreachable(why, idempotency_key)

    def _once(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, float | None, bytes]:
        with self._lock:
            line = self._line or self._open()
            self._line = None
            try:
                line.request(method, target, body, dict(headers))
                answer: HTTPResponse = line.getresponse()
                text = answer.read(MOST_BYTES)
            except BaseException:
                line.close()
                raise
            if answer.isclosed() and not answer.will_close:
                self._line = line
            else:
                line.close()
        after = answer.headers.get("Retry-After", "")
        return answer.status, answer.headers.get_content_type(), float(after) if after.isdigit() else None, text

    def _open(self) -> HTTPConnection:
        host, port = self._place.hostname or "", self._place.port
        if self._place.scheme == "http":
            return HTTPConnection(host, port, timeout=self._seconds)
        return HTTPSConnection(host, port, timeout=self._seconds, context=self._tls or create_default_context())

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        with self._lock:
            if self._line is not None:
                self._line.close()
                self._line = None


def _document(kind: str, text: bytes) -> Mapping[str, Any]:
    if "json" in kind:
        found = json.loads(text)
        if isinstance(found, dict):
            return found
    return {}
