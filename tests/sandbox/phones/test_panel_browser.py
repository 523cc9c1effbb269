"""Owns what is known about the sandbox's page in a real browser: it follows the phones live and stays within bounds."""

from __future__ import annotations

import pytest
from playwright.async_api import async_playwright

from tests.chromium import ARGUMENTS, CHROMIUM
from wallet_server.sandbox.panel import Panel, Sandbox

# Buttons and fields without a name, and text too small for its colour, on the page as it stands.
NAMELESS = """() => [...document.querySelectorAll('button, input, select, a, img')]
  .filter((e) => e.checkVisibility() && !(e.textContent.trim() || e.labels?.length || e.getAttribute('aria-label')
    || e.tagName === 'IMG' && e.hasAttribute('alt'))).map((e) => e.outerHTML)"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_person_follows_a_phone_in_the_browser(play):
    async def story(bench):
        bench.service.put(bench.card())
        links = {"base_url": bench.service.base}
        async with Panel(Sandbox(bench.fleet, links=links)) as panel, async_playwright() as engine:
            browser = await engine.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = await browser.new_page(viewport={"width": 390, "height": 844}, locale="fr-FR")
            faults = []
            page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: faults.append(str(error)))
            await page.goto(panel.url)
            await page.get_by_label("À qui est ce téléphone ?").fill("Ada")
            await page.get_by_role("button", name="Ajouter un téléphone").click()
            phone = page.get_by_role("article", name="Ada")
            await phone.get_by_label("Lien d’une carte").fill(f"{bench.service.base}/short/S1")
            await phone.get_by_role("button", name="Ouvrir").click()
            await phone.get_by_text("10", exact=True).wait_for()
            await bench.change(bench.card(points=236))
            await phone.get_by_role("log").get_by_text("Vous avez 236 points").wait_for()
            await phone.get_by_text("236", exact=True).wait_for()
            assert await phone.get_by_role("img", name="C-S1").is_visible()
            await phone.get_by_role("button", name="Retourner").press("Enter")
            await phone.get_by_text("Hello").wait_for()
            assert await page.evaluate(NAMELESS) == []
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
            await phone.get_by_role("button", name="Supprimer la carte").click()
            await phone.get_by_text("Pas encore de carte").wait_for()
            assert bench.service.registered == {}
            await phone.get_by_role("button", name="Jeter").click()
            await page.get_by_text("Pas encore de téléphone").wait_for()
            await page.goto(f"{panel.url}/?card=http://127.0.0.1:9/page/S1")
            await page.get_by_text("n’est pas du serveur").wait_for()
            assert page.url == f"{panel.url}/"
            assert not bench.fleet.phones
            await page.goto(f"{panel.url}/?card={bench.service.base}/page/S1")
            await page.get_by_text("La carte est dans le téléphone").wait_for()
            await page.get_by_text("236", exact=True).wait_for()
            (handed,) = bench.fleet.phones.values()
            assert len(handed.cards) == 1
            assert faults == []
            await browser.close()

    play(story)
