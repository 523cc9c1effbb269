"""Owns what is known about the pages of an account that tries things out: they show its own time, not everybody's."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from tests.pages.console import sign_in
from tests.pages.house import House, Shop
from tests.pages.test_console_desk import said
from wallet_server.actions.keys import authenticate
from wallet_server.actions.once import asked
from wallet_server.actions.programme import clock, programs
from wallet_server.records import clocks
from wallet_server.records.schema import consents
from wallet_server.rules.programme.program_default import default_document

YEARS = timedelta(days=800)


@pytest.fixture
def shop(house: House) -> Shop:
    """A shop that only tries things out."""
    made = programs.found(house.ctx, "Essai", programs.NewStore("Quai"), test=True)
    document = default_document("Essai")
    document["announce"] = {"per_day": 3, "per_week": 9, "quiet": None}
    created = programs.create_programme(house.ctx, made.account_id, made.merchant_id, document, 1)
    return Shop(created["join_code"], made.merchant_key, made.till_key)


def test_pages_of_members_and_of_the_console_are_in_the_time_of_the_account(
    house: House, client: FlaskClient, shop: Shop
) -> None:
    member = house.member(shop)
    scope = authenticate(house.ctx, shop.merchant_key)
    wish = asked(scope, "clock", {"n": 1}, None, "own-time")
    clock.advance(house.ctx, scope, YEARS, None, wish)
    there = house.ctx.clock() + YEARS
    member.buy("own-time-1", 2500, shop)
    sign_in(client, house, merchant_key=shop.merchant_key)
    today = said(client.get("/console/today?lang=en"))
    assert "€25.00" in today, today
    assert client.get("/console/account").status_code == 200, "sessions are of the world outside"
    path = member.path + "/messages"
    assert house.app.test_client().post(path, data={"promotions": "yes"}).status_code == 303
    with house.ctx.look() as tx:
        at = tx.execute(sa.select(consents.c.at).order_by(consents.c.id.desc()).limit(1)).scalar_one()
    assert at > there - timedelta(days=1)
    link = urlsplit(house.ctx.link("rate", member.pass_id)).path
    assert "Nothing to rate" not in said(house.app.test_client().get(f"{link}?lang=en")), "the visit was today"
    assert clocks.ahead() == timedelta(0), "and whoever comes next has everybody's time"
