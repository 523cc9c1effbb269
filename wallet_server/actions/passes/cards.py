"""Owns the heart: a card is stale, a card is composed and published, the phones are told, the bytes are served.

A sale, a new offer and a moved shop all say `changed`. The refresh job composes the card from the books, decides
which one change may raise an alert, publishes it with its update tag, and only after that commit tells the wallet.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from wallet_server.actions.context import Context
from wallet_server.actions.passes import reissuing
from wallet_server.actions.passes.composing import Desk
from wallet_server.actions.passes.stale import BIT, REFRESH, changed, changed_many, mask
from wallet_server.errors import Invalid, Misconfigured
from wallet_server.records.database import Tx
from wallet_server.records.passes import devices, passes
from wallet_server.records.passes.fetches import Sheet, shelf_key
from wallet_server.records.passes.passes import PassRow, Publication
from wallet_server.records.people import recovery
from wallet_server.records.vendors.credentials import version as signing_version
from wallet_server.rules.counter import codes
from wallet_server.rules.passes import publishing
from wallet_server.rules.passes.card import (
    ALERT_ORDER,
    Alert,
    Card,
    Facet,
    card_from_json,
    card_to_json,
    fingerprint_of,
)
from wallet_server.rules.passes.publishing import Decision, Facets
from wallet_server.rules.people import recovering
from wallet_server.wallets.port import Identity, Issued, Wallet

# What is said of stale cards stands in `stale`; everybody says it of cards.
__all__ = ["REFRESH", "changed", "changed_many", "mask"]
PASS_FILE = "application/vnd.apple.pkpass"  # noqa: S105 - a media type, not a secret
AWAIT_FETCH = timedelta(hours=24)
"""How long a further alert waits for a phone to fetch the version of the one before."""
_POINTS: frozenset[Facet] = frozenset({"points"})
_log = structlog.get_logger("cards")


@dataclass(frozen=True)
class Ready:
    """A pass after publishing: what is served now, when it wants to be looked at again, and whether that is because
    a change was held back for a version of its own."""

    row: PassRow
    publication: Publication
    again: datetime | None
    held: bool


def _facets(bits: int) -> frozenset[Facet]:
    return frozenset(facet for facet in ALERT_ORDER if bits & BIT[facet])


def publish(ctx: Context, tx: Tx, pass_ids: Sequence[int], now: datetime) -> list[Ready]:
    """Compose these cards and publish what differs from what is served, each version with a fresh update tag.

    Holds the passes' rows, then their publications, then the tag counter of each pass type, until the commit. `now`
    is the time of their account; what phones and vendors are told of times is everybody's.
    """
    rows = passes.lock_passes(tx, pass_ids)
    served = passes.hold_published(tx, [row.id for row in rows])
    rung = devices.told_by_push(tx, [row.id for row in rows])
    shelf = Desk(ctx, tx, rows, now)
    rows = [shelf.ended(row) for row in rows]
    ready: list[Ready] = []
    fresh: list[Publication] = []
    marks: list[tuple[int, int, datetime | None]] = []
    untagged: dict[str, list[int]] = {}
    for row in rows:
        old = served[row.id]
        awaited = old.unseen_since + AWAIT_FETCH if row.id in rung and old.seen < old.number else now
        pushed = ctx.pushes(row.wallet)
        new, decision, change_at = _next_version(shelf, row, old, now, ctx.real(now), awaited > now, pushed)
        wait = now + timedelta(seconds=ctx.settings.coalesce_seconds)
        # What is held back waits for a version of its own: for the phone to fetch this one, or for the time limit.
        turn = max(wait, awaited) if new is None else now + AWAIT_FETCH if row.id in rung else wait
        again = min((at for at in (turn if decision.held else None, change_at) if at is not None), default=None)
        loud = mask(decision.held)
        if new is not None:
            fresh.append(new)
        elif old.of_version != row.version:
            passes.taken_in(tx, row.id, row.version)
        if new is not None or row.loud != loud:
            marks.append((row.id, loud, ctx.real(wait) if new is not None else row.quiet_until))
        if (new or old).number > old.tagged and not ctx.pushes(row.wallet):
            untagged.setdefault(row.pass_type, []).append(row.id)
        ready.append(Ready(row, new or old, again, bool(decision.held)))
    passes.set_loud(tx, marks)
    passes.publish_next(tx, fresh)
    for pass_type in sorted(untagged):
        passes.hand_out_tags(tx, pass_type, untagged[pass_type], now)
    return ready


def published(tx: Tx, pass_ids: Sequence[int]) -> list[Ready]:
    """These cards as they are served just now; nothing is composed and nothing held."""
    served = passes.published(tx, pass_ids)
    return [Ready(row, served[row.id], None, False) for row in passes.passes_by_id(tx, pass_ids)]


def publish_first(ctx: Context, tx: Tx, row: PassRow, now: datetime) -> Publication:
    """The first version of a new pass, in the transaction that issues it; nobody is told of it."""
    shelf = Desk(ctx, tx, [row], now)
    wanted = shelf.wanted(row)
    card, _ = shelf.compose(row, publishing.decide(None, wanted, frozenset()).shown)
    version_id, at, text = shelf.version_id(row), ctx.real(now), card_to_json(card)
    first = Publication(
        pass_id=row.id,
        number=1,
        tagged=1,
        # What is pushed has to be put there before anybody can have it.
        rung=0 if ctx.pushes(row.wallet) else 1,
        last_modified=at.replace(microsecond=0),
        unseen_since=now,
        issue=shelf.issue(row),
        remote_state=None,
        **_shown(row, text, fingerprint_of(text), None, wanted, version_id, at),
    )
    passes.publish_first(tx, first)
    return first


def _next_version(
    shelf: Desk, row: PassRow, old: Publication, now: datetime, at: datetime, unseen: bool, pushed: bool
) -> tuple[Publication | None, Decision, datetime | None]:
    wanted = shelf.wanted(row)
    if row.state != passes.ACTIVE and old.of_version == row.version:
        # Over, and published as such: that is told once, whatever its member does elsewhere.
        return None, Decision(Facets(old.points, old.tier, old.news), None, ()), None
    # While no phone has fetched the version served, what rings next is judged by what the phones hold: else an alert
    # that waits to be fetched would be lost under the next one.
    before = Facets(old.seen_points, old.seen_tier, old.seen_news) if unseen else Facets(old.points, old.tier, old.news)
    awaited = frozenset(f for f in ALERT_ORDER if unseen and f == old.alert)
    # What a vendor was not told of at the counter is still to ring, whatever comes meanwhile.
    untold = pushed and 0 <= old.rung < old.number
    if untold and old.alert == "points" and (wanted.points, wanted.tier) == (old.points, old.tier):
        before, awaited = replace(before, points=wanted.points - 1), _POINTS  # another than wanted: it goes first
    together = publishing.TOGETHER if pushed else frozenset()
    decision = publishing.decide(before, wanted, _facets(row.loud) | awaited, together)
    if "news" in decision.held and not shelf.stands(decision.shown.news):
        # What was to stay meanwhile has been recalled or is over.
        decision = replace(decision, shown=replace(decision.shown, news=None))
    card, change_at = shelf.compose(row, decision.shown)
    text = card_to_json(card)
    fingerprint = fingerprint_of(text)
    if fingerprint == old.fingerprint and decision.alert in (None, old.alert):
        return None, decision, change_at
    # Whole seconds, strictly increasing: two versions within one second would look alike to If-Modified-Since.
    modified = max(at.replace(microsecond=0), old.last_modified + timedelta(seconds=1))
    version_id, number = shelf.version_id(row), old.number + 1
    new = Publication(
        pass_id=row.id,
        number=number,
        tagged=0,
        # What was rung stays as it was noted: whoever tells the phones of this version names it.
        rung=old.rung,
        remote_state=old.remote_state,
        last_modified=modified,
        unseen_since=old.unseen_since if unseen else now,
        issue=shelf.issue(row),
        **_shown(row, text, fingerprint, decision.alert, decision.shown, version_id, at),
    )
    return new, decision, change_at


def _shown(
    row: PassRow, card: str, fingerprint: str, alert: Facet | None, shown: Facets, version_id: int, at: datetime
) -> dict[str, Any]:
    """What a version shows of the row and its books, which no phone has yet."""
    return {
        "of_version": row.version,
        "card": card,
        "fingerprint": fingerprint,
        "programme_version_id": version_id,
        "alert": alert,
        "points": shown.points,
        "tier": shown.tier,
        "news": shown.news,
        "seen": 0,
        "seen_points": shown.points,
        "seen_tier": shown.tier,
        "seen_news": shown.news,
        "published_at": at,
        "tag": None,
    }


def serve(ctx: Context, tx: Tx, row: PassRow, publication: Publication) -> tuple[bytes, str]:
    """The published card in its wallet's own form, signed when it is first asked for: (body, media type).

    The same version gives the same bytes in every process, so that an unchanged card stays unchanged on the phone.
    Raises `Misconfigured` when its credentials cannot be used, or when the card breaks Apple's rules: whoever asks
    for it asked nothing wrong.
    """
    version = signing_version(tx, row.credential_set_id)
    body = ctx.signed.get(shelf_key(row.id, publication.number, row.credential_set_id, version))
    if body is not None:
        return body, PASS_FILE
    issued = issue(ctx, tx, row, publication)
    signed_by = version if issued.version is None else issued.version
    kept_as = shelf_key(row.id, publication.number, row.credential_set_id, signed_by)
    ctx.signed.put(kept_as, issued.body, (row.pass_type, row.serial))
    return issued.body, issued.media_type


def serve_together(
    ctx: Context, tx: Tx, rows: Sequence[PassRow], served: Mapping[int, Publication]
) -> tuple[bytes, ...]:
    """The bytes of the first of these passes and of those beside it that can be signed: what is wrong with a coupon
    keeps nobody from the card. Raises as `serve` does, for the first."""
    bodies = [serve(ctx, tx, rows[0], served[rows[0].id])[0]]
    for row in rows[1:]:
        try:
            bodies.append(serve(ctx, tx, row, served[row.id])[0])
        except Misconfigured as fault:
            _log.warning("left out of a bundle", pass_id=row.public_id, why=fault.sentence)
    return tuple(bodies)


def serve_sheet(ctx: Context, sheet: Sheet) -> bytes:
    """The same for a phone that comes back and whose bytes are not kept, from one row; raises as `serve` does."""
    opened = None
    if sheet.recovery_cipher is not None:
        opened = ctx.keyring.open(sheet.recovery_cipher, f"recovery:{sheet.member_public_id}").decode()
    shown = recovering.revealed(card_from_json(sheet.card), opened)
    who = identity_of(ctx, sheet, sheet.code_cipher)
    made = _made(ctx.wallets[sheet.wallet], shown, alert_of(sheet.alert), who, sheet.published_at)
    # For some seconds after a swap the old certificate may be loaded still.
    signed_by = sheet.credential_version if made.version is None else made.version
    kept_as = shelf_key(sheet.pass_id, sheet.number, sheet.credential_set_id, signed_by)
    ctx.signed.put(kept_as, made.body, (sheet.pass_type, sheet.serial))
    return made.body


def issue(ctx: Context, tx: Tx, row: PassRow, publication: Publication) -> Issued:
    """Build and sign; `serve` keeps what this gives."""
    wallet = ctx.wallets[row.wallet]
    shown, alert = card(ctx, tx, row, publication), alert_of(publication.alert)
    return _made(wallet, shown, alert, identity(ctx, tx, row), publication.published_at)


def _made(wallet: Wallet, shown: Card, alert: Alert | None, who: Identity, at: datetime) -> Issued:
    try:
        return wallet.issue(shown, alert, who, at)
    except Invalid as fault:
        if wallet.pushes_cards:
            raise
        raise Misconfigured(f"This card cannot be signed: {fault.sentence}", faults=fault.faults) from fault


def alert_of(facet_name: str | None) -> Alert | None:
    """The alert of a version. No message of its own: the design words what its fields say when they change."""
    facet = next((f for f in ALERT_ORDER if f == facet_name), None)
    return None if facet is None else Alert(facet, {})


def card(ctx: Context, tx: Tx, row: PassRow, publication: Publication) -> Card:
    """The published card as its member sees it: with the recovery code, which no stored card holds.

    A card that was replaced shows none, even before its last version is published: the code of its successor is not
    for whoever found the phone.
    """
    return _revealed(ctx, tx, row, card_from_json(publication.card))


def by_the_books(ctx: Context, tx: Tx, row: PassRow, publication: Publication) -> tuple[Card, str]:
    """The card for a page, which no coalescing holds back: what the books say now, and its fingerprint, which changes
    with the card alone. A card that is over stays as it was published: its member goes on elsewhere.
    """
    if row.state != passes.ACTIVE or (publication.of_version == row.version and not row.loud):
        return card(ctx, tx, row, publication), publication.fingerprint
    shelf = Desk(ctx, tx, [row], ctx.now())
    made, _ = shelf.compose(row, shelf.wanted(row))
    return _revealed(ctx, tx, row, made), fingerprint_of(card_to_json(made))


def of_member(ctx: Context, tx: Tx, member_id: int) -> tuple[PassRow, Card] | None:
    """A member's card by the books: of several the newest, since all say the same. None where every one is over."""
    rows = passes.passes_by_id(tx, recovery.cards(tx, member_id))
    if not rows:
        return None
    publication = passes.published(tx, [rows[-1].id])[rows[-1].id]
    return rows[-1], by_the_books(ctx, tx, rows[-1], publication)[0]


