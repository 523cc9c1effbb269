"""Owns how the console writes days, times, money and shares in the language of the page, in the zone of the shop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time

from wallet_server.rules import sentences
from wallet_server.rules.programme.program import Money
from wallet_server.web.rendering import day_style

LOCALES = {"fr": Locale("fr", "FR"), "en": Locale("en", "GB")}
EXPONENTS = {"JPY": 0, "KRW": 0, "BHD": 3, "KWD": 3, "TND": 3}


@dataclass(frozen=True)
class Wording:
    """One page's language and zone."""

    tongue: str
    zone: str = "UTC"

    @property
    def _locale(self) -> Locale:
        return LOCALES.get(self.tongue, LOCALES["en"])

    def there(self, zone: str | None) -> Wording:
        """The same in another zone; None: in this one."""
        return replace(self, zone=zone) if zone else self

    def local(self, at: datetime) -> datetime:
        """That instant on the shop's clock."""
        return at.astimezone(ZoneInfo(self.zone))

    def day(self, day: date, style: str = "EEEE d MMMM") -> str:
        """`Monday 5 May`, or as a pattern of CLDR says."""
        return str(format_date(day, day_style(style, day, self.tongue), self._locale))

    def on(self, at: datetime) -> str:
        """The day of an instant, with its year: `5 May 2026`."""
        return self.day(self.local(at).date(), "d MMMM y")

    def time(self, at: datetime) -> str:
        """`10:14`."""
        return str(format_time(self.local(at), "HH:mm", locale=self._locale))

    def moment(self, at: datetime) -> str:
        """`5 May 2026, 10:14`."""
        return f"{self.on(at)}, {self.time(at)}"

    def number(self, count: int) -> str:
        """Digits in groups of three."""
        return sentences.number(count, self.tongue)

    def signed(self, count: int) -> str:
        """With its sign, also above zero."""
        return f"{'+' if count > 0 else '−' if count < 0 else ''}{self.number(abs(count))}"

    def money(self, amount_minor: int, iso: str = "EUR") -> str:
        """`€12.34`, `12,34 €`."""
        return sentences.money_text(amount_minor, Money(iso, EXPONENTS.get(iso, 2)), self.tongue)

    def decimal(self, value: Fraction, places: int = 1) -> str:
        """Rounded to so many decimals, half up; trailing zeros are kept."""
        scaled = (abs(value) * 10**places + Fraction(1, 2)).__floor__()
        whole, rest = divmod(scaled, 10**places)
        sign = "−" if value < 0 and scaled else ""
        point = "," if self.tongue == "fr" else "."
        return f"{sign}{self.number(whole)}{point}{rest:0{places}d}" if places else f"{sign}{self.number(whole)}"

    def percent(self, share: Fraction, places: int = 1) -> str:
        """A share of one, in percent: `4.8%`, `4,8 %`."""
        return self.decimal(share * 100, places) + ("\u202f%" if self.tongue == "fr" else "%")
