"""Owns a shop whose sale books what the fixed reference books: one entry of two postings, in its only currency.

The demonstration's shop earns in two currencies, for its status, and is sold baskets of nine lines: twice the entries
and postings of the reference, two lots, and nine rows of goods. Here the till says a card, a receipt and an amount.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import sqlalchemy as sa

from wallet_server.actions import keys
from wallet_server.actions.context import Context
from wallet_server.actions.once import asked
from wallet_server.actions.passes import reissuing
from wallet_server.actions.people import enrol
from wallet_server.actions.people.enrol import Joining
from wallet_server.actions.programme import programs
from wallet_server.actions.programme.programs import NewStore
from wallet_server.records.passes import passes
from wallet_server.records.schema import members
from wallet_server.records.schema import passes as pass_table
from wallet_server.records.schema import programmes as programme_table
from wallet_server.rules.programme.program_default import default_document

NAME = "Comptoir Simple"
AMOUNT_MINOR = 2_286
"""What the nine lines of the other basket come to."""


@dataclass(frozen=True)
class PlainShop:
    """The keys of its tills, and the codes on its members' cards."""

    till_keys: Sequence[str]
    codes: Sequence[str]


def open_shop(ctx: Context, credential_set: int, tills: int, holders: int) -> PlainShop:
    """The shop with so many tills, and so many members who have just joined."""
    founded = programs.found(ctx, NAME, NewStore(NAME))
    document = default_document(NAME)
    document["currencies"] = document["currencies"][:1]
    document["earn"] = document["earn"][:1]
    del document["tiers"]
    made = programs.create_programme(ctx, founded.account_id, founded.merchant_id, document, credential_set)
    scope = keys.authenticate(ctx, founded.merchant_key)
    found = [founded.till_key]
    for number in range(2, tills + 1):
        wish = asked(scope, "tills", {"number": number}, str(uuid4()))
        found.append(programs.add_till(ctx, scope, founded.store, f"Till {number}", wish)[0]["key"])
    for _ in range(holders):
        enrol.join(ctx, made["join_code"], Joining("en"))
    return PlainShop(found, _codes(ctx, made["programme"]))


def _codes(ctx: Context, programme: str) -> list[str]:
    ours = (
        sa.select(pass_table.c.id, pass_table.c.serial)
        .join(members, members.c.id == pass_table.c.member_id)
        .join(programme_table, programme_table.c.id == members.c.programme_id)
        .where(pass_table.c.kind == "card", programme_table.c.public_id == programme)
    )
    with ctx.look() as tx:
        rows = tx.execute(ours).all()
        newest = passes.newest_codes(tx, [row.id for row in rows])
    return [reissuing.opened(ctx, newest[row.id].cipher, row.serial)[0] for row in rows]
