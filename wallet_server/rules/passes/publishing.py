"""Owns the rule "one alert per published version": which changed part of a card is shown now, and which waits.

An iPhone that receives two changed fields with a message each shows neither, but a generic "card changed". So a version
raises at most one alert; other loud changes keep their published value and come in a version of their own, in the
written order of `card.ALERT_ORDER`. Silent changes (recall, expiry, correction) never wait. Where a vendor is given the
card and alerts to it as a whole, what a sale changes (`TOGETHER`) goes in one version with one alert.
"""

from __future__ import annotations

from dataclasses import dataclass

from wallet_server.rules.passes.card import ALERT_ORDER, Facet


@dataclass(frozen=True)
class Facets:
    """What of a card can raise an alert: the balance, the code of the tier, the id of the announcement shown."""

    points: int
    tier: str | None
    news: str | None

    def value(self, facet: Facet) -> int | str | None:
        """The value of one facet."""
        if facet == "points":
            return self.points
        return self.tier if facet == "tier" else self.news


@dataclass(frozen=True)
class Decision:
    """`shown` is what this version says; `alert` the one facet that rings; `held` those that need further versions."""

    shown: Facets
    alert: Facet | None
    held: tuple[Facet, ...]


TOGETHER: frozenset[Facet] = frozenset({"points", "tier"})


def decide(
    published: Facets | None, wanted: Facets, loud: frozenset[Facet], together: frozenset[Facet] = frozenset()
) -> Decision:
    """What the next version shows, given what the last published one showed and what is true now.

    `loud` names the facets whose change the member should be alerted to; the caller passes a held facet as loud again
    until it was shown. The first version (`published` None) shows everything and alerts to nothing: the member has
    just added the card. A facet that becomes None is silent: an alert has no new value to show. Facets that go
    `together` share the alert of the first of them.
    """
    if published is None:
        return Decision(wanted, None, ())
    ringing = [
        facet
        for facet in ALERT_ORDER
        if facet in loud and wanted.value(facet) is not None and wanted.value(facet) != published.value(facet)
    ]
    held = tuple(facet for facet in ringing[1:] if not {facet, ringing[0]} <= together)
    shown = Facets(
        points=published.points if "points" in held else wanted.points,
        tier=published.tier if "tier" in held else wanted.tier,
        news=published.news if "news" in held else wanted.news,
    )
    return Decision(shown, ringing[0] if ringing else None, held)
