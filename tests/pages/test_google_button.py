"""One page of a card offers what a device can hold; the way into Google Wallet is made at the press, short-lived."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.vendor import Vendor, add_vendor
from tests.world import Holder, World, founded
from wallet_server.actions.people import enrol
from wallet_server.wallets.port import Later

ANDROID = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"


@pytest.fixture
def world(new_database: NewDatabase, tmp_path: Path) -> Iterator[World]:
    with founded(new_database("sqlite"), tmp_path, buttons_dir=tmp_path) as made:
        yield made


def page(world: World, holder: Holder, agent: str = "desk", tongue: str = "en") -> str:
    path = enrol.card_link(world.ctx, holder.pass_public_id).removeprefix(world.ctx.settings.base_url)
    answer = world.client().get(f"{path}?lang={tongue}", headers={"User-Agent": agent})
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def way(text: str) -> str | None:
    found = re.search(r'data-wallet="google" href="([^"]*/passes/[^"]*/google)"', text)
    return found and found.group(1)


def test_each_device_is_offered_its_wallet_and_the_press_leads_to_the_card(world: World) -> None:
    holder = world.enrol()
    assert way(page(world, holder, ANDROID)) is None
    vendor = add_vendor(world)
    assert way(page(world, holder, IPHONE)) is None
    assert "card.pkpass" in page(world, holder, IPHONE)
    assert way(page(world, holder)), "at a desk both"
    shown = page(world, holder, ANDROID)
    link = way(shown)
    assert link is not None
    assert shown.index("/google") < shown.index("card.pkpass")
    client = world.client()
    assert client.head(link).status_code == 204
    assert vendor.objects == {}
    answer = client.get(link)
    (serial,) = vendor.objects
    assert (answer.status_code, answer.headers["Location"]) == (303, f"https://vendor.example/save/{serial}")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    world.clock.forward(minutes=world.ctx.settings.link_minutes + 1)
    assert client.get(link).status_code == 404
    assert client.get(link.replace("passes/pass_", "passes/pass_x")).status_code == 404


def test_a_wallet_that_is_away_is_said_in_words(world: World) -> None:
    add_vendor(world, Vendor(answer=lambda _what: Later(30, "503")))
    link = way(page(world, world.enrol(), ANDROID))
    assert link is not None
    answer = world.client().get(link, headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def test_the_vendors_own_button_is_shown_unaltered_in_the_readers_language(world: World, tmp_path: Path) -> None:
    add_vendor(world)
    holder = world.enrol()
    drawn = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    (tmp_path / "google-fr.svg").write_bytes(drawn)
    assert "/button/google-fr.svg" in page(world, holder, ANDROID, "fr")
    assert "/button/" not in page(world, holder, ANDROID, "en")
    assert world.client().get("/button/google-fr.svg").data == drawn
    assert world.client().get("/button/google-en.svg").status_code == 404
    (tmp_path / "google-fr.svg").rename(tmp_path / "google-en.svg")
    assert "/button/google-en.svg" in page(world, holder, ANDROID, "fr"), "where there is none of its own"
    world.ctx.settings = replace(world.ctx.settings, buttons_dir=None)
    assert world.client().get("/button/google-en.svg").status_code == 404


def test_a_merchants_software_gets_the_way_only_where_there_is_one(world: World) -> None:
    def enrolled() -> str | None:
        headers = world.bearer(world.founded.merchant_key, world.number())
        path = f"/v1/programmes/{world.programme}/members"
        answer = world.client().post(path, json={}, headers=headers)
        return answer.get_json()["google_url"]  # type: ignore[no-any-return]

    assert enrolled() is None
    add_vendor(world)
    link = enrolled()
    assert link is not None
    assert world.client().get(link.removeprefix(world.ctx.settings.base_url)).status_code == 303
