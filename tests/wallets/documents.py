"""Whole, right documents of every style, written by hand from Apple's pages, and one fault for each rule."""

from __future__ import annotations

import copy
import math
from typing import Any

from tests.wallets.samples import PASS_TYPE, TEAM

Document = dict[str, Any]

PUBLIC_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncD"
    "fYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q=="
)
"""The base point of P-256: a public key whose private half is 1."""
ICONS = ("icon.png", "icon@2x.png", "icon@3x.png")
FILES = {
    "storeCard": (*ICONS, "logo.png", "strip@3x.png", "fr.lproj/pass.strings", "en.lproj/pass.strings"),
    "coupon": (*ICONS, "strip.png"),
    "generic": (*ICONS, "logo.png", "thumbnail.png", "thumbnail@3x.png"),
    "eventTicket": (*ICONS, "background.png", "thumbnail@2x.png", "pt-BR.lproj/logo.png"),
    "poster": (*ICONS, "logo.png", "strip.png", "artwork@2x.png", "primaryLogo.png", "secondaryLogo.png"),
}


def _head() -> Document:
    return {
        "formatVersion": 1,
        "passTypeIdentifier": PASS_TYPE,
        "teamIdentifier": TEAM,
        "serialNumber": "3f9c1a",
        "organizationName": "Chez Léa",
        "description": "Carte de fidélité",
        "webServiceURL": "https://cards.example.com/apple",
        "authenticationToken": "t" * 43,
        "sharingProhibited": True,
        "suppressStripShine": False,
        "backgroundColor": "rgb(31, 58, 95)",
        "foregroundColor": "rgb(255, 255, 255)",
        "labelColor": "rgb(242, 184, 75)",
        "logoText": "Chez Léa",
        "barcodes": [_barcode("QR", "LP1.acme.k1.1.7Q2M9X")],
    }


def _barcode(kind: str, message: str) -> Document:
    return {
        "format": f"PKBarcodeFormat{kind}", "message": message, "messageEncoding": "iso-8859-1", "altText": message,
    }  # fmt: skip


def fields(*keys: str) -> list[Document]:
    return [{"key": key, "label": key.upper(), "value": f"value of {key}"} for key in keys]


def _store_card() -> Document:
    points = {
        "key": "points",
        "label": "Points",
        "value": 1234,
        "numberStyle": "PKNumberStyleDecimal",
        "changeMessage": "%@ points",
    }
    return {
        **_head(),
        "barcodes": [_barcode("EAN13", "4006381333931"), _barcode("QR", "4006381333931")],
        "barcode": _barcode("QR", "4006381333931"),
        "locations": [
            {"latitude": 48.8566, "longitude": 2.3522, "relevantText": "Chez Léa est à deux pas"},
            {"latitude": -33.9, "longitude": 151, "altitude": 12.5},
        ],
        "beacons": [
            {"proximityUUID": "2F234454-cf6d-4a0f-adf2-f4911ba9ffa6", "major": 1, "minor": 65_535},
            {"proximityUUID": "2f234454-cf6d-4a0f-adf2-f4911ba9ffa7", "relevantText": "Bonjour"},
        ],
        "maxDistance": 80,
        "nfc": {"encryptionPublicKey": PUBLIC_KEY, "message": "é" * 32, "requiresAuthentication": True},
        "semantics": {
            "balance": {"amount": "12.50", "currencyCode": "EUR"},
            "totalPrice": {"amount": "-3", "currencyCode": "JPY"},
            "wifiAccess": [{"ssid": "Chez Léa", "password": "croissant"}],
        },
        "featuredActions": [
            {"identifier": "offers", "type": "viewOffersRewards", "url": "https://example.com/offers?a=1"},
            {"identifier": "call", "type": "call", "url": "tel:+33123456789"},
        ],
        "associatedStoreIdentifiers": [915249334],
        "appLaunchURL": "chezlea://card/7",
        "userInfo": {"member": {"since": 2026, "tags": ["a", None]}},
        "expirationDate": "2027-01-31T23:59:59Z",
        "storeCard": {
            "headerFields": [{**fields("tier")[0], "textAlignment": "PKTextAlignmentRight"}],
            "primaryFields": [points],
            "secondaryFields": fields("gauge", "progress"),
            "auxiliaryFields": [
                {
                    "key": "until",
                    "value": "2027-01-31T20:00+01:00",
                    "dateStyle": "PKDateStyleMedium",
                    "timeStyle": "PKDateStyleNone",
                    "ignoresTimeZone": True,
                    "isRelative": False,
                },
                {"key": "credit", "value": 12.5, "currencyCode": "EUR", "label": ""},
            ],
            "backFields": [
                {**fields("news")[0], "dataDetectorTypes": ["PKDataDetectorTypeLink"]},
                {**fields("stop")[0], "attributedValue": 'Or <a href="https://example.com/a?b=1">stop</a>'},
            ],
        },
    }


