"""A cashier's whole day at a real till: the camera reads what cards show, in whatever light and of whatever symbol,
with a network and without."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from playwright.sync_api import TimeoutError as Impatient

from tests.pages.bakery import Bakery, pair
from tests.pages.browsing import NEEDS_CHROMIUM
from tests.pages.console import hire
from tests.pages.filming import Shown, film, shown
from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.actions.counter import cashiers, till
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import Founded
from wallet_server.actions.staff.person import person_of
from wallet_server.records.staff import staff
from wallet_server.rules.programme.program_default import default_document

pytestmark = NEEDS_CHROMIUM

PIN = "4826"
BOTH = {"fr": "un café", "en": "a coffee"}
TWO_EUROS = {"title": {"fr": "Bon de 2 €", "en": "€2 voucher"}, "terms": {"fr": "Une fois.", "en": "Once."}}


def day_document(symbol: str) -> dict[str, Any]:
    """A programme whose passes show this symbol, with all that a day may bring."""
    document: dict[str, Any] = default_document("Chez Ada")
    euro = {"one": "euro", "other": "euros"}
    document["design"]["barcode"] = symbol
    document["currencies"].append({"code": "pot", "kind": "money", "names": {"fr": euro, "en": euro}})
    document["earn"].append({"id": "back", "currency": "pot", "per": {"amount_minor": 100, "points": 10}})
    cost = {"currency": "points", "amount": 5}
    voucher = {**TWO_EUROS, "valid_days": 90, "value_minor": 200}
    document["rewards"] = [{"code": "bon", "kind": "voucher", "names": BOTH, "cost": cost, "voucher": voucher}]
    reasons = [{"id": "late", "names": {"fr": "livraison en retard", "en": "late delivery"}}]
    document["gestures"] = [{"id": "coffee", "kind": "gift", "names": BOTH, "reasons": reasons}]
    document["gesture_budgets"] = [{"whose": "cashier", "window": "day", "count": 1}]
    document["offline"] = {"earn": True, "burn_units_per_card": 10, "allowance_units": 100, "window_minutes": 60}
    return document


PLAYS = """(patch) => {
  const video = document.querySelector("#video");
  const brush = new OffscreenCanvas(8, 8).getContext("2d");
  brush.drawImage(video, 16, 16, 8, 8, 0, 0, 8, 8);
  const seen = brush.getImageData(4, 4, 1, 1).data;
  return patch.every((part, at) => Math.abs(part - seen[at]) < 40);
}"""


@dataclass(frozen=True)
class Day:
    """A shop with a member for each symbol, a friend of the first, and the device at its counter."""

    ctx: Context
    founded: Founded
    page: Page
    film: Path
    passes: dict[str, str]

    def code(self, symbol: str) -> Shown:
        return shown(self.ctx, self.passes[symbol])

    def see(self, code: Shown, **how: float) -> None:
        """A customer holds a phone before the camera. A browser that is asked again at once may go on with the film
        that it had: it is asked until it plays this one."""
        patch = [*film(self.film, code, **how)]
        for attempt in range(10):
            # It may begin with a picture of the film before. Whoever asked again then would put away the card that was
            # read meanwhile, and one that goes on lying there is not read a second time.
            if attempt and self.page.evaluate(PLAYS, patch):
                return
            if self.page.locator("#next").is_visible():
                self.page.locator("#next").click()
            expect(self.page.locator("[data-till]")).not_to_have_attribute("data-camera", "starting")
            if self.page.locator("#camera-off").is_visible():
                self.page.locator("#camera-off").click()
            self.page.locator("#camera-on").click()
            expect(self.page.locator("[data-till]")).to_have_attribute("data-camera", "on")
            with suppress(Impatient):
                self.page.wait_for_function(PLAYS, arg=patch, timeout=5000)
                return
        raise AssertionError("the camera goes on with another film")

    def reopen(self) -> None:
        """The page anew, with its camera off: one that starts by itself would film what lay there before."""
        self.page.evaluate("localStorage.setItem('till-camera', 'off')")
        self.page.reload()

    def says(self, text: str) -> None:
        expect(self.page.locator("#answer")).to_contain_text(text)

    def sells(self, amount: str) -> None:
        self.page.locator("#amount").fill(amount)
        self.page.locator("#sale > button.primary").click()

    def balances(self, symbol: str) -> dict[str, int]:
        scope = keys.authenticate(self.ctx, self.founded.till_key)
        return dict(till.look_up(self.ctx, scope, self.code(symbol).message).balances)


@pytest.fixture
def day(bakery: Bakery, device: BrowserContext) -> Iterator[Day]:
    ctx = bakery.ctx
    founded = programs.found(ctx, "Chez Ada", programs.NewStore("Quai"))
    passes = {}
    for symbol in ("qr", "aztec", "pdf417", "code128"):
        document = day_document(symbol)
        made = programs.create_programme(ctx, founded.account_id, founded.merchant_id, document, 1)
        for name in (symbol, "friend")[: 2 if symbol == "qr" else 1]:
            passes[name] = enrol.join(ctx, made["join_code"], enrol.Joining())["pass"]
    page = device.new_page()
    device.grant_permissions(["camera"], origin=bakery.base)
    faults: list[str] = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    pair(ctx, founded, page, "Tablette", "Chez Ada, Quai")
    expect(page.locator('[data-network="up"]')).to_be_attached()
    yield Day(ctx, founded, page, bakery.folder / "film.mjpeg", passes)
    device.set_offline(False)
    page.close()
    assert faults == []


def test_a_cashiers_day(day: Day, bakery: Bakery, device: BrowserContext) -> None:
    scans_and_an_answer_that_is_lost(day)
    day.see(shown(bakery.ctx, bakery.pass_id))
    day.says("Refusé · d’un autre commerçant")
    uses_a_voucher_and_part_of_the_pot(day)
    takes_goods_back(day)
    knows_who_forgot_the_phone(day)
    goes_on_without_a_network(day, device)
    says_yes_once_and_not_twice(day)
    without_network = [day.balances(symbol)["points"] for symbol in ("pdf417", "code128")]
    assert without_network == [7, 3], "what was kept without a network is counted, and once"


READS_ITSELF = """
window.BarcodeDetector = class {
  static async getSupportedFormats() { return FORMATS; }
  async detect() { return FOUND; }
};
"""


@pytest.mark.parametrize("every", [True, False], ids=["every symbol", "QR codes alone"])
def test_the_browsers_own_reader_is_taken_where_it_reads_every_symbol(day: Day, every: bool) -> None:
    formats = ["qr_code", "aztec", "pdf417", "code_128", "ean_13"] if every else ["qr_code", "ean_13"]
    found = [{"rawValue": day.code("friend").message}] if every else []
    script = READS_ITSELF.replace("FORMATS", json.dumps(formats)).replace("FOUND", json.dumps(found))
    day.page.add_init_script(script)
    day.reopen()
    day.says("Scannez une carte")
    day.see(day.code("aztec"))
    day.says("Carte trouvée")
    read = day.code("friend" if every else "aztec").message
    expect(day.page.locator("#holder-code")).to_have_text(read)


def test_a_card_that_lies_there_while_help_is_open_is_read_when_it_closes(day: Day) -> None:
    day.reopen()
    day.says("Prêt")
    day.page.locator("#how").click()
    patch = film(day.film, day.code("qr"))
    day.page.evaluate("document.querySelector('#camera-on').click()")
    expect(day.page.locator("[data-till]")).to_have_attribute("data-camera", "on")
    day.page.wait_for_timeout(1500)
    assert day.page.evaluate(PLAYS, list(patch))
    day.says("Prêt")
    day.page.keyboard.press("Escape")
    day.says("Carte trouvée")


LOSE_FIRST = """() => {
  const whole = window.fetch;
  window.asked = 0;
  window.fetch = async (address, ...more) => {
    const answer = await whole(address, ...more);
    if (!String(address).endsWith("/v1/sales")) return answer;
    window.asked += 1;
    if (window.asked > 1) window.fetch = whole;
    else throw new TypeError("the network went");
    return answer;
  };
}"""


def scans_and_an_answer_that_is_lost(day: Day) -> None:
    """The sale is counted, its answer gets lost, and the same sale is sent again."""
    day.page.evaluate(LOSE_FIRST)
    day.see(day.code("qr"))
    day.says("Carte trouvée")
    day.sells("20")
    day.says("Déjà compté à ")
    assert day.page.evaluate("window.asked") == 2
    assert day.balances("qr") == {"points": 20, "status": 20, "pot": 200}


def uses_a_voucher_and_part_of_the_pot(day: Day) -> None:
    page = day.page
    day.see(day.code("aztec"), turned=8)
    day.says("Carte trouvée")
    day.sells("50")
    day.says("+50 points")
    page.get_by_role("button", name="Offrir\u00a0: un café").click()
    page.locator("#sure button[value=yes]").click()
    day.says("-5 points")
    page.locator("#amount").fill("10")
    page.get_by_role("button", name="Que peut-on utiliser avec").click()
    page.get_by_label("Bon de 2 €").check()
    expect(page.locator("#to-pay")).to_have_text(re.compile(r"8,00"))
    page.locator("#pot-part").fill("1,20")
    page.get_by_role("button", name="Utiliser cette part").click()
    expect(page.locator("#to-pay")).to_have_text(re.compile(r"6,80"))
    page.locator("#count").click()
    day.says("6,80")
    assert day.balances("aztec")["pot"] == 500 - 120 + 80


def takes_goods_back(day: Day) -> None:
    day.page.get_by_role("button", name="Reprendre des articles").click()
    back = day.page.get_by_role("dialog", name="Reprendre des articles")
    back.locator("#back-amount").fill("4")
    back.get_by_role("button", name="Reprendre").click()
    day.says("Retour")


def knows_who_forgot_the_phone(day: Day) -> None:
    if day.page.locator("#next").is_visible():
        day.page.locator("#next").click()
    day.page.locator("#code").fill(day.code("aztec").typed)
    day.page.locator("#scan button").click()
    day.says("Carte trouvée")


def goes_on_without_a_network(day: Day, device: BrowserContext) -> None:
    page = day.page
    device.set_offline(True)
    expect(page.locator('[data-network="down"]')).to_be_attached()
    day.see(day.code("pdf417"), turned=-4, light=0.45)
    day.says("Carte authentique")
    day.sells("7")
    day.says("Gardé")
    day.see(day.code("code128"), light=0.6)
    day.says("Pas vérifiée")
    expect(page.locator("#spend")).to_be_hidden()
    day.sells("3")
    day.says("Gardé")
    assert (day.balances("pdf417")["points"], day.balances("code128")["points"]) == (0, 0)
    page.locator("#waits").click()
    device.set_offline(False)  # from here on it may bring them by itself, and the way to this list goes
    page.locator("#sync").click()
    expect(page.locator("#waiting-list .badge.on")).to_have_count(2)
    page.keyboard.press("Escape")
    assert (day.balances("pdf417")["points"], day.balances("code128")["points"]) == (7, 3)


def says_yes_once_and_not_twice(day: Day) -> None:
    page = day.page
    everybody: Any = day
    email = hire(everybody, "cashier", day.founded.merchant_key)
    with day.ctx.look() as tx:
        row = staff.by_email(tx, email)
    assert row
    cashiers.choose_own(day.ctx, person_of(row, "session"), PIN)
    day.reopen()
    page.locator("#who").click()
    page.locator("#cashiers button").click()
    page.locator("#pin").fill(PIN)
    page.locator("#pin-form button.primary").click()
    day.says("Cashier sert")
    for symbol, offered in (("qr", True), ("friend", False)):  # the budget is one a day
        day.see(day.code(symbol))
        day.says("Carte trouvée")
        gestures = page.locator("#gestures button")
        expect(gestures).to_have_count(int(offered))
        if offered:
            gestures.click()
            day.says("un café")
            expect(gestures).to_have_count(0)
