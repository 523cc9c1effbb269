"""A vendor that is away for an hour while thousands of points move: one change a card afterwards, and nothing lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.vendor import Vendor, add_vendor
from tests.world import World, founded
from wallet_server.actions import outbox
from wallet_server.actions.context import new_id
from wallet_server.actions.operating import upkeep
from wallet_server.actions.passes import cards, saving
from wallet_server.records.programme import programmes
from wallet_server.records.purse import ledger
from wallet_server.records.purse.ledger import Booking
from wallet_server.wallets.port import Later, Shown

CARDS, CHANGES, SPELLS = 40, 5000, 6


def _saved(world: World) -> tuple[int, str]:
    holder = world.enrol()
    link = saving.google_link(world.ctx, holder.pass_public_id)
    assert link is not None
    return holder.member_id, saving.save(world.ctx, link.split("/")[-2]).rpartition("/")[2]


def _an_hour_away(world: World, vendor: Vendor, members: list[int]) -> Counter[int]:
    """The hour in which the vendor answers nothing; what each member was given meanwhile."""
    given: Counter[int] = Counter()
    till = world.till
    with world.ctx.look() as tx:
        programme = programmes.programmes_of(tx, till)[0]
    vendor.answer = lambda _what: Later(600, "503", of_issuer=True)
    for spell in range(SPELLS):
        now = world.clock.forward(minutes=60 / SPELLS)
        with world.ctx.change() as tx:
            for turn in range(CHANGES * spell // SPELLS, CHANGES * (spell + 1) // SPELLS):
                member = members[turn % CARDS]
                booking = Booking(
                    public_id=new_id("ent"),
                    programme_id=programme.id,
                    member_id=member,
                    merchant_id=till.merchant_id,
                    programme_version_id=programme.version_id,
                    rule_id="test",
                    reason="test",
                    effective_at=now,
                    recorded_at=now,
                )
                purse = ledger.purses(tx, member)["points"]
                ledger.award(tx, [ledger.Award(booking, purse, 1 + turn % 7, None)])
                given[member] += 1 + turn % 7
                cards.changed(tx, member, ("points",), now)
        world.work()
    return given


@pytest.mark.slow
def test_an_hour_away_and_five_thousand_changes_are_one_change_a_card_and_nothing_is_lost(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    with founded(new_database("sqlite"), tmp_path) as world:
        vendor = add_vendor(world)
        saved = dict(_saved(world) for _ in range(CARDS))
        vendor.calls.clear()
        given = _an_hour_away(world, vendor, list(saved))
        assert sum(given.values()) >= CHANGES
        assert len(vendor.calls) <= SPELLS * CARDS, "a vendor that is away is asked now and then"
        vendor.answer = lambda _what: Shown()
        vendor.calls.clear()
        world.clock.forward(minutes=20)
        world.work()
        assert Counter(vendor.calls) == Counter(("patch", serial) for serial in saved.values())
        assert {serial: vendor.objects[serial].balance.value for serial in saved.values()} == {
            serial: given[member] for member, serial in saved.items()
        }
        world.clock.forward(minutes=20)
        world.work()
        assert len(vendor.calls) == CARDS, "and nothing more is owed"
        assert outbox.letters(world.ctx, dead=False) == outbox.letters(world.ctx, dead=True) == []
        assert upkeep.book_faults(world.ctx) == []
