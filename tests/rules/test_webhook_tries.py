"""When a message is tried again, and what it is signed with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from wallet_server.errors import Invalid
from wallet_server.rules import webhooks as rules

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@given(st.floats(0, 1), st.timedeltas(timedelta(0), timedelta(hours=24)) | st.none())
def test_the_pauses_grow_and_end(jitter: float, asked: timedelta | None) -> None:
    pauses = [rules.next_try(tries, jitter, asked) for tries in range(1, len(rules.PAUSES) + 2)]
    assert pauses[-1] is None
    for pause, least in zip(pauses, rules.PAUSES, strict=False):
        assert pause is not None
        assert max(least, asked or least) <= pause <= max(least * (1 + rules.SPREAD), asked or least)


def test_what_an_address_asks_for_is_read() -> None:
    assert rules.retry_after("120", NOW) == timedelta(minutes=2)
    assert rules.retry_after("999999999", NOW) == timedelta(hours=24)
    assert rules.retry_after(format_datetime(NOW + timedelta(hours=1), usegmt=True), NOW) == timedelta(hours=1)
    assert rules.retry_after(format_datetime(NOW - timedelta(hours=1)), NOW) == timedelta(0)
    for nonsense in (None, "", "soon", "-5", "1.5", "²", "Mon, 01 Jan 2026 00:00:00 +99999999999999999999"):
        assert rules.retry_after(nonsense, NOW) is None


def test_an_address_rests_ever_longer() -> None:
    rests = [rules.rest(failures) for failures in range(1, 40)]
    assert rests[: rules.FAILURES_TO_REST - 1] == [None] * (rules.FAILURES_TO_REST - 1)
    known = [rest for rest in rests if rest is not None]
    assert known == sorted(known)
    assert (known[0], known[-1]) == (rules.FIRST_REST, rules.LONGEST_REST)


@given(st.binary(min_size=24, max_size=64), st.text(max_size=50))
def test_the_signature_is_that_of_the_specification(secret: bytes, said: str) -> None:
    text = rules.body("evt_1", rules.COUNTED, NOW, "live", None, None, {"said": said})
    at = datetime.now(UTC)
    headers = rules.headers("evt_1", at, text, [b"x" * 32, secret])
    keeper = Webhook(rules.shown_secret(secret))
    assert keeper.verify(text, headers)["data"] == {"said": said}
    assert headers["webhook-signature"].split()[1] == keeper.sign("evt_1", at, text)


def test_events_are_known_by_their_names() -> None:
    assert rules.demand_kinds([]) == rules.KINDS
    assert rules.demand_kinds([rules.USED, rules.JOINED, rules.USED]) == (rules.JOINED, rules.USED)
    with pytest.raises(Invalid, match=r"no event sale\.made"):
        rules.demand_kinds(["sale.made"])
