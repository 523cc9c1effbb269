"""Owns the column types and conventions that all tables share.

Conventions: internal keys are BIGINT; public ids are prefixed and random; amounts are BIGINT in the smallest unit of
their currency; instants are UTC. Ledger tables refuse UPDATE and DELETE by trigger (see the migrations).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = sa.MetaData(naming_convention=NAMING)

Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")


class Instant(sa.types.TypeDecorator[datetime]):
    """An instant in UTC: TIMESTAMPTZ on PostgreSQL, text with a fixed width on SQLite. Refuses naive values."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    # Hundreds are turned in every request: each by one call, where a decorator's own hooks would take four.
    def bind_processor(self, dialect: sa.Dialect) -> Any:
        """What turns an instant into what the driver takes."""
        return _written if dialect.name == "sqlite" else _in_utc

    def result_processor(self, dialect: sa.Dialect, _coltype: object) -> Any:
        """What turns what the driver gives into an instant."""
        return _read if dialect.name == "sqlite" else _in_utc


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None or value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return value.astimezone(UTC)


def _written(value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is not UTC:
        value = _in_utc(value)
    return value.isoformat(" ", "microseconds")[:26]  # type: ignore[union-attr]  # None stays outside


def _read(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value + "+00:00")


_ONLY = "only_on"


def only_on(dialect: str, constraint: sa.Constraint) -> None:
    """This constraint stands on one kind of database alone."""
    constraint.ddl_if(dialect=dialect)
    constraint.info[_ONLY] = dialect


def stands_on(dialect: str) -> Callable[..., bool]:
    """For Alembic's `include_object`: whether something declared is to be found on this kind of database."""
    return lambda declared, *_: declared.info.get(_ONLY, dialect) == dialect


def identity_column() -> sa.Column[Any]:
    return sa.Column("id", Key, primary_key=True, autoincrement=True)


def public_id() -> sa.Column[Any]:
    return sa.Column("public_id", sa.String(40), nullable=False, unique=True)


def ref(name: str, target: str, *, nullable: bool = False, index: bool = False, unique: bool = False) -> sa.Column[Any]:
    # None and not False: False would be an index that says that it is not unique.
    return sa.Column(
        name, Key, sa.ForeignKey(f"{target}.id"), nullable=nullable, index=index or None, unique=unique or None
    )


def at(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Instant(), nullable=nullable)


def text(name: str, length: int, *, nullable: bool = False, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=nullable, **more)


def count(name: str, default: int = 0) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default=str(default))
