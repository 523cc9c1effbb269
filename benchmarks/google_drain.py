"""How exactly worker processes keep the rate of one issuer together: stale cards, drained against the sandbox's Google.

    python -m benchmarks.google_drain [--cards 10000] [--rate 200] [--workers 2] [--folder /dev/shm]

Each member has a card in Google Wallet that is not put there yet. The workers start; from the first insert to the last
is counted, by Google. What one would expect is cards divided by rate. With `--rate 100000` nothing holds them back.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from wallet_server.actions import demo, google_accounts
from wallet_server.actions.context import Context
from wallet_server.actions.credentials import Claim
from wallet_server.actions.issuing import issue_pass
from wallet_server.cli.opening import open_context
from wallet_server.records import jobs, members, programmes
from wallet_server.records.envelope import new_key_line
from wallet_server.sandbox.authority import Authority
from wallet_server.sandbox.google import GoogleServer
from wallet_server.settings import Settings

ISSUER = "3388000000022222222"
SERIAL, SLICE = 32, 500
PATIENCE_SECONDS = 3600


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--cards", type=int, default=10_000)
    asked.add_argument("--rate", type=int, default=200)
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--folder", default=None)
    given = asked.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=given.folder)))
        authority = Authority.open(folder / "authority", datetime.now(UTC))
        google = stack.enter_context(GoogleServer(authority).in_thread())
        variables = _variables(folder, authority, google, given.rate)
        ctx = open_context(Settings.from_env(variables))
        stack.callback(ctx.database.close)
        certificate = authority.pass_certificate(demo.PASS_TYPE, demo.TEAM)
        facts = demo.demonstrate(ctx, folder / "sandbox.json", *certificate, authority.wwdr_pem)
        account = json.dumps(google.issue_account(ISSUER)).encode()
        google_accounts.install(ctx, google_accounts.read(ISSUER, account), Claim())
        _fill(ctx, str(facts["join_code"]), given.cards)
        _drain(google, variables, given.cards, given.rate, given.workers)


def _variables(folder: Path, authority: Authority, google: GoogleServer, rate: int) -> dict[str, str]:
    return {
        "WALLET_ENVIRONMENT": "sandbox",
        "WALLET_DATA_DIR": str(folder),
        "WALLET_SECRET_KEYS": new_key_line("k1"),
        "WALLET_APNS_URL": "https://localhost:1",
        "WALLET_APNS_CA": authority.root_pem.decode(),
        "WALLET_GOOGLE_API_URL": google.address,
        "WALLET_GOOGLE_TOKEN_URL": google.token_url,
        "WALLET_GOOGLE_CA": google.trust_pem.decode(),
        "WALLET_GOOGLE_REQUESTS_PER_SECOND": str(rate),
        "WALLET_LOG_LEVEL": "error",
    }


def _fill(ctx: Context, join_code: str, count: int) -> None:
    """Members with a Google card each, and the job that puts it there."""
    with ctx.look() as tx:
        row = programmes.programme_to_join(tx, join_code)
    (account,) = google_accounts.all_accounts(ctx)
    row, now = replace(row, credential_set_id=account.id), ctx.now()
    for begin in range(0, count, SLICE):
        with ctx.change() as tx:
            made = []
            for number in range(begin, min(count, begin + SLICE)):
                member = members.add_member(tx, f"mem_bench{number}", row.id, None, "fr", None, now)
                made.append(issue_pass(ctx, tx, row, member, now).id)
            jobs.put(tx, [jobs.Put("refresh", str(key), jobs.BULK, now) for key in made])
        print(f"\r{begin + SLICE} cards made", end="", file=sys.stderr)


def _drain(google: GoogleServer, variables: Mapping[str, str], count: int, rate: int, workers: int) -> None:
    command = [sys.executable, "-m", "wallet_server", "worker"]
    running = [subprocess.Popen(command, env={**os.environ, **variables}) for _ in range(workers)]
    marks: list[tuple[float, int]] = []
    try:
        end = time.monotonic() + PATIENCE_SECONDS
        while (done := _inserted(google)) < count and time.monotonic() < end:
            marks.append((time.monotonic(), done))
            time.sleep(0.02)
        marks.append((time.monotonic(), done))
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(30)
    first = next(at for at, done in marks if done)
    seconds = marks[-1][0] - first
    print(f"\n{count} cards by {workers} processes in {seconds:.1f} s: {count / seconds:.1f}/s, of {rate}/s allowed")
    print(f"{100 * (seconds / (count / rate) - 1):+.1f} % of the time that the rate allows")


def _inserted(google: GoogleServer) -> int:
    """How many objects stand: their ids end in the serial of a pass, those of classes in the id of a programme."""
    return sum(len(name.partition(".")[2]) == SERIAL for name in list(google.writes))


if __name__ == "__main__":
    main()
