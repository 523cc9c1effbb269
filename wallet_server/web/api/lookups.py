"""Owns the till's first question: who holds this card, and what may be used, given and said now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from wallet_server.actions.counter import till
from wallet_server.actions.counter.looking import Holder
from wallet_server.actions.counter.prompting import Offered
from wallet_server.rules import sentences
from wallet_server.rules.announcing.personal import personal
from wallet_server.rules.baskets.deal_sentences import deal_name
from wallet_server.rules.counter import coupons, gestures, prompts
from wallet_server.rules.counter.prompts import Open, Ticket
from wallet_server.rules.passes import purse_notes
from wallet_server.rules.passes import stamps as stamp_cards
from wallet_server.rules.passes.stamps import Chance
from wallet_server.rules.programme.program import Programme
from wallet_server.web.api import lookup_models, models
from wallet_server.web.api.coupons import coupon_shown
from wallet_server.web.api.door import SECURITY, answer, caller, context, guard, needs
from wallet_server.web.api.prospects import UNBOUNDED, prospects
from wallet_server.web.api.quotes import voucher_facts

lookups = APIBlueprint(
    "lookups",
    __name__,
    url_prefix="/v1",
    abp_tags=[Tag(name="Till", description="With the key of a till.")],
    abp_security=SECURITY,
    abp_responses=models.PROBLEMS,
)
guard(lookups)


@lookups.post("/lookups", summary="Who holds this card?", responses={"200": lookup_models.Holder})
@needs("till")
def look_up(body: models.Lookup) -> Response:
    """The member behind a scanned or typed code: tier, balances, and whether the card is the newest issue. Where the
    code is a coupon's, `coupon` says what it is good for. `privileges` are those of the tier; `vouchers` and `offers`
    what can be used now; `gestures` what the cashier who stands at the till (X-Cashier) may give this member now; and
    `prompt` the one thing to say or do first."""
    holder = till.look_up(context(), caller(), body.code)
    programme = holder.programme_version
    level = programme.ladder.level(holder.tier) if programme.ladder else None
    shown = programme.balance_currency, holder.balances.get(programme.balance_currency, 0)
    owned = [shown, *purse_notes.others(programme, holder.balances)]
    return answer(
        {
            "member": holder.member,
            "programme": holder.programme,
            "tier": holder.tier,
            "tier_name": level.names.get(sentences.spoken(body.language)) if level else None,
            "balances": dict(holder.balances),
            "promotions": holder.promotions,
            "card_current": holder.card_current,
            "card_spends": holder.card_spends,
            "coupon": None if holder.coupon_pass is None else coupon_shown(holder.coupon_pass, body.language),
            **prospects(programme, holder.balances, body.language, holder.left),
            "privileges": _privileges(programme, holder.tier, body.language),
            "vouchers": [voucher_facts(one, body.language) for one in holder.vouchers],
            "offers": _offers(holder, body.language),
            "gestures": _gestures(holder.gestures, programme, body.language),
            "prompt": _prompt(holder, body.language),
            "sentence": ", ".join(purse_notes.units_text(programme, *one, body.language) for one in owned),
        }
    )


def _privileges(programme: Programme, tier: str | None, language: str) -> list[dict[str, Any]]:
    return [
        {"code": one.code, "name": gestures.named(one.names, programme, language), "colour": one.colour}
        for one in gestures.privileges(programme, tier)
    ]


def _offers(holder: Holder, language: str) -> list[dict[str, Any]]:
    """What this merchant announced, what ends first before the rest; then the programme's deals."""
    programme = holder.programme_version
    # A till knows no names: the place for one goes.
    news = [(one, personal(gestures.named(one.texts, programme, language), None)) for one in holder.news]
    told = [
        {"kind": "announcement", "id": one.public_id, "title": said, "until": coupons.written(one.ends_at)}
        for one, said in news
    ]
    deals = [{"kind": "deal", "id": one.id, "title": deal_name(one, language), "until": None} for one in holder.deals]
    return told + deals


def _gestures(offered: Sequence[Offered], programme: Programme, language: str) -> list[dict[str, Any]]:
    return [
        {
            "gesture": one.gesture.id,
            "kind": one.gesture.kind,
            "title": gestures.title(one.gesture, programme, language),
            "sentence": gestures.sentence(one.gesture, programme, language),
            "reasons": [
                {"id": why.id, "name": gestures.named(why.names, programme, language)} for why in one.gesture.reasons
            ],
            "left": one.left,
        }
        for one in offered
    ]


def _prompt(holder: Holder, language: str) -> dict[str, str] | None:
    if holder.coupon_pass is not None:
        return None
    programme, zone = holder.programme_version, ZoneInfo(holder.zone)
    tickets = [
        Ticket(one.id, one.promise.title, None if one.valid_to is None else one.valid_to.astimezone(zone).date())
        for one in holder.vouchers
    ]
    able = holder.card_spends
    found = prompts.first(
        Open(
            gestures=[one.gesture for one in holder.gestures],
            vouchers=tickets if able else (),
            rewards=_chances(holder) if able else (),
            deals=holder.deals,
        ),
        programme,
        holder.at.astimezone(zone).date(),
        language,
    )
    return None if found is None else {"kind": found.kind, "id": found.id, "sentence": found.sentence}


def _chances(holder: Holder) -> list[Chance]:
    """What can be had, now or with a few units more: nothing of which there is none left for this member."""
    every = stamp_cards.chances(holder.programme_version, holder.balances)
    return [one for one in every if holder.left.get(one.reward.code, UNBOUNDED).most != 0]
