"""Owns which goods of a sale come back: by line or by amount, never more than was paid; what is left is rated anew.

Amounts are what was paid for a line, deals deducted. What comes back of a line by quantity is worth its part of what is
left of the line, rounded half up, so that the last piece takes the rest; a bare amount is spread over the lines in
proportion to what is left of each, by largest remainder (of equal remainders the earlier line first). An amount takes
no pieces back, unless it is all that is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wallet_server.errors import Conflict, Fault, Invalid
from wallet_server.rules.baskets import Line


@dataclass(frozen=True)
class Part:
    """So much of line `number` of a sale (from 1): thousandths of a piece, money, and the tax within it."""

    number: int
    quantity_milli: int
    amount_minor: int
    tax_minor: int

    def __bool__(self) -> bool:
        return bool(self.quantity_milli or self.amount_minor or self.tax_minor)


@dataclass(frozen=True)
class Wish:
    """What is to come back of a line: some of its pieces, some of its money, or, with neither, all that is left."""

    number: int
    quantity_milli: int | None = None
    amount_minor: int | None = None


def paid(lines: Sequence[Line], state: Mapping[str, Any]) -> dict[int, Part]:
    """What was paid for each line of a sale, by its number: as sold, less what `state["deals"]` and `state["used"]`
    took off it, and as much of its tax."""
    off: dict[int, int] = {}
    for deal in (*state.get("deals", ()), *state.get("used", ())):
        for number, amount in deal.get("lines", {}).items():
            off[int(number)] = off.get(int(number), 0) + amount
    found = {}
    for number, line in enumerate(lines, 1):
        amount = line.amount_minor - off.get(number, 0)
        tax = line.tax_minor if amount == line.amount_minor else _share(line.tax_minor, amount, line.amount_minor)
        found[number] = Part(number, line.quantity_milli, amount, tax)
    return found


def left(paid_for: Mapping[int, Part], taken: Iterable[Part]) -> dict[int, Part]:
    """What is left of each line after what came back before."""
    rest = dict(paid_for)
    for part in taken:
        rest[part.number] = _less(rest[part.number], part)
    return rest


def _less(one: Part, part: Part) -> Part:
    return Part(
        one.number,
        one.quantity_milli - part.quantity_milli,
        one.amount_minor - part.amount_minor,
        one.tax_minor - part.tax_minor,
    )


def net_lines(lines: Sequence[Line], rest: Mapping[int, Part]) -> list[Line]:
    """The lines of a sale as far as they are left, to be rated; those that came back whole are gone."""
    return [
        line._replace(quantity_milli=part.quantity_milli, amount_minor=part.amount_minor, tax_minor=part.tax_minor)
        for number, line in enumerate(lines, 1)
        if (part := rest[number])
    ]


def of_all(rest: Mapping[int, Part]) -> list[Part]:
    """All that is left."""
    return [part for part in rest.values() if part]


def of_amount(rest: Mapping[int, Part], amount: int) -> list[Part]:
    """`amount` (> 0) of what is left of a sale, spread over its lines. Raises `Conflict` (`more-than-sold`)."""
    total = sum(part.amount_minor for part in rest.values())
    if amount > total:
        raise _too_much(amount, max(0, total))
    if amount == total:
        return of_all(rest)
    lines = [part for part in rest.values() if part.amount_minor > 0]
    whole = sum(part.amount_minor for part in lines)
    shares = {part.number: divmod(amount * part.amount_minor, whole) for part in lines}
    spare = amount - sum(share for share, _ in shares.values())
    # By the sort being stable: of equal remainders the earlier line first.
    more = {number for number, _ in sorted(shares.items(), key=lambda one: -one[1][1])[:spare]}
    parts = [_by_amount(part, shares[part.number][0] + (part.number in more)) for part in lines]
    return [part for part in parts if part]


def of_lines(rest: Mapping[int, Part], wishes: Sequence[Wish]) -> list[Part]:
    """What these wishes take of what is left. Raises `Invalid` (`unknown-line`, listing every fault) and `Conflict`
    (`more-than-sold`)."""
    _refuse_unknown(rest, wishes)
    parts = [_of_line(rest[wish.number], wish) for wish in wishes]
    amount, total = (sum(part.amount_minor for part in some) for some in (parts, rest.values()))
    if amount > max(0, total):
        # Goods that were taken back in the sale itself were paid out with the others.
        raise _too_much(amount, max(0, total))
    return parts


def _refuse_unknown(rest: Mapping[int, Part], wishes: Sequence[Wish]) -> None:
    faults, seen = [], set[int]()
    for place, wish in enumerate(wishes):
        if wish.number not in rest:
            why = f"This sale has no line {wish.number}; its lines are counted from 1 to {len(rest)}."
            faults.append(Fault(f"lines.{place}.number", why))
        elif wish.number in seen:
            faults.append(Fault(f"lines.{place}.number", f"Line {wish.number} stands here twice; send it once."))
        elif rest[wish.number].amount_minor < 0 or rest[wish.number].quantity_milli < 0:
            why = f"Line {wish.number} is goods that were taken back in the sale itself."
            faults.append(Fault(f"lines.{place}.number", why))
        seen.add(wish.number)
    if faults:
        raise Invalid(faults[0].sentence, code="unknown-line", field=faults[0].path, faults=faults)


def _of_line(one: Part, wish: Wish) -> Part:
    if not one:
        raise Conflict(
            f"Nothing is left of line {one.number}: it came back before.",
            code="more-than-sold",
            field="lines",
            facts={"line": one.number, "left": 0},
        )
    if wish.amount_minor is not None:
        if wish.amount_minor > one.amount_minor:
            raise _too_much(wish.amount_minor, one.amount_minor, one.number)
        return _by_amount(one, wish.amount_minor)
    if wish.quantity_milli is None or wish.quantity_milli == one.quantity_milli:
        return one
    if wish.quantity_milli > one.quantity_milli:
        have, asked = one.quantity_milli / 1000, wish.quantity_milli / 1000
        raise Conflict(
            f"Of line {one.number} {have:g} pieces are left, not {asked:g}.",
            code="more-than-sold",
            field="lines",
            facts={"line": one.number, "left_milli": one.quantity_milli},
        )
    amount = _share(one.amount_minor, wish.quantity_milli, one.quantity_milli)
    return Part(one.number, wish.quantity_milli, amount, _share(one.tax_minor, amount, one.amount_minor))


def _by_amount(one: Part, amount: int) -> Part:
    if amount == one.amount_minor:
        return one
    return Part(one.number, 0, amount, _share(one.tax_minor, amount, one.amount_minor))


def _share(whole: int, part: int, of: int) -> int:
    """`whole` in proportion of `part` to `of`, rounded half up by its magnitude."""
    if not of:
        return 0
    exact, sign = abs(whole) * abs(part) * 2 + abs(of), 1 if (whole < 0) == ((part < 0) != (of < 0)) else -1
    return sign * (exact // (2 * abs(of)))


def _too_much(asked: int, have: int, line: int | None = None) -> Conflict:
    of = "this sale" if line is None else f"line {line}"
    return Conflict(
        f"Of {of} {have} is left to give back, in the smallest unit of the currency, not {asked}.",
        code="more-than-sold",
        field="amount_minor" if line is None else "lines",
        facts={"left_minor": have} if line is None else {"line": line, "left_minor": have},
    )
