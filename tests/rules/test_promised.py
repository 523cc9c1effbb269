"""What is owed by coupons, from what was booked of them: by whose coupon it is, and by whose till."""

from __future__ import annotations

from wallet_server.rules.books.booked import COUPONS, LOTS, Flow
from wallet_server.rules.books.promised import Taken, promised

A, B = 1, 2


def flow(side: str, amount: int, times: int = 1, *, issuer: int | None = A, at: int | None = None) -> Flow:
    return Flow(COUPONS, 10, None, at, side, "reward", 10, amount, times, issuer)


GIVEN = [flow("issued", 900, 3), flow("issued", 200, issuer=B)]
TAKEN = [flow("used", -300, at=B), flow("used", -300, at=A), flow("used", -200, issuer=B, at=A)]


def test_each_merchant_owes_its_own_and_both_are_the_group() -> None:
    now = [*GIVEN, *TAKEN, Flow(LOTS, 10, 1, A, "issued", "reward", 10, 70, 1)]
    mine, others, all_of_it = (promised(GIVEN, now, key) for key in (A, B, None))
    assert mine is not None
    assert others is not None
    assert all_of_it is not None
    assert (mine.opening_minor, mine.owed_minor, mine.good) == (900, 300, 1)
    assert (others.opening_minor, others.owed_minor, others.good) == (200, 0, 0)
    assert (all_of_it.opening_minor, all_of_it.owed_minor, all_of_it.good) == (1_100, 300, 1)
    assert (mine.moved_minor, all_of_it.given_minor) == ({"used": -600}, {})
    crossed = {(A, B): Taken(300, 1), (B, A): Taken(200, 1)}
    assert mine.honoured == others.honoured == all_of_it.honoured == crossed


def test_what_is_given_back_was_not_taken() -> None:
    back = [*GIVEN, flow("used", -300, at=B), flow("undone", 300, at=B)]
    found = promised([], back, A)
    assert found is not None
    assert (found.owed_minor, found.good, found.honoured) == (900, 3, {})
    assert found.given_minor == {"reward": 900}
    later = promised(back[:-1], back, B)
    assert later is not None
    assert later.honoured == {(A, B): Taken(-300, -1)}


def test_a_coupon_of_no_value_is_taken_too() -> None:
    found = promised([], [flow("issued", 0), flow("used", 0, at=B)], B)
    assert found is not None
    assert (found.owed_minor, found.honoured) == (0, {(A, B): Taken(0, 1)})


def test_a_merchant_without_coupons_is_told_nothing() -> None:
    assert promised([], GIVEN[:1], B) is None
    assert promised([], [], None) is None
