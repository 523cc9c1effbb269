"""Owns the shape of the part of a programme document that says which tiers there are and how they are reached."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from wallet_server.rules.programme.document_types import (
    MAX_BENEFITS,
    MAX_LEVELS,
    MAX_NEEDS,
    MAX_THRESHOLD,
    METRIC,
    REVIEW,
    WINDOW,
    Code,
    Colour,
    Sentence,
    Shape,
    Title,
    Word,
)
from wallet_server.rules.programme.gesture_document import MAX_PRIVILEGES, PrivilegeShape

Metric = Annotated[str, Field(pattern=METRIC)]
Window = Annotated[str, Field(pattern=WINDOW)]
Goal = Annotated[int, Field(ge=1, le=MAX_THRESHOLD)]


class PaletteShape(Shape):
    """Three colours as #rrggbb."""

    background: Colour
    foreground: Colour
    label: Colour


class WeightShape(Shape):
    """A metric in a weighted sum: its value times `weight`."""

    metric: Metric
    window: Window = "ever"
    weight: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class NeedShape(Shape):
    """What a tier asks for: `all` or `any` of several needs, a `metric` of at least so much, or a `weighted` sum."""

    all: Annotated[list[NeedShape], Field(min_length=1, max_length=MAX_NEEDS)] | None = None
    any: Annotated[list[NeedShape], Field(min_length=1, max_length=MAX_NEEDS)] | None = None
    metric: Metric | None = None
    weighted: Annotated[list[WeightShape], Field(min_length=1, max_length=MAX_NEEDS)] | None = None
    window: Window | None = None
    at_least: Goal | None = None


class ReviewShape(Shape):
    """When a tier is looked at again, and how many days later it is lost."""

    at: Annotated[str, Field(pattern=REVIEW)] = "at-once"
    grace_days: Annotated[int, Field(ge=0, le=366)] = 0


class LevelShape(Shape):
    """One tier: reached from `threshold` units of the ladder's currency on, or when its `needs` are met; one by
    `invitation` is only given. `reward` is what waits there, `short_names` are for places that cut the names."""

    code: Code
    threshold: Annotated[int, Field(ge=0, le=MAX_THRESHOLD)] | None = None
    needs: NeedShape | None = None
    invitation: bool = False
    names: dict[str, Word]
    short_names: dict[str, Word] | None = None
    reward: dict[str, Title] | None = None
    palette: PaletteShape | None = None
    benefits: Annotated[list[dict[str, Sentence]], Field(max_length=MAX_BENEFITS)] = []
    privileges: Annotated[list[PrivilegeShape], Field(max_length=MAX_PRIVILEGES)] = []


class TiersShape(Shape):
    """The ladder of tiers, lowest first. `currency` is what thresholds count in."""

    currency: Code | None = None
    review: ReviewShape = ReviewShape()
    levels: Annotated[list[LevelShape], Field(min_length=1, max_length=MAX_LEVELS)]
