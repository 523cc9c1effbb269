"""Owns what is known about the pages in a real browser: with and without scripts, by keyboard, at any size and colour.

A console error (a broken policy, a failed file, a fault of a script) fails the test in which it appears.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.pages.house import House, Member
from wallet_server.actions import recovery

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"
]  # fmt: skip
AXE = "axe-core@4.10.3"
SIZES = ({"width": 320, "height": 640}, {"width": 1280, "height": 900})

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=20_000)
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Browser, house: House) -> Open:
    """`with opened(locale="fr-FR", …) as page:` is a new visitor; `expected` are console errors that belong there."""

    @contextmanager
    def open_page(*, expected: str = "\0", **options: Any) -> Iterator[Page]:
        context = browser.new_context(base_url=house.base, **{"locale": "en-GB", **options})
        context.set_default_timeout(20_000)
        page = context.new_page()
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda sent: None if sent.url.startswith(house.base) else faults.append(f"asked {sent.url}"))
        yield page
        assert not [fault for fault in faults if expected not in fault]
        context.close()

    return open_page


def scan(page: Page, text: str) -> None:
    """A wedge scanner: types into what has the focus, then Enter."""
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def tab_to(page: Page, name: str) -> None:
    """Reach a control as a keyboard does."""
    for _ in range(30):
        page.keyboard.press("Tab")
        text = "document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent"
        if page.evaluate(text).strip() == name:
            return
    raise AssertionError(f"{name} is not reached by Tab")


def answer(page: Page, text: str) -> None:
    expect(page.locator("#answer")).to_contain_text(text)


# ---------------------------------------------------------------------- members


def test_joining_works_without_scripts(opened: Open, house: House) -> None:
    with opened(java_script_enabled=False, locale="fr-FR") as page:
        page.goto(f"/join/{house.shop.join_code}")
        page.get_by_role("button", name="Obtenir ma carte").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Votre carte est prête")
        expect(page.get_by_role("progressbar", name="Vers le statut Argent")).to_be_visible()
        page.get_by_role("link", name="Voir le dernier solde").click()
        page.get_by_role("button", name="Recevoir les nouveautés").click()
        expect(page.get_by_text("C’est fait : vous recevrez les nouveautés.")).to_be_visible()


def test_joining_by_keyboard_then_the_card_follows_a_sale(opened: Open, house: House) -> None:
    with opened() as page:
        page.goto(f"/join/{house.shop.join_code}")
        tab_to(page, "Yes, send me news from Boulangerie & Fils on my card")
        page.keyboard.press("Space")
        tab_to(page, "Get my card")
        page.keyboard.press("Enter")
        page.wait_for_url("**/card/**")
        expect(page.get_by_text("Up to date")).to_be_visible()
        member = Member(house, page.url.split("/card/")[1].split(".")[0])
        assert member.card.promotions
        link = page.get_by_role("link", name="Add to Apple Wallet")
        link.focus()
        member.buy("live-1", 1234)
        expect(page.locator(".card .balance strong")).to_have_text("12")
        expect(page.locator("#says")).to_have_text("Your card has changed. Points: 12. Status: Bronze. "
                                                   "Only 288 points to go to reach Silver")  # fmt: skip
        expect(link).to_be_focused()
        before = page.locator(".card").evaluate("one => getComputedStyle(one).backgroundColor")
        member.buy("live-2", 50000)
        house.deliver()  # the new status waits for a version of the card of its own
        expect(page.locator(".card .tier strong")).to_have_text("Silver")
        after = page.locator(".card").evaluate("one => getComputedStyle(one).backgroundColor")
        assert (before, after) == ("rgb(90, 56, 35)", "rgb(223, 228, 234)"), "the colours of the tier come along"
        expect(page.locator("#held")).to_be_hidden()
        member.add_to_phone()
        expect(page.locator("#held")).to_be_visible()
        expect(page.locator("#says")).to_have_text("In your phone")


def test_the_card_says_when_it_may_be_old(opened: Open, house: House) -> None:
    with opened(expected="ERR_INTERNET_DISCONNECTED") as page:
        page.goto(house.member().path)
        expect(page.get_by_text("Up to date")).to_be_visible()
        page.context.set_offline(True)
        expect(page.get_by_text("No connection. The card shown may be older.")).to_be_visible()
        page.context.set_offline(False)
        expect(page.get_by_text("Up to date")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_scanners_read_the_codes_on_any_ground(opened: Open, house: House, scheme: str) -> None:
    member = house.member()
    with opened(color_scheme=scheme) as page:
        page.goto(member.path)
        read = zxingcpp.read_barcode(Image.open(io.BytesIO(page.locator(".card .code svg").screenshot())))
        assert read
        assert read.text == member.card.code


def test_stopping_and_its_undo(opened: Open, house: House) -> None:
    member = house.member(promotions=True)
    with opened(locale="fr-FR") as page:
        page.goto(member.stop_path)
        page.get_by_role("button", name="Arrêter les messages").click()
        expect(page.get_by_role("status")).to_contain_text("C’est fait.")
        assert not member.card.promotions
        page.get_by_role("button", name="Annuler").click()
        expect(page.get_by_role("status")).to_contain_text("Vous recevrez à nouveau")
        assert member.card.promotions


# ---------------------------------------------------------------------- the till


def open_till(page: Page, key: str) -> None:
    page.goto(f"/till#key={key}")
    answer(page, "Scan a card")
    assert key not in page.url


def test_a_cashier_sells_spends_and_takes_back_by_keyboard_alone(opened: Open, house: House) -> None:
    member = house.member()
    with opened() as page:
        page.goto("/till")
        tab_to(page, "I have a key")
        page.keyboard.press("Enter")
        tab_to(page, "Key")
        scan(page, house.shop.till_key)
        expect(page.get_by_role("heading", level=1)).to_have_text("Boulangerie & Fils · Centre")
        assert not [seen for seen in house.requests if house.shop.till_key in seen], "no address ever holds the key"
        scan(page, member.card.code)
        answer(page, "Card found")
        scan(page, "nonsense")
        answer(page, "Write an amount such as 12.50.")
        page.keyboard.press("ControlOrMeta+a")
        scan(page, "1 250,50")
        answer(page, "+1,250 points, new balance 1,250")
        expect(page.locator("#tier")).to_have_text("Gold")
        expect(page.locator("#code")).to_be_focused()
        tab_to(page, "More")
        page.keyboard.press("Enter")
        tab_to(page, "How many")
        scan(page, "50")
        expect(page.get_by_role("dialog")).to_contain_text("Spend 50 points from this card?")
        scan(page, member.card.code)  # a scanner answers no question
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        answer(page, "-50 points, new balance 1,200")
        expect(page.locator("#undo")).to_contain_text(re.compile(r"\d+ s left"))
        tab_to(page, "Undo")
        page.keyboard.press("Enter")
        answer(page, "Reversed: +50 points, new balance 1,250")
        expect(page.locator("#undo")).to_be_hidden()
        tab_to(page, "Refund the last sale")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("Take this sale back: +1,250 points, new balance 1,250?")
        page.keyboard.press("Enter")
        answer(page, "Reversed: -1,250 points, new balance 0")
        expect(page.locator("#refund")).to_be_hidden()
        assert member.balance() == 0
        page.keyboard.press("?")
        page.locator("#code").blur()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="How it works")).to_be_visible()


AZERTY = dict(zip("0123456789.AQWZ", "à&é\"'(-è_ç:QAZW", strict=True))
STRIKE = """(strokes) => {
  for (const [key, code, shiftKey] of strokes)
    document.body.dispatchEvent(new KeyboardEvent("keydown", {key, code, shiftKey, bubbles: true, cancelable: true}));
}"""


def strokes_of(text: str) -> list[tuple[str, str, bool]]:
    """What a scanner set to an American keyboard strikes on a computer with a French one."""
    struck = []
    for sign in text:
        place = f"Digit{sign}" if sign.isdigit() else "Period" if sign == "." else f"Key{sign}"
        struck.append((AZERTY.get(sign, sign), place, sign.isalpha()))
    return [*struck, ("Enter", "Enter", False)]


def test_a_scanner_is_understood_wherever_the_focus_is_and_whatever_the_keyboard(opened: Open, house: House) -> None:
    first, second = house.member(), house.member()
    second.buy(f"wedge-{second.pass_id}", 300)
    with opened() as page:
        open_till(page, house.shop.till_key)
        page.get_by_role("button", name="How it works").focus()
        scan(page, first.card.code)
        answer(page, "Card found")
        expect(page.get_by_role("dialog")).to_be_hidden()
        answer(page, "0 points")
        page.get_by_label("Amount in EUR").fill("12")
        scan(page, second.card.code)  # into the amount: it is a card all the same, and the amount stays as it was
        answer(page, "3 points")
        page.get_by_role("button", name="Next card").click()
        page.evaluate(STRIKE, strokes_of(first.card.code))
        answer(page, "0 points")
        expect(page.locator("#holder-code")).to_have_text(first.card.code)
    assert (first.balance(), second.balance()) == (0, 3)


def test_a_replaced_card_is_known_but_spends_nothing(opened: Open, house: House) -> None:
    member = house.member()
    member.buy(f"old-{member.pass_id}", 900)
    old = member.card.code
    recovery.by_link(house.ctx, house.ctx.link("recover", member.pass_id).rsplit("/", 1)[1], "form")
    with opened(expected="status of 409") as page:
        open_till(page, house.shop.till_key)
        scan(page, old)
        answer(page, "9 points")
        expect(page.get_by_text("This is an older card: it still collects, but cannot spend.")).to_be_visible()
        page.get_by_text("More", exact=True).click()
        expect(page.get_by_label("How many")).to_be_hidden()


def test_an_answer_lost_on_the_way_counts_once(opened: Open, house: House) -> None:
    member = house.member()
    keys: list[str | None] = []

    def lose_first(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) == 1:
            route.fetch()  # the service counted it; its answer never arrives
            route.abort("connectionreset")
        else:
            route.continue_()

    with opened(expected="ERR_CONNECTION_RESET") as page:
        open_till(page, house.shop.till_key)
        page.route("**/v1/sales", lose_first)
        scan(page, member.card.code)
        answer(page, "Card found")
        scan(page, "7")
        answer(page, "Already counted: +7 points, balance 7")
    assert len(keys) == 2
    assert keys[0]
    assert keys[0] == keys[1]
    assert member.balance() == 7


def test_a_sale_that_nobody_answered_survives_a_reload(opened: Open, house: House) -> None:
    member = house.member()
    with opened(expected="ERR_FAILED") as page:
        open_till(page, house.shop.till_key)
        page.route("**/v1/sales", lambda route: route.abort())
        scan(page, member.card.code)
        answer(page, "Card found")
        scan(page, "9")
        answer(page, "Trying again, nothing will be counted twice")
        page.unroute("**/v1/sales")
        page.reload()
        answer(page, "+9 points, new balance 9")
    assert member.balance() == 9


def test_refusals_are_told_in_the_cashiers_words(opened: Open, house: House) -> None:
    ours, foreign = house.member(), house.member(house.stranger)
    with opened(locale="fr-FR", expected="the server responded with a status of 4") as page:
        page.goto(f"/till#key={house.shop.merchant_key}")
        answer(page, "Cette clé n’est pas celle d’une caisse.")
        page.get_by_text("J’ai une clé").click()
        page.get_by_label("Clé", exact=True).focus()
        scan(page, house.shop.till_key)
        answer(page, "La caisse est ouverte.")
        for code, sentence in (
            (foreign.card.code, "Cette carte appartient à un autre commerçant."),
            ("PAS.UN.CODE", "Ce code est illisible."),
        ):
            scan(page, code)
            answer(page, sentence)
            expect(page.locator("#answer")).to_contain_text("Refusé")
            expect(page.locator("#holder")).to_be_hidden()
        scan(page, ours.card.code)
        answer(page, "Carte trouvée")
        page.get_by_text("Plus", exact=True).click()
        page.get_by_label("Combien").fill("5")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Oui").click()
        answer(page, "Il n’y a pas assez sur cette carte.")
        page.get_by_label("Montant en EUR").focus()
        scan(page, foreign.card.code)
        answer(page, "autre commerçant")
    assert ours.balance() == 0


def test_a_till_without_scripts_says_so(opened: Open) -> None:
    with opened(java_script_enabled=False) as page:
        page.goto("/till")
        expect(page.get_by_text("The till needs JavaScript.")).to_be_visible()


# ---------------------------------------------------------------------- first page, every page


def test_the_first_page_hands_the_key_to_the_till_and_the_api_can_be_tried(opened: Open, house: House) -> None:
    with opened() as page:
        page.goto(f"/?join={house.shop.join_code}#key={house.shop.till_key}")
        page.get_by_role("link", name="Join Boulangerie & Fils").click()
        page.wait_for_url("**/join/**")
        page.go_back()
        assert house.shop.till_key not in page.url
        page.get_by_role("link", name="Open the till").click()
        answer(page, "Scan a card")
        page.goto("/openapi/swagger")
        expect(page.get_by_text("/v1/sales", exact=True)).to_be_visible()


def every_page(house: House) -> list[str]:
    member = house.member(promotions=True)
    member.buy(f"pages-{member.pass_id}", 15000)
    paths = [f"/?join={house.shop.join_code}", f"/join/{house.shop.join_code}", f"{member.path}?new=1"]
    own = [urlsplit(house.ctx.link(kind, member.pass_id)).path for kind in ("recover", "rate")]
    return [*paths, member.stop_path, *own, "/recover", f"/till#key={house.shop.till_key}", "/look", "/nothing/here"]


def settle(page: Page, path: str) -> None:
    page.goto(path)
    if path.startswith("/till"):
        page.locator("#desk").wait_for()


def test_no_page_scrolls_sideways(opened: Open, house: House) -> None:
    with opened(locale="fr-FR", expected="404") as page:
        for path in every_page(house):
            settle(page, path)
            for size in SIZES:
                page.set_viewport_size(size)
                assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, fetched by npm; skips loudly where it cannot be had."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("THE PAGES WERE NOT CHECKED FOR ACCESSIBILITY: npm, which fetches axe-core, is missing")
    command = [
        npm,
        "install",
        "--prefix",
        str(folder),
        "--prefer-offline",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ]
    try:
        done = subprocess.run([*command, AXE], capture_output=True, text=True, timeout=60, cwd=folder)
    except subprocess.TimeoutExpired:
        pytest.skip("THE PAGES WERE NOT CHECKED FOR ACCESSIBILITY: npm did not fetch axe-core within a minute")
    if done.returncode:
        pytest.skip(f"THE PAGES WERE NOT CHECKED FOR ACCESSIBILITY: npm could not fetch axe-core: {done.stderr[-200:]}")
    return Path(folder, "node_modules", "axe-core", "axe.min.js").read_text("utf-8")


ALL = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FOUND = """async (only) => (await axe.run(document, {runOnly: only})).violations
  .map(v => v.id + ' ' + v.nodes.map(n => n.html))"""


def test_every_page_is_accessible_in_light_and_dark(opened: Open, house: House, axe: str) -> None:
    def check(page: Page) -> None:
        page.evaluate(axe)
        assert page.evaluate(FOUND, ALL) == [], page.url
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(FOUND, ["color-contrast"]) == [], page.url
        page.emulate_media(color_scheme="light")

    with opened(locale="fr-FR", expected="404", reduced_motion="reduce") as page:
        for path in every_page(house):
            settle(page, path)
            check(page)
        settle(page, f"/till#key={house.shop.till_key}")
        scan(page, house.member().card.code)
        page.locator("#holder").wait_for()
        check(page)
