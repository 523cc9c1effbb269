"""How exactly worker processes keep the rate of one issuer together, and how fast they are where nothing holds them.

    python -m benchmarks.google_drain [--cards 10000] [--rate 200] [--workers 2] [--lifted 1500] [--folder /dev/shm]

Stale cards are drained against the sandbox's Google by `wallet-server worker` processes: each card of a member is not
put there yet. From the first insert to the last is counted, by Google. First with the rate lifted, beside a loop of
Google's own client, unmodified, which inserts objects with the same content into the same server; then at the rate,
where one expects cards divided by rate. What the server itself could take is the inverse of its processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import google_auth_httplib2
import httplib2
from google.oauth2.service_account import Credentials
from googleapiclient.discovery import build_from_document

from wallet_server.actions.context import Context
from wallet_server.actions.passes.issuing import issue_pass
from wallet_server.actions.programme import demo
from wallet_server.actions.vendors import google_accounts
from wallet_server.actions.vendors.credentials import Claim
from wallet_server.cli.opening import open_context
from wallet_server.records import jobs
from wallet_server.records.envelope import new_key_line
from wallet_server.records.people import members
from wallet_server.records.programme import programmes
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import GoogleServer
from wallet_server.settings import Settings

ISSUER = "3388000000022222222"
SCOPES = ["https://www.googleapis.com/auth/wallet_object.issuer"]
SLICE = 500
UNLIMITED = 100_000
LOOP = 300
START_SECONDS = 6.0
PATIENCE_SECONDS = 3600
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Drained:
    """Cards, the seconds from the first to the last, processor seconds of the workers and of the server meanwhile, and
    how many came in each whole second."""

    cards: int
    seconds: float
    workers: float
    server: float
    each_second: list[int]

    @property
    def rate(self) -> float:
        return self.cards / self.seconds


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--cards", type=int, default=10_000)
    asked.add_argument("--lifted", type=int, default=1_500, help="cards that are drained without a limit; 0: none")
    asked.add_argument("--rate", type=int, default=200)
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--folder", default=None)
    given = asked.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=given.folder)))
        authority = Authority.open(folder / "authority", datetime.now(UTC))
        google = stack.enter_context(GoogleServer(authority).in_thread())
        variables = _variables(folder, authority, google)
        ctx = open_context(Settings.from_env(variables))
        stack.callback(ctx.database.close)
        certificate = authority.pass_certificate(demo.PASS_TYPE, demo.TEAM)
        facts = demo.demonstrate(ctx, folder / "sandbox.json", *certificate, authority.wwdr_pem)
        account = json.dumps(google.issue_account(ISSUER)).encode()
        google_accounts.install(ctx, google_accounts.read(ISSUER, account), Claim())
        print(f"load {os.getloadavg()[0]:.1f} at the beginning")
        if given.lifted:
            stale = _fill(ctx, str(facts["join_code"]), 0, given.lifted)
            found = _drain(google, ctx, stale, variables, UNLIMITED, given.workers)
            _compare(found, _loop(google, folder), given.workers)
        if given.cards:
            stale = _fill(ctx, str(facts["join_code"]), given.lifted, given.cards)
            found = _drain(google, ctx, stale, variables, given.rate, given.workers)
            _judge(found, given.rate, given.workers)
        print(f"load {os.getloadavg()[0]:.1f} at the end")


def _variables(folder: Path, authority: Authority, google: GoogleServer) -> dict[str, str]:
    return {
        "WALLET_ENVIRONMENT": "sandbox",
        "WALLET_DATA_DIR": str(folder),
        "WALLET_SECRET_KEYS": new_key_line("k1"),
        "WALLET_APNS_URL": "https://localhost:1",
        "WALLET_APNS_CA": authority.root_pem.decode(),
        "WALLET_GOOGLE_API_URL": google.address,
        "WALLET_GOOGLE_TOKEN_URL": google.token_url,
        "WALLET_GOOGLE_CA": google.trust_pem.decode(),
        "WALLET_LOG_LEVEL": "error",
    }


def _fill(ctx: Context, join_code: str, first: int, count: int) -> list[int]:
    """Members with a Google card each; the keys of the cards."""
    keys: list[int] = []
    with ctx.look() as tx:
        row = programmes.programme_to_join(tx, join_code)
    (account,) = google_accounts.all_accounts(ctx)
    row, now = replace(row, credential_set_id=account.id), ctx.now()
    for begin in range(first, first + count, SLICE):
        with ctx.change() as tx:
            for number in range(begin, min(first + count, begin + SLICE)):
                member = members.add_member(tx, f"mem_bench{number}", row.id, None, "fr", None, now)
                keys.append(issue_pass(ctx, tx, row, member, now).id)
        print(f"\r{min(begin - first + SLICE, count)} cards made", end="", file=sys.stderr)
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    return keys


def _drain(
    google: GoogleServer, ctx: Context, stale: Sequence[int], variables: Mapping[str, str], rate: int, workers: int
) -> Drained:
    """Put a job for each of these cards, due when the workers stand, and count until Google has them all."""
    count, due = len(stale), ctx.now() + timedelta(seconds=START_SECONDS)
    with ctx.change() as tx:
        jobs.put(tx, [jobs.Put("refresh", str(key), jobs.DRIP, due) for key in stale])
    env = {**os.environ, **variables, "WALLET_GOOGLE_REQUESTS_PER_SECOND": str(rate)}
    command = [sys.executable, "-m", "wallet_server", "worker"]
    before = _inserted(google)
    running = [subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) for _ in range(workers)]
    try:
        end = time.monotonic() + PATIENCE_SECONDS
        while _inserted(google) == before and time.monotonic() < end:
            time.sleep(0.005)
        begun, worked, served = time.monotonic(), _worked(running), _served(google)
        each: list[int] = []
        done = _inserted(google) - before
        while done < count and time.monotonic() < end:
            time.sleep(0.01)
            done = _inserted(google) - before
            if time.monotonic() - begun >= len(each) + 1:
                each.append(done - sum(each))
        seconds = time.monotonic() - begun
        return Drained(done, seconds, _worked(running) - worked, _served(google) - served, each)
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(30)


def _loop(google: GoogleServer, folder: Path) -> Drained:
    """Google's client in a loop, one insert after the other, as its guides show it."""
    root = folder / "root.pem"
    root.write_bytes(google.trust_pem)
    given = google.issue_account(ISSUER)
    credentials = Credentials.from_service_account_info(given, scopes=SCOPES)  # type: ignore[no-untyped-call]
    http = google_auth_httplib2.AuthorizedHttp(credentials, http=httplib2.Http(ca_certs=str(root), timeout=20))
    place = {"api_endpoint": f"{google.address}/"}
    like = next(one.body for one in google.shelf.everything() if one.kind == "loyaltyObject")
    with build_from_document(google.discovery.document, http=http, client_options=place) as wallet:
        wallet.loyaltyobject().insert(body={**like, "id": f"{ISSUER}.warm"}).execute()
        served, begun, spent = _served(google), time.monotonic(), time.thread_time()
        for number in range(LOOP):
            wallet.loyaltyobject().insert(body={**like, "id": f"{ISSUER}.loop{number}"}).execute()
        seconds = time.monotonic() - begun
        return Drained(LOOP, seconds, time.thread_time() - spent, _served(google) - served, [])


