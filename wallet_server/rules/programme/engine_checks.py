"""Owns what the parts of a programme document that earn, reward and rank demand of each other and of the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from wallet_server.errors import Fault
from wallet_server.rules.conditions import conditions
from wallet_server.rules.programme.document_reading import column, known_currency, repeats, table, texts
from wallet_server.rules.programme.document_reading import rows as rows_of

_NEEDS = ("all", "any", "metric", "weighted")
_OFFS = ("buy_get", "percent", "amount")
MOST_ASKED_OF_LINES = 2_000
"""Characters: about a fifth of a second for the longest basket on a slow machine."""
MAX_DEPTH = 4
"""How deep the needs of a tier may stand in each other."""


def engine_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    """Every contradiction in conditions, multipliers, deals, conversions, rewards, tiers, goods and worths."""
    yield from _currency_faults(document)
    yield from _rule_faults(document)
    yield from _multiplier_faults(document)
    yield from _condition_faults(document)
    yield from _deal_faults(document)
    yield from _conversion_faults(document)
    yield from _reward_faults(document)
    yield from _level_faults(document)
    yield from _twice("excluded", table(document.get("excluded")))


def places_of_texts(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Where these parts hold texts that are needed in each language."""
    for index, row in enumerate(rows_of(document.get("earn"))):
        yield f"earn.{index}.event.names", table(row.get("event")).get("names")
    for index, row in enumerate(rows_of(document.get("deals"))):
        yield f"deals.{index}.names", row.get("names")
    for part, own in (("conversions", "voucher"), ("rewards", "voucher")):
        for index, row in enumerate(rows_of(document.get(part))):
            for name in ("title", "terms"):
                yield f"{part}.{index}.{own}.{name}", table(row.get(own)).get(name)
    for index, row in enumerate(rows_of(document.get("rewards"))):
        yield f"rewards.{index}.instruction", row.get("instruction")
    for index, row in enumerate(rows_of(table(document.get("tiers")).get("levels"))):
        for name in ("short_names", "reward"):
            yield f"tiers.levels.{index}.{name}", row.get(name)


def _currency_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    for index, row in enumerate(rows_of(document.get("currencies"))):
        if row.get("kind") == "money" and row.get("worth") is not None:
            yield Fault(f"currencies.{index}.worth", "A unit of money is worth itself; remove this.")
        if row.get("kind") == "stamps" and type(row.get("pending_days")) is int and row.get("pending_days"):
            yield Fault(f"currencies.{index}.pending_days", "Stamps count at once; remove this.")


def _rule_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for part in ("earn", "multipliers", "deals", "conversions"):
        for index, row in enumerate(rows_of(document.get(part))):
            name, path = row.get("id"), f"{part}.{index}.id"
            if isinstance(name, str) and part != "earn" and name in seen:
                yield Fault(path, f"“{name}” is the id of {seen[name]}; give this another id.")
            elif isinstance(name, str):
                seen[name] = path.removesuffix(".id")
    for index, row in enumerate(rows_of(document.get("earn"))):
        if table(row.get("event")) and row.get("not_with_rewards"):
            yield Fault(f"earn.{index}.not_with_rewards", "An event is no sale and uses no reward; remove this.")


def _multiplier_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    known = [name for name in column(rows_of(document.get("earn")), "id") if name is not None]
    events = [row.get("id") for row in rows_of(document.get("earn")) if row.get("event") is not None]
    for index, row in enumerate(rows_of(document.get("multipliers"))):
        path = f"multipliers.{index}"
        for place, name in enumerate(texts(row.get("rules"))):
            if name is not None and name not in known:
                yield Fault(
                    f"{path}.rules.{place}", f"There is no rule “{name}”; this programme has {', '.join(known)}."
                )
            elif name in events:
                yield Fault(f"{path}.rules.{place}", f"“{name}” gives for events, which no factor changes; remove it.")
        yield from _occasion_faults(path, row, document)


def _condition_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    for part in ("earn", "multipliers", "deals"):
        for index, row in enumerate(rows_of(document.get(part))):
            text = row.get("when")
            variables = conditions.EVENT if part == "earn" and row.get("event") is not None else conditions.SALE
            if isinstance(text, str):
                yield from condition_faults(f"{part}.{index}.when", text, variables)


