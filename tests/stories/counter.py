"""Owns who is in the shop in its first hour, and what happens at the counter: stamps, rewards, refunds, strangers, and
a card that was lost with its phone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.axe import check
from tests.stories.bakery import Bakery
from tests.stories.hands import Hands
from wallet_server.rules.counter import codes
from wallet_server.sandbox.google import AndroidPhone
from wallet_server.sandbox.phones.phone import Phone

# How long a person takes (seconds): to read a page that is new to her, to decide and press, to type one character.
READ, PRESS, KEY = 12.0, 3.0, 0.35


@dataclass
class Watch:
    """Counts what a person does, and how long a person would take over it; nobody waits for that."""

    hands: Hands
    inputs: int = 0
    seconds: float = 0.0
    pages: set[str] = field(default_factory=set)

    def reads(self, page: Page) -> None:
        name = re.sub(r"[?#].*|[0-9a-z_]{16,}\S*", "", page.url)
        self.seconds += READ if name not in self.pages else 2.0
        self.pages.add(name)

    def types(self, where: Locator, text: str) -> None:
        self.inputs += 1
        self.seconds += PRESS + KEY * len(text)
        self.hands.types(where, text)

    def presses(self, what: Locator) -> None:
        self.seconds += PRESS
        self.hands.presses(what)


@dataclass(frozen=True)
class Room:
    """Who is in the shop: their screens, the language they read, how they work them, and what checks the pages that
    they see."""

    bakery: Bakery
    browser: Browser
    axe: str
    tongue: str
    hands: Hands
    marie: BrowserContext
    device: BrowserContext
    customer: BrowserContext
    android: BrowserContext

    def check(self, page: Page) -> None:
        # Two stories in two colour schemes: each looks at its own.
        check(page, self.axe, both_schemes=False)


def stamp_with_the_camera(room: Room, till: Page, card: Page, watch: Watch) -> None:
    """The customer holds the card before the camera of the counter's phone."""
    room.bakery.hold_up(card.locator(".card .code").screenshot())
    watch.reads(till)
    room.check(till)
    watch.presses(till.locator("#camera-on"))
    expect(till.locator("#holder")).to_be_visible()
    room.check(till)
    watch.presses(till.locator("#one"))
    expect(till.locator("#stamps")).to_have_attribute("aria-label", re.compile("10"))
    expect(till.locator("#rewards")).to_be_visible()


def save_on_android(room: Room, card_link: str) -> AndroidPhone:
    """The same card, opened with the browser of an Android phone, and one tap."""
    page = room.android.new_page()
    page.goto(card_link)
    button = page.locator("a[data-wallet=google]").first
    if not button.is_visible():  # a phone has the card already
        room.hands.presses(page.locator("details.more summary").filter(visible=True).first)
    expect(button).to_be_visible()
    room.check(page)
    link = button.get_attribute("href")
    page.close()
    return room.bakery.android(room.tongue, f"{room.bakery.base}{link}")


def refund_and_stamp_again(room: Room, till: Page, phone: Phone, android: AndroidPhone) -> None:
    """A stamp by mistake: the last sale is taken back, silently on the phones, and the visit counts anew, by the code
    on the Android phone."""
    room.bakery.until(lambda: shown(phone, "points") == "10 / 10", "the tenth stamp is on the phone")
    room.bakery.until(lambda: stamps_on(android) == "10 / 10", "and on the Android phone")
    rings = len(phone.lock_screen), len(android.lock_screen)
    room.hands.presses(till.locator("#refund"))
    room.hands.presses(till.locator("#sure button[value=yes]"))
    room.bakery.until(lambda: shown(phone, "points") == "9 / 10", "the refund is on the phone")
    room.bakery.until(lambda: stamps_on(android) == "9 / 10", "and on the Android phone")
    assert (len(phone.lock_screen), len(android.lock_screen)) == rings, "a correction rings nobody"
    next_card(room, till)
    (card,) = android.cards
    scan(room, till, android.code(card, datetime.now(UTC)))
    room.hands.presses(till.locator("#one"))
    room.bakery.until(lambda: shown(phone, "points") == stamps_on(android) == "10 / 10", "the card is full again")


def redeem_undo_redeem(room: Room, till: Page) -> None:
    """The reward is asked about before it is given, taken back within the minute, and given again."""
    for last in (False, True):
        room.hands.presses(till.locator("#rewards button:visible").first)
        room.hands.presses(till.locator("#sure button[value=yes]"))
        expect(till.locator("#undo")).to_be_visible()
        if not last:
            room.check(till)
            room.hands.presses(till.locator("#undo-it"))
            expect(till.locator("#undo")).to_be_hidden()