def _coupon() -> Document:
    head = _head()
    del head["webServiceURL"], head["authenticationToken"]
    return {
        **head,
        "voided": True,
        "barcodes": [_barcode("PDF417", "A-1"), _barcode("Aztec", "A-1"), _barcode("Code128", "A-1")],
        "coupon": {"primaryFields": fields("offer"), "auxiliaryFields": fields("a", "b", "c", "d")},
    }


def _generic() -> Document:
    return {
        **_head(),
        "barcodes": [_barcode("Code39", "LEA-1 $"), _barcode("Codabar", "A12-3B"), _barcode("I2of5", "1234"),
                     _barcode("Aztec", "1")],
        "locations": [{"latitude": 1.0, "longitude": 1.0}],
        "relevantDates": [{"date": "2027-01-31T20:00:00Z", "relevantDate": "2027-01-31T20:00:00Z"}],
        "generic": {
            "headerFields": fields("h1", "h2", "h3"),
            "primaryFields": fields("name"),
            "secondaryFields": fields("s1", "s2", "s3", "s4"),
            "auxiliaryFields": fields("a1", "a2", "a3", "a4"),
        },
    }  # fmt: skip


def _event_ticket() -> Document:
    ticket = {
        **_head(),
        "relevantDate": "2027-01-31T20:00:00+01:00",
        "relevantDates": [{"startDate": "2027-01-31T19:00:00+01:00", "endDate": "2027-02-01T19:00:00+01:00"}],
        "groupingIdentifier": "gala",
        "semantics": {
            "eventName": "Gala",
            "eventType": "PKEventTypeLivePerformance",
            "eventStartDate": "2027-01-31T20:00:00+01:00",
            "eventEndDate": "2027-01-31T23:00:00+01:00",
            "venueName": "Salle Pleyel",
            "venueLocation": {"latitude": 48.877, "longitude": 2.3013},
            "performerNames": ["Léa"],
            "seats": [{"seatRow": "B", "seatNumber": "12"}],
            "silenceRequested": True,
        },
        "featuredActions": [{"identifier": "there", "type": "place", "placeIdentifier": "I9F5DA4A5D2AB5D2A"}],
        "eventTicket": {
            "primaryFields": fields("event"),
            "secondaryFields": fields("venue"),
            "auxiliaryFields": [
                *({**field, "row": 0} for field in fields("door", "seat", "line", "gate")),
                *({**field, "row": 1} for field in fields("a", "b", "c", "d")),
            ],
        },
    }
    ticket["eventTicket"]["secondaryFields"][0]["semantics"] = {"venueName": "Salle Pleyel"}
    return ticket


