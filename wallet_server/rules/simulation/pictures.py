"""Owns the pictures of a simulation as SVG that stands by itself: what is owed by month, the tiers, who brings what."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from html import escape

from wallet_server.rules.programme.program import Programme
from wallet_server.rules.sentences import number, spoken
from wallet_server.rules.simulation.report import Report
from wallet_server.rules.simulation.words import money_of, percent_text

WIDTH, HEIGHT = 760, 360
LEFT, RIGHT, TOP, FOOT = 84, 24, 64, 52
INK, SOFT, GRID, OWED, GIVEN, BAR = "#12372a", "#5b6f66", "#dfe7e2", "#2f7d5b", "#c8742c", "#3d6ea5"
_STEPS = 4
_MOST_LABELS = 14


def pictures(found: Report, programme: Programme, language: str) -> dict[str, str]:
    """Name of the file to its drawing; a picture of nothing is left out."""
    drawn = {"owed.svg": owed(found, programme, language), "tiers.svg": tiers(found, programme, language)}
    drawn["top.svg"] = top(found, language)
    return {name: text for name, text in drawn.items() if text}


def owed(found: Report, programme: Programme, language: str) -> str:
    """What is owed at the end of each month (a line), and what was given in it (columns)."""
    if not found.months:
        return ""
    months, french = found.months, spoken(language) == "fr"
    most = max(1, *(one.owed_minor for one in months), *(one.given_minor for one in months))
    parts = _frame(
        "Ce que le programme doit, mois par mois" if french else "What the programme owes, month by month",
        "Ligne : dû en fin de mois. Colonnes : donné dans le mois." if french
        else "Line: owed at the end of the month. Columns: given in the month.",
    )  # fmt: skip
    parts += _grid([money_of(Fraction(most * n, _STEPS), programme.money, language) for n in range(_STEPS + 1)])
    step = (WIDTH - LEFT - RIGHT) / len(months)
    every = -(-len(months) // _MOST_LABELS)
    line = []
    for place, month in enumerate(months):
        x = LEFT + step * (place + 0.5)
        parts.append(_column(x, step * 0.56, _y(month.given_minor, most), GIVEN, 0.75))
        line.append(f"{x:.1f},{_y(max(0, month.owed_minor), most):.1f}")
        if place % every == 0:
            parts.append(_text(x, HEIGHT - FOOT + 20, f"{month.month:02d}.{month.year % 100:02d}", "middle", SOFT))
    parts.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{OWED}" stroke-width="3" '
                 f'stroke-linejoin="round"/>')  # fmt: skip
    parts += [
        f'<circle cx="{point.split(",")[0]}" cy="{point.split(",")[1]}" r="3.5" fill="{OWED}"/>' for point in line
    ]
    return _whole(parts)


def tiers(found: Report, programme: Programme, language: str) -> str:
    """Members by the tier in which they end."""
    if not found.tiers or programme.ladder is None:
        return ""
    french, tongue = spoken(language) == "fr", spoken(language)
    most = max(1, *(one.members for one in found.tiers))
    parts = _frame(
        "Où finissent les membres" if french else "Where members end",
        f"{number(found.members, language)} {'membres' if french else 'members'}",
    )
    step = (WIDTH - LEFT - RIGHT) / len(found.tiers)
    for place, tier in enumerate(found.tiers):
        level = programme.ladder.level(tier.code)
        name = tier.code if level is None else level.names.get(tongue) or next(iter(level.names.values()))
        x, y = LEFT + step * (place + 0.5), _y(tier.members, most)
        share = percent_text(Fraction(tier.members, max(1, found.members)), language, 1)
        parts.append(_column(x, min(120.0, step * 0.6), y, BAR))
        parts.append(_text(x, y - 8, f"{number(tier.members, language)} ({share})", "middle", INK))
        parts.append(_text(x, HEIGHT - FOOT + 20, name, "middle", INK))
    return _whole(parts)


def top(found: Report, language: str) -> str:
    """What part of the turnover the top fifth bring, beside the rest."""
    share = found.top.share
    if share is None or not found.top.count:
        return ""
    french = spoken(language) == "fr"
    parts = _frame(
        "Ce qu’apportent les 20\u00a0% meilleurs clients" if french else "What the top 20% of customers bring",
        f"{number(found.top.count, language)} {'clients sur' if french else 'of'} "
        f"{number(found.top.customers, language)}{'' if french else ' customers'}",
    )
    rows = (("clients" if french else "customers", Fraction(found.top.count, found.top.customers)),
            ("chiffre d’affaires" if french else "turnover", share))  # fmt: skip
    room = WIDTH - LEFT - RIGHT - 60
    for place, (name, part) in enumerate(rows):
        y = TOP + 40 + place * 100
        width = float(min(Fraction(1), max(Fraction(0), part)) * room)
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{room}" height="44" rx="6" fill="{GRID}"/>')
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="44" rx="6" fill="{OWED}"/>')
        parts.append(_text(LEFT, y - 10, name, "start", SOFT))
        parts.append(_text(LEFT + room + 8, y + 28, percent_text(part, language, 1), "start", INK))
    return _whole(parts)


def _frame(title: str, below: str) -> list[str]:
    return [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="24" y="30" font-size="18" font-weight="600" fill="{INK}">{escape(title)}</text>',
        f'<text x="24" y="50" font-size="13" fill="{SOFT}">{escape(below)}</text>',
    ]


def _grid(labels: Sequence[str]) -> list[str]:
    found = []
    for place, label in enumerate(labels):
        y = HEIGHT - FOOT - (HEIGHT - FOOT - TOP) * place / _STEPS
        line = f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>'
        found += [line, _text(LEFT - 8, y + 4, label, "end", SOFT)]
    return found


def _y(value: int, most: int) -> float:
    return HEIGHT - FOOT - (HEIGHT - FOOT - TOP) * max(0, value) / most


def _column(middle: float, width: float, y: float, colour: str, opacity: float = 1) -> str:
    height = HEIGHT - FOOT - y
    return (f'<rect x="{middle - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3" '
            f'fill="{colour}" fill-opacity="{opacity}"/>')  # fmt: skip


def _text(x: float, y: float, text: str, anchor: str, colour: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _whole(parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            f'font-family="system-ui, sans-serif">\n{body}\n</svg>\n')  # fmt: skip
