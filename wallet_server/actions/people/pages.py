"""Owns what the pages for people show before anything is done: an offer to join, who gets messages, whose till."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wallet_server.actions.context import Context
from wallet_server.actions.people.enrol import joinable, pass_of_link
from wallet_server.records import parties
from wallet_server.records.counter import pairings
from wallet_server.records.passes import passes
from wallet_server.records.people import members
from wallet_server.records.programme import programmes
from wallet_server.records.scope import Scope
from wallet_server.rules.passes.card import Card, card_from_json
from wallet_server.rules.passes.compose import Holding, Store, compose
from wallet_server.rules.programme.program import Currency, Item, Programme, Visit

STAMP = "stamp"


@dataclass(frozen=True)
class Offer:
    """A programme that a person may join: its stores as (public id, name), and the card of a member of one minute. It
    is `ready` once its cards can be signed."""

    programme: Programme
    stores: tuple[tuple[str, str], ...]
    card: Card
    ready: bool


def offer(ctx: Context, join_code: str) -> Offer:
    """What stands behind a join link. Raises `NotFound`."""
    programme, rows, ready = joinable(ctx, join_code)
    stores = tuple(Store(row.name, row.latitude, row.longitude, row.texts, row.public_id) for row in rows)
    holding = Holding({}, None, None, None, stores, 1, False, None, None)
    card, _ = compose(programme, holding, ctx.now())
    named = sorted((row.name, row.public_id) for row in rows)
    return Offer(programme, tuple((public_id, name) for name, public_id in named), card, ready)


@dataclass(frozen=True)
class Messages:
    """Whether a member gets announcements of an organisation, and in which language the member reads; `replaced` says
    that the card is over, and can stop them but not ask for them."""

    organisation: str
    language: str
    granted: bool
    replaced: bool


def messages(ctx: Context, token: str) -> Messages:
    """The same, behind the link that stops them. Raises `NotFound`."""
    with ctx.look() as tx:
        row = pass_of_link(ctx, tx, "stop", token)
        card = card_from_json(passes.published(tx, [row.id])[row.id].card)
        consent = members.consents_of(tx, row.member_id).get(members.PROMOTIONS)
        language = members.members_by_id(tx, [row.member_id])[row.member_id].language
    return Messages(card.organisation, language, bool(consent and consent[0]), row.state != passes.ACTIVE)


@dataclass(frozen=True)
class Counted:
    """A programme as a till needs to know it: the money it counts in, the link by which people join, what members
    collect, by language, as (one, several), and what a cashier does for it.

    `gives` is what one sale is at the till: an `amount`, a `visit` or an `item`; `line` is how a stamp for an item is
    sent. `pot` is the currency that pays at the till, where there is one; `deals` names what may come off a basket.
    """

    organisation: str
    iso: str
    exponent: int
    join_link: str
    unit: Mapping[str, tuple[str, str]]
    currency: str
    spendable: bool
    gives: str
    minimum_minor: int
    line: Mapping[str, str]
    pot: str | None
    deals: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Counter:
    """The store of a till, the till itself, and the programmes in which it sells, by public id."""

    store: str
    till: str
    programmes: dict[str, Counted]


def counter(ctx: Context, scope: Scope) -> Counter:
    """Where the till of this key stands. The scope must be a till's."""
    with ctx.look() as tx:
        store = parties.stores_by_id(tx, [] if scope.store_id is None else [scope.store_id])
        till = next((row.name for row in pairings.tills_of(tx, scope) if row.id == scope.till_id), "")
        known: dict[str, Counted] = {}
        for row in programmes.programmes_of(tx, scope):
            if row.version_id:
                link = f"{ctx.settings.base_url}/join/{row.join_code}"
                known[row.public_id] = _counted(ctx.programme(tx, row.version_id), link)
    return Counter(store[0].name if store else "", till, known)


def _counted(programme: Programme, link: str) -> Counted:
    shown = programme.currency(programme.balance_currency)
    ways = [rule.way for rule in programme.earn if rule.currency == shown.code]
    visit = next((way for way in ways if isinstance(way, Visit)), None)
    item = next((way for way in ways if isinstance(way, Item)), None)
    return Counted(
        organisation=programme.organisation,
        iso=programme.money.iso,
        exponent=programme.money.exponent,
        join_link=link,
        unit={language: (noun.one, noun.other) for language, noun in shown.names.items()},
        currency=shown.code,
        spendable=shown.spendable,
        gives="item" if item else "visit" if visit and len(ways) == 1 else "amount",
        minimum_minor=visit.minimum_minor if visit else 0,
        line=_line(item),
        pot=next((one.code for one in programme.currencies if _pays(one, programme)), None),
        deals={deal.id: dict(deal.names) for deal in programme.deals},
    )


def _pays(currency: Currency, programme: Programme) -> bool:
    money = programme.money
    return (
        currency.kind == "money"
        and currency.spendable
        and (currency.iso, currency.exponent) == (money.iso, money.exponent)
    )


def _line(item: Item | None) -> dict[str, str]:
    """Goods that the rule counts: those that it names, else any."""
    line = {"sku": STAMP, "category": STAMP}
    if item and item.categories:
        line["category"] = min(item.categories)
    elif item and item.skus:
        line["sku"] = min(item.skus)
    return line
