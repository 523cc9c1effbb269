"""Owns the header blocks of a push and of its answer: HPACK (RFC 7541) without a dynamic table, on either side.

A request is three constant pieces around its device token, each field a literal that nobody indexes. For answers the
client announces SETTINGS_HEADER_TABLE_SIZE 0, so there is no table that could go out of step: each block is read by
itself, and a block that refers to an entry that cannot exist ends the connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

LENGTH_DIGITS = 4  # bytes of a continued integer: more than any block that is let in can be long
FIELD_LIMIT = 64  # fields of one answer
REQUEST_LIMIT = 8_192  # bytes of one request's headers: every peer takes frames of 16,384
RETRY_AFTER_LIMIT = 86_400

_STATIC = HeaderTable.STATIC_TABLE  # RFC 7541, appendix A; entry 1 is at 0
_NAMES = {name: number for number, (name, _) in reversed(list(enumerate(_STATIC, 1)))}
_POST, _HTTPS, _AUTHORITY, _PATH = b"\x83", b"\x87", 1, 4
_KEPT_SECRET = frozenset((b"authorization",))


class BadBlock(Exception):
    """A header block that nobody may send: the connection cannot go on."""


class Template(NamedTuple):
    """What stands before and behind the token in the header block of each push, and the bytes of the whole block."""

    before: bytes
    behind: bytes
    size: int


def templates(authority: str, prefix: str, headers: Sequence[str], token_bytes: int) -> Template:
    """The block of a POST to `prefix` and a token of so many bytes. `headers` are "name: value" with names in lower
    case. Raises ValueError for one that cannot be sent."""
    path = prefix.encode("ascii")
    before = _POST + _HTTPS + _literal(b":authority", authority.encode("ascii"))
    before += _integer(_PATH, 4, 0x00) + _integer(len(path) + token_bytes, 7, 0x00) + path
    behind = b""
    for line in headers:
        name, _, value = line.partition(":")
        behind += _literal(name.strip().encode("ascii"), value.strip().encode("ascii"))
    size = len(before) + token_bytes + len(behind)
    if size > REQUEST_LIMIT:
        raise ValueError("the headers of a push are too long")
    return Template(before, behind, size)


def _literal(name: bytes, value: bytes) -> bytes:
    if any(byte < 0x20 or byte > 0x7E for byte in name + value) or name != name.lower():
        raise ValueError("a header has characters that no header may have")
    mark = 0x10 if name in _KEPT_SECRET else 0x00  # never indexed, or without indexing
    known = _NAMES.get(name)
    field = _integer(known, 4, mark) if known else bytes((mark,)) + _integer(len(name), 7, 0x00) + name
    return field + _integer(len(value), 7, 0x00) + value


def _integer(number: int, bits: int, mark: int) -> bytes:
    """RFC 7541, 5.1."""
    most = (1 << bits) - 1
    if number < most:
        return bytes((mark | number,))
    rest, out = number - most, bytearray((mark | most,))
    while rest >= 0x80:
        out.append(0x80 | rest & 0x7F)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def read(block: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of an answer's block. Raises `BadBlock`."""
    return list(_fields(block))


def _fields(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = count = 0
    while at < len(block):
        first = block[at]
        if first & 0x80:
            number, at = _number(block, at, 7)
            yield _entry(number)
        elif first & 0xE0 == 0x20:
            size, at = _number(block, at, 5)
            if size or count:
                raise BadBlock("a table was sized that may not be, or in the middle of a block")
            continue
        else:
            # With indexing or without is one: in a table of no size an entry is gone as soon as it is made (4.4).
            number, at = _number(block, at, 6 if first & 0x40 else 4)
            if number:
                name = _entry(number)[0]
            else:
                name, at = _text(block, at)
            value, at = _text(block, at)
            yield name, value
        count += 1
        if count > FIELD_LIMIT:
            raise BadBlock("an answer has too many headers")


def _entry(number: int) -> tuple[bytes, bytes]:
    if not 1 <= number <= len(_STATIC):
        raise BadBlock("a header refers to an entry that does not exist")
    return _STATIC[number - 1]


def _number(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """RFC 7541, 5.1."""
    most = (1 << bits) - 1
    number = block[at] & most
    at += 1
    if number < most:
        return number, at
    for digit in range(LENGTH_DIGITS):
        if at >= len(block):
            break
        byte = block[at]
        at += 1
        number += (byte & 0x7F) << 7 * digit
        if byte < 0x80:
            return number, at
    raise BadBlock("a number in a header block has no end")


def _text(block: bytes, at: int) -> tuple[bytes, int]:
    if at >= len(block):
        raise BadBlock("a header block ends in the middle")
    coded = block[at] & 0x80
    length, at = _number(block, at, 7)
    end = at + length
    if end > len(block):
        raise BadBlock("a header block ends in the middle")
    raw = block[at:end]
    if coded:
        try:
            raw = decode_huffman(raw)
        except HPACKDecodingError as fault:
            raise BadBlock("a header is coded wrongly") from fault
    return raw, end


def status_of(fields: Sequence[tuple[bytes, bytes]]) -> int:
    """The status of an answer, 100 to 599. Raises `BadBlock` where there is none, or more than one."""
    found = [value for name, value in fields if name == b":status"]
    if len(found) != 1 or len(found[0]) != 3 or not found[0].isdigit() or not b"100" <= found[0] <= b"599":
        raise BadBlock("an answer has no status")
    return int(found[0])


def retry_after(fields: Sequence[tuple[bytes, bytes]], at: datetime) -> int:
    """The seconds for which a server wants to be left alone, a day at most; 0 where it says nothing that can be read.
    `at` (UTC) is now. Source: RFC 9110, 10.2.3 (seconds, or a date)."""
    said = next((value for name, value in fields if name == b"retry-after"), b"").strip()
    if said.isdigit():
        return min(int(said[:10]), RETRY_AFTER_LIMIT)
    try:
        seconds = (parsedate_to_datetime(said.decode("ascii")) - at).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0
    return max(0, min(int(seconds), RETRY_AFTER_LIMIT))