def _revealed(ctx: Context, tx: Tx, row: PassRow, stored: Card) -> Card:
    code = recovery.codes_of(tx, [row.member_id]).get(row.member_id) if row.state == passes.ACTIVE else None
    opened = ctx.keyring.open(code.cipher, f"recovery:{code.member_public_id}").decode() if code else None
    return recovering.revealed(stored, opened)


def give_recovery_code(ctx: Context, tx: Tx, member_id: int, member_public_id: str, now: datetime) -> str:
    """A fresh recovery code for a member in place of any before; returned as it is shown."""
    code = recovering.from_random(secrets.token_bytes(16))
    recovery.end_codes(tx, member_id, now)
    sealed = ctx.keyring.seal(code.encode(), f"recovery:{member_public_id}")
    lookup = passes.lookup_hash(recovering.lookup_key(code))
    recovery.add_code(tx, member_id, lookup, sealed, codes.UNSIGNED, now)
    return code


def identity(ctx: Context, tx: Tx, row: PassRow) -> Identity:
    """What makes this pass this pass, its secrets opened."""
    return identity_of(ctx, row, passes.newest_codes(tx, [row.id])[row.id].cipher)


def identity_of(ctx: Context, row: PassRow | Sheet, code_cipher: str) -> Identity:
    """The same for whoever has read the code already."""
    code = reissuing.shown(ctx, code_cipher, row.serial)
    return Identity(
        credential_set=row.credential_set_id,
        pass_type=row.pass_type,
        serial=row.serial,
        token=ctx.keyring.open(row.token_cipher, f"pass-token:{row.serial}").decode(),
        code=code.text,
        web_service_url=f"{ctx.settings.base_url}/apple",
        typed=code.typed,
        digits=code.digits,
    )


def code_hash(code: codes.Code) -> bytes:
    """SHA-256 of what identifies a card, whatever format or signature it came in."""
    return passes.lookup_hash(codes.lookup_key(code))
