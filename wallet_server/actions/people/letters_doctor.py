"""Owns what the doctor says of the channels to people: whether codes go out, and what became of the last ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from wallet_server.actions.context import Context
from wallet_server.actions.people import letters
from wallet_server.records import limits
from wallet_server.records.people import letters as letter_rows

WAYS = {"email": ("E-mail", "WALLET_SMTP_HOST"), "phone": ("Short messages", "WALLET_SMS_URL")}


@dataclass(frozen=True)
class Said:
    """One finding, in the levels of the doctor."""

    level: Literal["ok", "warning", "error"]
    sentence: str


def examine(ctx: Context) -> Iterator[Said]:
    """Knocks at each channel that is set up; sends nothing."""
    now = ctx.clock()
    with ctx.look() as tx:
        resting = limits.open_circuits(tx, now)
        counts = letter_rows.counts(tx, now - timedelta(days=1))
    for kind, (way, setting) in WAYS.items():
        channel = letters.channel_of(ctx, kind)
        if channel is None:
            yield Said("ok", f"{way}: not set up, so that no code goes out in this way ({setting}).")
            continue
        fault = channel.knock()
        rest = resting.get(letters.circuit(kind))
        lost = counts.get((kind, letter_rows.LATE), 0) + counts.get((kind, letter_rows.REFUSED), 0)
        sent = counts.get((kind, letter_rows.SENT), 0)
        if fault is not None:
            yield Said("error", f"{way}: no code goes out. {fault} Mend it, or the settings beside {setting}.")
        elif rest is not None:
            yield Said("warning", f"{way}: rests until {rest[0]:%H:%M} UTC ({rest[1]}); then it is tried again.")
        elif lost > sent:
            yield Said("warning", f"{way}: of the last day {sent} letters were taken and {lost} were not.")
        else:
            yield Said("ok", f"{way}: letters go out ({sent} in the last day).")
