"""Owns the calls to Google's Wallet API for one service account: its connections, its token, its limits.

The calls go over urllib3, which costs half of what requests does for each. One is made once (twice where the token had
run out), never repeated or slept over behind the caller's back: what became of it is an `Answer`.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import orjson
import urllib3

from wallet_server.errors import Misconfigured, Unavailable
from wallet_server.wallets.google.answers import Answer, answer
from wallet_server.wallets.google.tokens import Tokens

API = "https://walletobjects.googleapis.com"
TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
CONNECTIONS = 8
CONNECT_SECONDS, READ_SECONDS = 5.0, 15.0
HURRIED_SECONDS = 4.0
"""How long somebody who waits for a page waits for one answer."""
MOST_BYTES = 2 * 1024 * 1024
SYSTEM_TRUST = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS
)

Method = Literal["GET", "POST", "PATCH", "PUT"]


@dataclass(frozen=True)
class Account:
    """The service account that speaks for an issuer, as the caller keeps it; `version` changes with its key."""

    issuer_id: str
    email: str
    key_pem: bytes = field(repr=False)
    version: int


@dataclass(frozen=True)
class Where:
    """Google, or the sandbox in its place: addresses, and the root to trust there (PEM; None: the system's)."""

    api: str = API
    token_url: str = TOKEN
    trust_pem: bytes | None = None
    connect_seconds: float = CONNECT_SECONDS
    read_seconds: float = READ_SECONDS


class Session:
    """One service account's way to the API; shared by threads."""

    def __init__(self, account: Account, where: Where) -> None:
        """Raises `Misconfigured` for a key that cannot be read."""
        self.account = account
        self._base = f"{where.api.rstrip('/')}/walletobjects/v1/"
        self._pool = pool_for(where.api, where)
        self._token_url, self._token_pool = where.token_url, pool_for(where.token_url, where)
        self._tokens = Tokens(account.email, account.key_pem, self._grant)

    def call(
        self, method: Method, path: str, body: Mapping[str, Any] | None = None, *, hurried: bool = False
    ) -> Answer:
        """One call, such as `("PATCH", "loyaltyObject/1.a", {...})`; `hurried`: given up after `HURRIED_SECONDS`. Never
        raises for what Google or the network do."""
        within = HURRIED_SECONDS if hurried else None
        sent = None if body is None else orjson.dumps(body)
        token = self._tokens.token()
        if isinstance(token, Answer):
            return replace(token, unheard=False)
        given = self._send(method, path, sent, token, within)
        if given.status == 401:
            token = self._tokens.token(token)
            given = (
                replace(token, unheard=False)
                if isinstance(token, Answer)
                else self._send(method, path, sent, token, within)
            )
        return given

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.clear()
        self._token_pool.clear()

    def _grant(self, form: Mapping[str, str]) -> Answer:
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        return _exchanged(self._token_pool, "POST", self._token_url, urlencode(form).encode(), headers)

    def _send(self, method: Method, path: str, sent: bytes | None, token: str, within: float | None) -> Answer:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        if sent is not None:
            headers["content-type"] = "application/json; charset=utf-8"
        return _exchanged(self._pool, method, self._base + path, sent, headers, within)


def _exchanged(
    pool: urllib3.PoolManager,
    method: str,
    address: str,
    sent: bytes | None,
    headers: Mapping[str, str],
    within: float | None = None,
) -> Answer:
    more: dict[str, Any] = {} if within is None else {"timeout": urllib3.Timeout(connect=within, read=within)}
    try:
        response = pool.request(
            method, address, body=sent, headers=headers, preload_content=False, redirect=False, **more
        )
        raw = read(response)
    except (urllib3.exceptions.HTTPError, OSError) as fault:
        away = isinstance(fault, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)
        return Answer(0, said=_short(fault), unheard=not away)
    if raw is None:
        return Answer(0, said=f"an answer of more than {MOST_BYTES // 1024} KB", unheard=True)
    try:
        found = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError:
        said = f"no JSON (status {response.status})"
        if response.status >= 400:
            return Answer(response.status, said=said)
        # A proxy's page, or half of an answer: nobody knows what became of the call.
        return Answer(0, said=said, unheard=True)
    return answer(response.status, found, response.headers.get("retry-after"), time.time())


def read(response: urllib3.BaseHTTPResponse) -> bytes | None:
    """The body; None for one that is too large, whose connection is then closed."""
    raw: bytes = response.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        response.close()
        return None
    response.release_conn()
    return raw


def pool_for(address: str, where: Where) -> urllib3.PoolManager:
    """Connections to this address, through the proxy that the system is set to use, if any."""
    context = ssl.create_default_context(cadata=None if where.trust_pem is None else where.trust_pem.decode())
    if where.trust_pem is None:
        system = next((place for place in SYSTEM_TRUST if Path(place).is_file()), None)
        if system is not None:
            context.load_verify_locations(system)
    settings: dict[str, Any] = {
        "maxsize": CONNECTIONS,
        "num_pools": 2,
        "block": False,
        "retries": False,
        "timeout": urllib3.Timeout(connect=where.connect_seconds, read=where.read_seconds),
        "ssl_context": context,
    }
    proxy = None if where.trust_pem is not None else _proxy(urlsplit(address).hostname or "")
    return urllib3.PoolManager(**settings) if proxy is None else urllib3.ProxyManager(proxy, **settings)


def _proxy(host: str) -> str | None:
    said = getproxies()
    place = said.get("https") or said.get("all")
    if not place or proxy_bypass(host):
        return None
    return place if "//" in place else f"http://{place}"


def fetch(address: str, where: Where) -> bytes:
    """A public document, such as the root keys for callbacks. Raises `Unavailable` when it cannot be had."""
    pool = pool_for(address, where)
    try:
        response = pool.request("GET", address, preload_content=False, redirect=False)
        raw = read(response)
    except (urllib3.exceptions.HTTPError, OSError) as fault:
        raise Unavailable(f"{address} does not answer: {_short(fault)}") from fault
    finally:
        pool.clear()
    if raw is None or response.status != 200:
        raise Unavailable(f"{address} answers with {response.status}; try again in a moment.")
    return raw


def path_of(kind: str, identifier: str = "", verb: str = "") -> str:
    """The path of a resource of this kind (`loyaltyObject`)."""
    parts = [kind, quote(identifier, safe=""), verb]
    return "/".join(part for part in parts if part)


def check_where(where: Where, save_base: str, sandbox: bool, own: tuple[str, str, str]) -> None:
    """Raises `Misconfigured` for an address that is not Google's (`own`), or a root of its own, outside the sandbox."""
    if sandbox:
        return
    if (where.api.rstrip("/"), where.token_url, save_base.rstrip("/")) != own or where.trust_pem is not None:
        raise Misconfigured(
            "Google Wallet is reached at Google's own addresses, with the system's roots; others are for the sandbox. "
            "Remove the WALLET_GOOGLE settings that name them."
        )


def _short(fault: BaseException) -> str:
    return f"{type(fault).__name__}: {fault}"[:200]
