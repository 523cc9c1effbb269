"""Owns the proof that an instant comes back from a database as it was, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from wallet_server.records.schema import Instant

ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1000, 1, 3), datetime(9999, 12, 29), timezones=ZONES | st.just(UTC))  # noqa: DTZ001


def ways(dialect: sa.Dialect) -> tuple[Any, Any]:
    kind = Instant().dialect_impl(dialect)
    return kind.bind_processor(dialect), kind.result_processor(dialect, None)


@given(INSTANTS)
def test_on_sqlite_it_is_text_of_one_width_whose_order_is_that_of_time(at: datetime) -> None:
    write, read = ways(sqlite.dialect())
    said = write(at)
    assert said == f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}".rjust(26, "0")
    back = read(said)
    assert back == at
    assert back.tzinfo is UTC
    assert write(at + timedelta(microseconds=1)) > said


@given(INSTANTS)
def test_on_postgresql_the_driver_is_given_utc(at: datetime) -> None:
    write, read = ways(postgresql.dialect())
    assert write(at) == at
    assert write(at).utcoffset() == timedelta(0)
    assert read(at) == at
    assert read(at).utcoffset() == timedelta(0)


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgresql"])
def test_nothing_stays_nothing_and_a_time_of_no_zone_is_refused(dialect: sa.Dialect) -> None:
    write, read = ways(dialect)
    assert write(None) is None
    assert read(None) is None
    with pytest.raises(ValueError, match="time zone"):
        write(datetime(2026, 11, 23))  # noqa: DTZ001
