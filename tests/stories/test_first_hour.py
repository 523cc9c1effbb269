"""The shop's first hour: a baker who knows nothing, alone with a phone, and her first customer. From an empty
installation to a stamp, a reward, a message and its result, over the product's own https under a name of her network.
The customer has an iPhone, and the same card on an Android phone.

It is told with a finger, and by the keyboard alone. Each page on the way is checked for accessibility.
`WRITE_PICTURES=1` writes pictures to docs/pictures.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect

from tests.axe import source
from tests.chromium import CHROMIUM
from tests.conftest import databases
from tests.stories.bakery import Bakery
from tests.stories.counter import (
    Room,
    Watch,
    lose_the_phone_and_recover,
    redeem_undo_redeem,
    refund_and_stamp_again,
    refuse_strangers,
    save_on_android,
    shown,
    stamp_with_the_camera,
    stamps_on,
)
from tests.stories.hands import Keyboard, Pointer
from wallet_server.sandbox.google import AndroidPhone
from wallet_server.sandbox.phones.phone import Phone

pytestmark = [
    pytest.mark.story,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="THE FIRST HOUR DID NOT RUN: no Chromium here (apt install chromium)"),
]

PATIENCE_MS = 30_000
ZONES = (
    "Europe/Paris", "Asia/Tokyo", "Asia/Kolkata", "Pacific/Auckland", "America/New_York", "America/Los_Angeles",
    "Pacific/Honolulu",
)  # fmt: skip
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
ANDROID = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"
PASSWORD = "une baguette bien cuite"
NEWS = {"fr": "Ce soir : deux croissants pour le prix d’un", "en": "Tonight: two croissants for the price of one"}


def daytime() -> str:
    """A time zone in which no quiet hours are just now, whenever this runs."""
    return next(zone for zone in ZONES if 10 <= datetime.now(ZoneInfo(zone)).hour < 19)


@pytest.fixture(scope="module")
def axe() -> str:
    return source()


@pytest.fixture
def bakery(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bakery]:
    with databases(request.config, tmp_path) as new, Bakery(tmp_path, new(request.param)) as bakery:
        yield bakery


def context(browser: Browser, **more: Any) -> BrowserContext:
    made = browser.new_context(**more)
    made.set_default_timeout(PATIENCE_MS)
    return made


@pytest.fixture
def room(bakery: Bakery, axe: str, request: pytest.FixtureRequest) -> Iterator[Room]:
    tongue, width, scheme, way = request.param
    locale = {"fr": "fr-FR", "en": "en-GB"}[tongue]
    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    desk: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
    screen = phone if width == "phone" else desk
    shared: dict[str, Any] = {
        "locale": locale,
        "timezone_id": daytime(),
        "color_scheme": scheme,
        "reduced_motion": "reduce",
    }
    faults: list[str] = []
    expect.set_options(timeout=PATIENCE_MS)
    with bakery.browser() as browser:
        people = [
            context(browser, **shared, **screen),
            context(browser, **shared, **screen),
            context(browser, **shared, **phone, user_agent=IPHONE),
            context(browser, **shared, **phone, user_agent=ANDROID),
        ]
        for one in people:
            one.on("weberror", lambda fault: faults.append(str(fault.error)))
        keyboard = Keyboard()
        if way == "keyboard":
            for one in people:
                keyboard.watch(one)
        yield Room(bakery, browser, axe, tongue, keyboard if way == "keyboard" else Pointer(bakery.base), *people)
        if way == "keyboard":
            keyboard.check()
    assert faults == []


# A phone, touched, on PostgreSQL; and a desk by the keyboard alone, on SQLite, as a shop alone has it.
@pytest.mark.parametrize(
    ("bakery", "room"),
    [("postgresql", ("fr", "phone", "light", "pointer")), ("sqlite", ("en", "desk", "dark", "keyboard"))],
    indirect=True,
    ids=["phone-french-light-postgresql", "desk-english-dark-keyboard-sqlite"],
)
def test_the_first_hour(room: Room, record_property: Any) -> None:
    begun, watch = time.monotonic(), Watch(room.hands)
    marie = room.marie.new_page()
    found_the_shop(room, marie, watch)
    join_link = make_the_card(room, marie, watch)
    till = pair_a_phone(room, marie, watch)
    card, phone = join(room, join_link, watch)
    card_link = re.sub(r"[?#].*", "", card.url)
    stamp_with_the_camera(room, till, card, watch)
    machine = time.monotonic() - begun
    assert watch.inputs <= 12, "an hour is short"
    assert watch.seconds + machine <= 8 * 60, (watch.seconds, machine)
    print(
        f"to the first stamped card: {watch.inputs} inputs, {watch.seconds:.0f} s of a person, {machine:.0f} s of ours"
    )

    room.bakery.until(lambda: shown(phone, "points") == "10 / 10", "the phone shows the full card")
    android = save_on_android(room, card_link)
    refund_and_stamp_again(room, till, phone, android)
    card, phone, android = lose_the_phone_and_recover(room, card, (join_link, card_link), (phone, android), till)
    redeem_undo_redeem(room, till)
    room.bakery.until(lambda: shown(phone, "points") == stamps_on(android) == "0 / 10", "the new phones show it")
    refuse_strangers(room, till, phone)
    announce(room, marie, phone, android)
    rate_badly(room, card, marie)
    write_to_one(room, marie)
    look_back(room, marie)
    assert room.bakery.book_faults() == []


def found_the_shop(room: Room, page: Page, watch: Watch) -> None:
    """From the link on the terminal to her own desk."""
    page.goto(room.bakery.setup_link)
    watch.reads(page)
    room.check(page)
    for name, text in (("shop", "Fournil de Marie"), ("name", "Marie"), ("email", "marie@example.com")):
        watch.types(page.locator(f"[name={name}]"), text)
    watch.types(page.locator("[name=password]"), PASSWORD)
    watch.presses(page.locator("main button.primary"))
    page.wait_for_url("**/console/today*")
    watch.reads(page)
    room.check(page)


def make_the_card(room: Room, page: Page, watch: Watch) -> str:
    """She types what the reward is, sees her card, publishes it and prints the poster; returns the link by which people
    join."""
    watch.presses(page.locator("nav a[href$='/console/card']").first)
    page.wait_for_url("**/console/card*")
    watch.reads(page)
    reward = {"fr": "un café", "en": "a coffee"}[room.tongue]
    promise = {"fr": "10 tampons = un café offert", "en": "10 stamps = a free coffee"}[room.tongue]
    watch.types(page.locator(f"[name=reward_{room.tongue}]"), reward)
    expect(page.locator("#shown")).to_contain_text(promise)
    # A gift of nine, so that one visit fills the card.
    watch.presses(page.locator("details.more summary"))
    watch.types(page.locator("[name=welcome]"), "9")
    expect(page.locator("#shown")).to_contain_text({"fr": "9 tampons", "en": "9 stamps"}[room.tongue])
    room.check(page)
    watch.presses(page.locator("button[value=publish]"))
    page.wait_for_url("**/console/card/publish*")
    watch.reads(page)
    room.check(page)
    watch.presses(page.locator("main form button.primary"))
    page.wait_for_url("**/console/card/published*")
    watch.reads(page)
    room.check(page)
    link = page.locator("a[href*='/join/']").first.get_attribute("href")
    assert link is not None
    watch.presses(page.locator("main a[href*='/console/poster']"))
    page.wait_for_url("**/console/poster*")
    watch.reads(page)
    with page.expect_download() as printed:
        watch.presses(page.locator("a[href*='/a4.pdf']").first)
    assert printed.value.path().read_bytes().startswith(b"%PDF")
    return link


def pair_a_phone(room: Room, page: Page, watch: Watch) -> Page:
    """A till with a name; the second device reads the code off her screen and becomes that till."""
    room.hands.goes(page, "tills")
    watch.reads(page)
    room.check(page)
    watch.types(page.locator("[name=name]"), "Comptoir")
    watch.presses(page.locator("form[action$='/console/tills'] button"))
    watch.presses(page.locator("form[action*='/pairing'] button").first)
    page.wait_for_url("**/pairing*")
    watch.reads(page)
    room.check(page)
    drawn = page.locator("[data-code] svg").screenshot(path=str(room.bakery.folder / "pairing.png"))
    assert drawn
    (read,) = zxingcpp.read_barcodes(Image.open(room.bakery.folder / "pairing.png"))
    device = room.device.new_page()
    device.goto(read.text)
    watch.reads(device)
    watch.types(device.locator("input:visible").first, "Téléphone du comptoir")
    room.check(device)
    watch.presses(device.locator("main button.primary:visible").first)
    watch.presses(device.locator("a[href*='/till']:visible"))
    expect(device.locator("#which")).to_contain_text("Téléphone du comptoir")
    expect(page.locator("[data-used]")).to_be_visible()
    return device


def join(room: Room, link: str, watch: Watch) -> tuple[Page, Phone]:
    """The first customer: what is promised before anything is asked, one button, and the card in the wallet."""
    page = room.customer.new_page()
    page.goto(link)
    watch.reads(page)
    expect(page.locator("main")).to_contain_text({"fr": "café", "en": "coffee"}[room.tongue])
    assert page.locator("input[type=checkbox]:checked").count() == 0
    room.check(page)
    watch.presses(page.locator("[name=promotions]"))
    watch.presses(page.locator("form button.primary"))
    page.wait_for_url("**/card/**")
    room.check(page)
    download = page.locator("a.wallet").get_attribute("href")
    phone = room.bakery.phone(room.tongue)
    room.bakery.run(phone.open(f"{room.bakery.base}{download}"))
    expect(page.locator("#held")).to_be_visible()
    room.bakery.until(lambda: shown(phone, "points") == "9 / 10", "the welcome gift is on the card")
    expect(page.locator("#front")).to_contain_text("9")
    return page, phone


def announce(room: Room, page: Page, phone: Phone, android: AndroidPhone) -> None:
    """A text, the count, the button with the count on it; the phones say it, and the page says who took it."""
    room.hands.goes(page, "announce")
    room.hands.types(page.locator("#text-fr"), NEWS["fr"])
    room.hands.types(page.locator("#text-en"), NEWS["en"])
    expect(page.locator("#preview")).to_contain_text("croissants")
    room.check(page)
    room.hands.presses(page.locator("form[action$='/console/announce'] button.primary"))
    send = page.locator("form[action$='/send'] button")
    expect(send).to_contain_text("1")
    room.check(page)
    room.hands.presses(send)
    text = NEWS[room.tongue]
    room.bakery.until(lambda: any(text in alert.text for alert in phone.lock_screen), "the phone says the news")
    room.bakery.until(lambda: any(text in alert.text for alert in android.lock_screen), "and so does the Android phone")
    expect(page.locator("main")).to_contain_text({"fr": "1", "en": "1"}[room.tongue])
    room.check(page)


def write_to_one(room: Room, page: Page) -> None:
    """A word for Claire alone, by her name; today's one message is spent, so it waits, and the page says until when."""
    room.hands.goes(page, "members")
    room.hands.presses(page.locator("main a[href*='/console/members/mem_']").first)
    room.hands.types(page.locator("[name=first_name]"), "Claire")
    room.hands.presses(page.locator("form[action$='/name'] button"))
    expect(page.locator("h1")).to_have_text("Claire")
    room.hands.types(page.locator("#text"), "@prénom, merci d’être venue")
    room.check(page)
    room.hands.presses(page.locator("form[action$='/note'] button"))
    expect(page.locator("#preview")).to_contain_text("Claire, merci")
    expect(page.locator("form[action$='/send'] button")).to_be_visible()
    room.check(page)


