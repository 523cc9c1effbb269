"""The short way of a sale answers as the ordinary way does, leaves the rest to it, and counts nothing twice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import Client, TestResponse

from tests.conftest import whole_module_mostly_on
from tests.world import World
from wallet_server.actions import keys
from wallet_server.records.schema import account_clocks, api_keys, sales
from wallet_server.web.till_lane import TillLane

database_kind = whole_module_mostly_on("sqlite")

RANDOM = re.compile(rb"(sale|ent|req)_[0-9a-z]{20}")


class Ways:
    """The two ways, side by side, each with a till of its own; `left` counts what the short way left to the other."""

    def __init__(self, world: World) -> None:
        self.left = 0
        flask = world.app.wsgi_app
        while not isinstance(flask, TillLane):
            flask = flask._app  # type: ignore[attr-defined]
        self._key = world.founded.till_key
        meter = world.app.extensions["wallet-meter"] = keys.Meter(100)
        self._ordinary = Client(flask._app)
        self._short = Client(TillLane(self._leave(flask._app), lambda: world.ctx, meter, 100_000))

    def _leave(self, app: Callable[..., Any]) -> Callable[..., Any]:
        def counted(environ: Any, start: Any) -> Any:
            self.left += 1
            return app(environ, start)

        return counted

    def sell(self, body: Any) -> TestResponse:
        """The short way alone."""
        sent = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        return self._short.post("/v1/sales", data=json.dumps(body), headers=sent)

    def post(self, body: Any, other: Any = None, **headers: str) -> tuple[TestResponse, TestResponse]:
        """What each answers to its own of two bodies that are alike."""
        sent = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return tuple(  # type: ignore[return-value]
            client.post("/v1/sales", data=one if isinstance(one, bytes) else json.dumps(one), headers=sent)
            for client, one in ((self._ordinary, body), (self._short, body if other is None else other))
        )


def _same(ordinary: TestResponse, short: TestResponse) -> TestResponse:
    told = [RANDOM.sub(rb"\1_", one.data).replace(b"r-1", b"r-2") for one in (ordinary, short)]
    assert told[0] == told[1]
    assert short.status_code == ordinary.status_code
    apart = {"X-Request-Id", "RateLimit-Remaining"}
    headers = [{k: v for k, v in one.headers.items() if k not in apart} for one in (ordinary, short)]
    assert headers[0] == headers[1]
    assert short.headers["X-Request-Id"].startswith("req_")
    return short


def _sale(code: str, receipt: str, **more: Any) -> dict[str, Any]:
    line = {"sku": "7", "category": "BREAD", "quantity": 1.5, "unit_amount_minor": 200, "tax_minor": 3}
    return {"code": code, "receipt": receipt, "currency": "EUR", "lines": [line], "language": "fr", **more}


def test_both_ways_count_a_sale_alike(world: World) -> None:
    ways, codes = Ways(world), [world.enrol().code for _ in range(2)]
    first, second = (_sale(code, f"r-{n}") for n, code in enumerate(codes, 1))
    counted = [dict(one.json or {}) for one in ways.post(first, second)]
    for one in counted:
        assert one["entries"]
        assert one["balances"]["points"] == 3
    assert sorted(counted[0]) == sorted(counted[1])
    again = ways.post(first, first)
    assert _same(*again).headers["Idempotency-Replayed"] == "true"
    named = ways.post(_sale(codes[0], "r-3"), _sale(codes[0], "r-3"), Idempotency_Key="abc")
    assert [one.headers.get("Idempotency-Replayed") for one in named] == [None, "true"]
    assert ways.left == 0


@pytest.mark.parametrize(
    "change",
    [
        {"currency": "USD"},
        {"code": "L1.NONE"},
        {"amount_minor": 7},
        {"receipt": ""},
        {"vouchers": ["v_1"]},
        {"occurred_at": "2001-01-01T00:00:00Z"},
        {"nothing": 1},
    ],
)
def test_what_is_refused_is_refused_alike_and_counted_once(world: World, change: dict[str, Any]) -> None:
    ways, body = Ways(world), _sale(world.enrol().code, "r-1") | change
    for left in (99, 97):
        refused = ways.post(body)
        assert _same(*refused).status_code >= 400
        assert [int(one.headers["RateLimit-Remaining"]) for one in refused] == [left, left - 1]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{", {}),
        (b"", {}),
        (b"[]", {}),
        (b'{"code": "\\ud800"}', {}),
        (None, {"Authorization": "Bearer key_x.y"}),
        (None, {"Authorization": ""}),
        (None, {"Content_Type": "text/plain"}),
        (None, {"Idempotency_Key": "a b"}),
        (None, {"X_Cashier": "nobody"}),
    ],
)
def test_what_is_not_plainly_a_sale_goes_the_ordinary_way(
    world: World, body: bytes | None, headers: dict[str, str]
) -> None:
    ways, sale = Ways(world), _sale(world.enrol().code, "r-1")
    assert _same(*ways.post(sale if body is None else body, **headers)).status_code >= 400
    assert ways.left == 1


def test_a_key_that_has_made_enough_requests_is_told_so_and_sells_nothing_more(world: World) -> None:
    ways, code = Ways(world), world.enrol().code
    for number in range(50):
        ways.post(_sale(code, "x"), _sale(code, f"r{number}"))
    late = ways.post(_sale(code, "late"))
    assert _same(*late).status_code == 429


def test_what_is_practised_or_named_is_not_counted_here(world: World) -> None:
    ways, code = Ways(world), world.enrol().code
    _, practised = ways.post(_sale(code, "r-1"), X_Training="1")
    assert dict(practised.json or {})["training"] is True
    _, named = ways.post(_sale(code, "r-2"), X_Request_Id="mine")
    assert named.headers["X-Request-Id"] == "mine"
    assert ways.left == 2


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_key_that_was_good_a_moment_ago_sells_nothing_more(world: World, how: str) -> None:
    ways, code = Ways(world), world.enrol().code
    for number in range(2):  # the second time it may be known from the first
        assert ways.post(_sale(code, f"a{number}"), _sale(code, f"b{number}"))[1].status_code == 200
    column = api_keys.c.revoked_at if how == "revoked" else api_keys.c.expires_at
    public_id = world.founded.till_key.partition(".")[0]
    with world.ctx.change() as tx:  # as another process does it: nobody tells this one
        tx.execute(sa.update(api_keys).where(api_keys.c.public_id == public_id).values({column: world.clock()}))
    world.clock.forward(seconds=1)
    for body in (_sale(code, "late"), _sale(code, "b1")):  # a new one, and one that would be told again
        assert _same(*ways.post(body)).status_code == 401
    with world.ctx.look() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(sales)).scalar_one() == 4


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_known_key_is_looked_at_on_the_way_and_its_scope_grows_old(world: World) -> None:
    ways, code, heard = Ways(world), world.enrol().code, list[str]()
    sa.event.listen(world.ctx.database.engine, "before_cursor_execute", lambda _c, _u, text, *_: heard.append(text))
    questions = []
    for number in range(3):
        heard.clear()
        assert ways.sell(_sale(code, f"b{number}")).status_code == 200
        questions.append(sum("api_keys" in text and "COUNT" in text for text in heard))
        world.clock.forward(seconds=40)
    assert questions == [0, 1, 0], "read, looked at on the way, and read anew after a minute"


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_clock_that_was_moved_meanwhile_is_heeded_by_the_very_next_sale(world: World) -> None:
    ways, code = Ways(world), world.enrol().code
    first = dict(ways.sell(_sale(code, "b1")).json or {})["recorded_at"]
    assert ways.sell(_sale(code, "b2")).status_code == 200, "the key is known by now"
    with world.ctx.change() as tx:
        row = {"account_id": world.founded.account_id, "offset_seconds": 86_400, "moved_at": world.clock()}
        known = {name: value for name, value in row.items() if name in account_clocks.c}
        tx.execute(sa.insert(account_clocks), known)
    later = dict(ways.sell(_sale(code, "b3")).json or {})["recorded_at"]
    assert datetime.fromisoformat(later) - datetime.fromisoformat(first) >= timedelta(days=1)


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_a_sale_that_is_told_again_counts_once_against_the_limit_whether_its_key_is_known_or_not(world: World) -> None:
    ways, sale = Ways(world), _sale(world.enrol().code, "b1")
    told = [ways.sell(sale) for _ in range(3)]
    assert [one.headers.get("Idempotency-Replayed") for one in told] == [None, "true", "true"]
    assert [int(one.headers["RateLimit-Remaining"]) for one in told] == [99, 98, 97]
    assert ways.left == 0
