"""Owns enrolment: a member joins, gets a card, says what may be sent, and may leave messages again in one tap."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from wallet_server.actions.context import Context, new_id
from wallet_server.actions.once import Asked, Facts, once
from wallet_server.actions.passes import cards, welcome
from wallet_server.actions.passes.issuing import issue_pass, issuing_set
from wallet_server.actions.people import visitors
from wallet_server.actions.people.visitors import Allowed
from wallet_server.actions.purse import coupons, standing
from wallet_server.actions.telling import hooks
from wallet_server.errors import Conflict, Invalid, NotFound
from wallet_server.records import jobs, parties
from wallet_server.records.database import Tx
from wallet_server.records.passes import devices, passes
from wallet_server.records.passes.passes import PassRow
from wallet_server.records.people import members
from wallet_server.records.people.members import PROMOTIONS
from wallet_server.records.programme import programmes
from wallet_server.records.programme.programmes import ProgrammeRow
from wallet_server.records.purse import coupons as coupon_rows
from wallet_server.records.purse import ledger, metrics
from wallet_server.records.requests import Claim
from wallet_server.records.scope import Scope
from wallet_server.records.vendors import vendors
from wallet_server.records.vendors.credentials import APPLE, GOOGLE
from wallet_server.rules.passes.card import Card
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.tiers import tiers

MAX_BUNDLE = 10
"""Passes in one file (Apple, "Distributing and updating a pass")."""


@dataclass(frozen=True)
class Joining:
    """What a person gives when joining: all of it optional but the consents, which are never assumed. A merchant may
    say since which day somebody has been a customer.

    An e-mail address is a contact that nobody has verified: it may stand at several members, so that joining says
    nothing about who else has joined.
    """

    language: str | None = None
    home_store: str | None = None
    email: str | None = None
    promotions: bool = False
    source: str = "join-page"
    first_name: str | None = None
    customer_since: date | None = None


def enrol(ctx: Context, scope: Scope, programme: str, joining: Joining, wish: Asked) -> tuple[Facts, bool]:
    """A merchant's own system enrols a member: (member and pass ids, whether this is a replay)."""

    def act(tx: Tx) -> Facts:
        return _join(ctx, tx, programmes.programme_in(tx, scope, programme), joining)

    return once(ctx, wish, act)


def join(ctx: Context, join_code: str, joining: Joining, form: str | None = None, address: str | None = None) -> Facts:
    """A person joins through the programme's public link; the same form sent twice (a double tap) joins once.

    `address` is where the visitor comes from. Raises `TooMany` when too many cards were made from there, or in this
    programme, just now.
    """

    def act(tx: Tx) -> Facts:
        row = programmes.programme_to_join(tx, join_code)
        visitors.count(ctx, tx, _joins(ctx), row.public_id, address)
        with ctx.times.of_account(tx, row.account_id):
            return _join(ctx, tx, row, joining, own=True)

    if form is None:
        with ctx.change() as tx:
            return act(tx)
    # By the form alone, whatever was changed in it: whoever goes back and sends it again gets the card it made.
    name = hashlib.sha256(f"{join_code}\0{form}".encode())
    claim = Claim(f"join:{join_code}"[:60], f"form:{name.hexdigest()}")
    return once(ctx, Asked("join", name.digest(), (claim,)), act)[0]


def _joins(ctx: Context) -> Allowed:
    return Allowed(
        "join",
        ctx.settings.joins_per_hour,
        ctx.settings.joins_per_minute,
        "Too many cards were made from here just now; wait a moment, or leave the Wi-Fi and try again.",
    )


def _join(ctx: Context, tx: Tx, row: ProgrammeRow, joining: Joining, *, own: bool = False) -> Facts:
    if not row.version_id:
        raise Conflict("This programme has not been published yet.", code="not-published")
    now = ctx.now()
    programme = ctx.programme(tx, row.version_id)
    home = _home_store(tx, row.id, joining.home_store)
    language = joining.language if joining.language in programme.languages else programme.languages[0]
    tier = tiers.level_for(programme.ladder, 0).code if programme.ladder else None
    public_id = new_id("mem")
    member_id = members.add_member(tx, public_id, row.id, home, language, tier, now)
    members.record_consent(tx, member_id, PROMOTIONS, joining.promotions, joining.source, now)
    if joining.email:
        members.add_contact(tx, row.id, member_id, "email", _normal(joining.email), own=own)
    members.set_first_name(tx, row.id, member_id, joining.first_name)
    cards.give_recovery_code(ctx, tx, member_id, public_id, now)
    ledger.open_all_purses(tx, row.id, member_id)
    if joining.customer_since is not None:
        metrics.date_back(tx, member_id, joining.customer_since)
        tier = standing.by_figures(ctx, tx, programme, member_id, tier)
    card = issue_pass(ctx, tx, row, member_id, now)
    coupon = coupons.welcome(ctx, tx, row, member_id, home, now)
    ids = [] if coupon is None else [coupon.public_id]
    joined = {"member": public_id, "programme": row.public_id, "pass": card.public_id, "tier": tier, "coupons": ids}
    hooks.tell(ctx, tx, hooks.JOINED, row.id, None, now, joined)
    return joined


