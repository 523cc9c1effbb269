"""Owns the till's route for a basket before it is sold, and how often what it offers is taken."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions.counter import quoting
from wallet_server.actions.counter.quoting import Quote, Wanted
from wallet_server.actions.purse.vouchers import Usable
from wallet_server.rules import sentences
from wallet_server.rules.baskets import deal_sentences, earning
from wallet_server.rules.baskets.deals import Hint
from wallet_server.rules.counter import coupons
from wallet_server.web.api import models, sale_models
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, needs
from wallet_server.web.api.prospects import rewards

DAYS_TOLD = 92
quotes = APIBlueprint(
    "quotes",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Till", description="With the key of a till.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(quotes)


@quotes.post("/quotes", summary="What would this basket come to?", responses={"200": sale_models.Quoted})
@needs("till")
def quote(body: sale_models.Quote) -> Response:
    """Discounts of each line, what is to be paid, what it would earn, and which vouchers and rewards could be used now.
    Nothing is changed. Where one piece more would be free, `hints` says so and names the article."""
    wanted = Wanted(body.code, tuple(line.sold() for line in body.lines), body.currency, body.uses())
    found = quoting.quote(context(), caller(), wanted)
    programme, language = found.programme, body.language
    return answer(
        {
            "member": found.member,
            "tier": found.tier,
            "amount_minor": found.amount_minor,
            "to_pay_minor": found.to_pay_minor,
            "pot_minor": found.pot_minor,
            "discounts": [{"line": n, "by": by, "off_minor": off} for n, by, off in found.discounts],
            "earns": [
                {
                    "currency": award.currency,
                    "amount": award.amount,
                    "rule": award.rule_id,
                    "sentence": earning.explain(award, language, programme),
                }
                for award in found.earns
            ],
            "balances": dict(found.balances),
            "vouchers": [{**voucher_facts(one, language), "fits": one.fits} for one in found.vouchers],
            "rewards": rewards(programme, found.balances, language, found.left),
            "hints": [_hint(one, found, body) for one in found.hints],
            "sentence": deal_sentences.to_pay_sentence(found.to_pay_minor, programme.money, language),
        }
    )


def voucher_facts(one: Usable, language: str) -> dict[str, Any]:
    """A voucher that a member can use, as a look-up tells it."""
    tongue, promise = sentences.spoken(language), one.promise
    title, terms = (texts.get(tongue) or next(iter(texts.values())) for texts in (promise.title, promise.terms))
    return {
        "id": one.id,
        "title": title,
        "terms": terms,
        "value_minor": promise.value_minor,
        "percent": promise.percent,
        "minimum_minor": promise.minimum_minor,
        "valid_to": coupons.written(one.valid_to),
    }


def _hint(hint: Hint, found: Quote, body: sale_models.Quote) -> dict[str, Any]:
    line = body.lines[hint.line - 1]
    article = line.name or line.sku or line.category
    deal = next(one for one in found.programme.deals if one.id == hint.deal)
    return {
        "deal": hint.deal,
        "line": hint.line,
        "article": article,
        "percent": hint.percent,
        "sentence": deal_sentences.hint_sentence(hint, deal, article, body.language),
    }


@quotes.get("/programmes/<id>/hints", summary="How often was one more bought?", responses={"200": sale_models.HintDays})
@needs("read")
def hints(path: models.Subject) -> Response:
    """Of each deal and day of the last three months: how often a till was told that one more piece is free, and how
    often it was bought then."""
    since = context().now().date() - timedelta(days=DAYS_TOLD)
    found = quoting.hints(context(), caller(), path.id, since)
    return answer({"days": [{**vars(one), "day": one.day.isoformat()} for one in found]})
