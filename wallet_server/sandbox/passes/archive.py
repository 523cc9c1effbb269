"""Owns the reading of a .pkpass as Wallet reads one: the archive, every hash, the signature, the required keys.

What Apple documents as required is refused when it is wrong. Where Apple's own builder only warns, so does nobody here.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wallet_server.sandbox.passes.signature import SignatureRefused, Signer, Trust
from wallet_server.sandbox.passes.wording import choose_language, parse_strings

STYLES = ("posterGeneric", "storeCard", "coupon", "eventTicket", "generic", "boardingPass")
FIELD_GROUPS = (
    "headerFields",
    "primaryFields",
    "secondaryFields",
    "auxiliaryFields",
    "backFields",
    "additionalInfoFields",
    "footerFields",
)
REQUIRED = ("passTypeIdentifier", "serialNumber", "teamIdentifier", "organizationName", "description")
MAX_PASS_BYTES = 10 * 1024 * 1024
MAX_FILES = 500
MAX_BUNDLED, MAX_BUNDLE_BYTES = 10, 150_000_000
MIN_TOKEN = 16
STRINGS = ".lproj/pass.strings"
_COLOUR = re.compile(r"\s*rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)\s*|\s*#(?:[0-9a-fA-F]{3}){1,2}\s*")
_BUNDLED = {"manifest.json", "signature"}


class PassRefused(Exception):
    """The phone does not take this file.

    `code` is stable: archive, missing, unlisted, hash, signature, identity or keys. The text says what is wrong.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Pass:
    """A verified pass. `digest` names its content: equal digests are the same pass, whenever they were signed.

    Pictures are read from the archive when somebody looks at them: thousands of phones keep only the packed file.
    """

    raw: bytes = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    names: frozenset[str] = field(repr=False)
    translations: Mapping[str, Mapping[str, str]] = field(repr=False)
    signer: Signer | None
    digest: str

    @property
    def pass_type(self) -> str:
        return str(self.document["passTypeIdentifier"])

    @property
    def serial(self) -> str:
        return str(self.document["serialNumber"])

    @property
    def web_service(self) -> str | None:
        """The base address without a slash at its end, or None for a pass that is never updated."""
        url = self.document.get("webServiceURL")
        return str(url).rstrip("/") if url else None

    @property
    def token(self) -> str:
        return str(self.document.get("authenticationToken", ""))

    @property
    def voided(self) -> bool:
        return self.document.get("voided") is True

    @property
    def style(self) -> str:
        """The style that is shown: posterGeneric before all others, as on iOS 27."""
        return next(name for name in STYLES if name in self.document)

    def fields(self, group: str) -> list[dict[str, Any]]:
        return list(self.document[self.style].get(group, ()))

    def all_fields(self) -> Iterator[dict[str, Any]]:
        """The fields of front and back of the shown style."""
        for group in FIELD_GROUPS:
            yield from self.fields(group)

    def strings(self, language: str) -> Mapping[str, str]:
        """The translations that a phone in `language` uses; empty when the pass has none for it."""
        chosen = choose_language(language, self.translations)
        return self.translations[chosen] if chosen else {}

    def image(self, name: str, language: str) -> bytes | None:
        """The sharpest picture of that name; one in the root hides localised ones of the same name, as on a phone."""
        path = self._image_path(name, language)
        if path is None:
            return None
        with zipfile.ZipFile(io.BytesIO(self.raw)) as archive:
            return archive.read(path)

    def has_image(self, name: str, language: str) -> bool:
        return self._image_path(name, language) is not None

    def _image_path(self, name: str, language: str) -> str | None:
        chosen = choose_language(language, {path.split(".lproj/")[0]: None for path in self.names if ".lproj/" in path})
        for folder in ("", f"{chosen}.lproj/") if chosen else ("",):
            for scale in ("@3x", "@2x", ""):
                path = f"{folder}{name}{scale}.png"
                if path in self.names:
                    return path
        return None


