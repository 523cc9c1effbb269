"""Owns the form of every class and object of Google Wallet that the product sends, checked in compiled code.

Source: Google's discovery document walletobjects v1 for names and types; its prose, and the reference pages, for what
the document does not hold: numbers of items, what must be there, one of several forms.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal, Required, get_args

from pydantic import AfterValidator, Field, TypeAdapter, with_config
from typing_extensions import TypedDict  # pydantic asks for this one below Python 3.12

from wallet_server.wallets.google.form_parts import (
    MAX_LINKED,
    MAX_MESSAGES,
    MAX_PLACES,
    MAX_TEXT_MODULES,
    MAX_VALUE_ADDED,
    STRICT,
    AppLink,
    Barcode,
    Colour,
    Constraints,
    Date,
    Filled,
    Grouping,
    Https,
    Id,
    Image,
    ImageModule,
    Interval,
    Links,
    Localized,
    Message,
    Money,
    Place,
    Points,
    Rotating,
    TextModule,
    ValueAdded,
    one_form,
)

Kind = Literal[
    "loyaltyClass",
    "loyaltyObject",
    "offerClass",
    "offerObject",
    "giftCardClass",
    "giftCardObject",
    "eventTicketClass",
    "eventTicketObject",
    "message",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


@with_config(STRICT)
class _Object(TypedDict, total=False):
    """What every object has."""

    id: Required[Id]
    classId: Required[Id]
    state: Required[Literal["ACTIVE", "COMPLETED", "EXPIRED", "INACTIVE"]]
    barcode: Barcode
    rotatingBarcode: Rotating
    heroImage: Image
    textModulesData: Annotated[list[TextModule], Field(min_length=1, max_length=MAX_TEXT_MODULES)]
    linksModuleData: Links
    imageModulesData: Annotated[list[ImageModule], Field(min_length=1, max_length=1)]
    valueAddedModuleData: Annotated[list[ValueAdded], Field(min_length=1, max_length=MAX_VALUE_ADDED)]
    appLinkData: AppLink
    merchantLocations: Annotated[list[Place], Field(min_length=1, max_length=MAX_PLACES)]
    messages: Annotated[list[Message], Field(max_length=MAX_MESSAGES)]
    validTimeInterval: Interval
    groupingInfo: Grouping
    passConstraints: Constraints
    linkedObjectIds: Annotated[list[Id], Field(min_length=1, max_length=MAX_LINKED)]
    notifyPreference: Literal["NOTIFY_ON_UPDATE"]


_Linked = Annotated[list[Id], Field(min_length=1, max_length=MAX_LINKED)]


class _LoyaltyObject(_Object, total=False):
    accountId: Filled
    accountName: Filled
    loyaltyPoints: Points
    secondaryLoyaltyPoints: Points
    linkedOfferIds: _Linked


class _OfferObject(_Object, total=False):
    pass


class _GiftCardObject(_Object, total=False):
    cardNumber: Required[Filled]
    balance: Money


@with_config(STRICT)
class _Seat(TypedDict, total=False):
    gate: Localized
    section: Localized
    row: Localized
    seat: Localized


class _EventTicketObject(_Object, total=False):
    ticketHolderName: Filled
    seatInfo: _Seat
    linkedOfferIds: _Linked


# --- classes ---------------------------------------------------------------------------------------------------


@with_config(STRICT)
class _Field(TypedDict, total=False):
    fieldPath: Required[Annotated[str, Field(pattern=r"^(object|class)\.[A-Za-z][A-Za-z0-9_.\[\]'-]*$")]]
    dateFormat: Literal[
        "DATE_TIME", "DATE_ONLY", "TIME_ONLY", "DATE_TIME_YEAR", "DATE_YEAR", "YEAR_MONTH", "YEAR_MONTH_DAY"
    ]


@with_config(STRICT)
class _Selector(TypedDict):
    fields: Annotated[list[_Field], Field(min_length=1, max_length=10)]


@with_config(STRICT)
class _Item(TypedDict, total=False):
    firstValue: Required[_Selector]
    secondValue: _Selector


@with_config(STRICT)
class _OneItem(TypedDict):
    item: _Item


@with_config(STRICT)
class _TwoItems(TypedDict):
    startItem: _Item
    endItem: _Item


@with_config(STRICT)
class _ThreeItems(TypedDict):
    startItem: _Item
    middleItem: _Item
    endItem: _Item


@with_config(STRICT)
class _RowParts(TypedDict, total=False):
    oneItem: _OneItem
    twoItems: _TwoItems
    threeItems: _ThreeItems


@with_config(STRICT)
class _CardTemplate(TypedDict):
    cardRowTemplateInfos: Annotated[
        list[Annotated[_RowParts, AfterValidator(one_form)]], Field(min_length=1, max_length=3)
    ]


@with_config(STRICT)
class _Template(TypedDict):
    cardTemplateOverride: _CardTemplate


@with_config(STRICT)
class _Callback(TypedDict):
    url: Https


@with_config(STRICT)
class _Animation(TypedDict):
    animationType: Literal["FOIL_SHIMMER"]


@with_config(STRICT)
class _Class(TypedDict, total=False):
    """What every class has."""

    id: Required[Id]
    issuerName: Required[Filled]
    reviewStatus: Required[Literal["UNDER_REVIEW"]]
    hexBackgroundColor: Colour
    multipleDevicesAndHoldersAllowedStatus: Literal["MULTIPLE_HOLDERS", "ONE_USER_ALL_DEVICES", "ONE_USER_ONE_DEVICE"]
    heroImage: Image
    imageModulesData: Annotated[list[ImageModule], Field(min_length=1, max_length=1)]
    textModulesData: Annotated[list[TextModule], Field(min_length=1, max_length=MAX_TEXT_MODULES)]
    linksModuleData: Links
    merchantLocations: Annotated[list[Place], Field(min_length=1, max_length=MAX_PLACES)]
    messages: Annotated[list[Message], Field(max_length=MAX_MESSAGES)]
    callbackOptions: _Callback
    classTemplateInfo: _Template
    securityAnimation: _Animation
    viewUnlockRequirement: Literal["UNLOCK_NOT_REQUIRED", "UNLOCK_REQUIRED_TO_VIEW"]
    notifyPreference: Literal["NOTIFY_ON_UPDATE"]


class _LoyaltyClass(_Class, total=False):
    programName: Required[Filled]
    localizedProgramName: Localized
    programLogo: Required[Image]
    rewardsTier: Filled
    localizedRewardsTier: Localized
    rewardsTierLabel: Filled
    localizedRewardsTierLabel: Localized
    accountIdLabel: Filled
    localizedAccountIdLabel: Localized
    accountNameLabel: Filled
    localizedAccountNameLabel: Localized


class _OfferClass(_Class, total=False):
    title: Required[Filled]
    localizedTitle: Localized
    shortTitle: Filled
    localizedShortTitle: Localized
    provider: Required[Filled]
    redemptionChannel: Required[Literal["INSTORE", "ONLINE", "BOTH", "TEMPORARY_PRICE_REDUCTION"]]
    titleImage: Image
    finePrint: Filled
    localizedFinePrint: Localized


class _GiftCardClass(_Class, total=False):
    merchantName: Filled
    programLogo: Image
    allowBarcodeRedemption: bool
    cardNumberLabel: Filled
    localizedCardNumberLabel: Localized


@with_config(STRICT)
class _Venue(TypedDict):
    name: Localized
    address: Localized


@with_config(STRICT)
class _When(TypedDict, total=False):
    doorsOpen: Date
    start: Date
    end: Date


class _EventTicketClass(_Class, total=False):
    eventName: Required[Localized]
    eventId: Annotated[str, Field(min_length=1, max_length=64)]
    logo: Image
    venue: _Venue
    dateTime: _When


_FORMS: dict[Kind, Any] = {
    "loyaltyClass": _LoyaltyClass,
    "loyaltyObject": _LoyaltyObject,
    "offerClass": _OfferClass,
    "offerObject": _OfferObject,
    "giftCardClass": _GiftCardClass,
    "giftCardObject": _GiftCardObject,
    "eventTicketClass": _EventTicketClass,
    "eventTicketObject": _EventTicketObject,
    "message": Message,
}


@cache
def check_of(kind: Kind) -> Callable[[Any], Any]:
    """What raises `pydantic.ValidationError` for a body of this kind that has no sound form."""
    return TypeAdapter(_FORMS[kind]).validator.validate_python
