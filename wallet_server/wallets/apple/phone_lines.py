"""Owns what the lines mean that phones write into a server's log, as far as the field knows their wording, and what of
them a person may see.

Apple documents the request (`POST /v1/log`) and no wording: the texts below are those that people have reported. What
is not known stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Meaning = Literal[
    "authentication",
    "invalid-pass",
    "server-error",
    "refused",
    "unreachable",
    "no-last-modified",
    "ignored-since",
    "unregistered-serial",
    "same-tag",
    "unchanged",
    "unknown",
]


@dataclass(frozen=True)
class Read:
    """What a line says: its meaning, the HTTP status that it names (None where it names none), and what the phone was
    at ("register", "unregister", "list", "get"; empty where it does not say)."""

    meaning: Meaning
    status: int | None
    task: str


_STATUS = re.compile(r"[Uu]nexpected response code (\d{3})")
_TASKS = (
    ("register", re.compile(r"\bRegister task\b", re.IGNORECASE)),
    ("unregister", re.compile(r"\bUnregister task\b", re.IGNORECASE)),
    ("list", re.compile(r"\bGet serial #s task\b|'What changed\?'", re.IGNORECASE)),
    ("get", re.compile(r"\bGet pass task\b|returned the pass data", re.IGNORECASE)),
)
_WORDINGS: tuple[tuple[Meaning, re.Pattern[str]], ...] = (
    ("authentication", re.compile(r"authentication failure", re.IGNORECASE)),
    ("invalid-pass", re.compile(r"invalid pass data|pass data (is|was) invalid|\bsignatures?\b", re.IGNORECASE)),
    ("no-last-modified", re.compile(r"did not provide a '?last-modified", re.IGNORECASE)),
    ("ignored-since", re.compile(r"ignored the '?if-modified-since", re.IGNORECASE)),
    ("unregistered-serial", re.compile(r"update requested for unregistered serial", re.IGNORECASE)),
    ("same-tag", re.compile(r"lastUpdated tag .*remained the same", re.IGNORECASE)),
    ("unchanged", re.compile(r"requested update to serial number .*unchanged", re.IGNORECASE)),
    (
        "unreachable",
        re.compile(
            r"\btimed? ?out\b|could not connect|cannot connect|network connection was lost|hostname could not be found|"
            r"\bsecure connection\b|\bTLS\b|\bSSL\b|\boffline\b",
            re.IGNORECASE,
        ),
    ),
)


def read(line: str) -> Read:
    """The meaning of one line; `unknown` for a wording that nobody has explained."""
    line = _wording(line)
    task = next((name for name, pattern in _TASKS if pattern.search(line)), "")
    found = _STATUS.search(line)
    if found is not None:
        status = int(found.group(1))
        if status == 401:
            return Read("authentication", status, task)
        return Read("server-error" if status >= 500 else "refused", status, task)
    for meaning, pattern in _WORDINGS:
        if pattern.search(line):
            return Read(meaning, None, task)
    return Read("unknown", None, task)


def _wording(line: str) -> str:
    """The line without the names and addresses that it quotes: a merchant's may hold any word."""
    for pattern in _QUOTED:
        line = pattern.sub(VEIL, line)
    return _IN_QUOTES.sub(lambda found: found[0] if _OF_THE_WORDING.fullmatch(found[1]) else VEIL, line)


VEIL = "…"
_NAME = re.compile(r"[0-9A-Za-z_-]+")
_SERIAL = re.compile(r"\bserial number '?([0-9A-Za-z_-]+)", re.IGNORECASE)
_SAID_SECRETS = (
    re.compile(r"(?<=\bdevice )[^\s,;()]+(?=[,;)])", re.IGNORECASE),
    re.compile(r"(?<=/devices/)[^/\s]+", re.IGNORECASE),
    re.compile(r"(?<=\bApplePass )\S+|(?<=\bAndroidPass )\S+", re.IGNORECASE),
)
_QUOTED = (
    re.compile(r"\b[a-z]+://[^\s,;()'\"”]+", re.IGNORECASE),
    re.compile(r"(?<=\bpass type )[^\s,;()]+|(?<=\bserial number )[^\s,;()]+", re.IGNORECASE),
    *_SAID_SECRETS,
    re.compile(r"(?<![\w-])[\w-]+(?:\.[\w-]+)+"),  # a pass type, a host
)
_IN_QUOTES = re.compile(r"(?<!\w)['\"‘“]([^'\"’”]*)['\"’”](?!\w)")
_OF_THE_WORDING = re.compile(r"last-modified|if-modified-since|what changed\?", re.IGNORECASE)
_OPAQUE = re.compile(r"(?=[A-Za-z_-]*[0-9])(?=[0-9_-]*[A-Za-z])[0-9A-Za-z_-]{16,}|[0-9A-Za-z_-]{32,}")


def names(line: str) -> set[str]:
    """Whatever in a line may be a serial number or the name of a device."""
    return set(_NAME.findall(line))


def serials(line: str) -> set[str]:
    """The serial numbers that a line calls so."""
    return set(_SERIAL.findall(line))


def veiled(line: str, own: str, secrets: Collection[str]) -> str:
    """The line as a person may see it: of its serial numbers and names, `own` alone stands. `secrets` are those that
    are known; whatever is called a device, another serial number or a token, or looks like one, goes as well."""
    for secret in sorted(set(secrets) - {own}, key=len, reverse=True):
        line = re.sub(rf"(?<![0-9A-Za-z_-]){re.escape(secret)}(?![0-9A-Za-z_-])", VEIL, line)
    for pattern in (_SERIAL, *_SAID_SECRETS, _OPAQUE):
        line = pattern.sub(lambda found: _without(found, own), line)
    return line


def _without(found: re.Match[str], own: str) -> str:
    secret = found[found.lastindex or 0]
    return found[0] if secret == own else found[0].removesuffix(secret) + VEIL
