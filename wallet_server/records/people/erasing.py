"""Owns what is forgotten with a member who leaves, under every name they have had. The books keep numbers alone."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from wallet_server.records.counter import gestures
from wallet_server.records.database import Tx
from wallet_server.records.people import contacts, letters, lineage, one_time
from wallet_server.records.schema import card_import_rows


def forget(tx: Tx, member_id: int, at: datetime) -> None:
    """Names, addresses, words that staff wrote, letters and what a file of cards said; the caller holds the member."""
    everyone = [member_id, *lineage.merged_into(tx, member_id)]
    contacts.forget(tx, everyone)
    one_time.forget_of(tx, everyone)
    letters.erase_of(tx, everyone, at)
    tx.execute(
        sa.update(card_import_rows)
        .where(card_import_rows.c.member_id.in_(everyone))
        .values(person=None, candidates=None, number=None)
    )
    for key in everyone:
        gestures.erase(tx, key)
