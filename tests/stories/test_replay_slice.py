"""A slice of the real baskets through the tills: every figure is the same everywhere, also when the plug is pulled."""

from __future__ import annotations

from benchmarks.replay import baskets, oracle
from benchmarks.replay.run import replay
from tests.conftest import mostly_on
from tests.stories.conftest import MakeStage
from tests.stories.stage import Stage

UNCHANGED = "but the pass was unchanged."
HOUSEHOLDS, BASKETS, CUT_SHORT = 12, 100, 50


def complaints(stage: Stage) -> list[str]:
    """What the phones wrote to the server's log, but for what a phone says that fetched a version before it was listed:
    its fetch before was answered with a card, and this one, after the list for that very version, with 304. (Why that
    cannot be otherwise: actions/passes/test_lists.py.) A list that names a card for nothing gives two 304 in a row."""
    found = []
    for phone in stage.fleet.phones.values():
        answers: list[str] = []
        for one in phone.events:
            if one.kind == "get":
                answers.append(one.text.rpartition(" ")[2])
            elif one.kind == "log" and not (one.text.endswith(UNCHANGED) and answers[-2:] == ["200", "304"]):
                found.append(one.text)
    return found


@mostly_on("postgresql")
def test_a_slice_of_real_baskets_is_true_to_the_point(make_stage: MakeStage) -> None:
    stage = make_stage(coalesce_seconds=0.5, google=True)

    outcome = replay(stage, baskets.choose(HOUSEHOLDS, BASKETS), 0.5)

    assert outcome.differences == []
    assert outcome.counts["sales"] == BASKETS
    assert outcome.counts["changes at Google"] >= HOUSEHOLDS / 2
    assert complaints(stage) == []
    assert outcome.counts["complaints"] <= 3
    # Each household's last basket, if it earned anything, reached the phone and was timed.
    assert len(outcome.quiet.every) > HOUSEHOLDS / 2


@mostly_on("sqlite")
def test_killed_in_the_middle_of_the_replay(make_stage: MakeStage) -> None:
    stage = make_stage(coalesce_seconds=0.5, extra={"WALLET_LEASE_SECONDS": "3"}, google=True)
    chosen = baskets.choose(HOUSEHOLDS, CUT_SHORT)
    plugs = [CUT_SHORT // 4, CUT_SHORT // 2]

    def pull_the_plug(what: str, done: int, _of: int) -> None:
        if what == "baskets" and plugs and done == plugs[0]:
            plugs.pop(0)
            stage.kill()
            stage.start()

    outcome = replay(stage, chosen, 0.5, pull_the_plug)

    assert outcome.differences == []
    assert plugs == []
    assert outcome.counts["sent again"] > 0


def test_baskets_come_in_order_of_time_and_each_household_has_two() -> None:
    chosen = baskets.choose(50, 1_000)

    keys = [(basket.bought_at, int(basket.receipt)) for basket in chosen]
    assert keys == sorted(keys)
    turns: dict[int, list[int]] = {}
    for basket in chosen:
        turns.setdefault(basket.household, []).append(basket.turn)
    assert len(turns) == 50
    assert all(mine == list(range(len(mine))) and len(mine) >= 2 for mine in turns.values())
    times = baskets.shrunk(chosen, chosen[-1].bought_at)
    assert times == sorted(times)
    assert chosen[-1].bought_at - times[0] <= baskets.SPAN * 1.01


def test_the_oracle_counts_what_the_receipts_say() -> None:
    chosen = baskets.choose(50, 1_000)

    points: dict[int, int] = {}
    for basket in chosen:
        points[basket.household] = points.get(basket.household, 0) + basket.amount_minor // 100
    assert oracle.points({basket.receipt for basket in chosen}) == points
