"""Owns how an answer shows what a member can have: rewards, and the boxes of a stamp card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wallet_server.actions.purse.catalogue import Left
from wallet_server.rules import sentences
from wallet_server.rules.passes import stamps as stamp_cards
from wallet_server.rules.passes.stamps import Chance
from wallet_server.rules.programme.program import Programme

UNBOUNDED = Left()


def prospects(
    programme: Programme, balances: Mapping[str, int], language: str, left: Mapping[str, Left] | None = None
) -> dict[str, Any]:
    """What the member can have now, and what is missing for the rest; `left` is what bounds it, where that is known."""
    drawn = stamp_cards.stamps(programme, balances)
    said = drawn and (drawn.sentence.get(sentences.spoken(language)) or drawn.sentence[programme.languages[0]])
    boxes = drawn and {"filled": drawn.filled, "total": drawn.total, "ready": drawn.ready}
    return {"rewards": rewards(programme, balances, language, left), "stamps": boxes, "progress": said}


def rewards(
    programme: Programme, balances: Mapping[str, int], language: str, left: Mapping[str, Left] | None = None
) -> list[dict[str, Any]]:
    """Every reward as it stands for the member."""
    known = left or {}
    return [
        _reward(chance, known.get(chance.reward.code, UNBOUNDED), programme, language)
        for chance in stamp_cards.chances(programme, balances)
    ]


def _reward(chance: Chance, bound: Left, programme: Programme, language: str) -> dict[str, Any]:
    reward = chance.reward
    until = bound.until if bound.limit == 0 else None
    return {
        "code": reward.code,
        "name": sentences.reward_name(reward, programme, language),
        "kind": reward.kind,
        "cost": {"currency": reward.cost.currency, "amount": reward.cost.units},
        "missing": chance.missing,
        "ready": chance.ready if bound.most is None else min(chance.ready, bound.most),
        "stock": bound.stock,
        "until": None if until is None else until.isoformat(),
    }
