"""A till in forty lines: scan a card, type an amount in cents, read the sentence to the customer.

python till.py https://loyalty.example.com key_….… EUR
"""

import sys
from datetime import UTC, datetime

from wallet_client import Client, Problem, Unreachable


def main(base: str, key: str, currency: str) -> None:
    till, number = Client(base, key), 0
    while code := input("card> ").strip():
        try:
            holder = till.lookups.look_up(code=code)
        except (Problem, Unreachable) as fault:
            print(fault)
            continue
        print(holder["tier_name"] or "", holder["sentence"])
        for reward in holder["rewards"]:
            print(" *", reward["name"], "ready" if reward["ready"] else f"({reward['missing']} more)")
        while not (typed := input("cents> ").strip() or "0").isdecimal():
            print("Type whole cents: 1250 for 12.50.")
        number += 1
        # The receipt and the time name the sale: sent again after a fault, it counts once.
        receipt, now = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{number}", datetime.now(UTC).isoformat()
        try:
            counted = till.counter.sell(
                code=code, receipt=receipt, currency=currency, amount_minor=int(typed), occurred_at=now
            )
            print(counted["sentence"])
        except Problem as problem:
            print(problem.title)
        except Unreachable as fault:
            print(f"No answer. Write down card, amount and receipt {receipt}, key {fault.idempotency_key}.")


if __name__ == "__main__":
    main(*sys.argv[1:4])