def _inserted(google: GoogleServer) -> int:
    return google.counts["loyaltyobject.insert 200"]


def _worked(running: list[subprocess.Popen[bytes]]) -> float:
    """Processor seconds of these processes so far."""
    stats = [Path(f"/proc/{one.pid}/stat").read_text().rpartition(")")[2].split() for one in running]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / _TICK


def _served(google: GoogleServer) -> float:
    """Processor seconds of the server's thread so far."""

    async def spent() -> float:
        return time.thread_time()

    return google.run(spent())


def _compare(ours: Drained, theirs: Drained, workers: int) -> None:
    print(f"rate lifted: {'cards/s':>28} {'processor ms a card: client':>30} {'server':>8}")
    for name, one in ((f"{workers} worker processes", ours), ("loop of googleapiclient", theirs)):
        spent, served = (1000 * part / one.cards for part in (one.workers, one.server))
        print(f"  {name:<26} {one.rate:>11,.1f} {spent:>30.2f} {served:>8.2f}")
    print(f"  {'the server, on one core':<26} {ours.cards / ours.server:>11,.1f}")
    print(f"  {ours.rate / theirs.rate:.1f} times the loop")


def _judge(found: Drained, rate: int, workers: int) -> None:
    print(f"at {rate}/s: {found.cards} cards by {workers} processes in {found.seconds:.2f} s, {found.rate:.1f}/s")
    print(f"  {100 * (found.rate / rate - 1):+.1f} % of the rate", end="")
    if found.each_second:
        print(f"; slowest second {min(found.each_second)}, fastest {max(found.each_second)}", end="")
        print(f", {sum(one < rate * 0.98 for one in found.each_second)} of {len(found.each_second)} too slow", end="")
    print(f"; {1000 * found.workers / found.cards:.2f} ms of processor time a card, server not counted")


if __name__ == "__main__":
    main()
