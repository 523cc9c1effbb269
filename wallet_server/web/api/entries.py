"""Owns how the entries of a write are told: what each moved, by which rule of which version, and why in a sentence; and
which rules gave nothing, and why not."""

from __future__ import annotations

from typing import Any

from wallet_server.actions.once import Facts
from wallet_server.rules import sentences
from wallet_server.rules.baskets import withheld as words
from wallet_server.rules.programme.program import Programme


def told(facts: Facts, programme: Programme, language: str) -> list[dict[str, Any]]:
    """The entries that a write booked; of one that was answered by an older server all are told of one version."""
    return [
        {
            **{name: entry[name] for name in ("id", "currency", "amount", "rule", "reason")},
            "version": entry.get("version", facts["version"]),
            "sentence": sentences.reason_sentence(entry["reason"], entry["params"], language, programme),
        }
        for entry in facts["entries"]
    ]


def withheld(facts: Facts, programme: Programme, language: str) -> list[dict[str, Any]]:
    """The rules that gave nothing for a sale or an event."""
    return [
        {**one, "sentence": words.sentence(one["rule"], one["why"], programme, language)}
        for one in facts.get("withheld", ())
    ]
