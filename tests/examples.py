"""Owns how many examples a property is tried on: all of them in the whole run, a quarter in the quick half."""

from __future__ import annotations

import os

QUICK = "WALLET_TEST_QUICK"
"""The variable by which `make quick` asks for few examples."""
FEW = 5


def examples(whole: int) -> int:
    """`@settings(max_examples=examples(100))`: as many in the whole run."""
    return max(whole // 4, min(whole, FEW)) if os.environ.get(QUICK) else whole
