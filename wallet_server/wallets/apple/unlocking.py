"""Owns opening what a stranger locked: in a process of its own, which may be stopped.

A .p12 or an encrypted key says itself how often its password is to be hashed. One that says two thousand million times
would hold this process, and every till behind it, for as long. So a child does it, told and answering through pipes
alone, and is ended when it takes too long. Whoever has the machine (the command line, the settings) needs none of this.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from wallet_server.wallets.apple.credentials import Finding
from wallet_server.wallets.apple.papers import Upload, open_p12

PATIENCE_SECONDS = 15.0
_FIELDS = ("certificate", "key", "p12", "wwdr", "password")
_SLOW = (
    "Opening this file takes longer than any export does: export it again with the usual settings of Keychain Access "
    "or `openssl pkcs12`."
)


def unlock(upload: Upload, seconds: float = PATIENCE_SECONDS) -> tuple[Upload, list[Finding]]:
    """The upload with nothing left to open, or why that could not be. What has no password to be opened with is left as
    it is, to be judged by `papers.examine`."""
    if not upload.p12 and upload.password is None:
        return upload, []
    told = json.dumps({name: base64.b64encode(getattr(upload, name) or b"").decode() for name in _FIELDS})
    command = [sys.executable, "-m", __name__]
    try:
        child = subprocess.run(command, input=told.encode(), capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return upload, [Finding("error", "too-slow", _SLOW)]
    if child.returncode != 0:
        return upload, [Finding("error", "too-slow", _SLOW)]
    answer = json.loads(child.stdout)
    opened = {name: base64.b64decode(answer["upload"][name]) for name in _FIELDS}
    password = opened.pop("password") or None
    return Upload(**opened, password=password), [Finding("error", code, text) for code, text in answer["findings"]]


def _opened(upload: Upload) -> tuple[Upload, list[Finding]]:
    findings: list[Finding] = []
    if upload.p12 and not (upload.certificate or upload.key):
        found = open_p12(upload.p12, upload.password, findings)
        if found is None:
            return upload, findings
        certificate, key, beside = found
        return Upload(certificate=b"".join((certificate, *beside)), key=key, wwdr=upload.wwdr), []
    if upload.key and upload.password is not None:
        load = load_pem_private_key if b"-----BEGIN" in upload.key else load_der_private_key
        try:
            private = load(upload.key, upload.password)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return upload, []
        if isinstance(private, rsa.RSAPrivateKey):
            plain = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            return replace(upload, key=plain, password=None), []
    return upload, []


def main() -> None:
    """The child: an upload as JSON comes in, and goes out opened."""
    told = {name: base64.b64decode(text) for name, text in json.load(sys.stdin).items()}
    password = told.pop("password") or None
    upload, findings = _opened(Upload(**told, password=password))
    body = {name: base64.b64encode(getattr(upload, name) or b"").decode() for name in _FIELDS}
    json.dump({"upload": body, "findings": [(one.code, one.sentence) for one in findings]}, sys.stdout)


if __name__ == "__main__":
    main()
