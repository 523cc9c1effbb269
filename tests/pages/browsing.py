"""Owns what the page tests do in a real browser: how a keyboard and a scanner reach a page."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.chromium import CHROMIUM

NEEDS_CHROMIUM = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
Open = Callable[..., Any]
CONTROLS: dict[str, dict[str, Any]] = {
    "Enter": {"windowsVirtualKeyCode": 13, "key": "Enter", "code": "Enter", "text": "\r"},
    "Tab": {"windowsVirtualKeyCode": 9, "key": "Tab", "code": "Tab"},
}


def scan(page: Page, text: str) -> None:
    """A wedge scanner: types into what has the focus, then Enter."""
    strike(page, [*text, "Enter"])


STROKES = """(signs) => {
  const field = document.activeElement ?? document.body;
  let at = performance.now();
  for (const key of [...signs, "Enter"]) {
    const stroke = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
    Object.defineProperty(stroke, "timeStamp", { value: (at += 1) });  // however long this machine takes over them
    field.dispatchEvent(stroke);
  }
}"""


def present(page: Page, code: str) -> None:
    """A card before a scanner, once the till is done with what was before it: all strokes of its code at once, as the
    page hears them. The browser itself does nothing with them; `scan` really types, and a card's code is so long that
    this is two seconds of its work."""
    page.locator("[data-till]:not(.working)").wait_for(state="attached")
    page.evaluate(STROKES, list(code))


def strike(page: Page, keys: Sequence[str], stalls: int | None = None) -> None:
    """Keys struck 8 ms apart by their own times, however long this machine takes to pass them on; with half a second
    before the one that `stalls`."""
    session = page.context.new_cdp_session(page)
    struck = time.time()
    for number, key in enumerate(keys):
        late = 0.5 if stalls is not None and number >= stalls else 0.0
        stroke = {**CONTROLS.get(key, {"key": key, "text": key}), "timestamp": struck + number * 0.008 + late}
        session.send("Input.dispatchKeyEvent", {"type": "keyDown", **stroke})
        session.send("Input.dispatchKeyEvent", {"type": "keyUp", **stroke})
    session.detach()


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
