"""Owns pictures that were kept: PNG files of our own making, each under the SHA-256 of its bytes, never changed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import bindparam as b
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.database import Tx
from wallet_server.records.schema import assets


def keep(tx: Tx, sha256: str, media_type: str, body: bytes, at: datetime) -> None:
    """Store a file; one that is there already is the same."""
    insert = (sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert)(assets)
    tx.execute(
        insert.values(sha256=sha256, media_type=media_type, body=body, created_at=at).on_conflict_do_nothing(
            index_elements=["sha256"]
        )
    )


_BODY = sa.select(assets.c.body).where(assets.c.sha256 == b("sha256"), assets.c.media_type == b("media_type"))


def body(tx: Tx, sha256: str, media_type: str) -> bytes | None:
    """The bytes of a file of this type, if it is there."""
    found = tx.execute(_BODY, {"sha256": sha256, "media_type": media_type}).scalar()
    return None if found is None else bytes(found)
