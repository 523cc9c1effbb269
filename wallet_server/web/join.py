"""Owns the join page: what a programme promises, the card as it will look, one field at most, and the way to a phone
that can hold it."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.people import enrol, pages
from wallet_server.actions.programme import assets
from wallet_server.errors import Invalid, TooMany, WalletError
from wallet_server.rules import sentences
from wallet_server.rules.counter import coupons
from wallet_server.rules.passes.card import Card
from wallet_server.rules.programme import rules_spoken
from wallet_server.rules.programme.program import Amount, Programme
from wallet_server.web import trying
from wallet_server.web.face import face
from wallet_server.web.rendering import (
    chosen_language,
    context,
    here,
    in_language,
    language,
    palette_spec,
    press,
    public_path,
    render,
    root,
    symbol,
)
from wallet_server.web.visitor import DESK, address, visitor

joining = Blueprint("join", __name__)

EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\.[^@\s\x00-\x1f\x7f]+")
MAX_EMAIL = 320
FORM = re.compile(r"[A-Za-z0-9_-]{16,64}")
COOKIE = "card"
MOST_LOGO_BYTES = 16_000
COOKIE_SECONDS = 180 * 24 * 3600


@joining.get("/join/<join_code>")
def join_page(join_code: str) -> Response:
    """What the programme promises and the card as it will look, before anything is asked. `?store=` is the store whose
    poster was scanned."""
    return _page(join_code, None)


@joining.post("/join/<join_code>")
def join(join_code: str) -> Answer:
    """A new member with a card; nothing needs to be filled in."""
    tongue = language()
    email = request.form.get("email", "").strip()
    if email and (len(email) > MAX_EMAIL or not EMAIL.fullmatch(email)):
        return _page(join_code, Invalid("Write the address like name@example.com.", code="bad-email"))
    offer = pages.offer(context(), join_code)
    if not offer.ready:
        return _page(join_code, None)
    poster = _store_of_poster(offer)
    wanted = enrol.Joining(
        language=tongue,
        home_store=poster[0] if poster else request.form.get("home_store") or None,
        email=email or None,
        promotions=request.form.get("promotions") == "yes",
    )
    try:
        made = enrol.join(context(), join_code, wanted, form_sent(), address())
    except TooMany as fault:
        return _page(join_code, fault)
    path = public_path(enrol.card_link(context(), made["pass"]))
    answer = redirect(f"{path}?new=1" + (f"&lang={tongue}" if chosen_language() else ""), 303)
    remember(answer, join_code, made["pass"])
    return answer


def form_sent() -> str | None:
    """The name under which a page's form is sent once, if it has its form."""
    given = request.form.get("form", "")
    return given if FORM.fullmatch(given) else None


def form_name() -> str:
    """A name for the form on this page: the one it was sent under, when it is shown again."""
    return form_sent() or secrets.token_urlsafe(18)


def remember(answer: Answer, join_code: str, pass_public_id: str) -> None:
    """Have this browser offer this card when it comes to the same join page again; nobody else is shown the cookie."""
    answer.set_cookie(
        COOKIE,
        enrol.token_of_browser(context(), pass_public_id),
        max_age=COOKIE_SECONDS,
        path=f"{root()}/join/{join_code}",
        secure=context().settings.base_url.startswith("https://"),
        httponly=True,
        samesite="Lax",
    )


def _known_card(join_code: str) -> str | None:
    """The path of the card that this browser got here, if that card is still good."""
    found = enrol.card_of_browser(context(), join_code, request.cookies.get(COOKIE, ""))
    if found is None:
        return None
    query = f"?lang={chosen_language()}" if chosen_language() else ""
    return public_path(enrol.card_link(context(), found)) + query


def _store_of_poster(offer: pages.Offer) -> tuple[str, str] | None:
    """The store (public id, name) that `?store=` names; one that has closed since the poster was printed is nobody's
    fault and is left out."""
    return next((store for store in offer.stores if store[0] == request.args.get("store")), None)


