"""How long the rules of a quote take: deals, the bill and what is earned, for a basket of 30 lines.

    python benchmarks/quote.py [baskets]

No database and no network: one process, one core. Prints the median, the 99th of a hundred and the slowest.
"""

from __future__ import annotations

import random
import sys
import time
from datetime import UTC, datetime

from wallet_server.rules.baskets import Basket, Line, State
from wallet_server.rules.bills import Bill
from wallet_server.rules.deals import Deals
from wallet_server.rules.program import default_document, parse
from wallet_server.rules.rating import Rater

LINES, CATEGORIES = 30, ("bread", "cake", "milk", "fruit")
AT = datetime(2026, 11, 18, 17, 30, tzinfo=UTC)
NAMES = {"fr": "Offre", "en": "Offer"}
DEALS = [
    {"id": "trio", "names": NAMES, "buy_get": {"buy": 2, "get": 1}, "categories": ["bread"]},
    {"id": "half", "names": NAMES, "buy_get": {"buy": 1, "get": 1, "percent": 50}, "categories": ["milk"]},
    {
        "id": "tenth",
        "names": NAMES,
        "percent": {"percent": 10, "minimum_minor": 2000},
        "when": "basket.amount_minor > 100 && basket.lines.exists(one, one.category == 'cake')",
    },
]
HAPPY = {"id": "happy", "factor": [2, 1], "hours": {"from": "17:00", "to": "19:00"}, "categories": ["fruit"]}


def basket(dice: random.Random) -> Basket:
    """Some basket of so many lines."""
    lines = []
    for number in range(LINES):
        pieces, each = dice.randint(1, 6), dice.randint(50, 2000)
        lines.append(Line(f"s{number}", dice.choice(CATEGORIES), 1000 * pieces, pieces * each, 0, False))
    return Basket(lines, AT, "Europe/Paris", "sto_1")


def main() -> None:
    """Price so many baskets, one after another."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    programme = parse(default_document("Shop") | {"deals": DEALS, "multipliers": [HAPPY]})
    deals, rater, dice, state = Deals(programme), Rater(programme), random.Random(1), State()
    taken = []
    for one in [basket(dice) for _ in range(count)]:
        start = time.perf_counter()
        bill = Bill(programme, one.lines, deals.apply(one, state).deals)
        rater.rate(one._replace(lines=bill.net()), state)
        taken.append((time.perf_counter() - start) * 1000)
    taken.sort()
    median, slow, slowest = taken[count // 2], taken[count * 99 // 100], taken[-1]
    print(f"{count} baskets of {LINES} lines: p50 {median:.3f} ms, p99 {slow:.3f} ms, slowest {slowest:.3f} ms")


if __name__ == "__main__":
    main()
