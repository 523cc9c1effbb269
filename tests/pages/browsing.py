"""Owns what the page tests do in a real browser: which one, and how a keyboard and a scanner reach a page."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"
]  # fmt: skip
NEEDS_CHROMIUM = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
Open = Callable[..., Any]


def scan(page: Page, text: str) -> None:
    """A wedge scanner: types into what has the focus, then Enter."""
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def tab_to(page: Page, name: str) -> None:
    """Reach a control as a keyboard does."""
    for _ in range(30):
        page.keyboard.press("Tab")
        text = "document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent"
        if page.evaluate(text).strip() == name:
            return
    raise AssertionError(f"{name} is not reached by Tab")


def answer(page: Page, text: str) -> None:
    expect(page.locator("#answer")).to_contain_text(text)
