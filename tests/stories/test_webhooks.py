"""A merchant's own system hears of what happens over the wire: signed, again after a crash, under two secrets, from a
list of what was given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.conftest import NewDatabase
from tests.receiver import Answer, Message, Receiver, receiving
from tests.stories.stage import Stage


@pytest.fixture
def stage(new_database: NewDatabase, tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, new_database("sqlite"), extra={"WALLET_LEASE_SECONDS": "20"}) as raised:
        yield raised


def arrived(shop: Receiver, kind: str) -> list[Message]:
    return [one for one in list(shop.messages) if one.body["type"] == kind]


def deliveries(stage: Stage, webhook: str, query: str = "") -> list[dict[str, Any]]:
    answer = stage.merchant("GET", f"/v1/webhooks/{webhook}/deliveries{query}")
    assert answer.status == 200, answer
    return list(answer.body["deliveries"])


def test_a_system_of_the_merchant_hears_of_everything(stage: Stage) -> None:
    for url in ("https://10.0.0.1/", "https://user@example.com/", "ftp://example.com/"):
        refused = stage.merchant("POST", "/v1/webhooks", {"url": url})
        assert (refused.status, refused.body["code"]) == (400, "webhook-address")
    with receiving() as shop:
        body = {"url": shop.url, "events": []}
        made = stage.merchant("POST", "/v1/webhooks", body, Idempotency_Key="w-1").body
        again = stage.merchant("POST", "/v1/webhooks", body, Idempotency_Key="w-1")
        assert again.body == {"webhook": made["webhook"]}, "the secret is shown once"
        name, keeper = made["webhook"], Webhook(made["secret"])
        assert stage.merchant("POST", f"/v1/webhooks/{name}/tests").status == 200
        stage.until(lambda: bool(arrived(shop, "webhook.test")), "the test event is there")

        # A member joins, saves the card, buys and brings it back.
        member = stage.enrol(email="amelie@example.org")
        phone = stage.phone(member)
        sold = stage.sell(stage.code(phone), 150_000)
        kinds = ("member.joined", "pass.saved", "sale.counted", "tier.changed")
        stage.until(lambda: all(arrived(shop, kind) for kind in kinds), "what happened was told")
        (counted,) = arrived(shop, "sale.counted")
        assert (counted.body["data"]["id"], counted.body["mode"]) == (sold.body["id"], "test")
        assert stage.call("POST", f"/v1/sales/{sold.body['id']}/reversal", {}, stage.facts["till_key"]).status == 200
        stage.until(lambda: bool(arrived(shop, "sale.refunded")), "the reversal was told")
        for message in shop.messages:
            keeper.verify(message.raw, dict(message.headers))
            assert b"amelie" not in message.raw

        # The plug is pulled after a message was sent, before that was noted: it comes again under its id.
        shop.answer = lambda _message: Answer(seconds=1.0)
        sold = stage.sell(stage.code(phone), 100)
        stage.until(lambda: len(arrived(shop, "sale.counted")) == 2, "the message came")
        stage.kill()
        shop.answer = lambda _message: Answer()
        stage.start()
        stage.until(lambda: len(arrived(shop, "sale.counted")) == 3, "the message came again")
        _, before, after = arrived(shop, "sale.counted")
        assert (after.id, after.raw) == (before.id, before.raw)
        stage.until(lambda: all(one["state"] == "delivered" for one in deliveries(stage, name)), "all were taken")

        # A new secret: both sign for an hour.
        new = stage.merchant("POST", f"/v1/webhooks/{name}/secret", {"overlap_hours": 1}).body["secret"]
        stage.sell(stage.code(phone), 200)
        stage.until(lambda: len(arrived(shop, "sale.counted")) == 4, "the sale was told")
        for secret in (made["secret"], new):
            Webhook(secret).verify(shop.messages[-1].raw, dict(shop.messages[-1].headers))

        # It says that it is gone: the webhook is off; what was given up is listed, and sent at a wish.
        shop.answer = lambda _message: Answer(410, "gone fishing")
        lost = stage.sell(stage.code(phone), 300).body["id"]
        stage.until(lambda: not stage.merchant("GET", f"/v1/webhooks/{name}").body["enabled"], "it was turned off")
        (dead,) = deliveries(stage, name, "?state=dead")
        assert dead["body"]["data"]["id"] == lost
        tried = dead["last_attempts"][-1]
        assert (tried["status"], tried["answer"]) == (410, "gone fishing")
        off = stage.merchant("POST", f"/v1/webhooks/{name}/replays", {"delivery": dead["id"]})
        assert (off.status, off.body["code"]) == (409, "webhook-off")
        shop.answer = lambda _message: Answer()
        stage.merchant("PATCH", f"/v1/webhooks/{name}", {"enabled": True})
        since = {"since": "2020-01-01T00:00:00Z"}
        assert stage.merchant("POST", f"/v1/webhooks/{name}/replays", since).status == 200
        stage.until(lambda: arrived(shop, "sale.counted")[-1].body["data"]["id"] == lost, "it was sent again")
        stage.until(lambda: deliveries(stage, name, "?state=dead") == [], "and taken")

        assert stage.merchant("DELETE", f"/v1/webhooks/{name}").body == {"webhook": name, "deleted": True}
        assert stage.merchant("GET", "/v1/webhooks").body == {"webhooks": []}
        assert stage.book_faults() == []
