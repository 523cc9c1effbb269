"""Owns the page on which a member claims a purchase by the code on its receipt."""

from __future__ import annotations

from flask import Blueprint, Response, request

from wallet_server.actions.counter import claims
from wallet_server.actions.once import Facts
from wallet_server.actions.people import enrol
from wallet_server.actions.programme import programs
from wallet_server.errors import Conflict, Invalid, NotFound, TooMany
from wallet_server.rules import sentences
from wallet_server.web.rendering import LANGUAGES, chosen_language, context, language, press, render, root
from wallet_server.web.visitor import address

claim_pages = Blueprint("claim", __name__)


@claim_pages.get("/card/<token>/claim")
def page(token: str) -> Response:
    """One field."""
    return _page(token)


@claim_pages.post("/card/<token>/claim")
def claim(token: str) -> Response:
    """The purchase is this member's, or what is wrong with the code."""
    words = press().words[language()].claim
    try:
        facts = claims.claim_by_card(context(), token, request.form.get("claim", ""), address())
    except TooMany as fault:
        return _page(token, words.count("crowded", -(-fault.retry_after_seconds // 60)), 429)
    except (Invalid, NotFound, Conflict) as fault:
        if fault.code not in ("bad-claim", "unknown-claim", "claim-used", "claim-over"):
            raise
        status = 404 if isinstance(fault, NotFound) else 409 if isinstance(fault, Conflict) else 422
        return _page(token, words.of(f"faults.{fault.code}", fault.sentence), status)
    return _page(token, done=_earned(facts))


def _earned(facts: Facts) -> str:
    """What came of it, for the member."""
    tongue = language()
    words = press().words[tongue].claim
    if "programme" not in facts:
        return str(words.again)
    programme = programs.programme_told(context(), facts)
    shown = programme.balance_currency
    units = sum(one["amount"] for one in facts["entries"] if one["currency"] == shown)
    if not units:
        return str(words.nothing)
    return str(words.done.format(sentences.counted(units, sentences.noun_of(programme, shown, tongue), tongue)))


def _page(token: str, fault: str = "", status: int = 200, *, done: str = "") -> Response:
    enrol.web_card(context(), token)  # whose link is none finds no page
    tongue = chosen_language()
    return render(
        "claim.html",
        language(),
        status=status,
        alternates={name: f"{root()}/card/{token}/claim?lang={name}" for name in LANGUAGES},
        base=f"{root()}/card/{token}",
        query=f"?lang={tongue}" if tongue else "",
        fault=fault,
        done=done,
        typed=request.form.get("claim", "")[:40] if fault else "",
    )
