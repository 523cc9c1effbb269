"""Owns the pages for members: joining, the card in a browser, the pass file, and leaving messages."""

from __future__ import annotations

import re
import secrets
from email.utils import format_datetime
from urllib.parse import urlsplit

import orjson
from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Answer

from wallet_server.actions import enrol, pages
from wallet_server.errors import Conflict, Invalid, WalletError
from wallet_server.rules import sentences
from wallet_server.rules.card import Card, card_from_json
from wallet_server.rules.program import Programme
from wallet_server.web.face import Face, face
from wallet_server.web.rendering import (
    chosen_language,
    context,
    here,
    in_language,
    language,
    palette_address,
    palette_spec,
    part,
    press,
    render,
    root,
    symbol,
)

customer = Blueprint("customer", __name__)
card_state = Blueprint("card-state", __name__)

EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\.[^@\s\x00-\x1f\x7f]+")
MAX_EMAIL = 320
FORM = re.compile(r"[A-Za-z0-9_-]{16,64}")


# ---------------------------------------------------------------------- joining


@customer.get("/join/<join_code>")
def join_page(join_code: str) -> Response:
    """What the programme promises and the card as it will look, before anything is asked."""
    return _join_page(join_code, None)


@customer.post("/join/<join_code>")
def join(join_code: str) -> Answer:
    """A new member with a card; nothing needs to be filled in."""
    tongue = language()
    email = request.form.get("email", "").strip()
    if email and (len(email) > MAX_EMAIL or not EMAIL.fullmatch(email)):
        return _join_page(join_code, Invalid("Write the address like name@example.com.", code="bad-email"))
    joining = enrol.Joining(
        language=tongue,
        home_store=request.form.get("home_store") or None,
        email=email or None,
        promotions=request.form.get("promotions") == "yes",
    )
    form = request.form.get("form", "")
    try:
        made = enrol.join(context(), join_code, joining, form if FORM.fullmatch(form) else None)
    except Conflict as fault:
        if fault.code != "already-member":
            raise
        return _join_page(join_code, fault)
    path = _path_of(enrol.card_link(context(), made["pass"]))
    return redirect(f"{path}?new=1" + (f"&lang={tongue}" if chosen_language() else ""), 303)


def _path_of(link: str) -> str:
    # Relative, so that a browser that reached this service by another name stays where it is (and within form-action).
    return urlsplit(link).path


def _join_page(join_code: str, fault: WalletError | None) -> Response:
    offer = pages.offer(context(), join_code)
    programme = offer.programme
    tongue = language(programme.languages[0])
    spoken = tongue if tongue in programme.languages else programme.languages[0]
    levels = programme.ladder.levels if programme.ladder else ()
    return render(
        "join.html",
        tongue,
        status=200 if fault is None else 409 if isinstance(fault, Conflict) else 400,
        palettes=[offer.card.palette, *(level.palette or programme.palette for level in levels)],
        spoken=spoken,
        programme=programme,
        rule=in_language(sentences.rule_sentences(programme), spoken),
        tiers=_tiers(programme, spoken),
        face=face(offer.card, "", tongue, ""),
        stores=offer.stores,
        limits=programme.announce.limits,
        action=here(),
        form=_form(),
        filled={name: request.form.get(name, "") for name in ("email", "home_store", "promotions")},
        fault=fault and press().words[tongue].join.faults.of(fault.code, fault.sentence),
    )


def _form() -> str:
    given = request.form.get("form", "")
    return given if FORM.fullmatch(given) else secrets.token_urlsafe(18)


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


# ---------------------------------------------------------------------- the card


@customer.get("/card/<token>")
def card_page(token: str) -> Response:
    """The card as it is served to phones at this moment, with the ways to put it on one."""
    shown = enrol.web_card(context(), token)
    card = card_from_json(shown.card_json)
    tongue = language(shown.language)
    words = press().words[tongue].card
    link = enrol.card_link(context(), shown.pass_public_id)
    return render(
        "card.html",
        tongue,
        palettes=[card.palette],
        face=_face(card, shown.code, tongue),
        number=shown.tag,
        token=token,
        promotions=shown.promotions,
        download=_path_of(enrol.download_link(context(), shown.pass_public_id)),
        device=device(request.user_agent.string),
        page_symbol=symbol(link, words.symbol),
        language_query=f"?lang={tongue}" if chosen_language() else "",
        fresh=request.args.get("new") == "1",
        done=request.args.get("messages", ""),
    )


def _face(card: Card, code: str, tongue: str) -> Face:
    return face(card, code, tongue, press().words[tongue].card.code)


def device(user_agent: str) -> str:
    """What the visitor holds, as far as a browser tells: `iphone`, `android`, or `desk`."""
    if re.search(r"iPhone|iPod|iPad", user_agent):
        return "iphone"
    return "android" if "Android" in user_agent else "desk"


@card_state.get("/card/<token>/state")
def state(token: str) -> Response:
    """The parts of the card's page that change, for the page's own script. 304 while nothing was published."""
    shown = enrol.web_card(context(), token)
    tongue = language(shown.language)
    response = Response(mimetype="application/json")
    response.set_etag(f"{shown.tag}-{tongue}")
    if request.if_none_match.contains_weak(f"{shown.tag}-{tongue}"):
        response.status_code = 304
    else:
        card = card_from_json(shown.card_json)
        front = _face(card, shown.code, tongue)
        body = {
            "number": shown.tag,
            "palette": palette_address(front.colours),
            "says": press().words[tongue].card.changed.format(front.spoken()),
            "parts": {
                "front": part("_front.html", tongue, face=front, preview=False),
                "back": part("_back.html", tongue, face=front),
            },
        }
        response.set_data(orjson.dumps(body))
    response.headers["Cache-Control"] = "no-store"
    return response


@customer.post("/card/<token>/messages")
def choose_messages(token: str) -> Answer:
    """The member asks for messages, or for none."""
    granted = request.form.get("promotions") == "yes"
    enrol.set_promotions(context(), token, granted, "web-card")
    tongue = chosen_language()
    query = f"?messages={'on' if granted else 'off'}" + (f"&lang={tongue}" if tongue else "")
    return redirect(f"{root()}/card/{token}{query}#messages", 303)


@customer.get("/passes/<token>/card.pkpass")
def download(token: str) -> Response:
    """The pass file, for the minutes that the link lives."""
    body, media_type, modified = enrol.download(context(), token)
    headers = {
        "Content-Disposition": "attachment; filename=card.pkpass",
        "Last-Modified": format_datetime(modified, usegmt=True),
        "Cache-Control": "no-store",
    }
    return Response(body, content_type=media_type, headers=headers)


# ---------------------------------------------------------------------- messages


@customer.get("/stop/<token>")
def stop_page(token: str) -> Response:
    """One button. Looking at this page changes nothing: programs that read mail open links in advance."""
    found = pages.messages(context(), token)
    tongue = language(found.language)
    done = request.args.get("done", "")
    return render("stop.html", tongue, found=found, action=here(done=None), done=done)


@customer.post("/stop/<token>")
def stop(token: str) -> Answer:
    """Stop messages, or (`do=resume`, the undo) have them again."""
    resume = request.form.get("do") == "resume"
    enrol.set_promotions(context(), token, resume, "stop-link-undo" if resume else "stop-link", link="stop")
    return redirect(here(done="resumed" if resume else "stopped"), 303)
