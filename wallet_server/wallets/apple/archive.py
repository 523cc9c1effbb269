"""Owns the file format around a pass: a zip of stored entries and the manifest of their SHA-1 hashes.

Entries are stored, not deflated: PNGs do not shrink, and deflating the few kilobytes of text costs more time than
the whole rest of the build. Times in the zip are fixed, so equal input gives equal bytes. Images are packed once
into a block that is copied to the front of each pass.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION_NEEDED = 20
_MADE_BY_UNIX = (3 << 8) | 20
_DOS_DATE_1980 = 0x21
_REGULAR_FILE = 0o100644 << 16


@dataclass(frozen=True)
class Packed:
    """Files packed as the front of an archive: the entries, their directory and their part of the manifest."""

    names: frozenset[str]
    entries: bytes = field(repr=False)
    directory: bytes = field(repr=False)
    manifest: bytes = field(repr=False)


def pack(files: Mapping[str, bytes]) -> Packed:
    """Pack files that many passes share; ASCII names, in the order given."""
    entries, directory, manifest = _lay(tuple(files.items()), 0)
    return Packed(frozenset(files), b"".join(entries), b"".join(directory), b",".join(manifest))


def seal(front: Packed, files: Sequence[tuple[str, bytes]], sign: Callable[[bytes], bytes]) -> bytes:
    """The bytes of a .pkpass: the shared front, the pass's own files, the manifest over all of them and what `sign`
    makes of that manifest."""
    entries, directory, listed = _lay(files, len(front.entries))
    manifest = b"{%b}" % b",".join((front.manifest, *listed) if front.manifest else listed)
    offset = len(front.entries) + sum(map(len, entries))
    closing = (("manifest.json", manifest), ("signature", sign(manifest)))
    closing_entries, closing_directory, _ = _lay(closing, offset, hashed=False)
    index = b"".join((front.directory, *directory, *closing_directory))
    count = len(front.names) + len(files) + len(closing)
    start = offset + sum(map(len, closing_entries))
    end = _END.pack(b"PK\x05\x06", 0, 0, count, count, len(index), start, 0)
    return b"".join((front.entries, *entries, *closing_entries, index, end))


def _lay(
    files: Sequence[tuple[str, bytes]], offset: int, *, hashed: bool = True
) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Local entries, directory records and manifest lines of files laid out from `offset` on."""
    entries: list[bytes] = []
    directory: list[bytes] = []
    manifest: list[bytes] = []
    for name, content in files:
        path = name.encode("ascii")
        common = (_VERSION_NEEDED, 0, 0, 0, _DOS_DATE_1980, zlib.crc32(content), len(content), len(content), len(path))
        local = _LOCAL.pack(b"PK\x03\x04", *common, 0)
        entries += (local, path, content)
        directory += (_CENTRAL.pack(b"PK\x01\x02", _MADE_BY_UNIX, *common, 0, 0, 0, 0, _REGULAR_FILE, offset), path)
        if hashed:
            manifest.append(b'"%b":"%b"' % (path, hashlib.sha1(content, usedforsecurity=False).hexdigest().encode()))
        offset += len(local) + len(path) + len(content)
    return entries, directory, manifest
