"""Owns the replay itself: members and phones, the baskets through the tills, the quiet end, and the check of it all."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.replay import books, oracle
from benchmarks.replay.baskets import CURRENCY, Basket, shrunk, split_last
from benchmarks.replay.phones import Android, Carried, IPhone, new_android, new_iphone
from benchmarks.replay.tills import Answered, Errand, shop
from benchmarks.replay.watch import Latencies, Seen, latencies, watching
from tests.stories.stage import Stage

TILLS = 8
ENROL_THREADS = 4
DRAIN_SECONDS = 180.0
MOST_DIFFERENCES = 200

Told = Callable[[str, int, int], None]
"""What is being done, how much of it is done, how much there is."""


@dataclass(frozen=True)
class Member:
    """A household as a member, with its phone and what a scanner reads off it."""

    public_id: str
    phone: Carried
    code: str


@dataclass(frozen=True)
class Outcome:
    """What the replay gave. `differences` are sentences; none when every figure is the same everywhere.

    `main` is the replay as fast as the tills answer; `quiet` each household's last basket, spaced, after a rest as
    long as the coalescing window. `counts` holds pushes, fetches, not_modified, versions, coalesced and more.
    """

    answers: Sequence[Answered]
    seconds: float
    phones: Mapping[int, Carried]
    main: Latencies
    quiet: Latencies
    showings: Sequence[float]
    counts: Mapping[str, int]
    differences: Sequence[str]
    trial_balance: str


def replay(
    stage: Stage,
    baskets: list[Basket],
    coalesce_seconds: float,
    tell: Told = lambda *_: None,
    quiet_per_second: float = 20.0,
) -> Outcome:
    """Send these baskets through the stage's tills and check every figure. Half of the members have an Android phone,
    for which the stage needs its Google. `tell` may pull the plug meanwhile."""
    _count_in_dollars(stage)
    members = enrol(stage, [*dict.fromkeys(basket.household for basket in baskets)], tell, androids=True)
    phones = {household: member.phone for household, member in members.items()}
    keys = add_tills(stage)
    sent = dict(zip((b.receipt for b in baskets), shrunk(baskets, datetime.now(UTC)), strict=True))
    bulk, last = ([_errand(b, members, sent) for b in part] for part in split_last(baskets))
    stage.apns.counts.accepted = 0
    stage.fleet.counters.clear()
    stage.google.counts.clear()
    with watching(stage.fleet, [member.phone for member in members.values()], stage.google) as seen:
        answers = _send(stage, keys, bulk, None, "baskets", tell)
        _drain(stage, phones, answers, tell)
        # Whatever window the last update of any card opened is over.
        time.sleep(coalesce_seconds + 0.5)
        quiet = _send(stage, keys[:1], last, quiet_per_second, "each household's last, spaced", tell)
        _drain(stage, phones, [*answers, *quiet], tell)
    begun = min(answer.begun_at for answer in answers)
    found = books.read(stage.settings.database)
    audit = stage.command("audit")
    differences = [
        *(f"Household {a.household}: a sale was not counted: {a.fault}" for a in [*answers, *quiet] if a.fault),
        *_differences(baskets, members, found, stage),
        *([] if audit.returncode == 0 else [f"wallet-server audit: {audit.stdout[-500:]}{audit.stderr[-500:]}"]),
    ]
    return Outcome(
        answers=[*answers, *quiet],
        seconds=max(answer.answered_at for answer in answers) - begun,
        phones=phones,
        main=latencies(answers, phones, seen, coalesce_seconds),
        quiet=latencies(quiet, phones, seen, coalesce_seconds),
        showings=_moments(seen, begun),
        counts=_counts(stage, [*answers, *quiet], found),
        differences=differences[:MOST_DIFFERENCES],
        trial_balance=audit.stdout,
    )


def _count_in_dollars(stage: Stage) -> None:
    """The demonstration programme counts euros; a further version of it counts the data set's dollars."""
    path = f"/v1/programmes/{stage.facts['programme']}"
    document = stage.merchant("GET", path).body["document"]
    document["money"] = {"iso": CURRENCY, "exponent": 2}
    answer = stage.merchant("POST", f"{path}/versions", {"document": document})
    assert answer.status == 200, answer


def add_tills(stage: Stage) -> list[str]:
    """The keys of as many tills as the replay has, the demonstration's own first."""
    store = stage.merchant("GET", "/v1/stores").body["stores"][0]["id"]
    made = [stage.merchant("POST", "/v1/tills", {"store": store, "name": f"Till {n}"}) for n in range(2, TILLS + 1)]
    return [stage.facts["till_key"], *(answer.body["key"] for answer in made)]


