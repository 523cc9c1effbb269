"""The examples that verify a webhook do: the true message passes, a changed, an old and a foreign one do not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from wallet_server.rules import webhooks as rules

PAPER = (Path(__file__).resolve().parents[2] / "docs/webhooks.md").read_text("utf-8")
SECRET = bytes(range(32))
BODY = rules.body("evt_1", rules.COUNTED, datetime(2026, 11, 22, tzinfo=UTC), "live", None, None, {"é": 1})


def example(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAPER, re.MULTILINE | re.DOTALL)
    return str(found)


def cases() -> list[tuple[bool, str, dict[str, str], str]]:
    """Whether it is true, the secret, the headers, the body."""
    now = datetime.now(UTC)
    good, old = (rules.headers("evt_1", at, BODY, [b"o" * 32, SECRET]) for at in (now, now - timedelta(minutes=6)))
    mine = rules.shown_secret(SECRET)
    return [
        (True, mine, good, BODY),
        (True, rules.shown_secret(b"o" * 32), good, BODY),
        (False, mine, good, BODY + " "),
        (False, mine, {**good, "webhook-id": "evt_2"}, BODY),
        (False, mine, old, BODY),
        (False, rules.shown_secret(b"x" * 32), good, BODY),
    ]


def test_the_python_example() -> None:
    space: dict[str, Any] = {}
    exec(compile(example("python"), "docs/webhooks.md", "exec"), space)  # noqa: S102 - our own paper
    for true, secret, headers, body in cases():
        assert space["verify"](secret, headers, body.encode()) is true


def test_the_javascript_example() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node here")
    given = [[secret, headers, body] for _, secret, headers, body in cases()]
    script = f"{example('javascript')}\nconst given = {json.dumps(given)};\n"
    script += "console.log(JSON.stringify(given.map(([s, h, b]) => verify(s, h, Buffer.from(b)))));"
    said = subprocess.run([node, "-e", script], capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(said.stdout) == [true for true, *_ in cases()]
