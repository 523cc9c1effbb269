"""Owns what people change about themselves: their language and their name."""

from __future__ import annotations

from wallet_server.actions.context import Context
from wallet_server.actions.staff import sign_in
from wallet_server.actions.staff.person import Person, checked_name
from wallet_server.records.staff import staff


def speak(ctx: Context, person: Person, language: str) -> None:
    """Show the console in this language from now on."""
    with ctx.change() as tx:
        staff.change(tx, person.staff_id, {"language": language[:12]})


def rename(ctx: Context, person: Person, name: str) -> None:
    """Be called this from now on. Raises `Invalid` (`bad-name`)."""
    plain = checked_name(name)
    with ctx.change() as tx:
        staff.change(tx, person.staff_id, {"name": plain})


def confirm(ctx: Context, person: Person, password: str, address: str) -> None:
    """Give one's password once more, before something that matters; who has none (passkeys alone) need not.

    Raises `Invalid` (`wrong-password`).
    """
    with ctx.look() as tx:
        row = staff.by_id(tx, person.staff_id)
    if row.password_hash is not None:
        sign_in.confirm(ctx, row, password, address)