def burden_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    """Conditions that are asked of each line, where they are too long together: a basket has a thousand lines, and a
    till waits for every answer."""
    together = 0
    for part in ("earn", "multipliers", "deals"):
        for index, row in enumerate(rows_of(document.get(part))):
            text = row.get("when")
            if not isinstance(text, str) or row.get("event") is not None or not _asked_of_lines(text):
                continue
            together += len(text)
            if together > MOST_ASKED_OF_LINES:
                sentence = (
                    f"Conditions about “line” are asked of every line of a basket; all of them together have at most "
                    f"{MOST_ASKED_OF_LINES:,} characters. Name categories or articles instead, or write them shorter."
                )
                yield Fault(f"{part}.{index}.when", sentence)
                return


def _asked_of_lines(text: str) -> bool:
    try:
        return conditions.read(text, conditions.SALE).per_line
    except conditions.Refused:
        return False


def condition_faults(path: str, text: str, variables: conditions.Variables) -> Iterator[Fault]:
    """What is wrong with one condition, each flaw with its character."""
    try:
        conditions.read(text, variables)
    except conditions.Refused as refusal:
        for flaw in refusal.flaws:
            yield Fault(path, f"At character {flaw.at}: {flaw.sentence}")


def _occasion_faults(path: str, row: Mapping[object, object], document: Mapping[str, object]) -> Iterator[Fault]:
    """Tiers, goods and times, as multipliers and deals name them."""
    levels = [code for code in column(rows_of(table(document.get("tiers")).get("levels")), "code") if code is not None]
    for place, code in enumerate(texts(row.get("tiers"))):
        if code is not None and code not in levels:
            yield Fault(f"{path}.tiers.{place}", f"There is no tier “{code}”; add it to tiers.levels or remove this.")
    yield from _twice(path, row)
    for place, day in repeats(texts(row.get("days"))):
        yield Fault(f"{path}.days.{place}", f"“{day}” stands here twice; remove one.")
    hours, dates = table(row.get("hours")), table(row.get("dates"))
    if isinstance(hours.get("from"), str) and hours.get("from") == hours.get("to"):
        yield Fault(
            f"{path}.hours.to", "Hours that end when they begin could mean none or all day; remove them or mend."
        )
    first, last = _day(dates.get("from")), _day(dates.get("to"))
    if first is not None and last is not None and last < first:
        yield Fault(f"{path}.dates.to", "The last day is before the first; exchange them.")


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _twice(path: str, row: Mapping[object, object] | Mapping[str, object]) -> Iterator[Fault]:
    goods: Mapping[object, object] = {name: row.get(name) for name in ("categories", "skus")}
    for name in ("categories", "skus"):
        for place, text in repeats(texts(goods[name])):
            yield Fault(f"{path}.{name}.{place}", f"“{text}” stands here twice; remove one.")


def _deal_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    for index, row in enumerate(rows_of(document.get("deals"))):
        path = f"deals.{index}"
        if row and len([way for way in _OFFS if row.get(way) is not None]) != 1:
            yield Fault(path, "Say in exactly one way what is off: buy_get, percent or amount.")
        yield from _occasion_faults(path, row, document)
        amount = table(row.get("amount"))
        off, least = amount.get("amount_minor"), amount.get("minimum_minor", 0)
        if type(off) is int and type(least) is int and least < off:
            yield Fault(f"{path}.amount.minimum_minor", f"More would be off than is paid; write at least {off}.")


def _conversion_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    unspendable = _unspendable(document)
    taken: dict[str, int] = {}
    for index, row in enumerate(rows_of(document.get("conversions"))):
        path, currency = f"conversions.{index}", row.get("currency")
        yield from known_currency(f"{path}.currency", currency, document)
        if isinstance(currency, str) and currency in unspendable:
            yield Fault(f"{path}.currency", f"“{currency}” cannot be spent; choose another currency.")
        if isinstance(currency, str) and currency in taken:
            sentence = f"“{currency}” becomes a voucher by conversions.{taken[currency]} already; remove one."
            yield Fault(f"{path}.currency", sentence)
        elif isinstance(currency, str):
            taken[currency] = index
        yield from _coupon_faults(f"{path}.voucher", table(row.get("voucher")))
    yield from _coupon_faults("welcome.coupon", table(table(document.get("welcome")).get("coupon")))


