"""Owns what is known about the console's pages of webhooks: a secret shown once, a test, what was sent."""

from __future__ import annotations

import html
import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.pages.console import sign_in
from tests.pages.house import House
from tests.receiver import receiving
from wallet_server.delivery.worker import run_once
from wallet_server.records.jobs import OUT

PATH = "/console/webhooks"


def text(page: TestResponse) -> str:
    return html.unescape(page.get_data(as_text=True))


def field(page: TestResponse, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.get_data(as_text=True))
    assert found, page.get_data(as_text=True)
    return found[1]


def deliver(house: House) -> None:
    for _ in range(3):
        run_once(house.ctx, OUT)
        assert house.ctx.couriers.wait(20)


def test_an_address_is_added_tried_looked_at_and_told_again(client: FlaskClient, house: House) -> None:
    csrf = sign_in(client, house)
    with receiving() as system:
        page = client.get(f"{PATH}?lang=en")
        form = {"csrf": csrf, "form": field(page, "form"), "events": ["sale.counted", "member.joined"]}
        refused = client.post(PATH, data={**form, "url": "ftp://x"})
        assert refused.status_code == 400
        assert "begins with https" in text(refused)
        assert client.post(PATH, data={**form, "url": system.url, "events": []}).status_code == 400
        made = client.post(PATH, data={**form, "url": system.url})
        assert re.search(r"whsec_[A-Za-z0-9+/=]{40,}", text(made))
        again = client.post(PATH, data={**form, "url": system.url})
        assert "whsec_" not in text(again), "the same form twice shows no secret"
        assert text(client.get(PATH)).count(system.url) == 1, "and adds nothing"
        own = re.findall(r"/console/webhooks/(whk_[a-z0-9]+)", text(made))[0]
        assert "whsec_" not in text(client.get(f"{PATH}/{own}"))
        page = client.get(f"{PATH}/{own}?lang=en")
        sent = {"csrf": csrf, "form": field(page, "form")}
        assert client.post(f"{PATH}/{own}/test", data=sent).status_code == 303
        deliver(house)
        assert [one.body["type"] for one in system.messages] == ["webhook.test"]
        page = client.get(f"{PATH}/{own}?lang=en&state=delivered")
        assert "Taken" in text(page)
        one = {"csrf": csrf, "form": field(page, "form"), "delivery": field(page, "delivery")}
        assert client.post(f"{PATH}/{own}/replay", data=one).status_code == 303
        deliver(house)
        assert len({one.id for one in system.messages}) == 1
        assert len(system.messages) == 2, "under its own id"


def test_what_was_given_up_is_listed_and_sent_again_and_only_an_owner_changes(
    client: FlaskClient, house: House
) -> None:
    csrf = sign_in(client, house)
    with receiving() as system:
        page = client.get(PATH)
        form = {"csrf": csrf, "form": field(page, "form"), "events": ["member.joined"], "url": system.url}
        made = client.post(PATH, data=form)
        own = re.findall(r"/console/webhooks/(whk_[a-z0-9]+)", text(made))[0]
        for to in ("off", "on"):
            body = {"csrf": csrf, "form": f"switch-{to}", "to": to}
            assert client.post(f"{PATH}/{own}/switch", data=body).status_code == 303
        client.post(f"{PATH}/{own}/switch", data={"csrf": csrf, "form": "off-again", "to": "off"})
        off = client.post(f"{PATH}/{own}/test", data={"csrf": csrf, "form": "t"}, headers={"Accept-Language": "en"})
        assert off.status_code == 400
        anew = client.post(f"{PATH}/{own}/secret", data={"csrf": csrf, "form": "s"})
        assert "whsec_" in text(anew)
        assert "dead" in text(client.get(f"{PATH}/{own}?state=dead"))
        assert client.post(f"{PATH}/{own}/end", data={"csrf": csrf, "form": "e"}).status_code == 303
        assert own not in text(client.get(PATH))
        assert client.get(f"{PATH}/{own}").status_code == 404
    other = house.app.test_client()
    sign_in(other, house, "marketer")
    assert other.get(PATH).status_code == 403
