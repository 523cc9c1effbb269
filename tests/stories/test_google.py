"""An Android phone joins at the counter and saves its card in Google Wallet; sales, faults and the end reach it."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from tests.conftest import mostly_on
from tests.stories.stage import ISSUER, Stage, google_settings, shown
from wallet_server.actions.programme import programs
from wallet_server.rules.programme.program_default import default_document
from wallet_server.sandbox.google import AndroidFleet, AndroidPhone, GoogleServer
from wallet_server.sandbox.google.switches import Order

pytestmark = mostly_on("sqlite", stage=True)

ANDROID = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"


@dataclass
class Street:
    """The shop, Google, and the Android phones that pass by."""

    stage: Stage
    google: GoogleServer
    androids: AndroidFleet

    def phone(self) -> AndroidPhone:
        async def made() -> AndroidPhone:
            return self.androids.add_phone("fr")

        return self.stage.run(made())  # type: ignore[no-any-return]

    def look(self, address: str, **sent: str) -> tuple[str, str]:
        """A page as an Android's browser gets it, a form where something is `sent`: (where it ended, the page)."""
        body = urllib.parse.urlencode(sent).encode() if sent else None
        request = urllib.request.Request(address, body, {"User-Agent": ANDROID})  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=30) as got:  # noqa: S310
            return got.url, got.read().decode()

    def save(self, phone: AndroidPhone, card_page: str) -> str:
        """Press the button on the page of the card; the id of the object that the phone holds then."""
        found = re.search(r'data-wallet="google" href="([^"]+)"', self.look(card_page)[1])
        assert found is not None, "an Android phone is offered Google Wallet"
        (held,) = self.stage.run(phone.open(self.stage.base + found.group(1)))
        return str(held.id)

    def writes(self, *objects: str) -> int:
        """How often these objects were changed, as one asks Google."""
        return sum(self.google.writes[one] for one in objects)


@pytest.fixture(scope="module")
def street(stage: Stage) -> Iterator[Street]:
    async def begin(stack: AsyncExitStack) -> Street:
        google = await stack.enter_async_context(GoogleServer(stage.authority))
        return Street(stage, google, await stack.enter_async_context(AndroidFleet(google)))

    stack = AsyncExitStack()
    made: Street = stage.run(begin(stack))
    stage.stop()
    stage.start(**google_settings(made.google))
    yield made
    stage.run(stack.aclose())


def points(phone: AndroidPhone, card: str) -> int:
    return int(phone.cards[card].body["loyaltyPoints"]["balance"]["int"])


def test_an_android_phone_joins_follows_each_sale_and_rings_three_times_a_day(street: Street) -> None:
    stage, phone = street.stage, street.phone()
    page, _ = street.look(f"{stage.base}/join/{stage.facts['join_code']}", promotions="yes")
    assert "/card/" in page
    card = street.save(phone, page)
    state = f"{page.partition('?')[0]}/state"
    stage.until(lambda: json.loads(street.look(state)[1])["in_wallet"], "Google told the shop that it is saved")
    assert street.save(phone, page) == card, "pressed again it is the same card"
    code = phone.code(card, datetime.now(UTC))
    for sales in range(1, 6):
        assert stage.sell(code, 1000).status == 200
        stage.until(lambda so_far=10 * sales: points(phone, card) == so_far, f"{10 * sales} points are on the phone")
    assert len(phone.lock_screen) == 3, "the day's alerts are spent; the card is true all the same"
    assert street.google.shelf.find("loyaltyObject", card) is not None
    assert stage.book_faults() == []


def test_google_is_away_for_a_while_and_every_card_is_true_afterwards_with_one_change_each(street: Street) -> None:
    stage = street.stage
    held: list[tuple[AndroidPhone, str]] = []
    for _ in range(3):
        member, phone = stage.enrol(), street.phone()
        held.append((phone, street.save(phone, member["card_url"])))
    iphone_owner = stage.enrol()
    iphone, android = stage.phone(iphone_owner), street.phone()
    held.append((android, street.save(android, iphone_owner["card_url"])))
    cards = [card for _, card in held]
    before = street.writes(*cards)
    street.google.tell(Order(status=503))
    codes = [phone.code(card, datetime.now(UTC)) for phone, card in held]
    for _ in range(4):
        for code in codes:
            assert stage.sell(code, 1000).status == 200
    stage.until(lambda: shown(iphone, "points") == 40, "Apple's side goes on")
    assert [points(phone, card) for phone, card in held] == [0, 0, 0, 0]
    street.google.tell(None)
    stage.until(lambda: all(points(phone, card) == 40 for phone, card in held), "every card is true")
    assert street.writes(*cards) - before == len(cards)


