"""Owns specimen cards: a card of a design in each state in which members see it, to look at before anybody has one.

The texts are of ordinary length, the numbers of the last state as large as they become; every language of a design has
its own words in French and English, and English words otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from wallet_server.rules.counter import codes, short_codes
from wallet_server.rules.counter.short_codes import Short
from wallet_server.rules.passes.card import (
    Action,
    Alert,
    App,
    Balance,
    Beacon,
    Card,
    Detail,
    Event,
    Gauge,
    News,
    Nfc,
    Offer,
    Palette,
    Place,
    Stamps,
    Texts,
    Tier,
)
from wallet_server.wallets.designs import Design
from wallet_server.wallets.port import Identity

State = Literal["new", "half", "full", "voided"]
Said = Callable[[str, str], Texts]
"""French and English to the texts of a design's languages."""

NOBODY = Identity(
    0,
    "pass.com.example.specimen",
    "0" * 32,
    "0" * 43,
    codes.write(codes.with_signature(codes.under(codes.first("SPEC0M", "0" * 16), "1"), bytes(64))),
    "https://cards.example.com/apple",
    short_codes.manual(0),
    short_codes.digits(Short("SPEC0M", 0)),
)
"""Whom a specimen belongs to; its code has the form of a real one."""
TEAM = "SPECIMEN00"

_PALETTE = Palette("#1f3a5f", "#ffffff", "#f2b84b")
_ENDS = "2027-12-31T22:59:59Z"


@dataclass(frozen=True)
class Specimen:
    """One card, and the change that it announces."""

    state: State
    card: Card
    alert: Alert | None


def specimens(design: Design) -> Iterator[Specimen]:
    """A new member, one on the way (with each alert that the design words), one with everything, a void card."""
    half = _card(design, "half")
    yield Specimen("new", _card(design, "new"), None)
    for facet in design.change_messages:
        yield Specimen("half", half, design.alert(facet))
    yield Specimen("full", _card(design, "full"), design.alert("points"))
    yield Specimen("voided", replace(half, voided=True), None)


def _card(design: Design, state: State) -> Card:
    def said(french: str, english: str) -> Texts:
        return {tag: french if tag.partition("-")[0] == "fr" else english for tag in design.languages}

    part = {"new": 0.0, "half": 0.5}.get(state, 1.0)
    placed = {one.item for slot in design.slots.values() for one in slot}
    until = any(name in placed for name in ("until", "offer"))
    return Card(
        languages=design.languages,
        organisation="Boulangerie Martin",
        description=said("Carte de fidélité Boulangerie Martin", "Boulangerie Martin loyalty card"),
        design=design.name,
        design_version=design.version,
        palette=_PALETTE,
        balance=_balance(part, "balance" in placed, said),
        tier=_tier(part, said),
        gauge=None if part == 1 else _gauge(part, said),
        news=None if part == 0 else News(said("Dernière nouvelle", "Latest news"), said(*_NEWS)),
        details=_details(said) if part else (),
        places=_places(10 if part == 1 else int(part * 2), said),
        max_distance_metres=100 if part == 1 else None,
        code_issue=1,
        stamps=_stamps(part, said) if design.strip == "stamps" or placed & {"stamps", "reward"} else None,
        kind="coupon" if design.style == "coupon" else "ticket" if design.style == "eventTicket" else "card",
        expires_at=_ENDS if until else None,
        offer=Offer(said("Un café offert", "A free coffee"), said(*_TERMS), _ENDS) if until else None,
        beacons=_beacons(said) if part == 1 else (),
        actions=_ACTIONS if part == 1 else (),
        nfc=Nfc(_PUBLIC_KEY, True) if part == 1 else None,
        app=App(1_234_567_890, "specimen://card") if part == 1 else None,
        event=_event(part, said) if design.style == "eventTicket" or "event" in placed else None,
    )


_NEWS = (
    "Ce samedi, deux croissants achetés, le troisième est offert.",
    "This Saturday, buy two croissants and the third is on us.",
)
_TERMS = ("Une fois par personne, dans toutes nos boutiques.", "Once for each person, in all our shops.")
_ACTIONS = (
    Action("viewOffersRewards", "https://cards.example.com/offers"),
    Action("call", "tel:+33123456789"),
)
_PUBLIC_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sx"
    "Xs7LtkBoN79R9Q=="
)
"""The base point of P-256: a key that everybody has, for a card that nobody has."""
_LEVELS = (("Bronze", "Bronze"), ("Argent", "Silver"), ("Or", "Gold"))
_GOAL = 2000


def _balance(part: float, money: bool, said: Said) -> Balance:
    if money:
        return Balance("credit", said("Solde", "Balance"), int(part * 250_00), "EUR", 2)
    return Balance("points", said("Points", "Points"), 128_450 if part == 1 else int(part * _GOAL))


def _tier(part: float, said: Said) -> Tier:
    name = _LEVELS[int(part * 2)]
    return Tier(name[1].lower(), said("Statut", "Status"), said(*name))


def _gauge(part: float, said: Said) -> Gauge:
    value = int(part * _GOAL)
    following = _LEVELS[int(part * 2) + 1]
    missing = _GOAL - value
    return Gauge(
        int(part * 100),
        value,
        _GOAL,
        said("Prochain statut", "Next status"),
        said(f"Plus que {missing} points avant {following[0]}", f"{missing} points to {following[1]}"),
    )


def _stamps(part: float, said: Said) -> Stamps:
    filled = int(part * 10)
    left = 10 - filled
    return Stamps(
        filled,
        10,
        int(part),
        said("10 tampons = un café offert", "10 stamps = a free coffee"),
        said("Votre café vous attend", "Your coffee is waiting")
        if not left
        else said(f"Plus que {left} tampons", f"{left} stamps to go"),
    )


def _details(said: Said) -> tuple[Detail, ...]:
    return (
        Detail("terms", said("Conditions", "Terms"), said("1 € = 1 point.", "1 € = 1 point.")),
        Detail(
            "stop",
            said("Messages", "Messages"),
            said("Ne plus recevoir de messages", "Stop messages"),
            "https://cards.example.com/stop/specimen",
        ),
    )


def _places(count: int, said: Said) -> tuple[Place, ...]:
    text = said("Boulangerie Martin est à deux pas", "Boulangerie Martin is round the corner")
    return tuple(Place(48.85 + step / 100, 2.35, text) for step in range(count))


def _beacons(said: Said) -> tuple[Beacon, ...]:
    text = said("Bienvenue chez Boulangerie Martin", "Welcome to Boulangerie Martin")
    return (Beacon("2F234454-CF6D-4A0F-ADF2-F4911BA9FFA6", 7, None, text),)


def _event(part: float, said: Said) -> Event:
    return Event(
        said("La nuit des galettes", "Night of the king cakes"),
        said("Atelier, 12 rue Lepic", "Workshop, 12 rue Lepic"),
        "2027-01-06T18:00:00Z",
        "2027-01-06T22:30:00Z" if part else None,
        "Europe/Paris",
        said("Porte B", "Door B") if part else None,
    )
