"""Owns what will not fit on the front of a pass: texts that a phone sets smaller, and then cuts.

Apple publishes no widths. They are reckoned as `rules.passes.fitting` does, on a card 375 points wide, for the
fields of each row together; what is behind the card has room for everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wallet_server.rules.passes.fitting import (
    CARD_POINTS,
    FIELD_POINTS,
    GAP_POINTS,
    HEADER_POINTS,
    LABEL_POINTS,
    LOGO_TEXT_POINTS,
    MARGIN_POINTS,
    SMALLEST,
    width,
)
from wallet_server.wallets.apple.rules.forms import POSTER, instant
from wallet_server.wallets.apple.rules.sentences import Broken, broken

PRIMARY_POINTS = 28.0
"""The size of a primary field: it is larger over a strip, and smaller where it stands beside a picture."""
_ROOM = CARD_POINTS - 2 * MARGIN_POINTS
_LOGO, _THUMBNAIL = 50, 90

Field = Mapping[str, Any]
Shown = Mapping[str, str]
"""What a phone of one language shows for each text of pass.json; see `strings.Phrases.shown`."""


def fitting(document: Mapping[str, Any], style: str, said: Mapping[str, Shown]) -> Iterator[Broken]:
    """The texts that are probably cut, in each language (`said`: language to what it shows)."""
    for language, shown in said.items():
        for part in (style, POSTER) if POSTER in document else (style,):
            yield from _part(document, part, language, shown)


def _part(document: Mapping[str, Any], part: str, language: str, shown: Shown) -> Iterator[Broken]:
    front = document[part]
    header = front.get("headerFields", ())
    path = f"{part}.headerFields"
    yield from _row(path, header, _ROOM - _LOGO, HEADER_POINTS, language, shown)
    logo_text = shown.get(document.get("logoText", ""), document.get("logoText", ""))
    taken = sum(_needed(one, HEADER_POINTS, language, shown)[0] + GAP_POINTS for one in header)
    room = _ROOM - _LOGO - GAP_POINTS - taken
    if part != POSTER and logo_text and width(logo_text, LOGO_TEXT_POINTS, bold=True) > room:
        yield broken("logoText", "will-not-fit", logo_text, language)
    beside = _THUMBNAIL + GAP_POINTS if part == "generic" else 0
    for index, field in enumerate(front.get("primaryFields", ())):
        yield from _row(f"{part}.primaryFields", (field,), _ROOM - beside, PRIMARY_POINTS, language, shown, index)
    for path, row in _rows(part, front):
        yield from _row(path, row, _ROOM, FIELD_POINTS, language, shown)


def _rows(part: str, front: Mapping[str, Sequence[Field]]) -> Iterator[tuple[str, Sequence[Field]]]:
    """The rows below the primary fields: a store card and a coupon have one for both kinds."""
    secondary, auxiliary = front.get("secondaryFields", ()), front.get("auxiliaryFields", ())
    if part in ("storeCard", "coupon"):
        yield f"{part}.secondaryFields", (*secondary, *auxiliary)
        return
    yield f"{part}.secondaryFields", secondary
    for number in (0, 1):
        yield f"{part}.auxiliaryFields", [field for field in auxiliary if field.get("row", 0) == number]


def _row(
    path: str, row: Sequence[Field], room: float, size: float, language: str, shown: Shown, index: int | None = None
) -> Iterator[Broken]:
    """Fields of one row share it as they need; a row that is too wide is told by its widest field."""
    needs = [_needed(field, size, language, shown) for field in row]
    if row and sum(need for need, _ in needs) + GAP_POINTS * (len(row) - 1) > room:
        yield broken(path if index is None else f"{path}.{index}", "will-not-fit", max(needs)[1], language)


def _needed(field: Field, size: float, language: str, shown: Shown) -> tuple[float, str]:
    """The least width of a field, and the text that needs it: its label or its value, set as small as phones do."""
    label, value = shown.get(field.get("label", ""), field.get("label", "")), _text(field, language, shown)
    return max((width(label, LABEL_POINTS) * SMALLEST, label), (width(value, size) * SMALLEST, value))


def _text(field: Field, language: str, shown: Shown) -> str:
    """About what a phone writes for this value."""
    value = field["value"]
    if isinstance(value, str):
        if "dateStyle" in field and (moment := instant(value)) is not None:
            hour = "" if field.get("timeStyle") in (None, "PKDateStyleNone") else f"{moment:, %H:%M}"
            return f"{moment:%d %b %Y}{hour}"
        return shown.get(value, value)
    grouped = f"{value:,.2f} {field['currencyCode']}" if "currencyCode" in field else f"{value:,}"
    return grouped if language.startswith("en") else grouped.replace(",", "\u202f")
