"""A look-up: vouchers and offers that can be used now, and the one thing to say first; and what is sent again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import NewDatabase
from tests.tills import on_shift
from tests.world import Holder, World, founded
from wallet_server.actions.announcing import offers
from wallet_server.actions.people import enrol, recovery
from wallet_server.actions.purse import engaging
from wallet_server.records.announcing import announcements
from wallet_server.rules.programme.program import default_document

TITLE = {"fr": "Bon de 10 €", "en": "€10 voucher"}
TERMS = {"fr": "Une fois.", "en": "Once."}


def both(fr: str, en: str) -> dict[str, str]:
    return {"fr": fr, "en": en}


def deal(name: str, fr: str, en: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "names": both(fr, en), "percent": {"percent": 10}, **more}


def document() -> dict[str, Any]:
    voucher = {"title": TITLE, "terms": TERMS, "valid_days": 30, "value_minor": 1000, "minimum_minor": 2000}
    why = [{"id": "kind", "names": both("geste", "kindness")}]
    gestures = [
        {"id": "extra", "kind": "extra", "names": both("une boule", "a scoop")},
        {"id": "gold", "kind": "gift", "names": both("un thé", "a tea"), "tiers": ["gold"]},
        {"id": "coffee", "kind": "gift", "names": both("un café", "a coffee"), "when": "member.birthday_today"},
    ]
    return default_document("Boulangerie") | {
        "conversions": [{"id": "bon", "currency": "points", "units": 500, "voucher": voucher}],
        "rewards": [
            {
                "code": "mug",
                "names": both("une tasse", "a mug"),
                "cost": {"currency": "points", "amount": 100},
                "stock": 1,
            }
        ],
        "deals": [
            deal("noon", "−10 % le midi", "10% off at noon", hours={"from": "11:00", "to": "14:00"}),
            deal("feast", "−10 % le jour de votre fête", "10% off on your birthday", when="member.birthday_today"),
            deal("large", "−10 % dès 50 €", "10% off from €50", when="basket.amount_minor >= 5000"),
        ],
        "gestures": [one | {"reasons": why} for one in gestures],
    }


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    with founded(database_url, tmp_path, document=document()) as made:
        yield made


sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


def post(world: World, path: str, headers: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
    sent = headers or world.bearer(world.founded.till_key)
    answer = world.client().post(f"/v1/{path}", json=body, headers=sent)
    assert answer.status_code == 200, answer.json
    told: dict[str, Any] = answer.json
    return told


def look(world: World, holder: Holder, language: str = "en", headers: dict[str, str] | None = None) -> dict[str, Any]:
    return post(world, "lookups", headers, code=holder.code, language=language)


def names(told: dict[str, Any]) -> list[str]:
    return [one["id"] for one in told["offers"]]


def test_vouchers_that_can_be_used_are_told_with_what_they_are_good_for(world: World) -> None:
    holder, other = world.enrol(), world.enrol()
    world.sell(holder, 50_000)
    told = look(world, holder)
    (voucher,) = told["vouchers"]
    assert {name: voucher[name] for name in ("title", "terms", "value_minor", "percent", "minimum_minor")} == {
        "title": "€10 voucher",
        "terms": "Once.",
        "value_minor": 1000,
        "percent": None,
        "minimum_minor": 2000,
    }
    assert look(world, other)["vouchers"] == []
    body = {"code": holder.code, "receipt": world.number(), "currency": "EUR", "amount_minor": 3000}
    assert post(world, "sales", **body, vouchers=[voucher["id"]])["to_pay_minor"] == 2000
    assert look(world, holder)["vouchers"] == [], "what was used is offered no more"
    world.sell(holder, 50_000)
    world.clock.forward(days=32)
    assert look(world, holder)["vouchers"] == [], "nor is what has run out"


@sqlite
def test_with_a_card_that_was_replaced_nothing_can_be_used_and_a_quote_promises_none_of_it(world: World) -> None:
    holder = world.enrol()
    world.sell(holder, 50_000)
    (voucher,) = look(world, holder)["vouchers"]
    link = world.ctx.link("recover", holder.pass_public_id).rsplit("/", 1)[1]
    recovery.by_link(world.ctx, link, "form")
    told = look(world, holder)
    assert (told["card_spends"], told["vouchers"]) == (False, [])
    basket = {"code": holder.code, "currency": "EUR", "lines": [{"unit_amount_minor": 3000}], "apply_deals": False}
    quoted = post(world, "quotes", **basket)
    assert (quoted["to_pay_minor"], quoted["vouchers"]) == (3000, [])
    till = world.bearer(world.founded.till_key)
    for uses in ({"vouchers": [voucher["id"]]}, {"rewards": ["mug"]}):
        refused = world.client().post("/v1/quotes", json=basket | uses, headers=till)
        assert (refused.status_code, refused.json["code"]) == (409, "replaced-card"), "as the sale would be"


@sqlite
def test_deals_are_told_while_they_hold_for_this_member_here(world: World) -> None:
    holder = world.enrol()
    noon = world.clock().replace(hour=11, minute=30)
    world.clock.forward(seconds=(noon - world.clock()).total_seconds() % 86_400)
    assert names(look(world, holder)) == ["noon", "large"], "whether the basket is large nobody knows yet"
    engaging.keep_birthday(world.ctx, world.merchant, holder.member, f"{world.clock():%m-%d}", world.wish("day"))
    assert names(look(world, holder)) == ["noon", "feast", "large"]
    world.clock.forward(hours=6)
    told = look(world, holder, "fr")
    assert [one["title"] for one in told["offers"]] == ["−10 % le jour de votre fête", "−10 % dès 50 €"]


def test_what_was_announced_to_the_member_is_an_offer_while_it_stands(world: World) -> None:
    holder, other = world.enrol(promotions=True), world.enrol()
    announced = world.announce("Pour vous, @prénom, -20 %", days=3)
    world.work()
    told = [one for one in look(world, holder, "fr")["offers"] if one["kind"] == "announcement"]
    assert [(one["id"], one["title"]) for one in told] == [(announced, "Pour vous, -20 %")]
    assert told[0]["until"] is not None
    assert announced not in names(look(world, other)), "who did not want to hear it has no part in it"
    offers.recall(world.ctx, world.merchant, announced, world.wish("recall"))
    assert announced not in names(look(world, holder))
    again = world.announce("Encore", days=3)
    world.clock.forward(days=1, minutes=1)
    world.work()
    assert again in names(look(world, holder))
    world.clock.forward(days=3)
    assert again not in names(look(world, holder))


def test_a_word_for_one_member_alone_is_not_for_the_till(world: World) -> None:
    holder = world.enrol(promotions=True, first_name="Claire")
    until = world.clock() + timedelta(days=3)
    word = offers.Announcement({"fr": "Pardon pour hier, @prénom"}, None, until, holder.member)
    drafted = offers.draft(world.ctx, world.merchant, world.programme, word, world.wish("word"))[0]["announcement"]
    offers.confirm(world.ctx, world.merchant, drafted, world.wish("confirm"))
    announced = world.announce("Pour tous, -20 %", days=3)
    world.work()
    with world.ctx.look() as tx:
        row = announcements.announcement_in(tx, world.merchant, drafted)
        assert announcements.tally(tx, row.id) == {"shown": 1}, "it is on the card"
    told = [one["id"] for one in look(world, holder)["offers"] if one["kind"] == "announcement"]
    assert told == [announced]


@sqlite
def test_one_prompt_says_what_comes_first(world: World) -> None:
    _, headers = on_shift(world, "Anna")
    holder = world.enrol()

    def prompt(language: str = "en", at: dict[str, str] | None = headers) -> tuple[str, str, str]:
        told = look(world, holder, language, at)["prompt"]
        return told["kind"], told["id"], told["sentence"]

    assert prompt()[:2] == ("deal", "large") or prompt()[:2] == ("deal", "noon")
    world.sell(holder, 9000)
    assert prompt() == ("near", "mug", "Say: Only 10 points to go and you get a free mug.")
    world.sell(holder, 1000)
    assert prompt("fr") == ("reward", "mug", "Peut déjà recevoir\xa0: une tasse.")
    post(world, "redemptions", headers, code=holder.code, reward="mug", reference=world.number())
    world.sell(holder, 50_000)
    (voucher,) = look(world, holder)["vouchers"]
    assert prompt() == ("voucher", voucher["id"], "A voucher to use: €10 voucher."), "no mug is left to be had"
    world.clock.forward(days=24)
    last = world.clock() + timedelta(days=6)
    assert prompt("fr", None)[2].startswith(f"Bon à utiliser jusqu’au {last.day} ")
    engaging.keep_birthday(world.ctx, world.merchant, holder.member, f"{world.clock():%m-%d}", world.wish("day"))
    _, morning = on_shift(world, "Bea")
    assert prompt("en", morning) == ("gesture", "coffee", "Give: a coffee.")
    assert prompt("en", None)[0] == "voucher", "no gesture where nobody says who stands there"


@sqlite
def test_what_the_shop_meant_for_this_moment_is_said_before_what_it_lets_its_people_give_at_any_time(
    world: World,
) -> None:
    _, headers = on_shift(world, "Anna")
    holder = world.enrol()
    told = look(world, holder, headers=headers)
    assert [one["gesture"] for one in told["gestures"]] == ["extra"]
    assert told["prompt"]["kind"] == "deal", "nobody is told to give something for no reason"
    world.sell(holder, 200_000)
    assert look(world, holder, headers=headers)["prompt"]["id"] == "gold"
    engaging.keep_birthday(world.ctx, world.merchant, holder.member, f"{world.clock():%m-%d}", world.wish("day"))
    told = look(world, holder, headers=headers)
    assert [one["gesture"] for one in told["gestures"]] == ["extra", "gold", "coffee"]
    assert told["prompt"]["sentence"] == "Give: a coffee."


@sqlite
def test_of_a_reward_that_is_all_given_nobody_says_that_it_is_near(world: World) -> None:
    first, second = world.enrol(), world.enrol()
    world.sell(second, 9000)
    near = look(world, second)["prompt"]
    assert (near["kind"], near["id"]) == ("near", "mug")
    world.sell(first, 10_000)
    post(world, "redemptions", code=first.code, reward="mug", reference=world.number())
    assert look(world, second)["prompt"]["kind"] == "deal", "the last mug is gone"


@sqlite
def test_what_is_sent_again_says_when_it_was_done(world: World) -> None:
    _, headers = on_shift(world, "Anna")
    holder = world.enrol()
    world.sell(holder, 20_000)
    at = f"{world.clock().astimezone(ZoneInfo(world.till.zone)):%H:%M}"
    body = {"code": holder.code, "reward": "mug", "reference": world.number(), "language": "fr"}
    first = post(world, "redemptions", headers, **body)
    world.clock.forward(minutes=7)
    again = post(world, "redemptions", headers, **body)
    assert again["sentence"] == f"Déjà fait à {at}\xa0: {first['sentence']}"
    assert {**again, "sentence": ""} == {**first, "sentence": ""}, "the same result"
    engaging.keep_birthday(world.ctx, world.merchant, holder.member, f"{world.clock():%m-%d}", world.wish("day"))
    at = f"{world.clock().astimezone(ZoneInfo(world.till.zone)):%H:%M}"
    yes = {"code": holder.code, "gesture": "coffee", "reference": world.number()}
    given = post(world, "gestures", headers, **yes)
    world.clock.forward(minutes=1)
    assert post(world, "gestures", headers, **yes)["sentence"] == f"Already done at {at}: {given['sentence']}"


def test_a_coupon_that_is_given_back_again_says_when_that_was_done(new_database: NewDatabase, tmp_path: Path) -> None:
    coupon = {"title": TITLE, "terms": TERMS, "valid_days": 30, "value_minor": 250}
    promising = default_document("Boulangerie") | {"welcome": {"coupon": coupon}}
    with founded(new_database("sqlite"), tmp_path, document=promising) as world:
        (shown,) = enrol.join(world.ctx, world.join_code, enrol.Joining())["coupons"]
        used = post(world, "coupon-uses", code=world.holder(shown).code, reference=world.number())
        back = post(world, f"coupon-uses/{used['id']}/reversal")
        at = f"{world.clock().astimezone(ZoneInfo(world.till.zone)):%H:%M}"
        world.clock.forward(minutes=7)
        again = post(world, f"coupon-uses/{used['id']}/reversal")
        assert again["sentence"] == f"Already done at {at}: {back['sentence']}"
        assert again.keys() == back.keys()
