"""Measures composing and judging objects for Google Wallet on one core, beside the writing of the same body as JSON.

python -m benchmarks.google_objects [--cards 20000]

The limit is what json.dumps of the standard library takes for the finished body: no composing, no judging. The cards
are of one programme and differ as members' cards do: in the balance, the sentences about it, the code and the links.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

from tests.wallets.gallery import GALLERY
from tests.wallets.samples import NOW, TEMPLATES, sample_identity
from wallet_server.rules.passes.card import Card, Gauge
from wallet_server.wallets.designs import Design, load_designs
from wallet_server.wallets.google import limits, objects, state
from wallet_server.wallets.port import Copy

ISSUER = "3388000000022141777"
SAMPLES = (("points", "everywhere"), ("points", "member"), ("stamps", "seven"), ("coupon", "welcome"))
BANNER = "https://cards.example.com/assets/2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae.png"


def copies(card: Card, count: int) -> Iterator[Copy]:
    """The cards of so many members."""
    for number in range(count):
        own = replace(card, balance=replace(card.balance, value=card.balance.value + number % 500))
        if card.gauge is not None:
            left = card.gauge.goal - own.balance.value
            said = {"fr": f"Plus que {left} points avant Or", "en": f"{left} points to Gold"}
            own = replace(own, gauge=Gauge(62, own.balance.value, card.gauge.goal, card.gauge.label, said))
        identity = replace(sample_identity(), serial=f"pass_{number:026d}", code=f"L1.7K3QZD.0.{number:016d}.1..CCCC")
        yield Copy(own, None, identity, "prog_7k3qzd", (), "Léa")


def made(copy: Copy, design: Design) -> dict[str, object]:
    """What `refresh` does for a card before it asks Google for anything."""
    news = objects.news(copy.card, design, NOW + timedelta(days=30), notify=False)
    body = objects.compose(copy, design, ISSUER, NOW, banner=BANNER, message=news)
    if limits.faults(body, limits.kind(f"{objects.vertical_of(copy.card, design)}Object"), ISSUER):
        raise SystemExit("a sample card is broken")
    return body


def rate(count: int, work: Callable[[int], object]) -> float:
    """Calls a second of processor time, so that a shared machine does not blur it."""
    began = time.process_time()
    for number in range(count):
        work(number)
    return count / (time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cards", type=int, default=20_000)
    count = parser.parse_args().cards
    designs = load_designs(TEMPLATES)
    print(f"{'card':>20} {'composed, judged/s':>20} {'and its digests/s':>18} {'json.dumps/s':>14} {'bytes':>7}")
    for name, sample in SAMPLES:
        design, given = designs.newest(name), list(copies(GALLERY[name][sample], min(count, 5_000)))
        bodies = [made(copy, design) for copy in given[:500]]
        ours = rate(count, lambda n, g=given, d=design: made(g[n % len(g)], d))  # type: ignore[misc]
        whole = rate(count, lambda n, g=given, d=design: state.digests(made(g[n % len(g)], d)))  # type: ignore[misc]
        limit = rate(count, lambda n, b=bodies: json.dumps(b[n % len(b)]))  # type: ignore[misc]
        size = len(json.dumps(bodies[0]))
        print(f"{name + ' ' + sample:>20} {ours:>20,.0f} {whole:>18,.0f} {limit:>14,.0f} {size:>7,}")


if __name__ == "__main__":
    main()
