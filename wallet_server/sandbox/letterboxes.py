"""Owns the sandbox's letterboxes: a mail server (SMTP, with STARTTLS and a password) and an HTTPS gateway for short
messages. Both keep what they took, and can be told to be slow, to put off, to refuse, or to lose their answer.

The mail server is built from aiosmtpd, which the extra `[sandbox]` installs.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default as modern
from functools import partial
from typing import Any, Self

from aiohttp import web

from wallet_server.sandbox.authority import Authority

try:
    from aiosmtpd import smtp
except ImportError:
    smtp = None  # type: ignore[assignment]

MODES = ("normal", "slow", "later", "refuse", "locked", "lost")
"""Works; answers after a while; 4yz or 503; 5yz or 422 for this letter; our password or key is not taken; takes it and
hangs up without an answer."""
SLOW_SECONDS = 3.0
KEPT = 500
MISSING = (
    "There are no letterboxes: the mail server of the sandbox is not installed. Install it with "
    "`pip install 'wallet-server[sandbox]'`."
)


class NoLetterboxes(Exception):
    """What the mail server is built from is not installed; the text says what to do."""


@dataclass(frozen=True)
class Got:
    """A letter as it was taken. `reference` is what its sender calls it: the same for one that came twice."""

    number: int
    at: datetime
    kind: str
    to: str
    sender: str
    subject: str
    text: str
    html: str
    reference: str
    raw: bytes = field(default=b"", repr=False)


class Letterboxes:
    """Both servers. Use as `async with Letterboxes(authority) as boxes`, or `with Letterboxes(authority).in_thread()`.

    `modes` says of `email` and `phone` how each answers. `secure` False is a mail server without TLS.
    """

    def __init__(self, authority: Authority, *, host: str = "127.0.0.1", secure: bool = True) -> None:
        """Raises NoLetterboxes."""
        if smtp is None:
            raise NoLetterboxes(MISSING)
        self.host, self.trust_pem = host, authority.root_pem
        self.user, self.password = "wallet", secrets.token_hex(12)
        self.key = secrets.token_hex(16)
        self.modes = {"email": "normal", "phone": "normal"}
        self.slow_seconds = SLOW_SECONDS
        self.got: deque[Got] = deque(maxlen=KEPT)
        self.came = 0
        self._tls = authority.https_context()
        self._secure = secure
        self._seen: dict[str, str] = {}
        self._servers: list[asyncio.Server] = []
        self._runner: web.AppRunner | None = None
        self.smtp_port = self.smtps_port = self.sms_port = 0

    @property
    def sms_url(self) -> str:
        return f"https://localhost:{self.sms_port}"

    @property
    def wants_password(self) -> bool:
        return self._secure

    def tell(self, kind: str, mode: str) -> None:
        """Answer so from now on. Raises ValueError for a mode that there is not."""
        if mode not in MODES or kind not in self.modes:
            raise ValueError(f"mode is one of {', '.join(MODES)}.")
        self.modes[kind] = mode

    def letters(self, to: str = "", kind: str = "") -> list[Got]:
        """What was taken, the newest last, for this address and of this kind where they are named."""
        return [one for one in list(self.got) if to in ("", one.to) and kind in ("", one.kind)]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for port, tls in (("smtp_port", None), ("smtps_port", self._tls)):
            server = await loop.create_server(partial(self._smtp, loop, tls is not None), self.host, 0, ssl=tls)
            self._servers.append(server)
            setattr(self, port, server.sockets[0].getsockname()[1])
            if not self._secure:
                break
        app = web.Application(client_max_size=64 * 1024)
        app.add_routes([web.post("/messages", self._sms)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, 0, ssl_context=self._tls).start()
        self.sms_port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for server in self._servers:
            server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @contextmanager
    def in_thread(self) -> Iterator[Letterboxes]:
        """Runs the servers in an event loop of their own thread, for callers without one."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="sandbox-letterboxes", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.__aenter__(), loop).result(timeout=20)
            yield self
            asyncio.run_coroutine_threadsafe(self.__aexit__(), loop).result(timeout=20)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout=20)

    def keep(self, kind: str, to: str, sender: str, reference: str, **said: Any) -> None:
        """Note a letter that was taken."""
        self.came += 1
        subject, text, html = said.get("subject", ""), said["text"], said.get("html", "")
        one = Got(self.came, datetime.now(UTC), kind, to, sender, subject, text, html, reference, said.get("raw", b""))
        self.got.append(one)

    # Mail

    def _smtp(self, loop: asyncio.AbstractEventLoop, implicit: bool) -> Any:
        over_starttls = self._secure and not implicit
        return smtp.SMTP(
            _Mail(self),
            hostname="mail.sandbox",
            authenticator=self._authenticate,
            auth_required=over_starttls,
            auth_require_tls=over_starttls,  # over implicit TLS it is there already, which aiosmtpd does not know
            require_starttls=over_starttls,
            tls_context=self._tls if over_starttls else None,
            loop=loop,
        )

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, mechanism: str, data: Any) -> Any:
        if self.modes["email"] == "locked" or not isinstance(data, smtp.LoginPassword):
            return smtp.AuthResult(success=False, handled=False)
        known = hmac.compare_digest(data.login, self.user.encode())
        return smtp.AuthResult(
            success=known and hmac.compare_digest(data.password, self.password.encode()), handled=False
        )

    # Short messages

    async def _sms(self, request: web.Request) -> web.StreamResponse:
        mode = self.modes["phone"]
        if mode == "slow":
            await asyncio.sleep(self.slow_seconds)
        bearer = request.headers.get("Authorization", "")
        if mode == "locked" or not hmac.compare_digest(bearer.encode(), f"Bearer {self.key}".encode()):
            return web.json_response({"error": "unknown key"}, status=401)
        if mode == "later":
            return web.json_response({"error": "busy"}, status=503, headers={"Retry-After": "7"})
        try:
            body = json.loads(await request.text())
            to, text, reference = str(body["to"]), str(body["text"]), str(body["reference"])
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": "to, text and reference are needed"}, status=400)
        if mode == "refuse" or not (to.startswith("+") and to[1:].isdigit() and 8 <= len(to) <= 16):
            return web.json_response({"error": "no such number"}, status=422)
        remote = self._seen.get(reference)
        if remote is None:
            remote = self._seen[reference] = secrets.token_hex(8)
            self.keep("phone", to, str(body.get("from") or ""), reference, text=text)
        if mode == "lost" and request.transport is not None:
            request.transport.abort()
        return web.json_response({"id": remote, "parts": body.get("parts")}, status=202)


class _Mail:
    """What the mail server does with what it is told (the hooks of aiosmtpd)."""

    def __init__(self, boxes: Letterboxes) -> None:
        self._boxes = boxes

    async def handle_MAIL(  # noqa: N802 - so called by aiosmtpd
        self, _server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self._boxes.wants_password and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        mode = self._boxes.modes["email"]
        if mode == "later":
            return "450 4.2.1 This mailbox is greylisted, come back"
        if mode == "refuse":
            return "550 5.1.1 There is no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        boxes = self._boxes
        if boxes.modes["email"] == "slow":
            await asyncio.sleep(boxes.slow_seconds)
        message = message_from_bytes(envelope.content, policy=modern)
        plain, html = message.get_body(("plain",)), message.get_body(("html",))
        for to in envelope.rcpt_tos:
            boxes.keep(
                "email",
                to,
                str(message["From"]),
                str(message["Message-ID"]),
                subject=str(message["Subject"]),
                text=plain.get_content() if plain else "",
                html=html.get_content() if html else "",
                raw=envelope.content,
            )
        if boxes.modes["email"] == "lost":
            server.transport.abort()
        return f"250 2.0.0 Taken as {boxes.came}"
