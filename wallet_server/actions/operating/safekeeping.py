"""Owns safekeeping: a backup while the server runs, a restore that proves itself, a move to another database.

A backup is a zip with `manifest.json` and one part of JSON lines for each table; its form is that of
`records.operating.copying`, one for SQLite and PostgreSQL. The authority for https on the local network lies beside
them (`tls/`). Secrets stay sealed in it: the keys that open them are not inside.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol

import orjson

from wallet_server.actions.operating import local_tls, proofs
from wallet_server.errors import Conflict, Invalid, Misconfigured
from wallet_server.records import database
from wallet_server.records.database import Tx
from wallet_server.records.envelope import Keyring
from wallet_server.records.operating import copying
from wallet_server.records.operating.copying import Content, Shape, Tally
from wallet_server.settings import Settings

FORMAT = 1
MANIFEST = "manifest.json"
MOST_MANIFEST_BYTES = 1024 * 1024
MOST_LINE_BYTES = 64 * 1024 * 1024
MOST_FILE_BYTES = 64 * 1024
_SEALED_UNDER = re.compile(r"v1\.([a-z0-9]{1,12})\.")


class Watch(Protocol):
    """Hears how far a copy is: `begin` for each table with the rows to come (None: not known), then `row` by row."""

    def begin(self, table: str, rows: int | None) -> None: ...

    def row(self) -> None: ...


class Unwatched:
    """Nobody watches."""

    def begin(self, table: str, rows: int | None) -> None: ...

    def row(self) -> None: ...


@dataclass(frozen=True)
class Part:
    """One table of a backup: its shape, and what it holds."""

    shape: Shape
    content: Content


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself. `keys`: the ids of the secret keys that its secrets need, as far as it says.
    `https`: name to SHA-256 of the files of the authority for https, if there was one."""

    revision: str
    created_at: str
    source: str
    parts: tuple[Part, ...]
    keys: tuple[str, ...] = ()
    https: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of all tables together."""
        return sum(part.content.rows for part in self.parts)


# --- backup ----------------------------------------------------------------------------------------------------


def backup(settings: Settings, file: Path, now: datetime, watch: Watch | None = None) -> Manifest:
    """Write everything that the database holds into a new file (mode 0600), as it stood at one moment, and with it the
    authority for https, its key sealed.

    Raises `Conflict` when the file exists, `Unavailable` when the database does not answer or is damaged.
    """
    if file.exists():
        raise Conflict(f"{file} exists already; a backup never overwrites: give another name.", code="file-exists")
    half = file.with_name(file.name + ".partial")
    descriptor = os.open(half, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as handle:
            os.fchmod(handle.fileno(), 0o600)
            with copying.snapshot(settings.database, file) as tx:
                manifest = _write(tx, handle, now, watch or Unwatched(), local_tls.kept(settings))
            handle.flush()
            os.fsync(handle.fileno())
        os.link(half, file)  # unlike a rename, it refuses to take another file's place
    finally:
        half.unlink(missing_ok=True)
    return manifest


def _write(tx: Tx, handle: IO[bytes], now: datetime, watch: Watch, https: Mapping[str, bytes]) -> Manifest:
    revision = copying.revision(tx)
    if revision is None:
        raise Misconfigured("The database has no tables yet; there is nothing to back up.")
    parts, keys = [], set[str]()
    with zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for shape in copying.shapes(tx):
            watch.begin(shape.name, None)
            tally, sealed = Tally(), [n for n, (name, _) in enumerate(shape.columns) if name.endswith("cipher")]
            with archive.open(_part_name(shape.name), "w", force_zip64=True) as part:
                for row in copying.rows(tx, shape):
                    part.write(tally.line(row))
                    keys.update(m[1] for n in sealed if (m := _SEALED_UNDER.match(row[n] or "")))
                    watch.row()
            parts.append(Part(shape, tally.content()))
        for name, content in https.items():
            archive.writestr(_file_name(name), content)
            keys.update(m[1] for m in [_SEALED_UNDER.match(content.decode("latin-1"))] if m)
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in https.items()}
        manifest = Manifest(revision, now.isoformat(), tx.dialect.name, tuple(parts), tuple(sorted(keys)), digests)
        archive.writestr(MANIFEST, json.dumps(_manifest_facts(manifest), indent=1))
    return manifest


def _part_name(table: str) -> str:
    return f"tables/{table}.jsonl"


def _file_name(name: str) -> str:
    return f"tls/{name}"


def _manifest_facts(manifest: Manifest) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "revision": manifest.revision,
        "created_at": manifest.created_at,
        "source": manifest.source,
        "keys": list(manifest.keys),
        "https": dict(manifest.https),
        "tables": [
            {
                "name": part.shape.name,
                "columns": [list(column) for column in part.shape.columns],
                "key": list(part.shape.key),
                "rows": part.content.rows,
                "sha256": part.content.sha256,
            }
            for part in manifest.parts
        ],
    }


def read_manifest(archive: zipfile.ZipFile) -> Manifest:
    """Raises `Invalid` for a file that is no backup of this product, or of a later form."""
    try:
        with archive.open(MANIFEST) as part:
            facts = json.loads(part.read(MOST_MANIFEST_BYTES))
        if facts["format"] != FORMAT:
            raise Invalid("This backup was written by a newer version of the product: restore it with that version.")
        parts = [
            Part(
                Shape(str(t["name"]), tuple((str(n), str(k)) for n, k in t["columns"]), tuple(map(str, t["key"]))),
                Content(int(t["rows"]), str(t["sha256"])),
            )
            for t in facts["tables"]
        ]
        keys = tuple(map(str, facts.get("keys", ())))  # the first backups did not say
        https = {str(name): str(digest) for name, digest in facts.get("https", {}).items()}
        told = str(facts["revision"]), str(facts["created_at"]), str(facts["source"])
        return Manifest(*told, tuple(parts), keys, https)
    except (KeyError, ValueError, TypeError, AttributeError) as fault:
        raise Invalid("The file's manifest cannot be read: it is no backup of this product.") from fault


# --- restore ---------------------------------------------------------------------------------------------------


def restore(settings: Settings, file: Path, *, verify: bool = False, watch: Watch | None = None) -> Manifest:
    """Fill the configured database, which must be empty, with a backup, and migrate it to the newest revision.

    Everything is inserted in one transaction, so that a backup that is damaged or does not fit leaves nothing behind.
    With `verify` each table is also read back and compared before that transaction ends, and the secret keys must be
    here and open what is sealed; `proofs` does the rest. A database that holds this very backup already is compared
    and left as it is. The authority for https comes back too, unless one is here. Raises `Conflict` (`not-empty`, or a
    row that does not fit), `Invalid` for a file that is damaged or no backup, `Misconfigured` for keys that are not
    here; then nothing was restored.
    """
    watch = watch or Unwatched()
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = read_manifest(archive)
            keyring = _keyring(settings, manifest) if verify else None
            https = _files(archive, manifest)
            if keyring is not None and _holds(settings, manifest, watch):
                _put_back(settings, https)
                return manifest
            copying.bring_to(settings.database, manifest.revision)
            with copying.filling(settings.database) as tx:
                _insert_all(tx, archive, manifest, watch)
                if keyring is not None:
                    _compare(tx, manifest, watch)
                    _try_keys(tx, keyring)
    except FileNotFoundError as fault:
        raise Invalid(f"There is no file {file}.") from fault
    except (zipfile.BadZipFile, EOFError) as fault:
        raise Invalid(f"{file} is no backup, or is damaged ({fault}): nothing was restored.") from fault
    database.upgrade(settings.database)
    _put_back(settings, https)
    return manifest


def _files(archive: zipfile.ZipFile, manifest: Manifest) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name in (one for one in local_tls.KEPT if one in manifest.https):
        try:
            with archive.open(_file_name(name)) as part:
                found[name] = part.read(MOST_FILE_BYTES)
        except KeyError as fault:
            raise Invalid(f"The backup lacks its part {_file_name(name)}: nothing was restored.") from fault
        if hashlib.sha256(found[name]).hexdigest() != manifest.https[name]:
            sentence = f"The backup's part {_file_name(name)} is not what its manifest says: nothing was restored."
            raise Invalid(sentence)
    return found


def _put_back(settings: Settings, https: Mapping[str, bytes]) -> None:
    try:
        local_tls.put_back(settings, https)
    except OSError as fault:
        place = local_tls.folder(settings)
        raise Misconfigured(
            f"The database is restored, but the authority for https cannot be written to {place}: {fault}. Unpack the "
            f"folder tls of the backup, which is a zip, to {place}."
        ) from fault


def _keyring(settings: Settings, manifest: Manifest) -> Keyring:
    needed = f" It needs {', '.join(manifest.keys)}." if manifest.keys else ""
    if (missing := keys_missing(settings)) is not None:
        raise Misconfigured(f"{missing}{needed} Nothing was restored: then run the same command again.")
    keyring = Keyring.parse(settings.secret_keys or (settings.data_dir / "secret.keys").read_text("utf-8"))
    if absent := sorted(set(manifest.keys) - keyring.ids):
        sentence = f"The backup's secrets need the keys {', '.join(absent)}, which are not among the secret keys here"
        raise Misconfigured(f"{sentence}: add them. Nothing was restored: then run the same command again.")
    return keyring


def _try_keys(tx: Tx, keyring: Keyring) -> None:
    """Keys of two installations may bear one name: only what they open tells them apart."""
    some = copying.some_tokens(tx, proofs.SAMPLE)
    if some and not any(proofs.fits(keyring, one) for one in some):
        raise Misconfigured(
            "The secret keys here are not those of the old installation: they bear its names, but open none of the "
            "backup's secrets. Nothing was restored: put the right ones in their place and run the same command again."
        )


def _holds(settings: Settings, manifest: Manifest, watch: Watch) -> bool:
    """Whether the database is this backup already, row by row."""
    if not manifest.rows or copying.standing(settings.database)[0] != manifest.revision:
        return False
    with copying.still(settings.database) as tx:
        if _columns(copying.shapes(tx)) != _columns(part.shape for part in manifest.parts):
            return False
        return all(copying.content(tx, part.shape, watch.row) == part.content for part in manifest.parts)


def _columns(shapes: Iterable[Shape]) -> dict[str, dict[str, str]]:
    return {shape.name: dict(shape.columns) for shape in shapes}


def _insert_all(tx: Tx, archive: zipfile.ZipFile, manifest: Manifest, watch: Watch) -> None:
    here = {shape.name: shape for shape in copying.shapes(tx)}
    told = {part.shape.name: part for part in manifest.parts}
    if _columns(here.values()) != _columns(part.shape for part in manifest.parts):
        raise Invalid("The backup's tables are not those of its migration: it was changed, or is damaged.")
    for name in here:  # in the order of this database: referenced tables first
        part = told[name]
        watch.begin(name, part.content.rows)
        tally = Tally()
        with archive.open(_part_name(name)) as lines:
            try:
                copying.insert(tx, part.shape, _rows(lines, tally, watch))
            except ValueError as fault:
                raise Invalid(f"A row of {name} in the backup cannot be read: nothing was restored.") from fault
        if tally.content() != part.content:
            raise Invalid(f"The backup's part {name} is not what its manifest says: nothing was restored.")
    copying.set_sequences(tx)


def _rows(lines: IO[bytes], tally: Tally, watch: Watch) -> Iterator[copying.Row]:
    while line := lines.readline(MOST_LINE_BYTES):
        tally.count(line)
        watch.row()
        row = orjson.loads(line)
        if not isinstance(row, list):
            raise ValueError("a row is a list")
        yield row


def _compare(tx: Tx, manifest: Manifest, watch: Watch) -> None:
    for part in manifest.parts:
        watch.begin(f"{part.shape.name}, read back", part.content.rows)
        if copying.content(tx, part.shape, watch.row) != part.content:
            raise Conflict(f"The table {part.shape.name} reads back otherwise than it was written: nothing was kept.")


# --- move ------------------------------------------------------------------------------------------------------


def move(settings: Settings, url: str, watch: Watch | None = None) -> Manifest:
    """Copy the configured database into an empty one at another address and compare what stands there; the old one
    is left as it is. Raises as `restore` does."""
    watch = watch or Unwatched()
    if url == settings.database:
        raise Conflict("That is the database in use already; give the address of another, empty one.")
    with copying.still(settings.database) as source:
        revision = copying.revision(source)
        if revision is None:
            raise Misconfigured("The database in use has no tables yet; there is nothing to move.")
        copying.bring_to(url, revision)
        with copying.filling(url) as target:
            parts = [_carry_over(source, target, shape, watch) for shape in copying.shapes(source)]
            copying.set_sequences(target)
            manifest = Manifest(revision, "", source.dialect.name, tuple(parts))
            _compare(target, manifest, watch)
    database.upgrade(url)
    return manifest


def _carry_over(source: Tx, target: Tx, shape: Shape, watch: Watch) -> Part:
    watch.begin(shape.name, None)
    tally = Tally()

    def passing() -> Iterator[copying.Row]:
        for row in copying.rows(source, shape):
            tally.line(row)
            watch.row()
            yield row

    copying.insert(target, shape, passing())
    return Part(shape, tally.content())


# --- keys ------------------------------------------------------------------------------------------------------------


def where_keys_are(settings: Settings) -> str:
    """A sentence for whoever keeps a backup: without these keys it cannot be used."""
    if settings.secret_keys is not None:
        return "The secret keys are not inside: keep what WALLET_SECRET_KEYS (or its file) says, in another place."
    return f"The secret keys are not inside: keep {settings.data_dir / 'secret.keys'} too, in another place."


def keys_missing(settings: Settings) -> str | None:
    """What to do when there are no secret keys here yet; None when there are."""
    if settings.secret_keys is not None or (settings.data_dir / "secret.keys").is_file():
        return None
    return (
        f"There are no secret keys here: put the old installation's into {settings.data_dir / 'secret.keys'}, or into "
        "WALLET_SECRET_KEYS, before the server starts. A fresh key would open none of the stored secrets."
    )


def where_https_is(settings: Settings, manifest: Manifest) -> str:
    """A sentence for whoever restored: whether devices that trusted the old installation trust this one."""
    place = local_tls.folder(settings)
    here = {name: hashlib.sha256(content).hexdigest() for name, content in local_tls.kept(settings).items()}
    if not manifest.https:
        return "The backup holds no authority for https on the local network; if one is needed, a start makes it."
    if here == manifest.https:
        return f"The authority for https is in {place}: devices that trusted the old installation trust this one."
    return (
        f"An authority for https was in {place} already and was left as it is: devices that trusted the old "
        "installation must trust this one anew. To go on with the old one, stop the server, empty that folder and put "
        "there what the folder tls of the backup holds, which is a zip."
    )


def file_digest(file: Path) -> str:
    """SHA-256 (hex) of a file, for whoever wants to see that it arrived whole."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
