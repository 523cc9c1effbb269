"""Owns what a draft would have done: purchases of the past, replayed by the rules of the till, and what comes of it.

`Engine` makes a version ready; `play` replays one customer's history into a `Tally` and `pass_by` counts purchases that
nobody knows whose they are; tallies of different customers add up to that of all of them, in any order; `report` makes
the figures and `warnings` says what to think about.
"""

from __future__ import annotations

from wallet_server.rules.simulation.advice import Warned, complexity, warnings
from wallet_server.rules.simulation.customers import Purchase, Traits, traits
from wallet_server.rules.simulation.engine import HABITS, Engine, Habit
from wallet_server.rules.simulation.members import pass_by, play
from wallet_server.rules.simulation.report import Report, report
from wallet_server.rules.simulation.tally import Tally

__all__ = [
    "HABITS",
    "Engine",
    "Habit",
    "Purchase",
    "Report",
    "Tally",
    "Traits",
    "Warned",
    "complexity",
    "pass_by",
    "play",
    "report",
    "traits",
    "warnings",
]
