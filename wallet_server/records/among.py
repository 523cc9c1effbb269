"""Owns the naming of many rows by one value: a list of keys that a database takes apart itself.

A statement with a place for each key is another text for every number of them, written and planned anew; a thousand
keys then cost more than what is done with their rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY


class _Listed(sa.types.TypeDecorator[Sequence[int | str]]):
    """Whole numbers or words as SQLite's JSON functions read them."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: Sequence[int | str] | None, dialect: sa.Dialect) -> str:
        return orjson.dumps(list(value or ())).decode()


def among(dialect: str, column: sa.ColumnElement[Any], name: str = "ids") -> sa.ColumnElement[bool]:
    """Whether the column, of whole numbers or of words, is one of those in the parameter of that name, a list.
    `dialect` is the name of the database."""
    if dialect == "sqlite":
        keys = sa.func.json_each(sa.bindparam(name, type_=_Listed())).table_valued("value")
        return column.in_(sa.select(keys.c.value))
    one = sa.BigInteger() if isinstance(column.type, sa.Integer) else column.type
    return column == sa.any_(sa.bindparam(name, type_=ARRAY(one)))
