"""Owns how a poster is drawn: one page of PDF, A4 or A6, its code as vectors, its letters from a font that is shipped.

The font has Latin, Greek, Cyrillic, Armenian and Georgian letters. What it lacks is drawn without its accents if that
helps, else left out; `unprintable` says what, so that a person can be told before the paper is bought.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import segno
from PIL import Image

from wallet_server.actions.programme.poster import Poster
from wallet_server.web.lazily import lazily
from wallet_server.web.rendering import Words

if TYPE_CHECKING:
    import fpdf
else:
    # With its fonts it takes seconds to load; a server prints a poster now and then.
    fpdf = lazily("fpdf")

SIZES: Mapping[str, tuple[float, float]] = {"a4": (210.0, 297.0), "a6": (105.0, 148.0)}
"""Width and height in mm, as drawn; what is drawn for A4 is halved for A6."""
FONTS = Path(__file__).parent / "fonts"
REGULAR, BOLD = "DejaVuSansCondensed.ttf", "DejaVuSansCondensed-Bold.ttf"
FAMILY = "Poster"
INK, SOFT = (24, 24, 24), (90, 90, 90)
QUIET_MODULES = 4
"""White around a symbol (ISO/IEC 18004)."""


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    pdf = fpdf.FPDF()
    _add_fonts(pdf)
    regular, bold = (pdf.fonts[f"{FAMILY.lower()}{style}"] for style in ("", "B"))
    return frozenset(getattr(regular, "cmap", ())) & frozenset(getattr(bold, "cmap", ()))


def _add_fonts(pdf: fpdf.FPDF) -> None:
    pdf.add_font(FAMILY, "", FONTS / REGULAR)
    pdf.add_font(FAMILY, "B", FONTS / BOLD)


def printable(text: str) -> str:
    """The text as the font can show it."""
    shown = []
    for character in unicodedata.normalize("NFC", text):
        if ord(character) in _letters():
            shown.append(character)
        else:
            plain = (c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
            shown.append("".join(c for c in plain if ord(c) in _letters()))
    return " ".join(filter(None, "".join(shown).split(" ")))


def unprintable(sheet: Poster) -> str:
    """The characters of the shop's own words that a poster cannot show as they are; usually none."""
    said = [sheet.organisation, sheet.store, *(text for reward in sheet.rewards for text in reward.values())]
    missing = (c for c in unicodedata.normalize("NFC", "".join(said)) if ord(c) not in _letters())
    return "".join(dict.fromkeys(c for c in missing if not c.isspace()))


def drawn(sheet: Poster, size: str, words: Mapping[str, Words], at: datetime) -> bytes:
    """The PDF. `size` is a name of `SIZES`; `words` are the texts by language; `at` stands in it as its date."""
    page = _Page(sheet, size, words)
    page.head()
    page.promise()
    page.symbol()
    page.foot()
    return page.finished(at)


@dataclass(frozen=True)
class _Block:
    """Lines that fit: at this size (points), this high (mm)."""

    points: float
    height: float