def _page(join_code: str, fault: WalletError | None) -> Response:
    offer = pages.offer(context(), join_code)
    programme = offer.programme
    tongue = language(programme.languages[0])
    spoken = tongue if tongue in programme.languages else programme.languages[0]
    levels = programme.ladder.levels if programme.ladder else ()
    response = render(
        "join.html",
        tongue,
        status=_status(offer, fault),
        ready=offer.ready,
        palettes=[offer.card.palette, *(level.palette or programme.palette for level in levels)],
        spoken=spoken,
        programme=programme,
        rule=in_language(rules_spoken.rule_sentences(programme), spoken),
        rewards=[sentences.reward_sentence(reward, programme, spoken) for reward in programme.rewards],
        welcome=gift_words(programme.welcome, programme, spoken),
        coupon=coupons.promised(programme.welcome_coupon, spoken) if programme.welcome_coupon else None,
        tiers=_tiers(programme, spoken),
        face=face(_light(offer.card), "", tongue, ""),
        limits=programme.announce.limits,
        action=here(),
        form=form_name(),
        recover=f"{root()}/recover" + (f"?lang={tongue}" if chosen_language() else ""),
        known=_known_card(join_code),
        filled={name: request.form.get(name, "") for name in ("email", "home_store", "promotions")},
        **_place(offer, join_code, tongue),
        **_told(fault, tongue),
    )
    if isinstance(fault, TooMany):
        response.headers["Retry-After"] = str(fault.retry_after_seconds)
    return response


def _status(offer: pages.Offer, fault: WalletError | None) -> int:
    if not offer.ready and request.method == "POST":
        return 503
    return 200 if fault is None else 429 if isinstance(fault, TooMany) else 400


def _light(card: Card) -> Card:
    """The card without a logo that would make the page heavy for whoever stands in a shop with one bar of network."""
    body = assets.picture(context(), card.logo) if card.logo else None
    return card if body is not None and len(body) <= MOST_LOGO_BYTES else replace(card, logo=None)


def _place(offer: pages.Offer, join_code: str, tongue: str) -> dict[str, Any]:
    """Where the visitor stands and with what in hand. At a desk a code leads to a phone, or words where it cannot."""
    poster, who = _store_of_poster(offer), visitor()
    at_desk, alone = who.device == DESK, trying.alone()
    link = f"{context().settings.base_url}/join/{join_code}" + (f"?store={poster[0]}" if poster else "")
    return {
        "stores": offer.stores,
        "store": poster[1] if poster else None,
        "visitor": who,
        "link": link,
        "link_symbol": symbol(link, press().words[tongue].join.symbol) if at_desk and not alone else None,
        "sandbox": context().settings.sandbox,
    }


def _told(fault: WalletError | None, tongue: str) -> dict[str, Any]:
    """What went wrong, beside the field or above the form."""
    words = press().words[tongue].join
    if isinstance(fault, TooMany):
        minutes = -(-fault.retry_after_seconds // 60)
        return {"fault": None, "crowded": words.count("crowded", minutes)}
    return {"fault": fault and words.faults.of(fault.code, fault.sentence), "crowded": None}


def gift_words(gift: Amount | None, programme: Programme, spoken: str) -> str | None:
    """`2 stamps`, in a language that the programme speaks."""
    if gift is None:
        return None
    return sentences.counted(gift.units, sentences.noun_of(programme, gift.currency, spoken), spoken)


def _tiers(programme: Programme, spoken: str) -> list[dict[str, object]]:
    ladder = programme.ladder
    if ladder is None:
        return []
    noun = sentences.noun_of(programme, ladder.currency, spoken)
    return [
        {
            "name": in_language(level.names, spoken),
            "colours": palette_spec(level.palette or programme.palette),
            "from": sentences.counted(level.threshold, noun, spoken) if level.threshold else "",
            "benefits": [in_language(benefit, spoken) for benefit in level.benefits],
        }
        for level in ladder.levels
    ]
