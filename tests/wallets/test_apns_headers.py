"""Header blocks of pushes: written so that an independent library reads them, and read as it reads them or refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError
from hypothesis import assume, given
from hypothesis import strategies as st

from wallet_server.wallets.apple import apns_headers
from wallet_server.wallets.apple.apns_headers import BadBlock

NAMES = st.sampled_from([":status", "apns-id", "retry-after", "content-type", "x-unheard-of", "date"])
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)


def _without_table() -> Encoder:
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder


@given(st.lists(st.tuples(NAMES, VALUES), max_size=20), st.booleans())
def test_a_block_of_the_library_is_read_as_it_was_written(fields: list[tuple[str, str]], huffman: bool) -> None:
    block = _without_table().encode(fields, huffman=huffman)
    assert apns_headers.read(block) == [(name.encode(), value.encode()) for name, value in fields]


@pytest.mark.parametrize("length", [0, 1, 126, 127, 128, 254, 255, 256, 5_000])
@pytest.mark.parametrize("huffman", [False, True])
def test_a_header_of_any_length_is_read(length: int, huffman: bool) -> None:
    fields = [(":status", "400"), ("x" * max(1, length), "y" * length), ("apns-id", "z")]
    block = _without_table().encode(fields, huffman=huffman)
    assert apns_headers.read(block) == [(name.encode(), value.encode()) for name, value in fields]


@given(st.binary(max_size=80))
def test_a_block_is_read_as_the_library_reads_it_or_refused(block: bytes) -> None:
    theirs = Decoder()
    theirs.header_table_size = theirs.max_allowed_table_size = 0
    try:
        read = apns_headers.read(block)
    except BadBlock:
        return
    try:
        expected = theirs.decode(block, raw=True)
    except HPACKError:
        assume(False)  # it refuses some lengths of integers that the standard allows
    assert read == [(bytes(name), bytes(value)) for name, value in expected]


@given(VALUES, st.integers(1, 200))
def test_a_request_is_read_by_the_library_as_it_was_meant(value: str, digits: int) -> None:
    value = value.strip()
    lines = [f"apns-topic: {value}", "authorization: bearer a.b.c"]
    template = apns_headers.templates("h:1", "/taken?/3/device/", lines, 2 * digits)
    token = b"f0" * digits
    read = Decoder().decode(template.before + token + template.behind, raw=True)
    fields = [(bytes(name), bytes(content)) for name, content in read]
    assert fields[3:] == [
        (b":path", b"/taken?/3/device/" + token),
        (b"apns-topic", value.encode()),
        (b"authorization", b"bearer a.b.c"),
    ]


@pytest.mark.parametrize("line", ["apns-topic: a\r\nb", "Apns-Topic: a", "apns-topic: é", "x: " + "y" * 9_000])
def test_a_header_that_cannot_be_is_not_sent(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - a UnicodeEncodeError is one too
        apns_headers.templates("h", "/", [line], 64)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (b"120", 120),
        (b"9" * 5_000, 86_400),
        (b"Sun, 22 Nov 2026 12:01:00 GMT", 60),
        (b"Sun, 22 Nov 2026 11:00:00 GMT", 0),
        (b"soon", 0),
        (b"-5", 0),
        (b"\xff", 0),
        (b"", 0),
    ],
)
def test_a_rest_is_said_in_seconds_or_as_a_date(said: bytes, seconds: int) -> None:
    assert apns_headers.retry_after([(b"retry-after", said)], datetime(2026, 11, 22, 12, 0, tzinfo=UTC)) == seconds
