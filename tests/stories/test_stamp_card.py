"""A stamp card on a phone, from the first stamp to the second card: the till stamps, boxes fill, the reward waits."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.conftest import NewDatabase
from tests.stories.stage import Stage, shown
from wallet_server.actions import keys
from wallet_server.actions.programme import assets
from wallet_server.rules.passes.card import Palette
from wallet_server.rules.programme.program_simple import carry_over, stamp_document
from wallet_server.sandbox.phones.phone import Phone
from wallet_server.wallets.drawing import Drawings

PALETTE = Palette("#7a1f2b", "#fff6e9", "#f0c9a4")


@pytest.fixture
def stage(new_database: NewDatabase, tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, new_database("sqlite")) as raised:
        yield raised


def logo() -> bytes:
    drawn, file = Image.new("RGB", (640, 320), "#ffffff"), io.BytesIO()
    ImageDraw.Draw(drawn).ellipse((200, 40, 440, 280), fill="#7a1f2b")
    drawn.save(file, "JPEG")
    return file.getvalue()


def publish(stage: Stage) -> None:
    """Ten stamps are a coffee, with one stamp for joining and the shop's own logo."""
    sha256 = assets.keep(stage.ctx, keys.authenticate(stage.ctx, stage.facts["merchant_key"]), logo())
    programme = f"/v1/programmes/{stage.facts['programme']}"
    before = stage.merchant("GET", programme).body["document"]
    document = stamp_document(
        "Boulangerie Claire",
        palette=PALETTE,
        logo=sha256,
        reward_names={"fr": "un café", "en": "a coffee"},
        reward_value_minor=250,
        welcome=1,
    )
    answer = stage.merchant("POST", f"{programme}/versions", {"document": carry_over(document, before)})
    assert answer.status == 200, answer


def stamp(stage: Stage, phone: Phone, hours_ago: int) -> dict[str, Any]:
    body = {
        "code": stage.code(phone),
        "receipt": f"R{next(stage.receipts)}",
        "currency": "EUR",
        "amount_minor": 250,
        "occurred_at": (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat(),
    }
    answer = stage.call("POST", "/v1/sales", body, stage.facts["till_key"])
    assert answer.status == 200, answer
    return dict(answer.body)


def picture(phone: Phone, name: str) -> bytes:
    """One file of the pass that the phone holds."""
    with zipfile.ZipFile(io.BytesIO(next(iter(phone.cards.values())).file.raw)) as archive:
        return archive.read(name)


def boxes(phone: Phone, filled: int) -> bool:
    """Whether the strip of the pass on the phone is that of so many stamps, at every scale."""
    strip = tuple(picture(phone, f"strip{scale}.png") for scale in ("", "@2x", "@3x"))
    return strip == Drawings().stamps("stamps", 1, PALETTE, filled, 10).pngs


def test_ten_stamps_are_a_coffee_and_the_eleventh_begins_a_new_card(stage: Stage) -> None:
    publish(stage)
    phone = stage.phone(stage.enrol(language="en"))
    stage.until(lambda: shown(phone, "points") == "1 / 10", "the welcome gift is the first live update")
    assert shown(phone, "reward") == "Plus que 9 tampons et un café vous est offert"
    assert boxes(phone, 1)
    stage.until(lambda: bool(phone.lock_screen), "the phone says so")
    assert phone.lock_screen[-1].text == "You have 1 / 10 stamps. Only 9 stamps to go and you get a free coffee"
    mark = Image.open(io.BytesIO(picture(phone, "logo@2x.png"))).convert("RGBA")
    assert mark.getpixel((mark.width // 2, mark.height // 2)) == pytest.approx((0x7A, 0x1F, 0x2B, 255), abs=6)

    answers = [stamp(stage, phone, hours_ago) for hours_ago in range(20, 11, -1)]
    assert [answer["balances"]["stamps"] for answer in answers] == list(range(2, 11))
    (nearly,) = answers[7]["rewards"]
    assert (nearly["name"], nearly["cost"]) == ("a coffee", {"currency": "stamps", "amount": 10})
    assert (nearly["missing"], nearly["ready"]) == (1, 0)
    assert answers[8]["stamps"] == {"filled": 10, "total": 10, "ready": 1}
    assert answers[8]["progress"] == "Your free coffee is waiting"
    stage.until(lambda: shown(phone, "points") == "10 / 10", "the card is full")
    assert boxes(phone, 10)
    assert shown(phone, "reward") == "Votre café offert vous attend"

    eleventh = stamp(stage, phone, 10)
    assert eleventh["stamps"] == {"filled": 1, "total": 10, "ready": 1}
    again = stamp(stage, phone, 10)
    assert (again["entries"], again["sentence"]) == ([], "This visit was counted already, balance 11")
    stage.until(lambda: shown(phone, "points") == "1 / 10", "a new card begins")
    assert boxes(phone, 1)
    assert shown(phone, "reward") == "Votre café offert vous attend"

    wanted = {"code": stage.code(phone), "reward": "reward", "reference": "G-1", "language": "fr"}
    given = stage.call("POST", "/v1/redemptions", wanted, stage.facts["till_key"])
    assert given.status == 200, given
    assert given.body["reward"] == "reward"
    assert given.body["sentence"] == "Un café\u00a0: -10 tampons, nouveau solde 1"
    assert given.body["entries"][0]["sentence"] == "Récompense utilisée\u00a0: un café, ticket G-1."
    stage.until(lambda: shown(phone, "reward") == "Plus que 9 tampons et un café vous est offert", "it is redeemed")
    seen = stage.call("POST", "/v1/lookups", {"code": stage.code(phone)}, stage.facts["till_key"]).body
    assert [(one["ready"], one["missing"]) for one in seen["rewards"]] == [(0, 9)]
    assert seen["stamps"] == {"filled": 1, "total": 10, "ready": 0}
    refused = stage.call("POST", "/v1/redemptions", wanted | {"reference": "G-2"}, stage.facts["till_key"])
    assert (refused.status, refused.body["code"]) == (409, "not-enough")
    assert stage.book_faults() == []
