"""Owns what is known about the console's pages of figures in a real browser: they refresh, preview and count by
themselves, keep to their policy, and are accessible, on a phone and on a desk.
"""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM, Open
from tests.pages.console import PASSWORD, hire
from tests.pages.house import House, built
from tests.pages.test_console_offline import PATH, trouble
from tests.pages.test_console_whatif import export
from wallet_server.records.passes import passes
from wallet_server.records.vendors import vendors
from wallet_server.wallets.google.pushing import PLACES_NOTE
from wallet_server.wallets.google.sentences import noted

pytestmark = NEEDS_CHROMIUM


HUGE = """() => [...document.querySelectorAll('.figure')].filter((box) => {
    for (const one of box.children) one.textContent = '12\\u202f345\\u202f678\\u202f901\\u202f234,56\\u202f€';
    return box.scrollWidth > box.clientWidth;
}).map((box) => box.textContent)"""


def no_wider(page: Page) -> None:
    """Nothing sticks out of the screen."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url


def test_a_marketer_looks_announces_and_asks_what_it_would_have_cost(
    browser: Browser, house: House, axe: str, tmp_path: Path
) -> None:
    file = tmp_path / "ventes.csv"
    file.write_text(export(), "cp1252")
    member = house.member(promotions=True)
    email = hire(house, "marketer")
    context = browser.new_context(
        base_url=house.base, locale="fr-FR", viewport={"width": 360, "height": 740}, reduced_motion="reduce"
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto("/console/sign-in?next=/console/today")
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#now")).to_be_visible()
    member.buy("browser-1", 1990)
    expect(page.get_by_role("link", name=member.card.code.split(".")[3][-4:])).to_be_visible()
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate(HUGE) == [], "however much a shop sells, its numbers stay in their boxes"
    _check(page, axe)
    page.goto("/console/members?lang=fr")
    page.goto(f"{page.locator('a[href*=mem_]').first.get_attribute('href')}?lang=fr")
    expect(page.locator("#doctor")).to_have_text("Pourquoi ce téléphone n’a-t-il pas suivi\u202f?")
    page.get_by_text("Ce que le serveur sait").click()
    _check(page, axe)
    page.goto("/console/announce?lang=fr")
    page.fill("#text-fr", "Tout au seigle. " * 13)
    expect(page.locator("#preview .warn").first).to_contain_text("Coupé après 178 caractères")
    _check(page, axe)
    page.get_by_role("button", name="Compter d’abord").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/announce/ann_*")
    _check(page, axe)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto("/console/what-if?lang=fr")
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Calculer").focus()
    page.keyboard.press("Enter")
    answer = page.locator("#answer")
    expect(answer).to_contain_text("18,00")
    expect(answer).to_be_focused()
    page.select_option("#column-customer-choice", "")
    page.get_by_role("button", name="Recalculer").click()
    expect(answer).to_contain_text("entre")
    assert page.locator("html").get_attribute("lang") == "fr"
    _check(page, axe)
    context.close()
    assert not faults


def test_an_owner_settles_what_a_till_did_without_a_network(opened: Open, house: House, axe: str) -> None:
    burned, taken, _ = trouble(house, "2")
    email = hire(house, "owner", house.stranger.merchant_key)
    with opened(viewport={"width": 360, "height": 740}) as page:
        page.goto(f"/console/sign-in?next={PATH}")
        page.fill("[name=email]", email)
        page.fill("[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        one = page.locator(f"#{burned}")
        expect(one).to_contain_text("nothing is spent without a network")
        one.get_by_label("Note").fill("asked Ana")
        one.get_by_role("button", name="Have it counted").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("It is counted.")
        expect(page.locator(f"#{taken}")).to_be_visible()
        _check(page, axe)


def _check(page: Page, axe: str) -> None:
    no_wider(page)
    check(page, axe, both_schemes=False)


def test_the_owner_alone_reads_on_the_page_of_the_day_what_cards_in_google_wallet_went_without(
    browser: Browser, axe: str, tmp_path: Path
) -> None:
    said = {"en-GB": ("Google Wallet:", PLACES_NOTE), "fr-FR": ("Google Wallet\u00a0:", noted(PLACES_NOTE, "fr"))}
    with built(tmp_path) as house:
        member = house.member()
        owner, marketer, stranger = (
            hire(house),
            hire(house, "marketer"),
            hire(house, "owner", house.stranger.merchant_key),
        )
        for who, locale, told in (
            (owner, "en-GB", False), (owner, "en-GB", True), (owner, "fr-FR", True), (marketer, "en-GB", False),
            (stranger, "en-GB", False),
        ):  # fmt: skip
            if told:
                with house.ctx.change() as tx:
                    row = passes.pass_by_public(tx, member.pass_id)
                    assert row is not None
                    vendors.say(tx, row.id, house.ctx.now(), held=True, note=PLACES_NOTE)
            context = browser.new_context(base_url=house.base, locale=locale, viewport={"width": 360, "height": 740})
            page = context.new_page()
            page.goto("/console/sign-in?next=/console/today")
            page.fill("[name=email]", who)
            page.fill("[name=password]", PASSWORD)
            page.keyboard.press("Enter")
            expect(page.locator("#now")).to_be_visible()
            page.goto(f"/console/today?lang={locale[:2]}")
            notes = page.locator(".notice").filter(has_text="Google Wallet")
            expect(notes).to_have_count(int(told))
            if told:
                expect(notes).to_have_text(" ".join(said[locale]))
                expect(notes).to_be_in_viewport()
                _check(page, axe)
            context.close()
