"""Owns the cards that `benchmarks.signing` makes passes of: as full as real ones, each state of them once."""

from __future__ import annotations

from dataclasses import replace

from wallet_server.rules.passes.card import Balance, Card, Detail, Gauge, News, Palette, Place, Stamps, Tier

BOXES = 10


def points_cards(card: Card) -> list[Card]:
    """What sales change: the balance, the gauge and the sentence that goes with it."""
    return [with_balance(card, value) for value in range(0, 10_000, 20)]


def with_balance(card: Card, value: int) -> Card:
    assert card.gauge is not None
    left = {"fr": f"Plus que {10_000 - value} points avant Or", "en": f"{10_000 - value} points to Gold"}
    gauge = replace(card.gauge, percent=value // 100, value=value, goal=10_000, sentence=left)
    return replace(card, balance=replace(card.balance, value=value), gauge=gauge)


def stamp_cards(card: Card) -> list[Card]:
    """What stamps change: the boxes, how many cards are full, and the sentence."""
    label = {"fr": "10 tampons = un café offert", "en": "10 stamps = a free coffee"}
    made = []
    for number in range(500):
        left = BOXES - number % (BOXES + 1)
        sentence = {"fr": f"Encore {left} avant le café n° {number}", "en": f"{left} more to coffee no. {number}"}
        stamps = Stamps(BOXES - left, BOXES, number // (BOXES + 1), label, sentence)
        balance = replace(card.balance, value=number)
        made.append(replace(card, design="stamps", stamps=stamps, tier=None, gauge=None, balance=balance))
    return made


def lean(card: Card) -> Card:
    return replace(card, places=(), max_distance_metres=None, details=card.details[-1:])


def sample_card() -> Card:
    """A card as full as real ones: two languages, gauge, news, three details, ten places."""

    def both(french: str, english: str) -> dict[str, str]:
        return {"fr": french, "en": english}

    return Card(
        languages=("fr", "en"),
        organisation="Example Coffee",
        description=both("Carte de fidélité", "Loyalty card"),
        design="points",
        design_version=1,
        palette=Palette("#1f3a5f", "#ffffff", "#f2b84b"),
        balance=Balance("points", both("Points", "Points"), 0),
        tier=Tier("silver", both("Statut", "Status"), both("Argent", "Silver")),
        gauge=Gauge(62, 1240, 2000, both("Prochain statut", "Next status"), both("Plus que 760", "760 to go")),
        news=News(both("Dernière nouvelle", "Latest news"), both("Ce soir, -50 %", "Tonight, half price")),
        details=(
            Detail("terms", both("Conditions", "Terms"), both("1 € = 1 point.", "1 € = 1 point.")),
            Detail("help", both("Aide", "Help"), both("Demandez au comptoir.", "Ask at the counter.")),
            Detail("stop", both("Messages", "Messages"), both("Arrêter", "Stop"), "https://c.example.com/stop?m=1"),
        ),
        places=tuple(
            Place(48.85 + number / 100, 2.35, both(f"La boutique {number} est tout près", f"Shop {number} is near"))
            for number in range(10)
        ),
        max_distance_metres=100,
        code_issue=1,
    )
