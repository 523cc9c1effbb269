"""Opens a .pkpass the way a phone does, with nothing of the product: zip, hashes, signature by the openssl program,
strings files by a parser of their own."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STRING = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(rf"\s*{_STRING}\s*=\s*{_STRING}\s*;", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


@dataclass(frozen=True)
class Opened:
    files: dict[str, bytes]

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.files["pass.json"].decode("utf-8"))
        return document

    def fields(self) -> dict[str, dict[str, Any]]:
        return {field["key"]: field for fields in self.document["storeCard"].values() for field in fields}

    def strings(self, language: str) -> dict[str, str]:
        return parse_strings(self.files[f"{language}.lproj/pass.strings"])

    def said(self, text: str, language: str) -> str:
        """What a phone in this language shows for a text of pass.json."""
        return self.strings(language).get(text, text) if f"{language}.lproj/pass.strings" in self.files else text


def open_pass(body: bytes) -> Opened:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(names) == len(set(names))
        files = {name: archive.read(name) for name in names}
    manifest = json.loads(files["manifest.json"])
    assert manifest == {
        name: hashlib.sha1(content, usedforsecurity=False).hexdigest()
        for name, content in files.items()
        if name not in ("manifest.json", "signature")
    }
    return Opened(files)


def verify(opened: Opened, root: Path, folder: Path, at: int) -> None:
    """openssl checks the detached signature up to the root, at a moment in seconds since 1970."""
    (folder / "signature").write_bytes(opened.files["signature"])
    (folder / "manifest.json").write_bytes(opened.files["manifest.json"])
    for tool in ("smime", "cms"):
        command = ["openssl", tool, "-verify", "-inform", "DER", "-in", "signature", "-content", "manifest.json"]
        command += ["-CAfile", str(root), "-purpose", "any", "-binary", "-attime", str(at), "-out", "verified"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        assert (folder / "verified").read_bytes() == opened.files["manifest.json"]


def parse_strings(raw: bytes) -> dict[str, str]:
    assert raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = raw.decode("utf-16")
    found: dict[str, str] = {}
    position = 0
    while position < len(text) and text[position:].strip():
        line = _LINE.match(text, position)
        assert line, f"not a strings file at {text[position : position + 60]!r}"
        key, value = (re.sub(r"\\(.)", lambda m: _ESCAPES[m[1]], part, flags=re.DOTALL) for part in line.groups())
        assert key not in found
        found[key] = value
        position = line.end()
    return found
