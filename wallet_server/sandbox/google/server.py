"""Owns the sandbox's Google Wallet: its API, sign-in, save page and callback keys over TLS on loopback.

Routes, bodies and answers come from Google's own discovery document; what prose alone says of them is in the modules
beside this one. It can be told, live, to be slow, busy, unwell, forgetful or away.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import batch, state
from wallet_server.sandbox.google.accounts import Accounts, BadJwt
from wallet_server.sandbox.google.api import Api
from wallet_server.sandbox.google.batch import Answer, Call
from wallet_server.sandbox.google.callbacks import Callbacks, Keys
from wallet_server.sandbox.google.discovery import Discovery
from wallet_server.sandbox.google.page import save_page
from wallet_server.sandbox.google.refusals import Refusal, busy
from wallet_server.sandbox.google.resources import Resources
from wallet_server.sandbox.google.schema import Schemas
from wallet_server.sandbox.google.shelf import Shelf, Stored, class_kind
from wallet_server.sandbox.google.switches import Order, Switches

MOST_BODY_BYTES = 8 * 1024 * 1024
SAVE = "/gp/v/save/"
KEYS = "/gp/m/issuer/keys"
JSON = "application/json"
CLIENT_GONE_SECONDS = 0.5
FLUSH_SECONDS = 1.0
Result = TypeVar("Result")


class GoogleServer:
    """Google Wallet on loopback. Use as `async with GoogleServer(authority) as google`, or `google.in_thread()`.

    `clock` says what day it is for passes; `google.switches` says how it behaves, `google.counts` and `google.journal`
    what it was asked, `google.writes` how often each id was written. `names` are names (to addresses) that it knows
    besides the system's. With `folder` everything is there again after a restart."""

    def __init__(
        self,
        authority: Authority,
        *,
        discovery: Discovery | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        folder: Path | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        callback_tls: ssl.SSLContext | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        """Raises NoDiscovery where Google's document is not installed, ValueError for a host beyond loopback."""
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the sandbox's Google listens on loopback only, not on {host}")
        self.host, self.port = host, port
        self.clock = clock
        self.trust_pem = authority.root_pem
        self.accounts = Accounts()
        self.switches = Switches(time.monotonic)
        self.discovery = discovery or Discovery.load()
        self.shelf = Shelf(Schemas(self.discovery), clock)
        self.resources = Resources(self.shelf, self.accounts, self.switches)
        self.api = Api(self.discovery, self.resources, self.accounts, self.switches)
        self.callbacks = Callbacks(Keys.fresh(clock()), clock, callback_tls, names)
        self.counts, self.journal, self.writes = self.api.counts, self.api.journal, self.api.writes
        self._context = authority.https_context()
        self._folder = folder
        self._runner: web.ServerRunner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._kept = b""
        if folder is not None:
            state.load(self, folder)

    # Where it is

    @property
    def address(self) -> str:
        """The root of the API, without a slash at its end; methods are below /walletobjects/v1."""
        return f"https://{self.host}:{self.port}"

    @property
    def token_url(self) -> str:
        return f"{self.address}/token"

    @property
    def save_url(self) -> str:
        """What stands before the JWT of a save link."""
        return f"{self.address}{SAVE}"

    @property
    def keys_url(self) -> str:
        return f"{self.address}{KEYS}"

    # Starting and stopping

    async def start(self) -> None:
        """Listens; with port 0 the system chooses one, which is kept for life. Raises OSError when it is taken."""
        self._loop = asyncio.get_running_loop()
        self._runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=CLIENT_GONE_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port, ssl_context=self._context, backlog=512).start()
        self.port = self._runner.addresses[0][1]
        self.accounts.token_url, self.api.save_base = self.token_url, self.save_url
        await self.callbacks.start()
        if self._folder is not None:
            self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Refuses connections and cuts those that stand. `start` brings it back on the same port."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        await self.callbacks.stop()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.keep()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[GoogleServer]:
        """Runs the server in an event loop of its own thread, for callers without one; stops it at the end."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="sandbox-google", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(), loop).result(timeout=20)
            yield self
            asyncio.run_coroutine_threadsafe(self.stop(), loop).result(timeout=20)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout=20)
            if not thread.is_alive():
                loop.close()

    def run(self, order: Coroutine[Any, Any, Result]) -> Result:
        """Runs a coroutine, such as `google.stop()`, in the server's loop, from another thread, and waits for it."""
        if self._loop is None:
            raise RuntimeError("the server has not been started")
        return asyncio.run_coroutine_threadsafe(order, self._loop).result(timeout=30)

    # What a console would do

    def issue_account(self, issuer: str, email: str | None = None) -> dict[str, str]:
        """A service account that may write for this issuer, as the JSON file that Google hands out; the same again for
        the same e-mail. Its private key is made here."""
        name = email or f"wallet-{issuer}@sandbox.iam.gserviceaccount.com"
        service = self.accounts.service(name)
        self.accounts.issuer(issuer).roles.setdefault(name, "WRITER")
        return {
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": service.key_id,
            "private_key": service.key_pem,
            "client_email": service.email,
            "client_id": str(int(service.key_id[:15], 16)),
            "auth_uri": f"{self.address}/o/oauth2/auth",
            "token_uri": self.token_url,
            "auth_provider_x509_cert_url": f"{self.address}/oauth2/v1/certs",
            "client_x509_cert_url": f"{self.address}/robot/v1/metadata/x509/{service.email}",
            "universe_domain": "googleapis.com",
        }

    def permit(self, issuer: str, email: str, *, allowed: bool) -> None:
        """Add a service account to an issuer's users, or take it out: then every call for that issuer is 403."""
        roles = self.accounts.issuer(issuer).roles
        if allowed:
            roles[email] = "WRITER"
        else:
            roles.pop(email, None)

    def allow_locations(self, issuer: str, *, allowed: bool) -> None:
        """Whether the issuer is allowlisted for merchant locations."""
        self.accounts.issuer(issuer).locations = allowed

    def tell(self, order: Order | None, issuer: str | None = None) -> None:
        """How requests are answered from now on, for an issuer or for all; None takes it back. From any thread."""
        self.switches.tell(order, issuer)

    def respell(self, *, old: bool) -> None:
        """Whether answers carry the old spellings of enums ("active") or today's ("ACTIVE")."""
        self.switches.old_spelling = self.shelf.old_spelling = old

    # What phones do

    def save(self, jwt: str, holder: str) -> list[Stored]:
        """An account saves what a link names; its classes' callbacks are called. In the server's loop. Raises Refusal
        with what the page would say."""
        found = self.api.links.opened(jwt)
        for stored in found:
            self.resources.save(stored, holder)
            self._call_back(stored, "save")
        return found

    def unsave(self, stored: Stored, holder: str) -> None:
        """An account threw an object out of its wallet. In the server's loop."""
        if holder in stored.holders:
            self.resources.unsave(stored, holder)
            self._call_back(stored, "del")

    def _call_back(self, stored: Stored, what: str) -> None:
        above = self.shelf.find(class_kind(stored.kind), stored.class_id)
        issuer = stored.id.split(".")[0]
        known = self.accounts.issuers.get(issuer)
        for about in (above.body if above else {}, known.about if known else {}):
            url = about.get("callbackOptions", {}).get("url", "")
            if url:
                self.callbacks.send(url, issuer, stored.class_id, stored.id, what, self.switches.duplicates)
                return

    # On the wire

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        body = await request.content.read(-1) if request.can_read_body else b""
        if len(body) > MOST_BODY_BYTES:
            return web.Response(status=413)
        if path == "/token" and request.method == "POST":
            return await self._token(body)
        if path.startswith(SAVE):
            return self._save_page(request, path.removeprefix(SAVE), body)
        if path == KEYS:
            head = {"Cache-Control": "public, max-age=3600"}
            return web.json_response(self.callbacks.keys.served(), headers=head)
        if path.split("/")[1] == "batch" and request.method == "POST":
            return await self._batch(request, body)
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer, delay = self.api.answer(Call("", request.method, request.raw_path, headers, body))
        if delay:
            await asyncio.sleep(delay)
        return _sent(request, answer)

    async def _batch(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            calls = batch.read(headers.get("content-type", ""), body, headers)
        except Refusal as refusal:
            return web.Response(status=refusal.status, body=orjson.dumps(refusal.body), content_type=JSON)
        answers, longest = [], 0.0
        for call in calls:
            answer, delay = self.api.answer(call)
            answers.append(answer)
            longest = max(longest, delay)
        if longest:
            await asyncio.sleep(longest)
        kind, whole = batch.written(calls, answers)
        lost = any(answer.lost for answer in answers)
        return _sent(request, Answer(200, whole, {"Content-Type": kind}, lost))

    async def _token(self, body: bytes) -> web.StreamResponse:
        order = self.switches.next("", "token")
        await asyncio.sleep(order.delay_seconds)
        if order.status != 200:
            refusal = busy(order.status, order.retry_after_seconds)
            return web.json_response(refusal.body, status=refusal.status, headers=refusal.headers)
        try:
            form = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=10))
            granted = self.accounts.grant(form)
        except (BadJwt, ValueError) as fault:
            self.counts["token 400"] += 1
            return web.json_response({"error": "invalid_grant", "error_description": str(fault)}, status=400)
        self.counts["token 200"] += 1
        return web.json_response(granted, headers={"Cache-Control": "no-store"})

    def _save_page(self, request: web.BaseRequest, jwt: str, body: bytes) -> web.StreamResponse:
        """GET shows what a link would save, POST saves it for the account that the form names."""
        form = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=10))
        try:
            shown = self.api.links.preview(jwt)
            if request.method == "POST":
                self.save(jwt, form.get("account", "somebody"))
        except Refusal as refusal:
            said = str(refusal.body["error"]["message"])
            return web.Response(text=save_page([], said), status=refusal.status, content_type="text/html")
        return web.Response(text=save_page(shown, ""), content_type="text/html")

    # Keeping

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.keep()

    def keep(self) -> None:
        """Write what has changed into the folder, if there is one."""
        if self._folder is not None:
            self._kept = state.save(self, self._folder, self._kept)


def _sent(request: web.BaseRequest, answer: Answer) -> web.Response:
    """The answer, or a cut connection where it gets lost."""
    if answer.lost and request.transport is not None:
        request.transport.abort()
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
