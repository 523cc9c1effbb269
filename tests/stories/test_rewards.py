"""Rewards, vouchers and deals over the wire: at the till, in the books, and on the phones that carry the card."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import databases
from tests.stories.stage import Answer, Stage, shown
from wallet_server.sandbox.google import AndroidPhone
from wallet_server.sandbox.phones.phone import Phone

VOUCHER = {
    "title": {"fr": "Bon de 10 €", "en": "€10 voucher"},
    "terms": {"fr": "Dès 20 € d’achat.", "en": "From €20 on."},
    "valid_days": 90,
    "value_minor": 1000,
    "minimum_minor": 2000,
}


def reward(code: str, kind: str, **more: Any) -> dict[str, Any]:
    name = {"fr": more.pop("fr", code), "en": more.pop("en", code)}
    return {"code": code, "names": name, "kind": kind, "cost": {"currency": "points", "amount": 5}, **more}


REWARDS = [
    reward("mug", "product", fr="une tasse", en="a mug", stock=5),
    reward("fitting", "service", fr="un essai", en="a fitting", limit={"count": 1, "window": "day"}),
    reward("bon", "voucher", fr="un bon", en="a voucher", voucher=VOUCHER),
    reward("tenth", "percent", fr="10 % de remise", en="10% off", percent=10),
    reward("euro", "amount", fr="un euro", en="a euro", value_minor=100),
    reward("back", "refund", fr="un remboursement", en="a refund", value_minor=300),
    reward("queue", "privilege", fr="la file prioritaire", en="the fast lane",
           instruction={"fr": "Faites passer ce client.", "en": "Let this customer pass."}),
]  # fmt: skip
TRIO = {
    "id": "trio",
    "names": {"fr": "3 baguettes pour le prix de 2", "en": "3 baguettes for the price of 2"},
    "buy_get": {"buy": 2, "get": 1},
    "categories": ["baguette"],
}


ANDROID = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    with (
        databases(request.config, folder) as new_database,
        Stage(folder, new_database("sqlite"), google=True) as raised,
    ):
        programme = f"/v1/programmes/{raised.facts['programme']}"
        document = raised.merchant("GET", programme).body["document"]
        document |= {
            "rewards": REWARDS,
            "deals": [TRIO],
            "conversions": [{"id": "full", "currency": "points", "units": 500, "voucher": VOUCHER}],
        }
        answer = raised.merchant("POST", f"{programme}/versions", {"document": document})
        assert answer.status == 200, answer
        yield raised


def till(stage: Stage, path: str, body: dict[str, Any]) -> Answer:
    return stage.call("POST", f"/v1/{path}", body, stage.facts["till_key"])


def sale(stage: Stage, code: str, lines: list[dict[str, Any]], **more: Any) -> Answer:
    body = {"code": code, "receipt": f"R{next(stage.receipts)}", "currency": "EUR", "lines": lines, **more}
    answer = till(stage, "sales", body)
    assert answer.status == 200, answer
    return answer


def baguettes(count: float) -> list[dict[str, Any]]:
    return [{"category": "baguette", "quantity": count, "unit_amount_minor": 120, "sku": "tradition"}]


def redeem(stage: Stage, code: str, which: str) -> Answer:
    return till(stage, "redemptions", {"code": code, "reward": which, "reference": f"M{next(stage.receipts)}"})


def says(phone: Phone | AndroidPhone, text: str) -> bool:
    return any(text in alert.text for alert in phone.lock_screen)


def test_buy_two_get_one_at_the_till_and_a_return_undoes_it(stage: Stage) -> None:
    phone = stage.phone(stage.enrol(language="fr"), "fr")
    code = stage.code(phone)
    ask = {
        "code": code,
        "currency": "EUR",
        "language": "fr",
        "lines": [{**baguettes(2)[0], "name": "baguette tradition"}],
    }
    quote = till(stage, "quotes", ask)
    assert (quote.status, quote.body["to_pay_minor"], len(quote.body["earns"]) > 0) == (200, 240, True)
    (hint,) = quote.body["hints"]
    assert hint["sentence"] == (
        "Encore un article et il est offert\u00a0: baguette tradition (3 baguettes pour le prix de 2)."
    )
    three = sale(stage, code, baguettes(3), apply_deals=True)
    assert three.body["discounts"] == [{"line": 1, "by": "deal:trio", "off_minor": 120}]
    assert (three.body["to_pay_minor"], three.body["balances"]["points"]) == (240, 2)
    days = stage.merchant("GET", f"/v1/programmes/{stage.facts['programme']}/hints").body["days"]
    assert [(one["deal"], one["offered"], one["taken"]) for one in days] == [("trio", 1, 1)]
    seven = sale(stage, code, baguettes(7), apply_deals=True)
    assert seven.body["to_pay_minor"] == 5 * 120, "of seven two are free"
    stage.until(lambda: shown(phone, "points") == 8, "points for what was paid are on the phone")

    back = {"reference": "B1", "lines": [{"number": 1, "quantity": 1}]}
    returned = till(stage, f"sales/{three.body['id']}/refunds", back)
    assert returned.status == 200, returned
    assert returned.body["amount_minor"] == 0, "two are paid for, and two are kept"
    assert returned.body["balances"]["points"] == 8
    again = till(stage, f"sales/{three.body['id']}/refunds", {**back, "reference": "B2"})
    assert (again.body["amount_minor"], again.body["balances"]["points"]) == (120, 7)
    assert stage.book_faults() == []


def test_the_till_says_what_to_do_with_each_kind_and_stock_runs_out(stage: Stage) -> None:
    phone = stage.phone(stage.enrol())
    code = stage.code(phone)
    sale(stage, code, [{"amount_minor": 30000}])
    kinds = {one["code"]: one["kind"] for one in till(stage, "lookups", {"code": code}).body["rewards"]}
    assert kinds == {one["code"]: one["kind"] for one in REWARDS}
    told = {which: redeem(stage, code, which).body["instructions"] for which in kinds}
    assert told == {
        "mug": ["Hand over: a mug."],
        "fitting": ["Do this service: a fitting."],
        "bon": ["Nothing to hand over: the voucher is on the customer’s card (a voucher)."],
        "tenth": ["Take 10% off the bill."],
        "euro": ["Take €1.00 off the bill."],
        "back": ["Pay €3.00 back to the customer."],
        "queue": ["Let this customer pass."],
    }
    refused = redeem(stage, code, "fitting")
    assert (refused.status, refused.body["code"], "until" in refused.body) == (409, "limit-reached", True)
    assert (refused.body["rule"], refused.body["version"]) == ("reward", 2)

    codes = [stage.code(one) for one in stage.crowd(8)]
    for one in codes:
        sale(stage, one, [{"amount_minor": 1000}])
    with ThreadPoolExecutor(8) as tills:
        answers = list(tills.map(lambda one: redeem(stage, one, "mug"), codes))
    assert sorted(answer.status for answer in answers) == [200] * 4 + [409] * 4, "one of the five was given before"
    (why,) = {(answer.body["code"], answer.body["sentence"]) for answer in answers if answer.status == 409}
    assert why == ("out-of-stock", "Cette récompense est épuisée. Proposez-en une autre."), "as the member reads"
    assert (
        next(one for one in till(stage, "lookups", {"code": code}).body["rewards"] if one["code"] == "mug")["stock"]
        == 0
    )
    assert stage.book_faults() == []


def test_512_points_become_one_voucher_and_12_and_a_gesture_is_read_on_both_phones(stage: Stage) -> None:
    member = stage.enrol(language="fr")
    iphone, droid = stage.phone(member), stage.android(member, "fr")
    code = stage.code(iphone)
    sold = sale(stage, code, [{"amount_minor": 51200}])
    (voucher,) = sold.body["vouchers"]
    assert sold.body["balances"]["points"] == 12
    stage.until(lambda: shown(iphone, "points") == 12, "twelve are left on the phone")
    stage.until(lambda: says(iphone, "New voucher: €10 voucher"), "the phone says that there is a voucher")
    stage.until(lambda: "Bon de 10 €, jusqu’au" in str(shown(iphone, "detail.vouchers")), "and it stands on the back")
    stage.run(droid.open(member["card_url"]))
    slips = [one for one in droid.cards.values() if one.kind == "offerObject"]
    assert [one.above["title"] for one in slips] == ["Bon de 10 €"], "saved again, the voucher stands beside the card"

    small = till(
        stage, "sales", {"code": code, "receipt": "S", "currency": "EUR", "amount_minor": 1999, "vouchers": [voucher]}
    )
    assert (small.status, small.body["code"]) == (409, "basket-too-small")
    used = sale(stage, code, [{"amount_minor": 2500}], vouchers=[voucher])
    assert (used.body["to_pay_minor"], used.body["balances"]["points"]) == (1500, 27)
    stage.until(lambda: shown(iphone, "detail.vouchers") is None, "it is gone from the card")

    wish = {"reason": "livraison en retard", "code": "delay", "amount": 200, "complaint": "T-17"}
    given = stage.merchant("POST", f"/v1/members/{member['member']}/goodwill", wish)
    assert (given.status, given.body["balances"]["points"]) == (200, 227)
    stage.until(lambda: shown(iphone, "points") == 227, "the points are on the phone")
    stage.until(lambda: says(iphone, "livraison en retard"), "and why")
    (card,) = [one for one in droid.cards.values() if one.kind == "loyaltyObject"]
    said = "Geste commercial\u00a0: livraison en retard"
    stage.until(lambda: said in str(droid.cards[card.id].body).replace("\\xa0", "\u00a0"), "the other phone has it too")
    assert stage.book_faults() == []


def test_of_eight_scans_at_once_one_makes_the_voucher_and_of_eight_uses_one_has_it(stage: Stage) -> None:
    phone = stage.phone(stage.enrol(language="en"))
    code = stage.code(phone)
    sale(stage, code, [{"amount_minor": 46000}])
    with ThreadPoolExecutor(8) as tills:
        sold = list(tills.map(lambda _: sale(stage, code, [{"amount_minor": 600}]), range(8)))
    (voucher,) = [one for answer in sold for one in answer.body["vouchers"]]
    assert min(answer.body["balances"]["points"] for answer in sold) >= 0
    stage.until(lambda: shown(phone, "points") == 8, "eight of 508 are left on the phone")

    def use(number: int) -> Answer:
        body = {"code": code, "receipt": f"U{number}", "currency": "EUR", "amount_minor": 2500, "vouchers": [voucher]}
        return till(stage, "sales", body)

    with ThreadPoolExecutor(8) as tills:
        used = list(tills.map(use, range(8)))
    assert sorted(answer.status for answer in used) == [200] + [409] * 7
    assert {answer.body["code"] for answer in used if answer.status == 409} == {"coupon-used"}
    assert stage.book_faults() == []