def _unspendable(document: Mapping[str, object]) -> set[str]:
    found = [row for row in rows_of(document.get("currencies")) if row.get("spendable") is False]
    return {code for code in column(found, "code") if code is not None}


def _coupon_faults(path: str, coupon: Mapping[object, object]) -> Iterator[Fault]:
    if coupon.get("value_minor") is not None and coupon.get("percent") is not None:
        yield Fault(f"{path}.percent", "A coupon takes an amount or a share off, not both; remove one.")


def _reward_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    for index, row in enumerate(rows_of(document.get("rewards"))):
        path, kind = f"rewards.{index}", row.get("kind", "product")
        for name in ("voucher", "percent"):
            if kind == name and row.get(name) is None:
                yield Fault(f"{path}.{name}", f"A reward of kind {name} says here what it is; add this.")
            elif isinstance(kind, str) and kind != name and row.get(name) is not None:
                yield Fault(f"{path}.{name}", f"Only a reward of kind {name} has this; remove it.")
        if kind in ("amount", "refund") and row.get("value_minor") is None:
            yield Fault(f"{path}.value_minor", f"A reward of kind {kind} says here how much it is; add this.")
        yield from _coupon_faults(f"{path}.voucher", table(row.get("voucher")))


def _level_faults(document: Mapping[str, object]) -> Iterator[Fault]:
    tiers = table(document.get("tiers"))
    for index, row in enumerate(rows_of(tiers.get("levels"))):
        path = f"tiers.levels.{index}"
        needs = row.get("needs")
        if needs is None:
            if "threshold" not in row and row and not row.get("invitation"):
                yield Fault(f"{path}.threshold", "Say how this tier is reached: a threshold, or needs.")
        elif index == 0:
            yield Fault(f"{path}.needs", "The first tier is everyone's; remove this and write threshold 0.")
        elif row.get("threshold") is not None:
            yield Fault(f"{path}.threshold", "A tier has a threshold or needs, not both; remove one.")
        else:
            yield from _need_faults(f"{path}.needs", table(needs), document, 1)
        if row.get("invitation") and index == 0:
            yield Fault(f"{path}.invitation", "The first tier is everyone's; remove this.")


def _need_faults(
    path: str, need: Mapping[object, object], document: Mapping[str, object], depth: int
) -> Iterator[Fault]:
    said = [name for name in _NEEDS if need.get(name) is not None]
    if len(said) != 1:
        yield Fault(path, "Say exactly one of: all, any, metric, weighted.")
        return
    if depth > MAX_DEPTH:
        yield Fault(path, f"Needs stand in each other at most {MAX_DEPTH} deep; make them simpler.")
        return
    counts = said[0] in ("metric", "weighted")
    if counts and need.get("at_least") is None:
        yield Fault(f"{path}.at_least", "Say how much is needed; add this.")
    for name in ("at_least", "window"):
        if need.get(name) is not None and not (counts and (name, said[0]) != ("window", "weighted")):
            yield Fault(f"{path}.{name}", "This belongs to a metric; remove it.")
    if said[0] in ("all", "any"):
        for place, part in enumerate(rows_of(need.get(said[0]))):
            yield from _need_faults(f"{path}.{said[0]}.{place}", part, document, depth + 1)
        return
    terms = (
        [(path, need)]
        if said[0] == "metric"
        else [(f"{path}.weighted.{place}", part) for place, part in enumerate(rows_of(need.get("weighted")))]
    )
    for where, term in terms:
        metric = term.get("metric")
        kind, _, code = metric.partition(":") if isinstance(metric, str) else ("", "", "")
        if kind in ("earned", "balance"):
            yield from known_currency(f"{where}.metric", code, document)
        if kind in ("balance", "pot", "tenure_days") and term.get("window") not in (None, "ever"):
            yield Fault(f"{where}.window", f"“{metric}” is what stands now and has no window; remove this.")
