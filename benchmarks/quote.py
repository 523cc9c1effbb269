"""How long the rules of a quote take: deals, the bill and what is earned, for a basket of 30 lines.

    python benchmarks/quote.py [baskets]

No database and no network: one process, one core. Prints the median, the 99th of a hundred and the slowest. Then the
worst that a programme can ask: as many rules, factors and deals as a document may have, each with a long condition, on
a basket of 30 lines and on the longest that is taken.
"""

from __future__ import annotations

import random
import sys
import time
from datetime import UTC, datetime

from wallet_server.rules.baskets.baskets import MAX_LINES, Basket, Line, State
from wallet_server.rules.baskets.bills import Bill
from wallet_server.rules.baskets.deals import Deals
from wallet_server.rules.baskets.rating import Rater
from wallet_server.rules.programme.program import Programme, default_document, parse

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
CONDITIONS = {
    "on each line": " || ".join(f"line.amount_minor > {10**6 + n} && line.category != 'x{n}'" for n in range(6)),
    "that go through the lines": " || ".join(f"basket.amount_minor > {10**9 + n}" for n in range(8))
    + " || basket.lines.exists(one, one.amount_minor > 100000 || one.category == 'zz')",
}
"""None of them ever holds, so each is looked at whole."""
HAPPY = {"id": "happy", "factor": [2, 1], "hours": {"from": "17:00", "to": "19:00"}, "categories": ["fruit"]}


def basket(dice: random.Random) -> Basket:
    """Some basket of so many lines."""
    lines = []
    for number in range(LINES):
        pieces, each = dice.randint(1, 6), dice.randint(50, 2000)
        lines.append(Line(f"s{number}", dice.choice(CATEGORIES), 1000 * pieces, pieces * each, 0, False))
    return Basket(lines, AT, "Europe/Paris", "sto_1")


def burdened(when: str) -> Programme:
    """A programme as full as a document may be, with this condition everywhere."""
    plain = default_document("Shop")
    rule = {name: part for name, part in plain["earn"][0].items() if name != "scope"}
    return parse(
        plain
        | {
            "earn": [rule | {"id": f"rule{number}", "when": when} for number in range(10)],
            "multipliers": [{"id": f"factor{number}", "factor": [2, 1], "when": when} for number in range(20)],
            "deals": [
                {"id": f"deal{number}", "names": NAMES, "percent": {"percent": 10}, "when": when}
                for number in range(20)
            ],
        }
    )


def worst(lines: int) -> None:
    """The most that conditions cost on a basket of so many lines."""
    dice = random.Random(2)
    goods = [Line(f"s{n}", dice.choice(CATEGORIES), 1000, dice.randint(1, 900), 0, False) for n in range(lines)]
    one = Basket(goods, AT, "Europe/Paris", "sto_1")
    for what, when in CONDITIONS.items():
        programme = burdened(when)
        deals, rater = Deals(programme), Rater(programme)
        taken = []
        for _ in range(5):
            start = time.perf_counter()
            deals.apply(one, State())
            rater.rate(one, State())
            taken.append((time.perf_counter() - start) * 1000)
        print(f"{lines} lines, 50 conditions {what}: {sorted(taken)[2]:.2f} ms")


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
    worst(LINES)
    worst(MAX_LINES)


if __name__ == "__main__":
    main()
