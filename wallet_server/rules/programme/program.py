"""Owns the Programme: what a merchant promises its members, parsed strictly from a versioned document.

The written form is described in docs/programme.md. Rates are exact fractions; nothing here is a float.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from wallet_server.errors import Fault, Invalid, NotFound
from wallet_server.rules.announcing.announcing import AnnouncePolicy
from wallet_server.rules.characters import CANNOT_BE_SHOWN, UNSHOWABLE, blank, texts
from wallet_server.rules.passes.card import Barcode, Palette, Texts
from wallet_server.rules.programme import gesture_parts
from wallet_server.rules.programme import program_build as build
from wallet_server.rules.programme.document_types import BLANK, shape_faults
from wallet_server.rules.programme.engine_checks import burden_faults
from wallet_server.rules.programme.gesture_parts import Budget, Gesture
from wallet_server.rules.programme.program_checks import address_faults, cross_faults
from wallet_server.rules.programme.program_default import default_document
from wallet_server.rules.programme.program_document import ProgrammeShape
from wallet_server.rules.programme.program_parts import (
    Amount,
    AppleParts,
    Conversion,
    Currency,
    CurrencyKind,
    Deal,
    EarnRule,
    Event,
    Goods,
    GoogleParts,
    Item,
    Ladder,
    Level,
    Money,
    Multiplier,
    OfflinePolicy,
    Per,
    Plural,
    Promise,
    RefundPolicy,
    Reward,
    Rounding,
    Scope,
    Visit,
)

__all__ = [
    "Amount",
    "AppleParts",
    "Currency",
    "CurrencyKind",
    "EarnRule",
    "Event",
    "GoogleParts",
    "Item",
    "Ladder",
    "Level",
    "Money",
    "Per",
    "Plural",
    "Programme",
    "Promise",
    "Reward",
    "Rounding",
    "Scope",
    "Visit",
    "default_document",
    "document_schema",
    "fingerprint",
    "parse",
]


@dataclass(frozen=True)
class Programme:
    """One version of a programme; every mapping of texts has exactly `languages`, the first being the default.

    `excluded` goods earn and buy nothing; empty, it excludes nothing. Units are put aside for `hold_minutes` at most,
    and a sale of nobody can be claimed for `claim_days`.
    """

    format: int
    organisation: str
    languages: tuple[str, ...]
    money: Money
    design_id: str
    design_version: int
    barcode: Barcode | None
    palette: Palette
    description: Texts
    currencies: tuple[Currency, ...]
    balance_currency: str
    earn: tuple[EarnRule, ...]
    ladder: Ladder | None
    rewards: tuple[Reward, ...]
    welcome: Amount | None
    logo: str | None
    announce: AnnouncePolicy
    useful_distance_metres: int
    max_distance_metres: int | None
    website: str | None
    apple: AppleParts = AppleParts()
    google: GoogleParts = GoogleParts()
    welcome_coupon: Promise | None = None
    multipliers: tuple[Multiplier, ...] = ()
    excluded: Goods = Goods()
    deals: tuple[Deal, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    refunds: RefundPolicy = RefundPolicy()
    hold_minutes: int = 1440
    offline: OfflinePolicy = OfflinePolicy()
    claim_days: int = 30
    gestures: tuple[Gesture, ...] = ()
    gesture_budgets: tuple[Budget, ...] = ()

    def currency(self, code: str) -> Currency:
        """The currency of this code. Raises NotFound."""
        for currency in self.currencies:
            if currency.code == code:
                return currency
        raise NotFound(f"This programme has no currency “{code}”.", field="currency")

    def gesture(self, name: str) -> Gesture | None:
        """The gesture of this id, or None."""
        return next((gesture for gesture in self.gestures if gesture.id == name), None)

    def reward(self, code: str) -> Reward | None:
        """The reward of this code, or None (a code of an older document may be gone)."""
        return next((reward for reward in self.rewards if reward.code == code), None)


def parse(document: Mapping[str, object]) -> Programme:
    """Reads a programme document (as JSON or TOML give it). Raises Invalid with every fault of the document."""
    try:
        shape = ProgrammeShape.model_validate(document)
    except ValidationError as refusal:
        faults = shape_faults(refusal)
    except RecursionError:
        raise _refused([Fault("document", "The document is nested too deeply.")]) from None
    else:
        faults = []
    if isinstance(document, Mapping):
        known = {fault.path for fault in faults}
        faults += [fault for fault in cross_faults(document) if fault.path not in known]
    if faults:
        raise _refused(faults)
    return _programme(shape)


def publishable(document: Mapping[str, object]) -> Programme:
    """Reads a document that is to be published: what was published before stays readable, whatever is asked of new
    ones. Raises Invalid with every fault."""
    programme = parse(document)
    faults = [*address_faults(document), *burden_faults(document)]
    for path, text in texts(document):
        if UNSHOWABLE.search(text):
            faults.append(Fault(path, CANNOT_BE_SHOWN))
        elif text.strip() and blank(text):
            faults.append(Fault(path, BLANK))
    if faults:
        raise _refused(faults)
    return programme


def document_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the document's shape; what parts demand of each other only `parse` checks."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ProgrammeShape.model_json_schema(by_alias=True),
        "title": "Programme document, format 1",
    }


def fingerprint(document: Mapping[str, object]) -> str:
    """SHA-256 (hex) of the document as written, in canonical JSON; the order of fields does not matter.

    Defaults are not filled in, so that the fingerprint of a stored document stays the same when a later version of
    the product knows more fields. Raises Invalid for what JSON cannot hold.
    """
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        sentence = "A programme holds texts, whole numbers, true, false, lists and tables only."
        raise _refused([Fault("document", sentence)]) from None
    return hashlib.sha256(text.encode()).hexdigest()


def _refused(faults: list[Fault]) -> Invalid:
    count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
    return Invalid(f"The programme document has {count}; mend and send it again.", field="document", faults=faults)


def _programme(shape: ProgrammeShape) -> Programme:
    money = Money(shape.money.iso, shape.money.exponent)
    return Programme(
        format=shape.format,
        organisation=shape.organisation,
        languages=tuple(shape.languages),
        money=money,
        design_id=shape.design.id,
        design_version=shape.design.version,
        barcode=shape.design.barcode,
        palette=build.palette(shape.palette),
        description=dict(shape.description),
        currencies=tuple(build.currency(currency, money) for currency in shape.currencies),
        balance_currency=shape.balance_currency,
        earn=tuple(build.rule(rule) for rule in shape.earn),
        ladder=None if shape.tiers is None else build.ladder(shape.tiers, shape.balance_currency),
        rewards=tuple(build.reward(row) for row in shape.rewards),
        welcome=None if shape.welcome is None else build.gift(shape.welcome),
        logo=shape.branding.logo,
        announce=build.policy(shape.announce),
        useful_distance_metres=shape.useful_distance_metres,
        max_distance_metres=shape.max_distance_metres,
        website=shape.links.website,
        apple=build.apple(shape.apple),
        google=build.google(shape.google),
        welcome_coupon=None if shape.welcome is None else build.promise(shape.welcome.coupon),
        multipliers=tuple(build.multiplier(row) for row in shape.multipliers),
        excluded=Goods(frozenset(shape.excluded.categories), frozenset(shape.excluded.skus)),
        deals=tuple(build.deal(row) for row in shape.deals),
        conversions=tuple(build.conversion(row) for row in shape.conversions),
        refunds=RefundPolicy(shape.refunds.draws, shape.refunds.vouchers, shape.refunds.negative),
        hold_minutes=shape.holds.minutes,
        offline=OfflinePolicy(**shape.offline.model_dump()),
        claim_days=shape.claims.days,
        gestures=tuple(gesture_parts.gesture(row, shape.balance_currency) for row in shape.gestures),
        gesture_budgets=gesture_parts.budgets(shape.gesture_budgets),
    )
