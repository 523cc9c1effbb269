"""What others make of our passes: OpenSSL of the signature, KDE's KPkPass of the file, passkit-generator of pass.json.

`scripts/foreign_readers.sh` fetches and builds the two readers into out/foreign; where one of them cannot be had, its
tests are skipped and say so.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from tests.wallets.conftest import authority, chain_file, credentials, designs, drawings
from tests.wallets.documents import BROKEN, KINDS, Document, broken, right
from tests.wallets.gallery import GALLERY
from tests.wallets.opened import Opened, open_pass, verify
from tests.wallets.samples import NOW, sample_identity
from wallet_server.rules.passes.card import Alert
from wallet_server.wallets.apple.credentials import Credentials
from wallet_server.wallets.apple.push import Bell
from wallet_server.wallets.apple.wallet import AppleWallet
from wallet_server.wallets.designs import Designs
from wallet_server.wallets.drawing import Drawings

__all__ = ["authority", "chain_file", "credentials", "designs", "drawings"]

ROOT = Path(__file__).parents[2]
READERS = ROOT / "out" / "foreign"
JUDGE = Path(__file__).parent / "foreign" / "judge.mjs"
HOW = "run scripts/foreign_readers.sh to have it"
SAMPLES = [f"{design}/{sample}" for design, cards in GALLERY.items() for sample in cards]
TYPES = {"storeCard": "StoreCard", "coupon": "Coupon", "eventTicket": "EventTicket", "generic": "Generic"}
KDE_FORMATS = {
    "PKBarcodeFormatQR": 1,
    "PKBarcodeFormatPDF417": 2,
    "PKBarcodeFormatAztec": 3,
    "PKBarcodeFormatCode128": 4,
}
SLOTS = ("header", "primary", "secondary", "auxiliary", "back")


@pytest.fixture(scope="module")
def bodies(designs: Designs, drawings: Drawings, credentials: Credentials) -> Mapping[str, bytes]:
    """Every shipped design, with every sample of a card, as it goes to a phone; each announces a change."""
    able = replace(credentials, nfc=True)
    wallet = AppleWallet(designs, drawings, lambda _: able, Bell())
    return {
        f"{design}/{sample}": wallet.issue(card, Alert("points", {}), sample_identity(), NOW).body
        for design, cards in GALLERY.items()
        for sample, card in cards.items()
    }


@pytest.mark.parametrize("sample", SAMPLES)
def test_openssl_verifies_signature_and_chain(
    bodies: Mapping[str, bytes], sample: str, chain_file: Path, tmp_path: Path
) -> None:
    verify(open_pass(bodies[sample]), chain_file, tmp_path, int(NOW.timestamp()))


# --- KDE -------------------------------------------------------------------------------------------------------


def kde(files: list[Path], language: str) -> list[dict[str, Any] | None]:
    """What KPkPass sees on a desktop in this language."""
    reader = READERS / "kpkpass"
    if not reader.exists():
        pytest.skip(f"KPkPass was not asked: {HOW}")
    command = [str(reader), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={"LANG": f"{language}.UTF-8"})
    assert done.returncode == 0, done.stderr
    seen: list[dict[str, Any] | None] = json.loads(done.stdout)
    return seen


@pytest.mark.parametrize("language", ["fr_FR", "en_GB"])
def test_kde_reads_every_shipped_design(bodies: Mapping[str, bytes], language: str, tmp_path: Path) -> None:
    files = []
    for number, sample in enumerate(SAMPLES):
        files.append(tmp_path / f"{number}.pkpass")
        files[-1].write_bytes(bodies[sample])
    for sample, seen in zip(SAMPLES, kde(files, language), strict=True):
        assert seen is not None, sample
        opened = open_pass(bodies[sample])
        style = next(style for style in TYPES if style in opened.document)
        assert seen["type"] == TYPES[style]
        assert list(_differences(opened, style, seen, language[:2])) == [], sample


def _differences(opened: Opened, style: str, seen: Mapping[str, Any], language: str) -> Iterator[object]:
    """What the desktop sees otherwise than a phone. KPkPass shows numbers as nothing, takes a void card for a living
    one, translates no text of a place, and none that has quotation marks or several lines; all that is its own."""
    document = opened.document
    for key in ("serialNumber", "passTypeIdentifier", "organizationName", "logoText"):
        if seen[key] != document.get(key, ""):
            yield key, seen[key]
    url = document.get("webServiceURL")
    update = f"{url}/v1/passes/{document['passTypeIdentifier']}/{document['serialNumber']}" if url else ""
    if seen["passUpdateUrl"] != update:
        yield seen["passUpdateUrl"]
    colours = [tuple(int(part) for part in document[f"{ink}Color"][4:-1].split(",")) for ink in _INKS]
    if [tuple(bytes.fromhex(seen[f"{ink}Color"][1:])) for ink in _INKS] != colours:
        yield "colours"
    if seen["expirationDate"] != document.get("expirationDate", ""):
        yield seen["expirationDate"]
    codes = [(KDE_FORMATS.get(one["format"], 0), one["message"]) for one in document["barcodes"]]
    if [(one["format"], one["message"]) for one in seen["barcodes"]] != codes:
        yield seen["barcodes"]
    said = [[p["latitude"], p["longitude"], p["relevantText"]] for p in _places(document)]
    if seen["locations"] != said:
        yield seen["locations"]
    for name, size in seen["pictures"].items():
        stem, scale = name.split("@")
        file = f"{stem}.png" if scale == "1" else f"{stem}@{scale}x.png"
        if opened.files[file][16:24] != b"".join(side.to_bytes(4, "big") for side in size):
            yield name, size
    if not {"icon@1", "icon@2", "icon@3"} <= seen["pictures"].keys():
        yield "icon"
    for slot in SLOTS:
        fields = document[style].get(f"{slot}Fields", [])
        if [field["key"] for field in fields] != [field["key"] for field in seen[slot]]:
            yield slot
        for field, shown in zip(fields, seen[slot], strict=True):
            if shown["label"] != opened.said(field.get("label", ""), language):
                yield field["key"], shown["label"]
            if not _same(field, shown["value"], opened, language):
                yield field["key"], shown["value"]


def _same(field: Mapping[str, Any], shown: Any, opened: Opened, language: str) -> bool:
    text = field.get("attributedValue", field["value"])
    if not isinstance(text, str):
        return bool(shown == "")
    if "dateStyle" in field:
        return datetime.fromisoformat(shown) == datetime.fromisoformat(text)
    told = opened.said(text, language)
    return bool(shown == told) or "\n" in text or '"' in text + told


_INKS = ("background", "foreground", "label")


def _places(document: Document) -> list[dict[str, Any]]:
    places: list[dict[str, Any]] = document.get("locations", [])
    return places


def test_kde_refuses_what_is_no_pass(tmp_path: Path) -> None:
    (tmp_path / "none.pkpass").write_bytes(b"PK\x05\x06" + bytes(18))
    assert kde([tmp_path / "none.pkpass"], "fr_FR") == [None]


# --- passkit-generator -----------------------------------------------------------------------------------------


def judged(documents: Mapping[str, Document]) -> dict[str, list[str]]:
    """What passkit-generator's schemas say of each document, with unknown keys refused."""
    node = which("node")
    if node is None or not (READERS / "node_modules" / "passkit-generator").is_dir():
        pytest.skip(f"passkit-generator was not asked: {HOW}")
    sent = json.dumps({name: _as_json(document) for name, document in documents.items()})
    command = [node, str(JUDGE), str(READERS)]
    done = subprocess.run(command, input=sent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    verdicts: dict[str, list[str]] = json.loads(done.stdout)
    assert verdicts.keys() == documents.keys()
    return verdicts


def _as_json(value: Any) -> Any:
    """What JSON cannot hold becomes null; Apple's old `barcode`, which these schemas do not know, is left out."""
    if isinstance(value, dict):
        return {key: _as_json(inner) for key, inner in value.items() if key != "barcode"}
    if isinstance(value, list):
        return [_as_json(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def test_passkit_generator_accepts_every_shipped_design(bodies: Mapping[str, bytes]) -> None:
    verdicts = judged({sample: open_pass(body).document for sample, body in bodies.items()})
    assert {name: said for name, said in verdicts.items() if said} == {}


def test_passkit_generator_accepts_every_right_document() -> None:
    assert judged({kind: right(kind) for kind in KINDS}) == {kind: [] for kind in KINDS}


BOTH_REFUSE = {
    "action", "action-place", "alignment", "altitude", "app-link", "apps", "barcode-caption", "barcode-format",
    "barcode-text", "barcodes", "beacon-number", "date-or-span", "date-style", "detector", "distance", "flag",
    "grouping", "key", "label", "logo-text", "no-row", "no-style", "not-a-number", "number-style", "relevant-text",
    "row", "semantic", "serial", "service", "style", "value",
}  # fmt: skip
"""Rules that these schemas have too, in each of the ways in which a document breaks them here."""
BOTH_REFUSE_ALSO = [
    ("storeCard", "storeURL", "unknown-key"),
    ("storeCard", "storeCard/middleFields", "unknown-key"),
    ("storeCard", "storeCard/headerFields/0/lable", "unknown-key"),
    ("storeCard", "storeCard/headerFields/0/key", "duplicate-key"),
    ("storeCard", "backgroundColor", "colour"),
    ("storeCard", "authenticationToken", "token"),
    ("storeCard", "locations/0/latitude", "latitude"),
    ("storeCard", "featuredActions/0/url", "action-link"),
]
"""Those that they have in part: at least one document of each is refused."""


def test_passkit_generator_refuses_what_it_also_has_a_rule_for() -> None:
    """Its schemas are laxer than a phone: it knows no 11th location, no row that is full, no %@."""
    names = [f"{number}: {kind} {path} {code}" for number, (kind, path, _, _, code) in enumerate(BROKEN)]
    sent = {
        name: broken(kind, path, value)
        for name, (kind, path, value, _, code) in zip(names, BROKEN, strict=True)
        if code != "unshowable"
    }
    verdicts = judged(sent)
    let = [name for name, one in zip(names, BROKEN, strict=True) if one[4] in BOTH_REFUSE and not verdicts[name]]
    assert let == []
    refused = {
        (kind, path, code) for name, (kind, path, _, _, code) in zip(names, BROKEN, strict=True) if verdicts.get(name)
    }
    assert refused >= set(BOTH_REFUSE_ALSO)
