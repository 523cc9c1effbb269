"""What was closed stays closed, whatever the account begins afterwards; and the month of a close is the shop's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import whole_module_mostly_on
from tests.world import World, founded
from wallet_server.actions import closing, programs
from wallet_server.records.schema import redemption_estimates, stores
from wallet_server.rules.program_default import default_document

database_kind = whole_module_mostly_on("sqlite")


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[World]:
    with founded(database_url, tmp_path) as made:
        yield made


def close(world: World, day: date) -> str:
    facts, _ = closing.close(world.ctx, world.merchant, day, world.wish("close", {"through": day.isoformat()}))
    return str(facts["id"])


def test_a_programme_that_begins_later_moves_no_closed_figure(shop: World) -> None:
    shop.sell(shop.enrol(), 5_000)
    shop.clock.forward(days=2)
    closed = close(shop, date(2026, 11, 18))
    who, document = shop.founded, default_document("Salon de thé")
    programs.create_programme(shop.ctx, who.account_id, who.merchant_id, document, shop.credential_set)
    assert closing.verify(shop.ctx, shop.merchant, closed) == []
    shop.clock.forward(days=2)
    later = close(shop, date(2026, 11, 21))
    assert len(closing.period(shop.ctx, shop.merchant, later).figures["liability"]["currencies"]) > 1


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Paris", "Pacific/Auckland"])
def test_an_estimate_is_kept_under_the_month_that_was_closed(shop: World, zone: str) -> None:
    with shop.ctx.change() as tx:
        tx.execute(sa.update(stores).values(zone=zone))
    shop.sell(shop.enrol(), 5_000)
    shop.clock.forward(days=30)
    close(shop, date(2026, 11, 30))
    with shop.ctx.look() as tx:
        assert set(tx.execute(sa.select(redemption_estimates.c.month)).scalars()) == {"2026-11"}
