"""Owns the programmes that are shipped to begin with: published real ones, and those of the demonstration merchants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wallet_server import resources
from wallet_server.actions.programme.simulating import read_document
from wallet_server.errors import NotFound

PUBLISHED = ("voucher-400", "tens", "dispatch", "miles", "stamps-meal")
"""Those of real programmes, as they were published."""


@dataclass(frozen=True)
class Shipped:
    """A preset: what it is in a line, and the document as it is shipped, comments included."""

    name: str
    about: str
    text: str


def presets() -> tuple[str, ...]:
    """The names of all presets, the published programmes first."""
    found = sorted(file.stem for file in resources.presets().glob("*.toml"))
    return (*PUBLISHED, *(name for name in found if name not in PUBLISHED))


def shipped(name: str) -> Shipped:
    """A preset as it is shipped. Raises `NotFound` (`unknown-preset`)."""
    if name not in presets():
        raise NotFound(f"There is no preset {name}; there are {', '.join(presets())}.", code="unknown-preset")
    text = (resources.presets() / f"{name}.toml").read_text("utf-8")
    lines = [line.removeprefix("#").strip() for line in text.partition("\n\n")[0].splitlines()]
    return Shipped(name, " ".join(lines), text)


def preset(name: str) -> dict[str, Any]:
    """The document of a preset. Raises `NotFound` (`unknown-preset`)."""
    shipped(name)
    return read_document(resources.presets() / f"{name}.toml")