def _poster() -> Document:
    """The two dictionaries of one pass announce one and the same change."""
    card = _store_card()
    return {
        **card,
        "posterGeneric": {
            "headerFields": fields("p.tier"),
            "primaryFields": [*fields("p.name", "p.a", "p.b"),
                              {**card["storeCard"]["primaryFields"][0], "key": "p.points", "label": "Total"}],
            "footerFields": fields("p.footer"),
            "backFields": fields("p.news"),
            "additionalInfoFields": fields("p.terms", "p.more"),
        },
    }  # fmt: skip


_MAKERS = {
    "storeCard": _store_card,
    "coupon": _coupon,
    "generic": _generic,
    "eventTicket": _event_ticket,
    "poster": _poster,
}
KINDS = tuple(_MAKERS)


def right(kind: str) -> Document:
    """A fresh document without a fault. Its contactless part needs a certificate that allows it."""
    return _MAKERS[kind]()


DROP = object()


def broken(kind: str, path: str, value: object) -> Document:
    """The right document of this kind with one thing changed."""
    document = right(kind)
    *way, last = path.split("/")
    place: Any = document
    for part in way:
        place = place[int(part) if part.isdigit() else part]
    if value is DROP:
        del place[last]
    elif isinstance(place, list):
        place[int(last)] = copy.deepcopy(value)
    else:
        place[last] = copy.deepcopy(value)
    return document


HEAD, PRIMARY, BACK = "storeCard/headerFields/0", "storeCard/primaryFields/0", "storeCard/backFields/0"
UNTIL, CREDIT, FIRST = "storeCard/auxiliaryFields/0", "storeCard/auxiliaryFields/1", "barcodes/0"
INTERLEAVED = {"format": "PKBarcodeFormatI2of5", "message": "12", "messageEncoding": "utf-8"}
PLACE = {"latitude": 1.0, "longitude": 1.0}
SPAN = {"startDate": "2027-01-31T19:00:00+01:00", "endDate": "2027-02-01T19:00:01+01:00"}
ONE_DATE = {"date": "2027-01-31T20:00:00Z", "relevantDate": "2027-01-31T20:00:00Z"}
ACTION = {"identifier": "a", "type": "shop", "url": "https://example.com"}
BEACONS = [{"proximityUUID": f"2f234454-cf6d-4a0f-adf2-f4911ba9ff{n:02x}"} for n in range(11)]
NO_URL = "https://cards.example.com/apple"

