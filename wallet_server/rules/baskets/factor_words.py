"""Owns how factors and limits are written beside an entry: `× 1,5`, `limit reached`."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

_FIXED = "\u00a0"


def factor_text(factor: Fraction, tongue: str) -> str:
    """A factor as people write it: `2`, `1,5`, `1.25`; `4/3` where it has no end as a decimal."""
    if factor.denominator == 1:
        return str(factor.numerator)
    for places in (1, 2, 3):
        whole = factor * 10**places
        if whole.denominator == 1:
            digits = f"{whole.numerator:0{places + 1}d}"
            return f"{digits[:-places]}{',' if tongue == 'fr' else '.'}{digits[-places:]}"
    return f"{factor.numerator}/{factor.denominator}"


def beside(params: Mapping[str, int | str], tongue: str) -> str:
    """What an award says of its factors and of its limit, by its parameters; empty where neither counted."""
    said = ""
    if "factor" in params:
        said += f" ×{_FIXED}{factor_text(Fraction(str(params['factor'])), tongue)}"
    elif "multipliers" in params:
        said += ", en partie multiplié" if tongue == "fr" else ", multiplied in part"
    if "cut" in params:
        said += ", limite atteinte" if tongue == "fr" else ", limit reached"
    return said
