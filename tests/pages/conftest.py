"""Owns the fixtures of the page tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

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