def test_a_merchant_that_google_refuses_stops_no_other(street: Street) -> None:
    stage, other = street.stage, street.phone()
    member = stage.enrol()
    card = street.save(other, member["card_url"])
    street.google.permit(ISSUER, street.google.issue_account(ISSUER)["client_email"], allowed=False)
    stage.sell(other.code(card, datetime.now(UTC)), 1000)
    page = stage.enrol()["card_url"]
    found = re.search(r'data-wallet="google" href="([^"]+)"', street.look(page)[1])
    assert found is not None
    refused = stage.call("GET", found.group(1), Accept="text/html")
    assert refused.status == 503
    iphone = stage.phone(stage.enrol())
    stage.sell(stage.code(iphone), 1000)
    stage.until(lambda: shown(iphone, "points") == 10, "Apple's side goes on")
    assert points(other, card) == 0
    street.google.permit(ISSUER, street.google.issue_account(ISSUER)["client_email"], allowed=True)
    assert street.save(street.phone(), page), "nothing is left of it once it is mended"


def test_a_shop_without_any_apple_certificate_is_joined_saved_and_followed(street: Street) -> None:
    stage, phone = street.stage, street.phone()
    shop = programs.found(stage.ctx, "Fleurs", programs.NewStore("Quai"))
    made = programs.create_programme(stage.ctx, shop.account_id, shop.merchant_id, default_document("Fleurs"), None)
    page, shown_there = street.look(f"{stage.base}/join/{made['join_code']}", promotions="yes")
    assert ".pkpass" not in shown_there, "there is no file that nobody signs"
    card = street.save(phone, page)
    sale = {"code": phone.code(card, datetime.now(UTC)), "receipt": "1", "amount_minor": 1000, "currency": "EUR"}
    assert stage.call("POST", "/v1/sales", sale, shop.till_key).status == 200
    stage.until(lambda: points(phone, card) == 10, "10 points are on the phone")
    assert stage.book_faults() == []


def test_a_card_is_added_followed_and_removed_on_an_iphone_and_on_an_android_phone(street: Street) -> None:
    stage, android = street.stage, street.phone()
    member = stage.enrol()
    iphone = stage.phone(member)
    card = street.save(android, member["card_url"])
    state = f"{member['card_url']}/state"

    def held() -> bool:
        return bool(json.loads(street.look(state)[1])["in_wallet"])

    stage.until(held, "a phone has the card")
    stage.sell(stage.code(iphone), 1000)
    stage.until(lambda: shown(iphone, "points") == 10 and points(android, card) == 10, "both follow one sale")
    stage.sell(android.code(card, datetime.now(UTC)), 500)
    stage.until(lambda: shown(iphone, "points") == 15 and points(android, card) == 15, "whichever was scanned")

    # Removed on the iPhone: it is rung no more, and the Android phone goes on.
    code = stage.code(iphone)
    stage.run(iphone.remove(next(iter(iphone.cards))))
    assert iphone.cards == {}
    rung = stage.apns.counts.accepted
    stage.sell(code, 500)
    stage.until(lambda: points(android, card) == 20, "the other phone follows")
    assert stage.apns.counts.accepted == rung
    assert held()

    async def thrown_away() -> None:
        android.remove(card)

    stage.run(thrown_away())
    stage.until(lambda: not held(), "Google told the shop that nobody has it any more")
    assert card not in android.cards
    stage.sell(code, 500)

    # What was removed is not lost: the page gives the card again, as it is by now.
    again = stage.phone({"download_url": file_on(street, member["card_url"])})
    stage.until(lambda: shown(again, "points") == 25, "the iPhone has what stands by now")
    assert street.save(android, member["card_url"]) == card
    stage.until(lambda: points(android, card) == 25, "and so does Google")
    assert stage.book_faults() == []


def file_on(street: Street, card_page: str) -> str:
    """The address of the file on the page of the card, as an iPhone's browser finds it."""
    request = urllib.request.Request(card_page, headers={"User-Agent": IPHONE})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as got:  # noqa: S310
        found = re.search(r'class="wallet" href="([^"]+\.pkpass)"', got.read().decode())
    assert found is not None, "an iPhone is offered Apple Wallet"
    return street.stage.base + found.group(1)
