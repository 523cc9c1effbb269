"""Owns which of a merchant's stores go on a member's card: the nearest to the member's home store, at most ten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wallet_server.rules.passes.card import Texts

MAX_PLACES = 10
"""A pass holds ten locations at most (Apple, Wallet Passes, `Pass.Locations`)."""

EARTH_RADIUS_METRES = 6_371_008.8
"""Mean radius R1 of the Earth (IUGG)."""


@dataclass(frozen=True)
class Store:
    """A shop as the card needs it: degrees WGS 84, the text a phone shows nearby, `ref` a stable name for ordering."""

    name: str
    latitude: float | None
    longitude: float | None
    text: Texts | None
    ref: str


def nearest(
    home: Store | None, stores: Sequence[Store], limit: int = MAX_PLACES, *, useful_metres: int
) -> tuple[Store, ...]:
    """The stores worth carrying on this member's card, nearest to `home` first; equal distances by `ref`.

    Stores without coordinates are left out: a phone can do nothing with them. Distances are great circles compared in
    whole metres, so that a last bit of floating point never reorders a card (and with it changes its fingerprint).
    Stores beyond `useful_metres` are left out even when places stay empty: a member of Lille has no use for Nice.
    Without a home store (or one without coordinates) there is no centre to measure from, so distance cannot choose:
    the first `limit` by `ref` are taken, the same for every such member.
    """
    known = [(s, here) for s in stores if (here := _coordinates(s)) is not None]
    centre = _coordinates(home) if home is not None else None
    if centre is None:
        return tuple(sorted((s for s, _ in known), key=lambda s: s.ref)[:limit])
    measured = sorted(((_metres(centre, here), s) for s, here in known), key=lambda pair: (pair[0], pair[1].ref))
    return tuple(s for metres, s in measured if metres <= useful_metres)[:limit]


def distance_metres(a: Store, b: Store) -> int | None:
    """Great-circle distance in whole metres; None when one of the two has no coordinates."""
    here, there = _coordinates(a), _coordinates(b)
    return None if here is None or there is None else _metres(here, there)


def _coordinates(store: Store) -> tuple[float, float] | None:
    if store.latitude is None or store.longitude is None:
        return None
    return store.latitude, store.longitude


def _metres(a: tuple[float, float], b: tuple[float, float]) -> int:
    """Haversine formula; the clamp keeps antipodes, where rounding may pass 1, inside the domain of asin."""
    lat_a, lat_b = math.radians(a[0]), math.radians(b[0])
    half_lat, half_lon = (lat_b - lat_a) / 2, math.radians(b[1] - a[1]) / 2
    h = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return round(2 * EARTH_RADIUS_METRES * math.asin(math.sqrt(min(1.0, h))))
