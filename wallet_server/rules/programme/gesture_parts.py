"""Owns gestures and privileges as a programme has them: what staff may give, within which budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wallet_server.rules.passes.card import Texts
from wallet_server.rules.programme.gesture_document import BudgetShape, GestureShape, PrivilegeShape
from wallet_server.rules.programme.program_parts import Amount, Privilege

Kind = Literal["points", "gift", "upgrade", "extra", "service"]
Whose = Literal["cashier", "member", "programme"]


@dataclass(frozen=True)
class Why:
    """A reason for a gesture."""

    id: str
    names: Texts


@dataclass(frozen=True)
class Budget:
    """The most within a span of the calendar: gestures, units and minor units of what they cost; None does not bound
    it."""

    whose: Whose
    window: Literal["day", "week", "month", "year", "ever"]
    count: int | None
    units: int | None
    cost_minor: int | None

    @property
    def name(self) -> str:
        """What it is called in the book of refusals: `cashier:week`."""
        return f"{self.whose}:{self.window}"


@dataclass(frozen=True)
class Gesture:
    """What staff may give. Of kind points exactly one of `units`, `off_minor` (off this bill) and `voucher`; a gift may
    be a voucher. `after` is an event of the member's and within how many days of it."""

    id: str
    names: Texts
    kind: Kind
    units: Amount | None
    off_minor: int | None
    voucher: str | None
    cost_minor: int
    reasons: tuple[Why, ...]
    when: str | None
    after: tuple[str, int] | None
    tiers: frozenset[str] | None
    budgets: tuple[Budget, ...]

    def reason(self, wanted: str | None) -> Why | None:
        """The reason of this id, the first where none is named; None where there is no such one."""
        return self.reasons[0] if wanted is None else next((one for one in self.reasons if one.id == wanted), None)


def privileges(shapes: Sequence[PrivilegeShape]) -> tuple[Privilege, ...]:
    """The privileges of a tier."""
    return tuple(Privilege(one.code, dict(one.names), one.colour.lower()) for one in shapes)


def budgets(shapes: Sequence[BudgetShape]) -> tuple[Budget, ...]:
    """Bounds, as written."""
    return tuple(Budget(one.whose, one.window, one.count, one.units, one.cost_minor) for one in shapes)


def gesture(shape: GestureShape, shown: str) -> Gesture:
    """What staff may give; units are of the currency that the card shows unless another is named."""
    return Gesture(
        id=shape.id,
        names=dict(shape.names),
        kind=shape.kind,
        units=None if shape.units is None else Amount(shape.currency or shown, shape.units),
        off_minor=shape.off_minor,
        voucher=shape.voucher,
        cost_minor=shape.cost_minor,
        reasons=tuple(Why(one.id, dict(one.names)) for one in shape.reasons),
        when=shape.when,
        after=None if shape.after is None else (shape.after.event, shape.after.days),
        tiers=None if shape.tiers is None else frozenset(shape.tiers),
        budgets=budgets(shape.budgets),
    )
