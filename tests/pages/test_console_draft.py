"""Owns what is known about what is said of a drafted card before it is published: what it changes, what speaks against
it; and about the programmes that a shop may begin with."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import sqlalchemy as sa
from flask.testing import FlaskClient

from tests.pages.console import sign_in, token_in
from tests.pages.house import House, Shop
from tests.pages.test_console_card import Form, shop
from wallet_server.actions.counter import till
from wallet_server.actions.keys import authenticate
from wallet_server.actions.programme import presets
from wallet_server.actions.staff import founding
from wallet_server.app import create_app
from wallet_server.records.database import upgrade
from wallet_server.records.schema import programme_versions
from wallet_server.rules.programme.program import parse
from wallet_server.settings import Settings
from wallet_server.web.rendering import LANGUAGES

__all__ = ["shop"]
POINTS = {"kind": "points", "reward_fr": "un café", "reward_en": "a coffee", "tier2_at": "300", "tier3_at": "1000"}


def told(client: FlaskClient, path: str) -> str:
    return html.unescape(client.get(path).get_data(as_text=True))


def test_a_draft_is_tried_on_the_members_and_its_first_tier_on_the_baskets(
    house: House, client: FlaskClient, shop: Shop
) -> None:
    form = Form(client, sign_in(client, house, merchant_key=shop.merchant_key))
    form.live(**POINTS)
    assert client.get("/console/what-if/draft").status_code == 303, "nothing is published yet"
    form.send("publish")
    form.confirm()
    assert "/console/what-if/draft" not in told(client, "/console/what-if")
    code = house.member(shop).card.code
    counter = authenticate(house.ctx, shop.till_key)
    line = till.SaleLine(None, None, 1000, 3000, 3000, 0, False)
    for number in range(20):
        till.sell(house.ctx, counter, till.Sold(code, f"draft-{number}", 3000, (line,), "EUR", None), None)
    form.open()
    form.live(tier2_at="50")
    assert "/console/what-if/draft" in told(client, "/console/what-if")
    page = told(client, "/console/what-if/draft?lang=en")
    assert "all of your members who stay: 1" in page
    assert "less than two average baskets" in page
    assert "can still be spent" in page
    form.send("publish")
    assert "less than two average baskets" in told(client, "/console/card/publish?lang=en")
    form.open()
    form.live(tier2_at="100")
    assert "less than two average baskets" not in told(client, "/console/what-if/draft?lang=en")


def test_a_shop_begins_with_a_ready_programme(tmp_path: Path) -> None:
    here = Settings(data_dir=tmp_path, sign_up="open", base_url="https://shop.example.com", log_level="error")
    upgrade(here.database)
    app = create_app(here)
    visitor, over = app.test_client(), {"base_url": "https://shop.example.com", "headers": {"Accept": "text/html"}}
    for language in LANGUAGES:
        page = html.unescape(visitor.get(f"/start?lang={language}", **over).get_data(as_text=True))
        offered = dict(re.findall(r'<option value="([a-z_0-9]+)">([^<]+)</option>', page))
        assert set(offered) == {name.replace("-", "_") for name in presets.presets()}
        assert len(set(offered.values())) == len(offered), "each in words of its own"
    form = {"csrf": token_in(visitor.get("/start", **over)), "shop": "Chez Zoé", "name": "Zoé"}
    form |= {"email": "zoe@example.com", "zone": "", "password": "three words apart", "preset": "voucher_400"}
    assert visitor.post("/start", data={**form, "preset": "none_such"}, **over).status_code == 404
    assert visitor.post("/start", data=form, **over).location == "/console"
    ctx = app.extensions["wallet"]
    with ctx.look() as tx:
        ((version,),) = tx.execute(sa.select(programme_versions.c.document)).all()
    assert json.loads(version)["organisation"] == "Chez Zoé"
    assert [one["code"] for one in json.loads(version)["currencies"]] == ["points"]
    assert "400 points" in html.unescape(visitor.get("/console/card?lang=en", **over).get_data(as_text=True))


def test_every_preset_may_be_begun_with() -> None:
    for name in presets.presets():
        assert parse(presets.preset(name) | {"organisation": "Chez Zoé", "description": founding.CARD}), name
