"""Owns the card in a browser: its page, the parts that change, the pass file, and leaving messages."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime

import orjson
from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions.passes import saving
from wallet_server.actions.people import enrol, pages
from wallet_server.rules.passes.card import Card
from wallet_server.web import trying
from wallet_server.web.buttons import button_path
from wallet_server.web.face import Face, face
from wallet_server.web.join import gift_words
from wallet_server.web.rendering import (
    chosen_language,
    context,
    here,
    language,
    palette_address,
    part,
    press,
    public_path,
    render,
    root,
    symbol,
)
from wallet_server.web.visitor import visitor

card_pages = Blueprint("card", __name__)
card_state = Blueprint("card-state", __name__)


@card_pages.get("/card/<token>")
def card_page(token: str) -> Response:
    """The card as the books have it at this moment, with the ways to put it on a phone. `?new=1` after joining,
    `?new=back` after it was recovered."""
    shown = enrol.web_card(context(), token)
    tongue = language(shown.language)
    words = press().words[tongue].card
    link = enrol.card_link(context(), shown.pass_public_id)
    return render(
        "card.html",
        tongue,
        palettes=[shown.card.palette, *(card.palette for card, *_ in shown.beside)],
        face=_face(shown.card, shown.code, tongue, shown.typed),
        coupons=_coupons(shown, tongue),
        mark=shown.mark,
        token=token,
        promotions=shown.promotions,
        in_wallet=shown.in_wallet,
        gift=_gift(shown, tongue),
        download=public_path(enrol.download_link(context(), shown.pass_public_id)) if shown.file else "",
        coupon_files=[public_path(enrol.download_link(context(), coupon)) for coupon in shown.files],
        google=_google(shown.pass_public_id),
        google_button=button_path("google", tongue),
        bundle=public_path(enrol.bundle_link(context(), shown.pass_public_id)) if shown.beside and shown.file else "",
        visitor=visitor(),
        link=link,
        page_symbol=None if trying.alone() else symbol(link, words.symbol),
        simulated=trying.onto_a_phone(link),
        language_query=f"?lang={tongue}" if chosen_language() else "",
        fresh=request.args.get("new", ""),
        done=request.args.get("messages", ""),
    )


def _google(card: str) -> str:
    """Where the card goes into Google Wallet; "" where it does not."""
    link = saving.google_link(context(), card)
    return public_path(link) if link else ""


def _gift(shown: enrol.WebCard, tongue: str) -> str | None:
    """What waits for the card to be in a phone, in words."""
    if shown.gift is None:
        return None
    programme = shown.gift.promise
    spoken = tongue if tongue in programme.languages else programme.languages[0]
    return gift_words(shown.gift.amount, programme, spoken)


def _coupons(shown: enrol.WebCard, tongue: str) -> list[Face]:
    return [_face(card, code, tongue, typed) for card, code, typed, _ in shown.beside]


def _face(card: Card, code: str, tongue: str, typed: str) -> Face:
    return face(card, code, tongue, press().words[tongue].card.code, typed)


@card_state.get("/card/<token>/state")
def state(token: str) -> Response:
    """The parts of the card's page that change, for the page's own script, and whether a phone holds the card. 304
    while neither changed."""
    shown = enrol.web_card(context(), token)
    tongue = language(shown.language)
    # A void card's page says so at once: before that is published, no mark tells.
    beside = ".".join(code[-4:] for _, code, *_ in shown.beside) + ("-void" if shown.card.voided else "")
    tag = f"{shown.mark}-{tongue}-{'held' if shown.in_wallet else 'free'}-{beside}"
    response = Response(mimetype="application/json")
    response.set_etag(tag)
    if request.if_none_match.contains_weak(tag):
        response.status_code = 304
    else:
        front = _face(shown.card, shown.code, tongue, shown.typed)
        body = {
            "mark": shown.mark,
            "in_wallet": shown.in_wallet,
            "palette": palette_address(front.colours),
            "says": press().words[tongue].card.changed.format(front.spoken()),
            "parts": {
                "front": part("_front.html", tongue, face=front, preview=False),
                "back": part("_back.html", tongue, face=front),
                "coupons": part("_coupons.html", tongue, coupons=_coupons(shown, tongue)),
            },
        }
        response.set_data(orjson.dumps(body))
    response.headers["Cache-Control"] = "no-store"
    return response


@card_pages.post("/card/<token>/messages")
def choose_messages(token: str) -> Answer:
    """The member asks for messages, or for none."""
    granted = request.form.get("promotions") == "yes"
    enrol.set_promotions(context(), token, granted, "web-card")
    tongue = chosen_language()
    query = f"?messages={'on' if granted else 'off'}" + (f"&lang={tongue}" if tongue else "")
    return redirect(f"{root()}/card/{token}{query}#messages", 303)


@card_pages.get("/passes/<token>/card.pkpass")
def download(token: str) -> Response:
    """The pass file, for the minutes that the link lives."""
    return _file(enrol.download(context(), token), "card.pkpass")


@card_pages.get("/passes/<token>/cards.pkpasses")
def download_all(token: str) -> Response:
    """The card and its member's coupons in one file, which an iPhone takes at one tap."""
    return _file(enrol.bundle(context(), token), "cards.pkpasses")


@card_pages.get("/passes/<token>/google")
def to_google(token: str) -> Answer:
    """Leads into Google Wallet, for the minutes that the link lives. Where to is written nowhere: whoever opens that
    address has the card."""
    if request.method == "HEAD":  # whoever only looks whether the link lives makes no card
        return Response(status=204)
    answer = redirect(saving.save(context(), token), 303)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _file(made: tuple[bytes, str, datetime], name: str) -> Response:
    body, media_type, modified = made
    headers = {
        "Content-Disposition": f"attachment; filename={name}",
        "Last-Modified": format_datetime(modified, usegmt=True),
        "Cache-Control": "no-store",
    }
    return Response(body, content_type=media_type, headers=headers)


# ---------------------------------------------------------------------- messages


@card_pages.get("/stop/<token>")
def stop_page(token: str) -> Response:
    """One button. Looking at this page changes nothing: programs that read mail open links in advance."""
    found = pages.messages(context(), token)
    tongue = language(found.language)
    done = request.args.get("done", "")
    return render("stop.html", tongue, found=found, action=here(done=None), done=done)


@card_pages.post("/stop/<token>")
def stop(token: str) -> Answer:
    """Stop messages, or (`do=resume`, the undo) have them again."""
    resume = request.form.get("do") == "resume"
    enrol.set_promotions(context(), token, resume, "stop-link-undo" if resume else "stop-link", link="stop")
    return redirect(here(done="resumed" if resume else "stopped"), 303)