def _normal(email: str) -> str:
    """One form for what is one mailbox nearly everywhere: without blanks around it, in small letters."""
    return unicodedata.normalize("NFC", email.strip()).casefold()


def _home_store(tx: Tx, programme_id: int, public_id: str | None) -> int | None:
    stores = parties.stores_of_programme(tx, programme_id)
    if public_id is None:
        return stores[0].id if len(stores) == 1 else None
    found = next((store.id for store in stores if store.public_id == public_id), None)
    if found is None:
        raise Invalid("There is no such store in this programme.", code="not-found", field="home_store")
    return found


def download_link(ctx: Context, pass_public_id: str) -> str:
    """An address that gives the pass file for a few minutes (`WALLET_LINK_MINUTES`)."""
    return f"{download_path(ctx, pass_public_id)}/card.pkpass"


def bundle_link(ctx: Context, pass_public_id: str) -> str:
    """The same for the card together with its member's coupons, in one file."""
    return f"{download_path(ctx, pass_public_id)}/cards.pkpasses"


def download_path(ctx: Context, pass_public_id: str) -> str:
    """Where a card can be had for a few minutes; in which form, follows it."""
    until = int((ctx.clock() + timedelta(minutes=ctx.settings.link_minutes)).timestamp())
    text = f"{pass_public_id}.{until}"
    return f"{ctx.settings.base_url}/passes/{text}.{ctx.keyring.sign('download', text)}"


def pass_of_link(ctx: Context, tx: Tx, purpose: str, token: str) -> PassRow:
    """The pass behind a signed link (`card`, `stop`, or the minutes-long `download`). Raises `NotFound`."""
    text, _, rest = token.partition(".")
    if purpose == "download":
        until, _, rest = rest.partition(".")
        text = f"{text}.{until}"
        if not (until.isascii() and until.isdigit()) or len(until) > 12 or int(until) < ctx.clock().timestamp():
            raise NotFound("This link has run out; open your card again to get a new one.", code="link-expired")
    if not ctx.keyring.verify(purpose, text, rest):
        raise NotFound("This link is not valid.")
    row = passes.pass_by_public(tx, text.partition(".")[0])
    if row is None:
        raise NotFound("This link is not valid.")
    return row


def download(ctx: Context, token: str) -> tuple[bytes, str, datetime]:
    """The pass file behind a download link: (body, media type, last modified)."""
    _made(ctx, token)
    with ctx.look() as tx:
        row = _to_download(ctx, tx, token)
        publication = passes.published(tx, [row.id])[row.id]
        body, media_type = cards.serve(ctx, tx, row, publication)
    return body, media_type, publication.last_modified


def _to_download(ctx: Context, tx: Tx, token: str) -> PassRow:
    row = pass_of_link(ctx, tx, "download", token)
    if row.state != passes.ACTIVE:
        raise NotFound("This card was replaced by another one.")
    if not ctx.pushes(row.wallet):
        return row
    # The page of a card in a wallet that has no files: its member's card in the one that has.
    beside = vendors.card_of(tx, row.member_id, APPLE)
    if beside is None or row.kind != passes.CARD:
        raise NotFound("There is no file of this card; its page says in which wallet it can be.")
    return passes.passes_by_id(tx, [beside])[0]


