"""A card for each state in which a shipped design is seen: design -> sample -> card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.wallets.samples import sample_card
from tests.wallets.test_stamp_card import stamp_card
from wallet_server.rules.passes.card import (
    Action,
    App,
    Balance,
    Beacon,
    Card,
    Detail,
    Event,
    Gauge,
    Nfc,
    Offer,
    Palette,
    Place,
    Tier,
)

NFC_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEF0M6OUehKDZQ0sqoOB20/bY6Rz3d+hgd+5gjxiSjhDBkVYR4GSMSTfkdy1E9Ikob"
    "gunRxqF2bl1ZLRCXo+36RA=="
)
"""A point of P-256 in SubjectPublicKeyInfo form; nobody holds its private half."""

_RUST = Palette("#7a1f3d", "#fff4f0", "#f3b7a6")
_NAVY = Palette("#16284a", "#ffffff", "#f2b84b")
_GOLD = Palette("#e9bf4b", "#2a1d00", "#4f3a06")
_INK = Palette("#14213d", "#ffffff", "#8fd3ff")
_TEAL = Palette("#0f4c5c", "#fffaf0", "#ffd166")
_SAND = Palette("#f4efe6", "#1d1a16", "#a8481f")
_BEACON = "E2C56DB5-DFFB-48D2-B060-D0F5A71096E0"


def _silver() -> Card:
    return replace(
        sample_card(),
        design="tiers",
        palette=_NAVY,
        details=(
            Detail(
                "benefits",
                {"fr": "Vos avantages au statut Argent", "en": "Your Silver benefits"},
                {"fr": "• Un café offert le lundi", "en": "• A free coffee on Mondays"},
            ),
        ),
    )


def _gift(minor: int, iso: str = "EUR", exponent: int = 2) -> Card:
    return replace(
        sample_card(),
        design="gift",
        palette=_RUST,
        description={"fr": "Carte cadeau Chez Léa", "en": "Chez Léa gift card"},
        balance=Balance("gift", {"fr": "Solde", "en": "Balance"}, minor, iso, exponent),
        tier=None,
        gauge=None,
        expires_at="2027-12-31T22:59:59Z",
    )


def _coupon() -> Card:
    return replace(
        sample_card(),
        kind="coupon",
        design="coupon",
        palette=_SAND,
        description={"fr": "Bon de bienvenue Chez Léa", "en": "Chez Léa welcome coupon"},
        tier=None,
        gauge=None,
        expires_at="2026-12-24T22:59:59Z",
        offer=Offer(
            {"fr": "Un café offert", "en": "A free coffee"},
            {
                "fr": "Une fois, dans l’un de nos cafés, pour toute commande.",
                "en": "Once, at any of our cafés, with any order.",
            },
            "2026-12-24T22:59:59Z",
        ),
    )


def _ticket(ends_at: str | None) -> Card:
    return replace(
        sample_card(),
        kind="ticket",
        design="event",
        palette=_TEAL,
        description={"fr": "Billet Chez Léa", "en": "Chez Léa ticket"},
        tier=None,
        gauge=None,
        event=Event(
            {"fr": "La nuit des galettes", "en": "Night of the king cakes"},
            {"fr": "Atelier, 12 rue Lepic", "en": "Workshop, 12 rue Lepic"},
            "2027-01-06T18:00:00Z",
            ends_at,
            "Europe/Paris",
            {"fr": "Porte B", "en": "Door B"},
        ),
        expires_at="2027-01-07T05:00:00Z",
    )


def _everywhere() -> Card:
    place = sample_card().places[0]
    return replace(
        sample_card(),
        places=tuple(Place(48.85 + step / 100, 2.35, place.text) for step in range(10)),
        beacons=(Beacon(_BEACON, 7, 11, place.text), Beacon(_BEACON.replace("E2", "A1"), None, None, place.text)),
        actions=(
            Action("viewOffersRewards", "https://chez-lea.example/offers"),
            Action("call", "tel:+33140000000"),
        ),
        app=App(1234567890, "chezlea://card"),
        nfc=Nfc(NFC_KEY, True),
    )


_TOP = Tier("gold", {"fr": "Statut", "en": "Status"}, {"fr": "Or", "en": "Gold"})
_JEDI = Tier(
    "jedi",
    {"fr": "Statut", "en": "Status"},
    {"fr": "Grand Maître Jedi du nettoyage", "en": "Grand Jedi master of cleaning"},
)
_MANIAC = Tier(
    "maniac",
    {"fr": "Statut", "en": "Status"},
    {"fr": "Maître maniaque perfectionniste", "en": "Perfectionist master maniac"},
)
_START = Gauge(
    3,
    60,
    2000,
    {"fr": "Prochain statut", "en": "Next status"},
    {"fr": "Plus que 1 940 points avant Or", "en": "1,940 points to Gold"},
)

GALLERY: Mapping[str, Mapping[str, Card]] = {
    "points": {
        "member": sample_card(),
        "everywhere": _everywhere(),
        "voided": replace(_everywhere(), voided=True, news=None),
    },
    "stamps": {
        "none": stamp_card(0),
        "seven": stamp_card(7),
        "full": stamp_card(10),
        "twenty": stamp_card(13, _SAND, stamps=20),
        "two": stamp_card(1, _NAVY, stamps=2),
    },
    "tiers": {
        "silver": _silver(),
        "gold": replace(_silver(), tier=_TOP, gauge=None, palette=_GOLD),
        "new": replace(_silver(), gauge=_START, palette=_SAND),
    },
    "ranks": {
        "jedi": replace(_silver(), design="ranks", tier=_JEDI, palette=_NAVY),
        "top": replace(_silver(), design="ranks", tier=_MANIAC, gauge=None, palette=_GOLD),
    },
    "gift": {"euros": _gift(4250), "empty": _gift(0), "yen": _gift(5000, "JPY", 0), "dinar": _gift(-12_345, "TND", 3)},
    "event": {"evening": _ticket("2027-01-06T22:30:00Z"), "days": _ticket("2027-01-09T18:00:00Z")},
    "coupon": {"welcome": _coupon(), "used": replace(_coupon(), voided=True)},
    "club": {
        "member": replace(_silver(), design="club", palette=_INK),
        "top": replace(_silver(), design="club", tier=_TOP, gauge=None, palette=_GOLD),
    },
}
