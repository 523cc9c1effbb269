"""What the pages offer to whoever tries the product on one machine: no code that leads a phone to itself, and a
simulated phone to put the card on."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from tests.pages.house import House
from tests.pages.test_pages_served import text_of

LAN = "http://192.0.2.7:8080"
COMMAND = "<code>make run LAN=1</code>"


def live_at(house: House, monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    monkeypatch.setattr(house.ctx, "settings", replace(house.ctx.settings, **settings))


def test_where_only_this_machine_is_reached_a_command_stands_instead_of_a_code(
    client: FlaskClient, house: House
) -> None:
    first = text_of(client.get(f"/?join={house.shop.join_code}"))
    port = urlsplit(house.base).port
    assert f"<code>make run LAN=1 PORT={port}</code>" in first, "at the port at which it is open now"
    assert "HTTPS=1" in first
    for path in (f"/?join={house.shop.join_code}", house.member().path, f"/join/{house.shop.join_code}"):
        text = text_of(client.get(path))
        assert ("make run" in text) == path.startswith("/?"), "no customer reads a developer's command"
        assert text.count('class="qr"') == text.count("class=symbol") == ("/card/" in path), "the card keeps its own"
        assert "camera" not in text, path


@pytest.mark.parametrize("base", [LAN, "https://cards.example.com", "http://[2001:db8::7]:8080"])
def test_where_phones_reach_the_server_they_scan_a_code(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    path = house.member().path
    live_at(house, monkeypatch, base_url=base)
    for page, codes in ((f"/?join={house.shop.join_code}", 1), (path, 2), (f"/join/{house.shop.join_code}", 1)):
        text = text_of(client.get(page))
        assert COMMAND not in text, page
        assert text.count("class=symbol") == codes, page
        assert "camera" in text, page


@pytest.mark.parametrize(
    "base", ["http://localhost:8080", "http://[::1]:8080", "http://127.1.2.3", "https://a.localhost"]
)
def test_every_name_of_this_machine_is_known(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    live_at(house, monkeypatch, base_url=base)
    assert COMMAND in text_of(client.get(f"/?join={house.shop.join_code}"))


def test_outside_the_sandbox_a_customer_reads_no_name_of_a_setting(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = house.member().path
    live_at(house, monkeypatch, environment="live", phones_url="http://127.0.0.1:9")
    text = text_of(client.get(path))
    assert "WALLET_" not in text
    assert COMMAND not in text
    assert "http://127.0.0.1:9" not in text, "simulated phones are the sandbox's alone"


def test_the_sandbox_hands_a_card_to_its_phones(
    client: FlaskClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = house.member()
    assert "simulated iPhone" not in text_of(client.get(member.path))
    live_at(house, monkeypatch, phones_url="http://127.0.0.1:9")
    text = text_of(client.get(member.path))
    address = text.partition("Put it on a simulated iPhone")[0].rpartition('href="')[2].partition('"')[0]
    assert address.startswith("http://127.0.0.1:9/?")
    (card,) = parse_qs(urlsplit(address).query)["card"]
    assert card == house.base + member.path
    assert 'href="http://127.0.0.1:9"' in text_of(client.get("/")), "the first page knows them too"