def refuse_strangers(room: Room, till: Page, phone: Phone) -> None:
    """Another merchant's card, a code that nobody issued, and something that is no code at all: each in its words."""
    ours = codes.read(code_of(phone))
    said = []
    foreign, nobodys = (codes.write(codes.first(mark, "0" * 16)) for mark in ("ZZZZZZ", ours.issuer))
    for code in (foreign, nobodys, "12345"):
        next_card(room, till)
        scan(room, till, code)
        expect(till.locator("#answer.refused")).to_be_visible()
        said.append(till.locator("#answer").inner_text())
    assert len(set(said)) == 3, said
    room.check(till)


def next_card(room: Room, till: Page) -> None:
    if till.locator("#next").is_visible():
        room.hands.presses(till.locator("#next"))


def scan(room: Room, till: Page, code: str) -> None:
    """As a scanner types it, or a cashier."""
    if till.locator("#camera-off").is_visible():
        room.hands.presses(till.locator("#camera-off"))
    room.hands.types(till.locator("#code"), code)
    room.hands.presses(till.locator("#scan button"))


def code_of(phone: Phone) -> str:
    """What a scanner reads off the phone's card."""
    return str(next(iter(phone.cards.values())).file.document["barcodes"][0]["message"])


def lose_the_phone_and_recover(
    room: Room, card: Page, links: tuple[str, str], phones: tuple[Phone, AndroidPhone], till: Page
) -> tuple[Page, Phone, AndroidPhone]:
    """The card is deleted from the iPhone, and the Android phone is lost. The code that was on its back brings
    everything to another card; the old card's code says who it is, and spends nothing. The new card goes to another
    phone of each kind, and the lost one shows that its card is over."""
    phone, lost = phones
    join_link, card_link = links
    card.goto(card_link)
    secret = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b", card.locator("#back").inner_text())
    assert secret
    old_code, before = code_on(card), stamps_in(card.locator("#front").inner_text())
    room.bakery.run(phone.remove(next(iter(phone.cards))))
    card.goto(join_link)
    expect(card.locator("a.button.primary"), "the same phone is offered the card it has").to_be_visible()
    room.hands.presses(card.locator("a[href*='/recover']").last)
    room.check(card)
    room.hands.types(card.locator("[name=code]"), secret.group())
    room.hands.presses(card.locator("main button.primary"))
    card.wait_for_url("**/card/**")
    room.check(card)
    assert code_on(card) != old_code
    assert stamps_in(card.locator("#front").inner_text()) == before
    another = room.bakery.phone(room.tongue)
    room.bakery.run(another.open(f"{room.bakery.base}{card.locator('a.wallet').get_attribute('href')}"))
    expect(card.locator("#held")).to_be_visible()
    assert shown(another, "points") == "10 / 10", "and no second welcome gift"
    android = save_on_android(room, re.sub(r"[?#].*", "", card.url))
    assert stamps_on(android) == "10 / 10"
    rings = len(lost.lock_screen)
    room.bakery.until(
        lambda: all(one.body["state"] == "INACTIVE" for one in lost.cards.values()), "the old one is over"
    )
    assert len(lost.lock_screen) == rings, "without a sound"
    assert set(android.cards).isdisjoint(lost.cards)

    next_card(room, till)
    scan(room, till, old_code)
    expect(till.locator("#older")).to_be_visible()
    expect(till.locator("#rewards button:not(:disabled)")).to_have_count(0)
    next_card(room, till)
    scan(room, till, code_on(card))
    expect(till.locator("#older")).to_be_hidden()
    expect(till.locator("#rewards button:visible")).to_have_count(1)
    return card, another, android


def code_on(card: Page) -> str:
    return card.locator(".card figcaption").inner_text().strip()


def stamps_in(text: str) -> list[str]:
    return re.findall(r"\d+", text)[:2]


def stamps_on(phone: AndroidPhone) -> str:
    """The stamps on the card in the Android phone."""
    (held,) = phone.cards.values()
    return str(held.body["loyaltyPoints"]["balance"]["string"])


def shown(phone: Phone, key: str) -> str:
    """The value of a field on the phone's card, wherever it stands."""
    card = next(iter(phone.cards.values()))
    fields = [one for row in card.file.document["storeCard"].values() for one in row]
    return next((str(one["value"]) for one in fields if one["key"] == key), "")
