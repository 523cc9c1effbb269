"""Owns that a world whose merchant was copied is as good as one that was founded, and a world of its own."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import NewDatabase
from tests.world import founded


def test_a_copied_merchant_has_its_keys_and_nothing_of_what_the_first_one_did(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    with founded(new_database("sqlite"), tmp_path) as first:
        holder = first.enrol()
        first.sell(holder, 1000)
    with founded(new_database("sqlite"), tmp_path) as second:
        assert second.founded == first.founded
        assert second.till.merchant_id == first.till.merchant_id
        newcomer = second.enrol()
        assert newcomer.member_id == holder.member_id, "nobody was there before"
        assert newcomer.code != holder.code
        assert second.sell(newcomer, 1000)
