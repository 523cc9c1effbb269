"""A cashier's counter over the wire: PINs, saying yes within a budget, what the customer reads, privileges of a tier,
practice that posts nothing, and what each role sees of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import databases
from tests.stories.stage import Answer, Stage, of_google, shown
from tests.stories.visiting import PASSWORD, Visitor
from wallet_server.actions import keys
from wallet_server.actions.books import accounting
from wallet_server.actions.staff import team
from wallet_server.sandbox.phones.phone import Phone

FLAG = "#ffd54a"
SHOP = ZoneInfo("Europe/Paris")
"""What day it is at the counter."""
MOSTLY = {"fr": "livraison en retard", "en": "the delivery was late"}


def gesture(name: str, kind: str, fr: str, **more: Any) -> dict[str, Any]:
    reasons = more.pop("reasons", [{"id": "late", "names": MOSTLY}])
    return {"id": name, "kind": kind, "names": {"fr": fr, "en": fr}, "reasons": reasons, **more}


GESTURES = [
    gesture("points", "points", "200 points", units=200),
    gesture("discount", "points", "5 € de remise", off_minor=500, cost_minor=500),
    gesture(
        "coffee",
        "gift",
        "un café",
        when="member.birthday_today",
        reasons=[{"id": "birthday", "names": {"fr": "joyeux anniversaire", "en": "happy birthday"}}],
        budgets=[{"whose": "member", "window": "year", "count": 1}],
    ),
    gesture("view", "upgrade", "une chambre avec vue", tiers=["gold"]),
    gesture("scoop", "extra", "une boule de plus"),
    gesture("delivery", "service", "la livraison", after={"event": "delivery_late", "days": 7}),
]


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    with (
        databases(request.config, folder) as new_database,
        Stage(folder, new_database("sqlite"), google=True) as raised,
    ):
        programme = f"/v1/programmes/{raised.facts['programme']}"
        document = raised.merchant("GET", programme).body["document"]
        document["gestures"] = GESTURES
        document["gesture_budgets"] = [
            {"whose": "cashier", "window": "week", "count": 5},
            {"whose": "member", "window": "day", "count": 4},
        ]
        gold = next(level for level in document["tiers"]["levels"] if level["code"] == "gold")
        gold["palette"]["background"] = "#1c1c1c"
        gold["palette"]["foreground"] = gold["palette"]["label"] = "#ffffff"
        names = {"fr": "PRIORITAIRE", "en": "PRIORITY"}
        gold["privileges"] = [{"code": "priority", "names": names, "colour": FLAG}]
        answer = raised.merchant("POST", f"{programme}/versions", {"document": document})
        assert answer.status == 200, answer
        yield raised


def join(stage: Stage, role: str, name: str) -> tuple[Visitor, str]:
    """Somebody follows an invitation into the console."""
    (merchant,) = accounting.merchants(stage.ctx, keys.authenticate(stage.ctx, stage.facts["merchant_key"]))
    link = team.invite_by_operator(stage.ctx, merchant, role)
    visitor, email = Visitor(stage.base), f"{name.lower()}@example.com"
    visitor.send(f"/invite/{link.rsplit('/', 1)[1]}", name=name, email=email, password=PASSWORD)
    return visitor, email


def till(stage: Stage, path: str, body: dict[str, Any], token: str = "", **headers: str) -> Answer:
    named = {"X_Cashier": token} if token else {}
    return stage.call("POST", f"/v1/{path}", body, stage.facts["till_key"], **named, **headers)


def take_over(stage: Stage, name: str, pin: str, **more: str) -> Answer:
    listed = stage.call("GET", "/v1/cashiers", None, stage.facts["till_key"]).body["cashiers"]
    (who,) = (one["id"] for one in listed if one["name"] == name)
    return till(stage, f"cashiers/{who}/shift", {"pin": pin, **more})


def look(stage: Stage, code: str, token: str = "") -> dict[str, Any]:
    answer = till(stage, "lookups", {"code": code, "language": "fr"}, token)
    assert answer.status == 200, answer
    return dict(answer.body)


def prompts(stage: Stage, code: str, token: str) -> dict[str, dict[str, Any]]:
    return {one["gesture"]: one for one in look(stage, code, token)["gestures"]}


def give(stage: Stage, code: str, which: str, token: str, **more: str) -> Answer:
    body = {"code": code, "gesture": which, "reference": f"G{next(stage.receipts)}", "language": "fr", **more}
    return till(stage, "gestures", body, token)


def undo(stage: Stage, given: Answer, token: str) -> Answer:
    return till(stage, f"gestures/{given.body['id']}/undo", {"language": "fr"}, token)


def test_a_cashier_says_yes_within_a_budget_and_the_customer_reads_why(stage: Stage) -> None:
    owner, _ = join(stage, "owner", "Olga")
    cashier, _ = join(stage, "cashier", "Anna")
    cashier.send("/console/account", "/console/account/pin", pin="8164")
    assert take_over(stage, "Anna", "8163").body["code"] == "wrong-pin"
    token = take_over(stage, "Anna", "8164").body["token"]

    # On the birthday the till says so, once; a late delivery, too, and what each gift is done with.
    member = stage.enrol(language="fr")
    birthday = {"birthday": f"{datetime.now(SHOP):%m-%d}"}
    assert stage.merchant("PUT", f"/v1/members/{member['member']}/birthday", birthday).status == 200
    event = {"name": "delivery_late", "member": member["member"]}
    assert stage.merchant("POST", "/v1/events", event).status == 200
    phone = stage.phone(member, "fr")
    code = stage.code(phone)
    stage.sell(code, 100_000)
    offered = prompts(stage, code, token)
    assert {name: one["sentence"] for name, one in offered.items()} == {
        "points": "Créditez 200 points.",
        "discount": "Déduisez 5,00\u00a0€ du ticket.",
        "coffee": "Offrez\u00a0: un café.",
        "view": "Surclassez\u00a0: une chambre avec vue.",
        "scoop": "Ajoutez gratuitement\u00a0: une boule de plus.",
        "delivery": "Ne facturez pas\u00a0: la livraison.",
    }
    first = look(stage, code, token)["prompt"]
    assert (first["kind"], first["sentence"]) == ("gesture", offered["coffee"]["sentence"]), "first what the day is for"
    assert look(stage, code)["gestures"] == [], "nobody says who stands at the till"
    assert give(stage, code, "coffee", token).body["reason"] == "joyeux anniversaire"
    left = prompts(stage, code, token)
    assert ("coffee" in left, left["points"]["left"]) == (False, 3)

    # One tap, and one to take it back: the budget has room again. The complaint and its reason; the phone shows it.
    mistake = give(stage, code, "discount", token)
    assert prompts(stage, code, token)["points"]["left"] == 2
    assert undo(stage, mistake, token).status == 200
    assert prompts(stage, code, token)["points"]["left"] == 3
    late = give(stage, code, "points", token, complaint="T-17")
    assert (late.body["sentence"], late.body["entries"][0]["amount"]) == ("+200 points sur la carte.", 200)
    stage.until(lambda: shown(phone, "points") == 1200, "the points are on the phone")
    stage.until(lambda: "livraison en retard" in str(shown(phone, "news")), "and why")

    # The delivery is on the house; the customer has had a day's gestures, and the cashier, with two more, a week's.
    assert give(stage, code, "delivery", token).status == 200
    assert "delivery" not in prompts(stage, code, token)
    assert give(stage, code, "scoop", token).status == 200
    assert prompts(stage, code, token) == {}
    assert give(stage, code, "scoop", token).body["budget"] == "member:day"
    other = stage.code(stage.phone(stage.enrol()))
    assert prompts(stage, other, token)["points"]["left"] == 1
    assert give(stage, other, "points", token).status == 200
    third = stage.code(stage.phone(stage.enrol()))
    assert prompts(stage, third, token) == {}
    sixth = give(stage, third, "points", token)
    assert (sixth.status, sixth.body["code"], sixth.body["budget"]) == (409, "budget-spent", "cashier:week")

    # The owner finds who gave what, and what was refused, under the cashier's name.
    page = owner.get("/console/watch?lang=en")
    assert "Anna" in page
    assert "refused: the cashier’s week" in page
    assert "T-17" in page, "the complaint that it answers"
    assert "· Anna" in owner.get(f"/console/members/{member['member']}?lang=en"), "whose gesture it was"
    history = owner.get("/console/team?lang=en")
    assert "Anna asked for a gesture that no budget had room for" in history
    assert "Anna took a gesture back" in history
    assert stage.book_faults() == []


def test_a_privilege_is_on_the_pass_and_at_the_till_until_the_tier_is_lost(stage: Stage) -> None:
    member = stage.enrol(language="fr")
    phone, android = stage.phone(member, "fr"), stage.android(member, "fr")
    code = stage.code(phone)
    assert look(stage, code)["privileges"] == []
    sale = stage.sell(code, 120_000).body["id"]
    assert look(stage, code)["privileges"] == [{"code": "priority", "name": "PRIORITAIRE", "colour": FLAG}]
    stage.until(lambda: _flagged(phone) == ("PRIORITAIRE", "rgb(255, 213, 74)"), "the flag is on the iPhone")
    stage.until(lambda: "PRIORITAIRE" in str(of_google(android)), "and on the Android phone")
    assert till(stage, f"sales/{sale}/reversal", {}).status == 200
    assert look(stage, code)["privileges"] == []
    stage.until(lambda: _flagged(phone)[0] != "PRIORITAIRE", "it is gone from the iPhone")
    stage.until(lambda: "PRIORITAIRE" not in str(of_google(android)), "and from the Android phone")


def _flagged(phone: Phone) -> tuple[str, str]:
    """What stands above the tier on an iPhone, and in which colour."""
    file = next(iter(phone.cards.values())).file
    fields = [one for part in file.document["storeCard"].values() for one in part if one["key"] == "tier"]
    label = str(fields[0]["label"])
    return file.strings("fr").get(label, label), str(file.document["labelColor"])


def test_each_role_sees_its_part_and_practice_posts_nothing(stage: Stage) -> None:
    cashier, _ = join(stage, "cashier", "Bruno")
    auditor, _ = join(stage, "auditor", "Clara")
    assert [cashier.status(f"/console/{part}") for part in ("today", "announce", "members", "books")] == [
        *(200, 403, 403, 403)
    ]
    assert "/console/announce" not in cashier.get("/console/today")
    parts = ("books", "watch", "keys", "team", "announce", "members", "tickets")
    assert [auditor.status(f"/console/{part}") for part in parts] == [200, 200, 200, 200, 200, 403, 403]

    cashier.send("/console/account", "/console/account/pin", pin="7306")
    token = take_over(stage, "Bruno", "7306").body["token"]
    phone = stage.phone(stage.enrol(language="fr"), "fr")
    code = stage.code(phone)
    stage.sell(code, 10_000)
    stage.until(lambda: shown(phone, "points") == 100, "what was sold in earnest is on the phone")
    rings = len(phone.lock_screen)
    body = {"code": code, "receipt": "T-1", "currency": "EUR", "amount_minor": 5_000}
    practised = till(stage, "sales", body, token, X_Training="1")
    assert (practised.body["training"], practised.body["balances"]["points"]) == (True, 150)
    given = {"code": code, "gesture": "points", "reference": "T-2"}
    assert till(stage, "gestures", given, token, X_Training="1").body["training"] is True
    wanted = {"code": code, "amount": 90, "reference": "T-3"}
    assert till(stage, "redemptions", wanted, token, X_Training="1").body["balances"]["points"] == 10
    assert look(stage, code)["balances"]["points"] == 100
    assert prompts(stage, code, token)["points"]["left"] == 4, "the customer's day is as it was"
    earnest = till(stage, "sales", body, token)
    assert (earnest.body["balances"]["points"], earnest.headers.get("Idempotency-Replayed")) == (150, None)
    stage.until(lambda: shown(phone, "points") == 150, "and in earnest the same receipt counts")
    assert len(phone.lock_screen) <= rings + 1, "for what was practised no phone rang"
    assert stage.book_faults() == []
