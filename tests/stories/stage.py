"""Owns the stage of a story: the product in a process of its own, Apple's push service and iPhones in this one.

Everything speaks over real sockets; the product is reached as a till, a merchant or a phone reaches it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from tests.launching import Launched, launch, ran
from wallet_server.actions.context import Context
from wallet_server.actions.operating import upkeep
from wallet_server.actions.programme import demo
from wallet_server.actions.programme.demo import PASS_TYPE, TEAM
from wallet_server.cli.opening import open_context
from wallet_server.cli.sandbox import letter_settings
from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import AndroidFleet, AndroidPhone, GoogleServer
from wallet_server.sandbox.letterboxes import Letterboxes
from wallet_server.sandbox.phones.fleet import Fleet
from wallet_server.sandbox.phones.model import Behaviour
from wallet_server.sandbox.phones.phone import Phone
from wallet_server.sandbox.provider_tokens import TokenKeys
from wallet_server.settings import Settings

PATIENCE_SECONDS = 40.0
ISSUER = "3388000000022222222"


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def google_settings(google: GoogleServer) -> dict[str, str]:
    """The product's settings for an issuer at this Google."""
    return {
        "WALLET_GOOGLE_ISSUER": ISSUER,
        "WALLET_GOOGLE_SERVICE_ACCOUNT": json.dumps(google.issue_account(ISSUER)),
        "WALLET_GOOGLE_API_URL": google.address,
        "WALLET_GOOGLE_TOKEN_URL": google.token_url,
        "WALLET_GOOGLE_SAVE_URL": google.save_url,
        "WALLET_GOOGLE_ROOTS_URL": google.keys_url,
        "WALLET_GOOGLE_CA": google.trust_pem.decode(),
    }


@dataclass
class Answer:
    """What the product answered."""

    status: int
    body: Any
    headers: Message