def open_bundle(raw: bytes) -> list[bytes]:
    """The passes in a .pkpasses, each as it is in there, none looked at. Raises PassRefused."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = archive.infolist()
            if not 1 <= len(entries) <= MAX_BUNDLED or sum(entry.file_size for entry in entries) > MAX_BUNDLE_BYTES:
                raise PassRefused("archive", "The bundle holds no pass, more than ten, or more than 150 MB.")
            if strange := [entry.filename for entry in entries if not entry.filename.endswith(".pkpass")]:
                raise PassRefused("unlisted", f"The bundle holds something that is no pass: {strange[0][:100]}")
            return [archive.read(entry) for entry in entries]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as fault:
        raise PassRefused("archive", f"The bundle is no zip archive: {fault}") from fault


def open_pass(raw: bytes, trust: Trust | None) -> Pass:
    """Read and verify a .pkpass. Raises PassRefused with the reason a developer would find in the device log.

    Without `trust` the signature is not looked at: for passes that were verified when they were installed, since an
    installed pass outlives the certificate that signed it.
    """
    files = _unpack(raw)
    manifest = files.get("manifest.json")
    if manifest is None or "signature" not in files or "pass.json" not in files:
        missing = [name for name in ("pass.json", "manifest.json", "signature") if name not in files]
        raise PassRefused("missing", f"The pass has no {', '.join(missing)} at the top of the archive.")
    _check_manifest(files, manifest)
    try:
        signer = trust.verify(manifest, files["signature"]) if trust else None
    except SignatureRefused as error:
        raise PassRefused("signature", f"The signature is not valid: {error}.") from error
    document = _json(files["pass.json"], "pass.json")
    _check_keys(document, files)
    if signer:
        _check_identity(document, signer)
    translations = {
        name.removesuffix(STRINGS): parse_strings(content) for name, content in files.items() if name.endswith(STRINGS)
    }
    return Pass(raw, document, frozenset(files), translations, signer, hashlib.sha256(manifest).hexdigest())


def _unpack(raw: bytes) -> dict[str, bytes]:
    if len(raw) > MAX_PASS_BYTES:
        raise PassRefused("archive", "The pass is larger than 10 MB.")
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_PASS_BYTES:
                raise PassRefused("archive", "The pass holds too many files or too much data.")
            for entry in entries:
                if entry.filename in files or ".." in entry.filename.split("/") or entry.filename.startswith("/"):
                    raise PassRefused("archive", f"The archive has a file it must not have: {entry.filename}.")
                files[entry.filename] = archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise PassRefused("archive", "The pass cannot be read because it isn't a valid archive.") from error
    return files


def _json(raw: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise PassRefused("keys", f"{name} is not JSON.") from error
    if not isinstance(value, dict):
        raise PassRefused("keys", f"{name} is not a JSON object.")
    return value


def _check_manifest(files: Mapping[str, bytes], manifest: bytes) -> None:
    listed = _json(manifest, "manifest.json")
    present = files.keys() - _BUNDLED
    if extra := sorted(present - listed.keys()):
        raise PassRefused("unlisted", f"The archive has files that the manifest does not list: {', '.join(extra)}.")
    if absent := sorted(listed.keys() - present):
        raise PassRefused("missing", f"The manifest lists files that are not in the archive: {', '.join(absent)}.")
    for name in present:
        if listed[name] != hashlib.sha1(files[name], usedforsecurity=False).hexdigest():
            raise PassRefused("hash", f"The SHA-1 of {name} is not the one in the manifest.")


def _check_identity(document: Mapping[str, Any], signer: Signer) -> None:
    if (document["passTypeIdentifier"], document["teamIdentifier"]) != (signer.pass_type, signer.team):
        raise PassRefused(
            "identity",
            f"Invalid data error reading pass {document['passTypeIdentifier']}/{document['serialNumber']}. The "
            "passTypeIdentifier or teamIdentifier provided may not match your certificate, "
            "or the certificate trust chain could not be verified.",
        )


def _check_keys(document: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """The first fault of pass.json as PassRefused; Wallet, too, stops at the first."""
    for fault in _key_faults(document, files):
        raise PassRefused("keys", fault)


def _key_faults(document: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[str]:
    if document.get("formatVersion") != 1 or isinstance(document["formatVersion"], bool):
        yield "formatVersion must be 1."
    for name in REQUIRED:
        if not isinstance(document.get(name), str) or not document[name]:
            yield f"{name} is required and must be a text."
    url, token = document.get("webServiceURL"), document.get("authenticationToken")
    if (url is None) != (token is None):
        yield "webServiceURL and authenticationToken must be given together."
    if url is not None and not (isinstance(url, str) and url.startswith(("https://", "http://"))):
        yield "webServiceURL must be a web address."
    if token is not None and not (isinstance(token, str) and len(token) >= MIN_TOKEN):
        yield f"authenticationToken must have at least {MIN_TOKEN} characters."
    if not any(re.fullmatch(r"(?:[^/]+\.lproj/)?icon(?:@[23]x)?\.png", name) for name in files):
        yield "icon.png is required."
    for name in ("backgroundColor", "foregroundColor", "labelColor", "stripColor"):
        if name in document and not (isinstance(document[name], str) and _COLOUR.fullmatch(document[name])):
            yield f"{name} must be written rgb(r, g, b)."
    for name in ("voided", "sharingProhibited", "suppressStripShine"):
        if name in document and not isinstance(document[name], bool):
            yield f"{name} must be true or false."
    yield from _style_faults(document)
    yield from _barcode_faults(document)


def _style_faults(document: Mapping[str, Any]) -> Iterator[str]:
    styles = [name for name in STYLES if name in document]
    if not styles:
        yield "the pass has no style (storeCard, coupon, ...)."
    seen: set[str] = set()
    for style in styles:
        if not isinstance(document[style], dict):
            yield f"{style} must be an object."
            return
        for group in FIELD_GROUPS:
            members = document[style].get(group, [])
            if not isinstance(members, list):
                yield f"{style}.{group} must be a list."
                return
            for member in members:
                yield from _field_faults(member, group, seen)


def _field_faults(member: object, group: str, seen: set[str]) -> Iterator[str]:
    if not isinstance(member, dict) or not isinstance(member.get("key"), str):
        yield f"each of {group} must be an object with a key."
        return
    key, value = member["key"], member.get("value")
    if key in seen:
        yield f"the field key {key} is used twice."
    seen.add(key)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        yield f"the field {key} has no value, or one that is neither text nor number."
    for name in ("label", "changeMessage", "attributedValue", "currencyCode", "numberStyle"):
        if name in member and not isinstance(member[name], str):
            yield f"{name} of the field {key} must be a text."
    if ("numberStyle" in member or "currencyCode" in member) and not isinstance(value, int | float):
        yield f"the field {key} has a number style, but its value is not a number."
    if "textAlignment" in member and group in ("primaryFields", "backFields"):
        yield f"textAlignment is not allowed on the field {key}."


def _barcode_faults(document: Mapping[str, Any]) -> Iterator[str]:
    codes = document.get("barcodes", [])
    if not isinstance(codes, list):
        yield "barcodes must be a list."
        return
    for code in [*codes, *([document["barcode"]] if "barcode" in document else [])]:
        if not isinstance(code, dict):
            yield "a barcode must be an object."
            return
        for name in ("format", "message", "messageEncoding"):
            if not isinstance(code.get(name), str):
                yield f"a barcode needs a {name}."
                return
        try:
            code["message"].encode(code["messageEncoding"])
        except (LookupError, UnicodeEncodeError):
            yield "the message of a barcode cannot be written in its messageEncoding."
