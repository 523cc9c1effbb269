"""Owns what the client's types must refuse; nothing runs it. mypy says so of each line, or fails where one is taken."""

from __future__ import annotations

from wallet_client import Client


def mistakes(till: Client) -> None:
    """A forgotten field, a wrong kind, an unknown field, an unknown operation, a field that is not in the answer."""
    till.counter.sell(code="L1", receipt="1")  # type: ignore[call-arg]
    till.counter.sell(code="L1", receipt=1, currency="EUR")  # type: ignore[arg-type]
    till.counter.sell(code="L1", receipt="1", currency="EUR", colour="red")  # type: ignore[call-arg]
    till.counter.sel(code="L1")  # type: ignore[attr-defined]
    print(till.lookups.look_up(code="L1")["colour"])  # type: ignore[typeddict-item]
