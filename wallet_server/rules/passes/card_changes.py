"""Owns what a new version of a programme changes for those who have a card already, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from wallet_server.rules.counter import coupons
from wallet_server.rules.passes.card import Texts
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.programme.rules_spoken import rule_sentences
from wallet_server.rules.sentences import counted, noun_of, reward_sentences


@dataclass(frozen=True)
class Change:
    """One part: a code for the page's words, and its text before and after by language (None: there was none)."""

    code: str
    before: Texts | None
    after: Texts | None


def changes(old: Programme, new: Programme) -> tuple[Change, ...]:
    """Every part that differs; `other` for what has no words here. Equal programmes differ in nothing."""
    found = list(_named(old, new))
    if not found and old != new:
        found.append(Change("other", None, None))
    return tuple(found)


def promise(programme: Programme) -> Texts:
    """The programme in plain sentences: how members earn, what they get, and what they are given for joining."""
    parts = [rule_sentences(programme), reward_sentences(programme), _welcome(programme)]
    return {tag: " ".join(text for part in parts if part and (text := part.get(tag))) for tag in programme.languages}


_WELCOME = {"fr": "Cadeau de bienvenue\u00a0: {}.", "en": "Welcome gift: {}."}


def _welcome(programme: Programme) -> Texts | None:
    gift, coupon = programme.welcome, programme.welcome_coupon
    told: dict[str, list[str]] = {tag: [] for tag in programme.languages}
    for tag, parts in told.items():
        if gift is not None:
            parts.append(_WELCOME[tag].format(counted(gift.units, noun_of(programme, gift.currency, tag), tag)))
        if coupon is not None:
            parts.append(coupons.promised(coupon, tag))
    return {tag: " ".join(parts) for tag, parts in told.items()} if gift or coupon else None


def _plain(text: str | None, programme: Programme) -> Texts | None:
    return None if text is None else dict.fromkeys(programme.languages, text)


def _tiers(programme: Programme) -> Texts | None:
    ladder = programme.ladder
    if ladder is None:
        return None
    return {
        tag: ", ".join(f"{level.names[tag]} ({level.threshold})" for level in ladder.levels)
        for tag in programme.languages
    }


_PARTS: tuple[tuple[str, Callable[[Programme], Texts | None]], ...] = (
    ("name", lambda one: _plain(one.organisation, one)),
    ("colour", lambda one: _plain(one.palette.background, one)),
    ("rule", rule_sentences),
    ("reward", lambda one: reward_sentences(one) if one.rewards else None),
    ("tiers", _tiers),
    ("welcome", _welcome),
)


def _named(old: Programme, new: Programme) -> Iterator[Change]:
    if old.balance_currency != new.balance_currency:
        yield Change("kind", None, None)
    for code, told in _PARTS:
        before, after = told(old), told(new)
        if before != after:
            yield Change(code, before, after)
    if old.logo != new.logo:
        yield Change("logo", None, None)
    if old.ladder and new.ladder and _tiers(old) == _tiers(new) and _unpainted(old) != _unpainted(new):
        yield Change("paint", None, None)


def _unpainted(programme: Programme) -> tuple[object, ...]:
    return tuple(replace(level, benefits=()) for level in programme.ladder.levels) if programme.ladder else ()
