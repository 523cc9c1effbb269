"""Owns the one error tree of the product: each child has a stable code and a sentence, and knows nothing of HTTP.

The codes are part of the public contract (docs/errors.md lists them; a test fails when one is missing there).
`wallet_server.web.problems` alone maps them to RFC 9457 problem details.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing wrong with an input: where (a path such as `lines.2.quantity`) and a sentence that says what to do."""

    path: str
    sentence: str


class WalletError(Exception):
    """Something was refused and nothing was changed. `code` is stable; `sentence` is for a person."""

    code = "refused"

    def __init__(
        self,
        sentence: str,
        *,
        code: str | None = None,
        field: str | None = None,
        faults: Sequence[Fault] = (),
        facts: Mapping[str, str | int | Sequence[str]] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code or type(self).code
        self.field = field
        self.faults = tuple(faults)
        self.facts = dict(facts or {})


class Invalid(WalletError):
    """The input has faults; all of them are listed at once."""

    code = "invalid"


class Unauthenticated(WalletError):
    """No key, or a key nobody issued."""

    code = "unauthenticated"


class Forbidden(WalletError):
    """The key is real but its scopes do not cover this."""

    code = "forbidden"


class NotFound(WalletError):
    """There is no such thing within the caller's scope (a stranger's object is not found either)."""

    code = "not-found"


class Conflict(WalletError):
    """The request contradicts what already stands (a key or receipt used for another body, an overspend)."""

    code = "conflict"


class TooMany(WalletError):
    """A limit was reached; `retry_after_seconds` says when it is worth trying again."""

    code = "too-many-requests"

    def __init__(self, sentence: str, *, retry_after_seconds: int, code: str | None = None) -> None:
        super().__init__(sentence, code=code)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(WalletError):
    """Nothing can be written just now (disk full, database locked or away); try again later."""

    code = "unavailable"
    retry_after_seconds = 5


class Misconfigured(WalletError):
    """A setting or a credential is wrong; the sentence says which and what to do."""

    code = "misconfigured"