class _Page:
    """One page; all measures are those of A4 in mm, and are scaled to the paper."""

    WIDTH, HEIGHT, MARGIN = 210.0, 297.0, 18.0
    HEAD, SYMBOL, SIDE = 62.0, 114.0, 122.0

    def __init__(self, sheet: Poster, size: str, words: Mapping[str, Words]) -> None:
        self._sheet, self._words = sheet, words
        self._tongues = [tongue for tongue in sheet.languages if tongue in words] or ["en"]
        self._scale = SIZES[size][0] / self.WIDTH
        self._pdf = fpdf.FPDF(unit="mm", format=SIZES[size])
        self._pdf.set_margin(0)
        self._pdf.c_margin = 0
        self._pdf.set_auto_page_break(False)
        _add_fonts(self._pdf)
        self._pdf.set_title(printable(sheet.organisation))
        self._pdf.set_lang(self._tongues[0])
        self._pdf.add_page()

    def head(self) -> None:
        """The shop's name on the colours of its card, with its logo beside it."""
        sheet, pdf = self._sheet, self._pdf
        pdf.set_fill_color(*_rgb(sheet.palette.background))
        pdf.rect(0, 0, self._mm(self.WIDTH), self._mm(self.HEAD), style="F")
        left = self.MARGIN
        if sheet.logo is not None:
            left += self._logo(sheet.logo, left) + 8
        width = self.WIDTH - left - self.MARGIN
        name = printable(sheet.organisation)
        self._write(name, left, 12, width, 26, 40, bold=True, colour=_rgb(sheet.palette.foreground), middle=True)
        lines = [self._words[tongue].poster.head for tongue in self._tongues]
        self._write("\n".join(lines), left, 40, width, 15, 15, colour=_rgb(sheet.palette.label))

    def _logo(self, body: bytes, left: float) -> float:
        """The logo at most 60 mm wide and 36 high; returns its width."""
        with Image.open(io.BytesIO(body)) as picture:
            ratio = picture.width / picture.height
        height = min(36.0, 60.0 / ratio)
        top = (self.HEAD - height) / 2
        name = printable(self._sheet.organisation)
        self._pdf.image(io.BytesIO(body), self._mm(left), self._mm(top), self._mm(height * ratio), alt_text=name)
        return height * ratio

    def promise(self) -> None:
        """What members earn and get, in the programme's languages."""
        top = self.HEAD + 9
        room = self.SYMBOL - top
        share = room / (len(self._tongues) + 0.3)
        for place, tongue in enumerate(self._tongues):
            said = [self._sheet.promise.get(tongue, ""), *(f"{one[tongue]}." for one in self._sheet.rewards[:3])]
            first = place == 0
            height = share * (1.3 if first else 1)
            text = "\n".join(filter(None, map(printable, said)))
            width = self.WIDTH - 2 * self.MARGIN
            colour = INK if first else SOFT
            self._write(text, self.MARGIN, top, width, height - 2, 21 if first else 15, bold=first, colour=colour,
                        centre=True)  # fmt: skip
            top += height

    def symbol(self) -> None:
        """The code in the middle, each run of dark modules one rectangle, on white with its quiet zone."""
        side, top = self.SIDE, self.SYMBOL
        left = (self.WIDTH - side) / 2
        rows = [list(row) for row in segno.make(self._sheet.link, error="m", micro=False).matrix]
        module = side / (len(rows) + 2 * QUIET_MODULES)
        self._pdf.set_fill_color(0, 0, 0)
        for down, row in enumerate(rows, QUIET_MODULES):
            for start, length in _runs(row):
                x, y = left + (start + QUIET_MODULES) * module, top + down * module
                # A hair more than a module high: else viewers that smooth edges show white lines between the rows.
                self._pdf.rect(self._mm(x), self._mm(y), self._mm(length * module), self._mm(module * 1.01), style="F")

    def foot(self) -> None:
        """What to do with the code, what is given for it, the store, and the address for who cannot scan."""
        sheet, width = self._sheet, self.WIDTH - 2 * self.MARGIN
        top, height = self.SYMBOL + self.SIDE, 10.0
        for place, tongue in enumerate(self._tongues[:3]):
            words = self._words[tongue].poster
            text = words.scan if sheet.welcome is None else words.scan_gift.format(sheet.welcome[tongue])
            first = place == 0
            self._write(printable(text), self.MARGIN, top, width, height - 1, 16 if first else 13, bold=first,
                        colour=INK if first else SOFT, centre=True)  # fmt: skip
            top += height
        plain = sheet.link.partition("?")[0].split("://", 1)[-1]
        self._write(printable(f"{sheet.store} · {plain}"), self.MARGIN, self.HEIGHT - 22, width, 9, 11, colour=SOFT,
                    centre=True)  # fmt: skip

    def _write(
        self,
        text: str,
        x: float,
        y: float,
        width: float,
        height: float,
        points: float,
        *,
        bold: bool = False,
        colour: Sequence[int] = INK,
        centre: bool = False,
        middle: bool = False,
    ) -> None:
        """A text in a box, in the largest letters up to `points` in which it fits."""
        if not text:
            return
        block = self._fitting(text, width, height, points, bold)
        self._pdf.set_text_color(*colour)
        top = y + (height - block.height) / 2 if middle else y
        self._pdf.set_xy(self._mm(x), self._mm(top))
        self._pdf.multi_cell(
            self._mm(width),
            self._line(block.points),
            text,
            align=fpdf.enums.Align.C if centre else fpdf.enums.Align.L,
            padding=0,
        )

    def _fitting(self, text: str, width: float, height: float, points: float, bold: bool) -> _Block:
        while True:
            self._pdf.set_font(FAMILY, "B" if bold else "", points * self._scale)
            needed = self._pdf.multi_cell(
                self._mm(width),
                self._line(points),
                text,
                dry_run=True,
                output=fpdf.enums.MethodReturnValue.HEIGHT,
                padding=0,
            )
            tall = float(str(needed)) / self._scale
            if tall <= height or points <= 5:
                return _Block(points, tall)
            points *= 0.94

    def _line(self, points: float) -> float:
        return self._mm(points * 0.353 * 1.22)

    def _mm(self, measure: float) -> float:
        return measure * self._scale

    def finished(self, at: datetime) -> bytes:
        """The file."""
        self._pdf.set_creation_date(at)
        return bytes(self._pdf.output())


def _runs(row: Sequence[int]) -> list[tuple[int, int]]:
    """Where dark modules stand side by side in a row: (first, how many)."""
    found: list[tuple[int, int]] = []
    for place, dark in enumerate(row):
        if dark and found and sum(found[-1]) == place:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        elif dark:
            found.append((place, 1))
    return found


def _rgb(colour: str) -> tuple[int, int, int]:
    plain = colour.lstrip("#")
    return int(plain[0:2], 16), int(plain[2:4], 16), int(plain[4:6], 16)