def _made(ctx: Context, token: str) -> None:
    """Whoever joined while there was no certificate has their card for Apple Wallet made when it is first asked for,
    and its coupons beside it."""
    with ctx.look() as tx:
        row = pass_of_link(ctx, tx, "download", token)
        if not ctx.pushes(row.wallet) or not _could_be_a_file(ctx, tx, row):
            return
    with ctx.change() as tx:
        members.lock_member(tx, row.member_id)
        held = passes.lock_passes(tx, [row.id])[0]
        if held.state != passes.ACTIVE or vendors.card_of(tx, row.member_id, APPLE) is not None:
            return
        holder = members.members_by_id(tx, [row.member_id])[row.member_id]
        programme = programmes.programme_by_id(tx, holder.programme_id)
        with ctx.times.of_member(tx, holder.id):
            issue_pass(ctx, tx, programme, holder.id, ctx.now())
            coupons.bring_along(ctx, tx, programme, holder.id, ctx.now())


def _could_be_a_file(ctx: Context, tx: Tx, row: PassRow) -> bool:
    """Whether there is a file of this card, or would be if somebody asked for it."""
    if not ctx.pushes(row.wallet):
        return True
    if row.kind != passes.CARD:
        return False
    holder = members.members_by_id(tx, [row.member_id])[row.member_id]
    return programmes.programme_by_id(tx, holder.programme_id).credential_set_id is not None


def file_link(ctx: Context, pass_public_id: str) -> str | None:
    """The `download_link` of a pass that can be a file; None where its programme has no Apple certificate."""
    with ctx.look() as tx:
        row = passes.pass_by_public(tx, pass_public_id)
        if row is None or not _could_be_a_file(ctx, tx, row):
            return None
    return download_link(ctx, pass_public_id)


def bundle(ctx: Context, token: str) -> tuple[bytes, str, datetime]:
    """The card behind a download link and the coupons of its member that are good, as one file: (body, media type,
    last modified). No more coupons than a bundle has room for, the newest of them."""
    _made(ctx, token)
    with ctx.look() as tx:
        row = _to_download(ctx, tx, token)
        with ctx.times.of_member(tx, row.member_id):
            good = coupons.good(tx, row.member_id, ctx.now())
        beside = [one for one in good if one.id != row.id and one.wallet == row.wallet]
        rows = [row, *beside[-(MAX_BUNDLE - 1) :]]
        served = passes.published(tx, [one.id for one in rows])
        issued = ctx.wallets[row.wallet].bundle(cards.serve_together(ctx, tx, rows, served))
    return issued.body, issued.media_type, max(one.last_modified for one in served.values())


def set_promotions(ctx: Context, token: str, granted: bool, source: str, *, link: str = "card") -> None:
    """The member, through a link on the card (`card`, or `stop` with its undo), stops messages or asks for them.

    A card that was replaced may still stop them, and asks for nothing: raises `NotFound` (`card-replaced`).
    """
    with ctx.change() as tx:
        row = pass_of_link(ctx, tx, link, token)
        members.lock_member(tx, row.member_id)
        if granted:
            still_good(tx, row)
        with ctx.times.of_member(tx, row.member_id):
            _write_consent(ctx, tx, row.member_id, granted, source)
    ctx.ring()


def still_good(tx: Tx, row: PassRow) -> None:
    """The card speaks for its member, who is locked; one that was replaced may be in a stranger's hands. Raises
    `NotFound` (`card-replaced`)."""
    if passes.lock_passes(tx, [row.id])[0].state != passes.ACTIVE:
        raise NotFound("This card was replaced by another one; open that one.", code="card-replaced")


def set_consent(ctx: Context, scope: Scope, member: str, granted: bool, source: str, wish: Asked) -> tuple[Facts, bool]:
    """The merchant records what the member said."""

    def act(tx: Tx) -> Facts:
        row = members.member_by_public(tx, scope, member)
        _write_consent(ctx, tx, row.id, granted, source)
        return {"member": row.public_id, "purpose": PROMOTIONS, "granted": granted}

    answer = once(ctx, wish, act)
    ctx.ring()
    return answer


def _write_consent(ctx: Context, tx: Tx, member_id: int, granted: bool, source: str) -> None:
    members.lock_member(tx, member_id)
    members.record_consent(tx, member_id, PROMOTIONS, granted, source, ctx.now())
    cards.changed(tx, member_id, (), ctx.now(), lane=jobs.SERVICE)


@dataclass(frozen=True)
class WebCard:
    """A member's card for a browser, composed by the same code as the one on a phone but without its wait: what the
    books say now. `mark` changes with what the card shows; `in_wallet` says that a phone has registered it, `beside`
    are the coupons of the card's member, as (card, code, what is typed in its place, pass), `gift` is what they get
    once a phone holds it. `file`: there can be a file of the card; `files` are the coupons (pass public ids) of which
    there is one."""

    card: Card
    code: str
    pass_public_id: str
    language: str
    promotions: bool
    mark: str
    in_wallet: bool
    beside: tuple[tuple[Card, str, str, str], ...] = ()
    gift: welcome.Gift | None = None
    file: bool = True
    files: tuple[str, ...] = ()
    typed: str = ""


