"""Owns the reports of the books as documents: ids, numbers and codes, for the interface, the pages and a close."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from wallet_server.actions.books.accounting import Currency, Report, Trial
from wallet_server.rules.books import redemption
from wallet_server.rules.books.liability import month_name
from wallet_server.rules.books.redemption import Estimate

FORMAT = 2
"""Of what a close freezes. A close of format 1 does not tell what merchants took of each other's coupons."""


def document(found: Report, form: int = FORMAT) -> dict[str, Any]:
    """The report in ids, numbers and codes: what the interface answers, and what a close of this format freezes."""
    return {
        "as_of": found.as_of.isoformat(),
        "from": found.since.isoformat(),
        "merchant": found.merchant,
        "liability_minor": dict(sorted(found.liability_minor.items())),
        "currencies": [_currency_document(one) for one in found.currencies],
        "coupons": [
            {
                "programme": one.programme,
                "money": one.money,
                "opening_minor": one.opening_minor,
                "moved_minor": one.moved_minor,
                "given_minor": one.given_minor,
                "owed_minor": one.owed_minor,
                "good": one.good,
            }
            | ({"honoured": [vars(each) for each in one.honoured]} if form > 1 else {})
            for one in found.coupons
        ],
    }


def _currency_document(one: Currency) -> dict[str, Any]:
    told, moves = one.told, one.told.movement
    money = None
    if told.money is not None and told.before is not None:
        money = {
            "allocated_minor": told.money.allocated_minor,
            "recognised_minor": told.money.earned_minor,
            "deferred_minor": told.money.deferred_minor,
            "provision_minor": told.money.provision_minor,
            "liability_minor": told.money.liability_minor,
            "opening_liability_minor": told.before.liability_minor,
            "recognised_in_period_minor": told.money.earned_minor - told.before.earned_minor,
        }
    return {
        "programme": one.programme,
        "currency": one.code,
        "kind": one.kind,
        "money": one.money,
        "worth": told.worth and {
            "units": told.worth.rate.denominator,
            "amount_minor": told.worth.rate.numerator,
            "reward": told.worth.reward,
        },
        "outstanding": told.outstanding,
        "expected": told.coming,
        "breakage": told.breakage,
        "estimate": _estimate_document(told.estimate),
        "amounts": money,
        "ageing": [
            {"from_months": age.from_months, "to_months": age.to_months, "outstanding": age.units,
             "liability_minor": None if money is None else age.liability_minor}
            for age in told.ages
        ],
        "movement": {
            "opening": moves.opening,
            "granted": moves.granted,
            "redeemed": moves.redeemed,
            "expired": moves.expired,
            "moved": moves.moved,
            "closing": moves.closing,
        },
        "months": [
            {"month": month_name(point.month), "outstanding": point.units,
             "liability_minor": None if money is None else point.liability_minor}
            for point in told.series
        ],
    }  # fmt: skip


def _estimate_document(found: Estimate) -> dict[str, Any]:
    trial = found.trial
    return {
        "share": share_text(found.share),
        "low": share_text(found.low),
        "high": share_text(found.high),
        "used": share_text(found.used),
        "months": found.months,
        "redemptions": found.redemptions,
        "why_not": found.why,
        "trial": trial and {
            "months": trial.months,
            "predicted": trial.predicted,
            "actual": trial.actual,
            "error": share_text(trial.error),
        },
        "sentence": redemption.sentence(found, "en"),
    }  # fmt: skip


def trial_document(found: Trial) -> dict[str, Any]:
    """The trial balance in ids, numbers and codes."""
    return {
        "as_of": found.as_of.isoformat(),
        "merchant": found.merchant,
        "even": found.even,
        "lines": [
            {"programme": one.programme, "currency": one.currency, "owner": one.owner, "purpose": one.purpose,
             "debit": one.debit, "credit": one.credit}
            for one in found.lines
        ],
        "sums": [{"programme": key[0], "currency": key[1], "sum": n} for key, n in sorted(found.sums.items())],
    }  # fmt: skip


def share_text(share: Fraction) -> str:
    """A share as decimals, exact to the billionth: `0.912345678`."""
    billionths = int(share * 10**9)
    return f"{billionths // 10**9}.{billionths % 10**9:09d}"