class Stage:
    """One installation with its world. Use as a context manager; `start` and `kill` act on the product alone."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        *,
        coalesce_seconds: float = 0.5,
        behaviour: Behaviour | None = None,
        extra: dict[str, str] | None = None,
        google: bool = False,
        letters: bool = False,
    ) -> None:
        """`google`: Google Wallet and Android phones stand beside, and the product has an issuer there; `letters`: a
        mail server and a gateway for short messages, which the product has the keys of."""
        self.folder, self.port = folder, free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._with_google, self._with_letters = google, letters
        self._behaviour = behaviour or Behaviour(debounce_seconds=0.02)
        self._variables = {
            "WALLET_ENVIRONMENT": "sandbox",
            "WALLET_DATA_DIR": str(folder / "data"),
            "WALLET_DATABASE_URL": database_url,
            "WALLET_PORT": str(self.port),
            "WALLET_BASE_URL": self.base,
            "WALLET_COALESCE_SECONDS": str(coalesce_seconds),
            **(extra or {"WALLET_LEASE_SECONDS": "10"}),
        }
        self._process: Launched | None = None
        self._workers: list[Launched] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()
        self.receipts = iter(range(1, 10_000_000))

    # -- the world ------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.authority = Authority.open(self.folder / "authority", datetime.now(UTC))
            self.fleet: Fleet = self.run(self._begin())
            self._variables["WALLET_APNS_URL"] = self.apns.address
            self._variables["WALLET_APNS_CA"] = self.authority.root_pem.decode()
            if self._with_google:
                self.run(self._begin_google())
            if self._with_letters:
                self.boxes: Letterboxes = self.run(self._stack.enter_async_context(Letterboxes(self.authority)))
                self._variables |= letter_settings(self.boxes)
            self.ctx = open_context(self.settings)
            certificate, key = self.authority.pass_certificate(PASS_TYPE, TEAM)
            file = self.folder / "sandbox.json"
            self.facts = demo.demonstrate(self.ctx, file, certificate, key, self.authority.wwdr_pem)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    async def _begin(self) -> Fleet:
        fleet = await self._stack.enter_async_context(Fleet(self.authority.root_pem, behaviour=self._behaviour))
        keys = TokenKeys()
        kid, signing = self.authority.push_key(TEAM)
        keys.register(kid, TEAM, signing, PASS_TYPE)
        self.apns = await self._stack.enter_async_context(
            ApnsServer(self.authority, on_push=fleet.on_push, known_tokens=fleet.known_token, token_keys=keys)
        )
        return fleet

    async def _begin_google(self) -> None:
        self.google = await self._stack.enter_async_context(GoogleServer(self.authority))
        self.androids = await self._stack.enter_async_context(AndroidFleet(self.google))
        self._variables |= google_settings(self.google)

    def __exit__(self, *_: object) -> None:
        self.stop()
        for worker in self._workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait(10)
        if hasattr(self, "ctx"):
            self.ctx.database.close()
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def settings(self) -> Settings:
        """The product's own settings, for looking into its books from outside."""
        return Settings.from_env(self._variables)

    def run(self, work: Coroutine[Any, Any, Any], timeout_seconds: float = 120.0) -> Any:
        """Do this in the loop of the phones."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_seconds)

    # -- the product ----------------------------------------------------------------------------------------------

    def start(self, **variables: str) -> None:
        """Start the server, with further settings from now on, and wait until it answers."""
        self._variables |= variables
        with (self.folder / "server.log").open("ab") as log:
            self._process = launch("run", env={**os.environ, **self._variables}, stdout=log, stderr=log)
        self.until(self._answers, "the server answers")

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise AssertionError((self.folder / "server.log").read_text()[-2000:])
        try:
            return self.call("GET", "/health").status == 200
        except OSError:
            return False

    def kill(self) -> None:
        """Pull the plug: SIGKILL to the server and everything it started."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def stop(self) -> int | None:
        """Ask the server to end; its exit status."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        process.terminate()
        try:
            return process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise

    def worker(self) -> Launched:
        """Start a delivery process of its own beside the server; it is killed when the stage is struck."""
        with (self.folder / "worker.log").open("ab") as log:
            process = launch("worker", env={**os.environ, **self._variables}, stdout=log, stderr=log)
        self._workers.append(process)
        return process

    def command(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the product beside the server."""
        return ran(*words, env={**os.environ, **self._variables, **variables}, timeout=60)

    # -- what people do -------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: object = None, key: str | None = None, **headers: str) -> Answer:
        """One request of the JSON interface; `key` is a till's or a merchant's."""
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                **({} if body is None else {"Content-Type": "application/json"}),
                **({"Authorization": f"Bearer {key}"} if key else {}),
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as got:  # noqa: S310
                return Answer(got.status, _read(got.read()), got.headers)
        except urllib.error.HTTPError as refused:
            return Answer(refused.code, _read(refused.read()), refused.headers)

    def merchant(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """As the merchant; writes get a fresh Idempotency-Key unless one is given."""
        headers.setdefault("Idempotency_Key", str(uuid4()))
        return self.call(method, path, body, self.facts["merchant_key"], **headers)

    def enrol(self, **member: object) -> dict[str, Any]:
        """A new member: ids and links."""
        answer = self.merchant("POST", f"/v1/programmes/{self.facts['programme']}/members", member)
        assert answer.status == 200, answer
        return dict(answer.body)

    def phone(self, member: dict[str, Any], language: str = "en") -> Phone:
        """A simulated iPhone that opens the download link and has registered."""
        phone: Phone = self.run(_call(self.fleet.add_phone, language))
        self.run(phone.open(member["download_url"]))
        self.until(lambda: all(card.registered for card in phone.cards.values()), "the phone has registered")
        return phone

    def android(self, member: dict[str, Any], language: str = "en") -> AndroidPhone:
        """A simulated Android phone that opens the page of the card and saves it in Google Wallet."""
        phone: AndroidPhone = self.run(_call(self.androids.add_phone, language))
        self.run(phone.open(member["card_url"]))
        return phone

    def crowd(self, count: int, **member: object) -> list[Phone]:
        """As many members, each with an iPhone of their own, arriving all at once."""
        with ThreadPoolExecutor(8) as doors:
            joined = list(doors.map(lambda _: self.enrol(**member), range(count)))
        phones: list[Phone] = self.run(self._arrive([one["download_url"] for one in joined]), 300)
        self.until(lambda: all(c.registered for p in phones for c in p.cards.values()), "all have registered", 120)
        return phones

    async def _arrive(self, links: list[str]) -> list[Phone]:
        phones = [self.fleet.add_phone("en") for _ in links]
        await asyncio.gather(*(phone.open(link) for phone, link in zip(phones, links, strict=True)))
        return phones

    def code(self, phone: Phone) -> str:
        """What a scanner reads off the phone's card."""
        card = next(iter(phone.cards.values()))
        return str(card.file.document["barcodes"][0]["message"])

    def sell(self, code: str, amount_minor: int, receipt: str | None = None, **headers: str) -> Answer:
        """A sale at the till."""
        body = {
            "code": code,
            "receipt": receipt or f"R{next(self.receipts)}",
            "currency": "EUR",
            "amount_minor": amount_minor,
        }
        return self.call("POST", "/v1/sales", body, self.facts["till_key"], **headers)

    def until(self, holds: Callable[[], bool], what: str, timeout_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until something holds, or fail saying what did not."""
        end = time.monotonic() + timeout_seconds
        while not holds():
            assert time.monotonic() < end, f"waited {timeout_seconds:.0f} s in vain: {what}"
            time.sleep(0.02)

    def book_faults(self) -> list[str]:
        """What the product's own audit finds, read from its database."""
        context: Context = self.ctx
        return upkeep.book_faults(context)


def balance(phone: AndroidPhone) -> int:
    """The points on the card in the Android phone."""
    return int(of_google(phone)["loyaltyPoints"]["balance"]["int"])


def of_google(phone: AndroidPhone) -> Mapping[str, Any]:
    """The card in the Android phone as Google has it; the oldest, of several."""
    return next(iter(phone.cards.values())).body


async def _call(function: Callable[..., Any], *args: object) -> Any:
    return function(*args)


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw


def shown(phone: Phone, key: str) -> Any:
    """The value of a field on the phone's card, wherever it stands."""
    card = next(iter(phone.cards.values()))
    style = card.file.document["storeCard"]
    return next((f["value"] for fields in style.values() for f in fields if f["key"] == key), None)
