"""Conditions: what is refused at publishing, what the others answer, and that another library answers the same."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wallet_server.errors import Invalid
from wallet_server.rules.conditions import conditions
from wallet_server.rules.conditions.conditions import EVENT, SALE, Refused, Unanswerable
from wallet_server.rules.programme.program import default_document, parse, publishable

Facts = dict[str, Any]


@dataclass
class Around:
    """Facts as a condition takes them."""

    basket: Any = None
    member: Any = None
    store: Any = None
    line: Any = None
    event: Any = None
    it: Any = None


def around(facts: Facts) -> Around:
    parts = {name: SimpleNamespace(**fields) for name, fields in facts.items()}
    if "basket" in parts:
        parts["basket"].lines = [SimpleNamespace(**line) for line in facts["basket"]["lines"]]
    return Around(**parts)


BASKET: Facts = {
    "basket": {
        "amount_minor": 2500,
        "lines": [
            {"sku": "a1", "category": "books", "quantity_milli": 1000, "amount_minor": 1800},
            {"sku": "b2", "category": None, "quantity_milli": 500, "amount_minor": 700},
        ],
        "line_count": 2,
        "hour": 17,
        "weekday": "fri",
        "date": "2026-12-04",
        "rewards_used": False,
    },
    "member": {"tier": "gold", "tenure_days": 400, "visits": 12, "birthday_today": False},
    "store": {"id": "sto_x", "zone": "Europe/Paris"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("basket.amount_minor >= 2000 && member.tier == 'gold'", True),
        ("basket.amount_minor > 2500 || member.tier in ['silver', \"bronze\"]", False),
        ("basket.lines.exists(one, one.category == 'books' && one.amount_minor > 1000)", True),
        ("basket.lines.all(one, one.category == '' || one.sku.startsWith('a'))", True),
        ("size(basket.lines) == basket.line_count && basket.lines.size() % 2 == 0", True),
        ("basket.hour >= 17 && basket.hour < 19 && basket.weekday in ['thu', 'fri']", True),
        ("basket.date.contains('-12-') && basket.date <= '2026-12-24'", True),
        ("!basket.rewards_used && !!member.birthday_today", False),
        ("(member.visits + 1) * 2 - 0x10 == 10", True),
        ("-7 / 2 == -3 && -7 % 2 == -1 && 7 / -2 == -3 && 7 % -2 == 1", True),
        ("member.tenure_days > 365 ? basket.amount_minor > 1000 : basket.amount_minor > 5000", True),
        ("store.zone.endsWith('Paris') == true", True),
        ("size('é\\u20ac\\n\\'') == 4", True),
        ("1 / (member.visits - 12) == 0 || member.tier == 'gold'", True),
        ("basket.lines.exists(one, 1 / (one.amount_minor - 1800) == 1 || one.sku == 'b2')", True),
    ],
)
def test_a_condition_is_answered(text: str, expected: bool) -> None:
    assert conditions.read(text, SALE).holds(around(BASKET)) is expected


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        ("", [(1, "missing")]),
        ("baskt.x > 1 && member.teir == 3", [(1, "no “baskt”"), (22, "no “teir”; it has member.tier")]),
        ("basket.amount_minor", [(1, "compare it")]),
        ("basket.amount_minor > '20'", [(21, "like with like")]),
        ("basket.amount_minor > 20.5", [(23, "minor units, 1050 for 10.50")]),
        ("basket.amount_minor > 20u", [(23, "without a letter")]),
        ("member.tier.matches('g.*')", [(12, "no function “matches”")]),
        ("duration('1s') > 2", [(1, "no function “duration”")]),
        ("basket.lines.exists(a, basket.lines.all(b, a.sku == b.sku))", [(36, "inside another")]),
        ("basket.lines.exists(a, true) && basket.lines.exists(b, true)", [(45, "goes through a list once")]),
        ("line.sku == 'a' && basket.lines.exists(a, true)", [(1, "asked of each line already")]),
        ("basket.lines.exists(a.b, true)", [(13, "is written basket.lines.exists(one,")]),
        ("basket.lines.map(a, a.sku) == 1", [(13, "no function “map”")]),
        ("basket.lines.exists(store, true)", [(21, "has a meaning already")]),
        ("basket.lines[0].sku == 'a'", [(13, "with exists or all")]),
        ("basket.lines == basket.lines", [(14, "cannot compare a list")]),
        ("member.tier in ['gold', 3]", [(16, "of texts or of numbers")]),
        ("member.tier in [1, 3]", [(13, "looks for like")]),
        ("member.tier in member.tier", [(13, "stands a list")]),
        ("basket > 1", [(1, "what of “basket” is meant")]),
        ("true ? 1 : 'a'", [(6, "of one kind")]),
        ("1 && true", [(1, "true or false; this is a whole number")]),
        ("-true == -1", [(2, "before a number")]),
        ("true < false", [(6, "have no order")]),
        ("'it", [(1, "closing quote")]),
        ("'\\q' == 'a'", [(2, "no meaning in a text")]),
        ("r'a' == 'a'", [(1, "before its quote")]),
        ("9007199254740992 > 1", [(1, "No number is larger")]),
        ("1 == 1 true", [(8, "not expected")]),
        ("null == null", [(1, "not expected")]),
        ("(" * 13 + "true" + ")" * 13, [(13, "nested more than 12")]),
        (" || ".join(["true"] * 40), [(238, "at most 60 parts")]),
        ("true ||" * 80 + "true", [(501, "at most 500 characters")]),
    ],
)
def test_what_cannot_be_published_is_refused_with_its_place(text: str, flaws: list[tuple[int, str]]) -> None:
    with pytest.raises(Refused) as refusal:
        conditions.read(text, SALE)
    found = refusal.value.flaws
    assert [(flaw.at, said in flaw.sentence) for flaw, (_, said) in zip(found, flaws, strict=True)] == [
        (at, True) for at, _ in flaws
    ]
    assert all(flaw.sentence.endswith(".") for flaw in found)


def test_the_fields_of_an_event_may_be_anything_simple() -> None:
    facts = {"event": {"name": "workshop", "fields": {"level": "expert", "hours": 3, "paid": True}}}
    holds = {
        "event.fields.level == 'expert' && event.fields.hours >= 2": True,
        "event.fields.paid == true": True,
        "event.fields.paid == 1": False,  # true is no number
        "event.fields.hours in [1, 2, 3]": True,
        "'place' in event.fields || 'level' in event.fields": True,
        "event.fields.level != 3": True,
    }
    assert {text: conditions.read(text, EVENT).holds(around(facts)) for text in holds} == holds
    for text in ("event.fields.place == 'Paris'", "event.fields.level > 3"):
        with pytest.raises(Unanswerable):
            conditions.read(text, EVENT).holds(around(facts))


def test_what_a_condition_asks_is_known_beforehand() -> None:
    condition = conditions.read("line.category == 'books' && member.tier == 'gold'", SALE)
    assert (condition.asks, condition.per_line) == (frozenset({"line.category", "member.tier"}), True)
    walk = conditions.read("basket.lines.exists(one, one.sku == 'a')", SALE)
    assert (walk.asks, walk.per_line) == (frozenset({"basket.lines"}), False)


words = st.sampled_from(["", "a", "ab", "b", "gold", "fri"])
whole = st.integers(-4, 40)
lines = st.lists(
    st.fixed_dictionaries({"sku": words, "category": words, "quantity_milli": whole, "amount_minor": whole}), max_size=4
)
baskets = st.fixed_dictionaries(
    {
        "amount_minor": st.one_of(whole, st.just(2**62)),
        "lines": lines,
        "line_count": whole,
        "hour": st.integers(0, 23),
        "weekday": words,
        "date": words,
        "rewards_used": st.booleans(),
    }
)
people = st.fixed_dictionaries({"tier": words, "tenure_days": whole, "visits": whole, "birthday_today": st.booleans()})
contexts = st.fixed_dictionaries(
    {"basket": baskets, "member": people, "store": st.fixed_dictionaries({"id": words, "zone": words})}
)


def written(kind: str, depth: int, name: str | None) -> st.SearchStrategy[str]:
    """Conditions of our subset as text; `name` is the line that a walk goes through."""
    if kind == "number":
        facts = ["basket.amount_minor", "basket.line_count", "member.visits", "size(basket.lines)", "size(member.tier)"]
        simple = st.one_of(whole.map(str), st.sampled_from(facts + ([f"{name}.amount_minor"] if name else [])))
    elif kind == "text":
        facts = ["member.tier", "basket.weekday", "store.id"] + ([f"{name}.sku", f"{name}.category"] if name else [])
        simple = st.one_of(words.map(lambda word: f"'{word}'"), st.sampled_from(facts))
    else:
        simple = st.sampled_from(["true", "false", "basket.rewards_used", "member.birthday_today"])
    if depth == 0:
        return simple
    number, text, truth = (written(kind, depth - 1, name) for kind in ("number", "text", "truth"))
    if kind == "number":
        sums = st.tuples(number, st.sampled_from("+-*/%"), number).map(lambda p: f"({p[0]} {p[1]} {p[2]})")
        return st.one_of(simple, sums, number.map(lambda value: f"-({value})"))
    if kind == "text":
        return st.one_of(simple, st.tuples(truth, text, text).map(lambda p: f"({p[0]} ? {p[1]} : {p[2]})"))
    signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    tests = st.sampled_from(["startsWith", "endsWith", "contains"])
    return st.one_of(
        st.tuples(number, signs, number).map(lambda p: f"{p[0]} {p[1]} {p[2]}"),
        st.tuples(text, signs, text).map(lambda p: f"{p[0]} {p[1]} {p[2]}"),
        st.tuples(truth, st.sampled_from(["&&", "||", "==", "!="]), truth).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        st.tuples(text, tests, text).map(lambda p: f"({p[0]}).{p[1]}({p[2]})"),
        st.tuples(text, st.lists(words, min_size=1, max_size=3)).map(lambda p: f"{p[0]} in {p[1]}"),
        truth.map(lambda value: f"!({value})"),
    )


walks = st.tuples(st.sampled_from(["exists", "all"]), written("truth", 2, "one")).map(
    lambda p: f"basket.lines.{p[0]}(one, {p[1]})"
)


@settings(max_examples=examples(150), deadline=None)
@given(text=st.one_of(written("truth", 3, None), walks), facts=contexts)
def test_another_library_answers_the_same(text: str, facts: Facts) -> None:
    """The Rust library answers what we accept as we do, and has no answer where we have none."""
    try:
        condition = conditions.read(text, SALE)
    except Refused as refusal:
        assert all("at most" in flaw.sentence or "nested more" in flaw.sentence for flaw in refusal.flaws), text
        return
    try:
        ours: bool | None = condition.holds(around(facts))
    except Unanswerable:
        ours = None
    try:
        theirs = cel.evaluate(text, facts)
    except (ZeroDivisionError, OverflowError, RuntimeError):
        theirs = None
    assert ours is theirs, text


def test_what_is_read_grows_no_faster_than_the_basket() -> None:
    """The longest walk that is accepted reads each line once for each of its parts, and nothing twice over."""
    text = "basket.lines.exists(x, x.sku == 'n'" + " || x.sku.contains('ab')" * 10 + ")"
    condition = conditions.read(text, SALE)

    class Counting:
        reads = 0

        @property
        def sku(self) -> str:
            Counting.reads += 1
            return "a" * 80

    assert condition.holds(Around(basket=SimpleNamespace(lines=[Counting()] * 1000))) is False
    assert Counting.reads == 11 * 1000


def test_a_programme_with_a_bad_condition_is_refused_with_its_path_and_character() -> None:
    names = {"fr": "un atelier", "en": "a workshop"}
    when = {"euro": "basket.amount > 1 && member.tier == 2", "workshop": "basket.amount_minor > 1"}
    document = default_document("Boulangerie") | {
        "earn": [
            {"id": "euro", "currency": "points", "per": {"amount_minor": 100, "points": 1}, "when": when["euro"]},
            {"id": "shop", "currency": "points", "event": {"name": "shop", "names": names, "units": 5},
             "when": when["workshop"]},
        ],
        "multipliers": [{"id": "x", "factor": [2, 1], "rules": ["shop"], "when": "true ||"}],
    }  # fmt: skip
    with pytest.raises(Invalid) as refusal:
        parse(document)
    found = [(fault.path, fault.sentence.partition(";")[0][:60]) for fault in refusal.value.faults]
    assert found == [
        ("multipliers.0.rules.0", "“shop” gives for events, which no factor changes"),
        ("earn.0.when", "At character 7: “basket” has no “amount”"),
        ("earn.0.when", "At character 34: “==” compares like with like, not a text wi"),
        ("earn.1.when", "At character 1: There is no “basket” here"),
        ("multipliers.0.when", "At character 8: Something is missing at the end."),
    ]


def test_conditions_that_are_asked_of_each_line_are_bounded_together() -> None:
    """One of 500 characters is well; five are more than a till should wait for with a thousand lines."""
    when = " || ".join(f"line.sku == '{number:0>85}'" for number in range(4))
    factors = [{"id": f"m{number}", "factor": [2, 1], "when": when} for number in range(5)]
    document = default_document("Shop")
    assert publishable(document | {"multipliers": factors[:4]}).multipliers
    with pytest.raises(Invalid) as refused:
        publishable(document | {"multipliers": factors})
    assert [fault.path for fault in refused.value.faults] == ["multipliers.4.when"]
    # What was published before stays readable.
    assert len(parse(document | {"multipliers": factors}).multipliers) == 5
    of_baskets = [one | {"when": when.replace("line.sku", "store.id")} for one in factors]
    assert publishable(document | {"multipliers": of_baskets}).multipliers
