"""Owns what a signed-in person is to the product: a name, a role, and the scope that the role gives."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from wallet_server.actions.staff.roles import SCOPES
from wallet_server.errors import Invalid
from wallet_server.records.scope import Scope
from wallet_server.records.staff.staff import StaffRow

EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\.[^@\s\x00-\x1f\x7f]+")
MOST_EMAIL, MOST_NAME = 320, 200


@dataclass(frozen=True)
class Person:
    """Somebody who has signed in; `scope` is what the role may touch and names this session in `key_id`."""

    staff_id: int
    public_id: str
    name: str
    email: str
    role: str
    language: str
    merchant: str
    scope: Scope


def person_of(row: StaffRow, session: str) -> Person:
    """The person behind a row, speaking through a session."""
    scope = Scope(
        account_id=row.account_id,
        merchant_id=row.merchant_id,
        principal=f"staff:{row.public_id}",
        key_id=session,
        issuer_mark=row.issuer_mark,
        scopes=SCOPES.get(row.role, frozenset()),
        zone=row.zone,
    )
    return Person(row.id, row.public_id, row.name, row.email, row.role, row.language, row.merchant, scope)


def normal_email(text: str) -> str:
    """An address as it is stored and compared."""
    return unicodedata.normalize("NFKC", text).strip().casefold()[:MOST_EMAIL]


def checked_email(text: str) -> str:
    """The same of an address that is to be stored. Raises `Invalid` (`bad-email`)."""
    email = normal_email(text)
    if not EMAIL.fullmatch(email):
        raise Invalid("Write the address like name@example.com.", code="bad-email", field="email")
    return email


def checked_name(text: str, field: str = "name") -> str:
    """A name as it is stored. Raises `Invalid` (`bad-name`)."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(name) <= MOST_NAME or not name.isprintable():
        raise Invalid(f"Give a name of at most {MOST_NAME} characters.", code="bad-name", field=field)
    return name
