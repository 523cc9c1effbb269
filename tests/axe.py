"""Owns the check of a page for accessibility: axe-core, fetched by npm, run in the page."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from playwright.sync_api import Page

AXE = "axe-core@4.10.3"
ALL = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FOUND = """async (only) => (await axe.run(document, {runOnly: only, resultTypes: ["violations"]})).violations
  .map(v => v.id + ' ' + v.nodes.map(n => n.html))"""


def source() -> str:
    """The source of axe-core, fetched once for all processes of the session; skips the test, loudly, where it cannot be
    had."""
    folder = Path(tempfile.gettempdir(), "axe")
    folder.mkdir(exist_ok=True)
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    with (folder / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not script.is_file():
            _fetch(folder)
    return script.read_text("utf-8")


def _fetch(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("THE PAGES WERE NOT CHECKED FOR ACCESSIBILITY: npm, which fetches axe-core, is missing")
    quiet = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"]
    command = [npm, "install", "--prefix", str(folder), *quiet, AXE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder)
    except subprocess.TimeoutExpired:
        pytest.skip("THE PAGES WERE NOT CHECKED FOR ACCESSIBILITY: npm did not fetch axe-core within a minute")
    if done.returncode:
        pytest.skip(f"THE PAGES WERE NOT CHECKED FOR ACCESSIBILITY: npm could not fetch axe-core: {done.stderr[-200:]}")


def violations(page: Page, axe: str, *, both_schemes: bool = True) -> list[str]:
    """What axe finds on this page, the contrast in light and dark: each rule with the elements that break it."""
    page.wait_for_selector('[aria-busy="true"]', state="detached")  # what is on its way is paler for a moment
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(axe)
    found: list[str] = []
    if both_schemes:
        page.emulate_media(color_scheme="dark")
        found += [f"in dark: {one}" for one in page.evaluate(FOUND, ["color-contrast"])]
        page.emulate_media(color_scheme="light")
    return found + [str(one) for one in page.evaluate(FOUND, ALL)]


def check(page: Page, axe: str, *, both_schemes: bool = True) -> None:
    """Fails with what axe finds on this page, the contrast in light and dark."""
    found = violations(page, axe, both_schemes=both_schemes)
    assert found == [], page.url
