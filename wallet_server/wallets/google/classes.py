"""Owns the body of a class of Google Wallet: what all cards of a programme, an offer, an event or a status share.

A class that was approved is changed only by a body that says UNDER_REVIEW again (Google's own samples); one in DRAFT
can have no objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wallet_server.rules.passes.card import Card, Texts
from wallet_server.wallets.designs import Design
from wallet_server.wallets.google.objects import Pictures, by_tier, vertical_of
from wallet_server.wallets.google.options import RowItem, Vertical
from wallet_server.wallets.google.texts import Body, Speaker, image, speaker_for

SHORT_TITLE = 20
_HOLDERS = {"one": "ONE_USER_ALL_DEVICES", "many": "MULTIPLE_HOLDERS"}
_MODULE_PATH = "object.textModulesData['{}']"


def compose(
    card: Card,
    design: Design,
    identifier: str,
    issuer_name: str,
    pictures: Pictures,
    *,
    callback_url: str | None = None,
) -> Body:
    """The whole body of the class `identifier`; of the card only what every holder sees alike is taken."""
    speaker = speaker_for(card.languages or design.languages)
    vertical = vertical_of(card, design)
    body: Body = {
        "id": identifier,
        "issuerName": issuer_name,
        "reviewStatus": "UNDER_REVIEW",
        "hexBackgroundColor": card.palette.background,
        "multipleDevicesAndHoldersAllowedStatus": _HOLDERS[design.google.holders],
    }
    logo = image(pictures.logo, speaker.localized({speaker.first: card.organisation}))
    match vertical:
        case "loyalty":
            _loyalty(body, card, design, speaker, logo)
        case "giftCard":
            _gift(body, card, speaker, logo)
        case "offer":
            _offer(body, card, design, speaker, logo)
        case "eventTicket":
            _ticket(body, card, speaker, logo)
    if pictures.banner is not None:
        body["heroImage"] = image(pictures.banner, speaker.localized(card.description))
    if pictures.wide is not None:
        body["imageModulesData"] = [
            {"id": "picture", "mainImage": image(pictures.wide, speaker.localized(card.description))}
        ]
    if design.google.unlock_to_view:
        body["viewUnlockRequirement"] = "UNLOCK_REQUIRED_TO_VIEW"
    if design.google.shimmer:
        body["securityAnimation"] = {"animationType": "FOIL_SHIMMER"}
    rows = [*_rows(card, design, vertical)]
    if rows:
        body["classTemplateInfo"] = {"cardTemplateOverride": {"cardRowTemplateInfos": rows}}
    if callback_url is not None:
        body["callbackOptions"] = {"url": callback_url}
    return body


def _loyalty(body: Body, card: Card, design: Design, speaker: Speaker, logo: Body) -> None:
    speaker.put(body, "programName", card.description)
    body["programLogo"] = logo
    if design.google.account:
        speaker.put(body, "accountIdLabel", speaker.word("account"))
    speaker.put(body, "accountNameLabel", speaker.word("holder"))
    if card.tier is not None and by_tier(card, design):
        speaker.put(body, "rewardsTier", card.tier.name)
        speaker.put(body, "rewardsTierLabel", card.tier.label)


def _gift(body: Body, card: Card, speaker: Speaker, logo: Body) -> None:
    body["merchantName"] = card.organisation
    body["programLogo"] = logo
    body["allowBarcodeRedemption"] = True
    speaker.put(body, "cardNumberLabel", speaker.word("account"))


def _offer(body: Body, card: Card, design: Design, speaker: Speaker, logo: Body) -> None:
    offer = card.offer
    body["provider"] = card.organisation
    body["redemptionChannel"] = design.google.channel.upper()
    body["titleImage"] = logo
    if offer is None:
        return
    speaker.put(body, "title", offer.title)
    if all(len(text) <= SHORT_TITLE for text in offer.title.values()):
        speaker.put(body, "shortTitle", offer.title)
    speaker.put(body, "finePrint", offer.terms)


def _ticket(body: Body, card: Card, speaker: Speaker, logo: Body) -> None:
    event = card.event
    body["logo"] = logo
    if event is None:
        return
    body["eventName"] = speaker.localized(event.name)
    body["eventId"] = body["id"].partition(".")[2][-64:]
    name, address = _venue(event.venue)
    body["venue"] = {"name": speaker.localized(name), "address": speaker.localized(address)}
    body["dateTime"] = {"start": local(event.starts_at, event.zone)}
    if event.ends_at is not None:
        body["dateTime"]["end"] = local(event.ends_at, event.zone)


def _venue(said: Texts) -> tuple[Texts, Texts]:
    """Google wants the name of a place and its address; a card says both in one text, the name before a comma."""
    names = {tag: text.partition(",")[0].strip() for tag, text in said.items()}
    return names, {tag: text.partition(",")[2].strip() or text for tag, text in said.items()}


@lru_cache(maxsize=1024)
def local(instant: str, zone: str) -> str:
    """The instant with the offset of the place where it happens; as it is where there is no such zone or date, for
    `limits` to name."""
    try:
        return datetime.fromisoformat(instant).astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return instant


# --- the rows of the front -------------------------------------------------------------------------------------

_SHAPES = {1: ("item",), 2: ("startItem", "endItem"), 3: ("startItem", "middleItem", "endItem")}
_ROW_NAMES = {1: "oneItem", 2: "twoItems", 3: "threeItems"}
_POINTS: Mapping[Vertical, str] = {"loyalty": "object.loyaltyPoints.balance", "giftCard": "object.balance"}
_FIELDS: Mapping[Vertical, Mapping[RowItem, tuple[str, ...]]] = {
    "loyalty": {"account": ("object.accountId",)},
    "giftCard": {"account": ("object.cardNumber",)},
    "offer": {"offer": ("class.title",)},
    "eventTicket": {
        "event": ("class.eventName",),
        "venue": ("class.venue.name",),
        "entry": ("object.seatInfo.gate",),
    },
}
_DATES: Mapping[RowItem, tuple[str, str]] = {
    "until": ("object.validTimeInterval.end", "DATE_YEAR"),
    "starts": ("class.dateTime.start", "DATE_TIME"),
}


def _rows(card: Card, design: Design, vertical: Vertical) -> Iterator[Body]:
    for row in design.google.rows:
        items = [item for name in row if (item := _item(name, card, design, vertical)) is not None]
        if items:
            yield {_ROW_NAMES[len(items)]: dict(zip(_SHAPES[len(items)], items, strict=True))}


def _item(name: RowItem, card: Card, design: Design, vertical: Vertical) -> Body | None:
    """One item of a row; the first of its fields that is not empty shows. None for what this kind never has."""
    if name in _DATES:
        path, written = _DATES[name]
        if name == "starts" and vertical != "eventTicket":
            return None
        return {"firstValue": {"fields": [{"fieldPath": path, "dateFormat": written}]}}
    paths = [*_paths(name, card, design, vertical)]
    return {"firstValue": {"fields": [{"fieldPath": path} for path in paths]}} if paths else None


def _paths(name: RowItem, card: Card, design: Design, vertical: Vertical) -> Iterator[str]:
    match name:
        case "points":
            if vertical in _POINTS:
                yield _POINTS[vertical]
        case "tier":
            if vertical == "loyalty" and by_tier(card, design):
                yield "class.rewardsTier"
                return
            yield _MODULE_PATH.format("tier")
            if vertical == "loyalty":
                yield "object.secondaryLoyaltyPoints.balance"
        case "gauge" | "progress" | "reward":
            yield _MODULE_PATH.format(name)
        case _:
            yield from _FIELDS[vertical].get(name, ())
