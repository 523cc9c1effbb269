"""One move of a clock does what many small ones do: what falls due on the way is done as in its own night."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import NewDatabase, whole_module_mostly_on
from tests.world import World, founded
from wallet_server.actions.operating import upkeep
from wallet_server.actions.programme import clock
from wallet_server.actions.purse import holding
from wallet_server.records import clocks
from wallet_server.records.schema import accounts, balances, coupons, expiry_warnings, holds, members
from wallet_server.rules.programme.program_default import default_document

database_kind = whole_module_mostly_on("sqlite")
STEP = 5
BOTH = {"fr": "Bon de 10 €", "en": "€10 voucher"}
VOUCHER = {"title": BOTH, "terms": BOTH, "value_minor": 1000, "valid_days": 90}


def document(needs: dict[str, Any] | None, review: dict[str, Any]) -> dict[str, Any]:
    """Points that wait, become vouchers and run out; a status that runs out; two tiers."""
    made = default_document("Boulangerie")
    made["currencies"][0] |= {"expires_after_months": 7, "pending_days": 20}
    made["currencies"][1]["expires_after_months"] = 5
    made["conversions"] = [{"id": "bon", "currency": "points", "units": 150, "voucher": VOUCHER}]
    made["tiers"]["levels"] = made["tiers"]["levels"][:2]
    if needs is not None:
        del made["tiers"]["levels"][1]["threshold"]
        made["tiers"]["levels"][1]["needs"] = needs
    made["tiers"]["review"] = review
    return made | {"holds": {"minutes": 60 * 24 * 30}}


SPEND = {"metric": "spend", "at_least": 20_000}
LADDERS = [
    (SPEND | {"window": "rolling-90-days"}, {"at": "at-once", "grace_days": 10}),
    (SPEND | {"window": "calendar-year"}, {"at": "calendar-year", "grace_days": 30}),
    (None, {"at": "calendar-year", "grace_days": 0}),
    ({"metric": "tenure_days", "at_least": 100}, {"at": "at-once", "grace_days": 0}),
]


@pytest.fixture(autouse=True)
def everybodys_time() -> Iterator[None]:
    yield
    clocks.enter(timedelta(0))


def forward(world: World, days: int, at_once: int) -> None:
    while days > 0:
        wish = world.wish("clock", {"n": world.number()})
        clock.advance(world.ctx, world.merchant, timedelta(days=min(days, at_once)), None, wish)
        days -= at_once


def stands(world: World) -> dict[str, list[Any]]:
    """What everybody has, and of which they were warned."""
    queries = {
        "balances": sa.select(balances.c.member_id, balances.c.currency_id, balances.c.amount),
        "tiers": sa.select(members.c.id, members.c.tier),
        "vouchers": sa.select(coupons.c.member_id, coupons.c.state, coupons.c.valid_to),
        "holds": sa.select(holds.c.member_id, holds.c.state),
        "warnings": sa.select(expiry_warnings.c.account_id, expiry_warnings.c.day, expiry_warnings.c.days_before),
    }
    with world.ctx.look() as tx:
        found = {name: sorted(map(tuple, tx.execute(query).all()), key=str) for name, query in queries.items()}
    # A voucher is made in the night after its units can be spent: a day more or less is that of the steps.
    found["vouchers"] = [(member, state, valid_to.date()) for member, state, valid_to in found["vouchers"]]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("ladder", "days"), [(0, 25), (0, 400), (1, 800), (2, 400), (3, 120)])
def test_one_move_is_as_good_as_many(new_database: NewDatabase, tmp_path: Path, ladder: int, days: int) -> None:
    found = []
    for at_once in (days, STEP):
        data = tmp_path / str(at_once)
        with founded(new_database("sqlite"), data, document=document(*LADDERS[ladder])) as world:
            with world.ctx.change() as tx:
                tx.execute(sa.update(accounts).values(mode="test"))
            dice = random.Random(ladder)
            for _ in range(4):
                holder = world.enrol()
                for _ in range(dice.randint(0, 4)):
                    world.sell(holder, dice.choice([5_000, 12_000, 33_000]))
            forward(world, 25, 25)
            holding.authorise(world.ctx, world.till, holding.Wanted(holder.code, None, 1, world.number()), None)
            clocks.enter(timedelta(0))
            forward(world, days, at_once)
            assert upkeep.book_faults(world.ctx) == []
            found.append(stands(world))
    assert found[0] == found[1]
    assert days < 400 or found[0]["warnings"], "some units ran out on the way"
