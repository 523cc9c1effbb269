"""Owns what is known about posters: one page of the right size, whose code a scanner reads from the drawn picture."""

from __future__ import annotations

import datetime as dt
import io
import re
from dataclasses import replace

import pypdfium2
import pytest
import zxingcpp
from flask.testing import FlaskClient
from PIL import Image

from tests.pages.console import sign_in
from tests.pages.house import ORGANISATION, House
from tests.pages.test_pages_served import text_of
from wallet_server.actions.keys import authenticate
from wallet_server.actions.programme import poster as posting
from wallet_server.actions.programme.poster import Poster
from wallet_server.rules.passes.card import Palette
from wallet_server.web.poster import SIZES, drawn, printable, unprintable
from wallet_server.web.rendering import Press

NOW = dt.datetime(2026, 11, 18, 12, 0, tzinfo=dt.UTC)
POINT = 25.4 / 72


def png(size: tuple[int, int]) -> bytes:
    body = io.BytesIO()
    Image.new("RGB", size, "#b41e1e").save(body, "PNG")
    return body.getvalue()


BAKERY = Poster(
    organisation="Boulangerie Dupont & Fils",
    store="Centre",
    languages=("fr", "en"),
    palette=Palette("#12372a", "#fbf7ec", "#b9dcc4"),
    promise={"fr": "1 tampon à chaque visite.", "en": "1 stamp for each visit."},
    rewards=(
        {"fr": "10 tampons = un café offert (valeur 2,50\u00a0€)", "en": "10 stamps = a free coffee (worth €2.50)"},
    ),
    welcome=None,
    link="https://cards.example.com/loyalty/join/abcdef012345?store=sto_abcdefghjkmnpqrstvwx",
    logo=None,
)
VARIANTS = {
    "plain": BAKERY,
    "wide logo": replace(BAKERY, logo=png((900, 90))),
    "tall logo": replace(BAKERY, logo=png((90, 900)), welcome={"fr": "2 tampons", "en": "2 stamps"}),
    "long": replace(
        BAKERY,
        organisation="Anticonstitutionnellement " * 7,
        store="Magasin du Centre Commercial Régional " * 4,
        rewards=tuple({"fr": "x" * 150, "en": "y" * 150} for _ in range(5)),
        promise={"fr": "mot " * 120, "en": "word " * 120},
    ),
    "other letters": replace(BAKERY, organisation="Хлебница Ёлка · Ψωμί · Łódź · Հաց · პური", languages=("en",)),
    "no letters at all": replace(BAKERY, organisation="寿司 🍣", store="店", languages=("de",)),
}


def page_of(body: bytes) -> tuple[pypdfium2.PdfDocument, pypdfium2.PdfPage]:
    document = pypdfium2.PdfDocument(body)
    assert len(document) == 1
    return document, document[0]


@pytest.mark.parametrize("size", sorted(SIZES))
@pytest.mark.parametrize("name", VARIANTS)
def test_a_scanner_reads_the_printed_code(name: str, size: str) -> None:
    sheet = VARIANTS[name]
    document, page = page_of(drawn(sheet, size, Press().words, NOW))
    assert [round(side * POINT) for side in page.get_size()] == [round(side) for side in SIZES[size]]
    picture = page.render(scale=0.9 if size == "a4" else 1.8).to_pil()
    assert [found.text for found in zxingcpp.read_barcodes(picture)] == [sheet.link]
    written = page.get_textpage()
    for place in range(written.count_rects()):
        left, bottom, right, top = written.get_rect(place)
        assert left >= 0, name
        assert bottom >= 0, name
        assert right <= page.get_width() + 0.1, name
        assert top <= page.get_height() + 0.1, name
    document.close()


def test_the_poster_says_rule_and_reward_in_the_programmes_languages() -> None:
    document, page = page_of(drawn(VARIANTS["tall logo"], "a4", Press().words, NOW))
    text = re.sub(r"\s+", " ", page.get_textpage().get_text_bounded())
    for said in (
        "Boulangerie Dupont & Fils", "1 tampon à chaque visite.", "10 tampons = un café offert (valeur 2,50 €).",
        "1 stamp for each visit.", "10 stamps = a free coffee (worth €2.50).", "2 tampons en cadeau de bienvenue",
        "Centre · cards.example.com/loyalty/join/abcdef012345",
    ):  # fmt: skip
        assert said in text, text
    document.close()


def test_what_cannot_be_printed_is_told() -> None:
    assert unprintable(BAKERY) == ""
    assert unprintable(VARIANTS["other letters"]) == ""
    assert unprintable(VARIANTS["no letters at all"]) == "寿司🍣店"
    assert printable("Ｃａｆé 寿司 \u1e9e") == "Café \u1e9e"


def test_the_console_has_a_poster_for_each_store(client: FlaskClient, house: House) -> None:
    scope = authenticate(house.ctx, house.shop.merchant_key)
    (posted,) = posting.posters(house.ctx, scope)
    store = posted.stores[0][0]
    path = f"/console/poster/{store}/a6.pdf"
    assert client.get(path).status_code == 303, "nobody is signed in"
    sign_in(client, house, "marketer")
    text = text_of(client.get("/console/poster"))
    links = re.findall(r'href="(/console/poster/[^"]+)"', text)
    assert [link.split("?")[0] for link in links] == [f"/console/poster/{store}/a4.pdf", path]
    answer = client.get(links[1])
    assert answer.mimetype == "application/pdf"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="poster-a6.pdf"'
    document, page = page_of(answer.get_data())
    (found,) = zxingcpp.read_barcodes(page.render(scale=2).to_pil())
    assert found.text == f"{house.base}/join/{house.shop.join_code}?store={store}"
    assert ORGANISATION in page.get_textpage().get_text_bounded()
    document.close()
    assert client.get(f"/console/poster/{store}/a3.pdf").status_code == 404
    theirs = posting.posters(house.ctx, authenticate(house.ctx, house.stranger.merchant_key))[0]
    assert client.get(f"/console/poster/{theirs.stores[0][0]}/a4.pdf").status_code == 404
    assert client.get(f"{path}?programme={theirs.programme}").status_code == 404
    cashier = house.app.test_client()
    sign_in(cashier, house, "cashier")
    assert cashier.get(path).status_code == 403
