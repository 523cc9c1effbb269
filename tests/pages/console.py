"""Owns signing in for tests of the console's pages."""

from __future__ import annotations

import functools
import re
import secrets

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.pages.house import House
from wallet_server.actions import keys
from wallet_server.actions.context import new_id
from wallet_server.actions.staff import passwords
from wallet_server.records.staff import staff

PASSWORD = "correct horse 77"
TOKEN = re.compile(r"<meta name=\"csrf\" content=\"([^\"]+)\">|name=csrf value='([^']+)'")


@functools.cache
def _hash() -> str:
    return passwords.hashed(PASSWORD)


def hire(house: House, role: str = "owner", merchant_key: str | None = None) -> str:
    """A new person of the house's merchant (or the stranger's, by its key); returns the address to sign in with."""
    scope = keys.authenticate(house.ctx, merchant_key or house.shop.merchant_key)
    email = f"{role}-{secrets.token_hex(4)}@example.com"
    with house.ctx.change() as tx:
        staff.add(
            tx,
            {
                "public_id": new_id("stf"),
                "account_id": scope.account_id,
                "merchant_id": scope.merchant_id,
                "email": email,
                "name": role.capitalize(),
                "role": role,
                "language": "en",
                "password_hash": _hash(),
                "created_at": house.ctx.now(),
            },
        )
    return email


def token_in(page: TestResponse) -> str:
    """The token that forms of this page carry."""
    found = TOKEN.search(page.get_data(as_text=True))
    assert found, page.get_data(as_text=True)[:500]
    return str(found.group(1) or found.group(2))


def sign_in(client: FlaskClient, house: House, role: str = "owner", merchant_key: str | None = None) -> str:
    """Sign this browser in as a new person of that role; returns the CSRF token of the session, which each POST of the
    console carries as the field `csrf`."""
    email = hire(house, role, merchant_key)
    path = "/console/sign-in"
    form = {"csrf": token_in(client.get(path)), "email": email, "password": PASSWORD}
    answer = client.post(path, data=form)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return token_in(client.get("/console/more"))
