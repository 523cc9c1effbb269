"""What was closed stays closed, whatever the account begins afterwards; and the month of a close is the shop's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from tests.conftest import whole_module_mostly_on
from tests.world import World, founded
from wallet_server.actions.books import accounting, closing
from wallet_server.actions.books.accounting import Question
from wallet_server.actions.counter import refunds
from wallet_server.actions.programme import programs
from wallet_server.records.books import periods
from wallet_server.records.books.book_days import MOMENT
from wallet_server.records.schema import closed_periods, redemption_estimates, stores
from wallet_server.rules.programme.program_default import default_document

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


def test_what_a_later_close_expects_changes_no_moment_before_its_end(database_url: str, tmp_path: Path) -> None:
    with founded(database_url, tmp_path, document=_worth_something()) as shop:
        shop.sell(shop.enrol(), 100_000)
        shop.clock.forward(days=2)
        within = shop.clock()
        told = _allocated(shop, within)
        shop.clock.forward(days=28)
        closed = close(shop, date(2026, 11, 30))
        with shop.ctx.change() as tx:
            guard = "DROP TRIGGER redemption_estimates_refuse_update"
            if not shop.ctx.database.sqlite:
                guard = "ALTER TABLE redemption_estimates DISABLE TRIGGER ALL"
            tx.exec_driver_sql(guard)
            half = {"share_billionths": 500_000_000, "why": None}
            assert tx.execute(sa.update(redemption_estimates).values(half)).rowcount
        ended = closing.period(shop.ctx, shop.merchant, closed).ends_at
        assert _allocated(shop, within) == told, "what a past day showed has changed"
        assert 0 < _allocated(shop, ended - MOMENT) < told


def _worth_something() -> dict[str, Any]:
    document = default_document("Boulangerie")
    points = next(one for one in document["currencies"] if one["code"] == "points")
    points["worth"] = {"units": 400, "amount_minor": 200}
    return document


def test_a_sale_that_gave_nothing_takes_no_price_from_others(database_url: str, tmp_path: Path) -> None:
    """What comes back of it is no price of units, even where a small rest gives some in the end."""
    document = _worth_something()
    small = {"per": {"amount_minor": 100, "points": 1}, "rounding": "down", "when": "basket.amount_minor < 2000"}
    document["earn"] = [{"id": "small", "currency": "points", **small}]
    with founded(database_url, tmp_path, document=document) as shop:
        holder = shop.enrol()
        shop.sell(holder, 1_500)
        large = shop.sell(holder, 10_000)["id"]
        shop.clock.forward(days=1)
        before = shop.clock()
        _take_back(shop, large, 1_000)
        told = _allocated(shop, shop.clock())
        assert told == _allocated(shop, before) > 0
        shop.clock.forward(days=1)
        _take_back(shop, large, 7_500)
        assert _allocated(shop, before) == told, "what a past day showed has changed"
        assert _allocated(shop, shop.clock()) == told


def _take_back(world: World, sale: str, amount_minor: int) -> None:
    refunds.refund(world.ctx, world.till, refunds.Returned(sale, world.number(), (), amount_minor), None)


def _allocated(world: World, at: datetime) -> int:
    found = accounting.report(world.ctx, world.merchant, Question(as_of=at, currency="points"))
    money = found.currencies[0].told.money
    assert money is not None
    return money.allocated_minor


def test_a_close_of_before_is_proven_in_the_format_of_its_time(database_url: str, tmp_path: Path) -> None:
    """It does not tell what merchants took of each other's coupons, and nothing has moved by that."""
    document = default_document("Boulangerie")
    said = {"title": {"fr": "Un café", "en": "A coffee"}, "terms": {"fr": "Une fois.", "en": "Once."}}
    promise = said | {"valid_days": 30, "value_minor": 250}
    document["welcome"] = {"currency": "points", "amount": 40, "coupon": promise}
    with founded(database_url, tmp_path, document=document) as shop:
        shop.enrol()
        shop.clock.forward(days=1)
        first = close(shop, date(2026, 11, 18))
        _as_format_1(shop)
        assert "honoured" not in str(closing.period(shop.ctx, shop.merchant, first).figures)
        assert closing.verify(shop.ctx, shop.merchant, first) == []
        shop.clock.forward(days=1)
        second = close(shop, date(2026, 11, 19))
        assert closing.verify(shop.ctx, shop.merchant, second) == []
        figures = closing.period(shop.ctx, shop.merchant, second).figures
        assert (figures["format"], figures["liability"]["coupons"][0]["honoured"]) == (2, [])


def _as_format_1(world: World) -> None:
    """The one close of these books as it would have been written before."""
    guard = "DROP TRIGGER closed_periods_refuse_update"
    if not world.ctx.database.sqlite:
        guard = "ALTER TABLE closed_periods DISABLE TRIGGER ALL"
    with world.ctx.change() as tx:
        tx.exec_driver_sql(guard)
        figures = orjson.loads(tx.execute(sa.select(closed_periods.c.figures)).scalar_one()) | {"format": 1}
        for one in figures["liability"]["coupons"]:
            del one["honoured"]
        text = orjson.dumps(figures, option=orjson.OPT_SORT_KEYS).decode()
        tx.execute(sa.update(closed_periods).values(figures=text, sha256=periods.seal(text, None)))
