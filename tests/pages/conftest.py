"""Owns the fixtures of the page tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.axe import source
from tests.chromium import ARGUMENTS, CHROMIUM
from tests.pages.bakery import Bakery, bakery_in, phone_near
from tests.pages.browsing import Open
from tests.pages.house import House, built


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One installation for all page tests, which keep apart by having members of their own."""
    with built(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture
def client(house: House) -> FlaskClient:
    """A browser without scripts that speaks English and follows no redirect."""
    client = house.app.test_client()
    client.environ_base.update({"HTTP_ACCEPT": "text/html", "HTTP_ACCEPT_LANGUAGE": "en"})
    return client


@pytest.fixture(scope="module")
def engine() -> Iterator[Playwright]:
    """What drives the browsers of a file of tests. It ends with them: while it lives, no event loop can be run beside
    it in this process, and other tests do that."""
    expect.set_options(timeout=20_000)
    with sync_playwright() as engine:
        yield engine


@pytest.fixture(scope="module")
def browser(engine: Playwright) -> Iterator[Browser]:
    """Chromium, headless; tests keep apart by having contexts of their own."""
    browser = engine.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def opened(browser: Browser, house: House) -> Open:
    """`with opened(locale="fr-FR", …) as page:` is a new visitor; `expected` are console errors that belong there. What
    the till keeps for a day without network stays out, unless `service_workers="allow"`: a test that loses answers on
    their way stands where that would be."""

    @contextmanager
    def open_page(*, expected: str = "\0", **options: Any) -> Iterator[Page]:
        context = browser.new_context(base_url=house.base, **{"locale": "en-GB", "service_workers": "block", **options})
        context.set_default_timeout(20_000)
        page = context.new_page()
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda sent: None if sent.url.startswith(house.base) else faults.append(f"asked {sent.url}"))
        yield page
        assert not [fault for fault in faults if expected not in fault]
        context.close()

    return open_page


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core; skips loudly where it cannot be had."""
    return source()


@pytest.fixture(scope="module")
def bakery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bakery]:
    with bakery_in(tmp_path_factory.mktemp("bakery")) as bakery:
        yield bakery


@pytest.fixture(scope="module")
def device(engine: Playwright, bakery: Bakery) -> Iterator[BrowserContext]:
    with phone_near(engine, bakery) as context:
        yield context