def enrol(stage: Stage, households: Sequence[int], tell: Told, *, androids: bool = False) -> dict[int, Member]:
    """One member for each household, with a phone of its own that holds the card: an iPhone or, for every other one
    where there are `androids`, an Android phone."""

    def join(place: int) -> tuple[int, Member]:
        facts = stage.enrol(language="en")
        phone: Carried = (new_android if androids and place % 2 else new_iphone)(stage, facts)
        return households[place], Member(facts["member"], phone, phone.code())

    members: dict[int, Member] = {}
    with ThreadPoolExecutor(ENROL_THREADS) as pool:
        for household, member in pool.map(join, range(len(households))):
            members[household] = member
            tell("members with a phone", len(members), len(households))
    return members


def _errand(basket: Basket, members: Mapping[int, Member], sent: Mapping[str, datetime]) -> Errand:
    body = basket.body(members[basket.household].code, sent[basket.receipt])
    return Errand(basket.household, basket.turn, json.dumps(body).encode())


def _send(
    stage: Stage, keys: Sequence[str], errands: Sequence[Errand], per_second: float | None, what: str, tell: Told
) -> list[Answered]:
    answers = []
    with shop(stage.base, keys, errands, per_second) as coming:
        for answer in coming:
            answers.append(answer)
            tell(what, len(answers), len(errands))
    return answers


def _drain(stage: Stage, phones: Mapping[int, Carried], answers: Sequence[Answered], tell: Told) -> None:
    """Wait until every phone shows what its last sale's answer said, and has nothing left to do."""
    due = {answer.household: answer.points for answer in answers if not answer.fault}
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end:
        done = sum(phones[household].points() == points for household, points in due.items())
        tell("phones that show their last sale", done, len(due))
        if done == len(due):
            stage.run(stage.fleet.settle())
            return
        time.sleep(0.05)


def _differences(
    baskets: Sequence[Basket], members: Mapping[int, Member], found: books.Books, stage: Stage
) -> list[str]:
    counters: Counter[str] = stage.fleet.counters
    expected = oracle.points({basket.receipt for basket in baskets})
    purses = {(purse.member, purse.currency): purse for purse in found.purses}
    differences = []
    for household, member in members.items():
        for currency in ("points", "status"):
            purse = purses[member.public_id, currency]
            figures = {"balance": purse.balance, "postings": purse.postings, "lots": purse.lots}
            if currency == "points":
                figures[_kind(member.phone)] = member.phone.points()
            if set(figures.values()) != {expected[household]}:
                differences.append(f"Household {household}, {currency}: oracle {expected[household]}, {figures}")
    differences += [
        f"The postings of {code} come to {total}, not to zero" for code, total in found.trial.items() if total
    ]
    lines = sum(len(basket.lines) for basket in baskets)
    for what, stands, wanted in (
        ("sales", found.sales, len(baskets)),
        ("receipts", found.receipts, len(baskets)),
        ("sale lines", found.lines, lines),
        ("jobs given up", found.dead_jobs, 0),
        ("passes that phones refused", counters["refusals"], 0),
        ("crashes of phones", counters["crashes"], 0),
        ("cards that Android phones refused", stage.androids.counters["refused"], 0),
        ("Android phones", sum(isinstance(member.phone, Android) for member in members.values()), len(members) // 2),
    ):
        if stands != wanted:
            differences.append(f"{what}: {stands}, not {wanted}")
    return differences


def _kind(phone: Carried) -> str:
    return "iPhone" if isinstance(phone, IPhone) else "Android"


def _counts(stage: Stage, answers: Sequence[Answered], found: books.Books) -> dict[str, int]:
    counters = stage.fleet.counters
    earning = sum(1 for answer in answers if answer.earned)
    return {
        "sales": found.sales,
        "lines": found.lines,
        "earning sales": earning,
        "versions": found.versions,
        "coalesced": earning - found.versions,
        "pushes": stage.apns.counts.accepted,
        "lists": counters["lists"],
        "fetches": counters["gets"],
        "not modified": counters["not_modified"],
        "changes at Google": stage.google.counts["loyaltyobject.patch 200"],
        "alerts": counters["alerts"] + sum(len(phone.lock_screen) for phone in stage.androids.phones.values()),
        "complaints": counters["complaints"],
        "sent again": sum(answer.tries - 1 for answer in answers),
    }


def _moments(seen: Seen, begun: float) -> list[float]:
    return sorted(showing.at - begun for showings in seen.values() for showing in showings)
