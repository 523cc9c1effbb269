"""Owns the page behind a save link, as plain as can be: what is about to be saved, or why that cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

_WRONG = "Something went wrong. Please try again."


def save_page(passes: Sequence[dict[str, Any]], fault: str) -> str:
    """HTML with the titles of the passes, or with Google's apology and, below it, the reason."""
    if fault:
        body = f"<h1>{_WRONG}</h1><p>{escape(fault)}</p>"
    else:
        rows = "".join(f"<li>{escape(_title(one))}</li>" for one in passes)
        button = '<form method="post"><button>Add</button></form>'
        body = f"<h1>Add to Google Wallet</h1><ul>{rows}</ul>{button}"
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Google Wallet (sandbox)</title>{body}</html>'


def _title(shown: dict[str, Any]) -> str:
    above = shown.get("classReference", {})
    words = (above.get(name) for name in ("programName", "title", "merchantName", "issuerName"))
    return str(next((word for word in words if word), shown.get("id", "")))