def rate_badly(room: Room, card: Page, marie: Page) -> None:
    """The customer was not happy; the owner has a ticket, and closes it."""
    card.goto(card.url.partition("#")[0])
    room.hands.presses(card.locator("a[href*='/rate/']").first)
    room.check(card)
    room.hands.chooses(card.locator("[name=mark][value='1']"))
    room.hands.types(card.locator("textarea"), "Le café était froid" if room.tongue == "fr" else "The coffee was cold")
    room.hands.presses(card.locator("main button.primary"))
    expect(card.locator(".good")).to_be_visible()
    room.hands.goes(marie, "tickets")
    expect(marie.locator("main")).to_contain_text("froid" if room.tongue == "fr" else "cold")
    room.check(marie)


def look_back(room: Room, page: Page) -> None:
    """Today, the members, and one member's history with its reasons."""
    room.hands.goes(page, "today")
    room.check(page)
    room.hands.goes(page, "members")
    room.check(page)
    room.hands.presses(page.locator("main a[href*='/console/members/mem_']").first)
    expect(page.locator("main")).to_contain_text({"fr": "café", "en": "coffee"}[room.tongue])
    room.check(page)
    room.hands.goes(page, "what-if")
    till = "date;montant;client\n" + "".join(f"{day:02}/10/2026;3,50;{day % 3}\n" for day in range(1, 31))
    file: FilePayload = {"name": "caisse.csv", "mimeType": "text/csv", "buffer": till.encode()}
    room.hands.brings(page.locator("input[type=file]"), file)
    room.hands.presses(page.locator("main form button.primary"))
    expect(page.locator("svg.plot").first).to_be_visible()
    room.check(page)
    for part in ("tills", "team", "poster", "account"):
        room.hands.goes(page, part)
        room.check(page)
    for part, name in (("today", "today.png"), ("card", "designer.png")):
        page.goto(f"{room.bakery.base}/console/{part}")
        take(page, room, name)


def take(page: Page, room: Room, name: str) -> None:
    """A picture of the README, from the desk: light, in English."""
    if room.tongue == "en":
        page.emulate_media(color_scheme="light")
        kept = Path(__file__).parents[2] / "docs" / "pictures" if os.environ.get("WRITE_PICTURES") else None
        page.wait_for_timeout(300)
        page.screenshot(path=str((kept or room.bakery.folder) / name))
        page.emulate_media()
