"""A welcome coupon over the wire: one tap puts card and coupon on the phone; the till takes the coupon once; the phone
shows so and never asks for it again, while the card lives on."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.conftest import NewDatabase
from tests.stories.stage import Stage, shown
from wallet_server.sandbox.phones.phone import Phone

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile Safari/604.1"
COUPON = {
    "title": {"fr": "Un café offert", "en": "A free coffee"},
    "terms": {"fr": "Une fois, dans notre boutique.", "en": "Once, in our shop."},
    "valid_days": 30,
    "value_minor": 250,
}


@pytest.fixture
def stage(new_database: NewDatabase, tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path, new_database("sqlite")) as raised:
        yield raised


def promise(stage: Stage) -> None:
    programme = f"/v1/programmes/{stage.facts['programme']}"
    document = stage.merchant("GET", programme).body["document"]
    welcome = {**(document.get("welcome") or {}), "coupon": COUPON}
    answer = stage.merchant("POST", f"{programme}/versions", {"document": {**document, "welcome": welcome}})
    assert answer.status == 200, answer


def page(stage: Stage, path: str) -> str:
    with urlopen(Request(stage.base + path, headers={"User-Agent": IPHONE, "Accept-Language": "en"})) as got:  # noqa: S310
        return str(got.read().decode())


def both(phone: Phone) -> tuple[Any, Any]:
    """The card and the coupon on this phone."""
    (card,) = [one for one in phone.cards.values() if one.file.style == "storeCard"]
    (coupon,) = [one for one in phone.cards.values() if one.file.style == "coupon"]
    return card, coupon


def requests(phone: Phone, key: tuple[str, str]) -> int:
    return sum(event.key == key for event in phone.events if event.kind in ("get", "register", "head"))


def test_card_and_coupon_in_one_tap_and_the_coupon_once(stage: Stage) -> None:
    promise(stage)
    joining = page(stage, f"/join/{stage.facts['join_code']}")
    assert "Welcome coupon: A free coffee. Once, in our shop. Valid for 30 days." in joining
    member = stage.enrol()
    (of_coupon,) = member["coupons"]
    with urlopen(member["bundle_url"]) as got:  # noqa: S310 - loopback
        assert got.headers["Content-Type"] == "application/vnd.apple.pkpasses"
        assert len(zipfile.ZipFile(BytesIO(got.read())).namelist()) == 2
    with urlopen(member["download_url"]) as got:  # noqa: S310 - loopback
        assert got.headers["Content-Type"] == "application/vnd.apple.pkpass"
    assert "A free coffee" in page(stage, member["card_url"].removeprefix(stage.base))

    # One tap on the page of the card: the first button there.
    phone = stage.phone({"download_url": member["card_url"]})
    card, coupon = both(phone)
    assert coupon.file.document["coupon"]["primaryFields"][0]["value"] == "Un café offert"
    till, code = stage.facts["till_key"], coupon.file.document["barcodes"][0]["message"]

    found = stage.call("POST", "/v1/lookups", {"code": code, "language": "en"}, till)
    assert (found.status, found.body["member"]) == (200, member["member"])
    told = found.body["coupon"]
    assert (told["title"], told["terms"], told["state"], told["value_minor"], told["used_at"]) == (
        "A free coffee",
        "Once, in our shop.",
        "issued",
        250,
        None,
    )
    sold = stage.sell(code, 1000)
    assert (sold.status, sold.body["code"]) == (409, "coupon-code")

    # The card's own code says so, too: what can be used now, and the one thing to say.
    own = card.file.document["barcodes"][0]["message"]
    seen = stage.call("POST", "/v1/lookups", {"code": own, "language": "en"}, till).body
    assert [(one["id"], one["value_minor"]) for one in seen["vouchers"]] == [(told["id"], 250)]
    assert (seen["prompt"]["kind"], seen["prompt"]["sentence"]) == ("voucher", "A voucher to use: A free coffee.")

    use = {"code": code, "reference": "B-1", "language": "fr"}
    taken = stage.call("POST", "/v1/coupon-uses", use, till, Idempotency_Key="k-1")
    assert (taken.status, taken.body["sentence"]) == (200, "Bon utilisé\u00a0: Un café offert")
    again = stage.call("POST", "/v1/coupon-uses", use, till, Idempotency_Key="k-1")
    assert again.body.pop("sentence").endswith("\u00a0: Bon utilisé\u00a0: Un café offert"), "Déjà fait à ..."
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.body == {name: value for name, value in taken.body.items() if name != "sentence"}
    second = stage.call("POST", "/v1/coupon-uses", {**use, "reference": "B-2"}, till)
    assert (second.status, second.body["code"]) == (409, "coupon-used")
    assert stage.call("POST", "/v1/lookups", {"code": own}, till).body["vouchers"] == []

    stage.until(lambda: coupon.file.voided, "the phone shows that the coupon is used")
    assert "webServiceURL" not in coupon.file.document
    before = requests(phone, coupon.key)
    stage.run(stage.fleet.push(phone.push_token, coupon.key[0]))
    stage.run(phone.reboot())
    stage.run(phone.pull_to_refresh(coupon.key))
    stage.run(stage.fleet.settle())
    assert requests(phone, coupon.key) == before, "it never asks for it again"
    gone = stage.call("GET", of_coupon["download_url"].removeprefix(stage.base))
    assert gone.status == 404
    assert "A free coffee" not in page(stage, member["card_url"].removeprefix(stage.base))

    # The card is none the worse: it earns, and the phone hears of it.
    assert not card.file.voided
    balance = stage.sell(card.file.document["barcodes"][0]["message"], 1000).body["balances"]["points"]
    stage.until(lambda: str(shown(phone, "points")).startswith(str(balance)), "the sale is on the card")
    assert stage.book_faults() == []
