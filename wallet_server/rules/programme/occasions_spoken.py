"""Owns when and for whom something holds, in words: tiers, goods, hours, days, birthdays, and conditions.

A condition is said as far as it is made of what shops usually ask, and as "on conditions" beyond: whoever reads the
card must never read more than what is promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time

from wallet_server.rules.conditions import cel_syntax
from wallet_server.rules.conditions.cel_syntax import Binary, Call, Constant, Field, Items, Name, Node
from wallet_server.rules.days import day_text
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.programme.program_parts import Birthday, Calendar, Goods
from wallet_server.rules.sentences import money_text

_DAYS = {
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_BIRTHDAY: dict[str, dict[Birthday, str]] = {
    "fr": {
        "day": "le jour de votre anniversaire",
        "week": "la semaine de votre anniversaire",
        "month": "le mois de votre anniversaire",
    },
    "en": {
        "day": "on your birthday",
        "week": "in the week of your birthday",
        "month": "in the month of your birthday",
    },
}
_CODES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SOMETIMES = {"fr": "sous conditions", "en": "on conditions"}


def joined(words: Sequence[str], tongue: str) -> str:
    """`a`, `a and b`, `a, b and c`."""
    last = " et " if tongue == "fr" else " and "
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])}{last}{words[-1]}"


def tiers_said(codes: Sequence[str], programme: Programme, tongue: str) -> str:
    """For whom: `pour le statut Or`, `for Silver and Gold members`."""
    levels = programme.ladder.levels if programme.ladder else ()
    names = [level.names.get(tongue) or level.names[programme.languages[0]] for level in levels if level.code in codes]
    if not names:
        return SOMETIMES[tongue]
    if tongue == "en":
        return f"for {joined(names, tongue)} members"
    return f"pour {'le statut' if len(names) == 1 else 'les statuts'} {joined(names, tongue)}"


def goods_said(goods: Goods, tongue: str) -> str:
    """On which goods, as the merchant calls them."""
    named = ", ".join(sorted(goods.categories | goods.skus)[:10])
    return f"sur\u00a0: {named}" if tongue == "fr" else f"on: {named}"


def calendar_said(calendar: Calendar, tongue: str) -> list[str]:
    """When: days, hours, dates, each in a few words."""
    said = []
    if calendar.days is not None:
        said.append(_days(sorted(calendar.days), tongue))
    if calendar.hours is not None:
        start, end = (_clock(edge, tongue) for edge in calendar.hours)
        said.append(f"de {start} à {end}" if tongue == "fr" else f"from {start} to {end}")
    if calendar.dates is not None:
        first, last = (day_text(day, tongue) for day in calendar.dates)
        said.append(f"du {first} au {last}" if tongue == "fr" else f"from {first} to {last}")
    return said


def birthday_said(birthday: Birthday, tongue: str) -> str:
    """The birthday or the time around it."""
    return _BIRTHDAY[tongue][birthday]


def condition_said(text: str, programme: Programme, tongue: str) -> str:
    """A condition in plain words; "on conditions" where it asks for more than there are words for."""
    parts = [_part(node, programme, tongue) for node in _conjuncts(cel_syntax.read(text))]
    known = [part for part in parts if part is not None]
    return ", ".join(known) if len(known) == len(parts) else SOMETIMES[tongue]


def _days(days: Sequence[int], tongue: str) -> str:
    if tongue == "fr":
        return joined([f"le {_DAYS[tongue][day]}" for day in days], tongue)
    return f"on {joined([f'{_DAYS[tongue][day]}s' for day in days], tongue)}"


def _clock(clock: time, tongue: str) -> str:
    if tongue == "en":
        return f"{clock.hour:02d}:{clock.minute:02d}"
    return f"{clock.hour}\u00a0h{f' {clock.minute:02d}' if clock.minute else ''}".replace(" ", "\u00a0")


def _conjuncts(node: Node) -> list[Node]:
    if isinstance(node, Binary) and node.sign == "&&":
        return [*_conjuncts(node.left), *_conjuncts(node.right)]
    return [node]


def _path(node: Node) -> str | None:
    return f"{node.of.name}.{node.name}" if isinstance(node, Field) and isinstance(node.of, Name) else None


def _part(node: Node, programme: Programme, tongue: str) -> str | None:
    if _path(node) == "member.birthday_today":
        return _BIRTHDAY[tongue]["day"]
    if isinstance(node, Call):
        return _with_goods(node, tongue)
    if not isinstance(node, Binary):
        return None
    path, values = _path(node.left), _values(node.right)
    if path == "basket.amount_minor" and node.sign in (">=", ">") and isinstance(values[0], int):
        least = money_text(values[0] + (node.sign == ">"), programme.money, tongue)
        return f"dès {least} d’achat" if tongue == "fr" else f"from {least} on"
    if node.sign not in ("==", "in") or not values:
        return None
    texts = [value for value in values if isinstance(value, str)]
    if path == "member.tier":
        return tiers_said(texts, programme, tongue)
    if path == "basket.weekday" and set(texts) <= set(_CODES):
        return _days(sorted(_CODES.index(day) for day in texts), tongue)
    if path == "line.category":
        return goods_said(Goods(frozenset(texts)), tongue)
    return None


def _with_goods(node: Call, tongue: str) -> str | None:
    """`basket.lines.exists(x, x.category == '...')`: a basket with such goods."""
    if node.name != "exists" or len(node.given) != 2:
        return None
    test, bound = node.given[1], node.given[0]
    if not isinstance(test, Binary) or test.sign not in ("==", "in") or not isinstance(bound, Name):
        return None
    if _path(test.left) not in (f"{bound.name}.category", f"{bound.name}.sku"):
        return None
    named = ", ".join(str(value) for value in _values(test.right))
    return f"avec dans le panier\u00a0: {named}" if tongue == "fr" else f"with in the basket: {named}"


def _values(node: Node) -> list[int | str | None]:
    items = node.items if isinstance(node, Items) else (node,)
    values = [item.value if isinstance(item, Constant) else None for item in items]
    return values if values and None not in values else [None]
