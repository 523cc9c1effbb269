"""Owns the comparison of verifying codes offline with what OpenSSL does, on one core.

    python -m benchmarks.verifying [--rounds 5] [--seconds 1]

A till without a network has the public keys of the account and a text from its scanner. In turns, in one run and on one
core: `openssl speed ed25519`, the bare verification of the library, ours of codes that were read before, and ours from
the text on. Codes differ each time. Rates are by processor time; prints medians and ratios, asserts nothing about time.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.table import Table

from wallet_server.rules.counter import codes
from wallet_server.rules.counter.codes import Code

CARDS = 2_000
"""More than are kept of what was read."""
OPENSSL, BARE, READ, WHOLE = "openssl speed ed25519", "the library alone", "codes.verify", "codes.read and codes.verify"
_VERIFIES = re.compile(r"Ed25519\)\s+\S+\s+\S+\s+\S+\s+([0-9.]+)")


def cards(private: Ed25519PrivateKey) -> list[Code]:
    """So many signed codes of one account."""
    mark = codes.mark_from_random(secrets.token_bytes(4))
    plain = [codes.first(mark, codes.reference_from_random(secrets.token_bytes(10))) for _ in range(CARDS)]
    named = [codes.under(one, "1") for one in plain]
    return [codes.with_signature(one, private.sign(codes.signed_bytes(one))) for one in named]


def rate(act: Callable[[int], object], seconds: float) -> float:
    """How often a second of processor time this is done, over all cards in turns."""
    begun, done = time.process_time(), 0
    while time.process_time() - begun < seconds:
        for number in range(done % CARDS, min(done % CARDS + 100, CARDS)):
            act(number)
        done += 100
    return done / (time.process_time() - begun)


def by_openssl(seconds: float) -> float | None:
    """What the command of this machine does; None where there is none."""
    program = shutil.which("openssl")
    if program is None:
        return None
    asked = [program, "speed", "-seconds", str(max(1, round(seconds))), "ed25519"]
    told = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=True).stdout
    found = _VERIFIES.search(told)
    return None if found is None else float(found[1])


def measure(rounds: int, seconds: float) -> dict[str, list[float]]:
    """The rates of each way, one a round."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    raw = public.public_bytes_raw()
    signed = cards(private)
    texts = [codes.write(one) for one in signed]
    pairs = [(private.sign(codes.signed_bytes(one)), codes.signed_bytes(one)) for one in signed]
    ways: dict[str, Callable[[int], object]] = {
        BARE: lambda number: public.verify(*pairs[number]),
        READ: lambda number: _good(codes.verify(signed[number], raw)),
        WHOLE: lambda number: _good(codes.verify(codes.read(texts[number]), raw)),
    }
    rates: dict[str, list[float]] = {}
    for _ in range(rounds):
        peer = by_openssl(seconds)
        if peer is not None:
            rates.setdefault(OPENSSL, []).append(peer)
        for name, act in ways.items():
            rates.setdefault(name, []).append(rate(act, seconds))
    return rates


def _good(verified: bool) -> None:
    if not verified:
        raise AssertionError("a code that was just signed is good")


def show(rates: dict[str, list[float]]) -> Table:
    """Medians, and their share of what OpenSSL does."""
    table = Table(title="Verifying a code offline, one core", title_justify="left")
    for name in ("way", "a second", "of openssl"):
        table.add_column(name, justify="left" if name == "way" else "right")
    limit = statistics.median(rates[OPENSSL]) if OPENSSL in rates else None
    for name, found in rates.items():
        middle = statistics.median(found)
        table.add_row(name, f"{middle:,.0f}", "" if limit is None else f"{100 * middle / limit:.0f} %")
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Verify codes offline beside openssl speed.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    console, rates = Console(), measure(options.rounds, options.seconds)
    console.print(show(rates))
    if OPENSSL not in rates:
        console.print("openssl is not installed: there is nothing to compare with.", style="red")


if __name__ == "__main__":
    main()