def web_card(ctx: Context, token: str) -> WebCard:
    """The card behind a link on its back. Raises `NotFound`."""
    with ctx.look() as tx:
        row = pass_of_link(ctx, tx, "card", token)
        with ctx.times.of_member(tx, row.member_id):
            return _web_card(ctx, tx, row)


def _web_card(ctx: Context, tx: Tx, row: PassRow) -> WebCard:
    publication = passes.published(tx, [row.id])[row.id]
    member = members.members_by_id(tx, [row.member_id])[row.member_id]
    consent = members.consents_of(tx, row.member_id).get(PROMOTIONS)
    identity = cards.identity(ctx, tx, row)
    # At once, and not when its last version is published: whoever looks at a replaced card sees that it is one.
    coupons_good = coupons.good(tx, row.member_id, ctx.now())
    card = row.kind == passes.CARD
    file = row.id if card else coupon_rows.of_passes(tx, [row.id])[row.id].pass_id
    alive = row.state == passes.ACTIVE and (card or file in {one.id for one in coupons_good})
    found, mark = cards.by_the_books(ctx, tx, row, publication)
    shown = replace(found, voided=not alive)
    held = bool(devices.holders(tx, [row.id])) or (card and _pushed_to_somebody(ctx, tx, row))
    beside = _shown(ctx, tx, coupons_good) if card and alive else ()
    gift = None if held else welcome.promised(ctx, tx, row)
    file, files = _could_be_a_file(ctx, tx, row), [one for one in coupons_good if not ctx.pushes(one.wallet)]
    return WebCard(
        shown,
        identity.code if alive else "",
        row.public_id,
        member.language,
        bool(consent and consent[0]),
        mark[:16],
        held,
        beside,
        gift,
        file,
        tuple(one.public_id for one in files) if beside else (),
        identity.said if alive else "",
    )


def _pushed_to_somebody(ctx: Context, tx: Tx, row: PassRow) -> bool:
    """Whether the member has the card in a wallet that no phone registers with."""
    return ctx.pushes(GOOGLE) and vendors.held_by(tx, row.member_id)


def _shown(ctx: Context, tx: Tx, rows: Sequence[PassRow]) -> tuple[tuple[Card, str, str, str], ...]:
    served = passes.published(tx, [row.id for row in rows])
    found = ((row, cards.by_the_books(ctx, tx, row, served[row.id])[0], cards.identity(ctx, tx, row)) for row in rows)
    return tuple((card, identity.code, identity.said, row.public_id) for row, card, identity in found)


def card_link(ctx: Context, pass_public_id: str) -> str:
    """The lasting address of a member's web card."""
    return ctx.link("card", pass_public_id)


def token_of_browser(ctx: Context, pass_public_id: str) -> str:
    """What a browser keeps so that it can be offered its card again; good for nothing else."""
    return f"{pass_public_id}.{ctx.keyring.sign('browser', pass_public_id)}"


def card_of_browser(ctx: Context, join_code: str, token: str) -> str | None:
    """The pass (public id) that such a token names, if it is good and of this programme. Of a card that was replaced
    nothing is offered: its successor belongs to whoever recovered it."""
    public_id, _, signature = token[:200].partition(".")
    if not public_id or not ctx.keyring.verify("browser", public_id, signature):
        return None
    with ctx.look() as tx:
        row = passes.pass_by_public(tx, public_id)
        if row is None or row.state != passes.ACTIVE:
            return None
        member = members.members_by_id(tx, [row.member_id])[row.member_id]
        same = programmes.programme_to_join(tx, join_code).id == member.programme_id
    return public_id if same else None


def joinable(ctx: Context, join_code: str) -> tuple[Programme, list[parties.StoreRow], bool]:
    """What the join page shows: the programme, its stores, and whether its cards can be given out: until then nobody
    can join. Raises `NotFound`."""
    with ctx.look() as tx:
        row = programmes.programme_to_join(tx, join_code)
        if not row.version_id:
            raise NotFound("This programme has not been published yet.")
        stores = parties.stores_of_programme(tx, row.id)
        return ctx.programme(tx, row.version_id), stores, issuing_set(ctx, tx, row) is not None
