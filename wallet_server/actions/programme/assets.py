"""Owns the shop's pictures: whatever is given becomes a PNG of our own making, kept for ever under its SHA-256."""

from __future__ import annotations

import hashlib
import re

from wallet_server.actions.context import Context
from wallet_server.errors import NotFound, TooMany
from wallet_server.records import limits
from wallet_server.records.database import Tx
from wallet_server.records.programme import assets
from wallet_server.records.scope import Scope
from wallet_server.wallets import logos
from wallet_server.wallets.logos import Plate, Shares

__all__ = ["MAX_BYTES", "PNG", "Plate", "asset", "colours", "in_books", "keep", "keep_on_plate", "picture"]

PNG = "image/png"
MAX_BYTES = logos.MAX_BYTES
MOST_AN_HOUR = 60
"""Pictures that one shop may have read in an hour: each may take a second and some memory."""
_SHA256 = re.compile("[0-9a-f]{64}")


def keep(ctx: Context, scope: Scope, raw: bytes) -> str:
    """Make a logo of a picture and keep it; returns its SHA-256.

    Raises `Invalid` (see `logos.made_of`), and `TooMany` for a shop that sends picture after picture.
    """
    second = int(ctx.now().timestamp())
    hour = second // 3600 * 60  # named by its first minute, as all windows are
    with ctx.change() as tx:
        if limits.take(tx, f"pictures:{scope.merchant_id}", hour, 1) > MOST_AN_HOUR:
            sentence = "So many pictures were sent in this hour; wait for the next one."
            raise TooMany(sentence, retry_after_seconds=3600 - second % 3600, code="too-many-pictures")
    return _kept(ctx, logos.made_of(raw))


def keep_on_plate(ctx: Context, sha256: str, plate: Plate) -> str:
    """The same logo on a plate, kept beside it; returns the SHA-256 of that. Raises `NotFound`."""
    return _kept(ctx, logos.plated(asset(ctx, sha256), plate))


def keep_made(ctx: Context, body: bytes) -> str:
    """Keep a PNG that this product drew; returns its SHA-256."""
    return _kept(ctx, body)


def _kept(ctx: Context, body: bytes) -> str:
    sha256 = hashlib.sha256(body).hexdigest()
    with ctx.change() as tx:
        assets.keep(tx, sha256, PNG, body, ctx.now())
    return sha256


def asset(ctx: Context, sha256: str) -> bytes:
    """A kept picture. Raises `NotFound`."""
    found = picture(ctx, sha256)
    if found is None:
        raise NotFound("There is no such picture.", field="logo")
    return found


def picture(ctx: Context, sha256: str) -> bytes | None:
    """A kept picture, or None: for wallets, which show a card without its logo rather than no card."""
    with ctx.look() as tx:
        return in_books(tx, sha256)


def in_books(tx: Tx, sha256: str) -> bytes | None:
    """The same within a transaction."""
    return assets.body(tx, sha256, PNG) if _SHA256.fullmatch(sha256) else None


def colours(ctx: Context, sha256: str) -> Shares:
    """What a logo is made of; nothing where it is not there."""
    found = picture(ctx, sha256)
    return ctx.logo_colours.get(sha256, lambda: logos.shares(found)) if found else ()
