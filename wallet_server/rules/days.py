"""Owns how a day is written out: "6 décembre 2026", "6 December 2026"."""

from __future__ import annotations

from datetime import date

_MONTHS = {
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}


def day_text(day: date, tongue: str) -> str:
    """A day as the language writes it; `tongue` is one of those that sentences are spoken in."""
    number = "1er" if tongue == "fr" and day.day == 1 else str(day.day)
    return f"{number} {_MONTHS[tongue][day.month - 1]} {day.year}"
