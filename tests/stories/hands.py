"""Owns how a person works a page: with a pointer, or by the keyboard alone, where whatever has the focus is seen."""

from __future__ import annotations

from typing import Any, Protocol

from playwright.sync_api import BrowserContext, FilePayload, Locator, Page

MOST_TABS = 150
RING_PIXELS = 2
MARK = """for (const kind of ["pointerdown", "mousedown", "touchstart"])
  addEventListener(kind, () => pointed(kind), true);"""
# What has the focus: whether it is the one that is wanted (or a radio button of its group), and what is wrong with how
# it shows. What only a script puts the focus on (a heading that is read out) needs no ring; the calendar's button in a
# field for a day has one of the browser's own.
LOOK = """(wanted, least) => {
  const here = document.activeElement;
  if (!here || here === document.body) return [false, ""];
  const found = here === wanted || (wanted.type === "radio" && here.type === "radio" && here.name === wanted.name);
  if (here.tabIndex < 0 || (here.type === "date" && !here.matches(":focus"))) return [found, ""];
  const told = fault => [found, `${fault}: ${here.outerHTML.slice(0, 160)}`];
  const around = [here, here.closest("label")].filter(Boolean);
  const rings = around.map(one => getComputedStyle(one)).filter(style => style.outlineStyle !== "none"
    && parseFloat(style.outlineWidth) >= least && !/^rgba.*, 0\\)$/.test(style.outlineColor));
  if (!here.matches(":focus-visible") || !rings.length) return told("the focus does not show");
  const box = around[around.length - 1].getClientRects()[0];
  const x = box ? (Math.max(0, box.left) + Math.min(innerWidth, box.right)) / 2 : -1;
  const y = box ? (Math.max(0, box.top) + Math.min(innerHeight, box.bottom)) / 2 : -1;
  const over = document.elementFromPoint(x, y);
  if (!over) return told("the focus is out of sight");
  if (!around.some(one => one.contains(over) || over.contains(one))) return told("something covers the focus");
  return [found, ""];
}"""

SKIPS = "wanted => document.activeElement.matches('a.skip') && wanted.closest('main') !== null"


class Hands(Protocol):
    """What somebody does on a page."""

    def types(self, where: Locator, text: str) -> None:
        """Write this into a field, in the place of what stands there."""

    def presses(self, what: Locator) -> None:
        """A button, a link, a box to tick."""

    def chooses(self, what: Locator) -> None:
        """One of several radio buttons."""

    def brings(self, where: Locator, file: FilePayload) -> None:
        """A file for a field that asks for one."""

    def goes(self, page: Page, part: str) -> None:
        """To another part of the console."""


class Pointer:
    """A mouse or a finger."""

    def __init__(self, base: str) -> None:
        self._base = base

    def types(self, where: Locator, text: str) -> None:
        where.fill(text)

    def presses(self, what: Locator) -> None:
        what.click()

    def chooses(self, what: Locator) -> None:
        what.check()

    def brings(self, where: Locator, file: FilePayload) -> None:
        where.set_input_files(file)

    def goes(self, page: Page, part: str) -> None:
        page.goto(f"{self._base}/console/{part}")


class Keyboard:
    """Tab, Enter, Space, the arrows and letters. Fails for a focus that is not seen, wherever one comes by; and `check`
    for a pointer that was used all the same."""

    def __init__(self) -> None:
        self.tabs = 0
        self._pointed: list[str] = []

    def watch(self, context: BrowserContext) -> None:
        """From now on it is noted when a pointer touches a page of this browser."""
        context.expose_function("pointed", self._note)
        context.add_init_script(MARK)

    def _note(self, kind: str) -> None:
        self._pointed.append(kind)

    def check(self) -> None:
        """No pointer was used."""
        assert self._pointed == []
        assert self.tabs > 0

    def types(self, where: Locator, text: str) -> None:
        self._reach(where)
        where.page.keyboard.press("ControlOrMeta+a")
        where.page.keyboard.type(text)

    def presses(self, what: Locator) -> None:
        self._reach(what)
        ticks = what.evaluate("one => one.type === 'checkbox'")
        what.page.keyboard.press("Space" if ticks else "Enter")

    def chooses(self, what: Locator) -> None:
        self._reach(what)
        for _ in range(10):
            if what.evaluate("one => one === document.activeElement"):
                what.page.keyboard.press("Space")
            if what.is_checked():
                return
            what.page.keyboard.press("ArrowDown")
        raise AssertionError("the arrows do not lead to this choice")

    def brings(self, where: Locator, file: FilePayload) -> None:
        with where.page.expect_file_chooser() as asked:
            self.presses(where)
        asked.value.set_files(file)

    def goes(self, page: Page, part: str) -> None:
        links = page.locator(f"header a[href$='/console/{part}']:visible")
        if not links.count():
            # What has no place of its own up there is led to by what there is to know today.
            self.goes(page, "today")
            links = page.locator(f"main a[href$='/console/{part}']:visible")
        self.presses(links.first)
        page.wait_for_url(f"**/console/{part}*")

    def _reach(self, what: Locator) -> None:
        what.wait_for()
        for _ in range(MOST_TABS):
            there, fault = self._look(what)
            assert not fault, f"{what.page.url}: {fault}"
            if there:
                return
            # Whoever works so all day jumps over what stands at the top of every page.
            what.page.keyboard.press("Enter" if what.evaluate(SKIPS) else "Tab")
            self.tabs += 1
        raise AssertionError(f"{what} is not reached by Tab on {what.page.url}")

    def _look(self, what: Locator) -> tuple[bool, str]:
        found: list[Any] = what.evaluate(LOOK, RING_PIXELS)
        return bool(found[0]), str(found[1])