BROKEN: list[tuple[str, str, object, str, str]] = [
    # kind, what is changed, to what, the path of the one fault, its code
    ("storeCard", "formatVersion", 2, "formatVersion", "format-version"),
    ("storeCard", "formatVersion", DROP, "formatVersion", "format-version"),
    ("storeCard", "passTypeIdentifier", "com.example", "passTypeIdentifier", "pass-type"),
    ("storeCard", "passTypeIdentifier", "pass.com.example\n", "passTypeIdentifier", "pass-type"),
    ("storeCard", "teamIdentifier", "abcde12345", "teamIdentifier", "team"),
    ("coupon", "serialNumber", "", "serialNumber", "serial"),
    ("generic", "organizationName", "  \u00a0", "organizationName", "organisation"),
    ("storeCard", "organizationName", "\u200b\u2060", "organizationName", "organisation"),
    ("coupon", "description", "\ufeff \u00ad", "description", "description"),
    ("storeCard", "organizationName", "a\ud800", "organizationName", "unshowable"),
    ("eventTicket", "description", DROP, "description", "description"),
    ("storeCard", "sharingProhibited", 1, "sharingProhibited", "flag"),
    ("storeCard", "suppressStripShine", "no", "suppressStripShine", "flag"),
    ("storeCard", "voided", "yes", "voided", "flag"),
    ("storeCard", "voided", True, "voided", "voided-service"),
    ("storeCard", "expirationDate", "2027-01-31T23:59:59", "expirationDate", "expiry"),
    ("storeCard", "expirationDate", "2027-02-31T23:59:59Z", "expirationDate", "expiry"),
    ("storeCard", "expirationDate", "2027-01-31", "expirationDate", "expiry"),
    ("storeCard", "expirationDate", 1801440000, "expirationDate", "expiry"),
    ("storeCard", "userInfo", {7: "seven"}, "userInfo", "user-info"),
    ("storeCard", "storeURL", "https://example.com", "storeURL", "unknown-key"),
    ("storeCard", "authenticationToken", "fifteen-letters", "authenticationToken", "token"),
    ("storeCard", "authenticationToken", "sixteen letters, and a space", "authenticationToken", "token"),
    ("storeCard", "authenticationToken", DROP, "webServiceURL", "service-and-token"),
    ("storeCard", "webServiceURL", DROP, "webServiceURL", "service-and-token"),
    ("storeCard", "webServiceURL", f"{NO_URL}/", "webServiceURL", "service-slash"),
    ("storeCard", "webServiceURL", "http://cards.example.com/apple", "webServiceURL", "service-plain"),
    ("storeCard", "webServiceURL", "https:///apple", "webServiceURL", "service-address"),
    ("storeCard", "webServiceURL", "https://cards.example.com:99999/apple", "webServiceURL", "service-address"),
    ("storeCard", "webServiceURL", f"{NO_URL}?x=1", "webServiceURL", "service-address"),
    ("storeCard", "webServiceURL", "https://cards.example.com/an apple", "webServiceURL", "service-address"),
    ("storeCard", "webServiceURL", 7, "webServiceURL", "service"),
    ("storeCard", "backgroundColor", "rgb(1, 2, 256)", "backgroundColor", "colour"),
    ("storeCard", "foregroundColor", "#ffffff", "foregroundColor", "colour"),
    ("storeCard", "labelColor", "rgb(1 2 3)", "labelColor", "colour"),
    ("storeCard", "logoText", 5, "logoText", "logo-text"),
    # styles
    ("storeCard", "storeCard", DROP, "storeCard", "no-style"),
    ("storeCard", "storeCard", [], "storeCard", "style"),
    ("storeCard", "coupon", {}, "coupon", "two-styles"),
    ("coupon", "generic", {}, "generic", "two-styles"),
    ("storeCard", "boardingPass", {}, "boardingPass", "no-boarding"),
    ("storeCard", "storeCard/transitType", "PKTransitTypeAir", "storeCard.transitType", "no-transit"),
    ("storeCard", "storeCard/middleFields", fields("z"), "storeCard.middleFields", "unknown-key"),
    ("storeCard", "storeCard/additionalInfoFields", fields("z"), "storeCard.additionalInfoFields", "no-slot"),
    ("eventTicket", "eventTicket/footerFields", fields("z"), "eventTicket.footerFields", "no-slot"),
    ("poster", "posterGeneric/secondaryFields", fields("z"), "posterGeneric.secondaryFields", "no-slot"),
    ("storeCard", "storeCard/headerFields", {}, "storeCard.headerFields", "list"),
    ("storeCard", "storeCard/headerFields", [], "storeCard.headerFields", "empty"),
    ("storeCard", "storeCard/headerFields", fields("a", "b", "c", "d"), "storeCard.headerFields", "too-many-fields"),
    ("storeCard", "storeCard/primaryFields", fields("a", "b"), "storeCard.primaryFields", "too-many-fields"),
    ("storeCard", "storeCard/secondaryFields", fields("a", "b", "c"), "storeCard", "one-row"),
    ("coupon", "coupon/secondaryFields", fields("z"), "coupon", "one-row"),
    ("generic", "generic/auxiliaryFields", fields(*"abcde"), "generic.auxiliaryFields", "too-many-fields"),
    ("eventTicket", "eventTicket/auxiliaryFields", fields(*"abcde"), "eventTicket.auxiliaryFields", "crowded-row"),
    ("eventTicket", "eventTicket/auxiliaryFields/0/row", 2, "eventTicket.auxiliaryFields.0.row", "row"),
    ("generic", "generic/auxiliaryFields/0/row", 0, "generic.auxiliaryFields.0.row", "no-row"),
    ("poster", "posterGeneric/primaryFields", fields(*"abcde"), "posterGeneric.primaryFields", "too-many-fields"),
    ("poster", "posterGeneric/footerFields", fields("a", "b"), "posterGeneric.footerFields", "too-many-fields"),
    ("coupon", "groupingIdentifier", "gala", "groupingIdentifier", "no-grouping"),
    ("eventTicket", "groupingIdentifier", 7, "groupingIdentifier", "grouping"),
    # fields
    ("storeCard", f"{HEAD}/key", "points", "storeCard.primaryFields.0.key", "duplicate-key"),
    ("poster", "posterGeneric/footerFields/0/key", "tier", "posterGeneric.footerFields.0.key", "duplicate-key"),
    ("storeCard", f"{HEAD}/key", "", "storeCard.headerFields.0.key", "key"),
    ("storeCard", f"{HEAD}/key", ["a"], "storeCard.headerFields.0.key", "key"),
    ("storeCard", f"{HEAD}/value", DROP, "storeCard.headerFields.0.value", "value"),
    ("storeCard", f"{HEAD}/value", None, "storeCard.headerFields.0.value", "value"),
    ("storeCard", f"{HEAD}/value", {"str": 1}, "storeCard.headerFields.0.value", "value"),
    ("storeCard", f"{HEAD}/label", 5, "storeCard.headerFields.0.label", "label"),
    ("storeCard", f"{HEAD}/lable", "x", "storeCard.headerFields.0.lable", "unknown-key"),
    ("storeCard", f"{HEAD}/changeMessage", "Now %@", "storeCard", "two-alerts"),
    ("storeCard", f"{PRIMARY}/changeMessage", "More points", "storeCard.primaryFields.0.changeMessage",
     "change-message"),
    ("storeCard", f"{PRIMARY}/changeMessage", "%@ and %@", "storeCard.primaryFields.0.changeMessage",
     "change-message"),
    ("poster", "posterGeneric/primaryFields/3/value", 1235, "posterGeneric", "alerts-differ"),
    ("poster", "posterGeneric/primaryFields/3/changeMessage", "%@ more", "posterGeneric", "alerts-differ"),
    ("poster", "posterGeneric/primaryFields/3/numberStyle", "PKNumberStylePercent", "posterGeneric", "alerts-differ"),
    ("poster", "posterGeneric/backFields/0/changeMessage", "%@", "posterGeneric", "two-alerts"),
    ("storeCard", f"{PRIMARY}/value", "1234", "storeCard.primaryFields.0.value", "not-a-number"),
    ("storeCard", f"{PRIMARY}/value", True, "storeCard.primaryFields.0.value", "value"),
    ("storeCard", f"{PRIMARY}/value", 2**53, "storeCard.primaryFields.0.value", "value"),
    ("storeCard", f"{PRIMARY}/value", -(2**70), "storeCard.primaryFields.0.value", "value"),
    ("storeCard", f"{PRIMARY}/value", math.nan, "storeCard.primaryFields.0.value", "value"),
    ("storeCard", f"{PRIMARY}/numberStyle", "decimal", "storeCard.primaryFields.0.numberStyle", "number-style"),
    ("storeCard", f"{PRIMARY}/currencyCode", "EUR", "storeCard.primaryFields.0.currencyCode", "currency-and-style"),
    ("storeCard", f"{CREDIT}/currencyCode", "euro", "storeCard.auxiliaryFields.1.currencyCode", "currency"),
    ("storeCard", f"{CREDIT}/value", "12.50", "storeCard.auxiliaryFields.1.value", "not-a-number"),
    ("storeCard", f"{UNTIL}/dateStyle", "medium", "storeCard.auxiliaryFields.0.dateStyle", "date-style"),
    ("storeCard", f"{UNTIL}/ignoresTimeZone", 1, "storeCard.auxiliaryFields.0.ignoresTimeZone", "flag"),
    ("storeCard", f"{UNTIL}/value", "2027-01-31T20:00", "storeCard.auxiliaryFields.0.value", "not-a-date"),
    ("storeCard", f"{UNTIL}/value", "2027-01-31", "storeCard.auxiliaryFields.0.value", "not-a-date"),
    ("storeCard", f"{UNTIL}/value", 20270131, "storeCard.auxiliaryFields.0.value", "not-a-date"),
    ("storeCard", f"{HEAD}/isRelative", True, "storeCard.headerFields.0.value", "not-a-date"),
    ("storeCard", f"{HEAD}/numberStyle", "PKNumberStyleDecimal", "storeCard.headerFields.0.value", "not-a-number"),
    ("storeCard", f"{PRIMARY}/textAlignment", "PKTextAlignmentLeft", "storeCard.primaryFields.0.textAlignment",
     "no-alignment"),
    ("storeCard", f"{BACK}/textAlignment", "PKTextAlignmentLeft", "storeCard.backFields.0.textAlignment",
     "no-alignment"),
    ("storeCard", f"{HEAD}/textAlignment", "right", "storeCard.headerFields.0.textAlignment", "alignment"),
    ("storeCard", f"{HEAD}/dataDetectorTypes", [], "storeCard.headerFields.0.dataDetectorTypes", "back-only"),
    ("storeCard", f"{BACK}/dataDetectorTypes", ["PKDataDetectorTypeDate"], "storeCard.backFields.0.dataDetectorTypes",
     "detector"),
    ("storeCard", f"{HEAD}/attributedValue", "x", "storeCard.headerFields.0.attributedValue", "back-only"),
    ("storeCard", f"{BACK}/attributedValue", "<b>bold</b>", "storeCard.backFields.0.attributedValue", "link"),
    ("storeCard", f"{BACK}/attributedValue", '<a href="javascript:alert(1)">x</a>',
     "storeCard.backFields.0.attributedValue", "link"),
    ("storeCard", f"{BACK}/attributedValue", '<a href="/offers">x</a>', "storeCard.backFields.0.attributedValue",
     "link"),
    ("storeCard", f"{BACK}/attributedValue", '<a href="https://">x</a>', "storeCard.backFields.0.attributedValue",
     "link"),
    # barcodes
    ("storeCard", "barcodes", {}, "barcodes", "barcodes"),
    ("coupon", "barcodes", [], "barcodes", "empty"),
    ("storeCard", f"{FIRST}/format", "PKBarcodeFormatUPC", "barcodes.0.format", "barcode-format"),
    ("coupon", f"{FIRST}/message", "", "barcodes.0.message", "barcode-text"),
    ("coupon", f"{FIRST}/message", "№42", "barcodes.0.messageEncoding", "barcode-not-latin"),
    ("coupon", f"{FIRST}/message", "x" * 1109, "barcodes.0.message", "barcode-too-long"),
    ("coupon", "barcodes/2/message", "Léa", "barcodes.2.message", "barcode-alphabet"),
    ("coupon", "barcodes/2/message", "x" * 81, "barcodes.2.message", "barcode-too-long"),
    ("coupon", "barcodes/1/message", "é" * 1915, "barcodes.1.message", "barcode-too-long"),
    ("storeCard", f"{FIRST}/messageEncoding", "latin1", "barcodes.0.messageEncoding", "barcode-encoding"),
    ("storeCard", f"{FIRST}/messageEncoding", DROP, "barcodes.0.messageEncoding", "barcode-encoding"),
    ("storeCard", f"{FIRST}/altText", 42, "barcodes.0.altText", "barcode-caption"),
    ("storeCard", f"{FIRST}/colour", "red", "barcodes.0.colour", "unknown-key"),
    ("storeCard", f"{FIRST}/message", "4006381333932", "barcodes.0.message", "barcode-check-digit"),
    ("storeCard", f"{FIRST}/message", "400638133393", "barcodes.0.message", "barcode-alphabet"),
    ("generic", f"{FIRST}/message", "Léa", "barcodes.0.message", "barcode-alphabet"),
    ("generic", "barcodes/1/message", "A12-3", "barcodes.1.message", "barcode-alphabet"),
    ("generic", "barcodes/2/message", "123", "barcodes.2.message", "barcode-alphabet"),
    ("generic", "barcodes", [INTERLEAVED], "barcodes.0.format", "barcode-no-fallback"),
    ("generic", "barcodes", [INTERLEAVED] * 2, "barcodes.1.format", "barcode-no-fallback"),
    ("storeCard", "barcode/message", "4006381333948", "barcode", "barcode-legacy-differs"),
    ("storeCard", "barcodes", DROP, "barcode", "barcode-legacy-differs"),
    ("coupon", "barcode", {"format": "PKBarcodeFormatCode128", "message": "A-1", "messageEncoding": "iso-8859-1"},
     "barcode.format", "barcode-legacy"),
    # places, beacons, dates
    ("storeCard", "locations", [PLACE] * 11, "locations", "too-many-places"),
    ("storeCard", "locations", [], "locations", "empty"),
    ("storeCard", "locations", PLACE, "locations", "places"),
    ("storeCard", "beacons", "2f234454-cf6d-4a0f-adf2-f4911ba9ffa6", "beacons", "beacons"),
    ("eventTicket", "relevantDates", "2027-01-31T20:00:00Z", "relevantDates", "dates"),
    ("storeCard", "featuredActions", ACTION, "featuredActions", "actions"),
    ("eventTicket", "preferredStyleSchemes", ["posterEventTicket"], "preferredStyleSchemes", "not-made-here"),
    ("storeCard", "locations/0/latitude", 90.01, "locations.0.latitude", "latitude"),
    ("storeCard", "locations/0/latitude", math.nan, "locations.0.latitude", "latitude"),
    ("storeCard", "locations/0/latitude", "48.8", "locations.0.latitude", "latitude"),
    ("storeCard", "locations/1/longitude", -180.5, "locations.1.longitude", "longitude"),
    ("storeCard", "locations/1/longitude", DROP, "locations.1.longitude", "longitude"),
    ("storeCard", "locations/1/altitude", "high", "locations.1.altitude", "altitude"),
    ("storeCard", "locations/0/relevantText", 1, "locations.0.relevantText", "relevant-text"),
    ("storeCard", "locations/0/radius", 5, "locations.0.radius", "unknown-key"),
    ("storeCard", "maxDistance", "100", "maxDistance", "distance"),
    ("storeCard", "maxDistance", 0, "maxDistance", "distance"),
    ("storeCard", "maxDistance", math.inf, "maxDistance", "distance"),
    ("storeCard", "beacons", BEACONS, "beacons", "too-many-beacons"),
    ("storeCard", "beacons/0/proximityUUID", "2f234454", "beacons.0.proximityUUID", "beacon-uuid"),
    ("storeCard", "beacons/0/major", 65_536, "beacons.0.major", "beacon-number"),
    ("storeCard", "beacons/0/minor", -1, "beacons.0.minor", "beacon-number"),
    ("storeCard", "beacons/0/major", DROP, "beacons.0.minor", "beacon-minor-alone"),
    ("storeCard", "relevantDates", [ONE_DATE], "relevantDates", "no-date"),
    ("coupon", "relevantDate", "2027-01-31T20:00:00Z", "relevantDate", "no-date"),
    ("eventTicket", "relevantDate", "31 January", "relevantDate", "date"),
    ("eventTicket", "relevantDates", [], "relevantDates", "empty"),
    ("eventTicket", "relevantDates/0", {}, "relevantDates.0", "date-or-span"),
    ("eventTicket", "relevantDates/0", {**SPAN, **ONE_DATE}, "relevantDates.0", "date-or-span"),
    ("eventTicket", "relevantDates/0", SPAN, "relevantDates.0", "span"),
    ("eventTicket", "relevantDates/0/endDate", "2027-01-31T18:00:00Z", "relevantDates.0", "span"),
    ("eventTicket", "relevantDates/0/endDate", "tomorrow", "relevantDates.0.endDate", "date"),
    ("generic", "relevantDates/0/date", "2027-01-31T21:00:00Z", "relevantDates.0", "date-both"),
    # contactless, semantics, buttons, apps
    ("storeCard", "nfc/encryptionPublicKey", PUBLIC_KEY[:-4] + "AAA=", "nfc.encryptionPublicKey", "nfc-key"),
    ("storeCard", "nfc/encryptionPublicKey", f"-----BEGIN{PUBLIC_KEY}", "nfc.encryptionPublicKey", "nfc-key"),
    ("storeCard", "nfc/message", "é" * 33, "nfc.message", "nfc-message"),
    ("storeCard", "nfc/requiresAuthentication", "yes", "nfc.requiresAuthentication", "flag"),
    ("storeCard", "semantics/balance/amount", 12.5, "semantics.balance.amount", "amount"),
    ("storeCard", "semantics/balance/amount", "12,50", "semantics.balance.amount", "amount"),
    ("storeCard", "semantics/totalPrice/currencyCode", "eur", "semantics.totalPrice.currencyCode", "currency"),
    ("storeCard", "semantics/wifiAccess/0/password", DROP, "semantics.wifiAccess.0.password", "semantic"),
    ("storeCard", "semantics/membershipProgramName", "x", "semantics.membershipProgramName", "unknown-key"),
    ("eventTicket", "semantics/eventName", "", "semantics.eventName", "semantic"),
    ("eventTicket", "semantics/eventStartDate", "2027-01-31", "semantics.eventStartDate", "date"),
    ("eventTicket", "semantics/eventEndDate", "2027-01-31T19:00:00Z", "semantics.eventEndDate", "event-order"),
    ("eventTicket", "semantics/eventType", "Concert", "semantics.eventType", "semantic"),
    ("eventTicket", "eventTicket/secondaryFields/0/semantics/venueName", 5,
     "eventTicket.secondaryFields.0.semantics.venueName", "semantic"),
    ("storeCard", "featuredActions", [{**ACTION, "identifier": name} for name in "abc"], "featuredActions",
     "too-many"),
    ("storeCard", "featuredActions/1/identifier", "offers", "featuredActions.1.identifier", "action-twice"),
    ("storeCard", "featuredActions/0/type", "dance", "featuredActions.0.type", "action"),
    ("storeCard", "featuredActions/0/url", "http://example.com", "featuredActions.0.url", "action-link"),
    ("storeCard", "featuredActions/0/url", DROP, "featuredActions.0.url", "action-link"),
    ("storeCard", "featuredActions/1/url", "https://example.com", "featuredActions.1.url", "action-call"),
    ("storeCard", "featuredActions/1/url", "tel:", "featuredActions.1.url", "action-call"),
    ("eventTicket", "featuredActions/0/url", "https://example.com", "featuredActions.0.placeIdentifier",
     "action-place"),
    ("eventTicket", "featuredActions/0/placeIdentifier", DROP, "featuredActions.0.placeIdentifier", "action-place"),
    ("storeCard", "associatedStoreIdentifiers", ["915249334"], "associatedStoreIdentifiers", "apps"),
    ("storeCard", "associatedStoreIdentifiers", DROP, "appLaunchURL", "app-link-alone"),
    ("storeCard", "appLaunchURL", "the shop", "appLaunchURL", "app-link"),
]  # fmt: skip
