"""What a further version of a programme may not change: the money that sales and vouchers stand in, and balances."""

from __future__ import annotations

from typing import Any

import pytest

from tests.actions.purse.test_coupons import promising
from tests.conftest import whole_module_mostly_on
from tests.world import World
from wallet_server.actions.programme import dry_run, programs
from wallet_server.errors import Fault, Invalid
from wallet_server.rules.programme.program import default_document

database_kind = whole_module_mostly_on("sqlite")
KEEP = "Sales or vouchers stand in EUR: keep it here, and make a new programme for another money."
EURO, LEV = {"iso": "EUR", "exponent": 2}, {"iso": "BGN", "exponent": 2}
POT = {"code": "pot", "kind": "money", "names": {"fr": {"one": "€", "other": "€"}, "en": {"one": "€", "other": "€"}}}


def counting(money: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**default_document("Boulangerie"), "money": money, **more}


def publish(world: World, document: dict[str, Any]) -> None:
    wish = world.wish("publish", document)
    programs.publish_version(world.ctx, world.merchant, world.programme, document, wish)


def refused(world: World, document: dict[str, Any]) -> list[Fault]:
    with pytest.raises(Invalid) as fault:
        publish(world, document)
    return list(fault.value.faults)


def test_the_money_that_sales_stand_in_stays(world: World) -> None:
    other = counting(LEV)
    publish(world, other)
    publish(world, counting(EURO))
    holder = world.enrol()
    world.sell(holder, 9000)
    assert refused(world, other) == [Fault("money", KEEP)]
    with pytest.raises(Invalid) as told:
        dry_run.run(world.ctx, world.merchant, world.programme, other)
    assert list(told.value.faults) == [Fault("money", KEEP)], "a dry run tells what publishing would"
    publish(world, counting(EURO, max_distance_metres=500))


def test_the_money_that_a_voucher_stands_in_stays(world: World) -> None:
    publish(world, {**promising(), "money": EURO})
    world.enrol()
    assert refused(world, counting(LEV)) == [Fault("money", KEEP)]


def test_what_a_currency_with_balances_may_not_change_is_said_of_it(world: World) -> None:
    currencies = default_document("Boulangerie")["currencies"]
    publish(world, counting(EURO, currencies=[*currencies, POT]))
    other = [{**one, "kind": "stamps"} if one["code"] == "points" else one for one in currencies]
    assert refused(world, counting(EURO, currencies=other)) == [
        Fault("currencies", "points has balances already: it cannot change its kind."),
        Fault("currencies", "pot has balances already: it cannot be dropped."),
    ]
    assert refused(world, counting(LEV, currencies=[*currencies, POT])) == [
        Fault(
            "currencies",
            "pot has balances in EUR already: keep it, and make a new programme for another money.",
        )
    ]
