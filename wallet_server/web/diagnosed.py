"""Owns how a diagnosis reads: its sentence, its remedy and the time line, in the language and on the clock of whoever
asks; and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wallet_server.actions.passes.pass_doctor import Chart, Examined
from wallet_server.rules.passes.case import Event, Value
from wallet_server.rules.passes.diagnosis import Diagnosis
from wallet_server.rules.passes.reasons import bare
from wallet_server.web.console.wording import Wording
from wallet_server.web.rendering import Words


@dataclass(frozen=True)
class Sentence:
    """A diagnosis for a person: how bad it is (`level` names it, `word` says it), what is so, and what to do."""

    code: str
    level: str
    word: str
    says: str
    do: str


@dataclass(frozen=True)
class Moment:
    """A line of the time line; `ahead`: it is still to come."""

    at: datetime
    says: str
    ahead: bool


class Reader:
    """Reads charts out in one language (`words` are its texts), on one clock."""

    def __init__(self, words: Words, say: Wording) -> None:
        self._words, self._say = words, say

    def sentence(self, found: Diagnosis) -> Sentence:
        """What is so and what to do."""
        facts = self._facts(found.facts)
        says = self._text(f"{found.code}.says").format(**facts)
        do = self._text(f"{found.code}.do").format(**facts)
        return Sentence(found.code, found.level, self._text(f"levels.{found.level}"), says, do)

    def moment(self, event: Event, now: datetime) -> Moment:
        """One moment."""
        text = self._text(f"events.{event.code}").format(**self._facts(event.facts))
        return Moment(event.at, text, event.at > now)

    def sentences(self, card: Examined) -> list[Sentence]:
        """All that is to be said of a card, the worst first."""
        return [self.sentence(one) for one in card.diagnoses]

    def moments(self, card: Examined, now: datetime) -> list[Moment]:
        """The time line of a card."""
        return [self.moment(one, now) for one in card.timeline]

    def document(self, chart: Chart) -> dict[str, Any]:
        """The chart as JSON: stable codes with the facts behind them, and the sentences."""
        return {
            "member": chart.member,
            "at": chart.at.isoformat(),
            "cards": [self._card(card, chart.at) for card in chart.cards],
        }

    def _card(self, card: Examined, now: datetime) -> dict[str, Any]:
        found = [
            {
                "code": one.code,
                "level": one.level,
                "subject": one.subject,
                "sentence": sentence.says,
                "remedy": sentence.do,
                "facts": _plain(one.facts),
            }
            for one, sentence in zip(card.diagnoses, self.sentences(card), strict=True)
        ]
        told = [
            {"at": one.at.isoformat(), "code": one.code, "sentence": moment.says, "facts": _plain(one.facts)}
            for one, moment in zip(card.timeline, self.moments(card, now), strict=True)
        ]
        return {"pass": card.pass_id, "state": card.state, "diagnoses": found, "timeline": told}

    def _text(self, name: str) -> str:
        # By the name that the rules give; a code without words is a fault of ours, which a test finds first.
        text: str = self._words.doctor.of(name, "")
        return text or name

    def _facts(self, facts: Mapping[str, Value]) -> dict[str, str]:
        written = {name: self._written(value) for name, value in facts.items()}
        return written | {"why": bare(written["why"])} if "why" in written else written

    def _written(self, value: Value) -> str:
        if isinstance(value, datetime):
            return self._say.moment(value)
        return self._say.number(value) if isinstance(value, int) else value


def _plain(facts: Mapping[str, Value]) -> dict[str, str | int]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()}
