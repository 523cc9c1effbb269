"""Owns Apple's web service for passes as use cases: register, unregister, list what changed, get, log.

Source: Apple, "Adding a Web Service to Update Passes". Access is by the pass's own token, compared in constant time;
the list is open to whoever knows the device library identifier, which is the device's secret.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from wallet_server.actions.context import Context
from wallet_server.actions.passes import cards, noting, welcome
from wallet_server.actions.telling import hooks
from wallet_server.errors import Invalid, Unauthenticated
from wallet_server.records import jobs, limits
from wallet_server.records.database import Tx
from wallet_server.records.envelope import digest
from wallet_server.records.passes import devices, fetches, passes
from wallet_server.records.passes.fetches import Marks, Sheet
from wallet_server.records.passes.passes import PassRow
from wallet_server.wallets.apple.apns_answers import is_token

_STRANGERS = "This pass and this token do not belong together."
SHORTEST_TOKEN = 8
MAX_LOG_LINES = 20
MAX_LOG_LINES_A_MINUTE = 1000  # of all that are joined to no pass
MAX_LOG_LINES_OF_A_PASS = 60  # a minute
LOG_WINDOW = "phone-log"
_NAMED = re.compile(
    r"\(for device ([^\s,;()]{1,128}), pass type ([^\s,;()]{1,255}), serial number ([^\s,;()]{1,64})[;)]"
)
"""How phones name what they were at when they register or unregister a pass: the two tasks whose lines name the device
and the pass together."""


@dataclass(frozen=True)
class Fetched:
    """A pass as served: `body` is None when the phone has this version already."""

    body: bytes | None
    media_type: str
    last_modified: datetime


def _plain(*texts: str) -> bool:
    """Whether a database can look these up at all (PostgreSQL knows no NUL)."""
    return all(text.isprintable() for text in texts)


def _admit(tx: Tx, pass_type: str, serial: str, token: str | None) -> PassRow:
    """The pass, if the token is its own. An unknown serial and a wrong token answer alike."""
    row = passes.pass_by_serial(tx, pass_type, serial) if _plain(pass_type, serial) else None
    expected = row.token_sha256 if row else bytes(32)
    if not hmac.compare_digest(digest(token or ""), expected) or row is None:
        raise Unauthenticated(_STRANGERS)
    return row


def register(
    ctx: Context, library_id: str, pass_type: str, serial: str, token: str | None, push_kind: str, told: str | None
) -> bool:
    """A device holds this pass from now on; True when that is new. A new push token (`told`; None: it told none) takes
    the place of the old. Raises `Unauthenticated`, and `Invalid` to whom the pass's token is known.

    A card that changed between its download and its registration is told of at once. The first phone that holds a
    card of a member brings the welcome gift of the programme.
    """
    try:
        push_token = _sound(library_id, push_kind, told)
    except Invalid:
        with ctx.look() as tx:
            _admit(tx, pass_type, serial, token)
        raise
    now = ctx.now()
    with ctx.change() as tx:
        row = _admit(tx, pass_type, serial, token)
        gift = welcome.due(ctx, tx, row)
        passes.lock_passes(tx, [row.id])
        fresh, new_token = devices.register(tx, library_id, pass_type, row.id, push_kind, push_token, now)
        publication = passes.published(tx, [row.id])[row.id]
        # A file may lie in a mailbox for a year before it is opened: only a card that was never changed is surely the
        # one that this device holds.
        missed = publication.number > 1
        if fresh and not missed:
            noting.hold(ctx, tx, [(row.id, publication.number)])
        if (fresh and missed) or (new_token and not fresh):
            passes.ring_again(tx, row.id, new_tag=fresh)
            jobs.put(tx, [jobs.Put(cards.REFRESH, str(row.id), jobs.COUNTER, now)])
        if fresh:
            hooks.tell_of_pass(ctx, tx, hooks.SAVED, row, now)
        if fresh and gift is not None:
            welcome.give(ctx, tx, gift)
    ctx.ring()
    return fresh


def _sound(library_id: str, push_kind: str, told: str | None) -> str:
    """The push token that was told, if it and the name of the device have a sound form."""
    if told is None or not told.isprintable():
        raise Invalid("Send a JSON object with a pushToken.", code="bad-push-token", field="pushToken")
    if push_kind == devices.APNS and not (len(told) >= SHORTEST_TOKEN and is_token(told)):
        sentence = "pushToken is a string of 8 to 200 hexadecimal digits, two for each byte."
        raise Invalid(sentence, code="bad-push-token", field="pushToken")
    if not 1 <= len(library_id) <= 128 or not 1 <= len(told) <= 512 or not _plain(library_id):
        raise Invalid("The device identifier or push token has no sound form.", code="bad-device")
    return told


def unregister(ctx: Context, library_id: str, pass_type: str, serial: str, token: str | None) -> None:
    """The pass was removed from a device. Harmless when it was not registered."""
    with ctx.change() as tx:
        row = _admit(tx, pass_type, serial, token)
        if devices.unregister(tx, library_id, pass_type, row.id, ctx.now()):
            hooks.tell_of_pass(ctx, tx, hooks.REMOVED, row, ctx.now())
    ctx.ring()


def changed_since(ctx: Context, library_id: str, pass_type: str, tag: str | None) -> tuple[Sequence[str], str] | None:
    """Serial numbers changed since a tag and the tag to ask by next time; None when there is nothing.

    No tag, junk, or a tag newer than any handed out (as after a restore from a backup) answers all of them.
    """
    if not _plain(library_id, pass_type):
        return None
    since = int(tag) if tag is not None and tag.isascii() and tag.isdigit() and len(tag) <= 18 else -1
    serials, newest = fetches.changed_since(ctx.database, library_id, pass_type, since)
    return (serials, str(newest)) if serials else None


def fetch(
    ctx: Context, pass_type: str, serial: str, token: str | None, known: datetime | None, *, taken: bool = True
) -> Fetched:
    """The current version of a pass; `known` is the If-Modified-Since of the version that the phone holds.

    `taken` says that the phone will hold what is answered (not so for a HEAD). A pass that is over is served to whoever
    has not heard of it: void, and without an address to ask again. An answer may be lost on its way, so that the lists
    go on naming the pass until a phone shows that it has this version: who has it and asks all the same is refused, as
    Apple advises (developer forums, 795413).
    """
    if not _plain(pass_type, serial):
        raise Unauthenticated(_STRANGERS)
    # Where its bytes are at hand, a lighter look says whether they are those of today.
    light = fetches.marks(ctx.database, pass_type, serial) if ctx.signed.holds((pass_type, serial)) else None
    found = None if light is None else _answered(ctx, light, token, known)
    found = found or _answered(ctx, fetches.sheet(ctx.database, pass_type, serial), token, known)
    if found is None:
        raise LookupError("a sheet holds all that its bytes are made from")
    pass_id, number, seen, got = found
    if taken and seen < number:
        noting.seen(ctx, pass_id, number)
    return got


def _answered(
    ctx: Context, row: Sheet | Marks | None, token: str | None, known: datetime | None
) -> tuple[int, int, int, Fetched] | None:
    """The pass, its version, the one that a phone was seen to hold, and what is answered; None where the bytes must be
    made and marks alone do not do. Raises `Unauthenticated`."""
    expected = bytes(32) if row is None else row.token_sha256
    if not hmac.compare_digest(digest(token or ""), expected) or row is None:
        raise Unauthenticated(_STRANGERS)
    if row.over and known == row.last_modified:
        _goodbye(ctx, row.pass_id)
        raise Unauthenticated("This card is over, and this phone knows it.")
    if known is not None and known == row.last_modified:
        return row.pass_id, row.number, row.seen, Fetched(None, "", row.last_modified)
    body = ctx.signed.get(fetches.shelf_key(row.pass_id, row.number, row.credential_set_id, row.credential_version))
    if body is None:
        if not isinstance(row, Sheet):
            return None
        body = cards.serve_sheet(ctx, row)
    return row.pass_id, row.number, row.seen, Fetched(body, cards.PASS_FILE, row.last_modified)


def _goodbye(ctx: Context, pass_id: int) -> None:
    """A phone has shown that it holds the last version of a pass that is over. Looked at before anything is locked: a
    phone that asks for ever writes nothing."""
    with ctx.look() as tx:
        if devices.only_holder(tx, pass_id) is None:
            return
    with ctx.change() as tx:
        passes.lock_passes(tx, [pass_id])
        devices.release_last(tx, pass_id, ctx.now())


def log(ctx: Context, lines: Sequence[str]) -> None:
    """Keep what phones report: bounded, and so many lines a minute, because anybody may write here.

    A line is joined to a pass when it names the pass and a device that is registered for it: the request has no token,
    but the identifier of a device is its own secret. What cannot be read so, or names one of the two alone, is kept
    without a pass. Each pass has a quota of its own, and all that is joined to none shares one: whoever floods this
    door silences no phone that is known.
    """
    kept = [_printable(line[:500]) for line in lines[:MAX_LOG_LINES]]
    if not kept or not ctx.settings.phone_log_lines:
        return
    now = ctx.now()
    minute = int(now.timestamp()) // 60
    with ctx.look() as tx:
        said = [(line, _pass_of(tx, line)) for line in kept]
        windows = {key: _quota(key) for _, key in said}
        full = {key for key, (name, most) in windows.items() if limits.taken(tx, name, minute) >= most}
    said = [(line, key) for line, key in said if key not in full]
    if not said:
        return
    with ctx.change() as tx:
        for key, count in sorted(Counter(key for _, key in said).items(), key=lambda one: one[0] or 0):
            limits.take(tx, windows[key][0], minute, count)
        devices.add_phone_logs(tx, said, ctx.settings.phone_log_lines, now)


def _quota(pass_id: int | None) -> tuple[str, int]:
    """The window in which a line is counted, and how many lines it takes in a minute."""
    if pass_id is None:
        return LOG_WINDOW, MAX_LOG_LINES_A_MINUTE
    return f"{LOG_WINDOW}:{pass_id}", MAX_LOG_LINES_OF_A_PASS


def _pass_of(tx: Tx, line: str) -> int | None:
    named = _NAMED.search(line)
    return None if named is None else devices.registered_pass(tx, *named.groups())


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in line)
