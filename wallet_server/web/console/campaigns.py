"""Owns how an announcement reads where cards are pushed: one message to all or card by card, and how long it takes."""

from __future__ import annotations

import math
from typing import Any

from wallet_server.actions.announcing.everybody import Through
from wallet_server.actions.announcing.newsroom import Item
from wallet_server.web.console.wording import Wording


def together(found: Item, words: Any, say: Wording) -> list[str]:
    """How an announcement goes to all of each issuer."""
    silent = [one.state == "told" and one.alerted is False for one in found.everybody]
    return [
        str(words.together.of("silent" if quiet else one.state, one.state)).format(say.moment(one.at))
        for one, quiet in zip(found.everybody, silent, strict=True)
    ]


def through(one: Through | None, words: Any, say: Wording) -> tuple[str, bool]:
    """(how long Google Wallet takes, whether that is too long)."""
    if one is None:
        return "", False
    if one.together:
        told = [words.count("through.together", one.cards)]
        # It is a message of the programme's, not of the cards: whoever adds a card later finds it there.
        told += [str(words.through.silent)] if one.silent else []
        return " ".join([*told, str(words.through.newcomers)]), False
    minutes = math.ceil(one.seconds / 60)
    time = (
        words.count("through.minutes", minutes) if minutes < 120 else words.count("through.hours", round(minutes / 60))
    )
    told = words.count("through.cards", one.cards, time)
    if one.in_time >= one.cards:
        return told, False
    return f"{told} {words.through.late.format(say.number(one.cards - one.in_time))}", True
