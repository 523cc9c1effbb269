"""Owns whose time a piece of work is done in, where accounts that only try things out may be ahead of everybody's.

Where no account ever was, this costs one look a second at one number. Which account is how far ahead is then read with
the work itself, in its transaction. An account that is the first ever to move its clock is known to other processes
within `LOOK_SECONDS`, in the process that moved it at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from wallet_server.records import clocks
from wallet_server.records.clocks import enter, shifted
from wallet_server.records.database import Tx
from wallet_server.records.scope import Scope

LOOK_SECONDS = 1.0
_NONE = timedelta(0)


class Times:
    """One for each process; safe between threads."""

    def __init__(self) -> None:
        self._looked_at = float("-inf")
        self._any = False

    def forget(self) -> None:
        """A clock was moved."""
        self._looked_at = float("-inf")

    def _some(self, tx: Tx) -> bool:
        now = time.monotonic()
        if not self._any and now - self._looked_at >= LOOK_SECONDS:
            self._any, self._looked_at = clocks.any_clock(tx), now
        return self._any

    def enter(self, scope: Scope) -> None:
        """What this thread does from here on is done in the caller's time; until `leave`."""
        enter(timedelta(seconds=scope.ahead_seconds))

    def leave(self) -> None:
        """Back to everybody's time."""
        enter(_NONE)

    @contextmanager
    def of_member(self, tx: Tx, member_id: int) -> Iterator[None]:
        """What is done inside is done in the time of this member's programme."""
        with shifted(clocks.of_member(tx, member_id) if self._some(tx) else clocks.ahead()):
            yield

    def enter_account(self, tx: Tx, account_id: int) -> None:
        """What this thread does from here on is done in the time of this account; until `leave`."""
        enter(clocks.of_account(tx, account_id) if self._some(tx) else _NONE)

    @contextmanager
    def of_account(self, tx: Tx, account_id: int) -> Iterator[None]:
        """The same of an account."""
        with shifted(clocks.of_account(tx, account_id) if self._some(tx) else clocks.ahead()):
            yield

    def groups(self, tx: Tx, pass_ids: Sequence[int]) -> list[tuple[timedelta, list[int]]]:
        """These passes by how far they are ahead, everybody else's first."""
        offsets = clocks.of_passes(tx, pass_ids) if pass_ids and self._some(tx) else {}
        found: dict[timedelta, list[int]] = {}
        for key in pass_ids:
            found.setdefault(offsets.get(key, _NONE), []).append(key)
        return sorted(found.items())
