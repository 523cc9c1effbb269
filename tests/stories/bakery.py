"""Owns an empty installation on a shop's own network: the product over its own https under a name of that network,
Apple's push service and iPhones that trust it, Google and Android phones, and browsers with a camera before which a
phone can be held."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.chromium import ARGUMENTS, CHROMIUM
from tests.launching import Launched, launch
from tests.stories.running import clean, free_pair
from tests.stories.stage import google_settings
from wallet_server.actions.operating import upkeep
from wallet_server.actions.programme.demo import PASS_TYPE, TEAM
from wallet_server.actions.vendors import credentials
from wallet_server.cli.opening import open_context
from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import AndroidFleet, AndroidPhone, GoogleServer
from wallet_server.sandbox.phones.fleet import Fleet
from wallet_server.sandbox.phones.model import Behaviour
from wallet_server.sandbox.phones.phone import Phone
from wallet_server.sandbox.phones.webservice import Line
from wallet_server.settings import Settings

HOST = "boulangerie.test"
READY_SECONDS = 90.0
PICTURE = (640, 480)
FRAMES = 4
SETUP = re.compile(r"https://\S+/start/\S+")


class Bakery:
    """One installation that holds nothing but Apple's certificate of its operator and an account of Google's. Use as a
    context manager."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder, self.port = folder, free_pair()
        self.base = f"https://{HOST}:{self.port}"
        self.film_file = folder / "film.mjpeg"
        self._variables = {
            "WALLET_ENVIRONMENT": "sandbox",
            "WALLET_DATA_DIR": str(folder / "data"),
            "WALLET_DATABASE_URL": database_url,
            "WALLET_TLS": "local",
            "WALLET_PORT": str(self.port),
            "WALLET_TRUST_PORT": str(self.port + 1),
            "WALLET_BASE_URL": self.base,
            "WALLET_COALESCE_SECONDS": "0.5",
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()
        self._tls = ssl.create_default_context()
        self._process: Launched | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.authority = Authority.open(self.folder / "authority", datetime.now(UTC))
            self.fleet: Fleet = self.run(self._begin())
            self._variables |= {
                "WALLET_APNS_URL": self.apns.address,
                "WALLET_APNS_CA": self.authority.root_pem.decode(),
            }
            self.ctx = open_context(Settings.from_env(self._variables))
            certificate, key = self.authority.pass_certificate(PASS_TYPE, TEAM)
            credentials.add(self.ctx, None, certificate, key, self.authority.wwdr_pem)
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    async def _begin(self) -> Fleet:
        line = Line(tls=self._tls, names={HOST: "127.0.0.1"})
        behaviour = Behaviour(debounce_seconds=0.02)
        fleet = await self._stack.enter_async_context(Fleet(self.authority.root_pem, behaviour=behaviour, line=line))
        google = GoogleServer(self.authority, callback_tls=self._tls, names=line.names)
        await self._stack.enter_async_context(google)
        self.androids = await self._stack.enter_async_context(AndroidFleet(google, tls=self._tls, names=line.names))
        self._variables |= google_settings(google)
        self.apns = await self._stack.enter_async_context(
            ApnsServer(self.authority, on_push=fleet.on_push, known_tokens=fleet.known_token)
        )
        return fleet

    def _start(self) -> None:
        log = self.folder / "server.log"
        with log.open("wb") as said:
            self._process = launch("run", env={**clean(), **self._variables}, stdout=said, stderr=said)
        self.until(lambda: SETUP.search(self.said()) is not None and self._listens(), "the server is up", READY_SECONDS)
        self._tls.load_verify_locations(cadata=(self.folder / "data" / "tls" / "authority.pem").read_text())

    def said(self) -> str:
        """What the server has printed."""
        return (self.folder / "server.log").read_text(errors="replace")

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.said()[-2000:]
        with socket.socket() as line:
            return line.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def setup_link(self) -> str:
        """The link by which the first owner begins, as the terminal shows it."""
        found = SETUP.search(self.said())
        assert found
        return found.group()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        if hasattr(self, "ctx"):
            self.ctx.database.close()
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def run(self, work: Coroutine[Any, Any, Any], timeout_seconds: float = 60.0) -> Any:
        """Do this in the loop of the phones."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_seconds)

    def phone(self, language: str) -> Phone:
        """An iPhone out of the box, on the shop's network."""

        async def new() -> Phone:
            return self.fleet.add_phone(language)

        phone: Phone = self.run(new())
        return phone

    def android(self, language: str, card: str) -> AndroidPhone:
        """An Android phone on the shop's network that tapped this link to a card."""

        async def new() -> AndroidPhone:
            phone = self.androids.add_phone(language)
            await phone.open(card)
            return phone

        phone: AndroidPhone = self.run(new())
        return phone

    def until(self, holds: Callable[[], bool], what: str, timeout_seconds: float = 40.0) -> None:
        """Wait until something holds, or fail saying what did not."""
        end = time.monotonic() + timeout_seconds
        while not holds():
            assert time.monotonic() < end, f"waited {timeout_seconds:.0f} s in vain: {what}\n{self.said()[-1500:]}"
            time.sleep(0.05)

    def book_faults(self) -> list[str]:
        """What the product's own audit finds."""
        return upkeep.book_faults(self.ctx)

    @contextmanager
    def browser(self) -> Iterator[Browser]:
        """Chromium on the shop's network; it trusts the product's certificate, and sees with its camera what `hold_up`
        last held before it."""
        served = x509.load_pem_x509_certificate((self.folder / "data" / "tls" / "server.pem").read_bytes())
        form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        trusted = base64.b64encode(hashlib.sha256(served.public_key().public_bytes(*form)).digest()).decode()
        arguments = [
            *ARGUMENTS,
            f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
            f"--ignore-certificate-errors-spki-list={trusted}",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={self.film_file}",
        ]
        with sync_playwright() as engine:
            browser = engine.chromium.launch(executable_path=CHROMIUM, args=arguments)
            yield browser
            browser.close()

    def hold_up(self, screen: bytes) -> None:
        """A customer holds this screen (PNG) before the camera, a little turned."""
        shown = (
            Image.open(io.BytesIO(screen)).convert("RGB").resize((260, 260)).rotate(7, expand=True, fillcolor="#666")
        )
        scene = Image.new("RGB", PICTURE, "#666")
        scene.paste(shown, ((PICTURE[0] - shown.width) // 2, (PICTURE[1] - shown.height) // 2))
        frame = io.BytesIO()
        scene.save(frame, "JPEG", quality=85)
        self.film_file.write_bytes(frame.getvalue() * FRAMES)
