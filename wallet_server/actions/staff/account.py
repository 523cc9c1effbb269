"""Owns what people change about themselves: their language, their name, their password."""

from __future__ import annotations

from wallet_server.actions.context import Context
from wallet_server.actions.staff.person import Person
from wallet_server.records import staff


def speak(ctx: Context, person: Person, language: str) -> None:
    """Show the console in this language from now on."""
    with ctx.change() as tx:
        staff.change(tx, person.staff_id, {"language": language[:12]})
