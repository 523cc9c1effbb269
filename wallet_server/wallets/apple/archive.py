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

_END = struct.Struct("<4s4H2IH")
_VERSION_NEEDED = 20
_MADE_BY_UNIX = (3 << 8) | 20
_DOS_DATE_1980 = 0x21
_REGULAR_FILE = 0o100644 << 16
# A local header and a directory record share what is known of the content; the rest is the same for every file.
_LOCAL = struct.pack("<4s5H", b"PK\x03\x04", _VERSION_NEEDED, 0, 0, 0, _DOS_DATE_1980)
_CENTRAL = struct.pack("<4s6H", b"PK\x01\x02", _MADE_BY_UNIX, _VERSION_NEEDED, 0, 0, 0, _DOS_DATE_1980)
_ATTRIBUTES = struct.pack("<4HI", 0, 0, 0, 0, _REGULAR_FILE)
_ENTRY = struct.Struct(f"<{len(_LOCAL)}s3I2H")
_RECORD = struct.Struct(f"<{len(_CENTRAL)}s3IH{len(_ATTRIBUTES)}sI")


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


def bundle(bodies: Sequence[bytes]) -> bytes:
    """The bytes of a .pkpasses: these passes, stored as they are."""
    files = [(f"{number}.pkpass", body) for number, body in enumerate(bodies, 1)]
    entries, directory, _ = _lay(files, 0, hashed=False)
    start, index = sum(map(len, entries)), b"".join(directory)
    end = _END.pack(b"PK\x05\x06", 0, 0, len(files), len(files), len(index), start, 0)
    return b"".join((*entries, index, end))


def _lay(
    files: Sequence[tuple[str, bytes]], offset: int, *, hashed: bool = True
) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Local entries, directory records and manifest lines of files laid out from `offset` on."""
    entries: list[bytes] = []
    directory: list[bytes] = []
    manifest: list[bytes] = []
    for name, content in files:
        path = name.encode("ascii")
        size, length = len(content), len(path)
        check = zlib.crc32(content)
        entries += (_ENTRY.pack(_LOCAL, check, size, size, length, 0), path, content)
        directory += (_RECORD.pack(_CENTRAL, check, size, size, length, _ATTRIBUTES, offset), path)
        if hashed:
            digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            manifest.append(f'"{name}":"{digest}"'.encode())
        offset += _ENTRY.size + length + size
    return entries, directory, manifest
