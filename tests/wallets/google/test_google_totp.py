"""The code that changes: the vectors of RFC 6238, and what a till takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wallets.samples import NOW, sample_identity
from wallet_server.wallets.google import totp

RFC_SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_the_standard(seconds: int, said: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert totp.value(RFC_SECRET, seconds // totp.PERIOD_SECONDS) == said
    assert totp.verify(said, RFC_SECRET, at, None) == seconds // 30


@given(periods=st.integers(-5, 5))
def test_a_till_takes_the_periods_beside_its_own_and_no_others(periods: int) -> None:
    shown = totp.value(RFC_SECRET, int(NOW.timestamp()) // 30 + periods)
    found = totp.verify(shown, RFC_SECRET, NOW, None)
    assert (found is not None) is (abs(periods) <= totp.WINDOW)


def test_a_number_is_good_once_and_no_older_one_after_it() -> None:
    present = int(NOW.timestamp()) // 30
    used = totp.verify(totp.value(RFC_SECRET, present), RFC_SECRET, NOW, None)
    assert used == present
    assert totp.verify(totp.value(RFC_SECRET, present), RFC_SECRET, NOW, used) is None
    assert totp.verify(totp.value(RFC_SECRET, present - 1), RFC_SECRET, NOW, used) is None
    later = NOW + timedelta(seconds=30)
    assert totp.verify(totp.value(RFC_SECRET, present + 1), RFC_SECRET, later, used) == present + 1


def test_junk_is_no_number() -> None:
    for junk in ("", "1234567", "123456789", "１２３４５６７８", "12 45678", "abcdefgh"):
        assert totp.verify(junk, RFC_SECRET, NOW, None) is None


def test_each_pass_has_a_secret_of_its_own_for_life() -> None:
    one = sample_identity()
    assert totp.secret(one) == totp.secret(replace(one, code="another"))
    assert len({totp.secret(one), totp.secret(replace(one, serial="x")), totp.secret(replace(one, token="x"))}) == 3
    other = pyotp.TOTP(__import__("base64").b32encode(totp.secret(one)).decode(), digits=8)
    assert totp.value(totp.secret(one), int(NOW.timestamp()) // 30) == other.at(NOW)


def test_the_pattern_is_read_back() -> None:
    code = sample_identity().code
    shown = totp.pattern(code).replace("{totp_value_0}", "01234567")
    assert totp.split(shown) == (code, "01234567")
    assert totp.split(code) == (code, None)
    assert totp.split(f"{code}*123") == (f"{code}*123", None)
