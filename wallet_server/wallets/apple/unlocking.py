"""Owns looking at what a stranger brings: in a process of its own, which may be stopped.

A .p12 or an encrypted key says itself how often its password is to be hashed, and a key how great its primes are. One
that says two thousand million times would hold this process, and every till behind it, for as long. So a child opens
and checks all of it, told and answering through pipes alone, and is ended when it takes too long. Whoever has the
machine (the command line, the settings) needs none of this.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from wallet_server.wallets.apple.credentials import Finding
from wallet_server.wallets.apple.papers import Papers, Upload, examine

PATIENCE_SECONDS = 15.0
_FIELDS = ("certificate", "key", "p12", "wwdr")
_PARTS = ("certificate", "key", "wwdr")
_SLOW = (
    "Opening this file takes longer than any export does: export it again with the usual settings of Keychain Access "
    "or `openssl pkcs12`."
)
_BUSY = "Another certificate is being looked at just now: send this one again in a few seconds."
_one_at_a_time = threading.Lock()
"""A child may use a whole processor: strangers get one, and wait for none, as that would hold a thread for each."""


def examine_apart(
    upload: Upload,
    now: datetime,
    *,
    known: Sequence[bytes] = (),
    sandbox: bool = False,
    intermediates: Collection[str] = (),
    seconds: float = PATIENCE_SECONDS,
) -> tuple[Papers | None, list[Finding]]:
    """What `papers.examine` says of an upload, without opening any of it in this process. Whatever fails in the child,
    or takes more than so many seconds there, is a finding: nothing is tried again here."""
    if not _one_at_a_time.acquire(blocking=False):
        return None, [Finding("error", "busy", _BUSY)]
    try:
        return _ask_child(_told(upload, now, known, sandbox, intermediates), seconds)
    finally:
        _one_at_a_time.release()


def _told(
    upload: Upload, now: datetime, known: Sequence[bytes], sandbox: bool, intermediates: Collection[str]
) -> bytes:
    told = {
        "upload": {name: _text(getattr(upload, name)) for name in _FIELDS},
        "password": None if upload.password is None else _text(upload.password),
        "now": now.isoformat(),
        "known": [_text(one) for one in known],
        "sandbox": sandbox,
        "intermediates": list(intermediates),
    }
    return json.dumps(told).encode()


def _ask_child(told: bytes, seconds: float) -> tuple[Papers | None, list[Finding]]:
    slow = Finding("error", "too-slow", _SLOW)
    command = [sys.executable, "-m", __name__]
    try:
        child = subprocess.run(command, input=told, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, [slow]
    if child.returncode != 0:
        return None, [slow]
    answer = json.loads(child.stdout)
    findings = [Finding(severity, code, sentence) for severity, code, sentence in answer["findings"]]
    papers = answer["papers"]
    return (None if papers is None else Papers(**{name: _bytes(papers[name]) for name in _PARTS})), findings


def _answer(told: dict[str, Any]) -> dict[str, Any]:
    parts = {name: _bytes(text) for name, text in told["upload"].items()}
    password = None if told["password"] is None else _bytes(told["password"])
    papers, findings = examine(
        Upload(**parts, password=password),
        datetime.fromisoformat(told["now"]),
        known=[_bytes(one) for one in told["known"]],
        sandbox=told["sandbox"],
        intermediates=told["intermediates"],
    )
    return {
        "papers": None if papers is None else {name: _text(getattr(papers, name)) for name in _PARTS},
        "findings": [(one.severity, one.code, one.sentence) for one in findings],
    }


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def main() -> None:
    """The child: an upload as JSON comes in, and its papers with the key opened go out."""
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
