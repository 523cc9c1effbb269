"""Owns the sandbox as a whole: authority, vendors' servers, phones, their page, and the product's server as a child.

Knows nothing of the product but its command, its health address and the variables that it is given.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wallet_server.sandbox.apns import ApnsServer
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import AndroidFleet, GoogleServer, NoDiscovery
from wallet_server.sandbox.letterboxes import Letterboxes, NoLetterboxes
from wallet_server.sandbox.panel import Panel, Sandbox
from wallet_server.sandbox.phones.fleet import Fleet
from wallet_server.sandbox.phones.webservice import Line
from wallet_server.sandbox.provider_tokens import TokenKeys
from wallet_server.sandbox.supervisor import Supervisor

Links = Mapping[str, str]


@dataclass(frozen=True)
class Vendors:
    """The vendors that the product speaks to: the address of the push service, and Google and the letterboxes, unless
    what they are built from is not installed."""

    apns: str
    google: GoogleServer | None
    letters: Letterboxes | None = None


@dataclass(frozen=True)
class Plan:
    """What to start. `prepare(authority, vendors)` sets the product up and returns its addresses and keys,
    `environment(authority, vendors)` the variables of its server, which `command` runs; `ready(links)` is called when
    everything answers, `slow()` when the server takes long to start, `missing(sentence)` when there is no Google. With
    `tls` the product speaks https, and `prepare` has put there what to trust. `phones` and `androids` say how many
    there are at least."""

    data: Path
    host: str
    port: int
    phones: int
    beyond_loopback: bool
    command: Sequence[str]
    environment: Callable[[Authority, Vendors], Mapping[str, str]]
    prepare: Callable[[Authority, Vendors], Links]
    ready: Callable[[Links], None]
    tls: ssl.SSLContext | None = None
    slow: Callable[[], None] | None = None
    androids: int = 1
    missing: Callable[[str], None] | None = None


async def serve(plan: Plan) -> None:
    """Run until SIGTERM or SIGINT, then stop everything it started. Raises ServerFailed when the server stays down."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    plan.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = Authority.open(plan.data / "authority", datetime.now(UTC))
    keys = TokenKeys()
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(
            Fleet(authority.root_pem, folder=plan.data / "phones", line=Line(tls=plan.tls))
        )
        apns = await stack.enter_async_context(
            ApnsServer(authority, on_push=fleet.on_push, known_tokens=fleet.known_token, token_keys=keys)
        )
        androids = await open_androids(stack, plan, authority)
        letters = await open_letterboxes(stack, plan, authority)
        vendors = Vendors(apns.address, androids.google if androids else None, letters)
        links = await asyncio.to_thread(plan.prepare, authority, vendors)
        for pass_type, team in authority.issued():
            keys.register(*_signing(authority, team), pass_type)
        supervisor = Supervisor(
            plan.command,
            f"{'https' if plan.tls else 'http'}://{_reachable(plan.host)}:{plan.port}/health",
            plan.data / "server.log",
            tls=plan.tls,
            env={**os.environ, **plan.environment(authority, vendors)},
            slow=plan.slow,
        )
        stack.push_async_callback(supervisor.stop)
        if not await started(supervisor, stop):
            return
        shown = {name: links[name] for name in links if name.endswith("_url")}
        panel = await stack.enter_async_context(
            Panel(
                Sandbox(fleet, supervisor, apns, shown, androids, letters),
                host=plan.host,
                port=plan.port + 1,
                beyond_loopback=plan.beyond_loopback,
            )
        )
        while len(fleet.phones) < plan.phones:
            fleet.add_phone(name=f"iPhone {len(fleet.phones) + 1}")
        while androids is not None and len(androids.phones) < plan.androids:
            androids.add_phone(name=f"Android {len(androids.phones) + 1}")
        plan.ready({"phones_url": panel.url, **links})
        await stop.wait()


async def open_androids(stack: AsyncExitStack, plan: Plan, authority: Authority) -> AndroidFleet | None:
    """Google and its phones, running; None where its document is not installed."""
    folder = plan.data / "google"
    try:
        server = GoogleServer(authority, folder=folder, callback_tls=plan.tls)
    except NoDiscovery as fault:
        if plan.missing is not None:
            plan.missing(str(fault))
        return None
    google = await stack.enter_async_context(server)
    return await stack.enter_async_context(AndroidFleet(google, folder=folder, tls=plan.tls))


async def open_letterboxes(stack: AsyncExitStack, plan: Plan, authority: Authority) -> Letterboxes | None:
    """A mail server and a gateway for short messages, running; None where they are not installed."""
    try:
        boxes = Letterboxes(authority)
    except NoLetterboxes as fault:
        if plan.missing is not None:
            plan.missing(str(fault))
        return None
    return await stack.enter_async_context(boxes)


async def started(supervisor: Supervisor, stop: asyncio.Event) -> bool:
    """Whether the server came up; False when the stop was asked for before. Raises ServerFailed."""
    starting, stopping = asyncio.create_task(supervisor.start()), asyncio.create_task(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return False
    await starting
    return True


def _signing(authority: Authority, team: str) -> tuple[str, str, bytes]:
    kid, pem = authority.push_key(team)
    return kid, team, pem


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104 - compared, not bound
