"""Owns the programme of the year through the books, and what the oracle and the simulator say of a member by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from benchmarks.year_oracle import CURRENCIES, TOBACCO, Member
from wallet_server.rules.programme.program import Programme
from wallet_server.rules.programme.program_default import default_document
from wallet_server.rules.simulation import Engine, Tally, play
from wallet_server.rules.simulation.customers import Purchase

MONEY = "USD"
Figures = Mapping[str, int | str]


def document() -> dict[str, Any]:
    """Three earning rules (points that run out, status, stamps), three tiers, two rewards, tobacco without points."""
    found = default_document("A year of baskets") | {"money": {"iso": MONEY, "exponent": 2}}
    found["currencies"][0] |= {"expires_after_months": 6, "worth": {"units": 100, "amount_minor": 100}}
    stamp = {"fr": {"one": "tampon", "other": "tampons"}, "en": {"one": "stamp", "other": "stamps"}}
    found["currencies"].append({"code": "stamps", "kind": "stamps", "names": stamp})
    found["earn"][0]["excluded_categories"] = [TOBACCO]
    visit = {"units": 1, "minimum_minor": 500, "interval_minutes": 60}
    found["earn"].append({"id": "visit", "currency": "stamps", "visit": visit})
    for level, least in zip(found["tiers"]["levels"][1:], (40_000, 100_000), strict=True):
        del level["threshold"]
        level["needs"] = {"metric": "spend", "window": "rolling-90-days", "at_least": least}
    coffee, five = {"fr": "un café", "en": "a coffee"}, {"fr": "5 $ de remise", "en": "$5 off"}
    found["rewards"] = [
        {"code": "coffee", "names": coffee, "value_minor": 250, "cost": {"currency": "stamps", "amount": 10}},
        {"code": "five", "kind": "amount", "names": five, "value_minor": 500,
         "cost": {"currency": "points", "amount": 500}},
    ]  # fmt: skip
    return found


def of_oracle(member: Member, at: datetime) -> dict[str, Any]:
    """What the oracle says of a member."""
    tier = member.end(at)
    found: dict[str, Any] = {"tier": tier}
    for code in CURRENCIES:
        purse = member.purses[code]
        kinds = {f"{code} {kind}": amount for kind, amount in purse.flows.items() if amount}
        found |= kinds | {f"{code} balance": purse.balance}
    return found


def of_simulator(
    programme: Programme, histories: Mapping[int, Sequence[Purchase]], until: datetime
) -> Iterator[tuple[int, Figures]]:
    """Household to the same figures by the simulator."""
    engine = Engine(programme)
    for home, purchases in histories.items():
        tally = Tally()
        play(engine, tally, str(home), purchases, until)
        found: dict[str, Any] = {"tier": engine.ladders.codes[tally.members[0].tier]}
        for code in CURRENCIES:
            flows = tally.flows.get(code, {}).values()
            kinds = {
                "earn": sum(one.earned for one in flows),
                "burn": -sum(one.spent for one in flows),
                "expire": -sum(one.expired for one in flows),
                "reverse": -sum(one.taken_back for one in flows),
            }
            found |= {f"{code} {kind}": amount for kind, amount in kinds.items() if amount}
            found[f"{code} balance"] = sum(kinds.values())
        yield home, found
