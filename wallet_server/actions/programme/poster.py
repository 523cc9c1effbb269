"""Owns what a poster says: the shop, what its programme promises, and the link that makes the store a home store."""

from __future__ import annotations

from dataclasses import dataclass

from wallet_server.actions.context import Context
from wallet_server.actions.programme import assets
from wallet_server.errors import NotFound
from wallet_server.records import parties
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.rules import sentences
from wallet_server.rules.passes.card import Palette, Texts
from wallet_server.rules.programme import rules_spoken
from wallet_server.rules.programme.program import Programme


@dataclass(frozen=True)
class Poster:
    """One store's poster for one programme. `promise` and `rewards` are by language, the programme's first language
    first; `logo` is a PNG."""

    organisation: str
    store: str
    languages: tuple[str, ...]
    palette: Palette
    promise: Texts
    rewards: tuple[Texts, ...]
    welcome: Texts | None
    link: str
    logo: bytes | None


@dataclass(frozen=True)
class Posted:
    """A programme and the stores that may have a poster of it, as (public id, name)."""

    programme: str
    organisation: str
    stores: tuple[tuple[str, str], ...]


def posters(ctx: Context, scope: Scope) -> list[Posted]:
    """The posters that this merchant can print: each of its stores in each programme that has been published."""
    with ctx.look() as tx:
        stores = tuple((row.public_id, row.name) for row in parties.stores_of(tx, scope))
        rows = [row for row in programmes.programmes_of(tx, scope) if row.version_id]
        return [Posted(row.public_id, ctx.programme(tx, row.version_id).organisation, stores) for row in rows]


def poster(ctx: Context, scope: Scope, store: str, programme: str | None = None) -> Poster:
    """The poster of one of the merchant's stores, for the named programme or for its first one that was published.

    Raises `NotFound`.
    """
    with ctx.look() as tx:
        place = parties.store_in(tx, scope, store)
        rows = [row for row in programmes.programmes_of(tx, scope) if programme in (None, row.public_id)]
        row = next((row for row in rows if row.version_id), None)
        if row is None:
            raise NotFound("There is no published programme to print a poster of.", field="programme")
        known = ctx.programme(tx, row.version_id)
        logo = assets.in_books(tx, known.logo) if known.logo else None
    return Poster(
        organisation=known.organisation,
        store=place.name,
        languages=known.languages,
        palette=known.palette,
        promise=rules_spoken.rule_sentences(known),
        rewards=tuple(
            {tongue: sentences.reward_sentence(reward, known, tongue) for tongue in known.languages}
            for reward in known.rewards
        ),
        welcome=_welcome(known),
        link=f"{ctx.settings.base_url}/join/{row.join_code}?store={place.public_id}",
        logo=logo,
    )


def _welcome(known: Programme) -> Texts | None:
    gift, coupon = known.welcome, known.welcome_coupon
    if gift is None:
        return None if coupon is None else coupon.title
    return {
        tongue: sentences.counted(gift.units, sentences.noun_of(known, gift.currency, tongue), tongue)
        for tongue in known.languages
    }
