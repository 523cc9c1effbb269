"""Owns what the tests of the bell ring: devices by number, in one moment, under one pass type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from wallet_server.wallets.apple.push import BellSettings, Outcome, Target

NOW = datetime.now(UTC)
PASS_TYPE = "pass.com.example.card"
TEAM = "ABCDE12345"
HURRIED = BellSettings(timeout_seconds=2.0)

Ring = Callable[..., list[Outcome]]


def token(number: int) -> str:
    return f"{number:064x}"


def targets(count: int, start: int = 0) -> Iterator[Target]:
    return (Target(token(number), NOW, number) for number in range(start, start + count))


def fates(outcomes: list[Outcome]) -> Counter[str]:
    return Counter(outcome.fate.value for outcome in outcomes)
