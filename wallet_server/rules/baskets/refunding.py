"""Owns which goods of a sale come back, by line or by amount, never more than was paid, and what is left to be rated.

Pieces come back at the prices of the sale: of some of a line its part of what is left of it, rounded half up, so that
the last piece takes the rest. Deals are then worked out anew over what is left (a free piece whose others came back was
not free), and what was paid beyond that is given back. An amount is money alone: the pieces stay, unless it is all that
is left. A bare amount is spread over the lines in proportion to what is left of each, by largest remainder (of equal
remainders the earlier line first).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wallet_server.errors import Conflict, Fault, Invalid
from wallet_server.rules.baskets import bills, rating
from wallet_server.rules.baskets.baskets import Basket, Line, State
from wallet_server.rules.programme.program import Programme


@dataclass(frozen=True)
class Part:
    """So much of line `number` of a sale (from 1): thousandths of a piece, money, and the tax within it. Where pieces
    come back the money is at the prices of the sale; where none does it is what is given back."""

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


@dataclass(frozen=True)
class Sale:
    """A sale as it was rated: its lines as sold, the version that it was rated by, and what that used (`kept`)."""

    programme: Programme
    lines: tuple[Line, ...]
    at: datetime
    kept: Mapping[str, Any]

    @property
    def plain(self) -> bool:
        """Whether nothing came off it."""
        return not any(self.kept.get(name) for name in ("deals", "used"))


@dataclass(frozen=True)
class Left:
    """What is left of a sale: of each line at the prices of the sale (`goods`) and as it is paid for (`paid`); `less`
    is the money that was given back for lines whose pieces stayed. The basket and the state are to be rated."""

    goods: Mapping[int, Part]
    paid: Mapping[int, Part]
    less: Mapping[int, int]
    basket: Basket
    state: State

    @property
    def amount_minor(self) -> int:
        """What is to be paid for it."""
        return sum(part.amount_minor for part in self.paid.values())

    def __bool__(self) -> bool:
        return any(self.goods.values())


def left(sale: Sale, came_back: Sequence[Part] = ()) -> Left:
    """What is left after all that came back, in the order in which it did."""
    goods = {
        number: Part(number, line.quantity_milli, line.amount_minor, line.tax_minor)
        for number, line in enumerate(sale.lines, 1)
    }
    less = dict.fromkeys(goods, 0)
    for part in came_back:
        before = goods[part.number]
        if not part.quantity_milli and before.quantity_milli:
            less[part.number] += part.amount_minor
            continue
        goods[part.number] = after = _less(before, part)
        # What was given off the line goes with its pieces.
        gone = _share(less[part.number], part.amount_minor, before.amount_minor) if after else less[part.number]
        less[part.number] -= gone
    return _paid(sale, goods, less)


def _paid(sale: Sale, goods: Mapping[int, Part], less: Mapping[int, int]) -> Left:
    numbers = [number for number, part in goods.items() if part]
    lines = [
        sale.lines[number - 1]._replace(
            quantity_milli=goods[number].quantity_milli,
            amount_minor=goods[number].amount_minor,
            tax_minor=goods[number].tax_minor,
        )
        for number in numbers
    ]
    basket, state = rating.recall(sale.kept, lines, sale.at)
    if not sale.plain:
        used = sale.kept.get("used", ())
        lines = list(bills.reprice(sale.programme, basket, state, "deals" in sale.kept, used).lines)
    lines = [_given_off(line, less[number]) for number, line in zip(numbers, lines, strict=True)]
    paid = {
        number: Part(number, line.quantity_milli, line.amount_minor, line.tax_minor)
        for number, line in zip(numbers, lines, strict=True)
    }
    return Left(goods, paid, less, basket._replace(lines=lines), state)


def to_rate(rest: Left, held_minor: int) -> Basket:
    """What is left as it earns, where so much was paid for it and not given back. A price that is higher now (a deal
    that what is left would not have had) is asked of nobody, and so earns nothing: the lines bear what is missing in
    proportion to what they cost, by largest remainder (of equal remainders the earlier line first)."""
    missing = rest.amount_minor - held_minor
    whole = sum(max(0, line.amount_minor) for line in rest.basket.lines)
    if missing <= 0 or missing > whole:
        return rest.basket
    parts = [divmod(missing * max(0, line.amount_minor), whole) for line in rest.basket.lines]
    spare = missing - sum(part for part, _ in parts)
    more = set(sorted(range(len(parts)), key=lambda place: -parts[place][1])[:spare])
    lines = [
        _given_off(line, part + (place in more))
        for place, (line, (part, _)) in enumerate(zip(rest.basket.lines, parts, strict=True))
    ]
    return rest.basket._replace(lines=lines)


def _given_off(line: Line, off: int) -> Line:
    off = min(off, line.amount_minor)
    if off <= 0:
        return line
    tax = _share(line.tax_minor, line.amount_minor - off, line.amount_minor)
    return line._replace(amount_minor=line.amount_minor - off, tax_minor=tax)


def _less(one: Part, part: Part) -> Part:
    return Part(
        one.number,
        one.quantity_milli - part.quantity_milli,
        one.amount_minor - part.amount_minor,
        one.tax_minor - part.tax_minor,
    )


@dataclass(frozen=True)
class Back:
    """What comes back, and the money for it."""

    parts: tuple[Part, ...]
    amount_minor: int


def of_all(rest: Left, held_minor: int) -> Back:
    """All that is left; `held_minor` is what was paid and not given back yet."""
    return Back(tuple(part for part in rest.goods.values() if part), held_minor)


def of_amount(rest: Left, held_minor: int, amount: int) -> Back:
    """`amount` (> 0), spread over the lines. Raises `Conflict` (`more-than-sold`)."""
    total = min(held_minor, rest.amount_minor)
    if amount > total:
        raise _too_much(amount, max(0, total))
    if amount == held_minor:
        return of_all(rest, held_minor)
    lines = [part for part in rest.paid.values() if part.amount_minor > 0]
    whole = sum(part.amount_minor for part in lines)
    shares = {part.number: divmod(amount * part.amount_minor, whole) for part in lines}
    spare = amount - sum(share for share, _ in shares.values())
    # By the sort being stable: of equal remainders the earlier line first.
    more = {number for number, _ in sorted(shares.items(), key=lambda one: -one[1][1])[:spare]}
    parts = [_money(part, shares[part.number][0] + (part.number in more)) for part in lines]
    return Back(tuple(part for part in parts if part), amount)


def of_lines(sale: Sale, came_back: Sequence[Part], held_minor: int, wishes: Sequence[Wish]) -> Back:
    """What these wishes take of what is left, pieces before amounts. Raises `Invalid` (`unknown-line`, listing every
    fault) and `Conflict` (`more-than-sold`)."""
    rest = left(sale, came_back)
    _refuse_unknown(rest.goods, wishes)
    pieces = [
        _pieces(rest.goods[one.number], one)
        for one in wishes
        if one.amount_minor is None or (sale.plain and one.amount_minor == rest.paid[one.number].amount_minor)
    ]
    after = left(sale, (*came_back, *pieces)) if pieces else rest
    by_pieces = {part.number for part in pieces}
    # What a deal gave for pieces that came back is kept from what they cost, never asked for besides.
    money = max(0, held_minor - after.amount_minor) if pieces else 0
    amounts = []
    for one in wishes:
        if one.number not in by_pieces and one.amount_minor is not None:
            paid = after.paid[one.number]
            if one.amount_minor > paid.amount_minor:
                raise _too_much(one.amount_minor, max(0, paid.amount_minor), one.number)
            amounts.append(_money(paid, one.amount_minor))
    money += sum(part.amount_minor for part in amounts)
    if money > held_minor or after.amount_minor < 0:
        # Goods that were taken back in the sale itself were paid out with the others.
        raise _too_much(money, max(0, held_minor))
    return Back((*pieces, *amounts), money)


def _refuse_unknown(goods: Mapping[int, Part], wishes: Sequence[Wish]) -> None:
    faults, seen = [], set[int]()
    for place, wish in enumerate(wishes):
        if wish.number not in goods:
            why = f"This sale has no line {wish.number}; its lines are counted from 1 to {len(goods)}."
            faults.append(Fault(f"lines.{place}.number", why))
        elif wish.number in seen:
            faults.append(Fault(f"lines.{place}.number", f"Line {wish.number} stands here twice; send it once."))
        elif goods[wish.number].amount_minor < 0 or goods[wish.number].quantity_milli < 0:
            why = f"Line {wish.number} is goods that were taken back in the sale itself."
            faults.append(Fault(f"lines.{place}.number", why))
        seen.add(wish.number)
    if faults:
        raise Invalid(faults[0].sentence, code="unknown-line", field=faults[0].path, faults=faults)
    for wish in wishes:
        if not goods[wish.number]:
            raise Conflict(
                f"Nothing is left of line {wish.number}: it came back before.",
                code="more-than-sold",
                field="lines",
                facts={"line": wish.number, "left": 0},
            )


def _pieces(one: Part, wish: Wish) -> Part:
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
    tax = _share(one.tax_minor, wish.quantity_milli, one.quantity_milli)
    return Part(one.number, wish.quantity_milli, amount, tax)


def _money(paid: Part, amount: int) -> Part:
    return Part(paid.number, 0, amount, _share(paid.tax_minor, amount, paid.amount_minor))


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
