"""A card in an Android app that speaks Apple's protocol, beside an iPhone that holds the same card."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.conftest import mostly_on
from tests.stories.stage import Stage, shown
from wallet_server.records.schema import devices, phone_logs
from wallet_server.sandbox.phones.android import AndroidApp, Kept

pytestmark = mostly_on("sqlite", stage=True)


def points(card: Kept) -> int:
    style = card.file.document["storeCard"]
    return int(next(f["value"] for fields in style.values() for f in fields if f["key"] == "points"))


def kinds(stage: Stage) -> dict[str, str]:
    """Device library id to its kind of push."""
    with stage.ctx.look() as tx:
        return {r.library_id: r.push_kind for r in tx.execute(sa.select(devices))}


@pytest.fixture
def app(stage: Stage) -> Iterator[AndroidApp]:
    """An Android app on the same network as the iPhones."""
    app = AndroidApp(stage.authority.root_pem)
    stage.run(app.__aenter__())
    yield app
    stage.run(app.__aexit__())


def test_the_whole_life_of_a_card_in_an_android_app(stage: Stage, app: AndroidApp) -> None:
    member = stage.enrol()
    phone = stage.phone(member)
    card = stage.run(app.open(member["download_url"]))
    assert card.registered
    assert {kinds(stage)[one] for one in (app.device_id, phone.device_id)} == {"androidpass", "apns"}
    stage.run(app.look(card.key))
    assert stage.run(app.look(card.key)) == 304
    stage.run(app.poll())
    assert stage.run(app.poll()) == 0, "nothing has changed"

    # The iPhone is rung. The app is not, and fetches when its owner opens the card, or by its own timer.
    before = stage.apns.counts.accepted
    stage.sell(stage.code(phone), 1000)
    stage.until(lambda: shown(phone, "points") == 10, "the iPhone shows 10 points")
    assert points(card) == 0
    assert stage.run(app.look(card.key)) == 200
    assert points(card) == 10
    stage.sell(stage.code(phone), 500)
    stage.until(lambda: shown(phone, "points") == 15, "the iPhone shows 15 points")
    assert stage.run(app.poll()) == 1
    assert points(card) == 15
    assert stage.run(app.poll()) == 0
    assert stage.apns.counts.accepted - before == 2, "the iPhone alone, once for each sale"
    assert stage.apns.counts.refused.total() == 0

    base = card.file.web_service
    line = f"Register task (for device {app.device_id}, pass type {card.key[0]}, serial number {card.key[1]}; x) failed"
    assert stage.run(app.report(base, line)) == 200
    with stage.ctx.look() as tx:
        joined = tx.execute(sa.select(phone_logs.c.pass_id).where(phone_logs.c.line == line)).scalar_one()
    assert joined is not None

    assert stage.run(app.remove(card.key)) == 200
    assert app.device_id not in kinds(stage)
    assert phone.device_id in kinds(stage), "the iPhone goes on"


def test_a_card_in_an_android_app_alone_is_rung_for_by_nobody_and_ends_as_any_other(
    stage: Stage, app: AndroidApp
) -> None:
    member = stage.enrol()
    card = stage.run(app.open(member["download_url"]))
    before = stage.apns.counts.accepted
    assert stage.sell(card.file.document["barcodes"][0]["message"], 700).status == 200
    stage.until(lambda: stage.run(app.poll()) == 1 and points(card) == 7, "the app shows 7 points")
    assert stage.merchant("DELETE", f"/v1/members/{member['member']}/passes/{member['pass']}").status == 200
    stage.until(lambda: stage.run(app.poll()) == 1 and card.file.voided, "the app shows that the card is over")
    assert stage.run(app.look(card.key)) == 0, "there is nobody to ask any more"
    assert stage.apns.counts.accepted == before
    assert stage.apns.counts.refused.total() == 0
