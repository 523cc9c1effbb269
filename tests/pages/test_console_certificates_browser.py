"""Owns what is known about the page of certificates in a real browser: by keyboard, accessible, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, expect

from tests.axe import check
from tests.pages.browsing import NEEDS_CHROMIUM
from tests.pages.console import PASSWORD, hire
from tests.pages.house import House, built
from tests.pages.test_console_certificates import p12
from tests.pages.test_console_desk_browser import no_wider
from wallet_server.records.schema import credential_sets, staff
from wallet_server.sandbox.authority import Authority

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """An installation of this file's own: what signs its cards is changed here."""
    with built(tmp_path_factory.mktemp("house")) as house:
        yield house


def test_an_owner_brings_a_certificate_by_keyboard_and_is_told_what_is_wrong(
    browser: Browser, house: House, axe: str, tmp_path: Path
) -> None:
    portal = Authority.open(tmp_path / "portal", datetime.now(UTC))
    (tmp_path / "pass.p12").write_bytes(p12(portal, "pass.com.example.counter", b"geheim"))
    house.member()
    email = hire(house)
    with house.ctx.change() as tx:
        tx.execute(sa.update(staff).where(staff.c.email == email).values(language="fr"))
    context = browser.new_context(
        base_url=house.base, locale="fr-FR", viewport={"width": 360, "height": 740}, reduced_motion="reduce"
    )
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto("/console/sign-in?next=/console/certificates%3Flang%3Dfr")
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Certificats")
    no_wider(page)
    check(page, axe, both_schemes=True)
    page.set_input_files("#p12", tmp_path / "pass.p12")
    page.fill("#password", "faux")
    page.get_by_role("button", name="Vérifier et garder").focus()
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("ne s’ouvre pas")
    no_wider(page)
    check(page, axe, both_schemes=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.set_input_files("#p12", tmp_path / "pass.p12")
    page.fill("#password", "geheim")
    page.get_by_role("button", name="Vérifier et garder").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("en service")
    expect(page.get_by_role("heading", name="pass.com.example.counter")).to_be_visible()
    no_wider(page)
    check(page, axe, both_schemes=True)
    with house.ctx.change() as tx:
        tx.execute(sa.update(credential_sets).values(not_after=datetime(2026, 1, 1, tzinfo=UTC)))
    page.goto("/console/certificates?lang=en")
    expect(page.get_by_text("Over", exact=True).first).to_be_visible()
    check(page, axe, both_schemes=True)
    page.goto("/console/today?lang=en")
    expect(page.get_by_role("link", name="See the certificates")).to_be_visible()
    check(page, axe, both_schemes=True)
    context.close()
    assert not faults
