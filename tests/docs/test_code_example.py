"""The lines that verify a code without a network, as the paper on scanning has them, verify ours and no other."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wallet_server.rules.counter import codes

PAPER = Path(__file__).parents[2] / "docs" / "scanning.md"


def test_ten_lines_verify_a_code() -> None:
    found = re.findall(r"```python\n(.*?)```", PAPER.read_text("utf-8"), re.DOTALL)
    (lines,) = (one for one in found if "def verify" in one)
    names: dict[str, Any] = {}
    exec(lines, names)  # noqa: S102 - the very lines that are printed
    verify: Callable[[str, dict[str, str]], None] = names["verify"]
    private = Ed25519PrivateKey.generate()
    public = base64.urlsafe_b64encode(private.public_key().public_bytes_raw()).rstrip(b"=").decode()
    code = codes.under(codes.first("7K3QZD", "4MJ8K2V9QH0TXW3E"), "A7")
    text = codes.write(codes.with_signature(code, private.sign(codes.signed_bytes(code))))
    verify(text, {"A7": public})
    with pytest.raises(InvalidSignature):
        verify(text.replace("7K3QZD", "7K3QZE"), {"A7": public})
