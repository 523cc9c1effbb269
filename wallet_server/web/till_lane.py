"""Owns the short way of the tills' hot question, a sale: answered before Flask is asked.

Most of what a small request costs is the framework around it. Only what is plainly a sale that is in order is answered
here, with the forms, the action and the words of the ordinary way (`api.counter`). Anything else goes there: before it
was counted against the key's limit as it came, and after it together with what came of it, so that nothing is done or
counted twice and every refusal is worded in one place.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

import orjson

from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.actions.counter import till
from wallet_server.actions.programme import programs
from wallet_server.errors import Unauthenticated
from wallet_server.rules.sentences import CashierKind
from wallet_server.web.api.counter import counted_facts, sold_of
from wallet_server.web.api.door import CARRIED, KEY, TILL, Carried, limits_of, presented
from wallet_server.web.api.sale_models import Sale
from wallet_server.web.metrics import SALES
from wallet_server.web.pages import DATA_POLICY, GUARDS

_PATH, _JSON = "/v1/sales", "application/json"
_APART = ("HTTP_X_REQUEST_ID", "HTTP_X_CASHIER", "HTTP_X_TRAINING", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING")
"""Whoever sends one of these wants more than the plain way does."""
_GUARDS = [("Cache-Control", "no-store"), *GUARDS.items(), ("Content-Security-Policy", DATA_POLICY)]
_REPLAYED = ("Idempotency-Replayed", "true")

Asked = tuple[keys.Scope, bool, Sale, till.Sold, str | None]
"""Whose key it is, and whether that is recalled from before and not looked at yet; what was sold; the request's key."""


class TillLane:
    """WSGI: answers sales that are in order and leaves the rest to `app`. `context` is asked at each request."""

    def __init__(
        self, app: Callable[..., Iterable[bytes]], context: Callable[[], Context], meter: keys.Meter, most_bytes: int
    ) -> None:
        self._app, self._context, self._meter, self._most_bytes = app, context, meter, most_bytes
        self._known = keys.Known()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked = self._asked(environ) if environ["PATH_INFO"] == _PATH else None
        if asked is None:
            return self._app(environ, start_response)
        scope, recalled, body, sold, key = asked
        ctx = self._context()
        allowance = None
        try:
            allowance = self._meter.count(ctx, scope)
            if allowance.spent:
                return self._app(environ, start_response)
            ctx.times.enter(scope)
            try:
                facts, replayed = till.sell(ctx, scope, sold, key, recalled=recalled)
            except keys.KeyChanged:
                scope = self._anew(ctx, environ)
                ctx.times.enter(scope)
                facts, replayed = till.sell(ctx, scope, sold, key)
            programme = programs.programme_told(ctx, facts)
            kind: CashierKind = "already-counted" if replayed else "sold"
            zone = scope.zone if replayed else None
            told = orjson.dumps(counted_facts(facts, programme, body.language, kind, zone))
        except Unauthenticated:
            return self._app(environ, start_response)
        except Exception as fault:  # noqa: BLE001 - whatever it was, the ordinary way words it and writes it down
            if allowance is not None:
                environ[CARRIED] = Carried(scope, allowance, fault)
            return self._app(environ, start_response)
        finally:
            ctx.times.leave()
        headers = [("Content-Type", _JSON), ("Content-Length", str(len(told)))]
        if replayed:
            headers.append(_REPLAYED)
        else:
            ctx.tally.add(SALES)
        headers += [*limits_of(allowance), ("X-Request-Id", f"req_{secrets.token_hex(10)}"), *_GUARDS]
        start_response("200 OK", headers)
        return (told,)

    def _anew(self, ctx: Context, environ: dict[str, Any]) -> keys.Scope:
        """The scope of a key that was recalled, looked at now. Raises `Unauthenticated`."""
        shown = _key_of(environ)
        self._known.forget(shown)
        scope = keys.authenticate(ctx, shown)
        self._known.keep(ctx, shown, scope)
        return scope

    def _asked(self, environ: dict[str, Any]) -> Asked | None:
        """What is asked, if it is plainly in order; nothing was counted yet."""
        length = environ.get("CONTENT_LENGTH", "")
        plain = environ["REQUEST_METHOD"] == "POST" and environ.get("CONTENT_TYPE") == _JSON
        if not plain or environ.get("QUERY_STRING") or not length.isdecimal() or int(length) > self._most_bytes:
            return None
        key = environ.get("HTTP_IDEMPOTENCY_KEY")
        if any(name in environ for name in _APART) or (key is not None and not KEY.fullmatch(key)):
            return None
        sent = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = BytesIO(sent)
        try:
            ctx, shown = self._context(), _key_of(environ)
            known = self._known.recall(ctx, shown)
            scope = known or self._anew(ctx, environ)
            if TILL not in scope.scopes:
                return None
            body = Sale.model_validate(orjson.loads(sent))
            sold = sold_of(body)
            if sold.uses.spends and scope.device:
                return None
            return scope, known is not None, body, sold, key
        except Exception:  # noqa: BLE001 - the ordinary way meets it too, and says what it was
            return None


def _key_of(environ: dict[str, Any]) -> str | None:
    return presented(environ.get("HTTP_AUTHORIZATION", ""))
