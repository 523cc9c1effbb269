"""Owns the port of every channel to people: a letter goes in, a verdict comes out; what is expected to fail is a value.

A letter may arrive twice (its answer was lost on the way), never not at all: each carries an id by which whoever takes
it can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Letter:
    """A message to one person. `id` is the same at each try; `sender` is the shop's name; `to` is an e-mail address or
    a number in E.164. A channel without subject and form sends `short`. `stop` is the address that ends such letters,
    where they are not of a kind that answers what was just asked for."""

    id: str
    to: str
    sender: str
    subject: str
    plain: str
    html: str
    short: str
    language: str
    stop: str = ""


@dataclass(frozen=True)
class Taken:
    """Whoever carries it on has it, under an id of theirs."""

    id: str


@dataclass(frozen=True)
class Later:
    """Not now: worth trying again after so long. `all_wait`: no other letter would fare better (the server is away, or
    does not let us in), so that the whole channel rests."""

    seconds: float
    why: str
    all_wait: bool = False


@dataclass(frozen=True)
class Refused:
    """Never: this address, or this letter, is not taken."""

    why: str


Verdict = Taken | Later | Refused


class Channel(Protocol):
    """A way to people; safe between threads. `kind` is that of the addresses that it reaches."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    def send(self, letter: Letter) -> Verdict:
        """Hand the letter over once, within a time of its own; never raises for what the network or the other side
        do."""
        ...

    def knock(self) -> str | None:
        """Go as far as one can without a letter; why nothing would be taken, None where it would."""
        ...
