"""The widget: a merchant's own site frames a member's progress by a token that tells nobody who that is."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from tests.conftest import whole_module_mostly_on
from tests.world import Holder, World
from wallet_server.actions.people import enrol, leaving, merging
from wallet_server.actions.programme import programs
from wallet_server.records.envelope import Keyring
from wallet_server.rules.passes.card import Palette
from wallet_server.rules.programme.program_simple import stamp_document

database_kind = whole_module_mostly_on("sqlite")
SHOP = "https://shop.example"


def mint(world: World, holder: Holder, key: str | None = None, **body: Any) -> Any:
    got = world.client().post(
        f"/v1/members/{holder.member}/widget-token",
        json={"sites": [SHOP], **body},
        headers=world.bearer(key or world.founded.merchant_key),
    )
    return got.status_code, got.json


def token(world: World, holder: Holder, **body: Any) -> str:
    status, made = mint(world, holder, **body)
    assert status == 200, made
    return str(made["token"])


def framed(world: World, key: str, query: str = "", accepts: str = "en") -> Any:
    return world.client().get(f"/widget/{key}{query}", headers={"Accept": "text/html", "Accept-Language": accepts})


def test_the_frame_says_how_far_it_is_in_the_members_language_with_the_numbers_of_the_card(world: World) -> None:
    holder = world.enrol(language="fr", email="claire@example.com", first_name="Claire")
    world.sell(holder, 88_400)
    status, made = mint(world, holder)
    assert status == 200
    assert made["url"] == f"{world.ctx.settings.base_url}/widget/{made['token']}"
    embed = f"{world.ctx.settings.base_url}/static/embed.js"
    assert made["snippet"] == f'<script async src="{embed}" data-token="{made["token"]}"></script>'
    assert world.client().get("/static/embed.js").mimetype == "text/javascript"

    page = framed(world, made["token"])
    text = page.get_data(as_text=True)
    assert (page.status_code, page.headers["Content-Language"]) == (200, "fr")
    assert "Allez, plus que 116 points et vous vous hisserez au statut d’Or" in text
    assert 'max="100" value="88"' in text
    assert "884 / 1\u202f000" in text
    assert "<strong>884</strong>" in text
    assert "Argent" in text
    assert "Only 116 points to go to reach Gold" in framed(world, made["token"], "?lang=en").get_data(as_text=True)
    for theme, said in (("light", ' class="light"'), ("dark", ' class="dark"'), ('"><b>', "")):
        assert f'<html lang="fr"{said}>' in framed(world, made["token"], f"?theme={theme}").get_data(as_text=True)
    for personal in (
        "Claire",
        "claire",
        holder.member,
        holder.pass_public_id,
        holder.serial,
        holder.code,
        "/card/",
        "<a ",
    ):
        assert personal not in text


def test_only_the_sites_of_the_token_may_frame_it_and_nothing_is_kept(world: World) -> None:
    key = token(world, world.enrol(), sites=[f"{SHOP}/", "http://localhost:3000"])
    headers = framed(world, key).headers
    policy = headers["Content-Security-Policy"]
    assert policy.endswith(f"frame-ancestors {SHOP} http://localhost:3000")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "X-Frame-Options" not in headers, "it knows no sites"
    assert headers["Cache-Control"] == "private, no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in headers
    elsewhere = framed(world, "no-token").headers
    assert "frame-ancestors 'none'" in elsewhere["Content-Security-Policy"]
    assert elsewhere["X-Frame-Options"] == "DENY"


def test_the_token_says_nothing_of_whose_it_is_and_cannot_be_changed(world: World) -> None:
    holder = world.enrol(first_name="Claire")
    first, second = token(world, holder), token(world, holder)
    assert first.rpartition(".")[2][:40] != second.rpartition(".")[2][:40], "two of one member are not alike"
    sealed = base64.urlsafe_b64decode(first.rpartition(".")[2])
    for plain in (holder.member, holder.pass_public_id, "Claire", "member", SHOP):
        assert plain.encode() not in sealed
    stranger = Keyring({"k1": bytes(32)}).seal(b"{}", "widget")
    other = world.ctx.keyring.seal(b'{"member": 1}', "letter:let_1")
    nobody = world.ctx.keyring.seal(b'{"member": 999999, "sites": [], "until": 4000000000}', "widget")
    changed = first[:30] + ("A" if first[30] != "A" else "B") + first[31:]
    for bad in (changed, first[:-8], stranger, other, "v1.k9.AAAA", "v1.k1.é", "%00", "v1..", nobody):
        page = framed(world, bad)
        assert page.status_code == 404, bad
        assert "points" not in page.get_data(as_text=True)


def test_a_token_lives_for_the_minutes_that_were_asked_for_and_then_says_so_politely(world: World) -> None:
    holder = world.enrol(language="fr")
    world.sell(holder, 88_400)
    status, made = mint(world, holder, minutes=5)
    assert status == 200
    assert made["expires_at"] == world.clock.forward(minutes=5).replace(microsecond=0).isoformat()
    world.clock.forward(seconds=-2)
    assert framed(world, made["token"]).status_code == 200
    world.clock.forward(seconds=2)
    page = framed(world, made["token"])
    text = page.get_data(as_text=True)
    assert (page.status_code, page.headers["Cache-Control"]) == (404, "private, no-store")
    assert "Rechargez la page pour voir où vous en êtes." in text
    assert "884" not in text
    assert page.headers["Content-Security-Policy"].endswith(f"frame-ancestors {SHOP}"), "said where it was shown"


def test_whoever_left_is_shown_nowhere_and_of_two_who_became_one_the_one_is(world: World) -> None:
    kept, merged, gone = (world.enrol(language="fr") for _ in range(3))
    world.sell(kept, 50_000)
    world.sell(merged, 38_400)
    keys = [token(world, one) for one in (merged, gone)]
    merging.by_staff(world.ctx, world.merchant, kept.member, merged.member, "joined-twice", None, world.wish("merge"))
    assert "<strong>884</strong>" in framed(world, keys[0]).get_data(as_text=True)
    leaving.leave(world.ctx, world.merchant, gone.member)
    page = framed(world, keys[1])
    assert page.status_code == 404
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    status, refused = mint(world, gone)
    assert (status, refused["code"]) == (404, "unknown-card")


def test_a_member_whose_cards_were_all_cancelled_is_not_shown(world: World) -> None:
    holder = world.enrol()
    key = token(world, holder)
    leaving.cancel(world.ctx, world.merchant, holder.member, holder.pass_public_id)
    assert framed(world, key).status_code == 404


def test_a_token_is_for_whoever_may_read_the_member(world: World) -> None:
    holder = world.enrol()
    status, refused = mint(world, holder, world.founded.till_key)
    assert (status, refused["code"]) == (403, "needs-scope")
    stranger = programs.found(world.ctx, "Un voisin", programs.NewStore("Ailleurs"))
    assert mint(world, holder, stranger.merchant_key)[0] == 404


@pytest.mark.parametrize(
    "site",
    [
        "http://shop.example", "https://shop.example/path", "https://*", "*", "https://shop.example;script-src *",
        "https://shop.example https://evil.example", "https://shop.example\n", "javascript:alert(1)", "", "https://SHOP",
    ],
)  # fmt: skip
def test_a_site_is_an_origin_and_nothing_else(world: World, site: str) -> None:
    assert mint(world, world.enrol(), sites=[site])[0] == 422


def test_sites_are_named_and_minutes_are_few(world: World) -> None:
    holder = world.enrol()
    for body in ({"sites": []}, {"sites": [SHOP] * 6}, {"minutes": 61}, {"minutes": 0}, {"member": "x"}):
        assert mint(world, holder, **body)[0] == 422, body


def test_a_stamp_card_shows_its_boxes_and_what_they_are_good_for(world: World) -> None:
    colours, coffee = Palette("#5b2333", "#fff6ef", "#f0c4b0"), {"fr": "un café", "en": "a coffee"}
    document = stamp_document("Chez Marie", palette=colours, reward_names=coffee, reward_value_minor=250)
    made = programs.create_programme(
        world.ctx, world.founded.account_id, world.founded.merchant_id, document, world.credential_set
    )
    joined, _ = enrol.enrol(world.ctx, world.merchant, made["programme"], enrol.Joining("fr"), world.wish("enrol"))
    text = framed(world, token(world, world.holder(joined["pass"]))).get_data(as_text=True)
    assert "0 / 10" in text
    assert len(re.findall("<progress", text)) == 1
    assert "Plus que 10 tampons" in text
    assert "un café" in text
