"""Owns the figures that members' cards and pages show the way to the next tier by, read once for a batch of members."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from wallet_server.records.database import Tx
from wallet_server.records.people.members import MemberRow
from wallet_server.records.purse import metrics
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.tiers.metrics import Measures, measured, needed, next_look


@dataclass(frozen=True)
class Figures:
    """What tiers are measured by, and when that next changes by nothing but time."""

    found: Measures
    changes_at: datetime | None


def of_members(
    tx: Tx, known: Mapping[int, MemberRow], programme_of: Callable[[int], Programme], now: datetime
) -> dict[int, Figures]:
    """The figures of these members by the version of their programme that stands; of those alone whose tiers rest on
    more than a balance."""
    by_version: dict[int, list[int]] = {}
    for key, member in known.items():
        by_version.setdefault(member.version_id, []).append(key)
    figures: dict[int, Figures] = {}
    for version_id, ids in by_version.items():
        ladder = programme_of(version_id).ladder
        if ladder is None or not measured(ladder):
            continue
        wanted, people = needed(ladder), metrics.people(tx, ids)
        found = metrics.of_people(tx, wanted, people, now)
        figures |= {key: Figures(found[key], next_look(wanted, now, people[key])) for key in ids}
    return figures
