"""What is missing for the next tier, in one sentence: on both phones, in an e-mail, and in a merchant’s own page."""

from __future__ import annotations

import re
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Frame, expect, sync_playwright

from tests.chromium import ARGUMENTS, CHROMIUM
from tests.conftest import mostly_on
from tests.site import Site, served
from tests.stories.stage import Stage, shown
from tests.stories.test_tiers import KEEPER, level, module, publish
from wallet_server.sandbox.letterboxes import Got

WITH_GOOGLE = WITH_LETTERS = True
CLAIRE = "claire@example.com"
REWARD = "Un détachage offert"
WAITS = "Ce qui vous attend au statut de Gardien de la blancheur"
pytestmark = [
    mostly_on("sqlite", stage=True),
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="the story needs Chromium"),
]


def form(stage: Stage, page: str, **fields: str) -> str:
    """As a browser sends a form."""
    sent = urllib.parse.urlencode(fields).encode()
    request = urllib.request.Request(page, sent, {"Accept-Language": "fr"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as got:  # noqa: S310
        return str(got.read().decode())


def letters(stage: Stage, some: int) -> list[Got]:
    """The letters to this member, once there are so many."""
    stage.until(lambda: len(stage.boxes.letters(CLAIRE)) >= some, f"letter {some}")
    return stage.boxes.letters(CLAIRE)


def reached(stage: Stage, member: dict[str, Any]) -> None:
    """The member proves an address on the page of the card, and asks there to be told of the status."""
    form(stage, f"{member['card_url']}/reach", address=CLAIRE)
    code = re.search(r"\b(\d{6})\b", letters(stage, 1)[0].text)
    assert code
    assert "Oui, écrivez-moi" in form(stage, f"{member['card_url']}/reach/code", code=code[1])
    form(stage, f"{member['card_url']}/reach/letters", letters="yes")


@contextmanager
def framed(stage: Stage, site: Site, member: dict[str, Any]) -> Iterator[Frame]:
    """The frame in the merchant's page, which was made for this member, in a real browser."""
    made = stage.merchant("POST", f"/v1/members/{member['member']}/widget-token", {"sites": [site.origin]})
    assert made.status == 200, made
    site.body = made.body["snippet"]
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(locale="en-GB")
        page = context.new_page()
        page.goto(site.origin)
        page.locator("iframe").wait_for(state="attached")
        frame = page.frames[-1]
        yield frame
        assert context.cookies() == []
        browser.close()


def test_one_sentence_on_both_phones_in_the_letter_and_in_a_merchants_page(stage: Stage) -> None:
    names = {"keeper": ("Gardien de la blancheur", "Keeper of whiteness"), "pro": ("Pro du propre", "Cleaning pro")}
    publish(
        stage,
        levels=[
            level("bronze", "Bronze", "Bronze", threshold=0),
            level("pro", *names["pro"], threshold=300),
            level("keeper", *names["keeper"], threshold=1000, reward={"fr": REWARD, "en": "A free stain removal"}),
            level("gold", "Or", "Gold", threshold=2000),
        ],
    )
    member = stage.enrol(language="fr", first_name="Solène")
    iphone, pixel = stage.phone(member, "fr"), stage.android(member, "fr")
    reached(stage, member)
    first = letters(stage, 2)[1]
    assert "plus que 300 points et vous vous hisserez au statut de Pro du propre" in first.text

    assert stage.sell(stage.code(iphone), 88_400).body["tier"] == "pro"
    stage.until(lambda: shown(iphone, "gauge") == KEEPER == module(pixel, "gauge")[1], "both phones say it")
    assert shown(iphone, "progress") == "884 / 1\u202f000"
    assert shown(iphone, "detail.teaser") == module(pixel, "detail-teaser")[1] == REWARD

    letter = letters(stage, 3)[2]
    assert " ".join(letter.subject.split()) == "Votre statut chez Boulangerie Claire : Pro du propre"
    said = letter.text.replace("\r\n", "\n").split("\n\n")
    assert KEEPER in said
    assert "▰▰▰▰▰▰▰▰▱▱ 884 / 1\u202f000" in said
    assert f"{WAITS}\u00a0: {REWARD}" in said
    assert KEEPER in letter.html

    with served() as site:
        with framed(stage, site, member) as frame:
            expect(frame.locator(".sentence")).to_have_text(KEEPER)
            expect(frame.get_by_role("progressbar")).to_have_attribute("value", "88")
            expect(frame.locator(".counted")).to_have_text("884 / 1\u202f000")
            expect(frame.locator(".balance strong")).to_have_text(str(shown(iphone, "points")))
            expect(frame.locator(".reward")).to_contain_text(WAITS)
            expect(frame.locator(".reward")).to_contain_text(REWARD)
            whole = frame.content() + frame.url
            assert [one for one in ("Solène", CLAIRE, member["member"], member["pass"]) if one in whole] == []

        assert stage.sell(stage.code(iphone), 11_500).status == 200
        one = KEEPER.replace("que 116 points", "qu’un point")
        with framed(stage, site, member) as frame:
            expect(frame.locator(".sentence")).to_have_text(one)
            stage.until(lambda: shown(iphone, "gauge") == one == module(pixel, "gauge")[1], "one is one")
            assert stage.sell(stage.code(iphone), 100).body["tier"] == "keeper"
        gold = "Allez, plus que 1\u202f000 points et vous vous hisserez au statut d’Or"
        with framed(stage, site, member) as frame:
            expect(frame.locator(".sentence")).to_have_text(gold)
        stage.until(lambda: shown(iphone, "gauge") == gold == module(pixel, "gauge")[1], "of gold, elided")
        assert gold in letters(stage, 4)[3].text.replace("\r\n", "\n").split("\n\n")

        address = stage.merchant("POST", f"/v1/members/{member['member']}/widget-token", {"sites": [site.origin]}).body
        assert stage.merchant("DELETE", f"/v1/members/{member['member']}").status == 200
        assert stage.call("GET", address["url"].removeprefix(stage.base)).status == 404, "of who left nothing is shown"
    assert len(stage.boxes.letters(CLAIRE)) == 4
    assert stage.book_faults() == []
