"""Owns what a phone's two questions need, each in one statement: what has changed for a device, and what is served of
a pass. A mass change brings both from every phone at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam as b

from wallet_server.records.database import Database
from wallet_server.records.operating.glance import Glance
from wallet_server.records.passes.passes import ACTIVE
from wallet_server.records.schema import (
    codes,
    credential_sets,
    devices,
    members,
    passes,
    publications,
    registrations,
    tag_counters,
)

MOST_SERIALS = 10_000


class Sheet(NamedTuple):
    """Everything that a pass is made from, its secrets still sealed, and what a phone's question is judged by.
    `recovery_cipher` is None where the member has no code or the pass may show none. `over`: the pass is valid no more,
    and that is what is served."""

    pass_id: int
    wallet: str
    credential_set_id: int
    credential_version: int
    pass_type: str
    serial: str
    token_cipher: str
    number: int
    last_modified: datetime
    card: str
    alert: str | None
    published_at: datetime
    code_cipher: str
    member_public_id: str
    recovery_cipher: str | None
    token_sha256: bytes
    seen: int
    over: bool


class Marks(NamedTuple):
    """What a phone's question is judged by, where the bytes may be at hand: of a `Sheet`, what has the same names."""

    pass_id: int
    credential_set_id: int
    credential_version: int
    number: int
    last_modified: datetime
    token_sha256: bytes
    seen: int
    over: bool


def shelf_key(pass_id: int, number: int, set_id: int, version: int) -> tuple[int, int, int, int]:
    """Where the bytes of a published card are kept: with the version of the certificate that signed them, so that none
    outlives a swap because of one that was revoked."""
    return pass_id, number, set_id, version


_BOTH = passes.join(publications, publications.c.pass_id == passes.c.id).join(
    credential_sets, credential_sets.c.id == passes.c.credential_set_id
)
_CODE = (
    sa.select(codes.c.cipher)
    .where(codes.c.pass_id == passes.c.id)
    .order_by(codes.c.issue.desc())
    .limit(1)
    .scalar_subquery()
)
# A copy that was replaced shows no recovery code: its successor's is not for whoever found the phone.
_RECOVERY = (
    sa.select(codes.c.cipher)
    .where(
        codes.c.member_id == passes.c.member_id,
        codes.c.kind == "recovery",
        codes.c.revoked_at.is_(None),
        members.c.left_at.is_(None),
        passes.c.state == ACTIVE,
    )
    .order_by(codes.c.issue.desc())
    .limit(1)
    .scalar_subquery()
)
_OVER = sa.and_(passes.c.state != ACTIVE, publications.c.of_version == passes.c.version)
_NAMED = (passes.c.pass_type == b("pass_type"), passes.c.serial == b("serial"))
_MARKS = Glance(
    sa.select(
        passes.c.id,
        passes.c.credential_set_id,
        credential_sets.c.version,
        publications.c.number,
        publications.c.last_modified,
        passes.c.token_sha256,
        publications.c.seen,
        _OVER,
    )
    .select_from(_BOTH)
    .where(*_NAMED)
)
_SHEET = Glance(
    sa.select(
        passes.c.id,
        passes.c.wallet,
        passes.c.credential_set_id,
        credential_sets.c.version,
        passes.c.pass_type,
        passes.c.serial,
        passes.c.token_cipher,
        publications.c.number,
        publications.c.last_modified,
        publications.c.card,
        publications.c.alert,
        publications.c.published_at,
        _CODE.label("code_cipher"),
        members.c.public_id,
        _RECOVERY.label("recovery_cipher"),
        passes.c.token_sha256,
        publications.c.seen,
        _OVER,
    )
    .select_from(_BOTH.join(members, members.c.id == passes.c.member_id))
    .where(*_NAMED)
)


def marks(database: Database, pass_type: str, serial: str) -> Marks | None:
    """The pass that a device names; the token it presents is what gives access. Raises `Unavailable`."""
    row = _MARKS.first(database, pass_type=pass_type, serial=serial)
    return None if row is None else Marks(*row)


def sheet(database: Database, pass_type: str, serial: str) -> Sheet | None:
    """The pass that a device names, and what it is made from just now; the token it presents is what gives access.
    Raises `Unavailable`."""
    row = _SHEET.first(database, pass_type=pass_type, serial=serial)
    return None if row is None else Sheet(*row)


_NEWEST = sa.select(tag_counters.c.last).where(tag_counters.c.pass_type == devices.c.pass_type).scalar_subquery()
_ASKED = b("since", type_=sa.BigInteger)
_TAG = sa.func.coalesce(publications.c.tag, 0)
# A tag greater than any handed out (as after a restore from a backup) is answered as if there were none.
_SINCE = sa.case((sa.func.coalesce(_NEWEST, 0) < _ASKED, -1), else_=_ASKED)
_CHANGED = Glance(
    sa.select(passes.c.serial, sa.func.coalesce(_NEWEST, 0))
    .select_from(
        devices.join(registrations, registrations.c.device_id == devices.c.id)
        .join(passes, passes.c.id == registrations.c.pass_id)
        .join(publications, publications.c.pass_id == passes.c.id)
    )
    .where(devices.c.library_id == b("library_id"), devices.c.pass_type == b("pass_type"), _TAG > _SINCE)
    .order_by(_TAG)
    .limit(MOST_SERIALS)
)


def changed_since(database: Database, library_id: str, pass_type: str, since: int) -> tuple[Sequence[str], int]:
    """Serial numbers of a device's passes whose tag is greater (all for -1, or for a tag that was never handed out),
    the oldest change first, and the greatest tag handed out: as of one moment. Raises `Unavailable`."""
    rows = _CHANGED.rows(database, library_id=library_id, pass_type=pass_type, since=since)
    return [r[0] for r in rows], rows[0][1] if rows else 0
